/*
 * consumer_ack.c - acknowledgements come in, time runs out, messages are given up.
 *
 *     $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>
 *
 *     body            the message                         answered, if there is a reply
 *     "", +ACK, +OK   is done (all up to it: ack_all)     when that is on disk
 *     +NXT [request]  is done; a pull request follows     by the next message
 *     -NAK [delay]    is due at once, or after the delay  when what was noted before is on disk
 *     +WPI            gets its whole ack_wait again       the same
 *     +TERM [reason]  is done; advisory                   the same
 *
 * What is not in flight (any more) is not changed by any of these, but answered all the same, so
 * that a client that lost the answer may ask again. An acknowledgement that cannot be noted (no
 * memory, no room in the journal) is dropped without an answer: the message will come again.
 *
 * DEADLINES. Entries in flight have their own deadlines in no order (backoff, delays, +WPI), and
 * one timer a consumer runs for the earliest that is known. When it fires, all entries are looked
 * at, SCAN_MAX a turn, and at most so often that looking costs a small share of the time. With a
 * thousand in flight that is exact to the timer's grain; with a million, to about 50 ms.
 */
#include "base/number.h"
#include "bus/advisory.h"
#include "bus/consumer_parts.h"
#include "bus/interest.h"
#include "wire/json.h"

#include <errno.h>

#define SCAN_MAX 65536u
#define SCAN_NS_EACH 50u /* the timer waits at least so long for each entry to be looked at */
#define RETRY_NS 1000000000u

/* --- advisories --------------------------------------------------------------------------- */

static void advise_given_up(struct consumer *c, uint64_t sequence, uint64_t deliveries) {
    struct advisory a;
    if (!advisory_begin(&a, c->streams->bus, "ADVISORY.CONSUMER.MAX_DELIVERIES",
                        "advisory.v1.max_deliver", c->stream_name, c->name))
        return;
    json_put_u64(&a.w, "stream_seq", sequence);
    json_put_u64(&a.w, "deliveries", deliveries);
    advisory_send(&a);
}

static void write_address(struct json_writer *w, const struct consumer_address *address) {
    json_put_u64(w, "consumer_seq", address->consumer_sequence);
    json_put_u64(w, "stream_seq", address->sequence);
}

static void advise_refused(struct consumer *c, const struct consumer_address *address) {
    struct advisory a;
    if (!advisory_begin(&a, c->streams->bus, "ADVISORY.CONSUMER.MSG_NAKED", "advisory.v1.nak",
                        c->stream_name, c->name))
        return;
    write_address(&a.w, address);
    json_put_u64(&a.w, "deliveries", address->deliveries);
    advisory_send(&a);
}

static void advise_terminated(struct consumer *c, const struct consumer_address *address,
                              slice reason) {
    struct advisory a;
    if (!advisory_begin(&a, c->streams->bus, "ADVISORY.CONSUMER.MSG_TERMINATED",
                        "advisory.v1.terminated", c->stream_name, c->name))
        return;
    write_address(&a.w, address);
    json_put_u64(&a.w, "deliveries", address->deliveries);
    if (reason.len) {
        json_write_key(&a.w, "reason");
        json_write_string(&a.w, reason);
    }
    advisory_send(&a);
}

uint64_t consumer_ack_delay(const struct consumer *c, const struct pending_entry *entry) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    return now + consumer_ack_wait(c, entry->deliveries) - entry->deadline_ns;
}

void consumer_ack_sample(struct consumer *c, const struct consumer_address *address,
                         uint64_t delay_ns) {
    unsigned char random[2];
    struct advisory a;
    io_host_random(io_loop_host(consumer_loop(c)), random, sizeof random);
    if ((random[0] << 8 | random[1]) % 100 >= (int)c->sample_percent ||
        !advisory_begin(&a, c->streams->bus, "METRIC.CONSUMER.ACK", "metric.v1.consumer_ack",
                        c->stream_name, c->name))
        return;
    write_address(&a.w, address);
    json_put_u64(&a.w, "ack_time", delay_ns);
    json_put_u64(&a.w, "deliveries", address->deliveries);
    advisory_send(&a);
}

/* --- what happens to an entry ------------------------------------------------------------- */

/* ENTRY is done, as was noted. */
static void take_out(struct consumer *c, struct pending_entry *entry) {
    bool was_full = c->config.ack_pending_max > 0 &&
                    pending_in_flight(&c->pending) >= (uint64_t)c->config.ack_pending_max;
    consumer_order_end(c, entry);
    consumer_park_forget(c, entry->stream_sequence);
    pending_remove(&c->pending, entry);
    if (was_full)
        consumer_wake(c);
}

static int note_done(struct consumer *c, const struct pending_entry *entry) {
    int failed = consumer_order_reserve_end(c, entry, 1);
    return failed ? failed : consumer_note_done(c, entry->stream_sequence);
}

/* Done with ENTRY. Not 0: it could not be noted, and stays. */
static int finish(struct consumer *c, struct pending_entry *entry) {
    int failed = note_done(c, entry);
    if (!failed)
        take_out(c, entry);
    return failed;
}

static bool is_exhausted(const struct consumer *c, const struct pending_entry *entry) {
    return c->config.deliver_max > 0 && entry->deliveries >= (uint64_t)c->config.deliver_max;
}

/* The last delivery has failed: the message is left behind. C may be gone afterwards. */
static int give_up(struct consumer *c, struct pending_entry *entry) {
    uint64_t sequence = entry->stream_sequence;
    uint32_t deliveries = entry->deliveries;
    int failed = c->parks ? consumer_park(c, sequence, slice_lit("no delivery was acknowledged"))
                          : finish(c, entry);
    if (!failed)
        advise_given_up(c, sequence, deliveries);
    return failed;
}

/* ENTRY's time is over. C may be gone afterwards. */
static int expire(struct consumer *c, struct pending_entry *entry) {
    return is_exhausted(c, entry) ? give_up(c, entry) : pending_make_due(&c->pending, entry);
}

/* --- deadlines ---------------------------------------------------------------------------- */

static void on_deadline(struct io_timer *timer);

static void set_timer(struct consumer *c, uint64_t at) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    c->redeliver_at = at;
    io_timer_start(consumer_loop(c), &c->redeliver_timer, at > now ? at - now : 0, on_deadline);
}

void consumer_ack_watch(struct consumer *c, uint64_t deadline_ns) {
    if (c->scan_from && deadline_ns < c->scan_next)
        c->scan_next = deadline_ns; /* a scan is under way, and may be past it */
    if (c->scan_from || deadline_ns >= c->redeliver_at)
        return;
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    uint64_t least = now + c->pending.count * SCAN_NS_EACH;
    set_timer(c, deadline_ns > least ? deadline_ns : least);
}

/* Looks at a part of the entries. The sequence to go on from, 0 at the end; *IO_NEXT becomes the
   earliest deadline seen. */
static uint64_t scan(struct consumer *c, uint64_t from, uint64_t *io_next) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    struct pending_entry *entry = pending_from(&c->pending, from);
    for (unsigned i = 0; entry; i++) {
        uint64_t sequence = entry->stream_sequence;
        if (i == SCAN_MAX)
            return sequence;
        if (unlikely(entry->parked || entry->waits)) {
            entry = pending_after(&c->pending, entry);
            continue;
        }
        if (!entry->due && entry->deadline_ns <= now) {
            if (expire(c, entry)) {
                *io_next = now + RETRY_NS; /* no memory: later */
                return 0;
            }
            if (c->gone)
                return 0;
            entry = pending_from(&c->pending, sequence + 1);
            continue;
        }
        if (!entry->due && entry->deadline_ns < *io_next)
            *io_next = entry->deadline_ns;
        entry = pending_after(&c->pending, entry);
    }
    return 0;
}

static void on_deadline(struct io_timer *timer) {
    struct consumer *c = container_of(timer, struct consumer, redeliver_timer);
    if (!c->scan_from) {
        c->scan_from = 1;
        c->scan_next = CONSUMER_NEVER;
    }
    c->redeliver_at = CONSUMER_NEVER;
    consumer_ack_forget_trimmed(c);
    c->scan_from = scan(c, c->scan_from, &c->scan_next);
    if (c->gone)
        return;
    if (c->scan_from)
        io_timer_start(consumer_loop(c), &c->redeliver_timer, 0, on_deadline);
    else if (c->scan_next != CONSUMER_NEVER)
        consumer_ack_watch(c, c->scan_next);
    if (c->pending.due_count)
        consumer_wake(c);
}

void consumer_ack_start(struct consumer *c) {
    if (c->pending.count && !c->scan_from)
        set_timer(c, io_loop_now_ns(consumer_loop(c)));
}

void consumer_ack_expire_all(struct consumer *c) {
    struct pending_entry *entry = pending_first(&c->pending);
    for (; entry; entry = pending_after(&c->pending, entry))
        if (!entry->due && !entry->waits)
            entry->deadline_ns = io_loop_now_ns(consumer_loop(c));
    consumer_ack_start(c);
}

void consumer_ack_forget(struct consumer *c, struct pending_entry *entry) {
    consumer_park_forget(c, entry->stream_sequence);
    consumer_order_vanish(c, entry);
    pending_remove(&c->pending, entry);
}

void consumer_ack_forget_trimmed(struct consumer *c) {
    if (!c->pending.count)
        return;
    uint64_t first = log_stream_state(c->stream->log).first_sequence;
    struct pending_entry *entry;
    while ((entry = pending_first(&c->pending)) && entry->stream_sequence < first)
        consumer_ack_forget(c, entry);
}

/* --- the kinds ---------------------------------------------------------------------------- */

/* The entry of a message that somebody has, or had before his time was over; else NULL. */
static struct pending_entry *handed_out(const struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry = pending_find(&c->pending, sequence);
    return entry && !entry->parked && !entry->waits ? entry : NULL;
}

/* What an acknowledgement of SEQUENCE ends: its entry, with ack_all the first of them; or NULL. */
static struct pending_entry *acknowledged(const struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry =
        c->config.ack == ACK_ALL ? pending_first(&c->pending) : pending_find(&c->pending, sequence);
    return entry && entry->stream_sequence <= sequence && !entry->waits ? entry : NULL;
}

/* ENTRY is what `acknowledged` has found. */
static void take(struct consumer *c, uint64_t sequence, struct pending_entry *entry) {
    if (c->config.ack == ACK_EXPLICIT && entry) {
        take_out(c, entry);
        interest_release(c->stream, sequence);
    }
    if (c->config.ack == ACK_ALL) {
        for (; entry; entry = acknowledged(c, sequence)) {
            uint64_t done = entry->stream_sequence;
            pending_remove(&c->pending, entry);
            interest_release(c->stream, done);
        }
        consumer_wake(c);
    }
    c->acknowledged_ns = io_loop_wall_ns(consumer_loop(c));
}

void consumer_ack_take(struct consumer *c, uint64_t sequence) {
    take(c, sequence, acknowledged(c, sequence));
}

/* The message SEQUENCE is done, and with ack_all everything before it. False: not noted. */
static bool acknowledge(struct consumer *c, uint64_t sequence) {
    if (c->config.ack == ACK_NONE)
        return true;
    struct pending_entry *entry = acknowledged(c, sequence);
    if (c->config.ack == ACK_EXPLICIT && entry &&
        (interest_reserve(c->stream, 1) || note_done(c, entry)))
        return false;
    if (c->config.ack == ACK_ALL && entry &&
        (interest_reserve(c->stream, c->pending.count) || consumer_note_done_up_to(c, sequence)))
        return false;
    take(c, sequence, entry);
    return true;
}

int consumer_ack_drop(struct consumer *c, uint64_t sequence) {
    return acknowledge(c, sequence) ? 0 : -ENOBUFS;
}

static bool read_delay(slice argument, uint64_t *ret_ns) {
    if (argument.ptr[0] != '{')
        return number_parse_duration(argument, ret_ns) == 0;
    struct json_doc doc;
    json_init(&doc);
    int64_t delay;
    bool read = json_parse(&doc, argument) == 0 &&
                json_i64(json_member(json_root(&doc), slice_lit("delay")), &delay) == 0 &&
                delay >= 0;
    if (read)
        *ret_ns = (uint64_t)delay;
    json_free(&doc);
    return read;
}

static bool refuse(struct consumer *c, const struct consumer_address *address, slice argument) {
    uint64_t sequence = address->sequence, delay_ns = 0;
    struct pending_entry *entry = handed_out(c, sequence);
    if (!entry)
        return true;
    advise_refused(c, address);
    if (c->gone || !(entry = handed_out(c, sequence)))
        return true;
    if (argument.len && !read_delay(argument, &delay_ns))
        delay_ns = 0; /* as nats-server: a plain refusal */
    if (delay_ns) {
        pending_not_due(&c->pending, entry);
        entry->deadline_ns = io_loop_now_ns(consumer_loop(c)) + delay_ns;
        consumer_ack_watch(c, entry->deadline_ns);
        return true;
    }
    if (expire(c, entry))
        return false;
    consumer_wake(c);
    return true;
}

static void progress(struct consumer *c, uint64_t sequence) {
    struct pending_entry *entry = handed_out(c, sequence);
    if (!entry)
        return;
    pending_not_due(&c->pending, entry);
    entry->deadline_ns = io_loop_now_ns(consumer_loop(c)) + consumer_ack_wait(c, entry->deliveries);
    consumer_ack_watch(c, entry->deadline_ns);
}

static bool terminate(struct consumer *c, const struct consumer_address *address, slice reason) {
    if (!handed_out(c, address->sequence))
        return true;
    slice why = reason.len ? reason : slice_lit("terminated");
    if (c->parks ? consumer_park(c, address->sequence, why) != 0
                 : !acknowledge(c, address->sequence))
        return false;
    advise_terminated(c, address, reason);
    return true;
}

/* Done by its client, who is a sample of all. */
static bool confirm(struct consumer *c, const struct consumer_address *address) {
    if (c->sample_percent && c->config.ack == ACK_EXPLICIT) {
        const struct pending_entry *entry = handed_out(c, address->sequence);
        if (entry)
            consumer_ack_sample(c, address, consumer_ack_delay(c, entry));
        if (c->gone)
            return true;
    }
    return acknowledge(c, address->sequence);
}

bool consumer_ack_read(slice rest, struct consumer_address *ret_address) {
    slice deliveries = slice_cut(rest, '.', &rest);
    slice sequence = slice_cut(rest, '.', &rest);
    slice consumer_sequence = slice_cut(rest, '.', &rest);
    return rest.ptr && number_parse_u64(deliveries, &ret_address->deliveries) == 0 &&
           number_parse_u64(sequence, &ret_address->sequence) == 0 &&
           number_parse_u64(consumer_sequence, &ret_address->consumer_sequence) == 0;
}

/* False: it could not be noted, and must not be confirmed. */
static bool handle(struct consumer *c, const struct consumer_address *address,
                   const struct bus_message *m, bool *ret_answer) {
    slice body = m->payload;
    *ret_answer = m->reply.len > 0;
    if (!body.len || slice_equal(body, slice_lit("+ACK")) || slice_equal(body, slice_lit("+OK")))
        return confirm(c, address);
    if (slice_starts_with(body, slice_lit("+NXT"))) {
        *ret_answer = false;
        bool noted = confirm(c, address);
        consumer_pull_text(c, m->reply, slice_skip(body, 4));
        return noted;
    }
    if (slice_starts_with(body, slice_lit("-NAK")))
        return refuse(c, address, slice_trim(slice_skip(body, 4)));
    if (slice_starts_with(body, slice_lit("+TERM")))
        return terminate(c, address, slice_trim(slice_skip(body, 5)));
    if (slice_equal(body, slice_lit("+WPI")))
        progress(c, address->sequence);
    return true;
}

void consumer_ack_on_message(void *owner, struct bus_subscription *subscription,
                             const struct bus_message *message) {
    struct consumer *c = owner;
    struct consumer_address address;
    bool answer;
    if (unlikely(message->route.len)) { /* a message that a stream has sent here says nothing */
        bus_decline(subscription);
        return;
    }
    if (c->gone || !consumer_ack_read(slice_skip(message->subject, c->ack_prefix_len), &address))
        return;
    consumer_alive(c);
    if (handle(c, &address, message, &answer) && answer)
        consumer_note_answer(c, message->reply);
}
