/*
 * interval.h - arithmetic of intervals: months, days and microseconds, each of its own.
 *
 * For order and equality a month is 30 days and a day 24 hours, as in PostgreSQL ('1 mon' = '30
 * days'). Fractions that multiplying leaves go down from months to days to time.
 */
#ifndef NONET_SQL_TIME_INTERVAL_H
#define NONET_SQL_TIME_INTERVAL_H

#include "sql/value.h"

__extension__ typedef __int128 sql_interval_span;

/* In microseconds. */
static inline sql_interval_span sql_interval_length(const struct sql_interval *i) {
    int64_t days = (int64_t)i->months * 30 + i->days;
    return (sql_interval_span)days * INT64_C(86400000000) + i->microseconds;
}

static inline int sql_interval_compare(const struct sql_interval *a, const struct sql_interval *b) {
    sql_interval_span x = sql_interval_length(a), y = sql_interval_length(b);
    return (x > y) - (x < y);
}

/* 0, or -EINVAL with 22008 "interval out of range"; 22012 for a division by 0. RET may be A. */
must_use int sql_interval_add(const struct sql_interval *a, const struct sql_interval *b,
                              struct sql_interval *ret, struct sql_error *error);
must_use int sql_interval_subtract(const struct sql_interval *a, const struct sql_interval *b,
                                   struct sql_interval *ret, struct sql_error *error);
must_use int sql_interval_multiply(const struct sql_interval *a, double factor,
                                   struct sql_interval *ret, struct sql_error *error);
must_use int sql_interval_divide(const struct sql_interval *a, double divisor,
                                 struct sql_interval *ret, struct sql_error *error);

#endif
