/*
 * event_json.c - see event_json.h.
 *
 * Members are named as CloudEvents 1.0 names its attributes, where it has one for it. JSON that was
 * stored over several lines is put on one; data that is no JSON is base64. Members that an event
 * does not have are left out.
 */
#include "rooms/events/event_json.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>

static void write_text(struct json_writer *w, const char *key, slice text) {
    if (!text.len)
        return;
    json_write_key(w, key);
    json_write_string(w, text);
}

static void write_name(struct json_writer *w, slice subject) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    json_write_key(w, "stream");
    if (event_name(subject, &name))
        json_write_string(w, subject);
    else
        json_write_string(w, buf_slice(&name));
}

static void write_tags(struct json_writer *w, slice tags) {
    char room[EVENT_TAG_MAX * 3];
    slice tag;
    if (!tags.len)
        return;
    json_write_key(w, "tags");
    json_write_array(w);
    while (event_tag_next(&tags, room, &tag))
        json_write_string(w, tag);
    json_write_end(w);
}

static void write_json(struct json_writer *w, const char *key, slice json) {
    char *line = mem_alloc(json.len);
    json_write_key(w, key);
    if (line)
        json_write_raw(w, slice_make(line, json_on_one_line(json, line)));
    else
        w->error = -ENOMEM;
    mem_free(line);
}

static void write_bytes(struct json_writer *w, const char *key, slice bytes) {
    size_t len = base64_encoded_len(BASE64_STANDARD, bytes.len);
    char *text = mem_alloc(len);
    if (text) {
        base64_encode(BASE64_STANDARD, bytes, text);
        json_write_key(w, key);
        json_write_string(w, slice_make(text, len));
    } else {
        w->error = -ENOMEM;
    }
    mem_free(text);
}

bool event_data_is_json(slice content_type) {
    slice type = slice_cut(content_type, ';', &(slice){0});
    return slice_equal(slice_trim(type), slice_lit("application/json"));
}

int event_write_json(const struct event *e, const struct log_record *record, struct buf *out) {
    char hex[EVENT_CHAIN_BYTES * 2 + 1];
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    write_name(&w, record->subject);
    json_write_key(&w, "revision");
    json_write_u64(&w, e->number - 1);
    json_write_key(&w, "position");
    json_write_u64(&w, record->sequence);
    write_text(&w, "id", e->id);
    write_text(&w, "type", e->type);
    write_text(&w, "source", e->source);
    write_text(&w, "time", e->time);
    write_tags(&w, e->tags);
    if (e->metadata.len)
        write_json(&w, "metadata", e->metadata);
    if (event_data_is_json(e->content_type)) {
        write_json(&w, "data", e->data);
    } else if (e->data.len) {
        write_text(&w, "datacontenttype", e->content_type);
        write_bytes(&w, "data_base64", e->data);
    }
    hex_encode(slice_make((const char *)e->chain, sizeof e->chain), hex);
    write_text(&w, "chain", slice_make(hex, sizeof e->chain * 2));
    json_write_end(&w);
    int failed = json_write_finish(&w);
    return failed ? failed : buf_append_byte(out, '\n');
}
