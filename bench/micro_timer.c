/* The timer wheel under a shard's load: 100,000 sessions, of which each that is heard from moves
 * its deadline, while time goes on. */
#include "base/invariant.h"
#include "base/random.h"
#include "base/timer_wheel.h"
#include "bench/harness.h"

#include <stdlib.h>

#define SESSIONS 100000u
#define PATIENCE_MS 300000u /* RFC 5321 section 4.5.3.2: five minutes */
#define MOVES_PER_TICK 64u  /* sessions heard from in one turn of the loop */

struct subject {
    struct timer_wheel wheel;
    struct random random;
    struct timer timers[SESSIONS];
};

static void *setup(const struct bench *bench)
{
    (void)bench;
    struct subject *subject = calloc(1, sizeof(*subject));
    INVARIANT(subject);
    timer_wheel_init(&subject->wheel, 0);
    for (uint32_t i = 0; i < SESSIONS; i++)
        timer_set(&subject->wheel, &subject->timers[i],
                  random_below(&subject->random, PATIENCE_MS));
    return subject;
}

static void teardown(void *state)
{
    free(state);
}

static void rearm(void *context, struct timer *timer)
{
    struct subject *subject = context;
    timer_set(&subject->wheel, timer, subject->wheel.now_ms + PATIENCE_MS);
}

static void run_move(void *state, uint64_t iterations)
{
    struct subject *subject = state;
    while (iterations-- > 0)
        rearm(subject, &subject->timers[random_below(&subject->random, SESSIONS)]);
}

static void run_cancel_set(void *state, uint64_t iterations)
{
    struct subject *subject = state;
    while (iterations-- > 0) {
        struct timer *timer = &subject->timers[random_below(&subject->random, SESSIONS)];
        timer_cancel(&subject->wheel, timer);
        rearm(subject, timer);
    }
}

static void run_turn(void *state, uint64_t iterations)
{
    struct subject *subject = state;
    while (iterations-- > 0) {
        run_move(subject, MOVES_PER_TICK);
        timer_wheel_advance(&subject->wheel, subject->wheel.now_ms + 1, rearm, subject);
        bench_keep(timer_wheel_next_ms(&subject->wheel));
    }
}

static const struct bench benches[] = {
    {"timer/move", setup, run_move, teardown, 0, 1},
    {"timer/cancel_and_set", setup, run_cancel_set, teardown, 0, 1},
    {"timer/turn_of_64", setup, run_turn, teardown, 0, MOVES_PER_TICK},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
