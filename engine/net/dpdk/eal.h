/* DPDK's environment: started once in a process, with what it has to say turned into one line. */
#ifndef ENGINE_NET_DPDK_EAL_H
#define ENGINE_NET_DPDK_EAL_H

#include "base/status.h"

#define EAL_LINE_BYTES 200

/* As dpdk_open. The thread that calls it keeps its processors. `said` gets the first line of what
 * went wrong and did not stop it, such as a device that could not be made; else it is empty. */
enum status eal_start(const char *arguments, char said[EAL_LINE_BYTES],
                      struct fault *fault) MUST_CHECK;
void eal_stop(void);

#endif
