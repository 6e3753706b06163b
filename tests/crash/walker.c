#include "tests/crash/walker.h"

#include "base/invariant.h"

#include <stdlib.h>

void walker_init(struct walker *walker, const struct journal *journal, const struct image *image,
                 enum sync_purpose liar)
{
    walker->journal = journal;
    walker->liar = liar;
    walker->at = walker->pending_count = walker->syncs_count = 0;
    walker->base = image_copy(image);
}

void walker_deinit(struct walker *walker)
{
    image_close(walker->base);
}

/* ---- what becomes durable ---- */

static bool is_alive(const void *context, uint32_t sector)
{
    return pending_is_alive(context, sector);
}

/* The sectors of `event` are durable: older writes to them, still pending, can't undo that. */
static void supersede(struct walker *walker, uint32_t number)
{
    const struct event *event = &walker->journal->events[number];
    for (uint32_t i = 0; i < walker->pending_count; i++) {
        struct pending *pending = &walker->pending[i];
        const struct event *older = event_of(walker, pending);
        if (pending->event >= number || older->kind != EVENT_WRITE || older->node != event->node)
            continue;
        for (uint32_t sector = 0; sector < event_sectors(older); sector++) {
            uint64_t at = older->offset + (uint64_t)sector * IMAGE_SECTOR_BYTES;
            if (at >= event->offset && at < event->offset + event->size)
                pending->dead[sector / 64] |= 1ull << sector % 64;
        }
    }
}

static struct pending *pending_of(struct walker *walker, uint32_t event)
{
    for (uint32_t i = 0; i < walker->pending_count; i++)
        if (walker->pending[i].event == event)
            return &walker->pending[i];
    return NULL;
}

static void forget(struct walker *walker, struct pending *pending)
{
    struct pending *end = walker->pending + walker->pending_count--;
    memmove(pending, pending + 1, (size_t)((uint8_t *)end - (uint8_t *)(pending + 1)));
}

static void make_durable(struct walker *walker, uint32_t event)
{
    struct pending *pending = pending_of(walker, event);
    if (!pending) /* two syncs may cover the same */
        return;
    if (event_of(walker, pending)->kind == EVENT_WRITE) {
        event_apply(event_of(walker, pending), walker->base, is_alive, pending);
        supersede(walker, event);
    } else {
        event_apply(event_of(walker, pending), walker->base, NULL, NULL);
    }
    forget(walker, pending);
}

/* ---- events ---- */

static void begin_change(struct walker *walker, uint32_t number, const struct event *event)
{
    INVARIANT(walker->pending_count < WALKER_PENDING_MAX);
    INVARIANT(event->size <= WALKER_SECTORS_MAX * IMAGE_SECTOR_BYTES);
    while (event->kind == EVENT_ENTER && walker->base->count <= event->target)
        image_add(walker->base, event->is_directory);
    struct pending *pending = &walker->pending[walker->pending_count++];
    *pending = (struct pending){.event = number};
}

static void begin_sync(struct walker *walker, uint32_t number, const struct event *event)
{
    INVARIANT(walker->syncs_count < sizeof(walker->syncs) / sizeof(*walker->syncs));
    struct walker_sync *sync = &walker->syncs[walker->syncs_count++];
    sync->event = number;
    sync->covered_count = 0;
    for (uint32_t i = 0; i < walker->pending_count; i++) {
        const struct pending *pending = &walker->pending[i];
        bool is_meant = event->node == IMAGE_NONE ||
                        (event_of(walker, pending)->node == event->node && !pending->failed);
        if (pending->ended && is_meant)
            sync->covered[sync->covered_count++] = pending->event;
    }
}

/* After a failed sync the kernel takes what it covered for written, whether it was or not. */
static void end_sync(struct walker *walker, const struct event *begun, const struct event *end)
{
    uint32_t place = 0;
    while (walker->syncs[place].event != end->of)
        INVARIANT(++place < walker->syncs_count);
    struct walker_sync sync = walker->syncs[place];
    walker->syncs[place] = walker->syncs[--walker->syncs_count];
    if (end->outcome == OUTCOME_UNHEARD || begun->purpose == walker->liar)
        return;
    for (uint32_t i = 0; i < sync.covered_count; i++) {
        struct pending *pending = pending_of(walker, sync.covered[i]);
        if (end->outcome == OUTCOME_DONE)
            make_durable(walker, sync.covered[i]);
        else if (pending)
            pending->failed = true;
    }
}

static void end_change(struct walker *walker, const struct event *begun, const struct event *end)
{
    struct pending *pending = pending_of(walker, end->of);
    INVARIANT(pending);
    pending->ended = true;
    if (end->outcome == OUTCOME_FAILED) {
        event_apply_part(begun, walker->base, end->draw);
        if (begun->kind == EVENT_WRITE)
            supersede(walker, end->of);
        forget(walker, pending);
    } else if (begun->is_through && end->outcome == OUTCOME_DONE &&
               begun->purpose != walker->liar) {
        make_durable(walker, end->of);
    }
}

static void cut(struct walker *walker, const struct image *image)
{
    image_close(walker->base);
    walker->base = image_copy(image);
    walker->pending_count = walker->syncs_count = 0;
}

const struct event *walker_step(struct walker *walker)
{
    if (walker->at == walker->journal->count)
        return NULL;
    uint32_t number = walker->at++;
    const struct event *event = &walker->journal->events[number];
    switch (event->kind) {
    case EVENT_NOTE:
        break;
    case EVENT_CUT:
        cut(walker, event->image);
        break;
    case EVENT_SYNC:
        begin_sync(walker, number, event);
        break;
    case EVENT_END:
        if (walker->journal->events[event->of].kind == EVENT_SYNC)
            end_sync(walker, &walker->journal->events[event->of], event);
        else
            end_change(walker, &walker->journal->events[event->of], event);
        break;
    default:
        begin_change(walker, number, event);
        break;
    }
    return event;
}
