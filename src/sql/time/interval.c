/*
 * interval.c - intervals plus, minus, times and divided.
 */
#include "sql/time/interval.h"

#include "sql/time/arithmetic.h"

#include <math.h>

int sql_interval_add(const struct sql_interval *a, const struct sql_interval *b,
                     struct sql_interval *ret, struct sql_error *error) {
    struct sql_interval sum;
    if (__builtin_add_overflow(a->months, b->months, &sum.months) ||
        __builtin_add_overflow(a->days, b->days, &sum.days) ||
        __builtin_add_overflow(a->microseconds, b->microseconds, &sum.microseconds))
        return sql_fail_interval(error);
    *ret = sum;
    return 0;
}

int sql_interval_subtract(const struct sql_interval *a, const struct sql_interval *b,
                          struct sql_interval *ret, struct sql_error *error) {
    struct sql_interval rest;
    if (__builtin_sub_overflow(a->months, b->months, &rest.months) ||
        __builtin_sub_overflow(a->days, b->days, &rest.days) ||
        __builtin_sub_overflow(a->microseconds, b->microseconds, &rest.microseconds))
        return sql_fail_interval(error);
    *ret = rest;
    return 0;
}

/* To whole microseconds, of seconds or days. */
static double tidy(double number) {
    return rint(number * 1e6) / 1e6;
}

static bool to_int32(double number, int32_t *ret) {
    if (isnan(number) || number > (double)INT32_MAX || number < (double)INT32_MIN)
        return false;
    *ret = (int32_t)number;
    return true;
}

/* The three parts scaled to MONTHS, DAYS and US, of which the fractions go down: of months to days
   of 30 to the month, of days to time. Whole days that the time so gains are days again. */
static int settle(double months, double days, double us, struct sql_interval *ret,
                  struct sql_error *error) {
    const double seconds_per_day = 86400;
    struct sql_interval result;
    if (!to_int32(months, &result.months) || !to_int32(days, &result.days))
        return sql_fail_interval(error);
    double more_days = tidy((months - result.months) * 30);
    double seconds = tidy((days - result.days + more_days - trunc(more_days)) * seconds_per_day);
    int32_t carry = (int32_t)more_days;
    if (fabs(seconds) >= seconds_per_day) {
        double whole = trunc(seconds / seconds_per_day);
        carry += (int32_t)whole;
        seconds -= whole * seconds_per_day;
    }
    us = rint(us + seconds * 1e6);
    if (__builtin_add_overflow(result.days, carry, &result.days) || isnan(us) ||
        us >= 9223372036854775808.0 || us < -9223372036854775808.0)
        return sql_fail_interval(error);
    result.microseconds = (int64_t)us;
    *ret = result;
    return 0;
}

int sql_interval_multiply(const struct sql_interval *a, double factor, struct sql_interval *ret,
                          struct sql_error *error) {
    return settle(a->months * factor, a->days * factor, (double)a->microseconds * factor, ret,
                  error);
}

int sql_interval_divide(const struct sql_interval *a, double divisor, struct sql_interval *ret,
                        struct sql_error *error) {
    if (divisor == 0)
        return sql_fail(error, "22012", "division by zero");
    return settle(a->months / divisor, a->days / divisor, (double)a->microseconds / divisor, ret,
                  error);
}
