#include "storage/formats.h"

#include "storage/hint.h"
#include "storage/identity.h"
#include "storage/segment.h"

#include <inttypes.h>
#include <stdlib.h>

struct formats {
    struct medium *medium;
    const uint8_t *store;
    struct fault *fault;
    enum status status;
    uint8_t block[MEDIUM_BLOCK_BYTES];
};

/* The beginning of an object; what could not be read is zero. */
static void read_block(struct formats *formats, struct medium_name name)
{
    struct medium *medium = formats->medium;
    struct medium_object *object;
    memset(formats->block, 0, sizeof(formats->block));
    if (medium->calls->open(medium, name, &object) != STATUS_OK)
        return;
    uint64_t bytes = medium->calls->size(object);
    uint32_t some = bytes < MEDIUM_BLOCK_BYTES ? (uint32_t)bytes : MEDIUM_BLOCK_BYTES;
    if (some > 0 && medium_read_wait(medium, object, formats->block, some, 0) < 0)
        memset(formats->block, 0, sizeof(formats->block));
    medium->calls->close(medium, object);
}

static void visit(void *context, struct medium_name name, uint64_t bytes)
{
    struct formats *formats = context;
    uint64_t epoch;
    (void)bytes;
    if (name.kind != MEDIUM_SEGMENT && name.kind != MEDIUM_HINT)
        return;
    read_block(formats, name);
    bool segment = name.kind == MEDIUM_SEGMENT;
    bool newer = segment ? segment_header_check(formats->block, formats->store, name, &epoch) ==
                               SEGMENT_NEWER
                         : hint_is_newer(formats->block, formats->store);
    if (newer && formats->status == STATUS_OK)
        formats->status =
            fault_set(formats->fault, STATUS_NEWER,
                      "log %" PRIu32 ", %s %08" PRIu32
                      ": its format is newer than %u, the newest that this program knows",
                      name.shard, segment ? "segment" : "the hint of segment", name.number,
                      segment ? STORE_FORMAT_BLANK : STORE_FORMAT);
}

enum status formats_check(struct medium *medium, const uint8_t store[16], struct fault *fault)
{
    struct formats formats = {.medium = medium, .store = store, .fault = fault};
    enum status status = medium->calls->list(medium, visit, &formats, fault);
    return status == STATUS_OK ? formats.status : status;
}
