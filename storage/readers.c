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

static void reader_close(struct readers *readers, struct reader *reader)
{
    INVARIANT(reader->users == 0 || !readers->medium);
    if (reader->object && readers->medium)
        readers->medium->calls->close(readers->medium, reader->object);
    reader->object = NULL;
}

void readers_deinit(struct readers *readers)
{
    for (uint32_t i = 0; readers->table && i < readers->count; i++)
        reader_close(readers, &readers->table[i]);
    free(readers->table);
    readers->table = NULL;
}

/* The open one, or the one to give up for it: not in use, and not for the longest time. */
static struct reader *find(struct readers *readers, uint32_t shard, uint32_t segment)
{
    struct reader *oldest = NULL;
    for (uint32_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->table[i];
        if (reader->object && reader->shard == shard && reader->segment == segment)
            return reader;
        if (reader->users == 0 && (!oldest || reader->used < oldest->used))
            oldest = reader;
    }
    INVARIANT(oldest);
    return oldest;
}

enum status readers_obtain(struct readers *readers, uint32_t shard, uint32_t segment,
                           struct reader **reader)
{
    struct reader *found = find(readers, shard, segment);
    if (!found->object || found->shard != shard || found->segment != segment) {
        struct medium_name name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = segment};
        reader_close(readers, found);
        enum status status = readers->medium->calls->open(readers->medium, name, &found->object);
        if (status != STATUS_OK) {
            found->object = NULL;
            return status;
        }
        found->shard = shard;
        found->segment = segment;
    }
    found->users++;
    found->used = ++readers->uses;
    *reader = found;
    return STATUS_OK;
}

void reader_release(struct reader *reader)
{
    if (!reader)
        return;
    INVARIANT(reader->users > 0);
    reader->users--;
}
