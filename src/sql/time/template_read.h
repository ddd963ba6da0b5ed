/*
 * template_read.h - the fields that a template finds in a text.
 *
 * A field that was not there is 0, as is one that was written as 0: PostgreSQL does not tell them
 * apart, and what follows (to_time.c) depends on that.
 */
#ifndef NONET_SQL_TIME_TEMPLATE_READ_H
#define NONET_SQL_TIME_TEMPLATE_READ_H

#include "sql/time/template.h"

struct template_fields {
    enum template_calendar calendar;
    bool half_day, afternoon, before_christ; /* half_day: hours are 1 to 12 */
    int32_t hour, minute, second, second_of_day, millisecond, microsecond;
    int32_t year, year_digits, century, month, day, day_of_year, week, week_of_month, julian;
    int32_t weekday;         /* 1: Sunday */
    int32_t fraction_digits; /* of FF1 to FF6: the result is rounded to them; 0: it is not */
    int32_t zone_sign, zone_hour, zone_minute;
    int32_t half, era; /* what was said of am and pm, of AD and BC: 1 and 2 */
};

/* Reads TEXT by T into RET, which is zero. 0, or an error with PostgreSQL's words (22007, 22008,
   0A000). */
must_use int template_read(struct sql_call *call, const struct template *t, slice text,
                           struct template_fields *ret);

#endif
