/* A file of a simulated disk: a size, and its bytes as far as any were written.
 *
 * Sparse, since a disk full of 256 MiB segments must fit in memory: extents come at the first
 * write, the rest reads as zeroes. Counted users: the directory entry and every open object. */
#ifndef STORAGE_MEDIUM_SIM_FILE_H
#define STORAGE_MEDIUM_SIM_FILE_H

#include "base/random.h"
#include "storage/medium/medium.h"

#define SIM_EXTENT_BYTES 65536u
#define SIM_SECTOR_BYTES 512u

struct sim_file {
    struct sim_file *next; /* in the directory, by name */
    struct medium_name name;
    uint32_t users;
    uint64_t bytes;
    uint8_t *extents[]; /* NULL: zeroes */
};

/* All zeroes, with one user. Aborts when there is no memory: a simulation can't go on. */
struct sim_file *sim_file_open(struct medium_name name, uint64_t bytes);
void sim_file_free(struct sim_file *file);

/* The range lies within the file. */
void sim_file_read(const struct sim_file *file, void *bytes, uint32_t size, uint64_t offset);
void sim_file_write(struct sim_file *file, const void *bytes, uint32_t size, uint64_t offset);

/* Gives the file, drawn sector by sector, what another one (NULL: noise) had in the same place. */
void sim_file_soil(struct sim_file *file, const struct sim_file *old, struct random *random);

#endif
