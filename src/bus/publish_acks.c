/*
 * publish_acks.c - see publish_acks.h.
 *
 * The order of a commit with acknowledgements:
 *
 *     judged ........ against what the consumers have in flight now
 *     flushed ....... what consumers have noted so far goes to the log before it: a delivery must
 *                     not be replayed behind its acknowledgement
 *     the batch ..... messages, one delta with what is done, deletions of what nobody wants
 *     in memory ..... the consumers are done with it; then the batch is committed
 *
 * Nothing of it waits, so what was judged still holds at the end.
 */
#include "bus/publish_acks.h"

#include "bus/consumer_codec.h"
#include "bus/interest.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define DELTA_MAX (PUBLISH_ACKS_MAX * (1 + 3 * 10ul)) /* a kind and three numbers each */

static struct publish_ack *ack_at(const struct publish_acks *acks, size_t index) {
    return (struct publish_ack *)(void *)acks->all.ptr + index;
}

static size_t ack_count(const struct publish_acks *acks) {
    return acks->all.len / sizeof(struct publish_ack);
}

/* --- judgement ---------------------------------------------------------------------------- */

static bool bad(slice subject, struct streams_error *e) {
    return streams_fail(e, 400, 10003,
                        STREAMS_ACK_FIELD ": '%.*s' is not the reply subject of a consumed message",
                        slice_fmt(slice_take(subject, 64)));
}

static bool judge_entry(const struct publish_ack *ack, struct streams_error *e) {
    const struct consumer *c = ack->consumer;
    const struct consumer_address *address = &ack->address;
    const struct pending_entry *entry = pending_find(&c->pending, address->sequence);
    unsigned long long sequence = address->sequence;
    if (!entry || entry->parked || entry->waits)
        return streams_fail(e, 409, PUBLISH_ACK_STALE_CODE,
                            STREAMS_ACK_FIELD ": message %llu of %.*s is not in flight at %.*s",
                            sequence, slice_fmt(slice_take(c->stream_name, 32)),
                            slice_fmt(slice_take(c->name, 32)));
    return entry->deliveries == address->deliveries ||
           streams_fail(e, 409, PUBLISH_ACK_STALE_CODE,
                        STREAMS_ACK_FIELD
                        ": message %llu of %.*s was delivered again by %.*s (delivery %u, not "
                        "%llu)",
                        sequence, slice_fmt(slice_take(c->stream_name, 32)),
                        slice_fmt(slice_take(c->name, 32)), entry->deliveries,
                        (unsigned long long)address->deliveries);
}

static bool judge(struct streams *streams, slice subject, struct publish_ack *ret_ack,
                  struct streams_error *e) {
    static const slice prefix = {"$JS.ACK.", 8};
    if (!slice_starts_with(subject, prefix))
        return bad(subject, e);
    slice rest = slice_skip(subject, prefix.len);
    slice stream_name = slice_cut(rest, '.', &rest);
    slice consumer_name = slice_cut(rest, '.', &rest);
    if (!consumer_ack_read(rest, &ret_ack->address))
        return bad(subject, e);
    struct stream *stream = stream_find(streams, stream_name);
    ret_ack->consumer = stream ? map_find(&stream->consumers, consumer_name) : NULL;
    if (!ret_ack->consumer)
        return streams_fail(e, 404, 10014, STREAMS_ACK_FIELD ": stream %.*s has no consumer %.*s",
                            slice_fmt(slice_take(stream_name, 32)),
                            slice_fmt(slice_take(consumer_name, 32)));
    if (ret_ack->consumer->config.ack == ACK_NONE)
        return streams_fail(e, 400, 10003, STREAMS_ACK_FIELD ": consumer %.*s wants none",
                            slice_fmt(slice_take(consumer_name, 64)));
    return judge_entry(ret_ack, e);
}

bool publish_acks_read(struct streams *streams, slice headers, bool lenient,
                       struct publish_acks *acks, struct streams_error *e) {
    struct nats_status status;
    struct nats_field field;
    if (!acks->streams) {
        acks->streams = streams;
        acks->all = buf_make(PUBLISH_ACKS_MAX * sizeof(struct publish_ack));
    }
    if (nats_headers_parse(headers, &status))
        return true;
    while (nats_headers_next(&status.fields, &field)) {
        struct publish_ack ack = {0};
        if (!slice_equal(field.key, slice_lit(STREAMS_ACK_FIELD)))
            continue;
        if (!judge(streams, field.value, &ack, e)) {
            if (lenient)
                continue;
            return false;
        }
        int failed = buf_append(&acks->all, slice_make((const char *)&ack, sizeof ack));
        if (failed == -ENOBUFS)
            return streams_fail(e, 400, 10003, "more than %u " STREAMS_ACK_FIELD " in one commit",
                                PUBLISH_ACKS_MAX);
        if (failed)
            return publish_explain(failed, e);
    }
    return true;
}

/* --- the commit --------------------------------------------------------------------------- */

int publish_acks_prepare(struct publish_acks *acks) {
    if (!ack_count(acks))
        return 0;
    const struct consumers *all = acks->streams->consumers;
    consumers_flush(acks->streams);
    return all->unsaved.len || all->run.kind ? -EAGAIN : 0;
}

/* What C is done with, all up to SEQUENCE where it acknowledges so: then no more of them are looked
   at, for all acknowledgements together, than a batch may have changes. */
static int put_deletions(struct publish_acks *acks, struct consumer *c, uint64_t sequence,
                         struct log_batch *batch) {
    const struct pending_entry *entry =
        c->config.ack == ACK_ALL ? pending_first(&c->pending) : pending_find(&c->pending, sequence);
    int failed = 0;
    if (c->stream->config.retention == STREAM_RETENTION_LIMITS)
        return 0; /* nothing is deleted because it was acknowledged */
    for (; !failed && entry && entry->stream_sequence <= sequence;
         entry = pending_after(&c->pending, entry))
        failed = ++acks->released_max > LOG_BATCH_CHANGES_MAX
                     ? -E2BIG
                     : interest_put_done(c, entry->stream_sequence, batch);
    return failed ? failed : interest_reserve(c->stream, acks->released_max);
}

int publish_acks_put(struct publish_acks *acks, struct log_batch *batch) {
    _cleanup_buf_ struct buf delta = buf_make(DELTA_MAX);
    int failed = 0;
    for (size_t i = 0; i < ack_count(acks) && !failed; i++) {
        struct consumer *c = ack_at(acks, i)->consumer;
        uint64_t sequence = ack_at(acks, i)->address.sequence;
        const struct pending_entry *entry = pending_find(&c->pending, sequence);
        check(entry);
        failed = consumer_order_reserve_end(c, entry, ack_count(acks));
        if (!failed && c->journalled)
            failed = consumer_codec_add_done(&delta, c, sequence);
        if (!failed)
            failed = put_deletions(acks, c, sequence, batch);
    }
    return failed || !delta.len ? failed : consumers_put_delta(batch, buf_slice(&delta));
}

void publish_acks_take(struct publish_acks *acks) {
    for (size_t i = 0; i < ack_count(acks); i++) {
        struct publish_ack *ack = ack_at(acks, i);
        struct consumer *c = ack->consumer;
        const struct pending_entry *entry = pending_find(&c->pending, ack->address.sequence);
        if (!entry)
            continue; /* twice in one commit */
        if (c->sample_percent && c->config.ack == ACK_EXPLICIT)
            ack->delay_ns = consumer_ack_delay(c, entry);
        consumer_alive(c);
        consumer_ack_take(c, ack->address.sequence);
    }
}

void publish_acks_tell(struct publish_acks *acks) {
    for (size_t i = 0; i < ack_count(acks); i++) {
        const struct publish_ack *ack = ack_at(acks, i);
        if (ack->delay_ns && !ack->consumer->gone)
            consumer_ack_sample(ack->consumer, &ack->address, ack->delay_ns);
    }
}

void publish_acks_free(struct publish_acks *acks) {
    buf_free(&acks->all);
}

int publish_acks_strip(slice headers, struct buf *b) {
    static const slice empty = {"NATS/1.0\r\n\r\n", 12};
    size_t before = b->len;
    int failed = nats_headers_copy_without(b, headers, slice_lit(STREAMS_ACK_FIELD));
    if (!failed && slice_equal(slice_skip(buf_slice(b), before), empty))
        b->len = before;
    return failed;
}
