#include "tests/engine/load/post_office.h"

#include "tests/check_main.h"

#define ALL (OFFICE_MAILBOXES * OFFICE_MESSAGES)

static struct office office;

static void expect(uint64_t lost, uint64_t unread)
{
    office_count(&office);
    ck_assert_uint_eq(office.totals.acked, ALL);
    ck_assert_uint_eq(office.totals.lost, lost);
    ck_assert_uint_eq(office.totals.unread, unread);
    ck_assert_uint_eq(office.report.mailboxes_read, OFFICE_MAILBOXES - unread);
}

static void expect_wrong(uint64_t duplicated, uint64_t corrupted, uint64_t unknown)
{
    ck_assert_uint_eq(office.totals.duplicated, duplicated);
    ck_assert_uint_eq(office.totals.corrupted, corrupted);
    ck_assert_uint_eq(office.totals.unknown, unknown);
}

static const uint32_t connections[] = {1, 2, 3, 4, 32};

START_TEST(everything_is_read)
{
    office_open(&office);
    office.options.connections = connections[_i];
    office.pipelining = _i % 2;
    office_read(&office);
    ck_assert(office_settles(&office, 10000));
    expect(0, 0);
    expect_wrong(0, 0, 0);
    ck_assert_uint_eq(office.totals.fetched, ALL);
    ck_assert_uint_eq(office.report.messages, ALL);
    ck_assert_uint_eq(office.sessions_count, OFFICE_MAILBOXES); /* one mailbox per log-in */
    ck_assert_uint_eq(office.findings_count, 0);
    ck_assert_uint_eq(office_deleted(&office), 0);
    office_close(&office);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    office_open(&office);
    office.mailboxes[0].messages[1] = office.mailboxes[0].messages[0];
    office.mailboxes[1].messages[1] = "X-Mailrace-Id: 1.1\r\n\r\n1.1\r\n.dot\r\n.\r\n";
    office.mailboxes[2].messages[2] = "Subject: none\r\n\r\n.\r\n";
    office.mailboxes[3].messages[0] = office.mailboxes[2].messages[0];
    office.options.delete = true;
    office_read(&office);
    ck_assert(office_settles(&office, 10000));
    expect(3, 0);
    expect_wrong(1, 1, 2);
    ck_assert(office_was_told(&office, DRAIN_DUPLICATED, "user0@x", "0.0"));
    ck_assert(office_was_told(&office, DRAIN_CORRUPTED, "user1@x", "1.1"));
    ck_assert(office_was_told(&office, DRAIN_UNKNOWN, "user2@x", ""));
    ck_assert(office_was_told(&office, DRAIN_UNKNOWN, "user3@x", "2.0"));
    ck_assert_uint_eq(office.findings_count, 4);
    /* What is not fine stays. */
    ck_assert_uint_eq(office_deleted(&office), ALL - 4);
    ck_assert_uint_eq(office.report.deleted, ALL - 4);
    ck_assert(!office.mailboxes[0].deleted[1] && !office.mailboxes[1].deleted[1]);
    ck_assert(!office.mailboxes[2].deleted[2] && !office.mailboxes[3].deleted[0]);
    office_close(&office);
}
END_TEST

/* What goes wrong in the first mailbox, and what comes of it when it is to be deleted. */
static const struct {
    enum office_trouble trouble;
    uint32_t times;
    const char *text;
    uint64_t lost, unread;
    uint64_t undeleted;  /* as reported */
    uint32_t left;       /* of its messages, really */
    uint32_t attempts;   /* of connections for all mailboxes */
    const char *reason;  /* NULL: nothing is told */
    uint64_t ms_min, ms; /* that it takes */
} troubles[] = {
    {OFFICE_FINE, 0, NULL, 0, 0, 0, 0, 4, NULL, 0, 1000},
    /* what passes */
    {OFFICE_LOGIN, 2, "[IN-USE] locked", 0, 0, 0, 0, 6, NULL, 750, 2000},
    {OFFICE_LOGIN, 2, "[login-delay] wait", 0, 0, 0, 0, 6, NULL, 750, 2000},
    {OFFICE_LOGIN, 5, "[SYS/TEMP] try later", 0, 0, 0, 0, 9, NULL, 7750, 9000},
    {OFFICE_HANGS_UP, 3, NULL, 0, 0, 0, 0, 7, NULL, 1750, 3000},
    {OFFICE_MESSAGE_RESETS, 2, NULL, 0, 0, 0, 0, 6, NULL, 750, 2000},
    {OFFICE_TURNS_AWAY, 2, NULL, 0, 0, 0, 0, 6, NULL, 250, 2000},
    {OFFICE_STALLS, 1, NULL, 0, 0, 0, 0, 5, NULL, 60000, 62000},
    {OFFICE_RETR, 1, "[SYS/TEMP] disk", 0, 0, 0, 0, 5, NULL, 250, 2000},
    /* what does not */
    {OFFICE_LOGIN, 9, "[AUTH] no \x01such user", 3, 1, 0, 3, 4,
     "log-in was refused: [AUTH] no \\x01such user", 0, 1000},
    {OFFICE_LOGIN, 9, "[IN-USE] for ever", 3, 1, 0, 3, 9, "log-in was refused: [IN-USE]", 7750,
     9000},
    {OFFICE_HANGS_UP, 9, NULL, 3, 1, 0, 3, 9, "connection lost", 7750, 9000},
    {OFFICE_MESSAGE_RESETS, 9, NULL, 3, 1, 0, 3, 9, "connection lost", 7750, 9000},
    {OFFICE_STALLS, 9, NULL, 2, 1, 0, 3, 5, "timeout", 120000, 122000},
    {OFFICE_MESSAGE_DRIPS, 9, NULL, 2, 1, 0, 3, 5, "timeout", 120000, 122000},
    {OFFICE_BABBLES, 1, NULL, 3, 1, 0, 3, 4, "garbage", 0, 1000},
    {OFFICE_RETR, 9, "no such message", 1, 1, 0, 3, 4, "RETR was refused: no such message", 0,
     1000},
    {OFFICE_RETR, 9, "[SYS/TEMP] disk", 1, 1, 0, 3, 9, "RETR was refused: [SYS/TEMP]", 7750, 9000},
    /* all is read, but is it gone? */
    {OFFICE_DELE, 9, NULL, 0, 0, 1, 1, 4, "DELE was refused: no", 0, 1000},
    {OFFICE_QUIT, 9, NULL, 0, 0, 3, 3, 4, "QUIT was refused: some are still there", 0, 1000},
    {OFFICE_NO_QUIT, 9, NULL, 0, 0, 3, 3, 4, "connection lost", 0, 1000},
    {OFFICE_NO_GOODBYE, 9, NULL, 0, 0, 3, 0, 4, "connection lost", 0, 1000},
};

START_TEST(trouble_in_one_mailbox)
{
    office_open(&office);
    office.options.delete = true;
    struct office_mailbox *mailbox = &office.mailboxes[0];
    mailbox->trouble = troubles[_i].trouble;
    mailbox->times = troubles[_i].times;
    mailbox->text = troubles[_i].text;
    office_read(&office);
    uint64_t began_ns = office.now_ns;
    ck_assert(office_settles(&office, 600000));
    uint64_t took_ms = (office.now_ns - began_ns) / NS_PER_MS;
    expect(troubles[_i].lost, troubles[_i].unread);
    expect_wrong(0, 0, 0);
    ck_assert_uint_eq(office.report.undeleted, troubles[_i].undeleted);
    ck_assert_uint_eq(office_deleted(&office), ALL - troubles[_i].left);
    ck_assert_uint_eq(office.sessions_count, troubles[_i].attempts);
    ck_assert_uint_ge(took_ms, troubles[_i].ms_min);
    ck_assert_uint_le(took_ms, troubles[_i].ms);
    const char *reason = troubles[_i].reason;
    ck_assert_uint_eq(office.findings_count, reason != NULL);
    if (reason != NULL)
        ck_assert_msg(office_was_told(&office,
                                      troubles[_i].unread > 0 ? DRAIN_UNREAD : DRAIN_UNDELETED,
                                      "user0@x", reason),
                      "'%s' instead of '%s'", office.findings[0].detail, reason);
    office_close(&office);
}
END_TEST

/* However slowly a server speaks, a phase has its time and no more. */
START_TEST(no_greeting_in_time)
{
    office_open(&office);
    office.mailboxes[0].trouble = _i ? OFFICE_DRIPS : OFFICE_SILENT;
    office.mailboxes[0].times = UINT32_MAX;
    office.options.timeout_ms = 5000;
    office.options.connections = 4;
    office_read(&office);
    uint64_t began_ns = office.now_ns;
    ck_assert(office_settles(&office, 600000));
    uint64_t took_ms = (office.now_ns - began_ns) / NS_PER_MS;
    expect(ALL, OFFICE_MAILBOXES);
    ck_assert_uint_ge(took_ms, 10000);
    ck_assert_uint_le(took_ms, 12000);
    ck_assert(office_was_told(&office, DRAIN_UNREAD, "user3@x", "timeout"));
    office_close(&office);
}
END_TEST

START_TEST(nobody_is_there)
{
    office_open(&office);
    office.absent = true;
    office_read(&office);
    ck_assert(office_settles(&office, 3000)); /* three attempts, and no more for the others */
    expect(ALL, OFFICE_MAILBOXES);
    ck_assert(office.report.gave_up);
    ck_assert_uint_eq(office.collector.connected, 0);
    ck_assert_uint_eq(office.findings_count, 0);
    office_close(&office);
}
END_TEST

/* Mailboxes that were read stay so; the rest is given up once nobody answers for a while. */
START_TEST(nobody_is_there_any_more)
{
    office_open(&office);
    office.options.connections = 1;
    office_read(&office);
    while (office.report.mailboxes_read < 2)
        ck_assert(!office_settles(&office, 1));
    office.server->calls->deinit(office.server);
    ck_assert(net_sim_open(&office.server, office.network) == STATUS_OK);
    ck_assert(office_settles(&office, 20000));
    expect(ALL - office.report.messages, OFFICE_MAILBOXES / 2);
    ck_assert(office.report.gave_up);
    office_close(&office);
}
END_TEST

START_TEST(a_stop_leaves_what_was_found)
{
    office_open(&office);
    office.options.connections = (uint32_t)_i;
    office.mailboxes[1].trouble = OFFICE_STALLS;
    office.mailboxes[1].times = 9;
    office.mailboxes[2].trouble = OFFICE_HANGS_UP;
    office.mailboxes[2].times = 9;
    office_read(&office);
    while (office.report.messages < 4)
        ck_assert(!office_settles(&office, 1));
    collector_stop(&office.collector);
    ck_assert(office_settles(&office, 1000));
    office_count(&office);
    ck_assert_uint_eq(office.totals.fetched, office.report.messages);
    ck_assert_uint_eq(office.totals.lost, ALL - office.report.messages);
    ck_assert_uint_eq(office.totals.unread, OFFICE_MAILBOXES - office.report.mailboxes_read);
    ck_assert_uint_ge(office.totals.unread, 2);
    ck_assert(!office.report.gave_up);
    uint32_t sessions = office.sessions_count;
    office_run(&office, 10000);
    ck_assert_uint_eq(office.sessions_count, sessions); /* nobody connects any more */
    office_close(&office);
}
END_TEST

/* The limit is of one message, not of all. */
START_TEST(a_message_without_end)
{
    office_open(&office);
    uint64_t size = strlen(office.mailboxes[0].messages[0]) - 4; /* without ".\r\n" and a dot */
    office.options.message_bytes_max = _i == 1 ? size : 20;
    office_read(&office);
    ck_assert(office_settles(&office, 10000));
    if (_i == 1) {
        expect(0, 0);
        ck_assert_uint_eq(office.report.octets, ALL * size);
    } else {
        office_count(&office);
        ck_assert_uint_eq(office.totals.unread, OFFICE_MAILBOXES);
        ck_assert(office_was_told(&office, DRAIN_UNREAD, "user0@x", "long reply"));
    }
    ck_assert_uint_eq(office.sessions_count, OFFICE_MAILBOXES);
    office_close(&office);
}
END_TEST

/* What a hostile ledger would have us say. */
START_TEST(names_that_cannot_log_in)
{
    office_open(&office);
    office.ledger = "x a\\x0d\\x0aDELE\\x201 0000000000000000 1 acked\n"
                    "x  0000000000000000 1 acked\n"
                    "x user\\x000@x 0000000000000000 1 refused\n"
                    "0.0 user0@x 0000000000000000 1 acked\n";
    office_read(&office);
    ck_assert(office_settles(&office, 1000));
    office_count(&office);
    ck_assert_uint_eq(office.totals.unread, 2);
    ck_assert_uint_eq(office.totals.lost, 2);
    ck_assert_uint_eq(office.totals.corrupted, 1);
    ck_assert(office_was_told(&office, DRAIN_UNREAD, "", "cannot be the name of a user"));
    ck_assert_uint_eq(office.report.mailboxes, 4);
    ck_assert_uint_eq(office.report.mailboxes_read, 1);
    office_close(&office);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("collector");
    TCase *tcase = tcase_create("collector");
    tcase_add_loop_test(tcase, everything_is_read, 0, sizeof connections / sizeof *connections);
    tcase_add_test(tcase, what_is_wrong_is_told);
    tcase_add_loop_test(tcase, trouble_in_one_mailbox, 0, sizeof troubles / sizeof *troubles);
    tcase_add_loop_test(tcase, no_greeting_in_time, 0, 2);
    tcase_add_test(tcase, nobody_is_there);
    tcase_add_test(tcase, nobody_is_there_any_more);
    tcase_add_loop_test(tcase, a_stop_leaves_what_was_found, 1, 5);
    tcase_add_loop_test(tcase, a_message_without_end, 0, 2);
    tcase_add_test(tcase, names_that_cannot_log_in);
    suite_add_tcase(suite, tcase);
    return suite;
}
