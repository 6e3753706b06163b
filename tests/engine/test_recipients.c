#include "engine/recipients.h"

#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/mailrace-recipients-XXXXXX";

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/mailrace-recipients-XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

static struct recipients *load(const char *text)
{
    struct recipients *recipients = NULL;
    struct fault fault;
    write_file(text);
    ck_assert_msg(recipients_load(&recipients, path, &fault) == STATUS_OK, "%s", fault.text);
    unlink(path);
    return recipients;
}

START_TEST(answers_as_the_file_says)
{
    static const struct {
        const char *mailbox;
        enum smtp_verdict verdict;
    } rows[] = {
        {"alice@example.test", SMTP_ACCEPT},
        {"bob@example.test", SMTP_UNKNOWN_MAILBOX},
        {"Alice@example.test", SMTP_UNKNOWN_MAILBOX},
        {"anyone@all.test", SMTP_ACCEPT},
        {"anyone@sub.all.test", SMTP_RELAY_DENIED},
        {"nobody", SMTP_UNKNOWN_MAILBOX},
        {"postmaster", SMTP_ACCEPT},
        {"postmaster@example.test", SMTP_ACCEPT},
        {"postmaster@elsewhere.test", SMTP_RELAY_DENIED},
        {"alice@elsewhere.test", SMTP_RELAY_DENIED},
        {"x", SMTP_UNKNOWN_MAILBOX},
    };
    struct recipients *recipients =
        load("# ours\n\n  alice@EXAMPLE.test  \r\n@all.test\nalice@example.test\n");
    ck_assert_int_eq(recipients_check(recipients, span_text(rows[_i].mailbox)), rows[_i].verdict);
    recipients_free(recipients);
}
END_TEST

START_TEST(without_a_table_everything_is_accepted)
{
    ck_assert_int_eq(recipients_check(NULL, SPAN("who@ever.test")), SMTP_ACCEPT);
}
END_TEST

START_TEST(holds_many)
{
    char *text = malloc(40 * 20000), *end = text;
    for (int i = 0; i < 20000; i++)
        end += snprintf(end, 40, "user%d@example.test\n", i);
    struct recipients *recipients = load(text);
    free(text);
    for (int i = 0; i < 20001; i += 1) {
        char name[40];
        int size = snprintf(name, sizeof name, "user%d@example.test", i);
        ck_assert_int_eq(recipients_check(recipients, span_of(name, (size_t)size)),
                         i < 20000 ? SMTP_ACCEPT : SMTP_UNKNOWN_MAILBOX);
    }
    recipients_free(recipients);
}
END_TEST

START_TEST(names_the_bad_line)
{
    static const char *const files[] = {"a@b.test\n<x@y.test>\n", "ok@a.test\n@\n",
                                        "\na b@c.test\n", "x@y.test\n@@\n"};
    struct recipients *recipients = NULL;
    struct fault fault;
    write_file(files[_i]);
    ck_assert_int_eq(recipients_load(&recipients, path, &fault), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, ":2:"));
    ck_assert_ptr_null(recipients);
    unlink(path);
}
END_TEST

START_TEST(names_the_missing_file)
{
    struct recipients *recipients = NULL;
    struct fault fault;
    ck_assert_int_eq(recipients_load(&recipients, "/nonexistent/recipients", &fault),
                     STATUS_ABSENT);
    ck_assert_ptr_nonnull(strstr(fault.text, "/nonexistent/recipients"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("recipients");
    TCase *tests = tcase_create("recipients");
    tcase_add_loop_test(tests, answers_as_the_file_says, 0, 11);
    tcase_add_test(tests, without_a_table_everything_is_accepted);
    tcase_add_test(tests, holds_many);
    tcase_add_loop_test(tests, names_the_bad_line, 0, 4);
    tcase_add_test(tests, names_the_missing_file);
    suite_add_tcase(suite, tests);
    return suite;
}
