/*
 * date_read.h - the fields of a date, time or timestamp as what they mean.
 *
 * Between cutting a text into fields (time_fields.h) and making a value of it (datetime_in.c) lies
 * a reading: which parts of a date are known by now, and what they are. No calendar arithmetic but
 * for Julian days is done here.
 */
#ifndef NONET_SQL_TIME_DATE_READ_H
#define NONET_SQL_TIME_DATE_READ_H

#include "sql/time/calendar.h"
#include "sql/time/time_fields.h"
#include "sql/time/zone.h"

/* What has been read: a second time is an error. */
enum date_part {
    DATE_YEAR = 1 << 0,
    DATE_MONTH = 1 << 1,
    DATE_DAY = 1 << 2,
    DATE_DAY_OF_YEAR = 1 << 3,
    DATE_TIME = 1 << 4,
    DATE_ZONE = 1 << 5,
    DATE_HALF = 1 << 6,
    DATE_ERA = 1 << 7,
    DATE_WEEKDAY = 1 << 8,
    DATE_SUMMER = 1 << 9,
    DATE_ALL = DATE_YEAR | DATE_MONTH | DATE_DAY,
};

struct date_reading {
    const struct sql_settings *settings; /* never NULL */
    bool time_only;                      /* numbers are times unless there is a date for sure */
    unsigned seen;                       /* enum date_part */
    enum time_special special;           /* of EPOCH and the infinities: nothing else counts */
    int64_t year;
    int32_t month, day, day_of_year;
    struct time_of_day clock;
    bool text_month, two_digits, before_christ, julian, afternoon;
    bool time_follows, julian_follows; /* a T, a J was read */
    int32_t offset;                    /* where DATE_ZONE is seen and zone is NULL */
    const struct sql_zone *zone;       /* a named one */
    struct sql_zone scratch;           /* room for it */
    slice unknown_zone;                /* for TIME_WRONG_ZONE */
};

/* Reads FIELDS into R, whose settings and time_only are set, the rest zero. The parts are within
   their ranges afterwards; a second of 60 and 24:00 are left for the arithmetic. */
enum time_wrong date_read(struct time_fields *fields, struct date_reading *r);

#endif
