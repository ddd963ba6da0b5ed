/*
 * numeric.h - exact decimals: PostgreSQL's numeric, to the last shown digit.
 *
 * A value is SMALL (coefficient / 10^scale in one word) whenever |coefficient| < 10^18 at its shown
 * scale, and BIG (limbs of nine digits, numeric_big.h) only where it is not: equal values of equal
 * scale therefore have one form. The common sums and products of prices stay in the inline
 * functions below and touch no memory.
 *
 * The shown scale of a result follows PostgreSQL: + and - the larger, * the sum, / at least 16
 * significant digits, and so on; its limits too: 131072 digits before the point, 16383 behind it.
 *
 * Functions return 0, -ERANGE (22003, "value overflows numeric format"), -EDOM (division by zero,
 * or out of the function's domain), -EINVAL (not written as a number) or -ENOMEM.
 */
#ifndef NONET_SQL_NUMERIC_H
#define NONET_SQL_NUMERIC_H

#include "sql/value.h"

#define SQL_NUMERIC_SMALL_LIMIT INT64_C(1000000000000000000) /* 10^18 */
#define SQL_NUMERIC_SCALE_MAX 16383u
#define SQL_NUMERIC_INTEGER_DIGITS_MAX 131072
#define SQL_NUMERIC_RESULT_SCALE_MAX 1000u /* of quotients, roots, logarithms */
#define SQL_NUMERIC_PRECISION_MAX 1000

static inline struct sql_numeric sql_numeric_small(int64_t coefficient, unsigned scale) {
    return (struct sql_numeric){
        .coefficient = coefficient, .scale = (uint16_t)scale, .kind = SQL_NUMERIC_SMALL};
}
static inline struct sql_numeric sql_numeric_special(enum sql_numeric_kind kind) {
    return (struct sql_numeric){.coefficient = 0, .kind = (uint8_t)kind};
}
struct sql_numeric sql_numeric_infinity(int sign); /* sign < 0: the negative one */
static inline bool sql_numeric_fits_small(int64_t coefficient) {
    return coefficient < SQL_NUMERIC_SMALL_LIMIT && coefficient > -SQL_NUMERIC_SMALL_LIMIT;
}

/* "12.50", "-1e-5", "NaN", "Infinity", "-inf", blanks around. */
must_use int sql_numeric_parse(slice text, struct arena *memory, struct sql_numeric *ret);
must_use int sql_numeric_print(struct sql_numeric n, struct buf *out);
must_use int sql_numeric_receive(slice bytes, struct arena *memory, struct sql_numeric *ret);
must_use int sql_numeric_send(struct sql_numeric n, struct buf *out);

must_use int sql_numeric_from_int(__int128 i, struct arena *memory, struct sql_numeric *ret);
/* COEFFICIENT / 10^SCALE. */
must_use int sql_numeric_from_parts(__int128 coefficient, unsigned scale, struct arena *memory,
                                    struct sql_numeric *ret);
/* DIGITS significant digits: 15 for float8, 6 for float4, as the casts do. */
must_use int sql_numeric_from_double(double d, int digits, struct arena *memory,
                                     struct sql_numeric *ret);
/* Rounded half away from zero; -ERANGE beyond int64; -EDOM for NaN and infinities. */
must_use int sql_numeric_to_int(struct sql_numeric n, int64_t *ret);
/* The nearest double; beyond its range -ERANGE. */
must_use int sql_numeric_to_double(struct sql_numeric n, double *ret);

/* -Infinity < numbers < Infinity < NaN = NaN. Scale does not count. */
int sql_numeric_compare(struct sql_numeric a, struct sql_numeric b);
uint64_t sql_numeric_hash(struct sql_numeric n);
must_use int sql_numeric_copy(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret);
int sql_numeric_sign(struct sql_numeric n); /* -1, 0, 1; NaN: 0 */

/* The general forms of the inline functions below. */
must_use int sql_numeric_add_any(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                                 struct sql_numeric *ret);
must_use int sql_numeric_multiply_any(struct sql_numeric a, struct sql_numeric b,
                                      struct arena *memory, struct sql_numeric *ret);

must_use int sql_numeric_negate(struct sql_numeric n, struct arena *memory,
                                struct sql_numeric *ret);

must_use static inline int sql_numeric_add(struct sql_numeric a, struct sql_numeric b,
                                           struct arena *memory, struct sql_numeric *ret) {
    if (likely((a.kind | b.kind) == SQL_NUMERIC_SMALL && a.scale == b.scale)) {
        int64_t sum = a.coefficient + b.coefficient; /* both below 10^18: no overflow */
        if (likely(sql_numeric_fits_small(sum))) {
            *ret = sql_numeric_small(sum, a.scale);
            return 0;
        }
    }
    return sql_numeric_add_any(a, b, memory, ret);
}

must_use static inline int sql_numeric_multiply(struct sql_numeric a, struct sql_numeric b,
                                                struct arena *memory, struct sql_numeric *ret) {
    int64_t product;
    if (likely((a.kind | b.kind) == SQL_NUMERIC_SMALL &&
               !__builtin_mul_overflow(a.coefficient, b.coefficient, &product) &&
               sql_numeric_fits_small(product) &&
               (unsigned)a.scale + b.scale <= SQL_NUMERIC_SCALE_MAX)) {
        *ret = sql_numeric_small(product, (unsigned)a.scale + b.scale);
        return 0;
    }
    return sql_numeric_multiply_any(a, b, memory, ret);
}

must_use int sql_numeric_subtract(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                                  struct sql_numeric *ret);
must_use int sql_numeric_divide(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                                struct sql_numeric *ret);
/* div(): the integer quotient, cut towards zero. */
must_use int sql_numeric_quotient(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                                  struct sql_numeric *ret);
/* The remainder has the sign of A. */
must_use int sql_numeric_modulo(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                                struct sql_numeric *ret);
/* To SCALE digits behind the point, which may be negative; half away from zero, or cut. */
must_use int sql_numeric_round(struct sql_numeric n, int scale, struct arena *memory,
                               struct sql_numeric *ret);
must_use int sql_numeric_truncate(struct sql_numeric n, int scale, struct arena *memory,
                                  struct sql_numeric *ret);
must_use int sql_numeric_floor(struct sql_numeric n, bool up, struct arena *memory,
                               struct sql_numeric *ret);
/* The digits behind the point that are needed. */
unsigned sql_numeric_min_scale(struct sql_numeric n);

/* The root of a finite N >= 0 with SCALE digits behind the point. */
must_use int sql_numeric_root(struct sql_numeric n, unsigned scale, struct arena *memory,
                              struct sql_numeric *ret);
/* Beyond domain (a negative root, the logarithm of what is not above 0): -EDOM. */
must_use int sql_numeric_sqrt(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret);
must_use int sql_numeric_exp(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret);
must_use int sql_numeric_ln(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret);
must_use int sql_numeric_log(struct sql_numeric base, struct sql_numeric n, struct arena *memory,
                             struct sql_numeric *ret);
must_use int sql_numeric_power(struct sql_numeric base, struct sql_numeric exponent,
                               struct arena *memory, struct sql_numeric *ret);

/* Applies numeric(p, s): rounds, and 22003 where it does not fit. TYPMOD -1: as it is. */
must_use int sql_numeric_fit(struct sql_numeric n, int32_t typmod, struct arena *memory,
                             struct sql_numeric *ret, struct sql_error *error);

#endif
