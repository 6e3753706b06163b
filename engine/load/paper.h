/* The text that made-up messages are cut out of: lines of 76 printable ASCII characters and CRLF,
 * none of which begins with a dot or with "From ". The same for the same seed. Read-only once made,
 * so shards share it. */
#ifndef ENGINE_LOAD_PAPER_H
#define ENGINE_LOAD_PAPER_H

#include "base/random.h"
#include "base/span.h"
#include "base/status.h"

#define PAPER_LINE_BYTES 78u

struct paper {
    uint8_t *bytes;
    size_t size; /* whole lines */
};

/* So large that a cut of `cut_max` bytes can begin at thousands of lines. SYSTEM: no memory. */
enum status paper_open(struct paper *paper, uint64_t seed, uint64_t cut_max,
                       struct fault *fault) MUST_CHECK;
void paper_close(struct paper *paper);

/* `size` bytes (≤ cut_max) from the beginning of a line drawn by lot. */
struct span paper_cut(const struct paper *paper, size_t size, struct random *random);

#endif
