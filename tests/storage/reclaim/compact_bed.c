#include "tests/storage/reclaim/compact_bed.h"

#include "base/log.h"
#include "storage/store_log.h"
#include "tests/check_main.h"

#include <stdlib.h>

void compact_bed_open(struct compact_bed *bed)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    bed->sent = 0;
    store_bed_init(&bed->bed, &(struct sim_disk_options){.seed = 5, .latency_ns_max = 1000});
    store_bed_open(&bed->bed);
}

void compact_bed_close(struct compact_bed *bed)
{
    store_bed_close(&bed->bed);
    store_bed_deinit(&bed->bed);
}

void compact_bed_reopen(struct compact_bed *bed)
{
    store_bed_close(&bed->bed);
    store_bed_open(&bed->bed);
}

void compact_bed_put(struct compact_bed *bed, size_t bytes, const char *mailboxes)
{
    ck_assert_int_eq(store_bed_put(&bed->bed, 0, bed->sent, bytes, mailboxes, bed->sent),
                     STATUS_OK);
    bed->sent++;
}

struct recovered_segment compact_bed_segment(struct compact_bed *bed, uint32_t number)
{
    struct recovered_segment found = {.number = 0};
    struct catalog_log log;
    catalog_copy(bed->bed.store->catalog, 0, &log);
    for (uint32_t i = 0; i < log.count; i++)
        if (log.segments[i].segment.number == number)
            found = log.segments[i].segment;
    free(log.segments);
    return found;
}

void compact_bed_fill(struct compact_bed *bed, uint32_t number, const char *mailboxes)
{
    while (!compact_bed_segment(bed, number).hinted)
        compact_bed_put(bed, COMPACT_BED_BYTES, mailboxes);
}

void compact_bed_thin_out(struct compact_bed *bed, char mailbox, uint32_t keep)
{
    while (keep == 0 && store_bed_count(&bed->bed, mailbox) > 64)
        ck_assert_int_eq(store_bed_expunge(&bed->bed, mailbox, UINT64_MAX), STATUS_OK);
    struct maildrop *drop = store_bed_peek(&bed->bed, mailbox);
    uint64_t marks = 0;
    ck_assert_uint_le(drop->count, 64);
    for (uint32_t i = 0; i < drop->count; i++)
        if (keep == 0 || i % keep != 0)
            marks |= 1ull << i;
    store_maildrop_free(drop);
    ck_assert_int_eq(store_bed_expunge(&bed->bed, mailbox, marks), STATUS_OK);
}

enum status compact_bed_compact(struct compact_bed *bed, uint32_t number, unsigned percent)
{
    struct compactor *compactor = calloc(1, sizeof(*compactor));
    compactor_begin(compactor, bed->bed.logs[0], 0, number, percent);
    while (!compactor_turn(compactor))
        store_bed_turn(&bed->bed);
    enum status status = compactor->status;
    compactor_end(compactor);
    free(compactor);
    return status;
}

uint32_t compact_bed_check(struct compact_bed *bed, uint32_t keep)
{
    struct maildrop *drop = store_bed_peek(&bed->bed, 'a');
    for (uint32_t i = 0; i < drop->count; i++)
        ck_assert(
            store_bed_has_body(&bed->bed, &drop->links[i], (uint64_t)i * keep, COMPACT_BED_BYTES));
    uint32_t count = drop->count;
    store_maildrop_free(drop);
    return count;
}

void compact_bed_verify(struct compact_bed *bed)
{
    char line[256];
    ck_assert_msg(store_bed_verify(&bed->bed, line) == STATUS_OK, "%s", line);
}
