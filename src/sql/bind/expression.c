/*
 * expression.c - expressions by the kind of their node: constants, parameters, casts, conditions,
 * arrays, rows. Operators with words of their own (IN, BETWEEN, LIKE …) are in predicate.c.
 */
#include "base/number.h"
#include "sql/bind/scope.h"
#include "sql/bind/special.h"

typedef struct sql_expr *handler(struct sql_binder *b, struct bind_scope *s, json_value inside);

static struct sql_expr *number_constant(struct sql_binder *b, slice digits, int location) {
    int64_t value;
    if (number_parse_i64(digits, INT64_MIN, INT64_MAX, &value) == 0) {
        bool small = value >= INT32_MIN && value <= INT32_MAX;
        struct sql_expr *e = bind_integer(b, small ? SQL_INT4 : SQL_INT8, value);
        if (e)
            e->location = location;
        return e;
    }
    struct sql_expr *e = bind_text_constant(b, SQL_UNKNOWN, digits, location);
    return bind_coerce(b, e, sql_type_of(SQL_NUMERIC), SQL_CAST_IMPLICIT, location);
}

static struct sql_expr *constant(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    (void)s;
    int location = sql_location(inside);
    json_value part;
    if (sql_field_bool(inside, "isnull"))
        return bind_null_constant(b, sql_type_of(SQL_UNKNOWN), location);
    if (json_type_of(part = sql_field(inside, "ival")) != JSON_ABSENT) {
        struct sql_expr *e = bind_integer(b, SQL_INT4, sql_field_int(part, "ival"));
        if (e)
            e->location = location;
        return e;
    }
    if (json_type_of(part = sql_field(inside, "fval")) != JSON_ABSENT)
        return number_constant(b, sql_field_text(part, "fval"), location);
    if (json_type_of(part = sql_field(inside, "boolval")) != JSON_ABSENT)
        return bind_bool(b, sql_field_bool(part, "boolval"), location);
    if (json_type_of(part = sql_field(inside, "sval")) != JSON_ABSENT)
        return bind_text_constant(b, SQL_UNKNOWN, sql_field_text(part, "sval"), location);
    return bind_null(b, location, "0A000", "bit strings are not supported");
}

static struct sql_expr *parameter(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    (void)s;
    int64_t number = sql_field_int(inside, "number");
    int location = sql_location(inside);
    if (b->inlining) {
        if (number < 1 || number > b->inlining->function->count)
            return bind_null(b, location, "42P02", "there is no parameter $%lld",
                             (long long)number);
        return b->inlining->arguments[number - 1];
    }
    if (number < 1 || number > BIND_PARAMETERS_MAX || !b->text)
        return bind_null(b, location, "42P02", "there is no parameter $%lld", (long long)number);
    while (b->parameters < number) {
        void *larger = bind_grow(b, b->parameter, b->parameters, sizeof *b->parameter);
        if (!larger)
            return NULL;
        b->parameter = larger;
        struct sql_expr *e =
            bind_expr(b, SQL_EXPR_PARAMETER, sql_type_of(SQL_UNKNOWN), location, 0);
        if (!e)
            return NULL;
        e->index = b->parameters;
        if (b->parameters < b->options->parameters && b->options->parameter[b->parameters].oid)
            e->type = b->options->parameter[b->parameters];
        b->parameter[b->parameters++] = e;
    }
    return b->parameter[number - 1];
}

static struct sql_expr *type_cast(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value type_name = sql_field(inside, "typeName"), arg = sql_field(inside, "arg"), array;
    struct sql_type type;
    if (bind_type_name(b, type_name, &type) < 0)
        return NULL;
    uint32_t wanted = sql_element_of(type.oid) ? type.oid : 0;
    struct sql_expr *e = sql_node_is(arg, "A_ArrayExpr", &array) ? bind_array(b, s, array, wanted)
                                                                 : bind_expression(b, s, arg);
    int location = sql_location(inside);
    if (e && location < 0)
        location = e->location;
    return e ? bind_coerce(b, e, type, SQL_CAST_EXPLICIT, location) : NULL;
}

static struct sql_expr *logic(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    slice op = sql_field_text(inside, "boolop");
    json_value arguments = sql_field(inside, "args");
    bool negate = slice_equal(op, slice_lit("NOT_EXPR"));
    bool all = slice_equal(op, slice_lit("AND_EXPR"));
    struct sql_expr *e =
        bind_expr(b,
                  negate ? SQL_EXPR_NOT
                  : all  ? SQL_EXPR_AND
                         : SQL_EXPR_OR,
                  sql_type_of(SQL_BOOL), sql_location(inside), json_count(arguments));
    struct json_iterator i = json_each(arguments);
    for (unsigned at = 0; e && json_next(&i); at++)
        if (!(e->arguments[at] = bind_condition(b, s, i.value,
                                                negate ? "NOT"
                                                : all  ? "AND"
                                                       : "OR")))
            return NULL;
    return bind_fold(b, e);
}

/* All arguments as their common type. */
static struct sql_expr *unify(struct sql_binder *b, struct sql_expr *e, const char *what) {
    if (bind_common_type(b, e->arguments, e->count, what, &e->type) < 0)
        return NULL;
    for (unsigned i = 0; i < e->count; i++)
        if (!(e->arguments[i] = bind_coerce(b, e->arguments[i], e->type, SQL_CAST_IMPLICIT,
                                            e->arguments[i]->location)))
            return NULL;
    return bind_fold(b, e);
}

static struct sql_expr *list_of(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                enum sql_expr_kind kind, const char *what) {
    json_value arguments = sql_field(inside, "args");
    struct sql_expr *e =
        bind_expr(b, kind, sql_type_of(SQL_UNKNOWN), sql_location(inside), json_count(arguments));
    struct json_iterator i = json_each(arguments);
    for (unsigned at = 0; e && json_next(&i); at++)
        if (!(e->arguments[at] = bind_expression(b, s, i.value)))
            return NULL;
    return e ? unify(b, e, what) : NULL;
}

/* Set functions may not stand where it is not sure that they run. */
static struct sql_expr *without_sets(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                     handler *parts, const char *clause) {
    unsigned allow = s->allow;
    const char *kept = s->clause;
    if (!(allow & BIND_ALLOW_SET))
        return parts(b, s, inside);
    s->allow = allow & ~(unsigned)BIND_ALLOW_SET;
    s->clause = clause;
    struct sql_expr *e = parts(b, s, inside);
    s->allow = allow;
    s->clause = kept;
    return e;
}

static struct sql_expr *coalesce_list(struct sql_binder *b, struct bind_scope *s,
                                      json_value inside) {
    return list_of(b, s, inside, SQL_EXPR_COALESCE, "COALESCE");
}

static struct sql_expr *coalesce(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    return without_sets(b, s, inside, coalesce_list, "COALESCE");
}

static struct sql_expr *min_max(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    bool greatest = slice_equal(sql_field_text(inside, "op"), slice_lit("IS_GREATEST"));
    return list_of(b, s, inside, greatest ? SQL_EXPR_GREATEST : SQL_EXPR_LEAST,
                   greatest ? "GREATEST" : "LEAST");
}

static struct sql_expr *case_when(struct sql_binder *b, struct bind_scope *s, json_value when,
                                  struct sql_expr *subject) {
    json_value node = sql_field(when, "expr");
    if (!subject)
        return bind_condition(b, s, node, "CASE/WHEN");
    struct sql_expr *value = bind_expression(b, s, node);
    if (!value)
        return NULL;
    return bind_to_bool(b, bind_operator(b, slice_lit("="), subject, value, value->location),
                        "CASE/WHEN");
}

/* PostgreSQL unites the results with ELSE's first, which decides ties between types. */
static struct sql_expr *unify_case(struct sql_binder *b, struct sql_expr *e) {
    unsigned whens = e->count / 2;
    struct sql_expr **results = bind_alloc(b, whens + 1, sizeof *results);
    if (!results)
        return NULL;
    results[0] = e->arguments[e->count - 1];
    for (unsigned i = 0; i < whens; i++)
        results[i + 1] = e->arguments[2 * i + 1];
    if (bind_common_type(b, results, whens + 1, "CASE", &e->type) < 0)
        return NULL;
    for (unsigned i = 0; i <= whens; i++) {
        unsigned at = i == whens ? e->count - 1 : 2 * i + 1;
        struct sql_expr *result = e->arguments[at];
        if (!(e->arguments[at] =
                  bind_coerce(b, result, e->type, SQL_CAST_IMPLICIT, result->location)))
            return NULL;
    }
    return bind_fold(b, e);
}

static struct sql_expr *case_parts(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value whens = sql_field(inside, "args"), node = sql_field(inside, "arg");
    json_value otherwise = sql_field(inside, "defresult");
    struct sql_expr *subject = NULL;
    if (json_type_of(node) != JSON_ABSENT &&
        !(subject = bind_known(b, bind_expression(b, s, node))))
        return NULL;
    struct sql_expr *e = bind_expr(b, SQL_EXPR_CASE, sql_type_of(SQL_UNKNOWN), sql_location(inside),
                                   2 * json_count(whens) + 1);
    struct json_iterator i = json_each(whens);
    for (unsigned at = 0; e && json_next(&i); at += 2) {
        json_value when;
        (void)sql_node_is(i.value, "CaseWhen", &when);
        e->arguments[at] = case_when(b, s, when, subject);
        if (!e->arguments[at] ||
            !(e->arguments[at + 1] = bind_expression(b, s, sql_field(when, "result"))))
            return NULL;
    }
    if (!e)
        return NULL;
    e->arguments[e->count - 1] = json_type_of(otherwise) != JSON_ABSENT
                                     ? bind_expression(b, s, otherwise)
                                     : bind_null_constant(b, sql_type_of(SQL_UNKNOWN), -1);
    return e->arguments[e->count - 1] ? unify_case(b, e) : NULL;
}

static struct sql_expr *case_expr(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    return without_sets(b, s, inside, case_parts, "CASE");
}

static struct sql_expr *is_not_null(struct sql_binder *b, struct sql_expr *e) {
    if (e->kind != SQL_EXPR_ROW)
        return bind_unary(b, SQL_EXPR_NOT, bind_unary(b, SQL_EXPR_IS_NULL, e));
    struct sql_expr *all = bind_bool(b, true, e->location);
    for (unsigned i = 0; all && i < e->count; i++) {
        struct sql_expr *one = is_not_null(b, e->arguments[i]);
        all = one ? bind_both(b, SQL_EXPR_AND, i ? all : NULL, one) : NULL;
    }
    return all;
}

static struct sql_expr *null_test(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    struct sql_expr *e = bind_known(b, bind_expression(b, s, sql_field(inside, "arg")));
    if (!e)
        return NULL;
    bool is_null = slice_equal(sql_field_text(inside, "nulltesttype"), slice_lit("IS_NULL"));
    return bind_fold(b, is_null ? bind_unary(b, SQL_EXPR_IS_NULL, e) : is_not_null(b, e));
}

static struct sql_expr *boolean_test(struct sql_binder *b, struct bind_scope *s,
                                     json_value inside) {
    slice test = sql_field_text(inside, "booltesttype");
    slice kind =
        slice_starts_with(test, slice_lit("IS_NOT_")) ? slice_skip(test, 7) : slice_skip(test, 3);
    bool truth = slice_equal(kind, slice_lit("TRUE")), lie = slice_equal(kind, slice_lit("FALSE"));
    struct sql_expr *e = bind_condition(b, s, sql_field(inside, "arg"),
                                        truth ? "IS TRUE"
                                        : lie ? "IS FALSE"
                                              : "IS UNKNOWN");
    if (!e)
        return NULL;
    e = bind_unary(b, truth ? SQL_EXPR_IS_TRUE : lie ? SQL_EXPR_IS_FALSE : SQL_EXPR_IS_NULL, e);
    if (e && kind.len + 7 == test.len)
        e = bind_unary(b, SQL_EXPR_NOT, e);
    return bind_fold(b, e);
}

static struct sql_expr *row(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    json_value arguments = sql_field(inside, "args");
    struct sql_expr *e = bind_expr(b, SQL_EXPR_ROW, sql_type_of(SQL_RECORD), sql_location(inside),
                                   json_count(arguments));
    struct json_iterator i = json_each(arguments);
    for (unsigned at = 0; e && json_next(&i); at++)
        if (!(e->arguments[at] = bind_expression(b, s, i.value)))
            return NULL;
    return e;
}

static struct sql_expr *array(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    return bind_array(b, s, inside, 0);
}

static struct sql_expr *collate(struct sql_binder *b, struct bind_scope *s, json_value inside) {
    struct json_iterator i = json_each(sql_field(inside, "collname"));
    slice name = {NULL, 0};
    while (json_next(&i))
        name = sql_string(i.value);
    if (!slice_equal(name, slice_lit("C")) && !slice_equal(name, slice_lit("POSIX")) &&
        !slice_equal(name, slice_lit("default")) && !slice_equal(name, slice_lit("ucs_basic")))
        return bind_null(b, sql_location(inside), "42704",
                         "collation \"%.*s\" for encoding \"UTF8\" does not exist",
                         slice_fmt(name));
    return bind_known(b, bind_expression(b, s, sql_field(inside, "arg")));
}

static struct sql_expr *misplaced_default(struct sql_binder *b, struct bind_scope *s,
                                          json_value inside) {
    (void)s;
    return bind_null(b, sql_location(inside), "42601", "DEFAULT is not allowed in this context");
}

static struct sql_expr *named_argument(struct sql_binder *b, struct bind_scope *s,
                                       json_value inside) {
    (void)s;
    return bind_null(b, sql_location(inside), "0A000", "named arguments are not supported");
}

static const struct {
    const char *node;
    handler *parts;
} handlers[] = {
    {"ColumnRef", bind_column_ref},
    {"A_Const", constant},
    {"A_Expr", bind_a_expr},
    {"FuncCall", bind_call},
    {"ParamRef", parameter},
    {"TypeCast", type_cast},
    {"BoolExpr", logic},
    {"NullTest", null_test},
    {"BooleanTest", boolean_test},
    {"CaseExpr", case_expr},
    {"CoalesceExpr", coalesce},
    {"MinMaxExpr", min_max},
    {"SubLink", bind_sublink},
    {"A_ArrayExpr", array},
    {"RowExpr", row},
    {"A_Indirection", bind_indirection},
    {"SQLValueFunction", bind_sql_value},
    {"CollateClause", collate},
    {"GroupingFunc", bind_grouping},
    {"SetToDefault", misplaced_default},
    {"NamedArgExpr", named_argument},
};

struct sql_expr *bind_expression(struct sql_binder *b, struct bind_scope *s, json_value node) {
    slice name = sql_node_name(node);
    if (bind_enter(b) < 0)
        return NULL;
    struct sql_expr *e = NULL;
    bool known = false;
    for (unsigned i = 0; !known && i < array_count(handlers); i++) {
        known = slice_equal(slice_str(handlers[i].node), name);
        json_value inside;
        if (known && sql_node_is(node, handlers[i].node, &inside))
            e = handlers[i].parts(b, s, inside);
    }
    if (!known)
        (void)bind_error(b, -1, "0A000", "%.*s is not supported", slice_fmt(name));
    bind_leave(b);
    return e;
}

struct sql_expr *bind_condition(struct sql_binder *b, struct bind_scope *s, json_value node,
                                const char *clause) {
    return bind_to_bool(b, bind_expression(b, s, node), clause);
}

int bind_location(json_value node) {
    struct json_iterator i = json_each(node);
    if (!json_next(&i))
        return -1;
    json_value left = sql_field(i.value, "lexpr");
    return json_type_of(left) != JSON_ABSENT ? bind_location(left) : sql_location(i.value);
}
