/*
 * calendar.h - days and the calendar: integer arithmetic that the rest of time/ stands on.
 *
 *      2000-01-01 = day 0 = Julian day 2451545
 *
 * The proleptic Gregorian calendar, as PostgreSQL has it: no Julian calendar before 1582, years
 * counted astronomically (1 BC is year 0, 2 BC is -1), no leap seconds. The months are counted
 * from March inside, so that the leap day ends the year and month lengths follow one line
 * (Neri and Schneider, "Euclidean affine functions", 2022; Hinnant, "chrono date algorithms").
 */
#ifndef NONET_SQL_TIME_CALENDAR_H
#define NONET_SQL_TIME_CALENDAR_H

#include "sql/value.h"

#define SQL_US_PER_SECOND INT64_C(1000000)
#define SQL_US_PER_MINUTE (60 * SQL_US_PER_SECOND)
#define SQL_US_PER_HOUR (60 * SQL_US_PER_MINUTE)
#define SQL_US_PER_DAY (24 * SQL_US_PER_HOUR)
#define SQL_DAYS_PER_MONTH 30 /* where an interval's month has to be days */

#define SQL_UNIX_EPOCH_DAY (-10957) /* 1970-01-01 */
#define SQL_UNIX_EPOCH_US (SQL_UNIX_EPOCH_DAY * SQL_US_PER_DAY)
#define SQL_JULIAN_EPOCH_DAY 2451545 /* the Julian day of day 0 */

/* Dates from 4713-11-24 BC, which is Julian day 0, to 5874897-12-31. */
#define SQL_DATE_MIN (-(int64_t)SQL_JULIAN_EPOCH_DAY)
#define SQL_DATE_MAX (INT64_C(2147483493) - SQL_JULIAN_EPOCH_DAY)
/* Timestamps from 4713-11-24 BC to before 294277-01-01. */
#define SQL_TIMESTAMP_MIN (SQL_DATE_MIN * SQL_US_PER_DAY)
#define SQL_TIMESTAMP_END INT64_C(9223371331200000000)

struct sql_civil {
    int64_t year;   /* astronomical */
    int month, day; /* from 1 */
};

/* Quotient rounded down, and the rest from 0; B > 0. */
static inline int64_t sql_floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}
static inline int64_t sql_floor_mod(int64_t a, int64_t b) {
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

static inline bool sql_infinite(int64_t time) {
    return time == SQL_INFINITY || time == SQL_MINUS_INFINITY;
}
static inline bool sql_timestamp_valid(int64_t timestamp) {
    return timestamp >= SQL_TIMESTAMP_MIN && timestamp < SQL_TIMESTAMP_END;
}
static inline bool sql_date_valid(int64_t days) {
    return days >= SQL_DATE_MIN && days <= SQL_DATE_MAX;
}

/* MONTH 1..12; DAY may be any. YEAR within ten million of 0. */
static inline int64_t sql_days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = sql_floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 730425;
}

static inline struct sql_civil sql_civil_of(int64_t days) {
    uint64_t shifted = (uint64_t)(days + 730425 + INT64_C(146097) * 50000); /* never negative */
    uint64_t quarters = 4 * shifted + 3, century = quarters / 146097;
    uint32_t of_century = (uint32_t)(quarters % 146097) | 3;
    uint64_t product = UINT64_C(2939745) * of_century;
    uint32_t year_of_century = (uint32_t)(product >> 32);
    uint32_t of_year = (uint32_t)product / 2939745 / 4;
    uint32_t packed = 2141 * of_year + 197913;
    int month = (int)(packed >> 16), day = (int)((packed & 0xffff) / 2141);
    int64_t year = (int64_t)(100 * century + year_of_century) - 400 * INT64_C(50000);
    bool next = of_year >= 306; /* January and February end the year that began in March */
    return (struct sql_civil){year + next, next ? month - 12 : month, day + 1};
}

static inline bool sql_leap_year(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
static inline int sql_month_days(int64_t year, int month) {
    return month == 2 ? 28 + sql_leap_year(year) : 30 + ((month + (month >> 3)) & 1);
}
/* 0: Sunday. */
static inline int sql_weekday(int64_t days) {
    return (int)sql_floor_mod(days + 6, 7);
}
/* From 1. */
static inline int sql_day_of_year(int64_t days, int64_t year) {
    return (int)(days - sql_days_of(year, 1, 1)) + 1;
}
/* Day 1 (Monday) of week 1 of ISO 8601: the week with January 4th. */
static inline int64_t sql_iso_year_start(int64_t year) {
    int64_t fourth = sql_days_of(year, 1, 4);
    return fourth - (sql_weekday(fourth) + 6) % 7;
}
/* The year that the week of DAYS belongs to, and the week from 1. */
static inline int64_t sql_iso_year(int64_t days, int *ret_week) {
    int64_t year = sql_civil_of(days - (sql_weekday(days) + 6) % 7 + 3).year;
    *ret_week = (int)((days - sql_iso_year_start(year)) / 7) + 1;
    return year;
}
/* As people write years: 1 BC is -1, there is no 0. */
static inline int64_t sql_written_year(int64_t year) {
    return year > 0 ? year : year - 1;
}

/* A moment taken apart, as a clock on the wall shows it. */
struct sql_moment {
    struct sql_civil date;
    int64_t days; /* of the date */
    int hour, minute, second, microsecond;
    int32_t offset;           /* seconds east of UTC; 0 of a timestamp without zone */
    bool zoned;               /* there is an offset */
    const char *abbreviation; /* of the zone ("CEST"), "" without */
};

/* TIMESTAMP is finite; of date and time only are the fields filled. */
static inline void sql_moment_split(int64_t timestamp, struct sql_moment *ret) {
    int64_t days = sql_floor_div(timestamp, SQL_US_PER_DAY);
    int64_t rest = timestamp - days * SQL_US_PER_DAY;
    int64_t seconds = rest / SQL_US_PER_SECOND;
    *ret = (struct sql_moment){.date = sql_civil_of(days), .days = days, .abbreviation = ""};
    ret->microsecond = (int)(rest % SQL_US_PER_SECOND);
    ret->hour = (int)(seconds / 3600);
    ret->minute = (int)(seconds / 60 % 60);
    ret->second = (int)(seconds % 60);
}

#endif
