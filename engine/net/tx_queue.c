#include "engine/net/tx_queue.h"

unsigned tx_queue_gather(const struct tx_queue *queue, struct iovec *parts, unsigned parts_max)
{
    uint32_t skip = queue->sent;
    unsigned count = 0;
    for (const struct net_tx *tx = queue->first; tx && count < parts_max; tx = tx->next) {
        /* sendmsg takes const bytes through an iovec that has no const */
        parts[count].iov_base = (uint8_t *)(uintptr_t)tx->data + skip;
        parts[count].iov_len = tx->size - skip;
        count++;
        skip = 0;
    }
    return count;
}

static void release_first(struct tx_queue *queue)
{
    struct net_tx *tx = queue->first;
    queue->first = tx->next;
    queue->sent = 0;
    tx->release(tx, tx->context);
}

void tx_queue_advance(struct tx_queue *queue, size_t bytes)
{
    while (bytes > 0) {
        INVARIANT(queue->first);
        uint32_t left = queue->first->size - queue->sent;
        if (bytes < left) {
            queue->sent += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        release_first(queue);
    }
}

void tx_queue_release(struct tx_queue *queue)
{
    while (queue->first)
        release_first(queue);
}
