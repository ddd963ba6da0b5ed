/*
 * system_information.c - information_schema: what the SQL standard has every database tell of its
 * tables, columns and constraints, as PostgreSQL 15 tells it.
 *
 * As there, a materialized view is not in the standard and so not here (pg_matviews has it), and
 * each NOT NULL column is a CHECK constraint among table_constraints.
 */
#include "rooms/stream/system_pg.h"

#include <errno.h>

static int each_table(struct system_rows *r, system_table_row *row) {
    unsigned cursor = 0;
    int failed = 0;
    for (const struct sql_table *t; !failed && (t = sql_catalog_each_table(r->catalog, &cursor));)
        if (t->kind != SQL_TABLE_MATERIALIZED)
            failed = row(r, t);
    return failed;
}

static slice database_of(const struct system_rows *r) {
    return r->run->session->settings.database;
}

static void set_yes(struct system_rows *r, const char *column, bool yes) {
    system_set_string(r, column, yes ? "YES" : "NO");
}

static void set_table(struct system_rows *r, const struct sql_table *t) {
    system_set_text(r, "table_catalog", database_of(r));
    system_set_text(r, "table_schema", t->schema);
    system_set_text(r, "table_name", t->name);
}

static void set_constraint(struct system_rows *r, const struct sql_table *t, slice name) {
    system_set_text(r, "constraint_catalog", database_of(r));
    system_set_text(r, "constraint_schema", t->schema);
    system_set_text(r, "constraint_name", name);
}

static int tables_row(struct system_rows *r, const struct sql_table *t) {
    system_begin(r);
    set_table(r, t);
    system_set_string(r, "table_type", system_is_view(t) ? "VIEW" : "BASE TABLE");
    set_yes(r, "is_insertable_into", t->kind == SQL_TABLE_STORED || t->kind == SQL_TABLE_STREAM);
    set_yes(r, "is_typed", false);
    return system_end(r);
}

static int system_tables(struct system_rows *r) {
    return each_table(r, tables_row);
}

static int views_row(struct system_rows *r, const struct sql_table *t) {
    static const char *const never[] = {"is_updatable", "is_insertable_into",
                                        "is_trigger_updatable", "is_trigger_deletable",
                                        "is_trigger_insertable_into"};
    if (t->kind != SQL_TABLE_VIEW)
        return 0;
    system_begin(r);
    set_table(r, t);
    system_set_text(r, "view_definition", t->definition);
    system_set_string(r, "check_option", "NONE");
    for (unsigned i = 0; i < array_count(never); i++)
        set_yes(r, never[i], false);
    return system_end(r);
}

static int system_views(struct system_rows *r) {
    return each_table(r, views_row);
}

/* Lengths, precision and scale, each where the type has it. */
static void set_measures(struct system_rows *r, struct sql_type type) {
    static const struct {
        uint32_t oid;
        int precision;
    } binary[] = {
        {SQL_INT2, 16}, {SQL_INT4, 32}, {SQL_INT8, 64}, {SQL_FLOAT4, 24}, {SQL_FLOAT8, 53}};
    int length = type.typmod - 4;
    if ((type.oid == SQL_VARCHAR || type.oid == SQL_BPCHAR) && length > 0)
        system_set_int(r, "character_maximum_length", length);
    if (type.oid == SQL_VARCHAR || type.oid == SQL_BPCHAR || type.oid == SQL_TEXT)
        system_set_int(r, "character_octet_length",
                       type.oid != SQL_TEXT && length > 0 ? (int64_t)length * 4 : 1 << 30);
    for (unsigned i = 0; i < array_count(binary); i++)
        if (binary[i].oid == type.oid) {
            system_set_int(r, "numeric_precision", binary[i].precision);
            system_set_int(r, "numeric_precision_radix", 2);
            if (type.oid != SQL_FLOAT4 && type.oid != SQL_FLOAT8)
                system_set_int(r, "numeric_scale", 0);
        }
    if (type.oid == SQL_NUMERIC) {
        if (type.typmod >= 4)
            system_set_int(r, "numeric_precision", (type.typmod - 4) >> 16 & 0xffff);
        system_set_int(r, "numeric_precision_radix", 10);
        if (type.typmod >= 4)
            system_set_int(r, "numeric_scale", (type.typmod - 4) & 0x7ff);
    }
    bool time = type.oid == SQL_TIME || type.oid == SQL_TIMESTAMP || type.oid == SQL_TIMESTAMPTZ ||
                type.oid == SQL_INTERVAL;
    if (time)
        system_set_int(r, "datetime_precision",
                       type.typmod >= 0 && type.oid != SQL_INTERVAL ? type.typmod : 6);
    else if (type.oid == SQL_DATE)
        system_set_int(r, "datetime_precision", 0);
}

/* data_type and udt_name. */
static void set_type(struct system_rows *r, struct sql_type type) {
    const struct sql_type_info *info = sql_type_info(type.oid);
    const struct sql_enum *e = info ? NULL : sql_catalog_enum_by_oid(r->catalog, type.oid);
    const char *name = !info ? "USER-DEFINED" : info->category == 'A' ? "ARRAY" : info->sql_name;
    system_set_string(r, "data_type", name);
    set_measures(r, type);
    system_set_text(r, "udt_catalog", database_of(r));
    system_set_text(r, "udt_schema", e ? e->schema : slice_lit("pg_catalog"));
    system_set_text(r, "udt_name", info ? slice_str(info->name) : e ? e->name : slice_lit(""));
}

static int column_row(struct system_rows *r, const struct sql_table *t, unsigned i) {
    const struct sql_table_column *c = &t->column[i];
    bool identity = c->generated == SQL_IDENTITY || c->generated == SQL_IDENTITY_BY_DEFAULT;
    bool computed = c->generated == SQL_STORED_EXPRESSION;
    slice number;
    if (arena_printf(r->memory, &number, "%u", i + 1) < 0)
        return -ENOMEM;
    system_begin(r);
    set_table(r, t);
    system_set_text(r, "column_name", c->name);
    system_set_int(r, "ordinal_position", i + 1);
    if (!identity && !computed)
        system_set_text(r, "column_default", c->default_text);
    set_yes(r, "is_nullable", !c->not_null);
    set_type(r, c->type);
    system_set_text(r, "dtd_identifier", number);
    set_yes(r, "is_self_referencing", false);
    set_yes(r, "is_identity", identity);
    if (identity) {
        system_set_string(r, "identity_generation",
                          c->generated == SQL_IDENTITY ? "ALWAYS" : "BY DEFAULT");
        system_set_string(r, "identity_start", "1");
        system_set_string(r, "identity_increment", "1");
    }
    set_yes(r, "identity_cycle", false);
    system_set_string(r, "is_generated", computed ? "ALWAYS" : "NEVER");
    if (computed)
        system_set_text(r, "generation_expression", c->default_text);
    set_yes(r, "is_updatable", t->kind == SQL_TABLE_STORED);
    return system_end(r);
}

static int columns_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->columns; i++)
        failed = t->column[i].dropped ? 0 : column_row(r, t, i);
    return failed;
}

static int system_columns(struct system_rows *r) {
    return each_table(r, columns_rows);
}

static int constraint_row(struct system_rows *r, const struct sql_table *t, slice name,
                          const char *type) {
    system_begin(r);
    set_constraint(r, t, name);
    set_table(r, t);
    system_set_string(r, "constraint_type", type);
    set_yes(r, "is_deferrable", false);
    set_yes(r, "initially_deferred", false);
    set_yes(r, "enforced", true);
    return system_end(r);
}

/* The name that PostgreSQL gives a NOT NULL among the constraints. */
static int not_null_name(struct system_rows *r, const struct sql_table *t, unsigned column,
                         slice *ret) {
    return arena_printf(r->memory, ret, "%u_%u_%u_not_null", sql_schema_oid(t->schema), t->oid,
                        column + 1);
}

static int table_constraints_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    slice name;
    for (unsigned i = 0; !failed && i < t->indexes; i++)
        if (t->index[i].primary || t->index[i].unique)
            failed = constraint_row(r, t, t->index[i].name,
                                    t->index[i].primary ? "PRIMARY KEY" : "UNIQUE");
    for (unsigned i = 0; !failed && i < t->checks; i++)
        failed = constraint_row(r, t, t->check[i].name, "CHECK");
    for (unsigned i = 0; !failed && i < t->columns; i++)
        if (t->column[i].not_null && !t->column[i].dropped && !system_is_view(t)) {
            failed = not_null_name(r, t, i, &name);
            failed = failed ? failed : constraint_row(r, t, name, "CHECK");
        }
    return failed;
}

static int system_table_constraints(struct system_rows *r) {
    return each_table(r, table_constraints_rows);
}

static int check_row(struct system_rows *r, const struct sql_table *t, slice name, slice clause) {
    system_begin(r);
    set_constraint(r, t, name);
    system_set_text(r, "check_clause", clause);
    return system_end(r);
}

static int check_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    slice name, clause;
    for (unsigned i = 0; !failed && i < t->checks; i++)
        failed = check_row(r, t, t->check[i].name, t->check[i].text);
    for (unsigned i = 0; !failed && i < t->columns; i++)
        if (t->column[i].not_null && !t->column[i].dropped && !system_is_view(t)) {
            failed = not_null_name(r, t, i, &name);
            failed = failed ? failed
                            : arena_printf(r->memory, &clause, "%.*s IS NOT NULL",
                                           slice_fmt(t->column[i].name));
            failed = failed ? failed : check_row(r, t, name, clause);
        }
    return failed;
}

static int system_check_constraints(struct system_rows *r) {
    return each_table(r, check_rows);
}

static int key_rows(struct system_rows *r, const struct sql_table *t, bool numbered) {
    int failed = 0;
    for (unsigned i = 0; i < t->indexes; i++) {
        const struct sql_table_index *index = &t->index[i];
        for (unsigned c = 0; !failed && c < index->columns && (index->primary || index->unique);
             c++) {
            system_begin(r);
            set_constraint(r, t, index->name);
            set_table(r, t);
            system_set_text(r, "column_name", t->column[index->column[c]].name);
            if (numbered)
                system_set_int(r, "ordinal_position", c + 1);
            failed = system_end(r);
        }
    }
    return failed;
}

static int key_column_rows(struct system_rows *r, const struct sql_table *t) {
    return key_rows(r, t, true);
}

static int system_key_column_usage(struct system_rows *r) {
    return each_table(r, key_column_rows);
}

static int constraint_column_rows(struct system_rows *r, const struct sql_table *t) {
    return key_rows(r, t, false);
}

static int system_constraint_column_usage(struct system_rows *r) {
    return each_table(r, constraint_column_rows);
}

static int constraint_table_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->indexes; i++) {
        if (!t->index[i].primary && !t->index[i].unique)
            continue;
        system_begin(r);
        set_table(r, t);
        set_constraint(r, t, t->index[i].name);
        failed = system_end(r);
    }
    return failed;
}

static int system_constraint_table_usage(struct system_rows *r) {
    return each_table(r, constraint_table_rows);
}

static int system_schemata(struct system_rows *r) {
    slice name;
    unsigned cursor = 0;
    int failed = 0;
    while (!failed && (name = sql_catalog_each_schema(r->catalog, &cursor)).ptr) {
        system_begin(r);
        system_set_text(r, "catalog_name", database_of(r));
        system_set_text(r, "schema_name", name);
        system_set_text(r, "schema_owner", r->run->session->settings.user);
        failed = system_end(r);
    }
    return failed;
}

/* Functions that users made. */
static int system_routines(struct system_rows *r) {
    const struct sql_user_function *f;
    unsigned cursor = 0;
    int failed = 0;
    while (!failed && (f = sql_catalog_each_function(r->catalog, &cursor))) {
        slice specific;
        if (arena_printf(r->memory, &specific, "%.*s_%u", slice_fmt(f->name), f->oid) < 0)
            return -ENOMEM;
        system_begin(r);
        system_set_text(r, "specific_catalog", database_of(r));
        system_set_text(r, "specific_schema", f->schema);
        system_set_text(r, "specific_name", specific);
        system_set_text(r, "routine_catalog", database_of(r));
        system_set_text(r, "routine_schema", f->schema);
        system_set_text(r, "routine_name", f->name);
        system_set_string(r, "routine_type", "FUNCTION");
        const struct sql_type_info *info = sql_type_info(f->result.oid);
        system_set_string(r, "data_type", info ? info->sql_name : "USER-DEFINED");
        system_set_string(r, "routine_body", "SQL");
        system_set_text(r, "routine_definition", f->body);
        system_set_string(r, "external_language", "SQL");
        failed = system_end(r);
    }
    return failed;
}

static int system_parameters(struct system_rows *r) {
    const struct sql_user_function *f;
    unsigned cursor = 0;
    int failed = 0;
    while (!failed && (f = sql_catalog_each_function(r->catalog, &cursor)))
        for (unsigned i = 0; !failed && i < f->count; i++) {
            slice specific;
            if (arena_printf(r->memory, &specific, "%.*s_%u", slice_fmt(f->name), f->oid) < 0)
                return -ENOMEM;
            system_begin(r);
            system_set_text(r, "specific_catalog", database_of(r));
            system_set_text(r, "specific_schema", f->schema);
            system_set_text(r, "specific_name", specific);
            system_set_int(r, "ordinal_position", i + 1);
            system_set_string(r, "parameter_mode", "IN");
            set_yes(r, "is_result", false);
            system_set_text(r, "parameter_name",
                            f->argument_names ? f->argument_names[i] : (slice){NULL, 0});
            const struct sql_type_info *info = sql_type_info(f->arguments[i].oid);
            system_set_string(r, "data_type", info ? info->sql_name : "USER-DEFINED");
            failed = system_end(r);
        }
    return failed;
}

static int system_information_schema_catalog_name(struct system_rows *r) {
    system_text(r, database_of(r));
    return system_end(r);
}

static int system_enabled_roles(struct system_rows *r) {
    system_text(r, r->run->session->settings.user);
    return system_end(r);
}

static int privilege_rows(struct system_rows *r, const struct sql_table *t) {
    static const char *const privileges[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"};
    unsigned count = t->kind == SQL_TABLE_STORED   ? array_count(privileges)
                     : t->kind == SQL_TABLE_STREAM ? 2
                                                   : 1;
    int failed = 0;
    for (unsigned i = 0; !failed && i < count; i++) {
        system_begin(r);
        system_set_text(r, "grantor", r->run->session->settings.user);
        system_set_text(r, "grantee", r->run->session->settings.user);
        set_table(r, t);
        system_set_string(r, "privilege_type", privileges[i]);
        set_yes(r, "is_grantable", false);
        set_yes(r, "with_hierarchy", i == 0);
        failed = system_end(r);
    }
    return failed;
}

static int system_table_privileges(struct system_rows *r) {
    return each_table(r, privilege_rows);
}

/* clang-format off */
const struct system_table system_tables_information[] = {
    {"information_schema", "applicable_roles", 13236,
     "grantee name, role_name name, is_grantable varchar",
     NULL},
    {"information_schema", "character_sets", 13250,
     "character_set_catalog name, character_set_schema name, character_set_name name, "
     "character_repertoire name, form_of_use name, default_collate_catalog name, "
     "default_collate_schema name, default_collate_name name",
     NULL},
    {"information_schema", "check_constraints", 13260,
     "constraint_catalog name, constraint_schema name, constraint_name name, check_clause "
     "varchar",
     system_check_constraints},
    {"information_schema", "collations", 13265,
     "collation_catalog name, collation_schema name, collation_name name, pad_attribute "
     "varchar",
     NULL},
    {"information_schema", "column_privileges", 13285,
     "grantor name, grantee name, table_catalog name, table_schema name, table_name name, "
     "column_name name, privilege_type varchar, is_grantable varchar",
     NULL},
    {"information_schema", "columns", 13295,
     "table_catalog name, table_schema name, table_name name, column_name name, "
     "ordinal_position int4, column_default varchar, is_nullable varchar, data_type "
     "varchar, character_maximum_length int4, character_octet_length int4, "
     "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
     "datetime_precision int4, interval_type varchar, interval_precision int4, "
     "character_set_catalog name, character_set_schema name, character_set_name name, "
     "collation_catalog name, collation_schema name, collation_name name, domain_catalog "
     "name, domain_schema name, domain_name name, udt_catalog name, udt_schema name, "
     "udt_name name, scope_catalog name, scope_schema name, scope_name name, "
     "maximum_cardinality int4, dtd_identifier name, is_self_referencing varchar, "
     "is_identity varchar, identity_generation varchar, identity_start varchar, "
     "identity_increment varchar, identity_maximum varchar, identity_minimum varchar, "
     "identity_cycle varchar, is_generated varchar, generation_expression varchar, "
     "is_updatable varchar",
     system_columns},
    {"information_schema", "constraint_column_usage", 13300,
     "table_catalog name, table_schema name, table_name name, column_name name, "
     "constraint_catalog name, constraint_schema name, constraint_name name",
     system_constraint_column_usage},
    {"information_schema", "constraint_table_usage", 13305,
     "table_catalog name, table_schema name, table_name name, constraint_catalog name, "
     "constraint_schema name, constraint_name name",
     system_constraint_table_usage},
    {"information_schema", "domain_constraints", 13310,
     "constraint_catalog name, constraint_schema name, constraint_name name, "
     "domain_catalog name, domain_schema name, domain_name name, is_deferrable varchar, "
     "initially_deferred varchar",
     NULL},
    {"information_schema", "domains", 13320,
     "domain_catalog name, domain_schema name, domain_name name, data_type varchar, "
     "character_maximum_length int4, character_octet_length int4, character_set_catalog "
     "name, character_set_schema name, character_set_name name, collation_catalog name, "
     "collation_schema name, collation_name name, numeric_precision int4, "
     "numeric_precision_radix int4, numeric_scale int4, datetime_precision int4, "
     "interval_type varchar, interval_precision int4, domain_default varchar, udt_catalog "
     "name, udt_schema name, udt_name name, scope_catalog name, scope_schema name, "
     "scope_name name, maximum_cardinality int4, dtd_identifier name",
     NULL},
    {"information_schema", "element_types", 13493,
     "object_catalog name, object_schema name, object_name name, object_type varchar, "
     "collection_type_identifier name, data_type varchar, character_maximum_length int4, "
     "character_octet_length int4, character_set_catalog name, character_set_schema name, "
     "character_set_name name, collation_catalog name, collation_schema name, "
     "collation_name name, numeric_precision int4, numeric_precision_radix int4, "
     "numeric_scale int4, datetime_precision int4, interval_type varchar, "
     "interval_precision int4, domain_default varchar, udt_catalog name, udt_schema name, "
     "udt_name name, scope_catalog name, scope_schema name, scope_name name, "
     "maximum_cardinality int4, dtd_identifier name",
     NULL},
    {"information_schema", "enabled_roles", 13325,
     "role_name name",
     system_enabled_roles},
    {"information_schema", "information_schema_catalog_name", 13227,
     "catalog_name name",
     system_information_schema_catalog_name},
    {"information_schema", "key_column_usage", 13329,
     "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog "
     "name, table_schema name, table_name name, column_name name, ordinal_position int4, "
     "position_in_unique_constraint int4",
     system_key_column_usage},
    {"information_schema", "parameters", 13334,
     "specific_catalog name, specific_schema name, specific_name name, ordinal_position "
     "int4, parameter_mode varchar, is_result varchar, as_locator varchar, parameter_name "
     "name, data_type varchar, character_maximum_length int4, character_octet_length int4, "
     "character_set_catalog name, character_set_schema name, character_set_name name, "
     "collation_catalog name, collation_schema name, collation_name name, "
     "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
     "datetime_precision int4, interval_type varchar, interval_precision int4, udt_catalog "
     "name, udt_schema name, udt_name name, scope_catalog name, scope_schema name, "
     "scope_name name, maximum_cardinality int4, dtd_identifier name, parameter_default "
     "varchar",
     system_parameters},
    {"information_schema", "referential_constraints", 13339,
     "constraint_catalog name, constraint_schema name, constraint_name name, "
     "unique_constraint_catalog name, unique_constraint_schema name, "
     "unique_constraint_name name, match_option varchar, update_rule varchar, delete_rule "
     "varchar",
     NULL},
    {"information_schema", "role_table_grants", 13421,
     "grantor name, grantee name, table_catalog name, table_schema name, table_name name, "
     "privilege_type varchar, is_grantable varchar, with_hierarchy varchar",
     system_table_privileges},
    {"information_schema", "routines", 13377,
     "specific_catalog name, specific_schema name, specific_name name, routine_catalog "
     "name, routine_schema name, routine_name name, routine_type varchar, module_catalog "
     "name, module_schema name, module_name name, udt_catalog name, udt_schema name, "
     "udt_name name, data_type varchar, character_maximum_length int4, "
     "character_octet_length int4, character_set_catalog name, character_set_schema name, "
     "character_set_name name, collation_catalog name, collation_schema name, "
     "collation_name name, numeric_precision int4, numeric_precision_radix int4, "
     "numeric_scale int4, datetime_precision int4, interval_type varchar, "
     "interval_precision int4, type_udt_catalog name, type_udt_schema name, type_udt_name "
     "name, scope_catalog name, scope_schema name, scope_name name, maximum_cardinality "
     "int4, dtd_identifier name, routine_body varchar, routine_definition varchar, "
     "external_name varchar, external_language varchar, parameter_style varchar, "
     "is_deterministic varchar, sql_data_access varchar, is_null_call varchar, sql_path "
     "varchar, schema_level_routine varchar, max_dynamic_result_sets int4, "
     "is_user_defined_cast varchar, is_implicitly_invocable varchar, security_type "
     "varchar, to_sql_specific_catalog name, to_sql_specific_schema name, "
     "to_sql_specific_name name, as_locator varchar, created timestamptz, last_altered "
     "timestamptz, new_savepoint_level varchar, is_udt_dependent varchar, "
     "result_cast_from_data_type varchar, result_cast_as_locator varchar, "
     "result_cast_char_max_length int4, result_cast_char_octet_length int4, "
     "result_cast_char_set_catalog name, result_cast_char_set_schema name, "
     "result_cast_char_set_name name, result_cast_collation_catalog name, "
     "result_cast_collation_schema name, result_cast_collation_name name, "
     "result_cast_numeric_precision int4, result_cast_numeric_precision_radix int4, "
     "result_cast_numeric_scale int4, result_cast_datetime_precision int4, "
     "result_cast_interval_type varchar, result_cast_interval_precision int4, "
     "result_cast_type_udt_catalog name, result_cast_type_udt_schema name, "
     "result_cast_type_udt_name name, result_cast_scope_catalog name, "
     "result_cast_scope_schema name, result_cast_scope_name name, "
     "result_cast_maximum_cardinality int4, result_cast_dtd_identifier name",
     system_routines},
    {"information_schema", "schemata", 13382,
     "catalog_name name, schema_name name, schema_owner name, "
     "default_character_set_catalog name, default_character_set_schema name, "
     "default_character_set_name name, sql_path varchar",
     system_schemata},
    {"information_schema", "sequences", 13386,
     "sequence_catalog name, sequence_schema name, sequence_name name, data_type varchar, "
     "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
     "start_value varchar, minimum_value varchar, maximum_value varchar, increment "
     "varchar, cycle_option varchar",
     NULL},
    {"information_schema", "table_constraints", 13411,
     "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog "
     "name, table_schema name, table_name name, constraint_type varchar, is_deferrable "
     "varchar, initially_deferred varchar, enforced varchar, nulls_distinct varchar",
     system_table_constraints},
    {"information_schema", "table_privileges", 13416,
     "grantor name, grantee name, table_catalog name, table_schema name, table_name name, "
     "privilege_type varchar, is_grantable varchar, with_hierarchy varchar",
     system_table_privileges},
    {"information_schema", "tables", 13425,
     "table_catalog name, table_schema name, table_name name, table_type varchar, "
     "self_referencing_column_name name, reference_generation varchar, "
     "user_defined_type_catalog name, user_defined_type_schema name, "
     "user_defined_type_name name, is_insertable_into varchar, is_typed varchar, "
     "commit_action varchar",
     system_tables},
    {"information_schema", "triggers", 13440,
     "trigger_catalog name, trigger_schema name, trigger_name name, event_manipulation "
     "varchar, event_object_catalog name, event_object_schema name, event_object_table "
     "name, action_order int4, action_condition varchar, action_statement varchar, "
     "action_orientation varchar, action_timing varchar, action_reference_old_table name, "
     "action_reference_new_table name, action_reference_old_row name, "
     "action_reference_new_row name, created timestamptz",
     NULL},
    {"information_schema", "view_column_usage", 13468,
     "view_catalog name, view_schema name, view_name name, table_catalog name, "
     "table_schema name, table_name name, column_name name",
     NULL},
    {"information_schema", "view_table_usage", 13478,
     "view_catalog name, view_schema name, view_name name, table_catalog name, "
     "table_schema name, table_name name",
     NULL},
    {"information_schema", "views", 13483,
     "table_catalog name, table_schema name, table_name name, view_definition varchar, "
     "check_option varchar, is_updatable varchar, is_insertable_into varchar, "
     "is_trigger_updatable varchar, is_trigger_deletable varchar, "
     "is_trigger_insertable_into varchar",
     system_views},
    {NULL, NULL, 0, NULL, NULL}};
/* clang-format on */
