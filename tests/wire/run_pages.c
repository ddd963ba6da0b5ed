/*
 * run_pages.c - runs the pages given as arguments and prints TAP.
 *
 * Each case is fed whole, byte by byte, and in two reads cut at every place; all must give the
 * events on the page. NATS cases are also fed with more traffic behind them.
 */
#include "events.h"
#include "page.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PAGE_MAX = 4 * 1024 * 1024,
    PINGS = 20,              /* traffic behind a case */
    CUTS_MAX = 512,          /* longer inputs are cut at so many places */
    BYTEWISE_MAX = 8 * 1024, /* longer inputs are fed in longer steps */
};

static bool is_nats(const struct page_case *c) {
    return slice_starts_with(c->codec, slice_lit("nats-"));
}

static int run_nats(const struct page_case *c, struct cuts cuts, struct buf *out) {
    bool server = slice_equal(c->codec, slice_lit("nats-server"));
    struct nats_parser p = nats_parser_make(server ? NATS_SERVER : NATS_CLIENT);
    for (size_t i = 0; i < c->settings_count; i++) {
        const struct page_setting *s = &c->settings[i];
        if (slice_equal(s->name, slice_lit("payload_max")))
            p.payload_max = s->value;
        else if (slice_equal(s->name, slice_lit("line_max")))
            p.line_max = s->value;
        else if (slice_equal(s->name, slice_lit("json_max")))
            p.json_max = s->value;
        else
            return -1;
    }
    events_nats(p, buf_slice(&c->input), cuts, out);
    return 0;
}

static int run_http1(const struct page_case *c, enum http1_side side, struct cuts cuts,
                     struct buf *out) {
    struct http1_parser p = http1_parser_make(side);
    for (size_t i = 0; i < c->settings_count; i++) {
        const struct page_setting *s = &c->settings[i];
        if (slice_equal(s->name, slice_lit("head_max")))
            p.limits.head_max = s->value;
        else if (slice_equal(s->name, slice_lit("target_max")))
            p.limits.target_max = s->value;
        else if (slice_equal(s->name, slice_lit("fields_max")))
            p.limits.fields_max = s->value;
        else
            return -1;
    }
    events_http1(p, buf_slice(&c->input), cuts, out);
    return 0;
}

static int run_websocket(const struct page_case *c, struct cuts cuts, struct buf *out) {
    bool server = slice_equal(c->codec, slice_lit("websocket-server"));
    uint32_t message_bytes_max = WEBSOCKET_MESSAGE_MAX;
    for (size_t i = 0; i < c->settings_count; i++) {
        if (!slice_equal(c->settings[i].name, slice_lit("message_bytes_max")))
            return -1;
        message_bytes_max = c->settings[i].value;
    }
    struct websocket_parser p =
        websocket_parser_make(server ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT, message_bytes_max);
    events_websocket(&p, buf_slice(&c->input), cuts, out);
    return 0;
}

/* pgwire: from the first byte on; pgwire-started: behind the startup message. */
static int run_pgwire(const struct page_case *c, struct cuts cuts, struct buf *out) {
    struct pgwire_parser p = pgwire_parser_make(PGWIRE_MESSAGE_MAX);
    p.started = slice_equal(c->codec, slice_lit("pgwire-started"));
    for (size_t i = 0; i < c->settings_count; i++) {
        if (!slice_equal(c->settings[i].name, slice_lit("message_bytes_max")))
            return -1;
        p.message_bytes_max = c->settings[i].value;
    }
    events_pgwire(p, buf_slice(&c->input), cuts, out);
    return 0;
}

static int run_case(const struct page_case *c, struct cuts cuts, struct buf *out) {
    static const struct {
        slice codec;
        enum http1_side side;
    } sides[] = {
        {slice_lit("request"), HTTP1_REQUEST},
        {slice_lit("response"), HTTP1_RESPONSE},
        {slice_lit("response-to-head"), HTTP1_RESPONSE_TO_HEAD},
        {slice_lit("response-to-connect"), HTTP1_RESPONSE_TO_CONNECT},
    };
    if (is_nats(c))
        return run_nats(c, cuts, out);
    if (slice_starts_with(c->codec, slice_lit("websocket-")))
        return run_websocket(c, cuts, out);
    if (slice_starts_with(c->codec, slice_lit("pgwire")))
        return run_pgwire(c, cuts, out);
    for (size_t i = 0; i < array_count(sides); i++) {
        if (slice_equal(c->codec, sides[i].codec))
            return run_http1(c, sides[i].side, cuts, out);
    }
    return -1;
}

static void print_lines(const char *label, slice text) {
    printf("# %s\n", label);
    while (text.len > 0) {
        slice line = slice_cut(text, '\n', &text);
        printf("#     %.*s\n", slice_fmt(line));
    }
}

static bool gives_expected(const struct page_case *c, struct cuts cuts) {
    struct buf out = buf_make(EVENTS_MAX);
    int r = run_case(c, cuts, &out);
    bool same = r == 0 && slice_equal(buf_slice(&out), c->expected);
    if (r < 0) {
        printf("# unknown codec or setting '%.*s'\n", slice_fmt(c->codec));
    } else if (!same) {
        printf("# cut after %zu, then every %zu bytes\n", cuts.first, cuts.step);
        print_lines("expected", c->expected);
        print_lines("got", buf_slice(&out));
    }
    buf_free(&out);
    return same;
}

static bool append_times(struct buf *out, slice text, size_t times) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < times; i++)
        r = buf_append(out, text);
    return r == 0;
}

/* The same input with more behind it in the same read, as busy clients send it. */
static bool passes_in_traffic(const struct page_case *c) {
    const slice lines = slice_take(c->expected, c->expected.len - 1);
    const char *last = memrchr(lines.ptr, '\n', lines.len);
    const slice last_line = last ? slice_skip(lines, (size_t)(last + 1 - lines.ptr)) : lines;
    if (slice_starts_with(last_line, slice_lit("needs ")))
        return true;
    const bool closed = slice_starts_with(last_line, slice_lit("-ERR '"));
    struct page_case busy = *c;
    struct buf expected = buf_make(EVENTS_MAX);
    busy.input = buf_make(PAGE_INPUT_MAX);
    bool good = append_times(&busy.input, buf_slice(&c->input), 1) &&
                append_times(&busy.input, slice_lit("PING\r\n"), PINGS) &&
                append_times(&expected, c->expected, 1) &&
                append_times(&expected, slice_lit("PING\n"), closed ? 0 : PINGS);
    busy.expected = buf_slice(&expected);
    good = good && gives_expected(&busy, cuts_whole(buf_slice(&busy.input)));
    buf_free(&busy.input);
    buf_free(&expected);
    return good;
}

static bool passes(const struct page_case *c) {
    const size_t len = c->input.len;
    const size_t step = len > BYTEWISE_MAX ? 61 : 1;
    bool good = gives_expected(c, cuts_whole(buf_slice(&c->input))) &&
                gives_expected(c, (struct cuts){step, step});
    if (good && is_nats(c))
        good = passes_in_traffic(c);
    const size_t stride = len / CUTS_MAX + 1;
    for (size_t at = 1; good && at < len; at += stride)
        good = gives_expected(c, (struct cuts){at, len});
    return good;
}

static int read_page(const char *path, struct buf *text) {
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t count;
    int r = file ? 0 : -1;
    while (file && r == 0 && (count = fread(block, 1, sizeof(block), file)) > 0)
        r = buf_append(text, slice_make(block, count));
    if (file)
        fclose(file);
    return r;
}

/* Runs one page; *number counts the cases of all. False where one failed. */
static bool run_page(const char *path, unsigned *number) {
    struct buf text = buf_make(PAGE_MAX);
    const char *name = strrchr(path, '/');
    const char *why = "cannot be read";
    const unsigned before = *number;
    bool good = true;
    int r = read_page(path, &text);
    slice rest = buf_slice(&text);
    struct page_case c;
    while (r == 0 && (r = page_next(&rest, &c, &why)) == 1) {
        bool passed = passes(&c);
        printf("%s %u - %s: %.*s\n", passed ? "ok" : "not ok", ++*number, name ? name + 1 : path,
               slice_fmt(c.title));
        buf_free(&c.input);
        good = good && passed;
        r = 0;
    }
    if (r < 0 || *number == before) {
        printf("not ok %u - %s: %s\n", ++*number, path, r < 0 ? why : "no cases");
        good = false;
    }
    buf_free(&text);
    return good;
}

int main(int argc, char **argv) {
    unsigned number = 0;
    bool good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = run_page(argv[i], &number) && good;
    printf("1..%u\n", number);
    return good ? 0 : 1;
}
