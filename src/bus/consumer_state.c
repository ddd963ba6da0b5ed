/*
 * consumer_state.c - what of consumers survives: deltas and snapshots of the log owner "consumers".
 *
 * A delta is a run of records, each a kind byte and numbers (LEB128: seven bits a byte, low first):
 *
 *     1 CREATED       id, position, last_until, created (8 bytes), stream name, config as JSON
 *     2 CHANGED       id, config as JSON                    (texts: their length, then the bytes)
 *     3 REMOVED       id
 *     4 TIME          wall clock, 8 bytes: when the deliveries behind it in this delta happened
 *     5 DELIVERED     id, first stream sequence, its consumer sequence, how many in a row
 *     6 REDELIVERED   id, stream sequence, consumer sequence, deliveries
 *     7 DONE          id, first stream sequence, how many in a row (acknowledged or given up)
 *     8 DONE_UP_TO    id, stream sequence
 *     9 NOTHING       gives an empty batch a place on disk
 *    10 PARKED        id, stream sequence, when (8 bytes), deliveries, reason
 *    11 UNPARKED      id, stream sequence: in flight again, due; ordered: waits for its key
 *    12 TURN          id, stream sequence, consumer sequence, key (8 bytes): DELIVERED of ordered
 *                     consumers; consumer sequence 0: passed over, it waits for its key
 *
 * An id is given once and never again, so that a record is small, and so that a record of a
 * consumer that has gone can be told from a damaged one: an id never given is refused.
 *
 * Creations, changes and removals are batches of their own, for somebody waits for them.
 * Deliveries and acknowledgements gather in `unsaved` and leave at the end of the turn as one delta
 * in one batch; those of neighbouring messages become one record. A snapshot is taken of memory,
 * which may be ahead of what has left: every record can therefore be applied to a state that holds
 * it already. If the log does not take a batch now, it is tried again; once CONSUMERS_UNSAVED_MAX
 * bytes wait, nothing more is noted, so nothing more is delivered or acknowledged.
 *
 * What a crash forgets are deliveries and acknowledgements nobody got a confirmation for: the
 * messages come again. An acknowledgement with a reply is answered when its delta is on disk.
 * Ephemeral consumers are kept like durable ones, as nats-server does on file storage: a restart
 * does not disturb them, and they go when nobody comes back. Those in memory, and those of streams
 * in memory, are not kept.
 */
#include "base/mem.h"
#include "bus/consumer_codec.h"
#include "bus/consumer_parts.h"
#include "bus/interest.h"
#include "bus/stream_config.h"

#include <errno.h>

#define RECORD_MAX (1 + 4 * CODEC_NUMBER_MAX)
#define RESTORED_MAX ((size_t)4 << 30) /* bytes: no checkpoint is larger */
#define RETRY_NS (10 * 1000000ull)

/* --- writing numbers ---------------------------------------------------------------------- */

int consumer_codec_add_number(struct buf *b, uint64_t number) {
    char bytes[CODEC_NUMBER_MAX];
    return buf_append(b, slice_make(bytes, consumer_codec_put_number(bytes, number)));
}

int consumer_codec_add_time(struct buf *b, int64_t time_ns) {
    char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)time_ns >> (8 * i));
    return buf_append(b, slice_make(bytes, sizeof bytes));
}

static int add_text(struct buf *b, slice text) {
    int failed = consumer_codec_add_number(b, text.len);
    return failed ? failed : buf_append(b, text);
}

static int add_config(struct buf *b, const struct consumer_config *config) {
    _cleanup_buf_ struct buf text = buf_make(CODEC_CONFIG_MAX);
    struct json_writer w = json_writer_make(&text, false);
    consumer_config_write(&w, config);
    int failed = json_write_finish(&w);
    return failed ? failed : add_text(b, buf_slice(&text));
}

int consumer_codec_add_parked(struct buf *b, const struct consumer_parked *parked) {
    int failed = consumer_codec_add_number(b, parked->sequence);
    if (!failed)
        failed = consumer_codec_add_time(b, parked->time_ns);
    if (!failed)
        failed = consumer_codec_add_number(b, parked->deliveries);
    return failed ? failed : add_text(b, slice_take(parked->reason, CONSUMER_REASON_MAX));
}

/* The facts a consumer begins with, in a delta and in a snapshot. */
int consumer_codec_add_birth(struct buf *b, const struct consumer *c) {
    int failed = consumer_codec_add_number(b, c->id);
    if (!failed)
        failed = consumer_codec_add_number(b, c->position);
    if (!failed)
        failed = consumer_codec_add_number(b, c->last_until);
    if (!failed)
        failed = consumer_codec_add_time(b, c->created_ns);
    if (!failed)
        failed = add_text(b, c->stream_name);
    return failed ? failed : add_config(b, &c->config);
}

/* --- batches of their own ----------------------------------------------------------------- */

static int put_record(struct log_batch *batch, enum codec_kind kind, struct buf *body, int failed) {
    slice bytes = buf_slice(body);
    check(failed || bytes.ptr[0] == (char)kind);
    return failed ? failed : log_batch_delta(batch, CODEC_OWNER_ID, bytes);
}

int consumer_put_created(struct log_batch *batch, struct consumer *c) {
    _cleanup_buf_ struct buf b = buf_make(2 * CODEC_CONFIG_MAX);
    int failed = buf_append_byte(&b, CODEC_CREATED);
    return put_record(batch, CODEC_CREATED, &b, failed ? failed : consumer_codec_add_birth(&b, c));
}

int consumer_put_changed(struct log_batch *batch, struct consumer *c,
                         const struct consumer_config *config) {
    _cleanup_buf_ struct buf b = buf_make(2 * CODEC_CONFIG_MAX);
    int failed = buf_append_byte(&b, CODEC_CHANGED);
    if (!failed)
        failed = consumer_codec_add_number(&b, c->id);
    return put_record(batch, CODEC_CHANGED, &b, failed ? failed : add_config(&b, config));
}

int consumer_put_removed(struct log_batch *batch, uint64_t id) {
    char bytes[RECORD_MAX] = {CODEC_REMOVED};
    return log_batch_delta(batch, CODEC_OWNER_ID,
                           slice_make(bytes, 1 + consumer_codec_put_number(bytes + 1, id)));
}

/* One delta for all of them, for a batch has fewer changes than a stream may have consumers. */
int consumers_remove_all(struct stream *stream, struct log_batch *batch) {
    _cleanup_buf_ struct buf b = buf_make(CONSUMERS_PER_STREAM_MAX * (1ul + CODEC_NUMBER_MAX));
    const struct map_entry *entry;
    int failed = 0;
    for (size_t at = 0; !failed && (entry = map_next(&stream->consumers, &at));) {
        const struct consumer *c = entry->value;
        if (!c->journalled)
            continue;
        failed = buf_append_byte(&b, CODEC_REMOVED);
        if (!failed)
            failed = consumer_codec_add_number(&b, c->id);
    }
    if (!failed && b.len)
        failed = log_batch_delta(batch, CODEC_OWNER_ID, buf_slice(&b));
    return failed;
}

int consumer_codec_add_done(struct buf *b, const struct consumer *c, uint64_t stream_sequence) {
    bool all = c->config.ack == ACK_ALL;
    int failed = buf_append_byte(b, all ? CODEC_DONE_UP_TO : CODEC_DONE);
    if (!failed)
        failed = consumer_codec_add_number(b, c->id);
    if (!failed)
        failed = consumer_codec_add_number(b, stream_sequence);
    return failed || all ? failed : consumer_codec_add_number(b, 1);
}

int consumers_put_delta(struct log_batch *batch, slice delta) {
    return log_batch_delta(batch, CODEC_OWNER_ID, delta);
}

int consumers_put_nothing(struct log_batch *batch) {
    char byte = CODEC_NOTHING;
    return log_batch_delta(batch, CODEC_OWNER_ID, slice_make(&byte, 1));
}

/* --- what gathers in a turn --------------------------------------------------------------- */

/* Those who wait for a turn's acknowledgements to be on disk: u16 length and reply, one behind
   the other; and keys to be released then. */
struct consumers_answers {
    struct streams_op op;
    struct log_commit commit;
    struct buf replies;
    struct buf ends; /* of struct end */
    bool committed;
};

struct end {
    uint64_t id, key;
};

static void answers_free(struct consumers_answers *answers) {
    buf_free(&answers->replies);
    buf_free(&answers->ends);
    streams_op_over(&answers->op);
    mem_free(answers);
}

static bool answers_end(struct streams_op *op, bool log_gone) {
    struct consumers_answers *answers = container_of(op, struct consumers_answers, op);
    buf_clear(&answers->replies);
    buf_clear(&answers->ends);
    if (answers->committed && !log_gone)
        return false;
    if (op->streams->consumers->answers == answers)
        op->streams->consumers->answers = NULL;
    answers_free(answers);
    return true;
}

/* Calls nobody: a consumer that has become able to deliver is woken. */
static void release_keys(struct consumers *all, const struct buf *ends) {
    struct end end;
    for (size_t at = 0; at < ends->len; at += sizeof end) {
        memcpy(&end, ends->ptr + at, sizeof end);
        struct consumer *c = map64_find(&all->by_id, end.id);
        if (c)
            consumer_order_ended(c, end.key);
    }
}

static void answers_done(struct log_commit *commit, int failed) {
    struct consumers_answers *answers = container_of(commit, struct consumers_answers, commit);
    if (!failed && !answers->op.streams->ended)
        release_keys(answers->op.streams->consumers, &answers->ends);
    slice rest = failed ? (slice){0} : buf_slice(&answers->replies);
    while (rest.len && !answers->op.streams->ended) {
        uint16_t len;
        memcpy(&len, rest.ptr, sizeof len);
        struct bus_message message = {.subject = slice_make(rest.ptr + sizeof len, len)};
        rest = slice_skip(rest, sizeof len + len);
        bus_publish(answers->op.streams->bus, &message, NULL, NULL);
    }
    answers_free(answers);
}

static struct consumers_answers *answers_open(struct consumers *all) {
    if (all->answers)
        return all->answers;
    struct consumers_answers *answers = mem_zalloc(1, sizeof *answers);
    if (!answers)
        return NULL;
    answers->replies = buf_make(CONSUMERS_UNSAVED_MAX);
    answers->ends = buf_make(CONSUMERS_UNSAVED_MAX);
    answers->commit.done = answers_done;
    streams_op_begin(all->streams, &answers->op, answers_end);
    all->answers = answers;
    return answers;
}

void consumer_note_answer(struct consumer *c, slice reply) {
    struct consumers *all = c->streams->consumers;
    if (!c->journalled) {
        struct bus_message message = {.subject = reply};
        bus_publish(c->streams->bus, &message, NULL, NULL);
        return;
    }
    struct consumers_answers *answers = answers_open(all);
    uint16_t len = (uint16_t)reply.len;
    if (!answers || buf_reserve(&answers->replies, sizeof len + reply.len))
        return; /* who gets no answer asks again */
    memcpy(answers->replies.ptr + answers->replies.len, &len, sizeof len);
    memcpy(answers->replies.ptr + answers->replies.len + sizeof len, reply.ptr, reply.len);
    answers->replies.len += sizeof len + reply.len;
    io_defer(bus_loop(all->streams->bus), &all->flush_task);
}

int consumer_note_end_reserve(struct consumer *c, size_t count) {
    if (!c->journalled)
        return 0;
    struct consumers_answers *answers = answers_open(c->streams->consumers);
    return answers ? buf_reserve(&answers->ends, count * sizeof(struct end)) : -ENOMEM;
}

void consumer_note_end(struct consumer *c, uint64_t key) {
    struct consumers *all = c->streams->consumers;
    struct end end = {c->id, key};
    if (!c->journalled) {
        consumer_order_ended(c, key);
        return;
    }
    check(buf_append(&all->answers->ends, slice_make(&end, sizeof end)) == 0);
    io_defer(bus_loop(all->streams->bus), &all->flush_task);
}

/* Writes the open run. Its room was reserved when it was opened. */
static void close_run(struct consumers *all) {
    struct consumers_run *run = &all->run;
    if (!run->kind)
        return;
    check(all->unsaved.cap - all->unsaved.len >= RECORD_MAX);
    char *at = all->unsaved.ptr + all->unsaved.len;
    *at++ = (char)run->kind;
    at += consumer_codec_put_number(at, run->id);
    at += consumer_codec_put_number(at, run->first);
    if (run->kind == CODEC_DELIVERED)
        at += consumer_codec_put_number(at, run->consumer_sequence);
    at += consumer_codec_put_number(at, run->count);
    all->unsaved.len = (size_t)(at - all->unsaved.ptr);
    run->kind = 0;
}

/* Room for COUNT records behind the open run, which is written. */
static int make_room(struct consumers *all, unsigned count) {
    int failed = buf_reserve(&all->unsaved, (count + 1) * (size_t)RECORD_MAX);
    if (failed)
        return failed;
    close_run(all);
    io_defer(bus_loop(all->streams->bus), &all->flush_task);
    return 0;
}

static void note_time(struct consumers *all) {
    int64_t now_ns = io_loop_wall_ns(bus_loop(all->streams->bus));
    if (all->unsaved_time_ns == now_ns)
        return;
    all->unsaved_time_ns = now_ns;
    all->unsaved.ptr[all->unsaved.len++] = CODEC_TIME;
    check(consumer_codec_add_time(&all->unsaved, now_ns) == 0);
}

static bool run_goes_on(struct consumers_run *run, enum codec_kind kind, const struct consumer *c,
                        uint64_t sequence, uint64_t consumer_sequence) {
    if (run->kind != kind || run->id != c->id || run->first + run->count != sequence ||
        (kind == CODEC_DELIVERED && run->consumer_sequence + run->count != consumer_sequence))
        return false;
    run->count++;
    return true;
}

static int note_run(struct consumer *c, enum codec_kind kind, uint64_t sequence,
                    uint64_t consumer_sequence) {
    struct consumers *all = c->streams->consumers;
    if (!c->journalled || run_goes_on(&all->run, kind, c, sequence, consumer_sequence))
        return 0;
    int failed = make_room(all, 2);
    if (failed)
        return failed;
    if (kind == CODEC_DELIVERED)
        note_time(all);
    all->run = (struct consumers_run){(uint8_t)kind, c->id, sequence, consumer_sequence, 1};
    return 0;
}

/* A record of KIND: C's id and NUMBERS, three at most. TIMED: it says what happens now. */
static int note_numbers(struct consumer *c, enum codec_kind kind, bool timed,
                        const uint64_t *numbers, size_t count) {
    struct consumers *all = c->streams->consumers;
    if (!c->journalled)
        return 0;
    int failed = make_room(all, timed ? 2 : 1);
    if (failed)
        return failed;
    if (timed)
        note_time(all);
    char *at = all->unsaved.ptr + all->unsaved.len;
    *at++ = (char)kind;
    at += consumer_codec_put_number(at, c->id);
    for (size_t i = 0; i < count; i++)
        at += consumer_codec_put_number(at, numbers[i]);
    all->unsaved.len = (size_t)(at - all->unsaved.ptr);
    return 0;
}

int consumer_note_delivered(struct consumer *c, uint64_t sequence, uint64_t consumer_sequence) {
    return note_run(c, CODEC_DELIVERED, sequence, consumer_sequence);
}

int consumer_note_done(struct consumer *c, uint64_t sequence) {
    return note_run(c, CODEC_DONE, sequence, 0);
}

int consumer_note_redelivered(struct consumer *c, uint64_t sequence, uint64_t consumer_sequence,
                              uint32_t deliveries) {
    const uint64_t numbers[] = {sequence, consumer_sequence, deliveries};
    return note_numbers(c, CODEC_REDELIVERED, true, numbers, array_count(numbers));
}

int consumer_note_done_up_to(struct consumer *c, uint64_t sequence) {
    return note_numbers(c, CODEC_DONE_UP_TO, false, &sequence, 1);
}

int consumer_note_parked(struct consumer *c, const struct consumer_parked *parked) {
    struct consumers *all = c->streams->consumers;
    if (!c->journalled)
        return 0;
    char bytes[CONSUMER_REASON_MAX + 2 * RECORD_MAX];
    struct buf record = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    check(buf_append_byte(&record, CODEC_PARKED) == 0 &&
          consumer_codec_add_number(&record, c->id) == 0 &&
          consumer_codec_add_parked(&record, parked) == 0);
    int failed = buf_reserve(&all->unsaved, record.len + RECORD_MAX);
    if (failed)
        return failed;
    failed = make_room(all, 0);
    return failed ? failed : buf_append(&all->unsaved, buf_slice(&record));
}

int consumer_note_unparked(struct consumer *c, uint64_t sequence) {
    return note_numbers(c, CODEC_UNPARKED, false, &sequence, 1);
}

int consumer_note_turn(struct consumer *c, uint64_t sequence, uint64_t consumer_sequence,
                       uint64_t key) {
    const uint64_t numbers[] = {sequence, consumer_sequence};
    int failed = note_numbers(c, CODEC_TURN, consumer_sequence > 0, numbers, array_count(numbers));
    if (!failed && c->journalled) /* 8 bytes, for which a fourth number's room is there */
        check(consumer_codec_add_time(&c->streams->consumers->unsaved, (int64_t)key) == 0);
    return failed;
}

/* A batch with what the acknowledgements have released. More than one can hold goes before them: a
   message may go without its acknowledgement, never the other way round. */
static int begin_flush(struct consumers *all, struct log_batch **ret_batch) {
    for (;;) {
        struct log_batch *batch;
        int failed = log_batch_begin(all->streams->log, &batch);
        if (failed)
            return failed;
        failed = interest_put(all->streams, batch);
        if (!failed) {
            *ret_batch = batch;
            return 0;
        }
        if (failed != -E2BIG) {
            log_batch_abandon(batch);
            return failed;
        }
        log_batch_commit(batch, NULL);
        interest_taken(all->streams);
    }
}

static int flush(struct consumers *all) {
    struct log_batch *batch;
    int failed = begin_flush(all, &batch);
    if (failed)
        return failed;
    if (all->unsaved.len)
        failed = log_batch_delta(batch, CODEC_OWNER_ID, buf_slice(&all->unsaved));
    else if (all->answers)
        failed = consumers_put_nothing(batch);
    if (failed) {
        log_batch_abandon(batch);
        return failed;
    }
    struct consumers_answers *answers = all->answers;
    if (answers)
        answers->committed = true;
    all->answers = NULL;
    buf_clear(&all->unsaved);
    all->unsaved_time_ns = 0;
    log_batch_commit(batch, answers ? &answers->commit : NULL);
    interest_taken(all->streams);
    return 0;
}

static void on_flush_again(struct io_timer *timer);

static void on_flush(struct io_task *task) {
    struct consumers *all = container_of(task, struct consumers, flush_task);
    close_run(all);
    bool idle = !all->unsaved.len && !all->answers && !interest_waiting(all->streams);
    if (idle || !all->streams->log)
        return;
    int failed = flush(all);
    if (failed && failed != -EROFS)
        io_timer_start(bus_loop(all->streams->bus), &all->flush_timer, RETRY_NS, on_flush_again);
}

static void on_flush_again(struct io_timer *timer) {
    on_flush(&container_of(timer, struct consumers, flush_timer)->flush_task);
}

/* --- opening, closing --------------------------------------------------------------------- */

static void on_bury(struct io_task *task) {
    struct consumers *all = container_of(task, struct consumers, bury_task);
    struct list_node *node;
    while ((node = list_pop_front(&all->graveyard))) {
        struct consumer *c = container_of(node, struct consumer, in_graveyard);
        arena_free(&c->arena);
        arena_free(&c->config_arena);
        mem_free(c);
    }
}

int consumers_open(struct streams *streams) {
    struct consumers *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    uint64_t seed;
    io_host_random(io_loop_host(bus_loop(streams->bus)), &seed, sizeof seed);
    all->streams = streams;
    all->by_id = map64_make(seed, CONSUMERS_ALL_MAX);
    all->next_id = 1;
    list_init(&all->graveyard);
    all->bury_task.run = on_bury;
    all->flush_task.run = on_flush;
    all->unsaved = buf_make(CONSUMERS_UNSAVED_MAX);
    all->released = buf_make(RESTORED_MAX);
    all->text = buf_make(LOG_MESSAGE_MAX);
    streams->consumers = all;
    streams->owner = (struct log_owner){CODEC_OWNER_ID, all, consumers_restore, consumers_replay,
                                        consumers_snapshot};
    return 0;
}

void consumers_flush(struct streams *streams) {
    if (streams->log)
        on_flush(&streams->consumers->flush_task);
}

void consumers_close(struct streams *streams) {
    struct consumers *all = streams->consumers;
    struct io_loop *loop = bus_loop(streams->bus);
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&all->by_id, &at));)
        consumer_end(entry->value, NULL); /* replayed, but never joined with a stream */
    io_defer_cancel(loop, &all->bury_task);
    on_bury(&all->bury_task);
    if (all->answers)
        answers_free(all->answers);
    io_defer_cancel(loop, &all->flush_task);
    io_timer_stop(loop, &all->flush_timer);
    map64_free(&all->by_id);
    buf_free(&all->unsaved);
    buf_free(&all->released);
    buf_free(&all->text);
    streams->consumers = mem_free(all);
}
