/* Where other threads leave things for a shard: an intrusive list, any number of writers, one
 * reader.
 *
 * A Treiber stack taken whole (Treiber, 1986): pushing is one compare-and-swap, taking one
 * exchange, so there is no ABA. Never full, as every item brings its own link; bounded because
 * every session owns exactly one crossing. Links of messages, which are many, go through the mesh's
 * bounded queues instead. */
#ifndef ENGINE_INBOX_H
#define ENGINE_INBOX_H

#include <stdatomic.h>
#include <stddef.h>

struct inbox_item {
    struct inbox_item *next;
};

struct inbox {
    _Atomic(struct inbox_item *) newest;
};

static inline void inbox_push(struct inbox *inbox, struct inbox_item *item)
{
    struct inbox_item *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    do
        item->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&inbox->newest, &newest, item,
                                                  memory_order_release, memory_order_relaxed));
}

/* Everything that was pushed, oldest first; NULL when there is nothing. */
static inline struct inbox_item *inbox_take(struct inbox *inbox)
{
    if (atomic_load_explicit(&inbox->newest, memory_order_relaxed) == NULL)
        return NULL;
    struct inbox_item *item = atomic_exchange_explicit(&inbox->newest, NULL, memory_order_acquire);
    struct inbox_item *oldest = NULL;
    while (item != NULL) {
        struct inbox_item *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    return oldest;
}

#endif
