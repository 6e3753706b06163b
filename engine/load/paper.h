/* The text that made-up messages are cut out of: lines of 78 printable ASCII characters and CRLF,
 * none of which begins with a dot or with "From ". The same for the same seed. Read-only once open,
 * so shards share it.
 *
 * It is one sheet of memory, mapped as often as the largest cut needs: a message of a gigabyte
 * costs address space, and its text repeats after 640 KiB. */
#ifndef ENGINE_LOAD_PAPER_H
#define ENGINE_LOAD_PAPER_H

#include "base/random.h"
#include "base/span.h"
#include "base/status.h"

#define PAPER_LINE_BYTES 80u
#define PAPER_LINES 8192u /* of a sheet: whole pages of up to 64 KiB, and they stay in a cache */

struct paper { /* zeroed: not open */
    uint8_t *bytes;
    size_t size; /* bytes, whole sheets */
};

/* For cuts of up to `cut_max` bytes. SYSTEM: no memory. */
enum status paper_open(struct paper *paper, uint64_t seed, uint64_t cut_max,
                       struct fault *fault) MUST_CHECK;
void paper_close(struct paper *paper);

/* `size` bytes (≤ cut_max) from the beginning of a line drawn by lot. */
struct span paper_cut(const struct paper *paper, size_t size, struct random *random);

#endif
