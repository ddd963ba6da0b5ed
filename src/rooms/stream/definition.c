/*
 * definition.c - what a definition makes of the catalog and of the rows that are there.
 *
 * A definition is judged (database_judge), its text is put on disk, and then it is made
 * (database_define); at recovery the texts are bound and made again in their order. So OIDs, which
 * are counted, come out the same, and what can fail must fail before the text is stored: what fails
 * afterwards stops the database.
 */
#include "rooms/stream/changelog.h"
#include "rooms/stream/subscribe.h"
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"

#include <errno.h>

#include "sql/exec/evaluate.h"

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

static void give_oids(struct database *db, struct sql_table *t) {
    t->oid = sql_catalog_next_oid(db->catalog);
    for (unsigned i = 0; i < t->indexes; i++)
        t->index[i].oid = sql_catalog_next_oid(db->catalog);
}

static int create_table(struct database *db, struct sql_table *t, slice text) {
    give_oids(db, t);
    int r = arena_copy(&t->memory, text, &t->source);
    if (r == 0 && t->kind == SQL_TABLE_STORED)
        r = database_host_rows(db, t);
    t->references++;
    if (r == 0)
        r = sql_catalog_add_table(db->catalog, t);
    if (r < 0)
        sql_table_unref(t);
    return r;
}

static void drop_table(struct database *db, struct sql_table *t);

static int create_view(struct database *db, const struct sql_statement *s, slice text) {
    struct sql_table *old = sql_catalog_table(db->catalog, s->table->schema, s->table->name);
    if (old)
        drop_table(db, old);
    return create_table(db, s->table, text);
}

static int create_index(struct database *db, struct sql_table *t, const struct sql_table_index *x,
                        struct sql_error *error) {
    struct sql_table_index *list = arena_alloc(&t->memory, (t->indexes + 2u) * sizeof *list);
    unsigned *columns = arena_alloc(&t->memory, (x->columns + 1u) * sizeof *columns);
    slice name;
    if (!list || !columns || arena_copy(&t->memory, x->name, &name) < 0)
        return sql_fail_memory(error);
    uint32_t oid = sql_catalog_next_oid(db->catalog);
    memcpy(columns, x->column, x->columns * sizeof *columns);
    /* A view that is read back has no rows yet; and what it has during a step may not be unique. */
    struct relation *rows = relation_of(t);
    int r = rows ? relation_add_index(rows, oid, columns, x->columns,
                                      x->unique && t->kind == SQL_TABLE_STORED)
                 : 0;
    if (r == -EEXIST)
        return sql_fail(error, "23505", "could not create unique index \"%.*s\": keys occur twice",
                        slice_fmt(x->name));
    if (r == -ENOBUFS)
        return sql_fail(error, "54011", "table \"%.*s\" has %u indexes, which is the most",
                        slice_fmt(t->name), t->indexes);
    if (r < 0)
        return sql_fail_memory(error);
    unsigned at = x->primary ? 0 : t->indexes;
    if (t->indexes)
        memcpy(list + (x->primary ? 1 : 0), t->index, t->indexes * sizeof *list);
    list[at] = *x;
    list[at].oid = oid;
    list[at].name = name;
    list[at].column = columns;
    t->index = list;
    t->indexes++;
    for (unsigned i = 0; x->primary && i < x->columns; i++)
        t->column[columns[i]].not_null = true;
    if (t->kind == SQL_TABLE_STORED)
        stored_of(t)->generation++;
    sql_catalog_touch(db->catalog);
    return 0;
}

static int create_enum(struct database *db, const struct sql_statement *s) {
    struct sql_enum e = s->enumeration;
    e.oid = sql_catalog_next_oid(db->catalog);
    return sql_catalog_add_enum(db->catalog, &e);
}

static const struct sql_user_function *same_function(struct database *db,
                                                     const struct sql_user_function *f) {
    const struct sql_user_function *old;
    for (unsigned at = 0;
         (old = sql_catalog_function_next(db->catalog, f->schema, f->name, &at));) {
        bool same = old->count == f->count;
        for (unsigned i = 0; same && i < f->count; i++)
            same = old->arguments[i].oid == f->arguments[i].oid;
        if (same)
            return old;
    }
    return NULL;
}

static int create_function(struct database *db, const struct sql_statement *s) {
    struct sql_user_function f = s->function;
    const struct sql_user_function *old = same_function(db, &f);
    f.oid = sql_catalog_next_oid(db->catalog);
    if (old)
        sql_catalog_remove_function(db->catalog, old);
    return sql_catalog_add_function(db->catalog, &f);
}

/* --- ALTER TABLE
 * ------------------------------------------------------------------------------------ */

static int grow_columns(struct sql_table *t) {
    struct sql_table_column *more = arena_zalloc(&t->memory, t->columns + 2u, sizeof *more);
    if (!more)
        return -ENOMEM;
    if (t->columns)
        memcpy(more, t->column, t->columns * sizeof *more);
    t->column = more;
    return 0;
}

/* A rewrite under way: each row is computed anew. */
struct rewrite {
    struct sql_table *table;
    unsigned old_columns;
    struct relation *rows;
    struct sql_builder from, to;                   /* old columns and the id; one new row */
    struct sql_evaluator *values[SQL_COLUMNS_MAX]; /* NULL: the column stays */
};

static int rewrite_rows(struct database *db, struct rewrite *w, struct sql_error *error) {
    struct sql_batch batch = sql_builder_batch(&w->from);
    struct sql_column columns[SQL_COLUMNS_MAX];
    struct relation_conflict conflict;
    int r = 0;
    for (unsigned c = 0; r == 0 && c < w->table->columns; c++) {
        if (w->values[c])
            r = sql_evaluate(w->values[c], &batch, &w->from.memory, &columns[c], error);
        else
            columns[c] = batch.column[c];
    }
    for (unsigned row = 0; r == 0 && row < batch.rows; row++) {
        sql_builder_reset(&w->to);
        for (unsigned c = 0; c < w->table->columns; c++)
            sql_builder_set(&w->to, c, sql_cell_at(&columns[c], row),
                            sql_null_at(&columns[c], row));
        sql_builder_end(&w->to, 1);
        struct sql_batch one = sql_builder_batch(&w->to);
        relation_set_next_id(w->rows, (uint64_t)w->from.cells[w->old_columns][row].i);
        r = relation_apply(w->rows, &one, db->commit, &conflict);
        if (r == -EEXIST)
            return sql_fail(error, "23505", "could not create unique index");
        r = r < 0 ? sql_fail_memory(error) : 0;
    }
    return r;
}

static int rewrite_all(struct database *db, struct rewrite *w, struct sql_error *error) {
    struct relation_scan scan;
    int r = 0, n = 1;
    relation_scan_all(stored_of(w->table)->rows, db->commit, &scan);
    while (r == 0 && n > 0) {
        sql_builder_reset(&w->from);
        n = relation_scan_next(&scan, NULL, w->old_columns + 1, &w->from);
        r = n < 0 ? sql_fail_memory(error) : (n > 0 ? rewrite_rows(db, w, error) : 0);
    }
    relation_scan_end(&scan);
    return r;
}

/* T's rows in their new form, with the ids they have: of OLD_COLUMNS columns they had, VALUES[c]
   (over those; NULL: as it was) is what column c becomes. */
static int rewrite(struct database *db, struct sql_table *t, unsigned old_columns,
                   struct sql_expr *const *values, struct sql_error *error) {
    struct stored *s = stored_of(t);
    struct rewrite w = {.table = t, .old_columns = old_columns};
    const struct sql_environment environment = {&db->settings, NULL, NULL};
    if (relation_for(db, t, &w.rows) < 0)
        return sql_fail_memory(error);
    int r =
        sql_builder_make(old_columns + 1, &w.from) < 0 || sql_builder_make(t->columns, &w.to) < 0
            ? sql_fail_memory(error)
            : 0;
    for (unsigned c = 0; r == 0 && c < t->columns; c++)
        if (values[c])
            r = sql_evaluator_new(values[c], &environment, &w.values[c], error);
    if (r == 0)
        r = rewrite_all(db, &w, error);
    sql_builder_free(&w.from);
    sql_builder_free(&w.to);
    for (unsigned c = 0; c < t->columns; c++)
        sql_evaluator_free(w.values[c]);
    if (r < 0) {
        relation_free(w.rows);
        return r;
    }
    if (relation_next_id(w.rows) < relation_next_id(s->rows))
        relation_set_next_id(w.rows, relation_next_id(s->rows));
    relation_free(s->rows);
    s->rows = w.rows;
    s->generation++;
    return 0;
}

static int copy_column(struct sql_table *t, const struct sql_table_column *from,
                       struct sql_table_column *to) {
    *to = *from;
    int r = arena_copy(&t->memory, from->name, &to->name);
    if (r == 0 && from->default_text.ptr)
        r = arena_copy(&t->memory, from->default_text, &to->default_text);
    return r;
}

static int add_column(struct database *db, struct sql_table *t, const struct sql_alter *a,
                      struct arena *memory, struct sql_error *error) {
    struct sql_expr *values[SQL_COLUMNS_MAX] = {NULL};
    const struct sql_bind_options options = {
        .catalog = db->catalog, .settings = &db->settings, .memory = memory};
    unsigned old = t->columns;
    if (old == SQL_COLUMNS_MAX)
        return sql_fail(error, "54011", "tables can have at most %u columns", SQL_COLUMNS_MAX);
    slice text = a->definition.default_text.ptr ? a->definition.default_text : slice_lit("NULL");
    int r = sql_bind_expression_as(text, NULL, a->definition.type, &options, &values[old], error);
    if (r == 0 && (grow_columns(t) < 0 || copy_column(t, &a->definition, &t->column[old]) < 0))
        r = sql_fail_memory(error);
    if (r < 0)
        return r;
    t->columns++;
    r = rewrite(db, t, old, values, error);
    if (r < 0)
        t->columns--;
    return r;
}

static int alter_type(struct database *db, struct sql_table *t, const struct sql_alter *a,
                      struct arena *memory, struct sql_error *error) {
    struct sql_expr *values[SQL_COLUMNS_MAX] = {NULL};
    const struct sql_bind_options options = {
        .catalog = db->catalog, .settings = &db->settings, .memory = memory};
    _cleanup_buf_ struct buf text = buf_make(4096);
    int r = buf_append_byte(&text, '"');
    slice name = t->column[a->column].name;
    for (size_t i = 0; r == 0 && i < name.len; i++)
        r = name.ptr[i] == '"' ? buf_append(&text, slice_lit("\"\""))
                               : buf_append_byte(&text, name.ptr[i]);
    if (r < 0 || buf_append_byte(&text, '"') < 0)
        return sql_fail_memory(error);
    r = sql_bind_expression_as(buf_slice(&text), t, a->definition.type, &options,
                               &values[a->column], error);
    if (r < 0)
        return r;
    struct sql_type old = t->column[a->column].type;
    t->column[a->column].type = a->definition.type;
    r = rewrite(db, t, t->columns, values, error);
    if (r < 0)
        t->column[a->column].type = old;
    return r;
}

static int drop_constraint(struct sql_table *t, slice name, bool if_exists,
                           struct sql_error *error) {
    for (unsigned i = 0; i < t->indexes; i++)
        if (slice_equal(t->index[i].name, name)) {
            struct relation *rows = relation_of(t);
            if (rows) /* of a view that is read back there are none yet */
                relation_drop_index(rows, t->index[i].oid);
            if (t->kind == SQL_TABLE_STORED)
                stored_of(t)->generation++; /* who has begun may point at the index */
            t->indexes--;
            memmove(&t->index[i], &t->index[i + 1], (t->indexes - i) * sizeof *t->index);
            return 0;
        }
    for (unsigned i = 0; i < t->checks; i++)
        if (slice_equal(t->check[i].name, name)) {
            t->checks--;
            memmove(&t->check[i], &t->check[i + 1], (t->checks - i) * sizeof *t->check);
            return 0;
        }
    return if_exists
               ? 0
               : sql_fail(error, "42704", "constraint \"%.*s\" of relation \"%.*s\" does not exist",
                          slice_fmt(name), slice_fmt(t->name));
}

static int add_check(struct sql_table *t, const struct sql_check *check, struct sql_error *error) {
    struct sql_check *more = arena_zalloc(&t->memory, t->checks + 1u, sizeof *more);
    if (!more || arena_copy(&t->memory, check->name, &more[t->checks].name) < 0 ||
        arena_copy(&t->memory, check->text, &more[t->checks].text) < 0)
        return sql_fail_memory(error);
    if (t->checks)
        memcpy(more, t->check, t->checks * sizeof *more);
    t->check = more;
    t->checks++;
    return 0;
}

static int alter_one(struct database *db, struct sql_table *t, const struct sql_alter *a,
                     struct arena *memory, struct sql_error *error) {
    slice copy;
    switch (a->kind) {
    case SQL_ALTER_ADD_COLUMN:
        return add_column(db, t, a, memory, error);
    case SQL_ALTER_DROP_COLUMN:
        t->column[a->column].dropped = true;
        t->column[a->column].not_null = false;
        t->column[a->column].default_text = (slice){NULL, 0};
        return 0;
    case SQL_ALTER_RENAME_COLUMN:
        if (arena_copy(&t->memory, a->name, &copy) < 0)
            return sql_fail_memory(error);
        t->column[a->column].name = copy;
        return 0;
    case SQL_ALTER_RENAME:
        return sql_catalog_rename_table(db->catalog, t, a->name) < 0 ? sql_fail_memory(error) : 0;
    case SQL_ALTER_DEFAULT:
        t->column[a->column].default_text = (slice){NULL, 0};
        if (a->definition.default_text.ptr && arena_copy(&t->memory, a->definition.default_text,
                                                         &t->column[a->column].default_text) < 0)
            return sql_fail_memory(error);
        return 0;
    case SQL_ALTER_NOT_NULL:
        t->column[a->column].not_null = a->value;
        return 0;
    case SQL_ALTER_TYPE:
        return alter_type(db, t, a, memory, error);
    case SQL_ALTER_ADD_INDEX:
        return create_index(db, t, &a->index, error);
    case SQL_ALTER_DROP_CONSTRAINT:
        return drop_constraint(t, a->name, a->if_exists, error);
    case SQL_ALTER_ADD_CHECK:
        return add_check(t, &a->check, error);
    }
    return 0;
}

static int alter_table(struct database *db, const struct sql_statement *s,
                       struct sql_error *error) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < s->alters; i++)
        r = alter_one(db, s->table, &s->alter[i], s->memory, error);
    if (s->table->kind == SQL_TABLE_STORED)
        stored_of(s->table)->generation++;
    subscriptions_lose(db, s->table);
    sql_catalog_touch(db->catalog);
    return r;
}

/* --- DROP
 * ---------------------------------------------------------------------------------------------- */

static struct sql_table *dependant(struct database *db, const struct sql_table *of) {
    struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(db->catalog, &at));)
        for (unsigned i = 0; i < t->depends_count; i++)
            if (t->depends[i] == of->oid)
                return t;
    return NULL;
}

static void stop_view(struct database *db, struct sql_table *t) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (k->table == t) {
            list_remove(&k->node);
            t->host = NULL;
            changelog_free(k->changelog);
            view_stop(k->view);
            mem_free(k);
            return;
        }
    }
}

/* Statements may still name it: it stays in memory until there is none (statement.c). */
static void drop_table(struct database *db, struct sql_table *t) {
    struct sql_table *above;
    while ((above = dependant(db, t)))
        drop_table(db, above);
    subscriptions_lose(db, t);
    if (t->kind == SQL_TABLE_MATERIALIZED) {
        stop_view(db, t);
        view_snapshot_drop(db, t->oid);
    }
    if (t->kind == SQL_TABLE_STORED) {
        struct stored *s = stored_of(t);
        s->rows = relation_free(s->rows);
        s->generation++;
    }
    struct sql_table **more =
        mem_realloc(db->dropped, (db->dropped_count + 1u) * sizeof *db->dropped);
    t->references++; /* if there is no memory for the list, it stays for good */
    if (more) {
        db->dropped = more;
        more[db->dropped_count++] = t;
    }
    sql_catalog_remove_table(db->catalog, t);
}

static enum sql_table_kind kind_of(char drop_kind) {
    return drop_kind == 'v' ? SQL_TABLE_VIEW
                            : (drop_kind == 'm' ? SQL_TABLE_MATERIALIZED : SQL_TABLE_STORED);
}

static struct sql_table *index_owner(struct database *db, slice name, unsigned *ret_index) {
    struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(db->catalog, &at));)
        for (unsigned i = 0; i < t->indexes; i++)
            if (slice_equal(t->index[i].name, name)) {
                *ret_index = i;
                return t;
            }
    return NULL;
}

static int judge_drop_table(struct database *db, const struct sql_statement *s, slice schema,
                            slice name, struct sql_error *error) {
    static const char *const words[] = {
        ['r'] = "table", ['v'] = "view", ['m'] = "materialized view"};
    const struct sql_table *t = sql_catalog_table(db->catalog, schema, name);
    const char *word = words[(unsigned char)s->drop_kind];
    if (!t)
        return s->if_exists
                   ? 0
                   : sql_fail(error, "42P01", "%s \"%.*s\" does not exist", word, slice_fmt(name));
    bool table = t->kind == SQL_TABLE_STORED || t->kind == SQL_TABLE_STREAM;
    if (s->drop_kind == 'r' ? !table : t->kind != kind_of(s->drop_kind))
        return sql_fail(error, t->kind == SQL_TABLE_SYSTEM ? "42501" : "42809",
                        "\"%.*s\" is not a %s", slice_fmt(name), word);
    if (sql_oid_is_system(t->oid))
        return sql_fail(error, "42501", "permission denied: \"%.*s\" is a system catalog",
                        slice_fmt(name));
    const struct sql_table *above = dependant(db, t);
    if (!above || s->cascade)
        return 0;
    (void)sql_fail(error, "2BP01", "cannot drop %s %.*s because other objects depend on it", word,
                   slice_fmt(name));
    sql_error_detail(error, "%s %.*s depends on %s %.*s",
                     above->kind == SQL_TABLE_VIEW ? "view" : "materialized view",
                     slice_fmt(above->name), word, slice_fmt(name));
    sql_error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return -EINVAL;
}

static bool type_is_used(struct database *db, const struct sql_enum *e) {
    const struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(db->catalog, &at));)
        for (unsigned i = 0; i < t->columns; i++)
            if (!t->column[i].dropped && (t->column[i].type.oid == e->oid ||
                                          sql_element_of(t->column[i].type.oid) == e->oid))
                return true;
    return false;
}

static bool schema_is_used(struct database *db, slice name) {
    const struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(db->catalog, &at));)
        if (slice_equal(t->schema, name))
            return true;
    return false;
}

static int judge_drop_one(struct database *db, const struct sql_statement *s, slice schema,
                          slice name, struct sql_error *error) {
    unsigned index, cursor = 0;
    const struct sql_table *t;
    const struct sql_enum *e;
    bool there;
    switch (s->drop_kind) {
    case 'i':
        t = index_owner(db, name, &index);
        if (t && (t->index[index].primary || sql_oid_is_system(t->oid)))
            return sql_fail(error, "2BP01",
                            "cannot drop index %.*s because constraint %.*s on "
                            "table %.*s requires it",
                            slice_fmt(name), slice_fmt(name), slice_fmt(t->name));
        there = t != NULL;
        break;
    case 't':
        e = sql_catalog_enum(db->catalog, schema, name);
        if (e && type_is_used(db, e))
            return sql_fail(error, "2BP01",
                            "cannot drop type %.*s because other objects depend on it",
                            slice_fmt(name));
        there = e != NULL;
        break;
    case 'f':
        there = sql_catalog_function_next(db->catalog, schema, name, &cursor) != NULL;
        break;
    case 'n':
        there = sql_catalog_has_schema(db->catalog, name);
        if (there && (schema_is_used(db, name) || slice_equal(name, slice_lit("public"))))
            return sql_fail(error, "2BP01",
                            "cannot drop schema %.*s because other objects depend on it",
                            slice_fmt(name));
        break;
    default:
        return judge_drop_table(db, s, schema, name, error);
    }
    static const char *const words[] = {
        ['i'] = "index", ['t'] = "type", ['f'] = "function", ['n'] = "schema"};
    return there || s->if_exists
               ? 0
               : sql_fail(error,
                          s->drop_kind == 'n' ? "3F000" : (s->drop_kind == 'f' ? "42883" : "42704"),
                          "%s \"%.*s\" does not exist", words[(unsigned char)s->drop_kind],
                          slice_fmt(name));
}

static void drop_one(struct database *db, char kind, slice schema, slice name) {
    unsigned index, cursor = 0;
    struct sql_table *t = NULL;
    const struct sql_enum *e;
    const struct sql_user_function *f;
    switch (kind) {
    case 'i':
        t = index_owner(db, name, &index);
        if (t) {
            struct sql_error unused;
            (void)!drop_constraint(t, name, true, &unused);
            sql_catalog_touch(db->catalog);
        }
        return;
    case 't':
        e = sql_catalog_enum(db->catalog, schema, name);
        if (e)
            sql_catalog_remove_enum(db->catalog, e);
        return;
    case 'f':
        while ((f = sql_catalog_function_next(db->catalog, schema, name, &cursor))) {
            sql_catalog_remove_function(db->catalog, f);
            cursor = 0;
        }
        return;
    case 'n':
        sql_catalog_remove_schema(db->catalog, name);
        return;
    default:
        t = sql_catalog_table(db->catalog, schema, name);
        if (t)
            drop_table(db, t);
    }
}

/* --- the two halves
 * --------------------------------------------------------------------------------------- */

static int judge_not_null(struct database *db, const struct sql_table *t, unsigned column,
                          struct sql_error *error) {
    unsigned which[] = {column};
    struct relation_scan scan;
    struct sql_builder b;
    if (sql_builder_make(1, &b) < 0)
        return sql_fail_memory(error);
    relation_scan_all(relation_of(t), db->commit, &scan);
    int r = 0;
    while (r == 0 && relation_scan_next(&scan, which, 1, &b) > 0) {
        for (unsigned row = 0; r == 0 && row < b.rows; row++)
            if (b.nulls[0][row])
                r = sql_fail(error, "23502",
                             "column \"%.*s\" of relation \"%.*s\" contains null values",
                             slice_fmt(t->column[column].name), slice_fmt(t->name));
        sql_builder_reset(&b);
    }
    relation_scan_end(&scan);
    sql_builder_free(&b);
    return r;
}

static int judge_index_count(const struct sql_table *t, struct sql_error *error) {
    return t->indexes < RELATION_INDEXES_MAX
               ? 0
               : sql_fail(error, "54011", "table \"%.*s\" has %u indexes, which is the most",
                          slice_fmt(t->name), t->indexes);
}

static int judge_alter(struct database *db, const struct sql_statement *s,
                       struct sql_error *error) {
    const struct sql_table *t = s->table;
    for (unsigned i = 0; i < s->alters; i++) {
        const struct sql_alter *a = &s->alter[i];
        bool harmless = a->kind == SQL_ALTER_DEFAULT || a->kind == SQL_ALTER_NOT_NULL ||
                        a->kind == SQL_ALTER_ADD_INDEX || a->kind == SQL_ALTER_ADD_CHECK ||
                        a->kind == SQL_ALTER_DROP_CONSTRAINT;
        const struct sql_table *above = harmless ? NULL : dependant(db, t);
        int r = 0;
        if (above)
            return sql_fail(error, "2BP01", "cannot alter \"%.*s\" because view %.*s depends on it",
                            slice_fmt(t->name), slice_fmt(above->name));
        if (a->kind == SQL_ALTER_ADD_INDEX)
            r = judge_index_count(t, error);
        if (r == 0 && a->kind == SQL_ALTER_NOT_NULL && a->value)
            r = judge_not_null(db, t, a->column, error);
        for (unsigned c = 0;
             a->kind == SQL_ALTER_ADD_INDEX && a->index.primary && r == 0 && c < a->index.columns;
             c++)
            r = judge_not_null(db, t, a->index.column[c], error);
        if (r == 0 && a->kind == SQL_ALTER_ADD_COLUMN && a->definition.not_null &&
            !a->definition.default_text.ptr && relation_stats(relation_of(t)).rows > 0)
            r = sql_fail(error, "23502",
                         "column \"%.*s\" of relation \"%.*s\" contains null values",
                         slice_fmt(a->definition.name), slice_fmt(t->name));
        for (unsigned x = 0; a->kind == SQL_ALTER_DROP_COLUMN && r == 0 && x < t->indexes; x++)
            for (unsigned c = 0; r == 0 && c < t->index[x].columns; c++)
                if (t->index[x].column[c] == a->column)
                    r = sql_fail(error, "2BP01",
                                 "cannot drop column \"%.*s\": index \"%.*s\" is over it",
                                 slice_fmt(t->column[a->column].name), slice_fmt(t->index[x].name));
        if (r < 0)
            return r;
    }
    return 0;
}

/* A view's names are looked up again at each start: none may mean another table then. */
static int judge_name(struct database *db, const struct sql_statement *s, struct sql_error *error) {
    bool creates =
        s->table &&
        (s->kind == SQL_STATEMENT_CREATE_TABLE || s->kind == SQL_STATEMENT_CREATE_TABLE_AS ||
         s->kind == SQL_STATEMENT_CREATE_VIEW || s->kind == SQL_STATEMENT_CREATE_MATERIALIZED);
    slice name = creates ? s->table->name : slice_lit("");
    for (unsigned i = 0; s->kind == SQL_STATEMENT_ALTER_TABLE && i < s->alters; i++)
        if (s->alter[i].kind == SQL_ALTER_RENAME)
            name = s->alter[i].name;
    const struct sql_table *system = sql_catalog_table(db->catalog, slice_lit("pg_catalog"), name);
    const struct sql_table *above = system ? dependant(db, system) : NULL;
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

int database_judge(struct database *db, const struct sql_statement *s, struct sql_error *error) {
    int r = judge_name(db, s, error);
    if (r < 0)
        return r;
    if (s->kind == SQL_STATEMENT_DROP)
        for (unsigned i = 0; r == 0 && i < s->names; i++)
            r = judge_drop_one(db, s, s->name_list[i][0], s->name_list[i][1], error);
    if (s->kind == SQL_STATEMENT_ALTER_TABLE && s->table)
        r = judge_alter(db, s, error);
    if (s->kind == SQL_STATEMENT_CREATE_INDEX && s->table)
        r = judge_index_count(s->table, error);
    if (s->kind == SQL_STATEMENT_CREATE_FUNCTION && !s->or_replace &&
        same_function(db, &s->function))
        r = sql_fail(error, "42723", "function \"%.*s\" already exists with same argument types",
                     slice_fmt(s->function.name));
    if (s->kind == SQL_STATEMENT_CREATE_VIEW && s->or_replace) {
        struct sql_table *old = sql_catalog_table(db->catalog, s->table->schema, s->table->name);
        const struct sql_table *above = old ? dependant(db, old) : NULL;
        if (above)
            r = sql_fail(error, "2BP01", "cannot replace view \"%.*s\" because %.*s depends on it",
                         slice_fmt(old->name), slice_fmt(above->name));
        for (unsigned i = 0; r == 0 && old && i < s->table->depends_count; i++)
            if (s->table->depends[i] == old->oid)
                r = sql_fail(error, "42P17", "view \"%.*s\" would read itself",
                             slice_fmt(old->name));
    }
    return r;
}

int database_define(struct database *db, const struct sql_statement *s, slice text,
                    struct sql_error *error) {
    int r = 0;
    switch (s->kind) {
    case SQL_STATEMENT_CREATE_TABLE:
    case SQL_STATEMENT_CREATE_TABLE_AS:
    case SQL_STATEMENT_CREATE_MATERIALIZED:
        r = s->table ? create_table(db, s->table, text) : 0;
        break;
    case SQL_STATEMENT_CREATE_VIEW:
        r = create_view(db, s, text);
        break;
    case SQL_STATEMENT_CREATE_INDEX:
        return s->table ? create_index(db, s->table, &s->index, error) : 0;
    case SQL_STATEMENT_CREATE_ENUM:
        r = create_enum(db, s);
        break;
    case SQL_STATEMENT_CREATE_FUNCTION:
        r = create_function(db, s);
        break;
    case SQL_STATEMENT_CREATE_SCHEMA:
        r = sql_catalog_has_schema(db->catalog, s->name)
                ? 0
                : sql_catalog_add_schema(db->catalog, s->name);
        break;
    case SQL_STATEMENT_ALTER_TABLE:
        return s->table ? alter_table(db, s, error) : 0;
    case SQL_STATEMENT_COMMENT:
        s->table->comment = (slice){NULL, 0};
        r = s->name.ptr ? arena_copy(&s->table->memory, s->name, &s->table->comment) : 0;
        break;
    case SQL_STATEMENT_DROP:
        for (unsigned i = 0; i < s->names; i++)
            drop_one(db, s->drop_kind, s->name_list[i][0], s->name_list[i][1]);
        break;
    default:
        break;
    }
    if (r == -EEXIST)
        return sql_fail(error, "42P07", "it already exists");
    return r < 0 ? sql_fail_memory(error) : 0;
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
                                             .emit_on_window_close = emits_on_close(table)};
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
