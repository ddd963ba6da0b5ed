/*
 * compare.c - the six comparisons of every ordered type.
 *
 * All types of one layout share a function: an int2 and an int8 compare as the words they are. For
 * words, floats, numerics and texts there are vector forms, because filters and joins live on
 * them. NaN is equal to itself and above all others, as in the order of indexes. Arrays and jsonb
 * have theirs in text/.
 */
#include "sql/number/number.h"

#include <math.h>

static inline int order_words(const union sql_cell *a, const union sql_cell *b) {
    return (a->i > b->i) - (a->i < b->i);
}

static inline int order_floats(const union sql_cell *a, const union sql_cell *b) {
    if (unlikely(isnan(a->f) || isnan(b->f)))
        return (isnan(a->f) != 0) - (isnan(b->f) != 0);
    return (a->f > b->f) - (a->f < b->f);
}

static inline int order_numerics(const union sql_cell *a, const union sql_cell *b) {
    if (likely((a->numeric.kind | b->numeric.kind) == SQL_NUMERIC_SMALL &&
               a->numeric.scale == b->numeric.scale))
        return (a->numeric.coefficient > b->numeric.coefficient) -
               (a->numeric.coefficient < b->numeric.coefficient);
    return sql_numeric_compare(a->numeric, b->numeric);
}

static inline int order_texts(const union sql_cell *a, const union sql_cell *b) {
    return slice_compare(a->text, b->text);
}

static inline bool same_words(const union sql_cell *a, const union sql_cell *b) {
    return a->i == b->i;
}
static inline bool same_floats(const union sql_cell *a, const union sql_cell *b) {
    return order_floats(a, b) == 0;
}
static inline bool same_numerics(const union sql_cell *a, const union sql_cell *b) {
    return order_numerics(a, b) == 0;
}
static inline bool same_texts(const union sql_cell *a, const union sql_cell *b) {
    return slice_equal(a->text, b->text);
}

/* A scalar and a vector form. EXPRESSION is over x and y. Rows that are NULL may hold anything
   but what points to memory: those of numerics and texts are passed over. */
#define COMPARISON(name_, expression_, skip_nulls_)                                                \
    static int name_(struct sql_call *call, const union sql_cell *arguments,                       \
                     union sql_cell *ret) {                                                        \
        (void)call;                                                                                \
        const union sql_cell *x = &arguments[0];                                                   \
        const union sql_cell *y = &arguments[1];                                                   \
        *ret = (union sql_cell){.i = (expression_)};                                               \
        return 0;                                                                                  \
    }                                                                                              \
    static int name_##_rows(struct sql_call *call, const struct sql_column *arguments,             \
                            unsigned rows, union sql_cell *ret, uint8_t *ret_nulls) {              \
        (void)call;                                                                                \
        for (unsigned row = 0; row < rows; row++) {                                                \
            if ((skip_nulls_) && ret_nulls[row])                                                   \
                continue;                                                                          \
            const union sql_cell *x = sql_cell_at(&arguments[0], row);                             \
            const union sql_cell *y = sql_cell_at(&arguments[1], row);                             \
            ret[row].i = (expression_);                                                            \
        }                                                                                          \
        return 0;                                                                                  \
    }

#define COMPARISONS(what_, skip_nulls_)                                                            \
    COMPARISON(equal_##what_, same_##what_(x, y), skip_nulls_)                                     \
    COMPARISON(unequal_##what_, !same_##what_(x, y), skip_nulls_)                                  \
    COMPARISON(less_##what_, order_##what_(x, y) < 0, skip_nulls_)                                 \
    COMPARISON(less_or_equal_##what_, order_##what_(x, y) <= 0, skip_nulls_)                       \
    COMPARISON(greater_##what_, order_##what_(x, y) > 0, skip_nulls_)                              \
    COMPARISON(greater_or_equal_##what_, order_##what_(x, y) >= 0, skip_nulls_)

COMPARISONS(words, false)
COMPARISONS(floats, false)
COMPARISONS(numerics, true)
COMPARISONS(texts, true)

/* Types whose order value.c knows better than their layout. */
#define ANY_COMPARISON(name_, operator_)                                                           \
    static int name_(struct sql_call *call, const union sql_cell *arguments,                       \
                     union sql_cell *ret) {                                                        \
        int order = sql_value_compare(call->types[0].oid, &arguments[0], &arguments[1]);           \
        *ret = (union sql_cell){.i = order operator_ 0};                                           \
        return 0;                                                                                  \
    }
ANY_COMPARISON(equal_any, ==)
ANY_COMPARISON(unequal_any, !=)
ANY_COMPARISON(less_any, <)
ANY_COMPARISON(less_or_equal_any, <=)
ANY_COMPARISON(greater_any, >)
ANY_COMPARISON(greater_or_equal_any, >=)

#define ROWS(what_, a_, b_)                                                                        \
    SQL_ROW_VECTOR("=", equal_##what_, equal_##what_##_rows, SQL_BOOL, a_, b_),                    \
        SQL_ROW_VECTOR("<>", unequal_##what_, unequal_##what_##_rows, SQL_BOOL, a_, b_),           \
        SQL_ROW_VECTOR("<", less_##what_, less_##what_##_rows, SQL_BOOL, a_, b_),                  \
        SQL_ROW_VECTOR("<=", less_or_equal_##what_, less_or_equal_##what_##_rows, SQL_BOOL, a_,    \
                       b_),                                                                        \
        SQL_ROW_VECTOR(">", greater_##what_, greater_##what_##_rows, SQL_BOOL, a_, b_),            \
        SQL_ROW_VECTOR(">=", greater_or_equal_##what_, greater_or_equal_##what_##_rows, SQL_BOOL,  \
                       a_, b_)
#define ANY_ROWS(type_)                                                                            \
    SQL_ROW("=", equal_any, SQL_BOOL, type_, type_),                                               \
        SQL_ROW("<>", unequal_any, SQL_BOOL, type_, type_),                                        \
        SQL_ROW("<", less_any, SQL_BOOL, type_, type_),                                            \
        SQL_ROW("<=", less_or_equal_any, SQL_BOOL, type_, type_),                                  \
        SQL_ROW(">", greater_any, SQL_BOOL, type_, type_),                                         \
        SQL_ROW(">=", greater_or_equal_any, SQL_BOOL, type_, type_)

/* varchar compares as text, by its implicit cast. */
const struct sql_function sql_functions_compare[] = {
    ROWS(words, SQL_INT4, SQL_INT4),
    ROWS(words, SQL_INT8, SQL_INT8),
    ROWS(words, SQL_INT8, SQL_INT4),
    ROWS(words, SQL_INT4, SQL_INT8),
    ROWS(words, SQL_INT2, SQL_INT2),
    ROWS(words, SQL_INT2, SQL_INT4),
    ROWS(words, SQL_INT4, SQL_INT2),
    ROWS(words, SQL_INT2, SQL_INT8),
    ROWS(words, SQL_INT8, SQL_INT2),
    ROWS(texts, SQL_TEXT, SQL_TEXT),
    ROWS(numerics, SQL_NUMERIC, SQL_NUMERIC),
    ROWS(floats, SQL_FLOAT8, SQL_FLOAT8),
    ROWS(floats, SQL_FLOAT4, SQL_FLOAT4),
    ROWS(floats, SQL_FLOAT4, SQL_FLOAT8),
    ROWS(floats, SQL_FLOAT8, SQL_FLOAT4),
    ROWS(words, SQL_BOOL, SQL_BOOL),
    ROWS(words, SQL_OID, SQL_OID),
    ROWS(words, SQL_DATE, SQL_DATE),
    ROWS(words, SQL_TIME, SQL_TIME),
    ROWS(words, SQL_TIMESTAMP, SQL_TIMESTAMP),
    ROWS(words, SQL_TIMESTAMPTZ, SQL_TIMESTAMPTZ),
    ROWS(words, SQL_ANYENUM, SQL_ANYENUM),
    ROWS(texts, SQL_NAME, SQL_NAME),
    ROWS(texts, SQL_NAME, SQL_TEXT),
    ROWS(texts, SQL_TEXT, SQL_NAME),
    ROWS(texts, SQL_CHAR, SQL_CHAR),
    ROWS(texts, SQL_BYTEA, SQL_BYTEA),
    ANY_ROWS(SQL_BPCHAR),
    ANY_ROWS(SQL_INTERVAL),
    ANY_ROWS(SQL_UUID),
    ANY_ROWS(SQL_RECORD),
    {.name = NULL},
};
