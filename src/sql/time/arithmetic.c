/*
 * arithmetic.c - points in time plus and minus intervals, and each other.
 */
#include "sql/time/arithmetic.h"

#include <errno.h>

static int add_months(int64_t *local, int32_t months, struct sql_error *error) {
    struct sql_moment m;
    sql_moment_split(*local, &m);
    int64_t month = m.date.year * 12 + m.date.month - 1 + months;
    int64_t year = sql_floor_div(month, 12);
    int month_of_year = (int)(month - year * 12) + 1, last = sql_month_days(year, month_of_year);
    int64_t day = sql_days_of(year, month_of_year, m.date.day < last ? m.date.day : last);
    int64_t time = *local - m.days * SQL_US_PER_DAY, us;
    if (__builtin_mul_overflow(day, SQL_US_PER_DAY, &us) || __builtin_add_overflow(us, time, local))
        return sql_fail_timestamp(error);
    return 0;
}

/* Moves TIMESTAMP on the calendar of ZONE. */
static int add_calendar(int64_t *timestamp, int32_t months, int32_t days,
                        const struct sql_zone *zone, struct sql_error *error) {
    int64_t local = *timestamp;
    if (zone)
        local += sql_zone_at(zone, local)->offset * SQL_US_PER_SECOND;
    if (months && add_months(&local, months, error) != 0)
        return -EINVAL;
    if (days) {
        int64_t us;
        if (__builtin_mul_overflow((int64_t)days, SQL_US_PER_DAY, &us) ||
            __builtin_add_overflow(local, us, &local))
            return sql_fail_timestamp(error);
    }
    if (!sql_timestamp_valid(local))
        return sql_fail_timestamp(error);
    if (zone)
        local -= sql_zone_at_local(zone, local)->offset * SQL_US_PER_SECOND;
    *timestamp = local;
    return 0;
}

int sql_timestamp_add(int64_t timestamp, const struct sql_interval *interval,
                      const struct sql_zone *zone, int64_t *ret, struct sql_error *error) {
    if (sql_infinite(timestamp)) {
        *ret = timestamp;
        return 0;
    }
    if (interval->months && add_calendar(&timestamp, interval->months, 0, zone, error) != 0)
        return -EINVAL;
    if (interval->days && add_calendar(&timestamp, 0, interval->days, zone, error) != 0)
        return -EINVAL;
    if (__builtin_add_overflow(timestamp, interval->microseconds, &timestamp) ||
        !sql_timestamp_valid(timestamp))
        return sql_fail_timestamp(error);
    *ret = timestamp;
    return 0;
}

int sql_timestamp_minus(int64_t timestamp, const struct sql_interval *interval,
                        const struct sql_zone *zone, int64_t *ret, struct sql_error *error) {
    static const struct sql_interval zero;
    struct sql_interval negated = zero;
    if (!sql_infinite(timestamp) && sql_interval_subtract(&zero, interval, &negated, error) != 0)
        return sql_fail_timestamp(error);
    return sql_timestamp_add(timestamp, &negated, zone, ret, error);
}

int sql_timestamp_difference(int64_t a, int64_t b, struct sql_interval *ret,
                             struct sql_error *error) {
    int64_t us;
    if (sql_infinite(a) || sql_infinite(b))
        return sql_fail(error, "22008", "cannot subtract infinite timestamps");
    if (__builtin_sub_overflow(a, b, &us))
        return sql_fail_interval(error);
    *ret = (struct sql_interval){us % SQL_US_PER_DAY, (int32_t)(us / SQL_US_PER_DAY), 0};
    return 0;
}

int sql_date_to_timestamp(int64_t days, int64_t *ret, struct sql_error *error) {
    if (sql_infinite(days)) {
        *ret = days;
        return 0;
    }
    int64_t timestamp;
    if (__builtin_mul_overflow(days, SQL_US_PER_DAY, &timestamp) || !sql_timestamp_valid(timestamp))
        return sql_fail(error, "22008", "date out of range for timestamp");
    *ret = timestamp;
    return 0;
}

int sql_date_and_time(int64_t days, int64_t time, int64_t *ret, struct sql_error *error) {
    int64_t midnight = 0;
    if (sql_date_to_timestamp(days, &midnight, error) != 0)
        return -EINVAL;
    if (!sql_infinite(midnight)) {
        midnight += time;
        if (!sql_timestamp_valid(midnight))
            return sql_fail_timestamp(error);
    }
    *ret = midnight;
    return 0;
}

int sql_date_to_timestamptz(int64_t days, const struct sql_zone *zone, int64_t *ret,
                            struct sql_error *error) {
    int64_t local = 0;
    if (sql_date_to_timestamp(days, &local, error) != 0)
        return -EINVAL;
    return sql_timestamp_of_local(local, zone, ret, error);
}

int sql_timestamp_to_local(int64_t timestamp, const struct sql_zone *zone, int64_t *ret,
                           struct sql_error *error) {
    if (!sql_infinite(timestamp) && zone) {
        timestamp += sql_zone_at(zone, timestamp)->offset * SQL_US_PER_SECOND;
        if (!sql_timestamp_valid(timestamp))
            return sql_fail_timestamp(error);
    }
    *ret = timestamp;
    return 0;
}

int sql_timestamp_of_local(int64_t local, const struct sql_zone *zone, int64_t *ret,
                           struct sql_error *error) {
    if (!sql_infinite(local) && zone) {
        local -= sql_zone_at_local(zone, local)->offset * SQL_US_PER_SECOND;
        if (!sql_timestamp_valid(local))
            return sql_fail_timestamp(error);
    }
    *ret = local;
    return 0;
}

int64_t sql_date_of_timestamp(int64_t timestamp) {
    return sql_infinite(timestamp) ? timestamp : sql_floor_div(timestamp, SQL_US_PER_DAY);
}

int sql_call_named_zone(struct sql_call *call, slice name, struct sql_zone *scratch,
                        const struct sql_zone **ret) {
    const struct sql_zones *zones = call->settings ? call->settings->zones : NULL;
    *ret = sql_zone_named(zones, name, scratch);
    if (*ret)
        return 0;
    return sql_fail(call->error, "22023", "time zone \"%.*s\" not recognized", slice_fmt(name));
}
