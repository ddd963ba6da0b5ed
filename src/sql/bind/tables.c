/* tables.c - see tables.h. */
#include "sql/bind/tables.h"

struct sql_table *bind_look_up_table(const struct sql_binder *b, slice schema, slice name) {
    return sql_catalog_table(b->catalog, schema.len ? schema : (slice){NULL, 0}, name);
}

struct sql_table *bind_find_table(struct sql_binder *b, slice schema, slice name, int location) {
    struct sql_table *t = bind_look_up_table(b, schema, name);
    return t ? t
             : bind_null(b, location, "42P01", "relation \"%.*s%s%.*s\" does not exist",
                         slice_fmt(schema), schema.len ? "." : "", slice_fmt(name));
}

int bind_look_up_column(const struct sql_table *table, slice name) {
    for (unsigned i = 0; i < table->columns; i++)
        if (!table->column[i].dropped && slice_equal(table->column[i].name, name))
            return (int)i;
    return -1;
}

int bind_target_column(struct sql_binder *b, const struct sql_table *table, slice name,
                       int location) {
    int column = bind_look_up_column(table, name);
    return column >= 0 ? column
                       : bind_error(b, location, "42703",
                                    "column \"%.*s\" of relation \"%.*s\" does not exist",
                                    slice_fmt(name), slice_fmt(table->name));
}

int bind_add_column_once(struct sql_binder *b, const struct sql_table *table, unsigned column,
                         int location, unsigned *columns, unsigned *count) {
    for (unsigned i = 0; i < *count; i++)
        if (columns[i] == column)
            return bind_error(b, location, "42701", "column \"%.*s\" specified more than once",
                              slice_fmt(table->column[column].name));
    columns[(*count)++] = column;
    return 0;
}
