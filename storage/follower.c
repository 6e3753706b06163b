#include "storage/follower.h"

#define READ_ATTEMPTS 3
#define READ_AHEAD_BYTES (1u << 20)
#define CHAIN_AHEAD 8 /* batches looked at for one that vouches: more than are ever in flight */

/* ---- reading ---- */

/* `need` bytes at `offset`; up to `most` are read on the way. NULL: there are no so many, or they
 * can't be read. */
static const uint8_t *bytes_at(const struct follower *follower,
                               const struct follower_segment *segment, uint64_t offset,
                               uint32_t need, uint64_t most)
{
    struct follower_window *window = follower->window;
    if (offset > segment->bytes || need > segment->bytes - offset)
        return NULL;
    if (window->object == segment->object && offset >= window->offset &&
        offset + need <= window->offset + window->size)
        return window->bytes + (offset - window->offset);
    uint64_t size = most < READ_AHEAD_BYTES ? most : READ_AHEAD_BYTES;
    if (size > segment->bytes - offset)
        size = segment->bytes - offset;
    if (size < need)
        size = need;
    window->object = NULL;
    for (int i = 0; i < READ_ATTEMPTS; i++)
        if (medium_read_wait(follower->medium, segment->object, window->bytes, (uint32_t)size,
                             offset) == (int64_t)size) {
            window->object = segment->object;
            window->offset = offset;
            window->size = (uint32_t)size;
            return window->bytes;
        }
    return NULL;
}

/* What a writer may have changed is read again. */
static void forget_bytes(const struct follower *follower)
{
    follower->window->object = NULL;
}

static bool header_at(const struct follower *follower, const struct follower_segment *segment,
                      uint64_t offset, uint64_t most, struct batch_header *header)
{
    struct batch_place place = {.epoch = segment->epoch,
                                .offset = offset,
                                .shard = follower->shard,
                                .segment = segment->number};
    const uint8_t *block = bytes_at(follower, segment, offset, MEDIUM_BLOCK_BYTES, most);
    return block && batch_header_check(block, &place, header) &&
           header->bytes <= segment->bytes - offset;
}

static struct medium_name name_of(const struct follower *follower, uint32_t number)
{
    return (struct medium_name){.kind = MEDIUM_SEGMENT, .shard = follower->shard, .number = number};
}

static void segment_leave(const struct follower *follower, struct follower_segment *segment)
{
    if (!segment->object)
        return;
    forget_bytes(follower);
    contents_deinit(&segment->contents);
    follower->medium->calls->close(follower->medium, segment->object);
    segment->object = NULL;
}

/* `segment` is not open. */
static enum status segment_enter(const struct follower *follower, uint32_t number,
                                 struct follower_segment *segment)
{
    struct medium *medium = follower->medium;
    struct follower_segment entered = {.number = number};
    enum status status = medium->calls->open(medium, name_of(follower, number), &entered.object);
    if (status != STATUS_OK)
        return status;
    entered.bytes = medium->calls->size(entered.object) & ~(uint64_t)(MEDIUM_BLOCK_BYTES - 1);
    *segment = entered;
    return STATUS_OK;
}

/* A segment that the log may have gone on in: false when there is none with that number, or it has
 * no header yet. */
static bool segment_enter_next(const struct follower *follower, uint32_t number,
                               struct follower_segment *segment)
{
    if (segment_enter(follower, number, segment) != STATUS_OK)
        return false;
    const uint8_t *block = bytes_at(follower, segment, 0, MEDIUM_BLOCK_BYTES, 0);
    if (block)
        segment->contents.check = segment_header_check(block, follower->store,
                                                       name_of(follower, number), &segment->epoch);
    if (block &&
        (segment->contents.check == SEGMENT_GOOD || contents_are_compact(&segment->contents)))
        return true;
    segment_leave(follower, segment);
    return false;
}

/* ---- the judged part ---- */

static bool is_behind_judged(const struct follower *follower)
{
    return follower->index == follower->judged->count;
}

static void become_live(struct follower *follower)
{
    follower->index = follower->judged->count;
    follower->sequence = follower->judged->sequence;
    follower->crc = follower->judged->crc;
}

/* The segment may have been compacted, also since it was judged. One that can't be read at all is
 * passed like a damaged place. */
static enum status know_contents(struct follower *follower)
{
    struct contents *contents = &follower->here.contents;
    *contents = (struct contents){.medium = follower->medium,
                                  .object = follower->here.object,
                                  .name = name_of(follower, follower->here.number),
                                  .store = follower->store,
                                  .want = CONTENTS_MAP};
    contents_load_wait(contents);
    bool broken = contents->status == STATUS_CORRUPT;
    if (!contents_are_compact(contents) || broken)
        contents_deinit(contents);
    if (broken)
        contents->check = SEGMENT_BAD;
    return broken ? STATUS_OK : contents->status;
}

/* Goes to the next judged segment that has something wanted, or behind them all. The last one with
 * a batch stays open: the log may go on there. */
static enum status enter_judged(struct follower *follower, uint32_t index)
{
    const struct recovered *judged = follower->judged;
    for (; index < judged->end; index++)
        if (judged->segments[index].end_lsn > follower->from)
            break;
    const struct recovered_segment *segment = &judged->segments[index];
    segment_leave(follower, &follower->here);
    enum status status = segment_enter(follower, segment->number, &follower->here);
    if (status != STATUS_OK)
        return status;
    follower->here.epoch = segment->epoch;
    follower->index = index;
    follower->offset = SEGMENT_FIRST_BATCH;
    follower->entry = 0;
    status = know_contents(follower);
    if (status != STATUS_OK)
        return status;
    if (segment->end_lsn <= follower->from) {
        follower->offset = judged->end_offset;
        follower->end_lsn = segment->end_lsn;
        become_live(follower);
    }
    return STATUS_OK;
}

/* Where the judged batches of the segment end at the latest. */
static uint64_t judged_end(const struct follower *follower)
{
    return follower->index == follower->judged->end ? follower->judged->end_offset
                                                    : follower->here.bytes;
}

static bool continues_chain(const struct follower *follower, const struct batch_header *header)
{
    return header->sequence == follower->sequence + 1 && header->previous_crc == follower->crc &&
           header->first_lsn >= follower->end_lsn;
}

/* What counts behind a damaged place, by the rules of chain.h; void and torn batches lie behind the
 * segment's last number, or have older ones. */
static bool is_judged_good(const struct follower *follower, const struct batch_header *header)
{
    const struct recovered_segment *segment = &follower->judged->segments[follower->index];
    return header->sequence > follower->sequence && header->first_lsn >= follower->end_lsn &&
           header->first_lsn + header->records <= segment->end_lsn;
}

static void pass(struct follower *follower, const struct batch_header *header)
{
    follower->offset += header->bytes;
    follower->sequence = header->sequence;
    follower->crc = header->crc;
    follower->end_lsn = header->first_lsn + header->records;
    if (header->durable_upto > follower->durable_upto)
        follower->durable_upto = header->durable_upto;
    follower->lost_ns = 0;
}

/* The batch at the follower's offset, which is passed. False: unreadable. */
static bool give(struct follower *follower, const struct batch_header *header, uint64_t most,
                 struct pack *pack)
{
    const uint8_t *bytes =
        bytes_at(follower, &follower->here, follower->offset, header->bytes, most);
    if (!bytes)
        return false;
    pack_batch(pack, bytes, header, follower->record_seed);
    pass(follower, header);
    return true;
}

/* The next stretch of the compacted segment that the follower is in; AGAIN: it was the last. */
static enum status give_stretch(struct follower *follower, struct pack *pack)
{
    const struct contents *contents = &follower->here.contents;
    const struct compact_place *map = contents->map + follower->entry;
    uint32_t left = contents->header.count - follower->entry, count = 1;
    uint64_t end = contents->header.back;
    if (left == 0) {
        follower->sequence = contents->header.hint.last_sequence;
        follower->crc = contents->header.hint.last_crc;
        follower->end_lsn = contents->header.hint.end_lsn;
        return STATUS_AGAIN;
    }
    uint64_t start = (uint64_t)map[0].offset * RECORD_ALIGN;
    while (count < left && (uint64_t)map[count].offset * RECORD_ALIGN - start <= READ_AHEAD_BYTES)
        count++;
    if (count < left)
        end = (uint64_t)map[count].offset * RECORD_ALIGN;
    const uint8_t *bytes =
        bytes_at(follower, &follower->here, start, (uint32_t)(end - start), end - start);
    if (!bytes)
        return STATUS_IO;
    pack_stretch(pack, follower->here.number, map, count, span_of(bytes, end - start),
                 follower->record_seed);
    follower->entry += count;
    return STATUS_OK;
}

/* The next judged batch of the plain segment that the follower is in; AGAIN: it was the last. */
static enum status give_judged(struct follower *follower, struct pack *pack)
{
    struct batch_header header;
    uint64_t end = judged_end(follower);
    for (; follower->offset < end; follower->offset += MEDIUM_BLOCK_BYTES) {
        uint64_t most = end - follower->offset;
        bool good = header_at(follower, &follower->here, follower->offset, most, &header);
        bool next = good && continues_chain(follower, &header);
        if ((next || (good && is_judged_good(follower, &header))) &&
            give(follower, &header, most, pack))
            return STATUS_OK;
        if (!next && follower->end_lsn >= follower->judged->segments[follower->index].end_lsn)
            break;
    }
    return STATUS_AGAIN;
}

/* The next of the judged part; AGAIN: there is no more. */
static enum status next_judged(struct follower *follower, struct pack *pack)
{
    while (!is_behind_judged(follower)) {
        enum status status = contents_are_compact(&follower->here.contents)
                                 ? give_stretch(follower, pack)
                                 : give_judged(follower, pack);
        if (status != STATUS_AGAIN)
            return status;
        if (follower->index == follower->judged->end) {
            become_live(follower);
            return STATUS_AGAIN;
        }
        status = enter_judged(follower, follower->index + 1);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_AGAIN;
}

/* ---- behind it ---- */

/* The segment that the log may go on in. */
static bool enter_following(const struct follower *follower, struct follower_segment *segment)
{
    if (segment_enter_next(follower, follower->here.number + 1, segment))
        return true;
    return follower->next_number != 0 &&
           segment_enter_next(follower, follower->next_number, segment);
}

static bool header_here(const struct follower *follower, struct batch_header *header)
{
    return follower->here.object &&
           header_at(follower, &follower->here, follower->offset, 0, header) &&
           continues_chain(follower, header);
}

static void move_into(struct follower *follower, const struct follower_segment *segment)
{
    follower->here = *segment;
    follower->offset = SEGMENT_FIRST_BATCH;
    follower->next_number = 0;
}

/* A scout goes ahead from batch to batch, until one vouches for this. Notes the last batch seen. */
static bool is_vouched(struct follower *follower, const struct batch_header *header, uint64_t *last)
{
    struct follower scout = *follower;
    struct batch_header ahead;
    bool crossed = false;
    pass(&scout, header);
    for (int i = 0; i < CHAIN_AHEAD && scout.durable_upto < header->sequence; i++) {
        struct follower_segment segment;
        bool found = header_here(&scout, &ahead);
        if (!found && !crossed && enter_following(&scout, &segment)) {
            crossed = true;
            move_into(&scout, &segment);
            found = header_here(&scout, &ahead);
        }
        if (!found)
            break;
        pass(&scout, &ahead);
    }
    if (crossed)
        segment_leave(&scout, &scout.here);
    follower->durable_upto = scout.durable_upto;
    *last = scout.sequence;
    return scout.durable_upto >= header->sequence;
}

/* Header and all records, as far as they are on the medium now. */
static bool is_whole(const struct follower *follower, const struct batch_header *header)
{
    struct batch_cursor batch;
    struct batch_header again;
    struct record record;
    const uint8_t *bytes = bytes_at(follower, &follower->here, follower->offset, header->bytes, 0);
    if (!bytes || !header_here(follower, &again) || again.crc != header->crc)
        return false;
    batch_walk(&batch, bytes, header, follower->record_seed);
    while (batch_next(&batch, &record))
        continue;
    return batch.bad == 0;
}

/* Something of this segment's life is where a batch would be. */
static bool is_written(const struct follower *follower, const struct follower_segment *segment,
                       uint64_t offset)
{
    struct batch_header header;
    const uint8_t *block =
        segment->object ? bytes_at(follower, segment, offset, MEDIUM_BLOCK_BYTES, 0) : NULL;
    if (!block)
        return false;
    memcpy(&header, block, sizeof(header));
    return header.epoch == segment->epoch;
}

enum elsewhere {
    ELSEWHERE_NOTHING,
    ELSEWHERE_MOVED,  /* the follower stands at the beginning of the next segment */
    ELSEWHERE_STRANGE /* the log has gone on, but not from where the follower stands */
};

/* A segment that goes on from where the follower stands makes void what else would go on from
 * there: `here`, if not NULL, whose write failed (chain.h). */
static enum elsewhere look_elsewhere(struct follower *follower, const struct batch_header *here)
{
    struct follower_segment segment;
    struct batch_header header;
    if (!enter_following(follower, &segment))
        return ELSEWHERE_NOTHING;
    bool good = header_at(follower, &segment, SEGMENT_FIRST_BATCH, 0, &header);
    if (good && continues_chain(follower, &header) &&
        (!here || header.first_lsn >= here->first_lsn + here->records)) {
        segment_leave(follower, &follower->here);
        move_into(follower, &segment);
        return ELSEWHERE_MOVED;
    }
    bool strange = good ? header.first_lsn >= follower->end_lsn
                        : contents_are_compact(&segment.contents) ||
                              is_written(follower, &segment, SEGMENT_FIRST_BATCH);
    segment_leave(follower, &segment);
    return strange && !here ? ELSEWHERE_STRANGE : ELSEWHERE_NOTHING;
}

/* Writes under way may look strange, but not for long. */
static enum status seems_lost(struct follower *follower, bool strange, uint64_t now_ns)
{
    follower->waits = strange;
    if (!strange)
        follower->lost_ns = 0;
    else if (follower->lost_ns == 0)
        follower->lost_ns = now_ns;
    else if (now_ns - follower->lost_ns >= FOLLOWER_LOST_NS)
        return STATUS_CORRUPT;
    return STATUS_AGAIN;
}

static bool stands_still(struct follower *follower, uint64_t last, uint64_t now_ns)
{
    if (follower->still_sequence != last) {
        follower->still_sequence = last;
        follower->still_ns = now_ns;
    }
    return now_ns - follower->still_ns >= FOLLOWER_STILL_NS;
}

/* Nobody vouches for the batch yet. OK: it is durable now. */
static enum status make_sure(struct follower *follower, const struct batch_header *header,
                             uint64_t last, uint64_t now_ns)
{
    if (!is_whole(follower, header))
        return seems_lost(follower, true, now_ns);
    follower->waits = true;
    if (!stands_still(follower, last, now_ns))
        return STATUS_AGAIN;
    if (medium_sync_wait(follower->medium, follower->here.object) < 0)
        return STATUS_IO;
    follower->durable_upto = header->sequence;
    return STATUS_OK;
}

static enum status next_live(struct follower *follower, uint64_t now_ns, struct pack *pack)
{
    struct batch_header header;
    for (;;) {
        uint64_t last = 0;
        forget_bytes(follower);
        bool found = header_here(follower, &header);
        if (found &&
            (header.sequence <= follower->durable_upto || is_vouched(follower, &header, &last))) {
            if (!is_whole(follower, &header))
                return seems_lost(follower, true, now_ns);
            return give(follower, &header, 0, pack) ? STATUS_OK : STATUS_IO;
        }
        bool strange = !found && is_written(follower, &follower->here, follower->offset);
        enum elsewhere elsewhere = look_elsewhere(follower, found ? &header : NULL);
        if (elsewhere == ELSEWHERE_MOVED)
            continue;
        if (!found)
            return seems_lost(follower, strange || elsewhere == ELSEWHERE_STRANGE, now_ns);
        enum status status = make_sure(follower, &header, last, now_ns);
        if (status != STATUS_OK)
            return status;
    }
}

enum status follower_next(struct follower *follower, uint64_t now_ns, struct pack *pack)
{
    enum status status = next_judged(follower, pack);
    return status == STATUS_AGAIN ? next_live(follower, now_ns, pack) : status;
}

bool follower_is_fresh(const struct follower *follower, uint64_t lsn)
{
    return is_behind_judged(follower) || lsn >= follower->judged->segments[follower->index].end_lsn;
}

void follower_listed(struct follower *follower, uint32_t number)
{
    if (number > follower->here.number + 1 &&
        (follower->next_number == 0 || number < follower->next_number))
        follower->next_number = number;
}

/* ---- opening ---- */

/* Recovery has read the end of the log; a crash must not take it back. */
static enum status sync_end(struct follower *follower)
{
    const struct recovered *judged = follower->judged;
    struct follower_segment segment;
    follower->durable_upto = judged->durable_upto;
    if (judged->sequence <= judged->durable_upto)
        return STATUS_OK;
    enum status status = segment_enter(follower, judged->segments[judged->end].number, &segment);
    if (status != STATUS_OK)
        return status;
    int64_t result = medium_sync_wait(follower->medium, segment.object);
    segment_leave(follower, &segment);
    follower->durable_upto = judged->sequence;
    return result < 0 ? STATUS_IO : STATUS_OK;
}

enum status follower_open(struct follower *follower)
{
    follower->index = follower->judged->count;
    if (follower->judged->end == UINT32_MAX)
        return STATUS_OK;
    enum status status = sync_end(follower);
    return status == STATUS_OK ? enter_judged(follower, 0) : status;
}

void follower_close(struct follower *follower)
{
    segment_leave(follower, &follower->here);
}
