#include "storage/index/owner.h"

#include "base/invariant.h"
#include "storage/link.h"

#include <stdlib.h>

void owner_init(struct owner *owner, struct tallies *tallies)
{
    *owner = (struct owner){.tallies = tallies};
    pthread_mutex_init(&owner->lock, NULL);
    owner->active = &owner->deltas[0];
    delta_init(owner->active);
}

void owner_deinit(struct owner *owner)
{
    delta_deinit(owner->active);
    if (owner->frozen)
        delta_deinit(owner->frozen);
    pthread_mutex_destroy(&owner->lock);
    free(owner->seen);
}

enum status owner_start(struct owner *owner, uint32_t logs, const uint64_t *ends,
                        const uint64_t *covered)
{
    owner->seen = calloc((size_t)logs * 6, sizeof(uint64_t));
    if (!owner->seen)
        return STATUS_SYSTEM;
    owner->logs = logs;
    owner->given = owner->seen + logs;
    owner->looked = owner->given + logs;
    owner->deleted = owner->looked + logs;
    owner->frozen_upto = owner->deleted + logs;
    owner->covered = owner->frozen_upto + logs;
    memcpy(owner->covered, covered, logs * sizeof(*covered));
    memcpy(owner->seen, ends, logs * sizeof(*ends));
    memcpy(owner->looked, ends, logs * sizeof(*ends));
    return STATUS_OK;
}

/* ---- links ---- */

/* The last message of a log may have several links for one owner, each for another mailbox. */
static bool was_given(const struct owner *owner, const struct delta_mailbox *mailbox,
                      const struct store_link *link)
{
    if (delta_has(mailbox, link->id))
        return true;
    const struct delta_mailbox *frozen =
        owner->frozen ? delta_find(owner->frozen, delta_name(mailbox), mailbox->hash) : NULL;
    return frozen && delta_has(frozen, link->id);
}

void owner_add(struct owner *owner, struct span name, uint64_t hash, const struct store_link *link)
{
    uint32_t log = link_shard(link->id);
    uint64_t number = link_lsn(link->id);
    INVARIANT(log < owner->logs);
    if (number < owner->seen[log])
        return;
    pthread_mutex_lock(&owner->lock);
    struct delta_mailbox *mailbox = delta_obtain(owner->active, name, hash);
    if (number != owner->given[log] || !was_given(owner, mailbox, link)) {
        delta_add(owner->active, mailbox, link);
        owner->changes++;
        tallies_add(owner->tallies, link);
        owner->seen[log] = owner->given[log] = number;
    }
    pthread_mutex_unlock(&owner->lock);
}

/* ---- deletions ---- */

void owner_delete_begin(struct owner_deletion *deletion, struct owner *owner, struct span name,
                        uint64_t hash)
{
    pthread_mutex_lock(&owner->lock);
    *deletion =
        (struct owner_deletion){.owner = owner, .mailbox = delta_obtain(owner->active, name, hash)};
}

void owner_delete(struct owner_deletion *deletion, const struct store_link *link)
{
    struct owner *owner = deletion->owner;
    struct store_link taken;
    uint64_t behind = link_lsn(link->id) + 1, *deleted = &owner->deleted[link_shard(link->id)];
    if (!delta_take(owner->active, deletion->mailbox, link->id, &deletion->cursor, &taken))
        delta_bury(owner->active, deletion->mailbox, link);
    tallies_remove(owner->tallies, link);
    owner->changes++;
    *deleted = behind > *deleted ? behind : *deleted;
}

void owner_delete_end(struct owner_deletion *deletion)
{
    delta_sweep(deletion->mailbox);
    pthread_mutex_unlock(&deletion->owner->lock);
}

/* ---- what has been seen ---- */

void owner_has_seen(struct owner *owner, uint32_t log, uint64_t number)
{
    INVARIANT(log < owner->logs);
    if (number <= owner->seen[log])
        return;
    pthread_mutex_lock(&owner->lock);
    owner->seen[log] = number;
    pthread_mutex_unlock(&owner->lock);
}

void owner_catch_up(struct owner *owner)
{
    for (uint32_t log = 0; log < owner->logs; log++)
        owner_has_seen(owner, log, owner->looked[log]);
}

void owner_look(struct owner *owner, const _Atomic uint64_t *settled)
{
    for (uint32_t log = 0; log < owner->logs; log++)
        owner->looked[log] = atomic_load_explicit(&settled[log], memory_order_acquire);
}

/* ---- runs ---- */

bool owner_may_freeze(const struct owner *owner)
{
    for (uint32_t log = 0; log < owner->logs; log++)
        if (owner->deleted[log] > owner->seen[log])
            return false;
    return !owner->frozen;
}

void owner_freeze(struct owner *owner)
{
    INVARIANT(owner_may_freeze(owner));
    struct delta *fresh = &owner->deltas[owner->active == &owner->deltas[0]];
    delta_init(fresh);
    memcpy(owner->frozen_upto, owner->seen, owner->logs * sizeof(*owner->seen));
    pthread_mutex_lock(&owner->lock);
    owner->frozen = owner->active;
    owner->active = fresh;
    pthread_mutex_unlock(&owner->lock);
}

void owner_thaw(struct owner *owner)
{
    pthread_mutex_lock(&owner->lock);
    struct delta *frozen = owner->frozen;
    owner->frozen = NULL;
    memcpy(owner->covered, owner->frozen_upto, owner->logs * sizeof(*owner->covered));
    pthread_mutex_unlock(&owner->lock);
    delta_deinit(frozen);
}

uint64_t owner_covers(struct owner *owner, uint32_t log)
{
    pthread_mutex_lock(&owner->lock);
    uint64_t covered = log < owner->logs ? owner->covered[log] : 0;
    pthread_mutex_unlock(&owner->lock);
    return covered;
}

/* ---- looking ---- */

enum status owner_glimpse(const struct owner *owner, struct span name, uint64_t hash,
                          struct glimpse *glimpse)
{
    const struct delta_mailbox *active = delta_find(owner->active, name, hash);
    const struct delta_mailbox *frozen =
        owner->frozen ? delta_find(owner->frozen, name, hash) : NULL;
    const struct delta_mailbox *both[] = {frozen, active};
    uint32_t count = 0, dead_count = 0;
    for (int i = 0; i < 2; i++) {
        count += both[i] ? both[i]->count : 0;
        dead_count += both[i] ? both[i]->dead_count : 0;
    }
    struct store_link *links = malloc((count + (size_t)dead_count + 1) * sizeof(*links));
    if (!links)
        return STATUS_SYSTEM;
    *glimpse = (struct glimpse){.links = links, .dead = links + count};
    for (int i = 0; i < 2; i++) {
        if (both[i] && both[i]->count > 0)
            memcpy(glimpse->links + glimpse->count, both[i]->links,
                   both[i]->count * sizeof(*links));
        if (both[i] && both[i]->dead_count > 0)
            memcpy(glimpse->dead + glimpse->dead_count, both[i]->dead,
                   both[i]->dead_count * sizeof(*links));
        glimpse->count += both[i] ? both[i]->count : 0;
        glimpse->dead_count += both[i] ? both[i]->dead_count : 0;
    }
    return STATUS_OK;
}

static enum owner_view view_of(const struct delta *delta, struct span name, uint64_t hash,
                               uint64_t id)
{
    const struct delta_mailbox *mailbox = delta ? delta_find(delta, name, hash) : NULL;
    if (mailbox && delta_is_dead(mailbox, id))
        return OWNER_DEAD;
    return mailbox && delta_has(mailbox, id) ? OWNER_LIVE : OWNER_ASK_BASE;
}

enum owner_view owner_view(struct owner *owner, struct span name, uint64_t hash, uint64_t id)
{
    pthread_mutex_lock(&owner->lock);
    enum owner_view view = OWNER_LIVE;
    uint32_t log = link_shard(id);
    if (log < owner->logs && link_lsn(id) < owner->seen[log]) {
        view = view_of(owner->active, name, hash, id);
        if (view == OWNER_ASK_BASE)
            view = view_of(owner->frozen, name, hash, id);
    }
    pthread_mutex_unlock(&owner->lock);
    return view;
}
