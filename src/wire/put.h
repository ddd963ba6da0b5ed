/*
 * put.h - bytes and numbers put into room that is known to be there.
 *
 * The inner loop of a server that relays small messages is a handful of short copies. A call to
 * memcpy costs more than such a copy, so up to 32 bytes are moved here by two loads and two
 * stores that overlap in the middle; nothing outside source or target is touched.
 *
 * Each function writes at OUT and returns the new end. None checks the room.
 */
#ifndef NONET_WIRE_PUT_H
#define NONET_WIRE_PUT_H

#include "base/slice.h"

enum { PUT_U64_ROOM = 20 }; /* digits of the largest number */

struct put_16_bytes {
    uint64_t half[2];
};

static inline __attribute__((always_inline)) char *put_bytes(char *out, slice s) {
    const char *from = s.ptr;
    size_t len = s.len;
    if (len > 32) {
        memcpy(out, from, len);
    } else if (len > 16) {
        struct put_16_bytes head, tail;
        memcpy(&head, from, 16);
        memcpy(&tail, from + len - 16, 16);
        memcpy(out, &head, 16);
        memcpy(out + len - 16, &tail, 16);
    } else if (len >= 8) {
        uint64_t head, tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + len - 8, 8);
        memcpy(out, &head, 8);
        memcpy(out + len - 8, &tail, 8);
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + len - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + len - 4, &tail, 4);
    } else if (len > 0) {
        out[0] = from[0];
        out[len / 2] = from[len / 2];
        out[len - 1] = from[len - 1];
    }
    return out + len;
}

static inline char *put_crlf(char *out) {
    memcpy(out, "\r\n", 2);
    return out + 2;
}

/* Decimal digits without leading zeros. */
static inline __attribute__((always_inline)) char *put_u64(char *out, uint64_t number) {
    if (number < 10) {
        *out = (char)('0' + number);
        return out + 1;
    }
    unsigned digits = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        digits++;
    for (char *at = out + digits; at > out; number /= 10)
        *--at = (char)('0' + number % 10);
    return out + digits;
}

#endif
