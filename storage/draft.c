#include "storage/draft.h"

#include "base/invariant.h"
#include "storage/store_log.h"

#include <stddef.h>

/* A page of staged bytes. */
struct page {
    struct page *next;
    uint32_t used; /* only the newest page is not full */
    uint8_t bytes[];
};

/* A page of chunk references, oldest page last. The oldest ones of all drafts make a list, in which
 * the first chunks' places ascend. */
struct ref_page {
    struct ref_page *next;
    struct ref_page *earlier, *later;
    uint64_t failures; /* of the log when the draft's first chunk was written */
    uint32_t count;
    struct chunk_ref refs[];
};

#define PAGE_CAPACITY (DRAFT_PAGE_BYTES - (uint32_t)sizeof(struct page))
#define REFS_MAX ((DRAFT_PAGE_BYTES - (uint32_t)offsetof(struct ref_page, refs)) / CHUNK_REF_BYTES)
#define PAGES_MIN 8u
#define PIECE_MIN 4096u /* a chunk smaller than this is not worth its record */

enum status staging_init(struct staging *staging, uint64_t bytes)
{
    uint64_t pages = bytes / DRAFT_PAGE_BYTES;
    staging->oldest = staging->newest = NULL;
    staging->first_refs = staging->last_refs = NULL;
    if (pages < PAGES_MIN)
        pages = PAGES_MIN;
    return pages > UINT32_MAX ? STATUS_FULL
                              : pool_init(&staging->pages, DRAFT_PAGE_BYTES, (uint32_t)pages);
}

void staging_deinit(struct staging *staging)
{
    pool_deinit(&staging->pages);
}

/* ---- the list of drafts with staged bytes ---- */

static void list_append(struct staging *staging, struct store_draft *draft)
{
    draft->next = NULL;
    draft->previous = staging->newest;
    *(staging->newest ? &staging->newest->next : &staging->oldest) = draft;
    staging->newest = draft;
}

static void list_remove(struct staging *staging, struct store_draft *draft)
{
    *(draft->previous ? &draft->previous->next : &staging->oldest) = draft->next;
    *(draft->next ? &draft->next->previous : &staging->newest) = draft->previous;
    draft->next = draft->previous = NULL;
}

static void count_staged(struct store_log *log, struct store_draft *draft, int64_t bytes)
{
    draft->staged_bytes += (uint32_t)bytes;
    log->counters.staged_bytes += (uint64_t)bytes;
    if (log->counters.staged_bytes > log->counters.staged_bytes_peak)
        log->counters.staged_bytes_peak = log->counters.staged_bytes;
}

static void free_first_page(struct store_log *log, struct store_draft *draft)
{
    struct page *page = draft->pages;
    draft->pages = page->next;
    if (!page->next) {
        draft->last_page = NULL;
        list_remove(&log->staging, draft);
    }
    pool_give(&log->staging.pages, page);
}

/* ---- chunks ---- */

static bool has_ref_room(const struct store_draft *draft)
{
    const struct ref_page *page = draft->chunks;
    return page && page->count < REFS_MAX;
}

static void refs_append(struct staging *staging, struct ref_page *page)
{
    page->later = NULL;
    page->earlier = staging->last_refs;
    *(page->earlier ? &page->earlier->later : &staging->first_refs) = page;
    staging->last_refs = page;
}

static void refs_remove(struct staging *staging, struct ref_page *page)
{
    *(page->earlier ? &page->earlier->later : &staging->first_refs) = page->later;
    *(page->later ? &page->later->earlier : &staging->last_refs) = page->earlier;
}

static void add_ref(struct store_log *log, struct store_draft *draft, struct chunk_ref ref)
{
    struct ref_page *page = draft->chunks;
    if (!has_ref_room(draft)) {
        page = pool_take(&log->staging.pages);
        INVARIANT(page);
        page->next = draft->chunks;
        page->failures = page->next ? page->next->failures : log->commit.failures;
        page->count = 0;
        draft->chunks = page;
        if (!page->next)
            refs_append(&log->staging, page);
    }
    page->refs[page->count++] = ref;
    draft->chunk_count++;
    draft->chunked_bytes += ref.bytes;
}

uint32_t draft_first_segment(const struct store_draft *draft)
{
    const struct ref_page *page = draft->chunks;
    while (page->next)
        page = page->next;
    return page->refs[0].segment;
}

uint32_t staging_reach(const struct staging *staging)
{
    return staging->first_refs ? staging->first_refs->refs[0].segment : UINT32_MAX;
}

bool draft_is_whole(const struct store_log *log, const struct store_draft *draft)
{
    const struct ref_page *page = draft->chunks;
    return !page || page->failures == log->commit.failures;
}

/* Seals a chunk whose `bytes` of body are in the slot. */
static struct chunk_ref add_chunk(struct store_log *log, const struct commit_slot *slot,
                                  uint32_t bytes)
{
    struct record_header header = {.type = RECORD_CHUNK, .body_bytes = bytes};
    commit_add(&log->commit, slot, &header, NULL);
    log->counters.chunks++;
    return (struct chunk_ref){
        .segment = slot->segment,
        .slot = slot->slot,
        .bytes = bytes,
        .crc = ((const struct record_header *)slot->bytes)->payload_crc,
    };
}

static uint32_t body_max(const struct store_log *log)
{
    return commit_record_max(&log->commit) - RECORD_HEADER_BYTES - RECORD_ALIGN;
}

/* Moves `bytes` of staged bytes, which fill whole pages, to `out`. */
static void drain_pages(struct store_log *log, struct store_draft *draft, uint8_t *out,
                        uint32_t bytes)
{
    count_staged(log, draft, -(int64_t)bytes);
    while (bytes > 0) {
        const struct page *page = draft->pages;
        INVARIANT(page->used <= bytes);
        memcpy(out, page->bytes, page->used);
        out += page->used;
        bytes -= page->used;
        free_first_page(log, draft);
    }
}

enum status draft_flush(struct store_log *log, struct store_draft *draft)
{
    /* Whole pages: each chunk frees at least the page that its reference may need. */
    uint32_t most = body_max(log) / PAGE_CAPACITY * PAGE_CAPACITY;
    while (draft->staged_bytes > 0) {
        struct commit_slot slot;
        uint32_t bytes = draft->staged_bytes < most ? draft->staged_bytes : most;
        enum status status = commit_reserve(&log->commit, record_size(bytes), COMMIT_MAIL, &slot);
        if (status != STATUS_OK)
            return status;
        drain_pages(log, draft, slot.bytes + RECORD_HEADER_BYTES, bytes);
        add_ref(log, draft, add_chunk(log, &slot, bytes));
    }
    return STATUS_OK;
}

uint64_t draft_spill_size(const struct store_log *log, uint64_t bytes)
{
    uint64_t chunks = bytes / body_max(log) + 2;
    return bytes + chunks * (record_size(0) + RECORD_ALIGN + PIECE_MIN);
}

static bool can_spill(const struct store_log *log, const struct store_draft *draft, size_t bytes)
{
    const struct ref_page *page = draft->chunks;
    uint32_t refs_left = page ? REFS_MAX - page->count : 0;
    return commit_room(&log->commit) >= draft_spill_size(log, bytes) &&
           (refs_left >= bytes / body_max(log) + 2 || pool_left(&log->staging.pages) > 0);
}

enum status draft_spill(struct store_log *log, struct store_draft *draft, struct span bytes)
{
    INVARIANT(draft->staged_bytes == 0);
    struct commit_slot slot;
    if (!can_spill(log, draft, bytes.size))
        return STATUS_AGAIN;
    while (bytes.size > 0) {
        /* What is left of the filling batch, if that is worth it; else the next one. */
        uint32_t left = commit_filling_room(&log->commit), most = body_max(log);
        if (left >= PIECE_MIN + RECORD_HEADER_BYTES + RECORD_ALIGN &&
            left - RECORD_HEADER_BYTES - RECORD_ALIGN < most)
            most = left - RECORD_HEADER_BYTES - RECORD_ALIGN;
        uint32_t step = bytes.size < most ? (uint32_t)bytes.size : most;
        enum status status = commit_reserve(&log->commit, record_size(step), COMMIT_MAIL, &slot);
        INVARIANT(status == STATUS_OK);
        memcpy(slot.bytes + RECORD_HEADER_BYTES, bytes.data, step);
        add_ref(log, draft, add_chunk(log, &slot, step));
        bytes = span_from(bytes, step);
    }
    return STATUS_OK;
}

/* ---- staging ---- */

static uint64_t pages_for(const struct store_draft *draft, size_t bytes)
{
    const struct page *last = draft->last_page;
    size_t room = last ? PAGE_CAPACITY - last->used : 0;
    return bytes <= room ? 0 : (bytes - room + PAGE_CAPACITY - 1) / PAGE_CAPACITY;
}

/* Makes pages free for `bytes` more of the draft: the oldest drafts (it may be one of them) go
 * into the log. */
static enum status make_pages(struct store_log *log, const struct store_draft *draft, size_t bytes)
{
    if (pages_for(draft, bytes) > log->staging.pages.count)
        return STATUS_FULL;
    while (pool_left(&log->staging.pages) < pages_for(draft, bytes)) {
        if (!log->staging.oldest)
            return STATUS_AGAIN;
        enum status status = draft_flush(log, log->staging.oldest);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void copy_to_pages(struct store_log *log, struct store_draft *draft, struct span piece)
{
    count_staged(log, draft, (int64_t)piece.size);
    while (piece.size > 0) {
        struct page *page = draft->last_page;
        if (!page || page->used == PAGE_CAPACITY) {
            struct page *fresh = pool_take(&log->staging.pages);
            INVARIANT(fresh);
            *fresh = (struct page){.next = NULL};
            if (page)
                page->next = fresh;
            else {
                draft->pages = fresh;
                list_append(&log->staging, draft);
            }
            draft->last_page = page = fresh;
        }
        uint32_t step = PAGE_CAPACITY - page->used;
        if (step > piece.size)
            step = (uint32_t)piece.size;
        memcpy(page->bytes + page->used, piece.data, step);
        page->used += step;
        piece = span_from(piece, step);
    }
}

enum status store_stage(struct store_log *log, struct store_draft *draft, struct span piece)
{
    if (log->commit.refusal != STATUS_OK)
        return log->commit.refusal;
    if (store_index_status(log->store) != STATUS_OK)
        return store_index_status(log->store);
    if (!draft_is_whole(log, draft))
        return STATUS_IO;
    /* A piece as large as a chunk is not worth a copy in between. */
    if (draft->staged_bytes == 0 && piece.size >= log->chunk_bytes &&
        can_spill(log, draft, piece.size))
        return draft_spill(log, draft, piece);
    enum status status = make_pages(log, draft, piece.size);
    if (status == STATUS_AGAIN && draft->staged_bytes == 0 && has_ref_room(draft))
        return draft_spill(log, draft, piece);
    if (status != STATUS_OK)
        return status;
    copy_to_pages(log, draft, piece);
    if (draft->staged_bytes < log->chunk_bytes)
        return STATUS_OK;
    /* The piece is taken: if the log has no room now, the next piece will find the rest here. */
    status = draft_flush(log, draft);
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

void draft_clear(struct store_log *log, struct store_draft *draft)
{
    count_staged(log, draft, -(int64_t)draft->staged_bytes);
    while (draft->pages)
        free_first_page(log, draft);
    while (draft->chunks) {
        struct ref_page *page = draft->chunks;
        draft->chunks = page->next;
        if (!page->next)
            refs_remove(&log->staging, page);
        pool_give(&log->staging.pages, page);
    }
    *draft = (struct store_draft){.next = NULL};
}

void store_discard(struct store_log *log, struct store_draft *draft)
{
    draft_clear(log, draft);
}

/* The pages are linked newest first: the copy is made from its end. */
uint8_t *draft_copy_chunks(const struct store_draft *draft, uint8_t *out)
{
    uint8_t *end = out + (size_t)draft->chunk_count * CHUNK_REF_BYTES, *at = end;
    for (const struct ref_page *page = draft->chunks; page; page = page->next) {
        size_t bytes = (size_t)page->count * CHUNK_REF_BYTES;
        at -= bytes;
        memcpy(at, page->refs, bytes);
    }
    INVARIANT(at == out);
    return end;
}

uint8_t *draft_copy_staged(const struct store_draft *draft, uint8_t *out)
{
    for (const struct page *page = draft->pages; page; page = page->next) {
        memcpy(out, page->bytes, page->used);
        out += page->used;
    }
    return out;
}
