/* One participant of the simulated network, as its user sees it. */
#include "engine/net/net_sim.h"

#include "base/invariant.h"
#include "engine/net/sim.h"

#include <stdlib.h>

static struct net_sim *sim_of(struct net *net)
{
    return (struct net_sim *)net;
}

/* NULL when the name is stale, or on its way to be. */
static struct sim_end *find(struct net_sim *net, struct net_conn name)
{
    if (name.slot >= net->slots_count)
        return NULL;
    const struct sim_slot *slot = &net->slots[name.slot];
    bool known = slot->end && slot->generation == name.generation && !slot->end->closing;
    return known ? slot->end : NULL;
}

static void sim_send(struct net *base, struct net_conn name, struct net_tx *tx)
{
    struct sim_end *end = find(sim_of(base), name);
    if (!end || end->finishing) {
        tx_queue_push(&sim_of(base)->orphans, tx);
        return;
    }
    tx_queue_push(&end->queue, tx);
    sim_end_list(end);
}

static void sim_resume(struct net *base, struct net_conn name)
{
    struct sim_end *end = find(sim_of(base), name);
    if (!end)
        return;
    end->resumed = true;
    if (end->paused)
        sim_end_list(end);
}

static void sim_finish(struct net *base, struct net_conn name)
{
    struct sim_end *end = find(sim_of(base), name);
    if (!end)
        return;
    end->finishing = true;
    sim_end_list(end);
}

static void sim_abort(struct net *base, struct net_conn name)
{
    struct sim_end *end = find(sim_of(base), name);
    if (end)
        sim_end_close(end, NET_CLOSE_ABORTED);
}

static void sim_accept_pause(struct net *base, bool pause)
{
    sim_of(base)->accept_paused = pause;
}

static void settle_all(struct net_sim *net)
{
    /* what is listed from here on is for the next turn */
    struct sim_end *end = net->listed_first;
    net->listed_first = NULL;
    while (end) {
        struct sim_end *next = end->listed_next;
        end->listed = false;
        sim_end_settle(end);
        end = next;
    }
}

static void sim_poll(struct net *base, uint64_t wait_ns)
{
    (void)wait_ns; /* time passes between the turns of a simulation, not in them */
    struct net_sim *net = sim_of(base);
    INVARIANT(!net->polling && !net->killed);
    net->polling = true;
    net->woken = false;
    tx_queue_release(&net->orphans);
    settle_all(net);
    uint64_t now_ns = sim_now_ns(net->network), sequence = net->network->sequence;
    struct sim_event event;
    while (sim_events_pop(&net->events, now_ns, sequence, &event)) {
        sim_end_handle(event.end, event.kind);
        sim_link_release(event.end->link);
    }
    sim_accept(net);
    net->polling = false;
}

static void sim_wake(struct net *base)
{
    sim_of(base)->woken = true;
}

static void sim_counters(const struct net *base, struct net_counters *counters)
{
    *counters = ((const struct net_sim *)base)->counters;
}

/* Those that nobody here has heard of yet, and the events that name anybody. */
static void drop_events(struct net_sim *net)
{
    struct sim_event event;
    while (sim_events_pop(&net->events, UINT64_MAX, UINT64_MAX, &event)) {
        if (event.end->state == SIM_WAITING)
            sim_end_kill(event.end);
        sim_link_release(event.end->link);
    }
    sim_events_free(&net->events);
    while (net->waiting_first) {
        struct sim_end *end = net->waiting_first;
        net->waiting_first = end->waiting_next;
        sim_link_release(end->link);
    }
}

static void leave_network(struct net_sim *net)
{
    struct net_sim **place = &net->network->participants;
    while (*place != net)
        place = &(*place)->next;
    *place = net->next;
}

static void close_all(struct net_sim *net)
{
    for (uint32_t i = 0; i < net->slots_count; i++)
        if (net->slots[i].end)
            sim_end_close(net->slots[i].end, NET_CLOSE_ABORTED);
    while (net->listed_first)
        settle_all(net);
}

static void sim_deinit(struct net *base)
{
    struct net_sim *net = sim_of(base);
    INVARIANT(!net->polling);
    net->stopping = true;
    if (!net->killed) {
        sim_unlisten(base);
        close_all(net);
        tx_queue_release(&net->orphans);
        drop_events(net);
    }
    leave_network(net);
    while (net->listeners) {
        struct sim_listener *listener = net->listeners;
        net->listeners = listener->next;
        free(listener);
    }
    free(net->slots);
    free(net);
}

void net_sim_kill(struct net *base)
{
    struct net_sim *net = sim_of(base);
    INVARIANT(!net->polling && !net->killed);
    sim_unlisten(base);
    for (uint32_t i = 0; i < net->slots_count; i++)
        if (net->slots[i].end)
            sim_end_kill(net->slots[i].end);
    net->listed_first = NULL;
    drop_events(net);
    net->killed = true;
}

static const struct net_calls sim_calls = {
    .name = "sim",
    .listen = sim_listen,
    .unlisten = sim_unlisten,
    .accept_pause = sim_accept_pause,
    .connect = sim_connect,
    .send = sim_send,
    .resume = sim_resume,
    .finish = sim_finish,
    .abort = sim_abort,
    .poll = sim_poll,
    .wake = sim_wake,
    .counters = sim_counters,
    .deinit = sim_deinit,
};

static void join_network(struct net_sim *net)
{
    struct net_sim **place = &net->network->participants;
    while (*place)
        place = &(*place)->next;
    *place = net;
}

enum status net_sim_open(struct net **opened, struct sim_network *network)
{
    uint32_t count = network->options.connections_max;
    struct net_sim *net = calloc(1, sizeof *net);
    if (net)
        net->slots = calloc(count, sizeof *net->slots);
    if (!net || !net->slots) {
        free(net);
        return STATUS_FULL;
    }
    for (uint32_t i = 0; i < count; i++)
        net->slots[i] = (struct sim_slot){.generation = 1, .free_next = i + 1};
    net->net.calls = &sim_calls;
    net->network = network;
    net->slots_count = count;
    join_network(net);
    *opened = &net->net;
    return STATUS_OK;
}
