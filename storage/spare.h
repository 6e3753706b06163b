/* The next segment of a log, made ready ahead of need: recycled or prepared, named, begun with its
 * header. What is recycled was a segment of the log, is dead, and need not be filled with zeroes.
 *
 * Works in the background, one operation at a time; what fails is tried again after a while, so
 * that a full disk that was emptied is found by itself. A segment that could not be begun is
 * removed first: a sick disk must not be filled with beginnings. */
#ifndef STORAGE_SPARE_H
#define STORAGE_SPARE_H

#include "storage/segment.h"

#define SPARE_RETRY_NS 1000000000ull

enum spare_state {
    SPARE_NONE,
    SPARE_RECYCLING,
    SPARE_PREPARING,
    SPARE_ADOPTING,
    SPARE_BEGINNING,
    SPARE_DISCARDING,
    SPARE_READY,
    SPARE_FAILED,
};

/* A dead segment's object, to be recycled. */
enum spare_retired {
    SPARE_RETIRED_NONE,
    SPARE_RETIRED_UNSURE, /* the replacement that retires it, or its removal, is under way or has
                             failed */
    SPARE_RETIRED_KEPT,
};

struct spare {
    struct medium_op op;
    struct medium *medium;
    enum spare_state state;
    bool under_way;
    uint8_t *block;          /* the header, for direct I/O */
    struct segment *segment; /* when beginning and ready */
    uint64_t bytes;          /* of a new segment */
    uint64_t seed;           /* of epochs */
    uint32_t shard;
    uint32_t number; /* the highest one used */
    uint32_t doomed; /* a segment to remove; 0: none */
    enum spare_retired retired;
    bool of_retired;     /* what is being made was another segment before */
    uint64_t recycled;   /* how often */
    enum status failure; /* why it is not ready; OK: it is on its way; AGAIN: it is, but nobody
                            knows yet whether the medium has room for it */
    uint64_t retry_ns;   /* monotonic: not before */
    uint8_t store[16];
};

/* One step further, if the last one is done. */
void spare_turn(struct spare *spare, uint64_t now_ns);

/* A segment of `bytes` is being replaced, and its old object retired; and that has succeeded. */
void spare_retiring(struct spare *spare);
void spare_has_retired(struct spare *spare);
/* Gives back what is retired: nobody seems to need another segment. */
void spare_let_go(struct spare *spare);
/* Gives back what was retired and not recycled. Waits; nothing may be under way. */
void spare_close(struct spare *spare);

/* The ready segment, now the caller's; NULL: see `failure`. */
struct segment *spare_take(struct spare *spare);

/* The segment `number` was taken, but could not be written: it goes. */
void spare_discard(struct spare *spare, uint32_t number, enum status failure, uint64_t now_ns);

#endif
