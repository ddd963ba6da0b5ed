/*
 * fold_value.c - see fold_value.h.
 *
 * Data and metadata are parsed when an expression first asks for them, so that an event whose rule
 * does not look into it costs nothing. Strings without a backslash are in the one form already:
 * JSON allows nothing else in them that would have to be escaped.
 */
#include "rooms/events/fold_value.h"

#include "base/number.h"
#include "base/utf8.h"
#include "wire/json_write.h"

#include <errno.h>

/* --- JSON in one form --------------------------------------------------------------------- */

int fold_json_write_string(slice text, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_write_string(&w, text);
    return json_write_finish(&w);
}

static int write_string(json_value v, struct buf *out) {
    slice source = json_source(v), text;
    if (slice_find(source, '\\') < 0)
        return buf_append(out, source);
    int failed = json_string(v, &text);
    return failed ? failed : fold_json_write_string(text, out);
}

static int write_container(json_value v, bool object, unsigned depth, struct buf *out) {
    struct json_iterator i = json_each(v);
    int failed = buf_append_byte(out, object ? '{' : '[');
    for (bool first = true; !failed && json_next(&i); first = false) {
        if (!first)
            failed = buf_append_byte(out, ',');
        if (!failed && object)
            failed = write_string(i.key, out);
        if (!failed && object)
            failed = buf_append_byte(out, ':');
        if (!failed)
            failed = fold_json_write(i.value, depth, out);
    }
    return failed ? failed : buf_append_byte(out, object ? '}' : ']');
}

int fold_json_write(json_value v, unsigned depth, struct buf *out) {
    enum json_type type = json_type_of(v);
    if (type == JSON_STRING)
        return write_string(v, out);
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return buf_append(out, json_source(v));
    return depth ? write_container(v, type == JSON_OBJECT, depth - 1, out) : -E2BIG;
}

/* --- the event ---------------------------------------------------------------------------- */

void fold_source_init(struct fold_source_event *source) {
    *source = (struct fold_source_event){0};
    json_init(&source->data);
    json_init(&source->metadata);
}

void fold_source_free(struct fold_source_event *source) {
    json_free(&source->data);
    json_free(&source->metadata);
}

void fold_source_take(struct fold_source_event *source, const struct fold_event *event) {
    source->event = event;
    source->data_read = source->metadata_read = false;
}

/* The root of data or metadata. */
static int read_root(struct json_doc *doc, bool *read, slice text, json_value *ret_root) {
    if (!text.len)
        return -ENOENT;
    if (!*read) {
        int failed = json_parse(doc, text);
        if (failed)
            return failed == -ENOMEM ? failed : -EINVAL;
        *read = true;
    }
    *ret_root = json_root(doc);
    return 0;
}

int fold_expression_find(const struct fold_expression *x, struct fold_source_event *source,
                         json_value *ret_value) {
    json_value v;
    int failed =
        x->source == FOLD_DATA
            ? read_root(&source->data, &source->data_read, source->event->data, &v)
            : read_root(&source->metadata, &source->metadata_read, source->event->metadata, &v);
    for (unsigned i = 0; i < x->count && !failed; i++)
        v = json_member(v, x->path[i]);
    if (!failed && json_type_of(v) == JSON_ABSENT)
        failed = -ENOENT;
    if (!failed)
        *ret_value = v;
    return failed;
}

static slice text_of(uint64_t number, char out[24]) {
    return slice_make(out, number_format_u64(number, out));
}

/* Of what is no JSON itself. */
static slice word_of(enum fold_source word, struct fold_source_event *source) {
    const struct fold_event *event = source->event;
    switch (word) {
    case FOLD_TIME:
        return event->time;
    case FOLD_REVISION:
        return text_of(event->revision, source->revision);
    case FOLD_POSITION:
        return text_of(event->position, source->position);
    case FOLD_ID:
        return event->id;
    case FOLD_TYPE:
        return event->type;
    default:
        return event->stream;
    }
}

int fold_expression_text(const struct fold_expression *x, struct fold_source_event *source,
                         slice *ret_text) {
    json_value v;
    if (x->source != FOLD_DATA && x->source != FOLD_METADATA) {
        *ret_text = word_of(x->source, source);
        return utf8_valid(*ret_text) ? 0 : -EINVAL; /* it could not be written as it is */
    }
    int failed = fold_expression_find(x, source, &v);
    if (failed)
        return failed;
    switch (json_type_of(v)) {
    case JSON_STRING:
        return json_string(v, ret_text);
    case JSON_NULL:
        return -ENOENT;
    case JSON_NUMBER:
    case JSON_BOOL:
        *ret_text = json_source(v);
        return 0;
    default:
        return -EINVAL;
    }
}

/* --- values ------------------------------------------------------------------------------- */

static int write_value(const struct fold_value *value, struct fold_source_event *source,
                       unsigned depth, struct buf *out);

static int write_expression(const struct fold_expression *x, struct fold_source_event *source,
                            unsigned depth, struct buf *out) {
    json_value v;
    if (!source)
        return -EINVAL;
    if (x->source == FOLD_REVISION || x->source == FOLD_POSITION)
        return buf_append(out, word_of(x->source, source));
    if (x->source != FOLD_DATA && x->source != FOLD_METADATA)
        return fold_json_write_string(word_of(x->source, source), out);
    int failed = fold_expression_find(x, source, &v);
    return failed ? failed : fold_json_write(v, depth, out);
}

static int write_members(const struct fold_value *value, struct fold_source_event *source,
                         unsigned depth, struct buf *out) {
    bool map = value->kind == FOLD_MAP, first = true;
    int failed = buf_append_byte(out, map ? '{' : '[');
    for (unsigned i = 0; i < value->count && !failed; i++) {
        const struct fold_member *member = &value->members[i];
        size_t before = out->len;
        failed = first ? 0 : buf_append_byte(out, ',');
        if (!failed && map)
            failed = buf_append(out, member->key);
        if (!failed && map)
            failed = buf_append_byte(out, ':');
        if (!failed)
            failed = write_value(&member->value, source, depth, out);
        if (failed == -ENOENT && map) {
            out->len = before;
            failed = 0;
            continue;
        }
        if (failed == -ENOENT)
            failed = buf_append(out, slice_lit("null"));
        first = false;
    }
    return failed ? failed : buf_append_byte(out, map ? '}' : ']');
}

static int write_value(const struct fold_value *value, struct fold_source_event *source,
                       unsigned depth, struct buf *out) {
    switch (value->kind) {
    case FOLD_LITERAL:
        return buf_append(out, value->literal);
    case FOLD_EXPRESSION:
        return write_expression(&value->expression, source, depth, out);
    default:
        return depth ? write_members(value, source, depth - 1, out) : -E2BIG;
    }
}

int fold_value_write(const struct fold_value *value, struct fold_source_event *source,
                     struct buf *out) {
    return write_value(value, source, FOLD_DEPTH_MAX, out);
}
