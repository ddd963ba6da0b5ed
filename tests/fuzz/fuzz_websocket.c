/*
 * fuzz_websocket.c - the WebSocket parser, writers and handshake.
 *
 *     byte 0: bit 0 the sender, bit 1 small bounds; byte 1, 2: how the input is cut
 *
 * Properties: cut input gives the events of whole input; an event written as a frame, or in
 * pieces with a ping between them, is parsed as the same event; text is UTF-8 and within bounds; a
 * protocol is only chosen from those offered on both sides.
 */
#include "events.h"

#include "base/utf8.h"
#include "wire/websocket_handshake.h"
#include "wire/websocket_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[WEBSOCKET_KEY_BYTES] = {0xa5, 0x01, 0x80, 0x7f};

static int write_event(struct buf *b, const struct websocket_event *e, const unsigned char *mask) {
    if (e->kind == WEBSOCKET_CLOSE)
        return websocket_write_close(b, e->code, e->payload, mask);
    return websocket_write_frame(b, e->kind, true, e->payload, mask);
}

static int write_pieces(struct buf *b, const struct websocket_event *e, const unsigned char *mask) {
    const slice first = slice_take(e->payload, e->payload.len / 2);
    int r = websocket_write_frame(b, e->kind, false, first, mask);
    if (r == 0)
        r = websocket_write_frame(b, WEBSOCKET_PING, true, slice_lit("between"), mask);
    if (r == 0)
        r = websocket_write_frame(b, WEBSOCKET_MORE, true, slice_skip(e->payload, first.len), mask);
    return r;
}

static void check_round_trip(enum websocket_sender sender, const struct websocket_event *e) {
    struct buf b = buf_make(EVENTS_MAX);
    struct websocket_parser p = websocket_parser_make(sender, EVENTS_MAX);
    const unsigned char *mask = sender == WEBSOCKET_CLIENT ? key : NULL;
    const bool data = e->kind == WEBSOCKET_TEXT || e->kind == WEBSOCKET_BINARY;
    struct websocket_event again;
    size_t consumed = 0, used = 0;
    check(data ? write_pieces(&b, e, mask) == 0 : true);
    if (data) {
        check(websocket_parse(&p, buf_slice(&b), &again, &consumed) == 1);
        check(again.kind == WEBSOCKET_PING && slice_equal(again.payload, slice_lit("between")));
        used = consumed;
        check(websocket_parse(&p, slice_skip(buf_slice(&b), used), &again, &consumed) == 1);
        check(again.kind == e->kind && slice_equal(again.payload, e->payload));
        used += consumed;
    }
    check(used == b.len && write_event(&b, e, mask) == 0);
    check(websocket_parse(&p, slice_skip(buf_slice(&b), used), &again, &consumed) == 1);
    check(used + consumed == b.len && websocket_parser_idle(&p));
    check(again.kind == e->kind && again.code == e->code);
    check(slice_equal(again.payload, e->payload));
    buf_free(&b);
    websocket_parser_free(&p);
}

static void check_protocols(slice offered) {
    static const slice ours[] = {slice_lit("chat"), slice_lit("nats")};
    const struct http1_field field = {slice_lit("sec-websocket-protocol"), offered};
    slice sent;
    const ptrdiff_t chosen = websocket_choose_protocol(&field, 1, ours, array_count(ours));
    check(chosen < (ptrdiff_t)array_count(ours));
    if (chosen >= 0)
        check(slice_find_slice(offered, ours[chosen]) >= 0);
    if (websocket_judge(slice_lit("GET"), offered, &field, 1, &sent) == WEBSOCKET_REFUSED_NONE)
        check(false); /* neither a version nor a key */
}

static void check_events(struct websocket_parser p, slice input) {
    struct websocket_event e;
    size_t consumed = 0;
    while (websocket_parse(&p, input, &e, &consumed) == 1) {
        check(consumed > 0 && consumed <= input.len);
        input = slice_skip(input, consumed);
        if (e.kind == WEBSOCKET_TEXT || e.kind == WEBSOCKET_BINARY)
            check(e.payload.len <= p.message_bytes_max);
        else
            check(e.payload.len <= WEBSOCKET_CONTROL_MAX);
        if (e.kind == WEBSOCKET_TEXT || e.kind == WEBSOCKET_CLOSE)
            check(utf8_valid(e.payload));
        check_round_trip((enum websocket_sender)p.sender, &e);
        check_protocols(e.payload);
    }
    websocket_parser_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    const enum websocket_sender sender = data[0] & 1 ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT;
    const uint32_t max = data[0] & 2 ? 64 : WEBSOCKET_MESSAGE_MAX;
    const slice input = slice_make(data + 3, size - 3);
    const struct cuts cuts = {data[1] + 1u, data[2] % 16 + 1u};
    struct buf whole = buf_make(EVENTS_MAX), cut = buf_make(EVENTS_MAX);
    struct websocket_parser p = websocket_parser_make(sender, max);
    events_websocket(&p, input, cuts_whole(input), &whole);
    p = websocket_parser_make(sender, max);
    events_websocket(&p, input, cuts, &cut);
    check(slice_equal(buf_slice(&whole), buf_slice(&cut)));
    check_events(websocket_parser_make(sender, max), input);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
