/* What a sealed segment says of mailboxes, read in the background: a compacted one's own hint, or
 * the hint beside a plain one. */
#ifndef STORAGE_RECLAIM_SYNOPSIS_H
#define STORAGE_RECLAIM_SYNOPSIS_H

#include "storage/reclaim/contents.h"

enum synopsis_step { SYNOPSIS_NEW, SYNOPSIS_CONTENTS, SYNOPSIS_HINT, SYNOPSIS_OVER };

struct synopsis {
    /* Found. OK; ABSENT: no good hint, or no segment; CORRUPT, IO, NEWER: as contents. */
    enum status status;
    struct contents contents; /* the segment is open until deinit */
    struct hint_header header;
    struct span body; /* entries */
    /* Its own. */
    struct medium_op op;
    struct medium_object *object; /* of the hint */
    uint8_t *bytes;
    enum synopsis_step step;
    bool under_way;
};

/* Of a segment. Nothing is done before the first turn. */
void synopsis_init(struct synopsis *synopsis, struct medium *medium, const uint8_t store[16],
                   uint32_t shard, uint32_t number);
/* Goes on; true when it is over. False: ask again after the medium was polled. */
bool synopsis_turn(struct synopsis *synopsis);
/* Closes and frees; nothing may be under way. Zeroed memory is allowed. */
void synopsis_deinit(struct synopsis *synopsis);
/* Forgets the medium and what is under way there; for synopsis_deinit. */
void synopsis_abandon(struct synopsis *synopsis);

#endif
