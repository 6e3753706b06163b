#include "engine/http/reply.h"

#include "base/clock.h"
#include "tests/check_main.h"

static uint8_t text[HTTP_REPLY_BYTES_MAX + 1];

#define WALL_NS (1795449600 * NS_PER_S) /* 2026-11-23 16:00:00 */
#define DATE "Date: Mon, 23 Nov 2026 16:00:00 GMT\r\n"

static const char *refusal(enum http_status status, bool content)
{
    struct output out = {text, 0, HTTP_REPLY_BYTES_MAX};
    http_reply_refusal(&out, status, content, WALL_NS);
    text[out.size] = '\0';
    return (const char *)text;
}

START_TEST(a_page_head_word_for_word)
{
    struct output out = {text, 0, HTTP_REPLY_BYTES_MAX};
    http_reply_page(&out, SPAN("text/plain"), WALL_NS);
    ck_assert(span_equal(span_of(text, out.size),
                         SPAN("HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n"
                              "Cache-Control: no-store\r\nContent-Type: text/plain\r\n\r\n")));
}
END_TEST

START_TEST(a_refusal_word_for_word)
{
    ck_assert_str_eq(refusal(HTTP_NOT_FOUND, true),
                     "HTTP/1.1 404 Not Found\r\n" DATE "Connection: close\r\n"
                     "Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n404 Not Found\n");
}
END_TEST

/* RFC 9110 section 15.5.6: Allow comes with 405. */
START_TEST(only_a_wrong_method_is_told_the_right_ones)
{
    for (int status = HTTP_BAD_REQUEST; status < HTTP_STATUSES; status++) {
        bool allow = strstr(refusal((enum http_status)status, true), "\r\nAllow: GET, HEAD\r\n");
        ck_assert_int_eq(allow, status == HTTP_WRONG_METHOD);
    }
}
END_TEST

/* RFC 9110 section 9.3.2: a HEAD is answered with the same fields and no content. */
START_TEST(head_is_get_without_content)
{
    for (int status = HTTP_BAD_REQUEST; status < HTTP_STATUSES; status++) {
        char whole[sizeof text];
        memcpy(whole, refusal((enum http_status)status, true), sizeof whole);
        const char *head = refusal((enum http_status)status, false);
        size_t size = strlen(head);
        ck_assert_uint_lt(size, strlen(whole));
        ck_assert_mem_eq(head, whole, size);
        ck_assert_str_eq(head + size - 4, "\r\n\r\n");
    }
}
END_TEST

START_TEST(the_longest_type_fits)
{
    static uint8_t type[HTTP_TYPE_BYTES_MAX];
    memset(type, 'a', sizeof type);
    struct output out = {text, 0, HTTP_REPLY_BYTES_MAX};
    http_reply_page(&out, span_of(type, sizeof type), WALL_NS);
    ck_assert_uint_gt(out.size, sizeof type);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("http/reply");
    TCase *tcase = tcase_create("replies");
    tcase_add_test(tcase, a_page_head_word_for_word);
    tcase_add_test(tcase, a_refusal_word_for_word);
    tcase_add_test(tcase, only_a_wrong_method_is_told_the_right_ones);
    tcase_add_test(tcase, head_is_get_without_content);
    tcase_add_test(tcase, the_longest_type_fits);
    suite_add_tcase(suite, tcase);
    return suite;
}
