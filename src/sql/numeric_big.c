/*
 * numeric_big.c - school arithmetic in base 10^9 (numeric_big.h).
 *
 * Multiplication and division are the quadratic ones (division: Knuth, "The Art of Computer
 * Programming" 4.3.1, algorithm D): numbers beyond some hundred digits are rare in SQL, and the
 * format's limits bound the worst case. Two limbs' product and two carries fit 64 bits.
 */
#include "sql/numeric_big.h"

#include <errno.h>
#include <math.h>

static const uint32_t powers[BIG_DIGITS + 1] = {1,      10,      100,      1000,      10000,
                                                100000, 1000000, 10000000, 100000000, 1000000000};

uint32_t *big_limbs(struct arena *memory, size_t count) {
    return arena_zalloc(memory, count ? count : 1, sizeof(uint32_t));
}

struct sql_numeric_big big_normal(const uint32_t *limbs, size_t count, int weight, bool negative) {
    while (count > 0 && limbs[0] == 0) {
        limbs++;
        count--;
        weight--;
    }
    while (count > 0 && limbs[count - 1] == 0)
        count--;
    if (count == 0)
        return (struct sql_numeric_big){.limbs = limbs};
    return (struct sql_numeric_big){negative, weight, (unsigned)count, limbs};
}

/* The point of a small number may stand within a limb: the coefficient is shifted to its left end,
   which makes up to 27 digits of it, so 128 bits hold it. */
struct sql_numeric_big big_of(const struct sql_numeric *n, struct big_room *room) {
    if (n->kind == SQL_NUMERIC_BIG)
        return *n->big;
    check(n->kind == SQL_NUMERIC_SMALL);
    unsigned behind = (n->scale + BIG_DIGITS - 1u) / BIG_DIGITS; /* limbs behind the point */
    unsigned __int128 rest =
        (unsigned __int128)(n->coefficient < 0 ? -n->coefficient : n->coefficient) *
        powers[behind * BIG_DIGITS - n->scale];
    for (int i = 3; i >= 0; i--) {
        room->limbs[i] = (uint32_t)(rest % BIG_BASE);
        rest /= BIG_BASE;
    }
    return big_normal(room->limbs, 4, 3 - (int)behind, n->coefficient < 0);
}

struct sql_numeric_big big_small(uint32_t limb, struct big_room *room) {
    room->limbs[0] = limb;
    return big_normal(room->limbs, 1, 0, false);
}

struct sql_numeric_big big_one(void) {
    static const uint32_t limb = 1;
    return big_normal(&limb, 1, 0, false);
}

static unsigned digits_of(uint32_t limb) {
    unsigned digits = 1;
    while (digits < BIG_DIGITS && limb >= powers[digits])
        digits++;
    return digits;
}

int big_magnitude(struct sql_numeric_big a) {
    return a.count ? a.weight * BIG_DIGITS + (int)digits_of(a.limbs[0]) : 0;
}

unsigned big_min_scale(struct sql_numeric_big a) {
    int last = a.weight - (int)a.count + 1; /* weight of the last limb */
    if (a.count == 0 || last >= 0)
        return 0;
    unsigned scale = (unsigned)-last * BIG_DIGITS;
    for (uint32_t limb = a.limbs[a.count - 1]; limb % 10 == 0; limb /= 10)
        scale--;
    return scale;
}

int big_weight4(struct sql_numeric_big a, int *ret_first) {
    *ret_first = 0;
    if (a.count == 0)
        return 0;
    int magnitude = big_magnitude(a);
    int weight = magnitude > 0 ? (magnitude - 1) / 4 : -((4 - magnitude) / 4);
    int digits = magnitude - weight * 4; /* of the first one: 1..4 */
    uint64_t head = a.limbs[0];
    unsigned len = digits_of(a.limbs[0]);
    if (len < 4) {
        head = head * BIG_BASE + (a.count > 1 ? a.limbs[1] : 0);
        len += BIG_DIGITS;
    }
    for (; (int)len > digits; len--)
        head /= 10;
    *ret_first = (int)head;
    return weight;
}

double big_estimate(struct sql_numeric_big a, int *ret_exponent) {
    double value = 0;
    for (unsigned i = 0; i < 3; i++)
        value = value * BIG_BASE + (i < a.count ? a.limbs[i] : 0);
    *ret_exponent = (a.weight - 2) * BIG_DIGITS;
    return a.negative ? -value : value;
}

static uint32_t limb_at(struct sql_numeric_big a, int weight) {
    int index = a.weight - weight;
    return index >= 0 && index < (int)a.count ? a.limbs[index] : 0;
}

int big_compare_magnitude(struct sql_numeric_big a, struct sql_numeric_big b) {
    if (a.count == 0 || b.count == 0)
        return (a.count > 0) - (b.count > 0);
    if (a.weight != b.weight)
        return a.weight > b.weight ? 1 : -1;
    unsigned shorter = a.count < b.count ? a.count : b.count;
    for (unsigned i = 0; i < shorter; i++)
        if (a.limbs[i] != b.limbs[i])
            return a.limbs[i] > b.limbs[i] ? 1 : -1;
    return (a.count > b.count) - (a.count < b.count);
}

int big_compare(struct sql_numeric_big a, struct sql_numeric_big b) {
    if (a.negative != b.negative)
        return a.negative ? -1 : 1;
    int order = big_compare_magnitude(a, b);
    return a.negative ? -order : order;
}

/* |A| + |B|, or |A| - |B| where |A| >= |B|. */
static int combine(struct sql_numeric_big a, struct sql_numeric_big b, bool subtract, bool negative,
                   struct arena *memory, struct sql_numeric_big *ret) {
    int last_a = a.weight - (int)a.count + 1;
    int last_b = b.weight - (int)b.count + 1;
    int low = last_a < last_b ? last_a : last_b;
    int high = (a.weight > b.weight ? a.weight : b.weight) + 1;
    uint32_t *limbs = big_limbs(memory, (size_t)(high - low + 1));
    if (!limbs)
        return -ENOMEM;
    uint32_t carry = 0;
    for (int weight = low; weight <= high; weight++) {
        uint32_t x = limb_at(a, weight);
        uint32_t y = limb_at(b, weight) + carry;
        uint32_t *out = &limbs[high - weight];
        if (subtract) {
            carry = x < y;
            *out = x + (carry ? BIG_BASE : 0) - y;
        } else {
            carry = x + y >= BIG_BASE;
            *out = x + y - (carry ? BIG_BASE : 0);
        }
    }
    check(carry == 0);
    *ret = big_normal(limbs, (size_t)(high - low + 1), high, negative);
    return 0;
}

int big_add(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
            struct sql_numeric_big *ret) {
    if (a.count == 0 || b.count == 0) {
        *ret = a.count ? a : b;
        return 0;
    }
    if (a.negative == b.negative)
        return combine(a, b, false, a.negative, memory, ret);
    return big_compare_magnitude(a, b) >= 0 ? combine(a, b, true, a.negative, memory, ret)
                                            : combine(b, a, true, b.negative, memory, ret);
}

int big_subtract(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
                 struct sql_numeric_big *ret) {
    return big_add(a, big_negate(b), memory, ret);
}

int big_multiply(struct sql_numeric_big a, struct sql_numeric_big b, struct arena *memory,
                 struct sql_numeric_big *ret) {
    if (a.count == 0 || b.count == 0) {
        *ret = (struct sql_numeric_big){.count = 0};
        return 0;
    }
    size_t count = (size_t)a.count + b.count;
    uint32_t *limbs = big_limbs(memory, count);
    if (!limbs)
        return -ENOMEM;
    for (unsigned i = a.count; i-- > 0;) {
        uint64_t carry = 0;
        for (unsigned j = b.count; j-- > 0;) {
            carry += (uint64_t)a.limbs[i] * b.limbs[j] + limbs[i + j + 1];
            limbs[i + j + 1] = (uint32_t)(carry % BIG_BASE);
            carry /= BIG_BASE;
        }
        limbs[i] = (uint32_t)carry;
    }
    *ret = big_normal(limbs, count, a.weight + b.weight + 1, a.negative != b.negative);
    return 0;
}

int big_round(struct sql_numeric_big a, int scale, bool round, struct arena *memory,
              struct sql_numeric_big *ret) {
    /* The last kept digit is worth 10^-scale: it lies in the limb of this weight. */
    int weight = scale >= 0 ? -((scale + BIG_DIGITS - 1) / BIG_DIGITS) : -scale / BIG_DIGITS;
    uint32_t unit = powers[-scale - weight * BIG_DIGITS]; /* of that digit within its limb */
    if (a.count == 0 || (a.weight - (int)a.count + 1 >= weight && unit == 1)) {
        *ret = a;
        return 0;
    }
    *ret = (struct sql_numeric_big){.count = 0};
    if (a.weight < weight - 1)
        return 0;
    /* One limb in front for a carry; the kept limbs from a.weight down to WEIGHT. */
    int high = (a.weight > weight ? a.weight : weight) + 1;
    size_t count = (size_t)(high - weight + 1);
    uint32_t *limbs = big_limbs(memory, count);
    if (!limbs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        limbs[i] = limb_at(a, high - (int)i);
    uint32_t cut = limbs[count - 1] % unit;
    limbs[count - 1] -= cut;
    bool up = round && (unit > 1 ? cut >= unit / 2 : limb_at(a, weight - 1) >= BIG_BASE / 2);
    for (size_t i = count; up && i-- > 0;) {
        limbs[i] += unit;
        unit = 1;
        up = limbs[i] >= BIG_BASE;
        if (up)
            limbs[i] -= BIG_BASE;
    }
    *ret = big_normal(limbs, count, high, a.negative);
    return 0;
}

/* U (of COUNT + N limbs, most significant first, its first 0) by V (N limbs, N >= 2, its first at
   least BASE / 2): Q gets COUNT limbs. */
static void divide_long(uint32_t *u, const uint32_t *v, size_t n, uint32_t *q, size_t count) {
    for (size_t j = 0; j < count; j++) {
        uint64_t head = (uint64_t)u[j] * BIG_BASE + u[j + 1];
        uint64_t guess = head / v[0];
        uint64_t rest = head % v[0];
        while (guess >= BIG_BASE ||
               guess * v[1] > rest * BIG_BASE + (j + 2 < count + n ? u[j + 2] : 0)) {
            guess--;
            rest += v[0];
            if (rest >= BIG_BASE)
                break;
        }
        int64_t borrow = 0;
        uint64_t carry = 0;
        for (size_t i = n; i-- > 0;) {
            carry += guess * v[i];
            int64_t digit = (int64_t)u[j + i + 1] - (int64_t)(carry % BIG_BASE) + borrow;
            carry /= BIG_BASE;
            borrow = digit < 0 ? -1 : 0;
            u[j + i + 1] = (uint32_t)(digit < 0 ? digit + BIG_BASE : digit);
        }
        int64_t top = (int64_t)u[j] - (int64_t)carry + borrow;
        u[j] = 0;
        if (top < 0) { /* one too many: add V back */
            guess--;
            uint32_t over = 0;
            for (size_t i = n; i-- > 0;) {
                uint32_t sum = u[j + i + 1] + v[i] + over;
                over = sum >= BIG_BASE;
                u[j + i + 1] = sum - (over ? BIG_BASE : 0);
            }
        }
        q[j] = (uint32_t)guess;
    }
}

static void divide_short(const uint32_t *u, uint32_t v, uint32_t *q, size_t count) {
    uint64_t rest = 0;
    for (size_t j = 0; j < count; j++) {
        rest = rest * BIG_BASE + u[j];
        q[j] = (uint32_t)(rest / v);
        rest %= v;
    }
}

/* OUT[0] gets the carry, OUT[1..] the limbs times FACTOR. */
static void scale_up(const uint32_t *limbs, size_t count, uint32_t factor, uint32_t *out) {
    uint64_t carry = 0;
    for (size_t i = count; i-- > 0;) {
        carry += (uint64_t)limbs[i] * factor;
        out[i + 1] = (uint32_t)(carry % BIG_BASE);
        carry /= BIG_BASE;
    }
    out[0] = (uint32_t)carry;
}

int big_divide(struct sql_numeric_big a, struct sql_numeric_big b, int scale, bool round,
               struct arena *memory, struct sql_numeric_big *ret) {
    *ret = (struct sql_numeric_big){.count = 0};
    /* The quotient's limbs have the weights high .. low; one digit more than shown is made, which
       is enough to round a cut quotient half away from zero. */
    int high = a.weight - b.weight;
    int low = scale + 1 >= 0 ? -((scale + BIG_DIGITS) / BIG_DIGITS) : -(scale + 1) / BIG_DIGITS;
    if (a.count == 0 || high < low - 1)
        return 0;
    if (high < low)
        high = low;
    size_t count = (size_t)(high - low + 1);
    size_t n = b.count;
    uint32_t *u = big_limbs(memory, count + n + 2);
    uint32_t *v = big_limbs(memory, n + 1);
    uint32_t *q = big_limbs(memory, count);
    uint32_t *head = big_limbs(memory, count + n);
    if (!u || !v || !q || !head)
        return -ENOMEM;
    /* u[0] carries; u[1] has the weight high + b.weight. */
    for (size_t i = 0; i + 1 < count + n; i++)
        head[i] = limb_at(a, high + b.weight - (int)i);
    if (n == 1) {
        divide_short(head, b.limbs[0], q, count);
    } else {
        uint32_t factor = BIG_BASE / (b.limbs[0] + 1);
        scale_up(head, count + n - 1, factor, u);
        scale_up(b.limbs, n, factor, v);
        divide_long(u, v + 1, n, q, count);
    }
    return big_round(big_normal(q, count, high, a.negative != b.negative), scale, round, memory,
                     ret);
}

/* The coefficient at SCALE, where it has at most 18 digits. */
static int64_t coefficient_of(struct sql_numeric_big b, unsigned scale) {
    __int128 value = 0;
    int behind = (int)((scale + BIG_DIGITS - 1) / BIG_DIGITS);
    for (int weight = b.weight; weight >= -behind; weight--)
        value = value * BIG_BASE + limb_at(b, weight);
    value /= powers[behind * BIG_DIGITS - (int)scale];
    return (int64_t)(b.negative ? -value : value);
}

int big_to(struct sql_numeric_big b, unsigned scale, struct arena *memory,
           struct sql_numeric *ret) {
    int magnitude = big_magnitude(b);
    if (magnitude > SQL_NUMERIC_INTEGER_DIGITS_MAX)
        return -ERANGE;
    if (scale > SQL_NUMERIC_SCALE_MAX) {
        scale = SQL_NUMERIC_SCALE_MAX;
        int rc = big_round(b, (int)scale, true, memory, &b);
        if (rc < 0)
            return rc;
    }
    if (b.count == 0 || magnitude + (int)scale <= 18) {
        *ret = sql_numeric_small(b.count ? coefficient_of(b, scale) : 0, scale);
        return 0;
    }
    struct sql_numeric_big *kept = arena_alloc(memory, sizeof *kept);
    uint32_t *limbs = big_limbs(memory, b.count);
    if (!kept || !limbs)
        return -ENOMEM;
    memcpy(limbs, b.limbs, b.count * sizeof *limbs); /* out of a room, or out of a longer run */
    *kept = b;
    kept->limbs = limbs;
    *ret = (struct sql_numeric){.big = kept, .scale = (uint16_t)scale, .kind = SQL_NUMERIC_BIG};
    return 0;
}
