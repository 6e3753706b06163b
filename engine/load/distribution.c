#include "engine/load/distribution.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 1000000000u /* DISTRIBUTION_PARTS_MAX of them fit 64 bits by far */
#define SIGMA_MAX 10.0
#define DIGITS "0123456789"

static enum status bad(const char *text, const char *why, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "'%.100s': %s", text, why);
}

static unsigned shift_of(char unit)
{
    switch (unit) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

/* A number with its unit; false: none, or one beyond 64 bits. */
static bool take_number(const char **text, uint64_t *number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    unsigned shift = shift_of(*end);
    if (errno != 0 || value > UINT64_MAX >> shift)
        return false;
    *number = (uint64_t)value << shift;
    *text = end + (shift > 0);
    return true;
}

/* A value that may be drawn, so one from low to high. */
static enum status take_value(const char *text, const char **at,
                              const struct distribution *distribution, uint64_t *value,
                              struct fault *fault)
{
    if (!take_number(at, value))
        return bad(text, "a number is missing or too large", fault);
    if (*value >= distribution->low && *value <= distribution->high)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "'%.100s': %llu is not from %llu to %llu", text,
                     (unsigned long long)*value, (unsigned long long)distribution->low,
                     (unsigned long long)distribution->high);
}

static enum status parse_lognormal(const char *text, const char *at,
                                   struct distribution *distribution, struct fault *fault)
{
    uint64_t median = 0;
    enum status status = take_value(text, &at, distribution, &median, fault);
    if (status != STATUS_OK)
        return status;
    if (median == 0 || *at++ != ',')
        return bad(text, "not lognormal:MEDIAN,SIGMA", fault);
    size_t size = strspn(at, DIGITS ".");
    char *end;
    double sigma = strtod(at, &end);
    if (size == 0 || end != at + size || *end != '\0' || !(sigma <= SIGMA_MAX))
        return bad(text, "SIGMA must be a number from 0 to 10", fault);
    distribution->kind = DISTRIBUTION_LOGNORMAL;
    distribution->median = (double)median;
    distribution->sigma = sigma;
    return STATUS_OK;
}

static enum status parse_part(const char *text, const char **at, struct distribution *distribution,
                              struct fault *fault)
{
    uint64_t value = 0, weight;
    if (distribution->parts_count == DISTRIBUTION_PARTS_MAX)
        return bad(text, "too many parts", fault);
    enum status status = take_value(text, at, distribution, &value, fault);
    if (status != STATUS_OK)
        return status;
    if (*(*at)++ != '*')
        return bad(text, "not mix:VALUE*WEIGHT,VALUE*WEIGHT,...", fault);
    if (!take_number(at, &weight) || weight == 0 || weight > WEIGHT_MAX)
        return bad(text, "a weight must be a number from 1 to 1000000000", fault);
    uint32_t count = distribution->parts_count++;
    uint64_t before = count > 0 ? distribution->parts[count - 1].upto : 0;
    distribution->parts[count] =
        (struct distribution_part){.value = value, .upto = before + weight};
    return STATUS_OK;
}

static enum status parse_mix(const char *text, const char *at, struct distribution *distribution,
                             struct fault *fault)
{
    distribution->kind = DISTRIBUTION_MIX;
    for (;; at++) {
        enum status status = parse_part(text, &at, distribution, fault);
        if (status != STATUS_OK)
            return status;
        if (*at == '\0')
            break;
        if (*at != ',')
            return bad(text, "not mix:VALUE*WEIGHT,VALUE*WEIGHT,...", fault);
    }
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < distribution->parts_count; i++) {
        uint64_t value = distribution->parts[i].value;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    distribution->low = low;
    distribution->high = high;
    return STATUS_OK;
}

static enum status parse_range(const char *text, const char *at, struct distribution *distribution,
                               struct fault *fault)
{
    uint64_t low = 0, high = 0;
    enum status status = take_value(text, &at, distribution, &low, fault);
    high = low;
    if (status == STATUS_OK && *at == '-') {
        at++;
        status = take_value(text, &at, distribution, &high, fault);
    }
    if (status != STATUS_OK)
        return status;
    if (*at != '\0')
        return bad(text, "neither a number nor A-B, lognormal:... or mix:...", fault);
    if (low > high)
        return bad(text, "the first number is the greater one", fault);
    distribution->kind = DISTRIBUTION_UNIFORM;
    distribution->low = low;
    distribution->high = high;
    return STATUS_OK;
}

enum status distribution_parse(const char *text, uint64_t low, uint64_t high,
                               struct distribution *distribution, struct fault *fault)
{
    static const struct {
        const char *prefix;
        enum status (*parse)(const char *text, const char *at, struct distribution *distribution,
                             struct fault *fault);
    } forms[] = {
        {"lognormal:", parse_lognormal},
        {"mix:", parse_mix},
        {"", parse_range},
    };
    struct distribution parsed = {.low = low, .high = high};
    for (size_t i = 0;; i++) {
        size_t size = strlen(forms[i].prefix);
        if (strncmp(text, forms[i].prefix, size) != 0)
            continue;
        enum status status = forms[i].parse(text, text + size, &parsed, fault);
        if (status == STATUS_OK)
            *distribution = parsed;
        return status;
    }
}

/* Uniform in 0 … 1, without 0. */
static double draw_unit(struct random *random)
{
    return (double)((random_next(random) >> 11) + 1) * 0x1p-53;
}

/* Box and Muller, "A note on the generation of random normal deviates" (1958). */
static uint64_t draw_lognormal(const struct distribution *distribution, struct random *random)
{
    double radius = sqrt(-2 * log(draw_unit(random)));
    double normal = radius * cos(2 * M_PI * draw_unit(random));
    double value = round(distribution->median * exp(distribution->sigma * normal));
    if (value <= (double)distribution->low)
        return distribution->low;
    return value >= (double)distribution->high ? distribution->high : (uint64_t)value;
}

static uint64_t draw_part(const struct distribution *distribution, struct random *random)
{
    uint64_t total = distribution->parts[distribution->parts_count - 1].upto;
    uint64_t place = random_below(random, total);
    const struct distribution_part *part = distribution->parts;
    while (part->upto <= place)
        part++;
    return part->value;
}

static uint64_t draw_uniform(const struct distribution *distribution, struct random *random)
{
    uint64_t others = distribution->high - distribution->low;
    if (others == UINT64_MAX)
        return random_next(random);
    return distribution->low + (others > 0 ? random_below(random, others + 1) : 0);
}

uint64_t distribution_draw(const struct distribution *distribution, struct random *random)
{
    switch (distribution->kind) {
    case DISTRIBUTION_LOGNORMAL:
        return draw_lognormal(distribution, random);
    case DISTRIBUTION_MIX:
        return draw_part(distribution, random);
    case DISTRIBUTION_UNIFORM:
        break;
    }
    return draw_uniform(distribution, random);
}

uint64_t distribution_max(const struct distribution *distribution)
{
    return distribution->high;
}
