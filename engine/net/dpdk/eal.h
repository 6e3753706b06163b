/* DPDK's environment: started once in a process, with what it has to say turned into one line. */
#ifndef ENGINE_NET_DPDK_EAL_H
#define ENGINE_NET_DPDK_EAL_H

#include "base/status.h"

/* As dpdk_open. The thread that calls it keeps its processors. */
enum status eal_start(const char *arguments, struct fault *fault) MUST_CHECK;
void eal_stop(void);

#endif
