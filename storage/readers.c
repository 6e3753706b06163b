#include "storage/readers.h"

#include "base/invariant.h"

#include <stdlib.h>

#define READERS_IDLE 16u /* stay open beyond those in use */

enum status readers_init(struct readers *readers, uint32_t users_max)
{
    *readers = (struct readers){.count = users_max + READERS_IDLE};
    readers->table = calloc(readers->count, sizeof(*readers->table));
    return readers->table ? STATUS_OK : STATUS_FULL;
}

static void reader_close(struct reader *reader)
{
    struct medium *medium = reader->readers->medium;
    INVARIANT((reader->users == 0 && !reader->loading) || !medium);
    if (medium)
        medium->calls->close(medium, reader->contents.object);
    contents_deinit(&reader->contents);
    reader->contents.object = NULL;
}

void readers_deinit(struct readers *readers)
{
    for (uint32_t i = 0; readers->table && i < readers->count; i++)
        if (readers->table[i].contents.object)
            reader_close(&readers->table[i]);
    free(readers->table);
    readers->table = NULL;
}

static bool is_of(const struct reader *reader, uint32_t shard, uint32_t segment)
{
    return reader->contents.object && !reader->stale && reader->contents.name.shard == shard &&
           reader->contents.name.number == segment;
}

/* The open one, or the one to give up for it: not in use, and not for the longest time. */
static struct reader *find(struct readers *readers, uint32_t shard, uint32_t segment)
{
    struct reader *oldest = NULL;
    for (uint32_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->table[i];
        if (is_of(reader, shard, segment))
            return reader;
        if (reader->users == 0 && !reader->loading && (!oldest || reader->used < oldest->used))
            oldest = reader;
    }
    INVARIANT(oldest);
    return oldest;
}

static void reader_loaded(struct contents *contents)
{
    struct reader *reader = (struct reader *)contents; /* contents are the first member */
    struct reader_wait *wait = reader->waiting;
    reader->waiting = NULL;
    reader->loading = false;
    reader->stale = reader->stale || contents->status != STATUS_OK;
    while (wait) {
        struct reader_wait *next = wait->next;
        wait->ready(wait); /* may release the reader: the last one closes what is stale */
        wait = next;
    }
    if (reader->users == 0 && reader->stale && reader->contents.object)
        reader_close(reader);
}

static enum status reader_open(struct readers *readers, struct reader *reader, uint32_t shard,
                               uint32_t segment)
{
    struct medium *medium = readers->medium;
    struct medium_name name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = segment};
    struct medium_object *object;
    if (reader->contents.object)
        reader_close(reader);
    enum status status = medium->calls->open(medium, name, &object);
    if (status != STATUS_OK)
        return status;
    *reader = (struct reader){
        .contents = {.medium = medium,
                     .object = object,
                     .name = name,
                     .store = readers->store,
                     .want = CONTENTS_MAP,
                     .done = reader_loaded},
        .readers = readers,
        .loading = true,
    };
    contents_load(&reader->contents);
    return STATUS_OK;
}

enum status readers_obtain(struct readers *readers, uint32_t shard, uint32_t segment,
                           struct reader **reader)
{
    struct reader *found = find(readers, shard, segment);
    if (!is_of(found, shard, segment)) {
        enum status status = reader_open(readers, found, shard, segment);
        if (status != STATUS_OK)
            return status;
    }
    found->users++;
    found->used = ++readers->uses;
    *reader = found;
    return STATUS_OK;
}

bool reader_await(struct reader *reader, struct reader_wait *wait)
{
    if (!reader->loading)
        return true;
    wait->next = reader->waiting;
    reader->waiting = wait;
    return false;
}

enum status reader_find(const struct reader *reader, uint32_t slot, uint64_t *offset)
{
    INVARIANT(!reader->loading);
    if (reader->contents.status != STATUS_OK)
        return reader->contents.status;
    return contents_find(&reader->contents, slot, offset) ? STATUS_OK : STATUS_ABSENT;
}

void reader_release(struct reader *reader)
{
    if (!reader)
        return;
    INVARIANT(reader->users > 0);
    reader->users--;
    if (reader->users == 0 && reader->stale && !reader->loading)
        reader_close(reader);
}

void readers_refresh(struct readers *readers,
                     bool (*is_current)(void *context, struct medium_name name, uint64_t epoch),
                     void *context)
{
    for (uint32_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->table[i];
        const struct contents *contents = &reader->contents;
        if (!contents->object || reader->loading || reader->stale ||
            is_current(context, contents->name, contents->epoch))
            continue;
        reader->stale = true;
        if (reader->users == 0)
            reader_close(reader);
    }
}
