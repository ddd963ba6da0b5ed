/*
 * float_math.c - roots, powers, logarithms, angles of float8, and random().
 *
 * libm does the work, as in PostgreSQL, so digits agree on one machine. The functions of degrees
 * are exact where people expect it (sind(30) = 0.5, atand(1) = 45): whole quarters are reduced
 * first, and results are scaled by what libm gives at 30, 45 and 60 degrees.
 */
#include "sql/number/float.h"

#include <math.h>

static int domain(struct sql_call *call) {
    return sql_fail(call->error, "22003", "input is out of range");
}

/* ---- rounding -------------------------------------------------------------------------------- */

#define PLAIN(name_, expression_)                                                                  \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        (void)call;                                                                                \
        double x = a[0].f;                                                                         \
        *ret = (union sql_cell){.f = (expression_)};                                               \
        return 0;                                                                                  \
    }
PLAIN(round_even, rint(x))
PLAIN(truncate_off, trunc(x))
PLAIN(floor_of, floor(x))
PLAIN(ceil_of, ceil(x))
PLAIN(sign, x > 0 ? 1 : x < 0 ? -1 : 0) /* of NaN too */
PLAIN(arc_tangent, atan(x))
PLAIN(hyperbolic_tangent, tanh(x))
PLAIN(arc_sinh, asinh(x))
PLAIN(cube_root, cbrt(x))

/* ---- roots, powers, logarithms --------------------------------------------------------------- */

static int root(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].f < 0)
        return sql_fail(call->error, "2201F", "cannot take square root of a negative number");
    return float_give(call, sqrt(a[0].f), false, false, ret);
}

static int exponential(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool usual = !isinf(a[0].f);
    return float_give(call, exp(a[0].f), usual, usual, ret);
}

static int logarithm(struct sql_call *call, double x, bool ten, union sql_cell *ret) {
    if (x <= 0)
        return sql_fail(call->error, "2201E", "cannot take logarithm of %s",
                        x < 0 ? "a negative number" : "zero");
    return float_give(call, ten ? log10(x) : log(x), !isinf(x), false, ret);
}

static int natural(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return logarithm(call, a[0].f, false, ret);
}

static int log_10(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return logarithm(call, a[0].f, true, ret);
}

static int power(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double x = a[0].f;
    double y = a[1].f;
    if (x == 0 && y < 0)
        return sql_fail(call->error, "2201F", "zero raised to a negative power is undefined");
    if (x < 0 && !isinf(x) && !isinf(y) && floor(y) != y && !isnan(y))
        return sql_fail(call->error, "2201F",
                        "a negative number raised to a non-integer power yields a complex result");
    bool usual = !isinf(x) && !isinf(y);
    return float_give(call, pow(x, y), usual, usual && x != 0, ret);
}

/* ---- angles in radians ----------------------------------------------------------------------- */

#define ANGLE(name_, function_)                                                                    \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        if (isinf(a[0].f))                                                                         \
            return domain(call);                                                                   \
        return float_give(call, function_(a[0].f), false, false, ret);                             \
    }
ANGLE(sine, sin)
ANGLE(cosine, cos)
ANGLE(tangent, tan)

static int cotangent(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (isinf(a[0].f))
        return domain(call);
    return float_give(call, 1.0 / tan(a[0].f), false, false, ret);
}

#define UNIT(name_, function_)                                                                     \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        if (a[0].f < -1 || a[0].f > 1)                                                             \
            return domain(call);                                                                   \
        return float_give(call, function_(a[0].f), false, false, ret);                             \
    }
UNIT(arc_sine, asin)
UNIT(arc_cosine, acos)
UNIT(arc_tanh, atanh)

static int arc_cosh(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return a[0].f < 1 ? domain(call) : float_give(call, acosh(a[0].f), false, false, ret);
}

static int arc_tangent_2(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, atan2(a[0].f, a[1].f), false, false, ret);
}

/* Overflow is infinity here, not an error. */
static int hyperbolic_sine(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, sinh(a[0].f), false, false, ret);
}

static int hyperbolic_cosine(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, cosh(a[0].f), false, false, ret);
}

/* ---- angles in degrees ----------------------------------------------------------------------- */

#define RADIANS_PER_DEGREE 0.0174532925199432957692

/* 0..60 degrees exact at 0, 30 and 60. */
static double sine_below_60(double x) {
    if (x <= 30)
        return sin(x * RADIANS_PER_DEGREE) / sin(30 * RADIANS_PER_DEGREE) / 2;
    double part = 1 - cos((90 - x) * RADIANS_PER_DEGREE);
    return 1 - (part / (1 - cos(60 * RADIANS_PER_DEGREE))) / 2;
}

static double cosine_below_90(double x) {
    if (x <= 60) {
        double part = 1 - cos(x * RADIANS_PER_DEGREE);
        return 1 - (part / (1 - cos(60 * RADIANS_PER_DEGREE))) / 2;
    }
    return sine_below_60(90 - x);
}

static double sine_below_90(double x) {
    return x <= 30 ? sine_below_60(x) : cosine_below_90(90 - x);
}

static double sine_of_degrees(double x) {
    double sign = x < 0 ? -1 : 1;
    x = fmod(fabs(x), 360);
    if (x > 180) {
        x = 360 - x;
        sign = -sign;
    }
    if (x > 90)
        x = 180 - x;
    return sign * sine_below_90(x);
}

static double cosine_of_degrees(double x) {
    double sign = 1;
    x = fmod(fabs(x), 360);
    if (x > 180)
        x = 360 - x;
    if (x > 90) {
        x = 180 - x;
        sign = -1;
    }
    return sign * cosine_below_90(x);
}

/* The tangent of X degrees; its inverse where COTANGENT is set. */
static double tangent_of_degrees(double x, bool inverse) {
    double sign = x < 0 ? -1 : 1;
    x = fmod(fabs(x), 360);
    if (x > 180) {
        x = 360 - x;
        sign = -sign;
    }
    if (x > 90) {
        x = 180 - x;
        sign = -sign;
    }
    double at_45 = sine_below_90(45) / cosine_below_90(45);
    double value = inverse ? sign * (cosine_below_90(x) / sine_below_90(x) * at_45)
                           : sign * (sine_below_90(x) / cosine_below_90(x) / at_45);
    return value == 0 ? 0 : value; /* not -0 */
}

#define DEGREES(name_, expression_)                                                                \
    static int name_(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {        \
        if (isinf(a[0].f))                                                                         \
            return domain(call);                                                                   \
        double x = a[0].f;                                                                         \
        return float_give(call, isnan(x) ? x : (expression_), false, false, ret);                  \
    }
DEGREES(sine_d, sine_of_degrees(x))
DEGREES(cosine_d, cosine_of_degrees(x))
DEGREES(tangent_d, tangent_of_degrees(x, false))
DEGREES(cotangent_d, tangent_of_degrees(x, true))

static double arc_sine_below_1(double x) { /* 0..1 */
    return x <= 0.5 ? asin(x) / asin(0.5) * 30 : 90 - acos(x) / acos(0.5) * 60;
}

static double arc_cosine_below_1(double x) {
    return x <= 0.5 ? 90 - asin(x) / asin(0.5) * 30 : acos(x) / acos(0.5) * 60;
}

static int arc_sine_d(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double x = a[0].f;
    if (x < -1 || x > 1)
        return domain(call);
    return float_give(call, x >= 0 ? arc_sine_below_1(x) : -arc_sine_below_1(-x), false, false,
                      ret);
}

static int arc_cosine_d(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double x = a[0].f;
    if (x < -1 || x > 1)
        return domain(call);
    return float_give(call, x >= 0 ? arc_cosine_below_1(x) : 90 + arc_sine_below_1(-x), false,
                      false, ret);
}

static int arc_tangent_d(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, atan(a[0].f) / atan(1.0) * 45, false, false, ret);
}

static int arc_tangent_2_d(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, atan2(a[0].f, a[1].f) / atan(1.0) * 45, false, false, ret);
}

static int degrees(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f / RADIANS_PER_DEGREE, !isinf(a[0].f), a[0].f != 0, ret);
}

static int radians(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return float_give(call, a[0].f * RADIANS_PER_DEGREE, false, a[0].f != 0, ret);
}

static int pi(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    *ret = (union sql_cell){.f = M_PI};
    return 0;
}

/* 0 <= random() < 1, 53 bits of the host's. */
static int uniform(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    const struct sql_settings *s = call->settings;
    if (!s || !s->random)
        return sql_fail(call->error, "0A000", "random() has no source of random numbers here");
    *ret = (union sql_cell){.f = (double)(s->random(s->self) >> 11) * 0x1p-53};
    return 0;
}

/* ---- width_bucket ---------------------------------------------------------------------------- */

static int bucket(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double x = a[0].f;
    double low = a[1].f;
    double high = a[2].f;
    int64_t count = a[3].i;
    if (count <= 0)
        return sql_fail(call->error, "2201G", "count must be greater than zero");
    if (isnan(x) || isnan(low) || isnan(high))
        return sql_fail(call->error, "2201G",
                        "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return sql_fail(call->error, "2201G", "lower and upper bounds must be finite");
    if (low == high)
        return sql_fail(call->error, "2201G", "lower bound cannot equal upper bound");
    int64_t number;
    if (low < high)
        number = x < low     ? 0
                 : x >= high ? count + 1
                             : (int64_t)(((double)count) * ((x - low) / (high - low))) + 1;
    else
        number = x > low     ? 0
                 : x <= high ? count + 1
                             : (int64_t)(((double)count) * ((low - x) / (low - high))) + 1;
    if (number > INT32_MAX)
        return number_out_of_range(call);
    *ret = (union sql_cell){.i = number};
    return 0;
}

/* width_bucket(x, thresholds in order): how many of them are not above x. */
static int bucket_of_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_array *array = a[1].array;
    if (array->dimensions > 1)
        return sql_fail(call->error, "2202E", "thresholds must be one-dimensional array");
    unsigned low = 0;
    unsigned high = array->count;
    for (unsigned i = 0; array->nulls && i < array->count; i++)
        if (array->nulls[i])
            return sql_fail(call->error, "22004", "thresholds array must not contain NULLs");
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sql_value_compare(array->element, &a[0], &array->cells[middle]) < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret = (union sql_cell){.i = low};
    return 0;
}

#define F8 SQL_FLOAT8
#define FLOAT(name_, function_) SQL_ROW(name_, function_, F8, F8)
const struct sql_function sql_functions_float_math[] = {
    FLOAT("round", round_even),
    FLOAT("trunc", truncate_off),
    FLOAT("floor", floor_of),
    FLOAT("ceil", ceil_of),
    FLOAT("ceiling", ceil_of),
    FLOAT("sign", sign),
    FLOAT("sqrt", root),
    FLOAT("|/", root),
    FLOAT("cbrt", cube_root),
    FLOAT("||/", cube_root),
    FLOAT("exp", exponential),
    FLOAT("ln", natural),
    FLOAT("log", log_10),
    FLOAT("log10", log_10),
    SQL_ROW("power", power, F8, F8, F8),
    SQL_ROW("pow", power, F8, F8, F8),
    SQL_ROW("^", power, F8, F8, F8),
    FLOAT("sin", sine),
    FLOAT("cos", cosine),
    FLOAT("tan", tangent),
    FLOAT("cot", cotangent),
    FLOAT("asin", arc_sine),
    FLOAT("acos", arc_cosine),
    FLOAT("atan", arc_tangent),
    SQL_ROW("atan2", arc_tangent_2, F8, F8, F8),
    FLOAT("sinh", hyperbolic_sine),
    FLOAT("cosh", hyperbolic_cosine),
    FLOAT("tanh", hyperbolic_tangent),
    FLOAT("asinh", arc_sinh),
    FLOAT("acosh", arc_cosh),
    FLOAT("atanh", arc_tanh),
    FLOAT("sind", sine_d),
    FLOAT("cosd", cosine_d),
    FLOAT("tand", tangent_d),
    FLOAT("cotd", cotangent_d),
    FLOAT("asind", arc_sine_d),
    FLOAT("acosd", arc_cosine_d),
    FLOAT("atand", arc_tangent_d),
    SQL_ROW("atan2d", arc_tangent_2_d, F8, F8, F8),
    FLOAT("degrees", degrees),
    FLOAT("radians", radians),
    {.name = "pi", .result = F8, .scalar = pi},
    {.name = "random", .result = F8, .flags = SQL_VOLATILE, .scalar = uniform},
    {.name = "width_bucket",
     .result = SQL_INT4,
     .count = 4,
     .arguments = {F8, F8, F8, SQL_INT4},
     .scalar = bucket},
    SQL_ROW("width_bucket", bucket_of_array, SQL_INT4, SQL_ANYELEMENT, SQL_ANYARRAY),
    {.name = NULL},
};
