#include "tools/place.h"

#include "tests/check_main.h"
#include "tests/tools/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[PLACE_BYTES];

static unsigned hex(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

/* What the path says the name is. */
static size_t name_of(const char *at, char *out)
{
    size_t size = 0;
    for (; *at != '\0'; at++) {
        if (at[0] == '%' && (at[1] == '/' || at[1] == '\0')) {
            at += at[1] == '/';
            continue;
        }
        if (*at == '%') {
            out[size++] = (char)(hex(at[1]) << 4 | hex(at[2]));
            at += 2;
        } else {
            out[size++] = *at;
        }
    }
    return size;
}

START_TEST(paths_of_mailboxes)
{
    static const char *const cases[][2] = {
        {"alice@example.test", "out/alice@example.test"},
        {"A.b+c_d-e=f@x", "out/A.b+c_d-e=f@x"},
        {".", "out/%2E"},
        {"..", "out/%2E."},
        {"a/../b@x", "out/a%2F..%2Fb@x"},
        {"a b%@x", "out/a%20b%25@x"},
        {"\xc3\xa9\n\x01@x", "out/%C3%A9%0A%01@x"},
        {"", "out/%"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert(place_of_mailbox("out", span_text(cases[i][0]), "", path));
        ck_assert_str_eq(path, cases[i][1]);
        ck_assert(place_of_mailbox("out", span_text(cases[i][0]), ".mbox", path));
        ck_assert_str_eq(path + strlen(path) - 5, ".mbox");
    }
}
END_TEST

/* Every byte, every length: the name comes back, no part is too long for a file system. */
START_TEST(the_name_comes_back)
{
    char name[1200], back[1200];
    for (size_t size = 0; size < sizeof name; size++) {
        for (size_t i = 0; i < size; i++)
            name[i] = (char)(i * 7 + size);
        if (!place_of_mailbox("out", span_of(name, size), "", path)) {
            ck_assert_uint_gt(size, 1000);
            continue;
        }
        ck_assert_uint_eq(name_of(path + 4, back), size);
        ck_assert(memcmp(name, back, size) == 0);
        for (const char *part = path; part != NULL; part = strchr(part, '/')) {
            part += *part == '/';
            ck_assert_uint_le(strcspn(part, "/"), 245);
            ck_assert(*part != '.' || part == path);
        }
    }
    ck_assert(!place_of_mailbox("out", span_of(back, sizeof back), "", path) ||
              strlen(path) < PLACE_BYTES);
    memset(back, 'a', sizeof back);
    char folder[PLACE_BYTES + 10];
    memset(folder, 'f', sizeof folder - 1);
    folder[sizeof folder - 1] = '\0';
    ck_assert(!place_of_mailbox(folder, SPAN(""), "", path));
    ck_assert(!place_of_mailbox(folder, SPAN("a"), "", path));
}
END_TEST

START_TEST(folders)
{
    struct fault fault;
    ck_assert_int_eq(place_make_folder("new", &fault), STATUS_OK);
    ck_assert_int_eq(place_make_folder("new", &fault), STATUS_OK);
    ck_assert_int_eq(place_make_folder("new/inside/", &fault), STATUS_OK);
    ck_assert_int_eq(place_make_folder("new", &fault), STATUS_EXISTS);
    ck_assert_str_eq(fault.text, "new: is not empty");
    folder_put("file", SPAN("x"), 1);
    ck_assert_int_eq(place_make_folder("file", &fault), STATUS_EXISTS);
    ck_assert_int_eq(place_make_folder("none/there", &fault), STATUS_EXISTS);
    ck_assert_int_eq(status_exit_code(fault.status), 73);
    ck_assert_int_eq(place_make_way("new", "new/a/b/c", &fault), STATUS_OK);
    ck_assert_int_eq(access("new/a/b", F_OK), 0);
    ck_assert_int_ne(access("new/a/b/c", F_OK), 0);
    ck_assert_int_eq(place_make_way("new", "new/d", &fault), STATUS_OK);
    ck_assert_int_eq(folder_count("new"), 2);
    ck_assert_int_eq(place_make_way(".", "./file/a/b", &fault), STATUS_EXISTS);
}
END_TEST

START_TEST(syncs)
{
    struct fault fault;
    static const char *const there[] = {"file", "./file", "/", "a/file", "/tmp", "a/"};
    folder_put("a/file", SPAN("x"), 1);
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        ck_assert_int_eq(place_sync_parent(there[i], &fault), STATUS_OK);
    ck_assert_int_eq(place_sync_parent("none/file", &fault), STATUS_EXISTS);
    ck_assert_int_eq(place_sync_folder("a/file", &fault), STATUS_EXISTS);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("place");
    TCase *tests = tcase_create("place");
    tcase_add_checked_fixture(tests, folder_open, folder_close);
    tcase_add_test(tests, paths_of_mailboxes);
    tcase_add_test(tests, the_name_comes_back);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, syncs);
    suite_add_tcase(suite, tests);
    return suite;
}
