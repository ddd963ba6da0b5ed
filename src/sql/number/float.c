/*
 * float.c - arithmetic of float4 and float8.
 *
 * A cell holds a float4 as the double of its rounded float, so an operation between two float4
 * rounds once more; mixed ones give float8. A result that became infinite or zero out of finite,
 * non-zero operands is 22003, as is PostgreSQL's habit; division by zero is 22012.
 */
#include "sql/number/float.h"

#include <math.h>

int float_give(struct sql_call *call, double value, bool may_overflow, bool may_underflow,
               union sql_cell *ret) {
    if (call->result.oid == SQL_FLOAT4)
        value = (double)(float)value;
    if (unlikely(isinf(value) && may_overflow))
        return sql_fail(call->error, "22003", "value out of range: overflow");
    if (unlikely(value == 0 && may_underflow))
        return sql_fail(call->error, "22003", "value out of range: underflow");
    *ret = (union sql_cell){.f = value};
    return 0;
}

static int plus(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f + a[1].f, !isinf(a[0].f) && !isinf(a[1].f), false, ret);
}

static int minus(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f - a[1].f, !isinf(a[0].f) && !isinf(a[1].f), false, ret);
}

static int times(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f * a[1].f, !isinf(a[0].f) && !isinf(a[1].f),
                      a[0].f != 0 && a[1].f != 0, ret);
}

static int divide(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (unlikely(a[1].f == 0 && !isnan(a[0].f)))
        return number_division_by_zero(call);
    return float_give(call, a[0].f / a[1].f, !isinf(a[0].f) && !isinf(a[1].f),
                      a[0].f != 0 && !isinf(a[1].f), ret);
}

/* Over float8: a row whose result is infinite or zero is looked at again by the scalar form. */
#define ROWS(name_, operator_)                                                                     \
    static int name_##_rows(struct sql_call *call, const struct sql_column *arguments,             \
                            unsigned rows, union sql_cell *ret, uint8_t *ret_nulls) {              \
        for (unsigned row = 0; row < rows; row++) {                                                \
            double x = sql_cell_at(&arguments[0], row)->f;                                         \
            double y = sql_cell_at(&arguments[1], row)->f;                                         \
            double value = x operator_ y;                                                          \
            ret[row].f = value;                                                                    \
            if (likely(value != 0 && !isinf(value)) || ret_nulls[row])                             \
                continue;                                                                          \
            const union sql_cell pair[2] = {{.f = x}, {.f = y}};                                   \
            int rc = name_(call, pair, &ret[row]);                                                 \
            if (rc < 0)                                                                            \
                return rc;                                                                         \
        }                                                                                          \
        return 0;                                                                                  \
    }
ROWS(plus, +)
ROWS(minus, -)
ROWS(times, *)

static int negate(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.f = -a[0].f};
    return 0;
}

static int same(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = a[0];
    return 0;
}

static int absolute(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.f = fabs(a[0].f)};
    return 0;
}

#define F4 SQL_FLOAT4
#define F8 SQL_FLOAT8
#define MIXED(name_, function_)                                                                    \
    SQL_ROW(name_, function_, F4, F4, F4), SQL_ROW(name_, function_, F8, F4, F8),                  \
        SQL_ROW(name_, function_, F8, F8, F4)

const struct sql_function sql_functions_float[] = {
    SQL_ROW_VECTOR("+", plus, plus_rows, F8, F8, F8),
    MIXED("+", plus),
    SQL_ROW_VECTOR("-", minus, minus_rows, F8, F8, F8),
    MIXED("-", minus),
    SQL_ROW_VECTOR("*", times, times_rows, F8, F8, F8),
    MIXED("*", times),
    SQL_ROW("/", divide, F8, F8, F8),
    MIXED("/", divide),
    SQL_ROW("-", negate, F8, F8),
    SQL_ROW("-", negate, F4, F4),
    SQL_ROW("+", same, F8, F8),
    SQL_ROW("+", same, F4, F4),
    SQL_ROW("@", absolute, F8, F8),
    SQL_ROW("@", absolute, F4, F4),
    SQL_ROW("abs", absolute, F8, F8),
    SQL_ROW("abs", absolute, F4, F4),
    {.name = NULL},
};
