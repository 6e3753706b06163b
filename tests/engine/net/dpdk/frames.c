#include "tests/engine/net/dpdk/frames.h"

#include <arpa/inet.h>
#include <string.h>

uint16_t frames_sum(const uint8_t *data, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)data[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return htons((uint16_t)~sum);
}

void frames_ethernet(uint8_t *frame, uint16_t type)
{
    static const uint8_t from[6] = {2, 0, 0, 0, 99, 99};
    memset(frame, 0xFF, 6);
    memcpy(frame + 6, from, 6);
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
}

void frames_ipv4(uint8_t *packet, uint32_t source, uint8_t protocol, size_t size)
{
    const uint8_t header[20] = {0x45, 0,       (uint8_t)(size >> 8), (uint8_t)size, 0, 0, 0, 0,
                                64,   protocol};
    uint32_t to = htonl(0x0A4D0001), from = htonl(source);
    memcpy(packet, header, sizeof header);
    memcpy(packet + 12, &from, 4);
    memcpy(packet + 16, &to, 4);
    uint16_t sum = frames_sum(packet, 20, 0);
    memcpy(packet + 10, &sum, 2);
}

uint32_t frames_segment(const struct segment *segment, uint8_t frame[FRAMES_BYTES_MAX])
{
    uint8_t *tcp = frame + 34;
    size_t size = 20 + segment->options_bytes + segment->payload_bytes;
    frames_ethernet(frame, 0x0800);
    frames_ipv4(frame + 14, segment->source, 6, 20 + size);
    memset(tcp, 0, 20);
    uint16_t ports[2] = {htons(segment->from), htons(segment->to)};
    uint32_t numbers[2] = {htonl(segment->sequence), htonl(segment->acknowledgement)};
    uint16_t window = htons(segment->window);
    memcpy(tcp, ports, sizeof ports);
    memcpy(tcp + 4, numbers, sizeof numbers);
    tcp[12] = (uint8_t)((20 + segment->options_bytes) / 4 << 4);
    tcp[13] = segment->flags;
    memcpy(tcp + 14, &window, 2);
    if (segment->options_bytes > 0)
        memcpy(tcp + 20, segment->options, segment->options_bytes);
    if (segment->payload_bytes > 0)
        memcpy(tcp + 20 + segment->options_bytes, segment->payload, segment->payload_bytes);
    uint32_t pseudo = 6 + (uint32_t)size;
    for (unsigned i = 26; i < 34; i += 2)
        pseudo += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    uint16_t sum = frames_sum(tcp, size, pseudo);
    memcpy(tcp + 16, &sum, 2);
    return (uint32_t)(34 + size);
}
