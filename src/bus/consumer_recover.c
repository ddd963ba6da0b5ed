/*
 * consumer_recover.c - consumers as they were: deltas replayed, snapshots written and restored.
 *
 * The records of a delta are drawn in consumer_state.c. Everything read here has passed a CRC, so
 * what is not understood is damage of another kind or a newer version's: it is refused (-EBADMSG),
 * never skipped. Lengths and numbers are checked before they are used all the same.
 *
 * The consumers stay without a stream until consumers_start joins them with theirs.
 */
#include "base/mem.h"
#include "bus/consumer_codec.h"
#include "bus/consumer_parts.h"
#include "bus/interest.h"
#include "bus/stream_config.h"

#include <errno.h>

#define SNAPSHOT_VERSION 4u
#define SNAPSHOT_VERSION_UNRELEASED 3u /* written before it had what was released */
#define SNAPSHOT_VERSION_UNORDERED 2u  /* written before there were keys */
#define SNAPSHOT_VERSION_UNPARKED 1u   /* and before there were parked messages */
#define LEFT_MS_MAX ((uint64_t)INT64_MAX / 1000000)

/* --- reading ------------------------------------------------------------------------------ */

struct reader {
    slice rest;
    bool bad;
};

static uint64_t take_number(struct reader *r) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && r->rest.len; shift += 7) {
        unsigned char byte = (unsigned char)r->rest.ptr[0];
        r->rest = slice_skip(r->rest, 1);
        if (shift == 63 && byte > 1)
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    r->bad = true;
    return 0;
}

static slice take_bytes(struct reader *r, uint64_t len) {
    if (r->bad || len > r->rest.len) {
        r->bad = true;
        return (slice){0};
    }
    slice bytes = slice_take(r->rest, (size_t)len);
    r->rest = slice_skip(r->rest, (size_t)len);
    return bytes;
}

static slice take_text(struct reader *r) {
    uint64_t len = take_number(r);
    return take_bytes(r, len);
}

static int64_t take_time(struct reader *r) {
    slice bytes = take_bytes(r, 8);
    uint64_t time = 0;
    for (size_t i = 0; i < bytes.len; i++)
        time |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    return (int64_t)time;
}

static int read_config(slice text, struct arena *arena, struct consumer_config *ret_config) {
    struct json_doc doc;
    json_init(&doc);
    struct streams_error e = {0};
    int failed = json_parse(&doc, text);
    if (!failed && !consumer_config_read(json_root(&doc), arena, ret_config, &e))
        failed = e.code == 503 ? -ENOMEM : -EBADMSG;
    if (failed == -EINVAL || failed == -E2BIG)
        failed = -EBADMSG;
    json_free(&doc);
    return failed;
}

static int read_birth(struct consumers *all, struct reader *r, struct consumer **ret_consumer) {
    uint64_t id = take_number(r);
    uint64_t position = take_number(r);
    uint64_t last_until = take_number(r);
    int64_t created_ns = take_time(r);
    slice stream_name = take_text(r);
    slice config_text = take_text(r);
    if (r->bad || !id || !position || map64_find(&all->by_id, id))
        return -EBADMSG;
    _cleanup_arena_ struct arena arena = arena_make(0, CONSUMER_CONFIG_ARENA_MAX);
    struct consumer_config config;
    int failed = read_config(config_text, &arena, &config);
    if (failed)
        return failed;
    struct consumer *c = consumer_new(all->streams, stream_name, &config);
    if (!c)
        return -ENOMEM;
    c->id = id;
    c->position = position;
    c->last_until = last_until;
    c->created_ns = created_ns;
    c->journalled = true;
    failed = map64_add(&all->by_id, id, c);
    if (failed) {
        consumer_end(c, NULL);
        return failed;
    }
    if (id >= all->next_id)
        all->next_id = id + 1;
    *ret_consumer = c;
    return 0;
}

/* How long ago that was, 0 for what is to come; a moment before 1970 is taken for 1970. */
static int64_t age(struct io_loop *loop, int64_t since_ns) {
    int64_t now_ns = io_loop_wall_ns(loop);
    if (since_ns >= now_ns)
        return 0;
    return since_ns > 0 ? now_ns - since_ns : now_ns;
}

/* The loop clock's time of a wall clock's, not past, and at most an ack_wait from now. */
static uint64_t deadline_of(const struct consumer *c, int64_t delivered_ns, uint32_t deliveries) {
    struct io_loop *loop = consumer_loop(c);
    uint64_t wait = consumer_ack_wait(c, deliveries), now = io_loop_now_ns(loop);
    uint64_t gone = (uint64_t)age(loop, delivered_ns);
    return gone >= wait ? now : now + (wait - gone);
}

/* --- replaying a delta -------------------------------------------------------------------- */

static int replay_delivered(struct consumer *c, struct reader *r, int64_t time_ns) {
    uint64_t first = take_number(r), consumer_sequence = take_number(r), count = take_number(r);
    if (r->bad || !first || !count || count > CONSUMER_IN_FLIGHT_MAX || first + count < first)
        return -EBADMSG;
    if (!c)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        if (first + i < c->position)
            continue;
        if (c->config.ack != ACK_NONE) {
            if (pending_reserve(&c->pending))
                return -ENOMEM;
            pending_add(&c->pending, &(struct pending_entry){
                                         .stream_sequence = first + i,
                                         .consumer_sequence = consumer_sequence + i,
                                         .deadline_ns = deadline_of(c, time_ns, 1),
                                         .deliveries = 1,
                                     });
        }
        c->position = first + i + 1;
        if (consumer_sequence + i > c->consumer_sequence)
            c->consumer_sequence = consumer_sequence + i;
        c->delivered_ns = time_ns;
    }
    return 0;
}

static int replay_turn(struct consumer *c, struct reader *r, int64_t time_ns) {
    uint64_t sequence = take_number(r), consumer_sequence = take_number(r);
    uint64_t key = (uint64_t)take_time(r);
    if (r->bad || !sequence)
        return -EBADMSG;
    struct pending_entry *entry = c ? pending_find(&c->pending, sequence) : NULL;
    if (!c || (entry ? !entry->waits || entry->deliveries : sequence < c->position))
        return 0; /* so it is already, or more has become of it */
    if (!entry) {
        if (pending_reserve(&c->pending))
            return -ENOMEM;
        entry = pending_add(&c->pending, &(struct pending_entry){.stream_sequence = sequence});
        pending_set_key(&c->pending, entry, key);
        pending_wait(&c->pending, entry);
        c->position = sequence + 1;
    }
    if (!consumer_sequence)
        return 0;
    pending_go(&c->pending, entry);
    entry->consumer_sequence = consumer_sequence;
    entry->deliveries = 1;
    entry->deadline_ns = deadline_of(c, time_ns, 1);
    if (consumer_sequence > c->consumer_sequence)
        c->consumer_sequence = consumer_sequence;
    c->delivered_ns = time_ns;
    return 0;
}

static int replay_redelivered(struct consumer *c, struct reader *r, int64_t time_ns) {
    uint64_t sequence = take_number(r), consumer_sequence = take_number(r);
    uint64_t deliveries = take_number(r);
    if (r->bad || deliveries > UINT32_MAX)
        return -EBADMSG;
    struct pending_entry *entry = c ? pending_find(&c->pending, sequence) : NULL;
    if (c && consumer_sequence > c->consumer_sequence)
        c->consumer_sequence = consumer_sequence;
    if (entry && (deliveries > entry->deliveries ||
                  (entry->waits && deliveries && deliveries == entry->deliveries))) {
        pending_not_due(&c->pending, entry);
        if (entry->waits)
            pending_go(&c->pending, entry);
        pending_delivered_again(&c->pending, entry, (uint32_t)deliveries);
        entry->deadline_ns = deadline_of(c, time_ns, entry->deliveries);
        c->delivered_ns = time_ns;
    }
    return 0;
}

static int replay_done(struct consumer *c, struct reader *r) {
    uint64_t first = take_number(r), count = take_number(r);
    if (r->bad || !count || count > CONSUMER_IN_FLIGHT_MAX)
        return -EBADMSG;
    for (uint64_t i = 0; c && i < count; i++) {
        struct pending_entry *entry = pending_find(&c->pending, first + i);
        if (entry) {
            consumer_park_forget(c, first + i);
            pending_remove(&c->pending, entry);
        }
    }
    return 0;
}

static int replay_done_up_to(struct consumer *c, struct reader *r) {
    uint64_t last = take_number(r);
    if (r->bad)
        return -EBADMSG;
    struct pending_entry *entry;
    while (c && (entry = pending_first(&c->pending)) && entry->stream_sequence <= last)
        pending_remove(&c->pending, entry);
    return 0;
}

static int take_parked(struct consumer *c, struct reader *r) {
    struct consumer_parked parked = {.sequence = take_number(r)};
    parked.time_ns = take_time(r);
    parked.deliveries = take_number(r);
    parked.reason = take_text(r);
    if (r->bad || parked.reason.len > CONSUMER_REASON_MAX)
        return -EBADMSG;
    return c ? consumer_park_restore(c, &parked) : 0;
}

static int replay_unparked(struct consumer *c, struct reader *r) {
    uint64_t sequence = take_number(r);
    if (r->bad)
        return -EBADMSG;
    struct pending_entry *entry = c ? pending_find(&c->pending, sequence) : NULL;
    if (!entry || !entry->parked)
        return 0;
    pending_unpark(&c->pending, entry);
    consumer_park_forget(c, sequence);
    if (!c->ordered)
        return pending_make_due(&c->pending, entry);
    pending_wait(&c->pending, entry);
    return 0;
}

static int replay_changed(struct consumer *c, struct reader *r) {
    slice text = take_text(r);
    if (r->bad)
        return -EBADMSG;
    if (!c)
        return 0;
    _cleanup_arena_ struct arena arena = arena_make(0, CONSUMER_CONFIG_ARENA_MAX);
    struct consumer_config config;
    int failed = read_config(text, &arena, &config);
    return failed ? failed : consumer_set_config(c, &config);
}

/* One record about a consumer that may have gone (then only its form is checked). */
static int replay_about(struct consumers *all, enum codec_kind kind, struct reader *r,
                        int64_t time_ns) {
    uint64_t id = take_number(r);
    if (r->bad || !id || id >= all->next_id)
        return -EBADMSG;
    struct consumer *c = map64_find(&all->by_id, id);
    switch (kind) {
    case CODEC_CHANGED:
        return replay_changed(c, r);
    case CODEC_REMOVED:
        if (c)
            consumer_end(c, NULL);
        return 0;
    case CODEC_DELIVERED:
        return replay_delivered(c, r, time_ns);
    case CODEC_REDELIVERED:
        return replay_redelivered(c, r, time_ns);
    case CODEC_DONE:
        return replay_done(c, r);
    case CODEC_DONE_UP_TO:
        return replay_done_up_to(c, r);
    case CODEC_PARKED:
        return take_parked(c, r);
    case CODEC_UNPARKED:
        return replay_unparked(c, r);
    case CODEC_TURN:
        return replay_turn(c, r, time_ns);
    case CODEC_CREATED:
    case CODEC_TIME:
    case CODEC_NOTHING:
        break;
    }
    return -EBADMSG;
}

int consumers_replay(void *self, slice delta, uint64_t position) {
    (void)position;
    struct consumers *all = self;
    struct reader r = {.rest = delta};
    struct consumer *born;
    int64_t time_ns = 0;
    int failed = 0;
    while (!failed && r.rest.len) {
        enum codec_kind kind = (enum codec_kind)(unsigned char)r.rest.ptr[0];
        r.rest = slice_skip(r.rest, 1);
        if (kind == CODEC_CREATED)
            failed = read_birth(all, &r, &born);
        else if (kind == CODEC_TIME)
            time_ns = take_time(&r);
        else if (kind != CODEC_NOTHING)
            failed = replay_about(all, kind, &r, time_ns);
        if (r.bad)
            failed = -EBADMSG;
    }
    return failed;
}

/* --- snapshots ----------------------------------------------------------------------
 *
 * version byte, time (8), next id, number of consumers; each: what it is born with, position,
 * consumer sequence, times of the last delivery and acknowledgement (8 each), number in flight;
 * each of these: steps in stream and in consumer sequence, deliveries, milliseconds left (0: due).
 * Then the number of parked messages, and each as in the record PARKED (not in version 1). Then the
 * number of keys, 0 or as many as are in flight; each: 8 bytes, and 1 where the message waits, else
 * 0 (not in versions 1 and 2).
 *
 * Behind the consumers (not in versions 1 to 3) the number of streams that have released messages
 * (interest.h); each: its name, created (8), how many, their sequences. Restored they wait for
 * consumers_start, when the streams are there. A stream made anew has another time: what its
 * predecessor has released is not its own. */

static int add_pending(struct buf *out, const struct consumer *c) {
    uint64_t now = io_loop_now_ns(consumer_loop(c));
    uint64_t stream_sequence = 0, consumer_sequence = 0;
    int failed = consumer_codec_add_number(out, c->pending.count);
    struct pending_entry *entry = failed ? NULL : pending_first(&c->pending);
    for (; entry && !failed; entry = pending_from(&c->pending, stream_sequence + 1)) {
        uint64_t left_ms = entry->deadline_ns > now ? (entry->deadline_ns - now) / 1000000u : 0;
        if (entry->waits)
            left_ms = 0;
        left_ms = entry->due ? 0 : left_ms + 1;
        failed = buf_reserve(out, 4 * CODEC_NUMBER_MAX);
        if (failed)
            break;
        char *at = out->ptr + out->len;
        at += consumer_codec_put_number(at, entry->stream_sequence - stream_sequence);
        at += consumer_codec_put_number(at, entry->consumer_sequence - consumer_sequence);
        at += consumer_codec_put_number(at, entry->deliveries);
        at += consumer_codec_put_number(at, left_ms);
        out->len = (size_t)(at - out->ptr);
        stream_sequence = entry->stream_sequence;
        consumer_sequence = entry->consumer_sequence;
    }
    return failed;
}

static int add_all_parked(struct buf *out, const struct consumer *c) {
    struct consumer_parked parked;
    uint64_t from = 0;
    int failed = consumer_codec_add_number(out, consumer_parked_count(c));
    for (; !failed && consumer_parked_next(c, from, &parked); from = parked.sequence + 1)
        failed = consumer_codec_add_parked(out, &parked);
    return failed;
}

static int add_keys(struct buf *out, const struct consumer *c) {
    int failed = consumer_codec_add_number(out, c->ordered ? c->pending.count : 0);
    struct pending_entry *entry = c->ordered ? pending_first(&c->pending) : NULL;
    for (; entry && !failed; entry = pending_after(&c->pending, entry)) {
        failed = consumer_codec_add_time(out, (int64_t)pending_key(&c->pending, entry));
        if (!failed)
            failed = buf_append_byte(out, entry->waits);
    }
    return failed;
}

static int add_consumer(struct buf *out, const struct consumer *c) {
    int failed = consumer_codec_add_birth(out, c);
    if (!failed)
        failed = consumer_codec_add_number(out, c->consumer_sequence);
    if (!failed)
        failed = consumer_codec_add_time(out, c->delivered_ns);
    if (!failed)
        failed = consumer_codec_add_time(out, c->acknowledged_ns);
    if (!failed)
        failed = add_pending(out, c);
    if (!failed)
        failed = add_all_parked(out, c);
    return failed ? failed : add_keys(out, c);
}

static int add_released_of(struct buf *out, const struct stream *stream) {
    size_t count;
    const uint64_t *sequences = interest_released(stream, &count);
    int failed = consumer_codec_add_number(out, stream->config.name.len);
    if (!failed)
        failed = buf_append(out, stream->config.name);
    if (!failed)
        failed = consumer_codec_add_time(out, stream->created_ns);
    if (!failed)
        failed = consumer_codec_add_number(out, count);
    for (size_t i = 0; !failed && i < count; i++)
        failed = consumer_codec_add_number(out, sequences[i]);
    return failed;
}

static int add_released(struct buf *out, const struct streams *streams) {
    struct list_node *node, *next;
    uint64_t count = 0;
    list_each(&streams->releasing, node, next) count++;
    int failed = consumer_codec_add_number(out, count);
    list_each(&streams->releasing, node, next) {
        if (!failed)
            failed = add_released_of(out, container_of(node, struct stream, in_releasing));
    }
    return failed;
}

int consumers_snapshot(void *self, struct buf *out) {
    struct consumers *all = self;
    const struct map64_entry *entry;
    uint64_t count = 0;
    for (size_t at = 0; (entry = map64_next(&all->by_id, &at));)
        count += ((struct consumer *)entry->value)->journalled;
    int failed = buf_append_byte(out, SNAPSHOT_VERSION);
    if (!failed)
        failed = consumer_codec_add_time(out, io_loop_wall_ns(bus_loop(all->streams->bus)));
    if (!failed)
        failed = consumer_codec_add_number(out, all->next_id);
    if (!failed)
        failed = consumer_codec_add_number(out, count);
    for (size_t at = 0; !failed && (entry = map64_next(&all->by_id, &at));) {
        const struct consumer *c = entry->value;
        if (c->journalled)
            failed = add_consumer(out, c);
    }
    return failed ? failed : add_released(out, all->streams);
}

static int restore_pending(struct consumer *c, struct reader *r, int64_t age_ns) {
    uint64_t count = take_number(r), now = io_loop_now_ns(consumer_loop(c));
    struct pending_entry entry = {0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = take_number(r);
        entry.stream_sequence += step;
        entry.consumer_sequence += take_number(r);
        uint64_t deliveries = take_number(r), left_ms = take_number(r);
        bool past_the_end = entry.stream_sequence < step; /* the sum has wrapped */
        if (r->bad || !step || past_the_end || entry.stream_sequence >= c->position ||
            deliveries > UINT32_MAX)
            return -EBADMSG;
        entry.deliveries = (uint32_t)deliveries;
        /* The longest delay a client may ask for comes rounded up, and a little more. */
        uint64_t left_ns = (left_ms < LEFT_MS_MAX ? left_ms : LEFT_MS_MAX) * 1000000;
        entry.deadline_ns = left_ns > (uint64_t)age_ns ? now + (left_ns - (uint64_t)age_ns) : now;
        if (pending_reserve(&c->pending))
            return -ENOMEM;
        pending_add(&c->pending, &entry);
        if (!left_ms &&
            pending_make_due(&c->pending, pending_find(&c->pending, entry.stream_sequence)))
            return -ENOMEM;
    }
    return r->bad ? -EBADMSG : 0;
}

static int restore_keys(struct consumer *c, struct reader *r) {
    uint64_t count = take_number(r);
    if (r->bad || (count && (!c->ordered || count != c->pending.count)))
        return -EBADMSG;
    struct pending_entry *entry = count ? pending_first(&c->pending) : NULL;
    for (; entry; entry = pending_after(&c->pending, entry)) {
        pending_set_key(&c->pending, entry, (uint64_t)take_time(r));
        uint64_t waits = take_number(r);
        if (r->bad || waits > 1 || (waits && (entry->due || entry->parked)))
            return -EBADMSG;
        if (waits)
            pending_wait(&c->pending, entry);
    }
    return 0;
}

static int restore_consumer(struct consumers *all, struct reader *r, int64_t age_ns,
                            unsigned version) {
    struct consumer *c;
    int failed = read_birth(all, r, &c);
    if (failed)
        return failed;
    c->consumer_sequence = take_number(r);
    c->delivered_ns = take_time(r);
    c->acknowledged_ns = take_time(r);
    failed = r->bad ? -EBADMSG : restore_pending(c, r, age_ns);
    uint64_t count = failed || version == SNAPSHOT_VERSION_UNPARKED ? 0 : take_number(r);
    for (uint64_t i = 0; !failed && !r->bad && i < count; i++)
        failed = take_parked(c, r);
    if (!failed && !r->bad && version >= SNAPSHOT_VERSION_UNRELEASED)
        failed = restore_keys(c, r);
    return r->bad ? -EBADMSG : failed;
}

/* Reads what was released; with APPLY it is so again. */
static int take_released(struct consumers *all, struct reader *r, bool apply) {
    uint64_t streams = take_number(r);
    int failed = 0;
    for (uint64_t i = 0; i < streams && !r->bad && !failed; i++) {
        slice name = take_text(r);
        int64_t created_ns = take_time(r);
        uint64_t count = take_number(r);
        struct stream *stream = apply ? stream_find(all->streams, name) : NULL;
        if (stream && stream->created_ns != created_ns)
            stream = NULL;
        for (uint64_t j = 0; j < count && !r->bad && !failed; j++) {
            uint64_t sequence = take_number(r);
            if (stream && !r->bad)
                failed = interest_release_again(stream, sequence);
        }
    }
    return r->bad ? -EBADMSG : failed;
}

int consumers_release_restored(struct consumers *all) {
    struct reader r = {.rest = buf_slice(&all->released)};
    int failed = r.rest.len ? take_released(all, &r, true) : 0;
    buf_free(&all->released);
    return failed;
}

int consumers_restore(void *self, slice bytes) {
    struct consumers *all = self;
    unsigned version = bytes.len ? (unsigned char)bytes.ptr[0] : 0;
    if (version < SNAPSHOT_VERSION_UNPARKED || version > SNAPSHOT_VERSION)
        return -EBADMSG;
    struct reader r = {.rest = slice_skip(bytes, 1)};
    int64_t age_ns = age(bus_loop(all->streams->bus), take_time(&r));
    uint64_t next_id = take_number(&r);
    uint64_t count = take_number(&r);
    int failed = r.bad ? -EBADMSG : 0;
    for (uint64_t i = 0; !failed && i < count; i++)
        failed = restore_consumer(all, &r, age_ns, version);
    if (!failed && version > SNAPSHOT_VERSION_UNRELEASED) {
        slice released = r.rest;
        failed = take_released(all, &r, false);
        if (!failed)
            failed = buf_append(&all->released, released);
    }
    if (!failed && (r.bad || r.rest.len || next_id < all->next_id))
        failed = -EBADMSG;
    if (!failed)
        all->next_id = next_id;
    return failed;
}
