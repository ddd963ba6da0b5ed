/*
 * zone.c - which offset holds when: history by binary search, rules by computing a year's changes.
 */
#include "sql/time/zone.h"

#include "sql/time/calendar.h"
#include "sql/time/zone_history.h"

#define SECONDS_PER_DAY 86400

static const struct sql_zone_kind utc = {0, false, "UTC"};

/* A change's moment in YEAR: seconds since 2000 on a clock that shows the time before it. */
static int64_t change_local(const struct sql_zone_change *change, int64_t year) {
    int64_t day;
    if (change->form == 'M') {
        int64_t first = sql_days_of(year, change->month, 1);
        int ahead = (change->day - sql_weekday(first) + 7) % 7 + 7 * (change->week - 1);
        while (ahead >= sql_month_days(year, change->month))
            ahead -= 7;
        day = first + ahead;
    } else if (change->form == 'J') {
        day = sql_days_of(year, 1, 1) + change->day - 1;
        day += sql_leap_year(year) && change->day >= 60;
    } else {
        day = sql_days_of(year, 1, 1) + change->day;
    }
    return day * SECONDS_PER_DAY + change->time;
}

struct edge { /* from AT (seconds of UTC since 2000) on KIND holds, before it BEFORE */
    int64_t at;
    const struct sql_zone_kind *before, *kind;
};

/* The two changes of YEAR in order of time. */
static void rule_edges(const struct sql_zone *z, int64_t year, struct edge ret[2]) {
    struct edge begin = {change_local(&z->begin, year) - z->standard.offset, &z->standard,
                         &z->daylight};
    struct edge end = {change_local(&z->end, year) - z->daylight.offset, &z->daylight,
                       &z->standard};
    bool north = begin.at <= end.at;
    ret[0] = north ? begin : end;
    ret[1] = north ? end : begin;
}

static const struct sql_zone_kind *rule_at(const struct sql_zone *z, int64_t seconds) {
    if (!z->changes)
        return &z->standard;
    struct edge edges[2];
    rule_edges(z, sql_civil_of(sql_floor_div(seconds + z->standard.offset, SECONDS_PER_DAY)).year,
               edges);
    if (seconds < edges[0].at)
        return edges[0].before;
    return seconds < edges[1].at ? edges[0].kind : edges[1].kind;
}

/* How many of the history's changes lie at or before SECONDS. */
static unsigned history_passed(const struct sql_zone_history *h, int64_t seconds) {
    unsigned low = 0, high = h->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (h->at[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct sql_zone_kind *history_kind(const struct sql_zone_history *h, unsigned passed) {
    return &h->kinds[passed ? h->kind[passed - 1] : h->first];
}

static const struct sql_zone_kind *kind_at(const struct sql_zone *z, int64_t seconds) {
    if (!z)
        return &utc;
    const struct sql_zone_history *h = z->history;
    if (!h)
        return rule_at(z, seconds);
    unsigned passed = history_passed(h, seconds);
    if (passed == h->count && z->ruled && (h->count == 0 || z->changes))
        return rule_at(z, seconds);
    return history_kind(h, passed);
}

const struct sql_zone_kind *sql_zone_at(const struct sql_zone *zone, int64_t timestamp) {
    return kind_at(zone, sql_floor_div(timestamp, SQL_US_PER_SECOND));
}

/* The first change after SECONDS; false: there is none. */
static bool next_edge(const struct sql_zone *z, int64_t seconds, struct edge *ret) {
    const struct sql_zone_history *h = z->history;
    if (h) {
        unsigned passed = history_passed(h, seconds);
        if (passed < h->count) {
            *ret =
                (struct edge){h->at[passed], history_kind(h, passed), history_kind(h, passed + 1)};
            return true;
        }
    }
    if (!z->ruled || !z->changes)
        return false;
    int64_t year = sql_civil_of(sql_floor_div(seconds, SECONDS_PER_DAY)).year - 1;
    for (int i = 0; i < 3; i++) {
        struct edge edges[2];
        rule_edges(z, year + i, edges);
        for (int k = 0; k < 2; k++) {
            if (edges[k].at > seconds) {
                *ret = edges[k];
                return true;
            }
        }
    }
    return false;
}

const struct sql_zone_kind *sql_zone_at_local(const struct sql_zone *zone, int64_t local) {
    int64_t seconds = sql_floor_div(local, SQL_US_PER_SECOND);
    struct edge edge;
    if (!zone)
        return &utc;
    if (!next_edge(zone, seconds - SECONDS_PER_DAY, &edge))
        return kind_at(zone, seconds - SECONDS_PER_DAY);
    int64_t if_before = seconds - edge.before->offset, if_after = seconds - edge.kind->offset;
    if (if_before < edge.at && if_after < edge.at)
        return edge.before;
    if (if_before > edge.at && if_after >= edge.at)
        return edge.kind;
    return if_before > if_after ? edge.before
                                : edge.kind; /* a gap, or a time that is there twice */
}
