/*
 * capture.c - a published message on its way into a stream: judged, appended, acknowledged.
 *
 * The order of judgement is drawn in streams.h. One message is one batch of the log, with what
 * participants add (append.h); the acknowledgement hangs on its commit and leaves when it is on
 * disk. A message of an atomic batch goes to publish_batch.c, which appends all of them at once.
 *
 * A duplicate is answered behind the original, by a batch of its own that changes nothing:
 * "duplicate: true" too is a promise that the message is on disk.
 *
 * An acknowledgement is a small struct with the reply subject behind it, taken from a bounded list
 * of spares; long reply subjects, and those beyond the list, are allocated.
 *
 * While a record of the log is being handed out (streams_hold), an append could move the bytes it
 * points to. What is captured then is copied, and appended, in order, when the last one is given
 * back. Only a receiver on this very shard that publishes from inside its callback causes that.
 */
#include "base/mem.h"
#include "bus/append.h"
#include "bus/expiry.h"
#include "bus/interest.h"
#include "bus/private.h"
#include "bus/publish_acks.h"
#include "bus/publish_batch.h"
#include "bus/stream.h"
#include "bus/transform.h"

#include <errno.h>

#define ACK_REPLY_ROOM 112u
#define SPARE_ACKS_MAX 16384u
#define HELD_MAX 1024u

struct capture_ack {
    struct streams_op op;
    struct log_commit commit;
    struct capture_ack *next_spare;
    uint64_t sequence;
    slice stream_name; /* in tail, before the reply */
    slice reply;
    bool duplicate, spare_sized;
    char tail[];
};

/* --- answers ------------------------------------------------------------------------------ */

static bool ack_end(struct streams_op *op, bool log_gone) {
    if (!log_gone)
        return false;
    list_remove(&op->node);
    mem_free(container_of(op, struct capture_ack, op));
    return true;
}

static struct capture_ack *ack_take(struct stream *stream, slice reply) {
    struct streams *streams = stream->streams;
    slice name = stream->config.name;
    size_t tail = name.len + reply.len;
    struct capture_ack *ack = tail <= ACK_REPLY_ROOM ? streams->spare_acks : NULL;
    if (ack) {
        streams->spare_acks = ack->next_spare;
        streams->spare_ack_count--;
    } else {
        bool spare_sized = tail <= ACK_REPLY_ROOM;
        ack = mem_alloc(sizeof *ack + (spare_sized ? ACK_REPLY_ROOM : tail));
        if (!ack)
            return NULL;
        ack->spare_sized = spare_sized;
    }
    streams_op_begin(streams, &ack->op, ack_end);
    ack->duplicate = false;
    memcpy(ack->tail, name.ptr, name.len);
    memcpy(ack->tail + name.len, reply.ptr, reply.len);
    ack->stream_name = slice_make(ack->tail, name.len);
    ack->reply = slice_make(ack->tail + name.len, reply.len);
    return ack;
}

static void ack_give(struct capture_ack *ack) {
    struct streams *streams = ack->op.streams;
    bool spare = ack->spare_sized && !streams->ended && streams->spare_ack_count < SPARE_ACKS_MAX;
    streams_op_over(&ack->op);
    if (!spare) {
        mem_free(ack);
        return;
    }
    ack->next_spare = streams->spare_acks;
    streams->spare_acks = ack;
    streams->spare_ack_count++;
}

static void on_committed(struct log_commit *commit, int failed) {
    struct capture_ack *ack = container_of(commit, struct capture_ack, commit);
    struct streams_error error;
    if (failed)
        streams_fail(&error, 503, 10077, "the log has failed: %s", error_name(failed));
    if (!ack->op.streams->ended)
        publish_answer(ack->op.streams, ack->reply, ack->stream_name,
                       &(struct publish_answer){.sequence = failed ? 0 : ack->sequence,
                                                .duplicate = ack->duplicate},
                       failed ? &error : NULL);
    ack_give(ack);
}

/* --- appending ---------------------------------------------------------------------------- */

static int add_nothing(struct stream *s, struct log_batch *batch, struct streams_error *e) {
    int failed = s->config.in_memory ? 0 : consumers_put_nothing(batch);
    if (failed)
        publish_explain(failed, e);
    return failed;
}

static int put_acks(struct publish_acks *acks, struct log_batch *batch, struct streams_error *e) {
    int failed = publish_acks_put(acks, batch);
    if (failed)
        publish_explain(failed, e);
    return failed;
}

static bool append(struct stream *s, const struct bus_message *m, const struct publish_headers *h,
                   uint64_t duplicate_of, int64_t now_ns, struct publish_acks *acks,
                   uint64_t *ret_sequence, struct streams_error *e) {
    struct capture_ack *ack = NULL;
    if (m->reply.len && !s->config.no_ack) {
        ack = ack_take(s, m->reply);
        if (!ack)
            return publish_explain(-ENOMEM, e);
    }
    struct log_batch *batch;
    struct appending a = append_begin(s, m, h);
    if (duplicate_of)
        a.sequence = duplicate_of;
    int failed = a.ttl_s > 0 ? expiry_reserve(s, 1) : 0;
    if (!failed && unlikely(acks != NULL))
        failed = publish_acks_prepare(acks);
    if (!failed)
        failed = log_batch_begin(s->streams->log, &batch);
    if (failed) {
        publish_explain(failed, e);
    } else {
        failed = duplicate_of ? add_nothing(s, batch, e) : append_put(s, batch, m, now_ns, &a, e);
        if (!failed && unlikely(acks != NULL))
            failed = put_acks(acks, batch, e);
        if (failed)
            log_batch_abandon(batch);
    }
    if (failed) {
        if (ack)
            ack_give(ack);
        return false;
    }
    if (ack) {
        ack->sequence = a.sequence;
        ack->duplicate = duplicate_of != 0;
        ack->commit.done = on_committed;
    }
    if (unlikely(acks != NULL))
        publish_acks_take(acks);
    log_batch_commit(batch, ack ? &ack->commit : NULL);
    if (!duplicate_of) {
        append_note(s, h, &a, now_ns);
        *ret_sequence = a.sequence;
        append_rest(s, m, &a);
    }
    return true;
}

/* --- nobody is interested ----------------------------------------------------------------- */

/* The message takes a sequence, but is not kept. Where the stream is empty its front moves behind
   it; else a message without a body is put in, and taken out again. */
static int add_passing(struct stream *s, const struct bus_message *m, int64_t now_ns,
                       uint64_t sequence, struct log_commit *commit) {
    struct log *log = s->streams->log;
    struct log_batch *batch;
    bool empty = log_stream_staged(s->log).messages == 0;
    if (!empty) {
        struct log_message message = {m->subject, {0}, {0}, now_ns};
        uint64_t unused;
        int failed = log_batch_begin(log, &batch);
        if (failed)
            return failed;
        failed = log_batch_append(batch, s->log, &message, &unused);
        if (failed) {
            log_batch_abandon(batch);
            return failed;
        }
        log_batch_commit(batch, NULL);
    }
    int failed = log_batch_begin(log, &batch);
    if (!failed) {
        failed = empty ? log_batch_trim(batch, s->log, sequence + 1)
                       : log_batch_delete(batch, s->log, sequence);
        if (failed)
            log_batch_abandon(batch);
    }
    if (!failed)
        log_batch_commit(batch, commit);
    else if (!empty)
        interest_walk(s);
    return failed;
}

static bool let_pass(struct stream *s, const struct bus_message *m, const struct publish_headers *h,
                     int64_t now_ns, struct streams_error *e) {
    uint64_t sequence = log_stream_staged(s->log).last_sequence + 1;
    struct capture_ack *ack = NULL;
    if (m->reply.len && !s->config.no_ack) {
        ack = ack_take(s, m->reply);
        if (!ack)
            return publish_explain(-ENOMEM, e);
        ack->sequence = sequence;
        ack->commit.done = on_committed;
    }
    int failed = add_passing(s, m, now_ns, sequence, ack ? &ack->commit : NULL);
    if (failed) {
        if (ack)
            ack_give(ack);
        return publish_explain(failed, e);
    }
    append_note_id(s, h->id, sequence, now_ns);
    return true;
}

/* --- with acknowledgements of what was consumed ------------------------------------------- */

/* The message is kept for a moment though nobody is interested: it is what carries them. */
static bool append_with_acks(struct stream *s, const struct bus_message *m,
                             const struct publish_headers *h, slice carried, uint64_t duplicate_of,
                             int64_t now_ns, uint64_t *ret_sequence, struct streams_error *e) {
    struct streams *streams = s->streams;
    struct publish_acks acks = {0};
    struct bus_message stored = *m;
    _cleanup_buf_ struct buf headers = buf_make(LOG_MESSAGE_MAX);
    bool appended = publish_acks_read(streams, carried, duplicate_of != 0, &acks, e);
    int failed = appended && m->headers.len ? publish_acks_strip(m->headers, &headers) : 0;
    stored.headers = buf_slice(&headers);
    if (failed)
        appended = publish_explain(failed, e);
    if (appended)
        appended = append(s, &stored, h, duplicate_of, now_ns, &acks, ret_sequence, e);
    if (appended && !duplicate_of && unlikely(!interest_wanted(s, m->subject)))
        interest_walk(s);
    if (appended)
        publish_acks_tell(&acks); /* S may be gone */
    publish_acks_free(&acks);
    return appended;
}

/* *RET_SEQUENCE stays where nothing new is stored. */
static bool judge_and_append(struct stream *s, const struct bus_message *m,
                             const struct publish_headers *h, slice carried, uint64_t *ret_sequence,
                             struct streams_error *e) {
    int64_t now_ns = io_loop_wall_ns(bus_loop(s->streams->bus));
    if (!publish_judge_form(s, m, h, e))
        return false;
    /* Of a diverted stream the judge has looked for the id, in its own way. */
    bool may_repeat = h->id.len && likely(!s->diverted);
    uint64_t duplicate_of = may_repeat ? dedupe_find(&s->dedupe, h->id, now_ns) : 0;
    size_t size = m->subject.len + m->headers.len + m->payload.len;
    static const struct publish_before alone;
    if (!duplicate_of &&
        (!publish_judge_expectations(s, m, h, &alone, e) || !publish_judge_rollup(s, h, e) ||
         !publish_judge_discard_new(s, m, &alone, size, e) || !store_takes(s, size, e)))
        return false;
    if (unlikely(h->acknowledges))
        return append_with_acks(s, m, h, carried, duplicate_of, now_ns, ret_sequence, e);
    if (unlikely(!duplicate_of && !interest_wanted(s, m->subject)))
        return let_pass(s, m, h, now_ns, e);
    return append(s, m, h, duplicate_of, now_ns, NULL, ret_sequence, e);
}

void stream_refuse(struct stream *s, slice reply, const struct streams_error *error) {
    if (reply.len && !s->config.no_ack)
        publish_answer(s->streams, reply, s->config.name, &(struct publish_answer){0}, error);
}

static uint64_t append_one(struct stream *s, const struct bus_message *message,
                           const struct publish_headers *h, slice carried) {
    struct streams *streams = s->streams; /* an answer may reach somebody who removes the stream */
    struct streams_error error;
    uint64_t sequence = 0;
    if (!judge_and_append(s, message, h, carried, &sequence, &error))
        stream_refuse(s, message->reply, &error);
    bus_set_stream_full(streams->bus, log_full(streams->log));
    return sequence;
}

uint64_t stream_append(struct stream *s, const struct bus_message *message, slice carried) {
    struct publish_headers h = publish_headers_read(message->headers);
    h.acknowledges = publish_headers_acknowledge(carried);
    return append_one(s, message, &h, carried);
}

void stream_answer_duplicate(struct stream *s, slice reply, uint64_t sequence, slice carried) {
    struct streams_error error;
    struct bus_message m = {.reply = reply};
    uint64_t unused;
    if (publish_headers_acknowledge(carried)) {
        int64_t now_ns = io_loop_wall_ns(bus_loop(s->streams->bus));
        if (!append_with_acks(s, &m, &(struct publish_headers){0}, carried, sequence, now_ns,
                              &unused, &error))
            stream_refuse(s, reply, &error);
        return;
    }
    if (reply.len && !s->config.no_ack)
        publish_answer(s->streams, reply, s->config.name,
                       &(struct publish_answer){.sequence = sequence, .duplicate = true}, NULL);
}

/* --- what comes by the bus ---------------------------------------------------------------- */

static void capture(struct stream *s, const struct bus_message *message) {
    const struct stream_diversion *diversion = &s->streams->diversion;
    struct bus_message transformed;
    char subject[BUS_SUBJECT_MAX];
    if (unlikely(s->transform != NULL)) {
        transformed = *message; /* where the source does not match it stays as it is */
        transform_apply(s->transform, message->subject, subject, sizeof subject,
                        &transformed.subject);
        message = &transformed;
    }
    struct publish_headers h = publish_headers_read(message->headers);
    if (unlikely(h.batch_id.len))
        publish_batch_add(s, message, &h);
    else if (unlikely(s->diverted))
        diversion->on_publish(diversion->self, s, message);
    else
        append_one(s, message, &h, message->headers);
}

/* --- while records are handed out --------------------------------------------------------- */

struct held {
    struct list_node node;
    slice stream_name;
    struct bus_message message;
    char bytes[];
};

static bool hold(struct stream *s, const struct bus_message *m) {
    struct streams *streams = s->streams;
    size_t size =
        s->config.name.len + m->subject.len + m->reply.len + m->headers.len + m->payload.len;
    struct held *held = streams->held_count < HELD_MAX ? mem_zalloc(1, sizeof *held + size) : NULL;
    if (!held)
        return false;
    char *at = held->bytes;
    held->stream_name = slice_store(&at, s->config.name);
    held->message.subject = slice_store(&at, m->subject);
    held->message.reply = slice_store(&at, m->reply);
    held->message.headers = slice_store(&at, m->headers);
    held->message.payload = slice_store(&at, m->payload);
    list_push_back(&streams->held, &held->node);
    streams->held_count++;
    return true;
}

void streams_release(struct streams *streams) {
    check(streams->holding > 0);
    if (--streams->holding || streams->draining || list_empty(&streams->held))
        return;
    struct list_node *node;
    streams->draining = true; /* what is captured meanwhile goes behind the others */
    while ((node = list_pop_front(&streams->held))) {
        struct held *held = container_of(node, struct held, node);
        struct stream *stream = stream_find(streams, held->stream_name);
        streams->held_count--;
        if (stream)
            capture(stream, &held->message);
        mem_free(held);
    }
    streams->draining = false;
}

/* What a consumer of the stream sends to its client is no news to the stream, though it may capture
   the client's inbox: it would never end. */
static bool is_own_delivery(const struct stream *s, const struct bus_message *m) {
    static const slice prefix = {"$JS.ACK.", 8};
    if (likely(!m->route.len) || !slice_starts_with(m->reply, prefix))
        return false;
    slice rest = slice_skip(m->reply, prefix.len);
    return slice_equal(slice_cut(rest, '.', &rest), s->config.name);
}

void stream_on_publish(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message) {
    (void)subscription;
    struct stream *s = owner;
    struct streams_error error;
    struct bus_message routed; /* a stored message sent here: its subject is the one it came by */
    if (unlikely(bus_subject_private(bus_message_route(message))) ||
        unlikely(is_own_delivery(s, message)))
        return;
    if (unlikely(message->route.len)) {
        routed = *message;
        routed.subject = message->route;
        routed.route = (slice){0};
        message = &routed;
    }
    if (likely(!s->streams->holding && !s->streams->draining)) {
        capture(s, message);
    } else if (!hold(s, message)) {
        streams_fail(&error, 429, 10167, "too many requests");
        stream_refuse(s, message->reply, &error);
    }
}

void capture_close(struct streams *streams) {
    struct list_node *node;
    while ((node = list_pop_front(&streams->held)))
        mem_free(container_of(node, struct held, node));
    while (streams->spare_acks) {
        struct capture_ack *ack = streams->spare_acks;
        streams->spare_acks = ack->next_spare;
        mem_free(ack);
    }
    streams->spare_ack_count = 0;
}
