/*
 * ordered.c - the ordered-set aggregates: percentile_cont, percentile_disc, mode.
 *
 * Values come in ORDER and are kept encoded, each behind its weight, because where a percentile
 * lies is known only when all have come. The direct argument (the fraction, or an array of them)
 * is kept from the first row: it is the same in all.
 *
 *   percentile_disc(f)   the first value whose place reaches f * n
 *   percentile_cont(f)   between the values at floor and ceil of f * (n - 1)
 */
#include "sql/aggregate/held.h"

#include "sql/aggregate/aggregate.h"

#include <errno.h>
#include <math.h>

struct ordered {
    struct held direct;
    struct buf values;
    int64_t rows;
};

static int keep(struct sql_call *call, struct ordered *o, struct sql_type type,
                const union sql_cell *value, int64_t weight) {
    if (o->values.max == 0)
        o->values = buf_make(4 * SQL_TEXT_BYTES_MAX);
    o->rows += weight;
    if (save_bytes(&o->values, &weight, sizeof weight) < 0 ||
        value_encode(type, value, false, &o->values) < 0)
        return sql_fail(call->error, "54000",
                        "the values of an ordered aggregate take more than "
                        "%zu bytes",
                        4 * SQL_TEXT_BYTES_MAX);
    return 0;
}

static int fraction_add(struct sql_call *call, void *state, const union sql_cell *a,
                        int64_t weight) {
    struct ordered *o = state;
    int rc = 0;
    if (o->direct.form == HELD_NOTHING)
        rc = held_keep(&o->direct, call->types[0], &a[0], call->error);
    return rc < 0 ? rc : keep(call, o, call->types[1], &a[1], weight);
}

static int mode_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    return keep(call, state, call->types[0], &a[0], weight);
}

static void release(void *state) {
    struct ordered *o = state;
    held_release(&o->direct);
    buf_free(&o->values);
}

static int save(const void *state, struct buf *out) {
    const struct ordered *o = state;
    int rc = save_bytes(out, &o->rows, sizeof o->rows);
    if (rc == 0)
        rc = save_slice(out, buf_slice(&o->values));
    return rc < 0 ? rc : held_save(&o->direct, out);
}

static int load(void *state, slice bytes) {
    struct ordered *o = state;
    slice values;
    int rc = load_bytes(&bytes, &o->rows, sizeof o->rows);
    if (rc == 0)
        rc = load_slice(&bytes, &values);
    if (rc < 0)
        return rc;
    o->values = buf_make(4 * SQL_TEXT_BYTES_MAX);
    rc = buf_append(&o->values, values);
    if (rc == 0)
        rc = held_load(&o->direct, bytes);
    if (rc < 0)
        buf_free(&o->values);
    return rc;
}

/* ---- reading the values ---------------------------------------------------------------------- */

/* The next value and its weight; its texts point into *BYTES. */
static int next_value(struct sql_call *call, struct sql_type type, slice *bytes,
                      union sql_cell *ret, int64_t *ret_weight) {
    uint8_t null;
    if (load_bytes(bytes, ret_weight, sizeof *ret_weight) < 0 ||
        value_decode(type, bytes, call->memory, ret, &null) < 0)
        return sql_fail_memory(call->error); /* we wrote it: only memory can be short */
    return 0;
}

/* The value at PLACE, from 0. */
static int value_at(struct sql_call *call, const struct ordered *o, struct sql_type type,
                    int64_t place, union sql_cell *ret) {
    slice bytes = buf_slice(&o->values);
    int64_t weight = 0;
    for (int64_t passed = 0; passed <= place; passed += weight) {
        int rc = next_value(call, type, &bytes, ret, &weight);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_fraction(struct sql_call *call, double fraction) {
    if (fraction >= 0 && fraction <= 1)
        return 0;
    return sql_fail(call->error, "22003", "percentile value %g is not between 0 and 1", fraction);
}

static int discrete(struct sql_call *call, const struct ordered *o, double fraction,
                    union sql_cell *ret) {
    int rc = check_fraction(call, fraction);
    if (rc < 0)
        return rc;
    int64_t place = (int64_t)ceil(fraction * (double)o->rows);
    union sql_cell found;
    rc = value_at(call, o, call->types[1], place > 0 ? place - 1 : 0, &found);
    if (rc == 0 && sql_value_copy(call->types[1].oid, &found, call->memory, ret) < 0)
        return sql_fail_memory(call->error);
    return rc;
}

static double share(double low, double high, double part) {
    return low + part * (high - low);
}

static struct sql_interval share_interval(struct sql_interval a, struct sql_interval b,
                                          double part) {
    /* Part of the difference, its fractions handed down: months to days of 30, days to hours. */
    double months = (double)(b.months - a.months) * part;
    double days = (double)(b.days - a.days) * part;
    double whole_months = trunc(months);
    double rest_days = days + (months - whole_months) * 30;
    double whole_days = trunc(rest_days);
    double microseconds =
        (double)(b.microseconds - a.microseconds) * part + (rest_days - whole_days) * 86400e6;
    return (struct sql_interval){.months = a.months + (int32_t)whole_months,
                                 .days = a.days + (int32_t)whole_days,
                                 .microseconds = a.microseconds + llrint(microseconds)};
}

static int continuous(struct sql_call *call, const struct ordered *o, double fraction,
                      union sql_cell *ret) {
    int rc = check_fraction(call, fraction);
    if (rc < 0)
        return rc;
    double place = fraction * (double)(o->rows - 1);
    int64_t low = (int64_t)floor(place);
    int64_t high = (int64_t)ceil(place);
    union sql_cell a;
    union sql_cell b;
    rc = value_at(call, o, call->types[1], low, &a);
    if (rc == 0 && low != high)
        rc = value_at(call, o, call->types[1], high, &b);
    if (rc < 0 || low == high) {
        if (rc == 0)
            *ret = a;
        return rc;
    }
    double part = place - (double)low;
    if (call->types[1].oid == SQL_INTERVAL)
        *ret = (union sql_cell){.interval = share_interval(a.interval, b.interval, part)};
    else
        *ret = (union sql_cell){.f = share(a.f, b.f, part)};
    return 0;
}

typedef int percentile(struct sql_call *call, const struct ordered *o, double fraction,
                       union sql_cell *ret);

static int one_of(struct sql_call *call, const void *state, percentile *find, union sql_cell *ret) {
    const struct ordered *o = state;
    call->null = o->rows == 0;
    return call->null ? 0 : find(call, o, o->direct.cell.f, ret);
}

/* An array of fractions gives an array of the same shape; NULL stays NULL. */
static int each_of(struct sql_call *call, const void *state, percentile *find,
                   union sql_cell *ret) {
    const struct ordered *o = state;
    call->null = o->rows == 0;
    if (call->null)
        return 0;
    union sql_cell fractions;
    int rc = held_value(&o->direct, call->types[0], call->memory, &fractions, call->error);
    if (rc < 0)
        return rc;
    const struct sql_array *from = fractions.array;
    struct sql_array *to = arena_alloc(call->memory, sizeof *to);
    union sql_cell *cells = arena_zalloc(call->memory, from->count, sizeof *cells);
    if (!to || !cells)
        return sql_fail_memory(call->error);
    *to = *from;
    to->element = call->types[1].oid;
    to->cells = cells;
    for (unsigned i = 0; rc == 0 && i < from->count; i++)
        if (!(from->nulls && from->nulls[i]))
            rc = find(call, o, from->cells[i].f, &cells[i]);
    *ret = (union sql_cell){.array = to};
    return rc;
}

static int discrete_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    return one_of(call, state, discrete, ret);
}
static int discrete_each(struct sql_call *call, const void *state, union sql_cell *ret) {
    return each_of(call, state, discrete, ret);
}
static int continuous_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    return one_of(call, state, continuous, ret);
}
static int continuous_each(struct sql_call *call, const void *state, union sql_cell *ret) {
    return each_of(call, state, continuous, ret);
}

/* The value that came most often; of several the first in order. */
static int mode_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct ordered *o = state;
    struct sql_type type = call->types[0];
    call->null = o->rows == 0;
    slice bytes = buf_slice(&o->values);
    union sql_cell best = {.i = 0};
    union sql_cell run = {.i = 0};
    int64_t best_rows = 0;
    int64_t run_rows = 0;
    while (bytes.len > 0) {
        union sql_cell value;
        int64_t weight;
        int rc = next_value(call, type, &bytes, &value, &weight);
        if (rc < 0)
            return rc;
        run_rows =
            run_rows > 0 && sql_value_equal(type.oid, &run, &value) ? run_rows + weight : weight;
        run = value;
        if (run_rows > best_rows) {
            best = value;
            best_rows = run_rows;
        }
    }
    if (!call->null && sql_value_copy(type.oid, &best, call->memory, ret) < 0)
        return sql_fail_memory(call->error);
    return 0;
}

#define FLOAT8_ARRAY 1022
#define INTERVAL_ARRAY 1187
#define FRACTION(name_, result_type_, fraction_, type_, result_)                                   \
    {                                                                                              \
        .name = (name_), .result = (result_type_), .count = 2, .arguments = {fraction_, type_},    \
        .direct = 1, .ordered_set = true, .state_bytes = sizeof(struct ordered),                   \
        .add = fraction_add, .result_of = (result_), .release = release, .save = save,             \
        .load = load                                                                               \
    }

const struct sql_aggregate sql_aggregates_ordered[] = {
    FRACTION("percentile_cont", SQL_FLOAT8, SQL_FLOAT8, SQL_FLOAT8, continuous_of),
    FRACTION("percentile_cont", SQL_INTERVAL, SQL_FLOAT8, SQL_INTERVAL, continuous_of),
    FRACTION("percentile_cont", FLOAT8_ARRAY, FLOAT8_ARRAY, SQL_FLOAT8, continuous_each),
    FRACTION("percentile_cont", INTERVAL_ARRAY, FLOAT8_ARRAY, SQL_INTERVAL, continuous_each),
    FRACTION("percentile_disc", SQL_ANYELEMENT, SQL_FLOAT8, SQL_ANYELEMENT, discrete_of),
    FRACTION("percentile_disc", SQL_ANYARRAY, FLOAT8_ARRAY, SQL_ANYELEMENT, discrete_each),
    {.name = "mode",
     .result = SQL_ANYELEMENT,
     .count = 1,
     .arguments = {SQL_ANYELEMENT},
     .ordered_set = true,
     .state_bytes = sizeof(struct ordered),
     .add = mode_add,
     .result_of = mode_of,
     .release = release,
     .save = save,
     .load = load},
    {.name = NULL},
};
