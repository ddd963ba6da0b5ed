/*
 * utility.c - statements about the session: settings, transactions, cursors, prepared statements,
 * COPY, EXPLAIN; and the table of all statements that are no query and no change of rows.
 *
 * What PostgreSQL has for its own upkeep and means nothing here (VACUUM, ANALYZE, CHECKPOINT) is
 * taken and does nothing, so that its tools run; all else that is not understood is 0A000.
 */
#include "sql/bind/define.h"

#include <errno.h>

static int bind_inner(struct sql_binder *b, json_value node,
                      const struct sql_statement_text *statement, struct sql_statement *ret) {
    ret->inner = bind_alloc(b, 1, sizeof *ret->inner);
    if (!ret->inner)
        return -EINVAL;
    ret->inner->memory = b->memory;
    ret->inner->text = statement->text;
    struct sql_statement_text inner = *statement;
    inner.node = node;
    return sql_bind_statement(b, &inner, ret->inner);
}

/* The arguments of SET as one text: 'a', b -> "a, b". */
static int set_value(struct sql_binder *b, json_value arguments, slice *ret) {
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    struct json_iterator i = json_each(arguments);
    int r = 0;
    while (r == 0 && json_next(&i)) {
        json_value constant, inside;
        if (text.len)
            r = buf_append(&text, slice_lit(", "));
        if (r == 0 && sql_node_is(i.value, "TypeCast", &inside))
            i.value = sql_field(inside, "arg"); /* SET TIME ZONE INTERVAL '…' */
        if (!sql_node_is(i.value, "A_Const", &constant))
            return bind_error(b, -1, "42601", "SET takes constants");
        json_value number = sql_field(constant, "ival"), fraction = sql_field(constant, "fval");
        json_value string = sql_field(constant, "sval"), boolean = sql_field(constant, "boolval");
        if (r == 0 && json_type_of(number) == JSON_OBJECT)
            r = buf_append_i64(&text, sql_field_int(number, "ival"));
        else if (r == 0 && json_type_of(fraction) == JSON_OBJECT)
            r = buf_append(&text, sql_field_text(fraction, "fval"));
        else if (r == 0 && json_type_of(boolean) == JSON_OBJECT)
            r = buf_append(&text, slice_str(sql_field_bool(boolean, "boolval") ? "on" : "off"));
        else if (r == 0)
            r = buf_append(&text, sql_field_text(string, "sval"));
    }
    if (r < 0)
        return sql_fail_memory(b->error);
    *ret = bind_copy(b, buf_slice(&text));
    return 0;
}

/* SET TRANSACTION and SET SESSION CHARACTERISTICS: as settings of their options' names. */
static int set_many(struct sql_binder *b, json_value list, struct sql_statement *ret) {
    ret->options = 0;
    ret->option = bind_alloc(b, json_count(list) + 1u, sizeof *ret->option);
    if (!ret->option)
        return -EINVAL;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        json_value element = sql_field(i.value, "DefElem");
        struct sql_option *o = &ret->option[ret->options++];
        o->name = bind_copy(b, sql_field_text(element, "defname"));
        json_value constant = sql_field(sql_field(element, "arg"), "A_Const");
        json_value string = sql_field(constant, "sval");
        o->value = json_type_of(string) == JSON_OBJECT
                       ? bind_copy(b, sql_field_text(string, "sval"))
                       : (sql_field_int(sql_field(constant, "ival"), "ival") ? slice_lit("on")
                                                                             : slice_lit("off"));
    }
    return 0;
}

static int utility_set(struct sql_binder *b, json_value inside,
                       const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_SET;
    slice kind = sql_field_text(inside, "kind");
    ret->local = sql_field_bool(inside, "is_local");
    ret->name = bind_copy(b, sql_field_text(inside, "name"));
    ret->value = (slice){NULL, 0};
    if (slice_equal(kind, slice_lit("VAR_SET_MULTI"))) {
        ret->local = slice_equal(ret->name, slice_lit("TRANSACTION"));
        return set_many(b, sql_field(inside, "args"), ret);
    }
    if (slice_equal(kind, slice_lit("VAR_RESET_ALL")))
        ret->name = (slice){NULL, 0};
    if (slice_equal(kind, slice_lit("VAR_SET_VALUE")))
        return set_value(b, sql_field(inside, "args"), &ret->value);
    return 0;
}

static int utility_show(struct sql_binder *b, json_value inside,
                        const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_SHOW;
    ret->name = bind_copy(b, sql_field_text(inside, "name"));
    return 0;
}

static int utility_transaction(struct sql_binder *b, json_value inside,
                               const struct sql_statement_text *statement,
                               struct sql_statement *ret) {
    (void)statement;
    static const struct {
        const char *kind;
        enum sql_statement_kind means;
    } kinds[] = {{"TRANS_STMT_BEGIN", SQL_STATEMENT_BEGIN},
                 {"TRANS_STMT_START", SQL_STATEMENT_BEGIN},
                 {"TRANS_STMT_COMMIT", SQL_STATEMENT_COMMIT},
                 {"TRANS_STMT_ROLLBACK", SQL_STATEMENT_ROLLBACK},
                 {"TRANS_STMT_SAVEPOINT", SQL_STATEMENT_SAVEPOINT},
                 {"TRANS_STMT_RELEASE", SQL_STATEMENT_RELEASE},
                 {"TRANS_STMT_ROLLBACK_TO", SQL_STATEMENT_ROLLBACK_TO}};
    slice kind = sql_field_text(inside, "kind");
    if (sql_field_bool(inside, "chain"))
        return bind_error(b, -1, "0A000", "AND CHAIN is not supported");
    for (unsigned i = 0; i < array_count(kinds); i++)
        if (slice_equal(kind, slice_str(kinds[i].kind))) {
            ret->kind = kinds[i].means;
            ret->name = bind_copy(b, sql_field_text(inside, "savepoint_name"));
            json_value options = sql_field(inside, "options");
            return json_count(options) ? set_many(b, options, ret) : 0;
        }
    return bind_error(b, -1, "0A000", "two-phase commit is not supported");
}

static int utility_declare(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    ret->kind = SQL_STATEMENT_DECLARE;
    ret->name = bind_copy(b, sql_field_text(inside, "portalname"));
    ret->local = (sql_field_int(inside, "options") & 0x20) == 0; /* not WITH HOLD */
    return bind_inner(b, sql_field(inside, "query"), statement, ret);
}

static int utility_fetch(struct sql_binder *b, json_value inside,
                         const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_FETCH;
    ret->name = bind_copy(b, sql_field_text(inside, "portalname"));
    ret->move = sql_field_bool(inside, "ismove");
    ret->count = sql_field_int(inside, "howMany");
    if (!slice_equal(sql_field_text(inside, "direction"), slice_lit("FETCH_FORWARD")) ||
        ret->count < 0)
        return bind_error(b, -1, "55000", "cursor can only scan forward");
    return 0;
}

static int utility_close(struct sql_binder *b, json_value inside,
                         const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    slice name = sql_field_text(inside, "portalname");
    ret->kind = SQL_STATEMENT_CLOSE;
    ret->name = name.len ? bind_copy(b, name) : (slice){NULL, 0};
    return 0;
}

static int utility_prepare(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    ret->kind = SQL_STATEMENT_PREPARE;
    ret->name = bind_copy(b, sql_field_text(inside, "name"));
    json_value types = sql_field(inside, "argtypes");
    struct sql_type *declared = bind_alloc(b, json_count(types) + 1u, sizeof *declared);
    ret->inner = bind_alloc(b, 1, sizeof *ret->inner);
    if (!declared || !ret->inner)
        return -EINVAL;
    unsigned count = 0;
    struct json_iterator i = json_each(types);
    while (json_next(&i)) {
        int r = bind_type_name(b, sql_field(i.value, "TypeName"), &declared[count++]);
        if (r < 0)
            return r;
    }
    struct sql_statement_text inner = *statement;
    inner.node = sql_field(inside, "query");
    struct sql_bind_options options = *b->options;
    options.parameters = count;
    options.parameter = declared;
    ret->inner->memory = b->memory;
    ret->inner->text = statement->text;
    return sql_bind_as(b, &options, &inner, ret->inner);
}

static int utility_execute(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)statement;
    ret->kind = SQL_STATEMENT_EXECUTE;
    ret->name = bind_copy(b, sql_field_text(inside, "name"));
    json_value parameters = sql_field(inside, "params");
    ret->values = bind_alloc(b, json_count(parameters) + 1u, sizeof *ret->values);
    if (!ret->values)
        return -EINVAL;
    struct json_iterator i = json_each(parameters);
    while (json_next(&i)) {
        struct sql_expr *e = bind_table_expression(b, i.value, NULL, sql_type_of(0));
        if (!e)
            return -EINVAL;
        ret->values[ret->value_count++] = e;
    }
    return 0;
}

static int utility_deallocate(struct sql_binder *b, json_value inside,
                              const struct sql_statement_text *statement,
                              struct sql_statement *ret) {
    (void)statement;
    slice name = sql_field_text(inside, "name");
    ret->kind = SQL_STATEMENT_DEALLOCATE;
    ret->name = name.len ? bind_copy(b, name) : (slice){NULL, 0};
    return 0;
}

static int utility_discard(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)b, (void)statement;
    ret->kind = SQL_STATEMENT_DISCARD;
    slice target = sql_field_text(inside, "target");
    ret->name = slice_starts_with(target, slice_lit("DISCARD_"))
                    ? bind_copy(b, slice_skip(target, 8))
                    : slice_lit("ALL");
    return 0;
}

static int utility_explain(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    ret->kind = SQL_STATEMENT_EXPLAIN;
    int r = define_options(b, b->memory, sql_field(inside, "options"), &ret->options, &ret->option);
    for (unsigned i = 0; r == 0 && i < ret->options; i++) {
        const struct sql_option *o = &ret->option[i];
        bool off =
            slice_equal(o->value, slice_lit("off")) || slice_equal(o->value, slice_lit("false"));
        if (slice_equal(o->name, slice_lit("analyze")))
            ret->analyze = !off;
        else if (slice_equal(o->name, slice_lit("format")) &&
                 !slice_equal_nocase(o->value, slice_lit("text")))
            r = bind_error(b, -1, "0A000", "EXPLAIN gives text only");
    }
    return r < 0 ? r : bind_inner(b, sql_field(inside, "query"), statement, ret);
}

/* The columns named, or all that are not generated. */
static int copy_columns(struct sql_binder *b, struct sql_table *t, json_value names,
                        struct sql_statement *ret) {
    ret->copy_columns = bind_alloc(b, t->columns + 1u, sizeof *ret->copy_columns);
    if (!ret->copy_columns)
        return -EINVAL;
    for (unsigned i = 0; json_count(names) == 0 && i < t->columns; i++)
        if (!t->column[i].dropped && t->column[i].generated != SQL_STORED_EXPRESSION)
            ret->copy_columns[ret->copy_count++] = i;
    struct json_iterator i = json_each(names);
    while (json_next(&i)) {
        int column = bind_target_column(b, t, sql_string(i.value), -1);
        int r = column < 0 ? column
                           : bind_add_column_once(b, t, (unsigned)column, -1, ret->copy_columns,
                                                  &ret->copy_count);
        if (r < 0)
            return r;
    }
    return 0;
}

static int utility_copy(struct sql_binder *b, json_value inside,
                        const struct sql_statement_text *statement, struct sql_statement *ret) {
    bool from = sql_field_bool(inside, "is_from");
    ret->kind = from ? SQL_STATEMENT_COPY_FROM : SQL_STATEMENT_COPY_TO;
    if (sql_field_text(inside, "filename").len)
        return bind_error(b, -1, "0A000",
                          "COPY to and from files of the server is not supported: "
                          "use STDIN, STDOUT, or psql's \\copy");
    int r = define_options(b, b->memory, sql_field(inside, "options"), &ret->options, &ret->option);
    json_value query = sql_field(inside, "query"), relation = sql_field(inside, "relation");
    if (r < 0)
        return r;
    if (statement->spelling.verb == SQL_SPELLED_SUBSCRIBE) {
        r = bind_subscribe(b, &statement->spelling, ret);
        ret->kind = SQL_STATEMENT_COPY_TO;
        return r < 0 || !from ? r : bind_error(b, -1, "42601", "SUBSCRIBE cannot be copied to");
    }
    if (json_type_of(query) != JSON_ABSENT) {
        r = bind_top_query(b, query, &ret->query);
        return r < 0 ? r : bind_finish_query(b, &ret->query);
    }
    ret->table = define_find(b, relation);
    if (!ret->table)
        return -EINVAL;
    if (from && ret->table->kind != SQL_TABLE_STORED)
        return bind_error(b, sql_location(relation), "42809",
                          "cannot copy to \"%.*s\": it is not a stored table",
                          slice_fmt(ret->table->name));
    if (from && json_type_of(sql_field(inside, "whereClause")) != JSON_ABSENT)
        return bind_error(b, sql_location(relation), "0A000", "COPY … WHERE is not supported");
    r = copy_columns(b, ret->table, sql_field(inside, "attlist"), ret);
    (void)statement;
    return r < 0 || from
               ? r
               : bind_copy_query(b, ret->table, ret->copy_columns, ret->copy_count, &ret->query);
}

static int utility_nothing(struct sql_binder *b, json_value inside,
                           const struct sql_statement_text *statement, struct sql_statement *ret) {
    (void)b, (void)inside, (void)statement;
    ret->kind = SQL_STATEMENT_NOTHING;
    return 0;
}

static const struct {
    const char *node;
    define_statement *bind;
} statements[] = {
    {"CreateStmt", define_create_table},
    {"CreateTableAsStmt", define_create_as},
    {"ViewStmt", define_view},
    {"IndexStmt", define_index},
    {"CreateEnumStmt", define_enum},
    {"CreateFunctionStmt", define_function},
    {"CreateSchemaStmt", define_schema},
    {"AlterTableStmt", define_alter},
    {"RenameStmt", define_rename},
    {"DropStmt", define_drop},
    {"CommentStmt", define_comment},
    {"TruncateStmt", define_truncate},
    {"VariableSetStmt", utility_set},
    {"VariableShowStmt", utility_show},
    {"TransactionStmt", utility_transaction},
    {"DeclareCursorStmt", utility_declare},
    {"FetchStmt", utility_fetch},
    {"ClosePortalStmt", utility_close},
    {"PrepareStmt", utility_prepare},
    {"ExecuteStmt", utility_execute},
    {"DeallocateStmt", utility_deallocate},
    {"DiscardStmt", utility_discard},
    {"ExplainStmt", utility_explain},
    {"CopyStmt", utility_copy},
    {"VacuumStmt", utility_nothing},
    {"CheckPointStmt", utility_nothing},
};

int sql_bind_definition(struct sql_binder *b, const struct sql_statement_text *statement,
                        struct sql_statement *ret) {
    slice name = sql_node_name(statement->node);
    if (statement->spelling.verb == SQL_SPELLED_FLUSH) {
        ret->kind = SQL_STATEMENT_FLUSH;
        return 0;
    }
    if (statement->spelling.verb == SQL_SPELLED_SINK && !slice_equal(name, slice_lit("DropStmt")))
        return define_sink(b, statement, ret);
    for (unsigned i = 0; i < array_count(statements); i++)
        if (slice_equal(name, slice_str(statements[i].node)))
            return statements[i].bind(b, sql_field(statement->node, statements[i].node), statement,
                                      ret);
    return -ENOENT;
}
