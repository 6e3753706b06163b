/* The envelope: what a transaction says about a message besides the message itself.
 *
 * A flat run of tag-length-value items, built once by the session in the exact bytes the store
 * keeps (storage/FORMAT.md): u8 tag, u8 zero, u16 little-endian length, value, no padding. Items
 * about the whole message come first; ENVELOPE_MAILBOX begins a recipient, and the items after it
 * up to the next mailbox belong to that recipient. The builder never allocates: whoever owns the
 * memory may move the bytes to a larger block and raise `capacity`. */
#ifndef BASE_ENVELOPE_H
#define BASE_ENVELOPE_H

#include "base/span.h"

enum envelope_tag { /* on disk: never renumber */
                    ENVELOPE_REVERSE_PATH =
                        1, /* mailbox without <>; empty for the null reverse-path; always there */
                    ENVELOPE_HELO = 2,
                    ENVELOPE_CLIENT = 3, /* text: "192.0.2.1:4711", "[2001:db8::1]:4711", "unix" */
                    ENVELOPE_PROTOCOL =
                        4, /* the "with" keyword: "ESMTP", "UTF8LMTPS", … (RFC 3848, 6531) */
                    ENVELOPE_TLS = 5,      /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
                    ENVELOPE_ENVID = 6,    /* DSN (RFC 3461), decoded */
                    ENVELOPE_RET = 7,      /* DSN: "FULL" or "HDRS" */
                    ENVELOPE_BODY = 8,     /* "7BIT" or "8BITMIME" as declared */
                    ENVELOPE_SMTPUTF8 = 9, /* empty: declared */
                    ENVELOPE_REQUIRETLS = 10,
                    ENVELOPE_MAILBOX =
                        32, /* normalised name (engine/smtp/address.h): begins a recipient */
                    ENVELOPE_ORIGINAL =
                        33, /* the forward-path as given, when it differs from the mailbox */
                    ENVELOPE_NOTIFY = 34, /* DSN */
                    ENVELOPE_ORCPT = 35,  /* DSN */
};

#define ENVELOPE_ITEM_BYTES 4u

#define ENVELOPE_BYTES_USUAL 192u /* most are shorter */

struct envelope {
    uint8_t *bytes;
    uint32_t size, capacity;
    uint32_t recipients; /* ENVELOPE_MAILBOX items */
};

/* Appends an item (value ≤ 65,535 bytes). False, and nothing changed, when it does not fit. */
bool envelope_add(struct envelope *envelope, enum envelope_tag tag, struct span value)
    __attribute__((warn_unused_result));

/* Forgets what was added after `size` was noted: undoes a recipient whose items did not all fit. */
void envelope_truncate(struct envelope *envelope, uint32_t size, uint32_t recipients);

struct envelope_cursor {
    struct span rest;
    bool bad; /* sticky: the bytes are not a well-formed envelope */
};

static inline struct envelope_cursor envelope_read(struct span bytes)
{
    return (struct envelope_cursor){.rest = bytes};
}

/* The next item; false at the end or when the bytes are bad (then cursor->bad is set). Unknown tags
 * are returned too: newer programs may write them. */
bool envelope_next(struct envelope_cursor *cursor, unsigned *tag, struct span *value);

#endif
