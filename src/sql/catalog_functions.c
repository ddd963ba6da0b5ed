/*
 * catalog_functions.c - functions over the catalog: what psql, drivers and tools ask beside the
 * tables of pg_catalog.
 *
 * They see call->settings->catalog; without one (tests of other things) nothing is found. As in
 * PostgreSQL an OID that nothing has gives NULL (or "unknown (OID=5)", "???"), not an error. Every
 * user may do everything, so has_*_privilege is true.
 */
#include "sql/catalog_oid.h"
#include "sql/catalog_text.h"
#include "sql/text/text_functions.h"

enum { PG_NODE_TREE = 194, NAME_ARRAY = 1003 };

static const struct sql_catalog *catalog_of(const struct sql_call *call) {
    return call->settings ? call->settings->catalog : NULL;
}

static const struct sql_table *table_of(const struct sql_call *call, int64_t oid) {
    return catalog_of(call) ? sql_catalog_table_by_oid(catalog_of(call), (uint32_t)oid) : NULL;
}

static const struct sql_table_index *index_of(const struct sql_call *call, int64_t oid,
                                              const struct sql_table **ret_table) {
    return catalog_of(call) ? sql_index_by_oid(catalog_of(call), (uint32_t)oid, ret_table) : NULL;
}

/* TEXT, or NULL where its pointer is. */
static int give(struct sql_call *call, slice text, union sql_cell *ret) {
    ret->text = text;
    call->null = text.ptr == NULL;
    return 0;
}

/* --- types and names ---------------------------------------------------------------------------*/

static int format_type(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (text_null(call, 0)) {
        call->null = true;
        return 0;
    }
    if (a[0].i == SQL_BPCHAR && text_null(call, 1)) /* with -1 it is "bpchar": of any length */
        return give(call, slice_lit("character"), ret);
    _cleanup_buf_ struct buf out = text_buf();
    struct sql_type type = {(uint32_t)a[0].i, text_null(call, 1) ? -1 : (int32_t)a[1].i};
    return text_give(call, sql_type_name_text(catalog_of(call), type, &out), &out, ret);
}

static int table_is_visible(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t = table_of(call, a[0].i);
    if (!t)
        (void)index_of(call, a[0].i, &t);
    call->null = !t;
    ret->i = t && sql_schema_is_visible(t->schema);
    return 0;
}

static int type_is_visible(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    uint32_t oid = (uint32_t)a[0].i;
    const struct sql_enum *e =
        catalog_of(call) ? sql_catalog_enum_by_oid(catalog_of(call), oid) : NULL;
    ret->i = sql_type_info(oid) || (e && sql_schema_is_visible(e->schema));
    return 0;
}

static const struct sql_user_function *function_of(const struct sql_call *call, int64_t oid) {
    const struct sql_user_function *f;
    unsigned cursor = 0;
    while (catalog_of(call) && (f = sql_catalog_each_function(catalog_of(call), &cursor)))
        if ((int64_t)f->oid == oid)
            return f;
    return NULL;
}

/* One of the engine's own. */
static const struct sql_function *own_function_of(int64_t oid) {
    return oid >= SQL_FUNCTION_FIRST_OID && oid < SQL_DERIVED_FIRST_OID
               ? sql_function_at((unsigned)(oid - SQL_FUNCTION_FIRST_OID))
               : NULL;
}

static int function_is_visible(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    const struct sql_user_function *f = function_of(call, a[0].i);
    ret->i = f ? sql_schema_is_visible(f->schema) : a[0].i >= SQL_FUNCTION_FIRST_OID;
    return 0;
}

static int yes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    ret->i = 1;
    return 0;
}

static int no(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    ret->i = 0;
    return 0;
}

static int nothing(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    (void)ret;
    call->null = true;
    return 0;
}

static int as_it_is(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = a[0];
    return 0;
}

static int get_userbyid(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].i == SQL_OWNER_OID && call->settings)
        return give(call, call->settings->user, ret);
    _cleanup_buf_ struct buf out = text_buf();
    return text_give(call, buf_printf(&out, "unknown (OID=%u)", (uint32_t)a[0].i), &out, ret);
}

static int encoding_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return give(call, a[0].i == 6 ? slice_lit("UTF8") : slice_lit(""), ret);
}

static int char_to_encoding(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    bool utf8 = slice_equal_nocase(a[0].text, slice_lit("utf8")) ||
                slice_equal_nocase(a[0].text, slice_lit("utf-8"));
    ret->i = utf8 ? 6 : -1;
    return 0;
}

static int database_encoding(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    return give(call, slice_lit("UTF8"), ret);
}

/* to_regclass and its kin: NULL where the cast would fail. */
static int to_reg(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_error ignored = {0};
    if (sql_value_in(call->result, a[0].text, call->settings, call->memory, ret, &ignored) < 0)
        call->null = true;
    return 0;
}

/* --- definitions -------------------------------------------------------------------------------*/

static int get_viewdef(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t = table_of(call, a[0].i);
    if (!t || !t->definition.ptr)
        return nothing(call, a, ret);
    _cleanup_buf_ struct buf out = text_buf();
    int failed = buf_append_byte(&out, ' ');
    failed = failed ? failed : buf_append(&out, t->definition);
    failed = failed ? failed : buf_append_byte(&out, ';');
    return text_give(call, failed, &out, ret);
}

static int get_viewdef_named(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    union sql_cell oid;
    int failed = sql_value_in(sql_type_of(SQL_REGCLASS), a[0].text, call->settings, call->memory,
                              &oid, call->error);
    return failed ? failed : get_viewdef(call, &oid, ret);
}

/* (index[, column, pretty]): column 0 is the whole. */
static int get_indexdef(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t;
    const struct sql_table_index *index = index_of(call, a[0].i, &t);
    if (!index)
        return nothing(call, a, ret);
    int64_t column = call->count > 1 ? a[1].i : 0;
    if (column < 0 || column > index->columns)
        return give(call, slice_lit(""), ret);
    _cleanup_buf_ struct buf out = text_buf();
    int failed = column ? text_put_name(t->column[index->column[column - 1]].name, &out)
                        : sql_index_text(t, index, &out);
    return text_give(call, failed, &out, ret);
}

static const struct sql_check *check_of(const struct sql_catalog *catalog, int64_t oid) {
    unsigned cursor = 0;
    for (const struct sql_table *t; (t = sql_catalog_each_table(catalog, &cursor));)
        for (unsigned i = 0; i < t->checks; i++)
            if (sql_derived_oid(t->oid, SQL_DERIVED_CHECK, i) == oid)
                return &t->check[i];
    return NULL;
}

static int get_constraintdef(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t;
    const struct sql_table_index *index = index_of(call, a[0].i, &t);
    const struct sql_check *check =
        index || !catalog_of(call) ? NULL : check_of(catalog_of(call), a[0].i);
    if (!index && !check)
        return nothing(call, a, ret);
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    if (index) {
        failed =
            buf_append(&out, index->primary ? slice_lit("PRIMARY KEY ") : slice_lit("UNIQUE "));
        failed = failed ? failed : sql_index_columns_text(t, index, &out);
    } else {
        failed = buf_printf(&out, "CHECK (%.*s)", slice_fmt(check->text));
    }
    return text_give(call, failed, &out, ret);
}

static int get_function_result(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    const struct sql_user_function *f = function_of(call, a[0].i);
    const struct sql_function *own = own_function_of(a[0].i);
    if (!f && !own)
        return nothing(call, a, ret);
    _cleanup_buf_ struct buf out = text_buf();
    int failed = own && own->set ? buf_append(&out, slice_lit("SETOF ")) : 0;
    struct sql_type type = f ? f->result : sql_type_of(own->result);
    failed = failed ? failed : sql_type_name_text(catalog_of(call), type, &out);
    return text_give(call, failed, &out, ret);
}

static int put_user_arguments(const struct sql_catalog *catalog, const struct sql_user_function *f,
                              struct buf *out) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < f->count; i++) {
        failed = i ? buf_append(out, slice_lit(", ")) : 0;
        bool named = f->argument_names && f->argument_names[i].ptr;
        if (!failed && named) {
            failed = text_put_name(f->argument_names[i], out);
            failed = failed ? failed : buf_append_byte(out, ' ');
        }
        failed = failed ? failed : sql_type_name_text(catalog, f->arguments[i], out);
    }
    return failed;
}

static int get_function_arguments(struct sql_call *call, const union sql_cell *a,
                                  union sql_cell *ret) {
    const struct sql_user_function *f = function_of(call, a[0].i);
    const struct sql_function *own = own_function_of(a[0].i);
    if (!f && !own)
        return nothing(call, a, ret);
    _cleanup_buf_ struct buf out = text_buf();
    int failed = f ? put_user_arguments(catalog_of(call), f, &out) : 0;
    for (unsigned i = 0; !f && !failed && i < own->count; i++) {
        failed = i ? buf_append(&out, slice_lit(", ")) : 0;
        failed = failed
                     ? failed
                     : sql_type_name_text(catalog_of(call), sql_type_of(own->arguments[i]), &out);
    }
    return text_give(call, failed, &out, ret);
}

/* --- comments ----------------------------------------------------------------------------------*/

static int obj_description(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t = table_of(call, a[0].i);
    bool relations = call->count < 2 || slice_equal(a[1].text, slice_lit("pg_class"));
    return give(call, t && relations ? t->comment : (slice){NULL, 0}, ret);
}

/* --- sizes -------------------------------------------------------------------------------------*/

static int relation_size(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_table *t = table_of(call, a[0].i);
    const struct sql_table *of_index;
    const struct sql_settings *s = call->settings;
    call->null = !t && !index_of(call, a[0].i, &of_index);
    ret->i = t && s->relation_bytes ? s->relation_bytes(s->session, t->oid) : 0;
    return 0;
}

/* 10 * 1024 of one unit and more are said in the next; halves are rounded up. */
static int size_pretty(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    int64_t size = a[0].i;
    uint64_t n = size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
    unsigned unit = 0;
    bool halves = false; /* n counts halves of the unit */
    while (unit + 1 < array_count(units) && (halves ? (n + 1) / 2 : n) >= 10 * 1024) {
        n >>= unit == 0 ? 9 : 10;
        halves = true;
        unit++;
    }
    n = halves ? (n + 1) / 2 : n;
    _cleanup_buf_ struct buf out = text_buf();
    return text_give(
        call,
        buf_printf(&out, "%s%llu %s", size < 0 ? "-" : "", (unsigned long long)n, units[unit]),
        &out, ret);
}

/* --- settings ----------------------------------------------------------------------------------*/

static int current_setting(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_settings *s = call->settings;
    slice value = s && s->setting ? s->setting(s->session, a[0].text) : (slice){NULL, 0};
    bool missing_ok = call->count > 1 && a[1].i;
    if (!value.ptr && !missing_ok)
        return sql_fail(call->error, "42704", "unrecognized configuration parameter \"%.*s\"",
                        slice_fmt(a[0].text));
    slice copy = value;
    if (value.ptr && arena_copy(call->memory, value, &copy) < 0)
        return sql_fail_memory(call->error);
    return give(call, copy, ret);
}

static int current_schemas(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct text_array array;
    unsigned count = a[0].i ? 2 : 1;
    int failed = text_array_make(call, SQL_NAME, count, &array);
    if (failed)
        return failed;
    array.cells[0].text = a[0].i ? slice_lit("pg_catalog") : slice_lit("public");
    if (count == 2)
        array.cells[1].text = slice_lit("public");
    ret->array = array.array;
    return 0;
}

#define NOTHING_ROW(name_, function_, result_)                                                     \
    { .name = (name_), .result = (result_), .flags = SQL_STABLE, .scalar = (function_) }
#define ROW(name_, function_, result_, ...)                                                        \
    SQL_ROW_FLAGS(name_, function_, SQL_STABLE, result_, __VA_ARGS__)
/* Asked of the current user, of a user by name, of one by number; for an object by name or OID. */
#define PRIVILEGE_ROWS(name_)                                                                      \
    ROW(name_, yes, SQL_BOOL, SQL_OID, SQL_TEXT), ROW(name_, yes, SQL_BOOL, SQL_TEXT, SQL_TEXT),   \
        ROW(name_, yes, SQL_BOOL, SQL_NAME, SQL_OID, SQL_TEXT),                                    \
        ROW(name_, yes, SQL_BOOL, SQL_NAME, SQL_TEXT, SQL_TEXT),                                   \
        ROW(name_, yes, SQL_BOOL, SQL_OID, SQL_OID, SQL_TEXT),                                     \
        ROW(name_, yes, SQL_BOOL, SQL_OID, SQL_TEXT, SQL_TEXT)
#define VISIBLE_ROW(name_) ROW(name_, yes, SQL_BOOL, SQL_OID)

const struct sql_function sql_functions_catalog[] = {
    SQL_ROW_FLAGS("format_type", format_type, SQL_STABLE | SQL_LENIENT, SQL_TEXT, SQL_OID,
                  SQL_INT4),
    ROW("pg_table_is_visible", table_is_visible, SQL_BOOL, SQL_OID),
    ROW("pg_type_is_visible", type_is_visible, SQL_BOOL, SQL_OID),
    ROW("pg_function_is_visible", function_is_visible, SQL_BOOL, SQL_OID),
    VISIBLE_ROW("pg_operator_is_visible"),
    VISIBLE_ROW("pg_opclass_is_visible"),
    VISIBLE_ROW("pg_opfamily_is_visible"),
    VISIBLE_ROW("pg_collation_is_visible"),
    VISIBLE_ROW("pg_conversion_is_visible"),
    VISIBLE_ROW("pg_statistics_obj_is_visible"),
    VISIBLE_ROW("pg_ts_config_is_visible"),
    VISIBLE_ROW("pg_ts_dict_is_visible"),
    VISIBLE_ROW("pg_ts_parser_is_visible"),
    VISIBLE_ROW("pg_ts_template_is_visible"),
    ROW("pg_get_userbyid", get_userbyid, SQL_NAME, SQL_OID),
    ROW("pg_encoding_to_char", encoding_to_char, SQL_NAME, SQL_INT4),
    ROW("pg_char_to_encoding", char_to_encoding, SQL_INT4, SQL_NAME),
    NOTHING_ROW("getdatabaseencoding", database_encoding, SQL_NAME),
    NOTHING_ROW("pg_client_encoding", database_encoding, SQL_NAME),
    ROW("to_regclass", to_reg, SQL_REGCLASS, SQL_TEXT),
    ROW("to_regtype", to_reg, SQL_REGTYPE, SQL_TEXT),
    ROW("to_regnamespace", to_reg, SQL_REGNAMESPACE, SQL_TEXT),
    ROW("to_regrole", to_reg, SQL_REGROLE, SQL_TEXT),
    ROW("pg_get_expr", as_it_is, SQL_TEXT, PG_NODE_TREE, SQL_OID),
    ROW("pg_get_expr", as_it_is, SQL_TEXT, PG_NODE_TREE, SQL_OID, SQL_BOOL),
    ROW("pg_get_viewdef", get_viewdef, SQL_TEXT, SQL_OID),
    ROW("pg_get_viewdef", get_viewdef, SQL_TEXT, SQL_OID, SQL_BOOL),
    ROW("pg_get_viewdef", get_viewdef, SQL_TEXT, SQL_OID, SQL_INT4),
    ROW("pg_get_viewdef", get_viewdef_named, SQL_TEXT, SQL_TEXT),
    ROW("pg_get_viewdef", get_viewdef_named, SQL_TEXT, SQL_TEXT, SQL_BOOL),
    ROW("pg_get_indexdef", get_indexdef, SQL_TEXT, SQL_OID),
    ROW("pg_get_indexdef", get_indexdef, SQL_TEXT, SQL_OID, SQL_INT4, SQL_BOOL),
    ROW("pg_get_constraintdef", get_constraintdef, SQL_TEXT, SQL_OID),
    ROW("pg_get_constraintdef", get_constraintdef, SQL_TEXT, SQL_OID, SQL_BOOL),
    ROW("pg_get_function_result", get_function_result, SQL_TEXT, SQL_OID),
    ROW("pg_get_function_arguments", get_function_arguments, SQL_TEXT, SQL_OID),
    ROW("pg_get_function_identity_arguments", get_function_arguments, SQL_TEXT, SQL_OID),
    ROW("pg_get_function_sqlbody", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_get_serial_sequence", nothing, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    ROW("pg_get_ruledef", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_get_ruledef", nothing, SQL_TEXT, SQL_OID, SQL_BOOL),
    ROW("pg_get_triggerdef", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_get_triggerdef", nothing, SQL_TEXT, SQL_OID, SQL_BOOL),
    ROW("pg_get_partkeydef", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_get_statisticsobjdef_columns", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_tablespace_location", nothing, SQL_TEXT, SQL_OID),
    ROW("pg_relation_is_publishable", no, SQL_BOOL, SQL_REGCLASS),
    ROW("obj_description", obj_description, SQL_TEXT, SQL_OID),
    ROW("obj_description", obj_description, SQL_TEXT, SQL_OID, SQL_NAME),
    ROW("col_description", nothing, SQL_TEXT, SQL_OID, SQL_INT4),
    ROW("shobj_description", nothing, SQL_TEXT, SQL_OID, SQL_NAME),
    ROW("pg_relation_size", relation_size, SQL_INT8, SQL_REGCLASS),
    ROW("pg_relation_size", relation_size, SQL_INT8, SQL_REGCLASS, SQL_TEXT),
    ROW("pg_table_size", relation_size, SQL_INT8, SQL_REGCLASS),
    ROW("pg_total_relation_size", relation_size, SQL_INT8, SQL_REGCLASS),
    ROW("pg_size_pretty", size_pretty, SQL_TEXT, SQL_INT8),
    ROW("current_setting", current_setting, SQL_TEXT, SQL_TEXT),
    ROW("current_setting", current_setting, SQL_TEXT, SQL_TEXT, SQL_BOOL),
    ROW("current_schemas", current_schemas, NAME_ARRAY, SQL_BOOL),
    NOTHING_ROW("pg_is_in_recovery", no, SQL_BOOL),
    PRIVILEGE_ROWS("has_table_privilege"),
    PRIVILEGE_ROWS("has_schema_privilege"),
    PRIVILEGE_ROWS("has_database_privilege"),
    PRIVILEGE_ROWS("has_function_privilege"),
    PRIVILEGE_ROWS("has_type_privilege"),
    PRIVILEGE_ROWS("has_any_column_privilege"),
    PRIVILEGE_ROWS("pg_has_role"),
    {.name = NULL},
};
