/*
 * proxy_fields.c - proxy_fields.h's rules. Names are told apart by their first letter, then their
 * length, then their letters, where anything that is neither letter nor digit counts as '-'; a name
 * that is one of these only in that sense is dropped.
 */
#include "rooms/gateway/proxy_fields.h"

#include "wire/put.h"
#include "wire/url.h"

#include <errno.h>

enum kind {
    KIND_PLAIN,
    KIND_HOP, /* and all else that is never passed on */
    KIND_CONNECTION,
    KIND_TE,
    KIND_TRACESTATE,
    KIND_FORWARDED,
    KIND_FORWARDED_FOR,
    KIND_FORWARDED_PROTO,
    KIND_FORWARDED_HOST,
    KIND_FORWARDED_OTHER,
};

struct known {
    slice name;
    enum kind kind;
    bool prefix; /* of names */
};

#define KNOWN(text, kind_)                                                                         \
    { slice_lit(text), kind_, false }
#define PREFIX(text, kind_)                                                                        \
    { slice_lit(text), kind_, true }

static const struct known known_c[] = {KNOWN("connection", KIND_CONNECTION),
                                       KNOWN("content-length", KIND_HOP)};
static const struct known known_e[] = {KNOWN("expect", KIND_HOP)};
static const struct known known_f[] = {KNOWN("forwarded", KIND_FORWARDED)};
static const struct known known_h[] = {KNOWN("host", KIND_HOP), KNOWN("http2-settings", KIND_HOP)};
static const struct known known_k[] = {KNOWN("keep-alive", KIND_HOP)};
static const struct known known_p[] = {KNOWN("proxy", KIND_HOP), PREFIX("proxy-", KIND_HOP)};
static const struct known known_t[] = {KNOWN("te", KIND_TE), KNOWN("transfer-encoding", KIND_HOP),
                                       KNOWN("traceparent", KIND_HOP),
                                       KNOWN("tracestate", KIND_TRACESTATE)};
static const struct known known_u[] = {KNOWN("upgrade", KIND_HOP)};
static const struct known known_x[] = {KNOWN("x-forwarded-for", KIND_FORWARDED_FOR),
                                       KNOWN("x-forwarded-proto", KIND_FORWARDED_PROTO),
                                       KNOWN("x-forwarded-host", KIND_FORWARDED_HOST),
                                       PREFIX("x-forwarded-", KIND_FORWARDED_OTHER),
                                       KNOWN("x-real-ip", KIND_FORWARDED_OTHER),
                                       PREFIX("x-nonet-", KIND_HOP),
                                       KNOWN("x-request-id", KIND_HOP)};

static char folded(char c) {
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

static bool is_alike(slice name, const struct known *known) {
    size_t len = known->name.len;
    if (known->prefix ? name.len < len : name.len != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (folded(name.ptr[i]) != known->name.ptr[i])
            return false;
    return true;
}

static enum kind find(slice name, const struct known *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_alike(name, &list[i]))
            continue;
        bool same = slice_equal_nocase(slice_take(name, list[i].name.len), list[i].name);
        return same ? list[i].kind : KIND_HOP;
    }
    return KIND_PLAIN;
}

#define FIND(list) find(name, list, array_count(list))

static enum kind kind_of(slice name) {
    switch (folded(name.ptr[0])) {
    case 'c':
        return FIND(known_c);
    case 'e':
        return FIND(known_e);
    case 'f':
        return FIND(known_f);
    case 'h':
        return FIND(known_h);
    case 'k':
        return FIND(known_k);
    case 'p':
        return FIND(known_p);
    case 't':
        return FIND(known_t);
    case 'u':
        return FIND(known_u);
    case 'x':
        return FIND(known_x);
    default:
        return KIND_PLAIN;
    }
}

/* --- fields that Connection names --------------------------------------------------------------
 */

struct named {
    slice names[PROXY_NAMED_MAX];
    unsigned count;
};

/* What nearly every Connection says; it names no field but TE, which is seen to by itself. */
static bool is_usual(slice option) {
    return slice_equal_nocase(option, slice_lit("keep-alive")) ||
           slice_equal_nocase(option, slice_lit("close")) ||
           slice_equal_nocase(option, slice_lit("upgrade")) ||
           slice_equal_nocase(option, slice_lit("te"));
}

static int gather_named(struct named *named, slice list) {
    slice option;
    if (is_usual(list))
        return 0;
    while (http1_next_element(&list, &option)) {
        if (is_usual(option))
            continue;
        if (named->count == PROXY_NAMED_MAX)
            return -EINVAL;
        named->names[named->count++] = option;
    }
    return 0;
}

static int find_named(const struct http1_field *fields, size_t count, struct named *ret_named) {
    int failed = 0;
    ret_named->count = 0;
    for (size_t i = 0; i < count && !failed; i++)
        if (fields[i].name.len == sizeof("Connection") - 1 &&
            kind_of(fields[i].name) == KIND_CONNECTION)
            failed = gather_named(ret_named, fields[i].value);
    return failed;
}

static bool is_named(const struct named *named, slice name) {
    for (unsigned i = 0; i < named->count; i++)
        if (slice_equal_nocase(named->names[i], name))
            return true;
    return false;
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* A request's fields in the making. */
struct onward {
    const struct proxy_asked *asked;
    struct proxy_fields *out;
    bool changed; /* the route removes or sets some */
    bool has_for, has_proto, has_host, has_forwarded;
};

static bool is_host(slice name) {
    return slice_equal_nocase(name, slice_lit("Host"));
}

static int append(struct onward *o, slice name, slice value) {
    if (o->out->count == PROXY_FIELDS_MAX)
        return -ENOBUFS;
    o->out->fields[o->out->count++] = (struct http1_field){name, value};
    return 0;
}

/* A field of the client's or of ours, unless a step or the route has another one in its place. */
static int put(struct onward *o, slice name, slice value) {
    const struct proxy_asked *asked = o->asked;
    for (unsigned i = 0; i < asked->onward_count; i++)
        if (slice_equal_nocase(asked->onward[i].name, name))
            return 0;
    if (o->changed && !gateway_field_stays(asked->changes, name))
        return 0;
    return append(o, name, value);
}

/* The field belongs to the hop, and is made anew for the next one. */
static void take_te(struct onward *o, slice list) {
    slice token;
    if (o->changed && !gateway_field_stays(o->asked->changes, slice_lit("TE")))
        return;
    while (http1_next_element(&list, &token))
        o->out->trailers |= slice_equal_nocase(token, slice_lit("trailers"));
}

static int put_believed(struct onward *o, const struct http1_field *field, bool *ret_seen) {
    if (!o->asked->trusted)
        return 0;
    *ret_seen = true;
    return put(o, field->name, field->value);
}

static int take_field(struct onward *o, const struct named *named,
                      const struct http1_field *field) {
    bool ignored;
    if (named->count && is_named(named, field->name))
        return 0;
    switch (kind_of(field->name)) {
    case KIND_PLAIN:
        return put(o, field->name, field->value);
    case KIND_TE:
        take_te(o, field->value);
        return 0;
    case KIND_TRACESTATE:
        return o->asked->continued ? put(o, field->name, field->value) : 0;
    case KIND_FORWARDED:
        o->has_forwarded = true;
        return 0;
    case KIND_FORWARDED_FOR:
        o->has_for = o->asked->trusted;
        return 0;
    case KIND_FORWARDED_PROTO:
        return put_believed(o, field, &o->has_proto);
    case KIND_FORWARDED_HOST:
        return put_believed(o, field, &o->has_host);
    case KIND_FORWARDED_OTHER:
        return put_believed(o, field, &ignored);
    case KIND_HOP:
    case KIND_CONNECTION:
        return 0;
    }
    return 0;
}

/* All values of the client's fields of KIND, one list, with LAST behind them. */
static int join(const struct proxy_asked *asked, enum kind kind, slice last, struct arena *arena,
                slice *ret_list) {
    size_t room = last.len;
    for (size_t i = 0; i < asked->field_count; i++)
        room += kind_of(asked->fields[i].name) == kind ? asked->fields[i].value.len + 2 : 0;
    char *text = arena_alloc(arena, room), *at = text;
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < asked->field_count; i++) {
        slice value = asked->fields[i].value;
        if (kind_of(asked->fields[i].name) != kind || value.len == 0)
            continue;
        memcpy(at, value.ptr, value.len);
        memcpy(at + value.len, ", ", 2);
        at += value.len + 2;
    }
    memcpy(at, last.ptr, last.len);
    *ret_list = slice_make(text, (size_t)(at - text) + last.len);
    return 0;
}

static int put_forwarded_for(struct onward *o, struct arena *arena) {
    slice list = o->asked->peer;
    if (o->has_for && join(o->asked, KIND_FORWARDED_FOR, o->asked->peer, arena, &list))
        return -ENOMEM;
    return put(o, slice_lit("X-Forwarded-For"), list);
}

static slice proto_of(const struct proxy_asked *asked) {
    return asked->tls ? slice_lit("https") : slice_lit("http");
}

/* The first field of KIND where the peer is believed, else OURS. */
static slice believed(const struct proxy_asked *asked, enum kind kind, slice ours) {
    for (size_t i = 0; i < asked->field_count && asked->trusted; i++)
        if (kind_of(asked->fields[i].name) == kind)
            return asked->fields[i].value;
    return ours;
}

int proxy_forwarded(const struct proxy_asked *asked, struct arena *arena,
                    struct proxy_forwarded *ret_forwarded) {
    slice client = asked->peer;
    if (asked->trusted && join(asked, KIND_FORWARDED_FOR, asked->peer, arena, &client))
        return -ENOMEM;
    ret_forwarded->client = client;
    ret_forwarded->proto = believed(asked, KIND_FORWARDED_PROTO, proto_of(asked));
    ret_forwarded->host = believed(asked, KIND_FORWARDED_HOST, asked->host);
    return 0;
}

/* RFC 7239 4: an IPv6 address and a host with a port are quoted. */
static int put_forwarded(struct onward *o, struct arena *arena) {
    const struct proxy_asked *asked = o->asked;
    bool v6 = slice_find(asked->peer, ':') >= 0;
    slice element;
    if (arena_printf(arena, &element, "for=%s%.*s%s;proto=%s%s%.*s%s", v6 ? "\"[" : "",
                     slice_fmt(asked->peer), v6 ? "]\"" : "", asked->tls ? "https" : "http",
                     asked->host.len ? ";host=\"" : "", slice_fmt(asked->host),
                     asked->host.len ? "\"" : ""))
        return -ENOMEM;
    if (asked->trusted && join(asked, KIND_FORWARDED, element, arena, &element))
        return -ENOMEM;
    return put(o, slice_lit("Forwarded"), element);
}

static int put_ours(struct onward *o, struct arena *arena) {
    const struct proxy_asked *asked = o->asked;
    int failed = put_forwarded_for(o, arena);
    if (!failed && !o->has_proto)
        failed = put(o, slice_lit("X-Forwarded-Proto"), proto_of(asked));
    if (!failed && !o->has_host && asked->host.len)
        failed = put(o, slice_lit("X-Forwarded-Host"), asked->host);
    if (!failed && o->has_forwarded)
        failed = put_forwarded(o, arena);
    if (!failed)
        failed = put(o, slice_lit("X-Request-Id"), asked->request_id);
    if (!failed)
        failed = put(o, slice_lit("traceparent"), asked->traceparent);
    if (!failed && asked->principal.len)
        failed = put(o, slice_lit("X-Nonet-Principal"), asked->principal);
    return failed;
}

/* Fields that are set or added in any case; Host stands elsewhere. */
static int append_all(struct onward *o, const struct http1_field *fields, unsigned count) {
    int failed = 0;
    for (unsigned i = 0; i < count && !failed; i++) {
        if (is_host(fields[i].name))
            o->out->host = fields[i].value;
        else
            failed = append(o, fields[i].name, fields[i].value);
    }
    return failed;
}

/* What steps have only taken out has no value. */
static int put_steps(struct onward *o) {
    const struct proxy_asked *asked = o->asked;
    int failed = 0;
    for (unsigned i = 0; i < asked->onward_count && !failed; i++)
        if (asked->onward[i].value.ptr &&
            gateway_field_stays(asked->changes, asked->onward[i].name))
            failed = append_all(o, &asked->onward[i], 1);
    return failed;
}

int proxy_fields_onward(const struct proxy_asked *asked, struct arena *arena,
                        struct proxy_fields *ret_fields) {
    const struct gateway_fields *changes = asked->changes;
    struct onward o = {
        .asked = asked, .out = ret_fields, .changed = changes->remove_count || changes->set_count};
    struct named named;
    ret_fields->count = 0;
    ret_fields->host = (slice){0};
    ret_fields->trailers = false;
    int failed = find_named(asked->fields, asked->field_count, &named);
    for (size_t i = 0; i < asked->field_count && !failed; i++)
        failed = take_field(&o, &named, &asked->fields[i]);
    if (!failed)
        failed = put_ours(&o, arena);
    if (!failed)
        failed = put_steps(&o);
    if (!failed)
        failed = append_all(&o, changes->set, changes->set_count);
    if (!failed)
        failed = append_all(&o, changes->add, changes->add_count);
    return failed;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static bool goes_back(slice name) {
    return !http1_is_framing(name) && !slice_equal_nocase(name, slice_lit("TE")) &&
           !slice_equal_nocase(name, slice_lit("Upgrade")) &&
           !slice_equal_nocase(name, slice_lit("Keep-Alive")) &&
           !slice_equal_nocase(slice_take(name, 6), slice_lit("Proxy-"));
}

int proxy_fields_back(const struct http1_head *head, struct http1_field *out, size_t *ret_count) {
    struct named named;
    size_t count = 0;
    int failed = find_named(head->fields, head->fields_count, &named);
    if (failed)
        return failed;
    for (size_t i = 0; i < head->fields_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (goes_back(field->name) && !(named.count && is_named(&named, field->name)))
            out[count++] = *field;
    }
    *ret_count = count;
    return 0;
}

/* --- trailers ----------------------------------------------------------------------------------
 */

static bool may_trail(slice name) {
    static const slice heads_only[] = {
        slice_lit("Age"),
        slice_lit("Authorization"),
        slice_lit("Cache-Control"),
        slice_lit("Content-Disposition"),
        slice_lit("Content-Encoding"),
        slice_lit("Content-Location"),
        slice_lit("Content-Range"),
        slice_lit("Content-Type"),
        slice_lit("Cookie"),
        slice_lit("Date"),
        slice_lit("Expires"),
        slice_lit("Location"),
        slice_lit("Max-Forwards"),
        slice_lit("Range"),
        slice_lit("Retry-After"),
        slice_lit("Set-Cookie"),
        slice_lit("Trailer"),
        slice_lit("Vary"),
        slice_lit("WWW-Authenticate"),
    };
    static const slice prefixes[] = {slice_lit("If-"), slice_lit("Sec-")};
    if (kind_of(name) != KIND_PLAIN)
        return false;
    for (size_t i = 0; i < array_count(heads_only); i++)
        if (slice_equal_nocase(name, heads_only[i]))
            return false;
    for (size_t i = 0; i < array_count(prefixes); i++)
        if (slice_equal_nocase(slice_take(name, prefixes[i].len), prefixes[i]))
            return false;
    return true;
}

size_t proxy_trailers(slice section, struct http1_field *out) {
    size_t count = 0;
    struct http1_field field;
    while (count < HTTP1_FIELDS_MAX && http1_next_field(&section, &field))
        if (may_trail(field.name))
            out[count++] = field;
    return count;
}

/* --- the target --------------------------------------------------------------------------------
 */

/* Whether TEXT, decoded, is PATH. */
static bool spells(slice text, slice path) {
    if (slice_equal(text, path))
        return slice_find(text, '%') < 0; /* a '%' of the path itself is sent as %25 */
    return url_says(text, false, path);
}

static int put_query(char *text, char *end, slice query, slice *ret_target) {
    if (query.ptr) {
        *end++ = '?';
        if (query.len)
            memcpy(end, query.ptr, query.len);
        end += query.len;
    }
    *ret_target = slice_make(text, (size_t)(end - text));
    return 0;
}

int proxy_target_rewritten(slice target, slice path, struct arena *arena, slice *ret_target) {
    slice query;
    (void)url_cut_query(target, &query);
    char *text = arena_alloc(arena, path.len + 1 + query.len);
    if (!text)
        return -ENOMEM;
    memcpy(text, path.ptr, path.len);
    return put_query(text, text + path.len, query, ret_target);
}

static int encode(slice path, slice query, struct arena *arena, slice *ret_target) {
    char *text = arena_alloc(arena, path.len * 3 + 1 + query.len);
    if (!text)
        return -ENOMEM;
    return put_query(text, text + url_encode_path(path, text), query, ret_target);
}

int proxy_target(slice target, slice path, struct arena *arena, slice *ret_target) {
    slice query;
    if (!spells(url_cut_query(target, &query), path))
        return encode(path, query, arena, ret_target);
    *ret_target = target;
    return 0;
}
