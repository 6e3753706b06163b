/* A message under way: its envelope, its bytes, its id and digest, its times.
 *
 * Composed into a block of its own from a pool of the shard: nothing is allocated while load runs.
 * Each carries the field X-Mailrace-Id, unique over all runs, and is the same for the same seed but
 * for that and the date.
 *
 * A message that is made up is exactly as large as was drawn. Its body begins with a line that
 * repeats the id, so that no two are equal and a mix-up of bodies shows as a wrong digest; the rest
 * is cut out of the shared paper at a random line. Its header names sender and first recipient,
 * unless they are long (more than 72 bytes) or not ASCII: then someone at mailrace.invalid and
 * undisclosed recipients.
 *
 * The recipients of a message are all different: a random user and those that follow. So there are
 * never more of them than users, nor than one if `to` has no %d, even if more were drawn. */
#ifndef ENGINE_LOAD_LETTER_H
#define ENGINE_LOAD_LETTER_H

#include "base/pool.h"
#include "base/timer_wheel.h"
#include "engine/load/corpus.h"
#include "engine/load/distribution.h"
#include "engine/load/paper.h"
#include "engine/smtp/client.h"

#define LETTER_ID_BYTES 32u /* hexadecimal: 16 of the run, 4 of the shard, 12 of the count */
#define LETTER_PARTS_MAX 4u /* texts that make up a message */
#define LETTER_HEAD_BYTES 768u
#define LETTER_OCTETS_MIN 512u /* of a made-up message: room for its header */

struct letter_options {       /* outlives the desk */
    struct span from;         /* reverse-path, ≤ 254 bytes; may be empty */
    const char *to;           /* with at most one %d; ≤ 512 bytes with that replaced */
    uint32_t users;           /* %d is 0 … users-1; > 0 */
    struct distribution size; /* bytes of a whole message as BDAT has it, if made up: not less than
                               * LETTER_OCTETS_MIN */
    struct distribution recipients;
    const struct corpus *corpus; /* NULL: messages are made up, */
    const struct paper *paper;   /* out of this, made for the largest of them */
    uint64_t seed;
    uint64_t run; /* the first half of every id */
    bool digest;  /* of use only with a ledger: costs time */
};

struct letter {
    struct smtp_client_message message; /* first: the session's name for it */
    struct letter *next;                /* the owner's, while it waits */
    struct timer timer;                 /* the owner's: for another attempt */
    uint64_t intended_ns;               /* when it should have begun */
    uint64_t said_ns;                   /* when its envelope was begun */
    uint64_t ended_ns;                  /* when its end of data was said */
    uint64_t digest;                    /* of the body, plain */
    uint32_t attempts;                  /* the owner's */
    uint8_t fates;                      /* the owner's: of recipients that are settled, as bits
                                         * 1 << enum smtp_client_outcome */
    uint8_t parts_count;
    struct corpus_text parts[LETTER_PARTS_MAX]; /* in order: the whole message without end of data;
                                                 * the last byte of the last is the final LF */
    char id[LETTER_ID_BYTES];
    uint8_t head[LETTER_HEAD_BYTES];
    struct smtp_client_recipient recipients[]; /* with the text of their paths behind them */
};

struct letter_desk; /* where a shard writes its letters; one thread */

/* `count` letters at most at a time. `shard` < 65536 is part of the ids. With a line: USAGE (`to`
 * is no pattern, `from` no path, or every message is to have more recipients than there are),
 * SYSTEM (no memory). */
enum status letter_desk_open(struct letter_desk **desk, const struct letter_options *options,
                             uint32_t shard, uint32_t count, struct fault *fault) MUST_CHECK;
/* With all its letters, also those that are out. */
void letter_desk_close(struct letter_desk *desk);

/* The next message, with everything set but the times; NULL: all letters are out. */
struct letter *letter_write(struct letter_desk *desk, uint64_t wall_ns);
/* Back to the desk it came from. */
void letter_free(struct letter_desk *desk, struct letter *letter);

#endif
