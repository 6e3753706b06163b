/* The formats of all that a store consists of, looked at before anything is changed.
 *
 * STORE says the format of a store as a whole. A segment or hint that is newer is there all the
 * same after a mistake: an older program had the store in between, or files were copied. It must be
 * met before recovery repairs the logs in front of it. */
#ifndef STORAGE_FORMATS_H
#define STORAGE_FORMATS_H

#include "storage/medium/medium.h"

/* NEWER with a line that names the first object of a newer format. What can't be read is left to
 * recovery. */
enum status formats_check(struct medium *medium, const uint8_t store[16],
                          struct fault *fault) MUST_CHECK;

#endif
