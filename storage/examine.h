/* Recovery's look at one segment: whether its hint, or what a compacted one says of itself, can be
 * believed, or its batches must be read. What it all means only the whole log can tell. */
#ifndef STORAGE_EXAMINE_H
#define STORAGE_EXAMINE_H

#include "storage/recover.h"

struct examined { /* what recovery holds of a segment until its log is judged */
    struct medium_object *object;
    struct scan scan;
    struct hint_header hint_header;
    bool hinted;   /* by one that is good */
    bool bad_hint; /* there is one, and it is not */
    bool cut;      /* the segment is shorter than its hint says: what it lacks is damaged mail */
};

static inline struct medium_name examine_name(enum medium_kind kind, uint32_t shard,
                                              uint32_t number)
{
    return (struct medium_name){.kind = kind, .shard = shard, .number = number};
}

/* Opens it and learns what it can without reading it whole, if that may be believed; else scans it.
 * `after_close`: as in scan.h. All but damage with a line. */
enum status examine_segment(struct recover *recover, uint32_t shard,
                            struct recovered_segment *segment, struct examined *work,
                            bool after_close, struct fault *fault) MUST_CHECK;
/* Scans it. */
enum status examine_scan(struct recover *recover, struct examined *work, struct medium_name name,
                         bool after_close) MUST_CHECK;

/* Whether what the log says before `end_lsn` is needed for the index. */
bool examine_wants(const struct recover *recover, uint32_t shard, uint64_t end_lsn);
/* The published hint if there is a good one, for free(); `bad`: there is another one. */
uint8_t *examine_load_hint(struct recover *recover, struct medium_name segment, uint64_t epoch,
                           struct hint_header *header, bool *bad);
/* What an open segment holds, for contents_deinit. */
struct contents examine_contents(struct recover *recover, struct medium_name name,
                                 const struct examined *work, enum contents_part want);
/* Whether what is there twice (loaded with CONTENTS_ALL) is good both times. */
bool examine_copies(struct recover *recover, const struct contents *contents);

/* One finding. */
void examine_report(const struct recover *recover, bool damage, uint32_t shard, uint32_t segment,
                    const char *what, uint64_t count);

#endif
