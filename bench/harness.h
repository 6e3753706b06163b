/* Google Benchmark behind one C call, so that the micro benchmarks are plain C like what they time.
 *
 * A kernel times whole runs: `run` is given the iteration count and loops by itself, so that no
 * call across the language boundary stands between two iterations and a few nanoseconds can be
 * told apart. What `setup` makes is used by one benchmark at a time, on the calling thread. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench {
    const char *name;                              /* "crc32c/hardware/4096" */
    void *(*setup)(const struct bench *bench);     /* not timed; never NULL */
    void (*run)(void *state, uint64_t iterations); /* timed */
    void (*teardown)(void *state);                 /* not timed */
    uint32_t bytes;                                /* handled by one iteration; 0: no rate */
    uint32_t items;                                /* messages, lines, timers of one iteration */
};

/* Runs those that --benchmark_filter selects (Google Benchmark's own flags) and prints time, bytes
 * and items per second. Returns the process's exit code. */
int bench_main(int argc, char **argv, const struct bench *benches, size_t count);

/* Makes the compiler believe that `value` is used and that memory may have changed: keeps it from
 * dropping, or moving out of the loop, the work that is timed. */
static inline void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
