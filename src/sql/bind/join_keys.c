/*
 * join_keys.c - the conditions of a join: which are its keys, which belong to one side.
 *
 *   inner, semi     a condition on one side goes there; it makes no difference when it is asked
 *   left, scalar    one of ON on the right goes there; one from above on the left goes there; from
 *                   above on the right, and never true of NULLs, it makes the join an inner one
 *   anti            one of ON on the right goes there
 *   full, NOT IN    all stay
 *
 * An equality of left with right is a key: any expression of either side, of one type. The
 * null-safe equality of unnesting is one only where all are (keys_null_equal).
 */
#include "sql/bind/rewrite.h"

#include <errno.h>

enum side { SIDE_NONE, SIDE_LEFT, SIDE_RIGHT, SIDE_BOTH };

static enum side side_of(const struct sql_expr *e, const struct sql_plan *p) {
    unsigned left = p->input[0]->columns;
    bool in_left = rewrite_within(e, 0, left), in_right = rewrite_within(e, left, UINT32_MAX);
    return in_left && in_right ? SIDE_NONE
           : in_left           ? SIDE_LEFT
           : in_right          ? SIDE_RIGHT
                               : SIDE_BOTH;
}

/* Never true where a column of the right side is NULL: strict calls all the way to one. */
static bool rejects_null(const struct sql_expr *e, unsigned from) {
    switch (e->kind) {
    case SQL_EXPR_COLUMN:
        return e->index >= from;
    case SQL_EXPR_CALL:
        if (e->function->flags & SQL_LENIENT)
            return false;
        break;
    case SQL_EXPR_CAST:
        break;
    case SQL_EXPR_IN:
        return rejects_null(e->arguments[0], from);
    case SQL_EXPR_NOT:
        return e->arguments[0]->kind == SQL_EXPR_IS_NULL
                   ? rejects_null(e->arguments[0]->arguments[0], from)
                   : e->arguments[0]->kind == SQL_EXPR_CALL && rejects_null(e->arguments[0], from);
    default:
        return false;
    }
    for (unsigned i = 0; i < e->count; i++)
        if (rejects_null(e->arguments[i], from))
            return true;
    return false;
}

/* The two sides of an equality of left with right; *NULL_SAFE: of NULLs, too. */
static bool key_of(const struct sql_expr *e, const struct sql_plan *p, bool *null_safe,
                   struct sql_expr **ret_left, struct sql_expr **ret_right) {
    *null_safe = e->kind == SQL_EXPR_NOT && e->arguments[0]->kind == SQL_EXPR_DISTINCT;
    if (*null_safe)
        e = e->arguments[0];
    else if (e->kind != SQL_EXPR_CALL || e->count != 2 ||
             !slice_equal(slice_str(e->function->name), slice_lit("=")))
        return false;
    struct sql_expr *a = e->arguments[0], *c = e->arguments[1];
    enum side left = side_of(a, p), right = side_of(c, p);
    if (!((left == SIDE_LEFT && right == SIDE_RIGHT) ||
          (left == SIDE_RIGHT && right == SIDE_LEFT)) ||
        (sql_expr_flags(e) & SQL_VOLATILE))
        return false;
    *ret_left = left == SIDE_LEFT ? a : c;
    *ret_right = left == SIDE_LEFT ? c : a;
    return true;
}

/* Both as one type: int4 = int8 compares as int8. */
static int add_key(struct sql_binder *b, struct sql_plan *p, struct sql_expr *left,
                   struct sql_expr *right) {
    struct sql_expr *sides[2] = {left, right};
    if (left->type.oid != right->type.oid) {
        struct sql_type type;
        int result = bind_common_type(b, sides, 2, "JOIN", &type);
        type.typmod = -1;
        for (unsigned i = 0; result == 0 && i < 2; i++)
            if (!(sides[i] = bind_coerce(b, sides[i], type, SQL_CAST_IMPLICIT, -1)))
                result = -EINVAL;
        if (result < 0)
            return result;
    }
    void *lefts = bind_grow(b, p->left_key, p->keys, sizeof *p->left_key);
    void *rights = bind_grow(b, p->right_key, p->keys, sizeof *p->right_key);
    if (!lefts || !rights)
        return -ENOMEM;
    p->left_key = lefts;
    p->right_key = rights;
    p->left_key[p->keys] = sides[0];
    p->right_key[p->keys] = rewrite_shift(b, sides[1], -(int)p->input[0]->columns);
    return p->right_key[p->keys++] ? 0 : -EINVAL;
}

static int take_keys(struct sql_binder *b, struct sql_plan *p, struct conditions *on) {
    struct sql_expr *left, *right;
    bool null_safe, plain = p->keys && !p->keys_null_equal, safe = p->keys && p->keys_null_equal;
    for (unsigned i = 0; i < on->count; i++)
        if (key_of(on->item[i], p, &null_safe, &left, &right))
            plain |= !null_safe;
    bool take_safe = !plain || safe;
    unsigned kept = 0;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < on->count; i++) {
        if (!key_of(on->item[i], p, &null_safe, &left, &right) || null_safe != take_safe) {
            on->item[kept++] = on->item[i];
            continue;
        }
        p->keys_null_equal = null_safe;
        result = add_key(b, p, left, right);
    }
    on->count = kept;
    return result;
}

static int move_to(struct sql_binder *b, const struct sql_plan *p, struct sql_expr *e,
                   struct conditions *right) {
    return conditions_add(b, right, rewrite_shift(b, e, -(int)p->input[0]->columns));
}

/* ON's conditions of one side. */
static int settle_on(struct sql_binder *b, const struct sql_plan *p, struct conditions *on,
                     struct conditions *left, struct conditions *right) {
    bool free_left =
        p->join == SQL_JOIN_INNER || p->join == SQL_JOIN_SEMI || p->join == SQL_JOIN_RIGHT;
    bool free_right = p->join != SQL_JOIN_RIGHT && p->join != SQL_JOIN_FULL;
    unsigned kept = 0;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < on->count; i++) {
        struct sql_expr *e = on->item[i];
        enum side side = side_of(e, p);
        bool fixed = p->join == SQL_JOIN_ANTI_NULL || (sql_expr_flags(e) & SQL_VOLATILE);
        if (!fixed && free_left && (side == SIDE_LEFT || side == SIDE_NONE))
            result = conditions_add(b, left, e);
        else if (!fixed && free_right && side == SIDE_RIGHT)
            result = move_to(b, p, e, right);
        else
            on->item[kept++] = e;
    }
    on->count = kept;
    return result;
}

/* Conditions from above: with ON's of an inner join, to a side, or they stay in C. */
static int settle_above(struct sql_binder *b, const struct sql_plan *p, struct conditions *c,
                        struct conditions *on, struct conditions *left, struct conditions *right) {
    bool to_left = p->join != SQL_JOIN_RIGHT && p->join != SQL_JOIN_FULL;
    unsigned kept = 0;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < c->count; i++) {
        struct sql_expr *e = c->item[i];
        enum side side = side_of(e, p);
        if (sql_expr_flags(e) & SQL_VOLATILE)
            c->item[kept++] = e;
        else if (p->join == SQL_JOIN_INNER)
            result = conditions_add(b, on, e);
        else if (to_left && (side == SIDE_LEFT || side == SIDE_NONE))
            result = conditions_add(b, left, e);
        else if (p->join == SQL_JOIN_RIGHT && side == SIDE_RIGHT)
            result = move_to(b, p, e, right);
        else
            c->item[kept++] = e;
    }
    c->count = kept;
    return result;
}

static void make_inner(struct sql_plan *p, const struct conditions *c) {
    if (p->join != SQL_JOIN_LEFT)
        return;
    for (unsigned i = 0; i < c->count; i++)
        if (rejects_null(c->item[i], p->input[0]->columns))
            p->join = SQL_JOIN_INNER;
}

/* NOT IN whose comparison is no equality of the sides: `is not false` says the same in full. */
static int spell_not_in(struct sql_binder *b, struct sql_plan *p, const struct conditions *on) {
    struct sql_expr *left, *right;
    bool null_safe, all = true;
    for (unsigned i = 0; i < on->count; i++)
        all &= key_of(on->item[i], p, &null_safe, &left, &right) && !null_safe;
    if (p->join != SQL_JOIN_ANTI_NULL || all)
        return 0;
    p->join = SQL_JOIN_ANTI;
    p->predicate = bind_unary(b, SQL_EXPR_NOT, bind_unary(b, SQL_EXPR_IS_FALSE, p->predicate));
    return p->predicate ? 0 : -ENOMEM;
}

int rewrite_join(struct sql_binder *b, struct sql_plan *p, struct conditions *c,
                 struct conditions *left, struct conditions *right) {
    struct conditions on = {0}, comparisons = {0};
    make_inner(p, c);
    int result = conditions_split(b, &comparisons, p->predicate);
    if (result == 0)
        result = spell_not_in(b, p, &comparisons);
    if (result == 0)
        result = conditions_split(b, &on, p->predicate);
    if (result == 0)
        result = settle_above(b, p, c, &on, left, right);
    if (result == 0)
        result = settle_on(b, p, &on, left, right);
    if (result == 0)
        result = take_keys(b, p, &on);
    if (result < 0)
        return result;
    p->predicate = conditions_all(b, &on);
    return on.count && !p->predicate ? -ENOMEM : 0;
}
