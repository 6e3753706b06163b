/* The bytes that the micro benchmarks feed to an SMTP session, made once at start: the lines of an
 * envelope to any of a number of users, and one body. */
#ifndef BENCH_DIALOGUE_H
#define BENCH_DIALOGUE_H

#include "base/span.h"
#include "base/status.h"

enum dialogue_part { /* of the envelope, in the order they are sent */
                     DIALOGUE_MAIL = 1 << 0,
                     DIALOGUE_RCPT = 1 << 1,
                     DIALOGUE_DATA = 1 << 2,
};

struct dialogue_user;

struct dialogue {
    struct dialogue_user *users;
    uint32_t user_count;
    uint8_t *body; /* headers, `size` bytes of payload in lines, final dot */
    size_t body_bytes;
};

/* Messages of `size` bytes (headers come on top) to user0@example.test … user{users-1}. */
enum status dialogue_open(struct dialogue *dialogue, uint32_t users, size_t size,
                          struct fault *fault) MUST_CHECK;
void dialogue_close(struct dialogue *dialogue);

/* These parts (enum dialogue_part, with none left out between two of them) of the envelope to
 * `user` (< user_count). */
struct span dialogue_envelope(const struct dialogue *dialogue, unsigned parts, uint32_t user);
struct span dialogue_body(const struct dialogue *dialogue);

#endif
