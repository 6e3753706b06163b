/* Where a benchmark's processes run and what they use: cores and processor time. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include "base/status.h"

#include <stdint.h>

struct cpu_time {
    uint64_t user_ns, system_ns;
};

/* Keeps the calling thread, and what it forks, on one core. SYSTEM with a line that names it. */
enum status cpu_pin(unsigned core, struct fault *fault) MUST_CHECK;

/* What the calling process has used so far, all threads. */
struct cpu_time cpu_time_self(void);

/* From `start` to `end`. */
struct cpu_time cpu_time_between(struct cpu_time start, struct cpu_time end);

#endif
