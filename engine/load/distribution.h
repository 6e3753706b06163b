/* A distribution of whole numbers, as the flags --size and --recipients describe it: "4k" (always),
 * "1k-64k" (uniform, both ends included), "lognormal:MEDIAN,SIGMA" (of the natural logarithm), or
 * "mix:1k*60,5k*25,1M*5" (values and weights). Numbers take k, M, G (1024). */
#ifndef ENGINE_LOAD_DISTRIBUTION_H
#define ENGINE_LOAD_DISTRIBUTION_H

#include "base/random.h"
#include "base/status.h"

#define DISTRIBUTION_PARTS_MAX 32u

struct distribution_part {
    uint64_t value;
    uint64_t upto; /* of the weights, this part's included */
};

struct distribution {
    enum { DISTRIBUTION_UNIFORM, DISTRIBUTION_LOGNORMAL, DISTRIBUTION_MIX } kind;
    uint64_t low, high; /* nothing beyond is ever drawn */
    double median, sigma;
    uint32_t parts_count;
    struct distribution_part parts[DISTRIBUTION_PARTS_MAX];
};

/* Every value must lie in low … high, and so does what is drawn from a lognormal (cut off there).
 * USAGE with a line that names what is wrong in `text`. */
enum status distribution_parse(const char *text, uint64_t low, uint64_t high,
                               struct distribution *distribution, struct fault *fault) MUST_CHECK;

/* A value; thread-safe as far as `random` is. */
uint64_t distribution_draw(const struct distribution *distribution, struct random *random);

/* The largest value that can be drawn. */
uint64_t distribution_max(const struct distribution *distribution);

#endif
