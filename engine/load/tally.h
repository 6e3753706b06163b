/* What a load has come to: counted by each shard for itself, merged for the report.
 *
 * Latencies are in nanoseconds. A message's phases count from when what they answer was said; the
 * whole counts from when the message should have begun, which in an open loop is its place in the
 * schedule (no coordinated omission). Zeroed memory is an empty tally. */
#ifndef ENGINE_LOAD_TALLY_H
#define ENGINE_LOAD_TALLY_H

#include "base/histogram.h"
#include "engine/smtp/client.h"

#include <stddef.h>

enum tally_phase {
    TALLY_CONNECT,
    TALLY_BANNER,
    TALLY_TLS,
    TALLY_EHLO,
    TALLY_AUTH,
    TALLY_MAIL,
    TALLY_RCPT,
    TALLY_DATA,
    TALLY_COMMIT,
    TALLY_TOTAL,
    TALLY_PHASES,
};

/* "connect", "banner", …: static. */
const char *tally_phase_name(enum tally_phase phase);

#define TALLY_CODES 600u /* replies are counted by code; those beyond are no replies */

struct tally_outcomes {
    uint64_t sent; /* = the sum of the others once all is over */
    uint64_t acked, refused, failed, doubtful;
};

struct tally {
    struct tally_outcomes messages;   /* acked: at least one recipient was */
    struct tally_outcomes recipients; /* one by one */
    uint64_t octets;                  /* of acked messages, as the digest's side has them */
    uint64_t retries;                 /* attempts beyond a message's first */
    uint64_t connected;               /* connections that came up */
    uint64_t unconnected;             /* … that did not */
    uint64_t replies[TALLY_CODES];
    uint64_t failures[SMTP_CLIENT_FAILURES]; /* sessions by how they ended; FINE: as they should */
    struct histogram latency[TALLY_PHASES];
};

#define TALLY_COUNTS_BYTES offsetof(struct tally, latency) /* of all but the histograms */

/* Messages begun and not ended. Of a tally that is still counted on, as far as one look can tell.
 */
uint64_t tally_in_flight(const struct tally_outcomes *messages);

/* Adds all that `from` counted. */
void tally_merge(struct tally *into, const struct tally *from);

/* One step of the time line. Counts and latencies are of the step alone. */
struct tally_step {
    double seconds; /* since the start, at the end of the step */
    double length;  /* seconds */
    uint64_t acked, refused, failed, doubtful;
    uint64_t octets;
    uint64_t p50_ns, p99_ns; /* of the whole of messages acked in the step; 0: none */
    uint64_t in_flight;      /* messages begun and not ended, at the end of the step */
};

#endif
