#include "storage/examine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void examine_report(const struct recover *recover, bool damage, uint32_t shard, uint32_t segment,
                    const char *what, uint64_t count)
{
    char line[200];
    snprintf(line, sizeof(line), "log %" PRIu32 ", segment %08" PRIu32 ": %s (%" PRIu64 ")", shard,
             segment, what, count);
    recover->report(recover->context, damage, line);
}

bool examine_wants(const struct recover *recover, uint32_t shard, uint64_t end_lsn)
{
    return recover->rebuild && rebuild_wants(recover->rebuild, shard, end_lsn);
}

struct contents examine_contents(struct recover *recover, struct medium_name name,
                                 const struct examined *work, enum contents_part want)
{
    struct contents contents = {.medium = recover->medium,
                                .object = work->object,
                                .name = name,
                                .store = recover->store,
                                .want = want};
    contents_load_wait(&contents);
    return contents;
}

/* What the header block says, without reading more; of a compacted segment the rest, too, if it
 * will be needed, to know that it can be read. */
static void look_inside(struct recover *recover, struct medium_name name,
                        struct recovered_segment *segment, struct examined *work)
{
    struct contents contents = examine_contents(recover, name, work, CONTENTS_HEAD);
    if (contents_are_compact(&contents) &&
        examine_wants(recover, name.shard, contents.header.hint.end_lsn)) {
        contents_deinit(&contents);
        contents = examine_contents(recover, name, work, CONTENTS_ALL);
    }
    segment->good = contents.check == SEGMENT_GOOD;
    segment->epoch = contents.epoch;
    segment->compact = contents_are_compact(&contents) && contents.status == STATUS_OK;
    work->hinted = segment->compact;
    if (contents_are_compact(&contents)) {
        segment->generation = contents.header.generation;
        segment->forgotten = contents.header.forgotten;
        segment->records = contents.header.count;
        work->hint_header = contents.header.hint;
    }
    if (contents.status == STATUS_CORRUPT)
        examine_report(recover, true, name.shard, name.number, "what it holds can't be told", 1);
    else if (segment->compact && contents.mended && recover->use_hints)
        examine_report(recover, true, name.shard, name.number,
                       "one copy of what it holds is damaged", 1);
    contents_deinit(&contents);
}

static bool holds(struct recover *recover, struct medium_object *object, const void *bytes,
                  uint64_t size, uint64_t offset)
{
    uint8_t *read = malloc(size);
    bool same =
        read && size <= UINT32_MAX &&
        medium_read_wait(recover->medium, object, read, (uint32_t)size, offset) == (int64_t)size &&
        memcmp(read, bytes, size) == 0;
    free(read);
    return same;
}

bool examine_copies(struct recover *recover, const struct contents *contents)
{
    const struct compact_header *header = &contents->header;
    uint64_t body_bytes = contents->hint.size + compact_map_bytes(header);
    return holds(recover, contents->object, header, sizeof(*header), 0) &&
           holds(recover, contents->object, header, sizeof(*header),
                 header->bytes - MEDIUM_BLOCK_BYTES) &&
           holds(recover, contents->object, contents->bytes, body_bytes, header->front) &&
           holds(recover, contents->object, contents->bytes, body_bytes, header->back);
}

/* Left behind by a compaction that was cut off right after its end. */
static void remove_stale_hint(struct recover *recover, struct medium_name segment)
{
    if (recover->repair)
        (void)medium_remove_wait(recover->medium,
                                 examine_name(MEDIUM_HINT, segment.shard, segment.number));
}

uint8_t *examine_load_hint(struct recover *recover, struct medium_name segment, uint64_t epoch,
                           struct hint_header *header, bool *bad)
{
    struct medium *medium = recover->medium;
    struct medium_object *object;
    struct medium_name name = examine_name(MEDIUM_HINT, segment.shard, segment.number);
    enum status status = medium->calls->open(medium, name, &object);
    if (status != STATUS_OK) {
        *bad = status != STATUS_ABSENT;
        if (*bad)
            examine_report(recover, true, segment.shard, segment.number, "its hint can't be opened",
                           1);
        return NULL;
    }
    uint64_t bytes = medium->calls->size(object);
    uint8_t *hint = bytes >= HINT_HEADER_BYTES && bytes <= UINT32_MAX ? malloc(bytes) : NULL;
    bool good = hint &&
                medium_read_wait(medium, object, hint, (uint32_t)bytes, 0) == (int64_t)bytes &&
                hint_parse(span_of(hint, bytes), recover->store, segment.shard, segment.number,
                           epoch, header);
    medium->calls->close(medium, object);
    if (!good) {
        examine_report(recover, true, segment.shard, segment.number, "its hint fails the checks",
                       bytes);
        free(hint);
        *bad = true;
        return NULL;
    }
    return hint;
}

/* Whether there is a good hint; `bad`: there is another one. Its body is checked only if it will be
 * needed, and then read again: the hints of a whole log may be more than memory. */
static bool check_hint(struct recover *recover, struct medium_name segment, uint64_t epoch,
                       struct hint_header *header, bool *bad)
{
    struct medium *medium = recover->medium;
    struct medium_object *object;
    uint8_t bytes[HINT_HEADER_BYTES];
    struct medium_name name = examine_name(MEDIUM_HINT, segment.shard, segment.number);
    bool good = false;
    if (medium->calls->open(medium, name, &object) == STATUS_OK) {
        good = medium_read_wait(medium, object, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
               hint_parse_header(span_of(bytes, sizeof(bytes)), medium->calls->size(object),
                                 recover->store, segment.shard, segment.number, epoch, header);
        medium->calls->close(medium, object);
    }
    if (good && !examine_wants(recover, segment.shard, header->end_lsn))
        return true;
    uint8_t *hint = examine_load_hint(recover, segment, epoch, header, bad);
    free(hint);
    return hint != NULL;
}

/* Only one scan at a time looks through the window. */
static bool widen_window(struct recover *recover, uint64_t bytes)
{
    uint32_t wanted = bytes < SCAN_WINDOW_BYTES ? (uint32_t)bytes : SCAN_WINDOW_BYTES;
    if (recover->window && recover->window_bytes >= wanted)
        return true;
    free(recover->window);
    recover->window = malloc(wanted > 0 ? wanted : 1);
    recover->window_bytes = recover->window ? wanted : 0;
    return recover->window;
}

enum status examine_scan(struct recover *recover, struct examined *work, struct medium_name name,
                         bool after_close)
{
    if (!widen_window(recover, recover->medium->calls->size(work->object)))
        return STATUS_SYSTEM;
    work->scan = (struct scan){
        .medium = recover->medium,
        .object = work->object,
        .name = name,
        .store = recover->store,
        .record_seed = recover->record_seed,
        .names = &recover->names,
        .window = recover->window,
        .thorough = recover->thorough,
        .after_close = after_close,
        .record = recover->record,
        .context = recover->context,
    };
    return scan_segment(&work->scan);
}

enum status examine_segment(struct recover *recover, uint32_t shard,
                            struct recovered_segment *segment, struct examined *work,
                            bool after_close, struct fault *fault)
{
    struct medium *medium = recover->medium;
    struct medium_name name = examine_name(MEDIUM_SEGMENT, shard, segment->number);
    enum status status = medium->calls->open(medium, name, &work->object);
    if (status == STATUS_ABSENT && !recover->repair)
        return STATUS_OK; /* a writer has removed it meanwhile */
    if (status != STATUS_OK)
        return fault_set(fault, status, "log %" PRIu32 ", segment %08" PRIu32 ": %s", shard,
                         segment->number, status_text(status));
    segment->bytes = medium->calls->size(work->object);
    look_inside(recover, name, segment, work);
    if (segment->compact)
        remove_stale_hint(recover, name);
    if (recover->use_hints && segment->good)
        work->hinted =
            check_hint(recover, name, segment->epoch, &work->hint_header, &work->bad_hint);
    if (work->hinted) {
        work->cut = !segment->compact && work->hint_header.end_offset > segment->bytes;
        if (work->cut)
            examine_report(recover, true, shard, segment->number,
                           "it is shorter than its hint says", segment->bytes);
        segment->hinted = true;
        segment->first_sequence = work->hint_header.first_sequence;
        segment->last_sequence = work->hint_header.last_sequence;
        segment->first_lsn = work->hint_header.first_lsn;
        segment->end_lsn = work->hint_header.end_lsn;
        segment->reach = work->hint_header.reach;
        segment->early = segment->reach > 0 ? work->hint_header.early : UINT16_MAX;
        segment->record_bytes = work->hint_header.record_bytes;
        if (recover->use_hints)
            return STATUS_OK;
    }
    status = examine_scan(recover, work, name, after_close);
    segment->epoch = work->scan.epoch;
    segment->good = work->scan.check == SEGMENT_GOOD;
    if (status != STATUS_OK)
        return fault_set(fault, status, "log %" PRIu32 ", segment %08" PRIu32 ": %s", shard,
                         segment->number, status_text(status));
    return STATUS_OK;
}
