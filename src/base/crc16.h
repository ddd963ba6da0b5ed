/*
 * crc16.h - CRC-16/XMODEM (CCITT polynomial 0x1021, start 0): the checksum inside NATS nkeys.
 * A key is 35 bytes, so eight shifts a byte are fast enough and need no table.
 * "123456789" -> 0x31c3.
 */
#ifndef NONET_BASE_CRC16_H
#define NONET_BASE_CRC16_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what CRC covered followed by LEN bytes at BYTES. Start with CRC = 0. */
uint16_t crc16_update(uint16_t crc, const void *bytes, size_t len);

#endif
