/*
 * gather.c - string_agg and array_agg: everything that came, in the order in which it came.
 *
 * The state is a text, or elements encoded one after the other. Neither can give a row back.
 * string_agg leaves NULLs out and puts a row's delimiter before its value, but for the first;
 * array_agg keeps NULLs, and of arrays makes an array of one dimension more.
 */
#include "sql/aggregate/held.h"

#include "sql/aggregate/aggregate.h"

#include <errno.h>

struct gathered {
    struct buf bytes;
    int64_t rows;
};

static struct gathered *begin(void *state) {
    struct gathered *g = state;
    if (g->bytes.max == 0)
        g->bytes = buf_make(SQL_TEXT_BYTES_MAX);
    return g;
}

static int told(struct sql_call *call, int failed) {
    if (failed == -ENOBUFS)
        return sql_fail(call->error, "54000", "the result of an aggregate is longer than %zu bytes",
                        SQL_TEXT_BYTES_MAX);
    return failed < 0 ? sql_fail_memory(call->error) : 0;
}

static void release(void *state) {
    buf_free(&((struct gathered *)state)->bytes);
}

static int save(const void *state, struct buf *out) {
    const struct gathered *g = state;
    int rc = save_bytes(out, &g->rows, sizeof g->rows);
    return rc < 0 ? rc : buf_append(out, buf_slice(&g->bytes));
}

static int load(void *state, slice bytes) {
    struct gathered *g = begin(state);
    int rc = load_bytes(&bytes, &g->rows, sizeof g->rows);
    return rc < 0 ? rc : buf_append(&g->bytes, bytes);
}

/* ---- string_agg ------------------------------------------------------------------------------ */

static int text_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    if (call->nulls && call->nulls[0])
        return 0;
    struct gathered *g = begin(state);
    int rc = 0;
    for (; rc == 0 && weight > 0; weight--) {
        if (g->rows++ > 0 && !(call->nulls && call->nulls[1]))
            rc = buf_append(&g->bytes, a[1].text);
        if (rc == 0)
            rc = buf_append(&g->bytes, a[0].text);
    }
    return told(call, rc);
}

static int text_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct gathered *g = state;
    call->null = g->rows == 0;
    if (call->null)
        return 0;
    return arena_copy(call->memory, buf_slice(&g->bytes), &ret->text) < 0
               ? sql_fail_memory(call->error)
               : 0;
}

/* ---- array_agg ------------------------------------------------------------------------------- */

static int element_add(struct sql_call *call, void *state, const union sql_cell *a,
                       int64_t weight) {
    struct gathered *g = begin(state);
    int rc = 0;
    for (; rc == 0 && weight > 0; weight--) {
        if (g->rows++ >= SQL_ARRAY_ELEMENTS_MAX)
            return sql_fail(call->error, "54000", "array size exceeds the maximum allowed (%u)",
                            SQL_ARRAY_ELEMENTS_MAX);
        rc = value_encode(call->types[0], &a[0], call->nulls && call->nulls[0], &g->bytes);
    }
    return told(call, rc);
}

static struct sql_array *array_of(struct sql_call *call, uint32_t element, size_t count,
                                  union sql_cell **ret_cells, uint8_t **ret_nulls) {
    struct sql_array *array = arena_zalloc(call->memory, 1, sizeof *array);
    *ret_cells = arena_zalloc(call->memory, count, sizeof **ret_cells);
    *ret_nulls = arena_zalloc(call->memory, count, 1);
    if (!array || !*ret_cells || !*ret_nulls) {
        (void)sql_fail_memory(call->error);
        return NULL;
    }
    *array = (struct sql_array){.element = element,
                                .dimensions = 1,
                                .count = (unsigned)count,
                                .lengths = {(int32_t)count},
                                .lower = {1},
                                .cells = *ret_cells,
                                .nulls = *ret_nulls};
    return array;
}

static int elements_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct gathered *g = state;
    call->null = g->rows == 0;
    if (call->null)
        return 0;
    union sql_cell *cells;
    uint8_t *nulls;
    struct sql_array *array = array_of(call, call->types[0].oid, (size_t)g->rows, &cells, &nulls);
    if (!array)
        return -ENOMEM;
    slice bytes; /* texts point into it: the state may go before the result does */
    if (arena_copy(call->memory, buf_slice(&g->bytes), &bytes) < 0)
        return sql_fail_memory(call->error);
    for (int64_t i = 0; i < g->rows; i++)
        if (value_decode(call->types[0], &bytes, call->memory, &cells[i], &nulls[i]) < 0)
            return sql_fail_memory(call->error);
    *ret = (union sql_cell){.array = array};
    return 0;
}

static int array_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    if (call->nulls && call->nulls[0])
        return sql_fail(call->error, "22004", "cannot accumulate null arrays");
    if (a[0].array->count == 0)
        return sql_fail(call->error, "2202E", "cannot accumulate empty arrays");
    if (a[0].array->dimensions == SQL_ARRAY_DIMENSIONS_MAX)
        return sql_fail(call->error, "54000",
                        "number of array dimensions (%u) exceeds the maximum allowed (%u)",
                        SQL_ARRAY_DIMENSIONS_MAX + 1, SQL_ARRAY_DIMENSIONS_MAX);
    return element_add(call, state, a, weight);
}

static bool same_shape(const struct sql_array *a, const struct sql_array *b) {
    return a->dimensions == b->dimensions &&
           memcmp(a->lengths, b->lengths, a->dimensions * sizeof a->lengths[0]) == 0;
}

/* The arrays one behind the other, under one dimension more. */
static int arrays_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    union sql_cell outer;
    int rc = elements_of(call, state, &outer);
    if (rc < 0 || call->null)
        return rc;
    const struct sql_array *first = outer.array->cells[0].array;
    size_t count = outer.array->count;
    if (count * first->count > SQL_ARRAY_ELEMENTS_MAX)
        return sql_fail(call->error, "54000", "array size exceeds the maximum allowed (%u)",
                        SQL_ARRAY_ELEMENTS_MAX);
    union sql_cell *cells;
    uint8_t *nulls;
    struct sql_array *array = array_of(call, first->element, count * first->count, &cells, &nulls);
    if (!array)
        return -ENOMEM;
    array->dimensions = first->dimensions + 1;
    array->lengths[0] = (int32_t)count;
    for (unsigned i = 0; i < first->dimensions; i++) {
        array->lengths[i + 1] = first->lengths[i];
        array->lower[i + 1] = first->lower[i];
    }
    for (size_t i = 0; i < count; i++) {
        const struct sql_array *inner = outer.array->cells[i].array;
        if (!same_shape(first, inner))
            return sql_fail(call->error, "2202E",
                            "cannot accumulate arrays of different dimensionality");
        memcpy(cells + i * inner->count, inner->cells, inner->count * sizeof *cells);
        if (inner->nulls)
            memcpy(nulls + i * inner->count, inner->nulls, inner->count);
    }
    *ret = (union sql_cell){.array = array};
    return 0;
}

#define GATHER(name_, result_type_, add_, result_, count_, ...)                                    \
    {                                                                                              \
        .name = (name_), .result = (result_type_), .count = (count_), .flags = SQL_LENIENT,        \
        .arguments = {__VA_ARGS__}, .state_bytes = sizeof(struct gathered), .add = (add_),         \
        .result_of = (result_), .release = release, .save = save, .load = load                     \
    }

const struct sql_aggregate sql_aggregates_gather[] = {
    GATHER("string_agg", SQL_TEXT, text_add, text_of, 2, SQL_TEXT, SQL_TEXT),
    GATHER("string_agg", SQL_BYTEA, text_add, text_of, 2, SQL_BYTEA, SQL_BYTEA),
    GATHER("array_agg", SQL_ANYARRAY, array_add, arrays_of, 1, SQL_ANYARRAY),
    GATHER("array_agg", SQL_ANYARRAY, element_add, elements_of, 1, SQL_ANYNONARRAY),
    {.name = NULL},
};
