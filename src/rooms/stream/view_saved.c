/*
 * view_saved.c - what of a view is saved, and how it goes on from there (view.h, view_snapshot.h).
 *
 * TABLES that it reads beside its streams, stored ones and other views, have changed since, and go
 * on from elsewhere. So the snapshot has their rows as the view had them, and a start makes up the
 * difference: both come by ascending ids, and what is the same on either side is passed over.
 *
 *     saved    1 a   2 b          4 d   5 e
 *     now      1 a          3 c   4 D   5 e   6 f      pushed: -b +c -d +D +f
 *
 * It does not matter for what is pushed whether an id still means the same row: bytes are compared,
 * and the sum is that of the rows now, less that of those saved.
 */
#include "rooms/stream/view_inside.h"

#include "base/mem.h"
#include "rooms/stream/entry.h"
#include "rooms/stream/rows.h"

#include <errno.h>

#define TABLES_BYTES_MAX ((size_t)4 << 20)

/* --- saving ----------------------------------------------------------------------------------- */

unsigned view_tables(const struct view *v, struct sql_table **ret) {
    unsigned count = 0;
    for (unsigned i = 0; i < sql_exec_inputs(v->exec); i++) {
        uint32_t oid = sql_exec_input(v->exec, i)->table->oid;
        struct sql_table *table = sql_catalog_table_by_oid(v->db->catalog, oid);
        bool again = !table || table->kind == SQL_TABLE_STREAM;
        for (unsigned k = 0; !again && k < count && k < VIEW_TABLES_MAX; k++)
            again = ret[k] == table;
        if (!again && count < VIEW_TABLES_MAX)
            ret[count] = table;
        count += !again;
    }
    return count;
}

/* Which they are, and how their rows lie:
     u32 tables, each: u32 oid, u32 columns, each: u32 type, u32 its typmod */
static int put_tables(const struct view *v, struct buf *out) {
    struct sql_table *tables[VIEW_TABLES_MAX];
    struct entry_writer w = {.out = out};
    unsigned count = view_tables(v, tables);
    if (count > VIEW_TABLES_MAX)
        return -EOPNOTSUPP;
    entry_u32(&w, count);
    for (unsigned i = 0; i < count; i++) {
        entry_u32(&w, tables[i]->oid);
        entry_u32(&w, tables[i]->columns);
        for (unsigned c = 0; c < tables[i]->columns; c++) {
            entry_u32(&w, tables[i]->column[c].type.oid);
            entry_u32(&w, (uint32_t)tables[i]->column[c].type.typmod);
        }
    }
    return w.failed;
}

int view_save_head(struct view *v, struct buf *head) {
    struct entry_writer w = {.out = head};
    _cleanup_buf_ struct buf tables = buf_make(TABLES_BYTES_MAX);
    if (v->failed || !v->feeds)
        return -EOPNOTSUPP;
    check(v->moment == 0);
    int r = put_tables(v, &tables);
    entry_u64(&w, v->steps);
    entry_u64(&w, v->tombstones);
    entry_text(&w, buf_slice(&tables));
    if (r < 0)
        return r;
    return w.failed ? w.failed : feeds_save(v->feeds, head);
}

int view_save(struct view *v, sql_exec_piece *piece,
              int (*go_on)(void *self, struct sql_error *error), void *self,
              struct sql_error *error) {
    v->saving_go_on = go_on;
    v->saving = self;
    int r = sql_exec_save(v->exec, piece, self, error);
    v->saving_go_on = NULL;
    return r;
}

void view_hold(struct view *v, bool held) {
    if (v->feeds)
        feeds_hold(v->feeds, held);
    struct sql_table *tables[VIEW_TABLES_MAX];
    unsigned count = view_tables(v, tables);
    for (unsigned i = 0; i < count && i < VIEW_TABLES_MAX; i++)
        if (tables[i]->kind == SQL_TABLE_MATERIALIZED && tables[i]->host)
            view_hold(tables[i]->host, held);
}

void view_kept(struct view *v) {
    if (v->feeds)
        feeds_kept(v->feeds);
}

struct view_pace *view_pace(struct view *v) {
    return &v->pace;
}

/* --- going on: rows and state ------------------------------------------------------------------
 */

static int load_rows(struct view *v, slice part, struct sql_error *error) {
    struct entry_reader r = {.rest = part};
    struct sql_type types[SQL_COLUMNS_MAX];
    uint64_t next = entry_take_u64(&r);
    for (unsigned i = 0; i < v->query.visible; i++)
        types[i] = v->query.plan->column[i].type;
    const struct rows_reader reader = {.rows = v->rows,
                                       .types = types,
                                       .columns = v->query.visible,
                                       .named = true,
                                       .moment = v->db->commit};
    int failed = r.failed ? r.failed : rows_read(&reader, r.rest);
    if (!failed && next < relation_next_id(v->rows))
        failed = -EBADMSG;
    if (failed)
        return sql_fail(error, "XX001", "its rows cannot be read (%s)", error_name(failed));
    relation_set_next_id(v->rows, next);
    return 0;
}

/* --- going on: tables --------------------------------------------------------------------------
 */

struct table_merge {
    struct view *v;
    struct sql_table *table[VIEW_TABLES_MAX];
    unsigned tables, at; /* the one that is merged */
    bool open;
    uint64_t moment;
    struct relation_scan now;
    slice row; /* the next of it; there is one where `there` */
    bool there;
    struct sql_type types[SQL_COLUMNS_MAX];
    struct sql_builder builder;
};

static int merge_push(struct table_merge *m, struct sql_error *error) {
    struct view *v = m->v;
    struct sql_batch batch = sql_builder_batch(&m->builder);
    int r = 0;
    v->busy_since_ns = 0;
    for (unsigned i = 0; r == 0 && batch.rows && i < sql_exec_inputs(v->exec); i++)
        if (sql_exec_input(v->exec, i)->table->oid == m->table[m->at]->oid)
            r = view_push_rows(v, i, &batch, error);
    sql_builder_reset(&m->builder);
    return r;
}

static int merge_row(struct table_merge *m, slice row, int64_t weight, struct sql_error *error) {
    union sql_cell cells[SQL_COLUMNS_MAX];
    uint8_t nulls[SQL_COLUMNS_MAX];
    unsigned columns = m->table[m->at]->columns;
    if (sql_row_decode(row, m->types, columns, &m->builder.memory, cells, nulls) < 0)
        return sql_fail(error, "XX001", "a row of a table that it reads is damaged");
    for (unsigned i = 0; i < columns; i++)
        sql_builder_set(&m->builder, i, &cells[i], nulls[i]);
    sql_builder_end(&m->builder, weight);
    return sql_builder_full(&m->builder) ? merge_push(m, error) : 0;
}

static void merge_next(struct table_merge *m) {
    unsigned looks = UINT32_MAX;
    m->there = relation_scan_bytes(&m->now, &looks, &m->row) == 1;
}

static int merge_open(struct table_merge *m, struct sql_error *error) {
    const struct sql_table *t = m->table[m->at];
    struct relation *rows = relation_of(t);
    if (!rows)
        return sql_fail(error, "55000", "\"%.*s\", which it reads, is not there",
                        slice_fmt(t->name));
    if (sql_builder_make(t->columns, &m->builder) < 0)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < t->columns; i++)
        m->types[i] = t->column[i].type;
    relation_scan_all(rows, m->moment, &m->now);
    m->open = true;
    return 0;
}

static void merge_close(struct table_merge *m) {
    if (!m->open)
        return;
    relation_scan_end(&m->now);
    sql_builder_free(&m->builder);
    m->open = false;
}

/* What has come since behind the last one that was saved. */
static int merge_end(struct table_merge *m, struct sql_error *error) {
    int r = m->open ? 0 : merge_open(m, error);
    if (r == 0)
        merge_next(m);
    for (; r == 0 && m->there; merge_next(m))
        r = merge_row(m, m->row, 1, error);
    if (r == 0)
        r = merge_push(m, error);
    merge_close(m);
    m->at++;
    return r;
}

/* The saved row ID. */
static int merge_saved(struct table_merge *m, uint64_t id, slice row, struct sql_error *error) {
    int r = 0;
    for (; r == 0 && m->there && m->now.id < id; merge_next(m))
        r = merge_row(m, m->row, 1, error);
    if (r < 0)
        return r;
    bool same = m->there && m->now.id == id;
    if (same && slice_equal(m->row, row)) {
        merge_next(m);
        return 0;
    }
    return merge_row(m, row, -1, error);
}

/* A part with rows of one table; what lies in it is not needed when this returns. */
static int merge_part(struct table_merge *m, slice part, struct sql_error *error) {
    struct entry_reader in = {.rest = part};
    uint64_t table = entry_take_u64(&in);
    int r = 0;
    while (r == 0 && table < m->tables && m->at < table)
        r = merge_end(m, error);
    if (r == 0 && (in.failed || table >= m->tables || m->at != table))
        return sql_fail(error, "XX001", "it has too many parts");
    if (r == 0 && !m->open)
        r = merge_open(m, error);
    if (r < 0)
        return r;
    merge_next(m);
    while (r == 0 && in.rest.len) {
        uint64_t id = entry_take_u64(&in);
        slice row = entry_take(&in, entry_take_u32(&in));
        r = in.failed ? sql_fail(error, "XX001", "a row of a table that it reads is damaged")
                      : merge_saved(m, id, row, error);
    }
    if (r == 0)
        r = merge_push(m, error);
    if (m->there) /* until the next part: it may lie elsewhere by then */
        m->now.next = m->now.id;
    return r;
}

/* --- going on: all of it ------------------------------------------------------------------------
 */

static int take_part(struct table_merge *m, slice part, int *more, struct sql_error *error) {
    slice rest = slice_skip(part, 1);
    switch (part.ptr[0]) {
    case 's':
        if (!*more)
            break;
        *more = sql_exec_load(m->v->exec, rest, error);
        return *more < 0 ? *more : 0;
    case 'r':
        if (m->at || m->open)
            break;
        return load_rows(m->v, rest, error);
    case 't':
        if (*more)
            break;
        return merge_part(m, rest, error);
    }
    return sql_fail(error, "XX001", "it has other parts than there should be");
}

static int load_parts(struct table_merge *m, const struct view_saved *saved,
                      struct sql_error *error) {
    int more = 1, r = 0, next = 0;
    slice part;
    while (r == 0 && (next = saved->next(saved->self, &part)) == 0 && part.len)
        r = take_part(m, part, &more, error);
    if (r < 0)
        return r;
    if (next == -ECANCELED)
        return sql_fail(error, "57P01", "the node stops");
    if (next == -ENOMEM)
        return sql_fail_memory(error);
    if (next < 0 || more)
        return sql_fail(error, "XX001", "parts of it are missing");
    while (r == 0 && m->at < m->tables)
        r = merge_end(m, error);
    return r;
}

/* Nobody serves yet: tables rest, and views below are held while theirs are compared. */
static int load(struct view *v, const struct view_saved *saved, struct sql_error *error) {
    _cleanup_buf_ struct buf tables = buf_make(TABLES_BYTES_MAX);
    struct table_merge m = {.v = v};
    m.tables = view_tables(v, m.table);
    if (put_tables(v, &tables) < 0 || !slice_equal(buf_slice(&tables), saved->tables))
        return sql_fail(error, "55000", "a table that it reads is another one");
    m.moment = database_moment(v->db);
    v->beginning = true;
    int r = load_parts(&m, saved, error);
    merge_close(&m);
    if (r == 0 && m.tables)
        r = sql_exec_end_step(v->exec, error);
    v->beginning = false;
    v->moment = v->busy_since_ns = 0;
    return r;
}

int view_go_on(struct view *v, const struct view_saved *saved, struct sql_error *error) {
    int r = view_make(v, error);
    if (r == 0) {
        view_hold(v, true);
        r = load(v, saved, error);
        view_hold(v, false);
    }
    if (r == 0)
        r = view_open_feeds(v, saved->feeds, error);
    v->steps = saved->steps;
    v->tombstones = saved->tombstones;
    v->pace.saved = saved->info;
    if (r == 0)
        return 0;
    view_unmake(v);
    v->pace.saved.is = false;
    if (v->db->closed)
        return r;
    logger_write(v->db->logger, LOG_LEVEL_INFO, "sql",
                 "a view is computed from the log, its snapshot does not count", "view=%.*s why=%s",
                 slice_fmt(v->table->name), error->message);
    return 1;
}
