/*
 * numeric.c - arithmetic of numeric with PostgreSQL's shown scales (numeric.h).
 *
 * Here are the rules that make 5 / 3 show sixteen digits and 1.10 + 2 show two; digits themselves
 * are made by numeric_big.c. Where two SMALL numbers differ in scale only, 128 bits do the work.
 * NaN swallows everything; an infinity swallows every number.
 */
#include "sql/numeric_big.h"

#include "base/hash.h"

#include <errno.h>

#define MIN_SIGNIFICANT_DIGITS 16 /* PostgreSQL's NUMERIC_MIN_SIG_DIGITS */

static const int64_t powers[19] = {1,
                                   10,
                                   100,
                                   1000,
                                   10000,
                                   100000,
                                   1000000,
                                   10000000,
                                   100000000,
                                   1000000000,
                                   10000000000,
                                   100000000000,
                                   1000000000000,
                                   10000000000000,
                                   100000000000000,
                                   1000000000000000,
                                   10000000000000000,
                                   100000000000000000,
                                   1000000000000000000};

static bool is_number(struct sql_numeric n) {
    return n.kind <= SQL_NUMERIC_BIG;
}

static unsigned larger(unsigned a, unsigned b) {
    return a > b ? a : b;
}

int sql_numeric_sign(struct sql_numeric n) {
    switch (n.kind) {
    case SQL_NUMERIC_SMALL:
        return (n.coefficient > 0) - (n.coefficient < 0);
    case SQL_NUMERIC_BIG:
        return n.big->negative ? -1 : 1;
    case SQL_NUMERIC_INFINITY:
        return 1;
    case SQL_NUMERIC_MINUS_INFINITY:
        return -1;
    default:
        return 0;
    }
}

struct sql_numeric sql_numeric_infinity(int sign) {
    return sql_numeric_special(sign < 0 ? SQL_NUMERIC_MINUS_INFINITY : SQL_NUMERIC_INFINITY);
}

int sql_numeric_from_parts(__int128 coefficient, unsigned scale, struct arena *memory,
                           struct sql_numeric *ret) {
    if (coefficient < SQL_NUMERIC_SMALL_LIMIT && coefficient > -SQL_NUMERIC_SMALL_LIMIT) {
        *ret = sql_numeric_small((int64_t)coefficient, scale);
        return 0;
    }
    /* Four limbs hold 36 digits, 128 bits 39: take the last limb's digits off first. */
    unsigned __int128 rest =
        coefficient < 0 ? -(unsigned __int128)coefficient : (unsigned __int128)coefficient;
    unsigned behind = (scale + BIG_DIGITS - 1u) / BIG_DIGITS;
    uint32_t limbs[6] = {0};
    uint32_t shift = (uint32_t)powers[behind * BIG_DIGITS - scale];
    uint64_t carry = 0;
    for (int i = 5; i >= 0; i--) {
        carry += (uint64_t)(rest % BIG_BASE) * shift;
        limbs[i] = (uint32_t)(carry % BIG_BASE);
        carry /= BIG_BASE;
        rest /= BIG_BASE;
    }
    return big_to(big_normal(limbs, 6, 5 - (int)behind, coefficient < 0), scale, memory, ret);
}

int sql_numeric_from_int(__int128 i, struct arena *memory, struct sql_numeric *ret) {
    return sql_numeric_from_parts(i, 0, memory, ret);
}

int sql_numeric_copy(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret) {
    if (n.kind == SQL_NUMERIC_BIG)
        return big_to(*n.big, n.scale, memory, ret);
    *ret = n;
    return 0;
}

/* ---- order ----------------------------------------------------------------------------------- */

static int rank(struct sql_numeric n) {
    switch (n.kind) {
    case SQL_NUMERIC_MINUS_INFINITY:
        return -1;
    case SQL_NUMERIC_INFINITY:
        return 1;
    case SQL_NUMERIC_NAN:
        return 2;
    default:
        return 0;
    }
}

int sql_numeric_compare(struct sql_numeric a, struct sql_numeric b) {
    if (likely((a.kind | b.kind) == SQL_NUMERIC_SMALL && a.scale == b.scale))
        return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
    if (!is_number(a) || !is_number(b)) {
        int order_a = rank(a);
        int order_b = rank(b);
        return (order_a > order_b) - (order_a < order_b);
    }
    if ((a.kind | b.kind) == SQL_NUMERIC_SMALL) {
        unsigned apart = (unsigned)(a.scale > b.scale ? a.scale - b.scale : b.scale - a.scale);
        if (apart < array_count(powers)) {
            __int128 x = (__int128)a.coefficient * (a.scale < b.scale ? powers[apart] : 1);
            __int128 y = (__int128)b.coefficient * (b.scale < a.scale ? powers[apart] : 1);
            return (x > y) - (x < y);
        }
    }
    struct big_room room_a;
    struct big_room room_b;
    return big_compare(big_of(&a, &room_a), big_of(&b, &room_b));
}

/* Of a number whose digits fit a SMALL, without the zeros at its end: the form that all numbers
   equal to it share. */
static uint64_t hash_small(int64_t coefficient, unsigned scale) {
    if (coefficient == 0)
        scale = 0;
    for (; scale > 0 && coefficient % 10 == 0; scale--)
        coefficient /= 10;
    return hash_mix64((uint64_t)coefficient ^ ((uint64_t)scale << 48));
}

uint64_t sql_numeric_hash(struct sql_numeric n) {
    static const struct hash_key key = {0x6e756d6572696300u, 0x6c696d6273000000u};
    if (likely(n.kind == SQL_NUMERIC_SMALL))
        return hash_small(n.coefficient, n.scale);
    if (!is_number(n))
        return hash_mix64((uint64_t)n.kind + 1);
    const struct sql_numeric_big *b = n.big;
    unsigned scale = big_min_scale(*b);
    struct sql_numeric small;
    if (big_magnitude(*b) + (int)scale <= 18 && big_to(*b, scale, NULL, &small) == 0)
        return hash_small(small.coefficient, scale);
    uint64_t of_limbs = hash_slice(&key, slice_make(b->limbs, b->count * sizeof *b->limbs));
    return hash_mix64(of_limbs ^ (uint64_t)(uint32_t)b->weight ^ ((uint64_t)b->negative << 32));
}

/* Of what is not BIG. */
static struct sql_numeric negate(struct sql_numeric n) {
    switch (n.kind) {
    case SQL_NUMERIC_SMALL:
        n.coefficient = -n.coefficient;
        break;
    case SQL_NUMERIC_INFINITY:
        n.kind = SQL_NUMERIC_MINUS_INFINITY;
        break;
    case SQL_NUMERIC_MINUS_INFINITY:
        n.kind = SQL_NUMERIC_INFINITY;
        break;
    default:
        break;
    }
    return n;
}

int sql_numeric_negate(struct sql_numeric n, struct arena *memory, struct sql_numeric *ret) {
    if (n.kind == SQL_NUMERIC_BIG)
        return big_to(big_negate(*n.big), n.scale, memory, ret);
    *ret = negate(n);
    return 0;
}

/* ---- sums and products ----------------------------------------------------------------------- */

int sql_numeric_add_any(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                        struct sql_numeric *ret) {
    if (!is_number(a) || !is_number(b)) {
        bool nan = a.kind == SQL_NUMERIC_NAN || b.kind == SQL_NUMERIC_NAN ||
                   (!is_number(a) && !is_number(b) && a.kind != b.kind);
        *ret = nan ? sql_numeric_special(SQL_NUMERIC_NAN) : is_number(a) ? b : a;
        return 0;
    }
    unsigned scale = larger(a.scale, b.scale);
    if ((a.kind | b.kind) == SQL_NUMERIC_SMALL && scale - a.scale < array_count(powers) &&
        scale - b.scale < array_count(powers)) {
        __int128 x = (__int128)a.coefficient * powers[scale - a.scale];
        __int128 y = (__int128)b.coefficient * powers[scale - b.scale];
        return sql_numeric_from_parts(x + y, scale, memory, ret);
    }
    struct big_room room_a;
    struct big_room room_b;
    struct sql_numeric_big sum;
    int rc = big_add(big_of(&a, &room_a), big_of(&b, &room_b), memory, &sum);
    return rc < 0 ? rc : big_to(sum, scale, memory, ret);
}

int sql_numeric_subtract(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                         struct sql_numeric *ret) {
    if (likely(b.kind != SQL_NUMERIC_BIG))
        return sql_numeric_add(a, negate(b), memory, ret);
    struct sql_numeric_big negative = big_negate(*b.big);
    b.big = &negative;
    return sql_numeric_add_any(a, b, memory, ret);
}

int sql_numeric_multiply_any(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                             struct sql_numeric *ret) {
    if (!is_number(a) || !is_number(b)) {
        int sign = sql_numeric_sign(a) * sql_numeric_sign(b); /* 0: NaN, or infinity times zero */
        *ret = sign ? sql_numeric_infinity(sign) : sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    unsigned scale = (unsigned)a.scale + b.scale;
    if ((a.kind | b.kind) == SQL_NUMERIC_SMALL && scale <= SQL_NUMERIC_SCALE_MAX)
        return sql_numeric_from_parts((__int128)a.coefficient * b.coefficient, scale, memory, ret);
    struct big_room room_a;
    struct big_room room_b;
    struct sql_numeric_big product;
    int rc = big_multiply(big_of(&a, &room_a), big_of(&b, &room_b), memory, &product);
    return rc < 0 ? rc : big_to(product, scale, memory, ret);
}

/* ---- quotients ------------------------------------------------------------------------------- */

/* What is not finite. Returns 1 where both are: the caller divides. */
static int divide_special(struct sql_numeric a, struct sql_numeric b, struct sql_numeric *ret) {
    bool nan = a.kind == SQL_NUMERIC_NAN || b.kind == SQL_NUMERIC_NAN;
    if (!nan && is_number(b) && sql_numeric_sign(b) == 0)
        return -EDOM;
    if (is_number(a) && is_number(b))
        return 1;
    if (nan || (!is_number(a) && !is_number(b)))
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
    else if (is_number(b))
        *ret = sql_numeric_infinity(sql_numeric_sign(a) * sql_numeric_sign(b));
    else
        *ret = sql_numeric_small(0, 0);
    return 0;
}

/* big_weight4 of a SMALL, from its coefficient. */
static int weight4(struct sql_numeric n, int *ret_first) {
    *ret_first = 0;
    if (n.kind == SQL_NUMERIC_BIG)
        return big_weight4(*n.big, ret_first);
    int64_t coefficient = n.coefficient < 0 ? -n.coefficient : n.coefficient;
    if (coefficient == 0)
        return 0;
    int digits = 1;
    while (digits < 18 && coefficient >= powers[digits])
        digits++;
    int magnitude = digits - n.scale; /* 1: 1..9 */
    int weight = magnitude > 0 ? (magnitude - 1) / 4 : -((4 - magnitude) / 4);
    int leading = magnitude - weight * 4;
    *ret_first = (int)(digits >= leading ? coefficient / powers[digits - leading]
                                         : coefficient * powers[leading - digits]);
    return weight;
}

/* Enough digits for sixteen significant ones, at least those of either side. */
static unsigned quotient_scale(struct sql_numeric a, struct sql_numeric b) {
    int first_a;
    int first_b;
    int weight = weight4(a, &first_a) - weight4(b, &first_b);
    if (first_a <= first_b)
        weight--;
    int scale = MIN_SIGNIFICANT_DIGITS - weight * 4;
    unsigned least = larger(a.scale, b.scale);
    unsigned chosen = scale < (int)least ? least : (unsigned)scale;
    return chosen > SQL_NUMERIC_RESULT_SCALE_MAX ? SQL_NUMERIC_RESULT_SCALE_MAX : chosen;
}

/* A / B to SCALE digits in 128 bits. 1: the shifted dividend does not fit them. */
static int divide_small(struct sql_numeric a, struct sql_numeric b, unsigned scale,
                        struct arena *memory, struct sql_numeric *ret) {
    int digits = (int)scale + b.scale - a.scale;
    if ((a.kind | b.kind) != SQL_NUMERIC_SMALL || digits < 0 || digits > 18)
        return 1;
    __int128 dividend = (__int128)a.coefficient * powers[digits]; /* below 10^36 */
    __int128 quotient = dividend / b.coefficient;
    __int128 rest = dividend % b.coefficient;
    bool negative = (a.coefficient < 0) != (b.coefficient < 0);
    if ((rest < 0 ? -rest : rest) * 2 >= (b.coefficient < 0 ? -b.coefficient : b.coefficient))
        quotient += negative ? -1 : 1;
    return sql_numeric_from_parts(quotient, scale, memory, ret);
}

int sql_numeric_divide(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                       struct sql_numeric *ret) {
    int rc = divide_special(a, b, ret);
    if (rc <= 0)
        return rc;
    unsigned scale = quotient_scale(a, b);
    rc = divide_small(a, b, scale, memory, ret);
    if (rc <= 0)
        return rc;
    struct big_room room_a;
    struct big_room room_b;
    struct sql_numeric_big quotient;
    rc = big_divide(big_of(&a, &room_a), big_of(&b, &room_b), (int)scale, true, memory, &quotient);
    return rc < 0 ? rc : big_to(quotient, scale, memory, ret);
}

int sql_numeric_quotient(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                         struct sql_numeric *ret) {
    int rc = divide_special(a, b, ret);
    if (rc <= 0)
        return rc;
    struct big_room room_a;
    struct big_room room_b;
    struct sql_numeric_big quotient;
    rc = big_divide(big_of(&a, &room_a), big_of(&b, &room_b), 0, false, memory, &quotient);
    return rc < 0 ? rc : big_to(quotient, 0, memory, ret);
}

int sql_numeric_modulo(struct sql_numeric a, struct sql_numeric b, struct arena *memory,
                       struct sql_numeric *ret) {
    if ((a.kind | b.kind) == SQL_NUMERIC_SMALL && a.scale == b.scale && b.coefficient != 0) {
        *ret = sql_numeric_small(a.coefficient % b.coefficient, a.scale);
        return 0;
    }
    int rc = divide_special(a, b, ret);
    if (rc < 0)
        return rc;
    if (rc == 0) { /* a number modulo an infinity is itself */
        bool number = is_number(a) && b.kind != SQL_NUMERIC_NAN;
        *ret = number ? a : sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    struct big_room room_a;
    struct big_room room_b;
    struct sql_numeric_big x = big_of(&a, &room_a);
    struct sql_numeric_big y = big_of(&b, &room_b);
    struct sql_numeric_big part;
    rc = big_divide(x, y, 0, false, memory, &part);
    if (rc == 0)
        rc = big_multiply(part, y, memory, &part);
    if (rc == 0)
        rc = big_subtract(x, part, memory, &part);
    return rc < 0 ? rc : big_to(part, larger(a.scale, b.scale), memory, ret);
}

/* ---- rounding -------------------------------------------------------------------------------- */

static int round_to(struct sql_numeric n, int scale, bool round, struct arena *memory,
                    struct sql_numeric *ret) {
    if (!is_number(n)) {
        *ret = n;
        return 0;
    }
    if (scale > (int)SQL_NUMERIC_SCALE_MAX)
        scale = (int)SQL_NUMERIC_SCALE_MAX;
    if (scale < -SQL_NUMERIC_INTEGER_DIGITS_MAX)
        scale = -SQL_NUMERIC_INTEGER_DIGITS_MAX;
    int apart = (int)n.scale - scale; /* digits that go */
    if (n.kind == SQL_NUMERIC_SMALL && scale >= 0 && apart >= 0 && apart <= 18) {
        int64_t kept = n.coefficient / powers[apart];
        int64_t cut = n.coefficient % powers[apart];
        if (round && apart > 0 && (cut < 0 ? -cut : cut) >= powers[apart] / 2)
            kept += n.coefficient < 0 ? -1 : 1;
        *ret = sql_numeric_small(kept, (unsigned)scale);
        return 0;
    }
    int64_t wider;
    if (n.kind == SQL_NUMERIC_SMALL && apart < 0 && apart >= -18 &&
        !__builtin_mul_overflow(n.coefficient, powers[-apart], &wider) &&
        sql_numeric_fits_small(wider)) {
        *ret = sql_numeric_small(wider, (unsigned)scale);
        return 0;
    }
    struct big_room room;
    struct sql_numeric_big rounded;
    int rc = big_round(big_of(&n, &room), scale, round, memory, &rounded);
    return rc < 0 ? rc : big_to(rounded, scale < 0 ? 0 : (unsigned)scale, memory, ret);
}

int sql_numeric_round(struct sql_numeric n, int scale, struct arena *memory,
                      struct sql_numeric *ret) {
    return round_to(n, scale, true, memory, ret);
}

int sql_numeric_truncate(struct sql_numeric n, int scale, struct arena *memory,
                         struct sql_numeric *ret) {
    return round_to(n, scale, false, memory, ret);
}

int sql_numeric_floor(struct sql_numeric n, bool up, struct arena *memory,
                      struct sql_numeric *ret) {
    struct sql_numeric cut;
    int rc = round_to(n, 0, false, memory, &cut);
    if (rc < 0)
        return rc;
    int order = is_number(n) ? sql_numeric_compare(n, cut) : 0;
    if (up ? order > 0 : order < 0)
        return sql_numeric_add(cut, sql_numeric_small(up ? 1 : -1, 0), memory, ret);
    *ret = cut;
    return 0;
}

unsigned sql_numeric_min_scale(struct sql_numeric n) {
    if (!is_number(n))
        return 0;
    struct big_room room;
    return big_min_scale(big_of(&n, &room));
}

int sql_numeric_fit(struct sql_numeric n, int32_t typmod, struct arena *memory,
                    struct sql_numeric *ret, struct sql_error *error) {
    if (typmod < 4 || n.kind == SQL_NUMERIC_NAN) {
        *ret = n;
        return 0;
    }
    int precision = ((typmod - 4) >> 16) & 0xffff;
    int scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    struct sql_numeric rounded;
    int rc = sql_numeric_round(n, scale, memory, &rounded);
    if (rc == -ENOMEM)
        return sql_fail_memory(error);
    struct big_room room;
    if (rc == 0 && is_number(n) && big_magnitude(big_of(&rounded, &room)) <= precision - scale) {
        *ret = rounded;
        return 0;
    }
    (void)sql_fail(error, "22003", "numeric field overflow");
    if (rc == 0 && !is_number(n))
        sql_error_detail(error,
                         "A field with precision %d, scale %d cannot hold an infinite value.",
                         precision, scale);
    else
        sql_error_detail(error,
                         "A field with precision %d, scale %d must round to an absolute value less "
                         "than %s%d.",
                         precision, scale, precision == scale ? "" : "10^",
                         precision == scale ? 1 : precision - scale);
    return -EINVAL;
}
