/*
 * event_json.c - see event_json.h.
 *
 * Members are named as CloudEvents 1.0 names its attributes, where it has one for it. JSON that was
 * stored over several lines is put on one; data that is no JSON is base64, but for CloudEvents a
 * text where it is called one. Members that an event does not have are left out.
 */
#include "rooms/events/event_json.h"

#include "base/base64.h"
#include "base/clocktext.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "rooms/events/attributes.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>

static void write_name(struct json_writer *w, slice subject) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    json_write_key(w, "stream");
    if (event_name(subject, &name))
        json_write_string(w, subject);
    else
        json_write_string(w, buf_slice(&name));
}

static void write_category(struct json_writer *w, slice subject) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    json_write_key(w, "category");
    if (event_name(subject, &name))
        json_write_string(w, subject);
    else
        json_write_string(w, slice_cut(buf_slice(&name), '-', &(slice){0}));
}

static void write_tags(struct json_writer *w, slice tags) {
    char room[EVENT_TAG_ROOM];
    slice tag;
    tags = provenance_own_tags(tags);
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

static slice media_type(slice content_type) {
    return slice_trim(slice_cut(content_type, ';', &(slice){0}));
}

static bool ends_in(slice type, slice end) {
    return type.len > end.len && slice_equal_nocase(slice_skip(type, type.len - end.len), end);
}

bool event_data_is_json(slice content_type) {
    slice type = media_type(content_type);
    return slice_equal_nocase(type, slice_lit("application/json")) ||
           ends_in(type, slice_lit("+json"));
}

/* Records that are older than +json among the types of JSON have been judged by no one. */
static bool is_json(const struct event *e) {
    struct json_doc doc;
    if (!event_data_is_json(e->content_type))
        return false;
    if (slice_equal(media_type(e->content_type), slice_lit("application/json")))
        return true;
    json_init(&doc);
    bool whole = json_parse(&doc, e->data) == 0;
    json_free(&doc);
    return whole;
}

static bool is_text(const struct event *e) {
    slice type = media_type(e->content_type);
    return (slice_equal_nocase(slice_take(type, 5), slice_lit("text/")) ||
            ends_in(type, slice_lit("xml"))) &&
           utf8_valid(e->data);
}

static void write_attributes(struct json_writer *w, const struct event *e) {
    struct attributes attributes = attributes_of(e);
    struct attribute attribute;
    bool any = false;
    for (; attributes_next(&attributes, &attribute); any = true) {
        if (!any) {
            json_write_key(w, "attributes");
            json_write_object(w);
        }
        attribute_write(w, &attribute);
    }
    if (any)
        json_write_end(w);
}

static void write_chain(struct json_writer *w, const struct event *e) {
    char hex[EVENT_CHAIN_BYTES * 2 + 1];
    hex_encode(slice_make((const char *)e->chain, sizeof e->chain), hex);
    json_put_nonempty(w, "chain", slice_make(hex, sizeof e->chain * 2));
}

static int end_line(struct json_writer *w, struct buf *out) {
    json_write_end(w);
    int failed = json_write_finish(w);
    return failed ? failed : buf_append_byte(out, '\n');
}

static int write_members(struct json_writer *w, const struct event *e,
                         const struct log_record *record, struct buf *out) {
    write_name(w, record->subject);
    json_write_key(w, "revision");
    json_write_u64(w, e->number - 1);
    json_write_key(w, "position");
    json_write_u64(w, record->sequence);
    json_put_nonempty(w, "id", e->id);
    json_put_nonempty(w, "type", e->type);
    json_put_nonempty(w, "source", e->source);
    json_put_nonempty(w, "time", e->time);
    write_tags(w, e->tags);
    if (e->metadata.len)
        write_json(w, "metadata", e->metadata);
    write_attributes(w, e);
    if (is_json(e)) {
        if (!slice_equal(e->content_type, slice_lit("application/json")))
            json_put_nonempty(w, "datacontenttype", e->content_type);
        write_json(w, "data", e->data);
    } else if (e->data.len) {
        json_put_nonempty(w, "datacontenttype", e->content_type);
        write_bytes(w, "data_base64", e->data);
    }
    write_chain(w, e);
    return end_line(w, out);
}

int event_write_json(const struct event *e, const struct log_record *record, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    return write_members(&w, e, record, out);
}

int event_write_row(const struct event *e, const struct log_record *record, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    write_category(&w, record->subject);
    return write_members(&w, e, record, out);
}

int event_write_audit(const struct event *e, const struct provenance *provenance,
                      const struct log_record *record, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    char time[CLOCKTEXT_SIZE];
    json_write_object(&w);
    json_write_key(&w, "position");
    json_write_u64(&w, record->sequence);
    json_put_nonempty(&w, "time", slice_make(time, clocktext_format(record->time_ns, time)));
    write_name(&w, record->subject);
    json_write_key(&w, "revision");
    json_write_u64(&w, e->number - 1);
    json_put_nonempty(&w, "type", e->type);
    json_put_nonempty(&w, "id", e->id);
    provenance_write(&w, provenance);
    return end_line(&w, out);
}

/* A whole number of CloudEvents has 32 bits, so these are texts. */
static void write_digits(struct json_writer *w, const char *key, uint64_t number) {
    char digits[NUMBER_TEXT_MAX];
    json_put_nonempty(w, key, slice_make(digits, number_format_u64(number, digits)));
}

static void write_cloud_data(struct json_writer *w, const struct event *e) {
    json_put_nonempty(w, "datacontenttype", e->content_type);
    if (is_json(e))
        write_json(w, "data", e->data);
    else if (e->data.len && is_text(e))
        json_put_nonempty(w, "data", e->data);
    else if (e->data.len)
        write_bytes(w, "data_base64", e->data);
}

int event_write_cloudevent(const struct event *e, const struct log_record *record,
                           struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    struct attributes attributes = attributes_of(e);
    struct attribute attribute;
    json_write_object(&w);
    json_put_nonempty(&w, "specversion", slice_lit("1.0"));
    json_put_nonempty(&w, "id", e->id);
    json_put_nonempty(&w, "source", e->source.len ? e->source : record->subject);
    json_put_nonempty(&w, "type", e->type);
    json_put_nonempty(&w, "time", e->time);
    while (attributes_next(&attributes, &attribute))
        attribute_write(&w, &attribute);
    json_put_nonempty(&w, "tags", provenance_own_tags(e->tags));
    json_put_nonempty(&w, "metadata", e->metadata);
    write_name(&w, record->subject);
    write_digits(&w, "revision", e->number - 1);
    write_digits(&w, "position", record->sequence);
    write_chain(&w, e);
    write_cloud_data(&w, e);
    return end_line(&w, out);
}
