/*
 * events.c - feeds a codec as a connection would: what it did not use stays in front of what
 * comes next.
 */
#include "events.h"

#include "base/mem.h"
#include "wire/http1_body.h"

#include <stdlib.h>

enum { QUOTE_MAX = 120 };

static void print(struct buf *out, const char *format, ...) printf_like(2, 3);

static void print(struct buf *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int r = buf_vprintf(out, format, arguments);
    va_end(arguments);
    check(r == 0);
}

void events_quote(struct buf *out, slice text) {
    slice shown = slice_take(text, text.len > QUOTE_MAX ? QUOTE_MAX / 4 : QUOTE_MAX);
    print(out, "\"");
    for (size_t i = 0; i < shown.len; i++) {
        const unsigned char c = (unsigned char)shown.ptr[i];
        if (c == '\r')
            print(out, "\\r");
        else if (c == '\n')
            print(out, "\\n");
        else if (c == '\t')
            print(out, "\\t");
        else if (c == '"' || c == '\\')
            print(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            print(out, "\\x%02x", c);
        else
            print(out, "%c", c);
    }
    print(out, "\"");
    if (shown.len < text.len)
        print(out, "... (%zu bytes)", text.len);
}

/* The bytes a connection holds, in memory of exactly that size. */
struct held {
    char *bytes;
    size_t len;
};

static slice hold(struct held *h, slice more) {
    char *bytes = mem_alloc(h->len + more.len);
    check(bytes);
    if (h->len > 0)
        memcpy(bytes, h->bytes, h->len);
    if (more.len > 0)
        memcpy(bytes + h->len, more.ptr, more.len);
    mem_free(h->bytes);
    h->bytes = bytes;
    h->len += more.len;
    return slice_make(h->bytes, h->len);
}

/* Keeps only REST, a tail of what is held. */
static void release(struct held *h, slice rest) {
    struct held kept = {NULL, 0};
    hold(&kept, rest);
    mem_free(h->bytes);
    *h = kept;
}

static void print_member(struct buf *out, const char *name, slice value) {
    if (!value.ptr)
        return;
    print(out, "%s=", name);
    events_quote(out, value);
}

static void print_nats(struct buf *out, const struct nats_event *e) {
    print(out, "%s", nats_kind_name(e->kind));
    print_member(out, " subject", e->subject);
    print_member(out, e->kind == NATS_SUB ? " queue" : " reply", e->reply);
    print_member(out, " sid", e->sid);
    print_member(out, " headers", e->headers);
    if (e->kind == NATS_CONNECT || e->kind == NATS_INFO)
        print_member(out, " json", nats_event_json(e));
    else
        print_member(out, e->kind == NATS_ERR ? " text" : " payload", e->payload);
    if (e->kind == NATS_UNSUB)
        print(out, " max=%llu", (unsigned long long)e->max);
    print(out, "\n");
}

/* Parses all that is held. False: the connection would be closed now. */
static bool feed_nats(struct nats_parser *p, struct held *h, struct buf *out) {
    slice rest = slice_make(h->bytes, h->len);
    struct nats_event event;
    size_t consumed = 0;
    int r;
    while ((r = nats_parse(p, rest, &event, &consumed)) == 1) {
        check(consumed > 0 && consumed <= rest.len);
        print_nats(out, &event);
        rest = slice_skip(rest, consumed);
    }
    if (r == 0) {
        check(p->need > rest.len);
        release(h, rest);
        return true;
    }
    check(p->error && nats_parse(p, rest, &event, &consumed) == r);
    print(out, "-ERR '%s' (%s)\n", nats_error_text((enum nats_error)p->error),
          nats_error_detail((enum nats_error)p->error));
    return false;
}

void events_nats(struct nats_parser parser, slice input, struct cuts cuts, struct buf *out) {
    struct held held = {NULL, 0};
    bool open = true;
    for (size_t at = 0, take = cuts.first; open && at < input.len; at += take, take = cuts.step) {
        check(take > 0);
        hold(&held, slice_take(slice_skip(input, at), take));
        open = feed_nats(&parser, &held, out);
    }
    if (open && held.len > 0)
        print(out, "needs %zu more\n", parser.need - held.len);
    mem_free(held.bytes);
}

/* A connection that carries HTTP/1 one way. */
struct http1_stream {
    struct http1_parser parser;
    struct http1_body body;
    struct http1_head head;
    struct buf data; /* of the body, not printed yet */
    bool in_body;
    bool connect; /* the head was a CONNECT */
    bool opaque;  /* behind CONNECT or inside a tunnel */
};

static void print_http1_head(struct buf *out, const struct http1_head *head) {
    static const char *const framings[] = {"none", "length", "chunked", "until close", "tunnel"};
    if (head->side == HTTP1_REQUEST) {
        print(out, "request %.*s ", slice_fmt(head->method));
        events_quote(out, head->target);
        print(out, " 1.%u\n", head->version_minor);
        print_member(out, "  authority", head->authority);
        if (!slice_equal(head->path, head->target))
            print_member(out, " path", head->path);
        if (head->authority.ptr || !slice_equal(head->path, head->target))
            print(out, "\n");
    } else {
        print(out, "response %u ", head->status);
        events_quote(out, head->reason);
        print(out, " 1.%u\n", head->version_minor);
    }
    for (size_t i = 0; i < head->fields_count; i++) {
        print(out, "  %.*s: ", slice_fmt(head->fields[i].name));
        events_quote(out, head->fields[i].value);
        print(out, "\n");
    }
    print(out, "  body %s", framings[head->framing]);
    if (head->has_content_length)
        print(out, " %llu", (unsigned long long)head->content_length);
    print(out, ", %s%s%s", head->keep_alive ? "keep-alive" : "close",
          head->expect_continue ? ", expects 100" : "",
          head->authority_differs ? ", authority differs" : "");
    print_member(out, ", upgrade", head->upgrade);
    print(out, "\n");
}

static void flush_data(struct http1_stream *s, struct buf *out) {
    if (s->data.len > 0) {
        print(out, s->opaque ? "opaque " : "data ");
        events_quote(out, buf_slice(&s->data));
        print(out, "\n");
    }
    buf_clear(&s->data);
}

static void keep_data(struct http1_stream *s, slice bytes) {
    check(buf_append(&s->data, bytes) == 0);
}

static int feed_head(struct http1_stream *s, slice rest, size_t *ret_consumed, struct buf *out) {
    int r = http1_parse(&s->parser, rest, &s->head, ret_consumed);
    if (r < 0) {
        enum http1_error error = (enum http1_error)s->parser.error;
        check(http1_parse(&s->parser, rest, &s->head, ret_consumed) == r);
        print(out, "refused %s %u\n", http1_error_name(error), http1_error_status(error));
    } else if (r == 1) {
        print_http1_head(out, &s->head);
        s->body = http1_body_make(&s->head);
        s->in_body = true;
        s->connect = slice_equal(s->head.method, slice_lit("CONNECT"));
    }
    return r;
}

static int feed_body(struct http1_stream *s, slice rest, size_t *ret_consumed, struct buf *out) {
    struct http1_part part;
    struct http1_field field;
    int r = http1_body_next(&s->body, rest, &part, ret_consumed);
    if (r < 0) {
        enum http1_error error = (enum http1_error)s->body.error;
        flush_data(s, out);
        print(out, "refused %s %u\n", http1_error_name(error), http1_error_status(error));
    } else if (r == 1 && part.kind == HTTP1_DATA) {
        check(part.bytes.len > 0);
        s->opaque = s->head.framing == HTTP1_TUNNEL;
        keep_data(s, part.bytes);
    } else if (r == 1) {
        flush_data(s, out);
        while (http1_next_field(&part.bytes, &field)) {
            print(out, "trailer %.*s: ", slice_fmt(field.name));
            events_quote(out, field.value);
            print(out, "\n");
        }
        print(out, "end\n");
        s->in_body = false;
        s->opaque = s->connect;
    }
    return r;
}

/* Parses all that is held. False: the connection would be closed now. */
static bool feed_http1(struct http1_stream *s, struct held *h, struct buf *out) {
    slice rest = slice_make(h->bytes, h->len);
    int r = 1;
    while (r == 1) {
        size_t consumed = 0;
        if (!s->in_body && s->opaque) { /* behind a CONNECT */
            keep_data(s, rest);
            consumed = rest.len;
            r = 0;
        } else {
            r = s->in_body ? feed_body(s, rest, &consumed, out)
                           : feed_head(s, rest, &consumed, out);
        }
        if (r < 0)
            return false;
        check(consumed <= rest.len);
        rest = slice_skip(rest, consumed);
    }
    release(h, rest);
    return true;
}

static void close_http1(struct http1_stream *s, struct held *h, struct buf *out) {
    flush_data(s, out);
    if (s->in_body && s->head.framing == HTTP1_UNTIL_CLOSE) {
        check(http1_body_close(&s->body) == 0);
        print(out, "end\n");
    } else if (s->in_body && s->head.framing != HTTP1_TUNNEL) {
        check(http1_body_close(&s->body) < 0);
        print(out, "refused %s %u\n", http1_error_name((enum http1_error)s->body.error),
              http1_error_status((enum http1_error)s->body.error));
    } else if (h->len > 0) {
        print(out, "cut short in a head\n");
    }
}

void events_http1(struct http1_parser parser, slice input, struct cuts cuts, struct buf *out) {
    struct http1_stream *s = mem_zalloc(1, sizeof(*s));
    struct held held = {NULL, 0};
    bool open = true;
    check(s);
    s->parser = parser;
    s->data = buf_make(EVENTS_MAX);
    for (size_t at = 0, take = cuts.first; open && at < input.len; at += take, take = cuts.step) {
        check(take > 0);
        hold(&held, slice_take(slice_skip(input, at), take));
        open = feed_http1(s, &held, out);
    }
    if (open)
        close_http1(s, &held, out);
    mem_free(held.bytes);
    buf_free(&s->data);
    mem_free(s);
}

static void print_websocket(struct buf *out, const struct websocket_event *e) {
    print(out, "%s ", websocket_kind_name(e->kind));
    if (e->kind == WEBSOCKET_CLOSE)
        print(out, "%u ", e->code);
    events_quote(out, e->payload);
    print(out, "\n");
}

/* Parses BYTES, in memory of exactly their size. False: the connection would be closed now. */
static bool feed_websocket(struct websocket_parser *p, slice bytes, struct buf *out) {
    struct held held = {NULL, 0};
    slice rest = hold(&held, bytes);
    struct websocket_event event;
    size_t consumed = 0;
    int r;
    while ((r = websocket_parse(p, rest, &event, &consumed)) == 1) {
        check(consumed <= rest.len);
        print_websocket(out, &event);
        rest = slice_skip(rest, consumed);
    }
    if (r == 0) {
        check(consumed == rest.len);
        websocket_parser_trim(p); /* as a connection does at the end of a read */
    } else {
        const enum websocket_error error = (enum websocket_error)p->error;
        check(error && websocket_parse(p, rest, &event, &consumed) == r);
        print(out, "refused %s %u\n", websocket_error_name(error), websocket_error_code(error));
    }
    mem_free(held.bytes);
    return r == 0;
}

void events_websocket(struct websocket_parser *parser, slice input, struct cuts cuts,
                      struct buf *out) {
    bool open = true;
    for (size_t at = 0, take = cuts.first; open && at < input.len; at += take, take = cuts.step) {
        check(take > 0);
        open = feed_websocket(parser, slice_take(slice_skip(input, at), take), out);
    }
    if (open && !websocket_parser_idle(parser))
        print(out, "cut short\n");
    websocket_parser_free(parser);
}

static void print_oids(struct buf *out, const struct pgwire_list *oids) {
    for (unsigned i = 0; i < oids->count; i++)
        print(out, "%s%u", i ? "," : " oids=", (unsigned)pgwire_oid_at(oids, i));
}

static void print_parameters(struct buf *out, const struct pgwire_event *e) {
    slice rest = e->parameters.bytes;
    for (unsigned i = 0; i < e->parameters.count; i++) {
        const slice value = pgwire_next_parameter(&rest);
        print(out, " $%u:%u=", i + 1, pgwire_format_of(&e->formats, i));
        if (value.ptr)
            events_quote(out, value);
        else
            print(out, "NULL");
    }
    check(rest.len == 0);
    for (unsigned i = 0; i < e->result_formats.count; i++)
        print(out, "%s%u", i ? "," : " results=", pgwire_format_of(&e->result_formats, i));
}

static void print_pgwire(struct buf *out, const struct pgwire_event *e) {
    slice rest = e->body, name, value;
    print(out, "%s", pgwire_kind_name(e->kind));
    if (e->kind == PGWIRE_STARTUP)
        print(out, " 3.%u", (unsigned)e->version_minor);
    if (e->kind == PGWIRE_CANCEL_REQUEST)
        print(out, " %u %u", (unsigned)e->process, (unsigned)e->secret);
    if (e->kind == PGWIRE_MALFORMED)
        print(out, " %c", e->type);
    if (e->what)
        print(out, " %c", e->what);
    print_member(out, " name", e->name);
    print_member(out, " statement", e->statement);
    print_member(out, " text", e->text);
    print_oids(out, &e->oids);
    print_parameters(out, e);
    if (e->kind == PGWIRE_EXECUTE)
        print(out, " limit=%u", (unsigned)e->limit);
    if (e->kind != PGWIRE_STARTUP)
        print_member(out, " body", e->body);
    while (e->kind == PGWIRE_STARTUP && pgwire_next_pair(&rest, &name, &value)) {
        print(out, " %.*s=", slice_fmt(name));
        events_quote(out, value);
    }
    print(out, "\n");
}

/* Parses all that is held. False: the connection would be closed now. */
static bool feed_pgwire(struct pgwire_parser *p, struct held *h, struct buf *out) {
    slice rest = slice_make(h->bytes, h->len);
    struct pgwire_event event;
    size_t consumed = 0;
    int r;
    while ((r = pgwire_parse(p, rest, &event, &consumed)) == 1) {
        check(consumed > 0 && consumed <= rest.len);
        print_pgwire(out, &event);
        rest = slice_skip(rest, consumed);
    }
    if (r == 0) {
        check(p->need > rest.len);
        release(h, rest);
        return true;
    }
    check(p->error && pgwire_parse(p, rest, &event, &consumed) == r);
    print(out, "FATAL %s %s\n", pgwire_error_state((enum pgwire_error)p->error),
          pgwire_error_text((enum pgwire_error)p->error));
    return false;
}

void events_pgwire(struct pgwire_parser parser, slice input, struct cuts cuts, struct buf *out) {
    struct held held = {NULL, 0};
    bool open = true;
    for (size_t at = 0, take = cuts.first; open && at < input.len; at += take, take = cuts.step) {
        check(take > 0);
        hold(&held, slice_take(slice_skip(input, at), take));
        open = feed_pgwire(&parser, &held, out);
    }
    if (open && held.len > 0)
        print(out, "needs %zu more\n", parser.need - held.len);
    mem_free(held.bytes);
}
