/*
 * bind.c - a statement by its kind, and expressions by themselves (bind.h).
 *
 * A query is done in three steps: bound (names, types, APPLYs for subqueries), unnested (joins
 * instead), rewritten (filters down, keys, columns). The numbers of its nodes are given anew at the
 * end, for the many that were made on the way.
 */
#include "sql/bind/define.h"
#include "sql/bind/dml.h"
#include "sql/bind/from.h"
#include "sql/bind/move.h"

#include "base/mem.h"

#include <errno.h>

static struct sql_binder make_binder(const struct sql_bind_options *options, const char *text,
                                     struct sql_error *error) {
    return (struct sql_binder){.options = options,
                               .catalog = options->catalog,
                               .settings = options->settings,
                               .memory = options->memory,
                               .error = error,
                               .kept = options->kept,
                               .text = text};
}

int bind_top_query(struct sql_binder *b, json_value select, struct sql_query *ret) {
    json_value inside = select;
    (void)sql_node_is(select, "SelectStmt", &inside);
    struct bind_query q;
    int result = bind_query(b, inside, NULL, false, false, &q);
    if (result < 0)
        return result;
    *ret = (struct sql_query){
        .plan = q.plan, .visible = q.visible, .orders = q.orders, .order = q.order};
    return 0;
}

struct numbering {
    struct sql_plan **node;
    unsigned count;
};

/* A plan outlives the text it came from, so its names are its own. */
static int finish_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    struct numbering *all = self;
    all->node[all->count++] = p;
    for (unsigned i = 0; i < p->columns; i++)
        if (!(p->column[i].name = bind_copy(b, p->column[i].name)).ptr)
            return -ENOMEM;
    return 0;
}

/* Numbers are given when the walk is over: it knows by them where it has been. */
static int number_nodes(struct sql_binder *b, struct sql_query *query) {
    _cleanup_mem_ struct sql_plan **nodes = mem_zalloc(b->plans + 1, sizeof *nodes);
    struct numbering all = {nodes, 0};
    int result = nodes ? bind_each_node(b, query->plan, finish_node, &all) : -ENOMEM;
    for (unsigned i = 0; result == 0 && i < all.count; i++)
        nodes[i]->number = i;
    query->plans = all.count;
    return result;
}

int bind_finish_parameters(struct sql_binder *b, struct sql_query *query) {
    query->parameters = b->parameters;
    query->parameter = bind_alloc(b, b->parameters + 1, sizeof *query->parameter);
    if (!query->parameter)
        return -ENOMEM;
    for (unsigned i = 0; i < b->parameters; i++) {
        query->parameter[i] = b->parameter[i]->type;
        if (query->parameter[i].oid == SQL_UNKNOWN)
            return bind_error(b, -1, "42P18", "could not determine data type of parameter $%u",
                              i + 1);
    }
    return 0;
}

/* The answer's columns are called what the statement calls them, whatever node the rewrites left at
   the root; that node may be shared, so it gets columns of its own. */
static int keep_names(struct sql_binder *b, struct sql_plan *root,
                      const struct sql_plan_column *names) {
    struct sql_plan_column *columns = bind_alloc(b, root->columns + 1u, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (unsigned i = 0; i < root->columns; i++)
        columns[i] = (struct sql_plan_column){names[i].name, root->column[i].type};
    root->column = columns;
    return 0;
}

int bind_finish_query(struct sql_binder *b, struct sql_query *query) {
    const struct sql_plan_column *names = query->plan->column;
    unsigned columns = query->plan->columns;
    int result = bind_finish_parameters(b, query);
    if (result == 0)
        result = bind_unnest(b, &query->plan);
    if (result == 0)
        result = bind_rewrite(b, query);
    if (result == 0 && query->plan->columns == columns)
        result = keep_names(b, query->plan, names);
    if (result == 0 && b->options->emit_on_window_close)
        result = bind_emit_on_close(b, query->plan);
    if (result == 0 && b->kept)
        result = bind_temporal(b, query->plan);
    return result == 0 ? number_nodes(b, query) : result;
}

static int query_statement(struct sql_binder *b, json_value select, struct sql_statement *ret) {
    ret->kind = SQL_STATEMENT_QUERY;
    int result = bind_top_query(b, select, &ret->query);
    return result < 0 ? result : bind_finish_query(b, &ret->query);
}

int sql_bind_statement(struct sql_binder *b, const struct sql_statement_text *statement,
                       struct sql_statement *ret) {
    json_value inside;
    b->spelling = &statement->spelling;
    if (statement->spelling.verb == SQL_SPELLED_SUBSCRIBE &&
        (json_type_of(statement->node) == JSON_ABSENT ||
         sql_node_is(statement->node, "SelectStmt", NULL)))
        return bind_subscribe(b, &statement->spelling, ret);
    if (sql_node_is(statement->node, "SelectStmt", &inside))
        return query_statement(b, inside, ret);
    if (sql_node_is(statement->node, "InsertStmt", &inside))
        return bind_insert(b, inside, ret);
    if (sql_node_is(statement->node, "UpdateStmt", &inside))
        return bind_update(b, inside, ret);
    if (sql_node_is(statement->node, "DeleteStmt", &inside))
        return bind_delete(b, inside, ret);
    int result = sql_bind_definition(b, statement, ret);
    if (result != -ENOENT)
        return result;
    if (json_type_of(statement->node) == JSON_ABSENT) {
        ret->kind = SQL_STATEMENT_EMPTY;
        return 0;
    }
    return bind_error(b, -1, "0A000", "%.*s is not supported",
                      slice_fmt(sql_node_name(statement->node)));
}

int sql_bind_as(struct sql_binder *b, const struct sql_bind_options *options,
                const struct sql_statement_text *statement, struct sql_statement *ret) {
    struct sql_binder inner = make_binder(options, b->text, b->error);
    inner.depth = b->depth;
    return sql_bind_statement(&inner, statement, ret);
}

int sql_bind(const struct sql_parse *parse, unsigned index, const struct sql_bind_options *options,
             struct sql_statement *ret, struct sql_error *error) {
    const struct sql_statement_text *statement = sql_parse_at(parse, index);
    slice whole = sql_parse_text(parse), text = {NULL, 0};
    *error = (struct sql_error){0};
    if (arena_copy(options->memory, whole, &text) < 0)
        return sql_fail_memory(error);
    struct sql_binder b = make_binder(options, text.ptr, error);
    *ret = (struct sql_statement){.memory = options->memory, .text = statement->text};
    int result = sql_bind_statement(&b, statement, ret);
    if (result == 0 && error->state[0]) /* a copy that was refused on the way (bind_copy) */
        result = -ENOMEM;
    if (result < 0 && !error->state[0])
        return result == -ENOMEM ? sql_fail_memory(error)
                                 : sql_fail(error, "XX000", "the statement could not be bound");
    return result;
}

/* The names of TABLE over its columns as they are numbered, dropped ones without a name. */
int bind_table_scope(struct sql_binder *b, const struct sql_table *table, slice alias,
                     struct bind_from *ret) {
    struct sql_plan *p = bind_plan(b, SQL_PLAN_SCAN, 0, table->columns);
    if (!p || !(p->scan_columns = bind_alloc(b, table->columns + 1, sizeof *p->scan_columns)))
        return -ENOMEM;
    p->table = table;
    for (unsigned i = 0; i < table->columns; i++) {
        p->scan_columns[i] = i;
        p->column[i] = (struct sql_plan_column){table->column[i].name, table->column[i].type};
    }
    int result = bind_one_relation(b, p, alias, ret);
    if (result < 0)
        return result;
    struct bind_relation *r = ret->relation[0];
    r->schema = table->schema;
    unsigned kept = 0;
    for (unsigned i = 0; i < table->columns; i++)
        if (!table->column[i].dropped)
            ret->name[kept++] = r->name_list[i];
    bind_move(r->name_list, ret->name, kept * sizeof *ret->name);
    ret->names = r->names = kept;
    r->table = table;
    return 0;
}

struct sql_expr *bind_table_expression(struct sql_binder *b, json_value node,
                                       const struct sql_table *table, struct sql_type type) {
    struct bind_scope s = {.query = true, .clause = "this expression"};
    if (table ? bind_table_scope(b, table, table->name, &s.from) < 0
              : !(s.from.plan = bind_plan_nothing(b)))
        return NULL;
    struct sql_plan *plan = s.from.plan;
    struct sql_expr *e = bind_expression(b, &s, node);
    if (e && s.from.plan != plan)
        return bind_null(b, e->location, "0A000", "cannot use subquery in this expression");
    if (!e || type.oid == 0)
        return bind_known(b, e);
    struct sql_table_column column = {.name = slice_lit("?"), .type = type};
    return bind_assign(b, e, &column);
}

struct sql_expr *bind_text_expression(struct sql_binder *b, slice text,
                                      const struct sql_table *table, struct sql_type type) {
    slice statement;
    json_value node, select, target;
    if (arena_printf(b->memory, &statement, "SELECT %.*s", slice_fmt(text)) < 0)
        return sql_fail_memory(b->error), NULL;
    struct bind_text kept = bind_other(b);
    struct sql_expr *e = NULL;
    if (bind_parse_kept(b, statement, &node) == 0) {
        if (sql_node_is(node, "SelectStmt", &select) &&
            sql_node_is(json_element(sql_field(select, "targetList"), 0), "ResTarget", &target))
            e = bind_table_expression(b, sql_field(target, "val"), table, type);
        else
            (void)bind_error(b, -1, "42601", "an expression is expected: %.*s", slice_fmt(text));
    }
    bind_back(b, &kept);
    return e;
}

int sql_bind_expression_as(slice text, const struct sql_table *table, struct sql_type type,
                           const struct sql_bind_options *options, struct sql_expr **ret,
                           struct sql_error *error) {
    *error = (struct sql_error){0};
    struct sql_binder b = make_binder(options, NULL, error);
    struct sql_expr *e = bind_text_expression(&b, text, table, type);
    if (!e)
        return error->state[0] ? -EINVAL : sql_fail_memory(error);
    *ret = e;
    return 0;
}

int sql_bind_expression(slice text, const struct sql_table *table,
                        const struct sql_bind_options *options, struct sql_expr **ret,
                        struct sql_error *error) {
    return sql_bind_expression_as(text, table, sql_type_of(0), options, ret, error);
}

int bind_copy_query(struct sql_binder *b, const struct sql_table *t, const unsigned *columns,
                    unsigned count, struct sql_query *ret) {
    struct bind_from from;
    int result = bind_table_scope(b, t, t->name, &from);
    struct sql_plan *plan = result == 0 ? bind_plan_pick(b, from.plan, columns, count) : NULL;
    if (!plan)
        return result < 0 ? result : -ENOMEM;
    *ret = (struct sql_query){.plan = plan, .visible = count};
    return bind_finish_query(b, ret);
}
