/*
 * publish_batch.c - see publish_batch.h.
 *
 *     (none) --sequence 1--> GATHERING --commit--> judged, one batch of the log --> (none)
 *                                '-- gap, bound, no message for 10 s --> abandoned (none)
 *
 * A batch under way is copies of its messages, as they came, in a list. What belongs to the client
 * who sent them is not known here: an id is its batch's alone in its stream. Answering calls
 * strangers, who may remove the stream: it comes last, from copies.
 */
#include "bus/publish_batch.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/advisory.h"
#include "bus/append.h"
#include "bus/publish_acks.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define COMMIT_LINE_ROOM 64u /* bytes of "Nats-Batch-Commit: 1" and what ends a block */

struct staged {
    struct list_node node;
    struct bus_message message; /* in bytes; without reply */
    size_t size;                /* with this struct */
    char bytes[];
};

struct publish_batch {
    struct stream *stream;
    struct io_timer idle;
    struct list messages;
    size_t count;
    uint64_t bytes;
    size_t id_len;
    char id[PUBLISH_BATCH_ID_MAX];
};

static slice id_of(const struct publish_batch *batch) {
    return slice_make(batch->id, batch->id_len);
}

/* --- its end ------------------------------------------------------------------------------ */

static void batch_end(struct publish_batch *batch) {
    struct stream *s = batch->stream;
    struct list_node *node;
    while ((node = list_pop_front(&batch->messages)))
        mem_free(container_of(node, struct staged, node));
    io_timer_stop(bus_loop(s->streams->bus), &batch->idle);
    map_remove(&s->batches, id_of(batch));
    s->streams->batch_count--;
    s->streams->batch_bytes -= batch->bytes;
    mem_free(batch);
}

void publish_batches_forget(struct stream *s) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&s->batches, &at)); at = 0)
        batch_end(entry->value);
    map_free(&s->batches);
}

static void advise_abandoned(struct streams *streams, slice stream_name, slice id,
                             const char *reason) {
    struct advisory a;
    if (!advisory_begin(&a, streams->bus, "ADVISORY.STREAM.BATCH_ABANDONED",
                        "advisory.v1.stream_batch_abandoned", stream_name, (slice){0}))
        return;
    json_write_key(&a.w, "batch");
    json_write_string(&a.w, id);
    json_write_key(&a.w, "reason");
    json_write_text(&a.w, reason);
    advisory_send(&a);
}

/* BATCH is over without being stored. E: told to REPLY; NULL: to nobody. REASON: of the advisory;
   NULL: none. */
static void batch_abandon(struct publish_batch *batch, slice reply, const struct streams_error *e,
                          const char *reason) {
    struct stream *s = batch->stream;
    struct streams *streams = s->streams;
    char text[STREAMS_NAME_MAX + PUBLISH_BATCH_ID_MAX], *at = text;
    slice name = slice_store(&at, s->config.name), id = slice_store(&at, id_of(batch));
    batch_end(batch);
    if (e)
        stream_refuse(s, reply, e);
    if (reason)
        advise_abandoned(streams, name, id, reason);
}

static void on_idle(struct io_timer *timer) {
    batch_abandon(container_of(timer, struct publish_batch, idle), (slice){0}, NULL, "timeout");
}

/* --- its messages ------------------------------------------------------------------------- */

static bool incomplete(struct streams_error *e) {
    return streams_fail(e, 400, 10176, "atomic publish batch is incomplete");
}

static bool too_large(struct streams_error *e) {
    return streams_fail(e, 400, 10199, "atomic publish batch is too large: %u",
                        PUBLISH_BATCH_MESSAGES_MAX);
}

static bool too_many(struct streams_error *e) {
    return streams_fail(e, 429, 10210, "atomic publish too many inflight");
}

/* How a message says that it is the last. */
enum ending { GOES_ON, ENDS_WITH, ENDS_BEFORE };

static bool read_ending(slice value, enum ending *ret_ending) {
    *ret_ending = !value.len                             ? GOES_ON
                  : slice_equal(value, slice_lit("eob")) ? ENDS_BEFORE
                                                         : ENDS_WITH;
    return *ret_ending != ENDS_WITH || slice_equal(value, slice_lit("1"));
}

/* What is wrong with a message whatever its batch. */
static bool judge_message(struct stream *s, const struct bus_message *m,
                          const struct publish_headers *h, uint64_t *ret_sequence,
                          struct streams_error *e) {
    if (!publish_judge_size(s, m, e))
        return false;
    if (s->diverted)
        return streams_fail(e, 400, 10174,
                            "atomic publish is disabled: several events are appended at once by "
                            "POST /v1/append, not by a batch");
    if (!s->config.allow_atomic)
        return streams_fail(e, 400, 10174, "atomic publish is disabled");
    if (h->batch_id.len > PUBLISH_BATCH_ID_MAX)
        return streams_fail(e, 400, 10179, "atomic publish batch ID is invalid");
    return number_parse_u64(h->batch_sequence, ret_sequence) == 0 ||
           streams_fail(e, 400, 10175, "atomic publish sequence is missing");
}

static struct publish_batch *batch_new(struct stream *s, slice id) {
    struct publish_batch *batch = mem_zalloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->stream = s;
    list_init(&batch->messages);
    batch->id_len = id.len;
    memcpy(batch->id, id.ptr, id.len);
    if (map_add(&s->batches, id_of(batch), batch))
        return mem_free(batch);
    s->streams->batch_count++;
    return batch;
}

/* The batch that message SEQUENCE is of. NULL with *E: there is none, and cannot be. */
static struct publish_batch *batch_of(struct stream *s, slice id, uint64_t sequence, bool is_stored,
                                      struct streams_error *e) {
    struct publish_batch *batch = map_find(&s->batches, id);
    if (batch)
        return batch;
    if (sequence != 1) {
        if (sequence > PUBLISH_BATCH_MESSAGES_MAX + !is_stored)
            too_large(e);
        else
            incomplete(e);
        return NULL;
    }
    if (map_count(&s->batches) >= PUBLISH_BATCHES_PER_STREAM_MAX ||
        s->streams->batch_count >= PUBLISH_BATCHES_MAX) {
        too_many(e);
        return NULL;
    }
    batch = batch_new(s, id);
    if (!batch)
        publish_explain(-ENOMEM, e);
    return batch;
}

/* The message is the next one of BATCH. */
static bool batch_stage(struct publish_batch *batch, const struct bus_message *m,
                        const char **ret_reason, struct streams_error *e) {
    struct streams *streams = batch->stream->streams;
    size_t size = sizeof(struct staged) + m->subject.len + m->headers.len + m->payload.len;
    if (batch->bytes + size > PUBLISH_BATCH_BYTES_MAX) {
        *ret_reason = "large";
        return streams_fail(e, 400, 10199, "atomic publish batch is too large: %u bytes",
                            PUBLISH_BATCH_BYTES_MAX);
    }
    if (streams->batch_bytes + size > PUBLISH_BATCHES_BYTES_MAX) {
        *ret_reason = "incomplete";
        return too_many(e);
    }
    struct staged *staged = mem_alloc(size);
    if (!staged) {
        *ret_reason = "incomplete";
        return publish_explain(-ENOMEM, e);
    }
    char *at = staged->bytes;
    staged->size = size;
    staged->message = (struct bus_message){.subject = slice_store(&at, m->subject)};
    staged->message.headers = slice_store(&at, m->headers);
    staged->message.payload = slice_store(&at, m->payload);
    list_push_back(&batch->messages, &staged->node);
    batch->count++;
    batch->bytes += size;
    streams->batch_bytes += size;
    return true;
}

/* --- the commit --------------------------------------------------------------------------- */

/* All of a batch, being judged and appended. */
struct whole {
    struct bus_message *messages;
    struct publish_headers *headers;
    size_t count;
    struct buf rewritten; /* headers that are not stored as they came; room for all of them */
    struct publish_acks acks;
    struct publish_before before;
};

static void whole_free(struct whole *all) {
    mem_free(all->messages);
    mem_free(all->headers);
    buf_free(&all->rewritten);
    publish_acks_free(&all->acks);
    map_free(&all->before.subjects);
}

/* The message in the stream says that it is the last of its batch. */
static int mark_last(struct whole *all) {
    struct bus_message *last = &all->messages[all->count - 1];
    size_t before = all->rewritten.len;
    int failed = nats_headers_begin_with(&all->rewritten, last->headers);
    if (!failed)
        failed = nats_headers_add(&all->rewritten, slice_lit("Nats-Batch-Commit"), slice_lit("1"));
    if (!failed)
        failed = nats_headers_end(&all->rewritten);
    last->headers = slice_skip(buf_slice(&all->rewritten), before);
    return failed;
}

/* The acknowledgements that message AT carries are read, and not stored. */
static bool read_acks(struct stream *s, struct whole *all, size_t at, struct streams_error *e) {
    struct bus_message *m = &all->messages[at];
    if (likely(!all->headers[at].acknowledges))
        return true;
    if (!publish_acks_read(s->streams, m->headers, false, &all->acks, e))
        return false;
    size_t before = all->rewritten.len;
    int failed = publish_acks_strip(m->headers, &all->rewritten);
    m->headers = slice_skip(buf_slice(&all->rewritten), before);
    return !failed || publish_explain(failed, e);
}

/* What is rewritten stays where it is, so there is room for all of it at once. The last message's
   may be written twice, and each line of a block cut short with two bytes more. */
static int reserve_rewritten(struct whole *all) {
    size_t room = 4 * (all->messages[all->count - 1].headers.len + COMMIT_LINE_ROOM);
    for (size_t i = 0; i < all->count; i++)
        room += all->headers[i].acknowledges ? all->messages[i].headers.len : 0;
    all->rewritten = buf_make(room);
    return buf_reserve(&all->rewritten, room);
}

static int whole_make(const struct publish_batch *batch, bool ended_behind, struct whole *all) {
    size_t i = 0;
    *all = (struct whole){.count = batch->count};
    all->before.subjects = map_make(batch->stream->streams->hash_key, batch->count);
    all->messages = mem_zalloc(batch->count, sizeof *all->messages);
    all->headers = mem_zalloc(batch->count, sizeof *all->headers);
    if (!all->messages || !all->headers)
        return -ENOMEM;
    for (const struct list_node *node = list_first(&batch->messages); node;
         node = list_next(&batch->messages, node), i++) {
        all->messages[i] = container_of(node, struct staged, node)->message;
        all->headers[i] = publish_headers_read(all->messages[i].headers);
    }
    int failed = reserve_rewritten(all);
    return !failed && ended_behind ? mark_last(all) : failed;
}

static bool unsupported(const char *header, struct streams_error *e) {
    return streams_fail(e, 400, 10177, "atomic publish unsupported header used: %s", header);
}

/* What needs no look at the stream but for its ids. */
static bool judge_forms(struct stream *s, struct whole *all, int64_t now_ns,
                        struct streams_error *e) {
    _cleanup_map_ struct map ids = map_make(s->streams->hash_key, all->count);
    unsigned wildcards = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct publish_headers *h = &all->headers[i];
        if (h->expected_last_id.len)
            return unsupported("Nats-Expected-Last-Msg-Id", e);
        if (i > 0 && h->has_sequence)
            return unsupported("Nats-Expected-Last-Sequence", e);
        if (h->expected_subject.len && !nats_subject_literal(h->expected_subject) &&
            ++wildcards > PUBLISH_BATCH_WILDCARDS_MAX)
            return unsupported("Nats-Expected-Last-Subject-Sequence-Subject, too often", e);
        if (!publish_judge_form(s, &all->messages[i], h, e))
            return false;
        int failed = h->id.len ? map_add(&ids, h->id, h) : 0;
        if (failed == -EEXIST || (h->id.len && dedupe_find(&s->dedupe, h->id, now_ns)))
            return streams_fail(e, 400, 10201,
                                "atomic publish batch contains duplicate message id");
        if (failed)
            return publish_explain(failed, e);
    }
    return true;
}

static bool judge_rollup(struct stream *s, const struct whole *all, size_t at,
                         struct streams_error *e) {
    const struct publish_headers *h = &all->headers[at];
    if (likely(!h->rollup.len))
        return true;
    if (!publish_judge_rollup(s, h, e))
        return false;
    if (slice_equal(h->rollup, slice_lit("all")))
        return at == 0 || streams_fail(e, 500, 10111, "batch rollup all invalid");
    return !map_find(&all->before.subjects, all->messages[at].subject) ||
           streams_fail(e, 500, 10111, "batch rollup sub invalid");
}

/* Each, given those before it. */
static bool judge_all(struct stream *s, struct whole *all, struct streams_error *e) {
    for (size_t i = 0; i < all->count; i++) {
        const struct bus_message *m = &all->messages[i];
        uint64_t size = m->subject.len + m->headers.len + m->payload.len;
        if (!publish_judge_expectations(s, m, &all->headers[i], &all->before, e) ||
            !judge_rollup(s, all, i, e) || !publish_judge_discard_new(s, m, &all->before, size, e))
            return false;
        int failed = publish_before_add(&all->before, s, m, size);
        if (failed)
            return publish_explain(failed, e);
    }
    return store_takes(s, all->before.bytes, e);
}

static bool judge_acks(struct stream *s, struct whole *all, struct streams_error *e) {
    for (size_t i = 0; i < all->count; i++)
        if (!read_acks(s, all, i, e))
            return false;
    return true;
}

/* Who waits for the batch to be on disk. */
struct waiting {
    struct streams_op op;
    struct log_commit commit;
    struct publish_answer answer;
    slice stream_name, reply; /* with the batch's id in text */
    char text[];
};

static void waiting_free(struct waiting *waiting) {
    if (!waiting)
        return;
    streams_op_over(&waiting->op);
    mem_free(waiting);
}

static void on_committed(struct log_commit *commit, int failed) {
    struct waiting *waiting = container_of(commit, struct waiting, commit);
    struct streams *streams = waiting->op.streams;
    struct streams_error e;
    if (failed)
        streams_fail(&e, 503, 10077, "the log has failed: %s", error_name(failed));
    if (!streams->ended)
        publish_answer(streams, waiting->reply, waiting->stream_name,
                       failed ? &(struct publish_answer){0} : &waiting->answer, failed ? &e : NULL);
    waiting_free(waiting);
}

static bool waiting_end(struct streams_op *op, bool log_gone) {
    if (log_gone)
        waiting_free(container_of(op, struct waiting, op));
    return log_gone;
}

static struct waiting *waiting_new(const struct publish_batch *batch, slice reply) {
    const struct stream *s = batch->stream;
    slice name = s->config.name, id = id_of(batch);
    struct waiting *waiting = mem_zalloc(1, sizeof *waiting + name.len + id.len + reply.len);
    if (!waiting)
        return NULL;
    char *at = waiting->text;
    waiting->stream_name = slice_store(&at, name);
    waiting->answer.batch_id = slice_store(&at, id);
    waiting->reply = slice_store(&at, reply);
    waiting->commit.done = on_committed;
    streams_op_begin(s->streams, &waiting->op, waiting_end);
    return waiting;
}

/* One batch of the log with all of them. */
static bool append_whole(struct stream *s, struct whole *all, int64_t now_ns,
                         struct waiting *waiting, struct streams_error *e) {
    struct append_group group = {
        .messages = all->messages, .headers = all->headers, .count = all->count, .now_ns = now_ns};
    struct log_batch *batch;
    int failed = publish_acks_prepare(&all->acks);
    if (!failed)
        failed = log_batch_begin(s->streams->log, &batch);
    if (failed)
        return publish_explain(failed, e);
    bool put = append_group_put(s, batch, &group, e) == 0;
    failed = put ? publish_acks_put(&all->acks, batch) : 0;
    if (failed)
        publish_explain(failed, e);
    if (!put || failed) {
        log_batch_abandon(batch);
        return false;
    }
    append_group_note(s, &group);
    publish_acks_take(&all->acks);
    if (waiting) {
        waiting->answer.sequence = group.first + group.count - 1;
        waiting->answer.batch_count = group.count;
    }
    log_batch_commit(batch, waiting ? &waiting->commit : NULL);
    append_group_rest(s, &group);
    return true;
}

static void batch_commit(struct publish_batch *batch, slice reply, bool ended_behind) {
    struct stream *s = batch->stream;
    struct streams *streams = s->streams;
    int64_t now_ns = io_loop_wall_ns(bus_loop(streams->bus));
    bool answers = reply.len && !s->config.no_ack;
    struct streams_error e;
    struct whole all;
    int failed = whole_make(batch, ended_behind, &all);
    struct waiting *waiting = !failed && answers ? waiting_new(batch, reply) : NULL;
    if (failed || (answers && !waiting))
        publish_explain(failed ? failed : -ENOMEM, &e);
    bool stored = !failed && (waiting || !answers) && judge_forms(s, &all, now_ns, &e) &&
                  judge_all(s, &all, &e) && judge_acks(s, &all, &e) &&
                  append_whole(s, &all, now_ns, waiting, &e);
    if (stored) {
        batch_end(batch);
        publish_acks_tell(&all.acks);
    } else {
        waiting_free(waiting);
        batch_abandon(batch, reply, &e, NULL);
    }
    whole_free(&all);
    bus_set_stream_full(streams->bus, log_full(streams->log));
}

/* --- the call ----------------------------------------------------------------------------- */

void publish_batch_add(struct stream *s, const struct bus_message *m,
                       const struct publish_headers *h) {
    struct streams *streams = s->streams;
    struct streams_error e;
    uint64_t sequence;
    enum ending ending;
    bool known = read_ending(h->batch_commit, &ending);
    bool is_stored = ending != ENDS_BEFORE;
    struct publish_batch *batch = NULL;
    if (judge_message(s, m, h, &sequence, &e))
        batch = batch_of(s, h->batch_id, sequence, is_stored, &e);
    if (!batch) {
        stream_refuse(s, m->reply, &e);
        return;
    }
    const char *reason = NULL;
    if (!known) {
        streams_fail(&e, 400, 10200, "atomic publish batch commit is invalid");
    } else if (sequence != batch->count + 1 || (sequence == 1 && !is_stored)) {
        incomplete(&e);
        reason = "incomplete";
    } else if (is_stored && sequence > PUBLISH_BATCH_MESSAGES_MAX) {
        too_large(&e);
        reason = "large";
    } else if (!is_stored || batch_stage(batch, m, &reason, &e)) {
        if (ending != GOES_ON) {
            batch_commit(batch, m->reply, !is_stored);
            return;
        }
        io_timer_start(bus_loop(streams->bus), &batch->idle, PUBLISH_BATCH_IDLE_NS, on_idle);
        if (m->reply.len && !s->config.no_ack)
            bus_publish(streams->bus, &(struct bus_message){.subject = m->reply}, NULL, NULL);
        return;
    }
    batch_abandon(batch, m->reply, &e, reason);
}
