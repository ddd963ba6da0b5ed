/*
 * numeric_math.c - roots, exponentials, logarithms and powers of numeric.
 *
 * Each first chooses the shown scale as PostgreSQL does (sixteen significant digits, estimated
 * from a double), then computes with GUARD digits more and rounds once:
 *
 *      sqrt   Newton's iteration from the double's root; each step doubles the digits
 *      exp    exp(x) = exp(x / 2^n)^(2^n) with x / 2^n < 0.01, Taylor's series
 *      ln     roots until near 1, then 2 artanh((x - 1) / (x + 1))
 *      power  squarings for integers, else exp(ln(base) * exponent)
 *
 * The arguments' limits (results of at most 131072 digits, scales of at most 1000) bound the work.
 */
#include "sql/numeric_big.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_SIGNIFICANT_DIGITS 16
#define GUARD 10
#define LOG10_E 0.434294481903252
#define LN_10 2.302585092994046

static int clamp_scale(double scale, unsigned least) {
    if (scale < (double)least)
        scale = (double)least;
    return scale > (double)SQL_NUMERIC_RESULT_SCALE_MAX ? (int)SQL_NUMERIC_RESULT_SCALE_MAX
                                                        : (int)scale;
}

static unsigned larger(unsigned a, unsigned b) {
    return a > b ? a : b;
}

static double to_double(struct sql_numeric_big b) {
    int exponent;
    double head = big_estimate(b, &exponent);
    return head * pow(10, exponent); /* infinite and 0 beyond double's range: as wanted */
}

/* VALUE x 10^EXPONENT as limbs. */
static int from_estimate(double value, int exponent, struct arena *memory,
                         struct sql_numeric_big *ret) {
    char text[64];
    int len = snprintf(text, sizeof text, "%.17ge%d", value, 0);
    char *e = strchr(text, 'e');
    int own = (int)strtol(e + 1, NULL, 10); /* %g may have written an exponent of its own */
    len = snprintf(e, sizeof text - (size_t)(e - text), "e%d", own + exponent);
    struct sql_numeric n;
    int rc = sql_numeric_parse(slice_make(text, (size_t)(e - text) + (size_t)len), memory, &n);
    if (rc < 0)
        return rc;
    struct big_room room;
    struct sql_numeric_big b = big_of(&n, &room);
    uint32_t *limbs = big_limbs(memory, b.count);
    if (!limbs)
        return -ENOMEM;
    memcpy(limbs, b.limbs, b.count * sizeof *limbs);
    *ret = b;
    ret->limbs = limbs;
    return 0;
}

static int multiply_round(struct sql_numeric_big a, struct sql_numeric_big b, int scale,
                          struct arena *memory, struct sql_numeric_big *ret) {
    struct sql_numeric_big product;
    int rc = big_multiply(a, b, memory, &product);
    return rc < 0 ? rc : big_round(product, scale, true, memory, ret);
}

/* ---- sqrt ------------------------------------------------------------------------------------ */

static int root(struct sql_numeric_big a, int scale, struct arena *memory,
                struct sql_numeric_big *ret) {
    if (a.count == 0) {
        *ret = a;
        return 0;
    }
    int exponent;
    double head = big_estimate(a, &exponent);
    if (exponent % 2 != 0) {
        head *= 10;
        exponent--;
    }
    struct sql_numeric_big x;
    int rc = from_estimate(sqrt(head), exponent / 2, memory, &x);
    int needed = big_magnitude(x) + scale;
    struct big_room room;
    for (int digits = 15; rc == 0; digits *= 2) {
        struct sql_numeric_big other;
        rc = big_divide(a, x, scale + GUARD, true, memory, &other);
        if (rc == 0)
            rc = big_add(x, other, memory, &x);
        if (rc == 0)
            rc = big_divide(x, big_small(2, &room), scale + GUARD, true, memory, &x);
        if (digits > needed + GUARD)
            break;
    }
    return rc < 0 ? rc : big_round(x, scale, true, memory, ret);
}

/* R moved by one unit where (R - half a unit)^2 says that A's root lies below, or (R + half a
   unit)^2 above: Newton's last digit may be off by one, which near a half rounds to the wrong side.
 */
static int settle(struct sql_numeric_big a, int scale, struct arena *memory,
                  struct sql_numeric_big *r) {
    struct sql_numeric_big half;
    int rc = from_estimate(5, -scale - 1, memory, &half);
    for (int side = 0; rc == 0 && side < 2; side++) {
        struct sql_numeric_big edge;
        struct sql_numeric_big square;
        struct sql_numeric_big step = side ? half : big_negate(half);
        rc = big_add(*r, step, memory, &edge);
        if (rc == 0)
            rc = big_multiply(edge, edge, memory, &square);
        if (rc < 0 || edge.negative)
            continue;
        int order = big_compare(square, a);
        if (side ? order <= 0 : order > 0) {
            rc = big_add(edge, step, memory, r);
            break;
        }
    }
    return rc;
}

int sql_numeric_root(struct sql_numeric n, unsigned scale, struct arena *memory,
                     struct sql_numeric *ret) {
    struct big_room room;
    struct sql_numeric_big a = big_of(&n, &room);
    struct sql_numeric_big result;
    int rc = root(a, (int)scale, memory, &result);
    if (rc == 0)
        rc = settle(a, (int)scale, memory, &result);
    return rc < 0 ? rc : big_to(result, scale, memory, ret);
}

int sql_numeric_sqrt(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret) {
    if (sql_numeric_sign(n) < 0)
        return -EDOM;
    if (n.kind > SQL_NUMERIC_BIG) {
        *ret = n;
        return 0;
    }
    struct big_room room;
    struct sql_numeric_big a = big_of(&n, &room);
    int first;
    int weight = (big_weight4(a, &first) + 1) * 2 - 1; /* decimal, of the root */
    int scale = clamp_scale(MIN_SIGNIFICANT_DIGITS - weight, n.scale);
    return sql_numeric_root(n, (unsigned)scale, memory, ret);
}

/* ---- exp ------------------------------------------------------------------------------------- */

/* exp(X), X >= 0, to DIGITS significant digits. */
static int exp_positive(struct sql_numeric_big x, int digits, struct arena *memory,
                        struct sql_numeric_big *ret) {
    unsigned halvings = 0;
    for (double size = to_double(x); size > 0.01; size /= 2)
        halvings++;
    int scale = digits + GUARD + (int)halvings / 3;
    struct big_room room;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < halvings; i++)
        rc = big_divide(x, big_small(2, &room), scale + (int)halvings, true, memory, &x);
    struct sql_numeric_big sum = big_one();
    struct sql_numeric_big term = sum;
    for (uint32_t k = 1; rc == 0 && term.count > 0; k++) {
        rc = multiply_round(term, x, scale + GUARD, memory, &term);
        if (rc == 0)
            rc = big_divide(term, big_small(k, &room), scale, true, memory, &term);
        if (rc == 0)
            rc = big_add(sum, term, memory, &sum);
    }
    for (unsigned i = 0; rc == 0 && i < halvings; i++) {
        int behind = scale - 2 * big_magnitude(sum);
        rc = multiply_round(sum, sum, behind, memory, &sum);
    }
    *ret = sum;
    return rc;
}

/* exp(X) to SCALE digits behind the point. */
static int exponential(struct sql_numeric_big x, int scale, struct arena *memory,
                       struct sql_numeric_big *ret) {
    int magnitude = (int)(to_double(x) * LOG10_E); /* below 10^6: the callers looked */
    int digits = scale + magnitude + GUARD;
    if (digits < GUARD) {
        *ret = (struct sql_numeric_big){.count = 0};
        return 0;
    }
    bool negative = x.negative;
    x.negative = false;
    struct sql_numeric_big result;
    int rc = exp_positive(x, digits, memory, &result);
    if (rc == 0 && negative)
        rc = big_divide(big_one(), result, scale + 2, true, memory, &result);
    return rc < 0 ? rc : big_round(result, scale, true, memory, ret);
}

int sql_numeric_exp(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret) {
    if (n.kind > SQL_NUMERIC_BIG) {
        *ret = n.kind == SQL_NUMERIC_MINUS_INFINITY ? sql_numeric_small(0, 0) : n;
        return 0;
    }
    struct big_room room;
    struct sql_numeric_big x = big_of(&n, &room);
    double value = to_double(x);
    double decimals = fmin(fmax(value * LOG10_E, -2000), 2000);
    int scale = clamp_scale(MIN_SIGNIFICANT_DIGITS - trunc(decimals), n.scale);
    if (value >= 6000)
        return -ERANGE;
    if (value <= -6000) {
        *ret = sql_numeric_small(0, (unsigned)scale);
        return 0;
    }
    struct sql_numeric_big result;
    int rc = exponential(x, scale, memory, &result);
    return rc < 0 ? rc : big_to(result, (unsigned)scale, memory, ret);
}

/* ---- logarithms ------------------------------------------------------------------------------ */

/* The decimal weight of ln(X), X > 0, from its first digits. */
static int ln_weight(struct sql_numeric_big x, struct arena *memory, int *ret) {
    double value = to_double(x);
    if (value >= 0.9 && value <= 1.1) {
        struct sql_numeric_big rest;
        int rc = big_subtract(x, big_one(), memory, &rest);
        if (rc < 0)
            return rc;
        int first;
        int weight = big_weight4(rest, &first);
        *ret = rest.count ? weight * 4 + (int)log10(first) : 0;
        return 0;
    }
    int exponent;
    double head = big_estimate(x, &exponent);
    double ln = fabs(log(head) + exponent * LN_10);
    *ret = (int)log10(ln);
    return 0;
}

/* ln(X), X > 0, to SCALE digits behind the point. */
static int logarithm(struct sql_numeric_big x, int scale, struct arena *memory,
                     struct sql_numeric_big *ret) {
    struct sql_numeric_big one = big_one();
    int work = scale + GUARD + 6; /* up to 25 doublings lose 8 digits */
    bool inverted = big_compare(x, one) < 0;
    int rc = 0;
    if (inverted)
        rc = big_divide(one, x, work, true, memory, &x);
    unsigned doublings = 1; /* the series' own 2 */
    while (rc == 0 && to_double(x) > 1.02 && doublings < 30) {
        rc = root(x, work, memory, &x);
        doublings++;
    }
    struct sql_numeric_big above;
    struct sql_numeric_big below;
    if (rc == 0)
        rc = big_subtract(x, one, memory, &above);
    if (rc == 0)
        rc = big_add(x, one, memory, &below);
    struct sql_numeric_big power = {.count = 0};
    if (rc == 0)
        rc = big_divide(above, below, work, true, memory, &power);
    struct sql_numeric_big square;
    if (rc == 0)
        rc = multiply_round(power, power, work, memory, &square);
    struct sql_numeric_big sum = power;
    struct big_room room;
    for (uint32_t k = 3; rc == 0 && power.count > 0; k += 2) {
        struct sql_numeric_big term;
        rc = multiply_round(power, square, work, memory, &power);
        if (rc == 0)
            rc = big_divide(power, big_small(k, &room), work, true, memory, &term);
        if (rc == 0)
            rc = big_add(sum, term, memory, &sum);
    }
    for (; rc == 0 && doublings > 0; doublings--)
        rc = big_add(sum, sum, memory, &sum);
    if (rc < 0)
        return rc;
    return big_round(inverted ? big_negate(sum) : sum, scale, true, memory, ret);
}

int sql_numeric_ln(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret) {
    if (n.kind != SQL_NUMERIC_NAN && sql_numeric_sign(n) <= 0)
        return -EDOM;
    if (n.kind > SQL_NUMERIC_BIG) {
        *ret = n;
        return 0;
    }
    struct big_room room;
    struct sql_numeric_big x = big_of(&n, &room);
    int weight;
    int rc = ln_weight(x, memory, &weight);
    if (rc < 0)
        return rc;
    int scale = clamp_scale(MIN_SIGNIFICANT_DIGITS - weight, n.scale);
    struct sql_numeric_big result;
    rc = logarithm(x, scale, memory, &result);
    return rc < 0 ? rc : big_to(result, (unsigned)scale, memory, ret);
}

static int log_special(struct sql_numeric base, struct sql_numeric n, struct sql_numeric *ret) {
    if (base.kind == SQL_NUMERIC_NAN || n.kind == SQL_NUMERIC_NAN ||
        (base.kind == SQL_NUMERIC_INFINITY && n.kind == SQL_NUMERIC_INFINITY))
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
    else if (base.kind == SQL_NUMERIC_INFINITY)
        *ret = sql_numeric_small(0, 0);
    else
        *ret = sql_numeric_infinity(1);
    return 0;
}

int sql_numeric_log(struct sql_numeric base, struct sql_numeric n, struct arena *memory,
                    struct sql_numeric *ret) {
    bool nan = base.kind == SQL_NUMERIC_NAN || n.kind == SQL_NUMERIC_NAN;
    if (!nan && (sql_numeric_sign(base) <= 0 || sql_numeric_sign(n) <= 0))
        return -EDOM;
    if (base.kind > SQL_NUMERIC_BIG || n.kind > SQL_NUMERIC_BIG)
        return log_special(base, n, ret);
    struct big_room room_base;
    struct big_room room;
    struct sql_numeric_big b = big_of(&base, &room_base);
    struct sql_numeric_big x = big_of(&n, &room);
    int weight_b;
    int weight_x;
    int rc = ln_weight(b, memory, &weight_b);
    if (rc == 0)
        rc = ln_weight(x, memory, &weight_x);
    if (rc < 0)
        return rc;
    int scale =
        clamp_scale(MIN_SIGNIFICANT_DIGITS - (weight_x - weight_b), larger(base.scale, n.scale));
    int work = scale + GUARD - weight_b + (weight_x > weight_b ? weight_x - weight_b : 0);
    rc = logarithm(b, work + GUARD, memory, &b);
    if (rc == 0)
        rc = logarithm(x, work + GUARD, memory, &x);
    if (rc == 0 && b.count == 0)
        rc = -EDOM;
    struct sql_numeric_big result;
    if (rc == 0)
        rc = big_divide(x, b, scale, true, memory, &result);
    return rc < 0 ? rc : big_to(result, (unsigned)scale, memory, ret);
}

/* ---- powers ---------------------------------------------------------------------------------- */

static bool whole(struct sql_numeric n) {
    return n.kind > SQL_NUMERIC_BIG || sql_numeric_min_scale(n) == 0;
}

static bool odd(struct sql_numeric n) {
    struct big_room room;
    if (n.kind > SQL_NUMERIC_BIG)
        return false;
    struct sql_numeric_big b = big_of(&n, &room);
    return b.count > 0 && b.weight == (int)b.count - 1 && b.limbs[b.count - 1] % 2 == 1;
}

static bool is_one(struct sql_numeric n) {
    return n.kind <= SQL_NUMERIC_BIG && sql_numeric_compare(n, sql_numeric_small(1, 0)) == 0;
}

/* At least one side is NaN or infinite; base is not zero with a negative exponent. */
static int power_special(struct sql_numeric base, struct sql_numeric exponent,
                         struct sql_numeric *ret) {
    bool exponent_zero = exponent.kind <= SQL_NUMERIC_BIG && sql_numeric_sign(exponent) == 0;
    if (exponent_zero || is_one(base)) {
        *ret = sql_numeric_small(1, 0);
        return 0;
    }
    if (base.kind == SQL_NUMERIC_NAN || exponent.kind == SQL_NUMERIC_NAN) {
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    bool up = sql_numeric_sign(exponent) > 0;
    if (exponent.kind > SQL_NUMERIC_BIG) { /* to what end |base| goes */
        struct sql_numeric size = base;
        if (base.kind == SQL_NUMERIC_SMALL && base.coefficient < 0)
            size.coefficient = -base.coefficient;
        bool big = base.kind == SQL_NUMERIC_BIG && base.big->weight >= 0;
        int order = base.kind > SQL_NUMERIC_BIG || big ? 1
                    : base.kind == SQL_NUMERIC_BIG
                        ? -1
                        : sql_numeric_compare(size, sql_numeric_small(1, 0));
        *ret = order == 0          ? sql_numeric_small(1, 0)
               : (order > 0) == up ? sql_numeric_infinity(1)
                                   : sql_numeric_small(0, 0);
        return 0;
    }
    int sign = sql_numeric_sign(base) < 0 && odd(exponent) ? -1 : 1;
    *ret = up ? sql_numeric_infinity(sign) : sql_numeric_small(0, 0);
    return 0;
}

/* BASE^EXPONENT, |EXPONENT| < 2^31, to SCALE digits behind the point. */
static int power_int(struct sql_numeric_big base, int64_t exponent, int scale, struct arena *memory,
                     struct sql_numeric_big *ret) {
    int lead;
    double head = fabs(big_estimate(base, &lead));
    double decimals = (double)exponent * (log10(head) + lead);
    if (decimals > SQL_NUMERIC_INTEGER_DIGITS_MAX + 1)
        return -ERANGE;
    *ret = (struct sql_numeric_big){.count = 0};
    if (decimals < -(double)(scale + 2))
        return 0;
    int digits = scale + (int)fabs(decimals) + 2 * GUARD; /* significant ones, kept all along */
    struct sql_numeric_big result = big_one();
    int rc = 0;
    for (uint64_t rest = (uint64_t)(exponent < 0 ? -exponent : exponent); rc == 0 && rest > 0;) {
        if (rest & 1)
            rc = multiply_round(result, base, digits - big_magnitude(result) - big_magnitude(base),
                                memory, &result);
        rest >>= 1;
        if (rc == 0 && rest > 0)
            rc = multiply_round(base, base, digits - 2 * big_magnitude(base), memory, &base);
    }
    if (rc == 0 && exponent < 0)
        return big_divide(big_one(), result, scale, true, memory, ret);
    return rc < 0 ? rc : big_round(result, scale, true, memory, ret);
}

static int power_real(struct sql_numeric_big base, struct sql_numeric exponent, unsigned scale_base,
                      struct arena *memory, struct sql_numeric *ret) {
    bool negative = base.negative && odd(exponent);
    base.negative = false;
    struct big_room room;
    struct sql_numeric_big y = big_of(&exponent, &room);
    int weight;
    struct sql_numeric_big ln;
    struct sql_numeric_big product;
    int rc = ln_weight(base, memory, &weight);
    int rough = weight < 8 ? 8 - weight : 0; /* digits of the estimate: they decide the scale */
    if (rc == 0)
        rc = logarithm(base, rough, memory, &ln);
    if (rc == 0)
        rc = multiply_round(ln, y, rough, memory, &product);
    if (rc < 0)
        return rc;
    double decimals = to_double(product) * LOG10_E;
    if (fabs(decimals) > 2000 * 3.01) {
        *ret = sql_numeric_small(0, SQL_NUMERIC_RESULT_SCALE_MAX);
        return decimals > 0 ? -ERANGE : 0;
    }
    int scale =
        clamp_scale(MIN_SIGNIFICANT_DIGITS - trunc(decimals), larger(scale_base, exponent.scale));
    int digits = scale + (int)decimals + GUARD;
    int work = (digits < GUARD ? GUARD : digits) + GUARD + abs(big_magnitude(y));
    rc = logarithm(base, work, memory, &ln);
    if (rc == 0)
        rc = big_multiply(ln, y, memory, &product);
    struct sql_numeric_big result;
    if (rc == 0)
        rc = exponential(product, scale, memory, &result);
    return rc < 0 ? rc
                  : big_to(negative ? big_negate(result) : result, (unsigned)scale, memory, ret);
}

int sql_numeric_power(struct sql_numeric base, struct sql_numeric exponent, struct arena *memory,
                      struct sql_numeric *ret) {
    int sign = sql_numeric_sign(base);
    bool nan = base.kind == SQL_NUMERIC_NAN || exponent.kind == SQL_NUMERIC_NAN;
    if (!nan && ((sign == 0 && sql_numeric_sign(exponent) < 0) || (sign < 0 && !whole(exponent))))
        return -EDOM;
    if (base.kind > SQL_NUMERIC_BIG || exponent.kind > SQL_NUMERIC_BIG)
        return power_special(base, exponent, ret);
    struct big_room room;
    struct sql_numeric_big x = big_of(&base, &room);
    int64_t integer;
    if (whole(exponent) && sql_numeric_to_int(exponent, &integer) == 0 && integer >= INT32_MIN &&
        integer <= INT32_MAX) {
        int scale = clamp_scale(MIN_SIGNIFICANT_DIGITS, base.scale);
        struct sql_numeric_big result = x;
        int rc = sign == 0 && integer != 0 ? 0 : power_int(x, integer, scale, memory, &result);
        return rc < 0 ? rc : big_to(result, (unsigned)scale, memory, ret);
    }
    if (sign == 0) {
        *ret = sql_numeric_small(0, MIN_SIGNIFICANT_DIGITS);
        return 0;
    }
    return power_real(x, exponent, base.scale, memory, ret);
}
