#include "tests/check_main.h"

#include "base/status.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const struct {
    enum status status;
    int exit_code;
} exit_codes[] = {
    {STATUS_OK, 0},       {STATUS_AGAIN, 75},   {STATUS_FULL, 74},   {STATUS_IO, 74},
    {STATUS_CORRUPT, 65}, {STATUS_NEWER, 65},   {STATUS_ABSENT, 66}, {STATUS_EXISTS, 73},
    {STATUS_BUSY, 75},    {STATUS_DENIED, 77},  {STATUS_USAGE, 64},  {STATUS_CONFIG, 78},
    {STATUS_SYSTEM, 71},  {STATUS_NETWORK, 69},
};

START_TEST(every_status_has_text_and_exit_code)
{
    ck_assert_uint_eq(sizeof exit_codes / sizeof *exit_codes, STATUS_COUNT);
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        ck_assert_uint_eq(exit_codes[i].status, i);
        ck_assert_int_eq(status_exit_code(exit_codes[i].status), exit_codes[i].exit_code);
        ck_assert_ptr_nonnull(status_text((enum status)i));
        ck_assert_uint_gt(strlen(status_text((enum status)i)), 0);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(status_text((enum status)i), status_text((enum status)j));
    }
}
END_TEST

START_TEST(unknown_status_is_a_bug)
{
    status_text(STATUS_COUNT);
}
END_TEST

START_TEST(sorts_errno)
{
    static const struct {
        int error;
        enum status status;
    } table[] = {
        {ENOSPC, STATUS_FULL},   {EDQUOT, STATUS_FULL},        {EACCES, STATUS_DENIED},
        {EPERM, STATUS_DENIED},  {EROFS, STATUS_DENIED},       {ENOENT, STATUS_ABSENT},
        {EEXIST, STATUS_EXISTS}, {EAGAIN, STATUS_BUSY},        {EWOULDBLOCK, STATUS_BUSY},
        {EBUSY, STATUS_BUSY},    {EADDRINUSE, STATUS_NETWORK}, {EADDRNOTAVAIL, STATUS_NETWORK},
        {EIO, STATUS_IO},        {ENOMEM, STATUS_IO},
    };
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(status_from_errno(table[i].error) == table[i].status, "%s",
                      strerror(table[i].error));
}
END_TEST

START_TEST(fault_is_one_line)
{
    struct fault fault;
    ck_assert(fault_set(&fault, STATUS_CONFIG, "line %d:\n%s", 7, "no such key") == STATUS_CONFIG);
    ck_assert(fault.status == STATUS_CONFIG);
    ck_assert_str_eq(fault.text, "line 7: no such key");
    ck_assert(fault_set(NULL, STATUS_IO, "nobody asks") == STATUS_IO);
}
END_TEST

START_TEST(long_fault_is_cut)
{
    struct fault fault;
    char text[2 * sizeof fault.text];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert(fault_set(&fault, STATUS_IO, "%s", text) == STATUS_IO);
    ck_assert_uint_eq(strlen(fault.text), sizeof fault.text - 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    tcase_add_test(tcase, every_status_has_text_and_exit_code);
    tcase_add_test_raise_signal(tcase, unknown_status_is_a_bug, SIGABRT);
    tcase_add_test(tcase, sorts_errno);
    tcase_add_test(tcase, fault_is_one_line);
    tcase_add_test(tcase, long_fault_is_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
