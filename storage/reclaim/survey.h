/* What is still needed of a sealed segment: asked, entry by entry, in the background.
 *
 * A message is needed while any mailbox has it. A chunk is while its message is, which is in the
 * same segment or a later one of the log: hints tell how far back a segment's messages reach, so
 * only those that reach this one are looked at, and of them the messages in chunks alone. Before a
 * survey begins no message under way may have a chunk in the segment; what is found live may die
 * meanwhile, what is not found never comes back to life. Deletions are not judged here. */
#ifndef STORAGE_RECLAIM_SURVEY_H
#define STORAGE_RECLAIM_SURVEY_H

#include "storage/reclaim/catalog.h"
#include "storage/reclaim/liveness.h"
#include "storage/readers.h"
#include "storage/reclaim/synopsis.h"

#define SURVEY_QUESTIONS 1024u

struct survey_item {      /* a message or a deletion */
    uint64_t number;      /* of a message */
    uint64_t chunk_bytes; /* of a message's chunks */
    size_t at;            /* of its entry: in the target's body, or in `entries` */
    uint32_t kind, segment, slot, bytes;
    bool live;
};

struct survey_chunk {
    uint32_t slot, bytes;
};

enum survey_step { SURVEY_TARGET, SURVEY_OTHERS, SURVEY_ASK, SURVEY_READ, SURVEY_OVER };

struct survey {
    /* Found. OK; AGAIN: it can't be told now; ABSENT, CORRUPT, IO: the segment is not fit. */
    enum status status;
    struct synopsis target;    /* stays open */
    struct survey_item *items; /* of the target, in its order; then of others */
    uint32_t own, count;
    struct survey_chunk *chunks; /* needed, in the target; in no order */
    uint32_t chunk_count;

    /* Its own. */
    struct store_log *log;
    const struct catalog_log *around;
    uint32_t shard, number;
    enum survey_step step;
    uint32_t index;        /* of the segment or item at hand */
    struct synopsis other; /* the segment at hand */
    uint8_t *entries;      /* of others, copied */
    uint32_t entries_size, entries_capacity;
    uint32_t capacity, chunk_capacity;
    struct liveness liveness;
    struct liveness_question questions[SURVEY_QUESTIONS];
    uint32_t question_items[SURVEY_QUESTIONS];
    uint32_t link; /* of the item at hand: the next to ask about */
    struct medium_op op;
    struct reader *reader;
    struct reader_wait wait;
    uint8_t *record; /* RECORD_BYTES_MAX */
    bool asked, waiting, reading;
};

/* Of segment `number` of log `shard`, by `log`, which is any. `around` is the log's catalog and
 * outlives the survey. */
void survey_begin(struct survey *survey, struct store_log *log, uint32_t shard, uint32_t number,
                  const struct catalog_log *around);
/* Goes on; true when it is over. */
bool survey_turn(struct survey *survey);
bool survey_is_under_way(const struct survey *survey);
/* Closes and frees; nothing may be under way. */
void survey_end(struct survey *survey);
/* Frees without a word to the medium. */
void survey_abandon(struct survey *survey);

#endif
