/* The bytes of a store that checksums must cover, as storage/FORMAT.md has them, on a disk without
 * damage and without torn batches. Padding and what is not yet written are no places; of what a
 * compacted segment has twice each is one. */
#ifndef TESTS_CRASH_PLACES_H
#define TESTS_CRASH_PLACES_H

#include "tests/crash/image.h"

#define PLACES_MAX 4096u

enum place_kind {
    PLACE_IDENTITY,
    PLACE_SEGMENT_HEADER,
    PLACE_BATCH_HEADER,
    PLACE_RECORD_HEADER,
    PLACE_PAYLOAD,
    PLACE_HINT_HEADER,
    PLACE_HINT_BODY,
    PLACE_COMPACT_HEADER,
    PLACE_COMPACT_BODY,
    PLACE_KINDS,
};

struct place {
    enum place_kind kind;
    uint32_t node, offset, size;
    bool last; /* the last batch's: nothing can vouch for it */
};

struct places {
    struct place items[PLACES_MAX];
    uint32_t count;
};

const char *place_kind_text(enum place_kind kind);

/* All of them, in the store's folder. */
void places_find(struct places *places, const struct image *image, const char *folder);

#endif
