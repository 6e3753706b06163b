#include "engine/load/paper.h"

#include "tests/check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINE PAPER_LINE_BYTES
#define SHEET ((size_t)PAPER_LINES * LINE)

static struct paper open_paper(uint64_t seed, uint64_t cut_max)
{
    struct paper paper;
    struct fault fault;
    ck_assert_msg(paper_open(&paper, seed, cut_max, &fault) == STATUS_OK, "%s", fault.text);
    return paper;
}

static bool is_fit(const uint8_t *line)
{
    for (size_t i = 0; i < LINE - 2; i++)
        if (line[i] < ' ' || line[i] > '~')
            return false;
    return line[0] != '.' && memcmp(line, "From ", 5) != 0 &&
           memcmp(line + LINE - 2, "\r\n", 2) == 0;
}

/* What makes it safe to cut lines out of it: see the header. */
START_TEST(lines_are_fit_for_any_server)
{
    struct paper paper = open_paper(1, 4096);
    size_t fit = 0;
    ck_assert_uint_eq(paper.size % SHEET, 0);
    while (fit < paper.size / LINE && is_fit(paper.bytes + fit * LINE))
        fit++;
    ck_assert_uint_eq(fit, paper.size / LINE);
    paper_close(&paper);
}
END_TEST

START_TEST(no_two_lines_are_equal)
{
    struct paper paper = open_paper(1, 4096);
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_mem_ne(paper.bytes + i * LINE, paper.bytes + k * LINE, LINE);
    paper_close(&paper);
}
END_TEST

START_TEST(the_seed_decides)
{
    struct paper one = open_paper(1, 0), same = open_paper(1, 100000000), other = open_paper(2, 0);
    ck_assert_mem_eq(one.bytes, same.bytes, SHEET);
    ck_assert_mem_ne(one.bytes, other.bytes, SHEET);
    paper_close(&one);
    paper_close(&same);
    paper_close(&other);
}
END_TEST

/* From the last line of a sheet through others: the text goes on as if there were but one. */
START_TEST(a_cut_goes_on_over_sheets)
{
    struct paper paper = open_paper(1, 2 * SHEET + 5);
    ck_assert_uint_ge(paper.size, 3 * SHEET + 5 - LINE);
    ck_assert_mem_eq(paper.bytes, paper.bytes + SHEET, paper.size - SHEET);
    paper_close(&paper);
}
END_TEST

START_TEST(cuts_begin_at_lines)
{
    static const size_t sizes[] = {0, 1, 4096, 100000};
    struct paper paper = open_paper(1, 100000);
    struct random random = {.state = 1}, same = {.state = 1};
    size_t most = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        size_t size = sizes[i % 4];
        struct span cut = paper_cut(&paper, size, &random);
        size_t at = (size_t)(cut.data - paper.bytes);
        ck_assert(cut.size == size && at % LINE == 0 && at + size <= paper.size);
        ck_assert_ptr_eq(paper_cut(&paper, size, &same).data, cut.data);
        most = at > most ? at : most;
    }
    ck_assert_uint_gt(most, SHEET / 2);
    paper_close(&paper);
}
END_TEST

/* A gigabyte costs address space only: what is resident is there once. */
START_TEST(the_largest_is_cheap)
{
    struct paper paper = open_paper(1, 1u << 30);
    struct random random = {.state = 1};
    for (uint32_t i = 0; i < 1000; i++) {
        struct span cut = paper_cut(&paper, 1u << 30, &random);
        ck_assert(cut.data[0] != 0 && cut.data[cut.size - 1] != 0);
    }
    paper_close(&paper);
    ck_assert(paper.bytes == NULL && paper.size == 0);
    paper_close(&paper); /* again: nothing */
}
END_TEST

START_TEST(says_when_there_is_no_memory)
{
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX / 2, 1ull << 56};
    for (size_t i = 0; i < 3; i++) {
        struct paper paper = {.size = 42};
        struct fault fault;
        ck_assert_int_eq(paper_open(&paper, 1, sizes[i], &fault), STATUS_SYSTEM);
        ck_assert_ptr_nonnull(strstr(fault.text, "no memory"));
        ck_assert_uint_eq(paper.size, 42);
    }
}
END_TEST

/* Shards share it: not even the kernel may write. */
START_TEST(is_read_only)
{
    struct paper paper = open_paper(1, SHEET);
    int zero = open("/dev/zero", O_RDONLY);
    ck_assert_int_ge(zero, 0);
    for (size_t at = 0; at < paper.size; at += SHEET / 2)
        ck_assert(read(zero, paper.bytes + at, 1) < 0 && errno == EFAULT);
    close(zero);
    paper_close(&paper);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("paper");
    TCase *tcase = tcase_create("paper");
    tcase_add_test(tcase, lines_are_fit_for_any_server);
    tcase_add_test(tcase, no_two_lines_are_equal);
    tcase_add_test(tcase, the_seed_decides);
    tcase_add_test(tcase, a_cut_goes_on_over_sheets);
    tcase_add_test(tcase, cuts_begin_at_lines);
    tcase_add_test(tcase, the_largest_is_cheap);
    tcase_add_test(tcase, says_when_there_is_no_memory);
    tcase_add_test(tcase, is_read_only);
    suite_add_tcase(suite, tcase);
    return suite;
}
