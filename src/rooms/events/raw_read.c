/*
 * raw_read.c - see raw_read.h.
 *
 * Headers are texts without line ends already, which is what the codec has seen to. Here they are
 * held to the rest: length, UTF-8, and that JSON, tags and times can be read by who gets them.
 */
#include "rooms/events/raw_read.h"

#include "base/clocktext.h"
#include "base/utf8.h"
#include "rooms/events/actor.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/event_json.h"
#include "wire/nats_headers.h"
#include "wire/url.h"

#include <errno.h>

/* --- what is wrong with it ---------------------------------------------------------------- */

static int judge_text(const char *key, slice text, size_t most, struct error *e) {
    if (text.len > most)
        return error_set(e, -EINVAL, "%s: the text is too long", key);
    if (!utf8_valid(text))
        return error_set(e, -EINVAL, "%s: the text is not UTF-8", key);
    return 0;
}

/* A comma at the end has an empty tag behind it: slice_cut leaves NULL only where there is none. */
static int judge_tags(slice tags, struct error *e) {
    char room[EVENT_TAG_ROOM];
    unsigned count = 0;
    for (bool more = tags.len > 0; more; more = tags.ptr != NULL) {
        size_t len;
        slice tag = slice_cut(tags, ',', &tags);
        if (++count > EVENT_TAGS_MAX || !tag.len || tag.len > sizeof room ||
            url_decode(tag, false, room, &len) || len > EVENT_TAG_MAX ||
            !utf8_valid(slice_make(room, len)) || provenance_is_key(slice_make(room, len)))
            return error_set(e, -EINVAL,
                             "Nonet-Tags: at most 64 tags of 1 to 256 bytes are wanted, percent-"
                             "encoded, with commas between them");
    }
    return 0;
}

static int judge_metadata(slice text, struct json_doc *doc, struct error *e) {
    if (text.len > EVENT_METADATA_MAX)
        return error_set(e, -EINVAL, "Nonet-Metadata: it is larger than 64 KB");
    int failed = text.len ? json_parse(doc, text) : 0;
    if (failed == -ENOMEM)
        return failed;
    if (failed || (text.len && json_type_of(json_root(doc)) != JSON_OBJECT))
        return error_set(e, -EINVAL, "Nonet-Metadata: an object of JSON is wanted");
    return 0;
}

static int judge_data(const struct event *event, struct json_doc *doc, struct error *e) {
    int failed = event_data_is_json(event->content_type) ? json_parse(doc, event->data) : 0;
    if (failed && failed != -ENOMEM)
        return error_set(e, -EINVAL, "Content-Type: the payload is no JSON, or too deep");
    return failed;
}

static int judge(const struct event *event, struct json_doc *doc, struct error *e) {
    int64_t ns;
    int failed = judge_text("ce-id", event->id, EVENT_ID_MAX, e);
    if (!failed)
        failed = judge_text("ce-type", event->type, EVENT_TYPE_MAX, e);
    if (!failed)
        failed = judge_text("ce-source", event->source, EVENT_SOURCE_MAX, e);
    if (!failed)
        failed = judge_text("Content-Type", event->content_type, EVENT_TYPE_MAX, e);
    if (!failed && clocktext_parse(event->time, &ns))
        return error_set(e, -EINVAL, "ce-time: a time of RFC 3339 is wanted");
    if (!failed)
        failed = judge_tags(event->tags, e);
    if (!failed)
        failed = judge_metadata(event->metadata, doc, e);
    return failed ? failed : judge_data(event, doc, e);
}

/* --- what it says ------------------------------------------------------------------------- */

static void read_fields(slice headers, struct event *event, bool *given) {
    const struct {
        slice key;
        slice *value;
    } fields[] = {
        {slice_lit("ce-type"), &event->type},    {slice_lit("ce-source"), &event->source},
        {slice_lit("ce-time"), &event->time},    {slice_lit("Content-Type"), &event->content_type},
        {slice_lit("Nonet-Tags"), &event->tags}, {slice_lit("Nonet-Metadata"), &event->metadata},
    };
    for (size_t i = 0; i < array_count(fields); i++) {
        slice value;
        if (nats_headers_get(headers, fields[i].key, &value) && value.len)
            *fields[i].value = value;
    }
    event->tags = provenance_own_tags(event->tags); /* a copy of one of ours gets its own */
    if (!nats_headers_get(headers, slice_lit("ce-id"), &event->id) || !event->id.len)
        (void)nats_headers_get(headers, slice_lit("Nats-Msg-Id"), &event->id);
    *given = event->id.len > 0;
}

/* --- a CloudEvent in structured mode --------------------------------------------------------- */

static bool is_of_cloudevents(slice key) {
    return slice_starts_with(key, slice_lit("ce-")) || slice_equal(key, slice_lit("Content-Type"));
}

/* Behind the event's attributes, what else the message has brought. */
static int keep_others(slice headers, struct arena *arena, struct event *event) {
    _cleanup_buf_ struct buf fields = buf_make(LOG_MESSAGE_MAX);
    struct nats_status status;
    struct nats_field field;
    int failed = buf_append(&fields, event->more);
    if (failed || nats_headers_parse(headers, &status))
        return failed;
    while (!failed && nats_headers_next(&status.fields, &field))
        if (!is_of_cloudevents(field.key))
            failed = nats_headers_add(&fields, field.key, field.value);
    return failed ? failed : arena_copy(arena, buf_slice(&fields), &event->more);
}

/* The payload is the whole event. What it says is an append's JSON then (cloudevent.h). */
static int read_structured(const struct bus_message *m, slice time, struct ids *ids,
                           struct json_doc *doc, struct arena *arena, struct append *ret_append,
                           struct error *e) {
    _cleanup_buf_ struct buf made = buf_make(LOG_MESSAGE_MAX * 2u);
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    slice text = {0};
    struct error wrong = {0};
    int failed =
        cloudevent_read(CLOUDEVENT_STRUCTURED, NULL, 0, m->payload, (slice){0}, &made, &wrong);
    if (failed == -EINVAL) /* a publish is answered with the message alone */
        return error_set(e, -EINVAL, "%s%s%s", wrong.place, *wrong.place ? ": " : "",
                         wrong.message);
    if (!failed)
        failed = arena_copy(arena, buf_slice(&made), &text);
    if (!failed)
        failed = event_name(m->subject, &name);
    if (!failed)
        failed = json_parse(doc, text);
    if (!failed)
        failed = append_read(json_root(doc), buf_slice(&name), time, ids, arena, ret_append, e);
    if (failed)
        return failed;
    struct append_part *part = ret_append->parts;
    part->name = (slice){0}; /* it was ours */
    part->subject = m->subject;
    failed = keep_others(m->headers, arena, part->events);
    return failed != -EINVAL ? failed
                             : error_set(e, -EINVAL, "a header of the event cannot be stored");
}

/* What of CloudEvents the payload is. */
static enum cloudevent_mode mode_of(const struct bus_message *m) {
    struct http1_field type = {.name = slice_lit("Content-Type")};
    if (!m->headers.len || !nats_headers_get(m->headers, type.name, &type.value))
        return CLOUDEVENT_NONE;
    return cloudevent_mode_of(&type, 1);
}

/* --- a message ----------------------------------------------------------------------------- */

static int read_message(const struct bus_message *m, slice time, struct ids *ids,
                        struct json_doc *doc, struct arena *arena, struct append *ret_append,
                        struct error *e) {
    struct append_part *part = arena_zalloc(arena, 1, sizeof *part);
    struct event *event = arena_zalloc(arena, 1, sizeof *event);
    bool *given = arena_zalloc(arena, 1, sizeof *given);
    struct nats_status status;
    enum cloudevent_mode mode = mode_of(m);
    if (!part || !event || !given)
        return -ENOMEM;
    if (mode == CLOUDEVENT_STRUCTURED)
        return read_structured(m, time, ids, doc, arena, ret_append, e);
    if (mode == CLOUDEVENT_BATCHED)
        return error_set(e, -EINVAL, "Content-Type: a message is one event, and no batch");
    *event = (struct event){
        .type = slice_lit("message"), .source = m->subject, .time = time, .data = m->payload};
    if (m->headers.len && nats_headers_parse(m->headers, &status) == 0) {
        event->more = status.fields;
        read_fields(m->headers, event, given);
    }
    int failed = judge(event, doc, e);
    if (!failed && !event->id.len)
        failed = ids_make(ids, arena, &event->id);
    if (failed)
        return failed;
    *part = (struct append_part){
        .subject = m->subject, .events = event, .given = given, .event_count = 1};
    *ret_append = (struct append){.parts = part, .part_count = 1, .event_count = 1};
    return 0;
}

int raw_read(const struct bus_message *m, slice time, struct ids *ids, struct json_doc *doc,
             struct arena *arena, struct append *ret_append, struct error *e) {
    struct actor actor = {0};
    int failed = read_message(m, time, ids, doc, arena, ret_append, e);
    if (failed || !m->headers.len ||
        !nats_headers_get(m->headers, slice_lit("Nonet-Principal"), &actor.name))
        return failed;
    return actor_name(ret_append, &actor, arena);
}
