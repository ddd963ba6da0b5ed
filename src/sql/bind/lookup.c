/*
 * lookup.c - a filter over a scan that fixes all columns of an index: the scan looks them up.
 *
 * The values are constants or parameters of the column's type. The index is the table's as it is
 * now; a plan is bound anew when the catalog changes.
 */
#include "sql/bind/rewrite.h"

#include "sql/catalog.h"

#include <errno.h>

/* Text through varchar and back: the same bits. */
static struct sql_expr *same_bits(struct sql_expr *e) {
    while (e->kind == SQL_EXPR_CAST && e->cast && !e->cast->scalar)
        e = e->arguments[0];
    return e;
}

static bool is_value(const struct sql_expr *e) {
    while (e->kind == SQL_EXPR_CAST)
        e = e->arguments[0];
    return e->kind == SQL_EXPR_CONST || e->kind == SQL_EXPR_PARAMETER;
}

/* The value that E says column COLUMN of SCAN equals; NULL: it says nothing of it. */
static struct sql_expr *value_for(struct sql_binder *b, const struct sql_plan *scan,
                                  struct sql_expr *e, unsigned column) {
    if (e->kind != SQL_EXPR_CALL || e->count != 2 ||
        !slice_equal(slice_str(e->function->name), slice_lit("=")))
        return NULL;
    for (unsigned i = 0; i < 2; i++) {
        struct sql_expr *own = same_bits(e->arguments[i]), *value = e->arguments[1 - i];
        if (own->kind != SQL_EXPR_COLUMN || scan->scan_columns[own->index] != column ||
            !is_value(value))
            continue;
        struct sql_type type = sql_type_of(scan->table->column[column].type.oid);
        bool fits = value->type.oid == type.oid ||
                    bind_can_coerce(b, value->type.oid, type.oid, SQL_CAST_IMPLICIT) ||
                    own != e->arguments[i];
        if (fits)
            return own != e->arguments[i]
                       ? value
                       : bind_coerce(b, value, type, SQL_CAST_IMPLICIT, value->location);
    }
    return NULL;
}

static int use_index(struct sql_binder *b, struct sql_plan *filter, struct conditions *all,
                     const struct sql_table_index *index) {
    struct sql_plan *scan = filter->input[0];
    struct sql_expr **values = bind_alloc(b, index->columns + 1, sizeof *values);
    unsigned *used = bind_alloc(b, index->columns + 1, sizeof *used);
    if (!values || !used)
        return -ENOMEM;
    for (unsigned k = 0; k < index->columns; k++) {
        for (unsigned i = 0; !values[k] && i < all->count; i++) {
            values[k] = value_for(b, scan, all->item[i], index->column[k]);
            used[k] = i;
        }
        if (!values[k])
            return b->error->state[0] ? -EINVAL : 0;
    }
    struct sql_plan *own = bind_plan(b, SQL_PLAN_SCAN, 0, scan->columns);
    if (!own)
        return -ENOMEM;
    unsigned number = own->number;
    *own = *scan;
    own->number = number;
    own->lookups = index->columns;
    own->lookup_columns = index->column;
    own->lookup_values = values;
    filter->input[0] = own;
    for (unsigned k = 0; k < index->columns; k++)
        all->item[used[k]] = NULL;
    return 1;
}

static int look_up(struct sql_binder *b, struct sql_plan *p, void *self) {
    (void)self;
    if (p->kind != SQL_PLAN_FILTER || p->input[0]->kind != SQL_PLAN_SCAN || p->input[0]->lookups)
        return 0;
    const struct sql_table *table = p->input[0]->table;
    struct conditions all = {0}, rest = {0};
    int result = conditions_split(b, &all, p->predicate);
    for (unsigned i = 0; result == 0 && i < table->indexes; i++)
        result = use_index(b, p, &all, &table->index[i]);
    if (result == 0 && table->key)
        result = use_index(b, p, &all, table->key);
    if (result <= 0)
        return result;
    for (unsigned i = 0; i < all.count; i++)
        if (all.item[i] && conditions_add(b, &rest, all.item[i]) < 0)
            return -ENOMEM;
    p->predicate = rest.count ? conditions_all(b, &rest) : bind_bool(b, true, -1);
    return p->predicate ? 0 : -ENOMEM;
}

int rewrite_lookups(struct sql_binder *b, struct sql_plan *plan) {
    return bind_each_node(b, plan, look_up, NULL);
}
