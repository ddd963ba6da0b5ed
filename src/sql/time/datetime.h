/*
 * datetime.h - dates, times, timestamps and intervals from text and to text.
 *
 * In: every form PostgreSQL's appendix B.1 describes, under DateStyle 'ISO, MDY'. A text is cut
 * into fields (numbers, words, times with colons, dates with dashes, offsets with a sign), whose
 * meaning follows from what has been read before them: "January 8, 1999", "1999-01-08",
 * "19990108T040506Z" all are one moment.
 *
 * Out: DateStyle ISO and IntervalStyle postgres, always.
 *
 * Cells are as value.h says: days and microseconds from 2000-01-01, infinities INT64_MIN and MAX.
 * Input functions return 0, or sql_fail's -EINVAL with 22007 (not such a text), 22008 (out of
 * range), 22009 (a zone's offset is), 22023 (no such zone); *RET is then untouched. Output
 * functions append, or return -ENOBUFS or -ENOMEM. TYPMOD: of time, timestamp and timestamptz the
 * digits of the fraction, 0 to 6; of interval (fields << 16 | digits), see below; -1: none.
 */
#ifndef NONET_SQL_TIME_DATETIME_H
#define NONET_SQL_TIME_DATETIME_H

#include "sql/value.h"

/* A text longer than this is none of these types: 22007. */
#define SQL_TIME_TEXT_MAX 160u

/* The fields half of interval's typmod: bits of what is kept, as PostgreSQL's parser gives them. */
enum sql_interval_fields {
    SQL_INTERVAL_MONTH = 1 << 1,
    SQL_INTERVAL_YEAR = 1 << 2,
    SQL_INTERVAL_DAY = 1 << 3,
    SQL_INTERVAL_HOUR = 1 << 10,
    SQL_INTERVAL_MINUTE = 1 << 11,
    SQL_INTERVAL_SECOND = 1 << 12,
    SQL_INTERVAL_ALL = 0x7fff,
};
#define SQL_INTERVAL_DIGITS_ALL 0xffff /* the digits half: not said */

/* SETTINGS (may be NULL: UTC, the year 2000) tell now() and the zone of local times. */
must_use int sql_date_in(slice text, const struct sql_settings *settings, int64_t *ret,
                         struct sql_error *error);
must_use int sql_time_in(slice text, int32_t typmod, const struct sql_settings *settings,
                         int64_t *ret, struct sql_error *error);
/* WITH_ZONE: timestamptz, else timestamp, which ignores what the text says of a zone. */
must_use int sql_timestamp_in(slice text, int32_t typmod, bool with_zone,
                              const struct sql_settings *settings, int64_t *ret,
                              struct sql_error *error);
must_use int sql_interval_in(slice text, int32_t typmod, struct sql_interval *ret,
                             struct sql_error *error);

must_use int sql_date_out(int64_t days, struct buf *out);
must_use int sql_time_out(int64_t time, struct buf *out);
/* WITH_ZONE: shown in the session's zone, with its offset. */
must_use int sql_timestamp_out(int64_t timestamp, bool with_zone,
                               const struct sql_settings *settings, struct buf *out);
must_use int sql_interval_out(const struct sql_interval *interval, struct buf *out);

/* What a typmod does to a value that exists already: rounds (half away from 0) and cuts fields.
   Infinities stay. */
int64_t sql_time_round(int64_t time, int32_t typmod);
void sql_interval_adjust(struct sql_interval *interval, int32_t typmod);

#endif
