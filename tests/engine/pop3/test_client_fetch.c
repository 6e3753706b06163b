#include "tests/check_main.h"
#include "tests/engine/pop3/client_talk.h"

#include <stdio.h>

#define PIPELINING "+OK\r\nPIPELINING\r\nUSER\r\n.\r\n"
#define LOGIN(capa) "+OK ready\r\n", capa, "+OK\r\n", "+OK in\r\n"
#define STEPS LOGIN("-ERR what\r\n")
#define PIPELINED LOGIN(PIPELINING)
#define SAID "CAPA\r\nUSER joe\r\nPASS secret\r\nSTAT\r\n"
#define TOLD_STEPS(count, octets)                                                                  \
    "{greeting}{capa refused}{login}{stat}{maildrop " count " " octets "}"
#define TOLD_PIPELINED(count, octets) "{greeting}{capa}{login}{stat}{maildrop " count " " octets "}"

#define ONE "+OK 3 octets\r\na\r\n.\r\n"
#define TWO "+OK\r\n..b\r\n.\r\n"
#define BYE "+OK bye\r\n"

static const struct client_talk_case steps[] = {
    {{0},
     {STEPS, "+OK 2 30\r\n", ONE, TWO, BYE},
     SAID "RETR 1\r\nRETR 2\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("2", "30") "{begin 1}a\r\n{retr 1}{begin 2}..b\r\n{retr 2}{quit}"},
    {{.unstuff = true},
     {STEPS, "+OK 2 30\r\n", ONE, TWO, BYE},
     SAID "RETR 1\r\nRETR 2\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("2", "30") "{begin 1}a\r\n{retr 1}{begin 2}.b\r\n{retr 2}{quit}"},
    {{.delete_number = 1},
     {STEPS, "+OK 2 30\r\n", ONE, "+OK gone\r\n", TWO, BYE},
     SAID "RETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("2", "30") "{begin 1}a\r\n{retr 1}{dele 1}{begin 2}..b\r\n{retr 2}{quit}"},
    /* pipelining is wished for, not offered; and offered, not wished for */
    {{.pipeline = true, .delete_all = true},
     {STEPS, "+OK 2 30\r\n", ONE, "+OK\r\n", "-ERR [SYS/TEMP]\r\n", BYE},
     SAID "RETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("2", "30") "{begin 1}a\r\n{retr 1}{dele 1}{retr 2 refused}{quit}"},
    {{.delete_all = true},
     {PIPELINED, "+OK 1 3\r\n", ONE, "-ERR no\r\n", BYE},
     SAID "RETR 1\r\nDELE 1\r\nQUIT\r\n[close fine]",
     TOLD_PIPELINED("1", "3") "{begin 1}a\r\n{retr 1}{dele 1 refused}{quit}"},
    {{.pipeline = true},
     {PIPELINED, "+OK 0 0\r\n", BYE},
     SAID "QUIT\r\n[close fine]",
     TOLD_PIPELINED("0", "0") "{quit}"},
    /* an empty message, and one that is not there */
    {{0},
     {STEPS, "+OK 2 0\r\n", "+OK\r\n.\r\n", "-ERR none\r\n", BYE},
     SAID "RETR 1\r\nRETR 2\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("2", "0") "{begin 1}{retr 1}{retr 2 refused}{quit}"},
};

static const struct client_talk_case pipelined[] = {
    {{.pipeline = true},
     {PIPELINED, "+OK 3 9\r\n", ONE TWO ONE, BYE},
     SAID "RETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n[close fine]",
     TOLD_PIPELINED("3", "9") "{begin 1}a\r\n{retr 1}{begin 2}..b\r\n{retr 2}"
                              "{begin 3}a\r\n{retr 3}{quit}"},
    {{.pipeline = true, .delete_all = true},
     {PIPELINED, "+OK 2 6\r\n", ONE TWO, "+OK\r\n+OK\r\n", BYE},
     SAID "RETR 1\r\nRETR 2\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n[close fine]",
     TOLD_PIPELINED("2", "6") "{begin 1}a\r\n{retr 1}{begin 2}..b\r\n{retr 2}{dele 1}{dele 2}"
                              "{quit}"},
    {{.pipeline = true, .delete_number = 2, .unstuff = true},
     {PIPELINED, "+OK 3 9\r\n", "-ERR damaged\r\n" TWO ONE, "-ERR no\r\n", BYE},
     SAID "RETR 1\r\nRETR 2\r\nRETR 3\r\nDELE 2\r\nQUIT\r\n[close fine]",
     TOLD_PIPELINED("3", "9") "{retr 1 refused}{begin 2}.b\r\n{retr 2}{begin 3}a\r\n{retr 3}"
                              "{dele 2 refused}{quit}"},
};

static const struct client_talk_case ends[] = {
    {{0},
     {STEPS, "+OK 1 3\r\n", "+OK\r\na\r\n", "!lost"},
     SAID "RETR 1\r\n[close connection lost]",
     TOLD_STEPS("1", "3") "{begin 1}a\r\n"},
    {{0},
     {STEPS, "+OK 1 3\r\n", "+ \r\n"},
     SAID "RETR 1\r\n[close out of step]",
     TOLD_STEPS("1", "3")},
    {{0}, {STEPS, "+OK 1 3\r\n", "a\r\n"}, SAID "RETR 1\r\n[close garbage]", TOLD_STEPS("1", "3")},
    /* the caller has enough */
    {{0},
     {STEPS, "+OK 3 9\r\n", "!quit", ONE, BYE},
     SAID "RETR 1\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("3", "9") "{begin 1}a\r\n{retr 1}{quit}"},
    {{.delete_all = true},
     {STEPS, "+OK 3 9\r\n", "!quit", ONE, "+OK\r\n", BYE},
     SAID "RETR 1\r\nDELE 1\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("3", "9") "{begin 1}a\r\n{retr 1}{dele 1}{quit}"},
    {{.uidl = true},
     {STEPS, "!quit", "+OK 3 9\r\n", "-ERR\r\n", BYE},
     SAID "UIDL\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("3", "9") "{uidl refused}{quit}"},
    /* deletions are done when QUIT is answered, and not before */
    {{0},
     {STEPS, "+OK 1 3\r\n", ONE, "!lost"},
     SAID "RETR 1\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("1", "3") "{begin 1}a\r\n{retr 1}"},
    {{.delete_all = true},
     {STEPS, "+OK 1 3\r\n", ONE, "-ERR no\r\n", "!lost"},
     SAID "RETR 1\r\nDELE 1\r\nQUIT\r\n[close fine]",
     TOLD_STEPS("1", "3") "{begin 1}a\r\n{retr 1}{dele 1 refused}"},
    {{.delete_all = true},
     {STEPS, "+OK 1 3\r\n", ONE, "+OK\r\n", "!lost"},
     SAID "RETR 1\r\nDELE 1\r\nQUIT\r\n[close connection lost]",
     TOLD_STEPS("1", "3") "{begin 1}a\r\n{retr 1}{dele 1}"},
    {{.delete_all = true},
     {STEPS, "+OK 1 3\r\n", ONE, "+OK\r\n", "-ERR [SYS/TEMP]\r\n"},
     SAID "RETR 1\r\nDELE 1\r\nQUIT\r\n[close not deleted]",
     TOLD_STEPS("1", "3") "{begin 1}a\r\n{retr 1}{dele 1}{quit refused}"},
};

static const struct {
    const struct client_talk_case *rows;
    size_t count;
} tables[] = {
#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof rows / sizeof *rows                                                           \
    }
    TABLE(steps),
    TABLE(pipelined),
    TABLE(ends),
};

START_TEST(conversations)
{
    for (size_t i = 0; i < tables[_i].count; i++)
        client_talk_check(&tables[_i].rows[i]);
}
END_TEST

static struct client_talk talk;

static void log_in(const struct client_talk_setup *setup, uint32_t output_bytes)
{
    static const char *const server[] = {PIPELINED};
    client_talk_open(&talk, setup, output_bytes);
    for (size_t i = 0; i < sizeof server / sizeof *server; i++)
        client_talk_hear(&talk, span_text(server[i]));
}

/* How many commands the client has sent since `from`. */
static unsigned commands(size_t from)
{
    unsigned count = 0;
    for (size_t i = from; i < talk.said.size; i++)
        count += talk.said.text[i] == '\n';
    return count;
}

/* A maildrop of many windows, with and without deletions: never more than a window under way, each
 * message once, in order. */
START_TEST(window)
{
    enum { MESSAGES = 1000 };
    const struct client_talk_setup setup = {.pipeline = true, .delete_all = _i & 1};
    log_in(&setup, _i & 2 ? POP3_CLIENT_COMMAND_BYTES_MAX : 0);
    size_t from = talk.said.size;
    client_talk_hear(&talk, SPAN("+OK 1000 3000\r\n"));
    ck_assert_uint_eq(commands(from), POP3_CLIENT_WINDOW);
    unsigned answered = 0, retr = 0, dele = 0;
    for (size_t at = from; answered < MESSAGES * (setup.delete_all ? 2u : 1u); answered++) {
        ck_assert_uint_le(commands(from) - answered, POP3_CLIENT_WINDOW);
        unsigned number;
        if (sscanf(talk.said.text + at, "RETR %u", &number) == 1) {
            ck_assert_uint_eq(number, ++retr);
            client_talk_hear(&talk, SPAN(ONE));
        } else {
            ck_assert_int_eq(sscanf(talk.said.text + at, "DELE %u", &number), 1);
            ck_assert_uint_eq(number, ++dele);
            client_talk_hear(&talk, SPAN("+OK\r\n"));
        }
        at = (size_t)(strchr(talk.said.text + at, '\n') - talk.said.text) + 1;
    }
    ck_assert_uint_eq(retr, MESSAGES);
    ck_assert_uint_eq(dele, setup.delete_all ? MESSAGES : 0);
    client_talk_hear(&talk, SPAN(BYE));
    ck_assert_str_eq(talk.said.text + talk.said.size - strlen("QUIT\r\n[close fine]"),
                     "QUIT\r\n[close fine]");
    client_talk_close(&talk);
}
END_TEST

/* A window of messages and deletions answered in one piece. */
START_TEST(burst)
{
    static char server[POP3_CLIENT_WINDOW * sizeof ONE];
    const struct client_talk_setup setup = {.pipeline = true, .delete_all = true};
    log_in(&setup, 0);
    client_talk_hear(&talk, SPAN("+OK 100 300\r\n"));
    for (unsigned i = 0; i < POP3_CLIENT_WINDOW; i++)
        memcpy(server + i * strlen(ONE), ONE, strlen(ONE));
    size_t from = talk.said.size;
    client_talk_hear(&talk, span_of(server, POP3_CLIENT_WINDOW * strlen(ONE)));
    ck_assert_uint_eq(commands(from), POP3_CLIENT_WINDOW);
    ck_assert_int_eq(strncmp(talk.said.text + from, "DELE 1\r\nDELE 2\r\n", 16), 0);
    for (unsigned i = 0; i < POP3_CLIENT_WINDOW; i++)
        client_talk_hear(&talk, SPAN("+OK\r\n"));
    ck_assert_uint_eq(commands(from), 2 * POP3_CLIENT_WINDOW);
    client_talk_close(&talk);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client_fetch");
    TCase *tcase = tcase_create("client_fetch");
    tcase_add_loop_test(tcase, conversations, 0, sizeof tables / sizeof *tables);
    tcase_add_loop_test(tcase, window, 0, 4);
    tcase_add_test(tcase, burst);
    suite_add_tcase(suite, tcase);
    return suite;
}
