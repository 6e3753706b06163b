/* What crosses between shards: one bounded queue of links per ordered pair, one inbox per shard.
 *
 * A link (a durable message for a mailbox owned elsewhere) is copied into the queue of its pair and
 * may be refused when that is full. A crossing (open this maildrop, expunge it, close it; a
 * password was checked) belongs to a session, goes by pointer and comes back by pointer: it is
 * never refused.
 *
 * The promise that a client which has seen 250 finds its message rests on the order in mesh_drain:
 * take the crossings first, then drain every queue of links, then answer the crossings. A link
 * published before a reply was sent is in its queue before any login that was caused by that reply
 * arrives. */
#ifndef ENGINE_MESH_H
#define ENGINE_MESH_H

#include "base/span.h"
#include "base/status.h"
#include "engine/inbox.h"
#include "storage/store.h"

struct net;
struct session;

enum crossing_kind {
    CROSSING_PASSWORD, /* from an auth worker: status says whether it was right */
    CROSSING_OPEN,     /* to the owner: lock the mailbox and make its list */
    CROSSING_EXPUNGE,  /* to the owner: make the marked deletions durable */
    CROSSING_CLOSE,    /* to the owner: free list and lock */
};

/* One session's errand at another shard (or its own). While it is away nobody but its receiver
 * touches it; `answered` tells the way back. */
struct crossing {
    struct inbox_item item; /* first */
    enum crossing_kind kind;
    bool answered;
    uint32_t home; /* the session's shard */
    enum status status;
    struct maildrop *maildrop;
    struct session *session;
    uint8_t *name; /* normalised mailbox, for CROSSING_OPEN */
    uint32_t name_bytes;
};

struct mesh;

/* `queue_bytes` for the links of each pair. SYSTEM: no memory. */
enum status mesh_open(struct mesh **mesh, uint32_t shards, size_t queue_bytes) MUST_CHECK;
void mesh_close(struct mesh *mesh);
/* Names the net that wakes a shard; before any traffic to it. */
void mesh_attach(struct mesh *mesh, uint32_t shard, struct net *net);

/* From `from`'s thread. False: the queue is full. The receiver is woken by mesh_flush. */
bool mesh_send_link(struct mesh *mesh, uint32_t from, uint32_t to, struct span mailbox,
                    const struct store_link *link);
/* Wakes the shards that were sent links since the last flush. Once per turn. */
void mesh_flush(struct mesh *mesh, uint32_t from);
/* Any thread: wakes the receiver too. */
void mesh_send_crossing(struct mesh *mesh, uint32_t to, struct crossing *crossing);

struct mesh_visitor {
    void (*link)(void *context, struct span mailbox, const struct store_link *link);
    void (*crossing)(void *context, struct crossing *crossing);
    void *context;
};
/* On the receiver's thread, once per turn. */
void mesh_drain(struct mesh *mesh, uint32_t shard, const struct mesh_visitor *visitor);

#endif
