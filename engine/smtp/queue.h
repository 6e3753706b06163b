/* Replies that must wait for a commit.
 *
 * Replies keep the order of their commands (RFC 2920 section 3.2), but a message is answered only
 * when it is durable. So after a message that is under way the replies to later commands are kept
 * in a block of 4 KiB, and each further message leaves a hole among them: a NUL and a struct
 * smtp_answer. The oldest answer is kept in the queue itself, so a client that waits for each
 * answer never needs the block. Over LMTP an answer is as many lines as the message has recipients
 * (RFC 2033 section 4.2). */
#ifndef ENGINE_SMTP_QUEUE_H
#define ENGINE_SMTP_QUEUE_H

#include "base/blocks.h"
#include "base/output.h"
#include "base/span.h"

#define SMTP_ID_BYTES_MAX 18u

struct smtp_answer { /* to one message */
    uint32_t count;  /* lines still to say */
    uint8_t reply;   /* enum smtp_reply; REPLY_NONE: not known yet; REPLY_OK: queued as `id` */
    uint8_t id_size;
    uint8_t id[SMTP_ID_BYTES_MAX];
};

struct smtp_queue { /* zeroed memory is an empty one */
    struct smtp_answer oldest;
    uint16_t start, size; /* what the block holds: bytes [start, size) */
    uint8_t *block;
};

static inline bool smtp_queue_empty(const struct smtp_queue *queue)
{
    return queue->oldest.count == 0 && queue->block == NULL;
}

/* The place for the next reply of a queue that is not empty: `held` stands for the block until
 * smtp_queue_keep. False: no block, or fewer than `room` bytes left in it. */
bool smtp_queue_hold(struct smtp_queue *queue, struct blocks *blocks, uint32_t room,
                     struct output *held);
void smtp_queue_keep(struct smtp_queue *queue, const struct output *held);

/* A message has ended: its answer's place in the order of replies is here. `held` as given by
 * smtp_queue_hold, unless the queue is empty. */
void smtp_queue_add(struct smtp_queue *queue, const struct smtp_answer *answer,
                    struct output *held);

/* The oldest message whose answer is not known is answered. `id` ≤ SMTP_ID_BYTES_MAX. Returns false
 * if there is none. */
bool smtp_queue_resolve(struct smtp_queue *queue, uint8_t reply, struct span id);

/* Says what can be said, as far as `out` has room. True: the queue is empty now. */
bool smtp_queue_drain(struct smtp_queue *queue, struct blocks *blocks, struct output *out);

/* Forgets everything and gives the block back. */
void smtp_queue_release(struct smtp_queue *queue, struct blocks *blocks);

#endif
