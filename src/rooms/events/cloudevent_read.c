/*
 * cloudevent_read.c - a request that is a CloudEvent, or several, becomes an append (cloudevent.h).
 *
 *     binary:     headers ---.
 *     structured: JSON ------+--> struct given: attributes and data --> an event of append.h
 *     batched:    JSON, each '
 *
 * Here is judged what CloudEvents asks for: names, types, what must be there. Lengths, times and
 * tags are judged where every append is (append_read.c), whose words name the same members.
 */
#include "rooms/events/cloudevent.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "rooms/events/attributes.h"
#include "rooms/events/event_json.h"
#include "wire/json_write.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define GIVEN_MAX (ATTRIBUTES_MAX + 16u)
#define SCRATCH_MAX ((size_t)64 << 20)

enum data_kind { DATA_NONE, DATA_JSON, DATA_BYTES };

/* One event, as either side has it. */
struct given {
    struct attribute list[GIVEN_MAX];
    unsigned count;
    slice content_type;
    enum data_kind kind;
    slice data;
};

struct reader {
    struct json_writer w;
    struct arena arena;
    struct json_doc doc, inner; /* the body; what is JSON within a text of it */
    struct error *e;
    unsigned index; /* of the event, where there are several */
    bool several;
};

/* NAME: of the attribute; its letters may be a stranger's. */
static int refuse(struct reader *r, slice name, const char *what) {
    char where[32] = "";
    if (r->several)
        snprintf(where, sizeof where, "event %u: ", r->index);
    return error_set(r->e, -EINVAL, "%sattribute '%.*s': %s", where,
                     slice_fmt(slice_take(name, ATTRIBUTE_NAME_MAX)), what);
}

static bool is(const struct attribute *a, const char *name) {
    return slice_equal(a->name, slice_str(name));
}

static const struct attribute *find(const struct given *g, const char *name) {
    for (unsigned i = 0; i < g->count; i++)
        if (is(&g->list[i], name))
            return &g->list[i];
    return NULL;
}

/* --- an event, written -------------------------------------------------------------------- */

static bool is_place(const struct attribute *a) {
    return is(a, "stream") || is(a, "revision") || is(a, "position") || is(a, "chain");
}

static int judge_needed(struct reader *r, const struct given *g) {
    static const char *const needed[] = {"specversion", "id", "source", "type"};
    for (size_t i = 0; i < array_count(needed); i++)
        if (!find(g, needed[i]))
            return refuse(r, slice_str(needed[i]), "is missing");
    if (!slice_equal(find(g, "specversion")->value, slice_lit("1.0")))
        return refuse(r, slice_lit("specversion"), "1.0 is what is known here");
    return 0;
}

static int write_tags(struct reader *r, slice tags) {
    json_write_key(&r->w, "tags");
    json_write_array(&r->w);
    while (tags.len) {
        slice tag = slice_cut(tags, ',', &tags);
        char *text = arena_alloc(&r->arena, tag.len + 1);
        size_t len;
        if (!text)
            return -ENOMEM;
        if (url_decode(tag, false, text, &len) || !utf8_valid(slice_make(text, len)))
            return refuse(r, slice_lit("tags"), "a tag is badly percent-encoded");
        json_write_string(&r->w, slice_make(text, len));
    }
    json_write_end(&r->w);
    return 0;
}

static int write_metadata(struct reader *r, slice text) {
    int failed = json_parse(&r->inner, text);
    if (failed == -ENOMEM)
        return failed;
    if (failed || json_type_of(json_root(&r->inner)) != JSON_OBJECT)
        return refuse(r, slice_lit("metadata"), "a JSON object in a text is wanted");
    json_write_key(&r->w, "metadata");
    json_write_raw(&r->w, text);
    return 0;
}

static int write_bytes(struct reader *r, const struct given *g) {
    size_t room = base64_encoded_len(BASE64_STANDARD, g->data.len);
    char *text = arena_alloc(&r->arena, room);
    if (!text)
        return -ENOMEM;
    json_write_key(&r->w, "data_base64");
    json_write_string(&r->w, slice_make(text, base64_encode(BASE64_STANDARD, g->data, text)));
    return 0;
}

static int write_data(struct reader *r, const struct given *g) {
    bool says_json = event_data_is_json(g->content_type);
    bool json = g->kind == DATA_JSON;
    if (g->kind == DATA_NONE && says_json)
        return 0; /* there is nothing that has the type */
    if (g->content_type.len) {
        json_write_key(&r->w, "datacontenttype");
        json_write_string(&r->w, g->content_type);
    }
    if (g->kind == DATA_BYTES && says_json) {
        int failed = json_parse(&r->inner, g->data);
        if (failed)
            return failed == -ENOMEM ? failed
                                     : refuse(r, slice_lit("datacontenttype"),
                                              "the data is no JSON, or too deep");
        json = true;
    }
    if (json) {
        json_write_key(&r->w, "data");
        json_write_raw(&r->w, g->data);
    }
    return json || g->kind == DATA_NONE ? 0 : write_bytes(r, g);
}

static void write_attributes(struct reader *r, const struct given *g) {
    json_write_key(&r->w, "attributes");
    json_write_object(&r->w);
    for (unsigned i = 0; i < g->count; i++)
        if (!attribute_is_taken(g->list[i].name))
            attribute_write(&r->w, &g->list[i]);
    json_write_end(&r->w);
}

static int write_event(struct reader *r, const struct given *g) {
    static const char *const plain[] = {"id", "source", "type", "time"};
    const struct attribute *tags = find(g, "tags"), *metadata = find(g, "metadata");
    int failed = judge_needed(r, g);
    if (failed)
        return failed;
    json_write_object(&r->w);
    for (size_t i = 0; i < array_count(plain); i++) {
        const struct attribute *a = find(g, plain[i]);
        if (!a)
            continue;
        json_write_key(&r->w, plain[i]);
        json_write_string(&r->w, a->value);
    }
    write_attributes(r, g);
    if (tags)
        failed = write_tags(r, tags->value);
    if (!failed && metadata)
        failed = write_metadata(r, metadata->value);
    if (!failed)
        failed = write_data(r, g);
    json_write_end(&r->w);
    return failed;
}

/* --- what is given ------------------------------------------------------------------------ */

static int add(struct reader *r, struct given *g, const struct attribute *a) {
    if (!attribute_is_name(a->name))
        return refuse(r, a->name, "a name has lower-case letters and digits only, at most 64");
    if (attribute_is_taken(a->name) && !is_place(a) && a->type != ATTRIBUTE_TEXT)
        return refuse(r, a->name, "a text is wanted");
    for (unsigned i = 0; i < g->count; i++)
        if (slice_equal(g->list[i].name, a->name))
            return refuse(r, a->name, "it stands twice");
    if (g->count == GIVEN_MAX)
        return refuse(r, a->name, "there are more than 64 attributes");
    g->list[g->count++] = *a;
    return 0;
}

/* A text of JSON may be longer than an attribute. */
static int read_member(struct reader *r, slice name, json_value v, struct given *g) {
    struct attribute a = {.name = name};
    bool long_one =
        slice_equal(name, slice_lit("metadata")) || slice_equal(name, slice_lit("tags"));
    const char *wrong = NULL;
    if (!long_one || json_string(v, &a.value) || !a.value.len)
        wrong = attribute_read(v, &a);
    return wrong ? refuse(r, name, wrong) : add(r, g, &a);
}

static int decode_bytes(struct reader *r, json_value v, struct given *g) {
    slice text;
    if (json_string(v, &text))
        return refuse(r, slice_lit("data_base64"), "a text is wanted");
    size_t room = base64_decoded_max(text.len), len;
    char *out = arena_alloc(&r->arena, room);
    if (!out)
        return -ENOMEM;
    if (base64_decode(BASE64_STANDARD, text, out, room, &len))
        return refuse(r, slice_lit("data_base64"), "it is not base64");
    g->kind = DATA_BYTES;
    g->data = slice_make(out, len);
    return 0;
}

static int read_data(struct reader *r, json_value v, struct given *g) {
    json_value data = json_member(v, slice_lit("data"));
    json_value bytes = json_member(v, slice_lit("data_base64"));
    bool encoded = json_type_of(bytes) != JSON_ABSENT && json_type_of(bytes) != JSON_NULL;
    if (encoded && json_type_of(data) != JSON_ABSENT)
        return refuse(r, slice_lit("data_base64"), "there is data already");
    if (encoded)
        return decode_bytes(r, bytes, g);
    if (json_type_of(data) == JSON_ABSENT)
        return 0;
    if (!g->content_type.len || event_data_is_json(g->content_type)) {
        g->kind = DATA_JSON;
        g->data = json_source(data);
        return 0;
    }
    if (json_string(data, &g->data))
        return refuse(r, slice_lit("data"), "data that is no JSON is a text, or data_base64");
    g->kind = DATA_BYTES;
    return 0;
}

static int read_structured(struct reader *r, json_value v) {
    struct given g = {0};
    struct json_iterator i = json_each(v);
    int failed = 0;
    if (json_type_of(v) != JSON_OBJECT)
        return error_set(r->e, -EINVAL, "a CloudEvent is a JSON object");
    while (!failed && json_next(&i)) {
        slice name;
        if (json_string(i.key, &name))
            return -ENOMEM;
        if (json_type_of(i.value) == JSON_NULL || slice_equal(name, slice_lit("data")) ||
            slice_equal(name, slice_lit("data_base64")))
            continue;
        if (!slice_equal(name, slice_lit("datacontenttype")))
            failed = read_member(r, name, i.value, &g);
        else if (json_string(i.value, &g.content_type) || !g.content_type.len)
            failed = refuse(r, name, "a text that is not empty is wanted");
    }
    if (!failed)
        failed = read_data(r, v, &g);
    return failed ? failed : write_event(r, &g);
}

/* --- headers ------------------------------------------------------------------------------ */

/* RFC 9110 5.6.4: what a whole value in quotes says. OUT has its length. */
static slice unquote(slice value, char *out) {
    size_t len = 0;
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
        return value;
    for (size_t i = 1; i + 1 < value.len; i++) {
        if (value.ptr[i] == '\\' && i + 2 < value.len)
            i++;
        out[len++] = value.ptr[i];
    }
    return slice_make(out, len);
}

static int read_field(struct reader *r, const struct http1_field *field, struct given *g) {
    struct attribute a = {0};
    slice name = slice_skip(field->name, sizeof "ce-" - 1);
    char *lower = arena_alloc(&r->arena, name.len + 1);
    char *value = arena_alloc(&r->arena, field->value.len + 1);
    size_t len;
    if (!lower || !value)
        return -ENOMEM;
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
    a.name = slice_make(lower, name.len);
    if (is(&a, "datacontenttype") || is(&a, "data"))
        return refuse(r, a.name, "it is Content-Type and the body, and no header");
    if (url_decode(unquote(field->value, value), false, value, &len))
        return refuse(r, a.name, "badly percent-encoded: a '%' stands as %25");
    a.value = slice_make(value, len);
    if (!utf8_valid(a.value))
        return refuse(r, a.name, "it is not UTF-8");
    if (!a.value.len)
        return refuse(r, a.name, "a text that is not empty is wanted");
    return add(r, g, &a);
}

static bool is_attribute(const struct http1_field *field) {
    return slice_equal_nocase(slice_take(field->name, 3), slice_lit("ce-"));
}

static int read_binary(struct reader *r, const struct http1_field *fields, size_t count,
                       slice body) {
    struct given g = {.kind = body.len ? DATA_BYTES : DATA_NONE, .data = body};
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++)
        if (is_attribute(&fields[i]))
            failed = read_field(r, &fields[i], &g);
        else if (slice_equal_nocase(fields[i].name, slice_lit("Content-Type")))
            g.content_type = fields[i].value;
    return failed ? failed : write_event(r, &g);
}

/* --- a request ---------------------------------------------------------------------------- */

enum cloudevent_mode cloudevent_mode_of(const struct http1_field *fields, size_t count) {
    slice type = {0};
    bool attributes = false;
    for (size_t i = 0; i < count; i++) {
        attributes |= is_attribute(&fields[i]);
        if (slice_equal_nocase(fields[i].name, slice_lit("Content-Type")))
            type = slice_trim(slice_cut(fields[i].value, ';', &(slice){0}));
    }
    slice prefix = slice_lit("application/cloudevents");
    if (slice_equal_nocase(type, slice_lit(CLOUDEVENT_TYPE)))
        return CLOUDEVENT_STRUCTURED;
    if (slice_equal_nocase(type, slice_lit(CLOUDEVENT_BATCH_TYPE)))
        return CLOUDEVENT_BATCHED;
    if (slice_equal_nocase(slice_take(type, prefix.len), prefix))
        return CLOUDEVENT_UNKNOWN;
    return attributes ? CLOUDEVENT_BINARY : CLOUDEVENT_NONE;
}

static int read_body(struct reader *r, enum cloudevent_mode mode, slice body) {
    int failed = json_parse(&r->doc, body);
    json_value root = json_root(&r->doc);
    if (failed)
        return failed == -ENOMEM ? failed : json_explain(&r->doc, -EINVAL, slice_lit("body"), r->e);
    if (mode == CLOUDEVENT_STRUCTURED)
        return read_structured(r, root);
    if (json_type_of(root) != JSON_ARRAY)
        return error_set(r->e, -EINVAL, "a batch of CloudEvents is a JSON list");
    struct json_iterator i = json_each(root);
    r->several = true;
    for (; !failed && json_next(&i); r->index++)
        failed = read_structured(r, i.value);
    return failed;
}

static void write_expect(struct json_writer *w, slice expect) {
    bool digits = expect.len > 0;
    for (size_t i = 0; i < expect.len; i++)
        digits &= expect.ptr[i] >= '0' && expect.ptr[i] <= '9';
    json_write_key(w, "expect");
    if (digits && (expect.len == 1 || expect.ptr[0] != '0'))
        json_write_raw(w, expect);
    else
        json_write_string(w, expect.len ? expect : slice_lit("any"));
}

int cloudevent_read(enum cloudevent_mode mode, const struct http1_field *fields, size_t count,
                    slice body, slice expect, struct buf *out, struct error *e) {
    struct reader r = {
        .w = json_writer_make(out, false), .arena = arena_make(0, SCRATCH_MAX), .e = e};
    json_init(&r.doc);
    json_init(&r.inner);
    json_write_object(&r.w);
    write_expect(&r.w, expect);
    json_write_key(&r.w, "events");
    json_write_array(&r.w);
    int failed = mode == CLOUDEVENT_BINARY ? read_binary(&r, fields, count, body)
                                           : read_body(&r, mode, body);
    if (!failed) {
        json_write_end(&r.w);
        json_write_end(&r.w);
        failed = json_write_finish(&r.w);
    }
    json_free(&r.doc);
    json_free(&r.inner);
    arena_free(&r.arena);
    return failed;
}
