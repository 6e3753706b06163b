#include "engine/load/paper.h"

#include "base/invariant.h"

#include <string.h>
#include <sys/mman.h>

#define SPARE_LINES 16384u

static void write_line(uint8_t *line, struct random *random)
{
    static const char letters[] = "etaoinshrdlcumwfgypbvkjxqz etaoinshrdlcu etaoinshr etaoin  eta ";
    _Static_assert(sizeof letters - 1 >= 63, "six bits of lot each");
    uint64_t lot = 0;
    for (uint32_t i = 0; i < PAPER_LINE_BYTES - 2; i++, lot >>= 6) {
        if (i % 10 == 0)
            lot = random_next(random);
        line[i] = (uint8_t)letters[(lot & 63) % (sizeof letters - 1)];
    }
    memcpy(line + PAPER_LINE_BYTES - 2, "\r\n", 2);
}

enum status paper_open(struct paper *paper, uint64_t seed, uint64_t cut_max, struct fault *fault)
{
    struct random random = {.state = seed};
    size_t lines = (size_t)(cut_max / PAPER_LINE_BYTES) + 1 + SPARE_LINES;
    *paper = (struct paper){.size = lines * PAPER_LINE_BYTES};
    void *bytes =
        mmap(NULL, paper->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return fault_set(fault, STATUS_SYSTEM, "no memory for messages of %llu bytes",
                         (unsigned long long)cut_max);
    paper->bytes = bytes;
    for (size_t i = 0; i < lines; i++)
        write_line(paper->bytes + i * PAPER_LINE_BYTES, &random);
    return STATUS_OK;
}

void paper_close(struct paper *paper)
{
    if (paper->bytes != NULL)
        munmap(paper->bytes, paper->size);
    *paper = (struct paper){0};
}

struct span paper_cut(const struct paper *paper, size_t size, struct random *random)
{
    INVARIANT(size <= paper->size);
    uint64_t places = (paper->size - size) / PAPER_LINE_BYTES + 1;
    return span_of(paper->bytes + random_below(random, places) * PAPER_LINE_BYTES, size);
}
