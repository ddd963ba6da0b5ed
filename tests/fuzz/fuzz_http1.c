/*
 * fuzz_http1.c - the HTTP/1 parsers of heads and bodies, their writers, and URLs.
 *
 *     byte 0: bits 0-1 the side, bit 2 small bounds; byte 1, 2: how the input is cut
 *
 * Properties: cut input gives the events of whole input; a head that was taken can be written,
 * and what was written is parsed as the same head; a normalized path holds no trap.
 */
#include "events.h"

#include "wire/http1_body.h"
#include "wire/http1_write.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_head(struct buf *b, const struct http1_head *head) {
    if (head->side == HTTP1_REQUEST)
        check(http1_write_request(b, head->method, head->target) == 0);
    else
        check(http1_write_status(b, head->status, head->reason) == 0);
    for (size_t i = 0; i < head->fields_count; i++)
        check(http1_write_field(b, head->fields[i].name, head->fields[i].value) == 0);
    check(http1_write_end(b) == 0);
}

/* Only for 1.1: the writers write no other version. */
static void check_round_trip(const struct http1_head *head) {
    static struct http1_head again;
    struct buf b = buf_make(EVENTS_MAX);
    struct http1_parser p = http1_parser_make((enum http1_side)head->side);
    size_t consumed = 0;
    write_head(&b, head);
    p.limits.head_max = EVENTS_MAX;
    check(http1_parse(&p, buf_slice(&b), &again, &consumed) == 1 && consumed == b.len);
    check(again.framing == head->framing && again.keep_alive == head->keep_alive);
    check(again.content_length == head->content_length && again.status == head->status);
    check(again.expect_continue == head->expect_continue && again.form == head->form);
    check(slice_equal(again.authority, head->authority) && slice_equal(again.path, head->path));
    check(again.fields_count == head->fields_count);
    for (size_t i = 0; i < head->fields_count; i++) {
        check(slice_equal(again.fields[i].name, head->fields[i].name));
        check(slice_equal(again.fields[i].value, head->fields[i].value));
    }
    buf_free(&b);
}

static void check_path(slice target) {
    char out[HTTP1_TARGET_MAX];
    size_t len = 0;
    slice query, key, value;
    slice path = url_cut_query(target, &query);
    while (url_query_next(&query, &key, &value)) {
        check(value.len == 0 || value.ptr > key.ptr);
        if (url_decode(value, true, out, &len) == 0)
            check(len <= value.len);
    }
    if (path.len > sizeof(out) || url_path_normalize(path, out, &len) < 0)
        return;
    const slice normal = slice_make(out, len);
    check(len > 0 && len <= path.len && out[0] == '/');
    check(slice_find(normal, '\0') < 0 && slice_find(normal, '\\') < 0);
    check(slice_find_slice(normal, slice_lit("//")) < 0);
    check(slice_find_slice(normal, slice_lit("/../")) < 0 &&
          !slice_ends_with(normal, slice_lit("/..")));
    check(slice_find_slice(normal, slice_lit("/./")) < 0 &&
          !slice_ends_with(normal, slice_lit("/.")));
}

static void check_heads(struct http1_parser p, slice input) {
    static struct http1_head head;
    size_t consumed = 0;
    while (http1_parse(&p, input, &head, &consumed) == 1) {
        check(consumed > 0 && consumed <= input.len);
        if (head.version_minor == 1)
            check_round_trip(&head);
        check_path(head.target);
        if (head.framing != HTTP1_NO_BODY)
            return; /* what follows is no head */
        input = slice_skip(input, consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    struct http1_parser p = http1_parser_make((enum http1_side)(data[0] & 3));
    if (data[0] & 4)
        p.limits = (struct http1_limits){64, 16, 3};
    const slice input = slice_make(data + 3, size - 3);
    const struct cuts cuts = {data[1] + 1u, data[2] % 16 + 1u};
    struct buf whole = buf_make(EVENTS_MAX), cut = buf_make(EVENTS_MAX);
    events_http1(p, input, cuts_whole(input), &whole);
    events_http1(p, input, cuts, &cut);
    check(slice_equal(buf_slice(&whole), buf_slice(&cut)));
    check_heads(p, input);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
