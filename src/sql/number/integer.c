/*
 * integer.c - int2, int4 and int8: + - * / %, bits, abs, gcd, lcm and their kin.
 *
 * All widths are computed in 64 bits and checked against the range of the result's type, so each
 * operation is one function for every pair of widths. The vector forms add up overflows and look
 * back only where there was one. NULL rows may hold anything: they cannot fail.
 */
#include "sql/number/number.h"

#include <errno.h>

struct range {
    int64_t min, max;
};

static inline struct range range_of(uint32_t oid) {
    return oid == SQL_INT4   ? (struct range){INT32_MIN, INT32_MAX}
           : oid == SQL_INT2 ? (struct range){INT16_MIN, INT16_MAX}
                             : (struct range){INT64_MIN, INT64_MAX};
}

int number_out_of_range(struct sql_call *call) {
    const char *name = call->result.oid == SQL_INT4     ? "integer"
                       : call->result.oid == SQL_INT2   ? "smallint"
                       : call->result.oid == SQL_OID    ? "OID"
                       : call->result.oid == SQL_FLOAT4 ? "real"
                       : call->result.oid == SQL_FLOAT8 ? "double precision"
                                                        : "bigint";
    return sql_fail(call->error, "22003", "%s out of range", name);
}

int number_division_by_zero(struct sql_call *call) {
    return sql_fail(call->error, "22012", "division by zero");
}

static int give(struct sql_call *call, bool overflow, int64_t value, union sql_cell *ret) {
    struct range range = range_of(call->result.oid);
    if (unlikely(overflow || value < range.min || value > range.max))
        return number_out_of_range(call);
    *ret = (union sql_cell){.i = value};
    return 0;
}

#define CHECKED(name_, builtin_)                                                                   \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        int64_t value;                                                                             \
        bool overflow = builtin_(a[0].i, a[1].i, &value);                                          \
        return give(call, overflow, value, ret);                                                   \
    }                                                                                              \
    static int name_##_rows(struct sql_call *call, const struct sql_column *arguments,             \
                            unsigned rows, union sql_cell *ret, uint8_t *ret_nulls) {              \
        struct range range = range_of(call->result.oid);                                           \
        bool failed = false;                                                                       \
        for (unsigned row = 0; row < rows; row++) {                                                \
            int64_t value;                                                                         \
            bool bad = builtin_(sql_cell_at(&arguments[0], row)->i,                                \
                                sql_cell_at(&arguments[1], row)->i, &value);                       \
            bad |= value < range.min;                                                              \
            bad |= value > range.max;                                                              \
            failed |= bad & !ret_nulls[row];                                                       \
            ret[row].i = value;                                                                    \
        }                                                                                          \
        return unlikely(failed) ? number_out_of_range(call) : 0;                                   \
    }

CHECKED(plus, __builtin_add_overflow)
CHECKED(minus, __builtin_sub_overflow)
CHECKED(times, __builtin_mul_overflow)

static int divide(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (unlikely(a[1].i == 0))
        return number_division_by_zero(call);
    if (unlikely(a[1].i == -1)) {
        int64_t value;
        bool overflow = __builtin_sub_overflow((int64_t)0, a[0].i, &value);
        return give(call, overflow, value, ret);
    }
    *ret = (union sql_cell){.i = a[0].i / a[1].i};
    return 0;
}

static int modulo(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (unlikely(a[1].i == 0))
        return number_division_by_zero(call);
    *ret = (union sql_cell){.i = a[1].i == -1 ? 0 : a[0].i % a[1].i};
    return 0;
}

static int modulo_rows(struct sql_call *call, const struct sql_column *arguments, unsigned rows,
                       union sql_cell *ret, uint8_t *ret_nulls) {
    for (unsigned row = 0; row < rows; row++) {
        int64_t divisor = sql_cell_at(&arguments[1], row)->i;
        if (unlikely(divisor == 0 || divisor == -1)) {
            if (divisor == 0 && !ret_nulls[row])
                return number_division_by_zero(call);
            ret[row].i = 0;
            continue;
        }
        ret[row].i = sql_cell_at(&arguments[0], row)->i % divisor;
    }
    return 0;
}

static int negate(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t value;
    bool overflow = __builtin_sub_overflow((int64_t)0, a[0].i, &value);
    return give(call, overflow, value, ret);
}

static int same(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = a[0];
    return 0;
}

static int absolute(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return a[0].i < 0 ? negate(call, a, ret) : same(call, a, ret);
}

/* ---- bits ------------------------------------------------------------------------------------ */

#define BITS(name_, expression_)                                                                   \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        (void)call;                                                                                \
        *ret = (union sql_cell){.i = (expression_)};                                               \
        return 0;                                                                                  \
    }
BITS(bits_and, a[0].i &a[1].i)
BITS(bits_or, a[0].i | a[1].i)
BITS(bits_xor, a[0].i ^ a[1].i)
BITS(bits_not, ~a[0].i)

/* As machines shift: the count modulo the width (int2 is shifted as an int4), then cut. */
static int64_t cut(uint32_t oid, uint64_t value) {
    return oid == SQL_INT4   ? (int64_t)(int32_t)value
           : oid == SQL_INT2 ? (int64_t)(int16_t)value
                             : (int64_t)value;
}

static int shift_left(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    uint64_t mask = call->result.oid == SQL_INT8 ? 63 : 31;
    *ret =
        (union sql_cell){.i = cut(call->result.oid, (uint64_t)a[0].i << ((uint64_t)a[1].i & mask))};
    return 0;
}

static int shift_right(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    uint64_t mask = call->result.oid == SQL_INT8 ? 63 : 31;
    *ret = (union sql_cell){.i = a[0].i >> ((uint64_t)a[1].i & mask)};
    return 0;
}

/* ---- divisors -------------------------------------------------------------------------------- */

static uint64_t magnitude(int64_t value) {
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static uint64_t divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int gcd(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    uint64_t value = divisor(magnitude(a[0].i), magnitude(a[1].i));
    return give(call, value > INT64_MAX, (int64_t)value, ret);
}

static int lcm(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].i == 0 || a[1].i == 0)
        return give(call, false, 0, ret);
    uint64_t common = divisor(magnitude(a[0].i), magnitude(a[1].i));
    uint64_t value;
    bool overflow = __builtin_mul_overflow(magnitude(a[0].i) / common, magnitude(a[1].i), &value);
    return give(call, overflow || value > INT64_MAX, (int64_t)value, ret);
}

static int factorial(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].i < 0)
        return sql_fail(call->error, "22003", "factorial of a negative number is undefined");
    if (a[0].i > 32177)
        return sql_fail(call->error, "22003", "value overflows numeric format");
    struct sql_numeric product = sql_numeric_small(1, 0);
    int rc = 0;
    for (int64_t i = 2; rc == 0 && i <= a[0].i; i++)
        rc = sql_numeric_multiply(product, sql_numeric_small(i, 0), call->memory, &product);
    *ret = (union sql_cell){.numeric = product};
    return number_failed(call, rc);
}

#define WIDTHS(name_, function_)                                                                   \
    SQL_ROW(name_, function_, SQL_INT2, SQL_INT2, SQL_INT2),                                       \
        SQL_ROW(name_, function_, SQL_INT4, SQL_INT4, SQL_INT4),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT8, SQL_INT8)
#define MIXED_WIDTHS(name_, function_)                                                             \
    WIDTHS(name_, function_), SQL_ROW(name_, function_, SQL_INT4, SQL_INT2, SQL_INT4),             \
        SQL_ROW(name_, function_, SQL_INT4, SQL_INT4, SQL_INT2),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT2, SQL_INT8),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT8, SQL_INT2),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT4, SQL_INT8),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT8, SQL_INT4)
#define MIXED_VECTORS(name_, function_)                                                            \
    SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT4, SQL_INT4, SQL_INT4),              \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT8, SQL_INT8),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT2, SQL_INT2, SQL_INT2),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT4, SQL_INT2, SQL_INT4),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT4, SQL_INT4, SQL_INT2),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT2, SQL_INT8),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT8, SQL_INT2),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT4, SQL_INT8),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT8, SQL_INT4)
#define VECTORS(name_, function_)                                                                  \
    SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT2, SQL_INT2, SQL_INT2),              \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT4, SQL_INT4, SQL_INT4),          \
        SQL_ROW_VECTOR(name_, function_, function_##_rows, SQL_INT8, SQL_INT8, SQL_INT8)
#define PREFIXES(name_, function_)                                                                 \
    SQL_ROW(name_, function_, SQL_INT2, SQL_INT2), SQL_ROW(name_, function_, SQL_INT4, SQL_INT4),  \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT8)
#define SHIFTS(name_, function_)                                                                   \
    SQL_ROW(name_, function_, SQL_INT2, SQL_INT2, SQL_INT4),                                       \
        SQL_ROW(name_, function_, SQL_INT4, SQL_INT4, SQL_INT4),                                   \
        SQL_ROW(name_, function_, SQL_INT8, SQL_INT8, SQL_INT4)

const struct sql_function sql_functions_integer[] = {
    MIXED_VECTORS("+", plus),
    MIXED_VECTORS("-", minus),
    MIXED_VECTORS("*", times),
    MIXED_WIDTHS("/", divide),
    VECTORS("%", modulo),
    VECTORS("mod", modulo),
    PREFIXES("-", negate),
    PREFIXES("+", same),
    PREFIXES("@", absolute),
    PREFIXES("abs", absolute),
    WIDTHS("&", bits_and),
    WIDTHS("|", bits_or),
    WIDTHS("#", bits_xor),
    PREFIXES("~", bits_not),
    SHIFTS("<<", shift_left),
    SHIFTS(">>", shift_right),
    SQL_ROW("gcd", gcd, SQL_INT4, SQL_INT4, SQL_INT4),
    SQL_ROW("gcd", gcd, SQL_INT8, SQL_INT8, SQL_INT8),
    SQL_ROW("lcm", lcm, SQL_INT4, SQL_INT4, SQL_INT4),
    SQL_ROW("lcm", lcm, SQL_INT8, SQL_INT8, SQL_INT8),
    SQL_ROW("factorial", factorial, SQL_NUMERIC, SQL_INT8),
    {.name = NULL},
};
