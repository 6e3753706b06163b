#include "storage/spare.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void spare_done(struct medium_op *op)
{
    ((struct spare *)op)->under_way = false; /* op is the first member */
}

static struct medium_name spare_name(const struct spare *spare, uint32_t number)
{
    return (struct medium_name){.kind = MEDIUM_SEGMENT, .shard = spare->shard, .number = number};
}

static void spare_fail(struct spare *spare, enum status failure, uint64_t now_ns)
{
    spare->state = SPARE_FAILED;
    spare->failure = failure;
    spare->retry_ns = now_ns + SPARE_RETRY_NS;
}

static void start(struct spare *spare, enum spare_state state)
{
    struct medium *medium = spare->medium;
    spare->state = state;
    spare->under_way = true;
    spare->op.done = spare_done;
    switch (state) {
    case SPARE_RECYCLING:
        spare->retired = SPARE_RETIRED_NONE;
        spare->of_retired = true;
        segment_blank_seal(spare->block, spare->store, spare_name(spare, spare->number + 1));
        medium->calls->recycle(medium, spare->shard, spare->block, spare->bytes, &spare->op);
        break;
    case SPARE_PREPARING:
        spare->of_retired = false;
        medium->calls->prepare(medium, spare->shard, spare->bytes, &spare->op);
        break;
    case SPARE_ADOPTING:
        medium->calls->adopt(medium, spare->shard, ++spare->number, &spare->op);
        break;
    case SPARE_BEGINNING:
        medium_write(medium, spare->segment->object, spare->block, MEDIUM_BLOCK_BYTES, 0,
                     &spare->op);
        break;
    default:
        INVARIANT(state == SPARE_DISCARDING);
        medium->calls->remove(medium, spare_name(spare, spare->doomed), &spare->op);
        break;
    }
}

/* Opens what was adopted and writes its header. */
static void begin(struct spare *spare, uint64_t now_ns)
{
    const uint64_t parts[] = {spare->seed, spare->shard, spare->number};
    uint64_t drawn = hash64(span_of(parts, sizeof(parts)), spare->seed);
    uint64_t epoch =
        (drawn & ~SEGMENT_EPOCH_RECYCLED) | (spare->of_retired ? SEGMENT_EPOCH_RECYCLED : 0);
    struct medium_name name = spare_name(spare, spare->number);
    enum status status = segment_open(&spare->segment, spare->medium, name, epoch);
    if (status != STATUS_OK) {
        spare_fail(spare, STATUS_IO, now_ns);
        return;
    }
    segment_header_seal(spare->block, spare->store, name, epoch);
    start(spare, SPARE_BEGINNING);
}

/* One line however often it is tried. */
static void tell_failure(const struct spare *spare, int error)
{
    static const char *const steps[] = {
        [SPARE_PREPARING] = "preparing",
        [SPARE_ADOPTING] = "naming",
        [SPARE_BEGINNING] = "beginning",
        [SPARE_DISCARDING] = "removing",
    };
    if (spare->failure == STATUS_OK || spare->failure == STATUS_AGAIN)
        log_error("log %" PRIu32 ": %s a segment: %s", spare->shard, steps[spare->state],
                  strerror(error));
}

/* After an attempt that had no room (and left nothing behind) it is asked first: the next one would
 * take what there is, and others would go short, if only for a moment. */
static bool is_hopeless(const struct spare *spare)
{
    return spare->failure == STATUS_FULL &&
           spare->medium->calls->space_left(spare->medium) < spare->bytes;
}

static void prepare(struct spare *spare, uint64_t now_ns)
{
    if (is_hopeless(spare))
        spare_fail(spare, STATUS_FULL, now_ns);
    else
        start(spare, SPARE_PREPARING);
}

static void make(struct spare *spare, uint64_t now_ns)
{
    if (spare->doomed != 0)
        start(spare, SPARE_DISCARDING);
    else if (spare->retired == SPARE_RETIRED_KEPT)
        start(spare, SPARE_RECYCLING);
    else
        prepare(spare, now_ns);
}

/* One that somebody reads may be recycled the next time, unless it has been replaced by then. */
static void recycling_failed(struct spare *spare, int error, uint64_t now_ns)
{
    if (error == EBUSY && spare->retired == SPARE_RETIRED_NONE)
        spare->retired = SPARE_RETIRED_KEPT;
    prepare(spare, now_ns);
}

static void step_failed(struct spare *spare, int error, uint64_t now_ns)
{
    if (spare->state == SPARE_RECYCLING) {
        recycling_failed(spare, error, now_ns);
        return;
    }
    tell_failure(spare, error);
    if (spare->state == SPARE_BEGINNING) {
        segment_drop(spare->segment);
        spare->segment = NULL;
        spare->doomed = spare->number;
    }
    if (spare->state == SPARE_DISCARDING)
        spare->doomed = 0; /* recovery removes what can't be removed now */
    spare_fail(spare, status_from_errno(error) == STATUS_FULL ? STATUS_FULL : STATUS_IO, now_ns);
}

void spare_turn(struct spare *spare, uint64_t now_ns)
{
    if (spare->under_way)
        return;
    bool working = spare->state != SPARE_NONE && spare->state < SPARE_READY;
    if (working && spare->op.result < 0) {
        step_failed(spare, (int)-spare->op.result, now_ns);
        return;
    }
    switch (spare->state) {
    case SPARE_FAILED:
        if (now_ns >= spare->retry_ns)
            make(spare, now_ns);
        return;
    case SPARE_NONE:
        make(spare, now_ns);
        return;
    case SPARE_DISCARDING:
        spare->doomed = 0;
        make(spare, now_ns);
        return;
    case SPARE_RECYCLING:
        spare->recycled++;
        start(spare, SPARE_ADOPTING);
        return;
    case SPARE_PREPARING:
        start(spare, SPARE_ADOPTING);
        return;
    case SPARE_ADOPTING:
        begin(spare, now_ns);
        return;
    case SPARE_BEGINNING:
        spare->state = SPARE_READY;
        spare->failure = STATUS_OK;
        return;
    case SPARE_READY:
        return;
    }
}

void spare_retiring(struct spare *spare)
{
    spare->retired = SPARE_RETIRED_UNSURE;
}

void spare_has_retired(struct spare *spare)
{
    spare->retired = SPARE_RETIRED_KEPT;
}

static struct medium_name retired_name(const struct spare *spare)
{
    return (struct medium_name){.kind = MEDIUM_RETIRED, .shard = spare->shard};
}

/* Beside the state, which stays: how it ends is of no interest. */
void spare_let_go(struct spare *spare)
{
    bool rests = spare->state == SPARE_READY || spare->state == SPARE_NONE;
    if (spare->under_way || !rests || spare->retired != SPARE_RETIRED_KEPT)
        return;
    spare->retired = SPARE_RETIRED_UNSURE;
    spare->under_way = true;
    spare->op.done = spare_done;
    spare->medium->calls->remove(spare->medium, retired_name(spare), &spare->op);
}

void spare_close(struct spare *spare)
{
    if (spare->retired != SPARE_RETIRED_NONE)
        (void)medium_remove_wait(spare->medium, retired_name(spare));
    spare->retired = SPARE_RETIRED_NONE;
}

struct segment *spare_take(struct spare *spare)
{
    if (spare->state != SPARE_READY)
        return NULL;
    struct segment *segment = spare->segment;
    spare->segment = NULL;
    spare->state = SPARE_NONE;
    return segment;
}

void spare_discard(struct spare *spare, uint32_t number, enum status failure, uint64_t now_ns)
{
    spare->doomed = number;
    if (spare->state == SPARE_NONE)
        spare_fail(spare, failure, now_ns);
}
