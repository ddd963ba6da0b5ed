/*
 * query.c - see query.h. Gathered rows lie in a relation without keys, which takes back what the
 * executor takes back; sorting is of their keys' bytes (row.h), equal ones in the order in which
 * they came.
 *
 *   query_step ──resume──> FIBER: feed each input ── end the step ── sort ── give
 *        <── RUN_AGAIN: its slice is over (on_go_on, wherever that is)
 *        <── RUN_WAIT:  the sink is full, or the log has not answered yet
 *
 * While it rests others change tables. What its batches point into stays: a table's versions by the
 * run's moment (vacuum), its relation by a reference, a piece of the log until the next is asked
 * for; the transaction's own rows and those of system tables are copied.
 */
#include "rooms/stream/query.h"

#include "base/mem.h"
#include "rooms/stream/decode.h"
#include "rooms/stream/events_table.h"
#include "rooms/stream/transaction.h"
#include "sql/exec/exec.h"

#include <errno.h>
#include <stdlib.h>

#define GATHERED_MOMENT 1u
#define FEED_NS_MAX UINT64_C(5000000000)
#define SUBJECTS_BYTES_MAX ((size_t)64 << 10)
#define SORT_PIECE 8192u /* rows sorted, or merged, before the clock is looked at */

struct sorted {
    slice key;
    uint64_t id;
};

/* What the log has answered to the stream under way. */
struct stream_input {
    struct ledger_read *read;
    struct buf subjects;
    bool finding, answered, failed;
    uint64_t until; /* the last sequence that is of this query */
    const struct ledger_record *records;
    size_t count;
    uint64_t last;
    bool at_end;
    struct error why; /* of `failed` */
};

struct query {
    struct database_run *run;
    const struct sql_query *query;
    bool (*rows)(struct database_run *run, const struct sql_batch *batch);
    struct sql_exec *exec;
    bool direct, fed;
    /* Its fiber: NULL before the first step, and after the last. */
    struct io_fiber *fiber;
    bool inside, stopping, ended;
    enum run_next next; /* why it stepped aside */
    int result;         /* of all of it */
    uint64_t until;     /* of its slice; outside of the fiber: of query_feed */
    /* The input under way. */
    unsigned input;
    uint64_t snapshot;
    struct relation *scanned; /* held */
    struct relation_scan scan;
    struct sql_builder builder;
    bool scanning, built;
    struct decoder *decoder;
    struct stream_input stream;
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

/* --- turns ------------------------------------------------------------------------------------ */

/* Lets others have their turn. 0: go on; -ECANCELED: unwind, nobody waits for the answer. */
static int step_aside(struct query *q, enum run_next next) {
    if (!q->stopping) {
        q->next = next;
        io_fiber_yield(q->fiber);
    }
    return q->stopping ? sql_fail(&q->run->error, "57014", "canceling statement") : 0;
}

static uint64_t clock_ns(const struct query *q) {
    return io_host_clock_ns(io_loop_host(q->run->db->loop));
}

/* Asked by the executor now and then, deep within it. */
static int on_go_on(void *self, struct sql_error *error) {
    struct query *q = self;
    if (clock_ns(q) < q->until && !q->stopping)
        return 0;
    if (q->inside)
        return step_aside(q, RUN_AGAIN);
    (void)sql_fail(error, "57014", "canceling statement: RETURNING took more than %u seconds",
                   (unsigned)(FEED_NS_MAX / 1000000000u));
    sql_error_hint(error, "Sessions share one loop. Ask for it by a SELECT of its own.");
    return -EINVAL;
}

/* Rows to the sink; where it is full they wait for it here. */
static int hand_on(struct query *q, const struct sql_batch *batch) {
    bool room = q->rows(q->run, batch);
    return room || !q->inside ? 0 : step_aside(q, RUN_WAIT);
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
    int r = 0;
    if (sql_builder_make(batch->columns, &b) < 0)
        return sql_fail_memory(error);
    for (unsigned row = 0; row < batch->rows; row++)
        for (int64_t w = batch->weights[row]; r == 0 && w > 0; w--) {
            for (unsigned c = 0; c < batch->columns; c++)
                sql_builder_set(&b, c, sql_cell_at(&batch->column[c], row),
                                sql_null_at(&batch->column[c], row));
            sql_builder_end(&b, 1);
            if (sql_builder_full(&b)) {
                struct sql_batch out = sql_builder_batch(&b);
                r = hand_on(q, &out);
                sql_builder_reset(&b);
            }
        }
    struct sql_batch out = sql_builder_batch(&b);
    if (r == 0 && out.rows)
        r = hand_on(q, &out);
    sql_builder_free(&b);
    return r;
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
    return hand_on(q, batch);
}

/* --- making and freeing ------------------------------------------------------------------------
 */

int query_new(const struct query_options *options, struct query **ret, struct sql_error *error) {
    struct database_run *run = options->run;
    const struct sql_query *query = options->query;
    if (query->plan->columns > SQL_ROW_COLUMNS_MAX)
        return sql_fail(error, "54011", "a query's rows have at most %u columns",
                        SQL_ROW_COLUMNS_MAX);
    struct query *q = mem_zalloc(1, sizeof *q);
    if (!q)
        return sql_fail_memory(error);
    q->run = run;
    q->query = query;
    q->rows = options->rows;
    q->fed = options->fed;
    q->until = UINT64_MAX; /* each step sets it */
    q->snapshot = run->moment = run->session->transaction->snapshot;
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
        struct sql_type types[SQL_ROW_COLUMNS_MAX];
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

static void end_input(struct query *q) {
    if (q->scanning)
        relation_scan_end(&q->scan);
    q->scanning = false;
    q->scanned = relation_free(q->scanned);
    if (q->built)
        sql_builder_free(&q->builder);
    q->built = false;
    q->decoder = decoder_free(q->decoder);
    q->stream.read = ledger_read_close(q->stream.read);
    if (q->stream.finding)
        ledger_find_cancel(q->run->db->ledger, q);
    buf_free(&q->stream.subjects);
    q->stream = (struct stream_input){0};
}

/* What has stepped aside unwinds; the run keeps the error it may have by now. */
static void stop(struct query *q) {
    struct sql_error error = q->run->error;
    q->stopping = true;
    check(io_fiber_resume(q->fiber));
    q->fiber = io_fiber_free(q->fiber);
    q->run->error = error;
}

struct query *query_free(struct query *q) {
    if (!q)
        return NULL;
    if (q->fiber)
        stop(q);
    end_input(q);
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

/* --- tables in memory ------------------------------------------------------------------------- */

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
    union sql_cell cells[SQL_ROW_COLUMNS_MAX], values[SQL_ROW_COLUMNS_MAX];
    uint8_t nulls[SQL_ROW_COLUMNS_MAX];
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

/* One that its own transaction has made. */
static bool is_new_view(const struct query *q, const struct sql_table *t) {
    return t->kind == SQL_TABLE_MATERIALIZED &&
           sql_catalog_table_by_oid(session_catalog(q->run->session), t->oid) == t;
}

static int push_built(struct query *q) {
    struct sql_batch batch = sql_builder_batch(&q->builder);
    int r = batch.rows ? sql_exec_push(q->exec, q->input, &batch, &q->run->error) : 0;
    sql_builder_reset(&q->builder);
    return r;
}

static int make_own(struct query *q, const struct sql_plan *scan) {
    struct sql_builder *b = &q->builder;
    for (unsigned c = 0; c < scan->columns; c++) {
        bool id = scan->scan_columns[c] == SQL_SCAN_ROW_ID;
        for (unsigned row = 0; row < b->rows; row++) {
            union sql_cell *cell = &b->cells[c][row];
            if (id)
                cell->i = -cell->i;
            else if (!b->nulls[c][row] &&
                     sql_value_copy(scan->column[c].type.oid, cell, &b->memory, cell) < 0)
                return -ENOMEM;
        }
    }
    return 1;
}

/* Everything of ROWS at MOMENT that the scan wants, pushed. OWN: rows of the transaction, which are
   named by negative ids, and copied, for it may change them while this query rests. */
static int feed_relation(struct query *q, const struct sql_plan *scan, struct relation *rows,
                         uint64_t moment, const struct map64 *hidden, bool own) {
    q->scanned = relation_ref(rows);
    int n = 0, r = open_relation(q, scan, rows, moment);
    q->scan.hidden = hidden;
    while (r == 0 && !sql_exec_full(q->exec)) {
        sql_builder_reset(&q->builder);
        n = relation_scan_next(&q->scan, scan->scan_columns, scan->columns, &q->builder);
        if (n == 0)
            break;
        if (n > 0 && own)
            n = make_own(q, scan);
        if (n < 0)
            return sql_fail_memory(&q->run->error);
        r = push_built(q);
        if (r == 0)
            r = on_go_on(q, &q->run->error);
    }
    if (q->scanning)
        relation_scan_end(&q->scan);
    q->scanning = false;
    q->scanned = relation_free(q->scanned);
    return r;
}

/* A table that was altered or dropped while the query rested ends it. */
static int feed_table(struct query *q, const struct sql_plan *scan) {
    struct relation *rows = relation_of(scan->table);
    const struct transaction *t = q->run->session->transaction;
    if (!rows && is_new_view(q, scan->table)) {
        (void)sql_fail(&q->run->error, "55000", "materialized view \"%.*s\" has not been populated",
                       slice_fmt(scan->table->name));
        sql_error_hint(&q->run->error, "It begins when the transaction that made it commits.");
        return -EINVAL;
    }
    if (!rows)
        return fail_changed_table(scan->table, &q->run->error);
    struct change *change = transaction_find(t, scan->table);
    if (change && !change_fits(change, scan->table))
        return fail_changed_table(scan->table, &q->run->error);
    int r = feed_relation(q, scan, rows, q->snapshot, change ? &change->deleted : NULL, false);
    if (r == 0 && relation_of(scan->table) != rows)
        return fail_changed_table(scan->table, &q->run->error);
    if (r == 0 && change)
        r = feed_relation(q, scan, change->added, 1, NULL, true);
    return r;
}

/* --- system tables: rows made when they are read ------------------------------------------------
 */

struct system_feed {
    struct query *q;
    const struct sql_plan *scan;
    struct relation *rows; /* the scan's columns of all of them */
};

static int keep_built(struct system_feed *f) {
    struct relation_conflict conflict;
    struct sql_batch batch = sql_builder_batch(&f->q->builder);
    int r = batch.rows ? relation_apply(f->rows, &batch, GATHERED_MOMENT, &conflict) : 0;
    sql_builder_reset(&f->q->builder);
    return r;
}

static int on_system_row(void *self, const union sql_cell *cells, const uint8_t *nulls) {
    struct system_feed *f = self;
    for (unsigned c = 0; c < f->scan->columns; c++)
        sql_builder_set(&f->q->builder, c, &cells[f->scan->scan_columns[c]],
                        nulls[f->scan->scan_columns[c]]);
    sql_builder_end(&f->q->builder, 1);
    return sql_builder_full(&f->q->builder) ? keep_built(f) : 0;
}

static int make_system_rows(struct system_feed *f) {
    struct query *q = f->q;
    _cleanup_arena_ struct arena memory = arena_make(0, q->run->db->limits.run_bytes);
    struct sql_type types[SQL_ROW_COLUMNS_MAX];
    for (unsigned c = 0; c < f->scan->columns; c++)
        types[c] = f->scan->column[c].type;
    int r = relation_new(types, f->scan->columns, q->run->db->limits.run_bytes, &f->rows);
    if (r == 0)
        r = database_system_rows(q->run, f->scan->table, &memory, on_system_row, f);
    if (r == 0)
        r = keep_built(f);
    if (r < 0 && !q->run->error.state[0])
        return sql_fail_memory(&q->run->error);
    return r;
}

static int feed_system(struct query *q, const struct sql_plan *scan) {
    struct system_feed f = {.q = q, .scan = scan};
    int r = make_system_rows(&f);
    q->scanned = f.rows;
    if (f.rows)
        relation_scan_all(f.rows, GATHERED_MOMENT, &q->scan);
    q->scanning = f.rows != NULL;
    while (r == 0) {
        sql_builder_reset(&q->builder);
        int n = relation_scan_next(&q->scan, NULL, scan->columns, &q->builder);
        if (n <= 0) {
            r = n < 0 ? sql_fail_memory(&q->run->error) : 0;
            break;
        }
        r = push_built(q);
    }
    return r;
}

/* --- streams ---------------------------------------------------------------------------------- */

static void on_failed(struct query *q, const struct error *why) {
    q->stream.failed = true;
    q->stream.why = *why;
    run_wake(q->run);
}

static void on_read_failed(void *owner, const struct error *why) {
    on_failed(owner, why);
}

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct query *q = owner;
    q->stream.records = records;
    q->stream.count = count;
    q->stream.last = last;
    q->stream.at_end = at_end;
    q->stream.answered = true;
    run_wake(q->run);
}

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct query *q = self;
    q->stream.finding = false;
    q->stream.answered = true;
    q->stream.until = last;
    const struct sql_table *table = sql_exec_input(q->exec, q->input)->table;
    if (failed && failed->code == -ENOENT && sql_oid_is_system(table->oid)) { /* it is empty */
        run_wake(q->run);
        return;
    }
    if (failed) {
        on_failed(q, failed);
        return;
    }
    const struct ledger_read_options options = {
        .stream = name,
        .subject = buf_slice(&q->stream.subjects),
        .from = 1,
        .shown = events_table_is(table),
        .piece = on_piece,
        .failed = on_read_failed,
        .owner = q,
    };
    struct error why;
    q->stream.answered = last == 0; /* else the first piece is waited for */
    if (last > 0 && ledger_read(q->run->db->ledger, &options, &q->stream.read) < 0) {
        (void)error_set(&why, -ENOMEM, "no memory to read a stream");
        on_failed(q, &why);
    }
    run_wake(q->run);
}

static int await(struct query *q) {
    int r = 0;
    while (r == 0 && !q->stream.answered && !q->stream.failed)
        r = step_aside(q, RUN_WAIT);
    if (r == 0 && q->stream.failed)
        r = sql_fail(&q->run->error, "58030", "%s", q->stream.why.message);
    q->stream.answered = false;
    return r;
}

/* The rows of a piece; what does not fit the table is none. */
static int push_piece(struct query *q) {
    const struct stream_input *in = &q->stream;
    struct sql_error why;
    int r = 0;
    for (size_t i = 0; r == 0 && i < in->count && in->records[i].sequence <= in->until; i++) {
        r = decoder_add(q->decoder, &in->records[i], &q->builder, &why);
        if (r < 0 && r != -EBADMSG)
            return sql_fail_memory(&q->run->error);
        r = sql_builder_full(&q->builder) ? push_built(q) : 0;
    }
    return r == 0 ? push_built(q) : r; /* its texts point into the records */
}

static int feed_stream(struct query *q, const struct sql_plan *scan) {
    struct stream_input *in = &q->stream;
    int r = decoder_new(scan->table, scan->scan_columns, scan->columns, &q->run->session->settings,
                        &q->decoder);
    if (r == -E2BIG)
        return sql_fail(&q->run->error, "54011", "too many columns are read from table \"%.*s\"",
                        slice_fmt(scan->table->name));
    if (r < 0)
        return sql_fail_memory(&q->run->error);
    in->subjects = buf_make(SUBJECTS_BYTES_MAX);
    r = stream_subjects(q->exec, q->input, &in->subjects, &q->run->error);
    if (r < 0)
        return r;
    in->finding = true;
    ledger_find(q->run->db->ledger, table_option(scan->table, "stream"),
                table_option(scan->table, "subject"), on_found, q);
    r = await(q);
    while (r == 0 && in->read) {
        r = push_piece(q);
        if (r < 0 || in->last >= in->until || in->at_end || sql_exec_full(q->exec))
            break;
        ledger_read_next(in->read);
        r = await(q);
    }
    return r;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int feed_input(struct query *q, const struct sql_plan *scan) {
    if (sql_builder_make(scan->columns, &q->builder) < 0)
        return sql_fail_memory(&q->run->error);
    q->built = true;
    switch (scan->table->kind) {
    case SQL_TABLE_STREAM:
        return feed_stream(q, scan);
    case SQL_TABLE_SYSTEM:
        return feed_system(q, scan);
    default:
        return feed_table(q, scan);
    }
}

static int compare_sorted(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* Two sorted parts of FROM, to MIDDLE and to HIGH, into TO. */
static int merge(struct query *q, const struct sorted *from, struct sorted *to, size_t low,
                 size_t middle, size_t high) {
    size_t a = low, b = middle;
    int r = 0;
    for (size_t i = low; r == 0 && i < high; i++) {
        bool first = b == high || (a < middle && compare_sorted(&from[a], &from[b]) < 0);
        to[i] = first ? from[a++] : from[b++];
        if (i % SORT_PIECE == 0)
            r = on_go_on(q, &q->run->error);
    }
    return r;
}

/* Pieces by qsort, then merged two by two, so that others have their turn in between. */
static int sort_order(struct query *q) {
    size_t count = q->order_count;
    int r = 0;
    for (size_t at = 0; r == 0 && at < count; at += SORT_PIECE) {
        size_t left = count - at;
        qsort(q->order + at, left < SORT_PIECE ? left : SORT_PIECE, sizeof *q->order,
              compare_sorted);
        r = on_go_on(q, &q->run->error);
    }
    struct sorted *to = count > SORT_PIECE ? mem_alloc(count * sizeof *to) : NULL;
    if (count > SORT_PIECE && !to)
        return sql_fail_memory(&q->run->error);
    for (size_t width = SORT_PIECE; r == 0 && width < count; width *= 2) {
        for (size_t low = 0; r == 0 && low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = middle + width < count ? middle + width : count;
            r = merge(q, q->order, to, low, middle, high);
        }
        struct sorted *sorted = to;
        to = q->order;
        q->order = sorted;
    }
    mem_free(to);
    return r;
}

/* All gathered rows by their ids, in the query's order. */
static int sort_rows(struct query *q) {
    const struct sql_plan *plan = q->query->plan;
    struct relation_stats stats = relation_stats(q->gathered);
    struct sql_type types[SQL_ROW_COLUMNS_MAX];
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
        if (r < 0) {
            (void)sql_fail_memory(&q->run->error);
            break;
        }
        sql_builder_reset(&b);
        r = on_go_on(q, &q->run->error);
        if (r < 0)
            break;
    }
    relation_scan_end(&scan);
    sql_builder_free(&b);
    return r == 0 && q->query->orders ? sort_order(q) : r;
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
    return (int64_t)given;
}

static bool has_more(const struct query *q) {
    return q->order_next < q->order_count;
}

/* The whole query, from inside the fiber. */
static int answer(struct query *q) {
    int r = 0;
    unsigned inputs = q->fed ? 0 : sql_exec_inputs(q->exec);
    for (; r == 0 && q->input < inputs && !sql_exec_full(q->exec); q->input++) {
        r = feed_input(q, sql_exec_input(q->exec, q->input));
        end_input(q);
        if (r == 0)
            sql_exec_end_input(q->exec, q->input);
    }
    if (r == 0)
        r = sql_exec_end_step(q->exec, &q->run->error);
    if (r == 0 && !q->direct)
        r = sort_rows(q);
    while (r == 0 && !q->direct && q->rows && has_more(q)) {
        int64_t n = query_give(q, UINT64_MAX, q->rows, q->run, &q->run->error);
        r = n < 0 ? (int)n : has_more(q) ? step_aside(q, RUN_WAIT) : 0;
    }
    return r;
}

static void on_fiber(void *self) {
    struct query *q = self;
    q->result = answer(q);
    q->ended = true;
}

int query_feed(struct query *q, const struct sql_batch *batch, struct sql_error *error) {
    if (sql_exec_inputs(q->exec) == 0)
        return 0;
    const struct sql_plan *scan = sql_exec_input(q->exec, 0);
    q->until = clock_ns(q) + FEED_NS_MAX;
    struct sql_column columns[SQL_ROW_COLUMNS_MAX];
    for (unsigned i = 0; i < scan->columns; i++)
        columns[i] = batch->column[scan->scan_columns[i]];
    const struct sql_batch narrow = {batch->rows, scan->columns, columns, batch->weights};
    return sql_exec_push(q->exec, 0, &narrow, error);
}

int query_step(struct query *q) {
    if (!q->fiber && !q->ended && io_fiber_create(&q->run->db->stacks, on_fiber, q, &q->fiber) < 0)
        return sql_fail_memory(&q->run->error);
    q->until = clock_ns(q) + DATABASE_SLICE_NS;
    q->inside = true;
    if (q->fiber && io_fiber_resume(q->fiber))
        q->fiber = io_fiber_free(q->fiber);
    q->inside = false;
    if (!q->ended)
        return (int)q->next;
    return q->result < 0 ? q->result : RUN_DONE;
}
