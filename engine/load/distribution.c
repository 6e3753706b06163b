#include "engine/load/distribution.h"

#include "base/invariant.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 1000000000u

static enum status bad(const char *text, const char *why, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "'%.100s': %s", text, why);
}

/* A number with its unit; false: none. */
static bool take_number(const char **text, uint64_t *number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    unsigned shift = 0;
    switch (*end) {
    case 'k':
    case 'K':
        shift = 10;
        break;
    case 'm':
    case 'M':
        shift = 20;
        break;
    case 'g':
    case 'G':
        shift = 30;
        break;
    }
    if (errno != 0 || value > UINT64_MAX >> shift)
        return false;
    *number = (uint64_t)value << shift;
    *text = end + (shift > 0);
    return true;
}

static enum status parse_lognormal(const char *text, const char *at,
                                   struct distribution *distribution, struct fault *fault)
{
    uint64_t median;
    char *end;
    if (!take_number(&at, &median) || *at != ',' || median == 0)
        return bad(text, "not lognormal:MEDIAN,SIGMA", fault);
    distribution->sigma = strtod(at + 1, &end);
    if (end == at + 1 || *end != '\0' || !(distribution->sigma >= 0 && distribution->sigma <= 10))
        return bad(text, "SIGMA must be a number from 0 to 10", fault);
    if (median < distribution->low || median > distribution->high)
        return bad(text, "the median is out of range", fault);
    distribution->kind = DISTRIBUTION_LOGNORMAL;
    distribution->median = (double)median;
    return STATUS_OK;
}

static enum status parse_mix(const char *text, const char *at, struct distribution *distribution,
                             struct fault *fault)
{
    uint64_t upto = 0, low = UINT64_MAX, high = 0;
    distribution->kind = DISTRIBUTION_MIX;
    for (;; at++) {
        uint64_t value, weight;
        if (distribution->parts_count == DISTRIBUTION_PARTS_MAX)
            return bad(text, "too many parts", fault);
        if (!take_number(&at, &value) || *at++ != '*' || !take_number(&at, &weight) ||
            weight == 0 || weight > WEIGHT_MAX || (*at != ',' && *at != '\0'))
            return bad(text, "not mix:VALUE*WEIGHT,VALUE*WEIGHT,…", fault);
        if (value < distribution->low || value > distribution->high)
            return bad(text, "a value is out of range", fault);
        upto += weight;
        low = value < low ? value : low;
        high = value > high ? value : high;
        distribution->parts[distribution->parts_count++] =
            (struct distribution_part){.value = value, .upto = upto};
        if (*at == '\0')
            break;
    }
    distribution->low = low;
    distribution->high = high;
    return STATUS_OK;
}

static enum status parse_range(const char *text, struct distribution *distribution,
                               struct fault *fault)
{
    const char *at = text;
    uint64_t low, high;
    if (!take_number(&at, &low))
        return bad(text, "no number", fault);
    high = low;
    if (*at == '-' && (at++, !take_number(&at, &high)))
        return bad(text, "no number behind the dash", fault);
    if (*at != '\0')
        return bad(text, "neither a number nor A-B, lognormal: or mix:", fault);
    if (low > high)
        return bad(text, "the first number is the greater one", fault);
    if (low < distribution->low || high > distribution->high)
        return fault_set(fault, STATUS_USAGE, "'%.100s': not from %llu to %llu", text,
                         (unsigned long long)distribution->low,
                         (unsigned long long)distribution->high);
    distribution->kind = DISTRIBUTION_UNIFORM;
    distribution->low = low;
    distribution->high = high;
    return STATUS_OK;
}

enum status distribution_parse(const char *text, uint64_t low, uint64_t high,
                               struct distribution *distribution, struct fault *fault)
{
    static const char lognormal[] = "lognormal:", mix[] = "mix:";
    *distribution = (struct distribution){.low = low, .high = high};
    if (strncmp(text, lognormal, sizeof lognormal - 1) == 0)
        return parse_lognormal(text, text + sizeof lognormal - 1, distribution, fault);
    if (strncmp(text, mix, sizeof mix - 1) == 0)
        return parse_mix(text, text + sizeof mix - 1, distribution, fault);
    return parse_range(text, distribution, fault);
}

/* Uniform in 0 … 1, without 0. */
static double draw_unit(struct random *random)
{
    return (double)((random_next(random) >> 11) + 1) * 0x1p-53;
}

/* The polar form's plain sister (Box and Muller, 1958). */
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
    uint64_t span = distribution->high - distribution->low;
    if (span == 0)
        return distribution->low;
    return distribution->low +
           (span == UINT64_MAX ? random_next(random) : random_below(random, span + 1));
}

uint64_t distribution_max(const struct distribution *distribution)
{
    return distribution->high;
}
