/*
 * query.c - see query.h. Gathered rows lie in a relation without keys, which takes back what the
 * executor takes back; sorting is of their keys' bytes (row.h), equal ones in the order in which
 * they came.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"
#include "rooms/stream/decode.h"
#include "rooms/stream/transaction.h"
#include "sql/exec/exec.h"

#include <errno.h>
#include <stdlib.h>

#define GATHERED_MOMENT 1u
#define STEP_NS_MAX UINT64_C(5000000000)
#define QUERY_COLUMNS_MAX (2 * SQL_COLUMNS_MAX + 2) /* UPDATE: the row id, old and new columns */

struct sorted {
    slice key;
    uint64_t id;
};

struct query {
    struct database_run *run;
    const struct sql_query *query;
    bool (*rows)(struct database_run *run, const struct sql_batch *batch);
    struct sql_exec *exec;
    bool direct, fed, ended, full;
    unsigned input;
    bool begun; /* input `input` */
    /* The scan under way: of the table, then of the transaction's own rows. */
    struct relation_scan scan;
    bool scanning, own;
    uint64_t generation;
    struct sql_builder builder;
    bool built;
    /* A stream's. */
    struct decoder *decoder;
    struct ledger_read *read;
    uint64_t until;
    bool finding, read_more;
    int failed; /* in a callback */
    uint64_t step_until;
    /* What was gathered. */
    struct relation *gathered;
    struct arena keys;
    struct sorted *order;
    size_t order_count, order_next;
    uint64_t given;
};

static bool plain(const struct sql_plan *p) {
    bool inner =
        p->kind == SQL_PLAN_JOIN && (p->join == SQL_JOIN_INNER || p->join == SQL_JOIN_SEMI);
    bool kind = p->kind == SQL_PLAN_SCAN || p->kind == SQL_PLAN_VALUES ||
                p->kind == SQL_PLAN_FILTER || p->kind == SQL_PLAN_PROJECT ||
                p->kind == SQL_PLAN_UNION || p->kind == SQL_PLAN_SET ||
                p->kind == SQL_PLAN_TUMBLE || (inner && p->join == SQL_JOIN_INNER);
    for (unsigned i = 0; kind && i < p->inputs; i++)
        kind = plain(p->input[i]);
    return kind;
}

/* --- rows that come out ---------------------------------------------------------------------- */

static int gather(struct query *q, const struct sql_batch *batch, struct sql_error *error) {
    struct relation_conflict conflict;
    int r = relation_apply(q->gathered, batch, GATHERED_MOMENT, &conflict);
    if (r == -ENOBUFS) {
        (void)sql_fail(error, "53200", "the answer takes more than %llu bytes",
                       (unsigned long long)q->run->db->limits.run_bytes);
        sql_error_hint(error, "Ask for fewer rows, or raise sql.work_mem in nonet.yaml.");
        return -EINVAL;
    }
    if (r == -ENOENT)
        return sql_fail(error, "XX000", "a row was taken back that had not come");
    return r < 0 ? sql_fail_memory(error) : 0;
}

/* Rows of weight n are n rows. */
static int spread(struct query *q, const struct sql_batch *batch, struct sql_error *error) {
    struct sql_builder b;
    if (sql_builder_make(batch->columns, &b) < 0)
        return sql_fail_memory(error);
    for (unsigned row = 0; row < batch->rows; row++)
        for (int64_t w = batch->weights[row]; w > 0; w--) {
            for (unsigned c = 0; c < batch->columns; c++)
                sql_builder_set(&b, c, sql_cell_at(&batch->column[c], row),
                                sql_null_at(&batch->column[c], row));
            sql_builder_end(&b, 1);
            if (sql_builder_full(&b)) {
                struct sql_batch out = sql_builder_batch(&b);
                q->full |= !q->rows(q->run, &out);
                sql_builder_reset(&b);
            }
        }
    struct sql_batch out = sql_builder_batch(&b);
    if (out.rows)
        q->full |= !q->rows(q->run, &out);
    sql_builder_free(&b);
    return 0;
}

static int on_emit(void *self, const struct sql_batch *batch, struct sql_error *error) {
    struct query *q = self;
    if (!q->direct)
        return gather(q, batch, error);
    if (batch->rows == 0)
        return 0;
    if (batch->weights) {
        for (unsigned row = 0; row < batch->rows; row++) {
            check(batch->weights[row] > 0); /* plain() lets nothing through that takes back */
            q->given += (uint64_t)batch->weights[row];
        }
        return spread(q, batch, error);
    }
    q->given += batch->rows;
    q->full |= !q->rows(q->run, batch);
    return 0;
}

/* --- making and freeing ------------------------------------------------------------------------
 */

/* One step cannot be left and come back to: past this it ends, so that others are served. */
static int on_go_on(void *self, struct sql_error *error) {
    const struct query *q = self;
    if (io_host_clock_ns(io_loop_host(q->run->db->loop)) < q->step_until)
        return 0;
    (void)sql_fail(error, "57014", "canceling statement: one step of it took more than %u seconds",
                   (unsigned)(STEP_NS_MAX / 1000000000u));
    sql_error_hint(error, "Sessions share one loop. Filter before joining, or LIMIT what a "
                          "function in FROM gives.");
    return -EINVAL;
}

int query_new(const struct query_options *options, struct query **ret, struct sql_error *error) {
    struct database_run *run = options->run;
    const struct sql_query *query = options->query;
    if (query->plan->columns > QUERY_COLUMNS_MAX)
        return sql_fail(error, "54011", "a query's rows have at most %u columns",
                        QUERY_COLUMNS_MAX);
    struct query *q = mem_zalloc(1, sizeof *q);
    if (!q)
        return sql_fail_memory(error);
    q->run = run;
    q->query = query;
    q->rows = options->rows;
    q->fed = options->fed;
    q->step_until = UINT64_MAX; /* each step sets it */
    q->direct = options->rows && query->orders == 0 && plain(query->plan);
    q->keys = arena_make(0, run->db->limits.run_bytes);
    const struct sql_exec_options exec = {
        .once = true,
        .memory_max = run->db->limits.run_bytes,
        .settings = &run->session->settings,
        .parameters = run->parameters,
        .parameter_nulls = run->nulls,
        .emit = on_emit,
        .go_on = on_go_on,
        .self = q,
    };
    int r = sql_exec_new(query, &exec, &q->exec, error);
    if (r == 0 && !q->direct) {
        struct sql_type types[QUERY_COLUMNS_MAX];
        for (unsigned i = 0; i < query->plan->columns; i++)
            types[i] = query->plan->column[i].type;
        r = relation_new(types, query->plan->columns, run->db->limits.run_bytes, &q->gathered);
        if (r < 0)
            (void)sql_fail_memory(error);
    }
    if (r < 0) {
        query_free(q);
        return r;
    }
    *ret = q;
    return 0;
}

static void end_scan(struct query *q) {
    if (q->scanning)
        relation_scan_end(&q->scan);
    q->scanning = false;
    if (q->built)
        sql_builder_free(&q->builder);
    q->built = false;
    q->decoder = decoder_free(q->decoder);
    q->read = ledger_read_close(q->read);
}

struct query *query_free(struct query *q) {
    if (!q)
        return NULL;
    end_scan(q);
    if (q->finding)
        ledger_find_cancel(q->run->db->ledger, q);
    sql_exec_free(q->exec);
    relation_free(q->gathered);
    arena_free(&q->keys);
    mem_free(q->order);
    return mem_free(q);
}

void query_close(struct database_run *run) {
    run->work = query_free(run->work);
}

struct relation *query_gathered(struct query *q) {
    return q->gathered;
}

uint64_t query_rows(const struct query *q) {
    return q->given;
}

/* --- tables in memory --------------------------------------------------------------------------
 */

static uint64_t generation_of(const struct sql_table *table) {
    return table->kind == SQL_TABLE_STORED ? stored_of(table)->generation : 0;
}

/* Are all columns of INDEX looked up? VALUES in its order. */
static bool looks_up(const struct sql_plan *scan, const struct sql_table_index *index,
                     const union sql_cell *cells, union sql_cell *ret_values) {
    unsigned found = 0;
    for (unsigned c = 0; c < index->columns; c++)
        for (unsigned k = 0; k < scan->lookups; k++)
            if (scan->lookup_columns[k] == index->column[c]) {
                ret_values[c] = cells[k];
                found++;
                break;
            }
    return found == index->columns;
}

/* An index of the table all of whose columns are looked up, or NULL. */
static const struct sql_table_index *
lookup_index(const struct sql_plan *scan, const union sql_cell *cells, union sql_cell *ret_values) {
    const struct sql_table *t = scan->table;
    for (unsigned i = 0; i < t->indexes; i++)
        if (looks_up(scan, &t->index[i], cells, ret_values))
            return &t->index[i];
    return t->key && looks_up(scan, t->key, cells, ret_values) ? t->key : NULL;
}

static int open_relation(struct query *q, const struct sql_plan *scan, struct relation *rows,
                         uint64_t moment) {
    union sql_cell cells[QUERY_COLUMNS_MAX], values[QUERY_COLUMNS_MAX];
    uint8_t nulls[QUERY_COLUMNS_MAX];
    const struct sql_table_index *index = NULL;
    if (scan->lookups) {
        int r = sql_exec_lookup(q->exec, q->input, cells, nulls, &q->run->error);
        if (r < 0)
            return r;
        for (unsigned i = 0; i < scan->lookups; i++)
            if (nulls[i]) { /* = NULL is true for no row */
                relation_scan_all(rows, 0, &q->scan);
                q->scanning = true;
                return 0;
            }
        index = lookup_index(scan, cells, values);
    }
    int r = -ENOENT;
    if (index)
        r = relation_scan_key(rows, moment, index->column, index->columns, values, &q->scan);
    if (r == -ENOENT) {
        relation_scan_all(rows, moment, &q->scan);
        r = 0;
    }
    q->scanning = r == 0;
    return r < 0 ? sql_fail_memory(&q->run->error) : 0;
}

static int open_table(struct query *q, const struct sql_plan *scan) {
    struct relation *rows = relation_of(scan->table);
    if (!rows)
        return fail_changed_table(scan->table, &q->run->error);
    struct change *change = transaction_find(q->run->session->transaction, scan->table);
    if (change && !change_fits(change))
        return fail_changed_table(scan->table, &q->run->error);
    q->generation = generation_of(scan->table);
    q->own = false;
    int r = open_relation(q, scan, rows, q->run->session->transaction->snapshot);
    if (r == 0 && change)
        q->scan.hidden = &change->deleted;
    return r;
}

/* Rows of the transaction's own are named by negative ids. */
static void negate_ids(struct query *q, const struct sql_plan *scan) {
    for (unsigned c = 0; c < scan->columns; c++)
        if (scan->scan_columns[c] == SQL_SCAN_ROW_ID)
            for (unsigned row = 0; row < q->builder.rows; row++)
                q->builder.cells[c][row].i = -q->builder.cells[c][row].i;
}

/* A batch of the table: 1, 0 at its end, or < 0. */
static int scan_table(struct query *q, const struct sql_plan *scan) {
    if (generation_of(scan->table) != q->generation || !relation_of(scan->table))
        return fail_changed_table(scan->table, &q->run->error);
    sql_builder_reset(&q->builder);
    int n = relation_scan_next(&q->scan, scan->scan_columns, scan->columns, &q->builder);
    if (n < 0)
        return sql_fail_memory(&q->run->error);
    if (n == 0) {
        struct change *change = transaction_find(q->run->session->transaction, scan->table);
        if (q->own || !change)
            return 0;
        relation_scan_end(&q->scan);
        q->scanning = false;
        q->own = true;
        int r = open_relation(q, scan, change->added, 1);
        return r < 0 ? r : scan_table(q, scan);
    }
    if (q->own)
        negate_ids(q, scan);
    struct sql_batch batch = sql_builder_batch(&q->builder);
    int r = sql_exec_push(q->exec, q->input, &batch, &q->run->error);
    return r < 0 ? r : 1;
}

/* --- system tables: rows made when they are read ------------------------------------------------
 */

struct system_feed {
    struct query *q;
    const struct sql_plan *scan;
};

static int on_system_row(void *self, const union sql_cell *cells, const uint8_t *nulls) {
    struct system_feed *f = self;
    struct query *q = f->q;
    for (unsigned c = 0; c < f->scan->columns; c++)
        sql_builder_set(&q->builder, c, &cells[f->scan->scan_columns[c]],
                        nulls[f->scan->scan_columns[c]]);
    sql_builder_end(&q->builder, 1);
    if (!sql_builder_full(&q->builder))
        return 0;
    struct sql_batch batch = sql_builder_batch(&q->builder);
    int r = sql_exec_push(q->exec, q->input, &batch, &q->run->error);
    sql_builder_reset(&q->builder);
    return r;
}

static int feed_system(struct query *q, const struct sql_plan *scan) {
    struct system_feed feed = {q, scan};
    _cleanup_arena_ struct arena memory = arena_make(0, q->run->db->limits.run_bytes);
    int r = database_system_rows(q->run, scan->table, &memory, on_system_row, &feed);
    if (r == 0 && q->builder.rows) {
        struct sql_batch batch = sql_builder_batch(&q->builder);
        r = sql_exec_push(q->exec, q->input, &batch, &q->run->error);
    }
    if (r < 0 && !q->run->error.state[0])
        return sql_fail_memory(&q->run->error);
    return r;
}

/* --- streams
 * -------------------------------------------------------------------------------------- */

static void fail_from(struct query *q, const struct error *why) {
    q->failed = sql_fail(&q->run->error, "58030", "%s", why->message);
    run_wake(q->run);
}

static int push_built(struct query *q) {
    struct sql_batch batch = sql_builder_batch(&q->builder);
    int r = batch.rows ? sql_exec_push(q->exec, q->input, &batch, &q->run->error) : 0;
    sql_builder_reset(&q->builder);
    return r;
}

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct query *q = owner;
    struct sql_error why;
    int r = 0;
    q->step_until = io_host_clock_ns(io_loop_host(q->run->db->loop)) + STEP_NS_MAX;
    for (size_t i = 0; r == 0 && i < count && records[i].sequence <= q->until; i++) {
        r = decoder_add(q->decoder, &records[i], &q->builder, &why);
        r = r == -EBADMSG ? 0 : r; /* not a row of this table */
        if (r == 0 && sql_builder_full(&q->builder))
            r = push_built(q);
    }
    if (r == 0)
        r = push_built(q); /* its texts point into the records */
    if (r < 0 && !q->run->error.state[0])
        r = sql_fail_memory(&q->run->error);
    q->failed = r;
    if (r == 0 && last < q->until && !at_end)
        q->read_more = true;
    else
        q->read = ledger_read_close(q->read);
    run_wake(q->run);
}

static void on_read_failed(void *owner, const struct error *why) {
    struct query *q = owner;
    q->read = ledger_read_close(q->read);
    fail_from(q, why);
}

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct query *q = self;
    q->finding = false;
    if (failed) {
        fail_from(q, failed);
        return;
    }
    q->until = last;
    const struct sql_plan *scan = sql_exec_input(q->exec, q->input);
    const struct ledger_read_options options = {
        .stream = name,
        .subject = table_option(scan->table, "subject"),
        .from = 1,
        .piece = on_piece,
        .failed = on_read_failed,
        .owner = q,
    };
    if (last > 0 && ledger_read(q->run->db->ledger, &options, &q->read) < 0)
        q->failed = sql_fail_memory(&q->run->error);
    q->read_more = last > 0;
    run_wake(q->run);
}

static int open_stream(struct query *q, const struct sql_plan *scan) {
    int r = decoder_new(scan->table, scan->scan_columns, scan->columns, &q->run->session->settings,
                        &q->decoder);
    if (r == -E2BIG)
        return sql_fail(&q->run->error, "54011", "too many columns are read from table \"%.*s\"",
                        slice_fmt(scan->table->name));
    if (r < 0)
        return sql_fail_memory(&q->run->error);
    q->finding = true;
    q->read_more = false;
    ledger_find(q->run->db->ledger, table_option(scan->table, "stream"),
                table_option(scan->table, "subject"), on_found, q);
    return 0;
}

/* --- steps
 * ---------------------------------------------------------------------------------------- */

static int open_input(struct query *q, const struct sql_plan *scan) {
    if (sql_builder_make(scan->columns, &q->builder) < 0)
        return sql_fail_memory(&q->run->error);
    q->built = true;
    q->begun = true;
    if (scan->table->kind == SQL_TABLE_STREAM)
        return open_stream(q, scan);
    return scan->table->kind == SQL_TABLE_SYSTEM ? 0 : open_table(q, scan);
}

/* One piece of the input under way: RUN_AGAIN, RUN_WAIT, RUN_DONE (its end), or < 0. */
static int feed(struct query *q, const struct sql_plan *scan) {
    if (!q->begun) {
        int r = open_input(q, scan);
        if (r < 0)
            return r;
    }
    if (q->failed < 0)
        return q->failed;
    if (scan->table->kind == SQL_TABLE_SYSTEM) {
        int r = feed_system(q, scan);
        return r < 0 ? r : RUN_DONE;
    }
    if (scan->table->kind == SQL_TABLE_STREAM) {
        if (q->finding || (q->read && !q->read_more))
            return RUN_WAIT;
        if (!q->read)
            return RUN_DONE;
        q->read_more = false;
        ledger_read_next(q->read);
        return RUN_WAIT;
    }
    int n = scan_table(q, scan);
    return n < 0 ? n : (n > 0 ? RUN_AGAIN : RUN_DONE);
}

static int compare_sorted(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* All gathered rows by their ids, in the query's order. */
static int sort_rows(struct query *q) {
    const struct sql_plan *plan = q->query->plan;
    struct relation_stats stats = relation_stats(q->gathered);
    struct sql_type types[QUERY_COLUMNS_MAX];
    struct sql_builder b;
    struct relation_scan scan;
    _cleanup_buf_ struct buf key = buf_make(q->run->db->limits.run_bytes);
    for (unsigned i = 0; i < plan->columns; i++)
        types[i] = plan->column[i].type;
    q->order = mem_alloc((stats.rows + 1) * sizeof *q->order);
    if (!q->order || sql_builder_make(plan->columns + 1, &b) < 0)
        return sql_fail_memory(&q->run->error);
    relation_scan_all(q->gathered, GATHERED_MOMENT, &scan);
    int r;
    while ((r = relation_scan_next(&scan, NULL, plan->columns + 1, &b)) > 0) {
        struct sql_batch batch = sql_builder_batch(&b);
        for (unsigned row = 0; r > 0 && row < batch.rows; row++) {
            struct sorted *s = &q->order[q->order_count];
            buf_clear(&key);
            r = sql_key_encode(&batch, types, q->query->order, q->query->orders, row, &key) < 0 ||
                        arena_copy(&q->keys, buf_slice(&key), &s->key) < 0
                    ? -ENOMEM
                    : 1;
            s->id = (uint64_t)sql_cell_at(&batch.column[plan->columns], row)->i;
            q->order_count += r > 0;
        }
        if (r < 0)
            break;
        sql_builder_reset(&b);
    }
    relation_scan_end(&scan);
    sql_builder_free(&b);
    if (r < 0)
        return sql_fail_memory(&q->run->error);
    if (q->query->orders && q->order_count)
        qsort(q->order, q->order_count, sizeof *q->order, compare_sorted);
    return 0;
}

int64_t query_give(struct query *q, uint64_t max,
                   bool (*rows)(struct database_run *run, const struct sql_batch *batch),
                   struct database_run *to, struct sql_error *error) {
    struct sql_builder b;
    uint64_t given = 0;
    unsigned columns = q->query->plan->columns;
    if (sql_builder_make(columns, &b) < 0)
        return sql_fail_memory(error);
    bool room = true;
    while (room && given < max && q->order_next < q->order_count) {
        sql_builder_reset(&b);
        while (!sql_builder_full(&b) && given < max && q->order_next < q->order_count) {
            if (relation_read(q->gathered, q->order[q->order_next].id, NULL, columns, 1, &b) < 0) {
                sql_builder_free(&b);
                return sql_fail_memory(error);
            }
            q->order_next++;
            given++;
        }
        struct sql_batch batch = sql_builder_batch(&b);
        room = rows(to, &batch);
    }
    sql_builder_free(&b);
    q->given += given;
    q->full = !room;
    return (int64_t)given;
}

static int end_query(struct query *q) {
    int r = sql_exec_end_step(q->exec, &q->run->error);
    if (r == 0 && !q->direct)
        r = sort_rows(q);
    q->ended = true;
    return r;
}

int query_feed(struct query *q, const struct sql_batch *batch, struct sql_error *error) {
    if (sql_exec_inputs(q->exec) == 0)
        return 0;
    const struct sql_plan *scan = sql_exec_input(q->exec, 0);
    q->step_until = io_host_clock_ns(io_loop_host(q->run->db->loop)) + STEP_NS_MAX;
    struct sql_column columns[QUERY_COLUMNS_MAX];
    for (unsigned i = 0; i < scan->columns; i++)
        columns[i] = batch->column[scan->scan_columns[i]];
    const struct sql_batch narrow = {batch->rows, scan->columns, columns, batch->weights};
    return sql_exec_push(q->exec, 0, &narrow, error);
}

int query_step(struct query *q) {
    uint64_t now = io_host_clock_ns(io_loop_host(q->run->db->loop));
    uint64_t until = now + DATABASE_SLICE_NS;
    q->step_until = now + STEP_NS_MAX;
    q->full = false;
    while (!q->ended) {
        if (q->fed || q->input >= sql_exec_inputs(q->exec) || sql_exec_full(q->exec)) {
            end_scan(q);
            int r = end_query(q);
            if (r < 0)
                return r;
            break;
        }
        int next = feed(q, sql_exec_input(q->exec, q->input));
        if (next == RUN_DONE) {
            end_scan(q);
            sql_exec_end_input(q->exec, q->input++);
            q->begun = false;
        } else if (next != RUN_AGAIN) {
            return next;
        }
        if (q->full)
            return RUN_WAIT;
        if (io_host_clock_ns(io_loop_host(q->run->db->loop)) > until)
            return RUN_AGAIN;
    }
    if (!q->direct && q->rows && q->order_next < q->order_count) {
        int64_t n = query_give(q, UINT64_MAX, q->rows, q->run, &q->run->error);
        if (n < 0)
            return (int)n;
    }
    bool more = !q->direct && q->rows && q->order_next < q->order_count;
    return more ? RUN_WAIT : RUN_DONE;
}
