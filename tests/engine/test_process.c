#include "engine/process.h"

#include "base/clock.h"
#include "tests/check_main.h"

#include <stdlib.h>

START_TEST(processor_time_grows_with_work)
{
    struct process_figures before, now;
    process_read(&before);
    ck_assert_uint_lt(before.cpu_ns, 60 * NS_PER_S);
    volatile uint64_t work = 0;
    do {
        work = work + 1;
        if (work % 100000 == 0)
            process_read(&now);
    } while (work % 100000 != 0 || now.cpu_ns < before.cpu_ns + 5 * NS_PER_MS);
    ck_assert_uint_lt(now.cpu_ns, before.cpu_ns + 10 * NS_PER_S);
}
END_TEST

START_TEST(resident_memory_grows_with_what_is_touched)
{
    enum { BYTES = 32 << 20 };
    struct process_figures before, now;
    process_read(&before);
    ck_assert_uint_gt(before.resident_bytes, 100 << 10);
    volatile char *memory = malloc(BYTES); /* else a compiler sees that nobody looks at it */
    ck_assert_ptr_nonnull((void *)memory);
    for (size_t i = 0; i < BYTES; i += 1024)
        memory[i] = 1;
    process_read(&now);
    free((void *)memory);
    ck_assert_uint_ge(now.resident_bytes, before.resident_bytes + BYTES / 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("process");
    tcase_add_test(tcase, processor_time_grows_with_work);
    tcase_add_test(tcase, resident_memory_grows_with_what_is_touched);
    suite_add_tcase(suite, tcase);
    return suite;
}
