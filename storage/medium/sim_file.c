#include "storage/medium/sim_file.h"

#include "base/invariant.h"

#include <stdlib.h>

static uint64_t extents_count(uint64_t bytes)
{
    return bytes / SIM_EXTENT_BYTES + (bytes % SIM_EXTENT_BYTES != 0);
}

struct sim_file *sim_file_open(struct medium_name name, uint64_t bytes)
{
    struct sim_file *file =
        calloc(1, sizeof *file + extents_count(bytes) * sizeof file->extents[0]);
    INVARIANT(file);
    file->name = name;
    file->users = 1;
    file->bytes = bytes;
    return file;
}

void sim_file_free(struct sim_file *file)
{
    for (uint64_t i = 0; i < extents_count(file->bytes); i++)
        free(file->extents[i]);
    free(file);
}

/* The part of a range that lies in one extent. */
struct piece {
    uint64_t extent;
    uint32_t start, size;
};

static struct piece piece_of(const struct sim_file *file, uint32_t size, uint64_t offset)
{
    INVARIANT(offset <= file->bytes && size <= file->bytes - offset);
    uint32_t start = (uint32_t)(offset % SIM_EXTENT_BYTES), room = SIM_EXTENT_BYTES - start;
    return (struct piece){offset / SIM_EXTENT_BYTES, start, size < room ? size : room};
}

void sim_file_read(const struct sim_file *file, void *bytes, uint32_t size, uint64_t offset)
{
    for (uint32_t moved = 0; moved < size;) {
        struct piece piece = piece_of(file, size - moved, offset + moved);
        const uint8_t *extent = file->extents[piece.extent];
        if (extent)
            memcpy((uint8_t *)bytes + moved, extent + piece.start, piece.size);
        else
            memset((uint8_t *)bytes + moved, 0, piece.size);
        moved += piece.size;
    }
}

void sim_file_write(struct sim_file *file, const void *bytes, uint32_t size, uint64_t offset)
{
    for (uint32_t moved = 0; moved < size;) {
        struct piece piece = piece_of(file, size - moved, offset + moved);
        uint8_t **extent = &file->extents[piece.extent];
        if (!*extent)
            *extent = calloc(1, SIM_EXTENT_BYTES);
        INVARIANT(*extent);
        memcpy(*extent + piece.start, (const uint8_t *)bytes + moved, piece.size);
        moved += piece.size;
    }
}

/* Noise needs no more than this to be met by whoever trusts a spare that was never finished. */
#define NOISE_SECTORS 64

static void soil_with_noise(struct sim_file *file, struct random *random)
{
    uint64_t noise[SIM_SECTOR_BYTES / sizeof(uint64_t)];
    uint64_t sectors = file->bytes / SIM_SECTOR_BYTES;
    for (uint64_t i = 0; i < NOISE_SECTORS && i < sectors; i++) {
        for (size_t word = 0; word < sizeof noise / sizeof *noise; word++)
            noise[word] = random_next(random);
        /* Half of it at the beginning, where a reader looks first. */
        uint64_t sector = i % 2 ? random_below(random, sectors) : i / 2;
        sim_file_write(file, noise, sizeof noise, sector * SIM_SECTOR_BYTES);
    }
}

void sim_file_soil(struct sim_file *file, const struct sim_file *old, struct random *random)
{
    uint8_t sector[SIM_SECTOR_BYTES];
    if (!old) {
        soil_with_noise(file, random);
        return;
    }
    uint64_t bytes = file->bytes < old->bytes ? file->bytes : old->bytes;
    for (uint64_t i = 0; i < extents_count(bytes); i++) {
        if (!old->extents[i])
            continue;
        uint64_t end = (i + 1) * SIM_EXTENT_BYTES < bytes ? (i + 1) * SIM_EXTENT_BYTES : bytes;
        uint64_t kept = random_below(random, 9); /* eighths of this extent's sectors */
        for (uint64_t at = i * SIM_EXTENT_BYTES; at + sizeof sector <= end; at += sizeof sector) {
            if (random_below(random, 8) >= kept)
                continue;
            sim_file_read(old, sector, sizeof sector, at);
            sim_file_write(file, sector, sizeof sector, at);
        }
    }
}
