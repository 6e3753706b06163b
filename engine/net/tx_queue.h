/* The buffers that a connection has still to send, in order.
 *
 * A buffer belongs to the queue from push to its release. It leaves the queue before its release is
 * called, so the callback may do anything but push back what it was given. */
#ifndef ENGINE_NET_TX_QUEUE_H
#define ENGINE_NET_TX_QUEUE_H

#include "base/invariant.h"
#include "engine/net/net.h"

#include <sys/uio.h>

struct tx_queue { /* zeroed memory is an empty queue */
    struct net_tx *first, *last;
    uint32_t sent; /* bytes of `first` that the network has already taken */
};

static inline bool tx_queue_empty(const struct tx_queue *queue)
{
    return queue->first == NULL;
}

static inline void tx_queue_push(struct tx_queue *queue, struct net_tx *tx)
{
    INVARIANT(tx->size > 0);
    tx->next = NULL;
    if (queue->first == NULL)
        queue->first = tx;
    else
        queue->last->next = tx;
    queue->last = tx;
}

/* What is left of the first buffer; the queue must not be empty. */
static inline struct span tx_queue_front(const struct tx_queue *queue)
{
    return span_of(queue->first->data + queue->sent, queue->first->size - queue->sent);
}

/* Describes the first buffers, at most `parts_max`, for a gathering send; returns how many. */
unsigned tx_queue_gather(const struct tx_queue *queue, struct iovec *parts, unsigned parts_max);

/* The network took the next `bytes` (≤ what is queued): releases every buffer that is done with. */
void tx_queue_advance(struct tx_queue *queue, size_t bytes);

/* Drops everything, unsent or not: releases every buffer. */
void tx_queue_release(struct tx_queue *queue);

#endif
