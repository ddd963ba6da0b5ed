/*
 * system_pg_relation.c - tables, views, indexes, their columns, defaults and constraints, as
 * pg_class and what hangs on it tell them.
 *
 * A stream's table is an ordinary one ('r'): tools list it among the tables. A table has no row
 * type, no file and no TOAST table; sizes are functions' (sql/catalog_functions.c).
 */
#include "rooms/stream/system_pg.h"

#include <errno.h>

static const char *kind_of(const struct sql_table *t) {
    if (system_is_view(t))
        return "v";
    return t->kind == SQL_TABLE_MATERIALIZED ? "m" : "r";
}

static int options_of(struct system_rows *r, const struct sql_table *t) {
    if (!t->options)
        return 0;
    union sql_cell *cells = arena_zalloc(r->memory, t->options, sizeof *cells);
    if (!cells)
        return -ENOMEM;
    for (unsigned i = 0; i < t->options; i++)
        if (arena_printf(r->memory, &cells[i].text, "%.*s=%.*s", slice_fmt(t->option[i].name),
                         slice_fmt(t->option[i].value)) < 0)
            return -ENOMEM;
    return system_set_array(r, "reloptions", t->options, cells, 1);
}

static int class_row(struct system_rows *r, const struct sql_table *t) {
    bool stored = kind_of(t)[0] != 'v';
    const struct relation *rows = relation_of(t);
    system_begin(r);
    system_set_int(r, "oid", t->oid);
    system_set_text(r, "relname", t->name);
    system_set_int(r, "relnamespace", sql_schema_oid(t->schema));
    system_set_int(r, "relowner", SQL_OWNER_OID);
    system_set_int(r, "relam", stored ? SQL_HEAP_OID : 0);
    system_set_int(r, "relfilenode", stored ? t->oid : 0);
    system_set_float(r, "reltuples", rows ? (double)relation_stats(rows).rows : -1);
    system_set_int(r, "relhasindex", t->indexes > 0);
    system_set_string(r, "relpersistence", "p");
    system_set_string(r, "relkind", kind_of(t));
    system_set_int(r, "relnatts", t->columns);
    system_set_int(r, "relchecks", t->checks);
    system_set_int(r, "relhasrules", kind_of(t)[0] == 'v');
    system_set_int(r, "relispopulated", 1);
    system_set_string(r, "relreplident", stored ? "d" : "n");
    int failed = options_of(r, t);
    return failed ? failed : system_end(r);
}

static int index_class_row(struct system_rows *r, const struct sql_table *t,
                           const struct sql_table_index *index) {
    system_begin(r);
    system_set_int(r, "oid", index->oid);
    system_set_text(r, "relname", index->name);
    system_set_int(r, "relnamespace", sql_schema_oid(t->schema));
    system_set_int(r, "relowner", SQL_OWNER_OID);
    system_set_int(r, "relam", SQL_BTREE_OID);
    system_set_int(r, "relfilenode", index->oid);
    system_set_string(r, "relpersistence", "p");
    system_set_string(r, "relkind", "i");
    system_set_int(r, "relnatts", index->columns);
    system_set_int(r, "relispopulated", 1);
    system_set_string(r, "relreplident", "n");
    return system_end(r);
}

static int class_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = class_row(r, t);
    for (unsigned i = 0; !failed && i < t->indexes; i++)
        failed = index_class_row(r, t, &t->index[i]);
    return failed;
}

int system_pg_class(struct system_rows *r) {
    return system_each_table(r, class_rows);
}

static bool has_default(const struct sql_table_column *c) {
    return c->default_text.ptr && c->generated != SQL_IDENTITY &&
           c->generated != SQL_IDENTITY_BY_DEFAULT;
}

/* A column of table or index OID, as its NUMBER-th. */
static int attribute_row(struct system_rows *r, uint32_t oid, const struct sql_table_column *c,
                         unsigned number, bool of_index) {
    static const char *const identity[] = {[SQL_PLAIN] = "",
                                           [SQL_IDENTITY] = "a",
                                           [SQL_IDENTITY_BY_DEFAULT] = "d",
                                           [SQL_STORED_EXPRESSION] = ""};
    const struct sql_type_info *info = sql_type_info(c->type.oid);
    slice name = c->name;
    if (c->dropped && arena_printf(r->memory, &name, "........pg.dropped.%u........", number) < 0)
        return -ENOMEM;
    system_begin(r);
    system_set_int(r, "attrelid", oid);
    system_set_text(r, "attname", name);
    system_set_int(r, "atttypid", c->dropped ? 0 : c->type.oid);
    system_set_int(r, "attstattarget", -1);
    system_set_int(r, "attlen", info ? info->length : 4);
    system_set_int(r, "attnum", number);
    system_set_int(r, "attndims", sql_element_of(c->type.oid) != 0);
    system_set_int(r, "attcacheoff", -1);
    system_set_int(r, "atttypmod", c->type.typmod);
    system_set_int(r, "attbyval", info && info->length > 0 && info->length <= 8);
    system_set_string(r, "attalign", info && info->length == 8 ? "d" : "i");
    system_set_string(r, "attstorage", sql_storage_of(c->type.oid));
    if (!of_index) {
        system_set_int(r, "attnotnull", c->not_null);
        system_set_int(r, "atthasdef", has_default(c));
        system_set_string(r, "attidentity", identity[c->generated]);
        system_set_string(r, "attgenerated", c->generated == SQL_STORED_EXPRESSION ? "s" : "");
    }
    system_set_int(r, "attisdropped", c->dropped);
    system_set_int(r, "attislocal", 1);
    system_set_int(r, "attcollation", sql_collation_of(c->type.oid));
    return system_end(r);
}

static int attribute_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->columns; i++)
        failed = attribute_row(r, t->oid, &t->column[i], i + 1, false);
    for (unsigned n = 0; !failed && n < t->indexes; n++)
        for (unsigned i = 0; !failed && i < t->index[n].columns; i++)
            failed =
                attribute_row(r, t->index[n].oid, &t->column[t->index[n].column[i]], i + 1, true);
    return failed;
}

int system_pg_attribute(struct system_rows *r) {
    return system_each_table(r, attribute_rows);
}

static int attrdef_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->columns; i++) {
        if (!has_default(&t->column[i]))
            continue;
        system_begin(r);
        system_set_int(r, "oid", sql_derived_oid(t->oid, SQL_DERIVED_DEFAULT, i + 1));
        system_set_int(r, "adrelid", t->oid);
        system_set_int(r, "adnum", i + 1);
        system_set_text(r, "adbin", t->column[i].default_text);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_attrdef(struct system_rows *r) {
    return system_each_table(r, attrdef_rows);
}

/* The numbers of INDEX's columns, from 1, as column NAME. */
static int set_key(struct system_rows *r, const char *name, const struct sql_table_index *index,
                   int32_t lower) {
    union sql_cell *cells = arena_zalloc(r->memory, index->columns + 1u, sizeof *cells);
    if (!cells)
        return -ENOMEM;
    for (unsigned i = 0; i < index->columns; i++)
        cells[i].i = index->column[i] + 1;
    return system_set_array(r, name, index->columns, cells, lower);
}

static int index_row(struct system_rows *r, const struct sql_table *t,
                     const struct sql_table_index *index) {
    union sql_cell *zeros = arena_zalloc(r->memory, index->columns + 1u, sizeof *zeros);
    union sql_cell *collations = arena_zalloc(r->memory, index->columns + 1u, sizeof *collations);
    if (!zeros || !collations)
        return -ENOMEM;
    for (unsigned i = 0; i < index->columns; i++)
        collations[i].i = sql_collation_of(t->column[index->column[i]].type.oid);
    system_begin(r);
    system_set_int(r, "indexrelid", index->oid);
    system_set_int(r, "indrelid", t->oid);
    system_set_int(r, "indnatts", index->columns);
    system_set_int(r, "indnkeyatts", index->columns);
    system_set_int(r, "indisunique", index->unique);
    system_set_int(r, "indisprimary", index->primary);
    system_set_int(r, "indimmediate", 1);
    system_set_int(r, "indisvalid", 1);
    system_set_int(r, "indisready", 1);
    system_set_int(r, "indislive", 1);
    int failed = set_key(r, "indkey", index, 0);
    failed = failed ? failed : system_set_array(r, "indcollation", index->columns, collations, 0);
    failed = failed ? failed : system_set_array(r, "indclass", index->columns, zeros, 0);
    failed = failed ? failed : system_set_array(r, "indoption", index->columns, zeros, 0);
    return failed ? failed : system_end(r);
}

static int index_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->indexes; i++)
        failed = index_row(r, t, &t->index[i]);
    return failed;
}

int system_pg_index(struct system_rows *r) {
    return system_each_table(r, index_rows);
}

static void constraint_begin(struct system_rows *r, const struct sql_table *t, uint32_t oid,
                             slice name, const char *type) {
    system_begin(r);
    system_set_int(r, "oid", oid);
    system_set_text(r, "conname", name);
    system_set_int(r, "connamespace", sql_schema_oid(t->schema));
    system_set_string(r, "contype", type);
    system_set_int(r, "convalidated", 1);
    system_set_int(r, "conrelid", t->oid);
}

static int constraint_rows(struct system_rows *r, const struct sql_table *t) {
    int failed = 0;
    for (unsigned i = 0; !failed && i < t->indexes; i++) {
        const struct sql_table_index *index = &t->index[i];
        if (!index->primary && !index->unique)
            continue;
        constraint_begin(r, t, index->oid, index->name, index->primary ? "p" : "u");
        system_set_int(r, "conindid", index->oid);
        system_set_string(r, "confupdtype", " ");
        system_set_string(r, "confdeltype", " ");
        system_set_string(r, "confmatchtype", " ");
        system_set_int(r, "conislocal", 1);
        system_set_int(r, "connoinherit", 1);
        failed = set_key(r, "conkey", index, 1);
        failed = failed ? failed : system_end(r);
    }
    for (unsigned i = 0; !failed && i < t->checks; i++) {
        constraint_begin(r, t, sql_derived_oid(t->oid, SQL_DERIVED_CHECK, i), t->check[i].name,
                         "c");
        system_set_int(r, "conislocal", 1);
        system_set_text(r, "conbin", t->check[i].text);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_constraint(struct system_rows *r) {
    return system_each_table(r, constraint_rows);
}

static int description_row(struct system_rows *r, const struct sql_table *t) {
    if (!t->comment.ptr)
        return 0;
    system_int(r, t->oid);
    system_int(r, SQL_CLASS_RELATION);
    system_int(r, 0);
    system_text(r, t->comment);
    return system_end(r);
}

int system_pg_description(struct system_rows *r) {
    return system_each_table(r, description_row);
}
