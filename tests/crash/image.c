#include "tests/crash/image.h"

#include "base/hash.h"
#include "base/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t zeroes[IMAGE_PAGE_BYTES];

static void *take(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    INVARIANT(memory);
    return memory;
}

/* ---- pages ---- */

static void page_drop(struct image_page *page)
{
    if (page && --page->users == 0)
        free(page);
}

/* A page that may be changed, in place of one that may be shared. */
static struct image_page *page_own(struct image_page **place)
{
    struct image_page *page = *place;
    if (!page || page->users > 1) {
        struct image_page *own = malloc(sizeof(*own));
        INVARIANT(own);
        memcpy(own->bytes, page ? page->bytes : zeroes, IMAGE_PAGE_BYTES);
        own->users = 1;
        page_drop(page);
        *place = page = own;
    }
    page->is_hashed = false;
    return page;
}

static uint64_t page_hash(struct image_page *page)
{
    if (!page)
        return 0;
    if (!page->is_hashed) {
        bool is_zero = memcmp(page->bytes, zeroes, IMAGE_PAGE_BYTES) == 0;
        page->hash = is_zero ? 0 : hash64(span_of(page->bytes, IMAGE_PAGE_BYTES), 0);
        page->is_hashed = true;
    }
    return page->hash;
}

/* ---- nodes ---- */

static void node_drop(struct image_node *node)
{
    if (--node->users > 0)
        return;
    for (uint32_t i = 0; i < node->pages_count; i++)
        page_drop(node->pages[i]);
    free(node->pages);
    free(node->entries);
    free(node);
}

/* A node that may be changed. */
static struct image_node *node_own(struct image *image, uint32_t number)
{
    INVARIANT(number < image->count);
    struct image_node *node = image->nodes[number];
    if (node->users == 1)
        return node;
    struct image_node *own = take(1, sizeof(*own));
    *own = *node;
    own->users = 1;
    own->pages = take(node->pages_count, sizeof(*own->pages));
    own->entries = take(node->entries_count, sizeof(*own->entries));
    for (uint32_t i = 0; i < node->pages_count; i++) {
        own->pages[i] = node->pages[i];
        if (own->pages[i])
            own->pages[i]->users++;
    }
    if (node->entries_count > 0)
        memcpy(own->entries, node->entries, node->entries_count * sizeof(*own->entries));
    node_drop(node);
    return image->nodes[number] = own;
}

/* ---- images ---- */

struct image *image_open(void)
{
    struct image *image = take(1, sizeof(*image));
    uint32_t root = image_add(image, true);
    INVARIANT(root == IMAGE_ROOT);
    return image;
}

struct image *image_copy(const struct image *image)
{
    struct image *copy = malloc(sizeof(*copy));
    INVARIANT(copy);
    copy->count = image->count;
    for (uint32_t i = 0; i < image->count; i++) {
        copy->nodes[i] = image->nodes[i];
        copy->nodes[i]->users++;
    }
    return copy;
}

void image_close(struct image *image)
{
    for (uint32_t i = 0; i < image->count; i++)
        node_drop(image->nodes[i]);
    free(image);
}

uint32_t image_add(struct image *image, bool is_directory)
{
    INVARIANT(image->count < IMAGE_NODES_MAX);
    struct image_node *node = take(1, sizeof(*node));
    node->users = 1;
    node->is_directory = is_directory;
    image->nodes[image->count] = node;
    return image->count++;
}

/* ---- directories ---- */

static struct image_entry *entry_of(const struct image_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->entries_count; i++)
        if (strcmp(node->entries[i].name, name) == 0)
            return &node->entries[i];
    return NULL;
}

uint32_t image_find(const struct image *image, uint32_t directory, const char *name)
{
    const struct image_entry *entry = entry_of(image->nodes[directory], name);
    return entry ? entry->node : IMAGE_NONE;
}

uint32_t image_names(const struct image *image, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < image->count; i++)
        for (uint32_t e = 0; e < image->nodes[i]->entries_count; e++)
            count += image->nodes[i]->entries[e].node == node;
    return count;
}

void image_enter(struct image *image, uint32_t directory, const char *name, uint32_t node)
{
    struct image_node *own = node_own(image, directory);
    struct image_entry *entry = entry_of(own, name);
    INVARIANT(own->is_directory && strlen(name) < IMAGE_NAME_BYTES);
    if (!entry) {
        size_t bytes = (own->entries_count + 1) * sizeof(*own->entries);
        own->entries = realloc(own->entries, bytes);
        INVARIANT(own->entries);
        entry = &own->entries[own->entries_count++];
        snprintf(entry->name, sizeof(entry->name), "%s", name);
    }
    entry->node = node;
}

void image_leave(struct image *image, uint32_t directory, const char *name)
{
    struct image_node *own = node_own(image, directory);
    struct image_entry *entry = entry_of(own, name);
    if (entry)
        *entry = own->entries[--own->entries_count];
}

/* ---- files ---- */

void image_resize(struct image *image, uint32_t node, uint64_t bytes)
{
    struct image_node *own = node_own(image, node);
    uint32_t count = (uint32_t)((bytes + IMAGE_PAGE_BYTES - 1) / IMAGE_PAGE_BYTES);
    for (uint32_t i = count; i < own->pages_count; i++)
        page_drop(own->pages[i]);
    if (count > 0 && count != own->pages_count) {
        own->pages = realloc(own->pages, count * sizeof(*own->pages));
        INVARIANT(own->pages);
    }
    for (uint32_t i = own->pages_count; i < count; i++)
        own->pages[i] = NULL;
    own->pages_count = count;
    if (bytes < own->bytes && bytes % IMAGE_PAGE_BYTES != 0 && own->pages[count - 1])
        memset(page_own(&own->pages[count - 1])->bytes + bytes % IMAGE_PAGE_BYTES, 0,
               IMAGE_PAGE_BYTES - bytes % IMAGE_PAGE_BYTES);
    own->bytes = bytes;
}

/* The part of a range that lies in one page. */
static uint32_t piece(uint32_t left, uint64_t offset)
{
    uint32_t room = IMAGE_PAGE_BYTES - (uint32_t)(offset % IMAGE_PAGE_BYTES);
    return left < room ? left : room;
}

static uint32_t clip(const struct image *image, uint32_t node, uint32_t size, uint64_t offset)
{
    uint64_t bytes = image->nodes[node]->bytes;
    uint64_t left = offset < bytes ? bytes - offset : 0;
    return size < left ? size : (uint32_t)left;
}

static const uint8_t *source(const void *bytes, uint32_t at)
{
    return bytes ? (const uint8_t *)bytes + at : zeroes;
}

void image_write(struct image *image, uint32_t node, const void *bytes, uint32_t size,
                 uint64_t offset)
{
    struct image_node *own = node_own(image, node);
    size = clip(image, node, size, offset);
    for (uint32_t at = 0, step; at < size; at += step) {
        struct image_page **page = &own->pages[(offset + at) / IMAGE_PAGE_BYTES];
        step = piece(size - at, offset + at);
        if (*page || (bytes && memcmp(source(bytes, at), zeroes, step) != 0))
            memcpy(page_own(page)->bytes + (offset + at) % IMAGE_PAGE_BYTES, source(bytes, at),
                   step);
    }
}

static const uint8_t *page_bytes(const struct image *image, uint32_t node, uint64_t offset)
{
    const struct image_page *page = image->nodes[node]->pages[offset / IMAGE_PAGE_BYTES];
    return (page ? page->bytes : zeroes) + offset % IMAGE_PAGE_BYTES;
}

uint32_t image_read(const struct image *image, uint32_t node, void *bytes, uint32_t size,
                    uint64_t offset)
{
    size = clip(image, node, size, offset);
    for (uint32_t at = 0, step; at < size; at += step) {
        step = piece(size - at, offset + at);
        /* memcpy of at most a page is inlined by gcc, as the slow `rep movs` */
        memmove((uint8_t *)bytes + at, page_bytes(image, node, offset + at), step);
    }
    return size;
}

bool image_holds(const struct image *image, uint32_t node, const void *bytes, uint32_t size,
                 uint64_t offset)
{
    if (clip(image, node, size, offset) != size)
        return false;
    for (uint32_t at = 0, step; at < size; at += step) {
        step = piece(size - at, offset + at);
        if (memcmp(page_bytes(image, node, offset + at), source(bytes, at), step) != 0)
            return false;
    }
    return true;
}

/* ---- comparing ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    struct random random = {.state = a ^ (b * 0xD6E8FEB86659FD93ull)};
    return random_next(&random);
}

static uint64_t node_hash(struct image *image, uint32_t number)
{
    struct image_node *node = image->nodes[number];
    uint64_t hash = mix(node->bytes, node->is_directory);
    for (uint32_t i = 0; i < node->pages_count; i++)
        if (node->pages[i] && page_hash(node->pages[i]) != 0)
            hash += mix(page_hash(node->pages[i]), i + 1);
    for (uint32_t i = 0; i < node->entries_count; i++) {
        const struct image_entry *entry = &node->entries[i];
        struct span name = span_of(entry->name, strlen(entry->name));
        hash += mix(hash64(name, 0), node_hash(image, entry->node));
    }
    return mix(hash, 1);
}

uint64_t image_hash(struct image *image)
{
    return node_hash(image, IMAGE_ROOT);
}
