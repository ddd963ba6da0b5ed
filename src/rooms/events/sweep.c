/*
 * sweep.c - see sweep.h: the queue of event streams, their marks, and the clock.
 *
 * Who is in the queue is there once, with the earliest time that was asked for; an event stream
 * that is worked on waits with it until that has ended. What the queue forgets (a kill, a record
 * that cannot be read) the marks remember until the next start.
 */
#include "rooms/events/sweep.h"

#include "base/heap.h"
#include "base/mem.h"
#include "base/number.h"
#include "rooms/events/jobs.h"
#include "rooms/events/sweep_stream.h"
#include "wire/json_write.h"

#include <errno.h>
#include <inttypes.h>

#define MARKS_STEP 64u /* looked at a turn */
#define AGAIN_NS INT64_C(1000000000)
#define SLEEP_NS_MAX UINT64_C(60000000000) /* the wall clock may have been set meanwhile */

struct due {
    struct heap_node node;
    int64_t time_ns; /* INT64_MAX: not again */
    bool at_work;    /* then it is not in the heap */
    slice subject;
    char text[];
};

/* What the note says: marks are there from LOW to HIGH at most; records that were taken out. */
struct numbers {
    uint64_t low, high, removed;
};

enum knowledge { UNKNOWN, KNOWN, UNREADABLE };

struct sweep {
    struct engine *engine;
    enum knowledge knowledge;
    struct numbers note; /* as it will be when all that was added is stored */
    uint64_t cursor;     /* the next mark to look at; above `high`: all were */
    bool left_out;       /* some had no room in the queue */
    struct fetch fetch;
    struct heap due;
    struct map by_subject; /* subject -> struct due */
    struct io_timer timer;
    unsigned pauses;
    struct slot {
        struct sweep_stream work;
        struct sweep *sweep;
        struct due *due; /* whose work it is; NULL: nobody's */
    } slots[SWEEP_WORKS];
    unsigned working;
    struct sweep_deletes deletes;
    struct metrics_shard *shard;
    struct metric removed_total, backlog;
};

static void turn(struct sweep *sweep);

static void on_timer(struct io_timer *timer) {
    turn(container_of(timer, struct sweep, timer));
}

static void on_fetched(struct fetch *fetch) {
    turn(container_of(fetch, struct sweep, fetch));
}

static void turn_soon(struct sweep *sweep, uint64_t ns) {
    io_timer_stop(sweep->engine->loop, &sweep->timer);
    io_timer_start(sweep->engine->loop, &sweep->timer, ns, on_timer);
}

/* --- the queue ---------------------------------------------------------------------------- */

static bool earlier(const struct heap_node *a, const struct heap_node *b) {
    return container_of(a, struct due, node)->time_ns < container_of(b, struct due, node)->time_ns;
}

static void show_backlog(const struct sweep *sweep) {
    if (sweep->shard)
        metrics_gauge_set(sweep->shard, sweep->backlog,
                          (int64_t)heap_count(&sweep->due) + sweep->working);
}

static struct due *due_new(struct sweep *sweep, slice subject) {
    bool full = heap_count(&sweep->due) >= SWEEP_DUE_MAX;
    struct due *due = full ? NULL : mem_zalloc(1, sizeof *due + subject.len);
    if (due) {
        char *at = due->text;
        due->subject = slice_store(&at, subject);
        if (map_add(&sweep->by_subject, due->subject, due))
            due = mem_free(due);
    }
    sweep->left_out |= !due;
    return due;
}

static void due_free(struct sweep *sweep, struct due *due) {
    map_remove(&sweep->by_subject, due->subject);
    mem_free(due);
}

void sweep_later(struct engine *engine, slice subject, int64_t time_ns) {
    struct sweep *sweep = engine->sweep;
    struct due *due = map_find(&sweep->by_subject, subject);
    bool known = due != NULL;
    if (!known)
        due = due_new(sweep, subject);
    if (!due || (known && due->time_ns <= time_ns))
        return;
    if (known && !due->at_work)
        heap_remove(&sweep->due, &due->node);
    due->time_ns = time_ns;
    if (due->at_work)
        return;
    heap_add(&sweep->due, &due->node);
    show_backlog(sweep);
    turn_soon(sweep, 0);
}

void sweep_appended(struct head *head) {
    const struct life *life = head->life;
    struct engine *engine = head->engine;
    int64_t now_ns = io_loop_wall_ns(engine->loop);
    if (life->tombstoned)
        return;
    if (life_sweeps(life, head->number) > life->swept)
        sweep_later(engine, head->subject, now_ns);
    else if (life->max_age_ns && life->max_age_ns < INT64_MAX / 2)
        sweep_later(engine, head->subject, now_ns + (int64_t)life->max_age_ns);
}

/* --- the note, and the marks -------------------------------------------------------------- */

static int read_number(struct json_doc *doc, const char *key, uint64_t *number) {
    int result = json_u64(json_member(json_root(doc), slice_str(key)), number);
    return result == -ENOENT ? 0 : result;
}

static int read_note(slice text, struct numbers *note) {
    struct json_doc doc;
    json_init(&doc);
    int failed = json_parse(&doc, text);
    if (!failed)
        failed = read_number(&doc, "low", &note->low);
    if (!failed)
        failed = read_number(&doc, "high", &note->high);
    if (!failed)
        failed = read_number(&doc, "removed", &note->removed);
    json_free(&doc);
    return failed;
}

int sweep_read_removed(slice text, uint64_t *ret_removed) {
    struct numbers note = {0};
    if (read_note(text, &note))
        return -EBADMSG;
    *ret_removed = note.removed;
    return 0;
}

int sweep_write(const struct engine *engine, uint64_t removed, struct buf *out) {
    const struct sweep *sweep = engine->sweep;
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "low");
    json_write_u64(&w, sweep->note.low);
    json_write_key(&w, "high");
    json_write_u64(&w, sweep->note.high);
    json_write_key(&w, "removed");
    json_write_u64(&w, sweep->note.removed + removed);
    json_write_end(&w);
    return json_write_finish(&w);
}

int sweep_write_mark(uint64_t mark, struct buf *out) {
    return buf_printf(out, NOTES_PREFIX "due.%" PRIu64, mark);
}

uint64_t sweep_take_mark(struct engine *engine) {
    struct sweep *sweep = engine->sweep;
    bool all = sweep->cursor > sweep->note.high;
    sweep->note.high++;
    if (all)
        sweep->cursor = sweep->note.high + 1;
    return sweep->note.high;
}

void sweep_note_removed(struct engine *engine, uint64_t count) {
    struct sweep *sweep = engine->sweep;
    sweep->note.removed += count;
    if (sweep->shard)
        metrics_count(sweep->shard, sweep->removed_total, count);
}

void sweep_wake(struct engine *engine) {
    turn_soon(engine->sweep, 0);
}

uint64_t sweep_removed(const struct engine *engine) {
    return engine->sweep->note.removed;
}

/* 0, -EINPROGRESS, -EBADMSG. */
static int know(struct sweep *sweep) {
    struct log_record record;
    jobs_know_stream(sweep->engine);
    if (sweep->knowledge != UNKNOWN)
        return sweep->knowledge == KNOWN ? 0 : -EBADMSG;
    int result = notes_read(&sweep->fetch, slice_lit(SWEEP_SUBJECT), &record);
    if (result == -EINPROGRESS)
        return result;
    if (!result)
        result = read_note(record.payload, &sweep->note);
    sweep->knowledge = !result || result == -ENOENT ? KNOWN : UNREADABLE;
    if (sweep->knowledge == UNREADABLE)
        logger_write(sweep->engine->logger, LOG_LEVEL_ERROR, "events",
                     "what is left to be taken out of ES cannot be read: `nonet log verify`", NULL);
    sweep->note.low = sweep->note.low ? sweep->note.low : 1;
    sweep->cursor = sweep->note.low;
    io_defer(sweep->engine->loop, &sweep->engine->pump);
    return sweep->knowledge == KNOWN ? 0 : -EBADMSG;
}

int sweep_ready(struct engine *engine) {
    return know(engine->sweep);
}

/* Some marks more. 0, -EAGAIN (there are others), -EINPROGRESS. */
static int read_marks(struct sweep *sweep) {
    _cleanup_buf_ struct buf subject = buf_make(256);
    for (unsigned i = 0; i < MARKS_STEP && sweep->cursor <= sweep->note.high; i++) {
        struct log_record record;
        if (heap_count(&sweep->due) >= SWEEP_DUE_MAX / 2)
            return 0;
        buf_clear(&subject);
        if (sweep_write_mark(sweep->cursor, &subject))
            return -EAGAIN;
        int result = notes_read(&sweep->fetch, buf_slice(&subject), &record);
        if (result == -EINPROGRESS)
            return result;
        if (result == 0)
            sweep_later(sweep->engine, record.payload, 0);
        if (result == -ENOENT && sweep->note.low == sweep->cursor)
            sweep->note.low++;
        sweep->cursor++;
    }
    return sweep->cursor <= sweep->note.high ? -EAGAIN : 0;
}

/* --- the clock ---------------------------------------------------------------------------- */

/* It goes back into the queue, if there is more to do. */
static void leave(struct slot *slot) {
    struct sweep *sweep = slot->sweep;
    struct due *due = slot->due;
    slot->due = NULL;
    sweep->working--;
    due->at_work = false;
    if (due->time_ns == INT64_MAX)
        due_free(sweep, due);
    else
        heap_add(&sweep->due, &due->node);
    show_backlog(sweep);
    turn_soon(sweep, 0);
}

static void on_done(struct sweep_stream *work, int result, int64_t next_ns) {
    struct slot *slot = container_of(work, struct slot, work);
    struct sweep *sweep = slot->sweep;
    int64_t now_ns = io_loop_wall_ns(sweep->engine->loop), soon_ns = now_ns + AGAIN_NS;
    slice subject = slot->due->subject;
    if (result == -EAGAIN || result == -ENOMEM)
        sweep_later(sweep->engine, subject, soon_ns);
    else if (!result && next_ns == 0)
        sweep_later(sweep->engine, subject, now_ns);
    else if (!result && next_ns != INT64_MAX)
        sweep_later(sweep->engine, subject, next_ns > soon_ns ? next_ns : soon_ns);
    else if (result)
        logger_write(sweep->engine->logger, LOG_LEVEL_ERROR, "events",
                     "what is gone of an event stream cannot be taken out: `nonet log verify`",
                     "subject=%.*s", slice_fmt(subject));
    leave(slot);
}

static void begin(struct slot *slot) {
    struct sweep *sweep = slot->sweep;
    struct due *due = container_of(heap_pop(&sweep->due), struct due, node);
    struct head *head = head_take(sweep->engine, due->subject);
    due->time_ns = INT64_MAX;
    due->at_work = true;
    slot->due = due;
    sweep->working++;
    if (head)
        sweep_stream_begin(&slot->work, sweep->engine, &sweep->deletes, head, on_done);
    else
        on_done(&slot->work, -ENOMEM, 0);
}

static struct slot *free_slot(struct sweep *sweep) {
    for (unsigned i = 0; i < SWEEP_WORKS; i++)
        if (!sweep->slots[i].due && !sweep->slots[i].work.committing)
            return &sweep->slots[i];
    return NULL; /* one that becomes free wakes the sweep */
}

/* Those whose time has come, as many as there is room for. */
static void begin_all(struct sweep *sweep) {
    for (unsigned i = 0; i < SWEEP_WORKS; i++) {
        struct slot *slot = free_slot(sweep);
        const struct heap_node *first = heap_first(&sweep->due);
        if (!slot || !first)
            return;
        int64_t wait_ns =
            container_of(first, struct due, node)->time_ns - io_loop_wall_ns(sweep->engine->loop);
        if (wait_ns > 0) {
            turn_soon(sweep, (uint64_t)wait_ns < SLEEP_NS_MAX ? (uint64_t)wait_ns : SLEEP_NS_MAX);
            return;
        }
        begin(slot);
    }
}

static void turn(struct sweep *sweep) {
    int result = know(sweep);
    if (result || sweep->pauses)
        return;
    if (sweep->left_out && heap_count(&sweep->due) < SWEEP_DUE_MAX / 4) {
        sweep->left_out = false;
        sweep->cursor = sweep->note.low;
    }
    result = read_marks(sweep);
    begin_all(sweep);
    if (result == -EAGAIN)
        turn_soon(sweep, 0);
}

void sweep_pause(struct engine *engine) {
    struct sweep *sweep = engine->sweep;
    sweep->pauses++;
    for (unsigned i = 0; i < SWEEP_WORKS; i++) {
        struct slot *slot = &sweep->slots[i];
        sweep_stream_cancel(&slot->work);
        if (!slot->due)
            continue;
        slot->due->time_ns = 0;
        leave(slot);
    }
}

bool sweep_idle(const struct engine *engine) {
    for (unsigned i = 0; i < SWEEP_WORKS; i++)
        if (engine->sweep->slots[i].work.committing)
            return false;
    return true;
}

void sweep_resume(struct engine *engine) {
    engine->sweep->pauses--;
    turn_soon(engine->sweep, 0);
}

/* --- begin and end ------------------------------------------------------------------------ */

int sweep_on_batch(struct engine *engine, struct log_batch *batch) {
    const struct sweep_deletes *deletes = &engine->sweep->deletes;
    struct stream *stream = engine_stream(engine);
    int failed = 0;
    for (unsigned i = 0; i < deletes->count && !failed && stream; i++) {
        failed = log_batch_delete(batch, stream_log(stream), deletes->sequences[i]);
        if (failed == -ENOENT)
            failed = 0;
    }
    return failed;
}

int sweep_open(struct engine *engine) {
    struct sweep *sweep = mem_zalloc(1, sizeof *sweep);
    if (!sweep)
        return -ENOMEM;
    sweep->engine = engine;
    sweep->due = heap_make(earlier);
    sweep->by_subject = map_make(engine->hash_key, SWEEP_DUE_MAX + 1);
    fetch_init(&sweep->fetch, engine, on_fetched);
    engine->sweep = sweep;
    for (unsigned i = 0; i < SWEEP_WORKS; i++)
        sweep->slots[i].sweep = sweep;
    turn_soon(sweep, 0);
    return 0;
}

static const struct metrics_family families[] = {
    {.name = "nonet_events_removed_total",
     .help = "Records taken out of ES because limits or deletion said so.",
     .kind = METRICS_COUNTER},
    {.name = "nonet_events_sweep_backlog",
     .help = "Event streams of which something is, or will be, taken out.",
     .kind = METRICS_GAUGE},
};

void sweep_count(struct engine *engine, struct metrics *metrics, struct metrics_shard *shard) {
    struct sweep *sweep = engine->sweep;
    struct metric *const all[] = {&sweep->removed_total, &sweep->backlog};
    sweep->shard = shard;
    for (size_t i = 0; i < array_count(all); i++)
        (void)metrics_add_series(metrics, &families[i], NULL, all[i]);
}

static void clear(struct sweep *sweep) {
    fetch_cancel(&sweep->fetch);
    for (unsigned i = 0; i < SWEEP_WORKS; i++) {
        sweep_stream_cancel(&sweep->slots[i].work);
        if (sweep->slots[i].due)
            due_free(sweep, sweep->slots[i].due);
        sweep->slots[i].due = NULL;
    }
    sweep->working = 0;
    while (heap_first(&sweep->due))
        due_free(sweep, container_of(heap_pop(&sweep->due), struct due, node));
}

void sweep_forget(struct engine *engine) {
    struct sweep *sweep = engine->sweep;
    clear(sweep);
    sweep->knowledge = UNKNOWN;
    sweep->note = (struct numbers){0};
    sweep->cursor = 0;
    sweep->left_out = false;
    turn_soon(sweep, 0);
}

void sweep_close(struct engine *engine) {
    if (!engine->sweep)
        return;
    clear(engine->sweep);
    io_timer_stop(engine->loop, &engine->sweep->timer);
}

void sweep_free(struct engine *engine) {
    if (engine->sweep)
        map_free(&engine->sweep->by_subject);
    engine->sweep = mem_free(engine->sweep);
}
