/*
 * conflict.c - ON CONFLICT: which unique index is meant, and what DO UPDATE sets.
 *
 * Its expressions are over the old row's columns, then those of `excluded`, the row proposed.
 */
#include "sql/bind/dml.h"

#include "sql/bind/from.h"

#include <errno.h>

static bool covers(const struct sql_table_index *index, const unsigned *columns, unsigned count) {
    if (!index->unique && !index->primary)
        return false;
    for (unsigned i = 0; i < index->columns; i++) {
        bool found = false;
        for (unsigned k = 0; k < count; k++)
            found |= columns[k] == index->column[i];
        if (!found)
            return false;
    }
    for (unsigned k = 0; k < count; k++) {
        bool found = false;
        for (unsigned i = 0; i < index->columns; i++)
            found |= columns[k] == index->column[i];
        if (!found)
            return false;
    }
    return true;
}

static int named_index(struct sql_binder *b, const struct sql_table *t, slice name,
                       struct sql_table_index **ret) {
    for (unsigned i = 0; i < t->indexes; i++)
        if (slice_equal(t->index[i].name, name)) {
            *ret = &t->index[i];
            return 0;
        }
    return bind_error(b, -1, "42704", "constraint \"%.*s\" for table \"%.*s\" does not exist",
                      slice_fmt(name), slice_fmt(t->name));
}

static int infer_index(struct sql_binder *b, const struct sql_table *t, json_value infer,
                       struct sql_table_index **ret) {
    slice name = sql_field_text(infer, "conname");
    if (name.len)
        return named_index(b, t, name, ret);
    json_value list = sql_field(infer, "indexElems");
    unsigned *columns = bind_alloc(b, json_count(list) + 1, sizeof *columns), count = 0;
    struct json_iterator i = json_each(list);
    while (columns && json_next(&i)) {
        json_value element;
        (void)sql_node_is(i.value, "IndexElem", &element);
        int at = bind_target_column(b, t, sql_field_text(element, "name"), sql_location(infer));
        if (at < 0)
            return at;
        columns[count++] = (unsigned)at;
    }
    for (unsigned k = 0; columns && k < t->indexes; k++)
        if (covers(&t->index[k], columns, count)) {
            *ret = &t->index[k];
            return 0;
        }
    return bind_error(b, -1, "42P10",
                      "there is no unique or exclusion constraint matching the ON CONFLICT "
                      "specification");
}

/* The table's row as it is, and as it was proposed. */
static int both_rows(struct sql_binder *b, const struct sql_table *t, slice alias,
                     struct bind_scope *s) {
    struct bind_from old, proposed;
    int result = bind_table_scope(b, t, alias, &old);
    if (result == 0)
        result = bind_table_scope(b, t, slice_lit("excluded"), &proposed);
    if (result < 0)
        return result;
    proposed.relation[0]->schema = (slice){NULL, 0};
    result = bind_combine(b, SQL_JOIN_INNER, &old, &proposed, -1, &s->from);
    s->from.names = old.names; /* a bare name is the old row's */
    return result;
}

static int update_part(struct sql_binder *b, const struct sql_table *t, slice alias,
                       json_value clause, struct sql_statement *ret) {
    struct bind_scope s = {.query = true, .clause = "ON CONFLICT DO UPDATE"};
    struct sql_expr **set = bind_alloc(b, t->columns + 1, sizeof *set);
    struct sql_expr **row = bind_alloc(b, t->columns + 1, sizeof *row);
    if (!set || !row)
        return -ENOMEM;
    int result = both_rows(b, t, alias, &s);
    struct sql_plan *plan = s.from.plan;
    if (result == 0)
        result = bind_set_list(b, &s, t, sql_field(clause, "targetList"), set);
    json_value where = sql_field(clause, "whereClause");
    if (result == 0 && json_type_of(where) != JSON_ABSENT &&
        !(ret->conflict_where = bind_condition(b, &s, where, "WHERE")))
        return -EINVAL;
    if (result < 0)
        return result;
    if (s.from.plan != plan)
        return bind_error(b, -1, "0A000", "subqueries in ON CONFLICT are not supported");
    for (unsigned i = 0; i < t->columns; i++)
        if (!(row[i] = set[i] ? set[i] : bind_column(b, i, t->column[i].type, -1)))
            return -ENOMEM;
    if ((result = bind_generated(b, t, row)) < 0)
        return result;
    for (unsigned i = 0; i < t->columns; i++)
        if (t->column[i].generated == SQL_STORED_EXPRESSION)
            set[i] = row[i];
    ret->conflict_set = set;
    return 0;
}

int bind_conflict(struct sql_binder *b, const struct sql_table *table, slice alias,
                  json_value clause, struct sql_statement *ret) {
    ret->conflict = SQL_CONFLICT_ERROR;
    if (json_type_of(clause) == JSON_ABSENT)
        return 0;
    bool update = slice_equal(sql_field_text(clause, "action"), slice_lit("ONCONFLICT_UPDATE"));
    ret->conflict = update ? SQL_CONFLICT_UPDATE : SQL_CONFLICT_NOTHING;
    json_value infer = sql_field(clause, "infer");
    int result = 0;
    if (json_type_of(infer) != JSON_ABSENT)
        result = infer_index(b, table, infer, &ret->conflict_index);
    else if (update)
        return bind_error(b, sql_location(clause), "42601",
                          "ON CONFLICT DO UPDATE requires inference specification or constraint "
                          "name");
    return result == 0 && update ? update_part(b, table, alias, clause, ret) : result;
}
