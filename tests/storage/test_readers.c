#include "storage/readers.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

static void ready(struct reader_wait *wait)
{
    wait->ready = NULL;
}

static void must_know(struct medium_bed *medium_bed, struct reader *reader)
{
    struct reader_wait wait = {.ready = ready};
    if (reader_await(reader, &wait))
        return;
    while (wait.ready)
        medium_bed_step(medium_bed);
    ck_assert(reader_await(reader, &wait));
}

START_TEST(objects_stay_open_while_used_and_a_while_after)
{
    static struct medium_bed bed;
    struct readers readers;
    struct reader *used, *reader, *again;
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1});
    for (uint32_t number = 1; number <= 40; number++) {
        ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, 4 * MEDIUM_BLOCK_BYTES), 0);
        ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, number), 0);
    }
    ck_assert_int_eq(readers_init(&readers, 2), STATUS_OK);
    readers.medium = bed.medium;
    readers.store = (const uint8_t *)"0123456789abcdef";
    ck_assert_int_eq(readers_obtain(&readers, 0, 99, &reader), STATUS_ABSENT);
    ck_assert_int_eq(readers_obtain(&readers, 0, 1, &used), STATUS_OK);
    struct medium_object *object = used->contents.object;
    for (uint32_t number = 2; number <= 40; number++) {
        ck_assert_int_eq(readers_obtain(&readers, 0, number, &reader), STATUS_OK);
        ck_assert_ptr_ne(reader, used);
        ck_assert_int_eq(readers_obtain(&readers, 0, number, &again), STATUS_OK);
        ck_assert_ptr_eq(reader, again);
        ck_assert_uint_eq(reader->users, 2);
        must_know(&bed, reader);
        reader_release(reader);
        reader_release(again);
    }
    ck_assert_ptr_eq(used->contents.object, object);
    ck_assert_uint_eq(used->contents.name.number, 1);
    uint64_t uses = readers.uses;
    ck_assert_int_eq(readers_obtain(&readers, 0, 30, &reader), STATUS_OK); /* still open */
    ck_assert_uint_eq(readers.uses, uses + 1);
    reader_release(reader);
    reader_release(used);
    reader_release(NULL);
    readers_deinit(&readers);
    medium_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("readers");
    TCase *tcase = tcase_create("readers");
    tcase_add_test(tcase, objects_stay_open_while_used_and_a_while_after);
    suite_add_tcase(suite, tcase);
    return suite;
}
