/* What becomes of a generator's letters: attempts, fates, times, and lines in the ledger. */
#include "engine/load/generator.h"

#include "engine/load/ledger_reader.h"
#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct load_bed bed;

static void check_fates(const char *expected)
{
    char text[LOAD_BED_TEXT_BYTES];
    load_bed_fates(&bed, text);
    ck_assert_msg(strcmp(text, expected) == 0, "\n  %s\nis not\n  %s", text, expected);
}

static struct generator *generator(void)
{
    return &bed.shards[0].generator;
}

static struct load_bed_options options_of(uint32_t messages, const char *recipients,
                                          uint32_t retries)
{
    struct load_bed_options options = load_bed_options();
    struct fault fault;
    options.blast.messages = messages;
    options.blast.retries = retries;
    ck_assert(distribution_parse(recipients, 1, 100, &options.blast.recipients, &fault) ==
              STATUS_OK);
    return options;
}

/* ------------------------------------------------------------------------------ attempts ---- */

/* From one refusal to the next MAIL, 1, 2, 4 … 64, 64 seconds; each MAIL takes 2 ms, and the one
 * that is accepted comes with three more round trips. */
START_TEST(attempts_are_made_later_and_later)
{
    static const uint32_t waits_s[] = {0, 1, 2, 4, 8, 16, 32, 64, 64, 64};
    uint64_t expected_ms = 8;
    for (uint32_t refusals = 0; refusals < 10; refusals++) {
        struct load_bed_options options = options_of(1, "1", 9);
        expected_ms += refusals > 0 ? waits_s[refusals] * 1000 + 2 : 0;
        if (refusals > 0)
            options.script.faults[0] =
                (struct script_fault){SCRIPT_MAIL, SCRIPT_SAY, "451 not now\r\n", 0, refusals};
        load_bed_go(&bed, &options, 600000);
        ck_assert_uint_eq(bed.total->latency[TALLY_TOTAL].sum, expected_ms * NS_PER_MS);
        ck_assert_uint_eq(bed.total->retries, refusals);
        ck_assert_uint_eq(bed.total->messages.acked, 1);
        ck_assert_uint_eq(bed.server.copies[0].taken, 1);
        load_bed_close(&bed);
    }
}
END_TEST

/* Only what was refused for now is tried again, and only so often. */
static const struct attempt_row {
    const char *name;
    bool lmtp;
    const char *recipients;
    struct script_fault faults[SCRIPT_FAULTS_MAX];
    const char *expected;
} attempt_rows[] = {
    {"RCPT 450, once",
     false,
     "3",
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 full\r\n", 1, 1}},
     "1 = 1 acked; 3 = 3 acked; 1 retries; 220:1 221:1 250:8 354:2 450:1; fine 1"},
    {"RCPT 450, too often",
     false,
     "1",
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 full\r\n", 0, 3}},
     "1 = 1 refused; 1 = 1 refused; 2 retries; 220:1 221:1 250:6 450:3; fine 1"},
    {"RCPT 550",
     false,
     "3",
     {{SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 0, 0}},
     "1 = 1 refused; 3 = 3 refused; 220:1 221:1 250:2 550:3; fine 1"},
    {"450, then 550",
     false,
     "1",
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 full\r\n", 0, 1},
      {SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 1, 1}},
     "1 = 1 refused; 1 = 1 refused; 1 retries; 220:1 221:1 250:4 450:1 550:1; fine 1"},
    {"421: on another connection",
     false,
     "2",
     {{SCRIPT_COMMIT, SCRIPT_CLOSE, "421 bye\r\n", 0, 1}},
     "1 = 1 acked; 2 = 2 acked; 1 retries; 220:2 221:1 250:9 354:2 421:1; fine 1 shut down 1"},
    {"a reset before the end of data",
     false,
     "1",
     {{SCRIPT_DATA, SCRIPT_RESET, NULL, 0, 1}},
     "1 = 1 failed; 1 = 1 failed; 220:1 250:3; connection lost 1"},
    {"a reset after it",
     false,
     "1",
     {{SCRIPT_COMMIT, SCRIPT_RESET, NULL, 0, 1}},
     "1 = 1 doubtful; 1 = 1 doubtful; 220:1 250:3 354:1; connection lost 1"},
    {"acked for one, then refused for the other",
     true,
     "2",
     {{SCRIPT_COMMIT, SCRIPT_SAY, "450 full\r\n", 1, 1},
      {SCRIPT_COMMIT, SCRIPT_SAY, "550 no\r\n", 2, 1}},
     "1 = 1 acked; 2 = 1 acked + 1 refused; 1 retries; 220:1 221:1 250:7 354:2 450:1 550:1; fine "
     "1"},
    {"in doubt for one, then refused for the other",
     true,
     "2",
     {{SCRIPT_COMMIT, SCRIPT_SAY, "450 full\r\n", 0, 1},
      {SCRIPT_COMMIT, SCRIPT_CLOSE, NULL, 1, 1},
      {SCRIPT_COMMIT, SCRIPT_SAY, "550 no\r\n", 2, 1}},
     "1 = 1 doubtful; 2 = 1 refused + 1 doubtful; 1 retries; 220:2 221:1 250:7 354:2 450:1 550:1; "
     "fine 1 connection lost 1"},
    {"failed for one, then refused for the other",
     false,
     "2",
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 full\r\n", 0, 1},
      {SCRIPT_RCPT, SCRIPT_RESET, NULL, 1, 1},
      {SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 2, 1}},
     "1 = 1 failed; 2 = 1 refused + 1 failed; 1 retries; 220:2 221:1 250:4 450:1 550:1; fine 1 "
     "connection lost 1"},
};

START_TEST(attempts_are_made_for_whom_they_may_help)
{
    const struct attempt_row *row = &attempt_rows[_i];
    struct load_bed_options options = options_of(1, row->recipients, 2);
    options.script.lmtp = row->lmtp;
    memcpy(options.script.faults, row->faults, sizeof row->faults);
    load_bed_go(&bed, &options, 600000);
    check_fates(row->expected);
    for (uint32_t i = 0; i < bed.server.copies_count; i++)
        ck_assert_uint_le(bed.server.copies[i].taken, 1);
    load_bed_close(&bed);
}
END_TEST

/* More letters wait than there can be: nothing begins until some have had their attempts. */
START_TEST(a_desk_without_letters_is_waited_for)
{
    struct load_bed_options options = options_of(3000, "1", 1);
    options.blast.connections = 8;
    options.script.faults[0] =
        (struct script_fault){SCRIPT_MAIL, SCRIPT_SAY, "451 not now\r\n", 0, 0};
    load_bed_go(&bed, &options, 60000);
    check_fates("3000 = 3000 refused; 3000 = 3000 refused; 3000 retries; 220:8 221:8 250:8 "
                "451:6000; fine 8");
    load_bed_close(&bed);
}
END_TEST

/* ---------------------------------------------------------------------------------- ends ---- */

/* At 500 ms one letter waits, refused, and another is just being refused. */
START_TEST(an_end_leaves_no_letter_waiting)
{
    for (int now = 0; now < 2; now++) {
        struct load_bed_options options = options_of(0, "2", 9);
        options.script.faults[0] =
            (struct script_fault){SCRIPT_MAIL, SCRIPT_SAY, "451 not now\r\n", 0, 0};
        options.latency_ns_min = options.latency_ns_max = 100 * NS_PER_MS;
        load_bed_open(&bed, &options);
        load_bed_run_until(&bed, bed.opened_ns + 750 * NS_PER_MS);
        ck_assert_uint_eq(bed.shards[0].tally->messages.sent, 2);
        ck_assert_uint_eq(generator()->in_flight, 2);
        ck_assert_uint_eq(bed.shards[0].tally->messages.refused, 0);
        generator_end(generator(), now);
        ck_assert_uint_eq(bed.shards[0].tally->messages.refused, 1);
        ck_assert(load_bed_run(&bed, 400));
        load_bed_end(&bed);
        check_fates(now ? "2 = 1 refused + 1 failed; 4 = 2 refused + 2 failed; 220:1 250:1 451:1; "
                          "connection lost 1"
                        : "2 = 2 refused; 4 = 4 refused; 220:1 221:1 250:1 451:2; fine 1");
        load_bed_close(&bed);
    }
}
END_TEST

/* ------------------------------------------------------------------------------- figures ---- */

START_TEST(octets_are_those_of_acked_messages)
{
    struct load_bed_options options = options_of(5, "3", 0);
    options.script.faults[0] = (struct script_fault){SCRIPT_COMMIT, SCRIPT_SAY, "554 no\r\n", 1, 2};
    load_bed_go(&bed, &options, 1000);
    ck_assert_uint_eq(bed.total->messages.acked, 3);
    ck_assert_uint_eq(bed.total->octets, 3 * 1024);
    for (uint32_t i = 0; i < bed.server.copies_count; i++)
        ck_assert_uint_eq(bed.server.copies[i].octets, 1024);
    load_bed_close(&bed);
}
END_TEST

/* ---------------------------------------------------------------------------- the ledger ---- */

/* All lines as "user:outcome", in order; checks ids and, against the server's account, digests. */
static void read_ledger(const char *path, char *text, size_t room)
{
    struct ledger_reader *reader;
    struct ledger_entry entry;
    struct fault fault;
    bool more;
    size_t size = 0;
    text[0] = '\0';
    ck_assert(ledger_reader_open(&reader, path, &fault) == STATUS_OK);
    while (ledger_reader_next(reader, &entry, &more, &fault) == STATUS_OK && more) {
        unsigned user = 0;
        ck_assert_int_eq(sscanf((const char *)entry.recipient.data, "user%u@", &user), 1);
        const struct script_copy *copy = scripted_server_find(&bed.server, entry.id, user);
        if (copy != NULL) {
            ck_assert_uint_eq(copy->digest, entry.digest);
            ck_assert_uint_eq(copy->octets, entry.octets);
        }
        size += (size_t)snprintf(text + size, room - size, "%s%.2s:%u:%s", size > 0 ? " " : "",
                                 (const char *)entry.id.data + LETTER_ID_BYTES - 2, user,
                                 ledger_outcome_name(entry.outcome));
    }
    ck_assert(!more);
    ledger_reader_close(reader);
}

static const struct ledger_row {
    const char *name;
    bool lmtp;
    struct script_fault faults[SCRIPT_FAULTS_MAX];
    const char *expected;
} ledger_rows[] = {
    {"all well",
     false,
     {{0}},
     "00:0:sent 00:1:sent 00:0:acked 00:1:acked 01:1:sent 01:0:sent 01:1:acked 01:0:acked"},
    {"one is refused",
     false,
     {{SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 1, 1}},
     "00:0:sent 00:1:sent 00:0:acked 00:1:refused 01:1:sent 01:0:sent 01:1:acked 01:0:acked"},
    {"one is tried again",
     false,
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 later\r\n", 1, 1}},
     "00:0:sent 00:1:sent 00:0:acked 01:1:sent 01:0:sent 01:1:acked 01:0:acked 00:1:sent "
     "00:1:acked"},
    {"one is never taken",
     false,
     {{SCRIPT_RCPT, SCRIPT_SAY, "450 later\r\n", 1, 1},
      {SCRIPT_MAIL, SCRIPT_SAY, "450 later\r\n", 1, 0}},
     "00:0:sent 00:1:sent 00:0:acked 01:1:sent 01:0:sent 00:1:sent 00:1:refused 01:1:sent "
     "01:0:sent "
     "01:1:refused 01:0:refused"},
    {"failed",
     false,
     {{SCRIPT_DATA, SCRIPT_RESET, NULL, 0, 1}},
     "00:0:sent 00:1:sent 00:0:failed 00:1:failed 01:1:sent 01:0:sent 01:1:acked 01:0:acked"},
    {"doubtful for one",
     true,
     {{SCRIPT_COMMIT, SCRIPT_CLOSE, NULL, 1, 1}},
     "00:0:sent 00:1:sent 00:0:acked 00:1:doubtful 01:1:sent 01:0:sent 01:1:acked 01:0:acked"},
};

START_TEST(every_step_has_its_line)
{
    const struct ledger_row *row = &ledger_rows[_i];
    char path[64], text[512];
    int file = memfd_create("ledger", 0);
    ck_assert_int_ge(file, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct load_bed_options options = options_of(2, "2", 1);
    options.blast.users = 2;
    options.ledger_path = path;
    options.script.lmtp = row->lmtp;
    memcpy(options.script.faults, row->faults, sizeof row->faults);
    load_bed_go(&bed, &options, 600000);
    read_ledger(path, text, sizeof text);
    ck_assert_msg(strcmp(text, row->expected) == 0, "%s:\n  %s\nis not\n  %s", row->name, text,
                  row->expected);
    load_bed_close(&bed);
    close(file);
}
END_TEST

/* The ledger of a run that nobody reads, until now. */
static void *read_all(void *context)
{
    char *bytes = malloc(1 << 20);
    while (read(*(int *)context, bytes, 1 << 20) > 0)
        ;
    free(bytes);
    return NULL;
}

/* Until its thread is stuck with all that it can hold. */
static void fill_ledger(void)
{
    static const char text[LEDGER_RECIPIENT_BYTES_MAX];
    const struct timespec moment = {.tv_nsec = 20 * (long)NS_PER_MS};
    const struct ledger_entry entry = {
        .id = SPAN("0"), .recipient = span_of(text, sizeof text), .outcome = LEDGER_SENT};
    while (ledger_write(bed.ledger, 0, &entry)) {
        while (ledger_write(bed.ledger, 0, &entry))
            ;
        nanosleep(&moment, NULL);
    }
}

/* At the end three letters wait for another attempt, and the ledger's queue is full: the disk is
 * slow. They end when it is not any more. */
START_TEST(an_end_waits_for_the_ledger)
{
    char folder[] = "/tmp/test_letters.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int file = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_eq(fcntl(file, F_SETFL, 0), 0);
    struct load_bed_options options = options_of(3, "4", 1);
    options.ledger_path = path;
    options.script.faults[0] =
        (struct script_fault){SCRIPT_RCPT, SCRIPT_SAY, "450 later\r\n", 0, 0};
    load_bed_open(&bed, &options);
    load_bed_run_until(&bed, bed.opened_ns + 500 * NS_PER_MS);
    fill_ledger();
    generator_end(generator(), false);
    ck_assert(!load_bed_run(&bed, 10));
    ck_assert_uint_eq(generator()->in_flight, 3);
    ck_assert_uint_eq(bed.shards[0].tally->recipients.refused, 0);
    pthread_t reader;
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &file), 0);
    while (!load_bed_run(&bed, 1))
        sched_yield();
    load_bed_end(&bed);
    check_fates("3 = 3 refused; 12 = 12 refused; 220:1 221:1 250:6 450:12; fine 1");
    pthread_join(reader, NULL);
    close(file);
    load_bed_close(&bed);
    unlink(path);
    rmdir(folder);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/generator_letters");
    TCase *load = tcase_create("load");
    tcase_add_test(load, attempts_are_made_later_and_later);
    tcase_add_loop_test(load, attempts_are_made_for_whom_they_may_help, 0,
                        sizeof attempt_rows / sizeof *attempt_rows);
    tcase_add_test(load, a_desk_without_letters_is_waited_for);
    tcase_add_test(load, an_end_leaves_no_letter_waiting);
    tcase_add_test(load, octets_are_those_of_acked_messages);
    tcase_add_loop_test(load, every_step_has_its_line, 0, sizeof ledger_rows / sizeof *ledger_rows);
    tcase_add_test(load, an_end_waits_for_the_ledger);
    suite_add_tcase(suite, load);
    return suite;
}
