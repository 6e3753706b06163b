#include "base/fetch.h"
#include "engine/net/dpdk/stack.h"

#include <lwip/priv/tcp_priv.h>

_Static_assert(STACK_BUCKETS == 1u << 16, "the hash's upper 16 bits");

/* Multiply and shift with a secret: nobody outside can choose names that share a bucket. */
uint32_t stack_bucket_of(const struct net_stack *net, const void *remote, size_t address_bytes,
                         uint16_t remote_port, uint16_t local_port)
{
    uint64_t words[2] = {0, 0};
    memcpy(words, remote, address_bytes);
    uint64_t hash = words[0] ^ net->hash_key;
    hash = (hash ^ hash >> 29) * 0x9E3779B97F4A7C15ull;
    hash = (hash ^ words[1] ^ hash >> 31) * 0xBF58476D1CE4E5B9ull;
    hash = (hash ^ ((uint32_t)remote_port << 16 | local_port) ^ hash >> 30) * 0x94D049BB133111EBull;
    return (uint32_t)(hash >> 48);
}

uint32_t stack_bucket_of_pcb(const struct net_stack *net, const struct tcp_pcb *pcb)
{
    bool ipv4 = IP_IS_V4_VAL(pcb->remote_ip);
    return stack_bucket_of(net,
                           ipv4 ? (const void *)&ip_2_ip4(&pcb->remote_ip)->addr
                                : (const void *)ip_2_ip6(&pcb->remote_ip)->addr,
                           ipv4 ? 4 : 16, pcb->remote_port, pcb->local_port);
}

static void mark(struct net_stack *net, uint32_t bucket)
{
    const struct stack_bucket *at = &net->buckets[bucket];
    uint64_t bit = 1ull << (bucket & 63);
    if (at->active || at->ended)
        net->occupied[bucket >> 6] |= bit;
    else
        net->occupied[bucket >> 6] &= ~bit;
}

void stack_enter(struct net_stack *net, uint32_t bucket)
{
    INVARIANT(net->bucket == STACK_NO_SLOT);
    net->bucket = bucket;
    tcp_active_pcbs = net->buckets[bucket].active;
    tcp_tw_pcbs = net->buckets[bucket].ended;
}

void stack_leave(struct net_stack *net)
{
    INVARIANT(net->bucket != STACK_NO_SLOT);
    net->buckets[net->bucket] = (struct stack_bucket){tcp_active_pcbs, tcp_tw_pcbs};
    mark(net, net->bucket);
    net->bucket = STACK_NO_SLOT;
    tcp_active_pcbs = tcp_tw_pcbs = NULL;
}

static void move(struct tcp_pcb **from, struct tcp_pcb **to)
{
    while (*from) {
        struct tcp_pcb *pcb = *from;
        *from = pcb->next;
        pcb->next = *to;
        *to = pcb;
    }
}

/* Those of the 64 buckets that have any. */
static void gather(struct net_stack *net, uint32_t word)
{
    struct stack_bucket *buckets = &net->buckets[word * 64];
    uint64_t occupied = net->occupied[word];
    for (uint64_t bits = occupied; bits != 0; bits &= bits - 1)
        fetch(buckets[__builtin_ctzll(bits)].active, sizeof(struct tcp_pcb));
    for (uint64_t bits = occupied; bits != 0; bits &= bits - 1) {
        struct stack_bucket *at = &buckets[__builtin_ctzll(bits)];
        move(&at->active, &tcp_active_pcbs);
        move(&at->ended, &tcp_tw_pcbs);
    }
    net->occupied[word] = 0;
}

void stack_gather(struct net_stack *net, uint32_t part, uint32_t parts)
{
    INVARIANT(net->bucket == STACK_NO_SLOT);
    uint32_t words = STACK_BUCKETS / 64 / parts;
    for (uint32_t word = part * words; word < (part + 1) * words; word++)
        gather(net, word);
}

void stack_scatter(struct net_stack *net)
{
    while (tcp_active_pcbs) {
        struct tcp_pcb *pcb = tcp_active_pcbs;
        uint32_t bucket = stack_bucket_of_pcb(net, pcb);
        tcp_active_pcbs = pcb->next;
        pcb->next = net->buckets[bucket].active;
        net->buckets[bucket].active = pcb;
        mark(net, bucket);
    }
    while (tcp_tw_pcbs) {
        struct tcp_pcb *pcb = tcp_tw_pcbs;
        uint32_t bucket = stack_bucket_of_pcb(net, pcb);
        tcp_tw_pcbs = pcb->next;
        pcb->next = net->buckets[bucket].ended;
        net->buckets[bucket].ended = pcb;
        mark(net, bucket);
    }
}

static bool is_address(const ip_addr_t *ip, const uint8_t *bytes, size_t size)
{
    if (IP_IS_V4(ip))
        return size == 4 && memcmp(&ip_2_ip4(ip)->addr, bytes, 4) == 0;
    return size == 16 && memcmp(ip_2_ip6(ip)->addr, bytes, 16) == 0;
}

struct tcp_pcb *stack_bucket_find(const struct frame_view *view, struct tcp_pcb *list)
{
    struct tcp_pcb *pcb = list;
    while (pcb && !(pcb->remote_port == lwip_ntohs(view->source_port) &&
                    pcb->local_port == lwip_ntohs(view->destination_port) &&
                    is_address(&pcb->remote_ip, view->source, view->address_bytes) &&
                    is_address(&pcb->local_ip, view->destination, view->address_bytes)))
        pcb = pcb->next;
    return pcb;
}
