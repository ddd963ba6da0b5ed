/*
 * fuzz_pgwire.c - what a client of PostgreSQL sends, parsed.
 *
 *     byte 0: bit 0 behind the startup, bit 1 small bounds; byte 1, 2: how the input is cut
 *
 * Properties: cut input gives the events of whole input (the printing walks every list of an
 * event); texts hold no NUL; what SASL and passwords hold lies within the body.
 */
#include "events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(slice part, slice whole) {
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_event(const struct pgwire_event *e, slice bytes) {
    const slice texts[] = {e->name, e->statement, e->text};
    slice mechanism, rest;
    for (size_t i = 0; i < array_count(texts); i++)
        check(within(texts[i], bytes) && slice_find(texts[i], '\0') < 0);
    check(within(e->body, bytes));
    if (e->kind == PGWIRE_PASSWORD) {
        if (pgwire_password(e->body, &rest))
            check(within(rest, e->body) && slice_find(rest, '\0') < 0);
        if (pgwire_sasl_initial(e->body, &mechanism, &rest))
            check(within(mechanism, e->body) && within(rest, e->body));
    }
}

static void check_events(struct pgwire_parser p, slice input) {
    struct pgwire_event e;
    size_t consumed = 0;
    while (pgwire_parse(&p, input, &e, &consumed) == 1) {
        check(consumed > 0 && consumed <= input.len);
        check_event(&e, slice_take(input, consumed));
        input = slice_skip(input, consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    struct pgwire_parser p = pgwire_parser_make(data[0] & 2 ? 64 : PGWIRE_MESSAGE_MAX);
    p.started = data[0] & 1;
    const slice input = slice_make(data + 3, size - 3);
    const struct cuts cuts = {data[1] + 1u, data[2] % 16 + 1u};
    struct buf whole = buf_make(EVENTS_MAX), cut = buf_make(EVENTS_MAX);
    events_pgwire(p, input, cuts_whole(input), &whole);
    events_pgwire(p, input, cuts, &cut);
    check(slice_equal(buf_slice(&whole), buf_slice(&cut)));
    check_events(p, input);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
