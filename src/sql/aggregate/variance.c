/*
 * variance.c - variance and standard deviation, avg of floats.
 *
 * Of integers and numerics: exact sums of x and x^2, from which
 *
 *      (n * sum(x^2) - sum(x)^2) / (n * (n - 1))       or n * n for the population's
 *
 * is one division with PostgreSQL's scale; rows can be taken away. Of floats: the running sums of
 * Youngs and Cramer (1971), which do not cancel; rows cannot be taken away.
 */
#include "sql/aggregate/aggregate.h"

#include "base/mem.h"
#include "sql/number/float.h"

#include <errno.h>
#include <math.h>

/* ---- exact ----------------------------------------------------------------------------------- */

struct squares {
    struct decimal_sum x, xx;
};

struct exact_state {
    struct squares *squares; /* mem_; NULL before the first row */
};

static int exact_begin(struct exact_state *state) {
    if (!state->squares)
        state->squares = mem_zalloc(1, sizeof *state->squares);
    return state->squares ? 0 : -ENOMEM;
}

static int exact_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    struct exact_state *s = state;
    struct sql_numeric x = a[0].numeric;
    struct sql_numeric xx;
    int rc = exact_begin(s);
    if (rc == 0 && call->types[0].oid != SQL_NUMERIC)
        rc = sql_numeric_from_int(a[0].i, call->memory, &x);
    if (rc == 0)
        rc = sql_numeric_multiply(x, x, call->memory, &xx);
    if (rc == 0)
        rc = decimal_sum_add(&s->squares->x, x, weight, call->memory);
    if (rc == 0)
        rc = decimal_sum_add(&s->squares->xx, xx, weight, call->memory);
    return number_failed(call, rc);
}

/* n * sum(x^2) - sum(x)^2 */
static int spread(const struct squares *s, struct sql_numeric n, struct arena *memory,
                  struct sql_numeric *ret) {
    struct sql_numeric x;
    struct sql_numeric xx;
    int rc = decimal_sum_total(&s->x, memory, &x);
    if (rc == 0)
        rc = decimal_sum_total(&s->xx, memory, &xx);
    if (rc == 0)
        rc = sql_numeric_multiply(x, x, memory, &x);
    if (rc == 0)
        rc = sql_numeric_multiply(n, xx, memory, &xx);
    return rc < 0 ? rc : sql_numeric_subtract(xx, x, memory, ret);
}

static int exact_result(struct sql_call *call, const void *state, bool sample, bool deviation,
                        union sql_cell *ret) {
    const struct squares *s = ((const struct exact_state *)state)->squares;
    int64_t rows = s ? s->x.rows : 0;
    call->null = rows < 1 + sample;
    if (call->null)
        return 0;
    if (s->x.nan != 0 || s->x.positive != 0 || s->x.negative != 0) {
        ret->numeric = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    struct sql_numeric n;
    struct sql_numeric divisor;
    struct sql_numeric top;
    int rc = sql_numeric_from_int(rows, call->memory, &n);
    if (rc == 0)
        rc = sql_numeric_from_int((__int128)rows * (rows - sample), call->memory, &divisor);
    if (rc == 0)
        rc = spread(s, n, call->memory, &top);
    if (rc == 0 && sql_numeric_sign(top) <= 0) {
        ret->numeric = sql_numeric_small(0, 0);
        return 0;
    }
    if (rc == 0)
        rc = sql_numeric_divide(top, divisor, call->memory, &ret->numeric);
    if (rc == 0 && deviation)
        rc = sql_numeric_root(ret->numeric, ret->numeric.scale, call->memory, &ret->numeric);
    return number_failed(call, rc);
}

static void exact_release(void *state) {
    struct exact_state *s = state;
    if (s->squares) {
        decimal_sum_release(&s->squares->x);
        decimal_sum_release(&s->squares->xx);
    }
    s->squares = mem_free(s->squares);
}

static int exact_save(const void *state, struct buf *out) {
    const struct squares *s = ((const struct exact_state *)state)->squares;
    if (!s)
        return 0;
    int rc = decimal_sum_save(&s->x, out);
    return rc < 0 ? rc : decimal_sum_save(&s->xx, out);
}

static int exact_load(void *state, slice bytes) {
    struct exact_state *s = state;
    if (bytes.len == 0)
        return 0;
    int rc = exact_begin(s);
    if (rc == 0)
        rc = decimal_sum_load(&s->squares->x, &bytes);
    if (rc == 0)
        rc = decimal_sum_load(&s->squares->xx, &bytes);
    if (rc == 0 && bytes.len > 0)
        rc = -EBADMSG;
    if (rc < 0)
        exact_release(state);
    return rc;
}

/* ---- floats ---------------------------------------------------------------------------------- */

struct float_state {
    double rows, sum, squares; /* squares: of the distances from the mean */
};

static int float_add_one(struct sql_call *call, struct float_state *s, double x) {
    double before = s->rows;
    double sum_before = s->sum;
    s->rows += 1;
    s->sum += x;
    if (before == 0) {
        if (isnan(x) || isinf(x))
            s->squares = (double)NAN;
        return 0;
    }
    double away = x * s->rows - s->sum;
    s->squares += away * away / (s->rows * before);
    if (unlikely(isinf(s->sum) || isinf(s->squares))) {
        if (!isinf(sum_before) && !isinf(x))
            return sql_fail(call->error, "22003", "value out of range: overflow");
        s->squares = (double)NAN;
    }
    return 0;
}

static int float_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    int rc = 0;
    for (; rc == 0 && weight > 0; weight--)
        rc = float_add_one(call, state, a[0].f);
    return rc;
}

static int float_average(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct float_state *s = state;
    call->null = s->rows == 0;
    *ret = (union sql_cell){.f = call->null ? 0 : s->sum / s->rows};
    return 0;
}

static int float_result(struct sql_call *call, const void *state, bool sample, bool deviation,
                        union sql_cell *ret) {
    const struct float_state *s = state;
    call->null = s->rows < 1 + sample;
    if (call->null)
        return 0;
    double variance = s->squares / (s->rows - sample);
    *ret = (union sql_cell){.f = deviation ? sqrt(variance) : variance};
    return 0;
}

#define RESULTS(kind_)                                                                             \
    static int kind_##_var_samp(struct sql_call *call, const void *s, union sql_cell *ret) {       \
        return kind_##_result(call, s, true, false, ret);                                          \
    }                                                                                              \
    static int kind_##_var_pop(struct sql_call *call, const void *s, union sql_cell *ret) {        \
        return kind_##_result(call, s, false, false, ret);                                         \
    }                                                                                              \
    static int kind_##_stddev_samp(struct sql_call *call, const void *s, union sql_cell *ret) {    \
        return kind_##_result(call, s, true, true, ret);                                           \
    }                                                                                              \
    static int kind_##_stddev_pop(struct sql_call *call, const void *s, union sql_cell *ret) {     \
        return kind_##_result(call, s, false, true, ret);                                          \
    }
RESULTS(exact)
RESULTS(float)

#define EXACT(name_, type_, result_)                                                               \
    {                                                                                              \
        .name = (name_), .result = SQL_NUMERIC, .count = 1, .arguments = {type_},                  \
        .invertible = true, .state_bytes = sizeof(struct exact_state), .add = exact_add,           \
        .result_of = (result_), .release = exact_release, .save = exact_save, .load = exact_load   \
    }
#define FLOAT(name_, type_, result_)                                                               \
    {                                                                                              \
        .name = (name_), .result = SQL_FLOAT8, .count = 1, .arguments = {type_},                   \
        .state_bytes = sizeof(struct float_state), .add = float_add, .result_of = (result_)        \
    }
#define ALL_TYPES(name_, result_)                                                                  \
    EXACT(name_, SQL_INT2, exact_##result_), EXACT(name_, SQL_INT4, exact_##result_),              \
        EXACT(name_, SQL_INT8, exact_##result_), EXACT(name_, SQL_NUMERIC, exact_##result_),       \
        FLOAT(name_, SQL_FLOAT4, float_##result_), FLOAT(name_, SQL_FLOAT8, float_##result_)

const struct sql_aggregate sql_aggregates_variance[] = {
    FLOAT("avg", SQL_FLOAT4, float_average),
    FLOAT("avg", SQL_FLOAT8, float_average),
    ALL_TYPES("variance", var_samp),
    ALL_TYPES("var_samp", var_samp),
    ALL_TYPES("var_pop", var_pop),
    ALL_TYPES("stddev", stddev_samp),
    ALL_TYPES("stddev_samp", stddev_samp),
    ALL_TYPES("stddev_pop", stddev_pop),
    {.name = NULL},
};
