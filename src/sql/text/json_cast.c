/*
 * json_cast.c - casts between json and jsonb, and of jsonb to numbers and booleans.
 *
 * A number of jsonb becomes one of SQL as numeric would: rounded half away from zero to an integer,
 * refused where it does not fit. Strings are not read as numbers, null is not NULL: both are
 * errors, as in PostgreSQL 15 (->> and a cast of its text are the way).
 */
#include "sql/numeric.h"
#include "sql/text/json.h"
#include "sql/text/text_functions.h"

#include <errno.h>

static int json_to_jsonb(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_jsonb_in(a[0].text, call->memory, &ret->text, call->error);
}

static int check_kind(struct sql_call *call, slice value, enum sql_json_kind wanted,
                      const char *type) {
    static const char *const names[] = {"null", "string", "numeric", "boolean", "array", "object"};
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == wanted)
        return 0;
    return sql_fail(call->error, "22023", "cannot cast jsonb %s to type %s", names[kind], type);
}

static int to_bool(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = a[0].text.len && a[0].text.ptr[0] == 't';
    return check_kind(call, a[0].text, SQL_JSON_BOOL, "boolean");
}

static int number_of(struct sql_call *call, slice value, const char *type,
                     struct sql_numeric *ret) {
    int failed = check_kind(call, value, SQL_JSON_NUMBER, type);
    if (failed)
        return failed;
    failed = sql_numeric_parse(value, call->memory, ret);
    if (failed == -ENOMEM)
        return sql_fail_memory(call->error);
    return failed ? sql_fail(call->error, "22003", "value overflows numeric format") : 0;
}

static int to_numeric(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = number_of(call, a[0].text, "numeric", &ret->numeric);
    return failed ? failed
                  : sql_numeric_fit(ret->numeric, call->result.typmod, call->memory, &ret->numeric,
                                    call->error);
}

static int to_integer(struct sql_call *call, slice value, const char *type, int64_t min,
                      int64_t max, union sql_cell *ret) {
    struct sql_numeric n;
    int failed = number_of(call, value, type, &n);
    if (failed)
        return failed;
    if (sql_numeric_to_int(n, &ret->i) || ret->i < min || ret->i > max)
        return sql_fail(call->error, "22003", "%s out of range", type);
    return 0;
}

static int to_int2(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_integer(call, a[0].text, "smallint", INT16_MIN, INT16_MAX, ret);
}

static int to_int4(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_integer(call, a[0].text, "integer", INT32_MIN, INT32_MAX, ret);
}

static int to_int8(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_integer(call, a[0].text, "bigint", INT64_MIN, INT64_MAX, ret);
}

/* Read as the type's own input, which knows its range. */
static int to_float(struct sql_call *call, slice value, uint32_t oid, const char *type,
                    union sql_cell *ret) {
    int failed = check_kind(call, value, SQL_JSON_NUMBER, type);
    return failed ? failed
                  : sql_value_in(sql_type_of(oid), value, call->settings, call->memory, ret,
                                 call->error);
}

static int to_float4(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_float(call, a[0].text, SQL_FLOAT4, "real", ret);
}

static int to_float8(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return to_float(call, a[0].text, SQL_FLOAT8, "double precision", ret);
}

const struct sql_cast sql_casts_json[] = {
    {SQL_JSON, SQL_JSONB, SQL_CAST_ASSIGNMENT, json_to_jsonb},
    {SQL_JSONB, SQL_JSON, SQL_CAST_ASSIGNMENT, NULL},
    {SQL_JSONB, SQL_BOOL, SQL_CAST_EXPLICIT, to_bool},
    {SQL_JSONB, SQL_NUMERIC, SQL_CAST_EXPLICIT, to_numeric},
    {SQL_JSONB, SQL_INT2, SQL_CAST_EXPLICIT, to_int2},
    {SQL_JSONB, SQL_INT4, SQL_CAST_EXPLICIT, to_int4},
    {SQL_JSONB, SQL_INT8, SQL_CAST_EXPLICIT, to_int8},
    {SQL_JSONB, SQL_FLOAT4, SQL_CAST_EXPLICIT, to_float4},
    {SQL_JSONB, SQL_FLOAT8, SQL_CAST_EXPLICIT, to_float8},
    {.from = 0},
};
