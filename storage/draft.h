/* Staging: the pieces of messages that have not ended yet, within one budget per shard.
 *
 * Pages of one pool hold bytes and, for messages that stream into the log, references to their
 * chunks. A draft that reaches chunk_bytes goes into the log; when no page is left, the draft that
 * has held its bytes longest does. A draft that has a page of references needs no other page to go
 * on: then its pieces go straight into the log, so messages in flight always get to their end. */
#ifndef STORAGE_DRAFT_H
#define STORAGE_DRAFT_H

#include "base/pool.h"
#include "storage/commit.h"
#include "storage/store.h"

#define DRAFT_PAGE_BYTES 16384u

struct staging {
    struct pool pages;
    struct store_draft *oldest, *newest;     /* of the drafts with staged bytes */
    struct ref_page *first_refs, *last_refs; /* of the drafts with chunks: each one's first page */
};

/* Pages for `bytes`, at least eight. FULL: no memory. */
enum status staging_init(struct staging *staging, uint64_t bytes) MUST_CHECK;
/* Frees the pool; no draft may be in use. */
void staging_deinit(struct staging *staging);

struct store_log;

/* Gives back every page; the draft is as new. */
void draft_clear(struct store_log *log, struct store_draft *draft);

/* Moves the staged bytes into the log as chunks. AGAIN, FULL, IO: some may be left. */
enum status draft_flush(struct store_log *log, struct store_draft *draft) MUST_CHECK;

/* What the log's room must be at most for putting this many bytes into it as chunks. */
uint64_t draft_spill_size(const struct store_log *log, uint64_t bytes);

/* Puts bytes straight into the log, all (OK) or nothing (AGAIN). The draft has none staged. */
enum status draft_spill(struct store_log *log, struct store_draft *draft,
                        struct span bytes) MUST_CHECK;

/* Where the first chunk of a draft with chunks is. */
uint32_t draft_first_segment(const struct store_draft *draft);
/* The first segment with chunks of any draft; UINT32_MAX: none has any. */
uint32_t staging_reach(const struct staging *staging);

/* False when a failed write took chunks of this draft: it can't be completed. */
bool draft_is_whole(const struct store_log *log, const struct store_draft *draft);

/* Copies the references, CHUNK_REF_BYTES each; returns the end of the copy. */
uint8_t *draft_copy_chunks(const struct store_draft *draft, uint8_t *out);
/* Copies the staged bytes; returns the end of the copy. */
uint8_t *draft_copy_staged(const struct store_draft *draft, uint8_t *out);

#endif
