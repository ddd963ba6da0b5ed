/*
 * feed.c - see feed.h.
 *
 *   SOURCE  a table with the columns that some scans read: decoder, builder, which inputs it feeds
 *   FEED    a stream: one read, the records of its piece that are not yet decoded
 *
 *   look for the stream of each source -> group them by stream -> read -> pump -> step -> read …
 *        '-- not there: again after FIND_NS
 *
 * The pump takes the feed whose next record was committed first, as long as every feed has a record
 * or is at its end; one that has more, but not here, is waited for. Builders are pushed when they
 * are full and at the end of the slice, that with the oldest row first. Where a plan looks into a
 * stream as of now, each is pushed as soon as another table's row comes.
 */
#include "rooms/stream/feed.h"

#include "base/mem.h"
#include "rooms/stream/decode.h"
#include "rooms/stream/entry.h"
#include "rooms/stream/events_table.h"
#include "rooms/stream/inside.h"

#include <errno.h>

#define FIND_NS (500 * UINT64_C(1000000))
#define SOURCES_MAX 64u
#define SUBJECTS_BYTES_MAX ((size_t)64 << 10)

struct feed;

struct source {
    struct feeds *feeds;
    const struct sql_table *table;
    slice stream, subject; /* subject: several, perhaps, with blanks between */
    struct buf subjects;   /* where it lies */
    struct decoder *decoder;
    struct sql_builder builder;
    unsigned columns; /* that are pushed; the builder may have the time behind them */
    unsigned *input;  /* of the executor */
    unsigned inputs;
    int time;        /* column of the builder; -1: not looked at */
    int64_t newest;  /* time so far, INT64_MIN: none */
    uint64_t oldest; /* position of the builder's first row */
    struct feed *feed;
    char name[256]; /* of the stream that was found; "": none */
};

struct feed {
    struct feeds *feeds;
    struct ledger_read *read;
    const struct ledger_record *records;
    size_t count, at;
    uint64_t last, piece_last; /* sequences: all up to here are in; and with this piece */
    uint64_t sequence;         /* of the last record that is in */
    uint64_t saved, kept;      /* `last`, as feeds_save gave it; as it is on disk */
    int64_t created_ns;        /* of the stream, where it was saved; else 0 */
    bool piece, at_end, shown;
    unsigned sources;
    struct source *source[SOURCES_MAX];
    char name[256];
};

struct target {
    struct wait *wait;
    struct source *source;
    uint64_t last;
    bool finding;
};

struct wait {
    struct list_node node;
    struct feeds *feeds;
    struct io_timer timer;
    void (*done)(void *self);
    void *self;
    struct target target[];
};

struct feeds {
    struct feeds_options o;
    unsigned sources, feeds, finding;
    struct source source[SOURCES_MAX];
    struct feed *feed[SOURCES_MAX];
    struct io_timer again, go_on;
    struct list waits;
    bool closes, as_of_now, pumping, closed;
    bool held, come;                /* nothing is pumped; a piece has come meanwhile */
    uint64_t looking_ns, looked_ns; /* when the search under way, and the last one, began */
    struct source *last;            /* whose row came last */
    uint64_t position, late_rows, bad_records, read;
};

static void find_all(struct feeds *f);
static void pump(struct feeds *f);

static void fail(struct feeds *f, const struct sql_error *why) {
    f->o.failed(f->o.self, why);
}

/* --- rows ------------------------------------------------------------------------------------- */

static int push(struct source *s, struct sql_error *error) {
    struct feeds *f = s->feeds;
    struct sql_batch batch = sql_builder_batch(&s->builder);
    int r = 0;
    batch.columns = s->columns;
    for (unsigned i = 0; r == 0 && batch.rows && i < s->inputs; i++)
        r = sql_exec_push(f->o.exec, s->input[i], &batch, error);
    sql_builder_reset(&s->builder);
    return r;
}

/* All that has gathered, that with the oldest row first. */
static int push_all(struct feeds *f, struct sql_error *error) {
    for (;;) {
        struct source *oldest = NULL;
        for (unsigned i = 0; i < f->sources; i++)
            if (f->source[i].builder.rows && (!oldest || f->source[i].oldest < oldest->oldest))
                oldest = &f->source[i];
        if (!oldest)
            return 0;
        int r = push(oldest, error);
        if (r < 0)
            return r;
    }
}

/* The row just decoded is let go where it is late. */
static void judge_time(struct source *s) {
    unsigned row = s->builder.rows - 1;
    if (s->builder.nulls[s->time][row])
        return;
    int64_t time = s->builder.cells[s->time][row].i, bound;
    if (s->newest != INT64_MIN &&
        !__builtin_sub_overflow(s->newest, s->table->watermark_delay, &bound) && time < bound) {
        s->builder.rows--;
        s->feeds->late_rows++;
    } else if (time > s->newest && time != SQL_INFINITY) {
        s->newest = time;
    }
}

static int take(struct source *s, const struct ledger_record *record, struct sql_error *error) {
    struct feeds *f = s->feeds;
    struct sql_error why;
    if (f->as_of_now && f->last && f->last != s && f->last->builder.rows) {
        int r = push(f->last, error);
        if (r < 0)
            return r;
    }
    f->last = s;
    if (s->builder.rows == 0)
        s->oldest = record->position;
    int r = decoder_add(s->decoder, record, &s->builder, &why);
    if (r == -EBADMSG) {
        f->bad_records++;
        return 0;
    }
    if (r < 0)
        return sql_fail_memory(error);
    if (s->time >= 0)
        judge_time(s);
    return sql_builder_full(&s->builder) ? push(s, error) : 0;
}

static bool is_wanted(const struct source *s, slice subject) {
    slice rest = s->subject;
    bool wanted = !rest.len;
    while (rest.len && !wanted)
        wanted = nats_subject_match(subject, slice_cut(rest, ' ', &rest));
    return wanted;
}

/* The next record of FEED, to each of its tables that it is of. */
static int take_record(struct feed *feed, struct sql_error *error) {
    const struct ledger_record *record = &feed->records[feed->at++];
    int r = 0;
    for (unsigned i = 0; r == 0 && i < feed->sources; i++)
        if (feed->sources == 1 || is_wanted(feed->source[i], record->subject))
            r = take(feed->source[i], record, error);
    feed->sequence = record->sequence;
    feed->feeds->read += record->payload.len;
    if (record->position > feed->feeds->position)
        feed->feeds->position = record->position;
    return r;
}

/* --- slices ----------------------------------------------------------------------------------- */

/* The feed whose next record comes first; *RET_UNTIL: so far it does. NULL: none has one, or there
   is one that has to be waited for. */
static struct feed *first_of(struct feeds *f, uint64_t *ret_until) {
    struct feed *first = NULL;
    *ret_until = UINT64_MAX;
    for (unsigned i = 0; i < f->feeds; i++) {
        struct feed *feed = f->feed[i];
        if (feed->at == feed->count && !feed->at_end)
            return NULL;
        if (feed->at == feed->count)
            continue;
        uint64_t position = feed->records[feed->at].position;
        if (!first) {
            first = feed;
        } else if (position < first->records[first->at].position) {
            *ret_until = first->records[first->at].position;
            first = feed;
        } else if (position < *ret_until) {
            *ret_until = position;
        }
    }
    return first;
}

static int watermarks(struct feeds *f, struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < f->sources; i++) {
        const struct source *s = &f->source[i];
        int64_t time;
        if (s->time < 0 || s->newest == INT64_MIN ||
            __builtin_sub_overflow(s->newest, s->table->watermark_delay, &time))
            continue;
        for (unsigned k = 0; r == 0 && k < s->inputs; k++)
            r = sql_exec_watermark(f->o.exec, s->input[k], time, error);
    }
    return r;
}

static bool is_done(const struct feed *feed) {
    return feed->piece && feed->at == feed->count;
}

/* What is in of each feed. */
static void note_last(struct feeds *f) {
    for (unsigned i = 0; i < f->feeds; i++) {
        struct feed *feed = f->feed[i];
        uint64_t last = is_done(feed) ? feed->piece_last : feed->sequence;
        if (last > feed->last)
            feed->last = last;
    }
}

/* Those that are done with their pieces are asked for more. */
static void next_pieces(struct feeds *f) {
    for (unsigned i = 0; i < f->feeds; i++) {
        if (!is_done(f->feed[i]))
            continue;
        f->feed[i]->piece = false;
        ledger_read_next(f->feed[i]->read);
    }
}

static void free_feeds(struct feeds *f);

static void pump(struct feeds *f) {
    struct sql_error error;
    struct feed *feed;
    uint64_t until;
    int r = 0;
    f->pumping = true;
    f->come = false;
    while (r == 0 && (feed = first_of(f, &until)))
        while (r == 0 && feed->at < feed->count && feed->records[feed->at].position <= until)
            r = take_record(feed, &error);
    if (r == 0)
        r = push_all(f, &error);
    if (r == 0)
        r = watermarks(f, &error);
    if (r == 0)
        note_last(f);
    if (r < 0)
        fail(f, &error);
    else if (f->o.step(f->o.self) == 0 && !f->closed)
        next_pieces(f);
    f->pumping = false;
    if (f->closed)
        free_feeds(f);
}

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct feed *feed = owner;
    feed->records = records;
    feed->count = count;
    feed->at = 0;
    feed->piece = true;
    feed->piece_last = last;
    feed->at_end = at_end;
    if (feed->feeds->held)
        feed->feeds->come = true;
    else
        pump(feed->feeds);
}

static void on_go_on(struct io_timer *timer) {
    struct feeds *f = container_of(timer, struct feeds, go_on);
    if (f->come)
        pump(f);
}

void feeds_hold(struct feeds *f, bool held) {
    check(!f->pumping);
    f->held = held;
    if (!held && f->come)
        io_timer_start(f->o.loop, &f->go_on, 0, on_go_on);
    else
        io_timer_stop(f->o.loop, &f->go_on);
}

static void on_failed(void *owner, const struct error *why) {
    struct feed *feed = owner;
    struct sql_error error;
    const char *state = why->code == -ENOENT || why->code == -ESTALE ? "55000" : "58030";
    (void)sql_fail(&error, state, "stream \"%s\" cannot be read: %s", feed->name, why->message);
    if (why->code == -ENOENT || why->code == -ESTALE)
        sql_error_hint(&error, "What the view has read is not there any more: drop it and make it "
                               "again.");
    fail(feed->feeds, &error);
}

/* --- streams ---------------------------------------------------------------------------------- */

/* The filter of FEED: the subjects of its tables, blanks between; empty: all. */
static int subjects_of(const struct feed *feed, struct buf *out) {
    for (unsigned i = 0; i < feed->sources; i++) {
        bool again = false;
        slice subject = feed->source[i]->subject;
        for (unsigned k = 0; k < i; k++)
            again |= slice_equal(subject, feed->source[k]->subject);
        if (!subject.len || out->len + subject.len + 1 > SUBJECTS_BYTES_MAX) {
            buf_clear(out);
            return 0;
        }
        int r = again || i == 0 ? 0 : buf_append_byte(out, ' ');
        if (r == 0 && !again)
            r = buf_append(out, subject);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_feed(struct feeds *f, struct feed *feed) {
    _cleanup_buf_ struct buf subjects = buf_make(SUBJECTS_BYTES_MAX);
    int r = subjects_of(feed, &subjects);
    const struct ledger_read_options options = {.stream = slice_str(feed->name),
                                                .subject = buf_slice(&subjects),
                                                .from = feed->last + 1,
                                                .created_ns = feed->created_ns,
                                                .shown = feed->shown,
                                                .piece = on_piece,
                                                .failed = on_failed,
                                                .owner = feed};
    return r ? r : ledger_read(f->o.ledger, &options, &feed->read);
}

static struct feed *add_feed(struct feeds *f, slice name, bool shown) {
    struct feed *feed = mem_zalloc(1, sizeof *feed);
    if (!feed)
        return NULL;
    feed->feeds = f;
    feed->shown = shown;
    memcpy(feed->name, name.ptr, name.len);
    f->feed[f->feeds++] = feed;
    return feed;
}

/* All streams that were found are read, each once. BEFORE: so many feeds are read already. */
static int open_found(struct feeds *f, unsigned before) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < f->sources; i++) {
        struct source *s = &f->source[i];
        if (s->feed || !s->name[0])
            continue;
        struct feed *feed = NULL;
        for (unsigned k = before; k < f->feeds && !feed; k++)
            if (strcmp(f->feed[k]->name, s->name) == 0 &&
                f->feed[k]->shown == events_table_is(s->table))
                feed = f->feed[k];
        if (!feed)
            feed = add_feed(f, slice_str(s->name), events_table_is(s->table));
        if (!feed)
            return -ENOMEM;
        feed->source[feed->sources++] = s;
        s->feed = feed;
    }
    for (unsigned k = before; r == 0 && k < f->feeds; k++)
        r = open_feed(f, f->feed[k]);
    return r;
}

static void on_find_again(struct io_timer *timer) {
    find_all(container_of(timer, struct feeds, again));
}

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct source *s = self;
    struct feeds *f = s->feeds;
    (void)last;
    if (!failed && name.len < sizeof s->name) {
        memcpy(s->name, name.ptr, name.len);
        s->name[name.len] = '\0';
    }
    if (--f->finding > 0)
        return;
    bool missing = false;
    for (unsigned i = 0; i < f->sources; i++)
        missing |= !f->source[i].name[0];
    if (missing)
        io_timer_start(f->o.loop, &f->again, FIND_NS, on_find_again);
    f->looked_ns = f->looking_ns;
    const struct feeds_options o = f->o;
    if (open_found(f, f->feeds) < 0) {
        struct sql_error error;
        (void)sql_fail_memory(&error);
        fail(f, &error); /* F may be gone */
    }
    o.looked(o.self);
}

static void find_all(struct feeds *f) {
    if (f->finding)
        return;
    io_timer_stop(f->o.loop, &f->again);
    f->looking_ns = io_loop_now_ns(f->o.loop);
    f->finding = 1; /* so that one that ends at once does not end them all */
    for (unsigned i = 0; i < f->sources; i++) {
        struct source *s = &f->source[i];
        if (s->name[0])
            continue;
        f->finding++;
        ledger_find(f->o.ledger, s->stream, s->subject, on_found, s);
    }
    if (--f->finding == 0 && f->sources)
        io_timer_start(f->o.loop, &f->again, FIND_NS, on_find_again);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void wait_free(struct wait *w) {
    for (unsigned i = 0; i < w->feeds->sources; i++)
        if (w->target[i].finding)
            ledger_find_cancel(w->feeds->o.ledger, &w->target[i]);
    io_timer_stop(w->feeds->o.loop, &w->timer);
    list_remove(&w->node);
    mem_free(w);
}

static void on_reached(struct io_timer *timer) {
    struct wait *w = container_of(timer, struct wait, timer);
    void (*done)(void *self) = w->done;
    void *self = w->self;
    wait_free(w);
    done(self);
}

static void wait_look(struct wait *w) {
    for (unsigned i = 0; i < w->feeds->sources; i++) {
        const struct target *t = &w->target[i];
        if (t->finding || (t->last && (!t->source->feed || t->source->feed->last < t->last)))
            return;
    }
    io_timer_start(w->feeds->o.loop, &w->timer, 0, on_reached);
}

static void on_target(void *self, slice name, uint64_t last, const struct error *failed) {
    struct target *t = self;
    (void)name;
    t->finding = false;
    t->last = failed ? 0 : last;
    if (!failed && !t->source->feed)
        find_all(t->wait->feeds); /* it is there by now */
    wait_look(t->wait);
}

int feeds_wait(struct feeds *f, void (*done)(void *self), void *self) {
    struct wait *w = mem_zalloc(1, sizeof *w + f->sources * sizeof w->target[0]);
    if (!w)
        return -ENOMEM;
    w->feeds = f;
    w->done = done;
    w->self = self;
    list_push_back(&f->waits, &w->node);
    for (unsigned i = 0; i < f->sources; i++)
        w->target[i] = (struct target){.wait = w, .source = &f->source[i], .finding = true};
    for (unsigned i = 0; i < f->sources; i++)
        ledger_find(f->o.ledger, f->source[i].stream, f->source[i].subject, on_target,
                    &w->target[i]);
    return 0;
}

void feeds_look(struct feeds *f) {
    struct list_node *node, *next;
    list_each(&f->waits, node, next) wait_look(container_of(node, struct wait, node));
}

bool feeds_reached(struct feeds *f, const struct positions *positions, uint64_t since_ns,
                   struct feeds_lack *ret_lack) {
    for (unsigned i = 0; i < f->sources; i++) {
        const struct source *s = &f->source[i];
        slice name = s->feed ? slice_str(s->feed->name) : s->stream;
        uint64_t has = s->feed ? s->feed->last : 0;
        bool unknown = !name.len && f->looked_ns < since_ns;
        if (!unknown && positions_of(positions, name) <= has)
            continue;
        *ret_lack = (struct feeds_lack){name, has};
        if (!s->feed && f->looked_ns < since_ns)
            find_all(f);
        return false;
    }
    return true;
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool plan_has(const struct sql_plan *p, bool (*is)(const struct sql_plan *p),
                     unsigned depth) {
    if (is(p))
        return true;
    for (unsigned i = 0; depth && i < p->inputs; i++)
        if (plan_has(p->input[i], is, depth - 1))
            return true;
    return false;
}

static bool closes_windows(const struct sql_plan *p) {
    return p->kind == SQL_PLAN_AGGREGATE && p->close_group >= 0;
}

static bool looks_as_of_now(const struct sql_plan *p) {
    return p->kind == SQL_PLAN_SCAN && p->as_of_now && p->table->kind == SQL_TABLE_STREAM;
}

static bool is_same(const struct source *s, const struct sql_plan *scan,
                    const struct sql_plan *other) {
    return s->table == scan->table && other->columns == scan->columns && !scan->lookups &&
           !other->lookups &&
           (!scan->columns || memcmp(other->scan_columns, scan->scan_columns,
                                     scan->columns * sizeof *scan->scan_columns) == 0);
}

/* Which columns the source of SCAN decodes: those of the scan and, where it is looked at, the time
   behind them. Sets time. */
static unsigned choose_columns(struct source *s, const struct sql_plan *scan, bool closes,
                               unsigned *ret) {
    unsigned count = scan->columns;
    s->time = -1;
    for (unsigned i = 0; i < count; i++) {
        ret[i] = scan->scan_columns[i];
        if (closes && s->table->watermark_column == (int)ret[i])
            s->time = (int)i;
    }
    if (closes && s->table->watermark_column >= 0 && s->time < 0) {
        s->time = (int)count;
        ret[count++] = (unsigned)s->table->watermark_column;
    }
    return count;
}

static int add_source(struct feeds *f, const struct sql_plan *scan, unsigned input,
                      struct sql_error *error) {
    if (f->sources == SOURCES_MAX)
        return sql_fail(error, "54001", "a view reads at most %u tables over streams", SOURCES_MAX);
    struct source *s = &f->source[f->sources++];
    *s = (struct source){.feeds = f,
                         .table = scan->table,
                         .stream = table_option(scan->table, "stream"),
                         .subjects = buf_make(SUBJECTS_BYTES_MAX),
                         .columns = scan->columns,
                         .newest = INT64_MIN};
    int r = stream_subjects(f->o.exec, input, &s->subjects, error);
    if (r < 0)
        return r;
    s->subject = buf_slice(&s->subjects);
    unsigned *which = mem_alloc((scan->columns + 1u) * sizeof *which);
    s->input = mem_alloc(sql_exec_inputs(f->o.exec) * sizeof *s->input);
    if (!which || !s->input) {
        mem_free(which);
        return sql_fail_memory(error);
    }
    unsigned count = choose_columns(s, scan, f->closes, which);
    r = decoder_new(scan->table, which, count, f->o.settings, &s->decoder);
    mem_free(which);
    if (r == -E2BIG)
        return sql_fail(error, "54011", "too many columns are read from table \"%.*s\"",
                        slice_fmt(scan->table->name));
    if (r < 0 || sql_builder_make(count, &s->builder) < 0)
        return sql_fail_memory(error);
    s->input[s->inputs++] = input;
    return 0;
}

static int add_input(struct feeds *f, unsigned input, struct sql_error *error) {
    const struct sql_plan *scan = sql_exec_input(f->o.exec, input);
    if (scan->table->kind != SQL_TABLE_STREAM)
        return 0;
    for (unsigned i = 0; i < f->sources; i++) {
        struct source *s = &f->source[i];
        if (!is_same(s, scan, sql_exec_input(f->o.exec, s->input[0])))
            continue;
        s->input[s->inputs++] = input;
        return 0;
    }
    return add_source(f, scan, input, error);
}

/* --- saved ------------------------------------------------------------------------------------ */

/* What of each stream is in, then the time and the stream of each source:
     u32 feeds, each: name, u8 shown, u64 created, u64 last | u64 position, late rows, bad records |
     u32 sources, each: name, u64 newest */
int feeds_save(struct feeds *f, struct buf *out) {
    struct entry_writer w = {.out = out};
    entry_u32(&w, f->feeds);
    for (unsigned i = 0; i < f->feeds; i++) {
        struct feed *feed = f->feed[i];
        int64_t created_ns = ledger_read_created(feed->read);
        entry_text(&w, slice_str(feed->name));
        entry_u8(&w, feed->shown);
        entry_u64(&w, (uint64_t)(created_ns ? created_ns : feed->created_ns));
        entry_u64(&w, feed->last);
        feed->saved = feed->last;
    }
    entry_u64(&w, f->position);
    entry_u64(&w, f->late_rows);
    entry_u64(&w, f->bad_records);
    entry_u32(&w, f->sources);
    for (unsigned i = 0; i < f->sources; i++) {
        entry_text(&w, slice_str(f->source[i].feed ? f->source[i].name : ""));
        entry_u64(&w, (uint64_t)f->source[i].newest);
    }
    return w.failed;
}

void feeds_kept(struct feeds *f) {
    for (unsigned i = 0; i < f->feeds; i++)
        f->feed[i]->kept = f->feed[i]->saved;
}

static bool take_feed(struct entry_reader *r, struct feeds_saved *ret) {
    ret->stream = entry_take_text(r);
    ret->shown = entry_take_u8(r);
    ret->created_ns = (int64_t)entry_take_u64(r);
    ret->last = entry_take_u64(r);
    return !r->failed && ret->stream.len && ret->stream.len < sizeof(((struct feed *)0)->name);
}

bool feeds_saved_next(slice saved, unsigned *cursor, struct feeds_saved *ret) {
    struct entry_reader r = {.rest = saved};
    bool there = *cursor < entry_take_u32(&r);
    for (unsigned i = 0; there && i <= *cursor; i++)
        there = take_feed(&r, ret);
    ++*cursor;
    return there;
}

/* Sources of a feed are those whose stream it is, as when it was saved. */
static int take_saved(struct feeds *f) {
    struct entry_reader r = {.rest = f->o.saved};
    uint32_t feeds = entry_take_u32(&r);
    if (feeds > SOURCES_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < feeds; i++) {
        struct feeds_saved saved;
        struct feed *feed = take_feed(&r, &saved) ? add_feed(f, saved.stream, saved.shown) : NULL;
        if (!feed)
            return r.failed ? r.failed : -ENOMEM;
        feed->created_ns = saved.created_ns;
        feed->last = feed->sequence = feed->saved = feed->kept = saved.last;
    }
    f->position = entry_take_u64(&r);
    f->late_rows = entry_take_u64(&r);
    f->bad_records = entry_take_u64(&r);
    if (entry_take_u32(&r) != f->sources)
        return -EBADMSG;
    for (unsigned i = 0; i < f->sources; i++) {
        slice name = entry_take_text(&r);
        f->source[i].newest = (int64_t)entry_take_u64(&r);
        if (r.failed || name.len >= sizeof f->source[i].name)
            return -EBADMSG;
        if (name.len)
            memcpy(f->source[i].name, name.ptr, name.len);
    }
    return open_found(f, 0);
}

static bool misses_streams(const struct feeds *f) {
    for (unsigned i = 0; i < f->sources; i++)
        if (!f->source[i].feed)
            return true;
    return false;
}

int feeds_open(const struct feeds_options *options, struct feeds **ret, struct sql_error *error) {
    struct feeds *f = mem_zalloc(1, sizeof *f);
    int r = 0;
    if (!f)
        return sql_fail_memory(error);
    f->o = *options;
    f->closes = plan_has(options->plan, closes_windows, SQL_DEPTH_MAX);
    f->as_of_now = plan_has(options->plan, looks_as_of_now, SQL_DEPTH_MAX);
    list_init(&f->waits);
    for (unsigned i = 0; r == 0 && i < sql_exec_inputs(options->exec); i++)
        r = add_input(f, i, error);
    if (r == 0 && f->sources && options->saved.len) {
        int taken = take_saved(f);
        f->o.saved = (slice){0};
        r = taken == -ENOMEM ? sql_fail_memory(error) : taken;
        if (taken < 0 && taken != -ENOMEM)
            r = sql_fail(error, "XX001", "what was saved is not of these streams");
    }
    if (r < 0 || f->sources == 0)
        f = feeds_close(f);
    else if (misses_streams(f))
        find_all(f);
    if (r == 0)
        *ret = f;
    return r;
}

static void free_feeds(struct feeds *f) {
    for (unsigned i = 0; i < f->feeds; i++)
        mem_free(f->feed[i]);
    for (unsigned i = 0; i < f->sources; i++) {
        decoder_free(f->source[i].decoder);
        sql_builder_free(&f->source[i].builder);
        buf_free(&f->source[i].subjects);
        mem_free(f->source[i].input);
    }
    mem_free(f);
}

struct feeds *feeds_close(struct feeds *f) {
    if (!f)
        return NULL;
    struct list_node *node;
    while ((node = list_first(&f->waits)))
        wait_free(container_of(node, struct wait, node));
    for (unsigned i = 0; i < f->feeds; i++)
        f->feed[i]->read = ledger_read_close(f->feed[i]->read);
    for (unsigned i = 0; i < f->sources; i++)
        ledger_find_cancel(f->o.ledger, &f->source[i]);
    io_timer_stop(f->o.loop, &f->again);
    io_timer_stop(f->o.loop, &f->go_on);
    f->closed = true;
    if (!f->pumping)
        free_feeds(f);
    return NULL;
}

/* Is much of what its stream still has, and this has taken, not on disk elsewhere? */
static bool is_pressing(const struct feed *feed) {
    uint64_t first = ledger_read_first(feed->read);
    if (first <= 1 || feed->last == feed->kept)
        return false;
    return feed->last < first || (feed->last - feed->kept) * 2 > feed->last - first;
}

struct feeds_status feeds_status(const struct feeds *f) {
    struct feeds_status s = {.position = f->position,
                             .late_rows = f->late_rows,
                             .bad_records = f->bad_records,
                             .read = f->read,
                             .live = true};
    for (unsigned i = 0; i < f->sources; i++)
        s.live &= f->source[i].feed != NULL;
    for (unsigned i = 0; i < f->feeds; i++) {
        uint64_t end = ledger_read_end(f->feed[i]->read);
        s.lag += end > f->feed[i]->last ? end - f->feed[i]->last : 0;
        s.live &= f->feed[i]->at_end;
        s.hurry |= is_pressing(f->feed[i]);
    }
    return s;
}
