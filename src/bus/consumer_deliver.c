/*
 * consumer_deliver.c - which message is next, and on its way it goes.
 *
 * A consumer works in steps of bounded length, as a task at the end of the turn that woke it:
 *
 *     woken --step--> messages left ------> a timer of length 0, next step
 *                 --> nothing there ------> sleeps until on_visible, an ack, a request
 *                 --> block not loaded ---> log_load, next step when it is there
 *                 --> no room ------------> a short timer (channel to a shard, journal, memory)
 *                 --> too fast -----------> a timer (rate limit, replay at the original speed)
 *
 * Messages that are due again go before those that waited for their key (consumer_order.c), and
 * these before new ones. A message is published only when everything that follows from it has been
 * noted: whoever gets it may acknowledge it before the publish returns. Publishing may call anybody
 * back, so afterwards only `gone` is looked at first.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/consumer_parts.h"
#include "bus/interest.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define STEP_MESSAGES_MAX 1024u
#define STEP_BYTES_MAX (4u << 20)
#define SHORT_NS 1000000u     /* a channel is full */
#define LONG_NS 100000000u    /* no memory, no room in the journal */
#define DAMAGE_NS 1000000000u /* a block could not be read: the disk may come back */
#define ACK_NUMBERS 5
#define ACK_TEXT_MAX (sizeof "$JS.ACK..." + 2 * STREAMS_NAME_MAX + ACK_NUMBERS * 21)

/* What one look for a message comes to. */
enum outcome {
    SENT,
    PASSED,
    NOTHING,
    STALLED,
    NO_RECEIVER,
    LOADING,
    WAIT_SHORT,
    WAIT_LONG,
    WAIT_TURN, /* again_at */
    GONE
};

static void step(struct consumer *c);

static void on_task(struct io_task *task) {
    step(container_of(task, struct consumer, task));
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct consumer, again_timer));
}

static void on_loaded(struct log_load *load, int failed) {
    struct consumer *c = container_of(load, struct consumer, load);
    c->loading = false;
    if (failed)
        io_timer_start(consumer_loop(c), &c->again_timer, DAMAGE_NS, on_again);
    else
        step(c);
}

void consumer_deliver_init(struct consumer *c) {
    c->task.run = on_task;
    c->load.done = on_loaded;
}

void consumer_deliver_cancel(struct consumer *c) {
    io_defer_cancel(consumer_loop(c), &c->task);
    io_timer_stop(consumer_loop(c), &c->again_timer);
    if (c->loading && c->streams->log)
        log_load_cancel(c->streams->log, &c->load);
    c->loading = false;
}

static bool has_receiver(const struct consumer *c) {
    if (c->config.pause_until_ns && consumer_pause_left(c))
        return false;
    return consumer_is_push(c) ? consumer_push_ready(c) : c->waiting > 0;
}

void consumer_wake(struct consumer *c) {
    if (!c->gone && c->stream && !c->loading && !io_timer_running(&c->again_timer) &&
        has_receiver(c))
        io_defer(consumer_loop(c), &c->task);
}

uint64_t consumer_ack_wait(const struct consumer *c, uint32_t deliveries) {
    const struct consumer_config *config = &c->config;
    if (config->backoff_count) {
        uint32_t at = deliveries ? deliveries - 1 : 0;
        if (at >= config->backoff_count)
            at = config->backoff_count - 1;
        return (uint64_t)config->backoff_ns[at];
    }
    return config->ack_wait_ns > 0 ? (uint64_t)config->ack_wait_ns : CONSUMER_ACK_WAIT_DEFAULT_NS;
}

/* --- finding the next one ----------------------------------------------------------------- */

bool consumer_load(struct consumer *c, uint64_t sequence) {
    if (!c->loading)
        c->loading = log_load(c->streams->log, c->stream->log, sequence, &c->load) == 0;
    return c->loading;
}

static enum outcome load(struct consumer *c, uint64_t sequence) {
    return consumer_load(c, sequence) ? LOADING : WAIT_SHORT;
}

/* Reads ENTRY's message; NULL: there is none. SENT: *ret_record is it. */
static enum outcome fetch(struct consumer *c, struct pending_entry *entry,
                          struct log_record *ret_record) {
    if (!entry)
        return NOTHING;
    uint64_t sequence = entry->stream_sequence;
    int failed = log_read(c->streams->log, c->stream->log, sequence, ret_record);
    if (!failed)
        return SENT;
    if (failed == -EINPROGRESS)
        return load(c, sequence);
    /* It is not in the stream any more, or cannot be read: nobody will ever have it. */
    if (consumer_note_done(c, sequence))
        return WAIT_LONG;
    consumer_ack_forget(c, entry);
    return PASSED;
}

static void forget_lasts(struct consumer *c) {
    c->lasts = mem_free(c->lasts);
    c->lasts_at = c->lasts_count = 0;
    if (c->position <= c->last_until)
        c->position = c->last_until + 1;
    consumer_count_forget(c);
}

/* The next of the "last per subject" list. */
static enum outcome find_last(struct consumer *c, struct log_record *ret_record) {
    if (c->lasts_at == c->lasts_count) {
        forget_lasts(c);
        return PASSED;
    }
    uint64_t sequence = c->lasts[c->lasts_at];
    int failed = log_read(c->streams->log, c->stream->log, sequence, ret_record);
    if (failed == -EINPROGRESS)
        return load(c, sequence);
    if (failed == -ENOENT && sequence > log_stream_state(c->stream->log).last_sequence)
        return NOTHING; /* not on disk yet */
    if (!failed)
        return SENT;
    c->lasts_at++;
    return PASSED;
}

static enum outcome find_new(struct consumer *c, struct log_record *ret_record) {
    if (c->position <= c->last_until)
        return find_last(c, ret_record);
    struct log_stream *log = c->stream->log;
    int failed = log_seek_any(c->streams->log, log, &c->filter, c->position, ret_record);
    if (likely(!failed)) {
        c->position = ret_record->sequence;
        return SENT;
    }
    uint64_t last;
    switch (failed) {
    case -ENOENT:
        last = log_stream_state(log).last_sequence;
        if (c->position <= last)
            c->position = last + 1;
        return NOTHING;
    case -EAGAIN:
        c->position = ret_record->sequence;
        return PASSED;
    case -EBADMSG:
        c->position = ret_record->sequence + 1;
        return PASSED;
    case -EINPROGRESS:
        c->position = ret_record->sequence;
        return load(c, ret_record->sequence);
    default:
        return WAIT_LONG;
    }
}

/* The new message SEQUENCE is delivered, or passed over. */
static void move_on(struct consumer *c, uint64_t sequence) {
    if (c->position <= c->last_until)
        c->lasts_at++;
    c->position = sequence + 1;
    consumer_count_delivered(c, sequence);
}

/* RECORD is the next new one: SENT, if nothing of its key is before it. */
static enum outcome look_at_key(struct consumer *c, const struct log_record *record) {
    if (likely(!c->ordered))
        return SENT;
    uint64_t key = consumer_order_key(record->subject);
    if (!consumer_order_is_busy(c, key))
        return SENT;
    switch (consumer_order_pass(c, record->sequence, key)) {
    case 0:
        move_on(c, record->sequence);
        return PASSED;
    case -EBUSY:
        consumer_ack_forget_trimmed(c);
        return STALLED;
    default:
        return WAIT_LONG;
    }
}

bool consumer_is_stalled(const struct consumer *c) {
    uint64_t max = CONSUMER_IN_FLIGHT_MAX;
    if (c->config.ack == ACK_NONE)
        return false;
    if (c->config.ack_pending_max > 0 && (uint64_t)c->config.ack_pending_max < max)
        max = (uint64_t)c->config.ack_pending_max;
    return pending_in_flight(&c->pending) >= max;
}

/* --- sending it --------------------------------------------------------------------------- */

enum kind { NEW, WAITED, AGAIN }; /* WAITED: passed over or replayed, and its turn has come */

struct delivery {
    const struct log_record *record;
    enum kind kind;
    uint32_t deliveries;
    uint64_t consumer_sequence;
    struct bus_message message;
    char ack[ACK_TEXT_MAX];
};

static void write_ack(const struct consumer *c, uint64_t pending, struct delivery *d) {
    const uint64_t numbers[ACK_NUMBERS] = {d->deliveries, d->record->sequence, d->consumer_sequence,
                                           (uint64_t)d->record->time_ns, pending};
    memcpy(d->ack, c->ack_prefix, c->ack_prefix_len);
    size_t len = c->ack_prefix_len;
    for (size_t i = 0; i < ACK_NUMBERS; i++) {
        if (i)
            d->ack[len++] = '.';
        len += number_format_u64(numbers[i], d->ack + len);
    }
    d->message.reply = slice_make(d->ack, len);
}

/* The headers with the payload's size, in the place of the payload. 0, -ENOMEM, -ENOBUFS. */
static int strip_payload(struct consumer *c, struct bus_message *m) {
    struct buf *b = &c->streams->consumers->text;
    char number[NUMBER_TEXT_MAX];
    slice size = slice_make(number, number_format_u64(m->payload.len, number));
    buf_clear(b);
    int failed = nats_headers_begin_with(b, m->headers);
    if (!failed)
        failed = nats_headers_add(b, slice_lit("Nats-Msg-Size"), size);
    if (!failed)
        failed = nats_headers_end(b);
    m->headers = buf_slice(b);
    m->payload = (slice){0};
    return failed;
}

static int note_first(struct consumer *c, const struct delivery *d, uint64_t deadline) {
    uint64_t sequence = d->record->sequence;
    uint64_t key = c->ordered ? consumer_order_key(d->record->subject) : 0;
    int failed =
        c->config.ack == ACK_NONE ? interest_reserve(c->stream, 1) : pending_reserve(&c->pending);
    if (!failed)
        failed = consumer_order_reserve(c, key);
    if (!failed)
        failed = c->ordered ? consumer_note_turn(c, sequence, d->consumer_sequence, key)
                            : consumer_note_delivered(c, sequence, d->consumer_sequence);
    if (failed) {
        consumer_order_give_back(c, key);
        return failed;
    }
    if (c->config.ack != ACK_NONE) {
        struct pending_entry entry = {.stream_sequence = sequence,
                                      .consumer_sequence = d->consumer_sequence,
                                      .deadline_ns = deadline,
                                      .deliveries = 1};
        pending_set_key(&c->pending, pending_add(&c->pending, &entry), key);
    }
    consumer_order_take(c, key);
    move_on(c, sequence);
    consumer_replay_sent(c, d->record);
    return 0;
}

/* -ENOENT: somebody who was told that his request is over has seen to the message meanwhile. */
static int note_next(struct consumer *c, const struct delivery *d, uint64_t deadline) {
    uint64_t sequence = d->record->sequence;
    struct pending_entry *entry =
        d->kind == WAITED ? consumer_order_turn(c, sequence) : pending_find(&c->pending, sequence);
    if (!entry || (d->kind == AGAIN && !entry->due))
        return -ENOENT;
    int failed = d->deliveries > 1
                     ? consumer_note_redelivered(c, sequence, d->consumer_sequence, d->deliveries)
                     : consumer_note_turn(c, sequence, d->consumer_sequence,
                                          pending_key(&c->pending, entry));
    if (failed)
        return failed;
    if (d->kind == WAITED)
        consumer_order_go(c, entry);
    pending_not_due(&c->pending, entry);
    pending_delivered_again(&c->pending, entry, d->deliveries);
    if (d->deliveries == 1)
        entry->consumer_sequence = d->consumer_sequence;
    entry->deadline_ns = deadline;
    return 0;
}

/* Notes what follows from the delivery. Not 0: it must not happen now; -ENOENT: not at all. */
static int note(struct consumer *c, const struct delivery *d) {
    uint64_t deadline = io_loop_now_ns(consumer_loop(c)) + consumer_ack_wait(c, d->deliveries);
    int failed = d->kind == NEW ? note_first(c, d, deadline) : note_next(c, d, deadline);
    if (failed)
        return failed;
    c->consumer_sequence = d->consumer_sequence;
    c->delivered_ns = io_loop_wall_ns(consumer_loop(c));
    if (c->config.ack == ACK_NONE) {
        c->acknowledged_ns = c->delivered_ns;
        interest_release(c->stream, d->record->sequence);
    } else
        consumer_ack_watch(c, deadline);
    consumer_alive(c);
    return 0;
}

/* Sends it to the deliver subject. */
static enum outcome push(struct consumer *c, const struct delivery *d, uint64_t size) {
    uint64_t wait = consumer_push_wait(c, size);
    if (wait) {
        c->again_ns = wait;
        return WAIT_TURN;
    }
    if (!consumer_push_has_receiver(c))
        return NO_RECEIVER;
    int failed = note(c, d);
    if (failed)
        return WAIT_LONG;
    bus_publish_to(c->streams->bus, c->config.deliver_subject, &d->message, &c->push.route);
    if (!c->gone)
        consumer_push_sent(c, size);
    return SENT;
}

/* Sends it to the request whose turn it is. */
static enum outcome serve(struct consumer *c, const struct delivery *d, uint64_t size) {
    struct consumer_request *request = consumer_pull_next(c, size);
    if (!request)
        return NO_RECEIVER;
    int failed = note(c, d);
    if (failed) {
        consumer_pull_not_served(c, request, size);
        return failed == -ENOENT ? PASSED : WAIT_LONG;
    }
    bus_publish_to(c->streams->bus, slice_make(request->reply, request->reply_len), &d->message,
                   &request->route);
    consumer_pull_served(c, request);
    return SENT;
}

static enum outcome hand_out(struct consumer *c, const struct log_record *record, enum kind kind) {
    uint32_t deliveries = 1;
    if (kind != NEW)
        deliveries = pending_find(&c->pending, record->sequence)->deliveries + 1;
    struct delivery d = {.record = record,
                         .kind = kind,
                         .deliveries = deliveries,
                         .consumer_sequence = c->consumer_sequence + 1,
                         .message = {.subject = record->subject,
                                     .headers = record->headers,
                                     .payload = record->payload}};
    if (c->config.headers_only && strip_payload(c, &d.message))
        return WAIT_LONG;
    uint64_t left = consumer_count(c, true) + c->order.passed;
    write_ack(c, deliveries == 1 && left > 0 ? left - 1 : left, &d);
    struct bus_message *m = &d.message;
    uint64_t size = m->subject.len + m->reply.len + m->headers.len + m->payload.len;
    struct streams *streams = c->streams;
    streams_hold(streams); /* from here on strangers are called, and the record must stay */
    enum outcome outcome = consumer_is_push(c) ? push(c, &d, size) : serve(c, &d, size);
    streams_release(streams);
    return c->gone ? GONE : outcome;
}

/* --- steps -------------------------------------------------------------------------------- */

/* What is due again, else what waited for its key, else what is new. */
static enum outcome find(struct consumer *c, struct log_record *ret_record, enum kind *ret_kind) {
    *ret_kind = AGAIN;
    enum outcome outcome = fetch(c, pending_next_due(&c->pending), ret_record);
    if (outcome != NOTHING)
        return outcome;
    if (consumer_is_stalled(c))
        consumer_ack_forget_trimmed(c);
    if (consumer_is_stalled(c))
        return STALLED;
    *ret_kind = WAITED;
    outcome = fetch(c, consumer_order_next(c), ret_record);
    if (outcome != NOTHING)
        return outcome;
    *ret_kind = NEW;
    outcome = find_new(c, ret_record);
    return outcome == SENT ? look_at_key(c, ret_record) : outcome;
}

static enum outcome deliver_one(struct consumer *c, uint64_t *bytes) {
    if (!has_receiver(c))
        return NO_RECEIVER;
    if (bus_channels_full(c->streams->bus))
        return WAIT_SHORT;
    struct log_record record;
    enum kind kind;
    enum outcome outcome = find(c, &record, &kind);
    if (outcome != SENT)
        return outcome;
    if (kind == NEW && unlikely(c->replay.until)) {
        c->again_ns = consumer_replay_wait(c, &record);
        if (c->again_ns)
            return WAIT_TURN;
    }
    *bytes += record.subject.len + record.headers.len + record.payload.len;
    return hand_out(c, &record, kind);
}

static void step(struct consumer *c) {
    enum outcome outcome = PASSED;
    uint64_t bytes = 0;
    if (c->loading || io_timer_running(&c->again_timer))
        return;
    if (consumer_is_push(c))
        consumer_push_look(c);
    for (unsigned i = 0; i < STEP_MESSAGES_MAX && bytes < STEP_BYTES_MAX; i++) {
        outcome = deliver_one(c, &bytes);
        if (outcome != SENT && outcome != PASSED)
            break;
    }
    struct io_loop *loop = consumer_loop(c);
    if (outcome == NOTHING || outcome == STALLED || outcome == NO_RECEIVER)
        consumer_replay_caught_up(c);
    switch (outcome) {
    case SENT:
    case PASSED:
        io_timer_start(loop, &c->again_timer, 0, on_again);
        return;
    case WAIT_SHORT:
        io_timer_start(loop, &c->again_timer, SHORT_NS, on_again);
        return;
    case WAIT_LONG:
        io_timer_start(loop, &c->again_timer, LONG_NS, on_again);
        return;
    case NOTHING:
        if (c->one_shots)
            consumer_pull_settle(c, true);
        return;
    case WAIT_TURN:
        io_timer_start(loop, &c->again_timer, c->again_ns, on_again);
        return;
    case STALLED:
    case NO_RECEIVER:
    case LOADING:
    case GONE:
        return;
    }
}
