/*
 * evaluate_value.c - the kinds of expression that take one row's values and give one.
 */
#include "sql/exec/node.h"

#include <errno.h>

#define TEXT_FORM_BYTES_MAX SQL_TEXT_BYTES_MAX

/* ---- casts -------------------------------------------------------------------------------- */

/* Through the text form: output of the one type, input of the other. */
static int value_by_text(const struct sql_call *call, struct sql_type from, struct sql_type to,
                         const union sql_cell *value, union sql_cell *ret) {
    if (from.oid == SQL_UNKNOWN || from.oid == SQL_TEXT || from.oid == SQL_VARCHAR ||
        from.oid == SQL_NAME)
        return sql_value_in(to, value->text, call->settings, call->memory, ret, call->error);
    _cleanup_buf_ struct buf text = buf_make(TEXT_FORM_BYTES_MAX);
    int r = sql_value_out(from, value, call->settings, &text);
    if (r == -ENOBUFS)
        return sql_fail(call->error, "54000", "the text form of a value is larger than %zu bytes",
                        TEXT_FORM_BYTES_MAX);
    if (r)
        return sql_fail_memory(call->error);
    slice copy;
    if (arena_copy(call->memory, buf_slice(&text), &copy))
        return sql_fail_memory(call->error);
    if (to.oid == SQL_TEXT) {
        ret->text = copy;
        return 0;
    }
    return sql_value_in(to, copy, call->settings, call->memory, ret, call->error);
}

/* The elements of an array, each as a value of its type is cast, into CELLS and NULLS. */
static int cast_elements(struct node *n, const struct sql_array *from, struct sql_type to,
                         union sql_cell *cells, uint8_t *nulls) {
    const struct sql_type own = sql_type_of(from->element);
    const struct sql_cast *cast = sql_cast_find(from->element, to.oid);
    const uint8_t no_null = 0;
    struct sql_call call = n->call;
    call.types = &own;
    call.count = 1;
    call.result = to;
    call.nulls = &no_null;
    for (unsigned i = 0; i < from->count; i++) {
        int r = 0;
        nulls[i] = from->nulls && from->nulls[i];
        call.null = false;
        if (nulls[i])
            continue;
        if (!cast)
            r = value_by_text(&call, own, to, &from->cells[i], &cells[i]);
        else if (cast->scalar)
            r = cast->scalar(&call, &from->cells[i], &cells[i]);
        else
            cells[i] = from->cells[i];
        if (r)
            return r;
        nulls[i] = call.null;
    }
    return 0;
}

static int cast_array(struct node *n, const struct sql_array *from, union sql_cell *ret) {
    const struct sql_type to = {sql_element_of(n->e->type.oid), n->e->type.typmod};
    struct sql_array *array = arena_zalloc(n->call.memory, 1, sizeof *array);
    union sql_cell *cells = arena_zalloc(n->call.memory, from->count + 1u, sizeof *cells);
    uint8_t *nulls = arena_zalloc(n->call.memory, from->count + 1u, 1);
    if (!array || !cells || !nulls)
        return sql_fail_memory(n->call.error);
    *array = *from;
    array->element = to.oid;
    array->cells = cells;
    array->nulls = nulls;
    ret->array = array;
    return cast_elements(n, from, to, cells, nulls);
}

int node_cast(struct node *n, struct arena *memory, union sql_cell *ret, bool *nulled,
              struct sql_error *error) {
    n->call.memory = memory;
    n->call.error = error;
    n->call.null = false;
    if (!n->e->cast && sql_element_of(n->call.types[0].oid) && sql_element_of(n->e->type.oid))
        return cast_array(n, n->arguments[0].array, ret);
    if (!n->e->cast)
        return value_by_text(&n->call, n->call.types[0], n->e->type, &n->arguments[0], ret);
    int r = n->e->cast->scalar(&n->call, n->arguments, ret);
    *nulled = n->call.null;
    return r;
}

/* ---- comparisons -------------------------------------------------------------------------- */

static bool is_null(const struct node *n) {
    if (n->nulls[0] || n->e->arguments[0]->type.oid != SQL_RECORD)
        return n->nulls[0];
    const struct sql_record *record = n->arguments[0].record;
    for (unsigned i = 0; i < record->count; i++) {
        if (!record->nulls[i])
            return false;
    }
    return true;
}

static bool is_distinct(const struct node *n) {
    if (n->nulls[0] || n->nulls[1])
        return n->nulls[0] != n->nulls[1];
    return !sql_value_equal(n->e->arguments[0]->type.oid, &n->arguments[0], &n->arguments[1]);
}

static void best_of(const struct node *n, int sign, union sql_cell *ret, bool *nulled) {
    *nulled = true;
    for (unsigned i = 0; i < n->count; i++) {
        if (n->nulls[i])
            continue;
        if (*nulled || sign * sql_value_compare(n->e->type.oid, &n->arguments[i], ret) > 0)
            *ret = n->arguments[i];
        *nulled = false;
    }
}

static void is_in(const struct node *n, union sql_cell *ret, bool *nulled) {
    uint32_t oid = n->e->arguments[0]->type.oid;
    ret->i = 0;
    *nulled = n->nulls[0] && n->count > 1;
    for (unsigned i = 1; i < n->count && !n->nulls[0]; i++) {
        if (n->nulls[i]) {
            *nulled = true;
        } else if (sql_value_equal(oid, &n->arguments[0], &n->arguments[i])) {
            ret->i = 1;
            *nulled = false;
            return;
        }
    }
}

/* One comparison of ANY or ALL. A function with a vector form only is called with a row of one. */
static int compare_once(struct node *n, const union sql_cell pair[2], const uint8_t nulls[2],
                        bool *ret_true, bool *ret_null) {
    const struct sql_function *f = n->e->function;
    union sql_cell result = {.i = 0};
    *ret_null = (nulls[0] || nulls[1]) && !(f->flags & SQL_LENIENT);
    if (*ret_null)
        return 0;
    int r;
    n->call.nulls = nulls;
    n->call.null = false;
    uint8_t nulled = 0;
    if (f->scalar) {
        r = f->scalar(&n->call, pair, &result);
    } else {
        struct sql_column columns[2] = {{&pair[0], &nulls[0], 0}, {&pair[1], &nulls[1], 0}};
        r = f->vector(&n->call, columns, 1, &result, &nulled);
    }
    *ret_null = n->call.null || nulled;
    *ret_true = result.i != 0;
    return r;
}

static int any_or_all(struct node *n, struct arena *memory, union sql_cell *ret, bool *nulled,
                      struct sql_error *error) {
    bool any = n->e->kind == SQL_EXPR_ANY;
    if (n->nulls[1]) {
        *nulled = true;
        return 0;
    }
    const struct sql_array *array = n->arguments[1].array;
    struct sql_type types[2] = {n->call.types[0], sql_type_of(array->element)};
    const struct sql_type *own = n->call.types;
    n->call.types = types;
    n->call.memory = memory;
    n->call.error = error;
    int r = 0;
    ret->i = !any;
    for (unsigned i = 0; r == 0 && i < array->count; i++) {
        union sql_cell pair[2] = {n->arguments[0], array->cells[i]};
        uint8_t nulls[2] = {n->nulls[0], array->nulls ? array->nulls[i] : 0};
        bool is_true = false, unknown = false;
        r = compare_once(n, pair, nulls, &is_true, &unknown);
        if (unknown) {
            *nulled = true;
        } else if (is_true == any) {
            ret->i = any;
            *nulled = false;
            break;
        }
    }
    n->call.types = own;
    n->call.nulls = n->nulls;
    return r;
}

/* ---- arrays and rows ---------------------------------------------------------------------- */

static int array_dimensions_fail(struct sql_error *error) {
    return sql_fail(error, "2202E",
                    "multidimensional arrays must have array expressions with matching dimensions");
}

/* The shape of an array of arrays: theirs with one dimension more in front. */
static int array_shape(const struct node *n, struct sql_array *a, struct sql_error *error) {
    const struct sql_array *first = n->nulls[0] ? NULL : n->arguments[0].array;
    unsigned empty = 0;
    for (unsigned i = 0; i < n->count; i++) {
        const struct sql_array *part = n->nulls[i] ? NULL : n->arguments[i].array;
        if (!part || part->dimensions == 0) {
            empty++;
            continue;
        }
        if (!first || first->dimensions != part->dimensions ||
            memcmp(first->lengths, part->lengths, part->dimensions * sizeof *part->lengths) != 0)
            return array_dimensions_fail(error);
    }
    if (empty == n->count)
        return 0;
    if (empty)
        return array_dimensions_fail(error);
    if (first->dimensions == SQL_ARRAY_DIMENSIONS_MAX)
        return sql_fail(error, "54000",
                        "number of array dimensions (%u) exceeds the maximum allowed (%u)",
                        first->dimensions + 1, SQL_ARRAY_DIMENSIONS_MAX);
    a->dimensions = first->dimensions + 1;
    a->lengths[0] = (int32_t)n->count;
    memcpy(&a->lengths[1], first->lengths, first->dimensions * sizeof *a->lengths);
    a->count = n->count * first->count;
    return 0;
}

static int make_array(const struct node *n, struct arena *memory, union sql_cell *ret,
                      struct sql_error *error) {
    struct sql_array *a = arena_zalloc(memory, 1, sizeof *a);
    if (!a)
        return sql_fail_memory(error);
    a->element = sql_element_of(n->e->type.oid);
    bool nested = n->count && n->e->arguments[0]->type.oid == n->e->type.oid;
    int r = 0;
    if (nested) {
        r = array_shape(n, a, error);
    } else if (n->count) {
        a->dimensions = 1;
        a->lengths[0] = (int32_t)n->count;
        a->count = n->count;
    }
    if (r)
        return r;
    for (unsigned i = 0; i < a->dimensions; i++)
        a->lower[i] = 1;
    union sql_cell *cells = arena_alloc(memory, (a->count + 1) * sizeof *cells);
    uint8_t *nulls = arena_zalloc(memory, a->count + 1, 1);
    if (!cells || !nulls)
        return sql_fail_memory(error);
    for (unsigned i = 0, at = 0; i < n->count && a->count; i++) {
        if (!nested) {
            cells[i] = n->arguments[i];
            nulls[i] = n->nulls[i];
            continue;
        }
        const struct sql_array *part = n->arguments[i].array;
        memcpy(&cells[at], part->cells, part->count * sizeof *cells);
        if (part->nulls)
            memcpy(&nulls[at], part->nulls, part->count);
        at += part->count;
    }
    a->cells = cells;
    a->nulls = nulls;
    ret->array = a;
    return 0;
}

static int make_row(const struct node *n, struct arena *memory, union sql_cell *ret,
                    struct sql_error *error) {
    struct sql_record *record = arena_alloc(memory, sizeof *record);
    union sql_cell *cells = arena_alloc(memory, (n->count + 1) * sizeof *cells);
    uint8_t *nulls = arena_alloc(memory, n->count + 1);
    if (!record || !cells || !nulls)
        return sql_fail_memory(error);
    if (n->count) {
        memcpy(cells, n->arguments, n->count * sizeof *cells);
        memcpy(nulls, n->nulls, n->count);
    }
    *record = (struct sql_record){n->count, n->call.types, cells, nulls, n->e->names};
    ret->record = record;
    return 0;
}

static void take_field(const struct node *n, union sql_cell *ret, bool *nulled) {
    const struct sql_record *record = n->nulls[0] ? NULL : n->arguments[0].record;
    *nulled = !record || n->e->index >= record->count || record->nulls[n->e->index];
    if (!*nulled)
        *ret = record->cells[n->e->index];
}

int node_value(struct node *n, struct arena *memory, union sql_cell *ret, bool *nulled,
               struct sql_error *error) {
    switch (n->e->kind) {
    case SQL_EXPR_NOT:
        *nulled = n->nulls[0];
        ret->i = !n->arguments[0].i;
        return 0;
    case SQL_EXPR_IS_NULL:
        ret->i = is_null(n);
        return 0;
    case SQL_EXPR_IS_TRUE:
        ret->i = !n->nulls[0] && n->arguments[0].i;
        return 0;
    case SQL_EXPR_IS_FALSE:
        ret->i = !n->nulls[0] && !n->arguments[0].i;
        return 0;
    case SQL_EXPR_DISTINCT:
        ret->i = is_distinct(n);
        return 0;
    case SQL_EXPR_GREATEST:
    case SQL_EXPR_LEAST:
        best_of(n, n->e->kind == SQL_EXPR_GREATEST ? 1 : -1, ret, nulled);
        return 0;
    case SQL_EXPR_IN:
        is_in(n, ret, nulled);
        return 0;
    case SQL_EXPR_ANY:
    case SQL_EXPR_ALL:
        return any_or_all(n, memory, ret, nulled, error);
    case SQL_EXPR_ARRAY:
        return make_array(n, memory, ret, error);
    case SQL_EXPR_ROW:
        return make_row(n, memory, ret, error);
    case SQL_EXPR_FIELD:
        take_field(n, ret, nulled);
        return 0;
    default:
        return sql_fail(error, "XX000", "expression of an unknown kind");
    }
}
