/*
 * zone.h - time zones: what offset from UTC holds when.
 *
 *      history (TZif, RFC 8536)                      rule (POSIX TZ)
 *      at[0]   at[1]         at[n-1]                 CET-1CEST,M3.5.0,M10.5.0/3
 *   first|kind[0]|  ...         |     kind[n-1] or, where there is one, the rule for ever
 *
 * sql/ reads no file: the host hands in the bytes of /usr/share/zoneinfo/NAME. A zone without
 * history is its rule alone: a fixed offset, or a POSIX TZ text that somebody wrote as a name.
 *
 * A local time may be there twice (clocks set back) or not at all (set forward). As in PostgreSQL
 * the first case takes the later offset (standard time), the second the offset before the gap.
 *
 * A set of zones is filled at start and read afterwards by any thread.
 */
#ifndef NONET_SQL_TIME_ZONE_H
#define NONET_SQL_TIME_ZONE_H

#include "sql/value.h"

#define SQL_ZONE_NAME_MAX 63u
#define SQL_ZONES_MAX 2048u            /* of a set; tzdata has about 600 */
#define SQL_ZONE_BYTES_MAX (64u << 10) /* of one TZif file */

struct sql_zone_kind {
    int32_t offset; /* seconds east of UTC */
    bool daylight;
    char abbreviation[16]; /* "CEST" */
};

/* A day of the year on which the clocks change, and when. */
struct sql_zone_change {
    char form; /* 'M': month, week, weekday; 'J': day 1..365 without leap day; 'D': 0.. */
    int month, week, day; /* week 5: the last */
    int32_t time;         /* seconds after local midnight; may be negative or beyond a day */
};

struct sql_zone_history;

struct sql_zone {
    char name[SQL_ZONE_NAME_MAX + 1];
    struct sql_zone_history *history; /* NULL: the rule holds always */
    bool ruled;                       /* standard and what follows is filled */
    struct sql_zone_kind standard, daylight;
    bool changes; /* there is daylight saving, from `begin` to `end` of each year */
    struct sql_zone_change begin, end;
};

/* The offset that holds at TIMESTAMP (microseconds of UTC since 2000). ZONE NULL: UTC. */
const struct sql_zone_kind *sql_zone_at(const struct sql_zone *zone, int64_t timestamp);
/* The offset that holds where clocks show LOCAL (microseconds as if of UTC). */
const struct sql_zone_kind *sql_zone_at_local(const struct sql_zone *zone, int64_t local);

/* A zone of one offset, named as PostgreSQL shows it ("<+02>-02", "<-03:30>+03:30"). OFFSET: east,
   above INT32_MIN; the name has its hours without thousands. */
struct sql_zone sql_zone_fixed(int32_t offset);
/* A POSIX TZ text ("CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "<+02>-2", "+2": west of Greenwich).
   0 or -EINVAL. */
must_use int sql_zone_posix(slice text, struct sql_zone *ret);

/* A fixed abbreviation ("est", any case): seconds east, and whether it is daylight time. */
bool sql_zone_abbreviation(slice name, int32_t *ret_offset, bool *ret_daylight);

struct sql_zones;
/* NULL where memory runs out. */
must_use struct sql_zones *sql_zones_create(void);
struct sql_zones *sql_zones_free(struct sql_zones *zones);
/* Adds NAME ("Europe/Berlin") with the bytes of its TZif file. 0, -EBADMSG (they are not that),
   -EEXIST, -ENOSPC (the set is full, or NAME too long), -ENOMEM. */
must_use int sql_zone_load(struct sql_zones *zones, slice name, slice bytes);
/* By name in any case; NULL: there is none. ZONES may be NULL. */
const struct sql_zone *sql_zones_find(const struct sql_zones *zones, slice name);
/* Each in turn by name, for pg_timezone_names: NULL past the last. */
const struct sql_zone *sql_zones_at(const struct sql_zones *zones, unsigned index);

/* What a user calls a zone (AT TIME ZONE, SET timezone): an abbreviation, a name of the set,
   UTC or GMT, or a POSIX text, for which SCRATCH is room. NULL: nobody knows it. */
const struct sql_zone *sql_zone_named(const struct sql_zones *zones, slice name,
                                      struct sql_zone *scratch);

#endif
