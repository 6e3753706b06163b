/* What the load generator says: the turns of an SMTP dialogue and their bytes, made once at start.
 *
 * A turn is one write and the replies awaited before the next one. How many turns a message takes
 * is what pipelining (RFC 2920) is about:
 *   DIALOGUE_PLAIN     MAIL | RCPT | DATA | body                  4 turns
 *   DIALOGUE_PIPELINED MAIL RCPT DATA | body                      2 turns
 *   DIALOGUE_CHAINED   body and the next message's MAIL RCPT DATA 1 turn (section 3.1 allows it) */
#ifndef BENCH_DIALOGUE_H
#define BENCH_DIALOGUE_H

#include "base/span.h"
#include "base/status.h"

enum dialogue_kind { DIALOGUE_PLAIN, DIALOGUE_PIPELINED, DIALOGUE_CHAINED };

enum dialogue_part { /* in the order they are sent */
                     DIALOGUE_BODY = 1 << 0,
                     DIALOGUE_MAIL = 1 << 1,
                     DIALOGUE_RCPT = 1 << 2,
                     DIALOGUE_DATA = 1 << 3,
};

struct dialogue_turn {
    unsigned parts;      /* enum dialogue_part */
    const char *replies; /* the first digit of each awaited reply; a body's comes first */
};

/* From a message's first turn to its body, which is the last: [0, turn_count). */
struct dialogue_script {
    const struct dialogue_turn *turns;
    unsigned turn_count;
    const struct dialogue_turn *chained; /* instead of the last when another message follows */
};

struct dialogue_user;

struct dialogue {
    struct dialogue_script script;
    struct dialogue_user *users;
    uint32_t user_count;
    uint8_t *body; /* headers, `size` bytes of payload in lines, final dot */
    size_t body_bytes;
};

/* Messages of `size` bytes (headers come on top) to user0@example.test … user{users-1}. */
enum status dialogue_open(struct dialogue *dialogue, enum dialogue_kind kind, uint32_t users,
                          size_t size, struct fault *fault) MUST_CHECK;
void dialogue_close(struct dialogue *dialogue);

/* What a turn's parts send of the envelope to `user` (< user_count), and of the body; either may
 * be empty. */
struct span dialogue_envelope(const struct dialogue *dialogue, unsigned parts, uint32_t user);
struct span dialogue_body(const struct dialogue *dialogue, unsigned parts);

#endif
