#include "tests/crash/journal.h"

#include "base/invariant.h"

#include <stdlib.h>

static const char *const purposes[SYNC_PURPOSES] = {
    [SYNC_STORE_FOLDER] = "sync of the folder that holds the store",
    [SYNC_SHARD_FOLDER] = "sync of the store's folder, for a shard's",
    [SYNC_STORE_FILE] = "sync of STORE before its rename",
    [SYNC_STORE_NAME] = "sync of the store's folder, for STORE",
    [SYNC_SPARE_FILE] = "sync of a spare",
    [SYNC_SPARE_NAME] = "sync of the shard's folder, for a spare",
    [SYNC_SEGMENT_NAME] = "sync of the shard's folder, for a segment",
    [SYNC_SEGMENT_HEADER] = "sync of a segment's header",
    [SYNC_BATCH] = "sync of a batch",
    [SYNC_HINT_FILE] = "sync of a hint before its rename",
    [SYNC_HINT_NAME] = "sync of the shard's folder, for a hint",
    [SYNC_REMOVAL] = "sync of the shard's folder, for a removal",
    [SYNC_REWRITE] = "sync of a segment's new form",
    [SYNC_REPLACEMENT] = "sync of the shard's folder, for a new form",
    [SYNC_BLANK_HEADER] = "sync of a blank header",
    [SYNC_WHOLE] = "sync of everything at the start",
};

const char *sync_purpose_text(enum sync_purpose purpose)
{
    INVARIANT(purpose < SYNC_PURPOSES);
    return purposes[purpose];
}

void journal_deinit(struct journal *journal)
{
    for (uint32_t i = 0; i < journal->count; i++) {
        free(journal->events[i].bytes);
        if (journal->events[i].image)
            image_close(journal->events[i].image);
    }
    free(journal->events);
    *journal = (struct journal){.count = 0};
}

static bool is_zero(const uint8_t *bytes, uint32_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

uint32_t journal_add(struct journal *journal, const struct event *event)
{
    if (journal->count == journal->capacity) {
        journal->capacity = journal->capacity ? journal->capacity * 2 : 256;
        journal->events = realloc(journal->events, journal->capacity * sizeof(*journal->events));
        INVARIANT(journal->events);
    }
    struct event *added = &journal->events[journal->count];
    *added = *event;
    added->bytes = NULL;
    if (event->bytes && event->size > 0 && !is_zero(event->bytes, event->size)) {
        added->bytes = malloc(event->size);
        INVARIANT(added->bytes);
        memcpy(added->bytes, event->bytes, event->size);
    }
    return journal->count++;
}

void journal_note(struct journal *journal, uint32_t kind, uint32_t subject, uint32_t detail)
{
    journal_add(journal, &(struct event){.kind = EVENT_NOTE, .note = {kind, subject, detail}});
}

bool draw_chooses(uint64_t draw, uint32_t index)
{
    static const uint8_t odds[] = {0, 8, 1, 7, 4}; /* of 8 */
    struct random random = {.state = draw ^ (uint64_t)index << 32};
    return random_below(&random, 8) < odds[draw % sizeof(odds)];
}

static void apply_write(const struct event *event, struct image *image,
                        bool (*chosen)(const void *context, uint32_t sector), const void *context)
{
    uint64_t end = event->offset + event->size;
    if (image_size(image, event->node) < end)
        image_resize(image, event->node, end);
    if (!chosen) {
        image_write(image, event->node, event->bytes, event->size, event->offset);
        return;
    }
    for (uint32_t sector = 0; sector < event_sectors(event); sector++) {
        uint32_t at = sector * IMAGE_SECTOR_BYTES, left = event->size - at;
        if (chosen(context, sector))
            image_write(image, event->node, event->bytes ? event->bytes + at : NULL,
                        left < IMAGE_SECTOR_BYTES ? left : IMAGE_SECTOR_BYTES, event->offset + at);
    }
}

void event_apply(const struct event *event, struct image *image,
                 bool (*chosen)(const void *context, uint32_t sector), const void *context)
{
    switch (event->kind) {
    case EVENT_WRITE:
        apply_write(event, image, chosen, context);
        break;
    case EVENT_RESIZE:
        if (image_size(image, event->node) < event->offset)
            image_resize(image, event->node, event->offset);
        break;
    case EVENT_ENTER:
        image_enter(image, event->node, event->name, event->target);
        break;
    case EVENT_RENAME:
        image_leave(image, event->node, event->name);
        image_enter(image, event->node, event->new_name, event->target);
        break;
    case EVENT_LEAVE:
        image_leave(image, event->node, event->name);
        break;
    default:
        break;
    }
}

static bool is_drawn(const void *context, uint32_t sector)
{
    return draw_chooses(*(const uint64_t *)context, sector);
}

void event_apply_part(const struct event *event, struct image *image, uint64_t draw)
{
    if (event->kind == EVENT_WRITE)
        event_apply(event, image, is_drawn, &draw);
    else if (draw_chooses(draw, 0))
        event_apply(event, image, NULL, NULL);
}
