/* Frames made by hand, with checksums that are right: to 10.77.0.1, from whoever. */
#ifndef TESTS_ENGINE_NET_DPDK_FRAMES_H
#define TESTS_ENGINE_NET_DPDK_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAMES_BYTES_MAX 1600u

struct segment {     /* of TCP; numbers in our order */
    uint32_t source; /* IPv4 */
    uint16_t from, to, window;
    uint32_t sequence, acknowledgement;
    uint8_t flags;
    const uint8_t *options, *payload;
    size_t options_bytes, payload_bytes; /* ≤ 40, a multiple of 4; ≤ 1460 */
};

/* RFC 1071 over bytes, on top of `sum`; in network order. */
uint16_t frames_sum(const uint8_t *data, size_t size, uint32_t sum);

/* The addresses and type of a frame, to everybody. */
void frames_ethernet(uint8_t *frame, uint16_t type);

/* The header of a packet of so many bytes. */
void frames_ipv4(uint8_t *packet, uint32_t source, uint8_t protocol, size_t size);

/* Returns the size of the frame. */
uint32_t frames_segment(const struct segment *segment, uint8_t frame[FRAMES_BYTES_MAX]);

#endif
