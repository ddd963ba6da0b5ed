/*
 * websocket_write.h - WebSocket frames, written.
 *
 * websocket_put_*() write into room that the caller has reserved and return the new end;
 * websocket_write_*() append to a struct buf with that reservation made: 0, -ENOBUFS or -ENOMEM,
 * and on failure nothing was appended.
 *
 * A server sends its messages whole, each in one frame: what is in memory anyway gains nothing by
 * being cut. Pieces (LAST false, then WEBSOCKET_MORE) are for what is made as it is sent. Whoever
 * writes text has made sure that it is UTF-8 (base/utf8.h); the peer would close over it.
 *
 * A client masks each frame with a KEY that nobody can foresee (RFC 6455, 10.3): so that a script
 * cannot make a browser send bytes that a proxy takes for a request. A server gives no KEY.
 */
#ifndef NONET_WIRE_WEBSOCKET_WRITE_H
#define NONET_WIRE_WEBSOCKET_WRITE_H

#include "wire/websocket.h"

/* Room for a frame with PAYLOAD_LEN bytes, masked or not. */
static inline size_t websocket_frame_room(size_t payload_len) {
    return WEBSOCKET_HEAD_MAX + payload_len;
}

/* A frame; KEY is NULL for a server's. A control frame is always the LAST, with at most
   WEBSOCKET_CONTROL_MAX bytes. */
char *websocket_put_frame(char *out, enum websocket_kind kind, bool last, slice payload,
                          const unsigned char *key);
must_use int websocket_write_frame(struct buf *b, enum websocket_kind kind, bool last,
                                   slice payload, const unsigned char *key);

/* A close frame with CODE, which must be sendable, or WEBSOCKET_CODE_NONE for an empty one. Of
   REASON the longest beginning is sent that fits and is UTF-8. */
char *websocket_put_close(char *out, unsigned code, slice reason, const unsigned char *key);
must_use int websocket_write_close(struct buf *b, unsigned code, slice reason,
                                   const unsigned char *key);

#endif
