/*
 * numeric_big.h - numbers of any length, for numeric*.c only.
 *
 *      123456789012.5  =  [000000123] [456789012] . [500000000]
 *                          weight 1    weight 0      weight -1
 *
 * Limbs of nine decimal digits, the most significant first, aligned at the point so that adding
 * needs no shift. Neither the first nor the last limb is 0; zero has none. A value is never changed
 * once made; every function puts its result's limbs into MEMORY.
 */
#ifndef NONET_SQL_NUMERIC_BIG_H
#define NONET_SQL_NUMERIC_BIG_H

#include "sql/numeric.h"

#define BIG_BASE 1000000000u
#define BIG_DIGITS 9

struct sql_numeric_big {
    bool negative;
    int weight; /* of limbs[0]: it counts 10^(9 x weight) */
    unsigned count;
    const uint32_t *limbs;
};

/* Room in which a small number becomes limbs: coefficient and point take at most this many. */
struct big_room {
    uint32_t limbs[4];
};

/* A finite number as limbs, in ROOM or where it already lies. */
struct sql_numeric_big big_of(const struct sql_numeric *n, struct big_room *room);
/* Back, shown with SCALE digits; B has none behind those. -ERANGE past numeric's limits. */
must_use int big_to(struct sql_numeric_big b, unsigned scale, struct arena *memory,
                    struct sql_numeric *ret);
struct sql_numeric_big big_small(uint32_t limb, struct big_room *room); /* limb < BIG_BASE */
struct sql_numeric_big big_one(void); /* its limb is there for ever: it may be a result */

/* COUNT limbs that nobody else has, zeroed; NULL where memory runs out. */
uint32_t *big_limbs(struct arena *memory, size_t count);
/* LIMBS without zero limbs at both ends. */
struct sql_numeric_big big_normal(const uint32_t *limbs, size_t count, int weight, bool negative);

int big_compare_magnitude(struct sql_numeric_big a, struct sql_numeric_big b);
int big_compare(struct sql_numeric_big a, struct sql_numeric_big b);
must_use int big_add(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
                     struct sql_numeric_big *ret);
must_use int big_subtract(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
                          struct sql_numeric_big *ret);
must_use int big_multiply(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
                          struct sql_numeric_big *ret);
/* A / B to SCALE digits behind the point (may be negative), rounded or cut. B is not 0. */
must_use int big_divide(struct sql_numeric_big a, struct sql_numeric_big b, int scale, bool round,
                        struct arena *memory, struct sql_numeric_big *ret);
must_use int big_round(struct sql_numeric_big a, int scale, bool round, struct arena *memory,
                       struct sql_numeric_big *ret);

/* Where the first digit stands: 1 for 1..9, 2 for 10..99, 0 for 0.1..0.99. 0 for zero. */
int big_magnitude(struct sql_numeric_big a);
/* Digits needed behind the point. */
unsigned big_min_scale(struct sql_numeric_big a);
/* PostgreSQL counts in digits of base 10000 where it chooses scales: the place of the first of
   them, and its value. */
int big_weight4(struct sql_numeric_big a, int *ret_first);
/* The leading digits as a double, times 10^*EXPONENT: for estimates. */
double big_estimate(struct sql_numeric_big a, int *ret_exponent);

static inline struct sql_numeric_big big_negate(struct sql_numeric_big a) {
    a.negative = a.count > 0 && !a.negative;
    return a;
}

#endif
