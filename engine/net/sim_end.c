/* One end of a simulated connection: what its owner asked for, and what reaches it. */
#include "base/invariant.h"
#include "engine/net/sim.h"

#include <stdlib.h>

bool sim_end_take_slot(struct sim_end *end)
{
    struct net_sim *net = end->net;
    if (net->slots_free == net->slots_count)
        return false;
    uint32_t place = net->slots_free;
    struct sim_slot *slot = &net->slots[place];
    net->slots_free = slot->free_next;
    slot->end = end;
    end->name = (struct net_conn){place, slot->generation};
    return true;
}

static void give_slot(struct sim_end *end)
{
    struct net_sim *net = end->net;
    struct sim_slot *slot = &net->slots[end->name.slot];
    slot->end = NULL;
    slot->generation += slot->generation == UINT32_MAX ? 2 : 1;
    slot->free_next = net->slots_free;
    net->slots_free = end->name.slot;
}

void sim_link_release(struct sim_link *link)
{
    INVARIANT(link->references > 0);
    if (--link->references == 0)
        free(link);
}

static void leave(struct sim_end *end)
{
    end->state = SIM_GONE;
    sim_pipe_free(&end->incoming);
    sim_link_release(end->link);
}

static void reset_peer(struct sim_end *end)
{
    struct sim_end *peer = sim_peer(end);
    if (peer->state != SIM_GONE && !peer->net->killed)
        sim_schedule(peer, SIM_RESET, sim_latency_ns(end->net->network));
}

void sim_end_kill(struct sim_end *end)
{
    if (end->state == SIM_GONE)
        return;
    reset_peer(end);
    if (end->state != SIM_WAITING)
        give_slot(end);
    leave(end);
}

void sim_end_list(struct sim_end *end)
{
    struct net_sim *net = end->net;
    if (end->listed || end->state == SIM_GONE || end->state == SIM_WAITING)
        return;
    end->listed = true;
    end->listed_next = NULL;
    if (net->listed_first)
        net->listed_last->listed_next = end;
    else
        net->listed_first = end;
    net->listed_last = end;
}

void sim_end_close(struct sim_end *end, enum net_close_reason reason)
{
    if (!end->closing) {
        end->closing = true;
        end->reason = reason;
    }
    sim_end_list(end);
}

static void schedule_delivery(struct sim_end *end, uint64_t delay_ns)
{
    bool something = end->incoming.size > 0 || (end->fin_received && !end->told);
    if (!something || end->delivering || end->paused || end->state != SIM_OPEN)
        return;
    end->delivering = true;
    sim_schedule(end, SIM_DELIVER, delay_ns);
}

void sim_end_open(struct sim_end *end)
{
    bool outgoing = end->state == SIM_CONNECTING;
    end->state = SIM_OPEN;
    void *session = end->handler->opened(end->session, end->name, &end->peer);
    if (!session) {
        end->net->counters.turned_away++;
        end->handler = NULL;
        sim_end_close(end, NET_CLOSE_FINISHED);
        return;
    }
    end->session = session;
    end->net->counters.connected += outgoing;
    end->net->counters.accepted += !outgoing;
    schedule_delivery(end, sim_gap_ns(end->net->network));
    sim_end_list(end); /* what was asked for while it was connecting */
}

/* As much as the window has room for is the network's; a peer that is gone takes everything until
 * its reset arrives. */
static void push(struct sim_end *end)
{
    struct sim_end *peer = sim_peer(end);
    struct net_sim *net = end->net;
    uint64_t before = net->counters.bytes_out;
    while (!tx_queue_empty(&end->queue)) {
        struct span bytes = tx_queue_front(&end->queue);
        uint32_t taken = (uint32_t)bytes.size;
        if (peer->state != SIM_GONE)
            taken = sim_pipe_put(&peer->incoming, bytes, net->network->options.window_bytes);
        if (taken == 0)
            break;
        net->counters.bytes_out += taken;
        tx_queue_advance(&end->queue, taken);
    }
    if (net->counters.bytes_out == before)
        return;
    schedule_delivery(peer, sim_latency_ns(net->network));
    if (tx_queue_empty(&end->queue))
        end->handler->drained(end->session);
}

static void send_fin(struct sim_end *end)
{
    struct sim_end *peer = sim_peer(end);
    end->fin_sent = true;
    peer->fin_received = true;
    schedule_delivery(peer, sim_latency_ns(end->net->network));
}

static void settle_closing(struct sim_end *end)
{
    struct net_sim *net = end->net;
    const struct net_handler *handler = end->handler;
    void *session = end->session;
    enum net_close_reason reason = end->reason;
    if (reason == NET_CLOSE_ABORTED || !handler)
        reset_peer(end);
    net->counters.closed += handler && end->state == SIM_OPEN;
    net->counters.refused += end->state == SIM_CONNECTING;
    tx_queue_release(&end->queue);
    give_slot(end);
    leave(end);
    if (handler)
        handler->closed(session, reason);
}

void sim_end_settle(struct sim_end *end)
{
    if (end->state == SIM_OPEN && !end->closing) {
        if (end->resumed && end->paused) {
            end->paused = false;
            schedule_delivery(end, 0);
        }
        push(end);
        if (end->finishing && tx_queue_empty(&end->queue) && !end->fin_sent)
            send_fin(end);
    }
    if (end->fin_sent && end->told && !end->closing) {
        end->closing = true;
        end->reason = NET_CLOSE_FINISHED;
    }
    if (end->closing && !end->listed)
        settle_closing(end);
}

static void deliver_bytes(struct sim_end *end)
{
    struct sim_network *network = end->net->network;
    struct span bytes = sim_pipe_front(
        &end->incoming,
        (uint32_t)random_below(&network->random, network->options.segment_bytes_max) + 1);
    end->resumed = false;
    size_t taken = end->handler->received(end->session, bytes);
    INVARIANT(taken <= bytes.size);
    end->net->counters.bytes_in += taken;
    sim_pipe_consume(&end->incoming, taken);
    if (taken > 0)
        sim_end_list(sim_peer(end)); /* its window opened */
    end->paused = taken < bytes.size;
    if (end->paused && end->resumed)
        sim_end_list(end); /* resumed from inside: from the next turn on */
    schedule_delivery(end, sim_gap_ns(network));
}

static void deliver(struct sim_end *end)
{
    struct sim_network *network = end->net->network;
    end->delivering = false;
    if (end->paused)
        return;
    if (sim_happens(network, network->options.resets_per_million)) {
        reset_peer(end);
        sim_end_close(end, NET_CLOSE_PEER);
    } else if (sim_happens(network, network->options.stalls_per_million)) {
        schedule_delivery(end, sim_stall_ns(network));
    } else if (end->incoming.size > 0) {
        deliver_bytes(end);
    } else {
        end->told = true;
        end->handler->peer_finished(end->session);
        sim_end_list(end);
    }
}

static void reset(struct sim_end *end)
{
    switch (end->state) {
    case SIM_GONE:
        break;
    case SIM_WAITING:
        leave(end);
        break;
    case SIM_CONNECTING:
        sim_end_close(end, NET_CLOSE_REFUSED);
        break;
    case SIM_OPEN:
        sim_end_close(end, NET_CLOSE_PEER);
        break;
    }
}

void sim_end_handle(struct sim_end *end, enum sim_event_kind kind)
{
    if (kind == SIM_RESET)
        reset(end);
    else if (kind == SIM_ARRIVE && end->state == SIM_WAITING)
        sim_arrive(end);
    else if (kind == SIM_CONNECTED && end->state == SIM_CONNECTING && !end->closing)
        sim_end_open(end);
    else if (kind == SIM_DELIVER && end->state == SIM_OPEN && !end->closing)
        deliver(end);
}
