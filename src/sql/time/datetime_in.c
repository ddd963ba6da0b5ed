/*
 * datetime_in.c - the parts that were read put together: dates, times, timestamps.
 */
#include "sql/time/datetime.h"

#include "sql/time/date_read.h"

#include <errno.h>

static const struct sql_settings no_settings;

static int read_text(slice text, const char *type, struct date_reading *r,
                     struct sql_error *error) {
    struct time_fields fields;
    if (!time_fields_cut(text, &fields))
        return time_fail(error, TIME_WRONG_FORM, type, text, text);
    if (!r->settings)
        r->settings = &no_settings;
    enum time_wrong wrong = date_read(&fields, r);
    bool enough = r->special ||
                  (r->time_only ? (r->seen & DATE_TIME) != 0 : (r->seen & DATE_ALL) == DATE_ALL);
    if (!wrong && !enough)
        wrong = TIME_WRONG_FORM;
    return wrong ? time_fail(error, wrong, type, text, r->unknown_zone) : 0;
}

static int64_t clock_us(const struct time_of_day *clock) {
    return clock->hour * SQL_US_PER_HOUR + clock->minute * SQL_US_PER_MINUTE +
           clock->second * SQL_US_PER_SECOND + clock->us;
}

/* The value of epoch, which is EPOCH, and of the infinities. */
static int64_t special_value(enum time_special special, int64_t epoch) {
    return special == TIME_SPECIAL_EPOCH      ? epoch
           : special == TIME_SPECIAL_INFINITY ? SQL_INFINITY
                                              : SQL_MINUS_INFINITY;
}

int sql_date_in(slice text, const struct sql_settings *settings, int64_t *ret,
                struct sql_error *error) {
    struct date_reading r = {.settings = settings};
    if (read_text(text, "date", &r, error) != 0)
        return -EINVAL;
    int64_t days = r.special ? special_value(r.special, SQL_UNIX_EPOCH_DAY)
                             : sql_days_of(r.year, r.month, r.day);
    if (!sql_infinite(days) && !sql_date_valid(days))
        return sql_fail(error, "22008", "date out of range: \"%.*s\"", slice_fmt(text));
    *ret = days;
    return 0;
}

int sql_time_in(slice text, int32_t typmod, const struct sql_settings *settings, int64_t *ret,
                struct sql_error *error) {
    struct date_reading r = {.settings = settings, .time_only = true};
    if (read_text(text, "time", &r, error) != 0)
        return -EINVAL;
    if (r.special || (r.zone && (r.seen & DATE_ALL) != DATE_ALL))
        return time_fail(error, TIME_WRONG_FORM, "time", text, text);
    if (clock_us(&r.clock) > SQL_US_PER_DAY)
        return time_fail(error, TIME_WRONG_RANGE, "time", text, text);
    *ret = sql_time_round(clock_us(&r.clock), typmod);
    return 0;
}

int sql_timestamp_in(slice text, int32_t typmod, bool with_zone,
                     const struct sql_settings *settings, int64_t *ret, struct sql_error *error) {
    struct date_reading r = {.settings = settings};
    const char *type = with_zone ? "timestamp with time zone" : "timestamp";
    if (read_text(text, type, &r, error) != 0)
        return -EINVAL;
    if (r.special) {
        *ret = special_value(r.special, SQL_UNIX_EPOCH_US);
        return 0;
    }
    int64_t days = sql_days_of(r.year, r.month, r.day), local;
    bool overflow = __builtin_mul_overflow(days, SQL_US_PER_DAY, &local) ||
                    __builtin_add_overflow(local, clock_us(&r.clock), &local);
    if (!overflow && with_zone) {
        int32_t offset = r.offset;
        if (!(r.seen & DATE_ZONE))
            offset = sql_zone_at_local(r.settings->zone, local)->offset;
        else if (r.zone)
            offset = sql_zone_at_local(r.zone, local)->offset;
        overflow = __builtin_sub_overflow(local, offset * SQL_US_PER_SECOND, &local);
    }
    if (overflow || !sql_timestamp_valid(local))
        return sql_fail(error, "22008", "timestamp out of range: \"%.*s\"", slice_fmt(text));
    *ret = sql_time_round(local, typmod);
    return 0;
}
