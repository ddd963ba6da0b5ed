/*
 * stream_reader.c - see stream_reader.h.
 *
 * All answers to pulls come to `_NONET.read.<random>.<reader>`, one wildcard subscription a loop. A
 * reader that begins anew takes another number, so what comes late for its old consumer finds
 * nobody. Where a message stands is told by its acknowledgement address,
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer
 * sequence>.<time>.<pending>`.
 */
#include "rooms/gateway/stream_reader.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/number.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdio.h>

#define SECOND_NS 1000000000ull
#define ASK_TIMEOUT_NS (3 * SECOND_NS)
#define AGAIN_NS SECOND_NS
#define PULL_EXPIRES_NS (30 * SECOND_NS)
#define PULL_HEARTBEAT_NS (5 * SECOND_NS)
#define WATCH_NS (4 * SECOND_NS)
#define SILENCE_MAX_NS (12 * SECOND_NS) /* of a consumer that beats */
/* After which the engine removes a consumer: longer than a pull waits, for the two may end at once.
 */
#define INACTIVE_NS (2 * PULL_EXPIRES_NS)
#define LOW_WATER (STREAM_READER_BATCH / 4)
#define INBOX_RANDOM 10u
#define SUBJECT_ROOM 400u
#define READERS_MAX (1u << 20)
#define ACK_TOKENS 9u

static void open_consumer(struct stream_reader *r);

static struct io_loop *loop_of(const struct stream_reader *r) {
    return bus_loop(r->inbox->bus);
}

static slice print(char *out, size_t size, const char *format, ...) printf_like(3, 4);
static slice print(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    check(len >= 0 && (size_t)len < size);
    return slice_make(out, (size_t)len);
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Takes its number away, so that nothing more comes, and tells the engine. */
static void leave_consumer(struct stream_reader *r) {
    struct bus *bus = r->inbox->bus;
    if (r->opening)
        bus_request_cancel(bus, r->opening);
    r->opening = NULL;
    map64_remove(&r->inbox->readers, r->id);
    r->wanted = 0;
    r->open = false;
    if (!r->consumer[0])
        return;
    char text[SUBJECT_ROOM];
    slice subject = print(text, sizeof text, "$JS.API.CONSUMER.DELETE.%.*s.%s",
                          slice_fmt(r->stream), r->consumer);
    bus_publish(bus, &(struct bus_message){.subject = subject}, NULL, NULL);
    r->consumer[0] = '\0';
}

void stream_reader_close(struct stream_reader *r) {
    if (!r->inbox)
        return;
    io_timer_stop(loop_of(r), &r->watch);
    leave_consumer(r);
    r->inbox = NULL;
}

static void lose(struct stream_reader *r) {
    stream_reader_close(r);
    r->events->on_lost(r);
}

static void on_again(struct io_timer *timer) {
    open_consumer(container_of(timer, struct stream_reader, watch));
}

/* Something is amiss: once more, from where it is. Only a follower is that patient: whoever pulls
   has somebody who waits. */
static void begin_anew(struct stream_reader *r, uint64_t pause_ns) {
    leave_consumer(r);
    if (++r->failures > STREAM_READER_FAILURES_MAX || (!r->follows && r->failures > 1))
        lose(r);
    else
        io_timer_start(loop_of(r), &r->watch, pause_ns, on_again);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void send_pull(struct stream_reader *r, slice body) {
    char subject[SUBJECT_ROOM], reply[sizeof r->inbox->prefix + NUMBER_TEXT_MAX];
    struct bus_message message = {
        .subject = print(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%.*s.%s",
                         slice_fmt(r->stream), r->consumer),
        .reply = print(reply, sizeof reply, "%s%llu", r->inbox->prefix, (unsigned long long)r->id),
        .payload = body,
    };
    bus_publish(r->inbox->bus, &message, NULL, NULL); /* unheard: the silence tells */
}

static void on_watch(struct io_timer *timer) {
    struct stream_reader *r = container_of(timer, struct stream_reader, watch);
    uint64_t silence = io_loop_now_ns(loop_of(r)) - r->heard_ns;
    if (silence > SILENCE_MAX_NS)
        begin_anew(r, AGAIN_NS);
    else
        io_timer_start(loop_of(r), timer, WATCH_NS, on_watch);
}

static void ask_for_more(struct stream_reader *r) {
    char body[128];
    r->wanted += STREAM_READER_BATCH;
    send_pull(r, print(body, sizeof body, "{\"batch\":%u,\"expires\":%llu,\"idle_heartbeat\":%llu}",
                       STREAM_READER_BATCH, PULL_EXPIRES_NS, PULL_HEARTBEAT_NS));
}

void stream_reader_follow(struct stream_reader *r) {
    check(r->open && r->wanted == 0);
    r->follows = true;
    r->heard_ns = io_loop_now_ns(loop_of(r));
    io_timer_start(loop_of(r), &r->watch, WATCH_NS, on_watch);
    ask_for_more(r);
}

static void pull(struct stream_reader *r, unsigned count, uint64_t bytes) {
    char body[128], limit[48] = "";
    if (bytes)
        print(limit, sizeof limit, ",\"max_bytes\":%llu", (unsigned long long)bytes);
    r->wanted = count;
    r->bytes_limited = bytes > 0;
    r->bytes_left = bytes;
    r->heard_ns = io_loop_now_ns(loop_of(r));
    io_timer_start(loop_of(r), &r->watch, WATCH_NS, on_watch);
    send_pull(r, print(body, sizeof body, "{\"batch\":%u,\"no_wait\":true%s}", count, limit));
}

void stream_reader_pull(struct stream_reader *r, unsigned count, uint64_t bytes) {
    check(r->open && r->wanted == 0 && !r->follows && count > 0 && bytes > 0);
    r->got_some = false;
    pull(r, count, bytes);
}

static void batch_over(struct stream_reader *r, bool end) {
    io_timer_stop(loop_of(r), &r->watch);
    r->wanted = 0;
    r->events->on_batch(r, end);
}

/* --- what comes --------------------------------------------------------------------------------
 */

/* The numbers of an acknowledgement address; newer engines put a domain and an account before the
   stream, and a random token behind the rest. */
struct place {
    uint64_t deliveries, stream, consumer;
};

static bool read_place(slice reply, struct place *ret_place) {
    size_t tokens = nats_subject_tokens(reply);
    size_t first = tokens == ACK_TOKENS ? 4 : 6;
    uint64_t *const into[] = {&ret_place->deliveries, &ret_place->stream, &ret_place->consumer};
    slice rest = reply, token;
    if (tokens < ACK_TOKENS || !slice_starts_with(reply, slice_lit("$JS.ACK.")))
        return false;
    for (size_t i = 0; nats_subject_next(&rest, &token) && i < first + array_count(into); i++)
        if (i >= first && number_parse_u64(token, into[i - first]))
            return false;
    return true;
}

static void take_message(struct stream_reader *r, const struct bus_message *message) {
    struct place place;
    if (!read_place(message->reply, &place) || r->wanted == 0 ||
        place.consumer != r->delivered + 1 || place.stream < r->from) {
        begin_anew(r, 0);
        return;
    }
    uint64_t size =
        message->subject.len + message->reply.len + message->headers.len + message->payload.len;
    r->delivered = place.consumer;
    r->from = place.stream + 1;
    r->wanted--;
    r->got_some = true;
    r->failures = 0;
    r->bytes_left -= size < r->bytes_left ? size : r->bytes_left;
    bool over = !r->follows && (r->wanted == 0 || (r->bytes_limited && r->bytes_left == 0));
    uint64_t id = r->id;
    struct stream_inbox *inbox = r->inbox;
    r->events->on_message(r, place.stream, message);
    if (map64_find(&inbox->readers, id) != r)
        return; /* closed meanwhile */
    if (over)
        batch_over(r, false);
    else if (r->follows && r->wanted <= LOW_WATER)
        ask_for_more(r);
}

/* Statuses of pulls: see bus/consumer_pull.c. */
static void take_status(struct stream_reader *r, const struct nats_status *status) {
    slice text;
    uint64_t left = 0;
    bool tells = nats_headers_get(status->fields, slice_lit("Nats-Pending-Messages"), &text) &&
                 number_parse_u64(text, &left) == 0;
    if (status->code == 100 || (status->code == 409 && tells && left == 0))
        return; /* "Batch Completed": its last message has ended it already */
    if (r->follows && status->code == 408 && tells) {
        r->wanted -= left < r->wanted ? (unsigned)left : r->wanted;
        if (r->wanted <= LOW_WATER)
            ask_for_more(r);
    } else if (r->follows) {
        begin_anew(r, AGAIN_NS);
    } else if (status->code == 404 || status->code == 408) {
        batch_over(r, true);
    } else if (tells && !r->got_some) {
        pull(r, 1, 0); /* the next one is larger than all that was asked for */
    } else if (tells) {
        batch_over(r, false);
    } else {
        begin_anew(r, 0);
    }
}

static void on_message(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message) {
    (void)subscription;
    struct stream_inbox *inbox = owner;
    slice number = slice_skip(bus_message_route(message), inbox->prefix_len);
    struct nats_status status;
    uint64_t id;
    struct stream_reader *r =
        number_parse_u64(number, &id) == 0 ? map64_find(&inbox->readers, id) : NULL;
    if (!r || !r->open)
        return;
    r->heard_ns = io_loop_now_ns(loop_of(r));
    if (!message->reply.len && message->headers.len &&
        nats_headers_parse(message->headers, &status) == 0 && status.code)
        take_status(r, &status);
    else
        take_message(r, message);
}

/* --- a consumer --------------------------------------------------------------------------------
 */

static bool read_created(struct stream_reader *r, slice payload, int64_t *ret_code,
                         uint64_t *ret_before) {
    struct json_doc *doc = &r->inbox->doc;
    slice name;
    *ret_code = 0;
    if (json_parse(doc, payload) ||
        json_i64(json_path(json_root(doc), "error.code"), ret_code) == 0)
        return false;
    return json_string(json_member(json_root(doc), slice_lit("name")), &name) == 0 &&
           slice_to_string(name, r->consumer, sizeof r->consumer) == 0 && name.len > 0 &&
           json_u64(json_path(json_root(doc), "delivered.stream_seq"), ret_before) == 0;
}

static void on_created(void *owner, const struct bus_message *reply, int ended) {
    struct stream_reader *r = owner;
    int64_t code;
    uint64_t before;
    if (!reply) {
        r->opening = NULL;
        if (ended)
            begin_anew(r, AGAIN_NS);
        return;
    }
    bus_request_cancel(r->inbox->bus, r->opening);
    r->opening = NULL;
    if (!read_created(r, reply->payload, &code, &before)) {
        r->consumer[0] = '\0';
        if (code == 404)
            lose(r);
        else
            begin_anew(r, AGAIN_NS);
        return;
    }
    r->open = true;
    r->delivered = 0;
    r->from = before + 1;
    r->events->on_open(r, before + 1);
}

static int write_config(const struct stream_reader *r, struct buf *text) {
    struct json_writer w = json_writer_make(text, false);
    json_write_object(&w);
    json_write_key(&w, "stream_name");
    json_write_string(&w, r->stream);
    json_write_key(&w, "config");
    json_write_object(&w);
    json_write_key(&w, "deliver_policy");
    json_write_text(&w, r->from ? "by_start_sequence" : "new");
    if (r->from) {
        json_write_key(&w, "opt_start_seq");
        json_write_u64(&w, r->from);
    }
    json_write_key(&w, "ack_policy");
    json_write_text(&w, "none");
    json_write_key(&w, "replay_policy");
    json_write_text(&w, "instant");
    json_write_key(&w, "mem_storage");
    json_write_bool(&w, true);
    json_write_key(&w, "inactive_threshold");
    json_write_u64(&w, INACTIVE_NS);
    if (r->filter.len) {
        json_write_key(&w, "filter_subject");
        json_write_string(&w, r->filter);
    }
    json_write_end(&w);
    json_write_end(&w);
    return json_write_finish(&w);
}

static int ask_for_consumer(struct stream_reader *r) {
    _cleanup_buf_ struct buf body = buf_make(BUS_SUBJECT_MAX * 6u + 1024u);
    char subject[SUBJECT_ROOM];
    int failed = write_config(r, &body);
    struct bus_request_options options = {
        .message = {.subject = print(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.%.*s",
                                     slice_fmt(r->stream)),
                    .payload = buf_slice(&body)},
        .timeout_ns = ASK_TIMEOUT_NS,
        .on_reply = on_created,
        .owner = r,
    };
    return failed ? failed : bus_request(r->inbox->bus, &options, &r->opening);
}

static int take_number(struct stream_reader *r) {
    r->id = ++r->inbox->last_id;
    return map64_add(&r->inbox->readers, r->id, r);
}

static void open_consumer(struct stream_reader *r) {
    if (take_number(r) || ask_for_consumer(r))
        begin_anew(r, AGAIN_NS);
}

int stream_reader_open(struct stream_reader *r, struct stream_inbox *inbox,
                       const struct stream_reader_events *events, slice stream, slice filter,
                       uint64_t from) {
    *r = (struct stream_reader){
        .inbox = inbox, .events = events, .stream = stream, .filter = filter, .from = from};
    int failed = take_number(r);
    if (!failed)
        failed = ask_for_consumer(r);
    if (failed)
        stream_reader_close(r);
    return failed;
}

/* --- the inbox ---------------------------------------------------------------------------------
 */

int stream_inbox_open(struct stream_inbox *inbox, struct bus *bus) {
    static const struct bus_receiver receiver = {on_message};
    struct io_host *host = io_loop_host(bus_loop(bus));
    unsigned char random[INBOX_RANDOM];
    char digits[INBOX_RANDOM * 2 + 1] = "", pattern[sizeof inbox->prefix + 1];
    uint64_t seed;
    io_host_random(host, random, sizeof random);
    io_host_random(host, &seed, sizeof seed);
    hex_encode(slice_make(random, sizeof random), digits);
    *inbox = (struct stream_inbox){.bus = bus, .readers = map64_make(seed, READERS_MAX)};
    json_init(&inbox->doc);
    slice prefix = print(inbox->prefix, sizeof inbox->prefix, "_NONET.read.%s.", digits);
    inbox->prefix_len = prefix.len;
    slice subject = print(pattern, sizeof pattern, "%s*", inbox->prefix);
    return bus_subscribe(bus, subject, (slice){0}, &receiver, inbox, NULL, &inbox->subscription);
}

void stream_inbox_close(struct stream_inbox *inbox) {
    if (!inbox->subscription)
        return;
    check(map64_count(&inbox->readers) == 0);
    inbox->subscription = bus_unsubscribe(inbox->bus, inbox->subscription);
    map64_free(&inbox->readers);
    json_free(&inbox->doc);
}
