/*
 * sse_source.c - tail, catch-ups and the pump (sse_source.h).
 *
 * A catch-up is settled by the pump, never by a callback of its reader, so that nothing is freed
 * under a caller's feet:
 *
 *     on_open --> pull --> on_batch --> (a gap? ask) --> filled --pump: all written--> settle
 *                  ^                                                                     |
 *                  '-- clients left, tail not reached -----------------------------------'
 *
 * Who does not read is put aside at the end of a batch and needs a new catch-up later; so a
 * catch-up never waits, and the slow do not hold up the others.
 */
#include "rooms/gateway/sse_feed.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define PUMP_CLIENTS_MAX 256u /* a turn, of the tail and of catch-ups each */
#define CROWDED_NS 50000000ull
#define SETTLE_NS 2000000ull
#define INFO_TIMEOUT_NS 3000000000ull

static struct io_loop *loop_of(const struct sse_feed *feed) {
    return feed->shard->gateway->shard->loop;
}

static void pump_soon(struct sse_feed *feed) {
    io_defer(loop_of(feed), &feed->pump);
}

static void place_in(struct sse_client *client, struct sse_source *source, struct list *list) {
    client->source = source;
    source->clients++;
    list_push_back(list, &client->node);
}

void sse_unplace(struct sse_client *client) {
    list_remove(&client->node);
    if (client->source) {
        client->source->clients--;
        if (!client->source->tail)
            pump_soon(client->feed); /* the last one's catch-up goes */
    }
    client->source = NULL;
}

static void wait_for_source(struct sse_client *client) {
    sse_unplace(client);
    list_push_back(client->blocked ? &client->feed->blocked : &client->feed->waiting,
                   &client->node);
}

/* --- clients -----------------------------------------------------------------------------------
 */

static void cut(struct sse_client *client) {
    struct exchange *x = client->x;
    sse_leave(client);
    exchange_break(x, "no memory");
}

/* CLIENT is in no list, but counted by its source. */
static void file(struct sse_client *client, enum sse_took took) {
    struct sse_source *source = client->source;
    switch (took) {
    case SSE_TOOK_ALL:
        list_push_back(&source->rest, &client->node);
        return;
    case SSE_TOOK_SOME:
        list_push_back(&source->ready, &client->node);
        return;
    case SSE_TOOK_NOTHING:
        client->blocked = true;
        list_push_back(&source->blocked, &client->node);
        return;
    case SSE_FELL_OUT:
        wait_for_source(client);
        return;
    case SSE_FAILED:
        cut(client);
        return;
    }
}

void sse_on_room(struct sse_client *client) {
    if (!client->blocked)
        return;
    client->blocked = false;
    list_remove(&client->node);
    list_push_back(client->source ? &client->source->ready : &client->feed->waiting, &client->node);
    pump_soon(client->feed);
}

/* --- the tail ----------------------------------------------------------------------------------
 */

static void wake_rest(struct sse_source *source) {
    list_splice(&source->ready, &source->rest);
    pump_soon(source->feed);
}

static size_t keep_bytes(const struct sse_feed *feed) {
    size_t wanted = (size_t)SSE_KEEP_CLIENT_BYTES * feed->clients;
    if (wanted < SSE_KEEP_BYTES_MIN)
        return SSE_KEEP_BYTES_MIN;
    return wanted < SSE_KEEP_BYTES_MAX ? wanted : SSE_KEEP_BYTES_MAX;
}

/* A message of the stream. What is missing before it may be another subject's, unless the feed is
   the whole stream: then it has gone, before it was read. */
static void add(struct sse_source *source, uint64_t sequence, const struct bus_message *message,
                size_t keep) {
    struct sse_window *w = &source->window;
    struct sse_event event = {.subject = message->subject,
                              .payload = message->payload,
                              .sequence = sequence,
                              .has_id = true,
                              .has_gap = source->feed->whole && sequence > w->next,
                              .gap_after = w->next - 1};
    if (sequence >= w->next && sse_feed_has(source->feed, message->subject))
        sse_window_add(w, &event, keep);
}

void sse_tail_take(struct sse_feed *feed, const struct bus_message *message) {
    struct sse_window *w = &feed->tail.window;
    struct sse_event event = {
        .subject = message->subject, .payload = message->payload, .sequence = w->next};
    sse_window_add(w, &event, keep_bytes(feed));
    wake_rest(&feed->tail);
}

void sse_tail_rest(struct sse_feed *feed) {
    struct sse_source *tail = &feed->tail;
    uint64_t next = tail->window.next;
    if (!list_empty(&tail->ready) || !list_empty(&tail->blocked))
        return;
    sse_window_free(&tail->window);
    tail->window = sse_window_make(next);
}

/* A burst is over: what it took is more than these few clients are worth between two. */
static void rest_after_burst(struct sse_feed *feed) {
    if (feed->tail.window.bytes.cap > (size_t)SSE_KEEP_CLIENT_BYTES * (feed->clients + 1))
        sse_tail_rest(feed);
}

static struct sse_source *source_of(struct stream_reader *reader) {
    return container_of(reader, struct sse_source, reader);
}

static int ask_for_info(struct sse_source *source,
                        void (*on_reply)(void *, const struct bus_message *, int)) {
    char subject[SSE_STREAM_ROOM + 32];
    int len = snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", source->feed->stream);
    struct bus_request_options options = {
        .message = {.subject = slice_make(subject, (size_t)len)},
        .timeout_ns = INFO_TIMEOUT_NS,
        .on_reply = on_reply,
        .owner = source,
    };
    return bus_request(source->feed->shard->inbox.bus, &options, &source->asking);
}

/* A number of the answer's state. 0, or it has none. */
static int read_info(struct sse_source *source, const struct bus_message *reply, const char *path,
                     uint64_t *ret_number) {
    struct stream_inbox *inbox = &source->feed->shard->inbox;
    if (reply)
        bus_request_cancel(inbox->bus, source->asking);
    source->asking = NULL;
    int failed = reply ? json_parse(&inbox->doc, reply->payload) : -ENOENT;
    return failed ? failed : json_u64(json_path(json_root(&inbox->doc), path), ret_number);
}

static void tail_settle(struct sse_source *tail);

static void on_settle_again(struct io_timer *timer) {
    tail_settle(&container_of(timer, struct sse_feed, pump_again)->tail);
}

static void on_settle_info(void *owner, const struct bus_message *reply, int ended) {
    struct sse_source *tail = owner;
    struct sse_feed *feed = tail->feed;
    const struct sse_window *w = &tail->window;
    uint64_t last;
    (void)ended;
    if (read_info(tail, reply, "state.last_seq", &last))
        sse_feed_over(feed, "stream lost");
    else if (last + 1 >= w->base || w->next > w->base)
        sse_feed_opened(feed, SSE_STREAM);
    else
        io_timer_start(loop_of(feed), &feed->pump_again, SETTLE_NS, on_settle_again);
}

/* The tail begins behind all that the stream has taken, of which the last may not be on disk yet,
   and so not for a catch-up to read. Once it is, whoever comes to the end of the stream before the
   tail's base has all that there is before it. */
static void tail_settle(struct sse_source *tail) {
    if (!tail->asking && ask_for_info(tail, on_settle_info))
        sse_feed_over(tail->feed, "no memory");
}

static void tail_on_open(struct stream_reader *reader, uint64_t first) {
    struct sse_source *tail = source_of(reader);
    struct sse_feed *feed = tail->feed;
    if (feed->state == SSE_LOOKING) {
        sse_window_free(&tail->window);
        tail->window = sse_window_make(first);
        stream_reader_follow(reader);
        tail_settle(tail);
        return;
    }
    if (first < tail->window.next) {
        sse_feed_over(feed, "another stream"); /* it is shorter than what we have seen of it */
        return;
    }
    if (first > tail->window.next) {
        sse_window_restart(&tail->window, first);
        wake_rest(tail);
    }
    stream_reader_follow(reader);
}

static void tail_on_message(struct stream_reader *reader, uint64_t sequence,
                            const struct bus_message *message) {
    struct sse_feed *feed = source_of(reader)->feed;
    add(&feed->tail, sequence, message, keep_bytes(feed));
    wake_rest(&feed->tail);
}

static void tail_on_lost(struct stream_reader *reader) {
    sse_feed_over(source_of(reader)->feed, "stream lost");
}

int sse_tail_follow(struct sse_feed *feed) {
    static const struct stream_reader_events events = {
        .on_open = tail_on_open, .on_message = tail_on_message, .on_lost = tail_on_lost};
    return stream_reader_open(&feed->tail.reader, &feed->shard->inbox, &events,
                              slice_str(feed->stream), feed->filter, 0);
}

/* --- catch-ups ---------------------------------------------------------------------------------
 */

void sse_source_init(struct sse_source *source, struct sse_feed *feed, bool tail) {
    source->feed = feed;
    source->tail = tail;
    source->window = sse_window_make(1);
    list_init(&source->ready);
    list_init(&source->rest);
    list_init(&source->blocked);
}

static void source_close(struct sse_source *source) {
    check(source->clients == 0);
    stream_reader_close(&source->reader);
    if (source->asking)
        bus_request_cancel(source->feed->shard->inbox.bus, source->asking);
    source->asking = NULL;
    sse_window_free(&source->window);
}

static void catch_up_close(struct sse_source *source) {
    source_close(source);
    list_remove(&source->node);
    source->feed->catch_up_count--;
    source->feed->shard->catch_ups--;
    mem_free(source);
}

void sse_sources_close(struct sse_feed *feed) {
    while (!list_empty(&feed->catch_ups))
        catch_up_close(container_of(feed->catch_ups.head.next, struct sse_source, node));
    source_close(&feed->tail);
}

/* All below FIRST is gone: those who wanted it are told. */
static void note_gap(struct sse_source *source, uint64_t first) {
    struct list_node *at, *following;
    list_each(&source->ready, at, following) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        if (client->next < first || client->astray)
            client->gap_to = first;
    }
}

/* The stream ends before what they want next: their ids are of another stream, or of an earlier
   life of this one. They get all that there is. */
static void go_astray(struct sse_source *source) {
    struct list_node *at;
    while ((at = list_first(&source->ready))) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        client->after = client->next - 1;
        client->next = 1;
        client->astray = true;
        wait_for_source(client);
    }
}

static void catch_up_on_open(struct stream_reader *reader, uint64_t first) {
    struct sse_source *source = source_of(reader);
    struct sse_window *w = &source->window;
    if (first < w->next) {
        go_astray(source);
        return;
    }
    if (sse_window_empty(w)) {
        note_gap(source, first);
        sse_window_restart(w, first);
    }
    stream_reader_pull(reader, SSE_BATCH_MESSAGES, SSE_BATCH_BYTES);
}

static void catch_up_on_message(struct stream_reader *reader, uint64_t sequence,
                                const struct bus_message *message) {
    add(source_of(reader), sequence, message, SIZE_MAX);
}

static void fill(struct sse_source *source) {
    source->filled = true;
    pump_soon(source->feed);
}

static void on_gap_info(void *owner, const struct bus_message *reply, int ended) {
    struct sse_source *source = owner;
    uint64_t first;
    (void)ended;
    if (read_info(source, reply, "state.first_seq", &first))
        source->lost = true;
    else if (first > source->window.base)
        note_gap(source, source->window.entries[source->window.first].sequence);
    fill(source);
}

static void catch_up_on_batch(struct stream_reader *reader, bool end) {
    struct sse_source *source = source_of(reader);
    const struct sse_window *w = &source->window, *tail = &source->feed->tail.window;
    source->reached = end && tail->next > w->next ? tail->next : w->next;
    bool leap = !sse_window_empty(w) && w->entries[w->first].sequence > w->base;
    /* What was leapt over may be other subjects' messages, or such as went before we came. */
    if (!leap || source->feed->whole || ask_for_info(source, on_gap_info))
        fill(source);
}

static void catch_up_on_lost(struct stream_reader *reader) {
    struct sse_source *source = source_of(reader);
    source->lost = true;
    fill(source);
}

/* Only the stream itself can tell whether what is ahead of all that we know is one of its own. */
static bool is_near(const struct sse_source *source, const struct sse_client *client) {
    uint64_t base = source->window.base, next = client->next;
    return next == base || (next > base && next - base <= SSE_CATCH_UP_AHEAD &&
                            next <= source->feed->tail.window.next);
}

/* Those who wait and are near join. */
static void gather(struct sse_source *source) {
    struct list_node *at, *following;
    list_each(&source->feed->waiting, at, following) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        if (!is_near(source, client))
            continue;
        list_remove(&client->node);
        place_in(client, source, &source->ready);
        if (client->astray)
            client->gap_to = source->window.base;
    }
}

static bool catch_up_open(struct sse_feed *feed, uint64_t from) {
    static const struct stream_reader_events events = {.on_open = catch_up_on_open,
                                                       .on_message = catch_up_on_message,
                                                       .on_batch = catch_up_on_batch,
                                                       .on_lost = catch_up_on_lost};
    struct sse_source *source = mem_zalloc(1, sizeof *source);
    if (!source)
        return false;
    sse_source_init(source, feed, false);
    source->window = sse_window_make(from);
    if (stream_reader_open(&source->reader, &feed->shard->inbox, &events, slice_str(feed->stream),
                           feed->filter, from)) {
        mem_free(source);
        return false;
    }
    list_push_back(&feed->catch_ups, &source->node);
    feed->catch_up_count++;
    feed->shard->catch_ups++;
    gather(source);
    return true;
}

/* --- who waits ---------------------------------------------------------------------------------
 */

static bool tail_has(const struct sse_feed *feed, const struct sse_client *client) {
    return client->next >= feed->tail.window.base && client->next <= feed->tail.window.next &&
           !client->astray;
}

static uint64_t least_waiting(struct sse_feed *feed) {
    uint64_t least = UINT64_MAX;
    struct list_node *at, *following;
    list_each(&feed->waiting, at, following) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        if (client->next < least)
            least = client->next;
    }
    return least;
}

static void place_waiting(struct sse_feed *feed) {
    struct list_node *at, *following;
    list_each(&feed->waiting, at, following) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        if (!tail_has(feed, client))
            continue;
        list_remove(&client->node);
        place_in(client, &feed->tail, &feed->tail.ready);
    }
    list_each(&feed->catch_ups, at, following) gather(container_of(at, struct sse_source, node));
    while (!list_empty(&feed->waiting) && feed->catch_up_count < SSE_FEED_CATCH_UPS_MAX &&
           feed->shard->catch_ups < SSE_CATCH_UPS_MAX)
        if (!catch_up_open(feed, least_waiting(feed)))
            return;
}

void sse_place(struct sse_client *client) {
    struct sse_feed *feed = client->feed;
    struct sse_source *tail = &feed->tail;
    if (!client->resumes || feed->state == SSE_PLAIN) {
        client->next = tail->window.next;
        place_in(client, tail, &tail->rest);
        return;
    }
    client->next = client->after + 1;
    if (tail_has(feed, client))
        place_in(client, tail, &tail->ready);
    else
        list_push_back(&feed->waiting, &client->node);
    pump_soon(feed);
}

/* --- the pump ----------------------------------------------------------------------------------
 */

static void pump_source(struct sse_source *source, unsigned *left) {
    struct list_node *at;
    while (*left > 0 && (at = list_pop_front(&source->ready))) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        --*left;
        file(client, sse_write(client));
    }
}

static void end_clients(struct sse_source *source) {
    struct list *lists[] = {&source->ready, &source->rest, &source->blocked};
    for (unsigned i = 0; i < array_count(lists); i++)
        while (!list_empty(lists[i]))
            sse_end(container_of(lists[i]->head.next, struct sse_client, node), "stream lost");
}

/* Those who have read the batch, and so have all below REACHED, go to the tail. */
static void hand_over(struct sse_source *source) {
    struct sse_source *tail = &source->feed->tail;
    struct list_node *at;
    while ((at = list_first(&source->rest))) {
        struct sse_client *client = container_of(at, struct sse_client, node);
        sse_unplace(client);
        if (client->next < source->reached)
            client->next = source->reached;
        place_in(client, tail, &tail->ready);
    }
}

/* The batch has been read by all who read. */
static void settle(struct sse_source *source) {
    struct sse_feed *feed = source->feed;
    struct list_node *at;
    if (source->lost)
        end_clients(source);
    if (source->clients == 0) {
        catch_up_close(source);
        return;
    }
    if (!source->filled || !list_empty(&source->ready))
        return;
    while ((at = list_first(&source->blocked)))
        wait_for_source(container_of(at, struct sse_client, node));
    if (source->reached >= feed->tail.window.base)
        hand_over(source);
    if (source->clients == 0) {
        catch_up_close(source);
        return;
    }
    source->filled = false;
    list_splice(&source->ready, &source->rest);
    sse_window_restart(&source->window, source->reached);
    stream_reader_pull(&source->reader, SSE_BATCH_MESSAGES, SSE_BATCH_BYTES);
}

static void on_pump_again(struct io_timer *timer) {
    struct sse_feed *feed = container_of(timer, struct sse_feed, pump_again);
    sse_pump(&feed->pump);
}

static bool has_work(const struct sse_feed *feed) {
    if (!list_empty(&feed->tail.ready))
        return true;
    for (struct list_node *at = list_first(&feed->catch_ups); at;
         at = list_next(&feed->catch_ups, at)) {
        const struct sse_source *source = container_of(at, struct sse_source, node);
        if (source->filled && !list_empty(&source->ready))
            return true;
    }
    return false;
}

void sse_pump(struct io_task *task) {
    struct sse_feed *feed = container_of(task, struct sse_feed, pump);
    unsigned left = PUMP_CLIENTS_MAX, tail_left = PUMP_CLIENTS_MAX;
    struct list_node *at, *following;
    if (feed->state == SSE_LOOKING || feed->state == SSE_OVER)
        return; /* the timer is the tail's, which settles */
    io_timer_stop(loop_of(feed), &feed->pump_again);
    list_each(&feed->catch_ups, at, following) {
        struct sse_source *source = container_of(at, struct sse_source, node);
        if (source->filled)
            pump_source(source, &left);
        settle(source);
    }
    pump_source(&feed->tail, &tail_left);
    place_waiting(feed);
    if (has_work(feed))
        io_timer_start(loop_of(feed), &feed->pump_again, 0, on_pump_again);
    else if (!list_empty(&feed->waiting))
        io_timer_start(loop_of(feed), &feed->pump_again, CROWDED_NS, on_pump_again);
    else
        rest_after_burst(feed);
}
