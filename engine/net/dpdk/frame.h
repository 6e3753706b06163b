/* A look at a frame, before anybody believes a word of it: what it is, and who talks to whom. */
#ifndef ENGINE_NET_DPDK_FRAME_H
#define ENGINE_NET_DPDK_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum frame_kind {
    FRAME_USELESS,   /* nothing that we serve: to be dropped */
    FRAME_TCP,       /* sound headers, not a fragment, no IPv6 extension headers before it */
    FRAME_NEIGHBOUR, /* ARP, neighbour solicitations and advertisements */
    FRAME_ECHO,      /* other ICMP that a host has to take */
};

enum frame_flag { FRAME_FIN = 1, FRAME_SYN = 2, FRAME_RST = 4, FRAME_ACK = 16 };

struct frame_view { /* of TCP; pointers into the frame */
    const uint8_t *source, *destination;
    size_t address_bytes;                   /* 4 or 16 */
    uint16_t source_port, destination_port; /* in network order */
    uint32_t sequence;
    uint32_t payload_bytes;
    uint8_t flags; /* enum frame_flag and others */
};

/* `view` is filled for FRAME_TCP only. */
enum frame_kind frame_look(const uint8_t *frame, uint32_t size, struct frame_view *view);

#endif
