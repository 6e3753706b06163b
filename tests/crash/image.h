/* What is on a disk: files and directories, whole or as a power cut left them.
 *
 * Copies are cheap: nodes (files and directories) and pages are shared until one of them changes.
 * A node has a number for good and may have no name: a file that was unlinked, or not yet entered
 * into its directory. Node 0 is the root. Single-threaded; aborts when there is no memory. */
#ifndef TESTS_CRASH_IMAGE_H
#define TESTS_CRASH_IMAGE_H

#include "base/random.h"
#include "base/span.h"

#define IMAGE_PAGE_BYTES 4096u
#define IMAGE_SECTOR_BYTES 512u
#define IMAGE_NODES_MAX 512u
#define IMAGE_NAME_BYTES 24u
#define IMAGE_ROOT 0u
#define IMAGE_NONE UINT32_MAX

struct image_page {
    uint32_t users;
    bool is_hashed;
    uint64_t hash;
    uint8_t bytes[IMAGE_PAGE_BYTES];
};

struct image_entry {
    char name[IMAGE_NAME_BYTES];
    uint32_t node;
};

struct image_node {
    uint32_t users;
    bool is_directory;
    uint64_t bytes;            /* file */
    struct image_page **pages; /* file; NULL: zeroes */
    uint32_t pages_count;
    struct image_entry *entries; /* directory, in no order */
    uint32_t entries_count;
};

struct image {
    struct image_node *nodes[IMAGE_NODES_MAX];
    uint32_t count;
};

/* An empty root. */
struct image *image_open(void);
struct image *image_copy(const struct image *image);
void image_close(struct image *image);

/* A new, empty node without a name. */
uint32_t image_add(struct image *image, bool is_directory);

/* The node of a name; IMAGE_NONE: there is none, or `directory` is a file. */
uint32_t image_find(const struct image *image, uint32_t directory, const char *name);
/* How many names a node has. */
uint32_t image_names(const struct image *image, uint32_t node);
/* Enters the name, in place of what had it. */
void image_enter(struct image *image, uint32_t directory, const char *name, uint32_t node);
/* Harmless when the name is not there. */
void image_leave(struct image *image, uint32_t directory, const char *name);

/* Bytes beyond the old size are zeroes. */
void image_resize(struct image *image, uint32_t node, uint64_t bytes);
/* What lies beyond the file's size is dropped: resize first. `bytes` may be NULL: zeroes. */
void image_write(struct image *image, uint32_t node, const void *bytes, uint32_t size,
                 uint64_t offset);
/* How many there were. */
uint32_t image_read(const struct image *image, uint32_t node, void *bytes, uint32_t size,
                    uint64_t offset);
/* Whether the range is what the file has there; beyond its end it is not. */
bool image_holds(const struct image *image, uint32_t node, const void *bytes, uint32_t size,
                 uint64_t offset);

static inline uint64_t image_size(const struct image *image, uint32_t node)
{
    return image->nodes[node]->bytes;
}

/* Of everything that can be reached by a name. */
uint64_t image_hash(struct image *image);

#endif
