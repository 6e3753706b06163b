/* The reflected CRC register holds a polynomial with x^31 in bit 0. All functions below work on the
 * bare register; crc32c() adds the complements before and after.
 *
 * The processor's instruction takes 3 cycles but one starts every cycle, so large buffers go as
 * three streams at once (x86-64). A register A followed by n more bytes counts as A·x^8n, which is
 * one carry-less multiplication: clmul(A, x^(8n-33)) as 64 bits is A·x^(8n-32) (reflected products
 * come out one place short), and passing that through the CRC instruction multiplies by x^32 and
 * reduces. */
#include "base/crc32c.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

static uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

static bool hardware_has_crc32c(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

struct stride {
    size_t bytes;      /* of each of the three streams */
    uint32_t over_two; /* x^(16 bytes - 33) mod P */
    uint32_t over_one; /* x^(8 bytes - 33) mod P */
};

static const struct stride strides[] = {
    {4096, 0x54A86326, 0x82F89C77},
    {512, 0x170076FA, 0xDD7E3B0C},
    {64, 0x0D3B6092, 0x9E4ADDF8},
};

HARDWARE static uint64_t multiply(uint64_t a, uint32_t b)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)a), _mm_cvtsi64_si128((long long)b), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

HARDWARE static uint64_t three_streams(uint64_t a, const uint8_t *at, const struct stride *stride)
{
    uint64_t b = 0, c = 0;
    size_t bytes = stride->bytes;
    for (const uint8_t *end = at + bytes; at < end; at += 8) {
        a = _mm_crc32_u64(a, load64(at));
        b = _mm_crc32_u64(b, load64(at + bytes));
        c = _mm_crc32_u64(c, load64(at + 2 * bytes));
    }
    return c ^ _mm_crc32_u64(0, multiply(a, stride->over_two) ^ multiply(b, stride->over_one));
}

HARDWARE static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t state = crc;
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++)
        for (; size >= 3 * strides[i].bytes; size -= 3 * strides[i].bytes) {
            state = three_streams(state, at, &strides[i]);
            at += 3 * strides[i].bytes;
        }
    for (; size >= 8; size -= 8, at += 8)
        state = _mm_crc32_u64(state, load64(at));
    for (; size > 0; size--)
        state = _mm_crc32_u8((uint32_t)state, *at++);
    return (uint32_t)state;
}

/* Wider: 16 bytes followed by n more count as their lower half times x^(8n+64) plus their upper
 * half times x^8n. Carry-less multiplication of 64 by 32 bits comes out as the product times x^33
 * in 128 bits, so two of them with x^(8n+31) and x^(8n-33) move 16 bytes n bytes on, and what is
 * there is added; four registers of 64 bytes move by 256 at once (Gopal and others, Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction, Intel 2009). */
#define WIDE __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq")))
#define WIDE_BYTES_MIN 512u

static bool hardware_is_wide(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") &&
           hardware_has_crc32c();
}

WIDE static inline __m512i keys(uint32_t lower, uint32_t upper)
{
    return _mm512_set_epi64(upper, lower, upper, lower, upper, lower, upper, lower);
}

WIDE static inline __m512i moved(__m512i from, __m512i keys, __m512i there)
{
    __m512i lower = _mm512_clmulepi64_epi128(from, keys, 0x00);
    __m512i upper = _mm512_clmulepi64_epi128(from, keys, 0x11);
    return _mm512_xor_si512(_mm512_xor_si512(lower, upper), there);
}

WIDE static inline __m128i moved_16(__m128i from, __m128i there)
{
    const __m128i by_16 = _mm_set_epi64x(0x493C7D27, 0xF20C0DFE);
    __m128i lower = _mm_clmulepi64_si128(from, by_16, 0x00);
    __m128i upper = _mm_clmulepi64_si128(from, by_16, 0x11);
    return _mm_xor_si128(_mm_xor_si128(lower, upper), there);
}

/* Of at least 256 bytes. */
WIDE static uint32_t crc32c_wide(uint32_t crc, const uint8_t *at, size_t size)
{
    const __m512i by_256 = keys(0xDCB17AA4, 0xB9E02B86), by_64 = keys(0x740EEF02, 0x9E4ADDF8);
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(at),
                                 _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    __m512i b = _mm512_loadu_si512(at + 64), c = _mm512_loadu_si512(at + 128),
            d = _mm512_loadu_si512(at + 192);
    for (at += 256, size -= 256; size >= 256; at += 256, size -= 256) {
        a = moved(a, by_256, _mm512_loadu_si512(at));
        b = moved(b, by_256, _mm512_loadu_si512(at + 64));
        c = moved(c, by_256, _mm512_loadu_si512(at + 128));
        d = moved(d, by_256, _mm512_loadu_si512(at + 192));
    }
    a = moved(moved(moved(a, by_64, b), by_64, c), by_64, d);
    for (; size >= 64; at += 64, size -= 64)
        a = moved(a, by_64, _mm512_loadu_si512(at));
    __m128i sum = moved_16(_mm512_castsi512_si128(a), _mm512_extracti32x4_epi32(a, 1));
    sum = moved_16(moved_16(sum, _mm512_extracti32x4_epi32(a, 2)), _mm512_extracti32x4_epi32(a, 3));
    uint64_t state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
    state = _mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(sum, 1));
    return crc32c_hardware((uint32_t)state, at, size);
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

static bool hardware_has_crc32c(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

/* Written out, as gcc and clang disagree on how a single function is allowed the intrinsics. */
static uint32_t add_word(uint32_t crc, uint64_t word)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}

static uint32_t add_byte(uint32_t crc, uint32_t byte)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
    return crc;
}

static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; size -= 8, at += 8)
        crc = add_word(crc, load64(at));
    for (; size > 0; size--)
        crc = add_byte(crc, *at++);
    return crc;
}

#else

static bool hardware_has_crc32c(void)
{
    return false;
}

static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    return ~crc32c_portable(~crc, at, size);
}
#endif

/* tables[k][byte]: the register after `byte` and k zero bytes. That is linear in the byte, so a row
 * is all the sums of its eight entries with one bit set, which are written here. */
#define SUMS1(sum, a) (sum), (sum) ^ (a)
#define SUMS2(sum, a, b) SUMS1(sum, a), SUMS1((sum) ^ (b), a)
#define SUMS3(sum, a, b, c) SUMS2(sum, a, b), SUMS2((sum) ^ (c), a, b)
#define SUMS4(sum, a, b, c, d) SUMS3(sum, a, b, c), SUMS3((sum) ^ (d), a, b, c)
#define SUMS5(sum, a, b, c, d, e) SUMS4(sum, a, b, c, d), SUMS4((sum) ^ (e), a, b, c, d)
#define SUMS6(sum, a, b, c, d, e, f) SUMS5(sum, a, b, c, d, e), SUMS5((sum) ^ (f), a, b, c, d, e)
#define SUMS7(sum, a, b, c, d, e, f, g)                                                            \
    SUMS6(sum, a, b, c, d, e, f), SUMS6((sum) ^ (g), a, b, c, d, e, f)
#define ROW(a, b, c, d, e, f, g, h)                                                                \
    {                                                                                              \
        SUMS7(0u, a, b, c, d, e, f, g), SUMS7(h, a, b, c, d, e, f, g)                              \
    }

static const uint32_t tables[8][256] = {
    ROW(0xF26B8303u, 0xE13B70F7u, 0xC79A971Fu, 0x8AD958CFu, 0x105EC76Fu, 0x20BD8EDEu, 0x417B1DBCu,
        0x82F63B78u),
    ROW(0x13A29877u, 0x274530EEu, 0x4E8A61DCu, 0x9D14C3B8u, 0x3FC5F181u, 0x7F8BE302u, 0xFF17C604u,
        0xFBC3FAF9u),
    ROW(0xA541927Eu, 0x4F6F520Du, 0x9EDEA41Au, 0x38513EC5u, 0x70A27D8Au, 0xE144FB14u, 0xC76580D9u,
        0x8B277743u),
    ROW(0xDD45AAB8u, 0xBF672381u, 0x7B2231F3u, 0xF64463E6u, 0xE964B13Du, 0xD725148Bu, 0xABA65FE7u,
        0x52A0C93Fu),
    ROW(0x38116FACu, 0x7022DF58u, 0xE045BEB0u, 0xC5670B91u, 0x8F2261D3u, 0x1BA8B557u, 0x37516AAEu,
        0x6EA2D55Cu),
    ROW(0xEF306B19u, 0xDB8CA0C3u, 0xB2F53777u, 0x6006181Fu, 0xC00C303Eu, 0x85F4168Du, 0x0E045BEBu,
        0x1C08B7D6u),
    ROW(0x68032CC8u, 0xD0065990u, 0xA5E0C5D1u, 0x4E2DFD53u, 0x9C5BFAA6u, 0x3D5B83BDu, 0x7AB7077Au,
        0xF56E0EF4u),
    ROW(0x493C7D27u, 0x9278FA4Eu, 0x211D826Du, 0x423B04DAu, 0x847609B4u, 0x0D006599u, 0x1A00CB32u,
        0x34019664u),
};

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = crc ^ le64toh(load64(at));
        crc = 0;
#pragma GCC unroll 8
        for (unsigned i = 0; i < 8; i++)
            crc ^= tables[7 - i][word >> 8 * i & 0xFF];
    }
    for (; size > 0; size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xFF];
    return ~crc;
}

uint32_t crc32c_streams(uint32_t crc, const void *data, size_t size)
{
    if (!hardware_has_crc32c())
        return crc32c_portable(crc, data, size);
    return ~crc32c_hardware(~crc, data, size);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (size >= WIDE_BYTES_MIN && hardware_is_wide())
        return ~crc32c_wide(~crc, data, size);
#endif
    return crc32c_streams(crc, data, size);
}
