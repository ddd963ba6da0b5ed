/*
 * definition_alter.c - ALTER TABLE: one change after the other, each judged against what those
 * before it have left, on one version of the table (definer.h), so that all of them are made or
 * none.
 */
#include "rooms/stream/definition.h"
#include "rooms/stream/rewrite.h"
#include "rooms/stream/work.h"
#include "sql/exec/evaluate.h"

#include <errno.h>

static int grow_columns(struct sql_table *t) {
    struct sql_table_column *more = arena_zalloc(&t->memory, t->columns + 2u, sizeof *more);
    if (!more)
        return -ENOMEM;
    if (t->columns)
        memcpy(more, t->column, t->columns * sizeof *more);
    t->column = more;
    return 0;
}

static const struct sql_settings *settings_of(const struct definer *d) {
    return d->session ? &d->session->settings : &d->db->settings;
}

/* T's rows in their new form: of OLD_COLUMNS columns they had, VALUES[c] (over those; NULL: as it
   was) is what column c becomes. */
static int rewrite(struct definer *d, struct sql_table *t, unsigned old_columns,
                   struct sql_expr *const *values, struct sql_error *error) {
    struct stored *s = stored_of(t);
    struct relation *rows = NULL;
    const struct rewrite_options options = {
        .from = s->rows, .columns = old_columns, .values = values};
    int r = rewrite_rows(d, t, &options, &rows, error);
    if (r < 0)
        return r;
    relation_free(s->rows);
    s->rows = rows;
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

/* Rows get the default's value when the definition is made, and again when it is read back: it must
   be the same one. */
static int judge_repeatable(const struct sql_expr *value, slice name, struct sql_error *error) {
    if (!(sql_expr_flags(value) & (SQL_STABLE | SQL_VOLATILE)))
        return 0;
    (void)sql_fail(error, "0A000",
                   "ADD COLUMN \"%.*s\" with a default that is not constant is not supported on a "
                   "table that has rows",
                   slice_fmt(name));
    sql_error_hint(error, "Add the column without it, UPDATE the rows, then ALTER COLUMN … SET "
                          "DEFAULT.");
    return -EINVAL;
}

/* A timestamptz is made by the zone of who defines, and by UTC when the definition is read back. */
static int judge_zone(const struct definer *d, const struct sql_table *t, uint32_t from,
                      uint32_t to, struct sql_error *error) {
    bool depends = (from == SQL_TIMESTAMPTZ) != (to == SQL_TIMESTAMPTZ);
    if (!depends || !d->transaction || !settings_of(d)->zone ||
        !relation_stats(relation_of(t)).rows)
        return 0;
    (void)sql_fail(error, "0A000",
                   "values of timestamp with time zone are not made for rows that are there in a "
                   "session's own time zone");
    sql_error_hint(error, "SET TimeZone = 'UTC' first.");
    return -EINVAL;
}

static int add_column(struct definer *d, struct sql_table *t, const struct sql_alter *a,
                      struct arena *memory, struct sql_error *error) {
    struct sql_expr *values[SQL_COLUMNS_MAX] = {NULL};
    const struct sql_bind_options options = {
        .catalog = d->catalog, .settings = settings_of(d), .memory = memory};
    unsigned old = t->columns;
    if (old == SQL_COLUMNS_MAX)
        return sql_fail(error, "54011", "tables can have at most %u columns", SQL_COLUMNS_MAX);
    slice text = a->definition.default_text.ptr ? a->definition.default_text : slice_lit("NULL");
    int r = sql_bind_expression_as(text, NULL, a->definition.type, &options, &values[old], error);
    if (r == 0 && d->transaction && relation_stats(stored_of(t)->rows).rows)
        r = judge_repeatable(values[old], a->definition.name, error);
    if (r == 0 && a->definition.default_text.ptr)
        r = judge_zone(d, t, 0, a->definition.type.oid, error);
    if (r == 0 && (grow_columns(t) < 0 || copy_column(t, &a->definition, &t->column[old]) < 0))
        r = sql_fail_memory(error);
    if (r < 0)
        return r;
    t->columns++;
    r = rewrite(d, t, old, values, error);
    if (r < 0)
        t->columns--;
    return r;
}

static int alter_type(struct definer *d, struct sql_table *t, const struct sql_alter *a,
                      struct arena *memory, struct sql_error *error) {
    struct sql_expr *values[SQL_COLUMNS_MAX] = {NULL};
    const struct sql_bind_options options = {
        .catalog = d->catalog, .settings = settings_of(d), .memory = memory};
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
    r = judge_zone(d, t, old.oid, a->definition.type.oid, error);
    if (r < 0)
        return r;
    t->column[a->column].type = a->definition.type;
    r = rewrite(d, t, t->columns, values, error);
    if (r < 0)
        t->column[a->column].type = old;
    return r;
}

int definition_drop_constraint(struct definer *d, struct sql_table *t, slice name, bool if_exists,
                               struct sql_error *error) {
    for (unsigned i = 0; i < t->indexes; i++)
        if (slice_equal(t->index[i].name, name)) {
            if (definer_drop_index(d, t, &t->index[i]) < 0)
                return sql_fail_memory(error);
            sql_catalog_touch(d->catalog);
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

static int alter_one(struct definer *d, struct sql_table *t, const struct sql_alter *a,
                     struct arena *memory, struct sql_error *error) {
    slice copy;
    switch (a->kind) {
    case SQL_ALTER_ADD_COLUMN:
        return add_column(d, t, a, memory, error);
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
        return sql_catalog_rename_table(d->catalog, t, a->name) < 0 ? sql_fail_memory(error) : 0;
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
        return alter_type(d, t, a, memory, error);
    case SQL_ALTER_ADD_INDEX:
        return definition_create_index(d, t, &a->index, error);
    case SQL_ALTER_DROP_CONSTRAINT:
        return definition_drop_constraint(d, t, a->name, a->if_exists, error);
    case SQL_ALTER_ADD_CHECK:
        return add_check(t, &a->check, error);
    }
    return 0;
}

/* --- judging ---------------------------------------------------------------------------------- */

static int judge_not_null(const struct sql_table *t, unsigned column, struct sql_error *error) {
    unsigned which[] = {column};
    struct relation_scan scan;
    struct sql_builder b;
    if (sql_builder_make(1, &b) < 0)
        return sql_fail_memory(error);
    relation_scan_all(relation_of(t), RELATION_LIVE - 1, &scan);
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

static int judge_check(struct definer *d, const struct sql_table *t, const struct sql_check *check,
                       struct arena *memory, struct sql_error *error) {
    const struct sql_environment environment = {settings_of(d), NULL, NULL};
    const struct sql_bind_options options = {
        .catalog = d->catalog, .settings = settings_of(d), .memory = memory};
    struct sql_evaluator *holds = NULL;
    struct relation_scan scan;
    struct sql_builder b;
    struct sql_expr *e;
    int r = sql_bind_expression(check->text, t, &options, &e, error), n = 1;
    if (r == 0)
        r = sql_evaluator_new(e, &environment, &holds, error);
    if (r < 0)
        return r;
    if (sql_builder_make(t->columns, &b) < 0) {
        sql_evaluator_free(holds);
        return sql_fail_memory(error);
    }
    relation_scan_all(relation_of(t), RELATION_LIVE - 1, &scan);
    while (r == 0 && (n = relation_scan_next(&scan, NULL, t->columns, &b)) > 0) {
        struct sql_batch batch = sql_builder_batch(&b);
        struct sql_column result;
        r = sql_evaluate(holds, &batch, &b.memory, &result, error);
        for (unsigned row = 0; r == 0 && row < batch.rows; row++)
            if (!sql_null_at(&result, row) && !sql_cell_at(&result, row)->i)
                r = sql_fail(error, "23514",
                             "check constraint \"%.*s\" of relation \"%.*s\" is violated by some "
                             "row",
                             slice_fmt(check->name), slice_fmt(t->name));
        sql_builder_reset(&b);
    }
    if (r == 0 && n < 0)
        r = sql_fail_memory(error);
    relation_scan_end(&scan);
    sql_builder_free(&b);
    sql_evaluator_free(holds);
    return r;
}

/* What must hold before A is made of T, a version. */
static int judge(struct definer *d, const struct sql_table *t, const struct sql_alter *a,
                 struct arena *memory, struct sql_error *error) {
    bool harmless = a->kind == SQL_ALTER_DEFAULT || a->kind == SQL_ALTER_NOT_NULL ||
                    a->kind == SQL_ALTER_ADD_INDEX || a->kind == SQL_ALTER_ADD_CHECK ||
                    a->kind == SQL_ALTER_DROP_CONSTRAINT;
    const struct sql_table *above = harmless ? NULL : definition_dependant(d, t);
    int r = 0;
    if (above)
        return sql_fail(error, "2BP01", "cannot alter \"%.*s\" because view %.*s depends on it",
                        slice_fmt(t->name), slice_fmt(above->name));
    if (a->kind == SQL_ALTER_ADD_INDEX)
        r = definition_judge_index_count(t, error);
    if (a->kind == SQL_ALTER_NOT_NULL && a->value)
        r = judge_not_null(t, a->column, error);
    for (unsigned c = 0;
         a->kind == SQL_ALTER_ADD_INDEX && a->index.primary && r == 0 && c < a->index.columns; c++)
        r = judge_not_null(t, a->index.column[c], error);
    if (a->kind == SQL_ALTER_ADD_CHECK)
        r = judge_check(d, t, &a->check, memory, error);
    if (a->kind == SQL_ALTER_ADD_COLUMN && a->definition.not_null &&
        !a->definition.default_text.ptr && relation_stats(relation_of(t)).rows > 0)
        r = sql_fail(error, "23502", "column \"%.*s\" of relation \"%.*s\" contains null values",
                     slice_fmt(a->definition.name), slice_fmt(t->name));
    for (unsigned x = 0; a->kind == SQL_ALTER_DROP_COLUMN && r == 0 && x < t->indexes; x++)
        for (unsigned c = 0; r == 0 && c < t->index[x].columns; c++)
            if (t->index[x].column[c] == a->column)
                r = sql_fail(error, "2BP01",
                             "cannot drop column \"%.*s\": index \"%.*s\" is over it",
                             slice_fmt(t->column[a->column].name), slice_fmt(t->index[x].name));
    return r;
}

int definition_alter(struct definer *d, const struct sql_statement *s, struct sql_error *error) {
    struct sql_table *before = s->table; /* what S says of new columns may lie in it */
    before->references++;
    struct sql_table *t = definer_change(d, before, error);
    int r = t ? 0 : -EINVAL;
    for (unsigned i = 0; r == 0 && i < s->alters; i++) {
        if (d->transaction) /* what is read back was judged */
            r = judge(d, t, &s->alter[i], s->memory, error);
        if (r == 0)
            r = alter_one(d, t, &s->alter[i], s->memory, error);
    }
    sql_table_unref(before);
    sql_catalog_touch(d->catalog);
    return r;
}
