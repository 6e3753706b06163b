/* The body scanner, 64 bytes at a time and its scalar twin, over bodies as they come: lines of
 * text, base64, and the worst that is allowed (every line begins with a dot). */
#include "base/invariant.h"
#include "bench/harness.h"
#include "engine/smtp/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LINE_BYTES_MAX 1000u

static const char header[] = "From: a@example.test\r\nSubject: a body to scan\r\n\r\n";
static const char end[] = ".\r\n";

struct subject {
    uint8_t *data;
    size_t size;
};

/* `line` over and over between header and end of data, about `bytes` in all. */
static void *repeat(const char *line, size_t bytes)
{
    struct subject *subject = malloc(sizeof(*subject));
    size_t capacity = bytes + sizeof(header) + strlen(line) + sizeof(end);
    uint8_t *data = malloc(capacity);
    INVARIANT(subject && data);
    size_t size = sizeof(header) - 1;
    memcpy(data, header, size);
    for (; size + sizeof(end) - 1 < bytes; size += strlen(line))
        memcpy(data + size, line, strlen(line));
    memcpy(data + size, end, sizeof(end) - 1);
    *subject = (struct subject){data, size + sizeof(end) - 1};
    return subject;
}

static void *setup_text(const struct bench *bench)
{
    return repeat("The quick brown fox jumps over the lazy dog, and back again.\r\n", bench->bytes);
}

static void *setup_base64(const struct bench *bench)
{
    return repeat("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gVGhlIHF1aWNr"
                  "IGJy\r\n",
                  bench->bytes);
}

static void *setup_dots(const struct bench *bench)
{
    return repeat("..\r\n", bench->bytes);
}

static void teardown(void *state)
{
    struct subject *subject = state;
    free(subject->data);
    free(subject);
}

static inline void run(const struct subject *subject, uint64_t iterations,
                       enum body_event (*scan)(struct body *, struct span, size_t *))
{
    while (iterations-- > 0) {
        struct body body;
        size_t consumed;
        body_init(&body, TEXT_LINE_BYTES_MAX, false);
        enum body_event event = scan(&body, span_of(subject->data, subject->size), &consumed);
        INVARIANT(event == BODY_END && consumed == subject->size);
    }
}

static void run_simd(void *state, uint64_t iterations)
{
    run(state, iterations, body_scan);
}

static void run_scalar(void *state, uint64_t iterations)
{
    run(state, iterations, body_scan_scalar);
}

static const struct bench benches[] = {
    {"body/simd/text/4096", setup_text, run_simd, teardown, 4096, 1},
    {"body/simd/base64/65536", setup_base64, run_simd, teardown, 65536, 1},
    {"body/simd/dots/4096", setup_dots, run_simd, teardown, 4096, 1},
    {"body/scalar/text/4096", setup_text, run_scalar, teardown, 4096, 1},
    {"body/scalar/base64/65536", setup_base64, run_scalar, teardown, 65536, 1},
    {"body/scalar/dots/4096", setup_dots, run_scalar, teardown, 4096, 1},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
