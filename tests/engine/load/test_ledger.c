#include "engine/load/ledger.h"

#include "tests/check_main.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_ledger.XXXXXX"

static char folder[sizeof TEMPLATE], path[64];
static struct ledger *ledger;
static struct fault fault;

static void make_folder(void)
{
    memcpy(folder, TEMPLATE, sizeof folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/ledger", folder);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

/* Entry `number` of `writer`; `id` has room for 32 bytes. */
static struct ledger_entry entry_of(uint32_t writer, uint32_t number, char *id)
{
    int size = snprintf(id, 32, "%u.%u", writer, number / 2);
    return (struct ledger_entry){.id = span_of(id, (size_t)size),
                                 .recipient = SPAN("user@example.test"),
                                 .digest = number / 2,
                                 .octets = 512,
                                 .outcome = number % 2 ? LEDGER_ACKED : LEDGER_SENT};
}

static bool write_entry(uint32_t writer, uint32_t number)
{
    char id[32];
    const struct ledger_entry entry = entry_of(writer, number, id);
    return ledger_write(ledger, writer, &entry);
}

#define QUEUE_ENTRIES_MAX 300000u /* of the largest: more than a queue holds */

static bool write_large(void)
{
    uint8_t bytes[LEDGER_RECIPIENT_BYTES_MAX];
    memset(bytes, 'a', sizeof bytes);
    const struct ledger_entry entry = {.id = span_of(bytes, LEDGER_ID_BYTES_MAX),
                                       .recipient = span_of(bytes, sizeof bytes)};
    return ledger_write(ledger, 0, &entry);
}

/* Reads the file; checks that each writer's entries are there, whole and in order. */
static void check_file(uint32_t writers, uint32_t entries)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    uint32_t next[4] = {0}, writer;
    char line[LEDGER_LINE_BYTES_MAX], expected[LEDGER_LINE_BYTES_MAX], id[32];
    while (fgets(line, sizeof line, file) != NULL) {
        ck_assert_int_eq(sscanf(line, "%u.", &writer), 1);
        ck_assert_uint_lt(writer, writers);
        const struct ledger_entry entry = entry_of(writer, next[writer]++, id);
        size_t size = ledger_format(&entry, expected);
        ck_assert_mem_eq(line, expected, size);
        ck_assert_int_eq(line[size], '\0');
    }
    fclose(file);
    for (uint32_t i = 0; i < writers; i++)
        ck_assert_uint_eq(next[i], entries);
}

START_TEST(nothing_written_is_an_empty_file)
{
    ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
    check_file(1, 0);
}
END_TEST

START_TEST(what_was_there_is_gone)
{
    for (uint32_t entries = 10; entries > 0; entries -= 5) {
        ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
        for (uint32_t i = 0; i < entries; i++)
            ck_assert(write_entry(0, i));
        ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
        check_file(1, entries);
    }
}
END_TEST

/* So what is written survives us, but for the last few milliseconds. */
START_TEST(lines_reach_the_file_while_it_is_open)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    struct stat stat_now = {0};
    ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
    ck_assert(write_entry(0, 0));
    for (unsigned tries = 0; tries < 2000 && stat_now.st_size == 0; tries++) {
        nanosleep(&moment, NULL);
        ck_assert_int_eq(stat(path, &stat_now), 0);
    }
    check_file(1, 1);
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
}
END_TEST

START_TEST(it_sleeps_when_there_is_nothing_to_do)
{
    const struct timespec moment = {.tv_nsec = 300000000};
    struct rusage before, after;
    ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
    getrusage(RUSAGE_SELF, &before);
    nanosleep(&moment, NULL);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_lt(after.ru_nvcsw - before.ru_nvcsw, 150); /* it does, and not too often */
    ck_assert_int_eq(after.ru_utime.tv_sec, before.ru_utime.tv_sec);
    ck_assert_int_lt(after.ru_utime.tv_usec - before.ru_utime.tv_usec, 100000);
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
}
END_TEST

#define WRITERS 4u
#define ENTRIES 20000u

static void *write_all(void *context)
{
    const uint32_t *writer = context;
    for (uint32_t i = 0; i < ENTRIES;) {
        if (ledger_has_room(ledger, *writer, 1)) {
            ck_assert(write_entry(*writer, i));
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

START_TEST(each_writer_keeps_its_order)
{
    pthread_t threads[WRITERS];
    uint32_t numbers[WRITERS];
    ck_assert(ledger_open(&ledger, path, WRITERS, &fault) == STATUS_OK);
    for (uint32_t i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_all, &numbers[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
    check_file(WRITERS, ENTRIES);
}
END_TEST

/* ------------------------------------------------------------------- what is not a file ---- */

START_TEST(devices_are_written_to)
{
    ck_assert(ledger_open(&ledger, "/dev/null", 1, &fault) == STATUS_OK);
    ck_assert(write_entry(0, 0));
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
}
END_TEST

struct fifo_reader {
    pthread_t thread;
    size_t bytes_max; /* then it closes its end */
    size_t bytes;
};

static void *read_fifo(void *context)
{
    struct fifo_reader *reader = context;
    int fd = open(path, O_RDONLY);
    char buffer[4096];
    for (ssize_t got = 1; got > 0 && reader->bytes < reader->bytes_max;) {
        got = read(fd, buffer, sizeof buffer);
        reader->bytes += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return NULL;
}

static void open_fifo(struct fifo_reader *reader)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pthread_create(&reader->thread, NULL, read_fifo, reader), 0);
    ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
}

START_TEST(a_fifo_is_written_to)
{
    struct fifo_reader reader = {.bytes_max = SIZE_MAX};
    open_fifo(&reader);
    for (uint32_t i = 0; i < 10000; i++)
        ck_assert(write_entry(0, i));
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
    ck_assert_int_eq(pthread_join(reader.thread, NULL), 0);
    ck_assert_uint_gt(reader.bytes, 10000 * sizeof "0.0 user@example.test");
}
END_TEST

static void wait_for_failure(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (unsigned tries = 0; tries < 5000 && !ledger_failed(ledger); tries++)
        nanosleep(&moment, NULL);
    ck_assert(ledger_failed(ledger));
}

/* A broken pipe is a failure like another, and no signal. */
START_TEST(a_reader_that_goes_away_is_a_failure)
{
    struct fifo_reader reader = {.bytes_max = 1};
    open_fifo(&reader);
    ck_assert(write_entry(0, 0));
    ck_assert_int_eq(pthread_join(reader.thread, NULL), 0);
    ck_assert(write_entry(0, 1));
    wait_for_failure();
    ck_assert(ledger_close(ledger, &fault) == STATUS_IO);
    ck_assert_ptr_nonnull(strstr(fault.text, path));
}
END_TEST

/* ------------------------------------------------------------------------------ failures ---- */

START_TEST(a_full_disk_is_told_and_load_goes_on)
{
    ck_assert(ledger_open(&ledger, "/dev/full", 1, &fault) == STATUS_OK);
    ck_assert(!ledger_failed(ledger));
    for (uint32_t i = 0; i < 5000; i++) /* in many writes, if they did not fail */
        ck_assert(write_large());
    wait_for_failure();
    for (uint32_t i = 0; i < QUEUE_ENTRIES_MAX; i++)
        while (!write_large())
            sched_yield();
    ck_assert(ledger_close(ledger, &fault) == STATUS_FULL);
    ck_assert_str_eq(fault.text, "/dev/full: No space left on device");
}
END_TEST

START_TEST(a_full_queue_says_so)
{
    uint32_t written = 0;
    struct fifo_reader reader = {.bytes_max = SIZE_MAX};
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK); /* and nobody reads yet */
    ck_assert(ledger_open(&ledger, path, 1, &fault) == STATUS_OK);
    for (; written < QUEUE_ENTRIES_MAX && ledger_has_room(ledger, 0, 1000); written += 1000)
        for (uint32_t i = 0; i < 1000; i++)
            ck_assert(write_large());
    while (written < QUEUE_ENTRIES_MAX && write_large())
        written++;
    ck_assert_uint_gt(written, 50000);
    ck_assert_uint_lt(written, QUEUE_ENTRIES_MAX);
    ck_assert(!ledger_has_room(ledger, 0, 1));
    ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_fifo, &reader), 0);
    while (!write_large())
        sched_yield();
    close(fd);
    ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
    ck_assert_int_eq(pthread_join(reader.thread, NULL), 0);
}
END_TEST

static const struct {
    const char *path;
    enum status status;
    const char *text;
} unwritable[] = {
    {"/nowhere/ledger", STATUS_ABSENT, "/nowhere/ledger: No such file or directory"},
    {"/tmp", STATUS_IO, "/tmp: Is a directory"},
    {"", STATUS_ABSENT, ": No such file or directory"},
};

START_TEST(a_path_that_cannot_be_written)
{
    ck_assert(ledger_open(&ledger, unwritable[_i].path, 1, &fault) == unwritable[_i].status);
    ck_assert_str_eq(fault.text, unwritable[_i].text);
    ck_assert_ptr_null(ledger);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tcase = tcase_create("ledger");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, nothing_written_is_an_empty_file);
    tcase_add_test(tcase, what_was_there_is_gone);
    tcase_add_test(tcase, lines_reach_the_file_while_it_is_open);
    tcase_add_test(tcase, it_sleeps_when_there_is_nothing_to_do);
    tcase_add_test(tcase, each_writer_keeps_its_order);
    tcase_add_test(tcase, devices_are_written_to);
    tcase_add_test(tcase, a_fifo_is_written_to);
    tcase_add_test(tcase, a_reader_that_goes_away_is_a_failure);
    tcase_add_test(tcase, a_full_disk_is_told_and_load_goes_on);
    tcase_add_test(tcase, a_full_queue_says_so);
    tcase_add_loop_test(tcase, a_path_that_cannot_be_written, 0,
                        sizeof unwritable / sizeof *unwritable);
    suite_add_tcase(suite, tcase);
    return suite;
}
