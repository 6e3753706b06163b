#include "tools/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_DIGITS = 3 };

#define RATE_MIN 1e-5 /* less is none */

const char *figure_count(uint64_t count, char out[FIGURE_BYTES])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *end = out;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % GROUP_DIGITS == 0)
            *end++ = ',';
        *end++ = digits[i];
    }
    *end = '\0';
    return out;
}

/* Decimals that leave three digits once the value is rounded to them. */
static int decimals_of(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

const char *figure_time(double ns, char out[FIGURE_BYTES])
{
    static const char *const units[] = {"µs", "ms", "s"};
    enum { UNITS = sizeof units / sizeof units[0] };
    int unit = 0;
    double value = ns / 1e3;
    for (; unit < UNITS - 1 && value >= 999.5; unit++)
        value /= 1e3;
    snprintf(out, FIGURE_BYTES, "%.*f %s", value > 0 ? decimals_of(value) : 0, value, units[unit]);
    return out;
}

const char *figure_rate(double rate, char out[FIGURE_BYTES])
{
    int decimals = decimals_of(rate);
    if (decimals == 0)
        return figure_count((uint64_t)llround(rate), out);
    for (double below = 0.0995; rate > 0 && rate < below && below > RATE_MIN; below /= 10)
        decimals++;
    snprintf(out, FIGURE_BYTES, "%.*f", rate > 0 ? decimals : 0, rate);
    return out;
}

/* The nearer to none or all, the more digits tell how near. */
static int part_decimals(double percent)
{
    double nearer = percent < 50 ? percent : 100 - percent;
    return nearer <= 0 ? 0 : nearer < 0.995 ? 2 : nearer < 9.95 ? 1 : 0;
}

const char *figure_part(double part, char out[FIGURE_BYTES])
{
    double percent = part * 100;
    if (part > 0 && percent < 0.01)
        snprintf(out, FIGURE_BYTES, "< 0.01 %%");
    else if (part < 1 && percent > 99.99)
        snprintf(out, FIGURE_BYTES, "> 99.99 %%");
    else
        snprintf(out, FIGURE_BYTES, "%.*f %%", part_decimals(percent), percent);
    return out;
}

const char *figure_duration(double seconds, char out[FIGURE_BYTES])
{
    uint64_t whole = (uint64_t)llround(seconds);
    if (seconds > 0 && seconds < 0.0995)
        return figure_time(seconds * 1e9, out);
    if (seconds <= 0)
        snprintf(out, FIGURE_BYTES, "0 s");
    else if (seconds < 9.95)
        snprintf(out, FIGURE_BYTES, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(out, FIGURE_BYTES, "%" PRIu64 " s", whole);
    else if (whole < 3600)
        snprintf(out, FIGURE_BYTES, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    else
        snprintf(out, FIGURE_BYTES, "%" PRIu64 " h %02" PRIu64 " min", whole / 3600,
                 whole / 60 % 60);
    return out;
}

size_t figure_columns(const char *text)
{
    size_t columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xC0) != 0x80; /* not in the middle of a character */
    return columns;
}
