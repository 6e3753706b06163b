#include "engine/smtp/message.h"

#include "tests/check_main.h"
#include "tests/engine/smtp/conversation.h"

#include <stdio.h>

static struct conversation c;

static void setup(void)
{
    conversation_init(&c);
}

static void teardown(void)
{
    conversation_free(&c);
}

#define HELO "HELO c.test\r\n"
#define GREETED "220 mx.test ESMTP mailrace\r\n250 mx.test\r\n"
#define OPEN "MAIL FROM:<s@x.test>\r\nRCPT TO:<r@y.test>\r\n"
#define OPENED "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
#define GO "354 End with <CRLF>.<CRLF>\r\n"
#define QUEUED(n) "250 2.0.0 queued as ID0000000000" n "\r\n"
#define STORED "from=s@x.test helo=c.test client=192.0.2.1:4711 with=SMTP to=r@y.test\n"
#define SEQUENCE "503 5.5.1 Bad sequence of commands\r\n"
#define CHUNK "250 2.0.0 Chunk received\r\n"
#define BARE "550 5.6.11 Bare CR or LF in message\r\n"
#define TOO_BIG "552 5.3.4 Message too big\r\n"
#define LONG_LINE "554 5.6.0 Line too long in message\r\n"

struct talk {
    const char *name, *input, *replies, *messages;
};

static const struct talk talks[] = {
    {"dots", HELO OPEN "DATA\r\n.a\r\n...\r\n..\r\n\r\n.\r\n", GREETED OPENED GO QUEUED("0"),
     STORED "wire=18 header=15 stuffed=3\n.a\r\n...\r\n..\r\n\r\n.\r\n"},
    {"8-bit", HELO OPEN "DATA\r\nS: \xC3\xA9\r\n\r\n\xFF\r\n.\r\n", GREETED OPENED GO QUEUED("0"),
     STORED "wire=15 header=9 stuffed=0 8bit\nS: \xC3\xA9\r\n\r\n\xFF\r\n.\r\n"},
    {"one chunk", HELO OPEN "BDAT 9 LAST\r\nS: x\r\n\r\ny", GREETED OPENED QUEUED("0"),
     STORED "wire=14 header=8 stuffed=0 unended\nS: x\r\n\r\ny\r\n.\r\n"},
    {"chunks, cut anywhere",
     HELO OPEN "BDAT 2\r\nS:BDAT 6\r\n x\r\n\r\nBDAT 0\r\nBDAT 4 LAST\r\n.\r\n.NOOP\r\n",
     GREETED OPENED CHUNK CHUNK CHUNK QUEUED("0") "250 2.0.0 OK\r\n",
     STORED "wire=19 header=8 stuffed=2 unended\nS: x\r\n\r\n..\r\n..\r\n.\r\n"},
    {"the last chunk is empty", HELO OPEN "BDAT 3\r\nx\r\nBDAT 0 LAST\r\n",
     GREETED OPENED CHUNK QUEUED("0"), STORED "wire=6 header=3 stuffed=0\nx\r\n.\r\n"},
    {"all chunks are empty", HELO OPEN "BDAT 0 LAST\r\n", GREETED OPENED QUEUED("0"),
     STORED "wire=3 header=0 stuffed=0\n.\r\n"},
    {"in small letters, with blanks", HELO OPEN "bdat  1   last \r\nx", GREETED OPENED QUEUED("0"),
     STORED "wire=6 header=3 stuffed=0 unended\nx\r\n.\r\n"},
    {"chunks say nothing to the session", HELO OPEN "BDAT 6\r\nQUIT\r\nBDAT 5 LAST\r\n.\r\n\r\n",
     GREETED OPENED CHUNK QUEUED("0"),
     STORED "wire=15 header=12 stuffed=1\nQUIT\r\n..\r\n\r\n.\r\n"},
    {"between chunks",
     HELO OPEN "BDAT 1\r\nxDATA\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nNOOP\r\nRSET\r\nBDAT 2\r\nzz",
     GREETED OPENED CHUNK SEQUENCE SEQUENCE SEQUENCE "250 2.0.0 OK\r\n250 2.0.0 OK\r\n" SEQUENCE,
     ""},
    {"a chunk without a transaction is swallowed",
     "BDAT 6\r\nQUIT\r\n" HELO "BDAT 4\r\nRSETMAIL FROM:<s@x.test>\r\nBDAT 6 LAST\r\nNOOP\r\n"
     "RCPT TO:<r@y.test>\r\nDATA\r\n.\r\n",
     "220 mx.test ESMTP mailrace\r\n" SEQUENCE "250 mx.test\r\n" SEQUENCE
     "250 2.1.0 Sender OK\r\n" SEQUENCE "250 2.1.5 Recipient OK\r\n" GO QUEUED("0"),
     STORED "wire=3 header=0 stuffed=0\n.\r\n"},
    {"a chunk with a bad end is swallowed, and the message with it",
     HELO OPEN "BDAT 1\r\nxBDAT 6 FIRST\r\nQUIT\r\nBDAT 1\r\nyBDAT 1 LAST\r\nz" OPEN
               "BDAT 0 LAST\r\n",
     GREETED OPENED CHUNK "501 5.5.4 Bad chunk argument\r\n501 5.5.4 Bad chunk argument\r\n"
                          "501 5.5.4 Bad chunk argument\r\n" OPENED QUEUED("0"),
     STORED "wire=3 header=0 stuffed=0\n.\r\n"},
    {"a chunk of unknown size ends the session", HELO OPEN "BDAT\r\nNOOP\r\n",
     GREETED OPENED "501 5.5.4 Bad chunk size, closing connection\r\n", ""},
    {"… signs", HELO OPEN "BDAT -1\r\nNOOP\r\n",
     GREETED OPENED "501 5.5.4 Bad chunk size, closing connection\r\n", ""},
    {"… beyond 64 bits", HELO OPEN "BDAT 18446744073709551616 LAST\r\nNOOP\r\n",
     GREETED OPENED "501 5.5.4 Bad chunk size, closing connection\r\n", ""},
    {"a chunk as large as can be", HELO OPEN "BDAT 18446744073709551615 LAST\r\nQUIT\r\n",
     GREETED OPENED, ""},
    {"a bad chunk is known at its end, the rest is swallowed",
     HELO OPEN "BDAT 3\r\na\nbBDAT 4\r\nNOOPBDAT 2 LAST\r\n\r\n" OPEN "DATA\r\n.\r\n",
     GREETED OPENED BARE BARE BARE OPENED GO QUEUED("0"),
     STORED "wire=3 header=0 stuffed=0\n.\r\n"},
    {"a CR and its LF in two chunks", HELO OPEN "BDAT 2\r\nx\rBDAT 1\r\n\nBDAT 1 LAST\r\n.",
     GREETED OPENED CHUNK CHUNK QUEUED("0"),
     STORED "wire=10 header=7 stuffed=1 unended\nx\r\n..\r\n.\r\n"},
    {"a CR at the very end", HELO OPEN "BDAT 2 LAST\r\nx\r", GREETED OPENED BARE, ""},
};

START_TEST(test_talk)
{
    const struct talk *talk = &talks[_i];
    ck_assert_msg(conversation_holds(&c, span_text(talk->input), talk->replies, talk->messages),
                  "%s", talk->name);
}
END_TEST

/* What other servers have taken for the end of data. */
#define LOOK_ALIKE(text)                                                                           \
    {                                                                                              \
        (const uint8_t *)text, sizeof text - 1                                                     \
    }
static const struct span look_alikes[] = {
    LOOK_ALIKE("\n.\n"),         LOOK_ALIKE("\n.\r\n"),       LOOK_ALIKE("\r\n.\n"),
    LOOK_ALIKE("\r.\r"),         LOOK_ALIKE("\r.\r\n"),       LOOK_ALIKE("\r\n.\r"),
    LOOK_ALIKE("\r.\n"),         LOOK_ALIKE("\n.\r"),         LOOK_ALIKE("\r\r\n.\r\r\n"),
    LOOK_ALIKE("\r\n.\r\r\n"),   LOOK_ALIKE("\n\n.\n\n"),     LOOK_ALIKE("\r\n\x00.\n"),
    LOOK_ALIKE("\r\n.\x00\n"),   LOOK_ALIKE("\r\x00\n.\r\n"), LOOK_ALIKE("\r\n.\r\x00\n"),
    LOOK_ALIKE("\x00\n.\x00\n"), LOOK_ALIKE("\r\n.\r\n\r"),
};
enum { LOOK_ALIKES = sizeof look_alikes / sizeof *look_alikes };

/* The last one does end the data: what follows is a command line again, and a bad one. */
#define REAL_END (LOOK_ALIKES - 1)

static size_t smuggle(char *out, size_t capacity, struct span look_alike, bool lmtp, bool chunked)
{
    struct output input = {(uint8_t *)out, 0, (uint32_t)capacity};
    const struct span before = SPAN("S: x\r\n\r\nhello"),
                      after = SPAN("MAIL FROM:<evil@x.test>\r\n"), end = SPAN("\r\n.\r\n");
    output_add(&input, lmtp ? SPAN("LHLO c.test\r\n") : SPAN("EHLO c.test\r\n"));
    output_add(&input, SPAN(OPEN));
    if (chunked)
        output_print(&input, "BDAT %zu LAST\r\n",
                     before.size + look_alike.size + after.size + end.size);
    else
        output_add(&input, SPAN("DATA\r\n"));
    output_add(&input, before);
    output_add(&input, look_alike);
    output_add(&input, after);
    output_add(&input, end);
    output_add(&input, SPAN("QUIT\r\n"));
    return input.size;
}

START_TEST(test_smuggling)
{
    struct span look_alike = look_alikes[_i / 4];
    bool chunked = _i & 1, end = _i / 4 == REAL_END && !chunked;
    c.config.lmtp = _i & 2;
    char input[512];
    size_t size = smuggle(input, sizeof input, look_alike, c.config.lmtp, chunked);
    ck_assert(conversation_holds(&c, span_of(input, size), NULL, NULL));
    ck_assert_uint_eq(c.stored, end);
    const struct span refused = SPAN(BARE "221 2.0.0 Bye\r\n");
    struct span last = span_from(text_span(&c.replies), c.replies.size - refused.size);
    ck_assert_int_eq(span_equal(last, refused), !end);
}
END_TEST

START_TEST(test_size_limit)
{
    const struct {
        unsigned max;
        const char *body, *reply;
    } cases[] = {
        {11, "DATA\r\n..\r\n23456\r\n.\r\n", QUEUED("0")},
        {10, "DATA\r\n..\r\n23456\r\n.\r\n", QUEUED("0")},
        {9, "DATA\r\n..\r\n23456\r\n.\r\n", TOO_BIG},
        {5, "BDAT 2\r\nabBDAT 3 LAST\r\ncde", CHUNK QUEUED("0")},
        {4, "BDAT 2\r\nabBDAT 3 LAST\r\ncde", CHUNK TOO_BIG},
        {1, "BDAT 2\r\nabBDAT 3 LAST\r\ncde", TOO_BIG TOO_BIG},
        {4, "BDAT 4 LAST\r\n..\r\n", QUEUED("0")},
        {0, "DATA\r\n.\r\n", QUEUED("0")},
    };
    char input[256], replies[256];
    int size = snprintf(input, sizeof input, HELO OPEN "%sNOOP\r\n", cases[_i].body);
    c.config.message_bytes_max = cases[_i].max;
    snprintf(replies, sizeof replies, GREETED OPENED "%s%s250 2.0.0 OK\r\n",
             cases[_i].body[0] == 'D' ? GO : "", cases[_i].reply);
    ck_assert(conversation_holds(&c, span_of(input, (size_t)size), replies, NULL));
}
END_TEST

/* `size` bytes of lines of 64 at `out`. */
static void fill_lines(char *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
}

/* A big message that must be refused is dropped at once, and no more of it is offered. */
START_TEST(test_refused_is_dropped)
{
    static char body[64 * 1024];
    fill_lines(body, sizeof body);
    c.config.message_bytes_max = 10000;
    conversation_open(&c);
    conversation_feed(&c, SPAN(HELO OPEN "DATA\r\n"));
    for (size_t i = 0; i < sizeof body; i += 1024)
        conversation_feed(&c, span_of(body + i, 1024));
    ck_assert_uint_eq(c.discards, 1);
    ck_assert_uint_le(c.staged_bytes, 10000);
    conversation_feed(&c, SPAN(".\r\n"));
    conversation_close(&c);
    ck_assert(span_equal(text_span(&c.replies), SPAN(GREETED OPENED GO TOO_BIG)));
    ck_assert_uint_eq(c.discards, 1);
}
END_TEST

/* A message that is whole in the input is never copied. */
START_TEST(test_whole_is_not_staged)
{
    conversation_open(&c);
    conversation_feed(&c, SPAN(HELO OPEN "DATA\r\n"));
    conversation_feed(&c, SPAN("S: x\r\n\r\n..\r\n.\r\n"));
    ck_assert_uint_eq(c.stored, 1);
    ck_assert_uint_eq(c.calls, 1);
    ck_assert_uint_eq(c.staged_bytes, 0);
    conversation_feed(&c, SPAN(OPEN "DATA\r\nfirst piece\r\n"));
    conversation_feed(&c, SPAN("second\r\n.\r\n"));
    ck_assert_uint_eq(c.stored, 2);
    ck_assert_uint_eq(c.staged_bytes, 13);
    conversation_close(&c);
}
END_TEST

START_TEST(test_line_limit)
{
    char input[2048];
    const struct {
        int bytes, max;
        const char *format, *reply;
    } cases[] = {
        {998, 1000, HELO OPEN "DATA\r\nx\r\n%0*d\r\n.\r\n", GO QUEUED("0")},
        {999, 1000, HELO OPEN "DATA\r\nx\r\n%0*d\r\n.\r\n", GO LONG_LINE},
        {998, 1000, HELO OPEN "DATA\r\nx\r\n.%0*d\r\n.\r\n", GO QUEUED("0")},
        {999, 1000, HELO OPEN "DATA\r\nx\r\n.%0*d\r\n.\r\n", GO LONG_LINE},
        {998, 1000, HELO OPEN "BDAT 998 LAST\r\n%0*d", QUEUED("0")},
        {999, 1000, HELO OPEN "BDAT 999 LAST\r\n%0*d", LONG_LINE},
        {1800, 0, HELO OPEN "DATA\r\nx\r\n%0*d\r\n.\r\n", GO QUEUED("0")},
    };
    char replies[256];
    int size = snprintf(input, sizeof input, cases[_i].format, cases[_i].bytes, 0);
    int replies_size = snprintf(replies, sizeof replies, GREETED OPENED "%s", cases[_i].reply);
    c.config.text_line_bytes_max = (uint32_t)cases[_i].max;
    for (size_t piece = 1; piece <= (size_t)size; piece += 97) {
        conversation_run(&c, span_of(input, (size_t)size), 0, piece);
        ck_assert(span_equal(text_span(&c.replies), span_of(replies, (size_t)replies_size)));
    }
}
END_TEST

START_TEST(test_hops)
{
    static const char received[] =
        "Received: from a\r\n\tReceived: folded\r\nrEcEiVeD:\r\n"
        "Received-SPF: no\r\n X: Received:\r\n\r\nReceived: body\r\n.\r\n";
    const char *reply[] = {GREETED OPENED GO "554 5.4.6 Too many hops\r\n",
                           GREETED OPENED GO QUEUED("0")};
    char input[512];
    int size = snprintf(input, sizeof input, HELO OPEN "DATA\r\n%s", received);
    c.config.hops_max = 1 + (unsigned)_i;
    ck_assert(conversation_holds(&c, span_of(input, (size_t)size), reply[_i], NULL));
}
END_TEST

/* The host fails at each of its calls in turn: the message is refused, the next one is not. */
START_TEST(test_host_fails)
{
    const struct {
        enum status status;
        const char *reply;
    } fates[] = {{STATUS_FULL, "452 4.3.1 Out of space, try later\r\n"},
                 {STATUS_IO, "451 4.3.0 Try later\r\n"},
                 {STATUS_AGAIN, QUEUED("0")}};
    const struct {
        const char *input, *replies_before;
        unsigned calls;
    } bodies[] = {{"DATA\r\nS: x\r\n\r\n..y\r\n.\r\n", GO, 16},
                  {"BDAT 12 LAST\r\nS: x\r\n\r\n.y\r\n", "", 14}};
    unsigned fate = (unsigned)_i % 3, body = (unsigned)_i / 3;
    c.fail_status = fates[fate].status;
    for (c.fail_call = 1; c.fail_call <= bodies[body].calls; c.fail_call++) {
        conversation_open(&c);
        conversation_feed(&c, SPAN(HELO OPEN));
        c.replies.size = 0;
        for (const char *at = bodies[body].input; *at; at++)
            conversation_feed(&c, span_of(at, 1));
        char want[128];
        int size =
            snprintf(want, sizeof want, "%s%s", bodies[body].replies_before, fates[fate].reply);
        ck_assert(span_equal(text_span(&c.replies), span_of(want, (size_t)size)));
        ck_assert_uint_eq(c.stored, c.fail_status == STATUS_AGAIN);
        c.fail_call += 1000;
        conversation_feed(&c, SPAN(OPEN "DATA\r\n.\r\n"));
        c.fail_call -= 1000;
        ck_assert_uint_eq(c.stored, 1 + (c.fail_status == STATUS_AGAIN));
        conversation_close(&c);
    }
}
END_TEST

START_TEST(test_not_stored)
{
    const struct {
        enum status status;
        const char *reply;
    } ends[] = {{STATUS_FULL, "452 4.3.1 Out of space, try later\r\n"},
                {STATUS_IO, "451 4.3.0 Try later\r\n"}};
    c.stored_status = ends[_i].status;
    conversation_run(&c, SPAN(HELO OPEN "DATA\r\n.\r\n"), 0, 100);
    char want[256];
    int size = snprintf(want, sizeof want, GREETED OPENED GO "%s", ends[_i].reply);
    ck_assert(span_equal(text_span(&c.replies), span_of(want, (size_t)size)));
}
END_TEST

#define LHLO "LHLO c.test\r\n"
#define THREE                                                                                      \
    "MAIL FROM:<>\r\nRCPT TO:<a@y.test>\r\nRCPT TO:<unknown@y.test>\r\nRCPT TO:<b@y.test>\r\n"
#define THREE_SAID                                                                                 \
    "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n550 5.1.1 No such mailbox\r\n"               \
    "250 2.1.5 Recipient OK\r\n"
#define STORED_THREE "from= helo=c.test client=192.0.2.1:4711 with=LMTP to=a@y.test to=b@y.test\n"

START_TEST(test_lmtp)
{
    c.config.lmtp = true;
    ck_assert(conversation_holds(
        &c,
        SPAN(LHLO "DATA\r\nBDAT 0 LAST\r\n" THREE "DATA\r\nx\r\n.\r\n" THREE
                  "BDAT 1 LAST\r\n\n" THREE "BDAT 1\r\nyBDAT 0 LAST\r\nQUIT\r\n"),
        "220 mx.test LMTP mailrace\r\n"
        "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-DSN\r\n250 LIMITS "
        "RCPTMAX=100\r\n" SEQUENCE SEQUENCE THREE_SAID GO QUEUED("0") QUEUED("0")
            THREE_SAID BARE BARE THREE_SAID CHUNK QUEUED("1") QUEUED("1") "221 2.0.0 Bye\r\n",
        STORED_THREE "wire=6 header=3 stuffed=0\nx\r\n.\r\n" STORED_THREE
                     "wire=6 header=3 stuffed=0 unended\ny\r\n.\r\n"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_message");
    TCase *tcase = tcase_create("message");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_talk, 0, sizeof talks / sizeof *talks);
    tcase_add_loop_test(tcase, test_smuggling, 0, 4 * LOOK_ALIKES);
    tcase_add_loop_test(tcase, test_size_limit, 0, 8);
    tcase_add_test(tcase, test_refused_is_dropped);
    tcase_add_test(tcase, test_whole_is_not_staged);
    tcase_add_loop_test(tcase, test_line_limit, 0, 7);
    tcase_add_loop_test(tcase, test_hops, 0, 2);
    tcase_add_loop_test(tcase, test_host_fails, 0, 6);
    tcase_add_loop_test(tcase, test_not_stored, 0, 2);
    tcase_add_test(tcase, test_lmtp);
    suite_add_tcase(suite, tcase);
    return suite;
}
