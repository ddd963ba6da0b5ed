/*
 * fuzz_jsapi.c - the JSON API of streams, asked by strangers in a whole house on the simulated
 * machine: bus, streams, consumers, log and disk of one shard. Each line of the input is one step:
 *
 *     SUBJECT BODY             a request to $JS.API.SUBJECT; its answer is waited for
 *     &SUBJECT BODY            the same, not waited for
 *     @REPLY SUBJECT BODY      the same with a reply subject of its own
 *     >SUBJECT HEADERS|TEXT    a message with headers ("A:b;C:d") and payload
 *     =BODY                    the answer of a consumer's client to the next message it was given
 *     ~N                       N milliseconds pass
 *     !                        the node is stopped and started
 *     #                        the power fails, and the node starts again
 *
 * Properties: every request is answered once, with JSON of the API's form, also while the node
 * stops; a captured message is acknowledged once; the log meets nothing fatal; what was answered is
 * there again after a stop, and (but for positions of consumers) after a power cut; nothing leaks.
 */
#include "bus_kit.h"

#include "base/number.h"
#include "bus/stream_config.h"
#include "log/stream.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#define STEPS_MAX 48u
#define CALLS_MAX STEPS_MAX
#define GIVEN_MAX 64u
#define PAUSE_MAX_MS 40000u
#define PICTURE_MAX (8u << 20)
#define API "$JS.API."

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct call {
    bool wanted; /* an answer is due */
    bool is_publish, is_direct;
    unsigned answers;
};

struct given { /* the address to acknowledge a message at */
    size_t len;
    char text[BUS_SUBJECT_MAX];
};

struct desk {
    struct house *house;
    struct room_node node;
    struct room_shard shard;
    struct jetstream *jetstream;
    struct bus_subscription *answers, *messages;
    struct call calls[CALLS_MAX];
    unsigned call_count, due;
    struct given given[GIVEN_MAX];
    unsigned given_first, given_count;
};

/* --- what comes back ---------------------------------------------------------------------- */

static void check_answer(const struct call *call, const struct bus_message *m) {
    struct json_doc doc;
    slice type, words;
    uint64_t code;
    if (call->is_publish || call->is_direct)
        return;
    json_init(&doc);
    check(json_parse(&doc, m->payload) == 0);
    json_value root = json_root(&doc), error = json_member(root, slice_lit("error"));
    bool typed = json_string(json_member(root, slice_lit("type")), &type) == 0;
    check(!typed || (slice_starts_with(type, slice_lit("io.nats.jetstream.api.v1.")) &&
                     slice_ends_with(type, slice_lit("_response"))));
    check(typed || json_type_of(error) == JSON_OBJECT);
    if (json_type_of(error) != JSON_ABSENT) {
        check(json_u64(json_member(error, slice_lit("code")), &code) == 0 && code >= 400);
        check(json_u64(json_member(error, slice_lit("err_code")), &code) == 0 && code >= 10000);
        check(json_string(json_member(error, slice_lit("description")), &words) == 0 && words.len);
    }
    json_free(&doc);
}

static void on_answer(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *m) {
    (void)subscription;
    struct desk *desk = owner;
    uint64_t number;
    check(number_parse_u64(slice_skip(m->subject, 3), &number) == 0);
    check(number < desk->call_count);
    struct call *call = &desk->calls[number];
    check(++call->answers == 1);
    check_answer(call, m);
    desk->due -= call->wanted;
}

static void on_given(void *owner, struct bus_subscription *subscription,
                     const struct bus_message *m) {
    (void)subscription;
    struct desk *desk = owner;
    if (!slice_starts_with(m->reply, slice_lit("$JS.ACK.")) || desk->given_count == GIVEN_MAX)
        return;
    struct given *given = &desk->given[(desk->given_first + desk->given_count++) % GIVEN_MAX];
    memcpy(given->text, m->reply.ptr, m->reply.len);
    given->len = m->reply.len;
}

/* --- the house, opened and left ----------------------------------------------------------- */

static void desk_rise(struct desk *desk) {
    static const struct bus_receiver answers = {on_answer}, messages = {on_given};
    struct bus *bus = house_last(desk->house);
    house_streams(desk->house);
    desk->node.limits.pending_bytes_max = 64u << 20;
    desk->shard = (struct room_shard){
        .node = &desk->node, .loop = bus_loop(bus), .bus = bus, .streams = desk->house->streams};
    check(jetstream_open(&desk->shard, &desk->jetstream) == 0);
    check(bus_subscribe(bus, slice_lit("_R.*"), (slice){0}, &answers, desk, NULL, &desk->answers) ==
          0);
    check(bus_subscribe(bus, slice_lit("_M.*"), (slice){0}, &messages, desk, NULL,
                        &desk->messages) == 0);
}

static void desk_leave(struct desk *desk) {
    struct bus *bus = house_last(desk->house);
    desk->jetstream = jetstream_close(desk->jetstream);
    desk->answers = bus_unsubscribe(bus, desk->answers);
    desk->messages = bus_unsubscribe(bus, desk->messages);
}

static bool is_settled(void *self) {
    const struct desk *desk = self;
    return desk->due == 0;
}

static void settle(struct desk *desk) {
    check(is_settled(desk) || sim_run_until(desk->house->sim, is_settled, desk, HOUSE_LIMIT));
    check(desk->house->fatals == 0);
}

/* --- what must be there again ------------------------------------------------------------- */

/* Its bytes: what is no UTF-8 would not show in the text. */
static void draw_name(struct json_writer *w, slice name) {
    json_write_array(w);
    for (size_t i = 0; i < name.len; i++)
        json_write_u64(w, (unsigned char)name.ptr[i]);
    json_write_end(w);
}

static void draw_consumer(struct json_writer *w, struct consumer *consumer, bool positions) {
    const struct consumer_config *config = consumer_config(consumer);
    struct consumer_info info = consumer_info(consumer);
    check(consumer_find(consumer_stream(consumer), config->name) == consumer);
    if (!config->durable || config->in_memory)
        return;
    draw_name(w, config->name);
    consumer_config_write(w, config);
    json_write_u64(w, (uint64_t)info.created_ns);
    if (!positions)
        return;
    json_write_u64(w, info.delivered.stream);
    json_write_u64(w, info.ack_floor.stream);
    json_write_u64(w, info.ack_pending);
}

static void draw_stream(struct json_writer *w, struct stream *stream, bool positions) {
    struct log_stream_state s = log_stream_state(stream_log(stream));
    const struct stream_config *config = stream_config(stream);
    check(slice_equal(config->name, log_stream_name(stream_log(stream))));
    if (config->in_memory)
        return;
    draw_name(w, config->name);
    stream_config_write(w, config);
    json_write_u64(w, (uint64_t)stream_created_ns(stream));
    json_write_u64(w, s.last_sequence);
    if (!config->age_max_ns) { /* else some may come to their age meanwhile */
        json_write_u64(w, s.first_sequence);
        json_write_u64(w, s.messages);
        json_write_u64(w, s.bytes);
        json_write_u64(w, s.subjects);
        json_write_u64(w, s.deleted);
    }
    for (struct consumer *c = NULL;
         (c = consumer_next(stream, c ? consumer_config(c)->name : (slice){0}));)
        draw_consumer(w, c, positions);
}

static void draw_picture(struct desk *desk, bool positions, struct buf *out) {
    struct json_writer w = json_writer_make(out, true);
    json_write_array(&w);
    for (struct stream *s = NULL;
         (s = stream_next(desk->house->streams, s ? stream_config(s)->name : (slice){0}));)
        draw_stream(&w, s, positions);
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
}

/* After a power cut consumers may be behind: what they hand out again is no loss. */
static void restart(struct desk *desk, bool clean) {
    struct buf before = buf_make(PICTURE_MAX), after = buf_make(PICTURE_MAX);
    settle(desk);
    house_run(desk->house, 100 * SIM_MILLISECOND); /* what nobody waits for gets to disk, too */
    draw_picture(desk, clean, &before);
    desk_leave(desk);
    if (clean)
        house_stop(desk->house);
    else
        house_cut(desk->house);
    desk_rise(desk);
    draw_picture(desk, clean, &after);
    if (!slice_equal(buf_slice(&before), buf_slice(&after)))
        fprintf(stderr, "before:\n%.*s\nafter:\n%.*s\n", slice_fmt(buf_slice(&before)),
                slice_fmt(buf_slice(&after)));
    check(slice_equal(buf_slice(&before), buf_slice(&after)));
    buf_free(&before);
    buf_free(&after);
    desk->given_count = 0;
}

/* The node stops while requests are under way: they are answered. Publishers hear nothing then. */
static void stop_at_once(struct desk *desk) {
    desk->jetstream = jetstream_close(desk->jetstream);
    house_rest(desk->house);
    for (unsigned i = 0; i < desk->call_count; i++)
        check(!desk->calls[i].wanted || desk->calls[i].answers || desk->calls[i].is_publish);
    desk_leave(desk);
}

/* --- steps -------------------------------------------------------------------------------- */

/* What a connection's parser would let through. */
static bool is_sendable(slice subject) {
    for (size_t i = 0; i < subject.len; i++)
        if (strchr("\t\r\f", subject.ptr[i]) && subject.ptr[i])
            return false;
    return subject.len > 0 && subject.len <= BUS_SUBJECT_MAX - sizeof API;
}

static slice new_reply(struct desk *desk, char out[NUMBER_TEXT_MAX + 3]) {
    memcpy(out, "_R.", 3);
    desk->calls[desk->call_count] = (struct call){0};
    return slice_make(out, 3 + number_format_u64(desk->call_count++, out + 3));
}

static void request(struct desk *desk, slice line, slice reply) {
    char subject[BUS_SUBJECT_MAX], text[NUMBER_TEXT_MAX + 3];
    slice body, name = slice_cut(line, ' ', &body);
    if (!is_sendable(name))
        return;
    bool next = slice_starts_with(name, slice_lit("CONSUMER.MSG.NEXT."));
    memcpy(subject, API, sizeof API - 1);
    memcpy(subject + sizeof API - 1, name.ptr, name.len);
    struct call *call = NULL;
    if (!reply.len && next) {
        reply = slice_lit("_M.1");
    } else if (!reply.len) {
        call = &desk->calls[desk->call_count];
        reply = new_reply(desk, text);
        call->is_direct = slice_starts_with(name, slice_lit("DIRECT.GET."));
        call->wanted = true;
        desk->due++;
    }
    struct bus_message m = {
        .subject = slice_make(subject, sizeof API - 1 + name.len), .reply = reply, .payload = body};
    unsigned receivers = bus_publish(house_last(desk->house), &m, NULL, NULL);
    if (call && receivers == 0) { /* an empty token: nobody hears it */
        check(call->answers == 0);
        call->wanted = false;
        desk->due--;
    }
}

static void request_for(struct desk *desk, slice line) {
    slice rest, reply = slice_cut(line, ' ', &rest);
    if (is_sendable(reply) && !slice_starts_with(reply, slice_lit("_R.")) && rest.len)
        request(desk, rest, reply);
}

static bool is_captured(struct desk *desk, slice subject) {
    for (struct stream *s = NULL;
         (s = stream_next(desk->house->streams, s ? stream_config(s)->name : (slice){0}));) {
        const struct stream_config *config = stream_config(s);
        for (unsigned i = 0; i < config->subject_count; i++)
            if (nats_subject_match(subject, config->subjects[i]))
                return !config->no_ack;
    }
    return false;
}

static slice write_fields(slice text, struct buf *out) {
    int failed = text.len ? nats_headers_begin(out, 0, (slice){0}) : -EINVAL;
    while (!failed && text.len) {
        slice value, key = slice_cut(slice_cut(text, ';', &text), ':', &value);
        failed = nats_headers_add(out, key, value);
    }
    return failed || nats_headers_end(out) ? (slice){0} : buf_slice(out);
}

static void publish(struct desk *desk, slice line) {
    char text[NUMBER_TEXT_MAX + 3];
    slice rest, payload, subject = slice_cut(line, ' ', &rest);
    slice fields = slice_cut(rest, '|', &payload);
    if (!is_sendable(subject) || subject.ptr[0] == '$' ||
        slice_starts_with(subject, slice_lit("_R.")))
        return;
    struct buf headers = buf_make(64 << 10);
    bool is_sure = desk->due == 0; /* no stream is being changed */
    struct call *call = &desk->calls[desk->call_count];
    struct bus_message m = {.subject = subject, .reply = new_reply(desk, text)};
    m.headers = write_fields(fields, &headers);
    m.payload = payload;
    call->is_publish = true;
    call->wanted = is_sure && is_captured(desk, subject);
    desk->due += call->wanted;
    bus_publish(house_last(desk->house), &m, NULL, NULL);
    buf_free(&headers);
}

static void acknowledge(struct desk *desk, slice body) {
    if (desk->given_count == 0)
        return;
    const struct given *given = &desk->given[desk->given_first];
    struct bus_message m = {.subject = slice_make(given->text, given->len),
                            .reply = slice_lit("_M.2"),
                            .payload = body};
    desk->given_first = (desk->given_first + 1) % GIVEN_MAX;
    desk->given_count--;
    bus_publish(house_last(desk->house), &m, NULL, NULL);
}

static void step(struct desk *desk, slice line) {
    slice rest = slice_skip(line, 1);
    uint64_t ms;
    switch (line.ptr[0]) {
    case '&':
        request(desk, rest, (slice){0});
        break;
    case '@':
        request_for(desk, rest);
        break;
    case '>':
        publish(desk, rest);
        break;
    case '=':
        acknowledge(desk, rest);
        break;
    case '~':
        if (number_parse_u64(rest, &ms) == 0)
            house_run(desk->house, (ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS) * SIM_MILLISECOND);
        break;
    case '!':
        restart(desk, true);
        break;
    case '#':
        restart(desk, false);
        break;
    default:
        request(desk, line, (slice){0});
        settle(desk);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct desk desk;
    slice rest = slice_make(data, size);
    memset(&desk, 0, sizeof desk);
    desk.house = house_open(1, 1);
    desk_rise(&desk);
    for (unsigned i = 0; i < STEPS_MAX && rest.len; i++) {
        slice line = slice_cut(rest, '\n', &rest);
        if (line.len)
            step(&desk, line);
    }
    stop_at_once(&desk);
    house_close(desk.house);
    return 0;
}
