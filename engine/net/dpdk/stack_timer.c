/* lwIP's timers. They look at every connection, most of them far from the cache: a part at a time,
 * so that what was fetched for one look is still there for the next, and frames never wait for all.
 */
#include "engine/net/dpdk/stack.h"

#include <lwip/etharp.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#define PARTS 16u
#define ROUND_NS (TCP_TMR_INTERVAL * NS_PER_MS)
#define STEP_NS (ROUND_NS / PARTS)
#define ROUNDS_PER_NEIGHBOUR (1000 / TCP_TMR_INTERVAL)

/* A connection's turn comes once a round. lwIP's clock, which the slow timer keeps, goes on with
 * the first part of every other round. */
static void step(struct net_stack *net)
{
    uint32_t part = net->timer_steps % PARTS, round = net->timer_steps / PARTS;
    net->timer_steps++;
    stack_gather(net, part, PARTS);
    tcp_fasttmr();
    if (round % 2 == 1) {
        tcp_ticks -= part > 0;
        tcp_slowtmr();
    }
    stack_scatter(net);
    if (part == 0 && round % ROUNDS_PER_NEIGHBOUR == 0) {
        etharp_tmr();
        nd6_tmr();
    }
}

/* lwIP's request to be called from now on: it always is. */
void tcp_timer_needed(void)
{
}

/* A round that comes late is not made up for: a process that was stopped must not find all its
 * peers dead. */
void stack_timer_run(struct net_stack *net)
{
    for (uint32_t i = 0; i < PARTS && net->now_ns >= net->timer_ns; i++) {
        net->timer_ns += STEP_NS;
        step(net);
    }
    if (net->now_ns >= net->timer_ns)
        net->timer_ns = net->now_ns + STEP_NS;
}
