/*
 * subject_fields.c - HTTP fields to NATS headers and back (subject_fields.h).
 *
 * The way in is an allow list, since what strangers send ends in programs that never meant to be
 * asked by HTTP. The way out is a deny list, since what the team's own services say is for the
 * client.
 */
#include "rooms/gateway/subject_fields.h"

#include "base/number.h"
#include "base/utf8.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define BLOCK_FRAME 32u /* bytes around the fields */
#define FIELD_FRAME 4u  /* ": " and CR LF */

#define NAME(literal)                                                                              \
    { "" literal, sizeof(literal) - 1 }
#define R (1u << SUBJECT_REQUEST)
#define P (1u << SUBJECT_PUBLISH)
#define W (1u << SUBJECT_WEBSOCKET)

/* --- to a subject ------------------------------------------------------------------------------
 */

static const struct {
    slice name;
    unsigned verbs;
} taken[] = {
    {NAME("Content-Type"), R | P},
    {NAME("Content-Encoding"), R | P},
    {NAME("Accept"), R},
    {NAME("Accept-Language"), R},
    {NAME("Prefer"), R},
    {NAME("If-Match"), R},
    {NAME("If-None-Match"), R},
    {NAME("If-Modified-Since"), R},
    {NAME("If-Unmodified-Since"), R},
    {NAME("Idempotency-Key"), R},
    {NAME("Nats-Expected-Stream"), P},
    {NAME("Nats-Expected-Last-Sequence"), P},
    {NAME("Nats-Expected-Last-Subject-Sequence"), P},
    {NAME("Nats-Expected-Last-Msg-Id"), P},
};

struct outgoing {
    struct http1_field fields[SUBJECT_FIELDS_MAX];
    unsigned count;
};

static void add(struct outgoing *out, slice name, slice value) {
    if (value.len && out->count < SUBJECT_FIELDS_MAX)
        out->fields[out->count++] = (struct http1_field){name, value};
}

/* The names as they stand in the table: to NATS their case matters. */
static void add_taken(struct outgoing *out, const struct exchange *x, enum subject_verb verb) {
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < array_count(taken); k++)
            if (taken[k].verbs & 1u << verb && slice_equal_nocase(fields[i].name, taken[k].name))
                add(out, taken[k].name, fields[i].value);
}

/* Only behind a traceparent that goes on: what others say of their trace is not said of ours. */
static void add_tracestate(struct outgoing *out, const struct exchange *x) {
    static const slice name = NAME("tracestate");
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count && x->continued; i++)
        if (slice_equal_nocase(fields[i].name, name))
            add(out, name, fields[i].value);
}

/* The path as sent, also of a target in absolute form. */
static slice raw_path(slice target) {
    slice rest, path = slice_cut(target, '?', &rest);
    ptrdiff_t scheme = slice_find_slice(path, slice_lit("://"));
    if (slice_starts_with(path, slice_lit("/")) || scheme < 0)
        return path;
    slice behind = slice_skip(path, (size_t)scheme + 3);
    ptrdiff_t slash = slice_find(behind, '/');
    return slash < 0 ? slice_lit("/") : slice_skip(behind, (size_t)slash);
}

static void add_request(struct outgoing *out, const struct exchange *x) {
    add(out, slice_lit("Nonet-Method"), http_request_method(x->request));
    add(out, slice_lit("Nonet-Path"), raw_path(http_request_target(x->request)));
    add(out, slice_lit("Nonet-Client"), x->client);
}

/* A key may be a string of RFC 9651, as the draft has it, or bare, as most clients send it. */
static int read_key(const struct exchange *x, slice *ret_key) {
    *ret_key = (slice){0};
    if (!http_request_field(x->request, slice_lit("Idempotency-Key"), ret_key))
        return 0;
    slice key = *ret_key;
    if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
        *ret_key = slice_make(key.ptr + 1, key.len - 2);
    return ret_key->len && ret_key->len <= SUBJECT_KEY_BYTES_MAX ? 0 : -EINVAL;
}

/* Two people's keys may be the same by chance or by intent. */
static int add_message_id(struct outgoing *out, struct exchange *x) {
    slice id;
    int failed = read_key(x, &id);
    if (!failed && id.len && x->principal.len)
        failed = arena_printf(exchange_arena(x), &id, "%.*s:%.*s", slice_fmt(x->principal),
                              slice_fmt(id));
    if (!failed)
        add(out, slice_lit("Nats-Msg-Id"), id);
    return failed;
}

static int write_block(struct arena *arena, const struct outgoing *out, slice *ret_headers) {
    size_t room = BLOCK_FRAME;
    for (unsigned i = 0; i < out->count; i++)
        room += out->fields[i].name.len + out->fields[i].value.len + FIELD_FRAME;
    struct buf b = {.ptr = arena_alloc(arena, room), .cap = room, .max = room};
    if (!b.ptr)
        return -ENOMEM;
    int failed = nats_headers_begin(&b, 0, (slice){0});
    for (unsigned i = 0; i < out->count && !failed; i++)
        failed = nats_headers_add(&b, out->fields[i].name, out->fields[i].value);
    if (!failed)
        failed = nats_headers_end(&b);
    *ret_headers = buf_slice(&b);
    return failed;
}

int subject_fields_write(struct exchange *x, enum subject_verb verb, slice *ret_headers) {
    struct outgoing out;
    out.count = 0;
    add(&out, slice_lit("traceparent"), exchange_traceparent(x));
    add(&out, slice_lit("X-Request-Id"), x->request_id);
    add(&out, slice_lit("Nonet-Principal"), x->principal);
    add(&out, slice_lit("Nonet-Query"), http_request_query(x->request));
    int failed = 0;
    if (verb == SUBJECT_REQUEST)
        add_request(&out, x);
    if (verb == SUBJECT_PUBLISH)
        failed = add_message_id(&out, x);
    add_tracestate(&out, x);
    add_taken(&out, x, verb);
    return failed ? failed : write_block(exchange_arena(x), &out, ret_headers);
}

/* --- from a reply ------------------------------------------------------------------------------
 */

static bool is_for_the_client(slice name) {
    static const slice ours[] = {
        NAME("Keep-Alive"), NAME("TE"),   NAME("Trailer"),
        NAME("Upgrade"),    NAME("Date"), NAME("X-Request-Id"),
    };
    static const slice prefixes[] = {NAME("Nats-"), NAME("Nonet-"), NAME("Proxy-")};
    for (size_t i = 0; i < array_count(ours); i++)
        if (slice_equal_nocase(name, ours[i]))
            return false;
    for (size_t i = 0; i < array_count(prefixes); i++)
        if (slice_equal_nocase(slice_take(name, prefixes[i].len), prefixes[i]))
            return false;
    return http1_is_token(name) && !http1_is_framing(name);
}

static bool can_be_sent(slice value) {
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static unsigned status_in(slice text, unsigned least, unsigned otherwise) {
    uint64_t status;
    bool fine = number_parse_u64(text, &status) == 0 && status >= least && status <= 599;
    return fine ? (unsigned)status : otherwise;
}

/* A bare status of NATS, "404 Not Found", is an error as a service's own is. */
static void read_status(const struct nats_status *status, struct subject_reply *reply) {
    if (status->code < 400 || status->code > 599)
        return;
    reply->status = status->code;
    reply->error = status->description.len ? status->description : slice_lit("refused");
}

static void read_error(slice code, slice words, struct subject_reply *reply) {
    reply->status = status_in(code, 400, 500);
    reply->error = words.len ? slice_take(words, SUBJECT_ERROR_BYTES_MAX)
                             : slice_lit("the service has answered with an error");
}

void subject_reply_read(slice headers, slice payload, struct subject_reply *ret_reply) {
    struct nats_status status;
    struct nats_field field;
    slice code = {0}, words = {0};
    ret_reply->status = 200;
    ret_reply->error = (slice){0};
    ret_reply->type = subject_type_of(payload);
    ret_reply->field_count = 0;
    if (!headers.len || nats_headers_parse(headers, &status))
        return;
    read_status(&status, ret_reply);
    while (nats_headers_next(&status.fields, &field)) {
        if (slice_equal_nocase(field.key, slice_lit("Nats-Service-Error-Code")))
            code = field.value;
        else if (slice_equal_nocase(field.key, slice_lit("Nats-Service-Error")))
            words = field.value;
        else if (slice_equal_nocase(field.key, slice_lit("Nonet-Status")))
            ret_reply->status = status_in(field.value, 200, 500);
        if (!is_for_the_client(field.key) || !can_be_sent(field.value) ||
            ret_reply->field_count == SUBJECT_FIELDS_MAX)
            continue;
        if (slice_equal_nocase(field.key, slice_lit("Content-Type")))
            ret_reply->type = NULL;
        ret_reply->fields[ret_reply->field_count++] = (struct http1_field){field.key, field.value};
    }
    if (code.len)
        read_error(code, words, ret_reply);
}

static bool is_text(slice payload) {
    for (size_t i = 0; i < payload.len; i++) {
        unsigned char c = (unsigned char)payload.ptr[i];
        if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
    }
    return utf8_valid(payload);
}

const char *subject_type_of(slice payload) {
    slice text = payload;
    while (text.len && memchr(" \t\r\n", text.ptr[0], 4))
        text = slice_skip(text, 1);
    while (text.len && memchr(" \t\r\n", text.ptr[text.len - 1], 4))
        text.len--;
    if (!payload.len)
        return NULL;
    if (!is_text(payload))
        return "application/octet-stream";
    bool object = slice_starts_with(text, slice_lit("{")) && slice_ends_with(text, slice_lit("}"));
    bool array = slice_starts_with(text, slice_lit("[")) && slice_ends_with(text, slice_lit("]"));
    return object || array ? "application/json" : "text/plain; charset=utf-8";
}
