/*
 * Saved states from strangers: the first byte chooses a query, the second where a piece ends, the
 * rest is what follows the head of a saved state of it.
 *
 * The head and the hashes are made right, because nothing behind a wrong one is ever read. Whatever
 * the rest says is loaded or refused, with no more memory than the executor may take; what loads
 * can be saved again, as many bytes of it.
 */
#include "base/mem.h"
#include "sql/bind/bind.h"
#include "sql/exec/snapshot.h"

#define INPUT_MAX ((size_t)64 << 10)
#define MEMORY_MAX ((size_t)4 << 20)
#define CUT 16u /* bytes, for each of the second byte's */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const tables[] = {
    "CREATE TABLE t (a bigint, b numeric, c text, e timestamp)",
    "CREATE TABLE s (a bigint, b numeric, c text, e timestamp) WITH (subject = 's', watermark = "
    "'e - interval ''4 s''')",
};

static const char *const queries[] = {
    "SELECT c, count(*), sum(b), min(b), string_agg(c, ',' ORDER BY a) FROM t GROUP BY c",
    "SELECT b, count(DISTINCT a), array_agg(a), stddev(b), max(c) FROM s GROUP BY b",
    "SELECT t.c, s.b FROM t LEFT JOIN s ON t.a = s.a AND t.b < s.b",
    "SELECT t.a FROM t WHERE (a, c) NOT IN (SELECT a, c FROM s)",
    "SELECT b, c FROM t EXCEPT ALL SELECT b, c FROM s",
    "SELECT a, b FROM t ORDER BY b DESC LIMIT 2",
    "SELECT a, sum(b) OVER (PARTITION BY c ORDER BY e) FROM t",
    "SELECT window_end, count(DISTINCT b) FROM tumble(s, e, '9 s') GROUP BY 1 EMIT ON WINDOW CLOSE",
    "SELECT a, window_start, count(*) FROM session(s, e, a, interval '3 s') GROUP BY 1, 2",
};

/* ---- queries ------------------------------------------------------------------------------ */

struct bound {
    struct arena memory;
    struct sql_parse *parse;
    struct sql_statement statement;
};

static struct sql_catalog *catalog;
static const struct sql_settings settings = {.extra_float_digits = 1};

static void bind(const char *sql, struct bound *b) {
    struct sql_error error;
    *b = (struct bound){.memory = arena_make(0, (size_t)16 << 20)};
    const struct sql_bind_options options = {
        .catalog = catalog, .settings = &settings, .memory = &b->memory};
    check(sql_parse(slice_str(sql), &b->parse, &error) == 0);
    check(sql_bind(b->parse, 0, &options, &b->statement, &error) == 0);
}

static void unbind(struct bound *b) {
    arena_free(&b->memory);
    (void)sql_parse_free(b->parse);
}

static void open_catalog(void) {
    check(sql_catalog_new(&catalog) == 0);
    for (size_t i = 0; i < array_count(tables); i++) {
        struct bound b;
        bind(tables[i], &b);
        b.statement.table->oid = sql_catalog_next_oid(catalog);
        b.statement.table->references++;
        check(sql_catalog_add_table(catalog, b.statement.table) == 0);
        unbind(&b);
    }
}

/* As a view's. Bound once: the plans stay. */
static const struct sql_query *query_of(unsigned which) {
    static struct bound bound[array_count(queries)];
    struct bound *b = &bound[which];
    _cleanup_buf_ struct buf sql = buf_make(4096);
    if (!catalog)
        open_catalog();
    if (!b->parse) {
        check(buf_printf(&sql, "CREATE MATERIALIZED VIEW w AS %s", queries[which]) == 0);
        bind(buf_text(&sql), b);
    }
    return &b->statement.query;
}

/* ---- states ------------------------------------------------------------------------------- */

static int drop_rows(void *self, const struct sql_batch *batch, struct sql_error *error) {
    (void)self;
    (void)batch;
    (void)error;
    return 0;
}

static struct sql_exec *run(const struct sql_query *query) {
    const struct sql_exec_options options = {
        .memory_max = MEMORY_MAX, .settings = &settings, .emit = drop_rows};
    struct sql_exec *x = NULL;
    struct sql_error error;
    check(sql_exec_new(query, &options, &x, &error) == 0);
    return x;
}

static int keep(void *self, slice piece, struct sql_error *error) {
    (void)error;
    return buf_append(self, piece);
}

/* The first record of a state of X, behind its length, which is one byte. */
static void append_head(struct sql_exec *x, struct buf *out) {
    _cleanup_buf_ struct buf piece = buf_make(SQL_STATE_PIECE_BYTES);
    struct sql_error error;
    check(sql_exec_save(x, keep, &piece, &error) == 0);
    slice records = slice_skip(buf_slice(&piece), SNAPSHOT_PIECE_HEAD);
    check(buf_append(out, slice_take(records, 1u + (uint8_t)records.ptr[0])) == 0);
}

static int load(struct sql_exec *x, slice bytes, uint32_t number, uint64_t *hash) {
    static const char head[SNAPSHOT_PIECE_HEAD];
    _cleanup_buf_ struct buf piece = buf_make(SQL_STATE_PIECE_BYTES);
    struct sql_error error;
    check(buf_append(&piece, slice_make(head, sizeof head)) == 0);
    check(buf_append(&piece, bytes) == 0);
    snapshot_seal(piece.ptr, piece.len, number, hash);
    return sql_exec_load(x, buf_slice(&piece), &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > INPUT_MAX)
        return 0;
    struct sql_exec *x = run(query_of(data[0] % array_count(queries)));
    _cleanup_buf_ struct buf state = buf_make(2 * INPUT_MAX), again = buf_make(2 * INPUT_MAX);
    struct sql_error error;
    append_head(x, &state);
    check(buf_append(&state, slice_make(data + 2, size - 2)) == 0);
    slice bytes = buf_slice(&state), first = slice_take(bytes, data[1] * CUT + 1u);
    uint64_t hash = SNAPSHOT_HASH_START;
    int r = load(x, first, 0, &hash);
    if (r == 1 && first.len < bytes.len)
        r = load(x, slice_skip(bytes, first.len), 1, &hash);
    check(sql_exec_stats(x).state_bytes <= MEMORY_MAX);
    if (r == 0) {
        check(sql_exec_save(x, keep, &again, &error) == 0);
        check(again.len <= 2 * size + 256);
    }
    sql_exec_free(x);
    return 0;
}
