/*
 * decimal.c - numeric's operators and functions (the arithmetic itself: numeric.h).
 *
 * The vector forms of * + - take the SMALL path inline, row after row: a product of a price and a
 * constant costs a multiplication and three comparisons.
 */
#include "sql/number/number.h"

#include <errno.h>

int number_failed(struct sql_call *call, int failed) {
    switch (failed) {
    case 0:
        return 0;
    case -ENOMEM:
        return sql_fail_memory(call->error);
    case -EDOM:
        return number_division_by_zero(call);
    default:
        return sql_fail(call->error, "22003", "value overflows numeric format");
    }
}

#define ARITHMETIC(name_, function_)                                                               \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        return number_failed(call,                                                                 \
                             function_(a[0].numeric, a[1].numeric, call->memory, &ret->numeric));  \
    }
#define ARITHMETIC_ROWS(name_, function_)                                                          \
    ARITHMETIC(name_, function_)                                                                   \
    static int name_##_rows(struct sql_call *call, const struct sql_column *arguments,             \
                            unsigned rows, union sql_cell *ret, uint8_t *ret_nulls) {              \
        for (unsigned row = 0; row < rows; row++) {                                                \
            if (ret_nulls[row])                                                                    \
                continue;                                                                          \
            int rc = function_(sql_cell_at(&arguments[0], row)->numeric,                           \
                               sql_cell_at(&arguments[1], row)->numeric, call->memory,             \
                               &ret[row].numeric);                                                 \
            if (unlikely(rc < 0))                                                                  \
                return number_failed(call, rc);                                                    \
        }                                                                                          \
        return 0;                                                                                  \
    }

ARITHMETIC_ROWS(plus, sql_numeric_add)
ARITHMETIC_ROWS(minus, sql_numeric_subtract)
ARITHMETIC_ROWS(times, sql_numeric_multiply)
ARITHMETIC(divide, sql_numeric_divide)
ARITHMETIC(modulo, sql_numeric_modulo)
ARITHMETIC(quotient, sql_numeric_quotient)

static int negate(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(call, sql_numeric_negate(a[0].numeric, call->memory, &ret->numeric));
}

static int same(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = a[0];
    return 0;
}

static int absolute(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_numeric_sign(a[0].numeric) < 0 ? negate(call, a, ret) : same(call, a, ret);
}

static int sign(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->numeric = a[0].numeric.kind == SQL_NUMERIC_NAN
                       ? a[0].numeric
                       : sql_numeric_small(sql_numeric_sign(a[0].numeric), 0);
    return 0;
}

/* ---- rounding -------------------------------------------------------------------------------- */

static int places(struct sql_call *call, const union sql_cell *a) {
    if (call->count < 2)
        return 0;
    return a[1].i > 20000 ? 20000 : a[1].i < -140000 ? -140000 : (int)a[1].i;
}

static int round_off(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(
        call, sql_numeric_round(a[0].numeric, places(call, a), call->memory, &ret->numeric));
}

static int truncate_off(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(
        call, sql_numeric_truncate(a[0].numeric, places(call, a), call->memory, &ret->numeric));
}

static int floor_of(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(call, sql_numeric_floor(a[0].numeric, false, call->memory, &ret->numeric));
}

static int ceil_of(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(call, sql_numeric_floor(a[0].numeric, true, call->memory, &ret->numeric));
}

static int scale(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = a[0].numeric.kind > SQL_NUMERIC_BIG;
    *ret = (union sql_cell){.i = a[0].numeric.scale};
    return 0;
}

static int min_scale(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = a[0].numeric.kind > SQL_NUMERIC_BIG;
    *ret = (union sql_cell){.i = sql_numeric_min_scale(a[0].numeric)};
    return 0;
}

static int trim_scale(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int needed = (int)sql_numeric_min_scale(a[0].numeric);
    return number_failed(call,
                         sql_numeric_truncate(a[0].numeric, needed, call->memory, &ret->numeric));
}

/* ---- roots, powers, logarithms --------------------------------------------------------------- */

static int root(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (sql_numeric_sign(a[0].numeric) < 0)
        return sql_fail(call->error, "2201F", "cannot take square root of a negative number");
    return number_failed(call, sql_numeric_sqrt(a[0].numeric, call->memory, &ret->numeric));
}

static int exponential(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_failed(call, sql_numeric_exp(a[0].numeric, call->memory, &ret->numeric));
}

/* 2201E where no logarithm is. */
static int check_logarithm(struct sql_call *call, struct sql_numeric n) {
    if (n.kind == SQL_NUMERIC_NAN || sql_numeric_sign(n) > 0)
        return 0;
    return sql_fail(call->error, "2201E", "cannot take logarithm of %s",
                    sql_numeric_sign(n) < 0 ? "a negative number" : "zero");
}

static int natural(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int rc = check_logarithm(call, a[0].numeric);
    return rc < 0 ? rc
                  : number_failed(call, sql_numeric_ln(a[0].numeric, call->memory, &ret->numeric));
}

static int logarithm(struct sql_call *call, struct sql_numeric base, struct sql_numeric n,
                     union sql_cell *ret) {
    int rc = 0;
    if (base.kind != SQL_NUMERIC_NAN && n.kind != SQL_NUMERIC_NAN)
        rc = check_logarithm(call, base);
    if (rc == 0 && base.kind != SQL_NUMERIC_NAN)
        rc = check_logarithm(call, n);
    return rc < 0 ? rc : number_failed(call, sql_numeric_log(base, n, call->memory, &ret->numeric));
}

static int log_10(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return logarithm(call, sql_numeric_small(10, 0), a[0].numeric, ret);
}

static int log_base(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return logarithm(call, a[0].numeric, a[1].numeric, ret);
}

static int power(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int rc = sql_numeric_power(a[0].numeric, a[1].numeric, call->memory, &ret->numeric);
    if (rc == -EDOM)
        return sql_fail(call->error, "2201F",
                        sql_numeric_sign(a[0].numeric) == 0
                            ? "zero raised to a negative power is undefined"
                            : "a negative number raised to a non-integer power yields a complex "
                              "result");
    return number_failed(call, rc);
}

/* ---- divisors -------------------------------------------------------------------------------- */

static bool special(const union sql_cell *a) {
    return a[0].numeric.kind > SQL_NUMERIC_BIG || a[1].numeric.kind > SQL_NUMERIC_BIG;
}

static int common_divisor(struct sql_call *call, const union sql_cell *a, struct sql_numeric *ret) {
    struct sql_numeric x = a[0].numeric;
    struct sql_numeric y = a[1].numeric;
    unsigned shown = x.scale > y.scale ? x.scale : y.scale;
    int rc = 0;
    while (rc == 0 && sql_numeric_sign(y) != 0) {
        struct sql_numeric rest;
        rc = sql_numeric_modulo(x, y, call->memory, &rest);
        x = y;
        y = rest;
    }
    if (rc == 0 && sql_numeric_sign(x) < 0)
        rc = sql_numeric_negate(x, call->memory, &x);
    return rc < 0 ? rc : sql_numeric_round(x, (int)shown, call->memory, ret);
}

static int gcd(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (special(a)) {
        ret->numeric = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    return number_failed(call, common_divisor(call, a, &ret->numeric));
}

static int lcm(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (special(a)) {
        ret->numeric = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    unsigned shown =
        a[0].numeric.scale > a[1].numeric.scale ? a[0].numeric.scale : a[1].numeric.scale;
    if (sql_numeric_sign(a[0].numeric) == 0 || sql_numeric_sign(a[1].numeric) == 0) {
        ret->numeric = sql_numeric_small(0, shown);
        return 0;
    }
    struct sql_numeric n;
    int rc = common_divisor(call, a, &n);
    if (rc == 0)
        rc = sql_numeric_quotient(a[0].numeric, n, call->memory, &n);
    if (rc == 0)
        rc = sql_numeric_multiply(n, a[1].numeric, call->memory, &n);
    if (rc == 0 && sql_numeric_sign(n) < 0)
        rc = sql_numeric_negate(n, call->memory, &n);
    if (rc == 0)
        rc = sql_numeric_round(n, (int)shown, call->memory, &ret->numeric);
    return number_failed(call, rc);
}

/* ---- width_bucket ---------------------------------------------------------------------------- */

static int check_bounds(struct sql_call *call, int order, int64_t count) {
    if (count <= 0)
        return sql_fail(call->error, "2201G", "count must be greater than zero");
    if (order == 0)
        return sql_fail(call->error, "2201G", "lower bound cannot equal upper bound");
    return 0;
}

/* width_bucket(operand, low, high, count): which of COUNT equal parts of low..high, from 1. */
static int bucket(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    for (int i = 0; i < 3; i++) {
        if (a[i].numeric.kind == SQL_NUMERIC_NAN)
            return sql_fail(call->error, "2201G",
                            "operand, lower bound, and upper bound cannot be NaN");
        if (i > 0 && a[i].numeric.kind > SQL_NUMERIC_BIG)
            return sql_fail(call->error, "2201G", "lower and upper bounds must be finite");
    }
    int direction = sql_numeric_compare(a[2].numeric, a[1].numeric);
    int rc = check_bounds(call, direction, a[3].i);
    if (rc < 0)
        return rc;
    int64_t number;
    if (sql_numeric_compare(a[0].numeric, a[1].numeric) * direction < 0) {
        number = 0;
    } else if (sql_numeric_compare(a[0].numeric, a[2].numeric) * direction >= 0) {
        number = a[3].i + 1;
    } else { /* floor((operand - low) * count / (high - low)) + 1 */
        struct sql_numeric part;
        struct sql_numeric whole;
        rc = sql_numeric_subtract(a[0].numeric, a[1].numeric, call->memory, &part);
        if (rc == 0)
            rc = sql_numeric_multiply(part, sql_numeric_small(a[3].i, 0), call->memory, &part);
        if (rc == 0)
            rc = sql_numeric_subtract(a[2].numeric, a[1].numeric, call->memory, &whole);
        if (rc == 0)
            rc = sql_numeric_quotient(part, whole, call->memory, &part);
        if (rc == 0)
            rc = sql_numeric_to_int(part, &number);
        if (rc < 0)
            return number_failed(call, rc);
        number++;
    }
    if (number > INT32_MAX)
        return number_out_of_range(call);
    *ret = (union sql_cell){.i = number};
    return 0;
}

#define N SQL_NUMERIC
const struct sql_function sql_functions_decimal[] = {
    SQL_ROW_VECTOR("+", plus, plus_rows, N, N, N),
    SQL_ROW_VECTOR("-", minus, minus_rows, N, N, N),
    SQL_ROW_VECTOR("*", times, times_rows, N, N, N),
    SQL_ROW("/", divide, N, N, N),
    SQL_ROW("%", modulo, N, N, N),
    SQL_ROW("mod", modulo, N, N, N),
    SQL_ROW("div", quotient, N, N, N),
    SQL_ROW("^", power, N, N, N),
    SQL_ROW("power", power, N, N, N),
    SQL_ROW("pow", power, N, N, N),
    SQL_ROW("-", negate, N, N),
    SQL_ROW("+", same, N, N),
    SQL_ROW("@", absolute, N, N),
    SQL_ROW("abs", absolute, N, N),
    SQL_ROW("sign", sign, N, N),
    SQL_ROW("round", round_off, N, N),
    SQL_ROW("round", round_off, N, N, SQL_INT4),
    SQL_ROW("trunc", truncate_off, N, N),
    SQL_ROW("trunc", truncate_off, N, N, SQL_INT4),
    SQL_ROW("floor", floor_of, N, N),
    SQL_ROW("ceil", ceil_of, N, N),
    SQL_ROW("ceiling", ceil_of, N, N),
    SQL_ROW("scale", scale, SQL_INT4, N),
    SQL_ROW("min_scale", min_scale, SQL_INT4, N),
    SQL_ROW("trim_scale", trim_scale, N, N),
    SQL_ROW("sqrt", root, N, N),
    SQL_ROW("exp", exponential, N, N),
    SQL_ROW("ln", natural, N, N),
    SQL_ROW("log", log_10, N, N),
    SQL_ROW("log10", log_10, N, N),
    SQL_ROW("log", log_base, N, N, N),
    SQL_ROW("gcd", gcd, N, N, N),
    SQL_ROW("lcm", lcm, N, N, N),
    {.name = "width_bucket",
     .result = SQL_INT4,
     .count = 4,
     .arguments = {N, N, N, SQL_INT4},
     .scalar = bucket},
    {.name = NULL},
};
