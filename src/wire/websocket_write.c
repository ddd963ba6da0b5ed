/*
 * websocket_write.c - frames put into room, and appended to buffers.
 *
 * The length takes the shortest of its three forms, as the parser on the other side demands. What
 * would be a frame that no peer accepts is a bug of the caller and meets a check().
 */
#include "wire/websocket_write.h"

#include "base/utf8.h"
#include "wire/put.h"

enum { BIT_LAST = 0x80, BIT_MASKED = 0x80, LENGTH_IN_2 = 126, LENGTH_IN_8 = 127 };

static char *put_big_endian(char *out, uint64_t number, unsigned bytes) {
    for (unsigned i = bytes; i > 0; number >>= 8)
        out[--i] = (char)(number & 0xff);
    return out + bytes;
}

static char *put_head(char *out, enum websocket_kind kind, bool last, uint64_t len,
                      unsigned mask_bit) {
    check(kind < WEBSOCKET_CLOSE || (last && len <= WEBSOCKET_CONTROL_MAX));
    check(len <= INT64_MAX);
    *out++ = (char)((last ? BIT_LAST : 0) | (int)kind);
    const unsigned form = len < LENGTH_IN_2   ? (unsigned)len
                          : len <= UINT16_MAX ? LENGTH_IN_2
                                              : LENGTH_IN_8;
    *out++ = (char)(mask_bit | form);
    if (form == LENGTH_IN_2)
        return put_big_endian(out, len, 2);
    return form == LENGTH_IN_8 ? put_big_endian(out, len, 8) : out;
}

char *websocket_put_frame(char *out, enum websocket_kind kind, bool last, slice payload,
                          const unsigned char *key) {
    if (!key)
        return put_bytes(put_head(out, kind, last, payload.len, 0), payload);
    unsigned char turning[WEBSOCKET_KEY_BYTES];
    memcpy(turning, key, sizeof(turning));
    out = put_head(out, kind, last, payload.len, BIT_MASKED);
    out = put_bytes(out, slice_make(key, WEBSOCKET_KEY_BYTES));
    websocket_mask(out, payload, turning);
    return out + payload.len;
}

char *websocket_put_close(char *out, unsigned code, slice reason, const unsigned char *key) {
    char payload[WEBSOCKET_CONTROL_MAX];
    size_t len = 0;
    if (code != WEBSOCKET_CODE_NONE) {
        check(websocket_code_sendable(code));
        const slice fits = slice_take(reason, WEBSOCKET_REASON_MAX);
        char *end = put_big_endian(payload, code, 2);
        end = put_bytes(end, slice_take(fits, utf8_valid_prefix(fits)));
        len = (size_t)(end - payload);
    }
    return websocket_put_frame(out, WEBSOCKET_CLOSE, true, slice_make(payload, len), key);
}

int websocket_write_frame(struct buf *b, enum websocket_kind kind, bool last, slice payload,
                          const unsigned char *key) {
    int r = buf_reserve(b, websocket_frame_room(payload.len));
    if (r < 0)
        return r;
    b->len = (size_t)(websocket_put_frame(b->ptr + b->len, kind, last, payload, key) - b->ptr);
    return 0;
}

int websocket_write_close(struct buf *b, unsigned code, slice reason, const unsigned char *key) {
    int r = buf_reserve(b, websocket_frame_room(WEBSOCKET_CONTROL_MAX));
    if (r < 0)
        return r;
    b->len = (size_t)(websocket_put_close(b->ptr + b->len, code, reason, key) - b->ptr);
    return 0;
}
