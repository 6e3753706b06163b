/* What this process has used of the machine. */
#ifndef ENGINE_PROCESS_H
#define ENGINE_PROCESS_H

#include <stdint.h>

struct process_figures {
    uint64_t cpu_ns; /* of all threads, user and system */
    uint64_t resident_bytes;
};

/* Any thread; a few microseconds. What the system does not tell is 0. */
void process_read(struct process_figures *figures);

#endif
