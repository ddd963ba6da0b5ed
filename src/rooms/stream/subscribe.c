/*
 * subscribe.c - see subscribe.h.
 *
 *   NEW --no commit is on its way--> BEGUN --all streams are at their ends--> LIVE
 *    '------------------------- an error, an end: told by the next give ------------'
 *
 * Until LIVE changes gather without being told; then they are the rows that are there.
 *
 * The queue: for each row  u64 position | i64 diff | u32 bytes | row (row.h); of a row that only
 * tells progress, diff is 0 and there are no bytes. Nothing is freed from inside the database's
 * steps: what ends is noted, and the run is woken.
 */
#include "rooms/stream/subscribe.h"

#include "base/mem.h"
#include "rooms/stream/changes.h"
#include "rooms/stream/transaction.h"

#include <errno.h>
#include <stdio.h>

#define STEP_NS_MAX UINT64_C(5000000000) /* as of a query's */
#define KEEP_BYTES ((size_t)1 << 20)     /* room of an empty queue that is not given back */

struct subscription {
    struct list_node node;
    struct database *db;
    struct database_run *run; /* who waits; NULL: nobody */
    const struct sql_query *query;
    const struct sql_subscription *about;
    struct view_listener listener;
    struct view *view; /* NULL: not begun */
    bool touched, live, failed;
    struct sql_error error;
    uint64_t busy_since_ns; /* the step under way; 0: none */
    uint64_t told;          /* position of the last row that tells progress */
    struct changes changes;
    struct buf queue;
    size_t from;             /* what is before has been given */
    size_t snapshot;         /* bytes of the rows that were there, still to be given */
    struct sql_type types[]; /* of the query's visible columns */
};

struct entry {
    uint64_t position;
    int64_t diff;
    uint32_t bytes;
};

static void wake(struct subscription *s) {
    if (s->run)
        run_wake(s->run);
}

static void end(struct subscription *s, const struct sql_error *why) {
    if (!s->failed)
        s->error = *why;
    s->failed = true;
    wake(s);
}

/* --- what the view says ----------------------------------------------------------------------- */

static int on_changes(void *self, const struct sql_batch *batch, struct sql_error *error) {
    struct subscription *s = self;
    int r = s->failed ? 0 : changes_add(&s->changes, batch);
    if (r == -ENOBUFS) {
        (void)sql_fail(error, "53200",
                       "the rows of SUBSCRIBE, or one step of them, take more than "
                       "%llu bytes",
                       (unsigned long long)s->db->limits.run_bytes);
        sql_error_hint(error, "Subscribe to a materialized view of fewer rows, or raise "
                              "sql.work_mem in nonet.yaml.");
        return -EINVAL;
    }
    return r < 0 ? sql_fail_memory(error) : 0;
}

static int on_go_on(void *self, struct sql_error *error) {
    struct subscription *s = self;
    uint64_t now = io_host_clock_ns(io_loop_host(s->db->loop));
    if (!s->busy_since_ns)
        s->busy_since_ns = now;
    if (now - s->busy_since_ns < STEP_NS_MAX)
        return 0;
    return sql_fail(error, "57014", "canceling statement: one step of it took more than %u seconds",
                    (unsigned)(STEP_NS_MAX / 1000000000u));
}

static void on_failed(void *self, const struct sql_error *why) {
    end(self, why);
}

/* --- the queue -------------------------------------------------------------------------------- */

struct filling {
    struct subscription *s;
    uint64_t position;
};

static int push(struct subscription *s, struct entry entry, slice row) {
    int r = buf_append(&s->queue, slice_make(&entry, sizeof entry));
    return r < 0 ? r : buf_append(&s->queue, row);
}

static int push_row(void *self, slice row, int64_t weight) {
    const struct filling *f = self;
    return push(f->s, (struct entry){f->position, weight, (uint32_t)row.len}, row);
}

static size_t waiting(const struct subscription *s) {
    return s->queue.len - s->from;
}

/* What has been given makes room. */
static void tidy(struct subscription *s) {
    if (s->from < s->queue.len && s->from < KEEP_BYTES)
        return;
    buf_consume(&s->queue, s->from);
    s->from = 0;
    if (!s->queue.len && s->queue.cap > KEEP_BYTES)
        buf_free(&s->queue);
}

static void too_slow(struct subscription *s) {
    struct sql_error error;
    (void)sql_fail(&error, "53400",
                   "SUBSCRIBE has ended: more than %llu bytes of changes wait for the client",
                   (unsigned long long)s->db->limits.told_bytes);
    sql_error_hint(&error, "Read faster, or raise sql.subscription_buffer in nonet.yaml; then "
                           "subscribe again.");
    end(s, &error);
}

/* The step's changes, which readers see from now on. */
static void tell(struct subscription *s) {
    struct filling f = {s, view_position(s->view)};
    bool first = !s->live;
    size_t before = s->queue.len;
    s->live = true;
    tidy(s);
    int r = first && !s->about->snapshot ? 0 : changes_each(&s->changes, push_row, &f);
    changes_clear(&s->changes);
    if (r == 0 && s->about->progress && (first || s->queue.len > before || f.position > s->told)) {
        r = push(s, (struct entry){.position = f.position}, (slice){0});
        s->told = f.position;
    }
    if (r == 0 && first)
        s->snapshot = waiting(s);
    if (r == -ENOBUFS || (r == 0 && waiting(s) - s->snapshot > s->db->limits.told_bytes)) {
        too_slow(s);
    } else if (r < 0) {
        struct sql_error error;
        (void)sql_fail_memory(&error);
        end(s, &error);
    } else if (waiting(s)) {
        wake(s);
    }
}

static bool is_live(const struct subscription *s) {
    return s->live || view_status(s->view).state == VIEW_LIVE;
}

void subscriptions_show(struct database *db) {
    for (struct list_node *n = list_first(&db->subscriptions); n;
         n = list_next(&db->subscriptions, n)) {
        struct subscription *s = container_of(n, struct subscription, node);
        s->busy_since_ns = 0;
        const struct sql_error *why = s->view ? view_failure(s->view) : NULL;
        if (!s->view)
            wake(s); /* it may begin */
        else if (why)
            end(s, why);
        else if (!s->failed && is_live(s))
            tell(s);
    }
}

/* --- input ------------------------------------------------------------------------------------ */

void subscriptions_changed(struct database *db, const struct sql_table *table,
                           const struct sql_batch *batch) {
    for (struct list_node *n = list_first(&db->subscriptions); n;
         n = list_next(&db->subscriptions, n)) {
        struct subscription *s = container_of(n, struct subscription, node);
        if (s->view && !s->failed)
            s->touched |= view_input(s->view, table, batch);
    }
}

void subscriptions_step(struct database *db) {
    for (struct list_node *n = list_first(&db->subscriptions); n;
         n = list_next(&db->subscriptions, n)) {
        struct subscription *s = container_of(n, struct subscription, node);
        if (s->touched && s->view && !s->failed)
            view_step(s->view, db->commit);
        s->touched = false;
    }
}

void subscriptions_lose(struct database *db, const struct sql_table *table) {
    struct sql_error error;
    (void)sql_fail(&error, "55000", "SUBSCRIBE has ended: \"%.*s\" was changed or dropped",
                   slice_fmt(table->name));
    for (struct list_node *n = list_first(&db->subscriptions); n;
         n = list_next(&db->subscriptions, n)) {
        struct subscription *s = container_of(n, struct subscription, node);
        if (s->view && view_reads(s->view, table))
            end(s, &error);
    }
}

void database_subscriptions_end(struct database *db) {
    struct sql_error error;
    (void)sql_fail(&error, "57P01", "terminating connection due to administrator command");
    db->draining = true;
    for (struct list_node *n = list_first(&db->subscriptions); n;
         n = list_next(&db->subscriptions, n))
        end(container_of(n, struct subscription, node), &error);
}

/* --- giving ----------------------------------------------------------------------------------- */

/* Its transaction reads no older moment than now: what others have changed since need not be kept
   for it. */
static void see_now(const struct database_run *run) {
    struct transaction *t = run->session->transaction;
    if (t && !t->repeatable)
        transaction_see(t);
}

static int begin(struct subscription *s, struct database_run *run) {
    const struct transaction *t = run->session->transaction;
    if (s->db->draining)
        return sql_fail(&run->error, "57P01",
                        "terminating connection due to administrator command");
    if (t && t->repeatable && t->used && t->snapshot < s->db->visible)
        return sql_fail(&run->error, "25001",
                        "SUBSCRIBE tells what is there now, not what this transaction sees: begin "
                        "another");
    s->busy_since_ns = 0;
    int r = view_listen(s->db, s->query, &s->listener, &s->view, &run->error);
    s->busy_since_ns = 0;
    if (r == 0 && is_live(s))
        tell(s);
    return r;
}

static void put_own(struct subscription *s, struct sql_builder *b, const struct entry *e) {
    const union sql_cell position = {.i = (int64_t)e->position}, diff = {.i = e->diff},
                         progress = {.i = e->diff == 0};
    unsigned at = 0;
    sql_builder_set(b, at++, &position, false);
    if (s->about->progress)
        sql_builder_set(b, at++, &progress, false);
    sql_builder_set(b, at, &diff, e->diff == 0);
}

/* The next row of the queue into B. */
static int take(struct subscription *s, struct sql_builder *b) {
    struct entry e;
    unsigned columns = s->query->visible;
    union sql_cell cells[SQL_COLUMNS_MAX];
    uint8_t nulls[SQL_COLUMNS_MAX];
    memcpy(&e, s->queue.ptr + s->from, sizeof e);
    const slice row = slice_make(s->queue.ptr + s->from + sizeof e, e.bytes);
    put_own(s, b, &e);
    if (e.diff == 0)
        memset(nulls, 1, columns);
    else if (sql_row_decode(row, s->types, columns, &b->memory, cells, nulls) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < columns; i++)
        sql_builder_set(b, s->about->own + i, &cells[i], nulls[i]);
    sql_builder_end(b, 1);
    s->from += sizeof e + e.bytes;
    return 0;
}

static int give(struct subscription *s, struct database_run *run, uint64_t max,
                bool (*rows)(struct database_run *run, const struct sql_batch *batch),
                uint64_t *ret_count) {
    struct sql_builder b;
    if (sql_builder_make(s->about->columns, &b) < 0)
        return sql_fail_memory(&run->error);
    size_t before = waiting(s);
    int r = 0;
    while (r == 0 && waiting(s) && *ret_count < max && !sql_builder_full(&b)) {
        r = take(s, &b);
        ++*ret_count;
    }
    size_t given = before - waiting(s);
    s->snapshot -= given < s->snapshot ? given : s->snapshot;
    bool room = true;
    if (r == 0 && b.rows) {
        const struct sql_batch batch = sql_builder_batch(&b);
        room = rows(run, &batch);
    }
    sql_builder_free(&b);
    if (r < 0)
        return sql_fail_memory(&run->error);
    if (!waiting(s))
        tidy(s);
    return room && waiting(s) ? RUN_AGAIN : RUN_WAIT;
}

int subscription_give(struct subscription *s, struct database_run *run, uint64_t max,
                      bool (*rows)(struct database_run *run, const struct sql_batch *batch),
                      uint64_t *ret_count) {
    *ret_count = 0;
    s->run = run;
    see_now(run);
    if (!s->failed && !s->view) {
        if (!list_empty(&s->db->flight))
            return RUN_WAIT;
        int r = begin(s, run);
        if (r < 0)
            return r;
    }
    if (s->failed) {
        run->error = s->error;
        return -EINVAL;
    }
    return waiting(s) ? give(s, run, max, rows, ret_count) : RUN_WAIT;
}

bool subscription_has_rows(const struct subscription *s) {
    return waiting(s) > 0;
}

void subscription_leave(struct subscription *s) {
    s->run = NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

int subscription_new(struct database_run *run, const struct sql_statement *bound,
                     struct subscription **ret, struct sql_error *error) {
    const struct sql_query *query = &bound->query;
    if (transaction_has_changes(run->session->transaction))
        return sql_fail(error, "25001",
                        "SUBSCRIBE cannot follow changes of its own transaction: COMMIT them "
                        "first");
    struct subscription *s = mem_zalloc(1, sizeof *s + query->visible * sizeof s->types[0]);
    if (!s)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < query->visible; i++)
        s->types[i] = query->plan->column[i].type;
    s->db = run->db;
    s->query = query;
    s->about = bound->subscription;
    s->changes = changes_make(s->types, query->visible, run->db->limits.run_bytes);
    s->queue = buf_make(SIZE_MAX / 2); /* tell bounds it */
    s->listener = (struct view_listener){.memory_max = run->db->limits.run_bytes,
                                         .settings = &run->session->settings,
                                         .parameters = run->parameters,
                                         .parameter_nulls = run->nulls,
                                         .changes = on_changes,
                                         .go_on = on_go_on,
                                         .failed = on_failed,
                                         .self = s};
    list_push_back(&run->db->subscriptions, &s->node);
    *ret = s;
    return 0;
}

struct subscription *subscription_free(struct subscription *s) {
    if (!s)
        return NULL;
    view_stop(s->view);
    list_remove(&s->node);
    changes_free(&s->changes);
    buf_free(&s->queue);
    return mem_free(s);
}

static void subscribe_close(struct database_run *run) {
    run->work = subscription_free(run->work);
}

static int subscribe_step(struct database_run *run) {
    uint64_t count;
    return subscription_give(run->work, run, UINT64_MAX, run_rows, &count);
}

int subscribe_start(struct database_run *run) {
    struct subscription *s;
    int r = subscription_new(run, &run->statement->bound, &s, &run->error);
    if (r < 0)
        return r;
    run->work = s;
    run->close = subscribe_close;
    run->step = subscribe_step;
    return 0;
}
