/* body_scan: 64 bytes become four bit masks (CR, LF, dot, 8-bit), and what a byte-wise machine
 * would do becomes arithmetic on them, so that the cost does not depend on where lines end. Only a
 * dot at the start of a line leaves the blocks: there the state machine decides byte by byte. */
#include "base/invariant.h"
#include "engine/smtp/body.h"
#include "engine/smtp/body_step.h"

#define BLOCK_BYTES 64u
#define INLINE static inline __attribute__((always_inline))

struct masks { /* bit i: byte i of the block */
    uint64_t cr, lf, dot, eight_bit;
};

#ifdef __x86_64__
#include <immintrin.h>

INLINE uint64_t bits_baseline(const __m128i part[4])
{
    return (uint64_t)(uint16_t)_mm_movemask_epi8(part[0]) |
           (uint64_t)(uint16_t)_mm_movemask_epi8(part[1]) << 16 |
           (uint64_t)(uint16_t)_mm_movemask_epi8(part[2]) << 32 |
           (uint64_t)(uint16_t)_mm_movemask_epi8(part[3]) << 48;
}

INLINE uint64_t equal_baseline(const __m128i part[4], char byte)
{
    const __m128i want = _mm_set1_epi8(byte);
    const __m128i equal[4] = {_mm_cmpeq_epi8(part[0], want), _mm_cmpeq_epi8(part[1], want),
                              _mm_cmpeq_epi8(part[2], want), _mm_cmpeq_epi8(part[3], want)};
    return bits_baseline(equal);
}

static inline struct masks masks_baseline(const uint8_t *block)
{
    const __m128i *at = (const void *)block;
    const __m128i part[4] = {_mm_loadu_si128(at), _mm_loadu_si128(at + 1), _mm_loadu_si128(at + 2),
                             _mm_loadu_si128(at + 3)};
    return (struct masks){equal_baseline(part, '\r'), equal_baseline(part, '\n'),
                          equal_baseline(part, '.'), bits_baseline(part)};
}

#define AVX2 __attribute__((target("avx2")))

AVX2 INLINE uint64_t bits_avx2(__m256i low, __m256i high)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 INLINE uint64_t equal_avx2(__m256i low, __m256i high, char byte)
{
    const __m256i want = _mm256_set1_epi8(byte);
    return bits_avx2(_mm256_cmpeq_epi8(low, want), _mm256_cmpeq_epi8(high, want));
}

AVX2 static inline struct masks masks_avx2(const uint8_t *block)
{
    const __m256i *at = (const void *)block;
    __m256i low = _mm256_loadu_si256(at), high = _mm256_loadu_si256(at + 1);
    return (struct masks){equal_avx2(low, high, '\r'), equal_avx2(low, high, '\n'),
                          equal_avx2(low, high, '.'), bits_avx2(low, high)};
}

#define AVX512 __attribute__((target("avx512bw")))

AVX512 static inline struct masks masks_avx512(const uint8_t *block)
{
    __m512i all = _mm512_loadu_si512(block);
    return (struct masks){_mm512_cmpeq_epi8_mask(all, _mm512_set1_epi8('\r')),
                          _mm512_cmpeq_epi8_mask(all, _mm512_set1_epi8('\n')),
                          _mm512_cmpeq_epi8_mask(all, _mm512_set1_epi8('.')),
                          _mm512_movepi8_mask(all)};
}
#else
static inline struct masks masks_baseline(const uint8_t *block)
{
    struct masks masks = {0};
    for (unsigned i = 0; i < BLOCK_BYTES; i++) {
        masks.cr |= (uint64_t)(block[i] == '\r') << i;
        masks.lf |= (uint64_t)(block[i] == '\n') << i;
        masks.dot |= (uint64_t)(block[i] == '.') << i;
        masks.eight_bit |= (uint64_t)(block[i] >> 7) << i;
    }
    return masks;
}
#endif

INLINE uint64_t low_bits(unsigned count)
{
    return count < BLOCK_BYTES ? ((uint64_t)1 << count) - 1 : ~(uint64_t)0;
}

/* A header line starts at `at`: is it a Received line? What the end of the input leaves open is
 * continued at the start of the next input. */
static void match_line(struct body *body, const uint8_t *at, const uint8_t *end)
{
    while (at < end && body->matched != RECEIVED_DONE)
        body_match(body, *at++);
}

/* The lines that start in this block of the header, up to its end if that is here. `empty`: line
 * ends of empty lines. */
static void scan_header(struct body *body, uint64_t starts, uint64_t empty, const uint8_t *at,
                        const uint8_t *end)
{
    if (empty) {
        unsigned last = (unsigned)__builtin_ctzll(empty);
        starts &= low_bits(last);
        body->header_bytes = body->bytes + last + 1;
    }
    for (; starts; starts &= starts - 1) {
        body->matched = 0;
        match_line(body, at + __builtin_ctzll(starts), end);
    }
    if (empty)
        body->matched = RECEIVED_DONE;
}

/* Accounts for the bytes at `at`, at most 64, up to the first dot that starts a line; returns how
 * many. The state is one of the first four. */
INLINE unsigned scan_block(struct body *body, const struct masks *masks, const uint8_t *at,
                           const uint8_t *end)
{
    uint64_t after_cr = masks->cr << 1;
    after_cr |= body->state == BODY_CR || body->state == BODY_START_CR;
    uint64_t ends = after_cr & masks->lf;
    uint64_t starts = ends << 1 | (body->state == BODY_START);
    uint64_t dots = starts & masks->dot;
    unsigned room = (size_t)(end - at) < BLOCK_BYTES ? (unsigned)(end - at) : BLOCK_BYTES;
    unsigned size = dots ? (unsigned)__builtin_ctzll(dots) : BLOCK_BYTES;
    if (size > room)
        size = room;
    INVARIANT(size > 0);

    uint64_t covered = low_bits(size);
    body->eight_bit |= (masks->eight_bit & covered) != 0;
    body->bare |= ((after_cr ^ masks->lf) & covered) != 0;
    ends &= covered;
    if (body->header_bytes == 0) {
        uint64_t empty = ends & (starts << 1 | (body->state == BODY_START_CR));
        scan_header(body, starts & covered, empty, at, end);
    }
    uint64_t last = (uint64_t)1 << (size - 1);
    if (ends) { /* only the first line to end here can be longer than a block */
        uint64_t first_end = body->bytes + (unsigned)__builtin_ctzll(ends) + 1;
        body->long_line |= first_end - body->line_start > body->line_bytes_max;
        body->line_start = body->bytes + BLOCK_BYTES - (unsigned)__builtin_clzll(ends);
    }
    body->state = masks->cr & last ? (starts & last ? BODY_START_CR : BODY_CR)
                                   : (ends & last ? BODY_START : BODY_TEXT);
    if (body->state == BODY_START && body->header_bytes == 0)
        body->matched = 0;
    body->bytes += size;
    return size;
}

INLINE bool at_dot(const struct body *body, uint8_t byte)
{
    return body->state >= BODY_DOT || (body->state == BODY_START && byte == '.');
}

/* Whole blocks behind the header, up to one with a dot that starts a line: the same as scan_block,
 * with what goes from block to block in registers and next to nothing to guess for the processor.
 * Returns where it stopped. */
INLINE const uint8_t *scan_lines(struct body *body, const uint8_t *at, const uint8_t *end,
                                 struct masks (*masks_of)(const uint8_t *block))
{
    uint64_t after_cr = body->state == BODY_CR || body->state == BODY_START_CR;
    uint64_t start = body->state == BODY_START, start_cr = body->state == BODY_START_CR;
    uint64_t bytes = body->bytes, line_start = body->line_start;
    uint64_t eight_bit = 0, bare = 0, long_line = 0;
    for (; (size_t)(end - at) >= BLOCK_BYTES; at += BLOCK_BYTES, bytes += BLOCK_BYTES) {
        struct masks masks = masks_of(at);
        uint64_t crs = masks.cr << 1 | after_cr;
        uint64_t ends = crs & masks.lf;
        uint64_t starts = ends << 1 | start;
        if (starts & masks.dot)
            break;
        eight_bit |= masks.eight_bit;
        bare |= crs ^ masks.lf;
        uint64_t first_end = bytes + (unsigned)__builtin_ctzll(ends | 1ull << 63) + 1;
        uint64_t last_end = bytes + BLOCK_BYTES - (unsigned)__builtin_clzll(ends | 1);
        long_line |= (ends != 0) & (first_end - line_start > body->line_bytes_max);
        line_start = ends ? last_end : line_start;
        after_cr = masks.cr >> 63;
        start = ends >> 63;
        start_cr = after_cr & starts >> 63;
    }
    body->state = (uint8_t)(after_cr ? (start_cr ? BODY_START_CR : BODY_CR)
                                     : (start ? BODY_START : BODY_TEXT));
    body->bytes = bytes;
    body->line_start = line_start;
    body->eight_bit |= eight_bit != 0;
    body->bare |= bare != 0;
    body->long_line |= long_line != 0;
    return at;
}

INLINE struct masks masks_at(const uint8_t *at, const uint8_t *end,
                             struct masks (*masks_of)(const uint8_t *block))
{
    if ((size_t)(end - at) >= BLOCK_BYTES)
        return masks_of(at);
    uint8_t padded[BLOCK_BYTES] = {0};
    memcpy(padded, at, (size_t)(end - at));
    return masks_of(padded);
}

INLINE enum body_event scan(struct body *body, struct span input, size_t *consumed,
                            struct masks (*masks_of)(const uint8_t *block))
{
    const uint8_t *at = input.data, *end = input.data + input.size;
    if (body->matched > 0)
        match_line(body, at, end);
    while (at < end) {
        if (at_dot(body, *at)) {
            bool stuff = body->chunked;
            bool ended = !stuff && body_step(body, *at++);
            if (!stuff && !ended)
                continue;
            *consumed = (size_t)(at - input.data);
            return stuff ? BODY_STUFF : BODY_END;
        }
        struct masks masks = masks_at(at, end, masks_of);
        unsigned size = scan_block(body, &masks, at, end);
        at += size;
        if (size == BLOCK_BYTES && body->header_bytes > 0) /* not where dots abound */
            at = scan_lines(body, at, end, masks_of);
    }
    *consumed = input.size;
    return BODY_MORE;
}

enum body_event body_scan_baseline(struct body *body, struct span input, size_t *consumed)
{
    INVARIANT(body->state < BODY_ENDED);
    return scan(body, input, consumed, masks_baseline);
}

#ifdef __x86_64__
AVX2 static enum body_event scan_avx2(struct body *body, struct span input, size_t *consumed)
{
    INVARIANT(body->state < BODY_ENDED);
    return scan(body, input, consumed, masks_avx2);
}

AVX512 static enum body_event scan_avx512(struct body *body, struct span input, size_t *consumed)
{
    INVARIANT(body->state < BODY_ENDED);
    return scan(body, input, consumed, masks_avx512);
}

enum body_event body_scan(struct body *body, struct span input, size_t *consumed)
{
    if (__builtin_cpu_supports("avx512bw"))
        return scan_avx512(body, input, consumed);
    return __builtin_cpu_supports("avx2") ? scan_avx2(body, input, consumed)
                                          : body_scan_baseline(body, input, consumed);
}
#else
enum body_event body_scan(struct body *body, struct span input, size_t *consumed)
{
    return body_scan_baseline(body, input, consumed);
}
#endif
