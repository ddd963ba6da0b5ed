/*
 * call.c - see call.h.
 *
 * What comes here was written here, so what does not fit is a bug, and is answered like one: with
 * an error and no crash. Numbers that stand in headers are decimal; an absent one is 0.
 */
#include "rooms/events/call.h"

#include "base/number.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdio.h>

#define OPTIONS_MAX (1u << 20) /* bytes of a read's, in JSON */

static uint64_t get_number(const struct bus_message *message, const char *key) {
    slice value;
    uint64_t number = 0;
    if (!nats_headers_get(message->headers, slice_str(key), &value) ||
        number_parse_u64(value, &number))
        return 0;
    return number;
}

/* --- appends ------------------------------------------------------------------------------ */

int call_write_append(const struct call_append *append, struct buf *headers) {
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed && append->subject.len)
        failed = nats_headers_add(headers, slice_lit("Nonet-Stream"), append->subject);
    if (!failed && append->actor.name.len)
        failed = nats_headers_add(headers, slice_lit("Nonet-Actor"), append->actor.name);
    if (!failed && append->actor.is_sure)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Actor-Is-Sure"), 1);
    return failed ? failed : nats_headers_end(headers);
}

struct call_append call_read_append(const struct bus_message *message) {
    struct call_append append = {0};
    struct nats_status status;
    struct nats_field field;
    if (!message->headers.len || nats_headers_parse(message->headers, &status))
        return append;
    while (nats_headers_next(&status.fields, &field))
        if (slice_equal(field.key, slice_lit("Nonet-Stream")))
            append.subject = field.value;
        else if (slice_equal(field.key, slice_lit("Nonet-Actor")))
            append.actor.name = field.value;
        else if (slice_equal(field.key, slice_lit("Nonet-Actor-Is-Sure")))
            append.actor.is_sure = slice_equal(field.value, slice_lit("1"));
    return append;
}

int call_write_appended(unsigned status, const uint64_t *last, struct buf *headers) {
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Status"), status);
    if (!failed && last)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Last"), *last);
    return failed ? failed : nats_headers_end(headers);
}

bool call_read_last(const struct bus_message *message, uint64_t *ret_last) {
    slice value;
    return nats_headers_get(message->headers, slice_lit("Nonet-Last"), &value) &&
           number_parse_u64(value, ret_last) == 0;
}

unsigned call_read_status(const struct bus_message *message) {
    return message->headers.len ? (unsigned)get_number(message, "Nonet-Status") : 0;
}

bool call_answered(struct bus *bus, struct bus_request **request, const struct bus_message *reply) {
    if (reply && !call_read_status(reply))
        return false;
    if (reply)
        bus_request_cancel(bus, *request);
    *request = NULL;
    return true;
}

/* --- reads -------------------------------------------------------------------------------- */

static void write_list(struct json_writer *w, const char *key, const slice *list, unsigned count) {
    json_write_key(w, key);
    json_write_array(w);
    for (unsigned i = 0; i < count; i++)
        json_write_string(w, list[i]);
    json_write_end(w);
}

int call_write_read(const struct read_options *o, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, o->subject);
    json_write_key(&w, "category");
    json_write_string(&w, o->category);
    write_list(&w, "types", o->types, o->type_count);
    write_list(&w, "tags", o->tags, o->tag_count);
    json_put_u64(&w, "from", o->from);
    json_write_key(&w, "time");
    json_write_i64(&w, o->from_time_ns);
    json_put_u64(&w, "from_position", o->from_position);
    json_write_key(&w, "actor");
    json_write_string(&w, o->actor);
    json_write_key(&w, "correlation");
    json_write_string(&w, o->correlation);
    json_write_key(&w, "to");
    json_write_i64(&w, o->to_time_ns);
    json_write_key(&w, "audit");
    json_write_bool(&w, o->audit);
    json_write_key(&w, "backwards");
    json_write_bool(&w, o->backwards);
    json_write_key(&w, "cloudevents");
    json_write_bool(&w, o->cloudevents);
    json_put_u64(&w, "limit", o->limit);
    json_put_u64(&w, "wait", o->wait_ns);
    json_put_u64(&w, "position", o->position_min);
    json_write_end(&w);
    return json_write_finish(&w);
}

int call_ask_page(struct bus *bus, const struct read_options *options,
                  void (*on_reply)(void *owner, const struct bus_message *reply, int ended),
                  void *owner, struct bus_request **ret_request) {
    _cleanup_buf_ struct buf text = buf_make(OPTIONS_MAX);
    int failed = call_write_read(options, &text);
    struct bus_request_options request = {
        .message = {.subject = slice_lit(CALL_READ), .payload = buf_slice(&text)},
        .timeout_ns = CALL_READ_NS,
        .on_reply = on_reply,
        .owner = owner,
    };
    return failed ? failed : bus_request(bus, &request, ret_request);
}

static bool read_list(json_value v, slice *list, unsigned *ret_count) {
    struct json_iterator i = json_each(v);
    *ret_count = 0;
    while (json_next(&i))
        if (*ret_count == READ_FILTERS_MAX || json_string(i.value, &list[(*ret_count)++]))
            return false;
    return true;
}

int call_read_read(slice text, struct json_doc *doc, struct read_options *o) {
    uint64_t limit;
    *o = (struct read_options){0};
    if (json_parse(doc, text))
        return -EINVAL;
    json_value v = json_root(doc);
    bool read = json_string(json_member(v, slice_lit("subject")), &o->subject) == 0 &&
                json_string(json_member(v, slice_lit("category")), &o->category) == 0 &&
                read_list(json_member(v, slice_lit("types")), o->types, &o->type_count) &&
                read_list(json_member(v, slice_lit("tags")), o->tags, &o->tag_count) &&
                json_u64(json_member(v, slice_lit("from")), &o->from) == 0 &&
                json_i64(json_member(v, slice_lit("time")), &o->from_time_ns) == 0 &&
                json_u64(json_member(v, slice_lit("from_position")), &o->from_position) == 0 &&
                json_string(json_member(v, slice_lit("actor")), &o->actor) == 0 &&
                json_string(json_member(v, slice_lit("correlation")), &o->correlation) == 0 &&
                json_i64(json_member(v, slice_lit("to")), &o->to_time_ns) == 0 &&
                json_bool(json_member(v, slice_lit("audit")), &o->audit) == 0 &&
                json_bool(json_member(v, slice_lit("backwards")), &o->backwards) == 0 &&
                json_bool(json_member(v, slice_lit("cloudevents")), &o->cloudevents) == 0 &&
                json_u64(json_member(v, slice_lit("limit")), &limit) == 0 &&
                json_u64(json_member(v, slice_lit("wait")), &o->wait_ns) == 0 &&
                json_u64(json_member(v, slice_lit("position")), &o->position_min) == 0;
    o->limit = read && limit <= UINT32_MAX ? (unsigned)limit : 0;
    return read ? 0 : -EINVAL;
}

int call_write_end(const struct read_end *end, struct buf *headers) {
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Status"), end->status);
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Count"), end->count);
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Next"), end->next);
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-First"), end->first);
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Last"), end->last);
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Caught-Up"), end->caught_up);
    return failed ? failed : nats_headers_end(headers);
}

void call_read_end(const struct bus_message *message, struct read_end *end) {
    *end = (struct read_end){
        .status = call_read_status(message),
        .lines = message->payload,
        .count = (unsigned)get_number(message, "Nonet-Count"),
        .next = get_number(message, "Nonet-Next"),
        .first = get_number(message, "Nonet-First"),
        .last = get_number(message, "Nonet-Last"),
        .caught_up = get_number(message, "Nonet-Caught-Up") != 0,
    };
}

bool call_take_page(struct bus *bus, struct bus_request **request, const struct bus_message *reply,
                    int ended, struct read_end *end) {
    if (!call_answered(bus, request, reply))
        return false;
    if (reply)
        call_read_end(reply, end);
    else
        *end = (struct read_end){.status = ended == -ETIMEDOUT ? 504 : 503,
                                 .lines = slice_lit("event streams do not answer")};
    return true;
}

/* --- states ------------------------------------------------------------------------------- */

int call_write_state(const struct state_options *o, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, o->subject);
    json_put_u64(&w, "at", o->at);
    json_put_u64(&w, "number", o->number);
    json_write_key(&w, "time");
    json_write_i64(&w, o->time_ns);
    json_put_u64(&w, "position", o->position_min);
    json_write_end(&w);
    return json_write_finish(&w);
}

int call_read_state(slice text, struct json_doc *doc, struct state_options *o) {
    uint64_t at;
    *o = (struct state_options){0};
    if (json_parse(doc, text))
        return -EINVAL;
    json_value v = json_root(doc);
    bool read = json_string(json_member(v, slice_lit("subject")), &o->subject) == 0 &&
                json_u64(json_member(v, slice_lit("at")), &at) == 0 && at <= STATE_TIME &&
                json_u64(json_member(v, slice_lit("number")), &o->number) == 0 &&
                json_i64(json_member(v, slice_lit("time")), &o->time_ns) == 0 &&
                json_u64(json_member(v, slice_lit("position")), &o->position_min) == 0;
    if (read)
        o->at = (enum state_at)at;
    return read ? 0 : -EINVAL;
}

int call_write_state_end(const struct state_end *end, struct buf *headers) {
    char tag[80];
    int len = snprintf(tag, sizeof tag, "%llu-%s", (unsigned long long)end->revision, end->digest);
    if (end->from)
        len +=
            snprintf(tag + len, sizeof tag - (size_t)len, "-%llu", (unsigned long long)end->from);
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Status"), end->status);
    if (!failed && end->status == 200)
        failed =
            nats_headers_add(headers, slice_lit("Nonet-State-Tag"), slice_make(tag, (size_t)len));
    return failed ? failed : nats_headers_end(headers);
}

slice call_read_state_tag(const struct bus_message *message) {
    slice tag = {0};
    if (message->headers.len)
        (void)nats_headers_get(message->headers, slice_lit("Nonet-State-Tag"), &tag);
    return tag;
}
