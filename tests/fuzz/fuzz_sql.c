/*
 * fuzz_sql.c - SQL of strangers: cut into tokens, parsed, bound, explained and run.
 *
 *     text ── tokens · parse ── each statement ── bind ── EXPLAIN ── run once over a few rows
 *                └── CREATE MATERIALIZED VIEW … AS text ── bind ── run in three steps
 *
 * It is bound over the database below: tables, streams with watermarks, views, an enum, functions.
 * Rows are few, and an executor has EXEC_BYTES_MAX and a go_on that says no in the end, so that
 * what never ends (cross joins, endless series) has to be stopped by them. Properties: what fails
 * has a SQLSTATE, words, and a position within the text; each value that comes out can be written;
 * nothing that is asked once is taken back.
 */
#include "sql/batch.h"
#include "sql/bind/bind.h"
#include "sql/exec/exec.h"
#include "sql/parse/token.h"

#include "base/utf8.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)64 << 10)
#define STATEMENT_BYTES_MAX ((size_t)16 << 20)
#define EXEC_BYTES_MAX ((uint64_t)4 << 20)
#define OUT_BYTES_MAX ((size_t)256 << 20)
#define GO_ON_MAX 100u /* batches, of one executor */
#define ROWS_MAX 2000u /* that come out of one */
#define STATEMENTS_MAX 4u
#define TABLES_MAX 16u
#define ROWS 5u
#define COLUMNS_MAX 12u

/* --- the database ----------------------------------------------------------------------------- */

/* Rows of a table, of which plans name columns by place. */
struct table_rows {
    const struct sql_table *table;
    union sql_cell cells[ROWS][COLUMNS_MAX];
    uint8_t nulls[ROWS][COLUMNS_MAX];
};

static struct {
    bool open;
    struct sql_catalog *catalog;
    struct sql_settings settings;
    struct arena memory; /* of the statements that made it, and of rows */
    unsigned tables;
    struct table_rows rows[TABLES_MAX];
} database;

static const char *const definitions[] = {
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TABLE t (a int PRIMARY KEY, b bigint, c text, d numeric(10,2), e timestamp, "
    "f double precision, g boolean, h varchar(5), i date)",
    "CREATE TABLE u (a int, x text, y int)",
    "CREATE TABLE e (j jsonb, k int[], l text[], m mood, n interval, o timestamptz, p bytea, "
    "q uuid, r time, s real, v json)",
    "CREATE TABLE bid (auction bigint, bidder bigint, price bigint, channel varchar, url varchar, "
    "date_time timestamp, extra varchar) "
    "WITH (subject = 'bid', watermark = 'date_time - interval ''4 s''')",
    "CREATE TABLE auction (id bigint, item_name varchar, initial_bid bigint, reserve numeric, "
    "date_time timestamp, expires timestamp, seller bigint, category bigint, "
    "WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND) WITH (subject = 'auction')",
    "CREATE TABLE gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int DEFAULT 7, "
    "id bigint GENERATED ALWAYS AS IDENTITY)",
    "CREATE VIEW v AS SELECT a, b + 1 AS b1, c FROM t WHERE g",
    "CREATE MATERIALIZED VIEW w AS SELECT c, count(*) AS n, max(a) AS a FROM t GROUP BY c",
    "CREATE FUNCTION plus(x int, y int) RETURNS int LANGUAGE sql AS 'SELECT x + y'",
    "CREATE FUNCTION of_u(k int) RETURNS text LANGUAGE sql AS 'SELECT x FROM u WHERE u.a = k'",
};

/* Row R of a column of a type: the text, NULL where it is none. */
static const char *sample(uint32_t oid, unsigned r) {
    static const struct {
        uint32_t oid;
        const char *texts[ROWS];
    } samples[] = {
        {SQL_BOOL, {"t", "f", NULL, "t", "f"}},
        {SQL_INT4, {"1", "2", "3", "-2147483648", "2147483647"}},
        {SQL_INT8, {"1", "2", NULL, "-9223372036854775808", "9223372036854775807"}},
        {SQL_TEXT, {"x", "y", "", NULL, "a,b;c%_\\"}},
        {SQL_VARCHAR, {"x", "y", "apple", NULL, "\xc3\xa9"}},
        {SQL_NUMERIC, {"1.50", "-2.5", "NaN", NULL, "0"}},
        {SQL_FLOAT8, {"1.5", "NaN", "Infinity", "-0", NULL}},
        {SQL_FLOAT4, {"1.5", "NaN", "-Infinity", "-0", NULL}},
        {SQL_DATE, {"2024-02-29", "2000-01-01", "infinity", NULL, "4713-01-01 BC"}},
        {SQL_TIME, {"00:00", "24:00", "12:30:00.5", NULL, "23:59:59.999999"}},
        {SQL_TIMESTAMP,
         {"2024-02-29 10:00:00", "2024-02-29 10:00:07", NULL, "infinity", "2024-02-29 10:00:30"}},
        {SQL_TIMESTAMPTZ,
         {"2024-02-29 10:00:00+00", "epoch", NULL, "-infinity", "294276-12-31 23:59:59+00"}},
        {SQL_INTERVAL, {"1 day", "-1 mon 3:00", NULL, "178000000 years", "00:00:00.000001"}},
        {SQL_JSONB, {"{\"a\": [1, 2, {\"b\": null}]}", "[]", "1e400", NULL, "\"x\""}},
        {SQL_JSON, {"{\"a\":1,\"a\":2}", "[1, [2]]", "null", NULL, "\"\\u00e9\""}},
        {SQL_INT4_ARRAY, {"{1,2,NULL}", "{}", "{{1,2},{3,4}}", NULL, "[5:6]={7,8}"}},
        {SQL_TEXT_ARRAY, {"{x,\"a b\"}", "{}", "{{x},{NULL}}", NULL, "{\"\"}"}},
        {SQL_BYTEA, {"\\x00ff", "\\x", "abc", NULL, "\\xdeadbeef"}},
        {SQL_UUID,
         {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", NULL,
          "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NULL}},
    };
    for (size_t i = 0; i < array_count(samples); i++)
        if (samples[i].oid == oid)
            return samples[i].texts[r];
    return (const char *[ROWS]){"ok", "sad", "happy", NULL, "ok"}[r]; /* mood */
}

static void fill_rows(const struct sql_table *table) {
    struct sql_error why;
    check(database.tables < TABLES_MAX && table->columns <= COLUMNS_MAX);
    struct table_rows *rows = &database.rows[database.tables++];
    rows->table = table;
    for (unsigned r = 0; r < ROWS; r++)
        for (unsigned c = 0; c < table->columns; c++) {
            const char *text = sample(table->column[c].type.oid, r);
            rows->nulls[r][c] = !text;
            check(!text || sql_value_in(table->column[c].type, slice_str(text), &database.settings,
                                        &database.memory, &rows->cells[r][c], &why) == 0);
        }
}

static void add_table(struct sql_table *table) {
    table->oid = sql_catalog_next_oid(database.catalog);
    table->references++;
    for (unsigned i = 0; i < table->indexes; i++)
        table->index[i].oid = sql_catalog_next_oid(database.catalog);
    check(sql_catalog_add_table(database.catalog, table) == 0);
    if (table->kind != SQL_TABLE_VIEW)
        fill_rows(table);
}

static void define(const char *text) {
    struct sql_parse *parse;
    struct sql_statement s = {.memory = &database.memory};
    struct sql_error why;
    const struct sql_bind_options options = {
        .catalog = database.catalog, .settings = &database.settings, .memory = &database.memory};
    check(sql_parse(slice_str(text), &parse, &why) == 0);
    check(sql_bind(parse, 0, &options, &s, &why) == 0);
    if (s.kind == SQL_STATEMENT_CREATE_ENUM) {
        s.enumeration.oid = sql_catalog_next_oid(database.catalog);
        check(sql_catalog_add_enum(database.catalog, &s.enumeration) == 0);
    } else if (s.kind == SQL_STATEMENT_CREATE_FUNCTION) {
        s.function.oid = sql_catalog_next_oid(database.catalog);
        check(sql_catalog_add_function(database.catalog, &s.function) == 0);
    } else {
        add_table(s.table);
    }
    sql_parse_free(parse);
}

static uint64_t no_random(void *self) {
    (void)self;
    return 4;
}

static int64_t no_clock(void *self) {
    (void)self;
    return 0;
}

static void open_database(void) {
    database.memory = arena_make(0, STATEMENT_BYTES_MAX);
    check(sql_catalog_new(&database.catalog) == 0);
    database.settings = (struct sql_settings){.user = slice_lit("ann"),
                                              .database = slice_lit("nonet"),
                                              .extra_float_digits = 1,
                                              .random = no_random,
                                              .clock = no_clock,
                                              .catalog = database.catalog};
    for (size_t i = 0; i < array_count(definitions); i++)
        define(definitions[i]);
    database.open = true;
}

/* --- running ---------------------------------------------------------------------------------- */

struct execution {
    const struct sql_query *query;
    bool once;
    unsigned asked;
    uint64_t rows;
    struct sql_exec *exec;
};

static int go_on(void *self, struct sql_error *error) {
    struct execution *x = self;
    return ++x->asked < GO_ON_MAX ? 0 : sql_fail(error, "57014", "it takes too long");
}

static int on_rows(void *self, const struct sql_batch *batch, struct sql_error *error) {
    struct execution *x = self;
    const struct sql_plan_column *columns = x->query->plan->column;
    check(batch->columns == x->query->plan->columns);
    for (unsigned row = 0; row < batch->rows; row++) {
        check(sql_weight_at(batch, row) != 0);
        if (x->rows++ == ROWS_MAX)
            return sql_fail(error, "57014", "it gives too much");
        for (unsigned c = 0; c < batch->columns; c++) {
            const struct sql_column *column = &batch->column[c];
            if (sql_null_at(column, row))
                continue;
            _cleanup_buf_ struct buf out = buf_make(OUT_BYTES_MAX);
            check(sql_value_out(columns[c].type, sql_cell_at(column, row), &database.settings,
                                &out) == 0);
            check(columns[c].type.oid != SQL_TEXT || utf8_valid(buf_slice(&out)));
        }
    }
    return 0;
}

static const struct table_rows *rows_of(const struct sql_table *table) {
    for (unsigned i = 0; i < database.tables; i++)
        if (database.rows[i].table == table)
            return &database.rows[i];
    return NULL;
}

/* Does row R have what the scan looks up? */
static bool is_wanted(const struct sql_plan *scan, const struct table_rows *rows, unsigned r,
                      const union sql_cell *values, const uint8_t *nulls) {
    bool wanted = true;
    for (unsigned i = 0; wanted && i < scan->lookups; i++) {
        unsigned c = scan->lookup_columns[i];
        wanted = !nulls[i] && !rows->nulls[r][c] &&
                 sql_value_equal(scan->table->column[c].type.oid, &values[i], &rows->cells[r][c]);
    }
    return wanted;
}

/* Rows FROM .. TO of the table that INPUT scans, each WEIGHT times. */
static int push(struct execution *x, unsigned input, unsigned from, unsigned to, int64_t weight,
                struct sql_error *error) {
    const struct sql_plan *scan = sql_exec_input(x->exec, input);
    const struct table_rows *rows = rows_of(scan->table);
    union sql_cell values[COLUMNS_MAX];
    uint8_t nulls[COLUMNS_MAX];
    struct sql_builder b;
    if (!rows)
        return 0;
    check(scan->lookups <= COLUMNS_MAX);
    int r = scan->lookups ? sql_exec_lookup(x->exec, input, values, nulls, error) : 0;
    if (r < 0)
        return r;
    check(sql_builder_make(scan->columns, &b) == 0);
    for (unsigned row = from; row < to; row++) {
        if (!is_wanted(scan, rows, row, values, nulls))
            continue;
        for (unsigned c = 0; c < scan->columns; c++) {
            const union sql_cell id = {.i = row + 1};
            unsigned of = scan->scan_columns[c];
            bool is_id = of == SQL_SCAN_ROW_ID;
            sql_builder_set(&b, c, is_id ? &id : &rows->cells[row][of],
                            !is_id && rows->nulls[row][of]);
        }
        sql_builder_end(&b, weight);
    }
    const struct sql_batch batch = sql_builder_batch(&b);
    r = batch.rows ? sql_exec_push(x->exec, input, &batch, error) : 0;
    sql_builder_free(&b);
    return r;
}

static int run_once(struct execution *x, struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < sql_exec_inputs(x->exec); i++) {
        if (!sql_exec_full(x->exec))
            r = push(x, i, 0, ROWS, 1, error);
        sql_exec_end_input(x->exec, i);
    }
    return r == 0 ? sql_exec_end_step(x->exec, error) : r;
}

/* Two steps of new rows, the streams' time moving on, and one that takes away what can be. */
static int run_view(struct execution *x, struct sql_error *error) {
    static const struct {
        unsigned from, to;
        int64_t weight, watermark;
    } steps[] = {{0, 2, 1, 0}, {2, ROWS, 1, INT64_C(760000000) * 1000000}, {1, ROWS, -1, 0}};
    int r = 0;
    for (unsigned s = 0; r == 0 && s < array_count(steps); s++) {
        for (unsigned i = 0; r == 0 && i < sql_exec_inputs(x->exec); i++) {
            const struct sql_table *table = sql_exec_input(x->exec, i)->table;
            bool stream = table->kind == SQL_TABLE_STREAM;
            if (steps[s].weight > 0 || !(stream || table->append_only))
                r = push(x, i, steps[s].from, steps[s].to, steps[s].weight, error);
            if (r == 0 && steps[s].watermark && stream)
                r = sql_exec_watermark(x->exec, i, steps[s].watermark, error);
        }
        r = r == 0 ? sql_exec_end_step(x->exec, error) : r;
    }
    return r;
}

static void check_error(const struct sql_error *why, slice text) {
    check(strlen(why->state) == 5 && why->message[0] && why->position <= text.len + 1);
}

static void run(const struct sql_query *query, bool once, struct arena *memory, slice text) {
    struct execution x = {.query = query, .once = once};
    struct sql_error why = {.state = ""};
    uint8_t *nulls = arena_alloc(memory, query->parameters + 1u);
    union sql_cell *parameters = arena_zalloc(memory, query->parameters + 1u, sizeof *parameters);
    if (!nulls || !parameters)
        return;
    memset(nulls, 1, query->parameters + 1u);
    const struct sql_exec_options options = {.once = once,
                                             .memory_max = EXEC_BYTES_MAX,
                                             .settings = &database.settings,
                                             .parameters = parameters,
                                             .parameter_nulls = nulls,
                                             .emit = on_rows,
                                             .go_on = go_on,
                                             .self = &x};
    int r = sql_exec_new(query, &options, &x.exec, &why);
    if (r == 0)
        r = once ? run_once(&x, &why) : run_view(&x, &why);
    if (r < 0)
        check_error(&why, text);
    sql_exec_free(x.exec);
}

/* --- one input -------------------------------------------------------------------------------- */

static void explain(const struct sql_query *query) {
    _cleanup_buf_ struct buf out = buf_make(OUT_BYTES_MAX);
    check(sql_plan_text(query, &out) == 0);
}

/* False: it is not to be run. */
static bool bind_one(const struct sql_parse *parse, unsigned index, struct arena *memory,
                     struct sql_statement *ret) {
    const struct sql_bind_options options = {
        .catalog = database.catalog, .settings = &database.settings, .memory = memory};
    struct sql_error why = {.state = ""};
    *ret = (struct sql_statement){.memory = memory};
    int r = sql_bind(parse, index, &options, ret, &why);
    if (r < 0)
        check_error(&why, sql_parse_text(parse));
    return r == 0;
}

static void run_statement(const struct sql_parse *parse, unsigned index) {
    _cleanup_arena_ struct arena memory = arena_make(0, STATEMENT_BYTES_MAX);
    struct sql_statement s;
    if (!bind_one(parse, index, &memory, &s))
        return;
    const struct sql_query *query = s.inner ? &s.inner->query : &s.query;
    if (!query->plan)
        return;
    explain(query);
    run(query, s.kind != SQL_STATEMENT_CREATE_MATERIALIZED, &memory, sql_parse_text(parse));
}

/* TEXT as a view's query, where it can be one. */
static void run_as_view(slice text) {
    _cleanup_buf_ struct buf view = buf_make(2 * TEXT_MAX);
    struct sql_parse *parse = NULL;
    struct sql_error why;
    check(buf_append(&view, slice_lit("CREATE MATERIALIZED VIEW fuzz AS ")) == 0);
    check(buf_append(&view, text) == 0);
    if (sql_parse(buf_slice(&view), &parse, &why) == 0 && sql_parse_count(parse) == 1)
        run_statement(parse, 0);
    sql_parse_free(parse);
}

static void check_tokens(slice text) {
    struct sql_tokens tokens = {text, 0};
    for (size_t before = 0;;) {
        struct sql_token token = sql_token_next(&tokens);
        check(token.start >= before && token.start + token.text.len <= text.len);
        check(tokens.at >= token.start + token.text.len && tokens.at <= text.len);
        if (token.kind == SQL_TOKEN_END)
            return;
        check(token.text.len > 0);
        before = token.start + token.text.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const slice text = slice_make(data, size < TEXT_MAX ? size : TEXT_MAX);
    struct sql_parse *parse = NULL;
    struct sql_error why = {.state = ""};
    if (!database.open)
        open_database();
    check_tokens(text);
    if (sql_parse(text, &parse, &why) < 0) {
        check_error(&why, text);
        return 0;
    }
    unsigned count = sql_parse_count(parse);
    for (unsigned i = 0; i < count && i < STATEMENTS_MAX; i++)
        run_statement(parse, i);
    if (count == 1 && sql_node_is(sql_parse_at(parse, 0)->node, "SelectStmt", NULL))
        run_as_view(text);
    sql_parse_free(parse);
    return 0;
}
