/*
 * operators.c - + - * / of dates, times, timestamps and intervals, as rows of functions.
 *
 * Comparisons are not here: they are the same for all types. Only timestamptz asks for a zone, the
 * session's; a view keeps that of the session that made it.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"

#include <errno.h>

static int date_move(struct sql_call *call, int64_t days, int64_t by, union sql_cell *ret) {
    ret->i = days;
    if (sql_infinite(days))
        return 0;
    ret->i = days + by;
    return sql_date_valid(ret->i) ? 0 : sql_fail_date(call->error);
}

static int date_plus_int(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return date_move(call, a[0].i, a[1].i, ret);
}

static int int_plus_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return date_move(call, a[1].i, a[0].i, ret);
}

static int date_minus_int(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return date_move(call, a[0].i, -a[1].i, ret);
}

static int date_minus_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (sql_infinite(a[0].i) || sql_infinite(a[1].i))
        return sql_fail(call->error, "22008", "cannot subtract infinite dates");
    ret->i = (int32_t)(a[0].i - a[1].i);
    return 0;
}

static int date_plus_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_date_and_time(a[0].i, a[1].i, &ret->i, call->error);
}

static int time_plus_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_date_and_time(a[1].i, a[0].i, &ret->i, call->error);
}

static int date_plus_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t midnight;
    if (sql_date_to_timestamp(a[0].i, &midnight, call->error) != 0)
        return -EINVAL;
    return sql_timestamp_add(midnight, &a[1].interval, NULL, &ret->i, call->error);
}

static int interval_plus_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const union sql_cell turned[2] = {a[1], a[0]};
    return date_plus_interval(call, turned, ret);
}

static int date_minus_interval(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    int64_t midnight;
    if (sql_date_to_timestamp(a[0].i, &midnight, call->error) != 0)
        return -EINVAL;
    return sql_timestamp_minus(midnight, &a[1].interval, NULL, &ret->i, call->error);
}

static int time_plus_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = sql_floor_mod(a[0].i + a[1].interval.microseconds % SQL_US_PER_DAY, SQL_US_PER_DAY);
    return 0;
}

static int interval_plus_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const union sql_cell turned[2] = {a[1], a[0]};
    return time_plus_interval(call, turned, ret);
}

static int time_minus_interval(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    (void)call;
    ret->i = sql_floor_mod(a[0].i - a[1].interval.microseconds % SQL_US_PER_DAY, SQL_US_PER_DAY);
    return 0;
}

static int time_minus_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->interval = (struct sql_interval){a[0].i - a[1].i, 0, 0};
    return 0;
}

static int timestamp_plus_interval(struct sql_call *call, const union sql_cell *a,
                                   union sql_cell *ret) {
    const struct sql_zone *zone = sql_call_zone_of(call, call->types[0].oid);
    return sql_timestamp_add(a[0].i, &a[1].interval, zone, &ret->i, call->error);
}

static int interval_plus_timestamp(struct sql_call *call, const union sql_cell *a,
                                   union sql_cell *ret) {
    const struct sql_zone *zone = sql_call_zone_of(call, call->types[1].oid);
    return sql_timestamp_add(a[1].i, &a[0].interval, zone, &ret->i, call->error);
}

static int timestamp_minus_interval(struct sql_call *call, const union sql_cell *a,
                                    union sql_cell *ret) {
    const struct sql_zone *zone = sql_call_zone_of(call, call->types[0].oid);
    return sql_timestamp_minus(a[0].i, &a[1].interval, zone, &ret->i, call->error);
}

static int timestamp_minus_timestamp(struct sql_call *call, const union sql_cell *a,
                                     union sql_cell *ret) {
    return sql_timestamp_difference(a[0].i, a[1].i, &ret->interval, call->error);
}

static int interval_plus_interval(struct sql_call *call, const union sql_cell *a,
                                  union sql_cell *ret) {
    return sql_interval_add(&a[0].interval, &a[1].interval, &ret->interval, call->error);
}

static int interval_minus_interval(struct sql_call *call, const union sql_cell *a,
                                   union sql_cell *ret) {
    return sql_interval_subtract(&a[0].interval, &a[1].interval, &ret->interval, call->error);
}

static int minus_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    static const struct sql_interval zero;
    return sql_interval_subtract(&zero, &a[0].interval, &ret->interval, call->error);
}

static int interval_times(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_interval_multiply(&a[0].interval, a[1].f, &ret->interval, call->error);
}

static int times_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_interval_multiply(&a[1].interval, a[0].f, &ret->interval, call->error);
}

static int interval_divided(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_interval_divide(&a[0].interval, a[1].f, &ret->interval, call->error);
}

#define ROW(name_, result_, a_, b_, flags_, scalar_)                                               \
    {                                                                                              \
        .name = name_, .result = SQL_##result_, .count = 2, .flags = flags_,                       \
        .arguments = {SQL_##a_, SQL_##b_}, .scalar = scalar_                                       \
    }

const struct sql_function sql_functions_time_operators[] = {
    ROW("+", DATE, DATE, INT4, 0, date_plus_int),
    ROW("+", DATE, INT4, DATE, 0, int_plus_date),
    ROW("-", DATE, DATE, INT4, 0, date_minus_int),
    ROW("-", INT4, DATE, DATE, 0, date_minus_date),
    ROW("+", TIMESTAMP, DATE, TIME, 0, date_plus_time),
    ROW("+", TIMESTAMP, TIME, DATE, 0, time_plus_date),
    ROW("+", TIMESTAMP, DATE, INTERVAL, 0, date_plus_interval),
    ROW("+", TIMESTAMP, INTERVAL, DATE, 0, interval_plus_date),
    ROW("-", TIMESTAMP, DATE, INTERVAL, 0, date_minus_interval),
    ROW("+", TIME, TIME, INTERVAL, 0, time_plus_interval),
    ROW("+", TIME, INTERVAL, TIME, 0, interval_plus_time),
    ROW("-", TIME, TIME, INTERVAL, 0, time_minus_interval),
    ROW("-", INTERVAL, TIME, TIME, 0, time_minus_time),
    ROW("+", TIMESTAMP, TIMESTAMP, INTERVAL, 0, timestamp_plus_interval),
    ROW("+", TIMESTAMP, INTERVAL, TIMESTAMP, 0, interval_plus_timestamp),
    ROW("-", TIMESTAMP, TIMESTAMP, INTERVAL, 0, timestamp_minus_interval),
    ROW("-", INTERVAL, TIMESTAMP, TIMESTAMP, 0, timestamp_minus_timestamp),
    ROW("+", TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL, 0, timestamp_plus_interval),
    ROW("+", TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, 0, interval_plus_timestamp),
    ROW("-", TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL, 0, timestamp_minus_interval),
    ROW("-", INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ, 0, timestamp_minus_timestamp),
    ROW("+", INTERVAL, INTERVAL, INTERVAL, 0, interval_plus_interval),
    ROW("-", INTERVAL, INTERVAL, INTERVAL, 0, interval_minus_interval),
    {.name = "-",
     .result = SQL_INTERVAL,
     .count = 1,
     .arguments = {SQL_INTERVAL},
     .scalar = minus_interval},
    ROW("*", INTERVAL, INTERVAL, FLOAT8, 0, interval_times),
    ROW("*", INTERVAL, FLOAT8, INTERVAL, 0, times_interval),
    ROW("/", INTERVAL, INTERVAL, FLOAT8, 0, interval_divided),
    {.name = NULL},
};
