#include "tools/stop.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

void stop_open(struct stop *stop)
{
    sigemptyset(&stop->signals);
    sigaddset(&stop->signals, SIGINT);
    sigaddset(&stop->signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop->signals, &stop->before);
}

void stop_close(struct stop *stop)
{
    pthread_sigmask(SIG_SETMASK, &stop->before, NULL);
}

bool stop_wait(struct stop *stop, unsigned ms)
{
    const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (sigtimedwait(&stop->signals, NULL, &wait) < 0)
        return false;
    stop_close(stop);
    return true;
}
