/* The wire: time, chance, and who is listening where. */
#include "base/invariant.h"
#include "engine/net/sim.h"

#include <stdlib.h>

#define STALL_NS_MIN NS_PER_MS
#define STALL_NS_MAX (30 * NS_PER_S)
#define PORT_MIN 32768 /* of those the system chooses */
#define PORT_MAX 60999

enum status sim_network_open(struct sim_network **network,
                             const struct sim_network_options *options, struct clock *clock)
{
    INVARIANT(options->latency_ns_min <= options->latency_ns_max);
    INVARIANT(options->segment_bytes_max > 0 && options->window_bytes > 0);
    struct sim_network *made = calloc(1, sizeof *made);
    if (!made)
        return STATUS_FULL;
    made->options = *options;
    made->clock = clock;
    made->random.state = options->seed;
    made->port = PORT_MAX;
    *network = made;
    return STATUS_OK;
}

void sim_network_close(struct sim_network *network)
{
    INVARIANT(!network->participants);
    free(network);
}

static bool has_work(const struct net_sim *net)
{
    return net->listed_first || net->woken || net->orphans.first || sim_can_accept(net);
}

uint64_t sim_network_next_ns(const struct sim_network *network)
{
    uint64_t next_ns = UINT64_MAX;
    for (const struct net_sim *net = network->participants; net; net = net->next) {
        if (net->killed)
            continue;
        uint64_t at_ns = has_work(net) ? sim_now_ns(network) : sim_events_next_ns(&net->events);
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    return next_ns;
}

void sim_network_set_faults(struct sim_network *network, uint32_t resets_per_million,
                            uint32_t stalls_per_million)
{
    network->options.resets_per_million = resets_per_million;
    network->options.stalls_per_million = stalls_per_million;
}

uint64_t sim_now_ns(const struct sim_network *network)
{
    return clock_monotonic_ns(network->clock);
}

uint64_t sim_gap_ns(struct sim_network *network)
{
    uint64_t spread_ns = network->options.latency_ns_max - network->options.latency_ns_min;
    return random_below(&network->random, spread_ns + 1);
}

uint64_t sim_latency_ns(struct sim_network *network)
{
    return network->options.latency_ns_min + sim_gap_ns(network);
}

uint64_t sim_stall_ns(struct sim_network *network)
{
    return STALL_NS_MIN + random_below(&network->random, STALL_NS_MAX - STALL_NS_MIN);
}

bool sim_happens(struct sim_network *network, uint32_t per_million)
{
    return random_below(&network->random, 1000000) < per_million;
}

void sim_schedule(struct sim_end *end, enum sim_event_kind kind, uint64_t delay_ns)
{
    struct sim_network *network = end->net->network;
    end->link->references++;
    sim_events_push(&end->net->events, (struct sim_event){.at_ns = sim_now_ns(network) + delay_ns,
                                                          .sequence = network->sequence++,
                                                          .end = end,
                                                          .kind = kind});
}

uint16_t sim_port(struct sim_network *network)
{
    network->port = network->port == PORT_MAX ? PORT_MIN : (uint16_t)(network->port + 1);
    return network->port;
}

/* Whether a listener on `here` answers for `there`. */
static bool covers(const union net_address *here, const union net_address *there)
{
    if (here->any.sa_family != there->any.sa_family)
        return false;
    switch (here->any.sa_family) {
    case AF_INET:
        return here->ipv4.sin_port == there->ipv4.sin_port &&
               (here->ipv4.sin_addr.s_addr == INADDR_ANY ||
                here->ipv4.sin_addr.s_addr == there->ipv4.sin_addr.s_addr);
    case AF_INET6:
        return here->ipv6.sin6_port == there->ipv6.sin6_port &&
               (IN6_IS_ADDR_UNSPECIFIED(&here->ipv6.sin6_addr) ||
                IN6_ARE_ADDR_EQUAL(&here->ipv6.sin6_addr, &there->ipv6.sin6_addr));
    default:
        return strncmp(here->local.sun_path, there->local.sun_path, sizeof here->local.sun_path) ==
               0;
    }
}

/* The next listener after `previous` (NULL: the first), over all participants. */
static struct sim_listener *next_listener(const struct sim_network *network,
                                          const struct sim_listener *previous)
{
    struct net_sim *net = previous ? previous->net : network->participants;
    struct sim_listener *listener = previous ? previous->next : net ? net->listeners : NULL;
    while (!listener && net && (net = net->next))
        listener = net->listeners;
    return listener;
}

struct sim_listener *sim_find_listener(struct sim_network *network,
                                       const union net_address *address)
{
    struct sim_listener *chosen = NULL;
    unsigned found = 0;
    for (struct sim_listener *l = next_listener(network, NULL); l; l = next_listener(network, l))
        if (l->open && covers(&l->address, address) && random_below(&network->random, ++found) == 0)
            chosen = l;
    return chosen;
}

bool sim_is_taken(const struct sim_network *network, const union net_address *address,
                  bool reuse_port)
{
    for (struct sim_listener *l = next_listener(network, NULL); l; l = next_listener(network, l))
        if (l->open && !(reuse_port && l->reuse_port) &&
            (covers(&l->address, address) || covers(address, &l->address)))
            return true;
    return false;
}
