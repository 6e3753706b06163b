/* The transport ceiling: what the kernel and one io_uring, or the network past the kernel, cost for
 * the bytes of a mail, without the mail. Whatever the engine needs beyond this is its own doing.
 *
 * A message is `turns` turns of one TCP connection, as SMTP has them: each but the last is a line
 * of CEILING_LINE_BYTES answered by as many (MAIL, RCPT, DATA); the last brings `bytes_in` and gets
 * `bytes_out`. One turn is the fully pipelined dialogue. Durable: the bytes of the last turn are
 * copied into a batch, and it is answered after a batch write that reached stable storage. */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include "base/status.h"
#include "bench/endpoint.h"

#define CEILING_LINE_BYTES 30u
#define CEILING_TURN_BYTES_MAX (1u << 20)

struct ceiling_options {
    uint64_t turns;
    uint64_t bytes_in, bytes_out; /* of the last turn, each ≤ CEILING_TURN_BYTES_MAX */
    uint64_t connections;
    uint64_t messages; /* in all: a multiple of nothing, ≥ 1 */
    bool durable;
    const char *file;   /* written when durable */
    const char *memory; /* as of struct endpoint_way */
};

/* What one side has used and done between its first message and its last. */
struct ceiling_result {
    struct cpu_time used;
    uint64_t elapsed_ns;
    uint64_t messages;
    uint64_t commits;
    struct fault fault;
};

/* The serving side: writes a byte to `ready` when it can be reached, and one when it has accepted
 * all connections; serves until every one is closed by its peer. Fills `result` (also `fault`, on
 * failure). */
enum status ceiling_serve(const struct ceiling_options *options, const struct endpoint_way *way,
                          int ready, struct ceiling_result *result) MUST_CHECK;

/* The asking side: connects and waits in step with those bytes, asks until all messages are
 * answered. */
enum status ceiling_ask(const struct ceiling_options *options, const struct endpoint_way *way,
                        int ready, struct ceiling_result *result) MUST_CHECK;

#endif
