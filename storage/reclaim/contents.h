/* What must be known of a segment that was opened, before a slot in it can be read: whether it is a
 * compacted one, and then its map.
 *
 * Read in the background, for whoever reads segments; recovery and tools use the form that waits.
 * Of a compacted segment either copy of each part will do. */
#ifndef STORAGE_RECLAIM_CONTENTS_H
#define STORAGE_RECLAIM_CONTENTS_H

#include "storage/reclaim/compact.h"
#include "storage/hint.h"

enum contents_part {
    CONTENTS_HEAD, /* the header alone */
    CONTENTS_MAP,
    CONTENTS_ALL, /* the hint, too */
};

struct contents {
    struct medium_op op; /* first */
    /* Given. The object is the caller's. */
    struct medium *medium;
    struct medium_object *object;
    struct medium_name name;
    const uint8_t *store;    /* 16 bytes */
    enum contents_part want; /* of a compacted segment */
    void (*done)(struct contents *contents);

    /* Found. `status`: OK; CORRUPT: a compacted segment whose copies are both damaged; IO; NEWER.
     */
    enum status status;
    enum segment_check check;     /* of the header block; of the better copy */
    uint64_t epoch;               /* known when that is GOOD or COMPACT */
    bool mended;                  /* some copy was damaged */
    struct compact_header header; /* when COMPACT, and so on: */
    uint8_t *bytes;               /* of the hint, if it was wanted, then of the map */
    const struct compact_place *map;
    struct span hint; /* the whole object */

    /* Its own. */
    unsigned attempt;
    uint64_t size; /* of the object */
};

/* Starts; `done` is called from the medium's poll. */
void contents_load(struct contents *contents);
void contents_load_wait(struct contents *contents);
/* Frees what was found. */
void contents_deinit(struct contents *contents);

static inline bool contents_are_compact(const struct contents *contents)
{
    return contents->check == SEGMENT_COMPACT;
}

/* Where in the object the record of a slot is. False: it is gone. */
bool contents_find(const struct contents *contents, uint32_t slot, uint64_t *offset);

#endif
