/*
 * nodes.c - making plan nodes (nodes.h). Walks are in walk.c.
 */
#include "sql/bind/nodes.h"

#include "sql/bind/move.h"
#include "sql/bind/scope.h"

struct sql_plan *bind_plan(struct sql_binder *b, enum sql_plan_kind kind, unsigned inputs,
                           unsigned columns) {
    struct sql_plan *p = bind_alloc(b, 1, sizeof *p);
    if (!p)
        return NULL;
    p->kind = kind;
    p->number = b->plans++;
    p->inputs = inputs;
    p->columns = columns;
    p->close_group = -1;
    p->input = bind_alloc(b, inputs + 1, sizeof *p->input);
    p->column = bind_alloc(b, columns + 1, sizeof *p->column);
    return p->input && p->column ? p : NULL;
}

struct sql_plan *bind_plan_nothing(struct sql_binder *b) {
    struct sql_plan *p = bind_plan(b, SQL_PLAN_VALUES, 0, 0);
    if (p)
        p->rows = 1;
    return p;
}

struct sql_plan *bind_plan_same(struct sql_binder *b, enum sql_plan_kind kind,
                                struct sql_plan *input) {
    if (!input)
        return NULL;
    struct sql_plan *p = bind_plan(b, kind, 1, input->columns);
    if (!p)
        return NULL;
    p->input[0] = input;
    bind_move(p->column, input->column, input->columns * sizeof *p->column);
    return p;
}

struct sql_plan *bind_plan_filter(struct sql_binder *b, struct sql_plan *input,
                                  struct sql_expr *predicate) {
    struct sql_plan *p = predicate ? bind_plan_same(b, SQL_PLAN_FILTER, input) : NULL;
    if (p)
        p->predicate = predicate;
    return p;
}

struct sql_plan *bind_plan_project(struct sql_binder *b, struct sql_plan *input,
                                   struct sql_expr **e, const slice *names, unsigned count) {
    struct sql_plan *p = input ? bind_plan(b, SQL_PLAN_PROJECT, 1, count) : NULL;
    if (!p)
        return NULL;
    p->input[0] = input;
    p->expressions = count;
    p->expression = e;
    for (unsigned i = 0; i < count; i++) {
        p->column[i].type = e[i]->type;
        if (names)
            p->column[i].name = names[i];
        else if (e[i]->kind == SQL_EXPR_COLUMN)
            p->column[i].name = input->column[e[i]->index].name;
        else
            p->column[i].name = slice_lit("?column?");
    }
    return p;
}

static struct sql_expr **all_columns(struct sql_binder *b, const struct sql_plan *input,
                                     unsigned more) {
    struct sql_expr **all = bind_alloc(b, input->columns + more + 1, sizeof *all);
    for (unsigned i = 0; all && i < input->columns; i++)
        if (!(all[i] = bind_column(b, i, input->column[i].type, -1)))
            return NULL;
    return all;
}

struct sql_plan *bind_plan_extend(struct sql_binder *b, struct sql_plan *input, struct sql_expr **e,
                                  unsigned count) {
    if (!input || count == 0)
        return input;
    struct sql_expr **all = all_columns(b, input, count);
    if (!all)
        return NULL;
    bind_move(all + input->columns, e, count * sizeof *all);
    return bind_plan_project(b, input, all, NULL, input->columns + count);
}

struct sql_plan *bind_plan_pick(struct sql_binder *b, struct sql_plan *input, const unsigned *which,
                                unsigned count) {
    if (!input)
        return NULL;
    bool same = count == input->columns;
    struct sql_expr **e = bind_alloc(b, count + 1, sizeof *e);
    for (unsigned i = 0; e && i < count; i++) {
        same &= which[i] == i;
        if (!(e[i] = bind_column(b, which[i], input->column[which[i]].type, -1)))
            return NULL;
    }
    if (!e)
        return NULL;
    return same ? input : bind_plan_project(b, input, e, NULL, count);
}

struct sql_plan *bind_plan_first(struct sql_binder *b, struct sql_plan *input, unsigned count) {
    if (!input || input->columns == count)
        return input;
    struct sql_expr **e = all_columns(b, input, 0);
    return e ? bind_plan_project(b, input, e, NULL, count) : NULL;
}

struct sql_plan *bind_plan_join(struct sql_binder *b, enum sql_plan_kind kind,
                                enum sql_join_kind join, struct sql_plan *left,
                                struct sql_plan *right, struct sql_expr *predicate) {
    if (!left || !right)
        return NULL;
    unsigned more = bind_join_is_half(join) ? 0 : right->columns;
    struct sql_plan *p = bind_plan(b, kind, 2, left->columns + more);
    if (!p)
        return NULL;
    p->join = join;
    p->predicate = predicate;
    p->input[0] = left;
    p->input[1] = right;
    bind_move(p->column, left->column, left->columns * sizeof *p->column);
    bind_move(p->column + left->columns, right->column, more * sizeof *p->column);
    return p;
}

struct sql_plan *bind_plan_scan(struct sql_binder *b, const struct sql_table *table, bool row_id) {
    unsigned columns = row_id;
    for (unsigned i = 0; i < table->columns; i++)
        columns += !table->column[i].dropped;
    struct sql_plan *p = bind_plan(b, SQL_PLAN_SCAN, 0, columns);
    if (!p || !(p->scan_columns = bind_alloc(b, columns + 1, sizeof *p->scan_columns)))
        return NULL;
    p->table = table;
    unsigned at = 0;
    for (unsigned i = 0; i < table->columns; i++) {
        if (table->column[i].dropped)
            continue;
        p->scan_columns[at] = i;
        p->column[at].name = table->column[i].name;
        p->column[at++].type = table->column[i].type;
    }
    if (row_id) {
        p->scan_columns[at] = SQL_SCAN_ROW_ID;
        p->column[at] = (struct sql_plan_column){slice_lit("row id"), sql_type_of(SQL_INT8)};
    }
    return p;
}

struct sql_plan *bind_plan_union(struct sql_binder *b, struct sql_plan **input, unsigned count) {
    struct sql_plan *p = bind_plan(b, SQL_PLAN_UNION, count, input[0]->columns);
    if (!p)
        return NULL;
    bind_move(p->input, input, count * sizeof *p->input);
    bind_move(p->column, input[0]->column, p->columns * sizeof *p->column);
    return p;
}
