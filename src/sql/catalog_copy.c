/*
 * catalog_copy.c - see catalog_copy.h: the copy of a table.
 *
 * Nothing of the copy points into the table, which may go first. What works on a catalog's own
 * lists is in catalog.c.
 */
#include "sql/catalog_copy.h"

#include <errno.h>

static int copy_columns(const struct sql_table *from, struct sql_table *to) {
    to->column = arena_zalloc(&to->memory, from->columns + 1u, sizeof *to->column);
    int r = to->column ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < from->columns; i++) {
        struct sql_table_column *c = &to->column[i];
        *c = from->column[i];
        r = arena_copy(&to->memory, c->name, &c->name);
        if (r == 0 && c->default_text.ptr)
            r = arena_copy(&to->memory, c->default_text, &c->default_text);
        if (r == 0 && c->path.ptr)
            r = arena_copy(&to->memory, c->path, &c->path);
    }
    return r;
}

static int copy_index(struct arena *memory, const struct sql_table_index *from,
                      struct sql_table_index *to) {
    *to = *from;
    to->column = arena_alloc(memory, (from->columns + 1u) * sizeof *to->column);
    if (!to->column)
        return -ENOMEM;
    for (unsigned i = 0; i < from->columns; i++)
        to->column[i] = from->column[i];
    return from->name.ptr ? arena_copy(memory, from->name, &to->name) : 0;
}

static int copy_indexes(const struct sql_table *from, struct sql_table *to) {
    to->index = arena_zalloc(&to->memory, from->indexes + 1u, sizeof *to->index);
    int r = to->index ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < from->indexes; i++)
        r = copy_index(&to->memory, &from->index[i], &to->index[i]);
    if (r == 0 && from->key) {
        to->key = arena_zalloc(&to->memory, 1, sizeof *to->key);
        r = to->key ? copy_index(&to->memory, from->key, to->key) : -ENOMEM;
    }
    return r;
}

static int copy_parts(const struct sql_table *from, struct sql_table *to) {
    to->check = arena_zalloc(&to->memory, from->checks + 1u, sizeof *to->check);
    to->option = arena_zalloc(&to->memory, from->options + 1u, sizeof *to->option);
    to->depends = arena_alloc(&to->memory, (from->depends_count + 1u) * sizeof *to->depends);
    int r = to->check && to->option && to->depends ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < from->depends_count; i++)
        to->depends[i] = from->depends[i];
    for (unsigned i = 0; r == 0 && i < from->checks; i++) {
        r = arena_copy(&to->memory, from->check[i].name, &to->check[i].name);
        if (r == 0)
            r = arena_copy(&to->memory, from->check[i].text, &to->check[i].text);
    }
    for (unsigned i = 0; r == 0 && i < from->options; i++) {
        r = arena_copy(&to->memory, from->option[i].name, &to->option[i].name);
        if (r == 0)
            r = arena_copy(&to->memory, from->option[i].value, &to->option[i].value);
    }
    return r;
}

static int copy_texts(struct sql_table *t) {
    slice *texts[] = {&t->schema, &t->name, &t->source, &t->definition, &t->comment};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < array_count(texts); i++)
        if (texts[i]->ptr)
            r = arena_copy(&t->memory, *texts[i], texts[i]);
    return r;
}

int sql_table_copy(const struct sql_table *t, struct sql_table **ret) {
    struct sql_table *copy = sql_table_new();
    if (!copy)
        return -ENOMEM;
    const struct arena memory = copy->memory;
    *copy = *t;
    copy->memory = memory;
    copy->references = 1;
    copy->host = NULL;
    copy->key = NULL;
    copy->found_by = (slice){NULL, 0};
    int r = copy_texts(copy);
    if (r == 0)
        r = copy_columns(t, copy);
    if (r == 0)
        r = copy_indexes(t, copy);
    if (r == 0)
        r = copy_parts(t, copy);
    if (r < 0) {
        sql_table_unref(copy);
        return r;
    }
    *ret = copy;
    return 0;
}
