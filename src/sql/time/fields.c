/*
 * fields.c - extract() and date_part(): one field of a date, time, timestamp or interval.
 *
 * Both find the same field, extract() as an exact numeric with the digits the field can have
 * (seconds 6, milliseconds 3), date_part() as a double. Of an infinite time the fields that only
 * grow are infinite, those that come round again NULL.
 */
#include "sql/lists.h"
#include "sql/numeric.h"
#include "sql/time/arithmetic.h"
#include "sql/time/units.h"

#include <errno.h>
#include <math.h>

/* A field: COEFFICIENT / 10^SCALE, and of a Julian day the time of the day besides. */
struct field {
    __extension__ __int128 coefficient;
    unsigned scale;
    bool timed;   /* TIME counts: a Julian day of a timestamp */
    int64_t time; /* microseconds */
    int infinite; /* -1, 1 */
    bool null;
};

static int unknown(struct sql_call *call, slice unit, const char *how, const char *state) {
    char lower[UNIT_TEXT_SIZE];
    return sql_fail(call->error, state, "unit \"%s\" not %s for type %s",
                    time_unit_text(unit, lower), how, sql_type_info(call->types[1].oid)->sql_name);
}

static bool comes_round(enum time_unit unit) {
    switch (unit) {
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
    case UNIT_JULIAN:
    case UNIT_ISO_YEAR:
    case UNIT_EPOCH:
        return false;
    default:
        return true;
    }
}

static bool date_field(enum time_unit unit, const struct sql_moment *m, struct field *ret) {
    int64_t year = m->date.year;
    int week;
    switch (unit) {
    case UNIT_DAY:
        ret->coefficient = m->date.day;
        return true;
    case UNIT_MONTH:
        ret->coefficient = m->date.month;
        return true;
    case UNIT_QUARTER:
        ret->coefficient = (m->date.month - 1) / 3 + 1;
        return true;
    case UNIT_WEEK:
        sql_iso_year(m->days, &week);
        ret->coefficient = week;
        return true;
    case UNIT_YEAR:
        ret->coefficient = sql_written_year(year);
        return true;
    case UNIT_DECADE:
        ret->coefficient = sql_floor_div(year, 10);
        return true;
    case UNIT_CENTURY:
        ret->coefficient = year > 0 ? (year + 99) / 100 : -((100 - year) / 100);
        return true;
    case UNIT_MILLENNIUM:
        ret->coefficient = year > 0 ? (year + 999) / 1000 : -((1000 - year) / 1000);
        return true;
    case UNIT_JULIAN:
        ret->coefficient = m->days + SQL_JULIAN_EPOCH_DAY;
        return true;
    case UNIT_ISO_YEAR:
        ret->coefficient = sql_written_year(sql_iso_year(m->days, &week));
        return true;
    case UNIT_WEEKDAY:
        ret->coefficient = sql_weekday(m->days);
        return true;
    case UNIT_ISO_WEEKDAY:
        ret->coefficient = (sql_weekday(m->days) + 6) % 7 + 1;
        return true;
    case UNIT_DAY_OF_YEAR:
        ret->coefficient = sql_day_of_year(m->days, year);
        return true;
    default:
        return false;
    }
}

/* TIME: microseconds, of an interval perhaps below 0 and above a day. */
static bool time_field(enum time_unit unit, int64_t time, struct field *ret) {
    switch (unit) {
    case UNIT_MICROSECOND:
        ret->coefficient = time % SQL_US_PER_MINUTE;
        return true;
    case UNIT_MILLISECOND:
        ret->coefficient = time % SQL_US_PER_MINUTE;
        ret->scale = 3;
        return true;
    case UNIT_SECOND:
        ret->coefficient = time % SQL_US_PER_MINUTE;
        ret->scale = 6;
        return true;
    case UNIT_MINUTE:
        ret->coefficient = time / SQL_US_PER_MINUTE % 60;
        return true;
    case UNIT_HOUR:
        ret->coefficient = time / SQL_US_PER_HOUR;
        return true;
    default:
        return false;
    }
}

static bool zone_field(enum time_unit unit, int32_t offset, struct field *ret) {
    switch (unit) {
    case UNIT_ZONE:
        ret->coefficient = offset;
        return true;
    case UNIT_ZONE_HOUR:
        ret->coefficient = offset / 3600;
        return true;
    case UNIT_ZONE_MINUTE:
        ret->coefficient = offset / 60 % 60;
        return true;
    default:
        return false;
    }
}

static int of_date(struct sql_call *call, const union sql_cell *a, enum time_unit unit,
                   struct field *ret) {
    int64_t days = a[1].i;
    struct sql_moment m = {.days = days};
    if (sql_infinite(days)) {
        ret->infinite = days > 0 ? 1 : -1;
        m.days = 0;
    }
    m.date = sql_civil_of(m.days);
    if (unit == UNIT_EPOCH)
        ret->coefficient = (m.days - SQL_UNIX_EPOCH_DAY) * INT64_C(86400);
    else if (!date_field(unit, &m, ret))
        return unknown(call, a[0].text, "supported", "0A000");
    return 0;
}

static int of_time(struct sql_call *call, const union sql_cell *a, enum time_unit unit,
                   struct field *ret) {
    int64_t time = a[1].i;
    if (unit == UNIT_EPOCH)
        *ret = (struct field){.coefficient = time, .scale = 6};
    else if (!time_field(unit, time, ret))
        return unknown(call, a[0].text, "supported", "0A000");
    return 0;
}

static int of_timestamp(struct sql_call *call, const union sql_cell *a, enum time_unit unit,
                        struct field *ret) {
    int64_t timestamp = a[1].i;
    bool zoned = call->types[1].oid == SQL_TIMESTAMPTZ;
    int32_t offset = 0;
    if (sql_infinite(timestamp)) {
        ret->infinite = timestamp > 0 ? 1 : -1;
        timestamp = 0;
    }
    if (unit == UNIT_EPOCH) {
        ret->coefficient = (__int128)timestamp - SQL_UNIX_EPOCH_US;
        ret->scale = 6;
        return 0;
    }
    if (zoned)
        offset = sql_zone_at(sql_call_zone(call), timestamp)->offset;
    int64_t local = timestamp + offset * SQL_US_PER_SECOND;
    struct sql_moment m = {.days = sql_floor_div(local, SQL_US_PER_DAY)};
    int64_t time = local - m.days * SQL_US_PER_DAY;
    if (time_field(unit, time, ret))
        return 0;
    m.date = sql_civil_of(m.days);
    ret->timed = unit == UNIT_JULIAN;
    ret->time = time;
    if (date_field(unit, &m, ret) || (zone_field(unit, offset, ret) && zoned) ||
        (ret->infinite && unit >= UNIT_ZONE))
        return 0;
    return unknown(call, a[0].text, "supported", "0A000");
}

static int of_interval(struct sql_call *call, const union sql_cell *a, enum time_unit unit,
                       struct field *ret) {
    const struct sql_interval *i = &a[1].interval;
    if (time_field(unit, i->microseconds, ret))
        return 0;
    if (unit == UNIT_DAY)
        ret->coefficient = i->days;
    else if (unit == UNIT_MONTH)
        ret->coefficient = i->months % 12;
    else if (unit == UNIT_QUARTER)
        ret->coefficient = i->months % 12 / 3 + 1;
    else if (unit >= UNIT_YEAR && unit <= UNIT_MILLENNIUM)
        ret->coefficient = i->months / time_unit_months[unit];
    else if (unit == UNIT_EPOCH) { /* a year has 365.25 days, what is left of it months of 30 */
        int64_t seconds = i->months / 12 * INT64_C(31557600) + i->months % 12 * INT64_C(2592000) +
                          i->days * INT64_C(86400);
        ret->coefficient = (__int128)seconds * SQL_US_PER_SECOND + i->microseconds;
        ret->scale = 6;
    } else
        return unknown(call, a[0].text, "supported", "0A000");
    return 0;
}

static int find(struct sql_call *call, const union sql_cell *a, enum time_unit unit,
                struct field *ret) {
    int failed;
    *ret = (struct field){0};
    if (unit == UNIT_NONE || unit == UNIT_AGO)
        failed = unknown(call, a[0].text, "recognized", "22023");
    else if (call->types[1].oid == SQL_DATE)
        failed = of_date(call, a, unit, ret);
    else if (call->types[1].oid == SQL_TIME)
        failed = of_time(call, a, unit, ret);
    else if (call->types[1].oid == SQL_INTERVAL)
        failed = of_interval(call, a, unit, ret);
    else
        failed = of_timestamp(call, a, unit, ret);
    if (ret->infinite && comes_round(unit))
        ret->null = true;
    return failed;
}

static int extract(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct field f;
    struct sql_numeric day, whole, part;
    if (find(call, a, time_unit_named(a[0].text), &f) != 0)
        return -EINVAL;
    call->null = f.null;
    if (f.infinite) {
        ret->numeric = sql_numeric_infinity(f.infinite);
        return 0;
    }
    int failed = sql_numeric_from_parts(f.coefficient, f.scale, call->memory, &ret->numeric);
    if (!failed && f.timed) {
        failed = sql_numeric_from_int(f.time, call->memory, &part);
        if (!failed)
            failed = sql_numeric_from_int(SQL_US_PER_DAY, call->memory, &whole);
        if (!failed)
            failed = sql_numeric_divide(part, whole, call->memory, &day);
        if (!failed)
            failed = sql_numeric_add(ret->numeric, day, call->memory, &ret->numeric);
    }
    return failed ? sql_fail_memory(call->error) : 0;
}

static int date_part(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct field f;
    enum time_unit unit = time_unit_named(a[0].text);
    if (find(call, a, unit, &f) != 0)
        return -EINVAL;
    call->null = f.null;
    int64_t us = (int64_t)f.coefficient;
    if (f.infinite)
        ret->f = f.infinite > 0 ? (double)INFINITY : -(double)INFINITY;
    else if (unit == UNIT_SECOND)
        ret->f = (double)(us / SQL_US_PER_SECOND) + (double)(us % SQL_US_PER_SECOND) / 1e6;
    else if (unit == UNIT_MILLISECOND)
        ret->f = (double)(us / SQL_US_PER_SECOND) * 1e3 + (double)(us % SQL_US_PER_SECOND) / 1e3;
    else if (f.scale == 6)
        ret->f = (double)f.coefficient / 1e6;
    else if (f.timed)
        ret->f = (double)f.coefficient + (double)f.time / (double)SQL_US_PER_DAY;
    else
        ret->f = (double)f.coefficient;
    return 0;
}

/* PostgreSQL's date_part() of a date is that of its midnight, so that it has hours. */
static int date_part_of_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_type types[2] = {call->types[0], sql_type_of(SQL_TIMESTAMP)};
    union sql_cell midnight[2] = {a[0]};
    struct sql_call inner = *call;
    inner.types = types;
    if (sql_date_to_timestamp(a[1].i, &midnight[1].i, call->error) != 0 ||
        date_part(&inner, midnight, ret) != 0)
        return -EINVAL;
    call->null = inner.null;
    return 0;
}

#define ROWS(type_, date_part_)                                                                    \
    {.name = "extract",                                                                            \
     .result = SQL_NUMERIC,                                                                        \
     .count = 2,                                                                                   \
     .arguments = {SQL_TEXT, type_},                                                               \
     .scalar = extract},                                                                           \
    {                                                                                              \
        .name = "date_part", .result = SQL_FLOAT8, .count = 2, .arguments = {SQL_TEXT, type_},     \
        .scalar = date_part_                                                                       \
    }

const struct sql_function sql_functions_time_fields[] = {
    ROWS(SQL_DATE, date_part_of_date), ROWS(SQL_TIME, date_part),
    ROWS(SQL_TIMESTAMP, date_part),    ROWS(SQL_TIMESTAMPTZ, date_part),
    ROWS(SQL_INTERVAL, date_part),     {.name = NULL},
};
