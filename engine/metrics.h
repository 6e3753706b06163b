/* The figures of a running service as text for Prometheus (its text format, version 0.0.4).
 *
 * One table of families in metrics.c says what there is; names begin with mailrace_, those of
 * counters end in _total. A page is written line by line from a cursor, so that it is never in
 * memory as a whole, however many shards there are. The lines of one shard's histogram come from
 * one reading; families are read one after the other while the shards go on. */
#ifndef ENGINE_METRICS_H
#define ENGINE_METRICS_H

#include "base/output.h"
#include "engine/process.h"
#include "engine/shard.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_durability { METRICS_NONE, METRICS_COMMIT, METRICS_DURABILITIES };

struct metrics_figures {
    /* Of the service. */
    uint64_t build; /* 1 */
    uint64_t shards;
    uint64_t durability[METRICS_DURABILITIES]; /* 1 for the mode in force, else 0 */
    struct process_figures process;
    /* Of one shard. */
    struct shard_figures shard;
    /* Of one log on disk, as it was found at the start. */
    struct store_stats recovered;
};

struct metrics_source { /* constant while there are pages */
    uint32_t shards;    /* of this run */
    uint32_t logs;      /* on disk, of earlier runs too */
    bool durable;
    void (*read_shard)(void *context, uint32_t shard, struct shard_figures *figures);
    void (*read_log)(void *context, uint32_t log, struct store_stats *recovered);
    void *context;
};

struct metrics_page { /* a cursor: family, member (shard or log), line of the member */
    const struct metrics_source *source;
    uint32_t family, member, line;
    bool headed; /* HELP and TYPE of the family are written */
    struct metrics_figures figures;
};

/* The longest line, or HELP and TYPE together. */
#define METRICS_LINE_BYTES_MAX 512u

/* At the first line; reads the figures of the process. */
void metrics_begin(struct metrics_page *page, const struct metrics_source *source);

/* Appends lines while there are METRICS_LINE_BYTES_MAX of room. True: that was all of the page. */
bool metrics_write(struct metrics_page *page, struct output *out);

#endif
