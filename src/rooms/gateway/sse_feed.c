/*
 * sse_feed.c - the life of a feed: looked up, opened, looked up again, ended (sse_feed.h).
 *
 *     for each subject: STREAM.NAMES {subject} --> none, several, another one: PLAIN
 *     STREAM.INFO of the one --> its subjects do not have all of ours: PLAIN
 *     STREAM: the tail follows   PLAIN: subscriptions, and a fence   --> clients are answered
 *
 * Only then is anybody answered 200, so that what is published after the head of an answer comes is
 * in it.
 */
#include "rooms/gateway/sse_feed.h"

#include "base/mem.h"
#include "wire/json_write.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdio.h>

#define SECOND_NS 1000000000ull
#define LOOK_TIMEOUT_NS (3 * SECOND_NS)
#define LOOK_AGAIN_NS (60 * SECOND_NS)
#define LINGER_NS (5 * SECOND_NS)
#define BEAT_NS (15 * SECOND_NS)
#define PROBE_NS SECOND_NS /* the same for a client that may have gone */
#define RETRY_MS_MIN 1000u /* after which a client comes back: not all at once */
#define RETRY_MS_SPREAD 2000u
#define ASK_ROOM (SSE_STREAM_ROOM + 32u)

static const struct metrics_family clients_family = {
    .name = "nonet_gateway_sse_clients",
    .help = "Clients that are being sent events",
    .kind = METRICS_GAUGE,
};
static const struct metrics_family events_family = {
    .name = "nonet_gateway_sse_events_total",
    .help = "Events sent to clients",
    .kind = METRICS_COUNTER,
};
static const struct metrics_family dropped_family = {
    .name = "nonet_gateway_sse_dropped_total",
    .help = "Events that clients were too slow for, of subjects without a stream",
    .kind = METRICS_COUNTER,
};

static struct io_loop *loop_of(const struct sse_shard *shard) {
    return shard->gateway->shard->loop;
}

static struct bus *bus_of(const struct sse_feed *feed) {
    return feed->shard->gateway->shard->bus;
}

bool sse_feed_has(const struct sse_feed *feed, slice subject) {
    if (feed->subject_count == 1)
        return true; /* it is the filter, or the subscription */
    for (unsigned i = 0; i < feed->subject_count; i++)
        if (nats_subject_match(subject, feed->subjects[i]))
            return true;
    return false;
}

/* --- clients -----------------------------------------------------------------------------------
 */

static void refuse(struct exchange *x, const char *reason) {
    exchange_problem(x, 503, reason, "the events cannot be read at the moment");
}

void sse_end(struct sse_client *client, const char *reason) {
    struct exchange *x = client->x;
    bool begun = client->begun;
    sse_leave(client);
    if (begun) {
        x->reason = reason;
        exchange_end(x, NULL, 0);
    } else {
        refuse(x, reason);
    }
}

static void say_a_word(struct sse_client *client) {
    if (!client->blocked && exchange_write(client->x, slice_lit(":\n\n")) == 0)
        client->wrote_ns = io_loop_now_ns(loop_of(client->feed->shard));
}

/* Rights may have changed by a reload; a word keeps what lies between from thinking us dead. */
static void on_beat(struct io_timer *timer) {
    struct sse_client *client = container_of(timer, struct sse_client, beat);
    const struct exchange *x = client->x;
    struct io_loop *loop = loop_of(client->feed->shard);
    if (x->rights && !principal_still_in(x->rights, x->shard->auth)) {
        sse_end(client, "rights changed");
        return;
    }
    uint64_t every = client->ended ? PROBE_NS : BEAT_NS;
    if (io_loop_now_ns(loop) - client->wrote_ns >= every)
        say_a_word(client);
    io_timer_start(loop, timer, every, on_beat);
}

void sse_client_ended(struct sse_client *client) {
    client->ended = true;
    if (!client->begun)
        return;
    say_a_word(client);
    io_timer_start(loop_of(client->feed->shard), &client->beat, PROBE_NS, on_beat);
}

static void begin(struct sse_client *client) {
    static const struct http1_field fields[] = {
        {{"Cache-Control", 13}, {"no-store", 8}},
        {{"X-Accel-Buffering", 17}, {"no", 2}},
    };
    static const struct http_answer answer = {.status = 200,
                                              .type = "text/event-stream",
                                              .fields = fields,
                                              .field_count = array_count(fields)};
    struct exchange *x = client->x;
    struct sse_shard *shard = client->feed->shard;
    char text[32];
    unsigned retry = RETRY_MS_MIN + (unsigned)(random_u64(&x->shard->random) % RETRY_MS_SPREAD);
    if (exchange_begin(x, &answer)) {
        sse_end(client, "no memory");
        return;
    }
    client->begun = true;
    metrics_gauge_add(shard->gateway->shard->metrics, shard->clients, 1);
    int len = snprintf(text, sizeof text, "retry: %u\n\n", retry);
    client->wrote_ns = io_loop_now_ns(loop_of(shard));
    io_timer_start(loop_of(shard), &client->beat, client->ended ? PROBE_NS : BEAT_NS, on_beat);
    if (exchange_write(x, slice_make(text, (size_t)len)) == -ENOMEM)
        sse_end(client, "no memory");
    else
        sse_place(client);
}

static void on_life(struct io_timer *timer);

void sse_leave(struct sse_client *client) {
    struct sse_feed *feed = client->feed;
    struct sse_shard *shard = feed->shard;
    io_timer_stop(loop_of(shard), &client->beat);
    sse_unplace(client);
    if (client->begun)
        metrics_gauge_add(shard->gateway->shard->metrics, shard->clients, -1);
    if (--feed->clients == 0)
        io_timer_start(loop_of(shard), &feed->life, feed->state == SSE_OVER ? 0 : LINGER_NS,
                       on_life);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void quieten(struct sse_feed *feed) {
    struct bus *bus = bus_of(feed);
    if (feed->look.asking)
        bus_request_cancel(bus, feed->look.asking);
    feed->look.asking = NULL;
    for (unsigned i = 0; i < feed->subject_count; i++)
        feed->subscriptions[i] = bus_unsubscribe(bus, feed->subscriptions[i]);
    bus_fence_cancel(bus, feed);
    io_timer_stop(loop_of(feed->shard), &feed->pump_again);
    io_defer_cancel(loop_of(feed->shard), &feed->pump);
}

static void feed_free(struct sse_feed *feed) {
    check(feed->clients == 0);
    quieten(feed);
    io_timer_stop(loop_of(feed->shard), &feed->life);
    if (feed->state == SSE_OVER)
        list_remove(&feed->node);
    else
        map_remove(&feed->shard->feeds, feed->key);
    sse_sources_close(feed);
    mem_free(feed);
}

static void end_all(struct list *clients, const char *reason) {
    while (!list_empty(clients))
        sse_end(container_of(clients->head.next, struct sse_client, node), reason);
}

static void end_all_of(struct sse_source *source, const char *reason) {
    end_all(&source->ready, reason);
    end_all(&source->rest, reason);
    end_all(&source->blocked, reason);
}

void sse_feed_over(struct sse_feed *feed, const char *reason) {
    check(feed->state != SSE_OVER);
    map_remove(&feed->shard->feeds, feed->key);
    list_push_back(&feed->shard->over, &feed->node);
    feed->state = SSE_OVER;
    quieten(feed);
    io_timer_start(loop_of(feed->shard), &feed->life, 0, on_life);
    end_all(&feed->looking, reason);
    end_all(&feed->waiting, reason);
    end_all(&feed->blocked, reason);
    end_all_of(&feed->tail, reason);
    struct list_node *at, *following;
    list_each(&feed->catch_ups, at, following)
        end_all_of(container_of(at, struct sse_source, node), reason);
}

/* --- opening -----------------------------------------------------------------------------------
 */

void sse_feed_opened(struct sse_feed *feed, enum sse_feed_state state) {
    struct list_node *at;
    feed->state = state;
    io_timer_start(loop_of(feed->shard), &feed->life, feed->clients ? LOOK_AGAIN_NS : LINGER_NS,
                   on_life);
    while ((at = list_first(&feed->looking))) {
        list_remove(at);
        begin(container_of(at, struct sse_client, node));
    }
}

static void on_message(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message) {
    struct sse_feed *feed = owner;
    for (unsigned i = 0; feed->subscriptions[i] != subscription; i++)
        if (nats_subject_match(message->subject, feed->subjects[i]))
            return; /* it comes by an earlier one, too */
    sse_tail_take(feed, message);
}

static void on_fence(void *self, uint64_t id) {
    (void)id;
    sse_feed_opened(self, SSE_PLAIN);
}

static int subscribe(struct sse_feed *feed) {
    static const struct bus_receiver receiver = {on_message};
    int failed = 0;
    for (unsigned i = 0; i < feed->subject_count && !failed; i++)
        failed = bus_subscribe(bus_of(feed), feed->subjects[i], (slice){0}, &receiver, feed, NULL,
                               &feed->subscriptions[i]);
    return failed ? failed : bus_fence(bus_of(feed), on_fence, feed, 0);
}

/* --- looking -----------------------------------------------------------------------------------
 */

static void look_failed(struct sse_feed *feed) {
    if (feed->state == SSE_LOOKING)
        sse_feed_over(feed, "no word of streams");
}

/* look.stream is the one, or empty: none. */
static void conclude(struct sse_feed *feed) {
    if (feed->state != SSE_LOOKING) {
        if (strcmp(feed->look.stream, feed->stream) != 0)
            sse_feed_over(feed, "another stream");
        return;
    }
    memcpy(feed->stream, feed->look.stream, sizeof feed->stream);
    if (feed->stream[0] ? sse_tail_follow(feed) : subscribe(feed))
        sse_feed_over(feed, "no memory");
}

static void none(struct sse_feed *feed) {
    feed->look.stream[0] = '\0';
    conclude(feed);
}

static int ask(struct sse_feed *feed, slice subject, slice body,
               void (*on_reply)(void *, const struct bus_message *, int)) {
    struct bus_request_options options = {
        .message = {.subject = subject, .payload = body},
        .timeout_ns = LOOK_TIMEOUT_NS,
        .on_reply = on_reply,
        .owner = feed,
    };
    return bus_request(bus_of(feed), &options, &feed->look.asking);
}

/* The answer at hand, the request done with; absent where there is none. Where nobody has streams
   at all that is an answer, too: *RET_NOBODY. */
static json_value answer_of(struct sse_feed *feed, const struct bus_message *reply, int ended,
                            bool *ret_nobody) {
    struct json_doc *doc = &feed->shard->inbox.doc;
    *ret_nobody = !reply && ended == -EHOSTUNREACH;
    if (reply)
        bus_request_cancel(bus_of(feed), feed->look.asking);
    feed->look.asking = NULL;
    if (!reply || json_parse(doc, reply->payload) ||
        json_type_of(json_path(json_root(doc), "error")) != JSON_ABSENT)
        return (json_value){0};
    return json_root(doc);
}

/* Does the stream with SUBJECTS have all of SUBJECT? */
static bool covers(json_value subjects, slice subject) {
    struct json_iterator i = json_each(subjects);
    slice one;
    while (json_next(&i))
        if (json_string(i.value, &one) == 0 && nats_subject_is_subset(subject, one))
            return true;
    return false;
}

static bool is_whole(const struct sse_feed *feed, json_value subjects) {
    struct json_iterator i = json_each(subjects);
    slice one;
    while (json_next(&i)) {
        bool ours = false;
        for (unsigned k = 0; k < feed->subject_count && !ours; k++)
            ours =
                json_string(i.value, &one) == 0 && nats_subject_is_subset(one, feed->subjects[k]);
        if (!ours)
            return false;
    }
    return true;
}

static void on_info(void *owner, const struct bus_message *reply, int ended) {
    struct sse_feed *feed = owner;
    bool nobody;
    json_value answer = answer_of(feed, reply, ended, &nobody);
    if (json_type_of(answer) == JSON_ABSENT) {
        look_failed(feed);
        return;
    }
    json_value subjects = json_path(answer, "config.subjects");
    for (unsigned i = 0; i < feed->subject_count; i++)
        if (!covers(subjects, feed->subjects[i])) {
            none(feed);
            return;
        }
    feed->whole = is_whole(feed, subjects);
    conclude(feed);
}

static void ask_names(struct sse_feed *feed);

static void on_names(void *owner, const struct bus_message *reply, int ended) {
    struct sse_feed *feed = owner;
    struct sse_look *look = &feed->look;
    char subject[ASK_ROOM], name[SSE_STREAM_ROOM];
    bool nobody;
    slice text;
    json_value answer = answer_of(feed, reply, ended, &nobody);
    json_value names = json_member(answer, slice_lit("streams"));
    if (json_type_of(answer) == JSON_ABSENT && !nobody) {
        look_failed(feed);
    } else if (json_count(names) != 1 || json_string(json_element(names, 0), &text) ||
               slice_to_string(text, name, sizeof name) ||
               (look->subject > 0 && strcmp(name, look->stream) != 0)) {
        none(feed);
    } else {
        memcpy(look->stream, name, sizeof name);
        if (++look->subject < feed->subject_count) {
            ask_names(feed);
            return;
        }
        int len = snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", look->stream);
        if (ask(feed, slice_make(subject, (size_t)len), (slice){0}, on_info))
            look_failed(feed);
    }
}

static void ask_names(struct sse_feed *feed) {
    _cleanup_buf_ struct buf body = buf_make(BUS_SUBJECT_MAX * 6u + 64u);
    struct json_writer w = json_writer_make(&body, false);
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, feed->subjects[feed->look.subject]);
    json_write_end(&w);
    if (json_write_finish(&w) ||
        ask(feed, slice_lit("$JS.API.STREAM.NAMES"), buf_slice(&body), on_names))
        look_failed(feed);
}

static void look(struct sse_feed *feed) {
    feed->look.subject = 0;
    ask_names(feed);
}

static void on_life(struct io_timer *timer) {
    struct sse_feed *feed = container_of(timer, struct sse_feed, life);
    if (feed->clients == 0) {
        feed_free(feed);
        return;
    }
    io_timer_start(loop_of(feed->shard), timer, LOOK_AGAIN_NS, on_life);
    if (feed->state == SSE_LOOKING || feed->state == SSE_OVER || feed->look.asking)
        return;
    sse_tail_rest(feed);
    look(feed);
}

/* --- making ------------------------------------------------------------------------------------
 */

/* The tokens that all subjects begin with, and ">"; empty: there are none. The whole of a single
   subject. Consumers have one filter (NATS 2.9). */
static slice filter_of(const struct sse_feed *feed, char *out) {
    slice first = feed->subjects[0], rest, token;
    size_t len = 0;
    if (feed->subject_count == 1)
        return first;
    rest = first;
    while (nats_subject_next(&rest, &token) && rest.ptr) {
        size_t end = (size_t)(token.ptr - first.ptr) + token.len;
        bool common = !nats_subject_has_wildcard(token);
        for (unsigned i = 1; i < feed->subject_count && common; i++)
            common = feed->subjects[i].len > end + 1 &&
                     slice_starts_with(feed->subjects[i], slice_take(first, end + 1));
        if (!common)
            break;
        len = end + 1;
    }
    if (len == 0)
        return (slice){0};
    memcpy(out, first.ptr, len);
    out[len] = '>';
    return slice_make(out, len + 1);
}

static struct sse_feed *feed_new(struct sse_shard *shard, slice key, const slice *subjects,
                                 unsigned count) {
    struct sse_feed *feed = mem_zalloc(1, sizeof *feed + key.len * 3 + 2);
    if (!feed)
        return NULL;
    char *at = feed->text;
    feed->shard = shard;
    feed->key = slice_store(&at, key);
    feed->subject_count = count;
    for (unsigned i = 0; i < count; i++)
        feed->subjects[i] = slice_store(&at, subjects[i]);
    feed->filter = filter_of(feed, at);
    feed->pump.run = sse_pump;
    sse_source_init(&feed->tail, feed, true);
    list_init(&feed->catch_ups);
    list_init(&feed->looking);
    list_init(&feed->waiting);
    list_init(&feed->blocked);
    list_node_init(&feed->node);
    return feed;
}

static slice key_of(const slice *subjects, unsigned count, struct arena *arena) {
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += subjects[i].len + 1;
    char *text = arena_alloc(arena, len), *at = text;
    for (unsigned i = 0; text && i < count; i++) {
        slice_store(&at, subjects[i]);
        *at++ = '\n'; /* stands in no subject */
    }
    return slice_make(text, len);
}

static int feed_make(struct sse_shard *shard, slice key, const slice *subjects, unsigned count,
                     struct sse_feed **ret_feed) {
    int failed = shard->inbox.subscription
                     ? 0
                     : stream_inbox_open(&shard->inbox, shard->gateway->shard->bus);
    if (failed)
        return failed;
    *ret_feed = feed_new(shard, key, subjects, count);
    if (!*ret_feed)
        return -ENOMEM;
    failed = map_add(&shard->feeds, (*ret_feed)->key, *ret_feed);
    if (failed)
        mem_free(*ret_feed);
    return failed;
}

int sse_join(struct sse_shard *shard, const slice *subjects, unsigned count,
             struct sse_client *client) {
    slice key = key_of(subjects, count, exchange_arena(client->x));
    if (!key.ptr)
        return -ENOMEM;
    struct sse_feed *feed = map_find(&shard->feeds, key);
    bool fresh = !feed;
    int failed = fresh ? feed_make(shard, key, subjects, count, &feed) : 0;
    if (failed)
        return failed;
    client->feed = feed;
    client->source = NULL;
    list_node_init(&client->node);
    if (feed->clients++ == 0 && !fresh && feed->state != SSE_LOOKING)
        io_timer_start(loop_of(shard), &feed->life, LOOK_AGAIN_NS, on_life);
    if (feed->state != SSE_LOOKING) {
        begin(client);
        return 0;
    }
    list_push_back(&feed->looking, &client->node);
    if (fresh)
        look(feed);
    return 0;
}

/* --- a loop's share ----------------------------------------------------------------------------
 */

int sse_shard_open(struct gateway_shard *gateway, struct sse_shard **ret_shard) {
    struct sse_shard *shard = mem_zalloc(1, sizeof *shard);
    struct metrics *metrics = gateway->gateway->node->metrics;
    struct hash_key key;
    if (!shard)
        return -ENOMEM;
    io_host_random(gateway->gateway->node->host, &key, sizeof key);
    shard->gateway = gateway;
    shard->feeds = map_make(key, SSE_FEEDS_MAX);
    list_init(&shard->over);
    metrics_add_series(metrics, &clients_family, NULL, &shard->clients);
    metrics_add_series(metrics, &events_family, NULL, &shard->events);
    metrics_add_series(metrics, &dropped_family, NULL, &shard->dropped);
    *ret_shard = shard;
    return 0;
}

void sse_shard_close(struct sse_shard *shard) {
    const struct map_entry *entry;
    if (!shard)
        return;
    for (size_t at = 0; (entry = map_next(&shard->feeds, &at));)
        feed_free(entry->value);
    while (!list_empty(&shard->over))
        feed_free(container_of(shard->over.head.next, struct sse_feed, node));
    stream_inbox_close(&shard->inbox);
    map_free(&shard->feeds);
    mem_free(shard);
}
