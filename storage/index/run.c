#include "storage/index/run.h"

#include "base/fetch.h"
#include "storage/index/index_key.h"
#include "storage/link.h"
#include "storage/index/tally.h"

#include <stdlib.h>

enum { AHEAD = 4, FEW = 8 };

struct run_change { /* of a segment's counts */
    uint32_t log, segment;
    uint64_t counts[INDEX_COUNTS];
};

struct run_mailbox { /* sorting looks at the mailbox itself only to tell equal hashes apart */
    uint64_t hash;
    const struct delta_mailbox *mailbox;
};

struct run_work {
    struct index *index;
    struct run_mailbox *mailboxes; /* in order of their keys */
    size_t mailboxes_count;
    struct run_change *changes;
    size_t changes_count;
    struct store_link **order; /* of the links of one mailbox */
    struct index_key key;
};

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_mailboxes(const void *left, const void *right)
{
    const struct run_mailbox *one = left, *other = right;
    const struct delta_mailbox *a = one->mailbox, *b = other->mailbox;
    if (one->hash != other->hash)
        return by_number(one->hash, other->hash);
    if (a->name_bytes != b->name_bytes)
        return by_number(a->name_bytes, b->name_bytes);
    return memcmp(a->name, b->name, a->name_bytes);
}

/* So few that no order of theirs takes long. */
static void insert_in_order(struct run_mailbox *mailboxes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct run_mailbox moved = mailboxes[i];
        size_t at = i;
        for (; at > 0 && compare_mailboxes(&mailboxes[at - 1], &moved) > 0; at--)
            mailboxes[at] = mailboxes[at - 1];
        mailboxes[at] = moved;
    }
}

static int compare_changes(const void *left, const void *right)
{
    const struct run_change *a = left, *b = right;
    return a->log != b->log ? by_number(a->log, b->log) : by_number(a->segment, b->segment);
}

static int compare_links(const void *left, const void *right)
{
    return by_number((*(struct store_link *const *)left)->id,
                     (*(struct store_link *const *)right)->id);
}

/* ---- collecting ---- */

static void note(struct run_work *work, const struct store_link *links, uint32_t count, bool dead)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t counts[INDEX_COUNTS];
        struct run_change *change = &work->changes[work->changes_count];
        struct run_change here = {.log = link_shard(links[i].id), .segment = links[i].segment};
        tally_of_link(&links[i], counts);
        if (work->changes_count > 0 && compare_changes(change - 1, &here) == 0)
            change--;
        else
            work->changes[work->changes_count++] = here;
        for (uint32_t c = 0; c < INDEX_COUNTS; c++)
            change->counts[c] += dead ? 0 - counts[c] : counts[c];
    }
}

static enum status collect(struct run_work *work, const struct run_plan *plan)
{
    size_t mailboxes = 0, links = 0, most = 0;
    for (uint32_t i = 0; i < plan->deltas_count; i++) {
        mailboxes += plan->deltas[i]->count;
        links += plan->deltas[i]->links;
    }
    work->mailboxes = malloc((mailboxes + 1) * sizeof(*work->mailboxes));
    work->changes = malloc((links + 1) * sizeof(*work->changes));
    if (!work->mailboxes || !work->changes)
        return STATUS_SYSTEM;
    for (uint32_t i = 0; i < plan->deltas_count; i++) {
        const struct delta *delta = plan->deltas[i];
        for (uint32_t at = 0; at <= delta->mask; at++) {
            const struct delta_mailbox *mailbox = delta->table[at];
            const struct delta_mailbox *ahead = delta->table[(at + 2 * AHEAD) & delta->mask];
            __builtin_prefetch(delta->table[(at + 4 * AHEAD) & delta->mask]);
            if (ahead)
                __builtin_prefetch(ahead->links);
            if (!mailbox || mailbox->count + mailbox->dead_count == 0)
                continue;
            size_t both = (size_t)mailbox->count + mailbox->dead_count;
            most = both > most ? both : most;
            work->mailboxes[work->mailboxes_count++] =
                (struct run_mailbox){.hash = mailbox->hash, .mailbox = mailbox};
            note(work, mailbox->links, mailbox->count, false);
            note(work, mailbox->dead, mailbox->dead_count, true);
        }
    }
    work->order = malloc((most + 1) * sizeof(struct store_link *));
    return work->order ? STATUS_OK : STATUS_SYSTEM;
}

/* ---- writing, in the order of keys ---- */

static void put_counts(struct run_work *work)
{
    if (work->changes_count > 0)
        qsort(work->changes, work->changes_count, sizeof(*work->changes), compare_changes);
    for (size_t i = 0, next; i < work->changes_count; i = next) {
        struct run_change sum = work->changes[i];
        for (next = i + 1;
             next < work->changes_count && compare_changes(&sum, &work->changes[next]) == 0; next++)
            for (uint32_t c = 0; c < INDEX_COUNTS; c++)
                sum.counts[c] += work->changes[next].counts[c];
        for (uint32_t c = 0; c < INDEX_COUNTS; c++) {
            index_key_count(&work->key, sum.log, sum.segment, c);
            work->index->calls->add(work->index, index_key_span(&work->key), sum.counts[c]);
        }
    }
}

static void put_identity(struct run_work *work, const struct run_plan *plan)
{
    uint8_t value[20];
    uint32_t format = INDEX_FORMAT;
    index_key_identity(&work->key);
    if (plan->kind == RUN_BEGINS)
        work->index->calls->remove(work->index, index_key_span(&work->key));
    if (plan->kind != RUN_COMPLETES)
        return;
    memcpy(value, plan->identity, 16);
    memcpy(value + 16, &format, sizeof(format));
    work->index->calls->put(work->index, index_key_span(&work->key), span_of(value, sizeof(value)));
}

/* A mailbox never has a link both here and dead: a dead one is further down. */
static void put_mailbox(struct run_work *work, const struct delta_mailbox *mailbox)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mailbox->count; i++)
        work->order[count++] = &mailbox->links[i];
    for (uint32_t i = 0; i < mailbox->dead_count; i++)
        work->order[count++] = &mailbox->dead[i];
    if (count > 1)
        qsort(work->order, count, sizeof(struct store_link *), compare_links);
    index_key_mailbox(&work->key, mailbox->hash, delta_name(mailbox));
    for (uint32_t i = 0; i < count; i++) {
        const struct store_link *link = work->order[i];
        struct index_link value = index_link_of(link);
        index_key_link(&work->key, link->id);
        if (link >= mailbox->dead && link < mailbox->dead + mailbox->dead_count)
            work->index->calls->remove(work->index, index_key_span(&work->key));
        else
            work->index->calls->put(work->index, index_key_span(&work->key),
                                    span_of(&value, sizeof(value)));
    }
}

/* Hashes lie evenly between the lowest and the highest, so as many buckets as mailboxes leave
 * little to compare. Names may be chosen so that they do not: then a bucket is sorted like
 * anything. */
static enum status sort_mailboxes(struct run_work *work)
{
    size_t count = work->mailboxes_count;
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = work->mailboxes[i].hash;
        lowest = hash < lowest ? hash : lowest;
        highest = hash > highest ? hash : highest;
    }
    uint32_t shift = 0;
    while (count > 0 && (highest - lowest) >> shift >= count)
        shift++;
    struct run_mailbox *sorted = malloc((count + 1) * sizeof(*sorted));
    size_t *ends = calloc(count + 1, sizeof(*ends));
    if (!sorted || !ends) {
        free(sorted);
        free(ends);
        return STATUS_SYSTEM;
    }
    for (size_t i = 0; i < count; i++)
        ends[((work->mailboxes[i].hash - lowest) >> shift) + 1]++;
    for (size_t i = 0; i < count; i++)
        ends[i + 1] += ends[i]; /* of the bucket before: where this one begins, */
    for (size_t i = 0; i < count; i++)
        sorted[ends[(work->mailboxes[i].hash - lowest) >> shift]++] = work->mailboxes[i];
    for (size_t i = 0, begin = 0; i < count; begin = ends[i++]) { /* and now ends */
        if (ends[i] - begin <= FEW)
            insert_in_order(sorted + begin, ends[i] - begin);
        else
            qsort(sorted + begin, ends[i] - begin, sizeof(*sorted), compare_mailboxes);
    }
    free(ends);
    free(work->mailboxes);
    work->mailboxes = sorted;
    return STATUS_OK;
}

/* Nothing of them is in the cache by now: the next ones are fetched while one is written. */
static void put_mailboxes(struct run_work *work)
{
    for (size_t i = 0; i < work->mailboxes_count; i++) {
        if (i + 2 * AHEAD < work->mailboxes_count)
            fetch(work->mailboxes[i + 2 * AHEAD].mailbox, 128);
        if (i + AHEAD < work->mailboxes_count)
            fetch(work->mailboxes[i + AHEAD].mailbox->links, 128);
        put_mailbox(work, work->mailboxes[i].mailbox);
    }
}

static bool is_before(const struct coverage_range *a, const struct coverage_range *b)
{
    return a->first != b->first ? a->first < b->first : a->last < b->last;
}

static const struct coverage_range *next_replaced(const struct coverage *replaces,
                                                  const struct coverage_range *behind)
{
    const struct coverage_range *next = NULL;
    for (uint32_t i = 0; replaces && i < replaces->count; i++) {
        const struct coverage_range *range = &replaces->ranges[i];
        if ((!behind || is_before(behind, range)) && (!next || is_before(range, next)))
            next = range;
    }
    return next;
}

static void put_coverage(struct run_work *work, const struct run_plan *plan)
{
    struct index *index = work->index;
    const struct coverage_range *old = next_replaced(plan->replaces, NULL);
    for (uint32_t i = 0; i < plan->covers_count || old;) {
        const struct coverage_range *fresh = i < plan->covers_count ? &plan->covers[i] : NULL;
        const struct coverage_range *range = !fresh || (old && is_before(old, fresh)) ? old : fresh;
        index_key_coverage(&work->key, range->first, range->last);
        if (range == fresh)
            index->calls->put(index, index_key_span(&work->key),
                              span_of(fresh->upto, (size_t)fresh->logs * 8));
        else
            index->calls->remove(index, index_key_span(&work->key));
        i += range == fresh;
        if (old && !is_before(range, old))
            old = next_replaced(plan->replaces, range);
    }
}

enum status run_write(struct index *index, const struct run_plan *plan)
{
    struct run_work *work = calloc(1, sizeof(*work));
    enum status status = work ? STATUS_OK : STATUS_SYSTEM;
    if (work) {
        work->index = index;
        status = collect(work, plan);
    }
    if (status == STATUS_OK)
        status = sort_mailboxes(work);
    if (status == STATUS_OK)
        status = index->calls->begin(index);
    if (status == STATUS_OK) {
        put_counts(work);
        put_identity(work, plan);
        put_mailboxes(work);
        put_coverage(work, plan);
        status = index->calls->end(index, true);
    }
    if (work) {
        free(work->mailboxes);
        free(work->changes);
        free(work->order);
        free(work);
    }
    return status;
}
