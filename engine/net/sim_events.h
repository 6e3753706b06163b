/* What will happen to one participant of the simulated network, earliest first, and in the order of
 * scheduling among equals: that makes a run repeatable. */
#ifndef ENGINE_NET_SIM_EVENTS_H
#define ENGINE_NET_SIM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_end;

enum sim_event_kind {
    SIM_ARRIVE,    /* at a listener: somebody wants to connect */
    SIM_CONNECTED, /* at who wanted to: it was accepted */
    SIM_DELIVER,   /* the next bytes are here, or the end of them */
    SIM_RESET,     /* the peer is gone */
    SIM_EVENT_KINDS,
};

struct sim_event {
    uint64_t at_ns, sequence;
    struct sim_end *end;
    enum sim_event_kind kind;
};

struct sim_events { /* a binary heap; zeroed memory is an empty one */
    struct sim_event *heap;
    uint32_t count, capacity;
};

/* Schedules one; the simulation aborts where there is no memory. */
void sim_events_push(struct sim_events *events, struct sim_event event);

/* The earliest moment, UINT64_MAX when there is none. */
uint64_t sim_events_next_ns(const struct sim_events *events);

/* Takes the earliest event out if it is due and was scheduled before `sequence`. */
bool sim_events_pop(struct sim_events *events, uint64_t now_ns, uint64_t sequence,
                    struct sim_event *event);

/* Forgets all that is scheduled. */
void sim_events_free(struct sim_events *events);

#endif
