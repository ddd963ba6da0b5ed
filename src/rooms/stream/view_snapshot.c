/*
 * view_snapshot.c - see view_snapshot.h: saving.
 *
 *   RESTING --a view is due--> its state copied, its head sent --on disk--> parts, one commit each
 *      ^                                                        --none left--> end sent --on
 * disk--'
 *      '----- what is older is let go <----------------------------------------------------------'
 */
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"
#include "rooms/stream/entry.h"
#include "rooms/stream/rows.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS_BYTES ((size_t)1 << 20)
#define ROWS_LOOKS 100000u /* places of rows looked at in one turn */
#define READ_BYTES_MIN ((uint64_t)16 << 20)
#define AGE_NS_MIN (10 * UINT64_C(1000000000))
#define REST_NS_MIN (1 * UINT64_C(1000000000))

struct saving {
    struct database *db;
    struct view *view;
    struct relation *rows;
    struct relation_scan scan;
    uint64_t moment, next_id, read, began_ns;
    uint64_t begin, parts, bytes;
    struct buf *state; /* pieces, with their kind */
    size_t states, room, at;
    bool copied, ended;
    char part_subject[64], end_subject[64];
    struct ledger_commit *sending;
    struct io_timer next;
};

static void end(struct saving *s) {
    struct database *db = s->db;
    ledger_commit_forget(s->sending);
    io_timer_stop(db->loop, &s->next);
    relation_scan_end(&s->scan);
    relation_free(s->rows);
    for (size_t i = 0; i < s->states; i++)
        buf_free(&s->state[i]);
    mem_free(s->state);
    db->saving = mem_free(s);
}

static void give_up(struct saving *s, const char *why) {
    struct database *db = s->db;
    logger_write(db->logger, LOG_LEVEL_WARN, "sql", "a view's snapshot was given up",
                 "view=%.*s why=%s", slice_fmt(view_table(s->view)->name), why);
    *view_pace(s->view) = (struct view_pace){.saved_ns = io_loop_now_ns(db->loop),
                                             .rest_ns = AGE_NS_MIN,
                                             .read = view_pace(s->view)->read};
    end(s);
}

static void finish(struct saving *s) {
    struct database *db = s->db;
    uint64_t now = io_loop_now_ns(db->loop), took = now - s->began_ns;
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_VIEWS_PREFIX "%u.>", view_table(s->view)->oid);
    logger_write(db->logger, LOG_LEVEL_DEBUG, "sql", "a view's snapshot is on disk",
                 "view=%.*s bytes=%" PRIu64, slice_fmt(view_table(s->view)->name), s->bytes);
    ledger_drop(db->ledger, slice_make(subject, (size_t)n), s->begin);
    *view_pace(s->view) =
        (struct view_pace){.saved_ns = now,
                           .rest_ns = 10 * took > REST_NS_MIN ? 10 * took : REST_NS_MIN,
                           .read = s->read};
    view_kept(s->view);
    end(s);
    views_save(db);
}

static void on_next(struct io_timer *timer);

static void on_stored(void *self, const struct error *failed) {
    struct saving *s = self;
    s->sending = NULL;
    if (failed) {
        give_up(s, failed->message);
        return;
    }
    if (!s->begin)
        s->begin = ledger_committed(s->db->ledger);
    if (s->ended)
        finish(s);
    else
        io_timer_start(s->db->loop, &s->next, 0, on_next);
}

static void send_entry(struct saving *s, const char *subject, slice payload) {
    const struct ledger_entry entry = {slice_str(subject), payload};
    s->parts++;
    s->bytes += payload.len;
    if (ledger_commit(s->db->ledger, &entry, 1, on_stored, s, &s->sending) < 0)
        give_up(s, "no memory");
}

static void send_end(struct saving *s) {
    _cleanup_buf_ struct buf out = buf_make(64);
    struct entry_writer w = {.out = &out};
    entry_u32(&w, VIEW_SNAPSHOT_VERSION);
    entry_u64(&w, s->begin);
    entry_u64(&w, s->parts);
    s->ended = true;
    if (w.failed)
        give_up(s, "no memory");
    else
        send_entry(s, s->end_subject, buf_slice(&out));
}

/* Rows into OUT; sets `copied` where they were the last. */
static int copy_rows(struct saving *s, struct buf *out) {
    struct entry_writer w = {.out = out};
    entry_u8(&w, 'r');
    entry_u64(&w, 0);
    int r = w.failed ? w.failed : rows_copy(&s->scan, ROWS_LOOKS, ROWS_BYTES, &w);
    if (r < 0)
        return r;
    entry_set_u64(out, 1, r == 0 ? s->next_id : s->scan.next);
    s->copied = r == 0;
    return 0;
}

static void on_next(struct io_timer *timer) {
    struct saving *s = container_of(timer, struct saving, next);
    if (s->at < s->states) {
        struct buf *piece = &s->state[s->at++];
        send_entry(s, s->part_subject, buf_slice(piece));
        return; /* S may be gone */
    }
    if (s->copied) {
        send_end(s);
        return;
    }
    _cleanup_buf_ struct buf out = buf_make(ROWS_BYTES + 2 * LEDGER_ENTRY_BYTES_MAX);
    int r = copy_rows(s, &out);
    if (r < 0)
        give_up(s, error_name(r));
    else
        send_entry(s, s->part_subject, buf_slice(&out));
}

static int on_state(void *self, slice piece, struct sql_error *error) {
    struct saving *s = self;
    if (s->states == s->room) {
        size_t room = s->room ? s->room * 2 : 4;
        struct buf *more = mem_realloc(s->state, room * sizeof *more);
        if (!more)
            return sql_fail_memory(error);
        s->state = more;
        s->room = room;
    }
    struct buf *to = &s->state[s->states++];
    *to = buf_make(SQL_STATE_PIECE_BYTES + 1);
    if (buf_append_byte(to, 's') < 0 || buf_append(to, piece) < 0)
        return sql_fail_memory(error);
    return 0;
}

static int send_head(struct saving *s) {
    const struct sql_table *table = view_table(s->view);
    _cleanup_buf_ struct buf out = buf_make(LEDGER_ENTRY_BYTES_MAX + ((size_t)1 << 20));
    struct entry_writer w = {.out = &out};
    struct sql_error error = {.state = ""};
    entry_u8(&w, 'h');
    entry_u32(&w, VIEW_SNAPSHOT_VERSION);
    entry_text(&w, table->definition);
    int r = w.failed ? w.failed : view_save(s->view, &out, on_state, s, &error);
    if (r < 0)
        return r;
    snprintf(s->part_subject, sizeof s->part_subject, LEDGER_VIEWS_PREFIX "%u.part", table->oid);
    snprintf(s->end_subject, sizeof s->end_subject, LEDGER_VIEWS_PREFIX "%u.end", table->oid);
    send_entry(s, s->part_subject, buf_slice(&out));
    return 0;
}

static void begin(struct database *db, struct view *view) {
    struct saving *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return; /* later again */
    db->saving = s;
    s->db = db;
    s->view = view;
    s->rows = relation_ref(view_relation(view));
    s->moment = db->commit;
    s->next_id = relation_next_id(s->rows);
    s->read = view_status(view).read;
    s->began_ns = io_loop_now_ns(db->loop);
    relation_scan_all(s->rows, s->moment, &s->scan);
    int r = send_head(s);
    if (r == -EOPNOTSUPP) {
        view_pace(view)->never = true;
        end(s);
    } else if (r < 0) {
        give_up(s, error_name(r));
    }
}

/* By how much it is time; 0: not yet. */
static uint64_t is_due(const struct database *db, struct view *view) {
    const struct view_pace *p = view_pace(view);
    uint64_t now = io_loop_now_ns(db->loop), age = now - p->saved_ns;
    if (p->never || age < p->rest_ns)
        return 0;
    struct view_status v = view_status(view);
    uint64_t size = v.state_bytes + v.bytes, read = v.read - p->read;
    if (read == 0 || v.state == VIEW_FAILED || size > VIEW_SNAPSHOT_BYTES_MAX)
        return 0;
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
    return db->saving ? db->saving->moment : UINT64_MAX;
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
