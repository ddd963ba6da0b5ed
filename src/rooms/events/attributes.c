/*
 * attributes.c - see attributes.h.
 *
 * What stands in a record is not trusted: a header whose name no attribute can have is none, and a
 * value that is not what Nonet-Types calls it is a text.
 */
#include "rooms/events/attributes.h"

#include "base/number.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define PREFIX "ce-"

static const char *const type_words[] = {"text", "integer", "boolean"};

bool attribute_is_name(slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
              (text.ptr[i] >= '0' && text.ptr[i] <= '9')))
            return false;
    return text.len > 0 && text.len <= ATTRIBUTE_NAME_MAX;
}

bool attribute_is_taken(slice name) {
    static const char *const taken[] = {
        "specversion", "id",     "type",     "source",   "time",  "datacontenttype", "data",
        "tags",        "stream", "metadata", "revision", "chain", "position",
    };
    for (size_t i = 0; i < array_count(taken); i++)
        if (slice_equal(name, slice_str(taken[i])))
            return true;
    return false;
}

/* --- JSON --------------------------------------------------------------------------------- */

const char *attribute_judge_text(slice text, size_t most) {
    if (!text.len)
        return "a text that is not empty is wanted";
    if (text.len > most)
        return "the text is too long";
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return "the text has a control character";
    if (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ')
        return "the text begins or ends with a blank";
    return NULL;
}

const char *attribute_read(json_value v, struct attribute *a) {
    int64_t number;
    bool flag;
    if (json_bool(v, &flag) == 0) {
        a->type = ATTRIBUTE_BOOLEAN;
        a->value = flag ? slice_lit("true") : slice_lit("false");
        return NULL;
    }
    if (json_i64(v, &number) == 0 && number >= INT32_MIN && number <= INT32_MAX) {
        a->type = ATTRIBUTE_INTEGER;
        return json_number(v, &a->value) ? "a number is wanted" : NULL;
    }
    if (json_type_of(v) != JSON_STRING || json_string(v, &a->value))
        return "a text, a whole number of 32 bits or a boolean is wanted";
    a->type = ATTRIBUTE_TEXT;
    return attribute_judge_text(a->value, ATTRIBUTE_VALUE_MAX);
}

/* NULL, or what is wrong. */
static const char *read_one(slice name, json_value v, struct attribute *a) {
    a->name = name;
    if (!attribute_is_name(name))
        return "a name has lower-case letters and digits only, at most 64";
    if (attribute_is_taken(name))
        return "an event has a member of its own for this";
    return attribute_read(v, a);
}

static int add(const struct attribute *a, struct buf *fields, struct buf *types) {
    char key[sizeof PREFIX + ATTRIBUTE_NAME_MAX] = PREFIX;
    memcpy(key + sizeof PREFIX - 1, a->name.ptr, a->name.len);
    int failed =
        nats_headers_add(fields, slice_make(key, sizeof PREFIX - 1 + a->name.len), a->value);
    if (!failed && a->type != ATTRIBUTE_TEXT)
        failed = buf_printf(types, "%s%.*s:%s", types->len ? "," : "", slice_fmt(a->name),
                            type_words[a->type]);
    return failed;
}

int attributes_read(json_value v, struct arena *arena, struct event *event, struct error *e) {
    _cleanup_buf_ struct buf fields = buf_make(ATTRIBUTES_BYTES_MAX);
    _cleanup_buf_ struct buf types = buf_make(ATTRIBUTES_BYTES_MAX);
    struct json_iterator i = json_each(v);
    unsigned count = 0;
    while (json_next(&i)) {
        struct attribute a;
        slice name = {0};
        if (json_type_of(i.value) == JSON_NULL)
            continue;
        if (json_string(i.key, &name))
            return -ENOMEM;
        const char *wrong = read_one(name, i.value, &a);
        if (!wrong && ++count > ATTRIBUTES_MAX)
            wrong = "there are more than 64 attributes";
        int failed = wrong ? -EINVAL : add(&a, &fields, &types);
        if (failed == -ENOBUFS)
            wrong = "the attributes are larger than 64 KB";
        if (wrong) {
            error_set(e, -EINVAL, "%s", wrong);
            error_place(e, "%.*s", slice_fmt(slice_take(name, ATTRIBUTE_NAME_MAX)));
            return -EINVAL;
        }
        if (failed)
            return failed;
    }
    int failed = arena_copy(arena, buf_slice(&fields), &event->more);
    return failed ? failed : arena_copy(arena, buf_slice(&types), &event->types);
}

/* --- records ------------------------------------------------------------------------------ */

static enum attribute_type find_type(slice types, slice name) {
    while (types.len) {
        slice word;
        slice named = slice_cut(slice_cut(types, ',', &types), ':', &word);
        for (unsigned t = ATTRIBUTE_INTEGER; slice_equal(named, name) && t <= ATTRIBUTE_BOOLEAN;
             t++)
            if (slice_equal(word, slice_str(type_words[t])))
                return (enum attribute_type)t;
    }
    return ATTRIBUTE_TEXT;
}

static bool is_of(slice value, enum attribute_type type) {
    int64_t number;
    if (type == ATTRIBUTE_INTEGER)
        return number_parse_i64(value, INT32_MIN, INT32_MAX, &number) == 0;
    return slice_equal(value, slice_lit("true")) || slice_equal(value, slice_lit("false"));
}

struct attributes attributes_of(const struct event *event) {
    return (struct attributes){event->more, event->more, event->types};
}

bool attributes_next(struct attributes *attributes, struct attribute *ret_attribute) {
    struct nats_field field;
    while (nats_headers_next(&attributes->rest, &field)) {
        slice name = slice_skip(field.key, sizeof PREFIX - 1), first;
        if (!slice_starts_with(field.key, slice_lit(PREFIX)) || !attribute_is_name(name) ||
            attribute_is_taken(name) || !field.value.len ||
            !nats_headers_get(attributes->fields, field.key, &first) ||
            first.ptr != field.value.ptr)
            continue;
        enum attribute_type type = find_type(attributes->types, name);
        if (type != ATTRIBUTE_TEXT && !is_of(field.value, type))
            type = ATTRIBUTE_TEXT;
        *ret_attribute = (struct attribute){name, field.value, type};
        return true;
    }
    return false;
}

void attribute_write(struct json_writer *w, const struct attribute *a) {
    int64_t number = 0;
    json_write_key_slice(w, a->name);
    if (a->type == ATTRIBUTE_BOOLEAN)
        json_write_bool(w, slice_equal(a->value, slice_lit("true")));
    else if (a->type == ATTRIBUTE_INTEGER &&
             number_parse_i64(a->value, INT32_MIN, INT32_MAX, &number) == 0)
        json_write_i64(w, number);
    else
        json_write_string(w, a->value);
}
