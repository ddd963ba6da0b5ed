/*
 * interest.c - see interest.h.
 *
 * WHO STILL WANTS a message is answered from what consumers hold anyway: one wants it that has it
 * in flight, or that has not come so far yet and whose filter matches. Nothing is kept per message.
 * Only the second needs the subject, which is read from the block; where that is not in memory the
 * message stays, and a walk is due. In a work queue the second does not count: each message is for
 * one consumer, and one is done with it.
 *
 * Released sequences wait in one buffer a stream until the end of the turn, when the consumers'
 * state takes them into its batch (consumer_state.c). Deleting twice is harmless.
 *
 * THE WALK goes from the first message to what is the last when it begins, 1,024 looks a turn, each
 * step one batch. Without any consumer all goes at once. One walk a stream; a reason for another
 * while it runs makes it begin again at its end.
 */
#include "bus/interest.h"

#include "base/mem.h"
#include "bus/consumer_parts.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define RELEASED_MAX (64u << 20) /* bytes a stream, 8 a message */
#define WALK_STEP_MAX 1024u
#define WALK_RETRY_NS 10000000u

static bool applies(const struct stream *stream) {
    return unlikely(stream->config.retention != STREAM_RETENTION_LIMITS);
}

/* --- who wants it ------------------------------------------------------------------------- */

static bool matches(const struct consumer *c, slice subject) {
    return log_filter_match(&c->filter, subject);
}

static bool in_lasts(const struct consumer *c, uint64_t sequence) {
    size_t low = c->lasts_at, high = c->lasts_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->lasts[middle] < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->lasts_count && c->lasts[low] == sequence;
}

enum want { NO, YES, IF_IT_MATCHES };

static enum want wants(const struct consumer *c, uint64_t sequence) {
    if (c->gone)
        return NO;
    if (pending_find(&c->pending, sequence))
        return YES;
    if (c->stream->config.retention == STREAM_RETENTION_WORK_QUEUE)
        return NO; /* one consumer a subject: it is asked about what another is done with */
    if (c->position <= c->last_until && sequence <= c->last_until)
        return in_lasts(c, sequence) ? YES : NO;
    if (sequence < c->position)
        return NO;
    return c->filter.count ? IF_IT_MATCHES : YES;
}

/* RECORD is what is known of the message: its subject is empty until somebody needs it. EXCEPT: a
   consumer that is done with it, NULL: none. */
static bool anybody_wants(struct stream *stream, const struct consumer *except,
                          struct log_record *record) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&stream->consumers, &at));) {
        const struct consumer *c = entry->value;
        enum want want = c == except ? NO : wants(c, record->sequence);
        if (want == NO)
            continue;
        if (want == YES)
            return true;
        if (!record->subject.len &&
            log_read(stream->streams->log, stream->log, record->sequence, record)) {
            stream->walk_due = true; /* it is on disk only: who is to know? */
            return true;
        }
        if (matches(c, record->subject))
            return true;
    }
    return false;
}

bool interest_wanted(const struct stream *stream, slice subject) {
    if (likely(stream->config.retention != STREAM_RETENTION_INTEREST))
        return true;
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&stream->consumers, &at));)
        if (matches(entry->value, subject))
            return true;
    return false;
}

/* --- released ----------------------------------------------------------------------------- */

int interest_reserve(struct stream *stream, size_t count) {
    if (!applies(stream))
        return 0;
    stream->released.max = RELEASED_MAX;
    return buf_reserve(&stream->released, count * sizeof(uint64_t));
}

static void add_released(struct stream *stream, uint64_t sequence) {
    struct streams *streams = stream->streams;
    struct buf *released = &stream->released;
    check(released->cap - released->len >= sizeof sequence);
    memcpy(released->ptr + released->len, &sequence, sizeof sequence);
    released->len += sizeof sequence;
    if (!list_linked(&stream->in_releasing))
        list_push_back(&streams->releasing, &stream->in_releasing);
    io_defer(bus_loop(streams->bus), &streams->consumers->flush_task);
}

void interest_release(struct stream *stream, uint64_t sequence) {
    struct log_record record = {.sequence = sequence};
    if (applies(stream) && !anybody_wants(stream, NULL, &record))
        add_released(stream, sequence);
}

int interest_release_again(struct stream *stream, uint64_t sequence) {
    int failed = interest_reserve(stream, 1);
    if (!failed && applies(stream))
        add_released(stream, sequence);
    return failed;
}

const uint64_t *interest_released(const struct stream *stream, size_t *ret_count) {
    *ret_count = stream->released.len / sizeof(uint64_t);
    return (const uint64_t *)(const void *)stream->released.ptr;
}

int interest_put_done(const struct consumer *consumer, uint64_t sequence, struct log_batch *batch) {
    struct stream *stream = consumer->stream;
    struct log_record record = {.sequence = sequence};
    if (!applies(stream) || anybody_wants(stream, consumer, &record))
        return 0;
    int failed = log_batch_delete(batch, stream->log, sequence);
    return failed == -ENOENT ? 0 : failed;
}

bool interest_waiting(const struct streams *streams) {
    return !list_empty(&streams->releasing);
}

int interest_put(struct streams *streams, struct log_batch *batch) {
    unsigned left = INTEREST_BATCH_MAX;
    struct list_node *node, *next;
    list_each(&streams->releasing, node, next) /* an abandoned batch has put nothing */
        container_of(node, struct stream, in_releasing)
            ->released_put = 0;
    list_each(&streams->releasing, node, next) {
        struct stream *stream = container_of(node, struct stream, in_releasing);
        struct buf *released = &stream->released;
        while (stream->released_put < released->len) {
            if (!left--)
                return -E2BIG;
            uint64_t sequence;
            memcpy(&sequence, released->ptr + stream->released_put, sizeof sequence);
            int failed = log_batch_delete(batch, stream->log, sequence);
            if (failed && failed != -ENOENT)
                return failed;
            stream->released_put += sizeof sequence;
        }
    }
    return 0;
}

void interest_taken(struct streams *streams) {
    struct list_node *node, *next;
    list_each(&streams->releasing, node, next) {
        struct stream *stream = container_of(node, struct stream, in_releasing);
        struct buf *released = &stream->released;
        size_t rest = released->len - stream->released_put;
        if (rest)
            memmove(released->ptr, released->ptr + stream->released_put, rest);
        released->len = rest;
        stream->released_put = 0;
        if (!rest)
            list_remove(node);
        if (!rest && stream->walk_due)
            interest_walk(stream);
    }
}

void interest_forget(struct stream *stream) {
    list_remove(&stream->in_releasing);
    buf_free(&stream->released);
}

/* --- which consumers ---------------------------------------------------------------------- */

static bool share_subjects(const struct consumer_config *a, const struct consumer_config *b) {
    const slice *of_a, *of_b;
    unsigned count_a = consumer_config_filters(a, &of_a);
    unsigned count_b = consumer_config_filters(b, &of_b);
    for (unsigned i = 0; i < count_a; i++)
        for (unsigned j = 0; j < count_b; j++)
            if (nats_subject_overlap(of_a[i], of_b[j]))
                return true;
    return !count_a || !count_b;
}

static bool admits_to_work_queue(struct stream *stream, const struct consumer_config *config,
                                 const struct consumer *there, struct streams_error *e) {
    if (config->ack == ACK_NONE && !config->deliver_subject.len)
        return streams_fail(e, 400, 10084,
                            "consumer in pull mode requires explicit ack policy on "
                            "workqueue stream");
    if (config->ack != ACK_EXPLICIT)
        return streams_fail(e, 400, 10098, "workqueue stream requires explicit ack");
    const struct map_entry *entry;
    const slice *unused;
    for (size_t at = 0; (entry = map_next(&stream->consumers, &at));) {
        const struct consumer *other = entry->value;
        if (other == there)
            continue;
        if (!consumer_config_filters(config, &unused))
            return streams_fail(e, 400, 10099,
                                "multiple non-filtered consumers not allowed on workqueue stream");
        if (share_subjects(&other->config, config))
            return streams_fail(e, 400, 10100, "filtered consumer not unique on workqueue stream");
    }
    if (config->deliver != DELIVER_ALL)
        return streams_fail(e, 400, 10101, "consumer must be deliver all on workqueue stream");
    return true;
}

bool interest_admits(struct stream *stream, const struct consumer_config *config,
                     const struct consumer *there, struct streams_error *e) {
    return stream->config.retention != STREAM_RETENTION_WORK_QUEUE ||
           admits_to_work_queue(stream, config, there, e);
}

/* --- the walk ----------------------------------------------------------------------------- */

struct interest_walk {
    struct streams_op op;
    struct log_load load;
    struct io_timer again;
    bool loading, once_more;
    uint64_t sequence, last;
    size_t name_len;
    char name[];
};

static void walk_step(struct interest_walk *walk);

static struct stream *walk_stream(const struct interest_walk *walk) {
    struct stream *stream = stream_find(walk->op.streams, slice_make(walk->name, walk->name_len));
    return stream && stream->walk == walk ? stream : NULL;
}

static void walk_free(struct interest_walk *walk) {
    struct stream *stream = walk->op.streams->log ? walk_stream(walk) : NULL;
    if (stream)
        stream->walk = NULL;
    streams_op_over(&walk->op);
    mem_free(walk);
}

static bool walk_stop(struct streams_op *op, bool log_gone) {
    struct interest_walk *walk = container_of(op, struct interest_walk, op);
    io_timer_stop(bus_loop(op->streams->bus), &walk->again);
    if (walk->loading && !log_gone)
        log_load_cancel(op->streams->log, &walk->load);
    walk_free(walk);
    return true;
}

static void on_again(struct io_timer *timer) {
    walk_step(container_of(timer, struct interest_walk, again));
}

static void on_loaded(struct log_load *load, int failed) {
    struct interest_walk *walk = container_of(load, struct interest_walk, load);
    walk->loading = false;
    if (failed)
        walk_free(walk); /* a broken disk: what is left there stays */
    else
        walk_step(walk);
}

/* 0: done. -EAGAIN: more, later. -EINPROGRESS: walk->sequence is to be loaded. Or why not. */
static int walk_some(struct interest_walk *walk, struct stream *stream, struct log_batch *batch) {
    if (!map_count(&stream->consumers))
        return log_batch_trim(batch, stream->log, walk->last + 1);
    for (unsigned i = 0; i < WALK_STEP_MAX; i++) {
        if (walk->sequence > walk->last)
            return 0;
        struct log_record record = {.sequence = walk->sequence};
        int failed =
            log_seek(walk->op.streams->log, stream->log, (slice){0}, walk->sequence, &record);
        if (failed == -ENOENT) /* the end for readers: is the rest still on its way to disk? */
            return log_stream_state(stream->log).last_sequence < walk->last ? -EBUSY : 0;
        walk->sequence = record.sequence;
        if (failed == -EBADMSG) {
            walk->sequence++;
            continue;
        }
        if (failed)
            return failed;
        if (record.sequence <= walk->last && !anybody_wants(stream, NULL, &record))
            failed = log_batch_delete(batch, stream->log, record.sequence);
        if (failed && failed != -ENOENT)
            return failed;
        walk->sequence = record.sequence + 1;
    }
    return -EAGAIN;
}

static void walk_over(struct interest_walk *walk, struct stream *stream) {
    bool once_more = walk->once_more;
    walk_free(walk);
    if (once_more)
        interest_walk(stream);
}

static void walk_step(struct interest_walk *walk) {
    struct stream *stream = walk_stream(walk);
    struct log_batch *batch;
    if (!stream || stream->config.retention != STREAM_RETENTION_INTEREST) {
        walk_free(walk);
        return;
    }
    int failed = log_batch_begin(walk->op.streams->log, &batch);
    if (!failed) {
        failed = walk_some(walk, stream, batch);
        log_batch_commit(batch, NULL);
    }
    if (!failed) {
        walk_over(walk, stream);
        return;
    }
    if (failed == -EROFS) {
        walk_free(walk);
        return;
    }
    walk->loading = failed == -EINPROGRESS &&
                    log_load(walk->op.streams->log, stream->log, walk->sequence, &walk->load) == 0;
    if (!walk->loading)
        io_timer_start(bus_loop(walk->op.streams->bus), &walk->again,
                       failed == -EAGAIN ? 0 : WALK_RETRY_NS, on_again);
}

void interest_walk(struct stream *stream) {
    stream->walk_due = false;
    if (stream->config.retention != STREAM_RETENTION_INTEREST || stream->streams->ended)
        return;
    struct log_stream_state state = log_stream_staged(stream->log);
    if (stream->walk) {
        stream->walk->once_more = true;
        return;
    }
    if (!state.messages)
        return;
    slice name = stream->config.name;
    struct interest_walk *walk = mem_zalloc(1, sizeof *walk + name.len);
    if (!walk) {
        stream->walk_due = true; /* with the next release */
        return;
    }
    walk->load.done = on_loaded;
    walk->sequence = state.first_sequence;
    walk->last = state.last_sequence;
    walk->name_len = name.len;
    memcpy(walk->name, name.ptr, name.len);
    stream->walk = walk;
    streams_op_begin(stream->streams, &walk->op, walk_stop);
    io_timer_start(bus_loop(stream->streams->bus), &walk->again, 0, on_again);
}
