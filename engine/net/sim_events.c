#include "engine/net/sim_events.h"

#include "base/invariant.h"

#include <stdlib.h>

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event event = *a;
    *a = *b;
    *b = event;
}

void sim_events_push(struct sim_events *events, struct sim_event event)
{
    if (events->count == events->capacity) {
        uint32_t capacity = events->capacity == 0 ? 64 : events->capacity * 2;
        events->heap = realloc(events->heap, capacity * sizeof *events->heap);
        INVARIANT(events->heap);
        events->capacity = capacity;
    }
    struct sim_event *heap = events->heap;
    uint32_t place = events->count++;
    heap[place] = event;
    for (; place > 0 && is_before(&heap[place], &heap[(place - 1) / 2]); place = (place - 1) / 2)
        swap(&heap[place], &heap[(place - 1) / 2]);
}

uint64_t sim_events_next_ns(const struct sim_events *events)
{
    return events->count == 0 ? UINT64_MAX : events->heap[0].at_ns;
}

static void sink(struct sim_events *events)
{
    struct sim_event *heap = events->heap;
    uint32_t place = 0;
    for (;;) {
        uint32_t least = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2; child++)
            if (child < events->count && is_before(&heap[child], &heap[least]))
                least = child;
        if (least == place)
            return;
        swap(&heap[place], &heap[least]);
        place = least;
    }
}

bool sim_events_pop(struct sim_events *events, uint64_t now_ns, uint64_t sequence,
                    struct sim_event *event)
{
    if (events->count == 0 || events->heap[0].at_ns > now_ns ||
        events->heap[0].sequence >= sequence)
        return false;
    struct sim_event first = events->heap[0];
    events->heap[0] = events->heap[--events->count];
    sink(events);
    *event = first;
    return true;
}

void sim_events_free(struct sim_events *events)
{
    free(events->heap);
    *events = (struct sim_events){0};
}
