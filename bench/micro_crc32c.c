/* CRC-32C over what the store checks: a record header, a 4 KiB message, a whole batch. */
#include "base/crc32c.h"
#include "base/invariant.h"
#include "base/random.h"
#include "bench/harness.h"

#include <stdlib.h>

struct subject {
    uint8_t *data;
    size_t size;
};

static void *setup(const struct bench *bench)
{
    struct subject *subject = malloc(sizeof(*subject));
    uint8_t *data = malloc(bench->bytes);
    INVARIANT(subject && data);
    struct random random = {.state = bench->bytes};
    for (size_t i = 0; i < bench->bytes; i++)
        data[i] = (uint8_t)random_next(&random);
    *subject = (struct subject){data, bench->bytes};
    return subject;
}

static void teardown(void *state)
{
    struct subject *subject = state;
    free(subject->data);
    free(subject);
}

/* Each result seeds the next, as the pieces of a record do. */
static void run_hardware(void *state, uint64_t iterations)
{
    const struct subject *subject = state;
    uint32_t crc = 0;
    while (iterations-- > 0)
        crc = crc32c(crc, subject->data, subject->size);
    bench_keep(crc);
}

static void run_portable(void *state, uint64_t iterations)
{
    const struct subject *subject = state;
    uint32_t crc = 0;
    while (iterations-- > 0)
        crc = crc32c_portable(crc, subject->data, subject->size);
    bench_keep(crc);
}

static const struct bench benches[] = {
    {"crc32c/hardware/64", setup, run_hardware, teardown, 64, 1},
    {"crc32c/hardware/4096", setup, run_hardware, teardown, 4096, 1},
    {"crc32c/hardware/1048576", setup, run_hardware, teardown, 1048576, 1},
    {"crc32c/portable/4096", setup, run_portable, teardown, 4096, 1},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
