/*
 * expr.c - see expr.h. Everything here walks a tree by recursion; the binder has bounded its depth
 * (SQL_DEPTH_MAX), so no walk runs out of stack. Nothing here changes a tree that exists: what is
 * put in gives a copy, and the parts that stay are shared.
 */
#include "sql/expr.h"

#include "sql/row.h"

/* The same value in the same form: 1.0 is no 1.00, and a day no 24 hours, though they are equal. */
static bool same_constant(const struct sql_expr *a, const struct sql_expr *b) {
    _cleanup_buf_ struct buf first = buf_make(SIZE_MAX / 2), second = buf_make(SIZE_MAX / 2);
    const struct sql_column columns[2] = {{&a->cell, NULL, 0}, {&b->cell, NULL, 0}};
    const struct sql_batch batch[2] = {{1, 1, &columns[0], NULL}, {1, 1, &columns[1], NULL}};
    return sql_value_equal(a->type.oid, &a->cell, &b->cell) &&
           sql_row_encode(&batch[0], &a->type, NULL, 1, 0, false, &first) == 0 &&
           sql_row_encode(&batch[1], &b->type, NULL, 1, 0, false, &second) == 0 &&
           slice_equal(buf_slice(&first), buf_slice(&second));
}

bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b) {
    if (a == b)
        return !(sql_expr_flags(a) & SQL_VOLATILE);
    if (a->kind != b->kind || a->type.oid != b->type.oid || a->type.typmod != b->type.typmod ||
        a->count != b->count || a->index != b->index || a->level != b->level ||
        a->function != b->function || a->cast != b->cast || a->null != b->null)
        return false;
    if (a->function && (a->function->flags & SQL_VOLATILE))
        return false;
    if (a->kind == SQL_EXPR_CONST && !a->null && !same_constant(a, b))
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!sql_expr_equal(a->arguments[i], b->arguments[i]))
            return false;
    return true;
}

unsigned sql_expr_flags(const struct sql_expr *e) {
    unsigned flags = e->function ? e->function->flags & (SQL_STABLE | SQL_VOLATILE) : 0;
    for (unsigned i = 0; i < e->count; i++)
        flags |= sql_expr_flags(e->arguments[i]);
    return flags;
}

bool sql_expr_is_constant(const struct sql_expr *e) {
    if (e->kind == SQL_EXPR_COLUMN || e->kind == SQL_EXPR_OUTER || e->kind == SQL_EXPR_PARAMETER ||
        (e->function && (e->function->flags & SQL_VOLATILE)))
        return false;
    for (unsigned i = 0; i < e->count; i++)
        if (!sql_expr_is_constant(e->arguments[i]))
            return false;
    return true;
}

struct sql_expr *sql_expr_substitute(struct arena *memory, const struct sql_expr *e,
                                     struct sql_expr *const *to, unsigned count) {
    if (e->kind == SQL_EXPR_COLUMN && e->index < count && to[e->index])
        return to[e->index];
    struct sql_expr *copy = arena_alloc(memory, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *e;
    if (e->count == 0)
        return copy;
    copy->arguments = arena_alloc(memory, e->count * sizeof *copy->arguments);
    for (unsigned i = 0; copy->arguments && i < e->count; i++) {
        copy->arguments[i] = sql_expr_substitute(memory, e->arguments[i], to, count);
        if (!copy->arguments[i])
            return NULL;
    }
    return copy->arguments ? copy : NULL;
}

int sql_expr_walk(struct sql_expr *e, int (*visit)(struct sql_expr *e, void *self), void *self) {
    int r = visit(e, self);
    for (unsigned i = 0; r == 0 && i < e->count; i++)
        r = sql_expr_walk(e->arguments[i], visit, self);
    return r;
}
