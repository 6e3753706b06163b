/* The kernels that have a micro benchmark, one file each. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include "bench/harness.h"

extern const struct bench_group micro_crc32c;
extern const struct bench_group micro_timer;

#endif
