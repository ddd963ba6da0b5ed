/*
 * crc32c.h - CRC-32C (Castagnoli): the checksum of every record of the log.
 *
 * On x86-64 with SSE4.2 and PCLMUL three runs go through the CRC instruction side by side (it
 * takes 3 cycles but starts one each cycle) and are folded together by carry-less products; ARMv8
 * uses its instruction; elsewhere eight tables of 256 words. The choice is made once, before
 * main, from what the processor says. All give the same value: 0 bytes -> 0,
 * "123456789" -> 0xe3069283.
 */
#ifndef NONET_BASE_CRC32C_H
#define NONET_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of what CRC covered followed by LEN bytes at BYTES. Start with CRC = 0. */
uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len);

/* The table version, on any machine (tests compare the two). */
uint32_t crc32c_update_portable(uint32_t crc, const void *bytes, size_t len);

/* Does crc32c_update use the processor's instruction? */
bool crc32c_hardware(void);

#endif
