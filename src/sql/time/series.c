/*
 * series.c - generate_series() of timestamps, OVERLAPS, and sums of intervals.
 *
 * A series may be endless in what it asks for: whoever takes the rows says when it is enough (EMIT
 * fails). OVERLAPS is not strict: with a NULL it may know the answer all the same.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"

#include <errno.h>

static int series(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    static const struct sql_interval zero;
    static const uint8_t not_null = 0;
    const struct sql_interval *step = &a[2].interval;
    const struct sql_zone *zone = sql_call_zone_of(call, call->types[0].oid);
    int direction = sql_interval_compare(step, &zero);
    if (direction == 0)
        return sql_fail(call->error, "22023", "step size cannot equal zero");
    union sql_cell at = a[0];
    while (direction > 0 ? at.i <= a[1].i : at.i >= a[1].i) {
        int failed = emit(to, &at, &not_null);
        if (failed)
            return failed;
        if (sql_timestamp_add(at.i, step, zone, &at.i, call->error) != 0)
            return -EINVAL;
    }
    return 0;
}

/* --- overlaps -----------------------------------------------------------------------------------
 */

struct period {
    int64_t start, end;
    bool no_start, no_end;
};

/* The end of a period given as an interval from its start. */
static int add_length(struct sql_call *call, uint32_t oid, int64_t start,
                      const struct sql_interval *length, int64_t *ret) {
    if (oid == SQL_TIME) {
        *ret = sql_floor_mod(start + length->microseconds % SQL_US_PER_DAY, SQL_US_PER_DAY);
        return 0;
    }
    return sql_timestamp_add(start, length, sql_call_zone_of(call, oid), ret, call->error);
}

/* The period of arguments AT and AT + 1, its ends put in order; a known one goes first. */
static int period_of(struct sql_call *call, const union sql_cell *a, unsigned at,
                     struct period *ret) {
    struct period p = {.no_start = call->nulls && call->nulls[at],
                       .no_end = call->nulls && call->nulls[at + 1]};
    p.start = p.no_start ? 0 : a[at].i;
    if (call->types[at + 1].oid == SQL_INTERVAL) {
        p.no_end |= p.no_start;
        if (!p.no_end &&
            add_length(call, call->types[at].oid, p.start, &a[at + 1].interval, &p.end) != 0)
            return -EINVAL;
    } else {
        p.end = p.no_end ? 0 : a[at + 1].i;
    }
    if (p.no_start) {
        p.start = p.end;
        p.no_start = p.no_end;
        p.no_end = true;
    } else if (!p.no_end && p.start > p.end) {
        int64_t start = p.start;
        p.start = p.end;
        p.end = start;
    }
    *ret = p;
    return 0;
}

/* Both begin half-open periods, or are moments; EARLY starts before LATE, or with it. */
static int overlaps(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct period one, two;
    if (period_of(call, a, 0, &one) != 0 || period_of(call, a, 2, &two) != 0)
        return -EINVAL;
    ret->i = false;
    if (one.no_start || two.no_start) {
        call->null = true;
    } else if (one.start == two.start) { /* they share their start, if not one is unknown */
        call->null = one.no_end || two.no_end;
        ret->i = true;
    } else {
        const struct period *early = one.start < two.start ? &one : &two;
        const struct period *late = one.start < two.start ? &two : &one;
        if (early->no_end) {
            call->null = true;
        } else if (late->start < early->end) {
            ret->i = true;
        } else {
            call->null = late->no_end;
        }
    }
    return 0;
}

#define OVERLAPS(type_, second_, fourth_)                                                          \
    {                                                                                              \
        .name = "overlaps", .result = SQL_BOOL, .count = 4, .flags = SQL_LENIENT,                  \
        .arguments = {SQL_##type_, SQL_##second_, SQL_##type_, SQL_##fourth_}, .scalar = overlaps  \
    }
#define OVERLAPS_OF(type_)                                                                         \
    OVERLAPS(type_, type_, type_), OVERLAPS(type_, INTERVAL, INTERVAL),                            \
        OVERLAPS(type_, type_, INTERVAL), OVERLAPS(type_, INTERVAL, type_)

const struct sql_function sql_functions_time_series[] = {
    {.name = "generate_series",
     .result = SQL_TIMESTAMP,
     .count = 3,
     .arguments = {SQL_TIMESTAMP, SQL_TIMESTAMP, SQL_INTERVAL},
     .set = series},
    {.name = "generate_series",
     .result = SQL_TIMESTAMPTZ,
     .count = 3,
     .arguments = {SQL_TIMESTAMPTZ, SQL_TIMESTAMPTZ, SQL_INTERVAL},
     .set = series},
    OVERLAPS_OF(TIME),
    OVERLAPS_OF(TIMESTAMP),
    OVERLAPS_OF(TIMESTAMPTZ),
    {.name = NULL},
};

/* --- sum and avg --------------------------------------------------------------------------------
 */

/* Wide enough that no sum of 2^63 rows overflows: it is the result that has to fit. */
struct interval_sum {
    sql_interval_span microseconds, days, months;
    int64_t count;
};

static int interval_add(struct sql_call *call, void *state, const union sql_cell *a,
                        int64_t weight) {
    struct interval_sum *sum = state;
    (void)call;
    sum->microseconds += (sql_interval_span)a[0].interval.microseconds * weight;
    sum->days += (sql_interval_span)a[0].interval.days * weight;
    sum->months += (sql_interval_span)a[0].interval.months * weight;
    sum->count += weight;
    return 0;
}

static int interval_total(struct sql_call *call, const void *state, struct sql_interval *ret) {
    const struct interval_sum *sum = state;
    call->null = sum->count == 0;
    if (sum->microseconds > INT64_MAX || sum->microseconds < INT64_MIN || sum->days > INT32_MAX ||
        sum->days < INT32_MIN || sum->months > INT32_MAX || sum->months < INT32_MIN)
        return sql_fail_interval(call->error);
    *ret =
        (struct sql_interval){(int64_t)sum->microseconds, (int32_t)sum->days, (int32_t)sum->months};
    return 0;
}

static int interval_sum(struct sql_call *call, const void *state, union sql_cell *ret) {
    return interval_total(call, state, &ret->interval);
}

static int interval_avg(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct interval_sum *sum = state;
    struct sql_interval total = {0};
    if (interval_total(call, state, &total) != 0)
        return -EINVAL;
    return call->null
               ? 0
               : sql_interval_divide(&total, (double)sum->count, &ret->interval, call->error);
}

const struct sql_aggregate sql_aggregates_time[] = {
    {.name = "sum",
     .result = SQL_INTERVAL,
     .count = 1,
     .arguments = {SQL_INTERVAL},
     .invertible = true,
     .state_bytes = sizeof(struct interval_sum),
     .add = interval_add,
     .result_of = interval_sum},
    {.name = "avg",
     .result = SQL_INTERVAL,
     .count = 1,
     .arguments = {SQL_INTERVAL},
     .invertible = true,
     .state_bytes = sizeof(struct interval_sum),
     .add = interval_add,
     .result_of = interval_avg},
    {.name = NULL},
};
