#include "engine/net/uring_kept.h"

#include "base/invariant.h"

#include <stdlib.h>

enum status kept_init(struct kept *kept, struct uring_buffers *buffers, uint32_t connections)
{
    struct kept made = {.buffers = buffers};
    made.nodes = calloc(buffers->count, sizeof *made.nodes);
    made.copies = calloc(connections, sizeof *made.copies);
    if (!made.nodes || !made.copies) {
        free(made.nodes);
        free(made.copies);
        return STATUS_FULL;
    }
    *kept = made;
    return STATUS_OK;
}

void kept_deinit(struct kept *kept)
{
    INVARIANT(kept->held == 0);
    free(kept->nodes);
    free(kept->copies);
}

static bool copy_add(struct kept_copy *copy, struct span bytes)
{
    uint32_t size;
    if (__builtin_add_overflow(copy->size, (uint32_t)bytes.size, &size))
        return false;
    if (size > copy->capacity) {
        uint32_t capacity = size > UINT32_MAX / 2 ? UINT32_MAX : size * 2;
        uint8_t *data = realloc(copy->data, capacity);
        if (!data)
            return false;
        copy->data = data;
        copy->capacity = capacity;
    }
    memcpy(copy->data + copy->size, bytes.data, bytes.size);
    copy->size = size;
    return true;
}

static void copy_free(struct kept_list *list, struct kept_copy *copy)
{
    free(copy->data);
    *copy = (struct kept_copy){0};
    list->copied = false;
}

static void link_buffer(struct kept *kept, struct kept_list *list, uint16_t buffer,
                        struct span bytes)
{
    struct kept_buffer *node = &kept->nodes[buffer];
    *node = (struct kept_buffer){.data = bytes.data, .size = (uint32_t)bytes.size, .next = buffer};
    if (list->count > 0) {
        node->next = kept->nodes[list->last].next;
        kept->nodes[list->last].next = buffer;
    }
    list->last = buffer;
    list->count++;
    kept->held++;
}

static void unlink_first(struct kept *kept, struct kept_list *list)
{
    uint16_t first = kept->nodes[list->last].next;
    kept->nodes[list->last].next = kept->nodes[first].next;
    list->count--;
    kept->held--;
    uring_buffers_give(kept->buffers, first);
}

bool kept_add(struct kept *kept, struct kept_list *list, uint32_t slot, uint16_t buffer,
              uint32_t start, uint32_t size)
{
    INVARIANT(start < size && size <= kept->buffers->buffer_bytes);
    struct span bytes = span_of(uring_buffers_at(kept->buffers, buffer) + start, size - start);
    if (!list->copied && list->count < KEPT_BUFFERS_MAX && kept->held < kept->buffers->count / 2) {
        link_buffer(kept, list, buffer, bytes);
        return true;
    }
    struct kept_copy *copy = &kept->copies[slot];
    bool added = copy_add(copy, bytes);
    list->copied |= added;
    uring_buffers_give(kept->buffers, buffer);
    return added;
}

struct span kept_front(const struct kept *kept, const struct kept_list *list, uint32_t slot)
{
    INVARIANT(!kept_is_empty(list));
    if (list->count > 0) {
        const struct kept_buffer *first = &kept->nodes[kept->nodes[list->last].next];
        return span_of(first->data, first->size);
    }
    const struct kept_copy *copy = &kept->copies[slot];
    return span_of(copy->data + copy->start, copy->size - copy->start);
}

void kept_consume(struct kept *kept, struct kept_list *list, uint32_t slot, size_t size)
{
    INVARIANT(size <= kept_front(kept, list, slot).size);
    if (list->count > 0) {
        struct kept_buffer *first = &kept->nodes[kept->nodes[list->last].next];
        first->data += size;
        first->size -= (uint32_t)size;
        if (first->size == 0)
            unlink_first(kept, list);
        return;
    }
    struct kept_copy *copy = &kept->copies[slot];
    copy->start += (uint32_t)size;
    if (copy->start == copy->size)
        copy_free(list, copy);
}

void kept_drop(struct kept *kept, struct kept_list *list, uint32_t slot)
{
    while (list->count > 0)
        unlink_first(kept, list);
    if (list->copied)
        copy_free(list, &kept->copies[slot]);
}
