/*
 * provenance.c - see provenance.h.
 *
 * An audit looks at every event of a time, so the metadata is picked from (json_pick.h), not
 * parsed.
 */
#include "rooms/events/provenance.h"

#include "wire/nats_headers.h"

#include <errno.h>

#define FIELDS 4u

static const struct {
    slice path, field;
} fields[FIELDS] = {
    {slice_lit("/actor"), slice_lit("ce-actor")},
    {slice_lit("/reason"), slice_lit("ce-reason")},
    {slice_lit("/correlation_id"), slice_lit("ce-correlationid")},
    {slice_lit("/causation_id"), slice_lit("ce-causationid")},
};

int provenance_open(struct provenance_reader *reader) {
    slice paths[FIELDS];
    *reader = (struct provenance_reader){.text = buf_make(EVENT_METADATA_MAX * FIELDS)};
    for (size_t i = 0; i < FIELDS; i++)
        paths[i] = fields[i].path;
    return json_picker_new(paths, FIELDS, &reader->picker);
}

void provenance_close(struct provenance_reader *reader) {
    reader->picker = json_picker_free(reader->picker);
    buf_free(&reader->text);
}

static int read_metadata(struct provenance_reader *reader, slice metadata,
                         slice *const out[FIELDS]) {
    struct json_field picked[FIELDS];
    size_t room = 0;
    buf_clear(&reader->text);
    if (!metadata.len || json_pick(reader->picker, metadata, picked))
        return 0;
    for (size_t i = 0; i < FIELDS; i++)
        room += picked[i].raw.len;
    if (!room)
        return 0;
    if (buf_reserve(&reader->text, room))
        return -ENOMEM;
    for (size_t i = 0; i < FIELDS; i++) {
        char *at = reader->text.ptr + reader->text.len;
        if (picked[i].type != JSON_STRING ||
            json_pick_string(&picked[i], at, picked[i].raw.len, out[i]))
            continue;
        reader->text.len += picked[i].raw.len;
    }
    return 0;
}

static void read_fields(const struct event *event, slice *const out[FIELDS]) {
    slice rest = event->more;
    struct nats_field field;
    while (nats_headers_next(&rest, &field))
        for (size_t i = 0; i < FIELDS; i++)
            if (!out[i]->len && slice_equal(field.key, fields[i].field))
                *out[i] = field.value;
}

int provenance_read(struct provenance_reader *reader, const struct event *event,
                    struct provenance *p) {
    *p = (struct provenance){.actor = {0}};
    slice *const out[FIELDS] = {&p->actor, &p->reason, &p->correlation, &p->causation};
    int failed = read_metadata(reader, event->metadata, out);
    if (!failed)
        read_fields(event, out);
    return failed;
}

slice provenance_key(slice correlation, char *out) {
    static const char digits[] = "0123456789abcdef";
    uint64_t digest = event_digest(correlation);
    memcpy(out, PROVENANCE_KEY, sizeof PROVENANCE_KEY - 1);
    for (unsigned i = 0; i < 16; i++)
        out[sizeof PROVENANCE_KEY - 1 + i] = digits[digest >> (60 - 4 * i) & 15];
    return slice_make(out, PROVENANCE_KEY_BYTES);
}

slice provenance_own_tags(slice tags) {
    size_t own = tags.len - (tags.len < PROVENANCE_KEY_BYTES ? tags.len : PROVENANCE_KEY_BYTES);
    if (!provenance_is_key(slice_skip(tags, own)) || (own && tags.ptr[own - 1] != ','))
        return tags;
    return slice_take(tags, own ? own - 1 : 0);
}

void provenance_write(struct json_writer *w, const struct provenance *p) {
    json_put_nonempty(w, "actor", p->actor);
    json_put_nonempty(w, "reason", p->reason);
    json_put_nonempty(w, "correlation", p->correlation);
    json_put_nonempty(w, "causation", p->causation);
}
