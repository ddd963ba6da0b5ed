/*
 * fuzz_events.c - what strangers say of events: the JSON of an append, CloudEvents over HTTP, the
 * headers of a publish, and records as they lie in ES. The input's first line says which, the rest
 * is it:
 *
 *     STREAM            the body of an append to it (append_read); empty: to several
 *     NATS/1.0          a header block, to the empty line, and a payload: as a publish (raw_read)
 *                       and as a record (event_read)
 *     HTTP/1.1          the same of a request (cloudevent_read)
 *
 * Properties: what is refused is refused in words; what is taken becomes records that are read as
 * what they were written from, with a chain that holds until a byte is changed, and that are one
 * line of JSON each, which says the same.
 */
#include "rooms/events/actor.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/event_json.h"
#include "rooms/events/raw_read.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_MAX ((size_t)64 << 20)
#define TIME slice_lit("2026-11-30T12:00:00Z")

static const unsigned char nothing[EVENT_CHAIN_BYTES];

static struct ids *the_ids(void) {
    static struct ids ids;
    static struct io_host *host;
    if (!host) {
        check(io_host_create(&host) == 0);
        ids_init(&ids, host);
    }
    return &ids;
}

static bool is_member(json_value line, const char *key, slice text) {
    json_value v = json_member(line, slice_str(key));
    return text.len ? json_string_is(v, text) : json_type_of(v) == JSON_ABSENT;
}

static void check_tags(json_value line, slice tags) {
    char room[EVENT_TAG_ROOM];
    slice tag;
    struct json_iterator i = json_each(json_member(line, slice_lit("tags")));
    while (event_tag_next(&tags, room, &tag))
        check(json_next(&i) && json_string_is(i.value, tag));
    check(!tags.len && !json_next(&i));
}

/* Of a publish they are as it has written them, of an append in the one way. */
static void check_same_tags(slice a, slice b) {
    char room_a[EVENT_TAG_ROOM], room_b[EVENT_TAG_ROOM];
    slice tag_a, tag_b;
    while (event_tag_next(&a, room_a, &tag_a))
        check(event_tag_next(&b, room_b, &tag_b) && slice_equal(tag_a, tag_b));
    check(!event_tag_next(&b, room_b, &tag_b));
}

/* As a CloudEvent it may be appended again (not where a publish has brought what an append may
   not), and is the same event then. */
static void check_cloudevent(const struct event *event, const struct log_record *record) {
    struct buf line = buf_make(ARENA_MAX), made = buf_make(ARENA_MAX);
    struct arena arena = arena_make(0, ARENA_MAX);
    struct append append;
    struct json_doc doc;
    struct error e = {0};
    json_init(&doc);
    check(event_write_cloudevent(event, record, &line) == 0);
    check(slice_find(buf_slice(&line), '\n') == (ptrdiff_t)line.len - 1);
    check(json_parse(&doc, buf_slice(&line)) == 0);
    if (cloudevent_read(CLOUDEVENT_STRUCTURED, NULL, 0, buf_slice(&line), (slice){0}, &made, &e) ==
        0) {
        check(json_parse(&doc, buf_slice(&made)) == 0);
        if (append_read(json_root(&doc), slice_lit("a-1"), TIME, the_ids(), &arena, &append, &e) ==
            0) {
            const struct event *again = &append.parts[0].events[0];
            check(slice_equal(again->id, event->id) && slice_equal(again->type, event->type));
            check_same_tags(again->tags, event->tags);
            check(event_data_is_json(event->content_type) || /* may lose its blanks */
                  slice_equal(again->data, event->data));
        }
    }
    json_free(&doc);
    arena_free(&arena);
    buf_free(&line);
    buf_free(&made);
}

static void check_line(const struct event *event, const struct log_record *record) {
    struct buf line = buf_make(ARENA_MAX);
    struct json_doc doc;
    json_init(&doc);
    check(event_write_json(event, record, &line) == 0);
    check(slice_find(buf_slice(&line), '\n') == (ptrdiff_t)line.len - 1);
    check(json_parse(&doc, buf_slice(&line)) == 0);
    json_value root = json_root(&doc);
    check(is_member(root, "id", event->id) && is_member(root, "type", event->type));
    check(is_member(root, "source", event->source) && is_member(root, "time", event->time));
    check_tags(root, event->tags);
    json_free(&doc);
    buf_free(&line);
}

/* Each tag finds a sequence of its own, the first of those that stand there twice. */
static void check_tagged(const struct event *event) {
    char room[EVENT_TAG_ROOM];
    unsigned left = event_tag_count(event->tags);
    slice tag, tags = event->tags;
    while (event_tag_next(&tags, room, &tag)) {
        uint64_t sequence;
        check(event_has_tag(event->tags, tag) && event_tagged(event, tag, &sequence));
        check(sequence >= --left);
    }
    check(left == 0);
}

static void check_event(struct event *event, slice subject, size_t twist) {
    struct buf headers = buf_make(ARENA_MAX);
    struct event read;
    struct buf tagged = buf_make(ARENA_MAX);
    event->number = 1;
    for (unsigned i = event_tag_count(event->tags); i-- > 0;)
        check(event_tagged_add(&tagged, i) == 0);
    event->tagged = buf_slice(&tagged);
    int failed = event_write(event, subject, nothing, &headers);
    if (failed) { /* fields of a publish that could not be written again: it is refused */
        check(failed == -EINVAL && event->more.len);
        buf_free(&tagged);
        buf_free(&headers);
        return;
    }
    struct log_record record = {
        .sequence = 1, .subject = subject, .headers = buf_slice(&headers), .payload = event->data};
    check(event_read(&record, &read) == 0);
    check(slice_equal(read.id, event->id) && slice_equal(read.type, event->type));
    check(slice_equal(read.source, event->source) && slice_equal(read.time, event->time));
    check(slice_equal(read.tags, event->tags) && slice_equal(read.metadata, event->metadata));
    check(slice_equal(read.tagged, event->tagged));
    check(slice_equal(read.content_type, event->content_type) && read.number == 1);
    check(event_chain_check(&record, &read, nothing) == 0);
    check_line(&read, &record);
    check_cloudevent(&read, &record);
    check_tagged(&read);
    headers.ptr[twist % headers.len] ^= 1;
    check(event_read(&record, &read) != 0 || event_chain_check(&record, &read, nothing) != 0);
    buf_free(&tagged);
    buf_free(&headers);
}

static void check_condition(const struct condition *condition) {
    check(condition->item_count > 0 && condition->item_count <= CONDITION_ITEMS_MAX);
    for (unsigned i = 0; i < condition->item_count; i++) {
        const struct condition_item *item = &condition->items[i];
        for (unsigned k = 0; k < item->type_count; k++)
            check(item->types[k].len && item->types[k].len <= EVENT_TYPE_MAX);
        for (unsigned k = 0; k < item->tag_count; k++)
            check(item->tags[k].len && item->tags[k].len <= EVENT_TAG_MAX);
    }
}

static void check_append(const struct append *append, size_t twist) {
    unsigned events = 0;
    check(append->part_count + append->conditions.count > 0);
    check(append->part_count + append->conditions.count <= APPEND_STREAMS_MAX);
    check(append_count_tags(append) <= APPEND_TAGS_MAX);
    for (unsigned i = 0; i < append->conditions.count; i++)
        check_condition(&append->conditions.all[i]);
    for (unsigned i = 0; i < append->part_count; i++) {
        struct append_part *part = &append->parts[i];
        check(nats_subject_match(part->subject, slice_lit(EVENT_SUBJECTS)));
        check(!part->check || !part->event_count);
        for (unsigned k = 0; k < part->event_count; k++)
            check_event(&part->events[k], part->subject, twist);
        events += part->event_count;
    }
    check(events == append->event_count && events <= APPEND_EVENTS_MAX);
}

static void read_append(slice name, slice body) {
    struct json_doc doc;
    struct arena arena = arena_make(0, ARENA_MAX);
    struct append append;
    struct error e = {0};
    json_init(&doc);
    if (json_parse(&doc, body) == 0) {
        int failed = append_read(json_root(&doc), name, TIME, the_ids(), &arena, &append, &e);
        check(failed == 0 || (failed == -EINVAL && e.message[0]));
        if (!failed)
            check_append(&append, body.len);
    }
    json_free(&doc);
    arena_free(&arena);
}

/* TEXT: fields, an empty line, a body. */
static void read_request(slice text) {
    struct http1_field fields[64];
    size_t count = 0;
    struct buf made = buf_make(ARENA_MAX);
    struct error e = {0};
    while (count < array_count(fields)) {
        slice line = slice_cut(text, '\n', &text);
        if (!line.len || http1_parse_field(line, &fields[count]) != HTTP1_ERROR_NONE)
            break;
        count++;
    }
    enum cloudevent_mode mode = cloudevent_mode_of(fields, count);
    if (mode == CLOUDEVENT_NONE || mode == CLOUDEVENT_UNKNOWN)
        return;
    int failed = cloudevent_read(mode, fields, count, text, (slice){0}, &made, &e);
    check(failed == 0 || (failed == -EINVAL && e.message[0]));
    if (!failed)
        read_append(slice_lit("a-1"), buf_slice(&made));
    buf_free(&made);
}

static void read_raw(slice block) {
    struct json_doc doc;
    struct arena arena = arena_make(0, ARENA_MAX);
    struct append append;
    struct event event;
    struct error e = {0};
    ptrdiff_t end = slice_find_slice(block, slice_lit("\r\n\r\n"));
    size_t len = end < 0 ? block.len : (size_t)end + 4;
    struct bus_message m = {.subject = slice_lit("es.a.1"),
                            .headers = slice_take(block, len),
                            .payload = slice_skip(block, len)};
    struct log_record record = {
        .sequence = 1, .subject = m.subject, .headers = m.headers, .payload = m.payload};
    json_init(&doc);
    if (event_read(&record, &event) == 0) {
        uint64_t ids[EVENT_SPAN];
        check(event.id.len && event.type.len && event.number);
        (void)!event_chain_check(&record, &event, nothing);
        (void)!event_read_ids(event.ids, ids);
    }
    int failed = raw_read(&m, TIME, the_ids(), &doc, &arena, &append, &e);
    check(failed == 0 || (failed == -EINVAL && e.message[0]));
    if (!failed)
        check_event(&append.parts[0].events[0], m.subject, block.len);
    json_free(&doc);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice input = slice_make(data, size), rest;
    if (slice_starts_with(input, slice_lit("NATS/"))) {
        read_raw(input);
        return 0;
    }
    slice name = slice_cut(input, '\n', &rest);
    if (slice_equal(name, slice_lit("HTTP/1.1"))) {
        read_request(rest);
        return 0;
    }
    struct buf subject = buf_make(EVENT_NAME_MAX * 4), back = buf_make(EVENT_NAME_MAX * 4);
    int failed = event_subject(name, &subject);
    if (!failed) {
        check(event_name(buf_slice(&subject), &back) == 0);
        check(slice_equal(buf_slice(&back), name));
    }
    if (!failed || !name.len)
        read_append(name, rest);
    buf_free(&subject);
    buf_free(&back);
    return 0;
}
