#include "bench/cpu.h"

#include "base/clock.h"
#include "base/invariant.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

enum status cpu_pin(unsigned core, struct fault *fault)
{
    INVARIANT(core < CPU_SETSIZE);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        return fault_set(fault, STATUS_SYSTEM, "core %u: %s", core, strerror(errno));
    return STATUS_OK;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

struct cpu_time cpu_time_self(void)
{
    struct rusage usage;
    int failed = getrusage(RUSAGE_SELF, &usage);
    INVARIANT(failed == 0);
    return (struct cpu_time){timeval_ns(usage.ru_utime), timeval_ns(usage.ru_stime)};
}

struct cpu_time cpu_time_between(struct cpu_time start, struct cpu_time end)
{
    INVARIANT(start.user_ns <= end.user_ns && start.system_ns <= end.system_ns);
    return (struct cpu_time){end.user_ns - start.user_ns, end.system_ns - start.system_ns};
}
