/* The worked example of storage/FORMAT.md is a real store, byte by byte. */
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char dump[16384];
static size_t dump_size;

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dump_size += (size_t)vsnprintf(dump + dump_size, sizeof(dump) - dump_size, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt(dump_size, sizeof(dump));
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* As hexdump -C does, without the lines that are all zero. */
static void dump_object(struct medium *medium, struct medium_name name, uint32_t size)
{
    struct medium_object *object = must_open(medium, name);
    uint8_t *bytes = calloc(1, size + 16);
    ck_assert_int_eq(medium_read_wait(medium, object, bytes, size, 0), size);
    for (uint32_t at = 0; at < size; at += 16) {
        if (is_zero(bytes + at, 16))
            continue;
        print("%08x ", at);
        for (uint32_t i = at; i < at + 16; i++)
            print(" %02x", bytes[i]);
        print("  ");
        for (uint32_t i = at; i < at + 16; i++)
            print("%c", bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
        print("\n");
    }
    free(bytes);
    medium->calls->close(medium, object);
}

static char *read_document(void)
{
    FILE *file = fopen(getenv("FORMAT_MD"), "r");
    char *text = calloc(1, 65536);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, 65535, file), 0);
    fclose(file);
    return text;
}

/* One message to two mailboxes, one deletion, closed in order. */
START_TEST(the_example_is_real)
{
    static struct store_bed bed;
    static const struct {
        struct medium_name name;
        uint32_t size;
    } objects[] = {
        {{.kind = MEDIUM_STORE}, 64},
        {{.kind = MEDIUM_SEGMENT, .number = 1}, 5 * 4096},
    };
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 2026});
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 32, "ab", 1), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 1), STATUS_OK);
    store_bed_close(&bed);
    struct medium *medium;
    char *document = read_document();
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
        dump_size = 0;
        dump_object(medium, objects[i].name, objects[i].size);
        if (!strstr(document, dump))
            ck_abort_msg("the document should have:\n%s", dump);
    }
    medium->calls->deinit(medium);
    store_bed_deinit(&bed);
    free(document);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("format");
    TCase *tcase = tcase_create("format");
    tcase_add_test(tcase, the_example_is_real);
    suite_add_tcase(suite, tcase);
    return suite;
}
