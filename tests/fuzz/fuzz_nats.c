/*
 * fuzz_nats.c - the NATS parser, writers, header blocks and subject rules.
 *
 *     byte 0: bit 0 the sender, bit 1 small bounds; byte 1, 2: how the input is cut
 *
 * Properties: cut input gives the events of whole input; what an event is written as is parsed
 * as the same event; a subject matches itself; matching, subsets and overlaps agree.
 */
#include "events.h"

#include "wire/nats_headers.h"
#include "wire/nats_subject.h"
#include "wire/nats_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int write_event(struct buf *b, const struct nats_event *e) {
    switch (e->kind) {
    case NATS_CONNECT:
        return nats_write_connect(b, nats_event_json(e));
    case NATS_PUB:
    case NATS_HPUB:
        return nats_write_pub(b, e->subject, e->reply, e->headers, e->payload);
    case NATS_SUB:
        return nats_write_sub(b, e->subject, nats_event_queue(e), e->sid);
    case NATS_UNSUB:
        return nats_write_unsub(b, e->sid, e->max);
    case NATS_PING:
        return nats_write_ping(b);
    case NATS_PONG:
        return nats_write_pong(b);
    case NATS_INFO:
        return nats_write_info(b, nats_event_json(e));
    case NATS_MSG:
    case NATS_HMSG:
        return nats_write_msg(b, e->subject, e->sid, e->reply, e->headers, e->payload);
    case NATS_OK:
        return nats_write_ok(b);
    case NATS_ERR:
        return nats_write_err(b, e->payload);
    default:
        return -1;
    }
}

/* A header length of 0 is written as a message without headers. */
static enum nats_kind plain_kind(const struct nats_event *e) {
    if (e->headers.len == 0 && e->kind == NATS_HPUB)
        return NATS_PUB;
    return e->headers.len == 0 && e->kind == NATS_HMSG ? NATS_MSG : e->kind;
}

static void check_round_trip(enum nats_sender sender, const struct nats_event *e) {
    struct buf b = buf_make(EVENTS_MAX);
    struct nats_parser p = nats_parser_make(sender);
    struct nats_event again;
    size_t consumed = 0;
    check(write_event(&b, e) == 0);
    check(nats_parse(&p, buf_slice(&b), &again, &consumed) == 1 && consumed == b.len);
    check(again.kind == plain_kind(e) && again.max == e->max);
    check(slice_equal(again.subject, e->subject) && slice_equal(again.reply, e->reply));
    check(slice_equal(again.sid, e->sid) && slice_equal(again.headers, e->headers));
    check(slice_equal(again.payload, e->payload));
    buf_free(&b);
}

static void check_headers(slice block) {
    struct nats_status status;
    if (nats_headers_parse(block, &status) < 0)
        return;
    struct buf copy = buf_make(EVENTS_MAX);
    struct nats_field field;
    slice cursor = status.fields, first = {NULL, 0};
    while (nats_headers_next(&cursor, &field)) {
        check(field.key.len > 0);
        first = first.ptr ? first : field.key;
    }
    if (first.ptr) {
        slice value;
        check(nats_headers_get(block, first, &value));
        check(nats_headers_copy_without(&copy, block, first) == 0);
        check(!nats_headers_get(buf_slice(&copy), first, &value));
    }
    buf_free(&copy);
}

static void check_subjects(slice a, slice b) {
    if (nats_subject_literal(a)) {
        check(nats_subject_match(a, a) && nats_subject_match(a, slice_lit(">")));
        if (nats_subject_valid(b)) {
            check(nats_subject_match(a, b) == nats_subject_overlap(a, b));
            check(nats_subject_match(a, b) == nats_subject_is_subset(a, b));
        }
    }
    if (nats_subject_valid(a) && nats_subject_valid(b)) {
        check(nats_subject_is_subset(a, a));
        check(nats_subject_overlap(a, b) == nats_subject_overlap(b, a));
        if (nats_subject_is_subset(a, b))
            check(nats_subject_overlap(a, b));
    }
}

static void check_events(struct nats_parser p, slice input) {
    struct nats_event e;
    slice last = slice_lit("a.*.>");
    size_t consumed = 0;
    while (nats_parse(&p, input, &e, &consumed) == 1) {
        check(consumed > 0 && consumed <= input.len);
        input = slice_skip(input, consumed);
        check_round_trip((enum nats_sender)p.sender, &e);
        check_headers(e.headers);
        check_subjects(e.subject, last);
        check_subjects(e.subject, e.reply);
        last = e.subject.ptr ? e.subject : last;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    struct nats_parser p = nats_parser_make(data[0] & 1 ? NATS_SERVER : NATS_CLIENT);
    if (data[0] & 2) {
        p.line_max = 24;
        p.json_max = 40;
        p.payload_max = 64;
    }
    const slice input = slice_make(data + 3, size - 3);
    const struct cuts cuts = {data[1] + 1u, data[2] % 16 + 1u};
    struct buf whole = buf_make(EVENTS_MAX), cut = buf_make(EVENTS_MAX);
    events_nats(p, input, cuts_whole(input), &whole);
    events_nats(p, input, cuts, &cut);
    check(slice_equal(buf_slice(&whole), buf_slice(&cut)));
    check_events(p, input);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
