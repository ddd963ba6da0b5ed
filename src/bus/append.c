/*
 * append.c - see append.h.
 *
 * A roll-up (Nats-Rollup) puts what it replaces into the batch of the message, before it: all, by
 * one trim, or the messages of the subject, one deletion each. Only where a subject has more of
 * them than a batch should carry, a purge removes the rest afterwards. In a group the roll-ups come
 * before all messages: what is deleted is found in the stream as it was before the batch.
 */
#include "bus/append.h"

#include "base/mem.h"
#include "bus/expiry.h"
#include "bus/interest.h"
#include "bus/republish.h"
#include "wire/nats_subject.h"

#include <errno.h>

static enum rollup rollup_of(const struct publish_headers *h) {
    if (likely(!h->rollup.len))
        return ROLLUP_NONE;
    return slice_equal(h->rollup, slice_lit("all")) ? ROLLUP_ALL : ROLLUP_SUBJECT;
}

static int64_t ttl_of(const struct publish_headers *h) {
    int64_t ttl_s;
    return unlikely(h->ttl.len) && expiry_parse(h->ttl, &ttl_s) && ttl_s > 0 ? ttl_s : 0;
}

/* --- one message -------------------------------------------------------------------------- */

struct appending append_begin(struct stream *s, const struct bus_message *m,
                              const struct publish_headers *h) {
    struct appending a = {.rollup = rollup_of(h), .ttl_s = ttl_of(h)};
    if (unlikely(s->republisher != NULL)) {
        struct log_subject_state subject = {0};
        log_subject(s->log, m->subject, &subject);
        a.last = subject.last_sequence;
    }
    return a;
}

/* What the message replaces goes, in its batch. */
static int put_rollup(struct stream *s, struct log_batch *batch, slice subject, enum rollup rollup,
                      bool *ret_more) {
    if (rollup == ROLLUP_ALL)
        return log_batch_trim(batch, s->log, log_stream_staged(s->log).last_sequence + 1);
    if (s->config.messages_per_subject_max == 1 && !s->config.discard_new_per_subject)
        return 0; /* the append does it */
    return log_batch_delete_subject(batch, s->log, subject, ret_more);
}

static int put_message(struct stream *s, struct log_batch *batch, const struct bus_message *m,
                       int64_t now_ns, uint64_t *ret_sequence, struct streams_error *e) {
    struct log_message message = {m->subject, m->headers, m->payload, now_ns};
    int failed = log_batch_append(batch, s->log, &message, ret_sequence);
    if (failed) {
        publish_explain(failed, e);
        return failed;
    }
    for (unsigned i = 0; i < s->participant_count; i++) {
        const struct stream_participant *p = &s->participants[i];
        failed = p->on_append(p->self, batch, m, *ret_sequence, e);
        if (failed)
            return failed;
    }
    return 0;
}

/* What the stream's judge has to say beside (diversion.h). */
static int put_beside(struct stream *s, struct log_batch *batch, struct streams_error *e) {
    const struct stream_diversion *diversion = &s->streams->diversion;
    if (likely(!s->diverted))
        return 0;
    int failed = diversion->on_batch(diversion->self, batch);
    if (failed)
        publish_explain(failed, e);
    return failed;
}

int append_put(struct stream *s, struct log_batch *batch, const struct bus_message *m,
               int64_t now_ns, struct appending *a, struct streams_error *e) {
    int failed = a->rollup ? put_rollup(s, batch, m->subject, a->rollup, &a->more) : 0;
    if (failed) {
        publish_explain(failed, e);
        return failed;
    }
    failed = put_message(s, batch, m, now_ns, &a->sequence, e);
    return failed ? failed : put_beside(s, batch, e);
}

void append_note_id(struct stream *s, slice id, uint64_t sequence, int64_t now_ns) {
    if (id.len)
        dedupe_add(&s->dedupe, id, sequence, now_ns);
    size_t kept = id.len < sizeof s->last_id_text ? id.len : 0;
    if (kept)
        memcpy(s->last_id_text, id.ptr, kept);
    s->last_id = slice_make(s->last_id_text, kept);
}

void append_note(struct stream *s, const struct publish_headers *h, const struct appending *a,
                 int64_t now_ns) {
    append_note_id(s, h->id, a->sequence, now_ns);
    if (unlikely(s->republisher != NULL))
        republish_note(s, a->sequence, a->last);
    if (unlikely(a->ttl_s > 0))
        expiry_note(s, a->sequence, now_ns, a->ttl_s);
}

/* Nobody waits for it. */
static void on_rest_purged(void *self, uint64_t purged, const struct streams_error *error) {
    struct streams *streams = self;
    (void)purged;
    if (error && !streams->ended)
        logger_write(streams->logger, LOG_LEVEL_WARN, "streams",
                     "a roll-up has left older messages behind", "error=%s", error->description);
}

void append_rest(struct stream *s, const struct bus_message *m, const struct appending *a) {
    if (unlikely(a->more) && nats_subject_literal(m->subject))
        stream_purge(s, m->subject, a->sequence, 0, on_rest_purged, s->streams);
}

/* --- a group ------------------------------------------------------------------------------ */

static int put_rollups(struct stream *s, struct log_batch *batch, struct append_group *group) {
    for (size_t i = 0; group->headers && i < group->count; i++) {
        enum rollup rollup = rollup_of(&group->headers[i]);
        int failed =
            rollup ? put_rollup(s, batch, group->messages[i].subject, rollup, &group->more) : 0;
        if (failed)
            return failed;
        if (rollup == ROLLUP_ALL) /* nothing is left for others to replace */
            return 0;
    }
    return 0;
}

int append_group_put(struct stream *s, struct log_batch *batch, struct append_group *group,
                     struct streams_error *e) {
    int failed = expiry_reserve(s, group->count);
    if (!failed)
        failed = put_rollups(s, batch, group);
    if (failed)
        publish_explain(failed, e);
    for (size_t i = 0; i < group->count && !failed; i++) {
        uint64_t sequence = 0;
        failed = put_message(s, batch, &group->messages[i], group->now_ns, &sequence, e);
        if (i == 0)
            group->first = sequence;
    }
    return failed ? failed : put_beside(s, batch, e);
}

/* What the last of message AT's subject will be before it. */
static uint64_t last_before(struct stream *s, const struct append_group *group, size_t at) {
    const struct bus_message *messages = group->messages;
    for (size_t i = at; i-- > 0;)
        if (slice_equal(messages[i].subject, messages[at].subject))
            return group->first + i;
    struct log_subject_state subject = {0};
    log_subject(s->log, messages[at].subject, &subject);
    return subject.last_sequence;
}

static void note_ttl(struct stream *s, const struct append_group *group, size_t at) {
    struct publish_headers read;
    const struct publish_headers *h = group->headers ? &group->headers[at] : &read;
    slice block = group->messages[at].headers;
    if (!group->headers && slice_find_slice(block, slice_lit("Nats-TTL")) < 0)
        return; /* most have none: the block is not taken apart for that */
    if (!group->headers)
        read = publish_headers_read(block);
    int64_t ttl_s = ttl_of(h);
    if (ttl_s)
        expiry_note(s, group->first + at, group->now_ns, ttl_s);
}

void append_group_note(struct stream *s, const struct append_group *group) {
    for (size_t i = 0; i < group->count; i++) {
        if (group->headers)
            append_note_id(s, group->headers[i].id, group->first + i, group->now_ns);
        if (unlikely(s->republisher != NULL))
            republish_note(s, group->first + i, last_before(s, group, i));
        if (unlikely(s->expiry != NULL))
            note_ttl(s, group, i);
        if (unlikely(!interest_wanted(s, group->messages[i].subject)))
            s->walk_due = true;
    }
    if (!group->headers && group->count)
        s->last_id = (slice){0};
}

void append_group_rest(struct stream *s, const struct append_group *group) {
    for (size_t i = 0; group->more && i < group->count; i++) {
        struct appending a = {.sequence = group->first + i, .more = true};
        if (rollup_of(&group->headers[i]) == ROLLUP_SUBJECT)
            append_rest(s, &group->messages[i], &a);
    }
    if (unlikely(s->walk_due))
        interest_walk(s);
}

/* --- several at once, for who has judged them (diversion.h) -------------------------------- */

struct append_all {
    struct streams_op op;
    struct log_commit commit;
    void (*done)(void *self, const struct streams_error *error); /* NULL: told already */
    void *self;
};

static void append_all_free(struct append_all *all) {
    streams_op_over(&all->op);
    mem_free(all);
}

static void on_all_committed(struct log_commit *commit, int failed) {
    struct append_all *all = container_of(commit, struct append_all, commit);
    struct streams_error error;
    if (failed)
        streams_fail(&error, 503, 10077, "the log has failed: %s", error_name(failed));
    if (all->done)
        all->done(all->self, failed ? &error : NULL);
    append_all_free(all);
}

static bool append_all_end(struct streams_op *op, bool log_gone) {
    struct append_all *all = container_of(op, struct append_all, op);
    if (all->done)
        all->done(all->self, streams_stopping());
    all->done = NULL;
    if (log_gone)
        append_all_free(all);
    return log_gone;
}

bool stream_append_all(struct stream *s, const struct bus_message *messages, size_t count,
                       void (*done)(void *self, const struct streams_error *error), void *self,
                       uint64_t *ret_first_sequence, struct streams_error *e) {
    struct streams *streams = s->streams;
    struct log_batch *batch;
    check((count > 0 || s->diverted) && !streams->holding);
    struct append_group group = {
        .messages = messages, .count = count, .now_ns = io_loop_wall_ns(bus_loop(streams->bus))};
    struct append_all *all = mem_zalloc(1, sizeof *all);
    int failed = all ? log_batch_begin(streams->log, &batch) : -ENOMEM;
    if (failed) {
        mem_free(all);
        return publish_explain(failed, e);
    }
    if (append_group_put(s, batch, &group, e)) {
        log_batch_abandon(batch);
        mem_free(all);
        return false;
    }
    all->commit.done = on_all_committed;
    all->done = done;
    all->self = self;
    streams_op_begin(streams, &all->op, append_all_end);
    append_group_note(s, &group);
    log_batch_commit(batch, &all->commit);
    append_group_rest(s, &group);
    if (count)
        *ret_first_sequence = group.first;
    bus_set_stream_full(streams->bus, log_full(streams->log));
    return true;
}
