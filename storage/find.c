/* Finding a message by its id, for tools: numbers ascend from segment to segment, so only one
 * segment has to be read. */
#include "storage/store_log.h"

#include <stdlib.h>

struct finding {
    uint64_t id;
    struct store_link link;
    bool found;
};

static void look(void *context, const struct record *record, uint32_t segment, uint32_t slot)
{
    struct finding *finding = context;
    struct store_link link = link_of(&record->header, segment, slot);
    if (record->header.type == RECORD_MESSAGE && link.id == finding->id && !finding->found) {
        finding->link = link;
        finding->found = true;
    }
}

static enum status read_segment(struct store *store, struct medium_name name,
                                struct finding *finding)
{
    struct link_names names;
    struct scan scan = {
        .medium = store->medium,
        .name = name,
        .store = store->identity.id,
        .record_seed = store->record_seed,
        .names = &names,
        .window = malloc(SCAN_WINDOW_BYTES),
        .record = look,
        .context = finding,
    };
    enum status status = link_names_init(&names);
    if (status == STATUS_OK && !scan.window)
        status = STATUS_SYSTEM;
    if (status == STATUS_OK)
        status = store->medium->calls->open(store->medium, name, &scan.object);
    if (status == STATUS_OK) {
        status = scan_segment(&scan);
        store->medium->calls->close(store->medium, scan.object);
        scan_deinit(&scan);
    }
    free(scan.window);
    link_names_deinit(&names);
    return status;
}

/* A record's own number is not below its message's, so the message may be in the segment behind the
 * one that has its number. */
enum status store_find(struct store *store, uint64_t id, struct store_link *link)
{
    const struct recovered *log = &store->logs[0];
    struct finding finding = {.id = id};
    if (link_shard(id) >= store->logs_count)
        return STATUS_ABSENT;
    log += link_shard(id);
    for (uint32_t i = 0; i < log->count && !finding.found; i++) {
        const struct recovered_segment *segment = &log->segments[i];
        struct medium_name name = {
            .kind = MEDIUM_SEGMENT, .shard = link_shard(id), .number = segment->number};
        if (segment->end_lsn <= link_lsn(id))
            continue;
        if (segment->first_lsn > link_lsn(id) + UINT16_MAX)
            break;
        enum status status = read_segment(store, name, &finding);
        if (status != STATUS_OK && status != STATUS_ABSENT)
            return status;
    }
    if (!finding.found)
        return STATUS_ABSENT;
    *link = finding.link;
    return STATUS_OK;
}
