/*
 * regression.c - corr, covar_pop, covar_samp and the regr_ functions of pairs (y, x).
 *
 * The running sums of Youngs and Cramer, of both sides and of their product. A row where either is
 * NULL does not count; where too few rows came, or all x (or y) are one, the result is NULL.
 */
#include "sql/aggregate/aggregate.h"

#include <errno.h>
#include <math.h>

struct pairs {
    double rows, x, xx, y, yy, xy; /* sums; squares and product are of distances from the means */
};

static int add_one(struct sql_call *call, struct pairs *p, double y, double x) {
    struct pairs old = *p;
    p->rows += 1;
    p->x += x;
    p->y += y;
    if (old.rows == 0) {
        if (isnan(x) || isinf(x))
            p->xx = p->xy = (double)NAN;
        if (isnan(y) || isinf(y))
            p->yy = p->xy = (double)NAN;
        return 0;
    }
    double away_x = x * p->rows - p->x;
    double away_y = y * p->rows - p->y;
    double scale = 1 / (p->rows * old.rows);
    p->xx += away_x * away_x * scale;
    p->yy += away_y * away_y * scale;
    p->xy += away_x * away_y * scale;
    if (likely(!isinf(p->x) && !isinf(p->xx) && !isinf(p->y) && !isinf(p->yy) && !isinf(p->xy)))
        return 0;
    bool x_finite = !isinf(old.x) && !isinf(x);
    bool y_finite = !isinf(old.y) && !isinf(y);
    if (((isinf(p->x) || isinf(p->xx)) && x_finite) ||
        ((isinf(p->y) || isinf(p->yy)) && y_finite) || (isinf(p->xy) && x_finite && y_finite))
        return sql_fail(call->error, "22003", "value out of range: overflow");
    p->xx = isinf(p->xx) ? (double)NAN : p->xx;
    p->yy = isinf(p->yy) ? (double)NAN : p->yy;
    p->xy = isinf(p->xy) ? (double)NAN : p->xy;
    return 0;
}

static int add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    int rc = 0;
    for (; rc == 0 && weight > 0; weight--)
        rc = add_one(call, state, a[0].f, a[1].f);
    return rc;
}

#define RESULT(name_, null_, value_)                                                               \
    static int name_(struct sql_call *call, const void *state, union sql_cell *ret) {              \
        const struct pairs *p = state;                                                             \
        call->null = (null_);                                                                      \
        *ret = (union sql_cell){.f = call->null ? 0 : (value_)};                                   \
        return 0;                                                                                  \
    }
RESULT(covar_pop, p->rows < 1, p->xy / p->rows)
RESULT(covar_samp, p->rows < 2, p->xy / (p->rows - 1))
RESULT(corr, p->rows < 1 || p->xx == 0 || p->yy == 0, p->xy / sqrt(p->xx * p->yy))
RESULT(regr_avgx, p->rows < 1, p->x / p->rows)
RESULT(regr_avgy, p->rows < 1, p->y / p->rows)
RESULT(regr_sxx, p->rows < 1, p->xx)
RESULT(regr_syy, p->rows < 1, p->yy)
RESULT(regr_sxy, p->rows < 1, p->xy)
RESULT(regr_slope, p->rows < 1 || p->xx == 0, p->xy / p->xx)
RESULT(regr_intercept, p->rows < 1 || p->xx == 0, (p->y - p->x * p->xy / p->xx) / p->rows)
RESULT(regr_r2, p->rows < 1 || p->xx == 0, p->yy == 0 ? 1 : (p->xy * p->xy) / (p->xx * p->yy))

static int regr_count(struct sql_call *call, const void *state, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.i = (int64_t)((const struct pairs *)state)->rows};
    return 0;
}

#define PAIRS(function_, result_type_)                                                             \
    {                                                                                              \
        .name = #function_, .result = (result_type_), .count = 2,                                  \
        .arguments = {SQL_FLOAT8, SQL_FLOAT8}, .state_bytes = sizeof(struct pairs), .add = add,    \
        .result_of = function_                                                                     \
    }

const struct sql_aggregate sql_aggregates_regression[] = {
    PAIRS(corr, SQL_FLOAT8),
    PAIRS(covar_pop, SQL_FLOAT8),
    PAIRS(covar_samp, SQL_FLOAT8),
    PAIRS(regr_avgx, SQL_FLOAT8),
    PAIRS(regr_avgy, SQL_FLOAT8),
    PAIRS(regr_count, SQL_INT8),
    PAIRS(regr_intercept, SQL_FLOAT8),
    PAIRS(regr_r2, SQL_FLOAT8),
    PAIRS(regr_slope, SQL_FLOAT8),
    PAIRS(regr_sxx, SQL_FLOAT8),
    PAIRS(regr_sxy, SQL_FLOAT8),
    PAIRS(regr_syy, SQL_FLOAT8),
    {.name = NULL},
};
