/*
 * casts.c - casts between the types of time, AT TIME ZONE, and the functions that are casts.
 *
 * Contexts are those of PostgreSQL's pg_cast: what loses nothing is implicit, what loses the time
 * of the day, the date or the zone needs an assignment. A typmod of the result rounds.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"
#include "sql/time/datetime.h"

#include <errno.h>

static int round_to(struct sql_call *call, union sql_cell *ret) {
    ret->i = sql_time_round(ret->i, call->result.typmod);
    if (call->result.oid == SQL_TIME || sql_infinite(ret->i) || sql_timestamp_valid(ret->i))
        return 0;
    return sql_fail_timestamp(call->error);
}

static int date_to_timestamp(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return sql_date_to_timestamp(a[0].i, &ret->i, call->error);
}

static int date_to_timestamptz(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    return sql_date_to_timestamptz(a[0].i, sql_call_zone(call), &ret->i, call->error);
}

static int timestamp_to_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = sql_date_of_timestamp(a[0].i);
    return 0;
}

static int timestamptz_to_date(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    int64_t local;
    if (sql_timestamp_to_local(a[0].i, sql_call_zone(call), &local, call->error) != 0)
        return -EINVAL;
    ret->i = sql_date_of_timestamp(local);
    return 0;
}

static int timestamp_to_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = sql_infinite(a[0].i);
    ret->i = sql_floor_mod(a[0].i, SQL_US_PER_DAY);
    return round_to(call, ret);
}

static int timestamptz_to_time(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    union sql_cell local;
    if (sql_timestamp_to_local(a[0].i, sql_call_zone(call), &local.i, call->error) != 0)
        return -EINVAL;
    return timestamp_to_time(call, &local, ret);
}

static int timestamp_to_timestamptz(struct sql_call *call, const union sql_cell *a,
                                    union sql_cell *ret) {
    if (sql_timestamp_of_local(a[0].i, sql_call_zone(call), &ret->i, call->error) != 0)
        return -EINVAL;
    return round_to(call, ret);
}

static int timestamptz_to_timestamp(struct sql_call *call, const union sql_cell *a,
                                    union sql_cell *ret) {
    if (sql_timestamp_to_local(a[0].i, sql_call_zone(call), &ret->i, call->error) != 0)
        return -EINVAL;
    return round_to(call, ret);
}

static int time_to_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_interval interval = {a[0].i, 0, 0};
    sql_interval_adjust(&interval, call->result.typmod);
    ret->interval = interval;
    return 0;
}

static int interval_to_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = sql_floor_mod(a[0].interval.microseconds, SQL_US_PER_DAY);
    return round_to(call, ret);
}

static int round_word(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->i = a[0].i;
    return round_to(call, ret);
}

static int adjust_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->interval = a[0].interval;
    sql_interval_adjust(&ret->interval, call->result.typmod);
    return 0;
}

const struct sql_cast sql_casts_time[] = {
    {SQL_DATE, SQL_TIMESTAMP, SQL_CAST_IMPLICIT, date_to_timestamp},
    {SQL_DATE, SQL_TIMESTAMPTZ, SQL_CAST_IMPLICIT, date_to_timestamptz},
    {SQL_TIME, SQL_INTERVAL, SQL_CAST_IMPLICIT, time_to_interval},
    {SQL_TIMESTAMP, SQL_DATE, SQL_CAST_ASSIGNMENT, timestamp_to_date},
    {SQL_TIMESTAMP, SQL_TIME, SQL_CAST_ASSIGNMENT, timestamp_to_time},
    {SQL_TIMESTAMP, SQL_TIMESTAMPTZ, SQL_CAST_IMPLICIT, timestamp_to_timestamptz},
    {SQL_TIMESTAMPTZ, SQL_DATE, SQL_CAST_ASSIGNMENT, timestamptz_to_date},
    {SQL_TIMESTAMPTZ, SQL_TIME, SQL_CAST_ASSIGNMENT, timestamptz_to_time},
    {SQL_TIMESTAMPTZ, SQL_TIMESTAMP, SQL_CAST_ASSIGNMENT, timestamptz_to_timestamp},
    {SQL_INTERVAL, SQL_TIME, SQL_CAST_ASSIGNMENT, interval_to_time},
    {SQL_TIME, SQL_TIME, SQL_CAST_IMPLICIT, round_word},
    {SQL_TIMESTAMP, SQL_TIMESTAMP, SQL_CAST_IMPLICIT, round_word},
    {SQL_TIMESTAMPTZ, SQL_TIMESTAMPTZ, SQL_CAST_IMPLICIT, round_word},
    {SQL_INTERVAL, SQL_INTERVAL, SQL_CAST_IMPLICIT, adjust_interval},
    {.from = 0},
};

/* --- AT TIME ZONE -------------------------------------------------------------------------------
 */

static int shift_zone(struct sql_call *call, const struct sql_zone *zone, int64_t timestamp,
                      union sql_cell *ret) {
    if (call->types[1].oid == SQL_TIMESTAMPTZ)
        return sql_timestamp_to_local(timestamp, zone, &ret->i, call->error);
    return sql_timestamp_of_local(timestamp, zone, &ret->i, call->error);
}

static int at_named_zone(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_zone scratch;
    const struct sql_zone *zone;
    ret->i = a[1].i;
    if (sql_infinite(a[1].i))
        return 0;
    if (sql_call_named_zone(call, a[0].text, &scratch, &zone) != 0)
        return -EINVAL;
    return shift_zone(call, zone, a[1].i, ret);
}

static int at_offset(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_interval *i = &a[0].interval;
    ret->i = a[1].i;
    if (sql_infinite(a[1].i))
        return 0;
    if (i->months != 0 || i->days != 0) {
        struct buf text = buf_make(256);
        int failed = sql_interval_out(i, &text);
        if (!failed)
            failed = sql_fail(call->error, "22023",
                              "interval time zone \"%.*s\" must not include months or days",
                              slice_fmt(buf_slice(&text)));
        buf_free(&text);
        return failed;
    }
    int64_t seconds = i->microseconds / SQL_US_PER_SECOND;
    if (seconds < -INT32_MAX || seconds > INT32_MAX)
        return sql_fail_timestamp(call->error);
    struct sql_zone zone = sql_zone_fixed((int32_t)seconds);
    return shift_zone(call, &zone, a[1].i, ret);
}

/* timestamp(date, time), timestamptz(date, time). */
static int date_and_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t local = 0;
    const struct sql_zone *zone = sql_call_zone_of(call, call->result.oid);
    if (sql_date_and_time(a[0].i, a[1].i, &local, call->error) != 0)
        return -EINVAL;
    return sql_timestamp_of_local(local, zone, &ret->i, call->error);
}

#define ROW(name_, result_, scalar_, count_, ...)                                                  \
    {                                                                                              \
        .name = name_, .result = SQL_##result_, .count = count_, .arguments = {__VA_ARGS__},       \
        .scalar = scalar_                                                                          \
    }

const struct sql_function sql_functions_time_casts[] = {
    ROW("timezone", TIMESTAMP, at_named_zone, 2, SQL_TEXT, SQL_TIMESTAMPTZ),
    ROW("timezone", TIMESTAMPTZ, at_named_zone, 2, SQL_TEXT, SQL_TIMESTAMP),
    ROW("timezone", TIMESTAMP, at_offset, 2, SQL_INTERVAL, SQL_TIMESTAMPTZ),
    ROW("timezone", TIMESTAMPTZ, at_offset, 2, SQL_INTERVAL, SQL_TIMESTAMP),
    ROW("date", DATE, timestamp_to_date, 1, SQL_TIMESTAMP),
    ROW("date", DATE, timestamptz_to_date, 1, SQL_TIMESTAMPTZ),
    ROW("time", TIME, timestamp_to_time, 1, SQL_TIMESTAMP),
    ROW("time", TIME, timestamptz_to_time, 1, SQL_TIMESTAMPTZ),
    ROW("time", TIME, interval_to_time, 1, SQL_INTERVAL),
    ROW("interval", INTERVAL, time_to_interval, 1, SQL_TIME),
    ROW("timestamp", TIMESTAMP, date_to_timestamp, 1, SQL_DATE),
    ROW("timestamp", TIMESTAMP, timestamptz_to_timestamp, 1, SQL_TIMESTAMPTZ),
    ROW("timestamp", TIMESTAMP, date_and_time, 2, SQL_DATE, SQL_TIME),
    ROW("timestamptz", TIMESTAMPTZ, date_to_timestamptz, 1, SQL_DATE),
    ROW("timestamptz", TIMESTAMPTZ, timestamp_to_timestamptz, 1, SQL_TIMESTAMP),
    ROW("timestamptz", TIMESTAMPTZ, date_and_time, 2, SQL_DATE, SQL_TIME),
    {.name = NULL},
};
