/* A program without RocksDB. */
#include "storage/index/index_rocks.h"

#include <stddef.h>

struct index *index_rocks_open(const char *directory, bool read_only)
{
    (void)directory;
    (void)read_only;
    return NULL;
}
