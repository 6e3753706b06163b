/* One message as it comes back: its id, from the first X-Mailrace-Id field of its header, and the
 * digest of its body, which is all behind the first empty line. What relays add to a header before
 * or after that field makes no difference.
 *
 * Bytes come in any pieces, without the dots that stuffing adds; none are kept but the id. */
#ifndef ENGINE_LOAD_FETCHED_H
#define ENGINE_LOAD_FETCHED_H

#include "base/digest.h"
#include "engine/load/ledger_line.h"

struct fetched {
    struct digest digest;
    uint8_t state;   /* in fetched.c */
    uint8_t matched; /* bytes of the field's name */
    uint8_t id_bytes;
    bool in_id;   /* in the field, or at the start of the line after it, which may go on with it */
    bool id_done; /* a blank has ended the id */
    bool id_seen; /* the field has been there: later ones don't count */
    uint8_t id[LEDGER_ID_BYTES_MAX];
};

/* Begins another message. */
void fetched_start(struct fetched *fetched);
void fetched_add(struct fetched *fetched, struct span bytes);

/* Once all bytes were added: the id without the blanks around it; empty if there is none, or none
 * that a ledger could have. As valid as the struct. */
struct span fetched_id(const struct fetched *fetched);
/* Of no bytes if there is no empty line. */
uint64_t fetched_digest(const struct fetched *fetched);

#endif
