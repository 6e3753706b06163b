#include "engine/load/ledger_reader.h"

#include "tests/check_main.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_ledger_reader.XXXXXX"
#define LINE "id1 user@example.test 0123456789abcdef 4096 "

static char path[sizeof TEMPLATE];
static struct ledger_reader *reader;
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

static void write_file(struct span text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Reads on to the end or a fault; how many entries there are. */
static uint64_t read_all(enum status *status)
{
    struct ledger_entry entry;
    bool more = true;
    uint64_t entries = 0;
    ck_assert(ledger_reader_open(&reader, path, &fault) == STATUS_OK);
    while ((*status = ledger_reader_next(reader, &entry, &more, &fault)) == STATUS_OK && more) {
        entries++;
        ck_assert_uint_eq(ledger_reader_line(reader), entries);
        ck_assert(span_equal(entry.recipient, SPAN("user@example.test")));
        ck_assert_uint_eq(entry.digest, 0x0123456789abcdef);
    }
    if (*status == STATUS_OK) {
        ck_assert(ledger_reader_next(reader, &entry, &more, &fault) == STATUS_OK);
        ck_assert(!more); /* still */
    }
    ledger_reader_close(reader);
    return entries;
}

static const struct {
    struct span text;
    uint64_t entries;
} good[] = {
    {SPAN_INIT(""), 0},
    {SPAN_INIT(LINE "sent\n"), 1},
    {SPAN_INIT(LINE "sent\n" LINE "acked\n"), 2},
    {SPAN_INIT(LINE "sent\n" LINE "acked"), 2},
    {SPAN_INIT(LINE "sent\n" LINE "acke"), 1},
    {SPAN_INIT(LINE "sent\n" LINE), 1},
    {SPAN_INIT(LINE "sent\n\0\0\0\0"), 1},
    {SPAN_INIT("rubbish"), 0},
};

START_TEST(a_last_line_may_be_cut_off)
{
    enum status status;
    write_file(good[_i].text);
    ck_assert_uint_eq(read_all(&status), good[_i].entries);
    ck_assert(status == STATUS_OK);
}
END_TEST

static const struct {
    struct span text;
    uint64_t line;
} bad[] = {
    {SPAN_INIT("\n"), 1},
    {SPAN_INIT(LINE "sent\n\n"), 2},
    {SPAN_INIT(LINE "sent\r\n"), 1},
    {SPAN_INIT(LINE "sent\n" LINE "acke\n" LINE "acked\n"), 2},
    {SPAN_INIT(LINE "sent\n" LINE "acked\n\0\n"), 3},
    {SPAN_INIT(LINE LINE "sent\n"), 1},
};

START_TEST(any_other_that_is_none_is_named)
{
    enum status status;
    char text[64];
    write_file(bad[_i].text);
    ck_assert_uint_eq(read_all(&status), bad[_i].line - 1);
    ck_assert(status == STATUS_CORRUPT);
    snprintf(text, sizeof text, "%s:%" PRIu64 ": no line of a ledger", path, bad[_i].line);
    ck_assert_str_eq(fault.text, text);
}
END_TEST

/* Lines across every boundary of the buffer. */
START_TEST(long_files_are_read_whole)
{
    enum { ENTRIES = 50000 };
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (uint64_t i = 0; i < ENTRIES; i++)
        fprintf(file, "%" PRIu64 " user@example.test 0123456789abcdef 1 sent\n", i);
    ck_assert_int_eq(fclose(file), 0);
    enum status status;
    ck_assert_uint_eq(read_all(&status), ENTRIES);
    ck_assert(status == STATUS_OK);
}
END_TEST

/* However long a line is, it ends the reading, and with it the file if it has no LF. */
START_TEST(very_long_lines)
{
    static const struct {
        size_t size;
        bool ended;
        enum status status;
    } table[] = {{3000, false, STATUS_OK},
                 {3000, true, STATUS_CORRUPT},
                 {LEDGER_LINE_BYTES_MAX, true, STATUS_CORRUPT},
                 {LEDGER_LINE_BYTES_MAX - 1, true, STATUS_OK},
                 {5 << 20, false, STATUS_CORRUPT},
                 {5 << 20, true, STATUS_CORRUPT}};
    size_t size = table[_i].size;
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '0', size + 1);
    static const char start[] = "x user@example.test 0123456789abcdef ", end[] = " sent";
    memcpy(text, start, sizeof start - 1);
    memcpy(text + size - (sizeof end - 1), end, sizeof end - 1);
    text[size] = '\n';
    write_file(span_of(text, size + table[_i].ended));
    free(text);
    enum status status;
    uint64_t entries = read_all(&status);
    ck_assert(status == table[_i].status);
    ck_assert_uint_eq(entries, table[_i].ended && status == STATUS_OK);
}
END_TEST

static void *dribble(void *unused)
{
    (void)unused;
    static const char text[] = LINE "sent\n" LINE "acked\n" LINE "ac";
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    setbuf(file, NULL);
    for (size_t i = 0; i < sizeof text - 1; i++)
        fputc(text[i], file);
    fclose(file);
    return NULL;
}

START_TEST(a_fifo_is_read)
{
    pthread_t writer;
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, dribble, NULL), 0);
    enum status status;
    ck_assert_uint_eq(read_all(&status), 2);
    ck_assert(status == STATUS_OK);
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
    unlink(path);
    ck_assert(ledger_reader_open(&reader, path, &fault) == STATUS_ABSENT);
    ck_assert_ptr_nonnull(strstr(fault.text, path));
}
END_TEST

START_TEST(a_folder_is_no_ledger)
{
    struct ledger_entry entry;
    bool more;
    ck_assert(ledger_reader_open(&reader, "/tmp", &fault) == STATUS_OK);
    ck_assert(ledger_reader_next(reader, &entry, &more, &fault) == STATUS_IO);
    ck_assert_str_eq(fault.text, "/tmp: Is a directory");
    ledger_reader_close(reader);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ledger_reader");
    TCase *tcase = tcase_create("ledger_reader");
    tcase_add_checked_fixture(tcase, make_file, remove_file);
    tcase_add_loop_test(tcase, a_last_line_may_be_cut_off, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, any_other_that_is_none_is_named, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, long_files_are_read_whole);
    tcase_add_loop_test(tcase, very_long_lines, 0, 6);
    tcase_add_test(tcase, a_fifo_is_read);
    tcase_add_test(tcase, a_file_that_is_not_there);
    tcase_add_test(tcase, a_folder_is_no_ledger);
    suite_add_tcase(suite, tcase);
    return suite;
}
