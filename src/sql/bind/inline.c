/*
 * inline.c - a call of a LANGUAGE sql function: its body's one expression takes the call's place.
 *
 * $n and the names of its arguments stand for the arguments given. Bodies that are more than a
 * SELECT of one expression without FROM are refused; a function that calls itself has no end and
 * is stopped by the bound of depth.
 */
#include "sql/bind/resolve.h"
#include "sql/bind/scope.h"

#include <errno.h>

static void free_parse(void *parse) {
    (void)sql_parse_free(parse);
}

struct bind_text bind_other(struct sql_binder *b) {
    struct bind_text kept = {b->text, b->spelling};
    b->text = NULL;
    b->spelling = NULL;
    return kept;
}

void bind_back(struct sql_binder *b, const struct bind_text *kept) {
    b->text = kept->text;
    b->spelling = kept->spelling;
}

int bind_parse_kept(struct sql_binder *b, slice text, json_value *ret) {
    struct sql_parse *parse;
    int result = sql_parse(text, &parse, b->error);
    if (result < 0)
        return result;
    if (arena_on_cleanup(b->memory, free_parse, parse) < 0) {
        (void)sql_parse_free(parse);
        return sql_fail_memory(b->error);
    }
    if (sql_parse_count(parse) != 1)
        return bind_error(b, -1, "42601", "one statement is expected here");
    b->spelling = &sql_parse_at(parse, 0)->spelling;
    *ret = sql_parse_at(parse, 0)->node;
    return 0;
}

/* The expression of `SELECT e`, with nothing else. */
static bool only_expression(json_value node, json_value *ret) {
    static const char *const others[] = {
        "fromClause", "whereClause", "groupClause", "havingClause",   "valuesLists",
        "limitCount", "larg",        "withClause",  "distinctClause", "limitOffset"};
    json_value select, target;
    if (!sql_node_is(node, "SelectStmt", &select))
        return false;
    for (unsigned i = 0; i < array_count(others); i++)
        if (json_type_of(sql_field(select, others[i])) != JSON_ABSENT)
            return false;
    json_value list = sql_field(select, "targetList");
    if (json_count(list) != 1 || !sql_node_is(json_element(list, 0), "ResTarget", &target))
        return false;
    *ret = sql_field(target, "val");
    return true;
}

static int body_expression(struct sql_binder *b, const struct sql_user_function *f,
                           json_value *ret) {
    json_value node;
    slice text = f->body;
    if (!slice_equal_nocase(slice_take(slice_trim(text), 6), slice_lit("select")) &&
        arena_printf(b->memory, &text, "SELECT %.*s", slice_fmt(f->body)) < 0)
        return sql_fail_memory(b->error);
    int result = bind_parse_kept(b, text, &node);
    if (result < 0)
        return result;
    if (!only_expression(node, ret))
        return bind_error(b, -1, "0A000",
                          "function %.*s cannot be called here: only bodies that are SELECT of one "
                          "expression without FROM are supported",
                          slice_fmt(f->name));
    return 0;
}

static int take_arguments(struct sql_binder *b, const struct sql_user_function *f,
                          struct sql_expr **arguments) {
    for (unsigned i = 0; i < f->count; i++)
        if (!(arguments[i] = bind_coerce(b, arguments[i], f->arguments[i], SQL_CAST_IMPLICIT, -1)))
            return -EINVAL;
    return 0;
}

struct sql_expr *bind_inline_call(struct sql_binder *b, const struct sql_user_function *f,
                                  struct sql_expr **arguments, int location) {
    json_value body;
    if (take_arguments(b, f, arguments) < 0 || bind_enter(b) < 0)
        return NULL;
    struct bind_inline frame = {b->inlining, f, arguments};
    struct bind_scope nothing = {.clause = "a function's body"};
    struct bind_text kept = bind_other(b);
    b->inlining = &frame;
    struct sql_expr *e = NULL;
    if (body_expression(b, f, &body) == 0)
        e = bind_expression(b, &nothing, body);
    e = bind_coerce(b, e, f->result, SQL_CAST_ASSIGNMENT, -1);
    b->inlining = frame.around;
    bind_back(b, &kept);
    bind_leave(b);
    if (!e && b->text && location >= 0)
        sql_error_at(b->error, b->text, location);
    return e;
}
