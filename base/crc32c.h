/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4).
 *
 * crc32c(0, "123456789") is 0xE3069283. Pass a previous result as `crc` to go on where it ended.
 * It picks what the processor is best at; the others are its twins, for tests and for processors
 * that have less. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes, behind those that `crc` is of. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* With an instruction for every 8 bytes, where the processor has one. */
uint32_t crc32c_streams(uint32_t crc, const void *data, size_t size);
/* With tables. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
