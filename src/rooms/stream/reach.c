/*
 * reach.c - see reach.h.
 *
 * A repeatable transaction whose snapshot is taken cannot be made to see more: its first query has
 * waited, the others do not (and SET min_position is refused there, utility.c).
 *
 * A table over a stream that is read directly has what the log has. Only a position that the log
 * has not yet is waited for, by asking again.
 */
#include "rooms/stream/reach.h"

#include "base/mem.h"
#include "rooms/stream/ledger.h"
#include "rooms/stream/transaction.h"

#include <errno.h>

#define ASK_AGAIN_NS (20 * UINT64_C(1000000))

struct look {
    struct reach *reach;
    const struct sql_table *table; /* over a stream, read directly */
    bool finding, lacks;
    uint64_t last;
};

struct reach {
    struct database_run *run;
    struct positions positions; /* names lie in the run's memory */
    uint64_t since_ns;
    uint64_t moment; /* at which all was in; 0: not yet */
    struct io_timer deadline, again;
    bool late;
    struct sql_table **view; /* materialized ones */
    unsigned views, views_room;
    struct look *look;
    unsigned looks, finding;
};

/* --- what a statement reads ------------------------------------------------------------------- */

static const struct sql_query *query_of(const struct sql_statement *b) {
    switch (b->kind) {
    case SQL_STATEMENT_QUERY:
    case SQL_STATEMENT_COPY_TO:
    case SQL_STATEMENT_INSERT:
    case SQL_STATEMENT_UPDATE:
    case SQL_STATEMENT_DELETE:
    case SQL_STATEMENT_CREATE_TABLE_AS:
    case SQL_STATEMENT_SUBSCRIBE:
        return &b->query;
    case SQL_STATEMENT_DECLARE:
        return &b->inner->query;
    default:
        return NULL;
    }
}

static int add_view(struct reach *r, struct sql_table *table) {
    for (unsigned i = 0; i < r->views; i++)
        if (r->view[i] == table)
            return 0;
    if (r->views == r->views_room) {
        unsigned room = r->views_room * 2 + 8;
        struct sql_table **more = mem_realloc(r->view, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        r->view = more;
        r->views_room = room;
    }
    r->view[r->views++] = table;
    return 0;
}

/* Views of all kinds that those found so far read. */
static int add_below(struct reach *r, const struct sql_catalog *catalog) {
    for (unsigned i = 0; i < r->views; i++) {
        const struct sql_table *view = r->view[i];
        for (unsigned k = 0; k < view->depends_count; k++) {
            struct sql_table *t = sql_catalog_table_by_oid(catalog, view->depends[k]);
            bool is_view = t && (t->kind == SQL_TABLE_MATERIALIZED || t->kind == SQL_TABLE_VIEW);
            if (is_view && add_view(r, t) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static int add_look(struct reach *r, const struct sql_table *table) {
    for (unsigned i = 0; i < r->looks; i++)
        if (r->look[i].table == table)
            return 0;
    struct look *more = mem_realloc(r->look, (r->looks + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    r->look = more;
    r->look[r->looks++] = (struct look){.reach = r, .table = table};
    return 0;
}

/* SEEN: by number of the node. */
static int add_scans(struct reach *r, const struct sql_plan *p, uint8_t *seen,
                     const struct sql_catalog *catalog) {
    int failed = 0;
    if (seen[p->number])
        return 0;
    seen[p->number] = 1;
    if (p->kind == SQL_PLAN_SCAN && p->table->kind == SQL_TABLE_MATERIALIZED) {
        struct sql_table *t = sql_catalog_table_by_oid(catalog, p->table->oid);
        failed = t ? add_view(r, t) : 0;
    } else if (p->kind == SQL_PLAN_SCAN && p->table->kind == SQL_TABLE_STREAM) {
        failed = add_look(r, p->table);
    }
    for (unsigned i = 0; failed == 0 && i < p->inputs; i++)
        failed = add_scans(r, p->input[i], seen, catalog);
    return failed;
}

static int find_read(struct reach *r, const struct sql_query *query) {
    const struct sql_catalog *catalog = session_catalog(r->run->session);
    uint8_t *seen = mem_zalloc(query->plans + 1u, 1);
    int failed = seen ? add_scans(r, query->plan, seen, catalog) : -ENOMEM;
    mem_free(seen);
    return failed ? failed : add_below(r, catalog);
}

/* --- streams that are read directly ----------------------------------------------------------- */

static void ask(struct reach *r);

static void on_again(struct io_timer *timer) {
    ask(container_of(timer, struct reach, again));
}

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct look *look = self;
    struct reach *r = look->reach;
    look->finding = false;
    look->last = last;
    look->lacks = !failed && positions_of(&r->positions, name) > last;
    r->finding--;
    run_wake(r->run);
}

/* How far those are of which it is not known that they are far enough. */
static void ask(struct reach *r) {
    struct ledger *ledger = r->run->db->ledger;
    for (unsigned i = 0; i < r->looks; i++)
        r->finding += r->look[i].lacks;
    for (unsigned i = 0; i < r->looks; i++) {
        struct look *look = &r->look[i];
        if (!look->lacks || look->finding)
            continue;
        look->finding = true;
        ledger_find(ledger, table_option(look->table, "stream"),
                    table_option(look->table, "subject"), on_found, look);
    }
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void reach_close(struct database_run *run) {
    struct reach *r = run->work;
    for (unsigned i = 0; i < r->looks; i++)
        if (r->look[i].finding)
            ledger_find_cancel(run->db->ledger, &r->look[i]);
    io_timer_stop(run->db->loop, &r->deadline);
    io_timer_stop(run->db->loop, &r->again);
    run_watch(run, false);
    mem_free(r->view);
    mem_free(r->look);
    run->work = mem_free(r);
    run->close = NULL;
}

/* 57014, or 0 while there is time. TABLE has STREAM up to HAS only. */
static int fail_late(struct reach *r, const struct sql_table *table, slice stream, uint64_t has) {
    struct sql_error *e = &r->run->error;
    slice timeout = settings_get(r->run->session, slice_lit("min_position_timeout"));
    if (!r->late)
        return 0;
    if (!table)
        (void)sql_fail(e, "57014", "min_position was reached, but is not on disk after %.*s ms",
                       slice_fmt(timeout));
    else
        (void)sql_fail(e, "57014", "\"%.*s\" has not reached min_position after %.*s ms",
                       slice_fmt(table->name), slice_fmt(timeout));
    if (table && stream.len)
        sql_error_detail(e, "It has stream \"%.*s\" up to %llu, and %llu is waited for.",
                         slice_fmt(stream), (unsigned long long)has,
                         (unsigned long long)positions_of(&r->positions, stream));
    sql_error_hint(e, "Ask again, or raise min_position_timeout; nonet_views tells how far each "
                      "view is.");
    return -EINVAL;
}

/* 1: all of it is in; 0: not yet; < 0. */
static int look_at(struct reach *r) {
    struct feeds_lack lack;
    for (unsigned i = 0; i < r->views; i++) {
        struct sql_table *t = r->view[i];
        if (t->kind != SQL_TABLE_MATERIALIZED || !t->host) /* dropped: to be told by who reads it */
            continue;
        int has = view_reached(t->host, &r->positions, r->since_ns, &lack, &r->run->error);
        if (has <= 0)
            return has < 0 ? has : fail_late(r, t, lack.stream, lack.has);
    }
    for (unsigned i = 0; i < r->looks; i++) {
        const struct look *look = &r->look[i];
        if (!look->lacks)
            continue;
        if (!r->finding && !io_timer_running(&r->again))
            io_timer_start(r->run->db->loop, &r->again, ASK_AGAIN_NS, on_again);
        return fail_late(r, look->table, (slice){NULL, 0}, 0);
    }
    return 1;
}

/* Nobody may have made another statement of it: the client's parameters were read by its types. */
static int take_statement(struct database_run *run) {
    const struct sql_type *types;
    unsigned count = database_statement_parameters(run->statement, &types);
    struct sql_type *before = arena_zalloc(&run->memory, count + 1u, sizeof *before);
    if (!before)
        return sql_fail_memory(&run->error);
    for (unsigned i = 0; i < count; i++)
        before[i] = types[i];
    struct database_statement *now = statement_take(run->statement, 2, &run->error);
    if (!now)
        return -EINVAL;
    database_statement_free(run->statement);
    run->statement = now;
    bool same = database_statement_parameters(now, &types) == count;
    for (unsigned i = 0; same && i < count; i++)
        same = types[i].oid == before[i].oid;
    return same ? 0 : sql_fail(&run->error, "0A000", "cached plan must not change parameter types");
}

static int reach_step(struct database_run *run) {
    struct reach *r = run->work;
    int has = r->moment ? 1 : look_at(r);
    if (has <= 0)
        return has < 0 ? has : RUN_WAIT;
    if (!r->moment)
        r->moment = run->db->commit;
    if (run->db->visible < r->moment) {
        int failed = fail_late(r, NULL, (slice){NULL, 0}, 0);
        return failed ? failed : RUN_WAIT;
    }
    reach_close(run);
    run->reached = true;
    transaction_see(run->session->transaction);
    int failed = take_statement(run);
    if (!failed)
        failed = run_begin(run);
    return failed ? failed : RUN_AGAIN;
}

static void on_deadline(struct io_timer *timer) {
    struct reach *r = container_of(timer, struct reach, deadline);
    r->late = true;
    run_wake(r->run);
}

static struct reach *reach_new(struct database_run *run, const struct positions *positions) {
    struct reach *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->run = run;
    r->positions = *positions;
    r->since_ns = io_loop_now_ns(run->db->loop);
    run_watch(run, true);
    run->work = r;
    run->close = reach_close;
    run->step = reach_step;
    return r;
}

int reach_start(struct database_run *run) {
    struct database_session *s = run->session;
    const struct sql_query *query = query_of(&run->statement->bound);
    slice text = settings_get(s, slice_lit("min_position")), copy;
    struct positions positions;
    if (run->reached || !text.len || !query || !query->plan || transaction_is_fixed(s->transaction))
        return 0;
    int failed = arena_copy(&run->memory, text, &copy);
    if (failed == 0)
        failed = positions_read(copy, &positions);
    check(failed != -EINVAL && failed != -E2BIG); /* SET judged it */
    struct reach *r = failed ? NULL : reach_new(run, &positions);
    if (!r || find_read(r, query) < 0)
        return sql_fail_memory(&run->error);
    if (!r->views && !r->looks) {
        reach_close(run);
        return 0;
    }
    uint64_t timeout = settings_milliseconds(s, slice_lit("min_position_timeout")) * 1000000;
    if (timeout)
        io_timer_start(run->db->loop, &r->deadline, timeout, on_deadline);
    for (unsigned i = 0; i < r->looks; i++)
        r->look[i].lacks = true;
    ask(r);
    return 1;
}
