/* Which processors the shards run on. */
#ifndef ENGINE_CPUS_H
#define ENGINE_CPUS_H

#include "base/status.h"

#include <stdint.h>

#define CPUS_MAX 1024u

struct cpus {
    uint16_t numbers[CPUS_MAX];
    uint32_t count;
};

/* Those this process may run on, in order. */
void cpus_usable(struct cpus *cpus);

/* "0,2-3" in the order given; USAGE naming what is wrong, also a processor that is not usable. */
enum status cpus_parse(const char *text, struct cpus *cpus, struct fault *fault) MUST_CHECK;

/* Ties the calling thread to one processor. */
enum status cpus_pin(uint32_t number, struct fault *fault) MUST_CHECK;

#endif
