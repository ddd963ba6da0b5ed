/*
 * function.c - the walk over all tables of functions, casts, aggregates and types (lists.h).
 *
 * A name is looked for once per call in a statement's text, and some thousand rows are passed in a
 * few microseconds by comparing first letters, so there is no index to build, keep or lock.
 */
#include "sql/lists.h"

#define LIST_ENTRY(name) name,
static const struct sql_function *const function_lists[] = {SQL_FUNCTION_LISTS(LIST_ENTRY) NULL};
static const struct sql_cast *const cast_lists[] = {SQL_CAST_LISTS(LIST_ENTRY) NULL};
static const struct sql_aggregate *const aggregate_lists[] = {SQL_AGGREGATE_LISTS(LIST_ENTRY) NULL};
static const struct sql_type_io *const type_io_lists[] = {SQL_TYPE_IO_LISTS(LIST_ENTRY) NULL};

static bool named(const char *row, slice name) {
    return row[0] == (name.len ? name.ptr[0] : '\0') && slice_equal(slice_str(row), name);
}

/* A cursor counts the rows passed, over all lists one after the other. */
const struct sql_function *sql_function_next(slice name, unsigned *cursor) {
    unsigned index = 0;
    for (unsigned list = 0; function_lists[list]; list++)
        for (const struct sql_function *f = function_lists[list]; f->name; f++, index++)
            if (index >= *cursor && named(f->name, name)) {
                *cursor = index + 1;
                return f;
            }
    *cursor = index;
    return NULL;
}

const struct sql_aggregate *sql_aggregate_next(slice name, unsigned *cursor) {
    unsigned index = 0;
    for (unsigned list = 0; aggregate_lists[list]; list++)
        for (const struct sql_aggregate *a = aggregate_lists[list]; a->name; a++, index++)
            if (index >= *cursor && named(a->name, name)) {
                *cursor = index + 1;
                return a;
            }
    *cursor = index;
    return NULL;
}

const struct sql_cast *sql_cast_find(uint32_t from, uint32_t to) {
    for (unsigned list = 0; cast_lists[list]; list++)
        for (const struct sql_cast *c = cast_lists[list]; c->from; c++)
            if (c->from == from && c->to == to)
                return c;
    return NULL;
}

const struct sql_function *sql_function_at(unsigned index) {
    for (unsigned list = 0; function_lists[list]; list++)
        for (const struct sql_function *f = function_lists[list]; f->name; f++)
            if (index-- == 0)
                return f;
    return NULL;
}

const struct sql_aggregate *sql_aggregate_at(unsigned index) {
    for (unsigned list = 0; aggregate_lists[list]; list++)
        for (const struct sql_aggregate *a = aggregate_lists[list]; a->name; a++)
            if (index-- == 0)
                return a;
    return NULL;
}

const struct sql_cast *sql_cast_at(unsigned index) {
    for (unsigned list = 0; cast_lists[list]; list++)
        for (const struct sql_cast *c = cast_lists[list]; c->from; c++)
            if (index-- == 0)
                return c;
    return NULL;
}

const struct sql_type_io *sql_type_io_find(uint32_t oid) {
    for (unsigned list = 0; type_io_lists[list]; list++)
        for (const struct sql_type_io *io = type_io_lists[list]; io->oid; io++)
            if (io->oid == oid)
                return io;
    return NULL;
}
