/* The base of the mailbox index on RocksDB: a folder beside the logs.
 *
 * A run is one table file, written aside and taken in whole (ingestion): no write-ahead log, no
 * memory tables, nothing that a crash could leave half done. The folder may be deleted at any time
 * while nobody has the store open. One process writes; others may read what it had when they
 * opened it. */
#ifndef STORAGE_INDEX_INDEX_ROCKS_H
#define STORAGE_INDEX_INDEX_ROCKS_H

#include "storage/index/index.h"

/* In `directory`/index, which is made if need be. A damaged one is deleted, with a line in the log.
 * NULL when there is none: it can't be opened now, which a line says, or this program was built
 * without RocksDB. A store then makes its own, in memory. */
struct index *index_rocks_open(const char *directory, bool read_only);

#endif
