/* The segments a shard has open for reading: those in use, and a few that were used last. */
#ifndef STORAGE_READERS_H
#define STORAGE_READERS_H

#include "storage/medium.h"

struct reader {
    struct medium_object *object; /* NULL: free */
    uint32_t shard, segment;
    uint32_t users;
    uint64_t used; /* when last, in a count of uses */
};

struct readers {
    struct medium *medium; /* NULL: abandoned */
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
/* One user less; NULL is allowed. */
void reader_release(struct reader *reader);

#endif
