/*
 * system_pg_type.c - types, enums, functions, operators and casts: what the engine's own tables
 * (sql/type.h, sql/function.h) say, and what users made.
 *
 * A function has the number of its row, an operator too; PostgreSQL's own numbers are not kept. The
 * functions behind casts and types' text forms have no names here: their columns are 0 ("-").
 */
#include "rooms/stream/system_pg.h"

#include <errno.h>

struct type_row {
    uint32_t oid, schema, element, array;
    slice name;
    const char *type;
    char category;
    bool preferred;
    int16_t length;
};

static int put_type(struct system_rows *r, const struct type_row *t) {
    char category[2] = {t->category, 0};
    slice copy;
    if (arena_copy(r->memory, slice_str(category), &copy) < 0)
        return -ENOMEM;
    system_begin(r);
    system_set_int(r, "oid", t->oid);
    system_set_text(r, "typname", t->name);
    system_set_int(r, "typnamespace", t->schema);
    system_set_int(r, "typowner", SQL_OWNER_OID);
    system_set_int(r, "typlen", t->length);
    system_set_int(r, "typbyval", t->length > 0 && t->length <= 8);
    system_set_string(r, "typtype", t->type);
    system_set_text(r, "typcategory", copy);
    system_set_int(r, "typispreferred", t->preferred);
    system_set_int(r, "typisdefined", 1);
    system_set_string(r, "typdelim", ",");
    system_set_int(r, "typelem", t->element);
    system_set_int(r, "typarray", t->array);
    system_set_string(r, "typalign", t->length == 8 ? "d" : t->length == 1 ? "c" : "i");
    system_set_string(r, "typstorage", sql_storage_of(t->oid));
    system_set_int(r, "typtypmod", -1);
    system_set_int(r, "typcollation", sql_collation_of(t->oid));
    return system_end(r);
}

static int enum_types(struct system_rows *r, const struct sql_enum *e) {
    slice array_name;
    if (arena_printf(r->memory, &array_name, "_%.*s", slice_fmt(e->name)) < 0)
        return -ENOMEM;
    uint32_t schema = sql_schema_oid(e->schema);
    uint32_t array_oid = sql_array_of(e->oid);
    struct type_row own = {e->oid, schema, 0, array_oid, e->name, "e", 'E', false, 4};
    struct type_row array = {array_oid, schema, e->oid, 0, array_name, "b", 'A', false, -1};
    int failed = put_type(r, &own);
    return failed ? failed : put_type(r, &array);
}

int system_pg_type(struct system_rows *r) {
    const struct sql_type_info *info;
    int failed = 0;
    for (unsigned i = 0; !failed && (info = sql_type_at(i)); i++) {
        struct type_row row = {info->oid,
                               11,
                               info->element,
                               info->array,
                               slice_str(info->name),
                               info->category == 'P' ? "p" : "b",
                               info->category,
                               info->preferred,
                               info->length};
        failed = put_type(r, &row);
    }
    const struct sql_enum *e;
    unsigned cursor = 0;
    while (!failed && (e = sql_catalog_each_enum(r->catalog, &cursor)))
        failed = enum_types(r, e);
    return failed;
}

int system_pg_enum(struct system_rows *r) {
    const struct sql_enum *e;
    unsigned cursor = 0;
    int failed = 0;
    while (!failed && (e = sql_catalog_each_enum(r->catalog, &cursor)))
        for (unsigned i = 0; !failed && i < e->labels; i++) {
            system_begin(r);
            system_set_int(r, "oid", sql_derived_oid(e->oid, SQL_DERIVED_LABEL, i));
            system_set_int(r, "enumtypid", e->oid);
            system_set_float(r, "enumsortorder", i + 1);
            system_set_text(r, "enumlabel", e->label[i]);
            failed = system_end(r);
        }
    return failed;
}

struct proc_row {
    uint32_t oid, schema, result, language;
    slice name, source;
    const char *kind;
    unsigned count, defaults, flags;
    bool set;
    const uint32_t *arguments;
};

static int put_proc(struct system_rows *r, const struct proc_row *p) {
    union sql_cell cells[SQL_CALL_ARGUMENTS_MAX];
    for (unsigned i = 0; i < p->count; i++)
        cells[i].i = p->arguments[i];
    system_begin(r);
    system_set_int(r, "oid", p->oid);
    system_set_text(r, "proname", p->name);
    system_set_int(r, "pronamespace", p->schema);
    system_set_int(r, "proowner", SQL_OWNER_OID);
    system_set_int(r, "prolang", p->language);
    system_set_float(r, "procost", 1);
    system_set_float(r, "prorows", p->set ? 1000 : 0);
    system_set_string(r, "prokind", p->kind);
    system_set_int(r, "proisstrict", !(p->flags & SQL_LENIENT));
    system_set_int(r, "proretset", p->set);
    system_set_string(r, "provolatile",
                      p->flags & SQL_VOLATILE ? "v"
                      : p->flags & SQL_STABLE ? "s"
                                              : "i");
    system_set_string(r, "proparallel", "s");
    system_set_int(r, "pronargs", p->count);
    system_set_int(r, "pronargdefaults", p->defaults);
    system_set_int(r, "prorettype", p->result);
    int failed = system_set_array(r, "proargtypes", p->count, cells, 0);
    system_set_text(r, "prosrc", p->source);
    return failed ? failed : system_end(r);
}

static bool is_operator(const char *name) {
    return !((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_');
}

static int built_in_procs(struct system_rows *r) {
    const struct sql_function *f;
    const struct sql_aggregate *a;
    int failed = 0;
    unsigned i;
    for (i = 0; !failed && (f = sql_function_at(i)); i++) {
        struct proc_row row = {SQL_FUNCTION_FIRST_OID + i,
                               11,
                               f->result,
                               12,
                               slice_str(f->name),
                               slice_str(f->name),
                               "f",
                               f->count,
                               f->defaults,
                               f->flags,
                               f->set != NULL,
                               f->arguments};
        failed = is_operator(f->name) ? 0 : put_proc(r, &row);
    }
    for (unsigned n = 0; !failed && (a = sql_aggregate_at(n)); n++) {
        struct proc_row row = {SQL_FUNCTION_FIRST_OID + i + n,
                               11,
                               a->result,
                               12,
                               slice_str(a->name),
                               slice_str("aggregate_dummy"),
                               "a",
                               a->count,
                               0,
                               SQL_LENIENT,
                               false,
                               a->arguments};
        failed = put_proc(r, &row);
    }
    return failed;
}

int system_pg_proc(struct system_rows *r) {
    const struct sql_user_function *f;
    unsigned cursor = 0;
    int failed = built_in_procs(r);
    while (!failed && (f = sql_catalog_each_function(r->catalog, &cursor))) {
        uint32_t arguments[SQL_CALL_ARGUMENTS_MAX];
        unsigned count = f->count < SQL_CALL_ARGUMENTS_MAX ? f->count : SQL_CALL_ARGUMENTS_MAX;
        for (unsigned i = 0; i < count; i++)
            arguments[i] = f->arguments[i].oid;
        struct proc_row row = {f->oid,
                               sql_schema_oid(f->schema),
                               f->result.oid,
                               14,
                               f->name,
                               f->body,
                               "f",
                               count,
                               0,
                               SQL_VOLATILE | SQL_LENIENT,
                               false,
                               arguments};
        failed = put_proc(r, &row);
    }
    return failed;
}

int system_pg_operator(struct system_rows *r) {
    const struct sql_function *f;
    int failed = 0;
    for (unsigned i = 0; !failed && (f = sql_function_at(i)); i++) {
        if (!is_operator(f->name) || f->count < 1 || f->count > 2)
            continue;
        bool both = f->count == 2;
        system_begin(r);
        system_set_int(r, "oid", SQL_FUNCTION_FIRST_OID + i);
        system_set_string(r, "oprname", f->name);
        system_set_int(r, "oprnamespace", 11);
        system_set_int(r, "oprowner", SQL_OWNER_OID);
        system_set_string(r, "oprkind", both ? "b" : "l");
        system_set_int(r, "oprleft", both ? f->arguments[0] : 0);
        system_set_int(r, "oprright", f->arguments[both]);
        system_set_int(r, "oprresult", f->result);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_cast(struct system_rows *r) {
    static const char *const contexts[] = {
        [SQL_CAST_IMPLICIT] = "i", [SQL_CAST_ASSIGNMENT] = "a", [SQL_CAST_EXPLICIT] = "e"};
    const struct sql_cast *c;
    int failed = 0;
    for (unsigned i = 0; !failed && (c = sql_cast_at(i)); i++) {
        system_begin(r);
        system_set_int(r, "oid", SQL_FUNCTION_FIRST_OID + i);
        system_set_int(r, "castsource", c->from);
        system_set_int(r, "casttarget", c->to);
        system_set_string(r, "castcontext", contexts[c->context]);
        system_set_string(r, "castmethod", c->scalar ? "f" : "b");
        failed = system_end(r);
    }
    return failed;
}
