/* Writing the new form of a segment: the records that stay are copied, each checked on the way,
 * then what says where they are; when all of it is durable it takes the old one's place. */
#ifndef STORAGE_RECLAIM_REWRITE_H
#define STORAGE_RECLAIM_REWRITE_H

#include "storage/reclaim/contents.h"
#include "storage/reclaim/plan.h"
#include "storage/spare.h"

#define REWRITE_PIECE_BYTES (1u << 20) /* of one read or write */

enum rewrite_step {
    REWRITE_BEGIN,
    REWRITE_OPEN,
    REWRITE_COPY,
    REWRITE_COPIED,
    REWRITE_FRONT,
    REWRITE_BACK,
    REWRITE_LAST,
    REWRITE_FIRST,
    REWRITE_REPLACE,
    REWRITE_REPLACED,
    REWRITE_OVER,
};

struct rewrite {
    enum status status; /* OK; CORRUPT: a record fails its checks; FULL, IO */
    uint64_t moved;     /* bytes read and written so far */
    /* Its own. */
    struct medium_op op;
    struct medium *medium;
    const struct contents *source;
    const struct plan *plan;
    struct spare *spare; /* may recycle the old form; NULL: nobody */
    uint32_t record_seed;
    struct medium_name name;
    struct medium_object *object; /* the new form */
    enum rewrite_step step;
    uint32_t piece;       /* the next to copy */
    uint64_t body_offset; /* of the body, written so far */
    uint8_t *in, *out, *block;
    uint64_t in_offset, out_offset;
    uint32_t in_bytes, out_bytes;
    bool under_way, reading;
};

/* All of it outlives the rewrite. `source` is what the pieces are read from; `spare` may recycle
 * what is replaced (NULL: it goes). */
void rewrite_begin(struct rewrite *rewrite, struct medium *medium, struct medium_name name,
                   const struct contents *source, const struct plan *plan, uint32_t record_seed,
                   struct spare *spare);
/* Does one thing more; true when it is over. */
bool rewrite_turn(struct rewrite *rewrite);
/* Closes and frees; nothing may be under way. Zeroed memory is allowed. */
void rewrite_end(struct rewrite *rewrite);
void rewrite_abandon(struct rewrite *rewrite);

#endif
