/*
 * pgwire.c - the parser of pgwire.h.
 *
 * A message is judged in three steps: its type and length as soon as they are there (so that what
 * is too long is refused before it is read), its body when it is whole, and the body's end: bytes
 * left over make it malformed as much as bytes missing. A body is read through a `reader`, which
 * goes on giving empty values once it ran out, so that each message is read straight down and
 * judged once at its end.
 */
#include "wire/pgwire.h"

#include <errno.h>

enum {
    HEAD_BYTES = 5, /* type and length */
    LENGTH_BYTES = 4,
    STARTUP_HEAD_BYTES = 8, /* length and code */
    CANCEL_BYTES = 16,
    CODE_CANCEL = 80877102, /* 1234 << 16 | 5678, as the next two no version will ever be */
    CODE_SSL = 80877103,
    CODE_GSS = 80877104,
    NULL_LENGTH = -1,
};

struct pgwire_parser pgwire_parser_make(uint32_t message_bytes_max) {
    return (struct pgwire_parser){.message_bytes_max = message_bytes_max};
}

const char *pgwire_error_state(enum pgwire_error error) {
    return error == PGWIRE_ERROR_VERSION ? "0A000" : "08P01";
}

const char *pgwire_error_text(enum pgwire_error error) {
    static const char *const texts[PGWIRE_ERRORS] = {
        [PGWIRE_ERROR_NONE] = "",
        [PGWIRE_ERROR_STARTUP_LENGTH] = "invalid length of startup packet",
        [PGWIRE_ERROR_STARTUP_LAYOUT] =
            "invalid startup packet layout: expected terminator as last byte",
        [PGWIRE_ERROR_VERSION] = "unsupported frontend protocol: server supports 3.0",
        [PGWIRE_ERROR_TYPE] = "invalid frontend message type",
        [PGWIRE_ERROR_LENGTH] = "invalid message length",
    };
    return texts[error];
}

const char *pgwire_kind_name(enum pgwire_kind kind) {
    static const char *const names[PGWIRE_KINDS] = {
        [PGWIRE_STARTUP] = "StartupMessage",
        [PGWIRE_SSL_REQUEST] = "SSLRequest",
        [PGWIRE_GSS_REQUEST] = "GSSENCRequest",
        [PGWIRE_CANCEL_REQUEST] = "CancelRequest",
        [PGWIRE_PASSWORD] = "Password",
        [PGWIRE_QUERY] = "Query",
        [PGWIRE_PARSE] = "Parse",
        [PGWIRE_BIND] = "Bind",
        [PGWIRE_DESCRIBE] = "Describe",
        [PGWIRE_EXECUTE] = "Execute",
        [PGWIRE_CLOSE] = "Close",
        [PGWIRE_SYNC] = "Sync",
        [PGWIRE_FLUSH] = "Flush",
        [PGWIRE_COPY_DATA] = "CopyData",
        [PGWIRE_COPY_DONE] = "CopyDone",
        [PGWIRE_COPY_FAIL] = "CopyFail",
        [PGWIRE_FUNCTION_CALL] = "FunctionCall",
        [PGWIRE_TERMINATE] = "Terminate",
        [PGWIRE_MALFORMED] = "malformed",
    };
    return names[kind];
}

static __attribute__((cold, noinline)) int refuse(struct pgwire_parser *p,
                                                  enum pgwire_error error) {
    p->error = (uint8_t)error;
    return error == PGWIRE_ERROR_LENGTH || error == PGWIRE_ERROR_STARTUP_LENGTH ? -EMSGSIZE
                                                                                : -EPROTO;
}

static int wait_for(struct pgwire_parser *p, size_t bytes) {
    p->need = bytes;
    return 0;
}

/* --- bodies ---------------------------------------------------------------------------------- */

struct reader {
    slice rest;
    bool short_of; /* something was not there */
};

static slice read_bytes(struct reader *r, size_t count) {
    if (count > r->rest.len) {
        r->short_of = true;
        r->rest = slice_skip(r->rest, r->rest.len);
        return (slice){NULL, 0};
    }
    const slice bytes = slice_take(r->rest, count);
    r->rest = slice_skip(r->rest, count);
    return bytes;
}

static unsigned read_u16(struct reader *r) {
    const slice bytes = read_bytes(r, 2);
    return bytes.len ? pgwire_u16(bytes.ptr) : 0;
}

static uint32_t read_u32(struct reader *r) {
    const slice bytes = read_bytes(r, 4);
    return bytes.len ? pgwire_u32(bytes.ptr) : 0;
}

static char read_byte(struct reader *r) {
    const slice bytes = read_bytes(r, 1);
    return bytes.len ? bytes.ptr[0] : '\0';
}

/* Up to its NUL, which is passed over. */
static slice read_text(struct reader *r) {
    const ptrdiff_t end = slice_find(r->rest, '\0');
    if (end < 0) {
        r->short_of = true;
        return (slice){NULL, 0};
    }
    const slice text = slice_take(r->rest, (size_t)end);
    r->rest = slice_skip(r->rest, (size_t)end + 1);
    return text;
}

static struct pgwire_list read_list(struct reader *r, size_t entry_bytes) {
    const unsigned count = read_u16(r);
    const slice bytes = read_bytes(r, count * entry_bytes);
    return (struct pgwire_list){r->short_of ? 0 : count, bytes};
}

static struct pgwire_list read_parameters(struct reader *r) {
    const unsigned count = read_u16(r);
    const slice from = r->rest;
    for (unsigned i = 0; i < count && !r->short_of; i++) {
        const int32_t len = (int32_t)read_u32(r);
        if (len < NULL_LENGTH)
            r->short_of = true;
        else if (len > 0)
            (void)read_bytes(r, (size_t)len);
    }
    return (struct pgwire_list){r->short_of ? 0 : count, slice_take(from, from.len - r->rest.len)};
}

static void read_target(struct reader *r, struct pgwire_event *e) {
    e->what = read_byte(r);
    e->name = read_text(r);
    if (e->what != 'S' && e->what != 'P')
        r->short_of = true;
}

static void read_bind(struct reader *r, struct pgwire_event *e) {
    e->name = read_text(r);
    e->statement = read_text(r);
    e->formats = read_list(r, 2);
    e->parameters = read_parameters(r);
    e->result_formats = read_list(r, 2);
    if (e->formats.count > 1 && e->formats.count != e->parameters.count)
        r->short_of = true;
}

static void read_body(struct reader *r, struct pgwire_event *e) {
    switch (e->kind) {
    case PGWIRE_PASSWORD:
    case PGWIRE_COPY_DATA:
    case PGWIRE_FUNCTION_CALL:
        e->body = read_bytes(r, r->rest.len);
        break;
    case PGWIRE_QUERY:
    case PGWIRE_COPY_FAIL:
        e->text = read_text(r);
        break;
    case PGWIRE_PARSE:
        e->name = read_text(r);
        e->text = read_text(r);
        e->oids = read_list(r, 4);
        break;
    case PGWIRE_BIND:
        read_bind(r, e);
        break;
    case PGWIRE_DESCRIBE:
    case PGWIRE_CLOSE:
        read_target(r, e);
        break;
    case PGWIRE_EXECUTE:
        e->name = read_text(r);
        e->limit = read_u32(r);
        if (e->limit > INT32_MAX)
            e->limit = 0; /* negative means all, as 0 */
        break;
    default: /* nothing in it */
        break;
    }
}

/* --- messages -------------------------------------------------------------------------------- */

static const struct message_type {
    char type;
    enum pgwire_kind kind;
    uint32_t bytes_max; /* of its length; 0: message_bytes_max */
} message_types[] = {
    {'Q', PGWIRE_QUERY, 0},
    {'P', PGWIRE_PARSE, 0},
    {'B', PGWIRE_BIND, 0},
    {'E', PGWIRE_EXECUTE, PGWIRE_SMALL_MAX},
    {'D', PGWIRE_DESCRIBE, PGWIRE_SMALL_MAX},
    {'S', PGWIRE_SYNC, PGWIRE_SMALL_MAX},
    {'C', PGWIRE_CLOSE, PGWIRE_SMALL_MAX},
    {'H', PGWIRE_FLUSH, PGWIRE_SMALL_MAX},
    {'d', PGWIRE_COPY_DATA, 0},
    {'c', PGWIRE_COPY_DONE, PGWIRE_SMALL_MAX},
    {'f', PGWIRE_COPY_FAIL, PGWIRE_SMALL_MAX},
    {'p', PGWIRE_PASSWORD, PGWIRE_PASSWORD_MAX},
    {'F', PGWIRE_FUNCTION_CALL, 0},
    {'X', PGWIRE_TERMINATE, PGWIRE_SMALL_MAX},
};

static const struct message_type *find_type(char type) {
    for (size_t i = 0; i < array_count(message_types); i++) {
        if (message_types[i].type == type)
            return &message_types[i];
    }
    return NULL;
}

static int parse_message(struct pgwire_parser *p, slice input, struct pgwire_event *ret_event,
                         size_t *ret_consumed) {
    if (input.len == 0)
        return wait_for(p, HEAD_BYTES);
    const struct message_type *type = find_type(input.ptr[0]);
    if (!type) {
        p->refused = input.ptr[0];
        return refuse(p, PGWIRE_ERROR_TYPE);
    }
    if (input.len < HEAD_BYTES)
        return wait_for(p, HEAD_BYTES);
    const uint32_t len = pgwire_u32(input.ptr + 1);
    if (len < LENGTH_BYTES || len > (type->bytes_max ? type->bytes_max : p->message_bytes_max))
        return refuse(p, PGWIRE_ERROR_LENGTH);
    if (input.len < 1 + (size_t)len)
        return wait_for(p, 1 + (size_t)len);
    struct reader r = {slice_make(input.ptr + HEAD_BYTES, len - LENGTH_BYTES), false};
    *ret_event = (struct pgwire_event){.kind = type->kind, .type = type->type};
    read_body(&r, ret_event);
    if (r.short_of || r.rest.len > 0)
        *ret_event = (struct pgwire_event){.kind = PGWIRE_MALFORMED, .type = type->type};
    *ret_consumed = 1 + (size_t)len;
    return 1;
}

/* --- startup --------------------------------------------------------------------------------- */

/* Pairs of texts, the last closed by one NUL more, and nothing behind. */
static bool pairs_are_good(slice body) {
    slice name, value;
    slice rest = body;
    while (rest.len > 0 && rest.ptr[0] != '\0') {
        struct reader r = {rest, false};
        name = read_text(&r);
        value = read_text(&r);
        if (r.short_of || !name.ptr || !value.ptr)
            return false;
        rest = r.rest;
    }
    return rest.len == 1;
}

static int parse_request(struct pgwire_parser *p, slice packet, uint32_t code,
                         struct pgwire_event *ret_event) {
    if (code == CODE_CANCEL) {
        if (packet.len != CANCEL_BYTES)
            return refuse(p, PGWIRE_ERROR_STARTUP_LENGTH);
        *ret_event = (struct pgwire_event){.kind = PGWIRE_CANCEL_REQUEST,
                                           .process = pgwire_u32(packet.ptr + 8),
                                           .secret = pgwire_u32(packet.ptr + 12)};
        return 1;
    }
    if (packet.len != STARTUP_HEAD_BYTES)
        return refuse(p, PGWIRE_ERROR_STARTUP_LENGTH);
    *ret_event =
        (struct pgwire_event){.kind = code == CODE_SSL ? PGWIRE_SSL_REQUEST : PGWIRE_GSS_REQUEST};
    return 1;
}

static int parse_startup(struct pgwire_parser *p, slice input, struct pgwire_event *ret_event,
                         size_t *ret_consumed) {
    if (input.len < LENGTH_BYTES)
        return wait_for(p, LENGTH_BYTES);
    const uint32_t len = pgwire_u32(input.ptr);
    if (len < STARTUP_HEAD_BYTES || len > PGWIRE_STARTUP_MAX)
        return refuse(p, PGWIRE_ERROR_STARTUP_LENGTH);
    if (input.len < len)
        return wait_for(p, len);
    const slice packet = slice_take(input, len);
    const uint32_t code = pgwire_u32(input.ptr + LENGTH_BYTES);
    if (code == CODE_CANCEL || code == CODE_SSL || code == CODE_GSS) {
        int r = parse_request(p, packet, code, ret_event);
        if (r == 1)
            *ret_consumed = len;
        return r;
    }
    if (code >> 16 != PGWIRE_VERSION_MAJOR)
        return refuse(p, PGWIRE_ERROR_VERSION);
    const slice body = slice_skip(packet, STARTUP_HEAD_BYTES);
    if (!pairs_are_good(body))
        return refuse(p, PGWIRE_ERROR_STARTUP_LAYOUT);
    *ret_event =
        (struct pgwire_event){.kind = PGWIRE_STARTUP, .version_minor = code & 0xffff, .body = body};
    *ret_consumed = len;
    p->started = 1;
    return 1;
}

int pgwire_parse(struct pgwire_parser *p, slice input, struct pgwire_event *ret_event,
                 size_t *ret_consumed) {
    if (unlikely(p->error))
        return refuse(p, (enum pgwire_error)p->error);
    return p->started ? parse_message(p, input, ret_event, ret_consumed)
                      : parse_startup(p, input, ret_event, ret_consumed);
}

/* --- inside events --------------------------------------------------------------------------- */

bool pgwire_next_pair(slice *rest, slice *ret_name, slice *ret_value) {
    struct reader r = {*rest, false};
    const slice name = read_text(&r);
    if (name.len == 0)
        return false;
    *ret_value = read_text(&r);
    *ret_name = name;
    *rest = r.rest;
    return true;
}

uint32_t pgwire_oid_at(const struct pgwire_list *oids, unsigned index) {
    check(index < oids->count);
    return pgwire_u32(oids->bytes.ptr + (size_t)index * 4);
}

unsigned pgwire_format_of(const struct pgwire_list *formats, unsigned index) {
    if (formats->count == 0)
        return 0;
    const unsigned entry = formats->count == 1 ? 0 : index;
    check(entry < formats->count);
    return pgwire_u16(formats->bytes.ptr + (size_t)entry * 2);
}

slice pgwire_next_parameter(slice *rest) {
    struct reader r = {*rest, false};
    const int32_t len = (int32_t)read_u32(&r);
    const char *at = r.rest.ptr;
    const slice value = {len < 0 ? NULL : at, read_bytes(&r, len < 0 ? 0 : (size_t)len).len};
    check(!r.short_of);
    *rest = r.rest;
    return value;
}

bool pgwire_password(slice body, slice *ret_password) {
    struct reader r = {body, false};
    const slice password = read_text(&r);
    if (r.short_of || r.rest.len > 0)
        return false;
    *ret_password = password;
    return true;
}

bool pgwire_sasl_initial(slice body, slice *ret_mechanism, slice *ret_data) {
    struct reader r = {body, false};
    const slice mechanism = read_text(&r);
    const int32_t len = (int32_t)read_u32(&r);
    const slice data = read_bytes(&r, len > 0 ? (size_t)len : 0);
    if (r.short_of || r.rest.len > 0 || len < NULL_LENGTH)
        return false;
    *ret_mechanism = mechanism;
    *ret_data = data;
    return true;
}
