/*
 * predicate.c - A_Expr: operators, and the conditions that have words of their own.
 *
 * BETWEEN, NULLIF and the like are spelled out in simpler expressions; their operands then stand
 * in two places, as one shared node.
 */
#include "sql/bind/move.h"
#include "sql/bind/special.h"

#define IN_ITEMS_MAX 65536u

static slice operator_name(json_value inside) {
    slice name = {NULL, 0};
    struct json_iterator i = json_each(sql_field(inside, "name"));
    while (json_next(&i))
        name = sql_string(i.value);
    return name;
}

static bool is_row_query(json_value node, json_value *ret) {
    return sql_node_is(node, "SubLink", ret) &&
           slice_equal(sql_field_text(*ret, "subLinkType"), slice_lit("EXPR_SUBLINK"));
}

static struct sql_expr *plain(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value left_node = sql_field(inside, "lexpr"), right_node = sql_field(inside, "rexpr");
    json_value query;
    struct sql_expr *left = NULL, *right;
    if (json_type_of(left_node) != JSON_ABSENT && !(left = bind_expression(b, s, left_node)))
        return NULL;
    right = left && left->kind == SQL_EXPR_ROW && is_row_query(right_node, &query)
                ? bind_row_sublink(b, s, query)
                : bind_expression(b, s, right_node);
    return right ? bind_operator(b, operator_name(inside), left, right, sql_location(inside))
                 : NULL;
}

static struct sql_expr *any_all(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                bool all) {
    struct sql_expr *left = bind_expression(b, s, sql_field(inside, "lexpr"));
    struct sql_expr *right = left ? bind_expression(b, s, sql_field(inside, "rexpr")) : NULL;
    return right ? bind_any_all(b, operator_name(inside), all, left, right, sql_location(inside))
                 : NULL;
}

/* a IS DISTINCT FROM c. */
static struct sql_expr *distinct_from(struct sql_binder *b, struct sql_expr *a, struct sql_expr *c,
                                      int location) {
    if (a->kind == SQL_EXPR_ROW && c->kind == SQL_EXPR_ROW) {
        if (a->count != c->count)
            return bind_null(b, location, "42601", "unequal number of entries in row expressions");
        struct sql_expr *any = bind_bool(b, false, location);
        for (unsigned i = 0; any && i < a->count; i++) {
            struct sql_expr *one = distinct_from(b, a->arguments[i], c->arguments[i], location);
            any = one ? bind_both(b, SQL_EXPR_OR, i ? any : NULL, one) : NULL;
        }
        return any;
    }
    /* The operator must exist; its argument types are what is compared. */
    struct sql_expr *equal = bind_operator(b, slice_lit("="), a, c, location);
    if (!equal)
        return NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_DISTINCT, sql_type_of(SQL_BOOL), location, 2);
    if (!e)
        return NULL;
    struct sql_expr *sides[2] = {a, c};
    if (equal->kind == SQL_EXPR_CALL)
        bind_move(sides, equal->arguments, sizeof sides);
    struct sql_type type;
    if (bind_common_type(b, sides, 2, "IS DISTINCT FROM", &type) < 0)
        return NULL;
    type.typmod = -1;
    for (unsigned i = 0; i < 2; i++)
        if (!(e->arguments[i] = bind_coerce(b, sides[i], type, SQL_CAST_IMPLICIT, location)))
            return NULL;
    return bind_fold(b, e);
}

static struct sql_expr *distinct(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                 bool negate) {
    struct sql_expr *left = bind_expression(b, s, sql_field(inside, "lexpr"));
    struct sql_expr *right = left ? bind_expression(b, s, sql_field(inside, "rexpr")) : NULL;
    struct sql_expr *e = right ? distinct_from(b, left, right, sql_location(inside)) : NULL;
    return e && negate ? bind_fold(b, bind_unary(b, SQL_EXPR_NOT, e)) : e;
}

static struct sql_expr *null_if(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    int location = sql_location(inside);
    struct sql_expr *left = bind_expression(b, s, sql_field(inside, "lexpr"));
    struct sql_expr *right = left ? bind_expression(b, s, sql_field(inside, "rexpr")) : NULL;
    struct sql_expr *equal = right ? bind_operator(b, slice_lit("="), left, right, location) : NULL;
    if (!equal)
        return NULL;
    left = bind_known(b, left);
    if (left && left->type.oid == SQL_VARCHAR) /* what = compares */
        left = bind_coerce(b, left, sql_type_of(SQL_TEXT), SQL_CAST_IMPLICIT, location);
    struct sql_expr *e = left ? bind_expr(b, SQL_EXPR_CASE, left->type, location, 3) : NULL;
    if (!e)
        return NULL;
    e->arguments[0] = equal;
    e->arguments[1] = bind_null_constant(b, left->type, location);
    e->arguments[2] = left;
    return e->arguments[1] ? bind_fold(b, e) : NULL;
}

/* x = a OR x = b …, for rows and for lists without a common type. */
static struct sql_expr *in_by_or(struct sql_binder *b, struct sql_expr **items, unsigned count,
                                 slice name, int location) {
    bool negate = slice_equal(name, slice_lit("<>"));
    struct sql_expr *all = NULL;
    for (unsigned i = 1; i < count; i++) {
        struct sql_expr *one = bind_operator(b, name, items[0], items[i], location);
        all = one ? bind_both(b, negate ? SQL_EXPR_AND : SQL_EXPR_OR, all, one) : NULL;
        if (!all)
            return NULL;
    }
    return all;
}

static bool one_type_compares(struct sql_binder *b, struct sql_expr **items, unsigned count,
                              struct sql_type *ret) {
    for (unsigned i = 0; i < count; i++)
        if (items[i]->kind == SQL_EXPR_ROW)
            return false;
    struct sql_error kept = *b->error;
    bool fine = bind_common_type(b, items, count, "IN", ret) == 0;
    *b->error = kept;
    ret->typmod = -1;
    return fine;
}

static struct sql_expr *in_list(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value list;
    (void)sql_node_is(sql_field(inside, "rexpr"), "List", &list);
    json_value items = sql_field(list, "items");
    int location = sql_location(inside);
    unsigned count = json_count(items) + 1;
    if (count > IN_ITEMS_MAX)
        return bind_null(b, location, "54001", "IN lists have at most %u items", IN_ITEMS_MAX - 1);
    struct sql_expr *e = bind_expr(b, SQL_EXPR_IN, sql_type_of(SQL_BOOL), location, count);
    if (!e || !(e->arguments[0] = bind_expression(b, s, sql_field(inside, "lexpr"))))
        return NULL;
    struct json_iterator i = json_each(items);
    for (unsigned at = 1; json_next(&i); at++)
        if (!(e->arguments[at] = bind_expression(b, s, i.value)))
            return NULL;
    slice name = operator_name(inside);
    struct sql_type type;
    if (!one_type_compares(b, e->arguments, count, &type) || count == 2)
        return in_by_or(b, e->arguments, count, name, location);
    for (unsigned at = 0; at < count; at++)
        if (!(e->arguments[at] = bind_coerce(b, e->arguments[at], type, SQL_CAST_IMPLICIT,
                                             e->arguments[at]->location)))
            return NULL;
    e = bind_fold(b, e);
    return slice_equal(name, slice_lit("<>")) ? bind_fold(b, bind_unary(b, SQL_EXPR_NOT, e)) : e;
}

/* low <= x AND x <= high */
static struct sql_expr *between_two(struct sql_binder *b, struct sql_expr *x, struct sql_expr *low,
                                    struct sql_expr *high, bool negate, int location) {
    struct sql_expr *first = bind_operator(b, slice_str(negate ? "<" : ">="), x, low, location);
    struct sql_expr *second =
        first ? bind_operator(b, slice_str(negate ? ">" : "<="), x, high, location) : NULL;
    return second ? bind_both(b, negate ? SQL_EXPR_OR : SQL_EXPR_AND, first, second) : NULL;
}

static struct sql_expr *between(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                bool negate, bool symmetric) {
    json_value list;
    (void)sql_node_is(sql_field(inside, "rexpr"), "List", &list);
    json_value items = sql_field(list, "items");
    int location = sql_location(inside);
    struct sql_expr *x = bind_expression(b, s, sql_field(inside, "lexpr"));
    struct sql_expr *low = x ? bind_expression(b, s, json_element(items, 0)) : NULL;
    struct sql_expr *high = low ? bind_expression(b, s, json_element(items, 1)) : NULL;
    struct sql_expr *e = high ? between_two(b, x, low, high, negate, location) : NULL;
    if (!e || !symmetric)
        return e;
    struct sql_expr *turned = between_two(b, x, high, low, negate, location);
    return turned ? bind_both(b, negate ? SQL_EXPR_AND : SQL_EXPR_OR, e, turned) : NULL;
}

struct sql_expr *bind_a_expr(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice kind = sql_field_text(inside, "kind");
    if (slice_equal(kind, slice_lit("AEXPR_OP")) || slice_equal(kind, slice_lit("AEXPR_LIKE")) ||
        slice_equal(kind, slice_lit("AEXPR_ILIKE")) ||
        slice_equal(kind, slice_lit("AEXPR_SIMILAR")))
        return plain(b, s, inside);
    if (slice_equal(kind, slice_lit("AEXPR_OP_ANY")))
        return any_all(b, s, inside, false);
    if (slice_equal(kind, slice_lit("AEXPR_OP_ALL")))
        return any_all(b, s, inside, true);
    if (slice_equal(kind, slice_lit("AEXPR_IN")))
        return in_list(b, s, inside);
    if (slice_equal(kind, slice_lit("AEXPR_DISTINCT")))
        return distinct(b, s, inside, false);
    if (slice_equal(kind, slice_lit("AEXPR_NOT_DISTINCT")))
        return distinct(b, s, inside, true);
    if (slice_equal(kind, slice_lit("AEXPR_NULLIF")))
        return null_if(b, s, inside);
    if (slice_equal(kind, slice_lit("AEXPR_BETWEEN")))
        return between(b, s, inside, false, false);
    if (slice_equal(kind, slice_lit("AEXPR_NOT_BETWEEN")))
        return between(b, s, inside, true, false);
    if (slice_equal(kind, slice_lit("AEXPR_BETWEEN_SYM")))
        return between(b, s, inside, false, true);
    if (slice_equal(kind, slice_lit("AEXPR_NOT_BETWEEN_SYM")))
        return between(b, s, inside, true, true);
    return bind_null(b, sql_location(inside), "0A000", "this operator is not supported");
}
