#include "engine/net/dpdk/stack.h"

#include <lwip/etharp.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#define TICK_NS (TCP_TMR_INTERVAL * NS_PER_MS)
#define TICKS_PER_NEIGHBOUR (1000 / TCP_TMR_INTERVAL)

static void tick(struct net_stack *net)
{
    net->timer_ticks++;
    stack_gather(net);
    tcp_fasttmr();
    if (net->timer_ticks % 2 == 0)
        tcp_slowtmr();
    stack_scatter(net);
    if (net->timer_ticks % TICKS_PER_NEIGHBOUR == 0) {
        etharp_tmr();
        nd6_tmr();
    }
}

/* lwIP's request to be called from now on: it always is. */
void tcp_timer_needed(void)
{
}

/* A tick that comes late is not made up for: a process that was stopped must not find all its
 * peers dead. */
void stack_timer_run(struct net_stack *net)
{
    if (net->now_ns < net->timer_ns)
        return;
    net->timer_ns = net->now_ns + TICK_NS;
    tick(net);
}
