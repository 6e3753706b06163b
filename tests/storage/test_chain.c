#include "storage/chain.h"

#include "tests/check_main.h"

/* A log as a table: segment, number, durable upto, records, bad records, crc, previous crc, and
 * whether the batch is expected to count. Numbers of records follow from the order, from 1. */
struct row {
    uint32_t segment;
    uint64_t sequence, durable_upto;
    uint64_t first_lsn;
    uint32_t records, bad, crc, previous_crc;
    bool counts;
};

struct expected {
    uint64_t sequence;
    uint32_t tail;
    uint64_t missing; /* of all segments */
    uint32_t bad;
    bool torn; /* any */
};

struct log_case {
    const char *name;
    struct row rows[8];
    struct expected expected;
};

static const struct log_case cases[] = {
    {"nothing", {{0}}, {.tail = UINT32_MAX}},
    {"in order",
     {{1, 1, 0, 1, 5, 0, 10, 0, true},
      {1, 2, 1, 6, 5, 0, 20, 10, true},
      {2, 3, 2, 11, 5, 0, 30, 20, true}},
     {.sequence = 3, .tail = 1}},
    {"the last one torn",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {1, 2, 1, 6, 5, 1, 20, 10, false}},
     {.sequence = 1, .tail = 0, .torn = true}},
    {"torn, and one behind that was written at the same time",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {1, 3, 1, 11, 5, 0, 30, 20, false}},
     {.sequence = 1, .tail = 0, .torn = true}},
    {"missing, and one behind says it was durable",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {1, 3, 2, 11, 5, 0, 30, 20, true}},
     {.sequence = 3, .tail = 0, .missing = 1}},
    {"missing, the next was written at the same time, a later one vouches for both",
     {{1, 1, 0, 1, 5, 0, 10, 0, true},
      {1, 3, 1, 11, 5, 0, 30, 20, true},
      {1, 4, 3, 16, 5, 0, 40, 30, true}},
     {.sequence = 4, .tail = 0, .missing = 1}},
    {"bad records, vouched for",
     {{1, 1, 0, 1, 5, 2, 10, 0, true}, {1, 2, 1, 6, 5, 0, 20, 10, true}},
     {.sequence = 2, .tail = 0, .bad = 2}},
    {"vouched for by the next segment",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {2, 3, 2, 11, 5, 0, 30, 20, true}},
     {.sequence = 3, .tail = 1, .missing = 1}},
    {"given up: the next segment has the number",
     {{1, 1, 0, 1, 5, 0, 10, 0, true},
      {1, 2, 1, 6, 5, 0, 20, 10, false},
      {2, 2, 1, 11, 0, 0, 21, 10, true},
      {2, 3, 2, 11, 5, 0, 31, 21, true}},
     {.sequence = 3, .tail = 1, .torn = false}},
    {"torn in a former life, in a segment with a higher number",
     {{1, 1, 0, 1, 5, 0, 10, 0, true},
      {1, 2, 1, 1000, 5, 0, 21, 10, true},
      {2, 2, 1, 6, 5, 0, 20, 10, false},
      {3, 3, 2, 1005, 5, 0, 30, 21, true}},
     {.sequence = 3, .tail = 2, .torn = true}},
    {"torn in a former life, behind the end",
     {{1, 1, 0, 1, 5, 0, 10, 0, true},
      {1, 2, 1, 1000, 0, 0, 21, 10, true},
      {1, 3, 1, 11, 5, 0, 30, 20, false}},
     {.sequence = 2, .tail = 0, .torn = true}},
    {"the chain is broken: another batch came before",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {1, 2, 0, 6, 5, 0, 20, 11, false}},
     {.sequence = 1, .tail = 0, .torn = true}},
    {"the last acknowledged one missing, the one behind in the air",
     {{1, 1, 0, 1, 5, 0, 10, 0, true}, {1, 4, 2, 16, 5, 0, 40, 30, false}},
     {.sequence = 2, .tail = 0, .missing = 1, .torn = true}},
};

static struct scan scans[4];
static struct scan_batch batches[4][8];
static struct chain_segment segments[4];

static uint32_t build(const struct log_case *log)
{
    uint32_t count = 0;
    memset(scans, 0, sizeof(scans));
    memset(segments, 0, sizeof(segments));
    for (const struct row *row = log->rows; row->segment; row++) {
        struct scan *scan = &scans[row->segment - 1];
        scan->batches = batches[row->segment - 1];
        scan->batches[scan->count++] = (struct scan_batch){
            .header = {.sequence = row->sequence,
                       .durable_upto = row->durable_upto,
                       .first_lsn = row->first_lsn,
                       .records = row->records,
                       .crc = row->crc,
                       .previous_crc = row->previous_crc,
                       .bytes = 4096},
            .offset = 4096,
            .bad = row->bad,
        };
        count = row->segment;
    }
    for (uint32_t i = 0; i < count; i++)
        segments[i].scan = &scans[i];
    return count;
}

START_TEST(which_batches_count)
{
    const struct log_case *log = &cases[_i];
    struct chain chain;
    uint32_t used[4] = {0}, bad = 0, count = build(log);
    uint64_t missing = 0;
    bool torn = false;
    chain_resolve(segments, count, &chain);
    for (const struct row *row = log->rows; row->segment; row++) {
        const struct scan_batch *batch = &batches[row->segment - 1][used[row->segment - 1]++];
        ck_assert_msg(batch->counts == row->counts, "%s: batch %lu", log->name,
                      (unsigned long)row->sequence);
    }
    for (uint32_t i = 0; i < count; i++) {
        missing += segments[i].missing;
        bad += segments[i].bad_records;
        torn = torn || segments[i].torn;
        ck_assert_int_eq(segments[i].damaged, segments[i].missing + segments[i].bad_records > 0);
    }
    ck_assert_msg(chain.sequence == log->expected.sequence && chain.tail == log->expected.tail,
                  "%s", log->name);
    ck_assert_msg(missing == log->expected.missing && bad == log->expected.bad &&
                      torn == log->expected.torn,
                  "%s: missing %lu, bad %u, torn %d", log->name, (unsigned long)missing, bad, torn);
}
END_TEST

START_TEST(a_hint_stands_for_its_segment)
{
    static const struct hint_header hint = {
        .first_sequence = 1, .last_sequence = 7, .first_lsn = 1, .end_lsn = 50, .last_crc = 70};
    struct chain chain;
    build(&(struct log_case){"", {{1, 8, 6, 50, 5, 0, 80, 70, true}}, {0}});
    segments[1].scan = &scans[0];
    segments[0] = (struct chain_segment){.hint = &hint, .scan = &scans[2]};
    chain_resolve(segments, 2, &chain);
    ck_assert(batches[0][0].counts);
    ck_assert_uint_eq(chain.sequence, 8);
    ck_assert_uint_eq(chain.durable_upto, 7);
    ck_assert_uint_eq(chain.end_lsn, 55);
}
END_TEST

/* Whatever lost its header or its end is damaged, although all batches that are left count. */
START_TEST(segments_that_are_damaged_as_such)
{
    static const struct {
        enum segment_check check;
        bool cut, damaged;
    } rows[] = {
        {SEGMENT_GOOD, false, false}, {SEGMENT_BAD, false, true}, {SEGMENT_GOOD, true, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct chain chain;
        build(&(struct log_case){"", {{1, 1, 0, 1, 5, 0, 10, 0, true}}, {0}});
        scans[0].check = rows[i].check;
        scans[0].cut = rows[i].cut;
        chain_resolve(segments, 1, &chain);
        ck_assert_uint_eq(chain.sequence, 1);
        ck_assert_int_eq(segments[0].damaged, rows[i].damaged);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("chain");
    TCase *tcase = tcase_create("chain");
    tcase_add_loop_test(tcase, which_batches_count, 0, sizeof(cases) / sizeof(*cases));
    tcase_add_test(tcase, a_hint_stands_for_its_segment);
    tcase_add_test(tcase, segments_that_are_damaged_as_such);
    suite_add_tcase(suite, tcase);
    return suite;
}
