#include "engine/load/drain.h"

#include "base/digest.h"
#include "tests/check_main.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_drain.XXXXXX"
#define TEXT "X-Mailrace-Id: a\r\n\r\nbody\r\n"

static char path[sizeof TEMPLATE];
static struct drain_options options;
static struct drain_report report;
static struct fault fault;
static const struct drain_observer nobody;
static int listener;

static void write_ledger(void)
{
    memcpy(path, TEMPLATE, sizeof path);
    FILE *file = fdopen(mkstemp(path), "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "a user@x %016llx 10 acked\n", (unsigned long long)digest_of(SPAN("body\r\n")));
    fprintf(file, "b user@x 0000000000000000 10 acked\n");
    ck_assert_int_eq(fclose(file), 0);
}

/* Takes a port, on which nobody answers until listen. */
static void set_up(void)
{
    union net_address address = {
        .ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    write_ledger();
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, &address.any, sizeof address.ipv4), 0);
    ck_assert_int_eq(getsockname(listener, &address.any, &size), 0);
    drain_options_default(&options);
    options.target = (struct target){.scheme = TARGET_POP3, .address = address};
    options.ledger_path = path;
}

static void tear_down(void)
{
    close(listener);
    unlink(path);
}

/* A server for one connection that knows one user and one message: a reply for each line it may
 * hear. */
static void *serve(void *unused)
{
    static const struct {
        const char *command, *reply;
    } replies[] = {
        {"CAPA", "-ERR what?\r\n"},
        {"USER user@x", "+OK\r\n"},
        {"PASS mailrace", "+OK\r\n"},
        {"STAT", "+OK 1 30\r\n"},
        {"RETR 1", "+OK\r\n" TEXT ".\r\n"},
        {"DELE 1", "+OK\r\n"},
        {"QUIT", "+OK\r\n"},
    };
    (void)unused;
    char line[256];
    FILE *stream = fdopen(accept(listener, NULL, NULL), "r+");
    ck_assert_ptr_nonnull(stream);
    fputs("+OK\r\n", stream);
    while (fflush(stream) == 0 && fgets(line, sizeof line, stream) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        fseek(stream, 0, SEEK_CUR); /* from reading to writing */
        for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
            if (strcmp(line, replies[i].command) == 0)
                fputs(replies[i].reply, stream);
    }
    fclose(stream);
    return NULL;
}

struct told {
    uint32_t progress;
    char lost[64];
};

static void progress(void *context, const struct drain_report *now)
{
    struct told *told = context;
    told->progress++;
    ck_assert_uint_le(now->mailboxes_read, now->mailboxes);
}

static void found(void *context, enum drain_finding finding, struct span mailbox,
                  struct span detail)
{
    struct told *told = context;
    ck_assert_int_eq(finding, DRAIN_LOST);
    snprintf(told->lost, sizeof told->lost, "%.*s %.*s", (int)mailbox.size,
             (const char *)mailbox.data, (int)detail.size, (const char *)detail.data);
}

START_TEST(a_mailbox_over_real_sockets)
{
    struct told told = {0};
    const struct drain_observer observer = {.progress = progress, .found = found, .context = &told};
    pthread_t server;
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    options.delete = _i == 1;
    ck_assert(drain_run(&options, &observer, &report, &fault) == STATUS_OK);
    ck_assert_int_eq(pthread_join(server, NULL), 0);
    ck_assert_uint_eq(report.totals.acked, 2);
    ck_assert_uint_eq(report.totals.fetched, 1);
    ck_assert_uint_eq(report.totals.lost, 1);
    ck_assert_uint_eq(report.totals.corrupted, 0);
    ck_assert_uint_eq(report.totals.unread, 0);
    ck_assert_uint_eq(report.octets, sizeof TEXT - 1);
    ck_assert_uint_eq(report.deleted, options.delete);
    ck_assert_str_eq(told.lost, "user@x b");
    ck_assert_uint_ge(told.progress, 1);
    ck_assert(report.seconds > 0 && report.seconds < 10);
}
END_TEST

START_TEST(nobody_is_there)
{
    ck_assert(drain_run(&options, &nobody, &report, &fault) == STATUS_NETWORK);
    ck_assert_ptr_nonnull(strstr(fault.text, "127.0.0.1:"));
    ck_assert(report.gave_up);
    ck_assert_uint_eq(report.totals.lost, 2);
}
END_TEST

static void *interrupt(void *context)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    nanosleep(&moment, NULL);
    pthread_kill(*(pthread_t *)context, SIGTERM);
    return NULL;
}

/* Else this would take two minutes. */
START_TEST(a_signal_ends_it)
{
    pthread_t thread, self = pthread_self();
    ck_assert_int_eq(listen(listener, 1), 0); /* and never says anything */
    ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
    ck_assert(drain_run(&options, &nobody, &report, &fault) == STATUS_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(report.interrupted);
    ck_assert_uint_eq(report.totals.unread, 1);
}
END_TEST

START_TEST(an_empty_ledger_asks_nobody)
{
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert(drain_run(&options, &nobody, &report, &fault) == STATUS_OK);
    ck_assert_uint_eq(report.mailboxes, 0);
}
END_TEST

START_TEST(a_ledger_that_is_not_there)
{
    options.ledger_path = "/nowhere/ledger";
    ck_assert(drain_run(&options, &nobody, &report, &fault) == STATUS_ABSENT);
    ck_assert_str_eq(fault.text, "/nowhere/ledger: No such file or directory");
}
END_TEST

START_TEST(findings_have_names)
{
    static const char *const names[] = {"lost",    "duplicated", "corrupted",
                                        "unknown", "unread",     "undeleted"};
    for (enum drain_finding i = 0; i < DRAIN_FINDINGS; i++)
        ck_assert_str_eq(drain_finding_name(i), names[i]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("drain");
    TCase *tcase = tcase_create("drain");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_mailbox_over_real_sockets, 0, 2);
    tcase_add_test(tcase, nobody_is_there);
    tcase_add_test(tcase, a_signal_ends_it);
    tcase_add_test(tcase, an_empty_ledger_asks_nobody);
    tcase_add_test(tcase, a_ledger_that_is_not_there);
    tcase_add_test(tcase, findings_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
