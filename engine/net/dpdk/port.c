#include "engine/net/dpdk/port.h"

#include "base/invariant.h"
#include "engine/net/dpdk/eal.h"
#include "engine/net/dpdk/mtu.h"

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    FRAMES = 32767, /* of a shard; one less than a power of two is best for the pool */
    FRAMES_LONG = 10239,
    DESCRIPTORS = 1024,
    TRANSMIT_BURST = 256,
    RING_FRAMES = 4096, /* from shard to shard */
    ROOM_BYTES = 2048,
    CACHE_FRAMES = 256,
    STUCK_FLUSHES = 1000, /* without progress before the link is looked at */
};

struct queue { /* a shard's side of the port */
    struct wire wire;
    struct port *port;
    uint32_t shard;
    struct rte_mempool *pool;
    struct net *sleeper;
    struct rte_ring **from;     /* by shard: frames for us; NULL for ourselves */
    struct rte_mbuf **transmit; /* those that wait begin at `transmit_first` */
    uint32_t transmit_first, transmit_count;
    uint32_t transmit_max; /* other frames are left for what arrives: two ends without any to
                              receive with would wait for each other for good */
    uint32_t stuck;
    bool registered;
};

struct port {
    const struct dpdk_options *options;
    uint16_t number, mtu;
    uint16_t receivers, transmitters; /* shards with a queue of their own */
    const struct steer *steer;
    struct queue *queues;
    struct rte_ring *outgoing; /* frames of shards without a queue to send; NULL: none are */
    bool started;
    char text[96];
};

static struct queue *queue_of(struct wire *wire)
{
    return (struct queue *)wire;
}

static struct frame *frame_of(struct rte_mbuf *mbuf)
{
    struct frame *frame = rte_mbuf_to_priv(mbuf);
    frame->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    frame->size = rte_pktmbuf_data_len(mbuf);
    return frame;
}

static struct rte_mbuf *mbuf_of(struct frame *frame)
{
    return (struct rte_mbuf *)(void *)frame - 1; /* the frame is its private part */
}

/* ---------------------------------------------------------------------------- receiving ---- */

static void hand_over(struct queue *queue, uint32_t shard, struct rte_mbuf *mbuf)
{
    struct queue *to = &queue->port->queues[shard];
    if (!mbuf || rte_ring_sp_enqueue(to->from[queue->shard], mbuf) != 0)
        rte_pktmbuf_free(mbuf);
    else if (to->sleeper)
        to->sleeper->calls->wake(to->sleeper);
}

static void tell_all(struct queue *queue, struct rte_mbuf *mbuf)
{
    for (uint32_t i = 0; i < queue->port->steer->shards; i++)
        if (i != queue->shard)
            hand_over(queue, i, rte_pktmbuf_copy(mbuf, queue->pool, 0, UINT32_MAX));
}

/* Whether the frame is ours; if not, it is on its way. */
static bool is_for_us(struct queue *queue, struct rte_mbuf *mbuf)
{
    const struct steer *steer = queue->port->steer;
    if (steer->shards == 1)
        return true;
    uint32_t shard =
        steer_frame(steer, rte_pktmbuf_mtod(mbuf, uint8_t *), rte_pktmbuf_data_len(mbuf));
    if (shard == STEER_ALL)
        tell_all(queue, mbuf);
    else if (shard != queue->shard)
        hand_over(queue, shard, mbuf);
    return shard == STEER_ALL || shard == queue->shard;
}

static unsigned receive_handed(struct queue *queue, struct frame **frames, unsigned max)
{
    unsigned count = 0;
    struct rte_mbuf *mbufs[WIRE_BURST];
    for (uint32_t i = 0; i < queue->port->steer->shards && count < max; i++) {
        if (i == queue->shard)
            continue;
        unsigned got = rte_ring_sc_dequeue_burst(queue->from[i], (void **)mbufs, max - count, NULL);
        for (unsigned j = 0; j < got; j++)
            frames[count++] = frame_of(mbufs[j]);
    }
    return count;
}

static unsigned port_receive(struct wire *wire, struct frame **frames, unsigned max)
{
    struct queue *queue = queue_of(wire);
    struct rte_mbuf *mbufs[WIRE_BURST];
    INVARIANT(max <= WIRE_BURST);
    unsigned count = receive_handed(queue, frames, max);
    unsigned got = 0;
    if (queue->shard < queue->port->receivers && count < max)
        got = rte_eth_rx_burst(queue->port->number, (uint16_t)queue->shard, mbufs,
                               (uint16_t)(max - count));
    wire->moved += count + got;
    for (unsigned i = 0; i < got; i++) {
        if (rte_pktmbuf_linearize(mbufs[i]) != 0)
            rte_pktmbuf_free(mbufs[i]);
        else if (is_for_us(queue, mbufs[i]))
            frames[count++] = frame_of(mbufs[i]);
    }
    return count;
}

/* ------------------------------------------------------------------------------ sending ---- */

static struct frame *port_take(struct wire *wire, uint32_t size)
{
    struct queue *queue = queue_of(wire);
    if (queue->transmit_count == queue->transmit_max)
        return NULL;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(queue->pool);
    if (!mbuf)
        return NULL;
    if (!rte_pktmbuf_append(mbuf, (uint16_t)size)) {
        rte_pktmbuf_free(mbuf);
        return NULL;
    }
    return frame_of(mbuf);
}

static void port_give(struct wire *wire, struct frame *frame)
{
    (void)wire;
    rte_pktmbuf_free(mbuf_of(frame));
}

static struct rte_mbuf **waiting(const struct queue *queue)
{
    return queue->transmit + queue->transmit_first;
}

static void port_send(struct wire *wire, struct frame *frame)
{
    struct queue *queue = queue_of(wire);
    waiting(queue)[queue->transmit_count++] = mbuf_of(frame);
}

static unsigned transmit(const struct queue *queue, struct rte_mbuf **mbufs, unsigned count)
{
    const struct port *port = queue->port;
    if (queue->shard < port->transmitters)
        return rte_eth_tx_burst(port->number, (uint16_t)queue->shard, mbufs, (uint16_t)count);
    return rte_ring_mp_enqueue_burst(port->outgoing, (void **)mbufs, count, NULL);
}

static void gather_others(struct queue *queue)
{
    struct port *port = queue->port;
    if (queue->shard == 0 && port->outgoing)
        queue->transmit_count += rte_ring_sc_dequeue_burst(
            port->outgoing, (void **)(waiting(queue) + queue->transmit_count),
            queue->transmit_max - queue->transmit_count, NULL);
}

/* Nobody is there: what waits would be old news once somebody is. */
static void drop_if_down(struct queue *queue)
{
    struct rte_eth_link link = {0};
    queue->stuck = 0;
    if (rte_eth_link_get_nowait(queue->port->number, &link) != 0 || link.link_status)
        return;
    rte_pktmbuf_free_bulk(waiting(queue), queue->transmit_count);
    queue->transmit_count = 0;
}

/* What waits moves to the front once the room behind it might not do, not with every flush. */
static void move_up(struct queue *queue)
{
    if (queue->transmit_count > 0 && queue->transmit_first < queue->transmit_max)
        return;
    memmove(queue->transmit, waiting(queue), queue->transmit_count * sizeof(void *));
    queue->transmit_first = 0;
}

static void port_flush(struct wire *wire)
{
    struct queue *queue = queue_of(wire);
    gather_others(queue);
    unsigned done = 0;
    while (done < queue->transmit_count) {
        unsigned burst = queue->transmit_count - done;
        burst = burst < TRANSMIT_BURST ? burst : TRANSMIT_BURST;
        unsigned sent = transmit(queue, waiting(queue) + done, burst);
        done += sent;
        if (sent < burst)
            break;
    }
    wire->moved += done;
    queue->transmit_first += done;
    queue->transmit_count -= done;
    move_up(queue);
    if (queue->transmit_count == 0)
        return;
    queue->stuck = done > 0 ? 0 : queue->stuck + 1;
    if (queue->stuck == STUCK_FLUSHES)
        drop_if_down(queue);
}

static const struct wire_calls port_calls = {
    .receive = port_receive,
    .take = port_take,
    .send = port_send,
    .flush = port_flush,
    .give = port_give,
};

/* ---------------------------------------------------------------------- beginning and end ---- */

static enum status refuse(struct fault *fault, const char *what, int error)
{
    return fault_set(fault, STATUS_SYSTEM, "--io dpdk: %s: %s", what, rte_strerror(-error));
}

static struct rte_ring *make_ring(const char *name, uint32_t a, uint32_t b, unsigned flags)
{
    char text[RTE_RING_NAMESIZE];
    snprintf(text, sizeof text, "%s_%u_%u", name, a, b);
    return rte_ring_create(text, RING_FRAMES, SOCKET_ID_ANY, flags);
}

/* Of the buffer of a frame. */
static uint16_t frame_room(uint16_t mtu)
{
    uint32_t bytes = (uint32_t)mtu + MTU_FRAME_OVERHEAD;
    return (uint16_t)(RTE_PKTMBUF_HEADROOM +
                      (bytes > ROOM_BYTES ? RTE_ALIGN(bytes, 64) : ROOM_BYTES));
}

/* Long frames carry more each: fewer of them, in about the same memory. */
static uint32_t frame_count(uint16_t mtu)
{
    return mtu + MTU_FRAME_OVERHEAD > ROOM_BYTES ? FRAMES_LONG : FRAMES;
}

static bool make_queue(struct port *port, uint32_t shard)
{
    struct queue *queue = &port->queues[shard];
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof name, "frames_%u", shard);
    queue->port = port;
    queue->shard = shard;
    queue->pool = rte_pktmbuf_pool_create(name, frame_count(port->mtu), CACHE_FRAMES,
                                          RTE_ALIGN(sizeof(struct frame), RTE_MBUF_PRIV_ALIGN),
                                          frame_room(port->mtu), SOCKET_ID_ANY);
    queue->transmit_max = frame_count(port->mtu) / 4 * 3;
    queue->transmit = calloc(2 * queue->transmit_max, sizeof(void *));
    queue->from = calloc(port->steer->shards, sizeof(void *));
    if (!queue->pool || !queue->transmit || !queue->from)
        return false;
    for (uint32_t i = 0; i < port->steer->shards; i++)
        if (i != shard &&
            !(queue->from[i] = make_ring("from", i, shard, RING_F_SP_ENQ | RING_F_SC_DEQ)))
            return false;
    struct rte_ether_addr mac;
    rte_eth_macaddr_get(port->number, &mac);
    queue->wire = (struct wire){.calls = &port_calls,
                                .mtu = port->mtu,
                                .unchecked = port->options->unchecked,
                                .frames = frame_count(port->mtu) / 2};
    memcpy(queue->wire.mac, &mac, sizeof queue->wire.mac);
    return true;
}

static bool make_queues(struct port *port)
{
    uint32_t shards = port->steer->shards;
    port->queues = calloc(shards, sizeof *port->queues);
    if (!port->queues)
        return false;
    if (port->transmitters < shards &&
        !(port->outgoing = make_ring("outgoing", 0, 0, RING_F_SC_DEQ)))
        return false;
    for (uint32_t i = 0; i < shards; i++)
        if (!make_queue(port, i))
            return false;
    return true;
}

static int configure(const struct port *port, const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = {0};
    uint8_t key[STEER_KEY_BYTES];
    uint64_t hashes = info->flow_type_rss_offloads & (RTE_ETH_RSS_TCP | RTE_ETH_RSS_IP);
    if (port->receivers > 1 && hashes != 0) {
        memcpy(key, steer_key, sizeof key);
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = hashes;
        if (info->hash_key_size > 0 && info->hash_key_size <= sizeof key) {
            conf.rx_adv_conf.rss_conf.rss_key = key;
            conf.rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
        }
    }
    return rte_eth_dev_configure(port->number, port->receivers, port->transmitters, &conf);
}

static int start(struct port *port)
{
    uint16_t receive = DESCRIPTORS, send = DESCRIPTORS;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(port->number, &receive, &send);
    for (uint16_t i = 0; error == 0 && i < port->receivers; i++)
        error = rte_eth_rx_queue_setup(port->number, i, receive, SOCKET_ID_ANY, NULL,
                                       port->queues[i].pool);
    for (uint16_t i = 0; error == 0 && i < port->transmitters; i++)
        error = rte_eth_tx_queue_setup(port->number, i, send, SOCKET_ID_ANY, NULL);
    if (error == 0)
        error = rte_eth_dev_start(port->number);
    if (error != 0)
        return error;
    port->started = true;
    /* neighbour discovery is multicast; a port that can't filter it passes it anyway */
    (void)rte_eth_allmulticast_enable(port->number);
    return 0;
}

/* More than one only where the port spreads connections itself: others have queues that may lead
 * nowhere, as those of memif when the other end has fewer. */
static uint16_t queues_wanted(const struct port *port, const struct rte_eth_dev_info *info,
                              uint16_t queues)
{
    uint32_t shards = info->flow_type_rss_offloads != 0 ? port->steer->shards : 1;
    return (uint16_t)(shards < queues ? shards : queues);
}

static enum status check_unchecked(const struct port *port, const char *driver, struct fault *fault)
{
    if (!port->options->unchecked || strcmp(driver, "net_memif") == 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_CONFIG,
                     "--dpdk-unchecked: bits may change on their way through %s: only net_memif "
                     "goes without checksums",
                     driver);
}

static enum status open_device(struct port *port, struct fault *fault)
{
    struct rte_eth_dev_info info;
    int error = rte_eth_dev_info_get(port->number, &info);
    if (error != 0)
        return refuse(fault, "the port does not say what it is", error);
    port->receivers = queues_wanted(port, &info, info.max_rx_queues);
    port->transmitters = queues_wanted(port, &info, info.max_tx_queues);
    if (port->receivers == 0 || port->transmitters == 0)
        return fault_set(fault, STATUS_SYSTEM, "--io dpdk: the port has no queues");
    error = configure(port, &info);
    if (error != 0)
        return refuse(fault, "the port can't be configured", error);
    enum status status = check_unchecked(port, info.driver_name, fault);
    if (status != STATUS_OK)
        return status;
    status = mtu_agree(port->options, port->number, info.driver_name, &port->mtu, fault);
    if (status != STATUS_OK)
        return status;
    if (!make_queues(port))
        return fault_set(fault, STATUS_SYSTEM,
                         "--io dpdk: no memory for frames: more huge pages (sysctl "
                         "vm.nr_hugepages), or --dpdk-args '--no-huge -m 512 …'");
    error = start(port);
    if (error != 0)
        return fault_set(fault, STATUS_NETWORK,
                         "--io dpdk: the port can't be started: %s: is the other end there?",
                         rte_strerror(-error));
    snprintf(port->text, sizeof port->text, "%s, %u queue%s, MTU %u%s", info.driver_name,
             port->receivers, port->receivers == 1 ? "" : "s", port->mtu,
             port->options->unchecked ? ", no checksums" : "");
    return STATUS_OK;
}

enum status port_open(struct port **opened, const struct dpdk_options *options,
                      const struct steer *steer, struct fault *fault)
{
    char said[EAL_LINE_BYTES];
    uint32_t number = options->port;
    enum status status = eal_start(options->arguments, said, fault);
    if (status != STATUS_OK)
        return status;
    if (number > UINT16_MAX || !rte_eth_dev_is_valid_port((uint16_t)number)) {
        eal_stop();
        return fault_set(fault, STATUS_CONFIG,
                         "--io dpdk: there is no port %u%s%s: name a device, as in --dpdk-args "
                         "'--vdev=net_memif0,…', or bind a card (docs/KERNEL-BYPASS.md)",
                         number, said[0] ? ": " : "", said);
    }
    struct port *port = calloc(1, sizeof *port);
    if (!port) {
        eal_stop();
        return fault_set(fault, STATUS_SYSTEM, "--io dpdk: no memory");
    }
    *port = (struct port){.options = options, .number = (uint16_t)number, .steer = steer};
    status = open_device(port, fault);
    if (status == STATUS_OK)
        *opened = port;
    else
        port_close(port);
    return status;
}

static void drop_ring(struct rte_ring *ring)
{
    void *mbuf;
    while (ring && rte_ring_dequeue(ring, &mbuf) == 0)
        rte_pktmbuf_free(mbuf);
    rte_ring_free(ring);
}

static void free_queue(struct queue *queue)
{
    rte_pktmbuf_free_bulk(waiting(queue), queue->transmit_count);
    for (uint32_t i = 0; queue->from && i < queue->port->steer->shards; i++)
        drop_ring(queue->from[i]);
    free(queue->from);
    free(queue->transmit);
}

void port_close(struct port *port)
{
    if (port->started)
        rte_eth_dev_stop(port->number);
    for (uint32_t i = 0; port->queues && i < port->steer->shards; i++)
        if (port->queues[i].port)
            free_queue(&port->queues[i]);
    drop_ring(port->outgoing);
    rte_eth_dev_close(port->number);
    for (uint32_t i = 0; port->queues && i < port->steer->shards; i++)
        rte_mempool_free(port->queues[i].pool);
    free(port->queues);
    free(port);
    eal_stop();
}

bool port_await_link(const struct port *port, uint32_t wait_ms)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    struct rte_eth_link link = {0};
    while (rte_eth_link_get_nowait(port->number, &link) == 0 && !link.link_status && wait_ms-- > 0)
        nanosleep(&moment, NULL);
    return link.link_status;
}

enum status port_enter(struct port *port, uint32_t shard, struct net *sleeper, struct wire **wire,
                       struct fault *fault)
{
    struct queue *queue = &port->queues[shard];
    INVARIANT(shard < port->steer->shards && !queue->sleeper);
    /* a number for this thread, so that frames come from a cache of its own */
    if (rte_lcore_id() == LCORE_ID_ANY) {
        if (rte_thread_register() != 0)
            return fault_set(fault, STATUS_FULL, "--io dpdk: too many shards");
        queue->registered = true;
    }
    queue->sleeper = sleeper;
    *wire = &queue->wire;
    return STATUS_OK;
}

void port_leave(struct port *port, uint32_t shard)
{
    struct queue *queue = &port->queues[shard];
    port_flush(&queue->wire);
    queue->sleeper = NULL;
    if (queue->registered)
        rte_thread_unregister();
}

const char *port_text(const struct port *port)
{
    return port->text;
}
