/*
 * view_snapshot.c - see view_snapshot.h: saving.
 *
 *   RESTING --a view is due--> HOLD its steps, take its head
 *      ^                         '-> on a fiber: its state, a piece a turn  --all--> steps go on
 *      |                         '-> meanwhile: pieces go, one commit each; then its rows
 *      |                               --none left--> the end goes --on disk--.
 *      '----- what is older is let go <---------------------------------------'
 *
 * The view's own steps alone wait for its state. Pieces that the disk has not taken yet lie in
 * memory, AHEAD_MAX of them; then the fiber waits for the disk, too.
 */
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"
#include "rooms/stream/entry.h"
#include "rooms/stream/rows.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS_BYTES ((size_t)512 << 10)
#define ROWS_LOOKS 2000u /* places of rows looked at in one turn */
#define TURN_NS 1000000u /* what the state is taken of in one turn */
#define AHEAD_MAX 64u    /* pieces of SQL_STATE_PIECE_BYTES */
#define READ_BYTES_MIN ((uint64_t)16 << 20)
#define AGE_NS_MIN (10 * UINT64_C(1000000000))
#define REST_NS_MIN (1 * UINT64_C(1000000000))
#define WAIT_NS (2 * UINT64_C(1000000)) /* between looks whether the disk has taken a piece */

struct saving {
    struct database *db;
    struct view *view;
    struct relation *rows[1 + VIEW_TABLES_MAX]; /* its own, then those of its tables */
    unsigned relations, copying;                /* so many, and which one's rows come next */
    struct relation_scan scan;
    uint64_t moment, next_id, read, began_ns, held_ns;
    uint64_t turn_ns;     /* when the fiber's turn began */
    uint64_t turn_ns_max; /* the longest that the loop was kept from others */
    int64_t wall_ns;
    uint64_t begin, parts, bytes;
    struct buf state[AHEAD_MAX]; /* a ring of pieces, with their kind; the head is the first */
    size_t states, at;           /* so many have come, and were sent */
    unsigned slot;
    struct buf gathered;         /* rows, of the next entry */
    bool scanned, copied, ended; /* all rows of one are gathered; of all; the end was sent */
    char part_subject[64], end_subject[64];
    struct ledger_commit *sending;
    struct io_timer next; /* to send */
    struct io_fiber *fiber;
    struct io_timer turn; /* the fiber's next */
    bool started;
    bool held, taken; /* the view waits; its state is here, all of it, or RESULT and ERROR */
    bool stopped;     /* the fiber unwinds */
    int result;
    struct sql_error error;
};

/* All of the state is taken, or never will be: the view goes on. */
static void let_view_go(struct saving *s) {
    s->stopped = true;
    while (s->fiber && !s->taken)
        (void)io_fiber_resume(s->fiber);
    s->fiber = io_fiber_free(s->fiber);
    io_timer_stop(s->db->loop, &s->turn);
    if (s->held)
        view_hold(s->view, false);
    s->held = false;
    if (s->relations > 1)
        commits_go_on(s->db);
}

static void end(struct saving *s) {
    struct database *db = s->db;
    db->saving = NULL; /* before the view goes on, which may want to be saved */
    let_view_go(s);
    ledger_commit_forget(s->sending);
    io_timer_stop(db->loop, &s->next);
    relation_scan_end(&s->scan);
    for (unsigned i = 0; i < s->relations; i++)
        relation_free(s->rows[i]);
    for (size_t i = 0; i < AHEAD_MAX; i++)
        buf_free(&s->state[i]);
    buf_free(&s->gathered);
    mem_free(s);
}

static uint64_t clock_ns(const struct saving *s) {
    return io_host_clock_ns(io_loop_host(s->db->loop));
}

static void note_turn(struct saving *s, uint64_t since_ns) {
    uint64_t took = clock_ns(s) - since_ns;
    s->turn_ns_max = took > s->turn_ns_max ? took : s->turn_ns_max;
}

static void give_up(struct saving *s, const char *why) {
    struct database *db = s->db;
    struct view_pace *pace = view_pace(s->view);
    logger_write(db->logger, LOG_LEVEL_WARN, "sql", "a view's snapshot was given up",
                 "view=%.*s why=%s", slice_fmt(view_table(s->view)->name), why);
    pace->tried_ns = io_loop_now_ns(db->loop);
    pace->rest_ns = AGE_NS_MIN;
    end(s);
}

static void finish(struct saving *s) {
    struct database *db = s->db;
    uint64_t now = io_loop_now_ns(db->loop), took = now - s->began_ns;
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_VIEWS_PREFIX "%u.>", view_table(s->view)->oid);
    logger_write(db->logger, LOG_LEVEL_DEBUG, "sql", "a view's snapshot is on disk",
                 "view=%.*s bytes=%" PRIu64 " held_us=%" PRIu64 " longest_turn_us=%" PRIu64,
                 slice_fmt(view_table(s->view)->name), s->bytes, s->held_ns / 1000,
                 s->turn_ns_max / 1000);
    ledger_drop(db->ledger, slice_make(subject, (size_t)n), s->begin);
    *view_pace(s->view) =
        (struct view_pace){.tried_ns = now,
                           .rest_ns = 10 * took > REST_NS_MIN ? 10 * took : REST_NS_MIN,
                           .read = s->read,
                           .saved = {s->wall_ns, s->bytes, s->slot, true}};
    view_kept(s->view);
    end(s);
    views_save(db);
}

static void on_next(struct io_timer *timer);

static void on_turn(struct io_timer *timer);

static void on_stored(void *self, const struct error *failed) {
    struct saving *s = self;
    s->sending = NULL;
    if (failed) {
        give_up(s, failed->message);
        return;
    }
    if (!s->begin) {
        s->begin = ledger_committed(s->db->ledger);
        /* What an attempt that came to no end has left here. */
        ledger_drop(s->db->ledger, slice_str(s->part_subject), s->begin);
    }
    if (s->ended)
        finish(s);
    else
        io_timer_start(s->db->loop, &s->next, 0, on_next);
}

static void send_entry(struct saving *s, const char *subject, slice payload) {
    const struct ledger_entry entry = {slice_str(subject), payload};
    s->parts++;
    s->bytes += s->ended ? 0 : payload.len;
    if (ledger_commit(s->db->ledger, &entry, 1, on_stored, s, &s->sending) < 0)
        give_up(s, "no memory");
}

static void send_end(struct saving *s) {
    _cleanup_buf_ struct buf out = buf_make(64);
    struct entry_writer w = {.out = &out};
    entry_u32(&w, VIEW_SNAPSHOT_VERSION);
    entry_u64(&w, s->begin);
    entry_u64(&w, s->parts);
    entry_u64(&w, s->bytes);
    entry_u64(&w, (uint64_t)s->wall_ns);
    entry_u8(&w, (uint8_t)s->slot);
    s->ended = true;
    if (w.failed)
        give_up(s, "no memory");
    else
        send_entry(s, s->end_subject, buf_slice(&out));
}

/* A turn's rows behind those gathered; sets `scanned` where they were the last of theirs. 1: there
   is room for more. */
static int copy_rows(struct saving *s) {
    struct entry_writer w = {.out = &s->gathered};
    if (s->gathered.len == 0) {
        s->gathered = buf_make(ROWS_BYTES + 2 * LEDGER_ENTRY_BYTES_MAX);
        entry_u8(&w, s->copying ? 't' : 'r');
        entry_u64(&w, s->copying ? s->copying - 1 : 0);
    }
    int r = w.failed ? w.failed : rows_copy(&s->scan, ROWS_LOOKS, ROWS_BYTES, &w);
    if (r < 0)
        return r;
    s->scanned = r == 0;
    return !s->scanned && s->gathered.len < ROWS_BYTES;
}

/* The rows of one are copied: those of the next, if there is one. */
static void next_relation(struct saving *s) {
    relation_scan_end(&s->scan);
    s->scanned = false;
    if (++s->copying < s->relations)
        relation_scan_all(s->rows[s->copying], s->moment, &s->scan);
    else
        s->copied = true;
}

static void send_rows(struct saving *s) {
    uint64_t since_ns = clock_ns(s);
    int r = copy_rows(s);
    note_turn(s, since_ns);
    if (r < 0) {
        give_up(s, error_name(r));
    } else if (r == 1) {
        io_timer_start(s->db->loop, &s->next, 0, on_next);
    } else {
        struct buf rows = s->gathered;
        s->gathered = (struct buf){0};
        if (!s->copying)
            entry_set_u64(&rows, 1, s->scanned ? s->next_id : s->scan.next);
        if (s->scanned)
            next_relation(s);
        send_entry(s, s->part_subject, buf_slice(&rows)); /* S may be gone */
        buf_free(&rows);
    }
}

static void on_next(struct io_timer *timer) {
    struct saving *s = container_of(timer, struct saving, next);
    if (s->sending)
        return;
    if (s->at < s->states) {
        struct buf piece = s->state[s->at % AHEAD_MAX];
        s->state[s->at++ % AHEAD_MAX] = (struct buf){0};
        send_entry(s, s->part_subject, buf_slice(&piece)); /* S may be gone */
        buf_free(&piece);
    } else if (!s->taken) {
        return; /* the fiber's next turn sends */
    } else if (s->copied) {
        send_end(s);
    } else {
        send_rows(s);
    }
}

/* --- on the fiber ----------------------------------------------------------------------------- */

static int go_on(void *self, struct sql_error *error) {
    struct saving *s = self;
    if (!s->stopped && clock_ns(s) - s->turn_ns > TURN_NS)
        io_fiber_yield(s->fiber);
    if (!s->stopped)
        return 0;
    (void)sql_fail(error, "57014", "it is not wanted any more");
    return -ECANCELED;
}

static int on_state(void *self, slice piece, struct sql_error *error) {
    struct saving *s = self;
    while (!s->stopped && s->states - s->at == AHEAD_MAX)
        io_fiber_yield(s->fiber);
    struct buf *to = &s->state[s->states % AHEAD_MAX];
    if (s->stopped)
        return go_on(s, error);
    *to = buf_make(SQL_STATE_PIECE_BYTES + 1);
    if (buf_append_byte(to, 's') < 0 || buf_append(to, piece) < 0)
        return sql_fail_memory(error);
    s->states++;
    return 0;
}

static void on_fiber(void *self) {
    struct saving *s = self;
    s->result = view_save(s->view, on_state, go_on, s, &s->error);
    s->taken = true;
}

/* --- beginning -------------------------------------------------------------------------------- */

static void on_taken(struct saving *s) {
    s->held_ns = io_loop_now_ns(s->db->loop) - s->began_ns;
    if (s->result == -EOPNOTSUPP) {
        view_pace(s->view)->never = true;
        end(s);
    } else if (s->result < 0) {
        give_up(s, s->error.message);
    } else {
        let_view_go(s);
        io_timer_start(s->db->loop, &s->next, 0, on_next);
    }
}

static void on_turn(struct io_timer *timer) {
    struct saving *s = container_of(timer, struct saving, turn);
    s->turn_ns = clock_ns(s);
    bool ended = io_fiber_resume(s->fiber);
    note_turn(s, s->turn_ns);
    if (ended) {
        on_taken(s);
        return;
    }
    io_timer_start(s->db->loop, &s->turn, s->states - s->at == AHEAD_MAX ? WAIT_NS : 0, on_turn);
    if (s->states > 1)
        io_timer_start(s->db->loop, &s->next, 0, on_next);
}

static int take_head(struct saving *s) {
    const struct sql_table *table = view_table(s->view);
    s->state[0] = buf_make(LEDGER_ENTRY_BYTES_MAX + ((size_t)1 << 20));
    struct entry_writer w = {.out = &s->state[0]};
    entry_u8(&w, 'h');
    entry_u32(&w, VIEW_SNAPSHOT_VERSION);
    entry_text(&w, table->definition);
    s->states = 1;
    s->slot = view_pace(s->view)->saved.is && view_pace(s->view)->saved.slot == 0;
    snprintf(s->part_subject, sizeof s->part_subject, LEDGER_VIEWS_PREFIX "%u.part.%u", table->oid,
             s->slot);
    snprintf(s->end_subject, sizeof s->end_subject, LEDGER_VIEWS_PREFIX "%u.end", table->oid);
    return w.failed ? w.failed : view_save_head(s->view, &s->state[0]);
}

/* What has rows that belong to it, held. */
static int hold_rows(struct saving *s) {
    struct sql_table *tables[VIEW_TABLES_MAX];
    unsigned count = view_tables(s->view, tables);
    if (count > VIEW_TABLES_MAX)
        return -EOPNOTSUPP;
    s->rows[s->relations++] = relation_ref(view_relation(s->view));
    for (unsigned i = 0; i < count; i++) {
        struct relation *rows = relation_of(tables[i]);
        if (!rows)
            return -EOPNOTSUPP;
        s->rows[s->relations++] = relation_ref(rows);
    }
    return 0;
}

/* There and then; between steps. */
static void start(struct saving *s) {
    struct database *db = s->db;
    s->started = true;
    s->moment = db->commit;
    s->next_id = relation_next_id(s->rows[0]);
    s->read = view_status(s->view).read;
    s->began_ns = io_loop_now_ns(db->loop);
    s->wall_ns = io_loop_wall_ns(db->loop);
    relation_scan_all(s->rows[0], s->moment, &s->scan);
    int r = take_head(s);
    if (r == 0)
        r = io_fiber_create(&db->stacks, on_fiber, s, &s->fiber);
    if (r == -EOPNOTSUPP) {
        view_pace(s->view)->never = true;
        end(s);
    } else if (r < 0) {
        give_up(s, error_name(r));
    } else {
        s->held = true;
        view_hold(s->view, true);
        io_timer_start(db->loop, &s->turn, 0, on_turn);
    }
}

static void begin(struct database *db, struct view *view) {
    struct saving *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return; /* later again */
    db->saving = s;
    s->db = db;
    s->view = view;
    int r = hold_rows(s);
    if (r < 0) {
        view_pace(view)->never = true;
        end(s);
    } else if (s->relations == 1 || list_empty(&db->flight)) {
        start(s);
    }
}

bool views_save_holds(const struct database *db) {
    const struct saving *s = db->saving;
    return s && s->relations > 1 && (!s->started || s->held);
}

void views_save_go_on(struct database *db) {
    if (db->saving && !db->saving->started && list_empty(&db->flight))
        start(db->saving);
}

static uint64_t tables_bytes(const struct view *view) {
    struct sql_table *tables[VIEW_TABLES_MAX];
    unsigned count = view_tables(view, tables);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count && i < VIEW_TABLES_MAX; i++)
        if (relation_of(tables[i]))
            bytes += relation_stats(relation_of(tables[i])).bytes;
    return bytes;
}

/* By how much it is time; 0: not yet. */
static uint64_t is_due(const struct database *db, struct view *view) {
    const struct view_pace *p = view_pace(view);
    uint64_t now = io_loop_now_ns(db->loop), age = now - p->tried_ns;
    if (p->never || age < p->rest_ns)
        return 0;
    struct view_status v = view_status(view);
    uint64_t read = v.read - p->read;
    if (read == 0 || v.state == VIEW_FAILED)
        return 0;
    uint64_t size = v.state_bytes + v.bytes + tables_bytes(view);
    uint64_t least = 4 * size > READ_BYTES_MIN ? 4 * size : READ_BYTES_MIN;
    uint64_t age_least = size * 1000 > AGE_NS_MIN ? size * 1000 : AGE_NS_MIN; /* a MB a second */
    return v.hurry || read > least || age > age_least ? age + 1 : 0;
}

void views_save(struct database *db) {
    struct view *first = NULL;
    uint64_t most = 0;
    for (struct list_node *n = list_first(&db->views); n && !db->saving && !db->closed;
         n = list_next(&db->views, n)) {
        struct view *view = container_of(n, struct kept, node)->view;
        uint64_t due = is_due(db, view);
        if (due > most) {
            most = due;
            first = view;
        }
    }
    if (first && !db->saving)
        begin(db, first);
}

uint64_t views_save_moment(const struct database *db) {
    return db->saving && db->saving->started ? db->saving->moment : UINT64_MAX;
}

void views_save_forget(struct database *db, const struct view *view) {
    if (db->saving && db->saving->view == view)
        end(db->saving);
}

void views_save_close(struct database *db) {
    if (db->saving)
        end(db->saving);
}

void view_snapshot_drop(struct database *db, uint32_t oid) {
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_VIEWS_PREFIX "%u.>", oid);
    ledger_drop(db->ledger, slice_make(subject, (size_t)n), 0);
}
