/* What every base of the mailbox index must do, whatever it stands on. */
#ifndef TESTS_STORAGE_INDEX_INDEX_BED_H
#define TESTS_STORAGE_INDEX_INDEX_BED_H

#include "storage/index/index.h"

#include <check.h>

struct index_bed {
    struct index *(*open)(
        void);            /* a new one, for each test; or again, what was there if it lasts */
    void (*remove)(void); /* at a test's end, after it was closed */
    bool lasts;           /* what runs did is there when it is opened again */
};

/* Adds the tests of the contract; `bed` outlives the suite. */
void index_bed_add_tests(TCase *tcase, const struct index_bed *bed);

/* What the index has from `prefix` on, as "key=value " texts, sums as numbers; good until the next
 * call. */
const char *index_bed_text(struct index *index, const char *prefix);
/* "a=1 b- c+5": a run that puts, removes and adds. */
enum status index_bed_run(struct index *index, const char *changes);

#endif
