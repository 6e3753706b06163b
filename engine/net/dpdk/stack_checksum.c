/* The Internet checksum (RFC 1071), eight bytes at a time: lwIP's LWIP_CHKSUM. */
#include <stdint.h>
#include <string.h>

uint16_t stack_checksum(const void *data, int size);

uint16_t stack_checksum(const void *data, int size)
{
    const uint8_t *at = data;
    uint64_t sum = 0, high = 0;
    for (; size >= 32; size -= 32, at += 32) {
        uint64_t words[4];
        memcpy(words, at, sizeof words);
        for (unsigned i = 0; i < 4; i++) {
            sum += (uint32_t)words[i];
            high += words[i] >> 32;
        }
    }
    sum += high; /* 2^31 words of 32 bits fit: far more than a frame has */
    for (; size >= 2; size -= 2, at += 2) {
        uint16_t word;
        memcpy(&word, at, sizeof word);
        sum += word;
    }
    if (size > 0) {
        uint16_t word = 0;
        memcpy(&word, at, 1);
        sum += word;
    }
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)sum;
}
