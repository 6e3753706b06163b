/* A run of bytes somewhere else: pointer and size, never NUL-terminated, never owned.
 *
 * All text inside the engine is spans. A span is as valid as the memory it points into; functions
 * that keep bytes copy them. Comparisons that ignore case fold ASCII only, which is what mail
 * protocols mean by it (RFC 5321 section 2.4). */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data;
    size_t size;
};

/* A string literal as a span: SPAN in expressions, SPAN_INIT in the initialisers of static tables,
 * where ISO C allows no compound literal. */
#define SPAN_INIT(literal)                                                                         \
    {                                                                                              \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                         \
    }
#define SPAN(literal) ((struct span)SPAN_INIT(literal))

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){data, size};
}

static inline struct span span_text(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

/* The bytes from `start` on; `start` may equal the size. */
static inline struct span span_from(struct span span, size_t start)
{
    return (struct span){span.data + start, span.size - start};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline uint8_t ascii_lower(uint8_t byte)
{
    return (uint8_t)(byte - 'A') < 26 ? (uint8_t)(byte | 0x20) : byte;
}

static inline bool span_equal_nocase(struct span a, struct span b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

#endif
