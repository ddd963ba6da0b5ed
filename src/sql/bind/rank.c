/*
 * rank.c - `row_number() OVER (PARTITION BY p ORDER BY o) <= n` reads no more than the first n rows
 * of a partition: a TOP below the window function. Its rank stays what it was, for ranks count
 * only rows before. Where nobody reads the rank, prune.c takes the window function away.
 */
#include "sql/bind/rewrite.h"

#include <errno.h>

static bool all_ranks(const struct sql_plan *p) {
    for (unsigned i = 0; i < p->windows; i++)
        if (p->window[i].function != SQL_WINDOW_ROW_NUMBER &&
            p->window[i].function != SQL_WINDOW_RANK &&
            p->window[i].function != SQL_WINDOW_DENSE_RANK)
            return false;
    return p->windows > 0;
}

static bool is_integer(const struct sql_expr *e, int64_t *ret) {
    while (e->kind == SQL_EXPR_CAST && e->arguments[0]->kind == SQL_EXPR_CONST)
        e = e->arguments[0];
    bool fits = e->type.oid == SQL_INT8 || e->type.oid == SQL_INT4 || e->type.oid == SQL_INT2;
    if (e->kind != SQL_EXPR_CONST || e->null || !fits)
        return false;
    *ret = e->cell.i;
    return true;
}

/* `rank <= n`: the rank's column and n. *EXACT: the bound says all that the condition does. */
static bool bound_of(const struct sql_expr *e, unsigned from, unsigned *ret_column, int64_t *ret_n,
                     bool *ret_exact) {
    if (e->kind != SQL_EXPR_CALL || e->count != 2)
        return false;
    slice name = slice_str(e->function->name);
    const struct sql_expr *rank = e->arguments[0], *bound = e->arguments[1];
    bool turned = rank->kind != SQL_EXPR_COLUMN;
    if (turned) {
        rank = e->arguments[1];
        bound = e->arguments[0];
    }
    if (rank->kind != SQL_EXPR_COLUMN || rank->index < from || !is_integer(bound, ret_n))
        return false;
    bool equal = slice_equal(name, slice_lit("="));
    bool least = slice_equal(name, slice_str(turned ? ">=" : "<="));
    bool less = slice_equal(name, slice_str(turned ? ">" : "<"));
    *ret_column = rank->index - from;
    *ret_n -= less;
    *ret_exact = !equal || *ret_n == 1;
    return (equal || least || less) && *ret_n >= 1;
}

static struct sql_plan *make_top(struct sql_binder *b, const struct sql_plan *window,
                                 enum sql_window_function function, int64_t n) {
    struct sql_plan *top = bind_plan_same(b, SQL_PLAN_TOP, window->input[0]);
    if (!top || !(top->limit = bind_integer(b, SQL_INT8, n)))
        return NULL;
    top->partitions = window->partitions;
    top->partition = window->partition;
    top->orders = window->orders;
    top->order = window->order;
    top->top = function == SQL_WINDOW_RANK         ? SQL_TOP_RANK
               : function == SQL_WINDOW_DENSE_RANK ? SQL_TOP_DENSE_RANK
                                                   : SQL_TOP_ROW_NUMBER;
    return top;
}

int rewrite_rank(struct sql_binder *b, struct sql_plan *p, struct conditions *c) {
    unsigned from = p->input[0]->columns, column = 0;
    int64_t n;
    bool exact;
    if (!all_ranks(p))
        return 0;
    for (unsigned i = 0; i < c->count; i++) {
        if (!bound_of(c->item[i], from, &column, &n, &exact))
            continue;
        struct sql_plan *top = make_top(b, p, p->window[column].function, n);
        if (!top)
            return -ENOMEM;
        p->input[0] = top;
        if (exact) {
            memmove(&c->item[i], &c->item[i + 1], (c->count - i - 1) * sizeof *c->item);
            c->count--;
        }
        return 0;
    }
    return 0;
}
