#include "storage/medium/sim_file.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <malloc.h>
#include <stdlib.h>

#define FILE_BYTES (3 * SIM_EXTENT_BYTES + 4096)

/* Ranges in and across extents, against a plain array. */
START_TEST(bytes_are_kept)
{
    static const struct {
        uint32_t offset, size;
    } writes[] = {
        {0, 1},
        {SIM_EXTENT_BYTES - 1, 2},
        {10, 2 * SIM_EXTENT_BYTES},
        {3 * SIM_EXTENT_BYTES, 4096},
        {FILE_BYTES - 1, 1},
        {77, 0},
        {FILE_BYTES, 0},
        {0, FILE_BYTES},
    };
    static uint8_t model[FILE_BYTES], bytes[FILE_BYTES], out[FILE_BYTES];
    struct sim_file *file = sim_file_open(segment_name(0, 1), FILE_BYTES);
    for (uint8_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        sim_file_read(file, out, FILE_BYTES, 0);
        ck_assert_mem_eq(out, model, FILE_BYTES);
        memset(bytes, i + 1, sizeof bytes);
        memcpy(model + writes[i].offset, bytes, writes[i].size);
        sim_file_write(file, bytes, writes[i].size, writes[i].offset);
        sim_file_read(file, out, writes[i].size, writes[i].offset);
        ck_assert_mem_eq(out, bytes, writes[i].size);
    }
    sim_file_free(file);
}
END_TEST

/* A disk with 64 segments of 256 MiB, a block in each, in the memory of a few. */
START_TEST(zeroes_cost_nothing)
{
    enum { FILES = 64 };
    struct sim_file *files[FILES];
    uint8_t block[4096] = {1};
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < FILES; i++) {
        files[i] = sim_file_open(segment_name(0, i + 1), 256u << 20);
        sim_file_write(files[i], block, sizeof block, 200u << 20);
    }
    ck_assert_uint_le(mallinfo2().uordblks - before, 16u << 20);
    for (uint32_t i = 0; i < FILES; i++)
        sim_file_free(files[i]);
}
END_TEST

/* How many of a file's sectors hold this byte throughout. */
static unsigned sectors_of(const struct sim_file *file, uint8_t byte)
{
    uint8_t sector[SIM_SECTOR_BYTES], same[SIM_SECTOR_BYTES];
    unsigned count = 0;
    memset(same, byte, sizeof same);
    for (uint64_t at = 0; at < file->bytes; at += sizeof sector) {
        sim_file_read(file, sector, sizeof sector, at);
        count += memcmp(sector, same, sizeof sector) == 0;
    }
    return count;
}

START_TEST(soiling_brings_whole_old_sectors)
{
    static uint8_t bytes[FILE_BYTES];
    unsigned total = FILE_BYTES / SIM_SECTOR_BYTES, some = 0;
    memset(bytes, 'o', sizeof bytes);
    struct sim_file *old = sim_file_open(segment_name(0, 1), FILE_BYTES);
    sim_file_write(old, bytes, sizeof bytes, 0);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct random random = {.state = seed};
        struct sim_file *file = sim_file_open(spare_name(0), FILE_BYTES - 8192);
        sim_file_soil(file, old, &random);
        unsigned kept = sectors_of(file, 'o'), zero = sectors_of(file, 0);
        ck_assert_uint_eq(kept + zero, total - 16);
        some += kept > 0 && zero > 0;
        sim_file_free(file);
    }
    ck_assert_uint_gt(some, 10);
    sim_file_free(old);
}
END_TEST

START_TEST(soiling_makes_noise_where_nothing_was)
{
    struct random random = {.state = 1}, same = {.state = 1};
    struct sim_file *a = sim_file_open(spare_name(0), FILE_BYTES);
    struct sim_file *b = sim_file_open(spare_name(0), FILE_BYTES);
    static uint8_t in_a[FILE_BYTES], in_b[FILE_BYTES];
    sim_file_soil(a, NULL, &random);
    sim_file_soil(b, NULL, &same);
    ck_assert_uint_lt(sectors_of(a, 0), FILE_BYTES / SIM_SECTOR_BYTES);
    sim_file_read(a, in_a, FILE_BYTES, 0);
    sim_file_read(b, in_b, FILE_BYTES, 0);
    ck_assert_mem_eq(in_a, in_b, FILE_BYTES);
    sim_file_free(a);
    sim_file_free(b);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sim_file");
    TCase *tcase = tcase_create("bytes");
    tcase_add_test(tcase, bytes_are_kept);
    tcase_add_test(tcase, zeroes_cost_nothing);
    tcase_add_test(tcase, soiling_brings_whole_old_sectors);
    tcase_add_test(tcase, soiling_makes_noise_where_nothing_was);
    suite_add_tcase(suite, tcase);
    return suite;
}
