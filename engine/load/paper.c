#include "engine/load/paper.h"

#include "base/hash.h"
#include "base/invariant.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHEET_BYTES ((size_t)PAPER_LINES * PAPER_LINE_BYTES)
_Static_assert(SHEET_BYTES % 65536 == 0, "a sheet can be mapped right behind another");

/* Letters about as often as English has them, so that compression finds what it is used to. */
static void write_line(uint8_t *line, struct random *random)
{
    static const char letters[] =
        "etaoinshrdlcumwfgypbvkjxqz etaoinshrdlcu etaoinshr etaoin  eta e";
    _Static_assert(sizeof letters == 64 + 1, "six bits of a lot each");
    uint64_t lot = 0;
    for (uint32_t i = 0; i < PAPER_LINE_BYTES - 2; i++, lot >>= 6) {
        if (i % 10 == 0)
            lot = random_next(random);
        line[i] = (uint8_t)letters[lot & 63];
    }
    memcpy(line + PAPER_LINE_BYTES - 2, "\r\n", 2);
}

static void write_sheet(uint8_t *sheet, uint64_t seed)
{
    struct random random = {.state = hash64(SPAN("paper"), seed)};
    for (uint32_t i = 0; i < PAPER_LINES; i++)
        write_line(sheet + (size_t)i * PAPER_LINE_BYTES, &random);
}

/* Maps the sheet over the whole range, writes it through the first place, and lets nobody write
 * after that. */
static bool lay_out(const struct paper *paper, int file, uint64_t seed)
{
    if (posix_fallocate(file, 0, (off_t)SHEET_BYTES) != 0)
        return false;
    for (size_t at = 0; at < paper->size; at += SHEET_BYTES) {
        int access = at == 0 ? PROT_READ | PROT_WRITE : PROT_READ;
        if (mmap(paper->bytes + at, SHEET_BYTES, access, MAP_SHARED | MAP_FIXED, file, 0) ==
            MAP_FAILED)
            return false;
    }
    write_sheet(paper->bytes, seed);
    return mprotect(paper->bytes, SHEET_BYTES, PROT_READ) == 0;
}

static bool reserve(uint64_t cut_max, struct paper *paper)
{
    size_t size;
    if (__builtin_mul_overflow(cut_max / SHEET_BYTES + 2, SHEET_BYTES, &size))
        return false;
    void *bytes = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    *paper = (struct paper){.bytes = bytes, .size = size};
    return true;
}

enum status paper_open(struct paper *result, uint64_t seed, uint64_t cut_max, struct fault *fault)
{
    struct paper paper = {0};
    int file = memfd_create("paper", MFD_CLOEXEC);
    bool done = file >= 0 && reserve(cut_max, &paper) && lay_out(&paper, file, seed);
    if (file >= 0)
        close(file);
    if (!done) {
        paper_close(&paper);
        return fault_set(fault, STATUS_SYSTEM, "no memory for messages of %llu bytes",
                         (unsigned long long)cut_max);
    }
    *result = paper;
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
    INVARIANT(size <= paper->size - SHEET_BYTES);
    return span_of(paper->bytes + random_below(random, PAPER_LINES) * PAPER_LINE_BYTES, size);
}
