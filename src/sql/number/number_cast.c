/*
 * number_cast.c - casts among numbers, bool, oid and the names of the catalog.
 *
 * Contexts are PostgreSQL's pg_cast. What does not fit is 22003; numeric rounds half away from
 * zero, floats half to even.
 */
#include "sql/number/float.h"

#include <errno.h>
#include <math.h>

static int word_to_word(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t min = call->result.oid == SQL_INT2 ? INT16_MIN : INT32_MIN;
    int64_t max = call->result.oid == SQL_INT2 ? INT16_MAX : INT32_MAX;
    if (unlikely(a[0].i < min || a[0].i > max))
        return number_out_of_range(call);
    *ret = a[0];
    return 0;
}

static int word_to_float(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double value = call->result.oid == SQL_FLOAT4 ? (double)(float)a[0].i : (double)a[0].i;
    *ret = (union sql_cell){.f = value};
    return 0;
}

static int word_to_numeric(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (likely(sql_numeric_fits_small(a[0].i) && call->result.typmod < 4)) {
        ret->numeric = sql_numeric_small(a[0].i, 0);
        return 0;
    }
    struct sql_numeric n;
    int rc = sql_numeric_from_int(a[0].i, call->memory, &n);
    if (rc < 0)
        return number_failed(call, rc);
    return sql_numeric_fit(n, call->result.typmod, call->memory, &ret->numeric, call->error);
}

static int float_to_word(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double value = rint(a[0].f);
    double limit = call->result.oid == SQL_INT2   ? 0x1p15
                   : call->result.oid == SQL_INT4 ? 0x1p31
                                                  : 0x1p63;
    if (!(value >= -limit && value < limit)) /* NaN too */
        return number_out_of_range(call);
    *ret = (union sql_cell){.i = (int64_t)value};
    return 0;
}

static int float_to_float(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f, !isinf(a[0].f), a[0].f != 0, ret);
}

static int float_to_numeric(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_numeric n;
    int digits = call->types[0].oid == SQL_FLOAT4 ? 6 : 15;
    int rc = sql_numeric_from_double(a[0].f, digits, call->memory, &n);
    if (rc < 0)
        return number_failed(call, rc);
    return sql_numeric_fit(n, call->result.typmod, call->memory, &ret->numeric, call->error);
}

static int numeric_to_word(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].numeric.kind > SQL_NUMERIC_BIG)
        return sql_fail(call->error, "0A000", "cannot convert %s to %s",
                        a[0].numeric.kind == SQL_NUMERIC_NAN ? "NaN" : "infinity",
                        call->result.oid == SQL_INT2   ? "smallint"
                        : call->result.oid == SQL_INT4 ? "integer"
                                                       : "bigint");
    union sql_cell value;
    if (sql_numeric_to_int(a[0].numeric, &value.i) < 0)
        return number_out_of_range(call);
    if (call->result.oid != SQL_INT8)
        return word_to_word(call, &value, ret);
    *ret = (union sql_cell){.i = value.i};
    return 0;
}

static int numeric_to_float(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool single = call->result.oid == SQL_FLOAT4;
    double value;
    int rc = sql_numeric_to_double(a[0].numeric, &value);
    if (rc == -ENOMEM)
        return sql_fail_memory(call->error);
    bool special = a[0].numeric.kind > SQL_NUMERIC_BIG;
    if (rc == 0 && single)
        value = (double)(float)value;
    bool lost = !special && rc == 0 &&
                (isinf(value) || (value == 0 && sql_numeric_sign(a[0].numeric) != 0));
    if (rc == 0 && !lost) {
        *ret = (union sql_cell){.f = value};
        return 0;
    }
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    if (sql_numeric_print(a[0].numeric, &text) < 0)
        return sql_fail_memory(call->error);
    return sql_fail(call->error, "22003", "\"%.*s\" is out of range for type %s",
                    slice_fmt(buf_slice(&text)), single ? "real" : "double precision");
}

static int numeric_to_numeric(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_numeric_fit(a[0].numeric, call->result.typmod, call->memory, &ret->numeric,
                           call->error);
}

static int word_to_bool(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.i = a[0].i != 0};
    return 0;
}

/* Negative ones are large ones, as oids are 32 bits without a sign. */
static int int_to_oid(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (call->types[0].oid == SQL_INT8 && (a[0].i < 0 || a[0].i > UINT32_MAX))
        return sql_fail(call->error, "22003", "OID out of range");
    *ret = (union sql_cell){.i = (int64_t)(uint32_t)a[0].i};
    return 0;
}

static int oid_to_int(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.i = (int64_t)(int32_t)(uint32_t)a[0].i};
    return 0;
}

#define IMPLICIT SQL_CAST_IMPLICIT
#define ASSIGNMENT SQL_CAST_ASSIGNMENT
#define EXPLICIT SQL_CAST_EXPLICIT
#define REG_CASTS(oid_)                                                                            \
    {SQL_OID, oid_, IMPLICIT, NULL}, {oid_, SQL_OID, IMPLICIT, NULL},                              \
        {SQL_INT2, oid_, IMPLICIT, int_to_oid}, {SQL_INT4, oid_, IMPLICIT, int_to_oid},            \
        {SQL_INT8, oid_, IMPLICIT, int_to_oid}, {oid_, SQL_INT4, ASSIGNMENT, oid_to_int}, {        \
        oid_, SQL_INT8, ASSIGNMENT, NULL                                                           \
    }

const struct sql_cast sql_casts_number[] = {
    {SQL_INT2, SQL_INT4, IMPLICIT, NULL},
    {SQL_INT2, SQL_INT8, IMPLICIT, NULL},
    {SQL_INT4, SQL_INT8, IMPLICIT, NULL},
    {SQL_INT4, SQL_INT2, ASSIGNMENT, word_to_word},
    {SQL_INT8, SQL_INT2, ASSIGNMENT, word_to_word},
    {SQL_INT8, SQL_INT4, ASSIGNMENT, word_to_word},
    {SQL_INT2, SQL_FLOAT4, IMPLICIT, word_to_float},
    {SQL_INT2, SQL_FLOAT8, IMPLICIT, word_to_float},
    {SQL_INT4, SQL_FLOAT4, IMPLICIT, word_to_float},
    {SQL_INT4, SQL_FLOAT8, IMPLICIT, word_to_float},
    {SQL_INT8, SQL_FLOAT4, IMPLICIT, word_to_float},
    {SQL_INT8, SQL_FLOAT8, IMPLICIT, word_to_float},
    {SQL_INT2, SQL_NUMERIC, IMPLICIT, word_to_numeric},
    {SQL_INT4, SQL_NUMERIC, IMPLICIT, word_to_numeric},
    {SQL_INT8, SQL_NUMERIC, IMPLICIT, word_to_numeric},
    {SQL_FLOAT4, SQL_FLOAT8, IMPLICIT, NULL},
    {SQL_FLOAT8, SQL_FLOAT4, ASSIGNMENT, float_to_float},
    {SQL_FLOAT4, SQL_INT2, ASSIGNMENT, float_to_word},
    {SQL_FLOAT4, SQL_INT4, ASSIGNMENT, float_to_word},
    {SQL_FLOAT4, SQL_INT8, ASSIGNMENT, float_to_word},
    {SQL_FLOAT8, SQL_INT2, ASSIGNMENT, float_to_word},
    {SQL_FLOAT8, SQL_INT4, ASSIGNMENT, float_to_word},
    {SQL_FLOAT8, SQL_INT8, ASSIGNMENT, float_to_word},
    {SQL_FLOAT4, SQL_NUMERIC, ASSIGNMENT, float_to_numeric},
    {SQL_FLOAT8, SQL_NUMERIC, ASSIGNMENT, float_to_numeric},
    {SQL_NUMERIC, SQL_INT2, ASSIGNMENT, numeric_to_word},
    {SQL_NUMERIC, SQL_INT4, ASSIGNMENT, numeric_to_word},
    {SQL_NUMERIC, SQL_INT8, ASSIGNMENT, numeric_to_word},
    {SQL_NUMERIC, SQL_FLOAT4, IMPLICIT, numeric_to_float},
    {SQL_NUMERIC, SQL_FLOAT8, IMPLICIT, numeric_to_float},
    {SQL_NUMERIC, SQL_NUMERIC, IMPLICIT, numeric_to_numeric},
    {SQL_BOOL, SQL_INT4, EXPLICIT, NULL},
    {SQL_INT4, SQL_BOOL, EXPLICIT, word_to_bool},
    {SQL_INT2, SQL_OID, IMPLICIT, int_to_oid},
    {SQL_INT4, SQL_OID, IMPLICIT, int_to_oid},
    {SQL_INT8, SQL_OID, IMPLICIT, int_to_oid},
    {SQL_OID, SQL_INT4, ASSIGNMENT, oid_to_int},
    {SQL_OID, SQL_INT8, ASSIGNMENT, NULL},
    REG_CASTS(SQL_REGCLASS),
    REG_CASTS(SQL_REGTYPE),
    REG_CASTS(SQL_REGPROC),
    REG_CASTS(SQL_REGNAMESPACE),
    REG_CASTS(SQL_REGROLE),
    {.from = 0},
};
