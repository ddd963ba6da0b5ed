/*
 * define_run.c - a definition as a statement: judged, put on disk, made (definition.c).
 *
 * One at a time, the others wait: each is judged against the catalog that the one before has left.
 * It commits by itself, so it is refused within BEGIN … COMMIT (25001) rather than outliving a
 * ROLLBACK. A new view, or CREATE TABLE AS, then has its work begun.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"
#include "rooms/stream/database_checkpoint.h"
#include "rooms/stream/transaction.h"

#include <errno.h>
#include <stdio.h>

struct defining {
    struct database *db;
    struct database_run *run; /* NULL: it has gone; what is sent is made all the same */
    struct ledger_commit *sending;
    char *text; /* what was sent */
    size_t length;
    bool sent, made;
    struct error failed;
    struct query *fill; /* CREATE TABLE AS */
    struct relation_scan scan;
    bool scanning;
    uint64_t count;
};

static void definition_over(struct database *db) {
    db->defining = NULL;
    for (struct list_node *n = list_first(&db->runs); n; n = list_next(&db->runs, n)) {
        struct database_run *other = container_of(n, struct database_run, node);
        if (other->defines && !other->ending)
            run_wake(other);
    }
    commits_go_on(db);
}

static void free_defining(struct defining *d) {
    if (d->db->defining == d)
        definition_over(d->db);
    mem_free(d->text);
    mem_free(d);
}

static void close_defining(struct database_run *run) {
    struct defining *d = run->work;
    if (!d)
        return;
    if (d->scanning)
        relation_scan_end(&d->scan);
    query_free(d->fill);
    run->work = NULL;
    d->run = NULL;
    if (!d->sending)
        free_defining(d);
}

/* Its run was ended (a timeout, a client that left) after it had been sent: it is on disk, so it is
   there after the next start, and must be there now. */
static void make_alone(struct defining *d) {
    struct sql_error why = {.state = ""};
    struct error fatal;
    if (database_define_text(d->db, slice_make(d->text, d->length), true, &why) == 0)
        return;
    (void)error_set(&fatal, -ENOMEM, "what was defined cannot be made: %s", why.message);
    database_fatal(d->db, &fatal);
}

static void on_stored(void *self, const struct error *failed) {
    struct defining *d = self;
    d->sending = NULL;
    if (failed)
        d->failed = *failed;
    d->made = true;
    if (d->run) {
        run_wake(d->run);
        return;
    }
    if (!failed)
        make_alone(d);
    free_defining(d);
}

void definition_go_on(struct database *db) {
    if (db->defining && db->defining->run)
        run_wake(db->defining->run);
}

void definition_close(struct database *db) {
    struct defining *d = db->defining;
    if (!d)
        return;
    ledger_commit_forget(d->sending);
    db->defining = NULL;
    free_defining(d);
}

/* The statement's own text: what comes before it in a text of several is not of it. */
static slice own_text(const struct database_statement *s) {
    return sql_parse_at(s->parse, s->index)->text;
}

static int store(struct database_run *run, struct defining *d) {
    const struct ledger_entry entry = {slice_lit(LEDGER_PREFIX "ddl"), own_text(run->statement)};
    if (entry.payload.len > LEDGER_ENTRY_BYTES_MAX)
        return sql_fail(&run->error, "54000", "a definition has at most %zu bytes",
                        LEDGER_ENTRY_BYTES_MAX);
    d->text = mem_copy(entry.payload.ptr, entry.payload.len);
    d->length = entry.payload.len;
    if (!d->text || ledger_commit(run->db->ledger, &entry, 1, on_stored, d, &d->sending) < 0)
        return sql_fail_memory(&run->error);
    d->sent = true;
    database_checkpoint_grow(run->db->checkpoint, entry.payload.len);
    return RUN_WAIT;
}

static const char *tag_of(const struct sql_statement *s) {
    static const struct {
        char kind;
        const char *tag;
    } drops[] = {{'r', "DROP TABLE"}, {'v', "DROP VIEW"}, {'m', "DROP MATERIALIZED VIEW"},
                 {'i', "DROP INDEX"}, {'t', "DROP TYPE"}, {'f', "DROP FUNCTION"},
                 {'n', "DROP SCHEMA"}};
    for (unsigned i = 0; s->kind == SQL_STATEMENT_DROP && i < array_count(drops); i++)
        if (drops[i].kind == s->drop_kind)
            return drops[i].tag;
    switch (s->kind) {
    case SQL_STATEMENT_CREATE_TABLE:
        return "CREATE TABLE";
    case SQL_STATEMENT_CREATE_VIEW:
        return "CREATE VIEW";
    case SQL_STATEMENT_CREATE_MATERIALIZED:
        return "CREATE MATERIALIZED VIEW";
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

/* It is on disk. What cannot be made now would come back at the next start and fail again. */
static int make(struct database_run *run, struct defining *d) {
    const struct sql_statement *s = &run->statement->bound;
    struct error why;
    if (d->failed.code)
        return sql_fail(&run->error, d->failed.code == -ENOSPC ? "53100" : "58030", "%s",
                        d->failed.message);
    int r = database_define(run->db, s, own_text(run->statement), &run->error);
    if (r < 0 && slice_equal(slice_str(run->error.state), slice_lit("53200"))) {
        (void)error_set(&why, -ENOMEM, "no memory to make what was defined");
        database_fatal(run->db, &why);
    }
    if (r == 0 && s->kind == SQL_STATEMENT_CREATE_MATERIALIZED && s->table)
        r = database_keep(run->db, s->table, NULL, &run->error);
    if (r < 0)
        return r;
    snprintf(run->tag, sizeof run->tag, "%s", tag_of(s));
    if (s->kind == SQL_STATEMENT_CREATE_TABLE_AS && s->table && !s->with_no_data)
        return begin_fill(run);
    return RUN_DONE;
}

static int define_step(struct database_run *run) {
    struct defining *d = run->work;
    struct database *db = run->db;
    if (d->made) {
        definition_over(db);
        return make(run, d);
    }
    if (d->sent || (db->defining && db->defining != d))
        return RUN_WAIT;
    db->defining = d; /* from now on no transaction sets off; those on their way come first */
    if (!list_empty(&db->flight))
        return RUN_WAIT;
    /* The one before may have changed what this one was bound to. */
    int r = statement_bind(run->statement, &run->error);
    if (r == 0)
        r = database_judge(db, &run->statement->bound, &run->error);
    return r < 0 ? r : store(run, d);
}

int define_start(struct database_run *run) {
    struct database_session *s = run->session;
    if (s->block)
        return sql_fail(&run->error, "25001", "definitions cannot run inside a transaction block");
    if (s->transaction->read_only)
        return sql_fail(&run->error, "25006", "cannot define anything in a read-only transaction");
    if (transaction_has_changes(s->transaction))
        return sql_fail(&run->error, "25001",
                        "a definition cannot follow changes of rows in one message: send it alone");
    struct defining *d = mem_zalloc(1, sizeof *d);
    if (!d)
        return sql_fail_memory(&run->error);
    d->db = run->db;
    d->run = run;
    run->work = d;
    run->close = close_defining;
    run->step = define_step;
    run->defines = true;
    return 0;
}
