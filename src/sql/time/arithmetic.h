/*
 * arithmetic.h - adding and subtracting points in time; what several tables of functions share.
 *
 * Months and days are added on the calendar of a zone (the clock on the wall stays, also over a
 * change to daylight saving; a 31st becomes the month's last day), microseconds on the line of
 * UTC. For timestamp without zone both are the same: ZONE is NULL, which is UTC.
 *
 * Infinities are infinite afterwards too. Errors are 22008 with PostgreSQL's words.
 */
#ifndef NONET_SQL_TIME_ARITHMETIC_H
#define NONET_SQL_TIME_ARITHMETIC_H

#include "sql/function.h"
#include "sql/time/calendar.h"
#include "sql/time/interval.h"
#include "sql/time/zone.h"

must_use int sql_timestamp_add(int64_t timestamp, const struct sql_interval *interval,
                               const struct sql_zone *zone, int64_t *ret, struct sql_error *error);
/* The interval negated is added. */
must_use int sql_timestamp_minus(int64_t timestamp, const struct sql_interval *interval,
                                 const struct sql_zone *zone, int64_t *ret,
                                 struct sql_error *error);
/* A - B in days and time. */
must_use int sql_timestamp_difference(int64_t a, int64_t b, struct sql_interval *ret,
                                      struct sql_error *error);
/* Midnight of the day. */
must_use int sql_date_to_timestamp(int64_t days, int64_t *ret, struct sql_error *error);
/* TIME of the day, from midnight on; infinities stay. */
must_use int sql_date_and_time(int64_t days, int64_t time, int64_t *ret, struct sql_error *error);
must_use int sql_date_to_timestamptz(int64_t days, const struct sql_zone *zone, int64_t *ret,
                                     struct sql_error *error);
/* What clocks in ZONE show at TIMESTAMP, and back; infinities stay. */
must_use int sql_timestamp_to_local(int64_t timestamp, const struct sql_zone *zone, int64_t *ret,
                                    struct sql_error *error);
must_use int sql_timestamp_of_local(int64_t local, const struct sql_zone *zone, int64_t *ret,
                                    struct sql_error *error);
int64_t sql_date_of_timestamp(int64_t timestamp);

/* CALL's session zone. */
static inline const struct sql_zone *sql_call_zone(const struct sql_call *call) {
    return call->settings ? call->settings->zone : NULL;
}
/* That of values of type OID: the session's of timestamptz, else none. */
static inline const struct sql_zone *sql_call_zone_of(const struct sql_call *call, uint32_t oid) {
    return oid == SQL_TIMESTAMPTZ ? sql_call_zone(call) : NULL;
}
/* The zone that the text of an argument names; SCRATCH is room. 0 or 22023. */
must_use int sql_call_named_zone(struct sql_call *call, slice name, struct sql_zone *scratch,
                                 const struct sql_zone **ret);

static inline int sql_fail_timestamp(struct sql_error *error) {
    return sql_fail(error, "22008", "timestamp out of range");
}
static inline int sql_fail_date(struct sql_error *error) {
    return sql_fail(error, "22008", "date out of range");
}
static inline int sql_fail_interval(struct sql_error *error) {
    return sql_fail(error, "22008", "interval out of range");
}

#endif
