/*
 * state.c - see state.h.
 *
 *     POSITION -> HEAD -> TARGET -> BASE -> LEAVES -> COLLECT -> FOLD -> END
 *                                                        ^--------'  a span of events each
 *
 * TARGET finds the last event that counts, by hops from the newest. BASE tries what is kept in
 * memory (state_kept.h) and the snapshots before the target, the newest first. LEAVES goes back
 * from the target over the last event of each span, which know each other (record.h), down to the
 * base; then one span after the other is collected backwards and folded forwards. Every phase waits
 * where a record has to be fetched.
 *
 * Of several reads that would fold the same long way one LEADS, the others wait for its snapshots.
 *
 * Of an event stream whose first events were taken out of the log (life.h) a snapshot behind them
 * is the begin, or else the first event that is there, which the answer says. What was deleted does
 * not come back by a snapshot: only those behind it are looked at.
 */
#include "rooms/events/state.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "rooms/events/event_json.h"
#include "rooms/events/heads.h"
#include "rooms/events/jobs.h"
#include "rooms/events/lookup.h"
#include "rooms/events/notes.h"
#include "rooms/events/snapshot.h"
#include "rooms/events/state_kept.h"

#include <errno.h>

#define STEP_MAX 256u /* records looked at a turn */
#define POSITION_WAIT_NS UINT64_C(2000000000)
#define BODY_MAX (8u << 20)
#define SUBJECT_MAX 8192u
#define LONG_SPANS 1u /* whole ones to be folded: then one read does it, others wait for it */
#define KEPT_FROM 32u /* events folded: below that a state is not worth being kept */

struct states {
    struct folds *folds;
    struct list open;
    unsigned count;
    struct kept_states kept;
    struct metrics_shard *shard; /* NULL: nothing is counted */
    struct metric reads, records, snapshots;
};

enum phase { POSITION, HEAD, TARGET, BASE, LEAVES, COLLECT, FOLD, END };

struct state_read {
    struct list_node node; /* in states->open */
    struct engine *engine;
    struct fetch fetch;
    struct io_timer again, deadline;
    enum phase phase;
    bool waits;   /* for something new */
    bool follows; /* waits for the read that leads */
    bool leads;   /* it folds a long way, which others of the same event stream need not do again */
    struct state_options o;
    struct head *head;
    struct folds *folds;
    const struct fold *fold;
    struct fold_state *state;
    struct json_doc doc;
    struct buf out, name;

    struct search search;
    uint64_t at;                      /* the record that is looked at */
    uint64_t target, target_position; /* number */
    uint64_t deleted, swept; /* up to these numbers events are not there, by the head's life */
    char time[CLOCKTEXT_SIZE];
    struct snapshot base;
    unsigned char chain[EVENT_CHAIN_BYTES]; /* of the target */
    bool base_loaded;                       /* the note; its event is to be looked at */
    uint64_t *leaves; /* positions of the ends of spans behind the base, the last first */
    size_t leaf_count;
    uint64_t sequences[SNAPSHOT_SPAN]; /* of the span, the last first */
    unsigned collected;
    uint64_t folded, span_end; /* numbers */
    uint64_t bytes;            /* of events folded since the last snapshot */

    void (*done)(void *self, const struct state_end *end);
    void *self;
    char text[];
};

static void step(struct state_read *read);

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct state_read, again));
}

/* --- its end ------------------------------------------------------------------------------ */

/* They begin anew, and find the snapshots. */
static void wake_followers(struct state_read *leader) {
    struct engine *engine = leader->engine;
    struct list_node *node, *following;
    list_each(&engine->states->open, node, following) {
        struct state_read *read = container_of(node, struct state_read, node);
        bool wakes = read->follows && !io_timer_running(&read->again);
        if (wakes && slice_equal(read->o.subject, leader->o.subject))
            io_timer_start(engine->loop, &read->again, 0, on_again);
    }
}

static void finish(struct state_read *read, unsigned status, const char *detail) {
    struct states *states = read->engine->states;
    struct state_end end = {
        .status = status,
        .body = status == 200 ? buf_slice(&read->out) : slice_str(detail),
        .revision = read->target ? read->target - 1 : 0,
        .from = read->base.from,
        .digest = read->fold->digest,
    };
    fetch_cancel(&read->fetch);
    io_timer_stop(read->engine->loop, &read->again);
    io_timer_stop(read->engine->loop, &read->deadline);
    head_give(read->head);
    list_remove(&read->node);
    states->count--;
    if (read->leads)
        wake_followers(read);
    read->done(read->self, &end);
    fold_state_free(read->state);
    folds_unref(read->folds);
    json_free(&read->doc);
    buf_free(&read->out);
    buf_free(&read->name);
    mem_free(read->leaves);
    mem_free(read);
}

/* For whoever asks next. */
static void keep_newest(struct state_read *read) {
    struct kept_states *kept = &read->engine->states->kept;
    _cleanup_buf_ struct buf text = buf_make(BODY_MAX);
    struct snapshot snapshot = {.position = read->target_position, .from = read->base.from};
    slice unused;
    if (read->target - read->base.number < KEPT_FROM ||
        kept_find(kept, read->o.subject, &unused) > read->target)
        return;
    memcpy(snapshot.chain, read->chain, sizeof snapshot.chain);
    if (snapshot_write(&snapshot, read->fold, read->state, &text) == 0)
        kept_put(kept, read->o.subject, read->target, buf_slice(&text));
}

static int write_answer(struct state_read *read) {
    struct json_writer w = json_writer_make(&read->out, false);
    keep_newest(read);
    buf_clear(&read->out);
    json_write_object(&w);
    json_write_key(&w, "stream");
    json_write_string(&w, buf_slice(&read->name));
    json_write_key(&w, "revision");
    json_write_u64(&w, read->target - 1);
    json_write_key(&w, "position");
    json_write_u64(&w, read->target_position);
    json_write_key(&w, "time");
    json_write_text(&w, read->time);
    json_write_key(&w, "fold");
    json_write_object(&w);
    json_write_key(&w, "name");
    json_write_string(&w, read->fold->name);
    json_write_key(&w, "version");
    json_write_u64(&w, read->fold->version);
    json_write_end(&w);
    if (read->base.from) {
        json_write_key(&w, "from_revision");
        json_write_u64(&w, read->base.from);
    }
    int failed = fold_state_write(read->state, &w);
    json_write_end(&w);
    return failed || json_write_finish(&w) ? -ENOMEM : 1;
}

/* --- waiting ------------------------------------------------------------------------------ */

static void on_fetched(struct fetch *fetch) {
    step(container_of(fetch, struct state_read, fetch));
}

static void on_deadline(struct io_timer *timer) {
    struct state_read *read = container_of(timer, struct state_read, deadline);
    if (read->phase == POSITION)
        finish(read, 504, "the position has not been reached");
    else
        finish(read, 503,
               "the event stream is long and not folded yet: ask again, it goes on from there");
}

static int position_step(struct state_read *read) {
    if (engine_last(read->engine) < read->o.position_min)
        return -EAGAIN;
    io_timer_stop(read->engine->loop, &read->deadline);
    io_timer_start(read->engine->loop, &read->deadline, STATE_NS, on_deadline);
    read->phase = HEAD;
    return 0;
}

static void count_record(const struct state_read *read) {
    struct states *states = read->engine->states;
    if (states->shard)
        metrics_count(states->shard, states->records, 1);
}

static int look(struct state_read *read, uint64_t sequence, struct log_record *record,
                struct event *event) {
    int failed = fetch_event(&read->fetch, sequence, record, event);
    if (!failed)
        count_record(read);
    return failed;
}

/* --- which event -------------------------------------------------------------------------- */

/* Events up to it are not there: a state of later ones begins behind it. */
static uint64_t limit(const struct state_read *read) {
    return read->deleted > read->swept ? read->deleted : read->swept;
}

/* Are all events behind NUMBER there, and those in it not deleted? Then a state of it is a begin.
 */
static bool is_begin(const struct state_read *read, uint64_t number) {
    return number && number >= read->swept && number > read->deleted;
}

/* Has the event come after what is asked for? */
static bool is_too_new(const void *self, const struct log_record *record,
                       const struct event *event) {
    const struct state_read *read = self;
    int64_t time_ns;
    switch (read->o.at) {
    case STATE_REVISION:
        return event->number > read->o.number + 1;
    case STATE_POSITION:
        return record->sequence > read->o.number;
    case STATE_TIME:
        if (clocktext_parse(event->time, &time_ns))
            time_ns = record->time_ns;
        return time_ns > read->o.time_ns;
    default:
        return false;
    }
}

static int head_step(struct state_read *read) {
    if (!read->head) {
        jobs_know_stream(read->engine);
        read->head = head_take(read->engine, read->o.subject);
    }
    if (!read->head)
        return -ENOMEM;
    int failed = head_alive(read->head);
    if (failed)
        return failed;
    uint64_t number = read->head->number;
    const struct life *life = head_life(read->head);
    read->deleted = life->deleted;
    read->swept = life->swept;
    if (read->o.at == STATE_REVISION && (read->o.number >= number || read->o.number < limit(read)))
        return -ERANGE;
    search_begin(&read->search, head_last(read->head), is_too_new, read);
    read->phase = TARGET;
    return 0;
}

static int renew_state(struct state_read *read) {
    read->state = fold_state_free(read->state);
    return fold_state_new(read->fold, read->engine->hash_key, &read->state);
}

/* The state in memory, where it is nearer than every snapshot in the log can be. */
static int take_kept(struct state_read *read) {
    slice text;
    uint64_t number = kept_find(&read->engine->states->kept, read->o.subject, &text);
    if (number <= read->base.number || number > read->target || !is_begin(read, number))
        return 0;
    int failed = renew_state(read);
    if (!failed)
        failed = snapshot_read(text, read->fold, &read->doc, read->state, &read->base);
    if (failed)
        return failed == -ENOMEM ? failed : 0;
    read->base.number = number;
    read->base_loaded = true;
    return 0;
}

static int target_found(struct state_read *read, const struct event *event) {
    if (event->number <= limit(read))
        return -ERANGE;
    read->target = event->number;
    read->target_position = read->search.at;
    memcpy(read->chain, event->chain, sizeof read->chain);
    (void)!slice_to_string(slice_take(event->time, CLOCKTEXT_SIZE - 1), read->time,
                           sizeof read->time);
    read->base.number = event->number / SNAPSHOT_SPAN * SNAPSHOT_SPAN;
    read->phase = BASE;
    return take_kept(read);
}

static int target_step(struct state_read *read) {
    struct log_record record;
    struct event event;
    int result = search_step(&read->search, &read->fetch, &record, &event);
    if (result == 0 || result == -EAGAIN)
        count_record(read);
    if (result == -EAGAIN)
        return 0;
    return result ? result : target_found(read, &event);
}

/* --- where to begin ----------------------------------------------------------------------- */

/* The state before the first event that is there. */
static int begin_anew(struct state_read *read) {
    uint64_t from = limit(read);
    read->base = (struct snapshot){.number = from, .from = from};
    read->phase = LEAVES;
    read->at = read->target_position;
    return renew_state(read);
}

/* Where the next older snapshot would be. */
static uint64_t before(uint64_t number) {
    return (number - 1) / SNAPSHOT_SPAN * SNAPSHOT_SPAN;
}

/* Is the event that it names the one that it was made of? */
static int check_base(struct state_read *read) {
    struct log_record record;
    struct event event;
    int failed = look(read, read->base.position, &record, &event);
    if (failed == -EINPROGRESS)
        return failed;
    read->base_loaded = false;
    if (failed || event.number != read->base.number ||
        !slice_equal(record.subject, read->o.subject) ||
        memcmp(event.chain, read->base.chain, sizeof event.chain) != 0) {
        read->base.number = before(read->base.number);
        return 0;
    }
    read->phase = LEAVES;
    read->at = read->target_position;
    return 0;
}

static int base_step(struct state_read *read) {
    struct log_record record;
    uint64_t number = read->base.number;
    if (read->base_loaded)
        return check_base(read);
    if (!is_begin(read, number))
        return begin_anew(read);
    buf_clear(&read->out);
    if (snapshot_subject(read->o.subject, number, &read->out))
        return -ENOMEM;
    int failed = notes_read(&read->fetch, buf_slice(&read->out), &record);
    if (failed == -EINPROGRESS)
        return failed;
    if (!failed)
        failed = renew_state(read);
    if (!failed)
        failed = snapshot_read(record.payload, read->fold, &read->doc, read->state, &read->base);
    if (failed == -ENOMEM)
        return failed;
    read->base.number = failed ? before(number) : number;
    read->base_loaded = !failed;
    return 0;
}

/* --- spans -------------------------------------------------------------------------------- */

/* Ends of spans between the base and the target. */
static size_t whole_spans(const struct state_read *read) {
    if (read->target == read->base.number)
        return 0;
    return (size_t)((read->target - 1) / SNAPSHOT_SPAN - read->base.number / SNAPSHOT_SPAN);
}

static bool is_led(const struct state_read *read) {
    struct list_node *node, *following;
    list_each(&read->engine->states->open, node, following) {
        const struct state_read *other = container_of(node, struct state_read, node);
        if (other != read && other->leads && slice_equal(other->o.subject, read->o.subject))
            return true;
    }
    return false;
}

static int begin_span(struct state_read *read) {
    bool last = read->leaf_count == 0;
    if (read->folded == read->target) {
        read->phase = END;
        return 0;
    }
    read->span_end = last ? read->target : (read->folded / SNAPSHOT_SPAN + 1) * SNAPSHOT_SPAN;
    read->at = last ? read->target_position : read->leaves[--read->leaf_count];
    read->collected = 0;
    read->phase = COLLECT;
    return 0;
}

static int leaves_step(struct state_read *read) {
    size_t wanted = whole_spans(read);
    struct log_record record;
    struct event event;
    if (wanted >= LONG_SPANS && !read->leads) {
        if (is_led(read)) {
            read->phase = HEAD;
            read->follows = true;
            return -EAGAIN;
        }
        read->leads = true;
    }
    if (!read->leaves)
        read->leaves = mem_alloc((wanted ? wanted : 1) * sizeof *read->leaves);
    if (!read->leaves)
        return -ENOMEM;
    if (read->leaf_count == wanted) {
        read->folded = read->base.number;
        return begin_span(read);
    }
    int failed = look(read, read->at, &record, &event);
    if (failed)
        return failed;
    uint64_t end = (read->target - 1) / SNAPSHOT_SPAN * SNAPSHOT_SPAN;
    if (read->leaf_count == 0 && event.number > end) {
        read->at = event_hop(&event, end);
        return 0;
    }
    if (event.number != end - read->leaf_count * SNAPSHOT_SPAN)
        return -EBADMSG;
    read->leaves[read->leaf_count++] = read->at;
    read->at = event.leaf;
    return 0;
}

static int collect_step(struct state_read *read) {
    struct log_record record;
    struct event event;
    int failed = look(read, read->at, &record, &event);
    if (failed)
        return failed;
    if (event.number != read->span_end - read->collected)
        return -EBADMSG;
    read->sequences[read->collected++] = read->at;
    read->at = event.before;
    if (event.number == read->folded + 1)
        read->phase = FOLD;
    return 0;
}

/* --- snapshots ---------------------------------------------------------------------------- */

static void on_stored(void *self, const struct streams_error *error) {
    (void)error; /* then it is folded again */
    (void)engine_committed(self);
}

/* Has somebody deleted the event, or the sweep taken it out, since the read was begun? */
static bool has_gone(const struct state_read *read, uint64_t number) {
    const struct life *life = head_life(read->head);
    return life->tombstoned || number <= life->deleted || number <= life->swept;
}

static bool must_keep(const struct state_read *read, uint64_t number) {
    return read->o.keeps && number == read->target;
}

/* A state that cannot be kept now (no room, no memory) is folded again some time. */
static int keep(struct state_read *read, const struct event *event) {
    struct engine *engine = read->engine;
    struct states *states = engine->states;
    struct log *log = streams_log(engine->streams);
    _cleanup_buf_ struct buf text = buf_make(BODY_MAX);
    struct snapshot snapshot = {.number = event->number,
                                .position = read->sequences[read->collected],
                                .from = read->base.from};
    struct streams_error e;
    memcpy(snapshot.chain, event->chain, sizeof snapshot.chain);
    buf_clear(&read->out);
    if (!log || log_full(log) || !notes_stream(engine) || has_gone(read, event->number) ||
        (fold_state_size(read->state) > read->bytes && !must_keep(read, event->number)))
        return 0;
    if (snapshot_subject(read->o.subject, snapshot.number, &read->out) ||
        snapshot_write(&snapshot, read->fold, read->state, &text))
        return -ENOMEM;
    struct note note = {.subject = buf_slice(&read->out), .text = buf_slice(&text)};
    notes_add(engine, &note);
    if (notes_commit(engine, on_stored, engine, &e)) {
        engine->committing++;
        read->bytes = 0;
        if (states->shard)
            metrics_count(states->shard, states->snapshots, 1);
    }
    return 0;
}

static int fold_step(struct state_read *read) {
    struct log_record record;
    struct event event;
    int failed = look(read, read->sequences[read->collected - 1], &record, &event);
    if (failed)
        return failed;
    struct fold_event one = {
        .type = event.type,
        .id = event.id,
        .time = event.time,
        .stream = buf_slice(&read->name),
        .revision = event.number - 1,
        .position = record.sequence,
        .data = event_data_is_json(event.content_type) ? event.data : (slice){0},
        .metadata = event.metadata,
    };
    if (fold_apply(read->state, &one))
        return -ENOMEM;
    read->bytes += record.headers.len + record.payload.len;
    read->folded++;
    read->collected--;
    if (read->folded % SNAPSHOT_SPAN == 0)
        failed = keep(read, &event);
    return failed || read->collected ? failed : begin_span(read);
}

/* --- a read ------------------------------------------------------------------------------- */

/* A record is not there any more, since its event has gone meanwhile: what is left is folded. */
static int go_round(struct state_read *read) {
    const struct life *life = head_life(read->head);
    if (life->deleted == read->deleted && life->swept == read->swept)
        return -EBADMSG;
    read->leaves = mem_free(read->leaves);
    read->leaf_count = 0;
    read->base_loaded = false;
    read->phase = HEAD;
    return 0;
}

static int one_step(struct state_read *read) {
    switch (read->phase) {
    case POSITION:
        return position_step(read);
    case HEAD:
        return head_step(read);
    case TARGET:
        return target_step(read);
    case BASE:
        return base_step(read);
    case LEAVES:
        return leaves_step(read);
    case COLLECT:
        return collect_step(read);
    case FOLD:
        return fold_step(read);
    default:
        return write_answer(read);
    }
}

static const char *none_such(const struct state_read *read) {
    if (read->o.at != STATE_REVISION)
        return "there was no such event stream then, or its events have been removed";
    return read->o.number < limit(read) ? "the event stream has no such revision any more"
                                        : "the event stream has no such revision yet";
}

static void step(struct state_read *read) {
    int result = 0;
    if (read->head && read->head->stale) {
        finish(read, 503, "stream " ENGINE_STREAM " has been deleted meanwhile");
        return;
    }
    read->waits = read->follows = false;
    for (unsigned i = 0; i < STEP_MAX && !result; i++)
        result = one_step(read);
    if (result == -EBADMSG && read->phase > HEAD)
        result = go_round(read);
    if (result == 1)
        finish(read, 200, NULL);
    else if (result == -EAGAIN)
        read->waits = true;
    else if (result == 0)
        io_timer_start(read->engine->loop, &read->again, 0, on_again);
    else if (result == -ENOENT)
        finish(read, 404, "there is no such event stream");
    else if (result == -EIDRM)
        finish(read, 410, "the event stream has been deleted for ever");
    else if (result == -ERANGE)
        finish(read, 404, none_such(read));
    else if (result == -EBADMSG)
        finish(read, 500, "an event cannot be read: `nonet log verify` says more");
    else if (result != -EINPROGRESS)
        finish(read, 503, "no memory for the state");
}

static int find_fold(struct state_read *read) {
    int failed = event_name(read->o.subject, &read->name);
    if (failed)
        return failed;
    read->folds = read->engine->states->folds ? folds_ref(read->engine->states->folds) : NULL;
    read->fold = folds_find(read->folds, slice_cut(buf_slice(&read->name), '-', &(slice){0}));
    return 0;
}

void events_state(struct engine *engine, const struct state_options *options,
                  void (*done)(void *self, const struct state_end *end), void *self) {
    struct states *states = engine->states;
    bool full = states->count == STATES_MAX || engine->closed;
    struct state_read *read = full ? NULL : mem_zalloc(1, sizeof *read + options->subject.len);
    if (!read) {
        struct state_end end = {.status = full ? 429 : 503,
                                .body = full
                                            ? slice_lit("too many states are being read: try again")
                                            : slice_lit("no memory for the state")};
        done(self, &end);
        return;
    }
    char *at = read->text;
    read->engine = engine;
    read->o = *options;
    read->o.subject = slice_store(&at, options->subject);
    read->out = buf_make(BODY_MAX);
    read->name = buf_make(SUBJECT_MAX);
    read->done = done;
    read->self = self;
    json_init(&read->doc);
    fetch_init(&read->fetch, engine, on_fetched);
    list_push_back(&states->open, &read->node);
    states->count++;
    read->fold = &fold_default;
    if (find_fold(read)) {
        finish(read, 503, "no memory for the state");
        return;
    }
    if (states->shard)
        metrics_count(states->shard, states->reads, 1);
    io_timer_start(engine->loop, &read->deadline, POSITION_WAIT_NS, on_deadline);
    io_timer_start(engine->loop, &read->again, 0, on_again); /* not inside a receiver */
}

/* --- all of them -------------------------------------------------------------------------- */

int states_open(struct engine *engine) {
    engine->states = mem_zalloc(1, sizeof *engine->states);
    if (!engine->states)
        return -ENOMEM;
    list_init(&engine->states->open);
    kept_init(&engine->states->kept, engine->hash_key);
    return 0;
}

bool states_has_fold(const struct engine *engine, slice category) {
    return folds_find(engine->states->folds, category) != &fold_default;
}

void states_set_folds(struct engine *engine, struct folds *folds) {
    folds_unref(engine->states->folds);
    engine->states->folds = folds;
}

void states_wake(struct engine *engine) {
    struct list_node *node, *following;
    list_each(&engine->states->open, node, following) {
        struct state_read *read = container_of(node, struct state_read, node);
        if (read->waits && !read->follows && !io_timer_running(&read->again))
            io_timer_start(engine->loop, &read->again, 0, on_again);
    }
}

void states_close(struct engine *engine) {
    struct list_node *node;
    if (!engine->states)
        return;
    while ((node = list_first(&engine->states->open)))
        finish(container_of(node, struct state_read, node), 503, "the node stops");
    folds_unref(engine->states->folds);
    kept_free(&engine->states->kept);
    engine->states = mem_free(engine->states);
}

static const struct metrics_family families[] = {
    {.name = "nonet_events_states_total",
     .help = "States of event streams that were asked for.",
     .kind = METRICS_COUNTER},
    {.name = "nonet_events_state_records_total",
     .help = "Records of events looked at for states.",
     .kind = METRICS_COUNTER},
    {.name = "nonet_events_snapshots_total",
     .help = "Snapshots of states written.",
     .kind = METRICS_COUNTER},
};

void states_count(struct engine *engine, struct metrics *metrics, struct metrics_shard *shard) {
    struct states *states = engine->states;
    struct metric *const all[] = {&states->reads, &states->records, &states->snapshots};
    states->shard = shard;
    for (size_t i = 0; i < array_count(all); i++)
        (void)metrics_add_series(metrics, &families[i], NULL, all[i]);
}
