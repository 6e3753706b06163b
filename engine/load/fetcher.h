/* One connection that fetches mail: the POP3 client session behind a client door.
 *
 * It reads one mailbox per log-in, from the first message to the last, and tells its collector what
 * it finds. When it is to delete, the server is asked to for each message that is found fine, and
 * gets the QUIT that makes it happen (RFC 1939 section 6) only if all were read.
 *
 * What the server is given time for is a phase, not a byte: silence is counted from when a phase
 * began, and only a message's bytes buy more, a millisecond each. */
#ifndef ENGINE_LOAD_FETCHER_H
#define ENGINE_LOAD_FETCHER_H

#include "base/credentials.h"
#include "base/timer_wheel.h"
#include "engine/call.h"
#include "engine/load/fetched.h"
#include "engine/pop3/client_session.h"

struct collector;

#define FETCHER_REASON_BYTES 192u

struct fetcher {
    struct call call; /* first */
    struct collector *collector;
    struct fetcher *next; /* among the collector's absent ones */
    struct timer timer;   /* the collector's: until it connects again */
    uint32_t mailbox;     /* the collector's */
    uint16_t attempts;    /* the collector's: connections for this mailbox */
    bool busy;            /* the collector's: it has a mailbox */
    uint64_t others_seen; /* the collector's: connections of all, when it began with it */

    struct pop3_client client;
    struct credentials credentials;
    uint32_t since_ms;                 /* low bits: where silence counts from */
    uint32_t count, read;              /* messages in the mailbox, and those read to their end */
    uint32_t condemned;                /* those to be deleted, */
    uint32_t deleted;                  /* that the server agreed to */
    uint64_t message_left;             /* bytes until the message at hand is too long */
    bool up;                           /* the connection came up */
    bool opened;                       /* the mailbox is */
    bool skipped;                      /* some message was refused */
    bool later;                        /* what was refused may be granted later */
    char reason[FETCHER_REASON_BYTES]; /* of the first refusal, for people; may be empty */
    struct fetched message;
};

extern const struct door fetcher_door;
extern const struct pop3_client_host fetcher_host;

/* Starts connecting, to read the mailbox of that name. AGAIN: the shard has no room just now. */
enum status fetcher_connect(struct fetcher *fetcher, struct span mailbox) MUST_CHECK;

/* Once the connection has ended: every message of the mailbox was read. */
bool fetcher_has_read(const struct fetcher *fetcher);
/* How many connections, this one included, it is worth for a mailbox that was not read. */
uint32_t fetcher_worth(const struct fetcher *fetcher);
/* What was wrong, as one line. */
const char *fetcher_reason(const struct fetcher *fetcher);
/* Messages that are gone, and those that should be but may not. */
uint32_t fetcher_deleted(const struct fetcher *fetcher);
uint32_t fetcher_undeleted(const struct fetcher *fetcher);

#endif
