#include "storage/maildrop.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "storage/link.h"
#include "storage/listing.h"
#include "storage/store_log.h"

#include <inttypes.h>
#include <stdlib.h>

enum status drop_make(const struct store_link *links, uint32_t count, struct span name,
                      struct drop **drop)
{
    size_t links_bytes = count * sizeof(struct store_link), marks_bytes = count / 8 + 1;
    struct drop *made = calloc(1, sizeof(*made) + links_bytes + marks_bytes + name.size);
    if (!made)
        return STATUS_SYSTEM;
    struct store_link *copy = (struct store_link *)(made + 1);
    uint8_t *marks = (uint8_t *)copy + links_bytes;
    uint64_t octets = 0;
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = links[i];
        octets += store_link_octets(&links[i]);
    }
    if (name.size > 0)
        memcpy(marks + marks_bytes, name.data, name.size);
    made->maildrop = (struct maildrop){
        .count = count,
        .octets = octets,
        .links = copy,
        .deleted = marks,
        .mailbox = span_of(marks + marks_bytes, name.size),
    };
    *drop = made;
    return STATUS_OK;
}

void store_link_add(struct store_log *log, struct span mailbox, const struct store_link *link)
{
    owner_add(log->owner, mailbox, link_hash(mailbox), link);
}

/* ---- locks ---- */

static struct span lock_name(const struct lock *lock)
{
    return span_of(lock->name, lock->name_bytes);
}

/* Where it is in its list, or the end of that. */
static struct lock **find_lock(struct locks *locks, struct span name, uint64_t hash)
{
    struct lock **at = &locks->lists[hash % LOCKS_LISTS];
    while (*at && ((*at)->hash != hash || !span_equal(lock_name(*at), name)))
        at = &(*at)->next;
    return at;
}

static enum status take_lock(struct locks *locks, struct span name, uint64_t hash,
                             struct lock **taken)
{
    struct lock **at = find_lock(locks, name, hash);
    if (*at)
        return STATUS_BUSY;
    struct lock *lock = calloc(1, sizeof(*lock) + name.size);
    if (!lock)
        return STATUS_SYSTEM;
    lock->hash = hash;
    lock->name_bytes = (uint32_t)name.size;
    if (name.size > 0)
        memcpy(lock->name, name.data, name.size);
    *at = *taken = lock;
    return STATUS_OK;
}

static void give_lock(struct locks *locks, struct lock *lock)
{
    struct lock **at = find_lock(locks, lock_name(lock), lock->hash);
    INVARIANT(*at == lock);
    *at = lock->next;
    free(lock);
}

void locks_deinit(struct locks *locks)
{
    for (uint32_t i = 0; i < LOCKS_LISTS; i++)
        while (locks->lists[i])
            give_lock(locks, locks->lists[i]);
}

/* ---- opening ---- */

struct opening {
    struct job job; /* first */
    struct store_log *log;
    struct lock *lock;
    struct glimpse glimpse;
    uint64_t cookie;
    uint64_t asked_ns;
    struct drop *drop;
    enum status status;
};

static void drop_opening(struct job *job)
{
    struct opening *opening = (struct opening *)(void *)job;
    free(opening->glimpse.links);
    free(opening);
}

static void read_mailbox(struct job *job)
{
    struct opening *opening = (struct opening *)(void *)job;
    opening->status = listing_read(opening->log->store->index, lock_name(opening->lock),
                                   opening->lock->hash, &opening->glimpse, &opening->drop);
}

static void mailbox_read(struct job *job)
{
    struct opening *opening = (struct opening *)(void *)job;
    struct store_log *log = opening->log;
    struct maildrop *maildrop = NULL;
    log->counters.index_reads++;
    log->counters.index_ns_total += clock_monotonic_ns(log->clock) - opening->asked_ns;
    if (opening->status == STATUS_OK) {
        opening->drop->lock = opening->lock;
        maildrop = &opening->drop->maildrop;
    } else {
        log->counters.index_failures++;
        log_error("log %" PRIu32 ": a mailbox can't be opened, the index can't be read: %s",
                  log->shard, status_text(opening->status));
        give_lock(&log->locks, opening->lock);
    }
    if (!retain_opened(log, opening->cookie, opening->status, maildrop))
        log->events.opened(log->events.context, opening->cookie, opening->status, maildrop);
    drop_opening(job);
}

enum status store_maildrop_open(struct store_log *log, struct span mailbox, uint64_t cookie)
{
    uint64_t hash = link_hash(mailbox);
    struct opening *opening = calloc(1, sizeof(*opening));
    if (!opening)
        return STATUS_SYSTEM;
    enum status status = owner_glimpse(log->owner, mailbox, hash, &opening->glimpse);
    if (status == STATUS_OK)
        status = take_lock(&log->locks, mailbox, hash, &opening->lock);
    if (status != STATUS_OK) {
        drop_opening(&opening->job);
        return status;
    }
    opening->job = (struct job){.work = read_mailbox, .done = mailbox_read, .drop = drop_opening};
    opening->log = log;
    opening->cookie = cookie;
    opening->asked_ns = clock_monotonic_ns(log->clock);
    clerk_give(&log->store->reader, &log->desk, &opening->job);
    return STATUS_OK;
}

void store_maildrop_close(struct store_log *log, struct maildrop *maildrop)
{
    struct drop *drop = (struct drop *)maildrop;
    INVARIANT(drop->lock && !drop->expunging);
    give_lock(&log->locks, drop->lock);
    free(drop);
}

void store_maildrop_free(struct maildrop *maildrop)
{
    free(maildrop);
}
