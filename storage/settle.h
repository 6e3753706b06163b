/* Settling: what a batch that ended means for those who wait for it.
 *
 * For every message of a durable batch, in order: its links go to the owners, then `stored` is
 * told; deletions leave the index. An owner that has no room stops the walk, which goes on there at
 * the next turn. How far it has come it tells the owners (owner.h), once a batch is durable: of
 * failed ones nothing is certain until a later one is. On the way the segment's hint grows; it is
 * published when the walk enters the next segment. Of failed batches only the failure is told. */
#ifndef STORAGE_SETTLE_H
#define STORAGE_SETTLE_H

#include "storage/batch.h"
#include "storage/hint.h"
#include "storage/link.h"

struct catalog;
struct store_log;

struct settle {
    struct link_names names;
    struct link_walk walk;
    struct link_stop stop;
    struct record record;  /* at `offset` of the oldest batch, while in_record */
    uint32_t offset;       /* of the next record in that batch; 0: not begun */
    uint32_t cookie_count; /* used up */
    uint64_t messages;     /* that the log had counted when that batch began */
    bool in_record, in_stop;
    bool has_message; /* the segment has one, as the catalog knows */
    bool closing;     /* links that find no room are left to recovery … */
    bool left;        /* … and have been: owners no longer hear how far the log is settled */
    uint16_t copies;  /* of the message whose links are being offered */
    uint64_t end_lsn; /* behind the last message or deletion: one whose chunks are settled before
                         it has the number of the first of them */
    struct hint hint; /* of the segment being settled */
    struct hint publishing; /* of the one before, while `under_way` */
    struct medium_op op;
    bool under_way;
    struct catalog *catalog; /* to be told when it has ended */
};

/* Settles what has ended. True when it stopped at an owner without room. */
bool settle_turn(struct store_log *log);

#endif
