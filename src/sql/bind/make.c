/*
 * make.c - making expressions, computing constant ones at once, and copying with changes.
 *
 * Expressions are never changed once made (they are shared), with one exception: a parameter's one
 * node gets its type when the binder learns it.
 */
#include "sql/bind/binder.h"
#include "sql/bind/move.h"
#include "sql/exec/evaluate.h"

struct sql_expr *bind_expr(struct sql_binder *b, enum sql_expr_kind kind, struct sql_type type,
                           int location, unsigned count) {
    struct sql_expr *e = bind_alloc(b, 1, sizeof *e);
    if (!e)
        return NULL;
    e->kind = kind;
    e->type = type;
    e->location = location;
    e->count = count;
    if (count && !(e->arguments = bind_alloc(b, count, sizeof *e->arguments)))
        return NULL;
    return e;
}

struct sql_expr *bind_column(struct sql_binder *b, unsigned index, struct sql_type type,
                             int location) {
    struct sql_expr *e = bind_expr(b, SQL_EXPR_COLUMN, type, location, 0);
    if (e)
        e->index = index;
    return e;
}

struct sql_expr *bind_null_constant(struct sql_binder *b, struct sql_type type, int location) {
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CONST, type, location, 0);
    if (e)
        e->null = true;
    return e;
}

struct sql_expr *bind_integer(struct sql_binder *b, uint32_t oid, int64_t value) {
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CONST, sql_type_of(oid), -1, 0);
    if (e)
        e->cell.i = value;
    return e;
}

struct sql_expr *bind_bool(struct sql_binder *b, bool value, int location) {
    struct sql_expr *e = bind_integer(b, SQL_BOOL, value);
    if (e)
        e->location = location;
    return e;
}

struct sql_expr *bind_text_constant(struct sql_binder *b, uint32_t oid, slice text, int location) {
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CONST, sql_type_of(oid), location, 0);
    if (e) {
        e->cell.text = bind_copy(b, text);
        if (!e->cell.text.ptr)
            return NULL;
    }
    return e;
}

struct sql_expr *bind_unary(struct sql_binder *b, enum sql_expr_kind kind, struct sql_expr *a) {
    if (!a)
        return NULL;
    struct sql_expr *e = bind_expr(b, kind, sql_type_of(SQL_BOOL), a->location, 1);
    if (e)
        e->arguments[0] = a;
    return e;
}

struct sql_expr *bind_both(struct sql_binder *b, enum sql_expr_kind kind, struct sql_expr *a,
                           struct sql_expr *c) {
    if (!a || !c)
        return a ? a : c;
    bool idle = kind == SQL_EXPR_AND; /* what changes nothing: AND true, OR false */
    if (a->kind == SQL_EXPR_CONST && !a->null && a->cell.i == idle)
        return c;
    if (c->kind == SQL_EXPR_CONST && !c->null && c->cell.i == idle)
        return a;
    unsigned left = a->kind == kind ? a->count : 1, right = c->kind == kind ? c->count : 1;
    struct sql_expr *e = bind_expr(b, kind, sql_type_of(SQL_BOOL), a->location, left + right);
    if (!e)
        return NULL;
    for (unsigned i = 0; i < left; i++)
        e->arguments[i] = a->kind == kind ? a->arguments[i] : a;
    for (unsigned i = 0; i < right; i++)
        e->arguments[left + i] = c->kind == kind ? c->arguments[i] : c;
    return e;
}

static bool all_constant(const struct sql_expr *e) {
    for (unsigned i = 0; i < e->count; i++)
        if (e->arguments[i]->kind != SQL_EXPR_CONST)
            return false;
    return true;
}

/* An error of the computation is left to the run: the branch may never be reached. */
struct sql_expr *bind_fold(struct sql_binder *b, struct sql_expr *e) {
    if (!e || e->count == 0 || !all_constant(e))
        return e;
    if (e->kind == SQL_EXPR_CALL &&
        (e->function->set || (e->function->flags & (SQL_STABLE | SQL_VOLATILE))))
        return e;
    if (e->kind == SQL_EXPR_ROW)
        return e;
    struct sql_environment environment = {.settings = b->settings};
    struct sql_error ignored = {0};
    union sql_cell cell;
    bool null = false;
    if (sql_evaluate_constant(e, &environment, b->memory, &cell, &null, &ignored) < 0)
        return e;
    struct sql_expr *constant = bind_null_constant(b, e->type, e->location);
    if (constant && !null) {
        constant->null = false;
        constant->cell = cell;
    }
    return constant;
}

struct sql_expr *bind_map(struct sql_binder *b, struct sql_expr *e, bind_visit *visit, void *self) {
    struct sql_expr *other = visit(b, e, self);
    if (b->error->state[0])
        return NULL;
    if (other)
        return other;
    struct sql_expr *copy = NULL;
    for (unsigned i = 0; i < e->count; i++) {
        struct sql_expr *argument = bind_map(b, e->arguments[i], visit, self);
        if (!argument)
            return NULL;
        if (argument == e->arguments[i])
            continue;
        if (!copy) {
            if (!(copy = bind_expr(b, e->kind, e->type, e->location, e->count)))
                return NULL;
            struct sql_expr **arguments = copy->arguments;
            bind_move(arguments, e->arguments, e->count * sizeof *arguments);
            *copy = *e;
            copy->arguments = arguments;
        }
        copy->arguments[i] = argument;
    }
    return copy ? copy : e;
}
