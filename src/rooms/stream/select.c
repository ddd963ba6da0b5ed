/*
 * select.c - statements that answer with rows and change nothing: SELECT, COPY TO, EXPLAIN, SHOW.
 *
 * The rows of a query are given as they come (query.h); those of EXPLAIN and SHOW are lines of
 * text, made at once.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

static int select_step(struct database_run *run) {
    int next = query_step(run->work);
    if (next == RUN_DONE) {
        bool copies = run->statement->bound.kind == SQL_STATEMENT_COPY_TO;
        snprintf(run->tag, sizeof run->tag, "%s %llu", copies ? "COPY" : "SELECT",
                 (unsigned long long)query_rows(run->work));
    }
    return next;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* TEXT's lines, each a row of COLUMNS texts that tabs part. */
static int give_lines(struct database_run *run, slice text, unsigned columns) {
    struct sql_builder b;
    if (sql_builder_make(columns, &b) < 0)
        return sql_fail_memory(&run->error);
    while (text.len) {
        slice line = slice_cut(text, '\n', &text);
        for (unsigned c = 0; c < columns; c++) {
            union sql_cell cell;
            cell.text = c + 1 < columns ? slice_cut(line, '\t', &line) : line;
            sql_builder_set(&b, c, &cell, false);
        }
        sql_builder_end(&b, 1);
        if (sql_builder_full(&b) || !text.len) {
            struct sql_batch batch = sql_builder_batch(&b);
            (void)run_rows(run, &batch);
            sql_builder_reset(&b);
        }
    }
    run->paused = false; /* it is over: there is nothing to resume */
    sql_builder_free(&b);
    return RUN_DONE;
}

static int explain_step(struct database_run *run) {
    const struct sql_statement *inner = run->statement->bound.inner;
    _cleanup_buf_ struct buf text = buf_make(4u << 20);
    if (run->statement->bound.analyze)
        return sql_fail(&run->error, "0A000", "EXPLAIN ANALYZE is not supported");
    if (!inner->query.plan)
        return sql_fail(&run->error, "0A000", "EXPLAIN is for queries and changes of rows");
    if (sql_plan_text(&inner->query, &text) < 0)
        return sql_fail_memory(&run->error);
    (void)snprintf(run->tag, sizeof run->tag, "EXPLAIN");
    return give_lines(run, slice_trim(buf_slice(&text)), 1);
}

static int show_step(struct database_run *run) {
    slice name = run->statement->bound.name;
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    bool all = slice_equal(name, slice_lit("all"));
    const char *each;
    int r = 0;
    for (unsigned i = 0; all && r == 0 && (each = settings_name(i)); i++)
        r = buf_printf(&text, "%s\t%.*s\n", each,
                       slice_fmt(settings_get(run->session, slice_str(each))));
    slice value = all ? slice_lit("") : settings_get(run->session, name);
    if (!all && !value.ptr)
        return sql_fail(&run->error, "42704", "unrecognized configuration parameter \"%.*s\"",
                        slice_fmt(name));
    if (r == 0 && !all)
        r = buf_printf(&text, "%.*s\n", slice_fmt(value));
    if (r < 0)
        return sql_fail_memory(&run->error);
    (void)snprintf(run->tag, sizeof run->tag, "SHOW");
    return give_lines(run, buf_slice(&text), all ? 2 : 1);
}

int select_start(struct database_run *run) {
    enum sql_statement_kind kind = run->statement->bound.kind;
    if (kind == SQL_STATEMENT_EXPLAIN || kind == SQL_STATEMENT_SHOW) {
        run->step = kind == SQL_STATEMENT_SHOW ? show_step : explain_step;
        return 0;
    }
    const struct query_options options = {
        .run = run, .query = &run->statement->bound.query, .rows = run_rows};
    struct query *q;
    int r = query_new(&options, &q, &run->error);
    if (r < 0)
        return r;
    run->work = q;
    run->close = query_close;
    run->step = select_step;
    return 0;
}
