#include "engine/smtp/queue.h"

#include "base/invariant.h"
#include "engine/smtp/reply.h"

#define HOLE_BYTES (1 + sizeof(struct smtp_answer))

bool smtp_queue_hold(struct smtp_queue *queue, struct blocks *blocks, uint32_t room,
                     struct output *held)
{
    INVARIANT(!smtp_queue_empty(queue));
    if (queue->block == NULL) {
        queue->block = blocks_take(blocks, BLOCK_4K);
        queue->start = queue->size = 0;
    }
    if (queue->block == NULL)
        return false;
    if (block_bytes[BLOCK_4K] - queue->size < room && queue->start > 0) {
        queue->size -= queue->start;
        memmove(queue->block, queue->block + queue->start, queue->size);
        queue->start = 0;
    }
    *held = (struct output){queue->block, queue->size, block_bytes[BLOCK_4K]};
    return output_room(held) >= room;
}

void smtp_queue_keep(struct smtp_queue *queue, const struct output *held)
{
    INVARIANT(held->data == queue->block);
    queue->size = (uint16_t)held->size;
}

void smtp_queue_add(struct smtp_queue *queue, const struct smtp_answer *answer, struct output *held)
{
    INVARIANT(answer->count > 0);
    if (smtp_queue_empty(queue)) {
        queue->oldest = *answer;
        return;
    }
    output_add(held, span_of("", 1));
    output_add(held, span_of(answer, sizeof *answer));
}

/* The next hole at or after `at`; the queue's size if there is none. */
static uint16_t next_hole(const struct smtp_queue *queue, uint16_t at)
{
    const uint8_t *hole = memchr(queue->block + at, 0, (size_t)(queue->size - at));
    return hole ? (uint16_t)(hole - queue->block) : queue->size;
}

static void settle(struct smtp_answer *answer, uint8_t reply, struct span id)
{
    INVARIANT(id.size <= sizeof answer->id);
    answer->reply = reply;
    answer->id_size = (uint8_t)id.size;
    if (id.size)
        memcpy(answer->id, id.data, id.size);
}

bool smtp_queue_resolve(struct smtp_queue *queue, uint8_t reply, struct span id)
{
    INVARIANT(reply != REPLY_NONE);
    if (queue->oldest.count > 0 && queue->oldest.reply == REPLY_NONE) {
        settle(&queue->oldest, reply, id);
        return true;
    }
    if (queue->block == NULL)
        return false;
    for (uint16_t at = next_hole(queue, queue->start); at < queue->size;
         at = next_hole(queue, (uint16_t)(at + HOLE_BYTES))) {
        struct smtp_answer answer;
        memcpy(&answer, queue->block + at + 1, sizeof answer);
        if (answer.reply == REPLY_NONE) {
            settle(&answer, reply, id);
            memcpy(queue->block + at + 1, &answer, sizeof answer);
            return true;
        }
    }
    return false;
}

/* One line of the oldest answer; false if there is no room. */
static bool say(const struct smtp_answer *answer, struct output *out)
{
    const struct span queued = SPAN("250 2.0.0 queued as "), end = SPAN("\r\n");
    if (answer->reply != REPLY_OK) {
        struct span text = smtp_reply_text(answer->reply);
        if (output_room(out) < text.size)
            return false;
        output_add(out, text);
        return true;
    }
    if (output_room(out) < queued.size + answer->id_size + end.size)
        return false;
    output_add(out, queued);
    output_add(out, span_of(answer->id, answer->id_size));
    output_add(out, end);
    return true;
}

bool smtp_queue_drain(struct smtp_queue *queue, struct blocks *blocks, struct output *out)
{
    for (;;) {
        for (; queue->oldest.count > 0; queue->oldest.count--)
            if (queue->oldest.reply == REPLY_NONE || !say(&queue->oldest, out))
                return false;
        if (queue->block == NULL)
            return true;
        uint32_t ready = (uint32_t)(next_hole(queue, queue->start) - queue->start);
        uint32_t size = ready < output_room(out) ? ready : output_room(out);
        output_add(out, span_of(queue->block + queue->start, size));
        queue->start = (uint16_t)(queue->start + size);
        if (size < ready)
            return false;
        if (queue->start < queue->size) {
            memcpy(&queue->oldest, queue->block + queue->start + 1, sizeof queue->oldest);
            queue->start = (uint16_t)(queue->start + HOLE_BYTES);
        }
        if (queue->start == queue->size) {
            blocks_give(blocks, BLOCK_4K, queue->block);
            queue->block = NULL;
        }
    }
}

void smtp_queue_release(struct smtp_queue *queue, struct blocks *blocks)
{
    if (queue->block)
        blocks_give(blocks, BLOCK_4K, queue->block);
    *queue = (struct smtp_queue){0};
}
