/*
 * any_functions.c - functions of values of any type: how many are NULL, and the labels of an enum.
 *
 * The enum functions ask only what type their argument has: enum_range(NULL::color) is the usual
 * way to call them.
 */
#include "sql/catalog.h"
#include "sql/text/give.h"

#include <errno.h>

static int num_nulls(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = 0;
    for (unsigned i = 0; i < call->count; i++)
        ret->i += text_null(call, i);
    return 0;
}

static int num_nonnulls(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)num_nulls(call, a, ret);
    ret->i = call->count - ret->i;
    return 0;
}

/* The type's labels, numbered from 0 in their order; 0 and call->error filled: there are none. */
static unsigned labels_of(struct sql_call *call) {
    const struct sql_catalog *catalog = call->settings ? call->settings->catalog : NULL;
    const struct sql_enum *e =
        catalog ? sql_catalog_enum_by_oid(catalog, call->types[0].oid) : NULL;
    slice name = e ? e->name : slice_lit("");
    unsigned labels = e ? e->labels : 0;
    if (!labels)
        (void)sql_fail(call->error, "55000", "enum %.*s contains no values", slice_fmt(name));
    return labels;
}

static int enum_first(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = 0;
    return labels_of(call) ? 0 : -EINVAL;
}

static int enum_last(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    unsigned labels = labels_of(call);
    ret->i = labels ? labels - 1 : 0;
    return labels ? 0 : -EINVAL;
}

/* The labels FROM to TO, both included. */
static int give_range(struct sql_call *call, int64_t from, int64_t to, union sql_cell *ret) {
    struct text_array array;
    size_t count = to >= from ? (size_t)(to - from + 1) : 0;
    int r = text_array_make(call, call->types[0].oid, count, &array);
    for (size_t i = 0; r == 0 && i < count; i++)
        array.cells[i].i = from + (int64_t)i;
    if (r == 0)
        ret->array = array.array;
    return r;
}

static int enum_range(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    unsigned labels = labels_of(call);
    return labels ? give_range(call, 0, (int64_t)labels - 1, ret) : -EINVAL;
}

/* A bound that is NULL is the first label, or the last. */
static int enum_range_between(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    unsigned labels = labels_of(call);
    return labels ? give_range(call, text_null(call, 0) ? 0 : a[0].i,
                               text_null(call, 1) ? (int64_t)labels - 1 : a[1].i, ret)
                  : -EINVAL;
}

#define COUNT_FLAGS (SQL_LENIENT | SQL_VARIADIC)

const struct sql_function sql_functions_any[] = {
    SQL_ROW_FLAGS("num_nulls", num_nulls, COUNT_FLAGS, SQL_INT4, SQL_ANY),
    SQL_ROW_FLAGS("num_nonnulls", num_nonnulls, COUNT_FLAGS, SQL_INT4, SQL_ANY),
    SQL_ROW_FLAGS("enum_first", enum_first, SQL_LENIENT, SQL_ANYENUM, SQL_ANYENUM),
    SQL_ROW_FLAGS("enum_last", enum_last, SQL_LENIENT, SQL_ANYENUM, SQL_ANYENUM),
    SQL_ROW_FLAGS("enum_range", enum_range, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYENUM),
    SQL_ROW_FLAGS("enum_range", enum_range_between, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYENUM,
                  SQL_ANYENUM),
    {.name = NULL},
};
