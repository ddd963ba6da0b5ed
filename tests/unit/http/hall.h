/*
 * hall.h - a desk (desk.h) whose server has WebSockets, and strangers who speak frames to it.
 *
 *     struct hall *hall = hall_open(seed);
 *     struct stranger *s = hall_joined(hall);
 *     says_text(s, "hello");
 *     hall_run(hall, SIM_SECOND);
 *     assert_heard(&hall->served[0], "text hello\n");
 *     hall_close(hall);
 *
 * Each WebSocket notes what it hears, then does what `then` says. Paths: /ws accepts at once,
 * /later keeps the request in hall->later, /hello is an answer as any other.
 */
#ifndef NONET_TESTS_HTTP_HALL_H
#define NONET_TESTS_HTTP_HALL_H

#include "desk.h"

#include "http/websocket.h"
#include "wire/websocket_write.h"

#define HOST "Host: localhost\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ASK(path) "GET " path " HTTP/1.1\r\n" HOST UPGRADE VERSION KEY

#define HALL_SERVED_MAX 16
#define HALL_LINE_MAX 100

/* One WebSocket as its owner sees it. */
struct served {
    struct hall *hall;
    struct http_websocket *ws; /* NULL: closed */
    struct io_stream *stream;  /* below it */
    struct buf heard;          /* "text hello\n"; long messages by their length */
    unsigned messages, rooms, closes, code;
};

struct hall {
    struct desk *desk;
    struct http_routes *routes;
    struct http_websocket_options options; /* of those to come */
    struct served served[HALL_SERVED_MAX];
    unsigned served_count;
    int refused; /* what the last accept that failed said */
    void (*then)(struct served *s, slice message);
    struct http_request *later;
};

struct hall *hall_open(uint64_t seed);
/* Cuts what is open, and checks that every WebSocket has heard its on_close, once. */
void hall_close(struct hall *hall);
void hall_run(struct hall *hall, uint64_t span_ns);
void hall_accept(struct hall *hall, struct http_request *request);
/* For hall->then: sends the message back, as text where it begins with 't'. */
void hall_echo(struct served *s, slice message);
/* Output that waits for S's peer. */
size_t hall_pending(const struct served *s);
void assert_heard(const struct served *s, const char *text);

/* A stranger who has sent REQUEST, a second ago. */
struct stranger *hall_asked(struct hall *hall, const char *request);
/* One with a WebSocket, the last of hall->served. */
struct stranger *hall_joined(struct hall *hall);
void says_frame(struct stranger *s, enum websocket_kind kind, bool last, slice payload);
void says_text(struct stranger *s, const char *text);
void says_close(struct stranger *s, unsigned code);
/* The frames that S got behind the 101, as lines: "text hello", "close 1000 bye". */
void print_frames(const struct stranger *s, struct buf *out);
void assert_frames(const struct stranger *s, const char *wanted);

#endif
