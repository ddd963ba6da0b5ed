#include "base/crc16.h"

uint16_t crc16_update(uint16_t crc, const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    unsigned value = crc;
    for (size_t i = 0; i < len; i++) {
        value ^= (unsigned)at[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            value = (value << 1) ^ (value & 0x8000u ? 0x1021u : 0);
        value &= 0xffffu;
    }
    return (uint16_t)value;
}
