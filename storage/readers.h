/* The segments a shard has open for reading: those in use, and a few that were used last.
 *
 * What was opened stays as it is: a segment that is compacted meanwhile is read in its old form
 * until its last user has gone. Slots are found once the segment's contents are known. */
#ifndef STORAGE_READERS_H
#define STORAGE_READERS_H

#include "storage/reclaim/contents.h"

/* Somebody who waits for a reader; embedded. */
struct reader_wait {
    struct reader_wait *next;
    void (*ready)(struct reader_wait *wait);
};

struct reader {
    struct contents contents; /* first. Its object NULL: free */
    struct readers *readers;
    uint32_t users;
    uint64_t used; /* when last, in a count of uses */
    bool loading, stale;
    struct reader_wait *waiting;
};

struct readers {
    struct medium *medium; /* NULL: abandoned */
    const uint8_t *store;  /* 16 bytes */
    struct reader *table;
    uint32_t count;
    uint64_t uses;
};

/* `users_max`: obtained and not released at any time, at most. FULL: no memory. */
enum status readers_init(struct readers *readers, uint32_t users_max) MUST_CHECK;
/* Closes all; none may be in use. */
void readers_deinit(struct readers *readers);

/* ABSENT, or what the medium says. To be released. */
enum status readers_obtain(struct readers *readers, uint32_t shard, uint32_t segment,
                           struct reader **reader) MUST_CHECK;
/* True: slots can be found now. False: `ready` will be called when they can, from the medium's
 * poll; the reader must stay obtained. */
bool reader_await(struct reader *reader, struct reader_wait *wait);
/* ABSENT: the record is gone. CORRUPT, IO: the segment can't be read. */
enum status reader_find(const struct reader *reader, uint32_t slot, uint64_t *offset) MUST_CHECK;
/* One user less; NULL is allowed. */
void reader_release(struct reader *reader);

/* Closes what has another form by now, or is gone; what is in use then when its last user goes.
 * `is_current(context, name, epoch)` knows. */
void readers_refresh(struct readers *readers,
                     bool (*is_current)(void *context, struct medium_name name, uint64_t epoch),
                     void *context);

#endif
