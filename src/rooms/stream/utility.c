/*
 * utility.c - statements about the session: settings, transaction blocks, cursors, prepared
 * statements; FLUSH.
 *
 * COMMIT is answered when the transaction is on disk. What would have no effect gives the warning
 * PostgreSQL gives.
 */
#include "rooms/stream/transaction.h"

#include "base/mem.h"
#include "sql/exec/evaluate.h"

#include <errno.h>
#include <stdio.h>

static int done(struct database_run *run, const char *tag) {
    snprintf(run->tag, sizeof run->tag, "%s", tag);
    return RUN_DONE;
}

static void warn(struct database_run *run, const char *state, const char *words) {
    struct sql_error notice;
    (void)sql_fail(&notice, state, "%s", words);
    session_notice(run->session, &notice);
}

/* --- settings ------------------------------------------------------------------------------- */

/* Of BEGIN, SET TRANSACTION. */
static int apply_option(struct database_session *s, const struct sql_option *o,
                        struct sql_error *error) {
    struct transaction *t = s->transaction;
    int r = settings_set(s, o->name, o->value, false, true, error);
    slice value = settings_get(s, o->name); /* as it is spelled */
    if (r < 0)
        return r;
    if (slice_equal(o->name, slice_lit("transaction_isolation")))
        t->repeatable |= slice_equal(value, slice_lit("repeatable read"));
    else if (slice_equal(o->name, slice_lit("transaction_read_only")))
        t->read_only = slice_equal(value, slice_lit("on"));
    return 0;
}

static int apply_options(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < b->options; i++)
        r = apply_option(run->session, &b->option[i], &run->error);
    return r;
}

static int set_characteristics(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    for (unsigned i = 0; i < b->options; i++) {
        char name[64];
        snprintf(name, sizeof name, "default_%.*s", slice_fmt(b->option[i].name));
        int r = settings_set(run->session, slice_str(name), b->option[i].value, false, false,
                             &run->error);
        if (r < 0)
            return r;
    }
    return done(run, "SET");
}

static int set_step(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    struct database_session *s = run->session;
    if (!b->name.ptr) {
        return settings_reset_all(s, &run->error) < 0 ? -EINVAL : done(run, "RESET");
    }
    if (b->options && !b->local)
        return set_characteristics(run);
    if (b->options) {
        int r = apply_options(run);
        return r < 0 ? r : done(run, "SET");
    }
    if (b->local && !s->block && !s->implicit)
        warn(run, "25P01", "SET LOCAL can only be used in transaction blocks");
    if (b->value.ptr && (slice_equal(b->name, slice_lit("transaction_isolation")) ||
                         slice_equal(b->name, slice_lit("transaction_read_only")))) {
        const struct sql_option o = {b->name, b->value};
        int r = apply_option(s, &o, &run->error);
        return r < 0 ? r : done(run, "SET");
    }
    if (b->value.len && slice_equal_nocase(b->name, slice_lit("min_position")) &&
        transaction_is_fixed(s->transaction))
        return sql_fail(&run->error, "25001",
                        "SET min_position must come before any query of a "
                        "REPEATABLE READ transaction");
    int r = settings_set(s, b->name, b->value, !b->value.ptr, b->local, &run->error);
    return r < 0 ? r : done(run, b->value.ptr ? "SET" : "RESET");
}

/* --- transaction blocks ------------------------------------------------------------------------
 */

static int begin_step(struct database_run *run) {
    struct database_session *s = run->session;
    if (s->block)
        warn(run, "25001", "there is already a transaction in progress");
    s->block = true;
    int r = apply_options(run);
    return r < 0 ? r : done(run, "BEGIN");
}

static void on_committed(void *self, const struct sql_error *error) {
    struct database_run *run = self;
    run->commit = NULL;
    settings_end_transaction(run->session, !error);
    if (error)
        run->error = *error;
    run->committed = true;
    run_wake(run);
}

static int committed_step(struct database_run *run) {
    if (!run->committed)
        return RUN_WAIT;
    return run->error.state[0] ? -EINVAL : done(run, "COMMIT");
}

static int end_block(struct database_run *run, bool commit) {
    struct database_session *s = run->session;
    s->block = s->failed = false;
    int r = session_end_transaction(s, commit, on_committed, run, &run->commit, &run->error);
    if (r <= 0)
        return r < 0 ? r : done(run, commit ? "COMMIT" : "ROLLBACK");
    run->step = committed_step;
    return RUN_WAIT;
}

static int commit_step(struct database_run *run) {
    struct database_session *s = run->session;
    if (!s->block && !s->implicit)
        warn(run, "25P01", "there is no transaction in progress");
    return end_block(run, !s->failed);
}

static int rollback_step(struct database_run *run) {
    if (!run->session->block && !run->session->implicit)
        warn(run, "25P01", "there is no transaction in progress");
    return end_block(run, false);
}

static int savepoint_step(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    struct database_session *s = run->session;
    static const char *const words[] = {[SQL_STATEMENT_SAVEPOINT] = "SAVEPOINT",
                                        [SQL_STATEMENT_RELEASE] = "RELEASE SAVEPOINT",
                                        [SQL_STATEMENT_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT"};
    if (!s->block)
        return sql_fail(&run->error, "25P01", "%s can only be used in transaction blocks",
                        words[b->kind]);
    struct transaction *t = s->transaction;
    int r =
        b->kind == SQL_STATEMENT_SAVEPOINT
            ? transaction_savepoint(t, b->name, &run->error)
            : transaction_rollback_to(t, b->name, b->kind == SQL_STATEMENT_RELEASE, &run->error);
    if (r < 0)
        return r;
    if (b->kind == SQL_STATEMENT_SAVEPOINT)
        t->savepoints[t->savepoint_count - 1].settings = settings_savepoint(s);
    else if (b->kind == SQL_STATEMENT_RELEASE)
        settings_release(s, transaction_mark(t));
    else
        settings_rollback_to(s, transaction_mark(t));
    if (b->kind == SQL_STATEMENT_ROLLBACK_TO)
        s->failed = false;
    s->settings.catalog = session_catalog(s);
    return done(run, b->kind == SQL_STATEMENT_SAVEPOINT
                         ? "SAVEPOINT"
                         : (b->kind == SQL_STATEMENT_RELEASE ? "RELEASE" : "ROLLBACK"));
}

/* --- cursors and prepared statements
 * -------------------------------------------------------------- */

static int close_step(struct database_run *run) {
    slice name = run->statement->bound.name;
    if (cursor_close(run->session, name) < 0)
        return sql_fail(&run->error, "34000", "cursor \"%.*s\" does not exist", slice_fmt(name));
    return done(run, name.ptr ? "CLOSE CURSOR" : "CLOSE CURSOR ALL");
}

static int prepare_step(struct database_run *run) {
    struct database_statement *inner = statement_inner(run->statement, &run->error);
    if (!inner)
        return -EINVAL;
    int r = prepared_add(run->session, run->statement->bound.name, inner, &run->error);
    return r < 0 ? r : done(run, "PREPARE");
}

/* A value of EXECUTE as the parameter's type reads its text. */
static int execute_value(struct database_run *run, const struct sql_expr *value,
                         struct sql_type type, union sql_cell *ret, uint8_t *ret_null) {
    const struct sql_environment environment = {&run->session->settings, NULL, NULL};
    bool null;
    union sql_cell cell;
    int r = sql_evaluate_constant(value, &environment, &run->memory, &cell, &null, &run->error);
    *ret_null = null;
    if (r < 0 || null)
        return r;
    _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
    slice copy;
    r = sql_value_out(value->type, &cell, &run->session->settings, &text);
    if (r == 0)
        r = arena_copy(&run->memory, buf_slice(&text), &copy);
    return r < 0
               ? sql_fail_memory(&run->error)
               : sql_value_in(type, copy, &run->session->settings, &run->memory, ret, &run->error);
}

/* RUN goes on as INNER, which it takes unless < 0. */
static int execute_as(struct database_run *run, struct database_statement *inner) {
    const struct sql_statement *b = &run->statement->bound;
    unsigned count = inner->bound.query.parameters;
    if (b->value_count != count)
        return sql_fail(&run->error, "42601",
                        "wrong number of parameters for prepared statement \"%.*s\": it has %u, "
                        "not %u",
                        slice_fmt(b->name), count, b->value_count);
    /* Another may have been prepared under this name since the client was told of columns. */
    if (statement_keeps_columns(inner, run->statement->column, run->statement->columns,
                                &run->error) < 0)
        return -EINVAL;
    union sql_cell *cells = arena_zalloc(&run->memory, count + 1u, sizeof *cells);
    uint8_t *nulls = arena_zalloc(&run->memory, count + 1u, sizeof *nulls);
    if (!cells || !nulls)
        return sql_fail_memory(&run->error);
    for (unsigned i = 0; i < count; i++) {
        int r =
            execute_value(run, b->values[i], inner->bound.query.parameter[i], &cells[i], &nulls[i]);
        if (r < 0)
            return r;
    }
    database_statement_free(run->statement);
    run->statement = inner;
    run->parameters = cells;
    run->nulls = nulls;
    return 0;
}

/* The prepared statement takes this run over, with its values. */
static int execute_step(struct database_run *run) {
    slice name = run->statement->bound.name;
    struct database_statement *prepared = prepared_find(run->session, name);
    if (!prepared)
        return sql_fail(&run->error, "26000", "prepared statement \"%.*s\" does not exist",
                        slice_fmt(name));
    struct database_statement *inner = statement_take(prepared, 1, &run->error);
    if (!inner)
        return -EINVAL;
    int r = execute_as(run, inner);
    if (r < 0) {
        database_statement_free(inner);
        return r;
    }
    r = run_begin(run);
    return r < 0 ? r : RUN_AGAIN;
}

static int deallocate_step(struct database_run *run) {
    slice name = run->statement->bound.name;
    if (prepared_drop(run->session, name) < 0)
        return sql_fail(&run->error, "26000", "prepared statement \"%.*s\" does not exist",
                        slice_fmt(name));
    return done(run, name.ptr ? "DEALLOCATE" : "DEALLOCATE ALL");
}

static int discard_step(struct database_run *run) {
    struct database_session *s = run->session;
    if (s->block && slice_equal(run->statement->bound.name, slice_lit("ALL")))
        return sql_fail(&run->error, "25001", "DISCARD ALL cannot run inside a transaction block");
    if (slice_equal(run->statement->bound.name, slice_lit("ALL"))) {
        (void)cursor_close(s, (slice){NULL, 0});
        (void)prepared_drop(s, (slice){NULL, 0});
        if (settings_reset_all(s, &run->error) < 0)
            return -EINVAL;
    }
    char tag[64];
    snprintf(tag, sizeof tag, "DISCARD %.*s", slice_fmt(run->statement->bound.name));
    return done(run, tag);
}

/* --- FLUSH
 * ------------------------------------------------------------------------------------------ */

struct flush {
    struct database_run *run; /* NULL: it is not waited for any more */
    unsigned waiting;
    uint64_t moment; /* at which all is in; what readers see has to get there, too */
};

static void end_flush(struct flush *f) {
    if (f->waiting == 0 && !f->run)
        mem_free(f);
}

static void on_flushed(void *self, const struct sql_error *failed) {
    struct flush *f = self;
    f->waiting--;
    if (f->run && failed && !f->run->error.state[0])
        f->run->error = *failed;
    if (f->run && f->waiting == 0)
        run_wake(f->run);
    end_flush(f);
}

static void close_flush(struct database_run *run) {
    struct flush *f = run->work;
    f->run = NULL;
    run->work = NULL;
    end_flush(f);
}

static int flushed_step(struct database_run *run) {
    struct flush *f = run->work;
    if (f->waiting)
        return RUN_WAIT;
    if (!f->moment)
        f->moment = run->db->commit;
    run_watch(run, run->db->visible < f->moment && !run->error.state[0]);
    if (run->watches)
        return RUN_WAIT;
    return run->error.state[0] ? -EINVAL : done(run, "FLUSH");
}

static int flush_step(struct database_run *run) {
    struct flush *f = mem_zalloc(1, sizeof *f);
    if (!f)
        return sql_fail_memory(&run->error);
    f->run = run;
    run->work = f;
    run->close = close_flush;
    run->step = flushed_step;
    for (struct list_node *n = list_first(&run->db->views); n; n = list_next(&run->db->views, n))
        f->waiting++;
    for (struct list_node *n = list_first(&run->db->views); n; n = list_next(&run->db->views, n))
        view_wait(container_of(n, struct kept, node)->view, on_flushed, f);
    return RUN_AGAIN;
}

static int nothing_step(struct database_run *run) {
    slice text = run->statement->bound.text;
    if (slice_equal_nocase(slice_take(text, 10), slice_lit("checkpoint")))
        return done(run, "CHECKPOINT");
    if (run->session->block && slice_equal_nocase(slice_take(text, 6), slice_lit("vacuum")))
        return sql_fail(&run->error, "25001", "VACUUM cannot run inside a transaction block");
    return done(run, "VACUUM");
}

int utility_start(struct database_run *run) {
    switch (run->statement->bound.kind) {
    case SQL_STATEMENT_SET:
        run->step = set_step;
        return 0;
    case SQL_STATEMENT_BEGIN:
        run->step = begin_step;
        return 0;
    case SQL_STATEMENT_COMMIT:
        run->step = commit_step;
        return 0;
    case SQL_STATEMENT_ROLLBACK:
        run->step = rollback_step;
        return 0;
    case SQL_STATEMENT_SAVEPOINT:
    case SQL_STATEMENT_RELEASE:
    case SQL_STATEMENT_ROLLBACK_TO:
        run->step = savepoint_step;
        return 0;
    case SQL_STATEMENT_DECLARE:
        return cursor_declare(run);
    case SQL_STATEMENT_FETCH:
        return cursor_fetch(run);
    case SQL_STATEMENT_CLOSE:
        run->step = close_step;
        return 0;
    case SQL_STATEMENT_PREPARE:
        run->step = prepare_step;
        return 0;
    case SQL_STATEMENT_EXECUTE:
        run->step = execute_step;
        return 0;
    case SQL_STATEMENT_DEALLOCATE:
        run->step = deallocate_step;
        return 0;
    case SQL_STATEMENT_DISCARD:
        run->step = discard_step;
        return 0;
    case SQL_STATEMENT_FLUSH:
        run->step = flush_step;
        return 0;
    case SQL_STATEMENT_NOTHING:
        run->step = nothing_step;
        return 0;
    default:
        return sql_fail(&run->error, "0A000", "this statement is not supported");
    }
}
