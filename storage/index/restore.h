/* Opening a store's logs and index together: recovery, and what the base lacks put above it.
 *
 * An index that is of another store, of another format, not complete, damaged, or that knows more
 * than the logs do, is emptied and built anew. A reader, who may not change it, then makes one of
 * its own in memory. */
#ifndef STORAGE_INDEX_RESTORE_H
#define STORAGE_INDEX_RESTORE_H

#include "base/status.h"

struct store;

/* With the identity read; fills in everything behind it. */
enum status restore_store(struct store *store, struct fault *fault) MUST_CHECK;

#endif
