/*
 * jobs.c - see jobs.h.
 *
 * The judgement of a part (judge.h) may have to wait for records, and goes on where it was when the
 * pump runs again. Nothing of a head changes before the batch is in the log, and then it changes at
 * once: the next job sees it.
 */
#include "rooms/events/jobs.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "rooms/events/es_create.h"
#include "rooms/events/judge.h"
#include "rooms/events/life_change.h"
#include "rooms/events/life_notes.h"
#include "rooms/events/notes.h"
#include "rooms/events/raw_read.h"
#include "rooms/events/sweep.h"
#include "rooms/events/tail.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdio.h>

#define ARENA_MAX ((size_t)256 << 20)
#define ANSWER_MAX (1u << 20)
#define ANSWER_USUAL 512u   /* bytes of an append's answer */
#define HEADERS_USUAL 1000u /* bytes of an event's headers */

/* A job that has ended is kept with the first chunk of its arena and the tape of its document, the
   newest ended first: it is still in the processor's caches. */
#define SPARE_JOBS_MAX 1024u /* 6 KB each, as many as were under way at once */
#define SPARE_NODES_MAX 256u /* of the document */
#define JSON_NODE_BYTES 16u

struct job {
    struct list_node node; /* in one of the engine's lists */
    struct engine *engine;
    struct fetch fetch;
    bool raw;
    bool waits;    /* for its fetch, beside the queue */
    uint64_t seen; /* of a check that holds: up to which position it has seen events */
    size_t bytes;
    slice reply;
    char time[CLOCKTEXT_SIZE];
    /* an append */
    struct append append;
    job_answer answer;
    struct bus_message *messages; /* once they are stored */
    bool is_change;               /* of a life: the one part of the append, and */
    struct life_change change;
    /* a raw message: the one part of the append, and */
    struct bus_message message;
    slice carried; /* the headers it came with, where they acknowledge something; not stored */
    /* Kept from one use to the next. */
    struct arena arena;
    struct json_doc doc;
};

static void on_fetched(struct fetch *fetch) {
    container_of(fetch, struct job, fetch)->waits = false;
    io_defer(fetch->engine->loop, &fetch->engine->pump);
}

static void destroy(struct job *job) {
    json_free(&job->doc);
    arena_free(&job->arena);
    mem_free(job);
}

static void job_free(struct job *job) {
    fetch_cancel(&job->fetch);
    for (unsigned i = 0; i < job->append.part_count; i++)
        head_give(job->append.parts[i].head);
    append_give_tags(&job->append);
    conditions_release(&job->append.conditions);
    struct engine *engine = job->engine;
    if (engine->spare_job_count == SPARE_JOBS_MAX || engine->closed) {
        destroy(job);
        return;
    }
    arena_reset(&job->arena);
    if (job->doc.capacity > SPARE_NODES_MAX)
        json_free(&job->doc);
    list_push_front(&engine->spare_jobs, &job->node);
    engine->spare_job_count++;
}

/* Out of the queue. */
static void job_leaves(struct job *job) {
    list_remove(&job->node);
    job->engine->job_count--;
    job->engine->job_bytes -= job->bytes;
}

/* --- answers ------------------------------------------------------------------------------ */

static void tell(struct engine *engine, slice reply, job_answer answer, unsigned status,
                 const char *detail) {
    _cleanup_buf_ struct buf text = buf_make(ANSWER_MAX);
    struct json_writer w = json_writer_make(&text, false);
    append_problem(status, detail, &w);
    if (json_write_finish(&w) == 0)
        answer(engine, reply, status, NULL, buf_slice(&text));
    else
        answer(engine, reply, status, NULL, slice_lit("{}"));
}

static void answer_append(struct job *job) {
    _cleanup_buf_ struct buf text = buf_make_room(ANSWER_MAX, ANSWER_USUAL);
    struct json_writer w = json_writer_make(&text, false);
    unsigned status = append_answer(&job->append, engine_last(job->engine), &w);
    uint64_t number = job->append.single ? job->append.parts[0].last : 0; /* 0: it has gone */
    bool told = status < 300 && number > 0;
    uint64_t last = told ? number - 1 : 0;
    if (json_write_finish(&w) == 0)
        job->answer(job->engine, job->reply, status, told ? &last : NULL, buf_slice(&text));
    else
        tell(job->engine, job->reply, job->answer, 503, "no memory for the answer");
}

static void refuse(struct job *job, unsigned status, unsigned err_code, const char *detail) {
    struct streams_error e;
    struct stream *stream = engine_stream(job->engine);
    if (!job->raw) {
        tell(job->engine, job->reply, job->answer, status, detail);
    } else if (stream) {
        streams_fail(&e, (int)status, err_code, "%s", detail);
        stream_refuse(stream, job->reply, &e);
    }
}

static void refuse_for(struct job *job, int failed) {
    if (failed == -ENOMEM)
        refuse(job, 503, 10023, "insufficient resources");
    else if (failed == -ENOBUFS)
        refuse(job, 503, 10023, "the stream has more ids than can be looked up: expect a revision");
    else
        refuse(job, 500, 10057,
               "an earlier event of the stream cannot be read: `nonet log verify`");
}

static void refuse_unknown(struct job *job, const struct condition *condition) {
    char text[160];
    snprintf(text, sizeof text,
             "checks[%u].none: after looking at %u events it is not known whether one is there: "
             "give a later `after`, or a rarer tag",
             condition->index, condition->looks);
    refuse(job, 400, 0, text);
}

/* --- judging ------------------------------------------------------------------------------ */

/* What has been appended before is a success whatever the conditions say: it may itself be what
   they rule out. */
static int judge_all(struct job *job) {
    struct append *append = &job->append;
    int failed = 0;
    for (unsigned i = 0; i < append->part_count && !failed; i++)
        failed = judge_part(&append->parts[i], &job->fetch);
    if (failed || !append->conditions.count || append_parts_outcome(append) == OUTCOME_REPEATED)
        return failed;
    failed = conditions_judge(&append->conditions, &job->fetch, &job->arena);
    return failed == -EAGAIN ? -EINPROGRESS : failed;
}

/* --- storing ------------------------------------------------------------------------------ */

/* Where the next event goes: nobody else appends to ES. */
static uint64_t next_sequence(struct stream *stream) {
    return log_stream_staged(stream_log(stream)).last_sequence + 1;
}

struct storing {
    struct job *job;
    struct draft *drafts;         /* by part */
    struct bus_message *messages; /* of all parts, in order */
    unsigned count, ends;         /* so many of the append's ends are used */
    uint64_t sequence;
    struct buf headers, ids, tagged;
};

/* The next of the append's ends are those of EVENT. */
static int store_tags(struct storing *s, struct event *event) {
    unsigned count = event_tag_count(event->tags);
    check(s->ends + count <= s->job->append.event_end_count);
    buf_clear(&s->tagged);
    int failed = tags_draft(&s->job->append.ends[s->ends], count, s->sequence, &s->tagged);
    s->ends += count;
    return failed ? failed : arena_copy(&s->job->arena, buf_slice(&s->tagged), &event->tagged);
}

static int store_event(struct storing *s, struct append_part *part, struct draft *draft,
                       unsigned index) {
    struct event *event = &part->events[index];
    struct bus_message *message = &s->messages[s->count];
    buf_clear(&s->headers);
    buf_clear(&s->ids);
    int failed = draft_place(draft, event, s->sequence, part->given[index], &s->ids);
    if (!failed && event->tags.len)
        failed = store_tags(s, event);
    if (!failed)
        failed = event_write(event, part->subject, draft->chain, &s->headers);
    if (!failed)
        failed = arena_copy(&s->job->arena, buf_slice(&s->headers), &message->headers);
    if (failed)
        return failed;
    draft_chain(draft, event);
    message->subject = part->subject;
    message->payload = event->data;
    s->count++;
    s->sequence++;
    return 0;
}

static int store_part(struct storing *s, struct append_part *part, struct draft *draft) {
    int failed = 0;
    part->first = part->head->number + 1;
    part->last = part->head->number + part->event_count;
    for (unsigned i = 0; i < part->event_count && !failed; i++)
        failed = store_event(s, part, draft, i);
    part->position = part->event_count ? s->sequence - 1 : 0;
    return failed;
}

/* Drafts of all parts, and the messages. -EINVAL: a text cannot stand in a header. */
static int store_begin(struct storing *s, struct job *job, struct stream *stream) {
    struct append *append = &job->append;
    *s = (struct storing){.job = job, .sequence = next_sequence(stream)};
    s->headers = buf_make_room(LOG_MESSAGE_MAX, HEADERS_USUAL);
    s->ids = buf_make(LOG_MESSAGE_MAX);
    s->tagged = buf_make(LOG_MESSAGE_MAX);
    s->drafts = arena_zalloc(&job->arena, append->part_count, sizeof *s->drafts);
    s->messages = arena_zalloc(&job->arena, append->event_count + 1, sizeof *s->messages);
    int failed = s->drafts && s->messages ? 0 : -ENOMEM;
    for (unsigned i = 0; i < append->part_count && !failed; i++) {
        const struct append_part *part = &append->parts[i];
        failed = draft_begin(&s->drafts[i], part->head, part->event_count, &job->arena);
        if (!failed)
            failed = store_part(s, &append->parts[i], &s->drafts[i]);
    }
    return failed;
}

static void keep_tail(const struct storing *s) {
    const struct append *append = &s->job->append;
    uint64_t sequence = s->sequence - s->count;
    for (unsigned i = 0; i < append->part_count; i++)
        for (unsigned k = 0; k < append->parts[i].event_count; k++)
            tail_add(s->job->engine, sequence++, append->parts[i].subject,
                     &append->parts[i].events[k]);
}

static void store_end(struct storing *s, bool stored) {
    const struct append *append = &s->job->append;
    notes_forget(s->job->engine);
    tags_settle(append->ends, append->event_end_count, stored);
    if (stored)
        keep_tail(s);
    for (unsigned i = 0; i < append->part_count && s->drafts; i++) {
        if (!s->drafts[i].head)
            continue;
        if (stored)
            head_become(append->parts[i].head, &s->drafts[i]);
        else
            draft_drop(&s->drafts[i]);
        if (stored && append->parts[i].head->life)
            sweep_appended(append->parts[i].head);
    }
    buf_free(&s->headers);
    buf_free(&s->ids);
    buf_free(&s->tagged);
}

/* Plain subscribers hear of what is on disk; ES itself has it. */
static void publish(struct job *job) {
    struct engine *engine = job->engine;
    for (unsigned i = 0; i < job->append.event_count; i++)
        bus_publish(engine->bus, &job->messages[i], engine->streams, NULL);
}

static void on_stored(void *self, const struct streams_error *error) {
    struct job *job = self;
    struct engine *engine = job->engine;
    if (error) {
        refuse(job, (unsigned)error->code, error->err_code, error->description);
    } else {
        answer_append(job);
        publish(job);
    }
    job_free(job);
    (void)engine_committed(engine);
}

static void store(struct job *job, struct stream *stream) {
    struct storing s;
    struct streams_error e;
    uint64_t first = 0;
    int failed = store_begin(&s, job, stream);
    bool stored =
        !failed && stream_append_all(stream, s.messages, s.count, on_stored, job, &first, &e);
    store_end(&s, stored);
    if (stored) {
        check(first + s.count == s.sequence);
        job->messages = s.messages;
        job->engine->committing++;
        return;
    }
    if (failed)
        refuse_for(job, failed);
    else
        refuse(job, (unsigned)e.code, e.err_code, e.description);
    job_free(job);
}

static void store_raw(struct job *job, struct stream *stream) {
    struct storing s;
    int failed = store_begin(&s, job, stream);
    uint64_t sequence = 0;
    if (failed) {
        refuse(job, failed == -EINVAL ? 400 : 503, failed == -EINVAL ? 10003 : 10023,
               failed == -EINVAL ? "a header of the event cannot be stored"
                                 : "insufficient resources");
    } else {
        s.messages[0].reply = job->reply;
        sequence = stream_append(stream, &s.messages[0], job->carried);
        check(sequence == 0 || sequence + 1 == s.sequence);
    }
    store_end(&s, sequence != 0);
    job_free(job);
}

/* --- changes of what is kept -------------------------------------------------------------- */

static void answer_change(struct job *job, const struct life *life) {
    _cleanup_buf_ struct buf text = buf_make(ANSWER_MAX);
    struct json_writer w = json_writer_make(&text, false);
    const struct append_part *part = &job->append.parts[0];
    unsigned status = life_change_answer(&job->change, part->name, life, part->head->number, &w);
    if (json_write_finish(&w) == 0)
        job->answer(job->engine, job->reply, status, NULL, buf_slice(&text));
    else
        tell(job->engine, job->reply, job->answer, 503, "no memory for the answer");
}

static void on_changed(void *self, const struct streams_error *error) {
    struct job *job = self;
    struct engine *engine = job->engine;
    struct head *head = job->append.parts[0].head;
    head->life_changing--;
    if (error)
        refuse(job, (unsigned)error->code, error->err_code, error->description);
    else
        answer_change(job, head_life(head));
    if (!engine->closed) {
        io_defer(engine->loop, &engine->pump);
        if (!head->stale)
            sweep_later(engine, head->subject, io_loop_wall_ns(engine->loop));
    }
    job_free(job);
    (void)engine_committed(engine);
}

/* Its note, and the mark for the sweep, in one commit. */
static void store_change(struct job *job, struct life *life) {
    struct head *head = job->append.parts[0].head;
    struct life_notes notes = {0};
    struct streams_error e;
    int failed = head_make_life(head);
    if (!failed)
        failed = life_notes_add(&notes, job->engine, head->subject, life, head->number, 0);
    bool stored = !failed && notes_commit(job->engine, on_changed, job, &e);
    life_notes_free(&notes);
    if (stored) {
        head_set_life(head, life);
        head->life_changing++;
        job->engine->committing++;
        return;
    }
    if (failed)
        refuse(job, 503, 10023, "insufficient resources");
    else
        refuse(job, (unsigned)e.code, e.err_code, e.description);
    job_free(job);
}

/* Whose answer was lost perhaps: it is as it was wanted. */
static bool is_tombstoned_again(const struct job *job) {
    return job->change.ask == LIFE_TOMBSTONE && head_life(job->append.parts[0].head)->tombstoned;
}

static void settle_change(struct job *job) {
    struct head *head = job->append.parts[0].head;
    struct life life = *head_life(head);
    const char *detail = NULL;
    unsigned status = 0;
    if (job->change.ask != LIFE_SHOW)
        status = life_change_apply(&job->change, &life, head->number, &detail);
    if (!status && life.version != head_life(head)->version && !job->change.dry_run) {
        store_change(job, &life);
        return;
    }
    if (status)
        refuse(job, status, 0, detail);
    else
        answer_change(job, &life);
    job_free(job);
}

/* --- the queue ---------------------------------------------------------------------------- */

/* -EINPROGRESS, or all heads and ends are there, or why one cannot be read. */
static int heads_ready(const struct job *job) {
    for (unsigned i = 0; i < job->append.part_count; i++) {
        const struct head *head = job->append.parts[i].head;
        if (head->state == HEAD_LOADING)
            return -EINPROGRESS;
        if (head->state == HEAD_FAILED)
            return head->failed;
        if (job->is_change && head->life_changing)
            return -EINPROGRESS; /* what is answered must be on disk */
    }
    int failed = append_tags_ready(&job->append);
    return failed || !job->is_change ? failed : sweep_ready(job->engine);
}

static void settle(struct job *job, struct stream *stream) {
    enum outcome outcome = append_outcome(&job->append);
    if (job->is_change && (outcome == OUTCOME_STORE || is_tombstoned_again(job))) {
        settle_change(job);
        return;
    }
    const struct condition *unknown = conditions_unknown(&job->append.conditions);
    if (outcome == OUTCOME_STORE && unknown) {
        refuse_unknown(job, unknown);
        job_free(job);
        return;
    }
    if (outcome == OUTCOME_STORE && job->append.event_count) {
        if (job->raw)
            store_raw(job, stream);
        else
            store(job, stream);
        return;
    }
    if (job->raw && outcome == OUTCOME_CONFLICT)
        refuse(job, 400, 10003, "the event stream has been deleted for ever");
    else if (job->raw) /* of one event, with `expect` any: it has been there */
        stream_answer_duplicate(stream, job->reply, job->append.parts[0].position, job->carried);
    else
        answer_append(job);
    job_free(job);
}

void jobs_refuse(struct engine *engine, unsigned status, unsigned err_code, const char *detail) {
    struct list_node *node;
    list_splice(&engine->jobs, &engine->aside);
    list_splice(&engine->jobs, &engine->checked);
    while ((node = list_first(&engine->jobs))) {
        struct job *job = container_of(node, struct job, node);
        job_leaves(job);
        refuse(job, status, err_code, detail);
        job_free(job);
    }
}

/* Heads from before there was any ES are true: there were no events. */
void jobs_know_stream(struct engine *engine) {
    struct stream *stream = engine_stream(engine);
    struct log_stream *log = stream ? stream_log(stream) : NULL;
    int64_t created_ns = stream ? stream_created_ns(stream) : 0;
    notes_know_stream(engine);
    if (engine->known == log && engine->known_created_ns == created_ns)
        return;
    if (engine->known) {
        jobs_refuse(engine, 503, 10059, "stream ES has been deleted meanwhile");
        heads_forget(engine);
        tags_forget(engine);
        tail_forget(engine);
        sweep_forget(engine);
    }
    engine->known = log;
    engine->known_created_ns = created_ns;
}

/* Judges the conditions up to now, so that little is left when it is its turn. What has failed is
   found again then. True: it can enter the queue. */
static bool judge_aside(struct job *job) {
    int failed = append_tags_ready(&job->append);
    if (failed == -EINPROGRESS)
        return false;
    if (!failed)
        failed = conditions_judge(&job->append.conditions, &job->fetch, &job->arena);
    job->waits = failed == -EINPROGRESS;
    return failed != -EINPROGRESS && failed != -EAGAIN;
}

static void on_rested(struct io_timer *timer) {
    struct engine *engine = container_of(timer, struct engine, aside_rests);
    io_defer(engine->loop, &engine->pump);
}

/* What a check has seen could still be lost: who asked hears of it when it is on disk. */
static bool is_check(const struct job *job) {
    return !job->is_change && !job->append.event_count &&
           append_outcome(&job->append) == OUTCOME_STORE &&
           !conditions_unknown(&job->append.conditions);
}

static void answer_checks(struct engine *engine) {
    struct list_node *node;
    uint64_t last = engine_last(engine);
    while ((node = list_first(&engine->checked))) {
        struct job *job = container_of(node, struct job, node);
        if (job->seen > last)
            return;
        job_leaves(job);
        answer_append(job);
        job_free(job);
    }
}

/* Those that have looked long go behind the others. */
static void pump_aside(struct engine *engine) {
    struct list_node *node, *following;
    uint64_t before = engine->condition_looks;
    if (io_timer_running(&engine->aside_rests))
        return;
    list_each(&engine->aside, node, following) {
        struct job *job = container_of(node, struct job, node);
        if (job->waits)
            continue;
        if (engine->condition_looks - before >= ENGINE_ASIDE_LOOKS_MAX) {
            io_timer_start(engine->loop, &engine->aside_rests, 0, on_rested);
            return;
        }
        bool done = judge_aside(job);
        if (!done && !job->waits)
            continue; /* the pump runs when what it needs is there */
        list_remove(&job->node);
        list_push_back(done ? &engine->jobs : &engine->aside, &job->node);
    }
}

void jobs_pump(struct engine *engine) {
    struct list_node *node;
    jobs_know_stream(engine);
    pump_aside(engine);
    if (engine->wanted && !engine->closed && !engine->creating && !es_there(engine))
        es_create(engine);
    while (!engine->closed && !engine->creating && (node = list_first(&engine->jobs))) {
        struct job *job = container_of(node, struct job, node);
        struct stream *stream = engine_stream(engine);
        if (!es_there(engine)) {
            es_create(engine);
            continue;
        }
        int failed = heads_ready(job);
        if (!failed)
            failed = judge_all(job);
        if (failed == -EINPROGRESS)
            break;
        if (!failed && is_check(job)) {
            list_remove(&job->node);
            list_push_back(&engine->checked, &job->node);
            job->seen = next_sequence(stream) - 1;
            continue;
        }
        job_leaves(job);
        if (!failed) {
            settle(job, stream);
            continue;
        }
        refuse_for(job, failed);
        job_free(job);
    }
    answer_checks(engine);
}

/* --- new jobs ----------------------------------------------------------------------------- */

/* All zero, but for the memory that it keeps. */
static struct job *job_take(struct engine *engine) {
    struct list_node *node = list_pop_front(&engine->spare_jobs);
    if (node) {
        struct job *job = container_of(node, struct job, node);
        engine->spare_job_count--;
        memset(job, 0, offsetof(struct job, arena));
        return job;
    }
    struct job *job = mem_zalloc(1, sizeof *job);
    if (job) {
        job->arena = arena_make(0, ARENA_MAX);
        json_init(&job->doc);
    }
    return job;
}

static struct job *job_new(struct engine *engine, const struct bus_message *m, bool raw) {
    size_t size = m->subject.len + m->reply.len + m->headers.len + m->payload.len;
    bool full = engine->job_count >= ENGINE_JOBS_MAX ||
                engine->job_bytes + size > ENGINE_JOB_BYTES_MAX || engine->closed;
    struct job *job = full ? NULL : job_take(engine);
    char *at = job ? arena_alloc(&job->arena, size) : NULL;
    if (!at) {
        if (job)
            destroy(job);
        return NULL;
    }
    job->message.subject = slice_store(&at, m->subject);
    job->message.reply = job->reply = slice_store(&at, m->reply);
    job->message.headers = slice_store(&at, m->headers);
    job->message.payload = slice_store(&at, m->payload);
    job->engine = engine;
    job->raw = raw;
    job->bytes = size;
    fetch_init(&job->fetch, engine, on_fetched);
    clocktext_format(io_loop_wall_ns(engine->loop), job->time);
    return job;
}

/* What has been made of its text counts as well: a list of short events takes thirty times as much.
   What every job has is not counted. */
static size_t memory_of(const struct job *job) {
    size_t all = job->arena.total + job->doc.capacity * JSON_NODE_BYTES;
    size_t usual = ARENA_CHUNK_DEFAULT + SPARE_NODES_MAX * JSON_NODE_BYTES;
    return all > usual + job->bytes ? all - usual : job->bytes;
}

static void enter(struct job *job) {
    struct engine *engine = job->engine;
    job->bytes = memory_of(job);
    list_push_back(job->append.conditions.count ? &engine->aside : &engine->jobs, &job->node);
    engine->job_count++;
    engine->job_bytes += job->bytes;
    io_defer(engine->loop, &engine->pump);
}

/* The ends of its event streams and tags. */
static int take_ends(struct job *job) {
    struct engine *engine = job->engine;
    jobs_know_stream(engine);
    for (unsigned i = 0; i < job->append.part_count; i++) {
        struct append_part *part = &job->append.parts[i];
        part->head = head_take(engine, part->subject);
        if (!part->head)
            return -ENOMEM;
    }
    engine->tail_wanted |= job->append.conditions.count > 0;
    return append_take_tags(&job->append, engine, &job->arena);
}

/* An append that has been read, or FAILED to be. */
static void begin(struct job *job, int failed, const struct error *e) {
    if (!failed)
        failed = take_ends(job);
    if (!failed) {
        enter(job);
        return;
    }
    char text[sizeof e->message + sizeof e->place + 8];
    bool theirs = failed == -EINVAL || failed == -E2BIG;
    if (e->code)
        snprintf(text, sizeof text, "%s%s%s", e->message, e->place[0] ? " at " : "", e->place);
    refuse(job, theirs ? 400 : 503, 0, e->code ? text : "insufficient resources");
    job_free(job);
}

void job_append(struct engine *engine, const struct job_call *call, job_answer answer) {
    struct bus_message m = {.subject = call->name, .reply = call->reply, .payload = call->body};
    struct job *job = job_new(engine, &m, false);
    if (!job) {
        tell(engine, call->reply, answer, 429, "too many appends are waiting: try again");
        return;
    }
    struct error e = {0};
    job->answer = answer;
    int failed = json_parse(&job->doc, job->message.payload);
    if (failed) {
        json_explain(&job->doc, failed, (slice){0}, &e);
    } else {
        failed = append_read(json_root(&job->doc), job->message.subject, slice_str(job->time),
                             &engine->ids, &job->arena, &job->append, &e);
    }
    if (!failed)
        failed = actor_name(&job->append, &call->actor, &job->arena);
    begin(job, failed, &e);
}

void job_life(struct engine *engine, const struct bus_message *request, job_answer answer) {
    struct job *job = job_new(engine, request, false);
    struct error e = {0};
    if (!job) {
        tell(engine, request->reply, answer, 429, "too many appends are waiting: try again");
        return;
    }
    job->answer = answer;
    job->is_change = true;
    int failed = job->message.payload.len ? json_parse(&job->doc, job->message.payload) : 0;
    json_value body = job->message.payload.len ? json_root(&job->doc) : (json_value){0};
    if (failed)
        json_explain(&job->doc, failed, (slice){0}, &e);
    else
        failed = life_change_read(&job->message, body, &job->arena, &job->append, &job->change, &e);
    begin(job, failed, &e);
}

/* Acknowledgements of what was consumed are for the commit, and no part of the event. */
static int take_carried(struct job *job) {
    struct bus_message *m = &job->message;
    slice unused;
    if (!m->headers.len || !nats_headers_get(m->headers, slice_lit(STREAMS_ACK_FIELD), &unused))
        return 0;
    _cleanup_buf_ struct buf rest = buf_make(LOG_MESSAGE_MAX);
    int failed = nats_headers_copy_without(&rest, m->headers, slice_lit(STREAMS_ACK_FIELD));
    job->carried = m->headers;
    return failed ? failed : arena_copy(&job->arena, buf_slice(&rest), &m->headers);
}

void job_raw(struct engine *engine, struct stream *stream, const struct bus_message *message) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    struct streams_error e;
    if (event_name(message->subject, &name)) {
        streams_fail(&e, 400, 10003, "'%.*s' is not the subject of an event stream: %s",
                     slice_fmt(slice_take(message->subject, 64)), "es.CATEGORY.ID");
        stream_refuse(stream, message->reply, &e);
        return;
    }
    struct job *job = job_new(engine, message, true);
    if (!job) {
        streams_fail(&e, 429, 10167, "too many requests");
        stream_refuse(stream, message->reply, &e);
        return;
    }
    struct error error = {0};
    int failed = take_carried(job);
    if (!failed)
        failed = raw_read(&job->message, slice_str(job->time), &engine->ids, &job->doc, &job->arena,
                          &job->append, &error);
    if (!failed)
        failed = take_ends(job);
    if (!failed) {
        enter(job);
        return;
    }
    refuse(job, failed == -EINVAL ? 400 : 503, failed == -EINVAL ? 10003 : 10023,
           failed == -EINVAL ? error.message : "insufficient resources");
    job_free(job);
}

void jobs_close(struct engine *engine) {
    struct list_node *node;
    io_timer_stop(engine->loop, &engine->aside_rests);
    jobs_refuse(engine, 503, 10008, "the node stops: try again");
    while ((node = list_pop_front(&engine->spare_jobs)))
        destroy(container_of(node, struct job, node));
    engine->spare_job_count = 0;
}
