/*
 * change.c - INSERT, UPDATE, DELETE, TRUNCATE, COPY FROM: rows for a table, judged, into the
 * transaction.
 *
 *   query's rows, all of them gathered first ──> take the old away ──> judge and put the new
 *                                                                        └──> RETURNING's query
 *
 * All rows are found before the first is changed, so that a statement never meets its own work. The
 * old ones go before the new ones come, so that keys may change places. NOT NULL and CHECK are
 * judged on the whole new row.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"
#include "rooms/stream/transaction.h"
#include "sql/exec/evaluate.h"

#include <errno.h>
#include <stdio.h>

enum phase { PHASE_FIND, PHASE_TAKE, PHASE_PUT, PHASE_RETURN, PHASE_COPY, PHASE_END };

struct work {
    enum phase phase;
    struct query *find, *returning;
    struct stored *stored;
    uint64_t count;
    struct sql_environment environment;
    struct sql_evaluator **checks; /* one a check of the table */
    unsigned check_count;
    struct sql_evaluator **filled; /* COPY: one a column: its default, or what generates it */
    struct relation_scan scan;
    bool scanning;
    int failed;   /* of COPY */
    uint64_t own; /* rows of this statement have ids from here on */
};

static void close_work(struct database_run *run) {
    struct work *w = run->work;
    if (!w)
        return;
    query_free(w->find);
    query_free(w->returning);
    for (unsigned i = 0; w->checks && i < w->check_count; i++)
        sql_evaluator_free(w->checks[i]);
    for (unsigned i = 0; w->filled && i < w->stored->table->columns; i++)
        sql_evaluator_free(w->filled[i]);
    if (w->scanning)
        relation_scan_end(&w->scan);
    run->work = NULL; /* lies in the run's memory */
}

/* --- judging rows ------------------------------------------------------------------------------
 */

/* "Failing row contains (1, null)." */
static void tell_row(struct database_run *run, const struct sql_table *t,
                     const struct sql_batch *batch, unsigned row) {
    _cleanup_buf_ struct buf text = buf_make(4096);
    int r = 0;
    for (unsigned c = 0; r == 0 && c < t->columns; c++) {
        if (c)
            r = buf_append(&text, slice_lit(", "));
        if (r == 0 && sql_null_at(&batch->column[c], row))
            r = buf_append(&text, slice_lit("null"));
        else if (r == 0)
            r = sql_value_out(t->column[c].type, sql_cell_at(&batch->column[c], row),
                              &run->session->settings, &text);
    }
    sql_error_detail(&run->error, "Failing row contains (%.*s%s).",
                     (int)(text.len > 180 ? 180 : text.len), text.ptr ? text.ptr : "",
                     text.len > 180 || r < 0 ? "…" : "");
}

static int judge_nulls(struct database_run *run, const struct sql_table *t,
                       const struct sql_batch *batch) {
    for (unsigned row = 0; row < batch->rows; row++)
        for (unsigned c = 0; c < t->columns; c++)
            if (t->column[c].not_null && !t->column[c].dropped &&
                sql_null_at(&batch->column[c], row)) {
                (void)sql_fail(&run->error, "23502",
                               "null value in column \"%.*s\" of relation \"%.*s\" violates "
                               "not-null constraint",
                               slice_fmt(t->column[c].name), slice_fmt(t->name));
                tell_row(run, t, batch, row);
                return -EINVAL;
            }
    return 0;
}

static int judge_checks(struct database_run *run, struct work *w, const struct sql_batch *batch) {
    const struct sql_table *t = w->stored->table;
    for (unsigned i = 0; i < w->check_count; i++) {
        _cleanup_arena_ struct arena memory = arena_make(0, run->db->limits.run_bytes);
        struct sql_column result;
        int r = sql_evaluate(w->checks[i], batch, &memory, &result, &run->error);
        if (r < 0)
            return r;
        for (unsigned row = 0; row < batch->rows; row++)
            if (!sql_null_at(&result, row) && !sql_cell_at(&result, row)->i) {
                (void)sql_fail(&run->error, "23514",
                               "new row for relation \"%.*s\" violates check constraint \"%.*s\"",
                               slice_fmt(t->name), slice_fmt(t->check[i].name));
                tell_row(run, t, batch, row);
                return -EINVAL;
            }
    }
    return 0;
}

static int make_checks(struct database_run *run, struct work *w) {
    const struct sql_table *t = w->stored->table;
    const struct sql_bind_options options = {.catalog = session_catalog(run->session),
                                             .settings = &run->session->settings,
                                             .memory = &run->memory};
    w->checks = arena_zalloc(&run->memory, t->checks + 1u, sizeof *w->checks);
    if (!w->checks)
        return sql_fail_memory(&run->error);
    for (unsigned i = 0; i < t->checks; i++) {
        struct sql_expr *e;
        int r = sql_bind_expression(t->check[i].text, t, &options, &e, &run->error);
        if (r == 0)
            r = sql_evaluator_new(e, &w->environment, &w->checks[i], &run->error);
        if (r < 0)
            return r;
        w->check_count++;
    }
    return 0;
}

static int64_t identity_max(struct sql_type type) {
    return type.oid == SQL_INT2 ? INT16_MAX : (type.oid == SQL_INT4 ? INT32_MAX : INT64_MAX);
}

/* An identity that was not given is the next number. */
static int fill_identity(struct database_run *run, struct work *w, struct sql_builder *b) {
    const struct sql_table *t = w->stored->table;
    for (unsigned c = 0; c < t->columns; c++) {
        const int64_t max = identity_max(t->column[c].type);
        if (t->column[c].generated != SQL_IDENTITY &&
            t->column[c].generated != SQL_IDENTITY_BY_DEFAULT)
            continue;
        for (unsigned row = 0; row < b->rows; row++) {
            if (!b->nulls[c][row])
                continue;
            if (w->stored->next_identity > max)
                return sql_fail(&run->error, "2200H",
                                "nextval: reached maximum value of sequence \"%.*s_%.*s_seq\" "
                                "(%lld)",
                                slice_fmt(t->name), slice_fmt(t->column[c].name), (long long)max);
            b->cells[c][row].i = w->stored->next_identity++;
            b->nulls[c][row] = 0;
        }
    }
    return 0;
}

/* --- putting rows --------------------------------------------------------------------------------
 */

static int put_rows(struct database_run *run, struct work *w, const struct sql_batch *batch) {
    int r = judge_nulls(run, w->stored->table, batch);
    if (r == 0)
        r = judge_checks(run, w, batch);
    if (r == 0)
        r = transaction_insert(run->session->transaction, w->stored, batch, &run->error);
    if (r == 0 && w->returning)
        r = query_feed(w->returning, batch, &run->error);
    if (r == 0)
        w->count += batch->rows;
    return r;
}

/* The row that is in the way is changed as DO UPDATE says. 1: it was; 0: WHERE says no. */
static int update_other(struct database_run *run, struct work *w, const struct sql_batch *proposed,
                        unsigned row, int64_t id) {
    const struct sql_statement *s = &run->statement->bound;
    unsigned columns = w->stored->table->columns;
    struct sql_builder old, new;
    if (id < 0 && (uint64_t)-id >= w->own) {
        (void)sql_fail(&run->error, "21000",
                       "ON CONFLICT DO UPDATE command cannot affect row a second time");
        sql_error_hint(&run->error, "Ensure that no rows proposed for insertion within the same "
                                    "command have duplicate constrained values.");
        return -EINVAL;
    }
    if (sql_builder_make(columns * 2, &old) < 0)
        return sql_fail_memory(&run->error);
    if (sql_builder_make(columns, &new) < 0) {
        sql_builder_free(&old);
        return sql_fail_memory(&run->error);
    }
    for (unsigned i = 0; i < columns; i++)
        sql_builder_set(&old, columns + i, sql_cell_at(&proposed->column[i], row),
                        sql_null_at(&proposed->column[i], row));
    int r = transaction_read(run->session->transaction, w->stored, id, NULL, columns, &old);
    struct sql_batch both = sql_builder_batch(&old);
    bool applies = r == 0;
    struct sql_column value;
    struct sql_evaluator *v = NULL;
    if (r == 0 && s->conflict_where) {
        r = sql_evaluator_new(s->conflict_where, &w->environment, &v, &run->error);
        if (r == 0)
            r = sql_evaluate(v, &both, &old.memory, &value, &run->error);
        applies = r == 0 && !sql_null_at(&value, 0) && sql_cell_at(&value, 0)->i;
        v = sql_evaluator_free(v);
    }
    for (unsigned i = 0; applies && r == 0 && i < columns; i++) {
        if (!s->conflict_set[i]) {
            sql_builder_set(&new, i, sql_cell_at(&both.column[i], 0),
                            sql_null_at(&both.column[i], 0));
            continue;
        }
        r = sql_evaluator_new(s->conflict_set[i], &w->environment, &v, &run->error);
        if (r == 0)
            r = sql_evaluate(v, &both, &new.memory, &value, &run->error);
        if (r == 0)
            sql_builder_set(&new, i, sql_cell_at(&value, 0), sql_null_at(&value, 0));
        v = sql_evaluator_free(v);
    }
    if (r == 0 && applies) {
        sql_builder_end(&new, 1);
        r = transaction_delete(run->session->transaction, w->stored, id, &run->error);
        struct sql_batch batch = sql_builder_batch(&new);
        r = r < 0 ? r : put_rows(run, w, &batch);
    }
    sql_builder_free(&old);
    sql_builder_free(&new);
    return r < 0 ? r : applies;
}

/* ON CONFLICT: row by row, for each may be in the way of the next. */
static int put_unless(struct database_run *run, struct work *w, const struct sql_batch *batch) {
    const struct sql_statement *s = &run->statement->bound;
    struct transaction *t = run->session->transaction;
    struct sql_column columns[SQL_COLUMNS_MAX];
    for (unsigned row = 0; row < batch->rows; row++) {
        int64_t id = transaction_conflict(t, w->stored, batch, row,
                                          s->conflict_index ? s->conflict_index->oid : 0);
        int r = 0;
        if (id == 0) {
            for (unsigned c = 0; c < batch->columns; c++)
                columns[c] = (struct sql_column){
                    sql_cell_at(&batch->column[c], row),
                    batch->column[c].nulls ? &batch->column[c].nulls[row] : NULL, 1};
            const struct sql_batch one = {1, batch->columns, columns, NULL};
            r = put_rows(run, w, &one);
        } else if (s->conflict == SQL_CONFLICT_UPDATE) {
            r = update_other(run, w, batch, row, id);
        } else if (id > 0 && transaction_is_fixed(t) &&
                   relation_judge(w->stored->rows, (uint64_t)id, t->snapshot) == -ENOENT) {
            r = fail_changed_row(&run->error); /* it would be neither put nor seen */
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- steps
 * ---------------------------------------------------------------------------------------- */

/* A batch of what was found, its columns as bind.h says. RUN_AGAIN, RUN_DONE at the end, < 0. */
static int take_step(struct database_run *run, struct work *w, const struct sql_batch *batch) {
    bool deletes = run->statement->bound.kind == SQL_STATEMENT_DELETE;
    uint8_t gone[SQL_BATCH_ROWS];
    for (unsigned row = 0; row < batch->rows; row++) {
        int64_t id = sql_cell_at(&batch->column[0], row)->i;
        int r = transaction_delete(run->session->transaction, w->stored, id, &run->error);
        if (r < 0)
            return r;
        gone[row] = r == 1; /* UPDATE … FROM found it twice: once is enough */
        w->count += deletes && r == 0;
    }
    if (!deletes || !w->returning)
        return 0;
    for (unsigned row = 0; row < batch->rows; row++)
        if (gone[row])
            return 0; /* told before */
    const struct sql_batch old = {batch->rows, batch->columns - 1, batch->column + 1, NULL};
    return query_feed(w->returning, &old, &run->error);
}

static int put_step(struct database_run *run, struct work *w, struct sql_builder *b) {
    enum sql_statement_kind kind = run->statement->bound.kind;
    unsigned columns = w->stored->table->columns;
    struct sql_batch batch = sql_builder_batch(b);
    if (kind == SQL_STATEMENT_UPDATE) {
        const struct sql_batch new = {batch.rows, columns, batch.column + 1 + columns, NULL};
        return put_rows(run, w, &new);
    }
    int r = fill_identity(run, w, b);
    if (r < 0)
        return r;
    return run->statement->bound.conflict == SQL_CONFLICT_ERROR ? put_rows(run, w, &batch)
                                                                : put_unless(run, w, &batch);
}

/* What was found, once from its beginning to its end, a batch a call. */
static int walk_found(struct database_run *run, struct work *w) {
    const struct sql_plan *plan = run->statement->bound.query.plan;
    struct sql_builder b;
    if (!w->scanning)
        relation_scan_all(query_gathered(w->find), 1, &w->scan);
    w->scanning = true;
    if (sql_builder_make(plan->columns, &b) < 0)
        return sql_fail_memory(&run->error);
    int n = relation_scan_next(&w->scan, NULL, plan->columns, &b);
    struct sql_batch batch = sql_builder_batch(&b);
    int r = n < 0 ? sql_fail_memory(&run->error) : 0;
    if (n > 0)
        r = w->phase == PHASE_TAKE ? take_step(run, w, &batch) : put_step(run, w, &b);
    sql_builder_free(&b);
    if (r < 0)
        return r;
    if (n == 0) {
        relation_scan_end(&w->scan);
        w->scanning = false;
    }
    return n == 0 ? RUN_DONE : RUN_AGAIN;
}

static void set_tag(struct database_run *run, const struct work *w) {
    static const char *const words[] = {[SQL_STATEMENT_INSERT] = "INSERT 0",
                                        [SQL_STATEMENT_UPDATE] = "UPDATE",
                                        [SQL_STATEMENT_DELETE] = "DELETE",
                                        [SQL_STATEMENT_COPY_FROM] = "COPY"};
    snprintf(run->tag, sizeof run->tag, "%s %llu", words[run->statement->bound.kind],
             (unsigned long long)w->count);
}

static int change_step(struct database_run *run) {
    struct work *w = run->work;
    enum sql_statement_kind kind = run->statement->bound.kind;
    int next = RUN_AGAIN;
    if (!w->stored->rows)
        return fail_changed_table(w->stored->table, &run->error);
    switch (w->phase) {
    case PHASE_FIND:
        next = query_step(w->find);
        if (next == RUN_DONE)
            w->phase = kind == SQL_STATEMENT_INSERT ? PHASE_PUT : PHASE_TAKE;
        break;
    case PHASE_TAKE:
        next = walk_found(run, w);
        if (next == RUN_DONE)
            w->phase = kind == SQL_STATEMENT_UPDATE ? PHASE_PUT : PHASE_RETURN;
        break;
    case PHASE_PUT:
        next = walk_found(run, w);
        if (next == RUN_DONE)
            w->phase = PHASE_RETURN;
        break;
    case PHASE_RETURN:
        next = w->returning ? query_step(w->returning) : RUN_DONE;
        if (next == RUN_DONE)
            w->phase = PHASE_END;
        break;
    case PHASE_COPY:
        return w->failed < 0 ? w->failed : RUN_WAIT;
    case PHASE_END:
        set_tag(run, w);
        return RUN_DONE;
    }
    return next == RUN_DONE ? RUN_AGAIN : next;
}

/* --- COPY FROM -----------------------------------------------------------------------------------
 */

/* What columns get that are not copied: their default, or nothing. */
static int make_filled(struct database_run *run, struct work *w) {
    const struct sql_statement *s = &run->statement->bound;
    const struct sql_table *t = w->stored->table;
    const struct sql_bind_options options = {.catalog = session_catalog(run->session),
                                             .settings = &run->session->settings,
                                             .memory = &run->memory};
    w->filled = arena_zalloc(&run->memory, t->columns + 1u, sizeof *w->filled);
    if (!w->filled)
        return sql_fail_memory(&run->error);
    for (unsigned c = 0; c < t->columns; c++) {
        bool copied = false;
        for (unsigned i = 0; i < s->copy_count; i++)
            copied |= s->copy_columns[i] == c;
        if (copied || !t->column[c].default_text.ptr)
            continue;
        bool generated = t->column[c].generated == SQL_STORED_EXPRESSION;
        struct sql_expr *e;
        int r = sql_bind_expression_as(t->column[c].default_text, generated ? t : NULL,
                                       t->column[c].type, &options, &e, &run->error);
        if (r == 0)
            r = sql_evaluator_new(e, &w->environment, &w->filled[c], &run->error);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Copied columns in their places, the others filled: plain defaults first, for what is generated is
   computed of them. */
static int fill_columns(struct database_run *run, struct work *w, const struct sql_batch *copied,
                        struct sql_builder *b) {
    const struct sql_statement *s = &run->statement->bound;
    const struct sql_table *t = w->stored->table;
    for (unsigned row = 0; row < copied->rows; row++) {
        for (unsigned c = 0; c < t->columns; c++)
            sql_builder_set(b, c, NULL, true);
        for (unsigned i = 0; i < s->copy_count; i++)
            sql_builder_set(b, s->copy_columns[i], sql_cell_at(&copied->column[i], row),
                            sql_null_at(&copied->column[i], row));
        sql_builder_end(b, 1);
    }
    int filled = fill_identity(run, w, b);
    for (unsigned pass = 0; filled == 0 && pass < 2; pass++)
        for (unsigned c = 0; c < t->columns; c++) {
            bool generated = t->column[c].generated == SQL_STORED_EXPRESSION;
            if (!w->filled[c] || generated != (pass == 1))
                continue;
            struct sql_column value;
            struct sql_batch batch = sql_builder_batch(b);
            int r = sql_evaluate(w->filled[c], &batch, &b->memory, &value, &run->error);
            if (r < 0)
                return r;
            for (unsigned row = 0; row < b->rows; row++) {
                b->nulls[c][row] = sql_null_at(&value, row);
                b->cells[c][row] = *sql_cell_at(&value, row);
            }
        }
    return filled;
}

int database_run_copy(struct database_run *run, const struct sql_batch *batch) {
    struct work *w = run->work;
    struct sql_builder b;
    if (run->ending || w->failed < 0)
        return -EINVAL;
    if (!w->stored->rows) {
        w->failed = fail_changed_table(w->stored->table, &run->error);
    } else if (sql_builder_make(w->stored->table->columns, &b) < 0) {
        w->failed = sql_fail_memory(&run->error);
    } else {
        w->failed = fill_columns(run, w, batch, &b);
        if (w->failed == 0) {
            struct sql_batch full = sql_builder_batch(&b);
            w->failed = put_rows(run, w, &full);
        }
        sql_builder_free(&b);
    }
    if (w->failed < 0)
        run_wake(run);
    return w->failed;
}

void database_run_copy_end(struct database_run *run, const struct sql_error *failed) {
    struct work *w = run->work;
    if (run->ending)
        return;
    if (failed && w->failed == 0) {
        run->error = *failed;
        w->failed = -EINVAL;
    }
    if (w->failed == 0)
        w->phase = PHASE_END;
    run_wake(run);
}

static int copy_begin_step(struct database_run *run) {
    run->step = change_step;
    run->sink.copy_in(run->sink.owner);
    return RUN_WAIT;
}

/* --- beginnings
 * ----------------------------------------------------------------------------------- */

static int judge_table(struct database_run *run, const struct sql_table *t) {
    enum sql_statement_kind kind = run->statement->bound.kind;
    if (t->kind != SQL_TABLE_STORED)
        return sql_fail(&run->error, "42809", "cannot change \"%.*s\": it is not a stored table",
                        slice_fmt(t->name));
    if (t->append_only && (kind == SQL_STATEMENT_UPDATE || kind == SQL_STATEMENT_DELETE))
        return sql_fail(&run->error, "42809", "table \"%.*s\" is append only", slice_fmt(t->name));
    if (run->session->transaction->read_only)
        return sql_fail(&run->error, "25006", "cannot change rows in a read-only transaction");
    return 0;
}

static int start_queries(struct database_run *run, struct work *w) {
    const struct sql_statement *s = &run->statement->bound;
    int r = 0;
    if (s->kind != SQL_STATEMENT_COPY_FROM) {
        const struct query_options find = {.run = run, .query = &s->query};
        r = query_new(&find, &w->find, &run->error);
    }
    if (r == 0 && s->returning) {
        const struct query_options returning = {
            .run = run, .query = s->returning, .rows = run_rows, .fed = true};
        r = query_new(&returning, &w->returning, &run->error);
    }
    return r;
}

int change_start(struct database_run *run) {
    const struct sql_statement *s = &run->statement->bound;
    int r = judge_table(run, s->table);
    if (r < 0)
        return r;
    struct work *w = arena_zalloc(&run->memory, 1, sizeof *w);
    if (!w)
        return sql_fail_memory(&run->error);
    w->stored = stored_of(s->table);
    const struct change *change = transaction_find(run->session->transaction, s->table);
    w->own = change ? relation_next_id(change->added) : 1;
    w->environment = (struct sql_environment){&run->session->settings, run->parameters, run->nulls};
    run->work = w;
    run->close = close_work;
    run->step = change_step;
    r = start_queries(run, w);
    if (r == 0)
        r = make_checks(run, w);
    if (r == 0 && s->kind == SQL_STATEMENT_COPY_FROM) {
        w->phase = PHASE_COPY;
        run->step = copy_begin_step;
        r = run->sink.copy_in ? make_filled(run, w)
                              : sql_fail(&run->error, "0A000", "COPY FROM is not possible here");
    }
    return r;
}

/* --- TRUNCATE
 * --------------------------------------------------------------------------------------- */

static int truncate_one(struct database_run *run, struct stored *stored, bool *ret_end) {
    static const unsigned which[] = {SQL_SCAN_ROW_ID};
    struct relation_scan scan;
    struct sql_builder b;
    struct transaction *t = run->session->transaction;
    struct change *change = transaction_find(t, stored->table);
    if (sql_builder_make(1, &b) < 0)
        return sql_fail_memory(&run->error);
    int r = 0;
    *ret_end = true;
    for (unsigned own = 0; r == 0 && own < 2; own++) {
        if (own && !change)
            break;
        sql_builder_reset(&b);
        relation_scan_all(own ? change->added : stored->rows, own ? 1 : t->snapshot, &scan);
        scan.hidden = !own && change ? &change->deleted : NULL;
        int n = relation_scan_next(&scan, which, 1, &b);
        relation_scan_end(&scan);
        for (int i = 0; r >= 0 && i < n; i++)
            r = transaction_delete(t, stored, own ? -b.cells[0][i].i : b.cells[0][i].i,
                                   &run->error);
        r = r > 0 ? 0 : r;
        *ret_end &= n == 0;
        change = transaction_find(t, stored->table);
    }
    sql_builder_free(&b);
    return r;
}

static int truncate_step(struct database_run *run) {
    const struct sql_statement *s = &run->statement->bound;
    for (unsigned i = 0; i < s->names; i++) {
        struct sql_table *t = sql_catalog_table(session_catalog(run->session), s->name_list[i][0],
                                                s->name_list[i][1]);
        bool end = false;
        int r = t ? judge_table(run, t)
                  : sql_fail(&run->error, "42P01", "relation \"%.*s\" does not exist",
                             slice_fmt(s->name_list[i][1]));
        if (r == 0)
            r = truncate_one(run, stored_of(t), &end);
        if (r < 0)
            return r;
        if (!end)
            return RUN_AGAIN;
    }
    snprintf(run->tag, sizeof run->tag, "TRUNCATE TABLE");
    return RUN_DONE;
}

int truncate_start(struct database_run *run) {
    run->step = truncate_step;
    return 0;
}
