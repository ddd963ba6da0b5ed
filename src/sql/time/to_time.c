/*
 * to_time.c - to_timestamp() and to_date() with a template: text read as the template says.
 *
 * Two steps: the items take their fields from the text (template_read), then the fields are made
 * a date and a time (assemble). Without FX the text is read generously: blanks before and after
 * fields do not count, a separator of the template stands for any separator or none. What a field
 * was not given is the first of its kind: year 1 BC, January, day 1, midnight.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"
#include "sql/time/datetime.h"
#include "sql/time/template_read.h"

#include <errno.h>

struct parts {
    int64_t year;
    int month, day, hour, minute, second;
    int64_t us;
    bool dated, has_month, has_day; /* something of the date was given */
};

static int fail_range(struct sql_call *call, slice text) {
    return sql_fail(call->error, "22008", "date/time field value out of range: \"%.*s\"",
                    slice_fmt(text));
}

static int set_clock(struct sql_call *call, const struct template_fields *f, struct parts *p) {
    if (f->second_of_day) {
        p->hour = f->second_of_day / 3600;
        p->minute = f->second_of_day / 60 % 60;
        p->second = f->second_of_day % 60;
    }
    p->second = f->second ? f->second : p->second;
    p->minute = f->minute ? f->minute : p->minute;
    p->hour = f->hour ? f->hour : p->hour;
    if (f->half_day) {
        if (p->hour < 1 || p->hour > 12) {
            sql_fail(call->error, "22007", "hour \"%d\" is invalid for the 12-hour clock", p->hour);
            sql_error_hint(call->error, "Use the 24-hour clock, or give an hour between 1 and 12.");
            return -EINVAL;
        }
        p->hour = p->hour % 12 + (f->afternoon ? 12 : 0);
    }
    p->us = (int64_t)f->millisecond * 1000 + f->microsecond;
    return 0;
}

/* Centuries count from 1; before Christ from 1 backwards. */
static void set_year(const struct template_fields *f, struct parts *p) {
    int64_t century = f->before_christ ? -(int64_t)f->century : f->century;
    if (f->year && f->century && f->year_digits <= 2) {
        p->year = f->year % 100;
        if (p->year == 0)
            p->year = century * 100 + (century < 0);
        else
            p->year =
                century >= 0 ? (century - 1) * 100 + p->year : (century + 1) * 100 - p->year + 1;
    } else if (f->year) {
        p->year = f->before_christ ? -(int64_t)f->year : f->year;
        p->year += p->year < 0;
    } else if (f->century) {
        p->year = century >= 0 ? (century - 1) * 100 + 1 : century * 100 + 1;
    }
    p->dated |= f->year || f->century;
}

static void set_day(int64_t days, struct parts *p) {
    struct sql_civil date = sql_civil_of(days);
    p->year = date.year;
    p->month = date.month;
    p->day = date.day;
    p->dated = p->has_month = p->has_day = true;
}

/* Monday, or the day that was given, of an ISO week. WEEKDAY: 1 is Sunday, 0 none. */
static int64_t iso_day(int64_t year, int week, int weekday) {
    int64_t monday = sql_iso_year_start(year) + (int64_t)(week - 1) * 7;
    return weekday == 0 ? monday : monday + (weekday > 1 ? weekday - 2 : 6);
}

static int set_day_of_year(struct sql_call *call, const struct template_fields *f, int day,
                           struct parts *p) {
    if (!p->year && !f->before_christ)
        return sql_fail(call->error, "22007",
                        "cannot calculate day of year without year information");
    if (f->calendar == CALENDAR_ISO) {
        set_day(sql_iso_year_start(p->year) - 1 + day, p);
        return 0;
    }
    int month = 1, before = 0;
    while (month <= 12 && before + sql_month_days(p->year, month) < day)
        before += sql_month_days(p->year, month++);
    if (p->month <= 1)
        p->month = month;
    if (p->day <= 1)
        p->day = day - before;
    p->dated = p->has_month = p->has_day = true;
    return 0;
}

static int set_date(struct sql_call *call, const struct template_fields *f, struct parts *p) {
    int day_of_year = f->day_of_year, day = f->day;
    p->month = p->day = 1;
    set_year(f, p);
    if (f->julian)
        set_day((int64_t)f->julian - SQL_JULIAN_EPOCH_DAY, p);
    if (f->week && f->calendar == CALENDAR_ISO)
        set_day(iso_day(p->year, f->week, f->weekday), p);
    else if (f->week)
        day_of_year = (int)((int64_t)(f->week - 1) * 7 + 1);
    if (f->week_of_month)
        day = (int)((int64_t)(f->week_of_month - 1) * 7 + 1);
    if (day) {
        p->day = day;
        p->dated = p->has_day = true;
    }
    if (f->month) {
        p->month = f->month;
        p->dated = p->has_month = true;
    }
    if (day_of_year && (p->month <= 1 || p->day <= 1))
        return set_day_of_year(call, f, day_of_year, p);
    return 0;
}

static bool valid(const struct parts *p) {
    if (p->has_month && (p->month < 1 || p->month > 12))
        return false;
    if (p->has_day && (p->day < 1 || p->day > 31))
        return false;
    if (p->month < 1 || p->month > 12 || (p->dated && p->day > sql_month_days(p->year, p->month)))
        return false;
    return p->hour >= 0 && p->hour < 24 && p->minute >= 0 && p->minute < 60 && p->second >= 0 &&
           p->second < 60 && p->us >= 0 && p->us < SQL_US_PER_SECOND;
}

static int read_parts(struct sql_call *call, const union sql_cell *a,
                      struct template_fields *fields, struct parts *ret) {
    struct parts p = {0};
    *fields = (struct template_fields){0};
    if (a[1].text.len > 0) {
        const struct template *t = template_of(call, a[1].text);
        if (!t || template_read(call, t, a[0].text, fields) != 0)
            return -EINVAL;
    }
    if (set_clock(call, fields, &p) != 0 || set_date(call, fields, &p) != 0)
        return -EINVAL;
    if (!valid(&p))
        return fail_range(call, a[0].text);
    bool far = fields->zone_hour < 0 || fields->zone_hour > 15 || fields->zone_minute < 0 ||
               fields->zone_minute > 59;
    if (fields->zone_sign && far)
        return sql_fail(call->error, "22009", "time zone displacement out of range: \"%.*s\"",
                        slice_fmt(a[0].text));
    *ret = p;
    return 0;
}

static int to_timestamp(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct template_fields f;
    struct parts p;
    int64_t local;
    if (read_parts(call, a, &f, &p) != 0)
        return -EINVAL;
    int64_t time = p.hour * SQL_US_PER_HOUR + p.minute * SQL_US_PER_MINUTE +
                   p.second * SQL_US_PER_SECOND + p.us;
    if (__builtin_mul_overflow(sql_days_of(p.year, p.month, p.day), SQL_US_PER_DAY, &local) ||
        __builtin_add_overflow(local, time, &local))
        return sql_fail_timestamp(call->error);
    if (f.zone_sign) {
        local -= f.zone_sign * (f.zone_hour * 3600 + f.zone_minute * 60) * SQL_US_PER_SECOND;
    } else {
        const struct sql_zone *zone = sql_call_zone(call);
        local -= sql_zone_at_local(zone, local)->offset * SQL_US_PER_SECOND;
    }
    ret->i = sql_time_round(local, f.fraction_digits ? f.fraction_digits : -1);
    return sql_timestamp_valid(local) ? 0 : sql_fail_timestamp(call->error);
}

static int to_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct template_fields f;
    struct parts p;
    if (read_parts(call, a, &f, &p) != 0)
        return -EINVAL;
    ret->i = sql_days_of(p.year, p.month, p.day);
    if (sql_date_valid(ret->i))
        return 0;
    return sql_fail(call->error, "22008", "date out of range: \"%.*s\"", slice_fmt(a[0].text));
}

const struct sql_function sql_functions_time_from_char[] = {
    {.name = "to_timestamp",
     .result = SQL_TIMESTAMPTZ,
     .count = 2,
     .arguments = {SQL_TEXT, SQL_TEXT},
     .scalar = to_timestamp},
    {.name = "to_date",
     .result = SQL_DATE,
     .count = 2,
     .arguments = {SQL_TEXT, SQL_TEXT},
     .scalar = to_date},
    {.name = NULL},
};
