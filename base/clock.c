#include "base/clock.h"

#include "base/invariant.h"

#include <string.h>
#include <time.h>

#define SECONDS_PER_DAY 86400u

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    INVARIANT(result == 0 && now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_monotonic_ns(void *context)
{
    (void)context;
    return read_ns(CLOCK_MONOTONIC);
}

static uint64_t system_wall_ns(void *context)
{
    (void)context;
    return read_ns(CLOCK_REALTIME);
}

const struct clock clock_system = {system_monotonic_ns, system_wall_ns, NULL};

static void put_digits(char *out, unsigned digits, uint64_t number)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* The Gregorian date of a day since the epoch, by 400-year eras that begin on 1 March, so that the
 * leap day comes last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static void put_date(char *out, uint64_t days)
{
    uint64_t shifted = days + 719468;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t month = (month_from_march + 2) % 12; /* 0: January */
    uint64_t year = year_of_era + shifted / 146097 * 400 + (month < 2);

    put_digits(out + 5, 2, day_of_year - (153 * month_from_march + 2) / 5 + 1);
    memcpy(out + 8, &"JanFebMarAprMayJunJulAugSepOctNovDec"[month * 3], 3);
    put_digits(out + 12, 4, year);
}

static void put_second(char out[CLOCK_DATE_BYTES], uint64_t second)
{
    memcpy(out, "Thu, 01 Jan 1970 00:00:00 +0000", CLOCK_DATE_BYTES);
    uint64_t days = second / SECONDS_PER_DAY;
    memcpy(out, &"ThuFriSatSunMonTueWed"[days % 7 * 3], 3);
    put_date(out, days);
    put_digits(out + 17, 2, second / 3600 % 24);
    put_digits(out + 20, 2, second / 60 % 60);
    put_digits(out + 23, 2, second % 60);
}

void clock_date(struct clock_date_cache *cache, uint64_t wall_ns, char out[CLOCK_DATE_BYTES])
{
    uint64_t second = wall_ns / NS_PER_S;
    if (!cache->filled || cache->second != second) {
        put_second(cache->text, second);
        cache->second = second;
        cache->filled = 1;
    }
    memcpy(out, cache->text, CLOCK_DATE_BYTES);
}
