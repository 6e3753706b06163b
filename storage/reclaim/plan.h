/* The new form of a segment, before anything is written: which records stay, and where. */
#ifndef STORAGE_RECLAIM_PLAN_H
#define STORAGE_RECLAIM_PLAN_H

#include "storage/reclaim/compact.h"
#include "storage/reclaim/survey.h"

struct plan_piece { /* a record that stays */
    uint32_t slot, bytes;
};

struct plan {
    struct plan_piece *pieces; /* by slot */
    uint32_t count, capacity;
    uint64_t record_bytes;
    struct compact_header header;
    uint8_t *body; /* hint and map, zeroes up to a whole block; aligned to one */
    uint64_t body_bytes;
};

struct plan_place { /* where in the log it will stand */
    struct medium_name name;
    const uint8_t *store; /* 16 bytes */
    uint64_t epoch;       /* drawn anew */
    uint32_t generation;
    uint64_t first_sequence, first_lsn; /* of what it stands for */
    uint64_t forgotten;                 /* as in compact.h */
    const struct hint_header *last;     /* whose end is its end */
};

/* What the survey has found alive. */
void plan_make(struct plan *plan, const struct survey *survey, const struct plan_place *place);
/* Nothing: a stone that says which numbers were here. */
void plan_make_empty(struct plan *plan, const struct plan_place *place);
/* Zeroed memory is allowed. */
void plan_deinit(struct plan *plan);

#endif
