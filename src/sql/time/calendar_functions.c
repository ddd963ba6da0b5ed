/*
 * calendar_functions.c - age(), justify_*(), make_*(), isfinite(), and the clock's functions.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"

#include <errno.h>
#include <math.h>

/* --- age ----------------------------------------------------------------------------------------
 */

/* LATER - EARLIER in years, months and days as people count them: borrowed days are those of the
   month that EARLIER lies in. */
static struct sql_interval age_of(int64_t later, int64_t earlier) {
    bool turned = later < earlier;
    struct sql_moment a, b;
    sql_moment_split(turned ? earlier : later, &a);
    sql_moment_split(turned ? later : earlier, &b);
    int64_t us = (a.hour - b.hour) * SQL_US_PER_HOUR + (a.minute - b.minute) * SQL_US_PER_MINUTE +
                 (a.second - b.second) * SQL_US_PER_SECOND + (a.microsecond - b.microsecond);
    int days = a.date.day - b.date.day;
    int64_t months = (a.date.year - b.date.year) * 12 + (a.date.month - b.date.month);
    if (us < 0) {
        us += SQL_US_PER_DAY;
        days--;
    }
    if (days < 0) {
        days += sql_month_days(b.date.year, b.date.month);
        months--;
    }
    int sign = turned ? -1 : 1;
    return (struct sql_interval){us * sign, days * sign, (int32_t)months * sign};
}

static int age_between(struct sql_call *call, int64_t later, int64_t earlier, union sql_cell *ret) {
    const struct sql_zone *zone = sql_call_zone_of(call, call->types[0].oid);
    if (sql_infinite(later) || sql_infinite(earlier))
        return sql_fail_timestamp(call->error);
    if (sql_timestamp_to_local(later, zone, &later, call->error) != 0 ||
        sql_timestamp_to_local(earlier, zone, &earlier, call->error) != 0)
        return -EINVAL;
    ret->interval = age_of(later, earlier);
    return 0;
}

static int age(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return age_between(call, a[0].i, a[1].i, ret);
}

/* From the midnight that today began with. */
static int age_today(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t now = call->settings ? call->settings->now : 0, today;
    if (sql_timestamp_to_local(now, sql_call_zone(call), &today, call->error) != 0)
        return -EINVAL;
    today -= sql_floor_mod(today, SQL_US_PER_DAY);
    if (call->types[0].oid == SQL_TIMESTAMPTZ &&
        sql_timestamp_of_local(today, sql_call_zone(call), &today, call->error) != 0)
        return -EINVAL;
    return age_between(call, today, a[0].i, ret);
}

/* --- justify ------------------------------------------------------------------------------------
 */

/* Moves whole units of LOW into HIGH and gives both the same sign. */
static bool carry(int64_t *low, int64_t unit, int32_t *high) {
    int64_t whole = *low / unit, sum = *high + whole;
    *low -= whole * unit;
    if (sum > 0 && *low < 0) {
        *low += unit;
        sum--;
    } else if (sum < 0 && *low > 0) {
        *low -= unit;
        sum++;
    }
    *high = (int32_t)sum;
    return sum >= INT32_MIN && sum <= INT32_MAX;
}

static int justify_hours(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_interval i = a[0].interval;
    if (!carry(&i.microseconds, SQL_US_PER_DAY, &i.days))
        return sql_fail_interval(call->error);
    ret->interval = i;
    return 0;
}

static int justify_days(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct sql_interval i = a[0].interval;
    int64_t days = i.days;
    if (!carry(&days, SQL_DAYS_PER_MONTH, &i.months))
        return sql_fail_interval(call->error);
    i.days = (int32_t)days;
    ret->interval = i;
    return 0;
}

static int justify_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_interval *i = &a[0].interval;
    int64_t days = i->days + i->microseconds / SQL_US_PER_DAY;
    int64_t us = i->microseconds % SQL_US_PER_DAY;
    int64_t months = i->months + days / SQL_DAYS_PER_MONTH;
    days %= SQL_DAYS_PER_MONTH;
    if (months > 0 && (days < 0 || (days == 0 && us < 0))) {
        days += SQL_DAYS_PER_MONTH;
        months--;
    } else if (months < 0 && (days > 0 || (days == 0 && us > 0))) {
        days -= SQL_DAYS_PER_MONTH;
        months++;
    }
    if (days > 0 && us < 0) {
        us += SQL_US_PER_DAY;
        days--;
    } else if (days < 0 && us > 0) {
        us -= SQL_US_PER_DAY;
        days++;
    }
    if (months > INT32_MAX || months < INT32_MIN)
        return sql_fail_interval(call->error);
    ret->interval = (struct sql_interval){us, (int32_t)days, (int32_t)months};
    return 0;
}

/* --- make ---------------------------------------------------------------------------------------
 */

static int make_day(struct sql_call *call, const union sql_cell *a, int64_t *ret) {
    int64_t year = a[0].i, month = a[1].i, day = a[2].i;
    int64_t astronomical = year < 0 ? year + 1 : year;
    if (year == 0 || month < 1 || month > 12 || day < 1 || day > 31 ||
        day > sql_month_days(astronomical, (int)month))
        return sql_fail(call->error, "22008", "date field value out of range: %lld-%02lld-%02lld",
                        (long long)year, (long long)month, (long long)day);
    int64_t days = astronomical > 10000000 || astronomical < -10000000
                       ? INT64_MAX / 2
                       : sql_days_of(astronomical, (int)month, (int)day);
    if (!sql_date_valid(days))
        return sql_fail(call->error, "22008", "date out of range: %lld-%02lld-%02lld",
                        (long long)year, (long long)month, (long long)day);
    *ret = days;
    return 0;
}

/* Hours, minutes and a double of seconds; 24:00 and a second of 60 are. */
static int make_clock(struct sql_call *call, const union sql_cell *a, int64_t *ret) {
    int64_t hour = a[0].i, minute = a[1].i;
    double us = rint(a[2].f * 1e6);
    bool good = hour >= 0 && hour <= 24 && minute >= 0 && minute < 60 && us >= 0 && us <= 60e6;
    if (good) {
        *ret = hour * SQL_US_PER_HOUR + minute * SQL_US_PER_MINUTE + (int64_t)us;
        good = *ret <= SQL_US_PER_DAY;
    }
    if (good)
        return 0;
    if (isnan(a[2].f))
        return sql_fail(call->error, "22008", "time field value out of range: %lld:%02lld:NaN",
                        (long long)hour, (long long)minute);
    return sql_fail(call->error, "22008", "time field value out of range: %lld:%02lld:%02g",
                    (long long)hour, (long long)minute, a[2].f);
}

static int make_date(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return make_day(call, a, &ret->i);
}

static int make_time(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return make_clock(call, a, &ret->i);
}

static int make_local(struct sql_call *call, const union sql_cell *a, int64_t *ret) {
    int64_t days = 0, time = 0, local;
    if (make_day(call, a, &days) != 0 || make_clock(call, a + 3, &time) != 0)
        return -EINVAL;
    if (__builtin_mul_overflow(days, SQL_US_PER_DAY, &local) ||
        __builtin_add_overflow(local, time, &local) || !sql_timestamp_valid(local))
        return sql_fail(call->error, "22008",
                        "timestamp out of range: %lld-%02lld-%02lld %lld:%02lld:%02g",
                        (long long)a[0].i, (long long)a[1].i, (long long)a[2].i, (long long)a[3].i,
                        (long long)a[4].i, a[5].f);
    *ret = local;
    return 0;
}

static int make_timestamp(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return make_local(call, a, &ret->i);
}

static int make_timestamptz(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t local = 0;
    if (make_local(call, a, &local) != 0)
        return -EINVAL;
    return sql_timestamp_of_local(local, sql_call_zone(call), &ret->i, call->error);
}

static int make_timestamptz_in(struct sql_call *call, const union sql_cell *a,
                               union sql_cell *ret) {
    struct sql_zone scratch;
    const struct sql_zone *zone;
    int64_t local = 0;
    if (make_local(call, a, &local) != 0 ||
        sql_call_named_zone(call, a[6].text, &scratch, &zone) != 0)
        return -EINVAL;
    return sql_timestamp_of_local(local, zone, &ret->i, call->error);
}

static bool fits_int32(int64_t number, int32_t *ret) {
    *ret = (int32_t)number;
    return number >= INT32_MIN && number <= INT32_MAX;
}

/* years, months, weeks, days, hours, mins, secs: what is not given is 0. */
static int make_interval(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int64_t part[6] = {0};
    double seconds = call->count > 6 ? a[6].f : 0;
    struct sql_interval made;
    for (unsigned i = 0; i < call->count && i < 6; i++)
        part[i] = a[i].i;
    double us = rint(seconds * 1e6);
    if (!(fabs(us) < 9.2e18) || !fits_int32(part[0] * 12 + part[1], &made.months) ||
        !fits_int32(part[2] * 7 + part[3], &made.days) ||
        __builtin_add_overflow(part[4] * SQL_US_PER_HOUR + part[5] * SQL_US_PER_MINUTE, (int64_t)us,
                               &made.microseconds))
        return sql_fail_interval(call->error);
    ret->interval = made;
    return 0;
}

/* --- small ones ---------------------------------------------------------------------------------
 */

static int is_finite(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = !sql_infinite(a[0].i);
    return 0;
}

static int always(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    ret->i = true;
    return 0;
}

static int now(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = call->settings->now;
    return 0;
}

static int statement_now(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = call->settings->statement_now;
    return 0;
}

static int clock_now(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = call->settings->clock ? call->settings->clock(call->settings->self)
                                   : call->settings->statement_now;
    return 0;
}

/* Seconds since 1970. */
static int to_timestamp(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    double seconds = a[0].f;
    if (isnan(seconds))
        return sql_fail(call->error, "22008", "timestamp cannot be NaN");
    if (isinf(seconds)) {
        ret->i = seconds > 0 ? SQL_INFINITY : SQL_MINUS_INFINITY;
        return 0;
    }
    double us = rint((seconds + SQL_UNIX_EPOCH_DAY * 86400.0) * 1e6);
    if (!(us >= (double)SQL_TIMESTAMP_MIN && us < (double)SQL_TIMESTAMP_END))
        return sql_fail(call->error, "22008", "timestamp out of range: \"%g\"", seconds);
    ret->i = (int64_t)us;
    return 0;
}

#define ROW(name_, result_, scalar_, flags_, count_, ...)                                          \
    {                                                                                              \
        .name = name_, .result = SQL_##result_, .count = count_, .flags = flags_,                  \
        .arguments = {__VA_ARGS__}, .scalar = scalar_                                              \
    }

static const char *const interval_names[] = {"years", "months", "weeks", "days",
                                             "hours", "mins",   "secs"};

const struct sql_function sql_functions_time_calendar[] = {
    ROW("age", INTERVAL, age, 0, 2, SQL_TIMESTAMP, SQL_TIMESTAMP),
    ROW("age", INTERVAL, age, 0, 2, SQL_TIMESTAMPTZ, SQL_TIMESTAMPTZ),
    ROW("age", INTERVAL, age_today, SQL_STABLE, 1, SQL_TIMESTAMP),
    ROW("age", INTERVAL, age_today, SQL_STABLE, 1, SQL_TIMESTAMPTZ),
    ROW("justify_hours", INTERVAL, justify_hours, 0, 1, SQL_INTERVAL),
    ROW("justify_days", INTERVAL, justify_days, 0, 1, SQL_INTERVAL),
    ROW("justify_interval", INTERVAL, justify_interval, 0, 1, SQL_INTERVAL),
    ROW("make_date", DATE, make_date, 0, 3, SQL_INT4, SQL_INT4, SQL_INT4),
    ROW("make_time", TIME, make_time, 0, 3, SQL_INT4, SQL_INT4, SQL_FLOAT8),
    ROW("make_timestamp", TIMESTAMP, make_timestamp, 0, 6, SQL_INT4, SQL_INT4, SQL_INT4, SQL_INT4,
        SQL_INT4, SQL_FLOAT8),
    ROW("make_timestamptz", TIMESTAMPTZ, make_timestamptz, 0, 6, SQL_INT4, SQL_INT4, SQL_INT4,
        SQL_INT4, SQL_INT4, SQL_FLOAT8),
    ROW("make_timestamptz", TIMESTAMPTZ, make_timestamptz_in, 0, 7, SQL_INT4, SQL_INT4, SQL_INT4,
        SQL_INT4, SQL_INT4, SQL_FLOAT8, SQL_TEXT),
    {.name = "make_interval",
     .result = SQL_INTERVAL,
     .count = 7,
     .defaults = 7,
     .arguments = {SQL_INT4, SQL_INT4, SQL_INT4, SQL_INT4, SQL_INT4, SQL_INT4, SQL_FLOAT8},
     .scalar = make_interval,
     .names = interval_names},
    ROW("isfinite", BOOL, is_finite, 0, 1, SQL_DATE),
    ROW("isfinite", BOOL, is_finite, 0, 1, SQL_TIMESTAMP),
    ROW("isfinite", BOOL, is_finite, 0, 1, SQL_TIMESTAMPTZ),
    ROW("isfinite", BOOL, always, 0, 1, SQL_INTERVAL),
    ROW("to_timestamp", TIMESTAMPTZ, to_timestamp, 0, 1, SQL_FLOAT8),
    ROW("now", TIMESTAMPTZ, now, SQL_STABLE, 0, 0),
    ROW("transaction_timestamp", TIMESTAMPTZ, now, SQL_STABLE, 0, 0),
    ROW("statement_timestamp", TIMESTAMPTZ, statement_now, SQL_STABLE, 0, 0),
    ROW("clock_timestamp", TIMESTAMPTZ, clock_now, SQL_VOLATILE, 0, 0),
    {.name = NULL},
};
