/* Reading one segment from end to end: every batch that can be found in it.
 *
 * Of a compacted segment that is every record in its map. Else batches follow one another; where
 * none follows, the rest is searched block by block, since a damaged batch in the middle of a log
 * must not hide those behind it. What looks like the end, or damaged, is read a second time: a disk
 * that gave the bytes of another place once must not make a log look shorter than it is. What the
 * findings mean, torn or damaged, only the whole log can tell (recover.h). Reads 4 MiB at a time,
 * and nothing behind the end of a log that was closed in order: unwritten blocks in the page cache
 * slow the writer. */
#ifndef STORAGE_SCAN_H
#define STORAGE_SCAN_H

#include "storage/batch.h"
#include "storage/reclaim/contents.h"

struct scan_batch {
    struct batch_header header;
    uint64_t offset;
    size_t hint_start, hint_end; /* what it added to the hint, whole hint's offsets */
    uint64_t record_bytes;       /* of good records */
    uint32_t bad;                /* records that fail their checks */
    bool counts;                 /* set by chain_resolve: part of the log */
};

struct scan {
    /* Given. */
    struct medium *medium;
    struct medium_object *object;
    struct medium_name name;
    const uint8_t *store; /* 16 bytes */
    uint32_t record_seed;
    struct link_names *names;
    uint8_t *window;  /* SCAN_WINDOW_BYTES, or as many as the segment has */
    bool thorough;    /* search everything, whatever the last batch says */
    bool after_close; /* the segment before ends with a closing batch */
    /* Called for every good record, unless NULL; again when its batch had to be read again. */
    void (*record)(void *context, const struct record *record, uint32_t segment, uint32_t slot);
    void *context;

    /* Found. */
    enum segment_check check; /* of the header block; COMPACT: there are no batches, but: */
    struct hint_header own;   /* what a compacted segment says itself */
    uint32_t bad;             /* of its records */
    uint64_t epoch; /* known unless the check is UNBORN or BLANK, or BAD without any batch */
    uint64_t bytes;
    struct scan_batch *batches;
    uint32_t count, capacity;
    struct hint hint;    /* of all batches found */
    bool leftovers;      /* bytes that are not zero behind the last batch, nor of a former life */
    bool cut;            /* the segment ends within a block or a batch, as none is made */
    uint32_t unreadable; /* blocks */

    /* Its own. */
    uint64_t window_offset;
    uint32_t window_bytes;
    uint64_t read_upto;
};

#define SCAN_WINDOW_BYTES BATCH_BYTES_MAX

/* SYSTEM: no memory. NEWER: the segment's format. Damage is no error. */
enum status scan_segment(struct scan *scan) MUST_CHECK;
/* Frees what was found. */
void scan_deinit(struct scan *scan);

/* Takes what the batch added out of the hint. Later batches come first: ranges in front of them
 * stay where they are. */
void scan_drop_hint(struct scan *scan, uint32_t batch);

#endif
