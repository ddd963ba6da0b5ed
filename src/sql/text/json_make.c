/*
 * json_make.c - json and jsonb made of values: to_json, the builders, casts and aggregates.
 *
 * Both are first written as JSON text; jsonb then goes through sql_jsonb_in like any text, so that
 * its one form is made in one place.
 *
 * An aggregate's state is the text so far. Rows cannot be taken away again (a text does not say
 * which part came from which row), so whoever retracts keeps the rows (function.h).
 */
#include "sql/text/json.h"
#include "sql/text/json_write.h"
#include "sql/text/text_functions.h"

#include <errno.h>

/* OUT, JSON text, as the json or jsonb that is asked for. */
static int give_json(struct sql_call *call, int failed, const struct buf *out, bool jsonb,
                     union sql_cell *ret) {
    if (failed || !jsonb)
        return text_give(call, failed, out, ret);
    return sql_jsonb_in(buf_slice(out), call->memory, &ret->text, call->error);
}

static int to_json_form(struct sql_call *call, const union sql_cell *a, bool jsonb,
                        union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    bool pretty = call->count > 1 && a[1].i;
    int failed = pretty ? sql_json_write_pretty(call->types[0], &a[0], call->settings, &out)
                        : sql_json_write(call->types[0], &a[0], false, call->settings, &out);
    return give_json(call, failed, &out, jsonb, ret);
}

static int to_json(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_json_form(call, a, false, ret);
}

static int to_jsonb(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_json_form(call, a, true, ret);
}

static int put_key(struct sql_call *call, unsigned index, const union sql_cell *cell,
                   struct buf *out) {
    if (text_null(call, index)) {
        (void)sql_fail(call->error, "22023", "argument %u cannot be null", index + 1);
        sql_error_hint(call->error, "Object keys should be text.");
        return -EINVAL;
    }
    if (!sql_json_may_be_key(call->types[index].oid))
        return sql_fail(call->error, "22023",
                        "key value must be scalar, not array, composite, or json");
    return sql_json_write_key(call->types[index], cell, call->settings, out);
}

static int build_object_form(struct sql_call *call, const union sql_cell *a, bool jsonb,
                             union sql_cell *ret) {
    if (call->count % 2) {
        (void)sql_fail(call->error, "22023", "argument list must have even number of elements");
        sql_error_hint(call->error,
                       "The arguments of %s_build_object() must consist of alternating keys and "
                       "values.",
                       jsonb ? "jsonb" : "json");
        return -EINVAL;
    }
    _cleanup_buf_ struct buf out = text_buf();
    int failed = buf_append_byte(&out, '{');
    for (unsigned i = 0; i < call->count && !failed; i += 2) {
        failed = i > 0 ? buf_append(&out, slice_lit(", ")) : 0;
        failed = failed ? failed : put_key(call, i, &a[i], &out);
        failed = failed ? failed : buf_append(&out, slice_lit(" : "));
        if (!failed)
            failed = sql_json_write(call->types[i + 1], &a[i + 1], text_null(call, i + 1),
                                    call->settings, &out);
    }
    failed = failed ? failed : buf_append_byte(&out, '}');
    return give_json(call, failed, &out, jsonb, ret);
}

static int json_build_object(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return build_object_form(call, a, false, ret);
}

static int jsonb_build_object(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return build_object_form(call, a, true, ret);
}

static int build_array_form(struct sql_call *call, const union sql_cell *a, bool jsonb,
                            union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = buf_append_byte(&out, '[');
    for (unsigned i = 0; i < call->count && !failed; i++) {
        failed = i > 0 ? buf_append(&out, slice_lit(", ")) : 0;
        if (!failed)
            failed =
                sql_json_write(call->types[i], &a[i], text_null(call, i), call->settings, &out);
    }
    failed = failed ? failed : buf_append_byte(&out, ']');
    return give_json(call, failed, &out, jsonb, ret);
}

static int json_build_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return build_array_form(call, a, false, ret);
}

static int jsonb_build_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return build_array_form(call, a, true, ret);
}

/* One member of json_object: texts, the value may be NULL. */
static int put_pair(struct sql_call *call, const struct sql_array *keys, unsigned key,
                    const struct sql_array *values, unsigned value, struct buf *out) {
    if (text_element_null(keys, key))
        return sql_fail(call->error, "22004", "null value not allowed for object key");
    int failed = out->len > 1 ? buf_append(out, slice_lit(", ")) : 0;
    failed = failed ? failed : sql_json_quote(keys->cells[key].text, out);
    failed = failed ? failed : buf_append(out, slice_lit(" : "));
    if (failed)
        return failed;
    if (text_element_null(values, value))
        return buf_append(out, slice_lit("null"));
    return sql_json_quote(values->cells[value].text, out);
}

static int check_pairs(struct sql_call *call, const struct sql_array *pairs) {
    if (pairs->dimensions == 1 && pairs->count % 2)
        return sql_fail(call->error, "2202E", "array must have even number of elements");
    if (pairs->dimensions == 2 && pairs->lengths[1] != 2)
        return sql_fail(call->error, "2202E", "array must have two columns");
    if (pairs->dimensions > 2)
        return sql_fail(call->error, "2202E", "wrong number of array subscripts");
    return 0;
}

static int object_of_texts(struct sql_call *call, const union sql_cell *a, bool jsonb,
                           union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    const struct sql_array *keys = a[0].array, *values = a[call->count > 1].array;
    int failed = 0;
    if (call->count == 1)
        failed = check_pairs(call, keys);
    else if (keys->dimensions > 1 || keys->dimensions != values->dimensions)
        failed = sql_fail(call->error, "2202E", "wrong number of array subscripts");
    else if (keys->count != values->count)
        failed = sql_fail(call->error, "2202E", "mismatched array dimensions");
    failed = failed ? failed : buf_append_byte(&out, '{');
    unsigned step = call->count == 1 ? 2 : 1;
    for (unsigned i = 0; !failed && i < keys->count; i += step)
        failed = put_pair(call, keys, i, values, i + step - 1, &out);
    failed = failed ? failed : buf_append_byte(&out, '}');
    return give_json(call, failed, &out, jsonb, ret);
}

static int json_object(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return object_of_texts(call, a, false, ret);
}

static int jsonb_object(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return object_of_texts(call, a, true, ret);
}

#define EMPTY_ROW(name_, function_, result_)                                                       \
    { .name = (name_), .result = (result_), .flags = SQL_LENIENT, .scalar = (function_) }
#define MANY SQL_LENIENT | SQL_VARIADIC

const struct sql_function sql_functions_json_make[] = {
    SQL_ROW("to_json", to_json, SQL_JSON, SQL_ANYELEMENT),
    SQL_ROW("to_jsonb", to_jsonb, SQL_JSONB, SQL_ANYELEMENT),
    SQL_ROW_DEFAULTS("row_to_json", to_json, 1, SQL_JSON, SQL_RECORD, SQL_BOOL),
    SQL_ROW_DEFAULTS("array_to_json", to_json, 1, SQL_JSON, SQL_ANYARRAY, SQL_BOOL),
    SQL_ROW_FLAGS("json_build_object", json_build_object, MANY, SQL_JSON, SQL_ANY),
    EMPTY_ROW("json_build_object", json_build_object, SQL_JSON),
    SQL_ROW_FLAGS("jsonb_build_object", jsonb_build_object, MANY, SQL_JSONB, SQL_ANY),
    EMPTY_ROW("jsonb_build_object", jsonb_build_object, SQL_JSONB),
    SQL_ROW_FLAGS("json_build_array", json_build_array, MANY, SQL_JSON, SQL_ANY),
    EMPTY_ROW("json_build_array", json_build_array, SQL_JSON),
    SQL_ROW_FLAGS("jsonb_build_array", jsonb_build_array, MANY, SQL_JSONB, SQL_ANY),
    EMPTY_ROW("jsonb_build_array", jsonb_build_array, SQL_JSONB),
    SQL_ROW("json_object", json_object, SQL_JSON, SQL_TEXT_ARRAY),
    SQL_ROW("json_object", json_object, SQL_JSON, SQL_TEXT_ARRAY, SQL_TEXT_ARRAY),
    SQL_ROW("jsonb_object", jsonb_object, SQL_JSONB, SQL_TEXT_ARRAY),
    SQL_ROW("jsonb_object", jsonb_object, SQL_JSONB, SQL_TEXT_ARRAY, SQL_TEXT_ARRAY),
    {.name = NULL},
};

struct gathered {
    struct buf text; /* from the opening bracket on; empty: no row yet */
};

/* Room for one more part, behind what separates it. */
static int begin_part(struct gathered *g, slice open, slice between) {
    if (g->text.len > 0)
        return buf_append(&g->text, between);
    g->text.max = SQL_TEXT_BYTES_MAX;
    return buf_append(&g->text, open);
}

static int add_element(struct sql_call *call, void *state, const union sql_cell *a, bool lines,
                       int64_t weight) {
    struct gathered *g = state;
    int failed = 0;
    for (; weight > 0 && !failed; weight--) {
        failed = begin_part(g, slice_lit("["), lines ? slice_lit(", \n ") : slice_lit(", "));
        if (!failed)
            failed =
                sql_json_write(call->types[0], &a[0], text_null(call, 0), call->settings, &g->text);
    }
    return failed ? text_fail(call, failed) : 0;
}

static int array_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    return add_element(call, state, a, sql_json_is_composite(call->types[0].oid), weight);
}

/* What the binder makes of json_agg(t): rows that are JSON already, each on a line of its own. */
static int rows_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    return add_element(call, state, a, true, weight);
}

static int object_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    struct gathered *g = state;
    if (text_null(call, 0))
        return sql_fail(call->error, "22023", "field name must not be null");
    if (!sql_json_may_be_key(call->types[0].oid))
        return sql_fail(call->error, "22023",
                        "key value must be scalar, not array, composite, or json");
    int failed = 0;
    for (; weight > 0 && !failed; weight--) {
        failed = begin_part(g, slice_lit("{ "), slice_lit(", "));
        if (!failed)
            failed = sql_json_write_key(call->types[0], &a[0], call->settings, &g->text);
        failed = failed ? failed : buf_append(&g->text, slice_lit(" : "));
        if (!failed)
            failed =
                sql_json_write(call->types[1], &a[1], text_null(call, 1), call->settings, &g->text);
    }
    return failed ? text_fail(call, failed) : 0;
}

static int gathered_result(struct sql_call *call, const void *state, slice close, bool jsonb,
                           union sql_cell *ret) {
    const struct gathered *g = state;
    call->null = g->text.len == 0;
    if (call->null)
        return 0;
    _cleanup_buf_ struct buf out = text_buf();
    int failed = buf_append(&out, buf_slice(&g->text));
    failed = failed ? failed : buf_append(&out, close);
    return give_json(call, failed, &out, jsonb, ret);
}

static int json_agg_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    return gathered_result(call, state, slice_lit("]"), false, ret);
}

static int jsonb_agg_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    return gathered_result(call, state, slice_lit("]"), true, ret);
}

static int json_object_agg_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    return gathered_result(call, state, slice_lit(" }"), false, ret);
}

static int jsonb_object_agg_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    return gathered_result(call, state, slice_lit(" }"), true, ret);
}

static void gathered_release(void *state) {
    struct gathered *g = state;
    buf_free(&g->text);
}

static int gathered_save(const void *state, struct buf *out) {
    const struct gathered *g = state;
    return buf_append(out, buf_slice(&g->text));
}

static int gathered_load(void *state, slice bytes) {
    struct gathered *g = state;
    g->text = buf_make(SQL_TEXT_BYTES_MAX);
    return buf_append(&g->text, bytes);
}

#define GATHER_ROW(name_, result_, add_, result_of_, ...)                                          \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .flags = SQL_LENIENT, .arguments = {__VA_ARGS__}, .state_bytes = sizeof(struct gathered),  \
        .add = (add_), .result_of = (result_of_), .release = gathered_release,                     \
        .save = gathered_save, .load = gathered_load                                               \
    }

const struct sql_aggregate sql_aggregates_json[] = {
    GATHER_ROW("json_agg", SQL_JSON, array_add, json_agg_result, SQL_ANYELEMENT),
    GATHER_ROW("json_agg_rows", SQL_JSON, rows_add, json_agg_result, SQL_JSON),
    GATHER_ROW("jsonb_agg", SQL_JSONB, array_add, jsonb_agg_result, SQL_ANYELEMENT),
    GATHER_ROW("json_object_agg", SQL_JSON, object_add, json_object_agg_result, SQL_ANY, SQL_ANY),
    GATHER_ROW("jsonb_object_agg", SQL_JSONB, object_add, jsonb_object_agg_result, SQL_ANY,
               SQL_ANY),
    {.name = NULL},
};
