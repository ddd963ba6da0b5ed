/*
 * clocktext.h - points in time as RFC 3339 text, as NATS and Go write them.
 *
 *      2026-01-02T03:04:05.123456789Z        zeros at the end of the fraction are dropped,
 *      2026-01-02T03:04:05Z                  and with them the point
 *
 * Time is a signed count of nanoseconds since 1970-01-01T00:00:00Z without leap seconds, so it
 * spans 1677-09-21 to 2262-04-11. Calendar days are computed here with integer arithmetic over the
 * proleptic Gregorian calendar: no libc time call, no time zone data, no locale, nothing global.
 */
#ifndef NONET_BASE_CLOCKTEXT_H
#define NONET_BASE_CLOCKTEXT_H

#include "base/check.h"
#include "base/slice.h"

#define CLOCKTEXT_SIZE 36 /* longest text and its NUL */

struct clocktext_civil {
    int64_t year;
    unsigned month;  /* 1..12 */
    unsigned day;    /* 1..31 */
    unsigned hour;   /* 0..23 */
    unsigned minute; /* 0..59 */
    unsigned second; /* 0..59 */
    unsigned nanosecond;
};

/* Writes UNIX_NS in UTC with a NUL to OUT of CLOCKTEXT_SIZE bytes. Returns the length. */
size_t clocktext_format(int64_t unix_ns, char *out);

/* Reads RFC 3339 text, whole, with 'Z' or an offset and 0 to 9 digits of fraction; 'T' and 'Z' may
   be lower case, as the RFC says. -EINVAL where it is no such text or no such day exists, -ERANGE
   where it lies outside the span above. A leap second (":60") is the first moment of the next
   minute. */
must_use int clocktext_parse(slice text, int64_t *ret_unix_ns);

/* The parts of a moment in UTC, and the days from 1970-01-01 to a date (negative before). */
struct clocktext_civil clocktext_civil(int64_t unix_ns);
int64_t clocktext_days(int64_t year, unsigned month, unsigned day);

/* 0 = Sunday .. 6 = Saturday, for a count of days as clocktext_days gives it. */
unsigned clocktext_weekday(int64_t days);

/* Days in MONTH of YEAR. */
unsigned clocktext_month_days(int64_t year, unsigned month);

#endif
