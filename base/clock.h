/* Time as the engine sees it: read once per turn, injected, so that a simulation can own it.
 * Monotonic time counts nanoseconds from an arbitrary point ≥ 0; wall time from the Unix epoch. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_ns)(void *context);
    uint64_t (*wall_ns)(void *context);
    void *context;
};

/* The machine's clocks. */
extern const struct clock clock_system;

static inline uint64_t clock_monotonic_ns(const struct clock *clock)
{
    return clock->monotonic_ns(clock->context);
}

static inline uint64_t clock_wall_ns(const struct clock *clock)
{
    return clock->wall_ns(clock->context);
}

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* "Mon, 23 Nov 2026 16:00:00 +0000" (RFC 5322 section 3.3, always UTC): 31 bytes, no NUL. The last
 * second's text is cached per caller in `cache`, since a busy shard stamps thousands a second. */
#define CLOCK_DATE_BYTES 31
struct clock_date_cache {
    uint64_t second;
    char text[CLOCK_DATE_BYTES];
    uint8_t filled;
};
void clock_date(struct clock_date_cache *cache, uint64_t wall_ns, char out[CLOCK_DATE_BYTES]);

#endif
