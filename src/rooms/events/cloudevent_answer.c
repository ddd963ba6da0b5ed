/*
 * cloudevent_answer.c - an event as an HTTP answer in binary mode (cloudevent.h).
 *
 * Made of the event in JSON, member by member. Values are percent-encoded as the binding says:
 * blanks, double quotes, '%', and what is no printable ASCII.
 */
#include "rooms/events/cloudevent.h"

#include "base/base64.h"
#include "rooms/events/event_json.h"
#include "wire/url.h"

#include <errno.h>

static int encode(slice text, struct arena *arena, slice *ret_value) {
    char *out = arena_alloc(arena, text.len * 3 + 1);
    if (!out)
        return -ENOMEM;
    *ret_value = slice_make(out, url_encode(text, "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", out));
    return 0;
}

/* Texts as they are, numbers and booleans as they are written. */
static int text_of(json_value v, slice *ret_text) {
    if (json_type_of(v) == JSON_STRING)
        return json_string(v, ret_text);
    *ret_text = json_source(v);
    return 0;
}

static int add_attribute(slice name, json_value v, struct arena *arena, struct http1_field *field) {
    slice text;
    int failed = text_of(v, &text);
    if (!failed)
        failed = encode(text, arena, &field->value);
    return failed ? failed : arena_printf(arena, &field->name, "ce-%.*s", slice_fmt(name));
}

static int take_data(json_value event, slice type, struct arena *arena, slice *ret_data) {
    json_value data = json_member(event, slice_lit("data"));
    slice text = {0};
    *ret_data = json_source(data);
    if (json_type_of(data) == JSON_STRING && !event_data_is_json(type))
        return json_string(data, ret_data);
    if (json_string(json_member(event, slice_lit("data_base64")), &text))
        return 0;
    size_t room = base64_decoded_max(text.len), len;
    char *out = arena_alloc(arena, room);
    if (!out)
        return -ENOMEM;
    int failed = base64_decode(BASE64_STANDARD, text, out, room, &len);
    *ret_data = slice_make(out, len);
    return failed;
}

int cloudevent_answer(slice line, struct json_doc *doc, struct arena *arena,
                      struct http1_field *fields, size_t *ret_count, slice *ret_data) {
    int failed = json_parse(doc, line);
    json_value event = json_root(doc);
    struct json_iterator i = json_each(event);
    slice type = {0};
    size_t count = 0;
    while (!failed && json_next(&i)) {
        slice name;
        failed = json_string(i.key, &name);
        if (failed || slice_equal(name, slice_lit("data")) ||
            slice_equal(name, slice_lit("data_base64")))
            continue;
        if (count == CLOUDEVENT_FIELDS_MAX)
            return -EINVAL;
        if (slice_equal(name, slice_lit("datacontenttype"))) {
            failed = json_string(i.value, &type);
            fields[count++] = (struct http1_field){slice_lit("Content-Type"), type};
        } else {
            failed = add_attribute(name, i.value, arena, &fields[count++]);
        }
    }
    if (!failed)
        failed = take_data(event, type, arena, ret_data);
    if (!failed)
        *ret_count = count;
    return failed;
}
