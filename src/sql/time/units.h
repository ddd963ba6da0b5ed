/*
 * units.h - the words for units of time: of intervals, of extract() and of date_trunc().
 *
 * One table for all, as in PostgreSQL; who has no use for a unit refuses it. A word longer than ten
 * letters is told by the first ten ("microseconds").
 */
#ifndef NONET_SQL_TIME_UNITS_H
#define NONET_SQL_TIME_UNITS_H

#include "sql/value.h"

enum time_unit {
    UNIT_NONE,
    UNIT_MICROSECOND,
    UNIT_MILLISECOND,
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_MONTH,
    UNIT_QUARTER,
    UNIT_YEAR,
    UNIT_DECADE,
    UNIT_CENTURY,
    UNIT_MILLENNIUM,
    UNIT_AGO, /* of intervals only */
    UNIT_EPOCH,
    UNIT_JULIAN,
    UNIT_ISO_YEAR,
    UNIT_ISO_WEEKDAY,
    UNIT_WEEKDAY,
    UNIT_DAY_OF_YEAR,
    UNIT_ZONE,
    UNIT_ZONE_HOUR,
    UNIT_ZONE_MINUTE,
};

/* How long they are: up to a day in microseconds, from a month up in months. */
extern const int64_t time_unit_us[UNIT_DAY + 1];
extern const int32_t time_unit_months[UNIT_MILLENNIUM + 1];

/* WORD in any case. UNIT_NONE: no unit is called so. */
enum time_unit time_unit_named(slice word);

/* WORD as errors show it: in lower case, cut to fit. */
#define UNIT_TEXT_SIZE 64
const char *time_unit_text(slice word, char out[static UNIT_TEXT_SIZE]);

#endif
