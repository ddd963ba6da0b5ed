/*
 * array.c - what is in an array: lengths, subscripts, slices, searching, comparing.
 *
 * Elements lie row by row; the element at subscripts s[0] … s[n-1] is
 *
 *      ((s[0] - lower[0]) * lengths[1] + s[1] - lower[1]) * lengths[2] + …
 *
 * Equality is that of the element's type, and NULL is like NULL where a function looks for an
 * element, unlike anything in @>, <@ and &&, as in PostgreSQL.
 *
 * array_subscript and array_slice are what the binder makes of a[1][2] and a[1:2]; a bound that is
 * left out comes as INT32_MIN or INT32_MAX.
 */
#include "sql/text/text_functions.h"

/* Dimension *D of the array, from 0. False: it has none. */
static bool dimension(const union sql_cell *a, unsigned *d) {
    if (a[1].i < 1 || a[1].i > (int64_t)a[0].array->dimensions)
        return false;
    *d = (unsigned)a[1].i - 1;
    return true;
}

static int array_length(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    unsigned d = 0;
    call->null = !dimension(a, &d);
    ret->i = a[0].array->lengths[d];
    return 0;
}

static int array_lower(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    unsigned d = 0;
    call->null = !dimension(a, &d);
    ret->i = a[0].array->lower[d];
    return 0;
}

static int array_upper(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    unsigned d = 0;
    call->null = !dimension(a, &d);
    ret->i = (int64_t)a[0].array->lower[d] + a[0].array->lengths[d] - 1;
    return 0;
}

static int array_ndims(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = a[0].array->dimensions == 0;
    ret->i = a[0].array->dimensions;
    return 0;
}

static int cardinality(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = a[0].array->count;
    return 0;
}

static int array_dims(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    call->null = array->dimensions == 0;
    for (unsigned d = 0; d < array->dimensions && !failed; d++)
        failed =
            buf_printf(&out, "[%d:%d]", array->lower[d], array->lower[d] + array->lengths[d] - 1);
    return text_give(call, failed, &out, ret);
}

/* NULL where a subscript lies outside, or there are not as many as dimensions. */
static int array_subscript(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    call->null = true;
    if (array->dimensions == 0 || array->dimensions != call->count - 1)
        return 0;
    int64_t at = 0;
    for (unsigned d = 0; d < array->dimensions; d++) {
        int64_t index = a[d + 1].i - array->lower[d];
        if (index < 0 || index >= array->lengths[d])
            return 0;
        at = at * array->lengths[d] + index;
    }
    call->null = text_element_null(array, (unsigned)at);
    if (!call->null)
        *ret = array->cells[at];
    return 0;
}

/* A box within an array: per dimension the first place from 0, and how many. */
struct box {
    int32_t first[SQL_ARRAY_DIMENSIONS_MAX], count[SQL_ARRAY_DIMENSIONS_MAX];
};

static int copy_box(struct sql_call *call, const struct sql_array *from, const struct box *box,
                    union sql_cell *ret) {
    size_t count = from->dimensions ? 1 : 0; /* an empty array has no dimension */
    for (unsigned d = 0; d < from->dimensions; d++)
        count *= (size_t)box->count[d];
    struct text_array out;
    int failed = text_array_make(call, from->element, count, &out);
    if (failed)
        return failed;
    int32_t place[SQL_ARRAY_DIMENSIONS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t at = 0;
        for (unsigned d = 0; d < from->dimensions; d++)
            at = at * from->lengths[d] + box->first[d] + place[d];
        out.cells[i] = from->cells[at];
        out.nulls[i] = text_element_null(from, (unsigned)at);
        for (unsigned d = from->dimensions; d-- > 0;) {
            if (++place[d] < box->count[d])
                break;
            place[d] = 0;
        }
    }
    out.array->dimensions = count ? from->dimensions : 0;
    for (unsigned d = 0; d < from->dimensions; d++) {
        out.array->lengths[d] = box->count[d];
        out.array->lower[d] = 1;
    }
    ret->array = out.array;
    return 0;
}

/* a[low:high][low:high]…; dimensions without a pair come whole. Empty where nothing is left. */
static int array_slice(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    struct box box = {.first = {0}};
    unsigned pairs = (call->count - 1) / 2;
    bool empty = array->dimensions == 0 || pairs > array->dimensions;
    for (unsigned d = 0; d < array->dimensions && !empty; d++) {
        int64_t first = array->lower[d], last = first + array->lengths[d] - 1;
        if (d < pairs) {
            first = a[1 + 2 * d].i > first ? a[1 + 2 * d].i : first;
            last = a[2 + 2 * d].i < last ? a[2 + 2 * d].i : last;
        }
        empty = last < first;
        box.first[d] = (int32_t)(first - array->lower[d]);
        box.count[d] = (int32_t)(empty ? 0 : last - first + 1);
    }
    if (empty)
        box.count[0] = 0;
    return copy_box(call, array, &box, ret);
}

static int trim_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    int32_t length = array->dimensions ? array->lengths[0] : 0;
    if (a[1].i < 0 || a[1].i > length)
        return sql_fail(call->error, "2202E", "number of elements to trim must be between 0 and %d",
                        length);
    struct box box = {.first = {0}};
    memcpy(box.count, array->lengths, sizeof box.count);
    box.count[0] = length - (int32_t)a[1].i;
    return copy_box(call, array, &box, ret);
}

static int check_flat(struct sql_call *call, const struct sql_array *a, const char *doing) {
    if (a->dimensions <= 1)
        return 0;
    return sql_fail(call->error, "0A000", "%s elements in multidimensional arrays is not supported",
                    doing);
}

static int array_position(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    call->null = text_null(call, 0);
    if (call->null)
        return 0;
    int failed = check_flat(call, array, "searching for");
    if (!failed && call->count > 2 && text_null(call, 2))
        failed = sql_fail(call->error, "22004", "initial position must not be null");
    if (failed)
        return failed;
    int64_t start = call->count > 2 ? a[2].i - array->lower[0] : 0;
    for (int64_t i = start < 0 ? 0 : start; i < (int64_t)array->count; i++)
        if (text_element_is(array, (unsigned)i, &a[1], text_null(call, 1))) {
            ret->i = array->lower[0] + i;
            return 0;
        }
    call->null = true;
    return 0;
}

static int array_positions(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    call->null = text_null(call, 0);
    if (call->null)
        return 0;
    struct text_array out;
    int failed = check_flat(call, array, "searching for");
    failed = failed ? failed : text_array_make(call, SQL_INT4, array->count, &out);
    if (failed)
        return failed;
    unsigned found = 0;
    for (unsigned i = 0; i < array->count; i++)
        if (text_element_is(array, i, &a[1], text_null(call, 1)))
            out.cells[found++].i = array->lower[0] + (int64_t)i;
    out.array->count = found;
    out.array->dimensions = found > 0;
    out.array->lengths[0] = (int32_t)found;
    ret->array = out.array;
    return 0;
}

/* Has WHOLE an element equal to element I of PART? NULL equals none. */
static bool has_element(const struct sql_array *whole, const struct sql_array *part, unsigned i) {
    for (unsigned j = 0; j < whole->count && !text_element_null(part, i); j++)
        if (!text_element_null(whole, j) &&
            sql_value_equal(whole->element, &whole->cells[j], &part->cells[i]))
            return true;
    return false;
}

static bool has_all(const struct sql_array *whole, const struct sql_array *part) {
    for (unsigned i = 0; i < part->count; i++)
        if (!has_element(whole, part, i))
            return false;
    return true;
}

static int contains(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = has_all(a[0].array, a[1].array);
    return 0;
}

static int contained(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = has_all(a[1].array, a[0].array);
    return 0;
}

static int overlaps(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = false;
    for (unsigned i = 0; i < a[1].array->count && !ret->i; i++)
        ret->i = has_element(a[0].array, a[1].array, i);
    return 0;
}

static int order_of(const struct sql_call *call, const union sql_cell *a) {
    return sql_value_compare(call->types[0].oid, &a[0], &a[1]);
}

static int equal(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) == 0;
    return 0;
}

static int not_equal(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) != 0;
    return 0;
}

static int less(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) < 0;
    return 0;
}

static int less_or_equal(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) <= 0;
    return 0;
}

static int greater(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) > 0;
    return 0;
}

static int greater_or_equal(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = order_of(call, a) >= 0;
    return 0;
}

#define ORDER_ROWS(type_)                                                                          \
    SQL_ROW("=", equal, SQL_BOOL, type_, type_), SQL_ROW("<>", not_equal, SQL_BOOL, type_, type_), \
        SQL_ROW("<", less, SQL_BOOL, type_, type_),                                                \
        SQL_ROW("<=", less_or_equal, SQL_BOOL, type_, type_),                                      \
        SQL_ROW(">", greater, SQL_BOOL, type_, type_),                                             \
        SQL_ROW(">=", greater_or_equal, SQL_BOOL, type_, type_)

const struct sql_function sql_functions_array[] = {
    SQL_ROW("array_length", array_length, SQL_INT4, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW("array_lower", array_lower, SQL_INT4, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW("array_upper", array_upper, SQL_INT4, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW("array_ndims", array_ndims, SQL_INT4, SQL_ANYARRAY),
    SQL_ROW("cardinality", cardinality, SQL_INT4, SQL_ANYARRAY),
    SQL_ROW("array_dims", array_dims, SQL_TEXT, SQL_ANYARRAY),
    SQL_ROW_FLAGS("array_subscript", array_subscript, SQL_VARIADIC, SQL_ANYELEMENT, SQL_ANYARRAY,
                  SQL_INT4),
    SQL_ROW_FLAGS("array_slice", array_slice, SQL_VARIADIC, SQL_ANYARRAY, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW("trim_array", trim_array, SQL_ANYARRAY, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW_FLAGS("array_position", array_position, SQL_LENIENT, SQL_INT4, SQL_ANYARRAY,
                  SQL_ANYELEMENT),
    SQL_ROW_FLAGS("array_position", array_position, SQL_LENIENT, SQL_INT4, SQL_ANYARRAY,
                  SQL_ANYELEMENT, SQL_INT4),
    SQL_ROW_FLAGS("array_positions", array_positions, SQL_LENIENT, SQL_INT4_ARRAY, SQL_ANYARRAY,
                  SQL_ANYELEMENT),
    SQL_ROW("@>", contains, SQL_BOOL, SQL_ANYARRAY, SQL_ANYARRAY),
    SQL_ROW("<@", contained, SQL_BOOL, SQL_ANYARRAY, SQL_ANYARRAY),
    SQL_ROW("&&", overlaps, SQL_BOOL, SQL_ANYARRAY, SQL_ANYARRAY),
    ORDER_ROWS(SQL_ANYARRAY),
    ORDER_ROWS(SQL_JSONB),
    {.name = NULL},
};
