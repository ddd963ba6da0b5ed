/*
 * truncate.c - date_trunc() and date_bin(): the start of the unit or of the bin a time lies in.
 *
 * Of timestamptz units up to the hour are cut from what clocks show, with the offset that held;
 * from the day up the offset is asked for anew, so that a day begins at its own midnight.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"
#include "sql/time/units.h"

#include <errno.h>

static int refuse(struct sql_call *call, slice unit, unsigned argument) {
    enum time_unit known = time_unit_named(unit);
    bool zone = known >= UNIT_ZONE;
    char lower[UNIT_TEXT_SIZE];
    return sql_fail(call->error, zone ? "0A000" : "22023", "unit \"%s\" not %s for type %s",
                    time_unit_text(unit, lower), zone ? "supported" : "recognized",
                    sql_type_info(call->types[argument].oid)->sql_name);
}

static bool can_truncate(enum time_unit unit) {
    return unit != UNIT_NONE && unit <= UNIT_MILLENNIUM;
}

/* The start of the UNIT, a month or longer, that DAYS lies in. */
static int64_t month_start(int64_t days, enum time_unit unit) {
    struct sql_civil date = sql_civil_of(days);
    switch (unit) {
    case UNIT_MONTH:
        return sql_days_of(date.year, date.month, 1);
    case UNIT_QUARTER:
        return sql_days_of(date.year, (date.month - 1) / 3 * 3 + 1, 1);
    case UNIT_YEAR:
        return sql_days_of(date.year, 1, 1);
    case UNIT_DECADE:
        return sql_days_of(sql_floor_div(date.year, 10) * 10, 1, 1);
    case UNIT_CENTURY:
        return sql_days_of(sql_floor_div(date.year - 1, 100) * 100 + 1, 1, 1);
    default:
        return sql_days_of(sql_floor_div(date.year - 1, 1000) * 1000 + 1, 1, 1);
    }
}

static int64_t cut_local(int64_t local, enum time_unit unit) {
    if (unit <= UNIT_DAY)
        return local - sql_floor_mod(local, time_unit_us[unit]);
    int64_t days = sql_floor_div(local, SQL_US_PER_DAY);
    days = unit == UNIT_WEEK ? days - (sql_weekday(days) + 6) % 7 : month_start(days, unit);
    return days * SQL_US_PER_DAY;
}

static int truncate_timestamp(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    enum time_unit unit = time_unit_named(a[0].text);
    ret->i = a[1].i;
    if (sql_infinite(a[1].i))
        return 0;
    if (!can_truncate(unit))
        return refuse(call, a[0].text, 1);
    ret->i = cut_local(a[1].i, unit);
    return sql_timestamp_valid(ret->i) ? 0 : sql_fail_timestamp(call->error);
}

static int truncate_zoned(struct sql_call *call, const union sql_cell *a,
                          const struct sql_zone *zone, union sql_cell *ret) {
    enum time_unit unit = time_unit_named(a[0].text);
    int64_t timestamp = a[1].i;
    ret->i = timestamp;
    if (sql_infinite(timestamp))
        return 0;
    if (!can_truncate(unit))
        return refuse(call, a[0].text, 1);
    int64_t offset = sql_zone_at(zone, timestamp)->offset;
    int64_t local = cut_local(timestamp + offset * SQL_US_PER_SECOND, unit);
    if (unit >= UNIT_DAY)
        offset = sql_zone_at_local(zone, local)->offset;
    ret->i = local - offset * SQL_US_PER_SECOND;
    return sql_timestamp_valid(ret->i) ? 0 : sql_fail_timestamp(call->error);
}

static int truncate_timestamptz(struct sql_call *call, const union sql_cell *a,
                                union sql_cell *ret) {
    return truncate_zoned(call, a, sql_call_zone(call), ret);
}

static int truncate_in_zone(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_zone scratch;
    const struct sql_zone *zone;
    if (sql_call_named_zone(call, a[2].text, &scratch, &zone) != 0)
        return -EINVAL;
    return truncate_zoned(call, a, zone, ret);
}

static int truncate_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    enum time_unit unit = time_unit_named(a[0].text);
    struct sql_interval i = a[1].interval;
    if (unit == UNIT_WEEK) {
        char lower[UNIT_TEXT_SIZE];
        sql_fail(call->error, "0A000", "unit \"%s\" not supported for type interval",
                 time_unit_text(a[0].text, lower));
        sql_error_detail(call->error, "Months usually have fractional weeks.");
        return -EINVAL;
    }
    if (!can_truncate(unit))
        return refuse(call, a[0].text, 1);
    if (unit < UNIT_DAY) {
        i.microseconds -= i.microseconds % time_unit_us[unit];
    } else {
        i.microseconds = 0;
        if (unit > UNIT_DAY) {
            i.days = 0;
            i.months -= i.months % time_unit_months[unit];
        }
    }
    ret->interval = i;
    return 0;
}

static int date_bin(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_interval *stride = &a[0].interval;
    int64_t timestamp = a[1].i, origin = a[2].i, us, from_origin;
    ret->i = timestamp;
    if (sql_infinite(timestamp))
        return 0;
    if (sql_infinite(origin))
        return sql_fail(call->error, "22008", "origin out of range");
    if (stride->months != 0)
        return sql_fail(call->error, "0A000",
                        "timestamps cannot be binned into intervals containing months or years");
    if (__builtin_mul_overflow((int64_t)stride->days, SQL_US_PER_DAY, &us) ||
        __builtin_add_overflow(us, stride->microseconds, &us) ||
        __builtin_sub_overflow(timestamp, origin, &from_origin))
        return sql_fail_interval(call->error);
    if (us <= 0)
        return sql_fail(call->error, "22008", "stride must be greater than zero");
    ret->i = timestamp - sql_floor_mod(from_origin, us);
    return sql_timestamp_valid(ret->i) ? 0 : sql_fail_timestamp(call->error);
}

const struct sql_function sql_functions_time_truncate[] = {
    {.name = "date_trunc",
     .result = SQL_TIMESTAMP,
     .count = 2,
     .arguments = {SQL_TEXT, SQL_TIMESTAMP},
     .scalar = truncate_timestamp},
    {.name = "date_trunc",
     .result = SQL_TIMESTAMPTZ,
     .count = 2,
     .arguments = {SQL_TEXT, SQL_TIMESTAMPTZ},
     .scalar = truncate_timestamptz},
    {.name = "date_trunc",
     .result = SQL_TIMESTAMPTZ,
     .count = 3,
     .arguments = {SQL_TEXT, SQL_TIMESTAMPTZ, SQL_TEXT},
     .scalar = truncate_in_zone},
    {.name = "date_trunc",
     .result = SQL_INTERVAL,
     .count = 2,
     .arguments = {SQL_TEXT, SQL_INTERVAL},
     .scalar = truncate_interval},
    {.name = "date_bin",
     .result = SQL_TIMESTAMP,
     .count = 3,
     .arguments = {SQL_INTERVAL, SQL_TIMESTAMP, SQL_TIMESTAMP},
     .scalar = date_bin},
    {.name = "date_bin",
     .result = SQL_TIMESTAMPTZ,
     .count = 3,
     .arguments = {SQL_INTERVAL, SQL_TIMESTAMPTZ, SQL_TIMESTAMPTZ},
     .scalar = date_bin},
    {.name = NULL},
};
