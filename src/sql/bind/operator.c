/*
 * operator.c - operators: a call like any other, but for the words of its errors, comparisons of
 * rows field by field, and arrays under ANY and ALL.
 */
#include "sql/bind/move.h"
#include "sql/bind/resolve.h"

static struct sql_expr *no_operator(struct sql_binder *b, slice name, struct sql_expr *left,
                                    struct sql_expr *right, int location, bool ambiguous) {
    char l[BIND_TYPE_TEXT] = "", r[BIND_TYPE_TEXT];
    if (left)
        bind_type_text(b, sql_type_of(left->type.oid), l, sizeof l);
    bind_type_text(b, sql_type_of(right->type.oid), r, sizeof r);
    (void)bind_error(b, location, ambiguous ? "42725" : "42883",
                     ambiguous ? "operator is not unique: %s%s%.*s %s"
                               : "operator does not exist: %s%s%.*s %s",
                     l, left ? " " : "", slice_fmt(name), r);
    sql_error_hint(b->error,
                   ambiguous ? "Could not choose a best candidate operator. You might need to add "
                               "explicit type casts."
                             : "No operator matches the given name and argument types. You might "
                               "need to add explicit type casts.");
    return NULL;
}

static bool is_comparison(slice name) {
    return slice_equal(name, slice_lit("=")) || slice_equal(name, slice_lit("<>")) ||
           slice_equal(name, slice_lit("<")) || slice_equal(name, slice_lit("<=")) ||
           slice_equal(name, slice_lit(">")) || slice_equal(name, slice_lit(">="));
}

/* (a, b) < (c, d) is a < c OR (a = c AND b < d): decided from the left. */
static struct sql_expr *compare_from(struct sql_binder *b, slice name, struct sql_expr *left,
                                     struct sql_expr *right, unsigned at, int location) {
    struct sql_expr *l = left->arguments[at], *r = right->arguments[at];
    if (at + 1 == left->count)
        return bind_operator(b, name, l, r, location);
    slice strict = slice_take(name, 1);
    struct sql_expr *decided = bind_operator(b, strict, l, r, location);
    struct sql_expr *equal = bind_operator(b, slice_lit("="), l, r, location);
    struct sql_expr *rest = compare_from(b, name, left, right, at + 1, location);
    if (!decided || !equal || !rest)
        return NULL;
    struct sql_expr *both = bind_both(b, SQL_EXPR_AND, equal, rest);
    return both ? bind_both(b, SQL_EXPR_OR, decided, both) : NULL;
}

static struct sql_expr *compare_rows(struct sql_binder *b, slice name, struct sql_expr *left,
                                     struct sql_expr *right, int location) {
    if (left->count != right->count)
        return bind_null(b, location, "42601", "unequal number of entries in row expressions");
    if (left->count == 0)
        return bind_null(b, location, "0A000", "cannot compare rows of zero length");
    bool different = slice_equal(name, slice_lit("<>"));
    if (!different && !slice_equal(name, slice_lit("=")))
        return compare_from(b, name, left, right, 0, location);
    struct sql_expr *all = NULL;
    for (unsigned i = 0; i < left->count; i++) {
        struct sql_expr *one =
            bind_operator(b, name, left->arguments[i], right->arguments[i], location);
        if (!one)
            return NULL;
        all = bind_both(b, different ? SQL_EXPR_OR : SQL_EXPR_AND, all, one);
        if (!all)
            return NULL;
    }
    return all;
}

struct sql_expr *bind_operator(struct sql_binder *b, slice name, struct sql_expr *left,
                               struct sql_expr *right, int location) {
    if (slice_equal(name, slice_lit("!=")))
        name = slice_lit("<>");
    if (left && left->kind == SQL_EXPR_ROW && right->kind == SQL_EXPR_ROW && is_comparison(name))
        return compare_rows(b, name, left, right, location);
    struct sql_expr *arguments[2] = {left ? left : right, right};
    unsigned count = left ? 2 : 1;
    uint32_t types[2] = {arguments[0]->type.oid, right->type.oid};
    struct bind_candidate found = {0};
    enum bind_resolution resolution =
        bind_resolve(b, (slice){NULL, 0}, name, true, types, count, &found);
    if (resolution != BIND_FOUND)
        return no_operator(b, name, left, right, location, resolution == BIND_AMBIGUOUS);
    struct sql_type type;
    if (bind_arguments(b, &found, arguments, count, location, &type) < 0)
        return NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CALL, type, location, count);
    if (!e)
        return NULL;
    e->function = found.function;
    bind_move(e->arguments, arguments, count * sizeof *arguments);
    return bind_fold(b, e);
}

/* x OP ANY (array): the operator is found for x and the array's element. */
struct sql_expr *bind_any_all(struct sql_binder *b, slice name, bool all, struct sql_expr *left,
                              struct sql_expr *array, int location) {
    if (array->type.oid == SQL_UNKNOWN && left->type.oid != SQL_UNKNOWN) {
        struct sql_type type = sql_type_of(sql_array_of(left->type.oid));
        if (!(array = bind_coerce(b, array, type, SQL_CAST_IMPLICIT, array->location)))
            return NULL;
    }
    uint32_t element = sql_element_of(array->type.oid);
    if (element == 0)
        return bind_null(b, location, "42809", "op ANY/ALL (array) requires array on right side");
    struct sql_expr *stand_in = bind_column(b, 0, sql_type_of(element), array->location);
    struct sql_expr *call = stand_in ? bind_operator(b, name, left, stand_in, location) : NULL;
    if (!call)
        return NULL;
    if (call->kind != SQL_EXPR_CALL || call->type.oid != SQL_BOOL)
        return bind_null(b, location, "42809",
                         "op ANY/ALL (array) requires operator to yield "
                         "boolean");
    struct sql_type wanted = sql_type_of(sql_array_of(call->arguments[1]->type.oid));
    struct sql_expr *e =
        bind_expr(b, all ? SQL_EXPR_ALL : SQL_EXPR_ANY, sql_type_of(SQL_BOOL), location, 2);
    if (!e)
        return NULL;
    e->function = call->function;
    e->arguments[0] = call->arguments[0];
    e->arguments[1] = bind_coerce(b, array, wanted, SQL_CAST_IMPLICIT, array->location);
    return e->arguments[1] ? bind_fold(b, e) : NULL;
}
