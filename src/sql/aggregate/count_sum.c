/*
 * count_sum.c - count, and sum and avg of integers and floats.
 *
 * Integers are summed in 128 bits, exactly, so rows can be taken away again. Floats round, so they
 * cannot: whoever retracts one keeps the values and adds anew (function.h). A float4 is summed as
 * a float4, as PostgreSQL does.
 */
#include "sql/aggregate/aggregate.h"

#include "sql/number/float.h"

#include <errno.h>
#include <math.h>

struct count_state {
    int64_t rows;
};

static int count_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    (void)a;
    ((struct count_state *)state)->rows += weight;
    return 0;
}

static int count_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.i = ((const struct count_state *)state)->rows};
    return 0;
}

/* ---- integers -------------------------------------------------------------------------------- */

struct int_sum {
    __int128 sum; /* 2^63 rows of 2^63: fits */
    int64_t rows;
};

static int int_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct int_sum *sum = state;
    sum->sum += (__int128)a[0].i * weight;
    sum->rows += weight;
    return 0;
}

/* sum(int2), sum(int4): bigint. */
static int int_sum_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct int_sum *sum = state;
    call->null = sum->rows == 0;
    if (!call->null && (sum->sum > INT64_MAX || sum->sum < INT64_MIN))
        return sql_fail(call->error, "22003", "bigint out of range");
    *ret = (union sql_cell){.i = (int64_t)sum->sum};
    return 0;
}

/* sum(int8): numeric. */
static int int_total_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct int_sum *sum = state;
    call->null = sum->rows == 0;
    return number_failed(call, sql_numeric_from_int(sum->sum, call->memory, &ret->numeric));
}

static int int_average_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct int_sum *sum = state;
    call->null = sum->rows == 0;
    if (call->null)
        return 0;
    struct sql_numeric total;
    struct sql_numeric rows;
    int rc = sql_numeric_from_int(sum->sum, call->memory, &total);
    if (rc == 0)
        rc = sql_numeric_from_int(sum->rows, call->memory, &rows);
    if (rc == 0)
        rc = sql_numeric_divide(total, rows, call->memory, &ret->numeric);
    return number_failed(call, rc);
}

/* ---- floats ---------------------------------------------------------------------------------- */

struct float_sum {
    double sum;
    int64_t rows;
};

static int float_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    struct float_sum *sum = state;
    bool single = call->types[0].oid == SQL_FLOAT4;
    for (; weight > 0; weight--) {
        double next = sum->rows ? sum->sum + a[0].f : a[0].f;
        if (single)
            next = (double)(float)next;
        if (isinf(next) && !isinf(sum->sum) && !isinf(a[0].f))
            return sql_fail(call->error, "22003", "value out of range: overflow");
        sum->sum = next;
        sum->rows++;
    }
    return 0;
}

static int float_sum_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct float_sum *sum = state;
    call->null = sum->rows == 0;
    *ret = (union sql_cell){.f = sum->sum};
    return 0;
}

#define INT_SUM(name_, result_type_, type_, result_)                                               \
    {                                                                                              \
        .name = (name_), .result = (result_type_), .count = 1, .arguments = {type_},               \
        .invertible = true, .state_bytes = sizeof(struct int_sum), .add = int_add,                 \
        .result_of = (result_)                                                                     \
    }
#define FLOAT_SUM(type_)                                                                           \
    {                                                                                              \
        .name = "sum", .result = (type_), .count = 1, .arguments = {type_},                        \
        .state_bytes = sizeof(struct float_sum), .add = float_add, .result_of = float_sum_of       \
    }

const struct sql_aggregate sql_aggregates_count_sum[] = {
    {.name = "count",
     .result = SQL_INT8,
     .count = 0,
     .invertible = true,
     .state_bytes = sizeof(struct count_state),
     .add = count_add,
     .result_of = count_of},
    {.name = "count",
     .result = SQL_INT8,
     .count = 1,
     .arguments = {SQL_ANY},
     .invertible = true,
     .state_bytes = sizeof(struct count_state),
     .add = count_add,
     .result_of = count_of},
    INT_SUM("sum", SQL_INT8, SQL_INT2, int_sum_of),
    INT_SUM("sum", SQL_INT8, SQL_INT4, int_sum_of),
    INT_SUM("sum", SQL_NUMERIC, SQL_INT8, int_total_of),
    INT_SUM("avg", SQL_NUMERIC, SQL_INT2, int_average_of),
    INT_SUM("avg", SQL_NUMERIC, SQL_INT4, int_average_of),
    INT_SUM("avg", SQL_NUMERIC, SQL_INT8, int_average_of),
    FLOAT_SUM(SQL_FLOAT4),
    FLOAT_SUM(SQL_FLOAT8),
    {.name = NULL},
};
