/* The disks that a power cut at a moment of a journal could leave.
 *
 * Of what is pending each thing may have reached the disk or not, by itself: every sector of a
 * write, a file's new size, every change of a directory (the two halves of a rename never apart).
 * And where a file was made longer, it may be only some of that, or have old contents: another
 * file's in the same place, or noise. A state is a choice among these. Where they are few all
 * choices are states; else a sample is drawn: nothing, everything, all but one, only one, whole
 * changes in or out, torn ones. */
#ifndef TESTS_CRASH_STATES_H
#define TESTS_CRASH_STATES_H

#include "tests/crash/walker.h"

#define STATES_UNITS_MAX 4096u

enum states_unit_kind {
    UNIT_CHANGE, /* of a directory or a size */
    UNIT_SECTOR, /* of a write */
    UNIT_SIZE,   /* of a write: the file is longer now */
    UNIT_SHORT,  /* a file that grew did so only in part */
    UNIT_SOILED, /* a file that grew has old contents there */
};

/* One thing that may be or not. */
struct states_unit {
    enum states_unit_kind kind;
    uint32_t pending; /* its place */
    uint32_t sector;
};

/* The choices that there are at one moment. */
struct states {
    const struct walker *walker;
    struct states_unit units[STATES_UNITS_MAX];
    uint32_t units_count;
    uint32_t count; /* of states */
    bool sampled;
};

/* At the walker's present moment, until its next step; `most` states at most, 4 or more. */
void states_init(struct states *states, const struct walker *walker, uint32_t most);
/* State 0 … count-1, to be closed; the same for the same journal and seed. */
struct image *states_make(const struct states *states, uint32_t number, uint64_t seed);

#endif
