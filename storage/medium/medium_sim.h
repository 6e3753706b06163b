/* The medium in a simulation: files, sectors, directory entries and time, all from one seed.
 *
 * A `disk` outlives the media opened on it, as a disk outlives a process. It keeps for every object
 * the durable bytes and the writes in flight, per 512-byte sector, and for the directory the
 * durable and the pending changes. sim_disk_crash ends every operation under way: for each
 * unfinished write any subset of its sectors may have reached the disk, each unfinished directory
 * change may or may not have happened; which ones is drawn from the seed. Faults (EIO, ENOSPC,
 * short or slow operations) are drawn too, at the rates given. Time is the simulation's clock:
 * operations complete at a drawn moment, seen by poll. A poll that may wait ends the medium's
 * earliest operation at once when none is due, whatever the clock says: the cold paths that wait
 * need nobody to turn it. The same calls at the same times give the same completions and the same
 * bytes. A buffer that changes while a write or publish is under way is caught as a bug.
 *
 * A read sees what was completed, and of writes under way nothing or any sectors. A failed change
 * of the directory has happened or not; a prepare cut short leaves the old spare, none, or one that
 * is too short, all zeroes or full of a removed segment's bytes; a recycling cut short any part of
 * its block. */
#ifndef STORAGE_MEDIUM_MEDIUM_SIM_H
#define STORAGE_MEDIUM_MEDIUM_SIM_H

#include "base/clock.h"
#include "base/random.h"
#include "storage/medium/medium.h"

struct sim_disk;

struct sim_disk_options {
    uint64_t seed;
    uint64_t capacity_bytes;                 /* 0: no limit */
    uint64_t latency_ns_min, latency_ns_max; /* of one operation */
    uint32_t write_errors_per_million;       /* -EIO; any part may have been written */
    uint32_t read_errors_per_million;        /* -EIO */
};

/* An empty disk; `clock` is the simulation's and outlives it. FULL: no memory. */
enum status sim_disk_open(struct sim_disk **disk, const struct sim_disk_options *options,
                          struct clock *clock) MUST_CHECK;
void sim_disk_close(struct sim_disk *disk);

/* A power cut, now. Media still open on the disk are dead: their operations never complete, only
 * deinit is allowed. Fences are released. */
void sim_disk_crash(struct sim_disk *disk);

/* Changes the error rates from now on (tests of single faults, healing before a check). */
void sim_disk_set_errors(struct sim_disk *disk, uint32_t write_per_million,
                         uint32_t read_per_million);
void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes);

/* Flips bits of a durable byte: data at rest going bad. */
void sim_disk_damage(struct sim_disk *disk, struct medium_name name, uint64_t offset, uint8_t xor);

/* The earliest moment an operation completes, UINT64_MAX when none is under way: the simulation's
 * clock jumps there. */
uint64_t sim_disk_next_ns(const struct sim_disk *disk);

/* Another user of the disk: one per shard, and one to open the store. FULL: no memory. */
enum status medium_sim_open(struct medium **medium, struct sim_disk *disk) MUST_CHECK;

#endif
