#include "tests/storage/medium/medium_bed.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct medium_file_options file_options = {.create = false, .durable = true};

static char ground[32];

void medium_ground_open(const char *parent)
{
    snprintf(ground, sizeof ground, "%s/mailrace-XXXXXX", parent);
    ck_assert_ptr_nonnull(mkdtemp(ground));
    ck_assert_int_eq(chmod(ground, 0755), 0); /* for tests that give up their privilege */
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

void medium_ground_close(void)
{
    ck_assert_int_eq(nftw(ground, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static uint64_t bed_monotonic_ns(void *context)
{
    return ((struct medium_bed *)context)->now_ns;
}

struct medium *medium_bed_another(struct medium_bed *bed)
{
    struct medium *medium;
    struct fault fault = {.text = ""};
    enum status status =
        bed->disk ? medium_sim_open(&medium, bed->disk)
                  : medium_file_open(&medium, &bed->ring, bed->directory, &file_options, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return medium;
}

void medium_bed_open_file(struct medium_bed *bed)
{
    struct fault fault;
    memset(bed, 0, sizeof *bed);
    snprintf(bed->directory, sizeof bed->directory, "%s/XXXXXX", ground);
    ck_assert_ptr_nonnull(mkdtemp(bed->directory));
    ck_assert_msg(ring_open(&bed->ring, 64, &fault) == STATUS_OK, "%s", fault.text);
    bed->medium = medium_bed_another(bed);
}

void medium_bed_open_sim(struct medium_bed *bed, const struct sim_disk_options *options)
{
    memset(bed, 0, sizeof *bed);
    bed->clock = (struct clock){bed_monotonic_ns, bed_monotonic_ns, bed};
    ck_assert_int_eq(sim_disk_open(&bed->disk, options, &bed->clock), STATUS_OK);
    bed->medium = medium_bed_another(bed);
}

void medium_bed_close(struct medium_bed *bed)
{
    if (bed->medium)
        bed->medium->calls->deinit(bed->medium);
    if (bed->disk) {
        sim_disk_close(bed->disk);
        return;
    }
    ring_close(&bed->ring);
}

void medium_bed_step(struct medium_bed *bed)
{
    bed->now_ns += 100000;
    bed->medium->calls->poll(bed->medium, false);
}

const char *medium_bed_path(const struct medium_bed *bed, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", bed->directory, name);
    return path;
}

void counted_op_done(struct medium_op *op)
{
    struct counted_op *counted = (struct counted_op *)op;
    counted->ended++;
    if (counted->turn)
        counted->place = ++*counted->turn;
}

struct medium_object *must_open(struct medium *medium, struct medium_name name)
{
    struct medium_object *object = NULL;
    ck_assert_int_eq(medium->calls->open(medium, name, &object), STATUS_OK);
    return object;
}

struct medium_object *must_make_segment(struct medium *medium, uint32_t shard, uint32_t number,
                                        uint64_t bytes)
{
    ck_assert_int_eq(medium_prepare_wait(medium, shard, bytes), 0);
    ck_assert_int_eq(medium_adopt_wait(medium, shard, number), 0);
    return must_open(medium, segment_name(shard, number));
}

bool medium_has(struct medium *medium, struct medium_name name)
{
    struct medium_object *object;
    enum status status = medium->calls->open(medium, name, &object);
    ck_assert(status == STATUS_OK || status == STATUS_ABSENT);
    if (status == STATUS_OK)
        medium->calls->close(medium, object);
    return status == STATUS_OK;
}

bool medium_holds(struct medium *medium, struct medium_name name, struct span bytes)
{
    struct medium_object *object = must_open(medium, name);
    uint8_t *read = malloc(bytes.size + 1);
    ck_assert_ptr_nonnull(read);
    int64_t size = medium_read_wait(medium, object, read, (uint32_t)bytes.size + 1, 0);
    bool same = medium->calls->size(object) == bytes.size && span_equal(bytes, span_of(read, size));
    free(read);
    medium->calls->close(medium, object);
    return same;
}

static void listing_visit(void *context, struct medium_name name, uint64_t bytes)
{
    struct listing *listing = context;
    ck_assert_uint_lt(listing->count, sizeof listing->seen / sizeof *listing->seen);
    listing->seen[listing->count].name = name;
    listing->seen[listing->count++].bytes = bytes;
}

struct listing medium_list(struct medium *medium)
{
    struct listing listing = {.count = 0};
    struct fault fault = {.text = ""};
    enum status status = medium->calls->list(medium, listing_visit, &listing, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return listing;
}

bool listing_has(const struct listing *listing, struct medium_name name, uint64_t bytes)
{
    unsigned times = 0;
    for (unsigned i = 0; i < listing->count; i++) {
        struct medium_name seen = listing->seen[i].name;
        times += seen.kind == name.kind && seen.shard == name.shard && seen.number == name.number &&
                 listing->seen[i].bytes == bytes;
    }
    return times == 1;
}
