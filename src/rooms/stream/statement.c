/*
 * statement.c - prepared statements: text, parse tree, plan, and the catalog's version it was made
 * with.
 *
 * When the catalog has changed since, the statement is bound anew before it runs; where its answer
 * then has other columns than the client was told, it is refused (0A000, as in PostgreSQL).
 */
#include "rooms/stream/work.h"

#include "base/mem.h"

#include <errno.h>

static void on_notice(void *self, const struct sql_error *notice) {
    session_notice(self, notice);
}

static int one_text_column(struct database_statement *s, const char *name,
                           struct sql_error *error) {
    s->columns = 1;
    s->column = arena_zalloc(&s->memory, 1, sizeof *s->column);
    if (!s->column)
        return sql_fail_memory(error);
    s->column[0] = (struct sql_plan_column){slice_str(name), sql_type_of(SQL_TEXT)};
    return 0;
}

/* Those of FROM, as they are now: it may be gone before S. */
static int take_columns(struct database_statement *s, const struct database_statement *from,
                        struct sql_error *error) {
    unsigned count = from ? from->columns : 0;
    s->column = arena_zalloc(&s->memory, count + 1u, sizeof *s->column);
    if (!s->column)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < count; i++) {
        s->column[i] = from->column[i];
        if (arena_copy(&s->memory, from->column[i].name, &s->column[i].name) < 0)
            return sql_fail_memory(error);
    }
    s->columns = count;
    return 0;
}

/* What the statement answers with. */
static int find_columns(struct database_statement *s, struct sql_error *error) {
    const struct sql_statement *b = &s->bound;
    s->columns = 0;
    s->column = NULL;
    switch (b->kind) {
    case SQL_STATEMENT_QUERY:
        s->columns = b->query.visible;
        s->column = b->query.plan->column;
        return 0;
    case SQL_STATEMENT_SUBSCRIBE:
        s->columns = b->subscription->columns;
        s->column = b->subscription->column;
        return 0;
    case SQL_STATEMENT_INSERT:
    case SQL_STATEMENT_UPDATE:
    case SQL_STATEMENT_DELETE:
        s->columns = b->returning ? b->returning->visible : 0;
        s->column = b->returning ? b->returning->plan->column : NULL;
        return 0;
    case SQL_STATEMENT_EXPLAIN:
        return one_text_column(s, "QUERY PLAN", error);
    case SQL_STATEMENT_SHOW:
        if (!slice_equal(b->name, slice_lit("all")))
            return one_text_column(s, b->name.ptr, error);
        s->column = arena_zalloc(&s->memory, 3, sizeof *s->column);
        if (!s->column)
            return sql_fail_memory(error);
        s->column[0] = (struct sql_plan_column){slice_lit("name"), sql_type_of(SQL_TEXT)};
        s->column[1] = (struct sql_plan_column){slice_lit("setting"), sql_type_of(SQL_TEXT)};
        s->columns = 2;
        return 0;
    case SQL_STATEMENT_EXECUTE:
        return take_columns(s, prepared_find(s->session, b->name), error);
    case SQL_STATEMENT_FETCH:
        return take_columns(s, b->move ? NULL : cursor_statement(s->session, b->name), error);
    default:
        return 0;
    }
}

int statement_keeps_columns(const struct database_statement *s, const struct sql_plan_column *told,
                            unsigned count, struct sql_error *error) {
    bool same = count == s->columns;
    for (unsigned i = 0; same && i < count; i++)
        same = told[i].type.oid == s->column[i].type.oid;
    return same ? 0 : sql_fail(error, "0A000", "cached plan must not change result type");
}

int statement_bind(struct database_statement *s, struct sql_error *error) {
    const struct sql_catalog *catalog = session_catalog(s->session);
    s->session->settings.catalog = catalog;
    if (s->version == sql_catalog_version(catalog))
        return 0;
    struct arena old = s->memory;
    const struct sql_statement bound = s->bound;
    struct sql_plan_column *told = s->column;
    unsigned told_count = s->columns;
    bool again = s->version != 0;
    s->memory = arena_make(0, DATABASE_STATEMENT_BYTES_MAX);
    const struct sql_bind_options options = {
        .catalog = catalog,
        .settings = &s->session->settings,
        .memory = &s->memory,
        .parameters = s->declared_count,
        .parameter = s->declared,
        .notice = on_notice,
        .self = s->session,
    };
    s->bound = (struct sql_statement){.memory = &s->memory};
    int r = sql_bind(s->parse, s->index, &options, &s->bound, error);
    if (r == 0 && s->inner) {
        check(s->bound.inner);
        s->bound = *s->bound.inner; /* what PREPARE prepares */
    }
    s->bound.memory = &s->memory;
    if (r == 0)
        r = find_columns(s, error);
    if (r < 0) { /* stays as it was: portals and clients have been told of its columns */
        arena_free(&s->memory);
        s->memory = old;
        s->bound = bound;
        s->column = told;
        s->columns = told_count;
        return r;
    }
    s->version = sql_catalog_version(catalog);
    if (again)
        r = statement_keeps_columns(s, told, told_count, error);
    arena_free(&old);
    return r;
}

static struct database_statement *new_statement(struct database_session *session,
                                                const struct sql_type *declared, unsigned count) {
    struct database_statement *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->session = session;
    s->memory = arena_make(0, DATABASE_STATEMENT_BYTES_MAX);
    s->references = 1;
    s->declared_count = count;
    s->declared = mem_alloc((count + 1u) * sizeof *declared);
    if (!s->declared)
        return mem_free(s);
    if (count)
        memcpy(s->declared, declared, count * sizeof *declared);
    session->db->statement_count++;
    return s;
}

struct database_statement *statement_inner(struct database_statement *outer,
                                           struct sql_error *error) {
    const struct sql_query *query = &outer->bound.inner->query;
    struct database_statement *s =
        new_statement(outer->session, query->parameter, query->parameters);
    if (!s) {
        (void)sql_fail_memory(error);
        return NULL;
    }
    s->parse = sql_parse_ref(outer->parse);
    s->index = outer->index;
    s->inner = true;
    return statement_bind(s, error) < 0 ? database_statement_free(s) : s;
}

static struct database_statement *copy_statement(const struct database_statement *s,
                                                 struct sql_error *error) {
    struct database_statement *copy = new_statement(s->session, s->declared, s->declared_count);
    if (!copy) {
        (void)sql_fail_memory(error);
        return NULL;
    }
    copy->index = s->index;
    copy->inner = s->inner;
    copy->parse = sql_parse_ref(s->parse);
    int r = statement_bind(copy, error);
    if (r == 0)
        r = statement_keeps_columns(copy, s->column, s->columns, error);
    return r < 0 ? database_statement_free(copy) : copy;
}

struct database_statement *statement_take(struct database_statement *s, unsigned held,
                                          struct sql_error *error) {
    bool stale = s->version != sql_catalog_version(session_catalog(s->session));
    if (stale && s->references > held)
        return copy_statement(s, error);
    if (statement_bind(s, error) < 0)
        return NULL;
    s->references++;
    return s;
}

int statement_fail_aborted(struct sql_error *error) {
    return sql_fail(error, "25P02",
                    "current transaction is aborted, commands ignored "
                    "until end of transaction block");
}

int database_prepare(struct database_session *session, struct sql_parse *parse, unsigned index,
                     const struct sql_type *declared, unsigned count,
                     struct database_statement **ret, struct sql_error *error) {
    if (!session->db->ready)
        return sql_fail(error, session->db->failed.code ? "58000" : "57P03", "%s",
                        session->db->failed.code ? session->db->failed.message
                                                 : "the database system is starting up");
    if (count > DATABASE_PARAMETERS_MAX)
        return sql_fail(error, "54000", "a statement has at most %u parameters",
                        DATABASE_PARAMETERS_MAX);
    struct database_statement *s = new_statement(session, declared, count);
    if (!s)
        return sql_fail_memory(error);
    s->parse = sql_parse_ref(parse); /* the whole text's: positions in errors are of it */
    s->index = index;
    int r = statement_bind(s, error);
    if (r < 0) {
        database_statement_free(s);
        return session->failed ? statement_fail_aborted(error) : r;
    }
    *ret = s;
    return 0;
}

struct database_statement *database_statement_free(struct database_statement *s) {
    if (!s || --s->references > 0)
        return NULL;
    struct database *db = s->session->db;
    arena_free(&s->memory);
    sql_parse_free(s->parse);
    mem_free(s->declared);
    if (--db->statement_count == 0) {
        for (unsigned i = 0; i < db->dropped_count; i++)
            sql_table_unref(db->dropped[i]);
        db->dropped_count = 0;
    }
    return mem_free(s);
}

bool database_statement_gives_rows(const struct database_statement *s) {
    const struct sql_statement *b = &s->bound;
    return b->kind == SQL_STATEMENT_QUERY || b->kind == SQL_STATEMENT_EXPLAIN ||
           b->kind == SQL_STATEMENT_SHOW || (b->kind == SQL_STATEMENT_FETCH && !b->move) ||
           s->columns > 0;
}

unsigned database_statement_columns(const struct database_statement *s,
                                    const struct sql_plan_column **ret) {
    *ret = s->column;
    return s->columns;
}

unsigned database_statement_parameters(const struct database_statement *s,
                                       const struct sql_type **ret) {
    *ret = s->bound.query.parameter;
    return s->bound.query.parameters;
}

enum sql_statement_kind database_statement_kind(const struct database_statement *s) {
    return s->bound.kind;
}

const struct sql_statement *database_statement_bound(const struct database_statement *s) {
    return &s->bound;
}
