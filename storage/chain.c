#include "storage/chain.h"

struct beginning { /* of a segment's batches */
    uint64_t sequence;
    uint64_t first_lsn;
};

static bool has_beginning(const struct chain_segment *segment, struct beginning *beginning)
{
    if (segment->hint) {
        *beginning = (struct beginning){segment->hint->first_sequence, segment->hint->first_lsn};
        return segment->hint->first_sequence <= segment->hint->last_sequence;
    }
    if (segment->scan->count == 0)
        return false;
    const struct batch_header *first = &segment->scan->batches[0].header;
    *beginning = (struct beginning){first->sequence, first->first_lsn};
    return true;
}

/* The segment begins with a number that the other has, too, and with records that came later: the
 * other's were given up. (With records that came earlier it is itself a torn one of a former
 * life.) */
static void make_void(struct scan *scan, const struct beginning *later)
{
    for (uint32_t b = scan->count; b > 0; b--) {
        struct scan_batch *batch = &scan->batches[b - 1];
        if (batch->header.sequence >= later->sequence &&
            batch->header.first_lsn + batch->header.records <= later->first_lsn)
            batch->counts = false;
    }
}

/* Marks what is not void, and finds the highest batch known to be durable. */
static uint64_t mark_not_void(struct chain_segment *segments, uint32_t count)
{
    uint64_t durable_upto = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct scan *scan = segments[i].scan;
        struct beginning later;
        if (segments[i].hint && segments[i].hint->last_sequence > durable_upto)
            durable_upto = segments[i].hint->last_sequence;
        if (segments[i].hint || scan->count == 0)
            continue;
        uint64_t last = 0;
        for (uint32_t b = 0; b < scan->count; b++) {
            scan->batches[b].counts = true;
            if (scan->batches[b].header.sequence > last)
                last = scan->batches[b].header.sequence;
        }
        for (uint32_t j = i + 1; j < count; j++)
            if (has_beginning(&segments[j], &later) && later.sequence <= last)
                make_void(scan, &later);
        for (uint32_t b = 0; b < scan->count; b++)
            if (scan->batches[b].counts && scan->batches[b].header.durable_upto > durable_upto)
                durable_upto = scan->batches[b].header.durable_upto;
    }
    return durable_upto;
}

/* How many batches from the chain's end to `until` were acknowledged. */
static uint64_t missing(const struct chain *chain, uint64_t until)
{
    uint64_t last = until < chain->durable_upto ? until : chain->durable_upto;
    return last > chain->sequence ? last - chain->sequence : 0;
}

static bool batch_counts(const struct chain *chain, const struct scan_batch *batch)
{
    const struct batch_header *header = &batch->header;
    bool vouched = header->sequence <= chain->durable_upto;
    if (header->sequence <= chain->sequence || header->first_lsn < chain->end_lsn)
        return false; /* left from an earlier life of these blocks */
    if (batch->bad > 0 && !vouched)
        return false;
    if (header->sequence == chain->sequence + 1 && header->previous_crc == chain->crc)
        return true;
    return header->sequence - 1 <= chain->durable_upto;
}

static void resolve_scan(struct chain *chain, struct chain_segment *segment, uint32_t index)
{
    for (uint32_t b = 0; b < segment->scan->count; b++) {
        struct scan_batch *batch = &segment->scan->batches[b];
        if (!batch->counts)
            continue;
        batch->counts = batch_counts(chain, batch);
        if (!batch->counts) {
            segment->torn = true;
            continue;
        }
        segment->missing += missing(chain, batch->header.sequence - 1);
        segment->bad_records += batch->bad;
        chain->sequence = batch->header.sequence;
        chain->crc = batch->header.crc;
        chain->end_lsn = batch->header.first_lsn + batch->header.records;
        chain->tail = index;
        chain->tail_offset = batch->offset + batch->header.bytes;
        chain->closed = batch->header.flags & BATCH_CLOSING;
    }
}

static void resolve_hint(struct chain *chain, struct chain_segment *segment, uint32_t index)
{
    const struct hint_header *hint = segment->hint;
    struct beginning beginning;
    if (!has_beginning(segment, &beginning))
        return;
    segment->missing = missing(chain, hint->first_sequence - 1);
    segment->bad_records = segment->scan ? segment->scan->bad : 0;
    chain->sequence = hint->last_sequence;
    chain->crc = hint->last_crc;
    chain->end_lsn = hint->end_lsn;
    chain->tail = index;
    chain->tail_offset = hint->end_offset;
    chain->closed = false;
}

void chain_resolve(struct chain_segment *segments, uint32_t count, struct chain *chain)
{
    *chain = (struct chain){.tail = UINT32_MAX};
    chain->durable_upto = mark_not_void(segments, count);
    for (uint32_t i = 0; i < count; i++) {
        if (segments[i].hint)
            resolve_hint(chain, &segments[i], i);
        else
            resolve_scan(chain, &segments[i], i);
    }
    if (count > 0 && chain->durable_upto > chain->sequence) {
        segments[count - 1].missing += chain->durable_upto - chain->sequence;
        chain->sequence = chain->durable_upto;
        chain->crc = 0;
        chain->closed = false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct scan *scan = segments[i].scan;
        bool header_lost = !segments[i].hint && scan->count > 0 && scan->check != SEGMENT_GOOD;
        segments[i].damaged =
            segments[i].missing > 0 || segments[i].bad_records > 0 || header_lost || scan->cut;
        if (i == chain->tail && !segments[i].hint && scan->leftovers && !chain->closed)
            segments[i].torn = true;
    }
}
