/* An SMTP session for the micro benchmarks, greeted, on a host that takes everything and stores
 * nothing: a message ends when the benchmark says so. */
#ifndef BENCH_MICRO_SMTP_H
#define BENCH_MICRO_SMTP_H

#include "bench/dialogue.h"
#include "engine/smtp/server.h"
#include "engine/smtp/session.h"

#define MICRO_SMTP_USERS 1000u

struct micro_smtp {
    struct smtp_session session;
    struct blocks blocks;
    struct output out;
    struct clock_date_cache dates;
    struct dialogue dialogue; /* the bytes to feed */
    uint32_t pending;         /* messages that the host has taken and not answered */
    uint64_t wire_bytes;      /* of all of them so far */
    uint8_t replies[4096];
};

/* With a dialogue of messages of `size` bytes. */
struct micro_smtp *micro_smtp_open(size_t size);
void micro_smtp_close(struct micro_smtp *smtp);

/* Feeds all of `input`, which the session must take, and forgets the replies. */
void micro_smtp_feed(struct micro_smtp *smtp, struct span input);

/* The message that the host has taken is durable. */
void micro_smtp_stored(struct micro_smtp *smtp);

#endif
