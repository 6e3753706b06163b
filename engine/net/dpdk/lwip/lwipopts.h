/* How lwIP is built for mailrace: TCP over one Ethernet port, IPv4 and IPv6, raw API, no threads.
 *
 * One instance serves one thread. What is not needed to talk TCP is left out: no UDP, no fragments
 * (TCP avoids them), no router advertisements: the addresses and gateways are given. Memory comes
 * from stack_memory.h, which has bounds. */
#ifndef ENGINE_NET_DPDK_LWIP_LWIPOPTS_H
#define ENGINE_NET_DPDK_LWIP_LWIPOPTS_H

#include <stddef.h>
#include <stdint.h>

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define LWIP_SINGLE_NETIF 0

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_DNS 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_SCOPES 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_NUM_ADDRESSES 8
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_QUEUEING 1

#define LWIP_ARP 1
#define ARP_TABLE_SIZE 120
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 1024 /* as many connections may begin while the neighbour is asked for */
#define LWIP_NETIF_HWADDRHINT 1

#define TCP_MSS 8960 /* at most: what the port's MTU leaves is less */
#define TCP_WND (256 * 1024)
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 2000
#define TCP_SNDLOWAT (24 * 1024)
#define TCP_SNDQUEUELOWAT (TCP_SND_QUEUELEN / 2)
#define TCP_OVERSIZE 0 /* what is sent is referred to, not copied */
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES (128 * 1024)
#define TCP_OOSEQ_MAX_PBUFS 100
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 0 /* stack_listener.c keeps the bounds */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
#define SO_REUSE 1
#define TCP_TMR_INTERVAL 50           /* ms: acknowledgements wait at most as long, */
#define LWIP_TCP_RTO_TIME 1000        /* and repeats twice it at least; RFC 6298 section 2.1 */
#define TCP_MSL 2000UL                /* ms */
#define TCP_KEEPIDLE_DEFAULT 120000UL /* ms */
#define TCP_KEEPINTVL_DEFAULT 15000UL
#define TCP_KEEPCNT_DEFAULT 8U

#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define mem_clib_malloc stack_memory_take
#define mem_clib_calloc stack_memory_take_zeroed
#define mem_clib_free stack_memory_give
/* stack_memory.h */
void *stack_memory_take(size_t size);
/* stack_memory.h */
void *stack_memory_take_zeroed(size_t count, size_t size);
/* stack_memory.h */
void stack_memory_give(void *block);

#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM stack_checksum
/* RFC 1071, of a run of bytes (stack_checksum.c). */
uint16_t stack_checksum(const void *data, int size);

struct netif;
struct ip6_addr;
struct ip_addr;
/* Where the numbers of a connection begin, RFC 6528 (net_stack.c). */
uint32_t stack_sequence(const struct ip_addr *local, uint16_t local_port,
                        const struct ip_addr *remote, uint16_t remote_port);
/* The way to other networks, NULL: none (stack_interface.c). */
const struct ip6_addr *stack_gateway6(struct netif *netif, const struct ip6_addr *to);
/* From the net's secret seed (net_stack.c). */
uint32_t stack_random(void);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port)                                  \
    stack_sequence(local, local_port, remote, remote_port)
#define LWIP_HOOK_ND6_GET_GW(netif, to) stack_gateway6(netif, to)
#define LWIP_RAND() stack_random()

#endif
