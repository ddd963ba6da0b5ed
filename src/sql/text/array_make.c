/*
 * array_make.c - arrays made of arrays and texts: ||, array_append, array_remove, string_to_array.
 *
 * An array is never changed: a result has cells of its own, whose contents (texts, numbers) stay
 * where they are.
 */
#include "sql/text/text_functions.h"

#include <errno.h>

static void copy_cells(struct text_array *to, unsigned at, const struct sql_array *from) {
    for (unsigned i = 0; i < from->count; i++) {
        to->cells[at + i] = from->cells[i];
        to->nulls[at + i] = text_element_null(from, i);
    }
}

/* ARRAY (NULL: none) with one element more, before or behind. */
static int extend(struct sql_call *call, const struct sql_array *array, uint32_t type,
                  const union sql_cell *element, bool null, bool before, union sql_cell *ret) {
    static const struct sql_array none = {.dimensions = 0};
    array = array ? array : &none;
    if (array->dimensions > 1)
        return sql_fail(call->error, "22000", "argument must be empty or one-dimensional array");
    struct text_array out;
    int failed = text_array_make(call, sql_element_of(type), (size_t)array->count + 1, &out);
    if (failed)
        return failed;
    unsigned at = before ? 0 : array->count;
    copy_cells(&out, before, array);
    out.nulls[at] = null;
    if (!null)
        out.cells[at] = *element;
    if (array->dimensions)
        out.array->lower[0] = array->lower[0];
    ret->array = out.array;
    return 0;
}

static int array_append(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return extend(call, text_null(call, 0) ? NULL : a[0].array, call->types[0].oid, &a[1],
                  text_null(call, 1), false, ret);
}

static int array_prepend(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return extend(call, text_null(call, 1) ? NULL : a[1].array, call->types[1].oid, &a[0],
                  text_null(call, 0), true, ret);
}

static int fail_incompatible(struct sql_call *call, const struct sql_array *x,
                             const struct sql_array *y) {
    (void)sql_fail(call->error, "2202E", "cannot concatenate incompatible arrays");
    unsigned m = x->dimensions, n = y->dimensions;
    if (m > n + 1 || n > m + 1)
        sql_error_detail(call->error,
                         "Arrays of %u and %u dimensions are not compatible for concatenation.", m,
                         n);
    else
        sql_error_detail(call->error, m == n ? "Arrays with differing element dimensions are not "
                                               "compatible for concatenation."
                                             : "Arrays with differing dimensions are not "
                                               "compatible for concatenation.");
    return -EINVAL;
}

/* The lengths below the first dimension of WIDE are those of PART, from its dimension FROM on. */
static bool parts_fit(const struct sql_array *wide, const struct sql_array *part, unsigned from) {
    for (unsigned d = 1; d < wide->dimensions; d++)
        if (wide->lengths[d] != part->lengths[from + d - 1])
            return false;
    return true;
}

/* Both not empty. */
static int concatenate(struct sql_call *call, const struct sql_array *x, const struct sql_array *y,
                       union sql_cell *ret) {
    const struct sql_array *wide = y->dimensions > x->dimensions ? y : x;
    const struct sql_array *other = wide == x ? y : x;
    bool same = x->dimensions == y->dimensions;
    if ((!same && wide->dimensions != other->dimensions + 1) || !parts_fit(wide, other, same))
        return fail_incompatible(call, x, y);
    struct text_array out;
    int failed = text_array_make(call, x->element, (size_t)x->count + y->count, &out);
    if (failed)
        return failed;
    copy_cells(&out, 0, x);
    copy_cells(&out, x->count, y);
    out.array->dimensions = wide->dimensions;
    memcpy(out.array->lengths, wide->lengths, sizeof wide->lengths);
    memcpy(out.array->lower, same ? x->lower : wide->lower, sizeof wide->lower);
    out.array->lengths[0] = wide->lengths[0] + (same ? other->lengths[0] : 1);
    ret->array = out.array;
    return 0;
}

static int array_cat(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool first = text_null(call, 0), second = text_null(call, 1);
    call->null = first && second;
    if (call->null)
        return 0;
    if (first || second) {
        ret->array = a[first].array;
        return 0;
    }
    if (a[0].array->dimensions == 0 || a[1].array->dimensions == 0) {
        ret->array = a[a[0].array->dimensions == 0].array;
        return 0;
    }
    return concatenate(call, a[0].array, a[1].array, ret);
}

static int array_remove(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    call->null = text_null(call, 0);
    if (call->null)
        return 0;
    if (array->dimensions > 1)
        return sql_fail(call->error, "0A000",
                        "removing elements from multidimensional arrays is not supported");
    struct text_array out;
    int failed = text_array_make(call, array->element, array->count, &out);
    if (failed)
        return failed;
    unsigned kept = 0;
    for (unsigned i = 0; i < array->count; i++) {
        if (text_element_is(array, i, &a[1], text_null(call, 1)))
            continue;
        out.cells[kept] = array->cells[i];
        out.nulls[kept++] = text_element_null(array, i);
    }
    out.array->count = kept;
    out.array->dimensions = kept > 0;
    out.array->lengths[0] = (int32_t)kept;
    out.array->lower[0] = kept ? array->lower[0] : 1;
    ret->array = out.array;
    return 0;
}

static int array_replace(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[0].array;
    call->null = text_null(call, 0);
    if (call->null)
        return 0;
    struct text_array out;
    int failed = text_array_make(call, array->element, array->count, &out);
    if (failed)
        return failed;
    copy_cells(&out, 0, array);
    for (unsigned i = 0; i < array->count; i++)
        if (text_element_is(array, i, &a[1], text_null(call, 1))) {
            out.nulls[i] = text_null(call, 2);
            if (!out.nulls[i])
                out.cells[i] = a[2];
        }
    out.array->dimensions = array->dimensions;
    memcpy(out.array->lengths, array->lengths, sizeof array->lengths);
    memcpy(out.array->lower, array->lower, sizeof array->lower);
    ret->array = out.array;
    return 0;
}

static int check_lengths(struct sql_call *call, const struct sql_array *lengths, const char *what) {
    if (lengths->dimensions > 1) {
        (void)sql_fail(call->error, "2202E", "wrong number of array subscripts");
        sql_error_detail(call->error, "%s array must be one dimensional.", what);
        return -EINVAL;
    }
    for (unsigned i = 0; i < lengths->count; i++)
        if (text_element_null(lengths, i))
            return sql_fail(call->error, "22004", "dimension values cannot be null");
    if (lengths->count > SQL_ARRAY_DIMENSIONS_MAX)
        return sql_fail(call->error, "54000",
                        "number of array dimensions (%u) exceeds the maximum allowed (%u)",
                        lengths->count, SQL_ARRAY_DIMENSIONS_MAX);
    return 0;
}

static int array_fill(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (text_null(call, 1) || (call->count > 2 && text_null(call, 2)))
        return sql_fail(call->error, "22004", "dimension array or low bound array cannot be null");
    const struct sql_array *lengths = a[1].array, *lower = call->count > 2 ? a[2].array : NULL;
    int failed = check_lengths(call, lengths, "Dimension");
    failed = failed || !lower ? failed : check_lengths(call, lower, "Low bound");
    if (!failed && lower && lower->count != lengths->count) {
        failed = sql_fail(call->error, "2202E", "wrong number of array subscripts");
        sql_error_detail(call->error, "Low bound array has different size than dimensions array.");
    }
    size_t count = lengths->count > 0;
    const size_t max = SQL_TEXT_BYTES_MAX / sizeof(union sql_cell);
    for (unsigned d = 0; d < lengths->count && !failed; d++) {
        if (lengths->cells[d].i < 0 || (size_t)lengths->cells[d].i > max)
            count = SIZE_MAX;
        count = count > max ? SIZE_MAX : count * (size_t)lengths->cells[d].i;
    }
    struct text_array out;
    failed = failed ? failed : text_array_make(call, call->types[0].oid, count, &out);
    if (failed)
        return failed;
    for (size_t i = 0; i < count; i++) {
        out.nulls[i] = text_null(call, 0);
        if (!out.nulls[i])
            out.cells[i] = a[0];
    }
    out.array->dimensions = count ? lengths->count : 0;
    for (unsigned d = 0; d < lengths->count; d++) {
        out.array->lengths[d] = (int32_t)lengths->cells[d].i;
        out.array->lower[d] = lower ? (int32_t)lower->cells[d].i : 1;
    }
    ret->array = out.array;
    return 0;
}

static int array_to_string(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = text_null(call, 0) || text_null(call, 1);
    if (call->null)
        return 0;
    const struct sql_array *array = a[0].array;
    bool names_null = call->count > 2 && !text_null(call, 2), some = false;
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    for (unsigned i = 0; i < array->count && !failed; i++) {
        if (text_element_null(array, i) && !names_null)
            continue;
        failed = some ? buf_append(&out, a[1].text) : 0;
        some = true;
        if (failed)
            break;
        failed = text_element_null(array, i)
                     ? buf_append(&out, a[2].text)
                     : sql_value_out(sql_type_of(array->element), &array->cells[i], call->settings,
                                     &out);
    }
    return text_give(call, failed, &out, ret);
}

/* Gives the parts of TEXT, which lie between separators; without one (NULL) its characters. */
static int split_each(slice text, const slice *separator, int (*each)(void *to, slice part),
                      void *to) {
    if (text.len == 0)
        return 0;
    int failed = 0;
    if (!separator) {
        for (; text.len && !failed; text = slice_skip(text, text_step(text)))
            failed = each(to, slice_take(text, text_step(text)));
        return failed;
    }
    for (;;) {
        ptrdiff_t at = separator->len ? slice_find_slice(text, *separator) : -1;
        if (failed || at < 0)
            return failed ? failed : each(to, text);
        failed = each(to, slice_take(text, (size_t)at));
        text = slice_skip(text, (size_t)at + separator->len);
    }
}

static int gather_part(void *to, slice part) {
    return buf_append(to, slice_make(&part, sizeof part));
}

/* PART is what the third argument says stands for NULL. */
static bool is_null_text(const struct sql_call *call, const union sql_cell *a, slice part) {
    return call->count > 2 && !text_null(call, 2) && slice_equal(part, a[2].text);
}

static int string_to_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = text_null(call, 0);
    if (call->null)
        return 0;
    _cleanup_buf_ struct buf parts = text_buf();
    int failed = split_each(a[0].text, text_null(call, 1) ? NULL : &a[1].text, gather_part, &parts);
    if (failed)
        return text_fail(call, failed);
    struct text_array out;
    failed = text_array_make(call, SQL_TEXT, parts.len / sizeof(slice), &out);
    if (failed)
        return failed;
    for (unsigned i = 0; i < out.array->count; i++) {
        memcpy(&out.cells[i].text, parts.ptr + i * sizeof(slice), sizeof(slice));
        out.nulls[i] = is_null_text(call, a, out.cells[i].text);
    }
    ret->array = out.array;
    return 0;
}

struct emitter {
    const struct sql_call *call;
    const union sql_cell *arguments;
    sql_emit *emit;
    void *to;
};

static int emit_part(void *self, slice part) {
    struct emitter *e = self;
    union sql_cell cell = {.text = part};
    uint8_t null = is_null_text(e->call, e->arguments, part);
    return e->emit(e->to, &cell, &null);
}

static int string_to_table(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                           void *to) {
    struct emitter e = {call, a, emit, to};
    if (text_null(call, 0))
        return 0;
    return split_each(a[0].text, text_null(call, 1) ? NULL : &a[1].text, emit_part, &e);
}

const struct sql_function sql_functions_array_make[] = {
    SQL_ROW_FLAGS("||", array_cat, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY, SQL_ANYARRAY),
    SQL_ROW_FLAGS("||", array_append, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY, SQL_ANYELEMENT),
    SQL_ROW_FLAGS("||", array_prepend, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYELEMENT, SQL_ANYARRAY),
    SQL_ROW_FLAGS("array_cat", array_cat, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY, SQL_ANYARRAY),
    SQL_ROW_FLAGS("array_append", array_append, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY,
                  SQL_ANYELEMENT),
    SQL_ROW_FLAGS("array_prepend", array_prepend, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYELEMENT,
                  SQL_ANYARRAY),
    SQL_ROW_FLAGS("array_remove", array_remove, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY,
                  SQL_ANYELEMENT),
    SQL_ROW_FLAGS("array_replace", array_replace, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYARRAY,
                  SQL_ANYELEMENT, SQL_ANYELEMENT),
    SQL_ROW_FLAGS("array_fill", array_fill, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYELEMENT,
                  SQL_INT4_ARRAY),
    SQL_ROW_FLAGS("array_fill", array_fill, SQL_LENIENT, SQL_ANYARRAY, SQL_ANYELEMENT,
                  SQL_INT4_ARRAY, SQL_INT4_ARRAY),
    SQL_ROW_FLAGS("array_to_string", array_to_string, SQL_LENIENT, SQL_TEXT, SQL_ANYARRAY,
                  SQL_TEXT),
    SQL_ROW_FLAGS("array_to_string", array_to_string, SQL_LENIENT, SQL_TEXT, SQL_ANYARRAY, SQL_TEXT,
                  SQL_TEXT),
    SQL_ROW_FLAGS("string_to_array", string_to_array, SQL_LENIENT, SQL_TEXT_ARRAY, SQL_TEXT,
                  SQL_TEXT),
    SQL_ROW_FLAGS("string_to_array", string_to_array, SQL_LENIENT, SQL_TEXT_ARRAY, SQL_TEXT,
                  SQL_TEXT, SQL_TEXT),
    SQL_ROW_SET("string_to_table", string_to_table, SQL_LENIENT, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW_SET("string_to_table", string_to_table, SQL_LENIENT, SQL_TEXT, SQL_TEXT, SQL_TEXT,
                SQL_TEXT),
    {.name = NULL},
};
