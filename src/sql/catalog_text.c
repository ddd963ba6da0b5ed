/*
 * catalog_text.c - see catalog_text.h.
 *
 * An index says where its table is found and all of how it was made; a type is said as a column's
 * declaration would say it.
 */
#include "sql/catalog_text.h"

#include "sql/catalog_oid.h"
#include "sql/text/give.h"

static int qualified_name(slice schema, slice name, bool qualified, struct buf *out) {
    int failed = 0;
    if (qualified || !sql_schema_is_visible(schema)) {
        failed = text_put_name(schema, out);
        failed = failed ? failed : buf_append_byte(out, '.');
    }
    return failed ? failed : text_put_name(name, out);
}

int sql_table_name_text(const struct sql_table *t, bool qualified, struct buf *out) {
    return qualified_name(t->schema, t->name, qualified, out);
}

int sql_index_columns_text(const struct sql_table *t, const struct sql_table_index *index,
                           struct buf *out) {
    int failed = buf_append_byte(out, '(');
    for (unsigned i = 0; !failed && i < index->columns; i++) {
        failed = i ? buf_append(out, slice_lit(", ")) : 0;
        failed = failed ? failed : text_put_name(t->column[index->column[i]].name, out);
    }
    return failed ? failed : buf_append_byte(out, ')');
}

int sql_index_text(const struct sql_table *t, const struct sql_table_index *index,
                   struct buf *out) {
    int failed =
        buf_printf(out, "CREATE %sINDEX ", index->unique || index->primary ? "UNIQUE " : "");
    failed = failed ? failed : text_put_name(index->name, out);
    failed = failed ? failed : buf_append(out, slice_lit(" ON "));
    failed = failed ? failed : sql_table_name_text(t, true, out);
    failed = failed ? failed : buf_append(out, slice_lit(" USING btree "));
    return failed ? failed : sql_index_columns_text(t, index, out);
}

static const struct sql_enum *enum_of(const struct sql_catalog *catalog, uint32_t oid) {
    return catalog ? sql_catalog_enum_by_oid(catalog, oid) : NULL;
}

bool sql_type_is_known(const struct sql_catalog *catalog, uint32_t oid) {
    return sql_type_info(oid) || enum_of(catalog, oid);
}

static int user_type_text(const struct sql_catalog *catalog, uint32_t oid, struct buf *out) {
    const struct sql_enum *e = enum_of(catalog, oid);
    if (!e)
        return buf_append(out, slice_lit("???"));
    int failed = qualified_name(e->schema, e->name, false, out);
    return failed || e->oid == oid ? failed : buf_append(out, slice_lit("[]"));
}

int sql_type_name_text(const struct sql_catalog *catalog, struct sql_type type, struct buf *out) {
    if (type.oid == 0)
        return buf_append_byte(out, '-');
    if (!sql_type_info(type.oid))
        return user_type_text(catalog, type.oid, out);
    char text[96];
    return buf_append(out, slice_str(sql_type_text(type, text, sizeof text)));
}
