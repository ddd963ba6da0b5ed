/*
 * The state of a view as bytes: what is loaded goes on as what was saved, whatever the query.
 *
 * Queries are SQL, so that keys and values are of many types and aggregates the real ones. Two
 * executors get the same random rows; one of them is saved and loaded anew between the steps. All
 * that comes out of them must be the same, in the same order, and so must what they count. Random
 * plans over integers are in test_random.c.
 */
#include "../bind/harness.h"

#include "base/mem.h"
#include "sql/exec/snapshot.h"

#include <errno.h>

#define STEPS 24u
#define KINDS 40u /* of rows of a table, told apart by their number */
#define TABLES 4u
#define COLUMNS 7u
#define MEMORY_MAX ((uint64_t)64 << 20)
#define TRACE_MAX ((size_t)64 << 20)
#define PIECES_MAX 64u

/* p and q are stored; s and r streams with a watermark. */
static const char *const queries[] = {
    "SELECT c, d, count(*), sum(d), avg(d), min(c), max(f), string_agg(c, '-' ORDER BY a) FROM p "
    "GROUP BY c, d",
    "SELECT b, array_agg(a), json_agg(c), stddev(d), variance(b), corr(f, f) FROM s GROUP BY b",
    "SELECT b, count(DISTINCT d), sum(DISTINCT a), count(DISTINCT c) FILTER (WHERE g) n, "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY f), mode() WITHIN GROUP (ORDER BY c) FROM p "
    "GROUP BY b",
    "SELECT b, count(DISTINCT d), sum(d), min(d), max(c), sum(f) sf, bool_or(g) FROM s GROUP BY b",
    "SELECT c, GROUPING(c, d), d, count(*), bool_and(g), max(d) FROM p GROUP BY ROLLUP (c, d)",
    "SELECT count(*), sum(b), min(d) FROM p WHERE a > 2",
    "SELECT p.a, s.c, s.d FROM p JOIN s ON p.b = s.b AND p.d < s.d",
    "SELECT p.a, p.c, s.e FROM p LEFT JOIN s ON p.d = s.d",
    "SELECT p.a, s.a x FROM p FULL JOIN s ON p.c = s.c AND p.b = s.b",
    "SELECT a, c FROM p WHERE b NOT IN (SELECT b FROM q)",
    "SELECT a, c FROM p WHERE (b, c) NOT IN (SELECT b, c FROM q WHERE a > 1)",
    "SELECT a, d FROM p WHERE EXISTS (SELECT 1 FROM s WHERE s.d = p.d AND s.a > p.a)",
    "SELECT s.a, q.c FROM s JOIN as_of_now(q) ON s.b = q.b",
    "SELECT DISTINCT c, d FROM p",
    "SELECT DISTINCT c, d FROM s",
    "SELECT c, d FROM p INTERSECT ALL SELECT c, d FROM q",
    "SELECT c FROM p EXCEPT SELECT c FROM q",
    "SELECT a, d, c FROM p ORDER BY d DESC NULLS LAST, c LIMIT 5 OFFSET 2",
    "SELECT a, d FROM s ORDER BY d FETCH FIRST 3 ROWS WITH TIES",
    "SELECT * FROM (SELECT a, b, d, row_number() OVER (PARTITION BY b ORDER BY d, c) n FROM p) q "
    "WHERE n <= 2",
    "SELECT a, d, sum(d) OVER (PARTITION BY c ORDER BY e ROWS 2 PRECEDING), lag(c) OVER (PARTITION "
    "BY c ORDER BY e) FROM p",
    "SELECT window_start, b, count(*), max(d) FROM tumble(s, e, interval '10 s') GROUP BY 1, 2",
    "SELECT window_start, window_end, c, count(*), count(DISTINCT d) n, string_agg(c, ',') FROM "
    "hop(s, e, interval '5 s', interval '10 s') GROUP BY 1, 2, 3 EMIT ON WINDOW CLOSE",
    "SELECT b, window_start, window_end, count(*), max(d) FROM session(s, e, b, interval '3 s') "
    "GROUP BY 1, 2, 3",
    "SELECT c, window_start, window_end, count(*) FROM session(r, e, c, interval '1 s') GROUP BY "
    "1, 2, 3",
    "SELECT a, e FROM s UNION ALL SELECT a, e FROM r UNION ALL VALUES (1, timestamp '2020-01-01')",
    "WITH both_of AS (SELECT a, e FROM s UNION ALL SELECT a, e FROM r) SELECT window_end, a, "
    "count(*) "
    "FROM tumble(both_of, e, interval '10 s') GROUP BY 1, 2 EMIT ON WINDOW CLOSE",
    "SELECT s.a, r.a x FROM s, r WHERE s.b = r.b AND s.e = r.e",
    "SELECT a, generate_series(1, a) FROM p",
};

/* ---- a database --------------------------------------------------------------------------- */

static const char *const table_names[TABLES] = {"p", "q", "s", "r"};

static int open_tables(void **state) {
    int r = open_database(state);
    for (unsigned i = 0; r == 0 && i < TABLES; i++) {
        char sql[512];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE %s (a int, b bigint, c text, d numeric, e timestamp, f double "
                 "precision, g boolean)%s",
                 table_names[i],
                 i < 2 ? "" : " WITH (subject = 'x', watermark = 'e - interval ''4 s''')");
        create(sql);
    }
    return r;
}

static void bind_view(const char *query, struct bound *b) {
    char sql[1024];
    snprintf(sql, sizeof sql, "CREATE MATERIALIZED VIEW w AS %s", query);
    if (bind_text(sql, b) < 0)
        fail_msg("%s: %s", query, b->error.message);
}

/* ---- views -------------------------------------------------------------------------------- */

struct view {
    const struct sql_query *query;
    struct sql_exec *exec;
    struct sql_settings settings;
    uint64_t seed, memory_max;
    struct buf trace; /* all that came out since it was looked at */
    struct sql_error error;
    unsigned pieces;
    slice piece[PIECES_MAX];
};

static uint64_t seed_of(void *self) {
    return ((const struct view *)self)->seed;
}

static int trace_rows(void *self, const struct sql_batch *batch, struct sql_error *error) {
    (void)error;
    struct view *v = self;
    int r = 0;
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        for (unsigned i = 0; r == 0 && i < batch->columns; i++) {
            struct sql_type type = v->query->plan->column[i].type;
            const struct sql_column *c = &batch->column[i];
            r = sql_null_at(c, row)
                    ? buf_append(&v->trace, slice_lit("NULL"))
                    : sql_value_out(type, sql_cell_at(c, row), &v->settings, &v->trace);
            r = r ? r : buf_append_byte(&v->trace, '|');
        }
        r = r ? r : buf_printf(&v->trace, "*%lld\n", (long long)sql_weight_at(batch, row));
    }
    assert_int_equal(r, 0);
    return 0;
}

static int view_try_run(struct view *v) {
    v->exec = sql_exec_free(v->exec);
    v->settings = settings;
    v->settings.random = seed_of;
    v->settings.self = v;
    const struct sql_exec_options options = {
        .memory_max = v->memory_max, .settings = &v->settings, .emit = trace_rows, .self = v};
    return sql_exec_new(v->query, &options, &v->exec, &v->error);
}

static void view_run(struct view *v, const struct sql_query *query, uint64_t seed) {
    v->query = query;
    v->seed = seed;
    v->memory_max = MEMORY_MAX;
    v->trace.max = TRACE_MAX;
    if (view_try_run(v))
        fail_msg("%s: %s", v->error.state, v->error.message);
}

static void forget_pieces(struct view *v) {
    for (unsigned i = 0; i < v->pieces; i++)
        mem_free((void *)(uintptr_t)v->piece[i].ptr);
    v->pieces = 0;
}

static void view_free(struct view *v) {
    v->exec = sql_exec_free(v->exec);
    forget_pieces(v);
    buf_free(&v->trace);
}

static int keep_piece(void *self, slice piece, struct sql_error *error) {
    struct view *v = self;
    char *copy = mem_copy(piece.ptr, piece.len);
    assert_true(piece.len <= SQL_STATE_PIECE_BYTES && v->pieces < PIECES_MAX);
    if (!copy)
        return sql_fail_memory(error);
    v->piece[v->pieces++] = slice_make(copy, piece.len);
    return 0;
}

static int view_try_save(struct view *v) {
    forget_pieces(v);
    return sql_exec_save(v->exec, keep_piece, v, &v->error);
}

static void view_save(struct view *v) {
    if (view_try_save(v))
        fail_msg("%s: %s", v->error.state, v->error.message);
}

/* 0: whole, 1: more must come, or the error. */
static int view_try_load(struct view *v, const slice *piece, unsigned count) {
    int r = view_try_run(v);
    for (unsigned i = 0; i < count && (r == 0 || r == 1); i++)
        r = sql_exec_load(v->exec, piece[i], &v->error);
    return r;
}

/* ---- rows --------------------------------------------------------------------------------- */

struct chance {
    uint64_t x;
};

static unsigned pick(struct chance *c, unsigned below) {
    c->x ^= c->x << 13;
    c->x ^= c->x >> 7;
    c->x ^= c->x << 17;
    return (unsigned)((c->x * 0x9e3779b97f4a7c15u >> 33) % below);
}

static void put_text(struct sql_builder *b, unsigned column, const char *text,
                     const struct sql_table *table) {
    struct sql_error error;
    union sql_cell cell;
    if (sql_value_in(table->column[column].type, slice_str(text), &settings, &b->memory, &cell,
                     &error))
        fail_msg("%s: %s", text, error.message);
    sql_builder_set(b, column, &cell, false);
}

/* Row KIND of a table at a time: always the same. */
static void put_row(struct sql_builder *b, const struct sql_table *table, unsigned kind,
                    int64_t seconds, int64_t weight) {
    static const char *const numbers[] = {
        "1", "1.0", "1.00", "-2.5", "NaN", "0.1", "1e40", "0", "123456789012345678901234567890"};
    static const char *const texts[] = {"a", "b", "", "a longer one, of more bytes than a word"};
    struct chance c = {kind * 0x9e3779b97f4a7c15u + 11};
    char text[64];
    const union sql_cell null = {.i = 0};
    for (unsigned i = 0; i < COLUMNS; i++) {
        unsigned some = pick(&c, 64);
        if (some % 8 == 7 && i != 4) {
            sql_builder_set(b, i, &null, true);
            continue;
        }
        snprintf(text, sizeof text, "%u", some % 5);
        if (i == 2)
            put_text(b, i, texts[some % array_count(texts)], table);
        else if (i == 3)
            put_text(b, i, numbers[some % array_count(numbers)], table);
        else if (i == 6)
            put_text(b, i, some % 2 ? "true" : "false", table);
        else if (i != 4)
            put_text(b, i, text, table);
        else
            sql_builder_set(b, i, &(union sql_cell){.i = seconds * 1000000}, false);
    }
    sql_builder_end(b, weight);
}

/* What is in the stored tables, by the kind of row; what time it is in the streams. */
struct world {
    struct chance chance;
    int64_t count[TABLES][KINDS];
    int64_t seconds;
};

/* COLUMNS of the table narrowed to the scan's. */
static int push_narrow(struct view *v, unsigned input, struct sql_builder *b) {
    const struct sql_plan *scan = sql_exec_input(v->exec, input);
    struct sql_batch all = sql_builder_batch(b), narrow = all;
    struct sql_column columns[COLUMNS];
    assert_true(scan->columns <= COLUMNS);
    for (unsigned i = 0; i < scan->columns; i++)
        columns[i] = all.column[scan->scan_columns[i]];
    narrow.columns = scan->columns;
    narrow.column = columns;
    return sql_exec_push(v->exec, input, &narrow, &v->error);
}

/* Random rows of TABLE into B. */
static void change(struct world *w, unsigned table, const struct sql_table *of,
                   struct sql_builder *b) {
    for (unsigned rows = pick(&w->chance, 6); rows > 0; rows--) {
        unsigned kind = pick(&w->chance, KINDS);
        int64_t *count = &w->count[table][kind];
        bool less = table < 2 && *count && pick(&w->chance, 2);
        int64_t late = table < 2 ? -w->seconds + kind % 7 : -(int64_t)pick(&w->chance, 6);
        *count += less ? -1 : 1;
        put_row(b, of, kind, w->seconds + late, less ? -1 : 1);
    }
}

static unsigned table_number(const struct sql_plan *scan) {
    unsigned at = 0;
    while (at < TABLES && !slice_equal(scan->table->name, slice_str(table_names[at])))
        at++;
    assert_true(at < TABLES);
    return at;
}

static int step_inputs(struct world *w, struct view *a, struct view *b) {
    int r = 0;
    for (unsigned table = 0; r == 0 && table < TABLES; table++) {
        struct sql_table *of =
            sql_catalog_table(database, slice_make(NULL, 0), slice_str(table_names[table]));
        struct sql_builder rows;
        assert_int_equal(sql_builder_make(COLUMNS, &rows), 0);
        change(w, table, of, &rows);
        for (unsigned i = 0; r == 0 && i < sql_exec_inputs(a->exec); i++) {
            if (table_number(sql_exec_input(a->exec, i)) != table)
                continue;
            int64_t watermark = (w->seconds - 4) * 1000000;
            r = rows.rows ? push_narrow(a, i, &rows) : 0;
            if (r == 0 && b && rows.rows)
                r = push_narrow(b, i, &rows);
            if (r == 0 && table >= 2)
                r = sql_exec_watermark(a->exec, i, watermark, &a->error);
            if (r == 0 && b && table >= 2)
                r = sql_exec_watermark(b->exec, i, watermark, &b->error);
        }
        sql_builder_free(&rows);
    }
    return r;
}

/* The same to both. */
static void step(struct world *w, struct view *a, struct view *b) {
    w->seconds += pick(&w->chance, 4);
    int r = step_inputs(w, a, b);
    if (r == 0)
        r = sql_exec_end_step(a->exec, &a->error);
    if (r == 0 && b)
        r = sql_exec_end_step(b->exec, &b->error);
    if (r)
        fail_msg("%s %s", a->error.message, b ? b->error.message : "");
}

/* ---- what is loaded goes on --------------------------------------------------------------- */

static void expect_alike(struct view *a, struct view *b, const char *query) {
    struct sql_exec_stats one = sql_exec_stats(a->exec), other = sql_exec_stats(b->exec);
    if (!slice_equal(buf_slice(&a->trace), buf_slice(&b->trace)))
        fail_msg("%s\n-- went on:\n%s-- was loaded:\n%s", query, buf_text(&a->trace),
                 buf_text(&b->trace));
    assert_int_equal(one.state_bytes, other.state_bytes);
    assert_int_equal(one.state_rows, other.state_rows);
    assert_int_equal(one.rows_in, other.rows_in);
    assert_int_equal(one.rows_out, other.rows_out);
    buf_clear(&a->trace);
    buf_clear(&b->trace);
}

static void run_query(const char *query) {
    struct bound bound;
    bind_view(query, &bound);
    struct view views[3] = {{.pieces = 0}}, *a = &views[0], *b = &views[1], *next = &views[2];
    struct world w = {.chance = {3}};
    size_t told = 0;
    view_run(a, &bound.statement.query, 1);
    view_run(b, &bound.statement.query, 2);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&w, a, b);
        told += a->trace.len;
        expect_alike(a, b, query);
        struct view *from = pick(&w.chance, 2) ? a : b, *old = b;
        view_save(from);
        view_run(next, from->query, i + 3);
        int r = view_try_load(next, from->piece, from->pieces);
        if (r)
            fail_msg("%s: %s", query, r < 0 ? next->error.message : "more must come");
        b = next;
        next = old;
        expect_alike(a, b, query);
    }
    assert_true(told > 0);
    for (unsigned i = 0; i < array_count(views); i++)
        view_free(&views[i]);
    bound_free(&bound);
}

static void every_query_goes_on_from_its_saved_state(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(queries); i++)
        run_query(queries[i]);
}

/* ---- what cannot be loaded ---------------------------------------------------------------- */

/* Runs a query for some steps, and saves it. */
static void some_state(const char *query, struct bound *bound, struct view *v) {
    struct world w = {.chance = {5}};
    bind_view(query, bound);
    view_run(v, &bound->statement.query, 1);
    for (unsigned i = 0; i < 8; i++)
        step(&w, v, NULL);
    view_save(v);
    assert_int_equal(v->pieces, 1);
}

static void damaged_bytes_are_found(void **state) {
    (void)state;
    struct bound bound;
    struct view v = {.pieces = 0}, other = {.pieces = 0};
    some_state(queries[0], &bound, &v);
    view_run(&other, v.query, 2);
    slice piece = v.piece[0];
    char *copy = mem_copy(piece.ptr, piece.len);
    assert_non_null(copy);
    for (size_t at = 0; at < piece.len; at++) {
        copy[at] = (char)(copy[at] ^ 1 << at % 8);
        slice flipped = slice_make(copy, piece.len), cut = slice_take(piece, at);
        int r = view_try_load(&other, &flipped, 1);
        bool version = at >= 4 && at < 8;
        assert_int_equal(r, version ? -ESTALE : -EBADMSG);
        assert_string_equal(other.error.state, version ? "55000" : "XX001");
        copy[at] = piece.ptr[at];
        assert_int_equal(view_try_load(&other, &cut, 1), -EBADMSG);
        assert_int_equal(sql_exec_end_step(other.exec, &other.error), -EBADMSG);
    }
    mem_free(copy);
    view_free(&other);
    view_free(&v);
    bound_free(&bound);
}

static void the_state_of_another_plan_is_refused(void **state) {
    (void)state;
    struct bound bound, changed;
    struct view v = {.pieces = 0}, other = {.pieces = 0};
    static const char *const near[] = {
        "SELECT c, count(*), sum(d) FROM p WHERE a > 1 GROUP BY c",
        "SELECT c, count(*), sum(d) FROM p WHERE a > 2 GROUP BY c",
        "SELECT c, count(*), sum(d) FROM q WHERE a > 1 GROUP BY c",
        "SELECT c, count(*), sum(f) FROM p WHERE a > 1 GROUP BY c",
        "SELECT c, count(*), sum(DISTINCT d) FROM p WHERE a > 1 GROUP BY c",
        "SELECT c, count(*), avg(d) FROM p WHERE a > 1 GROUP BY c",
    };
    some_state(near[0], &bound, &v);
    for (unsigned i = 0; i < array_count(near); i++) {
        bind_view(near[i], &changed);
        view_run(&other, &changed.statement.query, 1);
        int r = view_try_load(&other, v.piece, v.pieces);
        assert_int_equal(r, i ? -ESTALE : 0);
        if (i)
            assert_string_equal(other.error.state, "55000");
        view_free(&other);
        other = (struct view){.pieces = 0};
        bound_free(&changed);
    }
    view_free(&v);
    bound_free(&bound);
}

/* ---- large states ------------------------------------------------------------------------- */

#define LARGE_ROWS 3000u
#define LARGE_TEXT 1000u

/* Rows of long texts, and one that is longer than a piece. */
static void push_long_texts(struct view *v) {
    struct sql_builder b;
    char *longest = mem_alloc(3 * SQL_STATE_PIECE_BYTES);
    assert_non_null(longest);
    memset(longest, 'x', 3 * SQL_STATE_PIECE_BYTES);
    assert_int_equal(sql_builder_make(2, &b), 0);
    for (unsigned row = 0; row < LARGE_ROWS; row++) {
        size_t len = row == LARGE_ROWS / 2 ? 3 * SQL_STATE_PIECE_BYTES : LARGE_TEXT;
        sql_builder_set(&b, 0, &(union sql_cell){.text = slice_make(longest, len)}, false);
        sql_builder_set(&b, 1, &(union sql_cell){.i = row}, false);
        sql_builder_end(&b, 1);
        if (!sql_builder_full(&b) && row + 1 < LARGE_ROWS)
            continue;
        struct sql_batch batch = sql_builder_batch(&b);
        assert_int_equal(sql_exec_push(v->exec, 0, &batch, &v->error), 0);
        sql_builder_reset(&b);
    }
    assert_int_equal(sql_exec_end_step(v->exec, &v->error), 0);
    sql_builder_free(&b);
    mem_free(longest);
}

static void a_large_state_comes_in_pieces(void **state) {
    (void)state;
    struct bound bound;
    struct view v = {.pieces = 0}, other = {.pieces = 0};
    bind_view("SELECT c, e FROM s ORDER BY e OFFSET 1", &bound);
    view_run(&v, &bound.statement.query, 1);
    push_long_texts(&v);
    view_save(&v);
    assert_true(v.pieces > 5);
    view_run(&other, v.query, 2);
    assert_int_equal(view_try_load(&other, v.piece, v.pieces), 0);
    assert_int_equal(sql_exec_stats(other.exec).state_bytes, sql_exec_stats(v.exec).state_bytes);
    /* One that is missing, one twice, two in the wrong order, not all. */
    assert_int_equal(view_try_load(&other, v.piece + 1, v.pieces - 1), -EBADMSG);
    slice wrong[] = {v.piece[0], v.piece[0]}, swapped[] = {v.piece[0], v.piece[2], v.piece[1]};
    assert_int_equal(view_try_load(&other, wrong, 2), -EBADMSG);
    assert_int_equal(view_try_load(&other, swapped, 3), -EBADMSG);
    assert_int_equal(view_try_load(&other, v.piece, v.pieces - 1), 1);
    /* Less memory than it takes: an error, and no more than that is taken. */
    other.memory_max = sql_exec_stats(v.exec).state_bytes / 2;
    assert_int_equal(view_try_load(&other, v.piece, v.pieces), -ENOMEM);
    assert_string_equal(other.error.state, "53200");
    assert_true(sql_exec_stats(other.exec).state_bytes <= other.memory_max);
    view_free(&other);
    view_free(&v);
    bound_free(&bound);
}

/* ---- bytes that nobody saved -------------------------------------------------------------- */

#define FORGED 400u

/* A few bytes of a state changed, and the hash made right again: nothing is followed that is not
   there, and what loads can be saved. What its values then mean only the hash vouches for. */
static unsigned forge(struct view *v, struct view *other, struct chance *c) {
    struct view from = *v;
    char *copy = mem_copy(v->piece[0].ptr, v->piece[0].len);
    assert_non_null(copy);
    size_t head = SNAPSHOT_PIECE_HEAD + 20; /* past the fingerprint: else nothing else is seen */
    for (unsigned i = 1 + pick(c, 3); i > 0; i--) {
        size_t at = head + pick(c, (unsigned)(from.piece[0].len - head));
        unsigned byte = (unsigned char)copy[at];
        copy[at] = (char)(uint8_t)(pick(c, 2) ? byte ^ 1u << pick(c, 8) : pick(c, 256));
    }
    uint64_t hash = SNAPSHOT_HASH_START;
    snapshot_seal(copy, from.piece[0].len, 0, &hash);
    slice forged = slice_make(copy, from.piece[0].len);
    int r = view_try_load(other, &forged, 1);
    assert_true(r == 0 || r == 1 || r == -EBADMSG || r == -ENOMEM);
    if (r == 0)
        assert_int_equal(view_try_save(other), 0);
    mem_free(copy);
    return r == 0;
}

static void forged_bytes_are_judged(void **state) {
    (void)state;
    struct chance c = {17};
    unsigned loaded = 0;
    for (unsigned i = 0; i < array_count(queries); i++) {
        struct bound bound;
        struct view v = {.pieces = 0}, other = {.pieces = 0};
        some_state(queries[i], &bound, &v);
        view_run(&other, v.query, 2);
        for (unsigned n = 0; n < FORGED; n++)
            loaded += forge(&v, &other, &c);
        view_free(&other);
        view_free(&v);
        bound_free(&bound);
    }
    assert_true(loaded > 0);
}

/* ---- no memory ---------------------------------------------------------------------------- */

static bool save_with_fault(struct view *v, unsigned long fault) {
    mem_fail_at(fault, true);
    unsigned long before = mem_attempts();
    int r = view_try_save(v);
    bool reached = mem_attempts() - before >= fault;
    mem_fail_at(0, false);
    assert_int_equal(r, reached ? -ENOMEM : 0);
    if (r)
        assert_string_equal(v->error.state, "53200");
    return reached;
}

static bool load_with_fault(struct view *v, struct view *other, unsigned long fault) {
    assert_int_equal(view_try_run(other), 0);
    mem_fail_at(fault, true);
    unsigned long before = mem_attempts();
    int r = sql_exec_load(other->exec, v->piece[0], &other->error);
    bool reached = mem_attempts() - before >= fault;
    mem_fail_at(0, false);
    assert_int_equal(r, reached ? -ENOMEM : 0);
    return reached;
}

static void no_memory_is_an_error(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(queries); i++) {
        struct bound bound;
        struct view v = {.pieces = 0}, other = {.pieces = 0};
        some_state(queries[i], &bound, &v);
        view_run(&other, v.query, 2);
        for (unsigned long fault = 1; save_with_fault(&v, fault); fault++)
            ;
        for (unsigned long fault = 1; load_with_fault(&v, &other, fault); fault++)
            ;
        view_free(&other);
        view_free(&v);
        bound_free(&bound);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_goes_on_from_its_saved_state),
        cmocka_unit_test(damaged_bytes_are_found),
        cmocka_unit_test(the_state_of_another_plan_is_refused),
        cmocka_unit_test(a_large_state_comes_in_pieces),
        cmocka_unit_test(forged_bytes_are_judged),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("sql/exec/snapshot", tests, open_tables, close_database);
}
