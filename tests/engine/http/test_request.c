#include "engine/http/request.h"

#include "base/random.h"
#include "tests/check_main.h"

static struct http_request request;

/* What one head came to, however it was cut. */
struct outcome {
    enum http_progress progress;
    enum http_status refusal;
    enum http_method method;
    struct span path;
    size_t consumed;
};

static void feed(struct span piece, struct outcome *outcome)
{
    if (outcome->progress != HTTP_MORE)
        return;
    size_t before = piece.size;
    outcome->progress = http_request_take(&request, &piece);
    outcome->consumed += before - piece.size;
    if (outcome->progress == HTTP_MORE)
        ck_assert_uint_eq(piece.size, 0);
    outcome->refusal = request.refusal;
    outcome->method = request.method;
    outcome->path = request.path;
}

static struct outcome take_cut(struct span bytes, size_t cut)
{
    struct outcome outcome = {.progress = HTTP_MORE};
    memset(&request, 0, sizeof request);
    feed(span_of(bytes.data, cut), &outcome);
    feed(span_from(bytes, cut), &outcome);
    return outcome;
}

static struct outcome take_bytewise(struct span bytes)
{
    struct outcome outcome = {.progress = HTTP_MORE};
    memset(&request, 0, sizeof request);
    for (size_t i = 0; i < bytes.size; i++)
        feed(span_of(bytes.data + i, 1), &outcome);
    return outcome;
}

#define HOST "Host: a\r\n"
#define GOOD(text, how, where, left)                                                               \
    {                                                                                              \
        SPAN_INIT(text), HTTP_DONE, HTTP_OK, how, where, left                                      \
    }
#define BAD(text, why)                                                                             \
    {                                                                                              \
        SPAN_INIT(text), HTTP_BAD, why, HTTP_OTHER, NULL, SIZE_MAX                                 \
    }
#define MORE(text)                                                                                 \
    {                                                                                              \
        SPAN_INIT(text), HTTP_MORE, HTTP_OK, HTTP_OTHER, NULL, 0                                   \
    }

static const struct {
    struct span text;
    enum http_progress progress;
    enum http_status refusal;
    enum http_method method;
    const char *path; /* NULL: not looked at */
    size_t left;      /* bytes not consumed; SIZE_MAX: not looked at */
} cases[] = {
    GOOD("GET /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/metrics", 0),
    GOOD("GET /metrics HTTP/1.0\r\n\r\n", HTTP_GET, "/metrics", 0),
    GOOD("HEAD / HTTP/1.1\r\n" HOST "\r\n", HTTP_HEAD, "/", 0),
    GOOD("POST /metrics HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody", HTTP_OTHER, "/metrics",
         4),
    GOOD("get / HTTP/1.0\r\n\r\n", HTTP_OTHER, "/", 0),
    GOOD("GETT / HTTP/1.0\r\n\r\n", HTTP_OTHER, "/", 0),
    GOOD("\r\n\r\n\nGET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", 0),
    GOOD("GET / HTTP/1.0\n\n", HTTP_GET, "/", 0),
    GOOD("GET / HTTP/1.9\r\nhOsT:\r\n\r\n", HTTP_GET, "/", 0),
    GOOD("GET /a?b=/c?d HTTP/1.0\r\n\r\n", HTTP_GET, "/a", 0),
    GOOD("GET ? HTTP/1.0\r\n\r\n", HTTP_GET, "", 0),
    GOOD("GET http://a:1/b?c HTTP/1.0\r\n\r\n", HTTP_GET, "/b", 0),
    GOOD("GET HTTP://a HTTP/1.0\r\n\r\n", HTTP_GET, "", 0),
    GOOD("GET http:// HTTP/1.0\r\n\r\n", HTTP_GET, "http://", 0),
    GOOD("OPTIONS * HTTP/1.0\r\n\r\n", HTTP_OTHER, "*", 0),
    GOOD("GET / HTTP/1.0\r\nA:\t b \t\r\nB: \xff\xc3\r\n!#$%&'*+-.^_`|~0aZ: c\r\n\r\n", HTTP_GET,
         "/", 0),
    GOOD("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", 18),

    BAD("garbage\r\n", HTTP_BAD_REQUEST),
    BAD("GET /\r\n", HTTP_BAD_REQUEST),
    BAD("GET / \r\n", HTTP_BAD_REQUEST),
    BAD("GET  / HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET /  HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1 \r\n", HTTP_BAD_REQUEST),
    BAD(" GET / HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET\t/ HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET /\xc3\xa4 HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("G(T / HTTP/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / http/1.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.10\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/x.1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1,1\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/2.0\r\n", HTTP_UNKNOWN_VERSION),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_UNKNOWN_VERSION),
    BAD("GET / HTTP/0.9\r\n", HTTP_UNKNOWN_VERSION),
    BAD("\x16\x03\x01\x02\x00\x01\xfc\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.0\r\n" HOST "A: b\r\n" HOST "\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nHost : a\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\n" HOST " folded\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nno colon\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\n: no name\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nA: b\rC: d\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nA: b\0c\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nA: \x7f\r\n", HTTP_BAD_REQUEST),
    BAD("GET / HTTP/1.1\r\nA: b\r\r\n", HTTP_BAD_REQUEST),
    BAD("GET /\r HTTP/1.1\r\n", HTTP_BAD_REQUEST),

    MORE(""),
    MORE("\r\n"),
    MORE("GET / HTTP/1.1"),
    MORE("GET / HTTP/1.1\r\n" HOST),
    MORE("GET / HTTP/1.1\r\n" HOST "\r"),
};

START_TEST(every_cut)
{
    struct span text = cases[_i].text;
    for (size_t cut = 0; cut <= text.size + 1; cut++) {
        struct outcome outcome = cut <= text.size ? take_cut(text, cut) : take_bytewise(text);
        ck_assert_msg(outcome.progress == cases[_i].progress, "cut %zu: %d", cut, outcome.progress);
        ck_assert_int_eq(outcome.refusal, cases[_i].refusal);
        if (cases[_i].left != SIZE_MAX)
            ck_assert_uint_eq(text.size - outcome.consumed, cases[_i].left);
        if (cases[_i].path == NULL)
            continue;
        ck_assert_int_eq(outcome.method, cases[_i].method);
        ck_assert(span_equal(outcome.path, span_text(cases[_i].path)));
    }
}
END_TEST

/* Where a head stops growing: `before` and `after` around so many letters. */
static const struct {
    const char *before, *after;
    size_t letters; /* of the largest that is taken whole */
    enum http_status refusal;
} limits[] = {
    {"GET /", " HTTP/1.0\r\n\r\n", HTTP_HEAD_BYTES_MAX - 18, HTTP_LONG_TARGET},
    {"GET / HTTP/1.0\r\nA:", "\r\n\r\n", HTTP_HEAD_BYTES_MAX - 22, HTTP_LONG_FIELDS},
};

START_TEST(a_head_is_bounded)
{
    static uint8_t bytes[2 * HTTP_HEAD_BYTES_MAX];
    for (size_t more = 0; more < 3; more++) {
        size_t size = 0, letters = limits[_i].letters + more;
        memcpy(bytes, limits[_i].before, size = strlen(limits[_i].before));
        memset(bytes + size, 'x', letters);
        size += letters;
        memcpy(bytes + size, limits[_i].after, strlen(limits[_i].after));
        size += strlen(limits[_i].after);
        struct outcome whole = take_cut(span_of(bytes, size), 0);
        struct outcome bytewise = take_bytewise(span_of(bytes, size));
        ck_assert_int_eq(whole.progress, more ? HTTP_BAD : HTTP_DONE);
        ck_assert_int_eq(bytewise.progress, whole.progress);
        ck_assert_uint_le(bytewise.consumed, HTTP_HEAD_BYTES_MAX);
        if (limits[_i].refusal == HTTP_LONG_FIELDS) /* else the end of the head is too much */
            ck_assert_int_eq(whole.refusal, more ? HTTP_LONG_FIELDS : HTTP_OK);
    }
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
    static const enum http_status expected[] = {HTTP_LONG_TARGET, HTTP_LONG_FIELDS};
    static uint8_t bytes[HTTP_HEAD_BYTES_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    if (_i == 1)
        memcpy(bytes, "GET / HTTP/1.0\r\n", 16);
    ck_assert_int_eq(take_bytewise(span_of(bytes, sizeof bytes - 1)).progress, HTTP_MORE);
    struct outcome outcome = take_bytewise(span_of(bytes, sizeof bytes));
    ck_assert_int_eq(outcome.progress, HTTP_BAD);
    ck_assert_int_eq(outcome.refusal, expected[_i]);
}
END_TEST

START_TEST(empty_lines_are_bounded_too)
{
    static uint8_t bytes[HTTP_HEAD_BYTES_MAX + 1];
    memset(bytes, '\n', sizeof bytes);
    struct outcome outcome = take_cut(span_of(bytes, sizeof bytes), 7);
    ck_assert_int_eq(outcome.progress, HTTP_BAD);
    ck_assert_int_eq(outcome.refusal, HTTP_LONG_TARGET);
}
END_TEST

/* Good heads with a few bytes changed: whatever they come to, cuts make no difference. */
START_TEST(hostile_bytes_cut_anywhere_mean_the_same)
{
    static const char letters[] = "\r\n\n\r\n \t:/?.GETHOST10\x80\x00\x7f";
    struct random random = {.state = 11};
    uint32_t outcomes[3] = {0};
    for (int round = 0; round < 20000; round++) {
        struct span text = cases[random_below(&random, sizeof cases / sizeof *cases)].text;
        uint8_t bytes[256] = {0};
        ck_assert_uint_lt(text.size, sizeof bytes);
        memcpy(bytes, text.data, text.size);
        for (uint64_t change = random_below(&random, 4); change > 0 && text.size > 0; change--)
            bytes[random_below(&random, text.size)] =
                (uint8_t)letters[random_below(&random, sizeof letters - 1)];
        text = span_of(bytes, text.size);
        struct outcome whole = take_cut(text, text.size);
        struct outcome cut = take_cut(text, random_below(&random, text.size + 1));
        ck_assert_int_eq(cut.progress, whole.progress);
        ck_assert_int_eq(cut.refusal, whole.refusal);
        ck_assert_uint_eq(cut.consumed, whole.consumed);
        outcomes[whole.progress]++;
    }
    for (int i = 0; i < 3; i++)
        ck_assert_uint_gt(outcomes[i], 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("http/request");
    TCase *tcase = tcase_create("request");
    tcase_add_loop_test(tcase, every_cut, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(tcase, a_head_is_bounded, 0, sizeof limits / sizeof *limits);
    tcase_add_loop_test(tcase, a_line_without_end_is_refused, 0, 2);
    tcase_add_test(tcase, empty_lines_are_bounded_too);
    tcase_add_test(tcase, hostile_bytes_cut_anywhere_mean_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}
