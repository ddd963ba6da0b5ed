/*
 * define_view.c - CREATE VIEW, CREATE MATERIALIZED VIEW, CREATE TABLE AS.
 *
 * A view is kept as the text of its SELECT, as it was written, and bound anew wherever it is used;
 * names in it are looked up in the catalog of that moment, which is why what it depends on cannot
 * be dropped below it. The text is what stands behind the first AS outside of parentheses.
 */
#include "sql/bind/define.h"
#include "sql/bind/move.h"
#include "sql/bind/nodes.h"
#include "sql/parse/token.h"
#include "sql/sink.h"

#include <errno.h>

/* The SELECT of `CREATE … AS select [WITH [NO] DATA]`. */
static slice definition_text(const struct sql_statement_text *statement) {
    struct sql_tokens tokens = {statement->text, 0};
    struct sql_token token = sql_token_next(&tokens);
    int depth = 0;
    while (token.kind != SQL_TOKEN_END && !(depth == 0 && sql_token_is(&token, "as"))) {
        depth += sql_token_is_sign(&token, '(') - sql_token_is_sign(&token, ')');
        token = sql_token_next(&tokens);
    }
    struct sql_token last[4] = {token, token, token, token}; /* the last one read is last[3] */
    struct sql_token first = token = sql_token_next(&tokens);
    for (; token.kind != SQL_TOKEN_END; token = sql_token_next(&tokens)) {
        memmove(&last[0], &last[1], 3 * sizeof last[0]);
        last[3] = token;
    }
    unsigned end = 3;
    if (sql_token_is(&last[3], "data") && sql_token_is(&last[2], "with"))
        end = 1;
    else if (sql_token_is(&last[3], "data") && sql_token_is(&last[2], "no") &&
             sql_token_is(&last[1], "with"))
        end = 0;
    size_t to = last[end].start + last[end].text.len;
    return slice_make(statement->text.ptr + first.start, to - first.start);
}

/* The query's columns become the table's, with the names given in parentheses first. */
static int take_columns(struct sql_binder *b, struct sql_table *t, const struct sql_query *query,
                        json_value names) {
    if (json_count(names) > query->visible)
        return bind_error(b, -1, "42601", "too many column names were specified");
    t->column = arena_zalloc(&t->memory, query->visible + 1u, sizeof *t->column);
    if (!t->column)
        return sql_fail_memory(b->error);
    for (unsigned i = 0; i < query->visible; i++) {
        slice name = i < json_count(names) ? sql_string(json_element(names, i))
                                           : query->plan->column[i].name;
        if (bind_look_up_column(t, name) >= 0)
            return bind_error(b, -1, "42701", "column \"%.*s\" specified more than once",
                              slice_fmt(name));
        int r = define_copy(b, t, name, &t->column[i].name);
        if (r < 0)
            return r;
        t->column[i].type = query->plan->column[i].type;
        t->columns++;
    }
    return 0;
}

static int add_dependence(struct sql_binder *b, struct sql_table *t, const struct sql_table *on) {
    for (unsigned i = 0; i < t->depends_count; i++)
        if (t->depends[i] == on->oid)
            return 0;
    uint32_t *more = arena_alloc(&t->memory, (t->depends_count + 1u) * sizeof *more);
    if (!more)
        return sql_fail_memory(b->error);
    bind_move(more, t->depends, t->depends_count * sizeof *more);
    more[t->depends_count++] = on->oid;
    t->depends = more;
    return 0;
}

/* The table that tumble(t, …) and its kin name by their first argument (stream_window.c). */
static int take_argument(struct sql_binder *b, struct sql_table *t, json_value call) {
    static const char *const names[] = {"tumble", "hop", "session", "as_of_now"};
    slice name = sql_string(json_element(sql_field(call, "funcname"), 0));
    json_value reference;
    bool takes = false;
    for (size_t i = 0; i < array_count(names); i++)
        takes = takes || slice_equal(name, slice_str(names[i]));
    if (!takes || !sql_node_is(json_element(sql_field(call, "args"), 0), "ColumnRef", &reference))
        return 0;
    slice schema = {NULL, 0}, table = {NULL, 0};
    struct json_iterator i = json_each(sql_field(reference, "fields"));
    while (json_next(&i)) {
        schema = table;
        table = sql_string(i.value);
    }
    const struct sql_table *on = sql_catalog_table(b->catalog, schema, table);
    return on ? add_dependence(b, t, on) : 0;
}

/* Tables that the text names, views among them: inlined views are not in the plan. */
static int take_dependences(struct sql_binder *b, struct sql_table *t, json_value node) {
    json_value range;
    if (sql_node_is(node, "RangeVar", &range)) {
        const struct sql_table *on = bind_look_up_table(b, sql_field_text(range, "schemaname"),
                                                        sql_field_text(range, "relname"));
        return on ? add_dependence(b, t, on) : 0; /* a CTE's name is no table */
    }
    json_value call;
    int r = sql_node_is(node, "FuncCall", &call) ? take_argument(b, t, call) : 0;
    if (r == 0)
        r = bind_enter(b);
    if (r)
        return r;
    struct json_iterator i = json_each(node);
    while (r == 0 && json_next(&i))
        r = take_dependences(b, t, i.value);
    bind_leave(b);
    return r;
}

struct judging {
    const char *who;
};

static int no_system_table(struct sql_binder *b, struct sql_plan *p, void *self) {
    const struct judging *judging = self;
    if (p->kind != SQL_PLAN_SCAN || p->table->kind != SQL_TABLE_SYSTEM)
        return 0;
    return bind_error(b, -1, "0A000",
                      "%s cannot read \"%.*s\": the rows of a system table are made when they "
                      "are read",
                      judging->who, slice_fmt(p->table->name));
}

int define_judge_kept(struct sql_binder *b, const struct sql_query *query, const char *who) {
    unsigned flags = sql_plan_facts(query->plan).flags;
    struct judging judging = {who};
    if (flags & SQL_VOLATILE)
        return bind_error(b, -1, "0A000", "%s cannot hold a volatile function such as random()",
                          who);
    if (flags & SQL_STABLE) {
        int r = bind_error(b, -1, "0A000",
                           "%s cannot hold now() and its kin but in a filter by time: its rows "
                           "would change without any input",
                           who);
        sql_error_hint(b->error, "Compare a time with now(), more or less an interval, in WHERE: "
                                 "at > now() - interval '1 hour'.");
        return r;
    }
    return bind_each_node(b, query->plan, no_system_table, &judging);
}

/* What a view may keep up to date. */
static int judge_view(struct sql_binder *b, const struct sql_query *query) {
    int r = define_judge_kept(b, query, "a materialized view");
    if (r == 0 && query->parameters)
        r = bind_error(b, -1, "0A000",
                       "materialized views may not be defined using bound "
                       "parameters");
    return r;
}

static int fill_view(struct sql_binder *b, struct sql_table *t, json_value select, json_value names,
                     slice definition, struct sql_statement *ret) {
    int r = bind_top_query(b, select, &ret->query);
    if (r == 0)
        r = bind_finish_query(b, &ret->query);
    if (r == 0)
        r = take_columns(b, t, &ret->query, names);
    if (r == 0)
        r = define_copy(b, t, definition, &t->definition);
    if (r == 0)
        r = take_dependences(b, t, select);
    if (r == 0)
        ret->table = t;
    return r;
}

int define_view(struct sql_binder *b, json_value inside, const struct sql_statement_text *statement,
                struct sql_statement *ret) {
    slice schema, name;
    ret->kind = SQL_STATEMENT_CREATE_VIEW;
    ret->or_replace = sql_field_bool(inside, "replace");
    json_value range = sql_field(inside, "view");
    int r = define_target(b, range, &schema, &name);
    const struct sql_table *old = r == 0 ? sql_catalog_table(b->catalog, schema, name) : NULL;
    if (r == 0 && !(ret->or_replace && old && old->kind == SQL_TABLE_VIEW))
        r = define_exists(b, schema, name, false, sql_location(range));
    if (r == 0 &&
        !slice_equal(sql_field_text(inside, "withCheckOption"), slice_lit("NO_CHECK_OPTION")))
        r = bind_error(b, sql_location(range), "0A000", "WITH CHECK OPTION is not supported");
    struct sql_table *t = r == 0 ? define_new(b, SQL_TABLE_VIEW, schema, name) : NULL;
    return t ? fill_view(b, t, sql_field(inside, "query"), sql_field(inside, "aliases"),
                         definition_text(statement), ret)
             : (r < 0 ? r : -EINVAL);
}

/* EMIT ON WINDOW CLOSE, or WITH (emit = 'on_window_close'); and what a sink has. */
static int read_options(struct sql_binder *b, struct sql_table *t, bool *on_close) {
    for (unsigned i = 0; i < t->options; i++) {
        const struct sql_option *o = &t->option[i];
        if (sql_sink_has_option(o->name))
            continue;
        if (!slice_equal(o->name, slice_lit("emit")))
            return bind_error(b, -1, "22023", "unrecognized parameter \"%.*s\"",
                              slice_fmt(o->name));
        if (slice_equal(o->value, slice_lit("on_window_close")))
            *on_close = true;
        else if (!slice_equal(o->value, slice_lit("on_update")))
            return bind_error(b, -1, "22023", "emit is on_update or on_window_close, not \"%.*s\"",
                              slice_fmt(o->value));
    }
    return 0;
}

/* Kept as an option, whichever way it was spelled: the view's plan is bound anew at each start. */
static int keep_emit(struct sql_binder *b, struct sql_table *t) {
    for (unsigned i = 0; i < t->options; i++)
        if (slice_equal(t->option[i].name, slice_lit("emit")))
            return 0;
    struct sql_option *more = arena_zalloc(&t->memory, t->options + 1u, sizeof *more);
    if (!more)
        return sql_fail_memory(b->error);
    bind_move(more, t->option, t->options * sizeof *more);
    more[t->options++] = (struct sql_option){slice_lit("emit"), slice_lit("on_window_close")};
    t->option = more;
    return 0;
}

/* Options that only a sink has make it one. */
static int judge_sink(struct sql_binder *b, const struct sql_table *t, bool wanted) {
    bool is = wanted;
    for (unsigned i = 0; i < t->options; i++)
        is |= sql_sink_has_option(t->option[i].name);
    struct sql_sink sink;
    return is ? sql_sink_read(t, b->memory, &sink, b->error) : 0;
}

int define_kept_view(struct sql_binder *b, const struct define_kept *k, struct sql_statement *ret) {
    slice schema, name;
    ret->kind = SQL_STATEMENT_CREATE_MATERIALIZED;
    ret->sink = k->sink;
    int r = define_target(b, k->range, &schema, &name);
    if (r == 0)
        r = define_exists(b, schema, name, k->if_not_exists, sql_location(k->range));
    if (r != 0)
        return r < 0 ? r : 0;
    struct sql_table *t = define_new(b, SQL_TABLE_MATERIALIZED, schema, name);
    if (!t)
        return -EINVAL;
    bool on_close = k->on_close;
    r = define_options(b, &t->memory, k->options, &t->options, &t->option);
    if (r == 0)
        r = read_options(b, t, &on_close);
    b->kept = true;
    if (r == 0)
        r = fill_view(b, t, k->select, k->names, k->definition, ret);
    if (r == 0)
        r = judge_sink(b, t, k->sink);
    if (r == 0 && on_close)
        r = bind_emit_on_close(b, ret->query.plan);
    if (r == 0 && on_close)
        r = keep_emit(b, t);
    return r < 0 ? r : judge_view(b, &ret->query);
}

static int create_materialized(struct sql_binder *b, json_value inside, json_value into,
                               const struct sql_statement_text *statement,
                               struct sql_statement *ret) {
    const struct define_kept k = {
        .range = sql_field(into, "rel"),
        .names = sql_field(into, "colNames"),
        .options = sql_field(into, "options"),
        .select = sql_field(inside, "query"),
        .definition = definition_text(statement),
        .if_not_exists = sql_field_bool(inside, "if_not_exists"),
        .on_close = statement->spelling.emit_on_window_close,
    };
    if (sql_field_bool(into, "skipData"))
        return bind_error(b, sql_location(k.range), "0A000",
                          "WITH NO DATA: a materialized view here is always up to date");
    return define_kept_view(b, &k, ret);
}

/* CREATE TABLE AS: the table stands alone, what its rows came from does not matter. */
static int fill_table(struct sql_binder *b, struct sql_table *t, json_value inside, json_value into,
                      const struct sql_statement_text *statement, struct sql_statement *ret) {
    int r = define_options(b, &t->memory, sql_field(into, "options"), &t->options, &t->option);
    if (r == 0)
        r = fill_view(b, t, sql_field(inside, "query"), sql_field(into, "colNames"),
                      definition_text(statement), ret);
    if (r < 0)
        return r;
    t->definition = (slice){NULL, 0};
    t->depends_count = 0;
    t->index = arena_zalloc(&t->memory, DEFINE_INDEXES_MAX + 1, sizeof *t->index);
    t->check = arena_zalloc(&t->memory, DEFINE_CHECKS_MAX, sizeof *t->check);
    r = t->index && t->check ? define_source(b, t, &statement->spelling)
                             : sql_fail_memory(b->error);
    if (r == 0 && t->kind == SQL_TABLE_STREAM)
        r = bind_error(b, sql_location(sql_field(into, "rel")), "42P16",
                       "CREATE TABLE AS writes rows: it cannot be over a stream");
    return r;
}

int define_create_as(struct sql_binder *b, json_value inside,
                     const struct sql_statement_text *statement, struct sql_statement *ret) {
    json_value into = sql_field(inside, "into"), range = sql_field(into, "rel");
    if (slice_equal(sql_field_text(inside, "objtype"), slice_lit("OBJECT_MATVIEW")))
        return create_materialized(b, inside, into, statement, ret);
    slice schema, name;
    ret->kind = SQL_STATEMENT_CREATE_TABLE_AS;
    ret->with_no_data = sql_field_bool(into, "skipData");
    int r = define_target(b, range, &schema, &name);
    if (r == 0)
        r = define_exists(b, schema, name, sql_field_bool(inside, "if_not_exists"),
                          sql_location(range));
    if (r != 0)
        return r < 0 ? r : 0;
    struct sql_table *t = define_new(b, SQL_TABLE_STORED, schema, name);
    return t ? fill_table(b, t, inside, into, statement, ret) : -EINVAL;
}
