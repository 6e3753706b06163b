#include "engine/load/account.h"

#include "tests/check_main.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_account.XXXXXX"
#define ONE "1111111111111111" /* the digest of all messages but where it is wrong */
#define RIGHT UINT64_C(0x1111111111111111)

static char path[sizeof TEMPLATE];
static struct account *account;
static struct account_totals totals;
static struct fault fault;

static void make_file(void)
{
    memcpy(path, TEMPLATE, sizeof path);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

static enum status open_account(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    return account_open(&account, path, &fault);
}

static void expect(uint64_t acked, uint64_t doubtful, uint64_t fetched, uint64_t lost)
{
    account_totals(account, &totals);
    ck_assert_uint_eq(totals.acked, acked);
    ck_assert_uint_eq(totals.doubtful, doubtful);
    ck_assert_uint_eq(totals.fetched, fetched);
    ck_assert_uint_eq(totals.lost, lost);
}

static void expect_wrong(uint64_t duplicated, uint64_t corrupted, uint64_t unknown, uint64_t unread)
{
    account_totals(account, &totals);
    ck_assert_uint_eq(totals.duplicated, duplicated);
    ck_assert_uint_eq(totals.corrupted, corrupted);
    ck_assert_uint_eq(totals.unknown, unknown);
    ck_assert_uint_eq(totals.unread, unread);
}

START_TEST(an_empty_ledger_is_an_empty_account)
{
    ck_assert(open_account("") == STATUS_OK);
    ck_assert_uint_eq(account_mailboxes(account), 0);
    expect(0, 0, 0, 0);
    expect_wrong(0, 0, 0, 0);
    account_close(account);
}
END_TEST

START_TEST(mailboxes_come_in_order_of_first_mention)
{
    ck_assert(open_account("a b@x " ONE " 1 sent\n"
                           "a a@x " ONE " 1 sent\n"
                           "a b@x " ONE " 1 acked\n"
                           "b \\x22c\\x20d\\x22@x " ONE " 1 refused\n"
                           "b A@x " ONE " 1 sent\n") == STATUS_OK);
    static const char *const names[] = {"b@x", "a@x", "\"c d\"@x", "A@x"};
    static const uint64_t expected[] = {1, 1, 0, 1};
    ck_assert_uint_eq(account_mailboxes(account), 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert(span_equal(account_mailbox(account, i), span_text(names[i])));
        ck_assert_uint_eq(account_expected(account, i), expected[i]);
    }
    account_close(account);
}
END_TEST

START_TEST(an_empty_recipient_is_a_mailbox_too)
{
    ck_assert(open_account("a  " ONE " 1 acked\n") == STATUS_OK);
    ck_assert_uint_eq(account_mailboxes(account), 1);
    ck_assert_uint_eq(account_mailbox(account, 0).size, 0);
    ck_assert_int_eq(account_found(account, 0, SPAN("a"), RIGHT), ACCOUNT_FINE);
    account_close(account);
}
END_TEST

/* What one message's lines come to, and what it means that 0 to 3 copies are found. */
static const struct {
    const char *outcomes; /* s a r f d */
    bool acked, doubtful;
    uint64_t copies_max; /* more are duplicates; 0: any is unknown */
} states[] = {
    {"s", false, true, 1},    {"sa", true, false, 1},    {"sr", false, false, 0},
    {"sf", false, false, 0},  {"sd", false, true, 1},    {"a", true, false, 1},
    {"ss", false, true, 1},   {"ssa", true, false, 1},   {"srsa", true, false, 1},
    {"sfsa", true, false, 1}, {"srs", false, true, 1},   {"sasr", true, false, 1},
    {"sas", true, false, 1},  {"sdsa", true, false, 2},  {"sdsr", false, true, 1},
    {"sdsf", false, true, 1}, {"sasa", true, false, 2},  {"sads", true, false, 2},
    {"sdsd", false, true, 2}, {"sfsr", false, false, 0},
};

START_TEST(lines_of_one_message)
{
    static const char *const names[] = {
        ['s'] = "sent", ['a'] = "acked", ['r'] = "refused", ['f'] = "failed", ['d'] = "doubtful",
    };
    char text[1024];
    for (uint64_t copies = 0; copies < 4; copies++) {
        size_t size = 0;
        for (const char *at = states[_i].outcomes; *at != '\0'; at++)
            size += (size_t)snprintf(text + size, sizeof text - size, "a b@x " ONE " 1 %s\n",
                                     names[(uint8_t)*at]);
        uint64_t most = states[_i].copies_max;
        ck_assert(open_account(text) == STATUS_OK);
        for (uint64_t i = 0; i < copies; i++)
            ck_assert_int_eq(account_found(account, 0, SPAN("a"), RIGHT),
                             most == 0  ? ACCOUNT_UNKNOWN
                             : i < most ? ACCOUNT_FINE
                                        : ACCOUNT_DUPLICATED);
        expect(states[_i].acked, states[_i].doubtful, copies, states[_i].acked && copies == 0);
        expect_wrong(most > 0 && copies > most ? copies - most : 0, 0, most == 0 ? copies : 0, 0);
        account_close(account);
    }
}
END_TEST

#define TWO_MAILBOXES                                                                              \
    "a u1@x " ONE " 1 sent\na u2@x " ONE " 1 sent\na u1@x " ONE " 1 acked\n"                       \
    "a u2@x " ONE " 1 acked\nb u1@x " ONE " 1 sent\nb u1@x " ONE " 1 refused\n"

START_TEST(what_is_found)
{
    static const struct {
        uint32_t mailbox;
        struct span id;
        uint64_t digest;
        enum account_verdict verdict;
    } table[] = {
        {0, SPAN_INIT("a"), RIGHT, ACCOUNT_FINE},
        {0, SPAN_INIT("b"), RIGHT, ACCOUNT_UNKNOWN}, /* refused */
        {1, SPAN_INIT("b"), RIGHT, ACCOUNT_UNKNOWN}, /* another's */
        {0, SPAN_INIT("c"), RIGHT, ACCOUNT_UNKNOWN},
        {0, SPAN_INIT("A"), RIGHT, ACCOUNT_UNKNOWN},
        {0, SPAN_INIT(""), RIGHT, ACCOUNT_UNKNOWN},
        {1, SPAN_INIT("a"), RIGHT + 1, ACCOUNT_CORRUPTED},
        {0, SPAN_INIT("a"), RIGHT, ACCOUNT_DUPLICATED},
        {0, SPAN_INIT("a"), RIGHT + 1, ACCOUNT_CORRUPTED}, /* and a duplicate */
    };
    ck_assert(open_account(TWO_MAILBOXES) == STATUS_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_int_eq(account_found(account, table[i].mailbox, table[i].id, table[i].digest),
                         table[i].verdict);
    expect(2, 0, 9, 0);
    expect_wrong(2, 2, 5, 0);
    account_close(account);
}
END_TEST

START_TEST(a_mailbox_read_again_counts_once)
{
    ck_assert(open_account(TWO_MAILBOXES) == STATUS_OK);
    for (uint32_t tries = 0; tries < 5; tries++) {
        account_again(account, 0);
        ck_assert_int_eq(account_found(account, 0, SPAN("a"), RIGHT + 1), ACCOUNT_CORRUPTED);
        ck_assert_int_eq(account_found(account, 0, SPAN("a"), RIGHT), ACCOUNT_DUPLICATED);
        ck_assert_int_eq(account_found(account, 0, SPAN("z"), RIGHT), ACCOUNT_UNKNOWN);
        account_unread(account, 0);
    }
    ck_assert_int_eq(account_found(account, 1, SPAN("a"), RIGHT), ACCOUNT_FINE);
    expect(2, 0, 4, 0);
    expect_wrong(1, 1, 1, 1);
    account_again(account, 0);
    expect(2, 0, 1, 1);
    expect_wrong(0, 0, 0, 0);
    account_close(account);
}
END_TEST

/* Where nothing was delivered, there may be no mailbox. */
START_TEST(a_mailbox_counts_as_unread_if_something_should_be_there)
{
    ck_assert(open_account("a u1@x " ONE " 1 refused\n"
                           "a u2@x " ONE " 1 doubtful\n"
                           "a u3@x " ONE " 1 acked\n") == STATUS_OK);
    for (uint32_t i = 0; i < 3; i++) {
        account_unread(account, i);
        account_unread(account, i);
        expect_wrong(0, 0, 0, i);
    }
    expect(1, 1, 0, 1);
    account_close(account);
}
END_TEST

struct listing {
    char text[256];
    unsigned most;
};

static bool list(void *context, struct span mailbox, struct span id)
{
    struct listing *listing = context;
    size_t size = strlen(listing->text);
    snprintf(listing->text + size, sizeof listing->text - size, "%.*s %.*s;", (int)mailbox.size,
             (const char *)mailbox.data, (int)id.size, (const char *)id.data);
    return --listing->most > 0;
}

START_TEST(the_lost_are_listed)
{
    struct listing all = {.most = 9}, two = {.most = 2};
    ck_assert(open_account("a u1@x " ONE " 1 acked\n"
                           "a u2@x " ONE " 1 acked\n"
                           "b u2@x " ONE " 1 sent\n"
                           "c u2@x " ONE " 1 acked\n"
                           "d u2@x " ONE " 1 acked\n") == STATUS_OK);
    account_found(account, 1, SPAN("a"), RIGHT);
    account_each_lost(account, list, &all);
    ck_assert_str_eq(all.text, "u1@x a;u2@x c;u2@x d;");
    account_each_lost(account, list, &two);
    ck_assert_str_eq(two.text, "u1@x a;u2@x c;");
    account_close(account);
}
END_TEST

/* Through every growth of its tables. */
START_TEST(many_messages)
{
    enum { MESSAGES = 30000, USERS = 700 };
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (uint64_t i = 0; i < MESSAGES; i++)
        fprintf(file, "id%" PRIu64 " u%" PRIu64 "@x %016" PRIx64 " 1 acked\n", i, i % USERS, i);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert(account_open(&account, path, &fault) == STATUS_OK);
    ck_assert_uint_eq(account_mailboxes(account), USERS);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        char id[32];
        snprintf(id, sizeof id, "id%" PRIu64, i);
        if (i % 100 != 99)
            ck_assert_int_eq(account_found(account, (uint32_t)(i % USERS), span_text(id), i),
                             ACCOUNT_FINE);
    }
    expect(MESSAGES, 0, MESSAGES - MESSAGES / 100, MESSAGES / 100);
    expect_wrong(0, 0, 0, 0);
    account_close(account);
}
END_TEST

static const struct {
    const char *text;
    const char *wrong; /* after the path */
} bad[] = {
    {"a u@x " ONE " 1 sent\nb u@x 1 sent\na u@x " ONE " 1 acked\n", ":2: no line of a ledger"},
    {"a u@x " ONE " 1 sent\na v@x 2222222222222222 1 sent\na u@x 2222222222222222 1 acked\n",
     ":3: another digest than before for this message"},
};

START_TEST(a_bad_ledger_is_named)
{
    char text[128];
    ck_assert(open_account(bad[_i].text) == STATUS_CORRUPT);
    snprintf(text, sizeof text, "%s%s", path, bad[_i].wrong);
    ck_assert_str_eq(fault.text, text);
}
END_TEST

START_TEST(a_ledger_that_is_not_there)
{
    ck_assert(account_open(&account, "/nowhere/ledger", &fault) == STATUS_ABSENT);
    ck_assert_str_eq(fault.text, "/nowhere/ledger: No such file or directory");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("account");
    TCase *tcase = tcase_create("account");
    tcase_add_checked_fixture(tcase, make_file, remove_file);
    tcase_add_test(tcase, an_empty_ledger_is_an_empty_account);
    tcase_add_test(tcase, mailboxes_come_in_order_of_first_mention);
    tcase_add_test(tcase, an_empty_recipient_is_a_mailbox_too);
    tcase_add_loop_test(tcase, lines_of_one_message, 0, sizeof states / sizeof *states);
    tcase_add_test(tcase, what_is_found);
    tcase_add_test(tcase, a_mailbox_read_again_counts_once);
    tcase_add_test(tcase, a_mailbox_counts_as_unread_if_something_should_be_there);
    tcase_add_test(tcase, the_lost_are_listed);
    tcase_add_test(tcase, many_messages);
    tcase_add_loop_test(tcase, a_bad_ledger_is_named, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, a_ledger_that_is_not_there);
    suite_add_tcase(suite, tcase);
    return suite;
}
