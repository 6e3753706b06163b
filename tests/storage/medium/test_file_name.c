#include "storage/medium/file_name.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

static const struct {
    struct medium_name name;
    const char *home, *path, *temporary;
} written[] = {
    {{.kind = MEDIUM_STORE}, ".", "STORE", "STORE.tmp"},
    {{MEDIUM_SEGMENT, 0, 1}, "shard-00", "shard-00/00000001.seg", "shard-00/00000001.seg.tmp"},
    {{MEDIUM_HINT, 99, 42}, "shard-99", "shard-99/00000042.idx", "shard-99/00000042.idx.tmp"},
    {{MEDIUM_SPARE, 100, 0}, "shard-100", "shard-100/spare.tmp", "shard-100/spare.tmp.tmp"},
    {{MEDIUM_RETIRED, 1, 0}, "shard-01", "shard-01/retired.tmp", "shard-01/retired.tmp.tmp"},
    {{MEDIUM_HINT, UINT32_MAX, UINT32_MAX},
     "shard-4294967295",
     "shard-4294967295/4294967295.idx",
     "shard-4294967295/4294967295.idx.tmp"},
};

START_TEST(names_are_written)
{
    char text[FILE_PATH_BYTES];
    file_name_home(written[_i].name, text);
    ck_assert_str_eq(text, written[_i].home);
    file_name_path(written[_i].name, text);
    ck_assert_str_eq(text, written[_i].path);
    file_name_temporary(written[_i].name, text);
    ck_assert_str_eq(text, written[_i].temporary);
}
END_TEST

START_TEST(what_is_written_parses)
{
    struct medium_name name = written[_i].name, parsed;
    const char *slash = strchr(written[_i].path, '/');
    uint32_t shard;
    ck_assert(file_name_parse(slash ? slash + 1 : written[_i].path, name, &parsed));
    ck_assert_int_eq(parsed.kind, name.kind);
    ck_assert_uint_eq(parsed.shard, name.shard);
    ck_assert_uint_eq(parsed.number, name.number);
    ck_assert(file_name_is_home(written[_i].home, &shard) == (name.kind != MEDIUM_STORE));
    if (name.kind != MEDIUM_STORE)
        ck_assert_uint_eq(shard, name.shard);
}
END_TEST

static const char *const foreign[] = {
    "",
    ".",
    "..",
    "lock",
    "store",
    "STORE ",
    "STORE.tmp",
    "1.seg",
    "0000001.seg",
    "000000001.seg",
    "00000001",
    "00000001.se",
    "00000001.segs",
    "00000001.SEG",
    "00000000.seg",
    "00000000.idx",
    "-0000001.seg",
    "+0000001.seg",
    " 0000001.seg",
    "4294967296.seg",
    "99999999999999999999999999.seg",
    "00000001.idx.tmp",
    "1spare.tmp",
    "spare",
    "shard-1",
    "shard-001",
    "shard--1",
    "shard-4294967296",
    "shard-00x",
    "shard-",
    "a name that is much longer than anything that this program would ever write",
};

START_TEST(foreign_names_do_not)
{
    struct medium_name name = {.number = 77};
    uint32_t shard = 77;
    ck_assert(!file_name_parse(foreign[_i], store_name(), &name));
    ck_assert(!file_name_parse(foreign[_i], segment_name(0, 1), &name));
    ck_assert(!file_name_is_home(foreign[_i], &shard));
    ck_assert_uint_eq(name.number, 77);
    ck_assert_uint_eq(shard, 77);
}
END_TEST

START_TEST(names_belong_to_their_home)
{
    struct medium_name name;
    ck_assert(!file_name_parse("00000001.seg", store_name(), &name));
    ck_assert(!file_name_parse("spare.tmp", store_name(), &name));
    ck_assert(!file_name_parse("STORE", segment_name(0, 1), &name));
}
END_TEST

static const struct {
    const char *text;
    bool in_store, in_shard;
} temporary[] = {
    {"STORE.tmp", true, false},
    {"00000001.idx.tmp", false, true},
    {"spare.tmp", false, false},
    {"00000001.seg.tmp", false, false},
    {"00000001.idx", false, false},
    {"STORE", false, false},
    {".tmp", false, false},
    {"tmp", false, false},
    {"notes.tmp", false, false},
    {"1.idx.tmp", false, false},
    {"STORE.tmp.tmp", false, false},
    {"a name that is much longer than anything that this program would write.tmp", false, false},
};

START_TEST(leftovers_are_told_from_others)
{
    ck_assert(file_name_is_temporary(temporary[_i].text, store_name()) == temporary[_i].in_store);
    ck_assert(file_name_is_temporary(temporary[_i].text, hint_name(3, 1)) ==
              temporary[_i].in_shard);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("file_name");
    TCase *tcase = tcase_create("names");
    tcase_add_loop_test(tcase, names_are_written, 0, sizeof written / sizeof *written);
    tcase_add_loop_test(tcase, what_is_written_parses, 0, sizeof written / sizeof *written);
    tcase_add_loop_test(tcase, foreign_names_do_not, 0, sizeof foreign / sizeof *foreign);
    tcase_add_test(tcase, names_belong_to_their_home);
    tcase_add_loop_test(tcase, leftovers_are_told_from_others, 0,
                        sizeof temporary / sizeof *temporary);
    suite_add_tcase(suite, tcase);
    return suite;
}
