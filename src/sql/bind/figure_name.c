/*
 * figure_name.c - the name a result has where none is written: of a column its own, of a call the
 * function's, of a cast what is cast, or else the type; "?column?" where nothing suggests one.
 */
#include "sql/bind/scope.h"

static slice last_string(json_value list) {
    slice name = {NULL, 0};
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        slice own = sql_string(i.value);
        name = own.len ? own : name;
    }
    return name;
}

static slice sublink_name(json_value inside) {
    slice kind = sql_field_text(inside, "subLinkType");
    json_value select, target;
    if (slice_equal(kind, slice_lit("EXISTS_SUBLINK")))
        return slice_lit("exists");
    if (slice_equal(kind, slice_lit("ARRAY_SUBLINK")))
        return slice_lit("array");
    if (!slice_equal(kind, slice_lit("EXPR_SUBLINK")) ||
        !sql_node_is(sql_field(inside, "subselect"), "SelectStmt", &select) ||
        !sql_node_is(json_element(sql_field(select, "targetList"), 0), "ResTarget", &target))
        return (slice){NULL, 0};
    slice name = sql_field_text(target, "name");
    return name.len ? name : bind_figure_name(sql_field(target, "val"));
}

static slice value_name(slice op) {
    static const char *const names[][2] = {
        {"CURRENT_DATE", "current_date"},
        {"CURRENT_TIMESTAMP", "current_timestamp"},
        {"CURRENT_TIME", "current_time"},
        {"LOCALTIMESTAMP", "localtimestamp"},
        {"LOCALTIME", "localtime"},
        {"CURRENT_ROLE", "current_role"},
        {"CURRENT_USER", "current_user"},
        {"SESSION_USER", "session_user"},
        {"USER", "user"},
        {"CURRENT_CATALOG", "current_catalog"},
        {"CURRENT_SCHEMA", "current_schema"},
    };
    op = slice_skip(op, strlen("SVFOP_"));
    for (unsigned i = 0; i < array_count(names); i++)
        if (slice_starts_with(op, slice_str(names[i][0])))
            return slice_str(names[i][1]);
    return (slice){NULL, 0};
}

/* ptr NULL: nothing suggests a name. *WEAK: only a type or "case" did. */
static slice figure(json_value node, bool *weak, unsigned depth) {
    json_value in;
    *weak = false;
    if (depth > SQL_DEPTH_MAX)
        return (slice){NULL, 0};
    if (sql_node_is(node, "ColumnRef", &in))
        return last_string(sql_field(in, "fields"));
    if (sql_node_is(node, "FuncCall", &in))
        return last_string(sql_field(in, "funcname"));
    if (sql_node_is(node, "A_Indirection", &in)) {
        slice name = last_string(sql_field(in, "indirection"));
        return name.len ? name : figure(sql_field(in, "arg"), weak, depth + 1);
    }
    if (sql_node_is(node, "TypeCast", &in)) {
        slice name = figure(sql_field(in, "arg"), weak, depth + 1);
        if (name.len && !*weak)
            return name;
        *weak = true;
        return last_string(sql_field(sql_field(in, "typeName"), "names"));
    }
    if (sql_node_is(node, "CollateClause", &in))
        return figure(sql_field(in, "arg"), weak, depth + 1);
    if (sql_node_is(node, "CaseExpr", &in)) {
        slice name = figure(sql_field(in, "defresult"), weak, depth + 1);
        if (name.len && !*weak)
            return name;
        *weak = true;
        return slice_lit("case");
    }
    if (sql_node_is(node, "SubLink", &in))
        return sublink_name(in);
    if (sql_node_is(node, "SQLValueFunction", &in))
        return value_name(sql_field_text(in, "op"));
    if (sql_node_is(node, "MinMaxExpr", &in))
        return slice_equal(sql_field_text(in, "op"), slice_lit("IS_LEAST")) ? slice_lit("least")
                                                                            : slice_lit("greatest");
    if (sql_node_is(node, "A_Expr", &in) &&
        slice_equal(sql_field_text(in, "kind"), slice_lit("AEXPR_NULLIF")))
        return slice_lit("nullif");
    slice kind = sql_node_name(node);
    return slice_equal(kind, slice_lit("CoalesceExpr"))   ? slice_lit("coalesce")
           : slice_equal(kind, slice_lit("A_ArrayExpr"))  ? slice_lit("array")
           : slice_equal(kind, slice_lit("RowExpr"))      ? slice_lit("row")
           : slice_equal(kind, slice_lit("GroupingFunc")) ? slice_lit("grouping")
                                                          : (slice){NULL, 0};
}

slice bind_figure_name(json_value node) {
    bool weak;
    slice name = figure(node, &weak, 0);
    return name.len ? name : slice_lit("?column?");
}
