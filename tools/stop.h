/* SIGINT and SIGTERM as a question: has somebody asked us to end? While one is open both signals
 * are blocked; one that is taken here does nothing else, a second one ends the process as always.
 */
#ifndef TOOLS_STOP_H
#define TOOLS_STOP_H

#include <signal.h>
#include <stdbool.h>

struct stop {
    sigset_t signals, before;
};

void stop_open(struct stop *stop);
void stop_close(struct stop *stop);

/* Waits for it, `ms` milliseconds at most (0: not at all). Once true, signals do what they did
 * before. */
bool stop_wait(struct stop *stop, unsigned ms);

#endif
