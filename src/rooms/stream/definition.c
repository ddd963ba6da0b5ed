/*
 * definition.c - what a definition makes of the catalog and of the rows that are there.
 *
 * A definition is judged (database_judge) and made (database_define) in its transaction
 * (definer.h); at recovery the texts are bound and made again in their order. So OIDs, which are
 * counted, come out the same.
 */
#include "rooms/stream/definition.h"
#include "rooms/stream/changelog.h"
#include "rooms/stream/work.h"

#include "base/mem.h"

#include <errno.h>

#include "sql/exec/evaluate.h"
#include "sql/sink.h"
#include "wire/nats_subject.h"

/* --- rows of a table ----------------------------------------------------------------------------
 */

int relation_for(struct database *db, const struct sql_table *t, struct relation **ret) {
    struct sql_type types[SQL_COLUMNS_MAX];
    for (unsigned i = 0; i < t->columns; i++)
        types[i] = t->column[i].type;
    int r = relation_new(types, t->columns, db->limits.table_bytes, ret);
    for (unsigned i = 0; r == 0 && i < t->indexes; i++)
        r = relation_add_index(*ret, t->index[i].oid, t->index[i].column, t->index[i].columns,
                               t->index[i].unique);
    if (r < 0 && *ret)
        *ret = relation_free(*ret);
    return r;
}

int database_host_rows(struct database *db, struct sql_table *t) {
    struct stored *s = arena_zalloc(&t->memory, 1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->table = t;
    s->next_identity = 1;
    int r = relation_for(db, t, &s->rows);
    if (r == 0)
        t->host = s;
    return r;
}

/* --- CREATE
 * --------------------------------------------------------------------------------------- */

static void give_oids(struct definer *d, struct sql_table *t) {
    t->oid = sql_catalog_next_oid(d->catalog);
    for (unsigned i = 0; i < t->indexes; i++)
        t->index[i].oid = sql_catalog_next_oid(d->catalog);
}

static int create_table(struct definer *d, struct sql_table *t, slice text) {
    give_oids(d, t);
    int r = arena_copy(&t->memory, text, &t->source);
    if (r == 0 && t->kind == SQL_TABLE_STORED)
        r = database_host_rows(d->db, t);
    if (r == 0)
        r = definer_made(d, t);
    t->references++;
    if (r == 0)
        r = sql_catalog_add_table(d->catalog, t);
    if (r < 0)
        sql_table_unref(t);
    return r;
}

static int create_view(struct definer *d, const struct sql_statement *s, slice text,
                       struct sql_error *error) {
    struct sql_table *old = sql_catalog_table(d->catalog, s->table->schema, s->table->name);
    int r = old ? definer_drop(d, old, error) : 0; /* nothing depends on it: it was judged */
    return r < 0 ? r : create_table(d, s->table, text);
}

/* T is a version of this definition. */
int definition_create_index(struct definer *d, struct sql_table *t,
                            const struct sql_table_index *from, struct sql_error *error) {
    struct sql_table_index *list = arena_alloc(&t->memory, (t->indexes + 2u) * sizeof *list);
    struct sql_table_index x = *from;
    x.column = arena_alloc(&t->memory, (x.columns + 1u) * sizeof *x.column);
    if (!list || !x.column || arena_copy(&t->memory, from->name, &x.name) < 0)
        return sql_fail_memory(error);
    x.oid = sql_catalog_next_oid(d->catalog);
    memcpy(x.column, from->column, x.columns * sizeof *x.column);
    int r = definer_add_index(d, t, &x);
    if (r == -EEXIST)
        return sql_fail(error, "23505", "could not create unique index \"%.*s\": keys occur twice",
                        slice_fmt(x.name));
    if (r == -ENOBUFS)
        return sql_fail(error, "54011", "table \"%.*s\" has %u indexes, which is the most",
                        slice_fmt(t->name), t->indexes);
    if (r < 0)
        return sql_fail_memory(error);
    if (t->indexes)
        memcpy(list + (x.primary ? 1 : 0), t->index, t->indexes * sizeof *list);
    list[x.primary ? 0 : t->indexes] = x;
    t->index = list;
    t->indexes++;
    for (unsigned i = 0; x.primary && i < x.columns; i++)
        t->column[x.column[i]].not_null = true;
    sql_catalog_touch(d->catalog);
    return 0;
}

static int create_enum(struct definer *d, const struct sql_statement *s) {
    struct sql_enum e = s->enumeration;
    e.oid = sql_catalog_next_oid(d->catalog);
    return sql_catalog_add_enum(d->catalog, &e);
}

static const struct sql_user_function *same_function(struct definer *d,
                                                     const struct sql_user_function *f) {
    const struct sql_user_function *old;
    for (unsigned at = 0; (old = sql_catalog_function_next(d->catalog, f->schema, f->name, &at));) {
        bool same = old->count == f->count;
        for (unsigned i = 0; same && i < f->count; i++)
            same = old->arguments[i].oid == f->arguments[i].oid;
        if (same)
            return old;
    }
    return NULL;
}

static int create_function(struct definer *d, const struct sql_statement *s) {
    struct sql_user_function f = s->function;
    const struct sql_user_function *old = same_function(d, &f);
    f.oid = sql_catalog_next_oid(d->catalog);
    if (old)
        sql_catalog_remove_function(d->catalog, old);
    return sql_catalog_add_function(d->catalog, &f);
}

struct sql_table *definition_dependant(const struct definer *d, const struct sql_table *of) {
    struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(d->catalog, &at));)
        for (unsigned i = 0; i < t->depends_count; i++)
            if (t->depends[i] == of->oid)
                return t;
    return NULL;
}

/* --- the two halves ----------------------------------------------------------------------------
 */

int definition_judge_index_count(const struct sql_table *t, struct sql_error *error) {
    return t->indexes < RELATION_INDEXES_MAX
               ? 0
               : sql_fail(error, "54011", "table \"%.*s\" has %u indexes, which is the most",
                          slice_fmt(t->name), t->indexes);
}

static int judge_replaced_view(struct definer *d, const struct sql_statement *s,
                               struct sql_error *error) {
    struct sql_table *old = sql_catalog_table(d->catalog, s->table->schema, s->table->name);
    const struct sql_table *above = old ? definition_dependant(d, old) : NULL;
    if (above)
        return sql_fail(error, "2BP01", "cannot replace view \"%.*s\" because %.*s depends on it",
                        slice_fmt(old->name), slice_fmt(above->name));
    for (unsigned i = 0; old && i < s->table->depends_count; i++)
        if (s->table->depends[i] == old->oid)
            return sql_fail(error, "42P17", "view \"%.*s\" would read itself",
                            slice_fmt(old->name));
    return 0;
}

/* A view's names are looked up again at each start: none may mean another table then. */
static int judge_name(struct definer *d, const struct sql_statement *s, struct sql_error *error) {
    bool creates =
        s->table &&
        (s->kind == SQL_STATEMENT_CREATE_TABLE || s->kind == SQL_STATEMENT_CREATE_TABLE_AS ||
         s->kind == SQL_STATEMENT_CREATE_VIEW || s->kind == SQL_STATEMENT_CREATE_MATERIALIZED);
    slice name = creates ? s->table->name : slice_lit("");
    for (unsigned i = 0; s->kind == SQL_STATEMENT_ALTER_TABLE && i < s->alters; i++)
        if (s->alter[i].kind == SQL_ALTER_RENAME)
            name = s->alter[i].name;
    const struct sql_table *system = sql_catalog_table(d->catalog, slice_lit("pg_catalog"), name);
    const struct sql_table *above = system ? definition_dependant(d, system) : NULL;
    if (!above)
        return 0;
    (void)sql_fail(error, "2BP01",
                   "\"%.*s\" would cover the table of that name that view %.*s reads",
                   slice_fmt(name), slice_fmt(above->name));
    sql_error_hint(error,
                   "Choose another name, or drop the view, and make it again of pg_catalog.%.*s.",
                   slice_fmt(name));
    return -EINVAL;
}

static int judge_sink_type(const struct sql_sink *sink, const struct sql_plan *plan,
                           struct sql_error *error) {
    struct sql_plan_facts facts = sql_plan_facts(plan);
    if (sink->type == SQL_SINK_APPEND_ONLY && !facts.append_only) {
        (void)sql_fail(error, "0A000", "type append-only: rows of this query may change or go");
        sql_error_hint(error,
                       "Take type upsert or changelog, or close windows: EMIT ON WINDOW CLOSE.");
        return -EINVAL;
    }
    if (sink->type != SQL_SINK_UPSERT)
        return 0;
    bool unique = facts.key_count > 0;
    for (unsigned i = 0; unique && sink->keys && i < facts.key_count; i++) {
        bool has = false;
        for (unsigned k = 0; k < sink->keys; k++)
            has |= sink->key[k] == facts.key[i];
        unique = has;
    }
    if (unique)
        return 0;
    (void)sql_fail(error, "42P16",
                   sink->keys ? "key: several rows may have the same"
                              : "type upsert: no columns are unique by the query");
    sql_error_hint(error, "Rows are unique by what is grouped by, by DISTINCT ON, or by a table's "
                          "primary key: select these columns.");
    return -EINVAL;
}

/* A stream's messages are read back as one sink's. */
static int judge_sink(const struct definer *d, const struct sql_statement *s,
                      struct sql_error *error) {
    struct arena memory = arena_make(0, 1u << 20);
    struct sql_sink sink, other;
    struct sql_error ignored;
    const struct sql_table *t;
    int r = sql_sink_read(s->table, &memory, &sink, error);
    if (r == 0)
        r = judge_sink_type(&sink, s->query.plan, error);
    for (unsigned at = 0; r == 0 && (t = sql_catalog_each_table(d->catalog, &at));)
        if (sql_is_sink(t) && sql_sink_read(t, &memory, &other, &ignored) == 0 &&
            nats_subject_overlap(sink.pattern, other.pattern))
            r = sql_fail(error, "42710", "sink \"%.*s\" tells on subject \"%.*s\"",
                         slice_fmt(t->name), slice_fmt(other.pattern));
    arena_free(&memory);
    return r;
}

int database_judge(struct definer *d, const struct sql_statement *s, struct sql_error *error) {
    int r = judge_name(d, s, error);
    if (r < 0)
        return r;
    if (s->kind == SQL_STATEMENT_DROP)
        r = definition_judge_drop(d, s, error);
    if (s->kind == SQL_STATEMENT_CREATE_INDEX && s->table)
        r = definition_judge_index_count(s->table, error);
    if (s->kind == SQL_STATEMENT_CREATE_FUNCTION && !s->or_replace &&
        same_function(d, &s->function))
        r = sql_fail(error, "42723", "function \"%.*s\" already exists with same argument types",
                     slice_fmt(s->function.name));
    if (s->kind == SQL_STATEMENT_CREATE_VIEW && s->or_replace)
        r = judge_replaced_view(d, s, error);
    if (r == 0 && s->kind == SQL_STATEMENT_CREATE_MATERIALIZED && s->table && sql_is_sink(s->table))
        r = judge_sink(d, s, error);
    return r;
}

static int create_index_on(struct definer *d, const struct sql_statement *s,
                           struct sql_error *error) {
    struct sql_table *version = s->table ? definer_change(d, s->table, error) : NULL;
    if (!version)
        return s->table ? -EINVAL : 0;
    return definition_create_index(d, version, &s->index, error);
}

static int comment(struct definer *d, const struct sql_statement *s, struct sql_error *error) {
    struct sql_table *version = definer_change(d, s->table, error);
    if (!version)
        return -EINVAL;
    version->comment = (slice){NULL, 0};
    int r = s->name.ptr ? arena_copy(&version->memory, s->name, &version->comment) : 0;
    return r < 0 ? sql_fail_memory(error) : 0;
}

static int define(struct definer *d, const struct sql_statement *s, slice text,
                  struct sql_error *error) {
    int r = 0;
    switch (s->kind) {
    case SQL_STATEMENT_CREATE_TABLE:
    case SQL_STATEMENT_CREATE_TABLE_AS:
    case SQL_STATEMENT_CREATE_MATERIALIZED:
        r = s->table ? create_table(d, s->table, text) : 0;
        break;
    case SQL_STATEMENT_CREATE_VIEW:
        r = create_view(d, s, text, error);
        break;
    case SQL_STATEMENT_CREATE_INDEX:
        return create_index_on(d, s, error);
    case SQL_STATEMENT_CREATE_ENUM:
        r = create_enum(d, s);
        break;
    case SQL_STATEMENT_CREATE_FUNCTION:
        r = create_function(d, s);
        break;
    case SQL_STATEMENT_CREATE_SCHEMA:
        r = sql_catalog_has_schema(d->catalog, s->name)
                ? 0
                : sql_catalog_add_schema(d->catalog, s->name);
        break;
    case SQL_STATEMENT_ALTER_TABLE:
        return s->table ? definition_alter(d, s, error) : 0;
    case SQL_STATEMENT_COMMENT:
        return comment(d, s, error);
    case SQL_STATEMENT_DROP:
        return definition_drop(d, s, error);
    default:
        break;
    }
    if (r == -EEXIST)
        return sql_fail(error, "42P07", "it already exists");
    if (r == -ENOBUFS)
        return sql_fail(error, "54000", "a database has at most %u objects of a kind",
                        SQL_OBJECTS_MAX);
    return r < 0 && !error->state[0] ? sql_fail_memory(error) : r;
}

/* What S was bound to lies in the table's memory in part, and another stands in its place soon. */
int database_define(struct definer *d, const struct sql_statement *s, slice text,
                    struct sql_error *error) {
    struct sql_table *held = s->table;
    if (held)
        held->references++;
    int r = define(d, s, text, error);
    sql_table_unref(held);
    return r;
}

static bool emits_on_close(const struct sql_table *t) {
    return slice_equal(table_option(t, "emit"), slice_lit("on_window_close"));
}

/* The plan of a view is bound for itself: it lives as long as the view. */
int database_keep(struct database *db, struct sql_table *table, const struct view_saved *saved,
                  struct sql_error *error) {
    struct arena memory = arena_make(0, DATABASE_STATEMENT_BYTES_MAX);
    struct sql_parse *parse = NULL;
    struct sql_statement s = {.memory = &memory};
    struct kept *k = mem_zalloc(1, sizeof *k);
    const struct sql_bind_options options = {.catalog = db->catalog,
                                             .settings = &db->settings,
                                             .memory = &memory,
                                             .emit_on_window_close = emits_on_close(table),
                                             .kept = true};
    int r = k ? sql_parse(table->definition, &parse, error) : sql_fail_memory(error);
    if (r == 0)
        r = sql_bind(parse, 0, &options, &s, error);
    if (r == 0) {
        struct sql_query query = s.query;
        r = view_start(db, table, &query, saved, &memory, &k->view, error);
    }
    sql_parse_free(parse);
    if (r < 0) {
        arena_free(&memory);
        mem_free(k);
        return r;
    }
    k->table = table;
    if (changelog_new(db, k->view, table, &k->changelog) < 0)
        logger_write(db->logger, LOG_LEVEL_WARN, "sql", "no memory for a changelog", "view=%.*s",
                     slice_fmt(table->name));
    table->host = k->view;
    list_push_back(&db->views, &k->node);
    return 0;
}

void database_unkeep(struct database *db, struct kept *k) {
    (void)db;
    list_remove(&k->node);
    k->table->host = NULL;
    changelog_free(k->changelog);
    view_stop(k->view);
    mem_free(k);
}
