/*
 * windows.h - which windows of time a moment lies in.
 *
 *      slide      |----|----|----|----|      windows begin at 1970-01-01 + offset + n * slide
 *      size       [---------)                and hold begin <= time < begin + size
 *                      [---------)
 *
 * Tumbling windows are those whose slide is their size. They are aligned to 1970-01-01 00:00 UTC,
 * as in Flink and RisingWave, not to PostgreSQL's 2000-01-01: windows of a week differ.
 */
#ifndef NONET_SQL_TIME_WINDOWS_H
#define NONET_SQL_TIME_WINDOWS_H

#include "sql/time/calendar.h"

#define SQL_WINDOWS_MAX 1000 /* that one moment may be in; the binder refuses more */

/* The begin of the earliest window that holds TIME, and how many do, SLIDE apart. SIZE and SLIDE
   are above 0. 0: TIME is infinite, between two windows (SLIDE > SIZE), or so near the ends of
   time that a window would reach beyond. */
static inline int64_t sql_windows_of(int64_t time, int64_t size, int64_t slide, int64_t offset,
                                     int64_t *ret_first) {
    int64_t since, first, end;
    if (sql_infinite(time) || __builtin_sub_overflow(time, SQL_UNIX_EPOCH_US, &since) ||
        __builtin_sub_overflow(since, offset, &since))
        return 0;
    int64_t into = sql_floor_mod(since, slide); /* the latest window that began is so old */
    if (into >= size)
        return 0;
    int64_t count = (size - into - 1) / slide + 1;
    if (__builtin_sub_overflow(time, into + (count - 1) * slide, &first) ||
        __builtin_add_overflow(time - into, size, &end) || !sql_timestamp_valid(first) ||
        !sql_timestamp_valid(end))
        return 0;
    *ret_first = first;
    return count;
}

#endif
