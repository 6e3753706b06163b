/* The engine turned round: load for any SMTP or LMTP server, and an account of every message. */
#ifndef ENGINE_LOAD_BLAST_H
#define ENGINE_LOAD_BLAST_H

#include "engine/load/letter.h"
#include "engine/load/tally.h"
#include "engine/load/target.h"
#include "engine/net/dpdk/net_dpdk.h"

#define BLAST_SOURCES_MAX 64u
#define BLAST_GATHER_AUTO UINT32_MAX
#define BLAST_STEPS_MAX 2000u /* of the time line: then neighbours are joined, two by two */

struct blast_options {
    struct target target;
    uint64_t messages;    /* in all; 0: as long as `duration_ms` lasts */
    uint64_t duration_ms; /* 0: until `messages` are sent */
    uint32_t connections; /* in all */
    uint32_t shards;
    double rate;             /* messages a second in all: open loop; 0: closed loop */
    uint32_t per_connection; /* messages, then QUIT and a new connection; 0: no limit */
    uint32_t retries;        /* attempts beyond the first for what was refused with 4xx */
    bool pipeline, chunking, starttls;
    bool verify;                 /* the server's certificate */
    const char *ca_file;         /* NULL: the system's */
    const char *user, *password; /* NULL: no AUTH */
    const char *hello;           /* our name in EHLO */
    const char *from, *to;
    uint32_t users;
    struct distribution size, recipients;
    const char *corpus_path; /* NULL: messages are made up */
    const char *ledger_path; /* NULL: none */
    union net_address sources[BLAST_SOURCES_MAX];
    uint32_t sources_count; /* 0: the system's choice */
    uint32_t gather_us;     /* or BLAST_GATHER_AUTO; see blast_gather_us */
    struct dpdk_options dpdk;
    uint64_t timeout_ms; /* for any reply; RFC 5321's where that is less */
    uint64_t seed;
};

struct blast_report {
    struct tally total;
    double seconds;     /* from the schedule's start to the last answer and, open loop, its end */
    double cpu_seconds; /* of a net that never rests: of the turns that found something to do */
    double behind; /* open loop: the part of the scheduled messages, 0 to 1, that began more than
                    * 1 s late or not at all */
    uint32_t steps_count;
    struct tally_step steps[BLAST_STEPS_MAX];
    uint64_t in_flight;   /* while it runs: messages begun and not ended */
    uint32_t connections; /* while it runs: that are up */
    bool interrupted;     /* by a signal */
    bool gave_up;         /* no connection was to be had any more */
    bool ledger_failed;   /* it could not be written, which ends the load */
};

/* Called from the main thread a few times a second while load runs; NULL: not. */
typedef void blast_progress(void *context, const struct blast_report *report);

/* Options as the manual says; nothing to send to. */
void blast_options_default(struct blast_options *options);

/* How long replies come together before they are looked at, in microseconds (see ring_gather); 0:
 * they are taken at once. By itself (BLAST_GATHER_AUTO) only a closed loop of several connections
 * gathers, and until half of them have a reply at most: a server that has something to do never
 * starves for it, and latencies at a given rate are not touched. */
uint32_t blast_gather_us(const struct blast_options *options);

/* Runs to the end, or to SIGINT or SIGTERM (a second one ends it at once). The report is the
 * caller's: large, to be allocated, and zeroed; it is filled also when the status is not OK, as far
 * as load went. */
enum status blast_run(const struct blast_options *options, blast_progress *progress, void *context,
                      struct blast_report *report, struct fault *fault) MUST_CHECK;

#endif
