#include "engine/pop3/client_body.h"

#include "base/random.h"
#include "tests/check_main.h"

#include <stdlib.h>

struct collected {
    uint8_t data[4096];
    size_t size;
};

static void collect(void *owner, struct span bytes)
{
    struct collected *collected = owner;
    ck_assert_uint_gt(bytes.size, 0);
    memcpy(collected->data + collected->size, bytes.data, bytes.size);
    collected->size += bytes.size;
}

/* Takes `wire` cut at `cut` (0: byte by byte); returns how many bytes belong to the message, 0 if
 * it does not end. */
static size_t take(struct span wire, size_t cut, bool unstuff, struct collected *collected)
{
    struct pop3_client_body body = {0};
    collected->size = 0;
    for (size_t at = 0, size; at < wire.size; at += size) {
        size = cut == 0 ? 1 : at < cut ? cut - at : wire.size - at;
        uint8_t *copy = malloc(size); /* so that reading beyond it is found out */
        memcpy(copy, wire.data + at, size);
        struct span piece = span_of(copy, size);
        bool ended = pop3_client_body_take(&body, &piece, unstuff,
                                           (struct pop3_client_sink){collect, collected});
        size_t left = piece.size;
        free(copy);
        if (ended)
            return at + size - left;
        ck_assert_uint_eq(left, 0);
    }
    return 0;
}

static void check(struct span wire, size_t ends_at, struct span stuffed, struct span unstuffed)
{
    static struct collected collected;
    for (size_t cut = 0; cut <= wire.size; cut++) {
        ck_assert_uint_eq(take(wire, cut, false, &collected), ends_at);
        ck_assert_msg(span_equal(span_of(collected.data, collected.size), stuffed),
                      "stuffed, cut at %zu: %.*s", cut, (int)collected.size, collected.data);
        ck_assert_uint_eq(take(wire, cut, true, &collected), ends_at);
        ck_assert_msg(span_equal(span_of(collected.data, collected.size), unstuffed),
                      "unstuffed, cut at %zu: %.*s", cut, (int)collected.size, collected.data);
    }
}

/* What follows the end is "+OK", which must be left where it is. */
START_TEST(messages)
{
    static const struct {
        const char *wire, *unstuffed; /* NULL: the same */
    } table[] = {
        {"", NULL},
        {"\r\n", NULL},
        {"A: b\r\n\r\nHello\r\nthere\r\n", NULL},
        {"..\r\n", ".\r\n"},
        {"...\r\n", "..\r\n"},
        {"..a\r\n..b\r\n", ".a\r\n.b\r\n"},
        {"a..b\r\n a.\r\n", NULL},
        /* a server that forgets to stuff loses its dot */
        {".a\r\n", "a\r\n"},
        {".\ra\r\n", "\ra\r\n"},
        {".\r\r\n", "\r\r\n"},
        {". \r\n", " \r\n"},
        /* only CRLF ends a line */
        {"a\n.\r\nb\r\n", NULL},
        {"a\r.\r\nb\r\n", NULL},
        {"a\r\n.\nb\r\n", "a\r\n\nb\r\n"},
        {"a\n..\n.\n\r\n", NULL},
        {"\r\r\n\n\r\r\n", NULL},
        {"..\r..\r\n", ".\r..\r\n"},
        {"..\n\r\n", ".\n\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char wire[200];
        size_t size = strlen(table[i].wire);
        memcpy(wire, table[i].wire, size);
        memcpy(wire + size, ".\r\n+OK", sizeof ".\r\n+OK");
        struct span stuffed = span_of(wire, size);
        check(span_text(wire), size + 3, stuffed,
              table[i].unstuffed ? span_text(table[i].unstuffed) : stuffed);
    }
}
END_TEST

START_TEST(unfinished_messages)
{
    static const struct {
        const char *wire, *stuffed, *unstuffed;
    } table[] = {
        {"a\r\n.", "a\r\n", "a\r\n"},
        {"a\r\n.\r", "a\r\n", "a\r\n"},
        {"a\r\n..", "a\r\n..", "a\r\n."},
        {"a\n.\n", "a\n.\n", "a\n.\n"},
        {"a\r", "a\r", "a\r"},
        {".", "", ""},
        {"a\r.\r\n", "a\r.\r\n", "a\r.\r\n"},
        {"a.\r\n", "a.\r\n", "a.\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(span_text(table[i].wire), 0, span_text(table[i].stuffed),
              span_text(table[i].unstuffed));
}
END_TEST

/* Any bytes, stuffed as RFC 1939 says, come back. */
START_TEST(random_messages)
{
    static const uint8_t alphabet[] = {'.', '.', '\r', '\n', 'x', 0};
    static uint8_t text[64], wire[256];
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct random random = {seed};
        size_t size = random_below(&random, 40), wire_size = 0;
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[random_below(&random, sizeof alphabet)];
        text[size++] = '\r';
        text[size++] = '\n';
        for (size_t i = 0; i < size; i++) {
            bool start = i == 0 || (i >= 2 && text[i - 2] == '\r' && text[i - 1] == '\n');
            if (start && text[i] == '.')
                wire[wire_size++] = '.';
            wire[wire_size++] = text[i];
        }
        memcpy(wire + wire_size, ".\r\nx", 4);
        check(span_of(wire, wire_size + 4), wire_size + 3, span_of(wire, wire_size),
              span_of(text, size));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client_body");
    TCase *tcase = tcase_create("client_body");
    tcase_add_test(tcase, messages);
    tcase_add_test(tcase, unfinished_messages);
    tcase_add_test(tcase, random_messages);
    suite_add_tcase(suite, tcase);
    return suite;
}
