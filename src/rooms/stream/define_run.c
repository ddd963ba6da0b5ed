/*
 * define_run.c - a definition as a statement: it waits for the right to define and for those on
 * their way to the disk, then it is judged and made in its transaction (definer.h), at once.
 *
 *   WAITS for another's transaction --lock_timeout--> 55P03
 *     '--> WAITS for the group on its way, none sets off --> made --> CREATE TABLE AS: rows
 *
 * COMMIT puts it on disk, as all that its transaction has changed.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"
#include "rooms/stream/database_checkpoint.h"
#include "rooms/stream/transaction.h"

#include <errno.h>
#include <stdio.h>

struct defining {
    struct database_run *run;
    struct io_timer patience;
    bool late;
    struct query *fill; /* CREATE TABLE AS */
    struct relation_scan scan;
    bool scanning;
    uint64_t count;
};

void definitions_go_on(struct database *db) {
    for (struct list_node *n = list_first(&db->runs); n; n = list_next(&db->runs, n)) {
        struct database_run *run = container_of(n, struct database_run, node);
        if (run->defines && !run->ending)
            run_wake(run);
    }
}

void definition_go_on(struct database *db) {
    if (db->defining)
        run_wake(db->defining->run);
}

/* Transactions may set off again, where D held them up. */
static void let_go(struct database *db, const struct defining *d) {
    if (db->defining != d)
        return;
    db->defining = NULL;
    commits_go_on(db);
}

static void close_defining(struct database_run *run) {
    struct defining *d = run->work;
    if (!d)
        return;
    if (d->scanning)
        relation_scan_end(&d->scan);
    query_free(d->fill);
    io_timer_stop(run->db->loop, &d->patience);
    let_go(run->db, d);
    run->work = mem_free(d);
}

/* The statement's own text: what comes before it in a text of several is not of it. */
static slice own_text(const struct database_statement *s) {
    return sql_parse_at(s->parse, s->index)->text;
}

static const char *tag_of(const struct sql_statement *s) {
    static const struct {
        char kind;
        const char *tag;
    } drops[] = {{'r', "DROP TABLE"},    {'v', "DROP VIEW"},  {'m', "DROP MATERIALIZED VIEW"},
                 {'s', "DROP SINK"},     {'i', "DROP INDEX"}, {'t', "DROP TYPE"},
                 {'f', "DROP FUNCTION"}, {'n', "DROP SCHEMA"}};
    for (unsigned i = 0; s->kind == SQL_STATEMENT_DROP && i < array_count(drops); i++)
        if (drops[i].kind == s->drop_kind)
            return drops[i].tag;
    switch (s->kind) {
    case SQL_STATEMENT_CREATE_TABLE:
        return "CREATE TABLE";
    case SQL_STATEMENT_CREATE_VIEW:
        return "CREATE VIEW";
    case SQL_STATEMENT_CREATE_MATERIALIZED:
        return s->sink ? "CREATE SINK" : "CREATE MATERIALIZED VIEW";
    case SQL_STATEMENT_CREATE_INDEX:
        return "CREATE INDEX";
    case SQL_STATEMENT_CREATE_ENUM:
        return "CREATE TYPE";
    case SQL_STATEMENT_CREATE_FUNCTION:
        return "CREATE FUNCTION";
    case SQL_STATEMENT_CREATE_SCHEMA:
        return "CREATE SCHEMA";
    case SQL_STATEMENT_COMMENT:
        return "COMMENT";
    default:
        return "ALTER TABLE";
    }
}

/* Rows of CREATE TABLE AS, gathered, into the new table. */
static int fill_step(struct database_run *run) {
    struct defining *d = run->work;
    struct sql_table *t = run->statement->bound.table;
    struct sql_builder b;
    if (!d->scanning) {
        int next = query_step(d->fill);
        if (next != RUN_DONE)
            return next;
        relation_scan_all(query_gathered(d->fill), 1, &d->scan);
        d->scanning = true;
    }
    if (!relation_of(t))
        return sql_fail(&run->error, "40001", "table \"%.*s\" was dropped meanwhile",
                        slice_fmt(t->name));
    if (sql_builder_make(t->columns, &b) < 0)
        return sql_fail_memory(&run->error);
    int n = relation_scan_next(&d->scan, NULL, t->columns, &b);
    struct sql_batch batch = sql_builder_batch(&b);
    int r = n < 0 ? sql_fail_memory(&run->error) : 0;
    if (n > 0)
        r = transaction_insert(run->session->transaction, stored_of(t), &batch, &run->error);
    sql_builder_free(&b);
    d->count += n > 0 ? (uint64_t)n : 0;
    if (r < 0 || n > 0)
        return r < 0 ? r : RUN_AGAIN;
    snprintf(run->tag, sizeof run->tag, "SELECT %llu", (unsigned long long)d->count);
    return RUN_DONE;
}

static int begin_fill(struct database_run *run) {
    const struct query_options options = {.run = run, .query = &run->statement->bound.query};
    struct defining *d = run->work;
    int r = query_new(&options, &d->fill, &run->error);
    run->step = fill_step;
    return r < 0 ? r : RUN_AGAIN;
}

static int make(struct database_run *run) {
    struct database_session *s = run->session;
    struct definer where;
    transaction_see(s->transaction);
    int r = definer_begin(&where, s, &run->error);
    if (r == 0) /* others may have changed what it was bound to */
        r = statement_bind(run->statement, &run->error);
    if (r == 0)
        r = database_judge(&where, &run->statement->bound, &run->error);
    if (r == 0)
        r = database_define(&where, &run->statement->bound, own_text(run->statement), &run->error);
    if (r == 0)
        r = definer_log(&where, own_text(run->statement), &run->error);
    run->statement->version = 0; /* what it has made is made once: bound anew for the next time */
    return r;
}

static void on_patience(struct io_timer *timer) {
    struct defining *d = container_of(timer, struct defining, patience);
    d->late = true;
    run_wake(d->run);
}

/* Another transaction defines. */
static int wait_for_other(struct database_run *run, struct defining *d) {
    uint64_t ms = settings_milliseconds(run->session, slice_lit("lock_timeout"));
    if (d->late) {
        (void)sql_fail(&run->error, "55P03", "canceling statement due to lock timeout");
        sql_error_hint(&run->error, "Another transaction has defined something and has not ended.");
        return -EINVAL;
    }
    if (ms && !io_timer_running(&d->patience))
        io_timer_start(run->db->loop, &d->patience, ms * 1000000, on_patience);
    return RUN_WAIT;
}

static int define_step(struct database_run *run) {
    struct defining *d = run->work;
    struct database *db = run->db;
    const struct sql_statement *s = &run->statement->bound;
    if (db->definer && db->definer != run->session->transaction)
        return wait_for_other(run, d);
    db->definer = run->session->transaction;
    db->defining = d; /* from now on no transaction sets off; those on their way come first */
    if (!list_empty(&db->flight))
        return RUN_WAIT;
    io_timer_stop(db->loop, &d->patience);
    int r = make(run);
    let_go(db, d);
    if (r < 0)
        return r;
    snprintf(run->tag, sizeof run->tag, "%s", tag_of(s));
    run->defines = false;
    if (s->kind == SQL_STATEMENT_CREATE_TABLE_AS && s->table && !s->with_no_data)
        return begin_fill(run);
    return RUN_DONE;
}

int define_start(struct database_run *run) {
    struct database_session *s = run->session;
    if (s->transaction->read_only)
        return sql_fail(&run->error, "25006", "cannot define anything in a read-only transaction");
    if (run->statement->bound.alone && (s->block || transaction_has_changes(s->transaction)))
        return sql_fail(&run->error, "25001",
                        "%s INDEX CONCURRENTLY cannot run inside a transaction block",
                        run->statement->bound.kind == SQL_STATEMENT_DROP ? "DROP" : "CREATE");
    struct defining *d = mem_zalloc(1, sizeof *d);
    if (!d)
        return sql_fail_memory(&run->error);
    d->run = run;
    run->work = d;
    run->close = close_defining;
    run->step = define_step;
    run->defines = true;
    return 0;
}
