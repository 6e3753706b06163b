#include "engine/pop3/line.h"

#include "engine/pop3/server.h"
#include "tests/check_main.h"

#include <stdio.h>

#define MAX POP3_COMMAND_BYTES_MAX

static struct blocks blocks;

static void make_blocks(void)
{
    const uint32_t counts[BLOCK_CLASSES] = {[BLOCK_1K] = 1};
    ck_assert_int_eq(blocks_init(&blocks, counts), STATUS_OK);
}

static void free_blocks(void)
{
    ck_assert_uint_eq(pool_left(&blocks.pools[BLOCK_1K]), 1);
    blocks_deinit(&blocks);
}

/* Takes every line of `bytes`, delivered in pieces that end at each of the cuts; writes the outcome
 * of each, its size and a few bytes. */
static void take_lines(struct span bytes, size_t cut, char *log, size_t log_bytes)
{
    struct pop3_line line = {0};
    struct span pieces[] = {span_of(bytes.data, cut), span_from(bytes, cut)};
    size_t at = 0;
    log[0] = '\0';
    for (int i = 0; i < 2; i++)
        while (pieces[i].size > 0) {
            struct span text = SPAN("");
            enum pop3_line_result result = pop3_line_take(&line, &blocks, &pieces[i], &text);
            if (result == POP3_LINE_MORE)
                continue;
            at +=
                (size_t)snprintf(log + at, log_bytes - at, "%c%zu:%.*s;", "MDOL"[result], text.size,
                                 text.size < 9 ? (int)text.size : 9, (const char *)text.data);
            pop3_line_release(&line, &blocks);
        }
    pop3_line_release(&line, &blocks);
}

static const struct {
    size_t letters; /* before the bytes: 0 … 3000 of 'x' */
    const char *end;
    const char *log;
} cases[] = {
    {0, "NOOP\r\nQUIT\r\n", "D4:NOOP;D4:QUIT;"},   {0, "NOOP\nQUIT\r\n", "D4:NOOP;D4:QUIT;"},
    {0, "\r\n\n\r\r\n", "D0:;D0:;D1:\r;"},         {0, "A\rB\r\nC", "D3:A\rB;"},
    {MAX - 2, "\r\n", "D1022:xxxxxxxxx;"},         {MAX - 1, "\n", "D1023:xxxxxxxxx;"},
    {MAX - 1, "\r\nA\n", "O1024:xxxxxxxxx;D1:A;"}, {MAX, "\nA\n", "O1024:xxxxxxxxx;D1:A;"},
    {3000, "\r\nA\r\n", "O1024:xxxxxxxxx;D1:A;"},
};

START_TEST(test_every_cut)
{
    static char bytes[4096];
    memset(bytes, 'x', cases[_i].letters);
    size_t end = strlen(cases[_i].end);
    memcpy(bytes + cases[_i].letters, cases[_i].end, end);
    struct span all = span_of(bytes, cases[_i].letters + end);
    for (size_t cut = 0; cut <= all.size; cut++) {
        char log[100];
        take_lines(all, cut, log, sizeof log);
        ck_assert_msg(strcmp(log, cases[_i].log) == 0, "cut %zu: %s", cut, log);
    }
}
END_TEST

START_TEST(test_no_block)
{
    void *block = blocks_take(&blocks, BLOCK_1K);
    char log[100];
    struct span all = SPAN("NOOP\r\nSTAT\r\nQUIT\r\n");
    take_lines(all, 6, log, sizeof log);
    ck_assert_str_eq(log, "D4:NOOP;D4:STAT;D4:QUIT;");
    take_lines(all, 8, log, sizeof log);
    ck_assert_str_eq(log, "D4:NOOP;L0:;D4:QUIT;");
    blocks_give(&blocks, BLOCK_1K, block);
}
END_TEST

START_TEST(test_lost_stays_lost)
{
    struct pop3_line line = {0};
    void *block = blocks_take(&blocks, BLOCK_1K);
    struct span first = SPAN("DE"), second = SPAN("LE 1\r\n"), text = SPAN("");
    ck_assert_int_eq(pop3_line_take(&line, &blocks, &first, &text), POP3_LINE_MORE);
    blocks_give(&blocks, BLOCK_1K, block);
    ck_assert_int_eq(pop3_line_take(&line, &blocks, &second, &text), POP3_LINE_LOST);
    pop3_line_release(&line, &blocks);
}
END_TEST

START_TEST(test_holds_only_what_is_incomplete)
{
    struct pop3_line line = {0};
    struct span input = SPAN("PASS long secret"), text = SPAN("");
    ck_assert_int_eq(pop3_line_take(&line, &blocks, &input, &text), POP3_LINE_MORE);
    ck_assert_uint_eq(input.size, 0);
    ck_assert_uint_eq(pool_left(&blocks.pools[BLOCK_1K]), 0);
    const uint8_t *block = line.block;
    pop3_line_release(&line, &blocks);
    ck_assert_uint_eq(pool_left(&blocks.pools[BLOCK_1K]), 1);
    /* The pool may use the first word for itself; the rest was wiped. */
    ck_assert(!memmem(block, MAX, "secret", 6));
    ck_assert_int_eq(pop3_line_take(&line, &blocks, &input, &text), POP3_LINE_MORE);
    ck_assert_uint_eq(pool_left(&blocks.pools[BLOCK_1K]), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/line");
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, make_blocks, free_blocks);
    tcase_add_loop_test(tcase, test_every_cut, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, test_no_block);
    tcase_add_test(tcase, test_lost_stays_lost);
    tcase_add_test(tcase, test_holds_only_what_is_incomplete);
    suite_add_tcase(suite, tcase);
    return suite;
}
