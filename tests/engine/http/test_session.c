#include "engine/http/session.h"

#include "tests/check_main.h"

enum { PAGE_PARTS = 100, PART_BYTES = 300, SAID_BYTES = 65536 };

/* A session, its page of numbered parts, and everything it has said. */
struct talk {
    struct http_session session;
    uint32_t parts; /* of the page, written so far */
    uint32_t asked; /* how often */
    char said[SAID_BYTES];
    size_t said_bytes;
};

static struct talk talk;

static bool page(void *owner, struct output *out)
{
    struct talk *its = owner;
    its->asked++;
    while (its->parts < PAGE_PARTS && output_room(out) >= HTTP_REPLY_BYTES_MAX)
        output_print(out, "%-*u\n", PART_BYTES - 1, its->parts++);
    return its->parts == PAGE_PARTS;
}

static uint64_t wall_ns(void *context)
{
    (void)context;
    return 1795449600 * NS_PER_S;
}

static const struct clock clock = {wall_ns, wall_ns, NULL};
static const struct http_host host = {page};
static const struct http_config config = {SPAN_INIT("/metrics"), SPAN_INIT("text/plain"), &host,
                                          &clock};

static void begin(void)
{
    memset(&talk, 0, sizeof talk);
    http_open(&talk.session, &config, &talk);
}

/* With so much room; all that is said is kept. */
static void feed(struct span input, uint32_t room)
{
    static uint8_t bytes[SAID_BYTES];
    struct output out = {bytes, 0, room};
    ck_assert_uint_eq(http_feed(&talk.session, input, &out), input.size);
    ck_assert_uint_lt(talk.said_bytes + out.size, sizeof talk.said);
    memcpy(talk.said + talk.said_bytes, bytes, out.size);
    talk.said_bytes += out.size;
    talk.said[talk.said_bytes] = '\0';
}

static void ask(const char *text)
{
    begin();
    feed(span_text(text), SAID_BYTES - 1);
}

#define GET "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct {
    const char *request, *status;
} answers[] = {
    {"GET / HTTP/1.0\r\n\r\n", "404"},
    {"GET /metrics/ HTTP/1.0\r\n\r\n", "404"},
    {"GET /Metrics HTTP/1.0\r\n\r\n", "404"},
    {"GET metrics HTTP/1.0\r\n\r\n", "404"},
    {"POST / HTTP/1.0\r\n\r\n", "404"},
    {"POST /metrics HTTP/1.0\r\n\r\n", "405"},
    {"DELETE /metrics HTTP/1.0\r\n\r\n", "405"},
    {"OPTIONS * HTTP/1.0\r\n\r\n", "404"},
    {"GET /metrics HTTP/1.1\r\n\r\n", "400"},
    {"garbage\r\n", "400"},
    {"GET /metrics HTTP/3.0\r\n", "505"},
    {"GET /metrics?debug=1 HTTP/1.0\r\n\r\n", "200"},
    {"HEAD /metrics HTTP/1.0\r\n\r\n", "200"},
    {GET, "200"},
    {GET GET, "200"},
};

START_TEST(every_request_is_answered_once)
{
    ask(answers[_i].request);
    ck_assert_int_eq(talk.session.state, HTTP_OVER);
    ck_assert_mem_eq(talk.said, "HTTP/1.1 ", 9);
    ck_assert_mem_eq(talk.said + 9, answers[_i].status, 3);
    size_t said = talk.said_bytes;
    feed(SPAN(GET), 8192);
    ck_assert_uint_eq(talk.said_bytes, said);
}
END_TEST

START_TEST(the_page_is_whole_in_any_room)
{
    static char whole[SAID_BYTES];
    ask(GET);
    ck_assert_uint_gt(talk.said_bytes, PAGE_PARTS * PART_BYTES);
    memcpy(whole, talk.said, sizeof whole);
    for (uint32_t room = HTTP_REPLY_BYTES_MAX; room < 4096; room += 97) {
        begin();
        feed(SPAN(GET), room);
        ck_assert_int_eq(talk.session.state, HTTP_SENDING);
        while (talk.session.state == HTTP_SENDING)
            feed(SPAN(""), room);
        ck_assert_str_eq(talk.said, whole);
    }
}
END_TEST

START_TEST(every_cut)
{
    static char whole[SAID_BYTES];
    ask(GET);
    memcpy(whole, talk.said, sizeof whole);
    for (size_t cut = 0; cut <= sizeof GET - 1; cut++) {
        begin();
        feed(span_of(GET, cut), SAID_BYTES - 1);
        ck_assert(cut == sizeof GET - 1 || talk.said_bytes == 0);
        feed(span_text(&GET[cut]), SAID_BYTES - 1);
        ck_assert_str_eq(talk.said, whole);
    }
}
END_TEST

START_TEST(head_has_no_content)
{
    ask("HEAD /metrics HTTP/1.0\r\n\r\n");
    ck_assert_str_eq(strstr(talk.said, "\r\n\r\n"), "\r\n\r\n");
    ck_assert_uint_eq(talk.asked, 0);
    ask("HEAD /other HTTP/1.0\r\n\r\n");
    ck_assert_str_eq(strstr(talk.said, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

/* How it ends, by how far it had come. */
START_TEST(ends_with_a_word_where_one_is_possible)
{
    static const struct {
        const char *heard;
        enum http_end why;
        const char *word; /* NULL: the connection must be aborted */
    } rows[] = {
        {"", HTTP_END_TIMEOUT, "HTTP/1.1 408 "},
        {"GET /metrics HT", HTTP_END_TIMEOUT, "HTTP/1.1 408 "},
        {"", HTTP_END_SHUTDOWN, "HTTP/1.1 503 "},
        {GET, HTTP_END_TIMEOUT, NULL},
        {"garbage\r\n", HTTP_END_TIMEOUT, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[HTTP_REPLY_BYTES_MAX];
        struct output out = {bytes, 0, sizeof bytes};
        begin();
        feed(span_text(rows[i].heard), HTTP_REPLY_BYTES_MAX);
        ck_assert_int_eq(http_end(&talk.session, rows[i].why, &out), rows[i].word != NULL);
        size_t word = rows[i].word ? strlen(rows[i].word) : 0;
        ck_assert_int_eq(out.size > 0, word > 0);
        ck_assert(word == 0 || memcmp(bytes, rows[i].word, word) == 0);
        ck_assert(rows[i].word == NULL || talk.session.state == HTTP_OVER);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("http/session");
    TCase *tcase = tcase_create("session");
    tcase_add_loop_test(tcase, every_request_is_answered_once, 0, sizeof answers / sizeof *answers);
    tcase_add_test(tcase, the_page_is_whole_in_any_room);
    tcase_add_test(tcase, every_cut);
    tcase_add_test(tcase, head_has_no_content);
    tcase_add_test(tcase, ends_with_a_word_where_one_is_possible);
    suite_add_tcase(suite, tcase);
    return suite;
}
