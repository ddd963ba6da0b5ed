/*
 * numeric_text.c - numeric as text, as PostgreSQL's binary form, and as other numbers.
 *
 * Text of up to 18 digits becomes a SMALL in one pass without memory. The binary form counts in
 * base 10000 from the point: int16 digits, weight, sign, shown scale, then the digits.
 */
#include "sql/numeric_big.h"
#include "sql/value_parts.h"

#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPONENT_MAX 200000 /* beyond the format's limits in either direction */

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

/* The parts of a written number: DIGITS with at most one point among them, counted apart. */
struct written {
    bool negative;
    slice mantissa; /* digits and the point */
    size_t digits, behind;
    int exponent;
};

static int parse_exponent(slice s, int *ret) {
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = slice_skip(s, 1);
    if (s.len == 0)
        return -EINVAL;
    int value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!digit(s.ptr[i]))
            return -EINVAL;
        if (value < EXPONENT_MAX)
            value = value * 10 + (s.ptr[i] - '0');
    }
    *ret = negative ? -value : value;
    return 0;
}

static int take_apart(slice s, struct written *ret) {
    struct written w = {.exponent = 0};
    bool point = false;
    size_t i = 0;
    for (; i < s.len; i++) {
        if (digit(s.ptr[i])) {
            w.digits++;
            w.behind += point;
        } else if (s.ptr[i] == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    w.mantissa = slice_take(s, i);
    if (w.digits == 0)
        return -EINVAL;
    if (i < s.len) {
        if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
            return -EINVAL;
        int rc = parse_exponent(slice_skip(s, i + 1), &w.exponent);
        if (rc < 0)
            return rc;
    }
    *ret = w;
    return 0;
}

static int parse_special(slice s, bool negative, bool sign, struct sql_numeric *ret) {
    if (slice_equal_nocase(s, slice_lit("nan")) && !sign)
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
    else if (slice_equal_nocase(s, slice_lit("infinity")) ||
             slice_equal_nocase(s, slice_lit("inf")))
        *ret = sql_numeric_infinity(negative ? -1 : 1);
    else
        return -EINVAL;
    return 0;
}

/* Puts the digits into limbs: digit number I (from the left) is worth 10^(FIRST - I). */
static int parse_long(const struct written *w, struct arena *memory, struct sql_numeric *ret) {
    int scale = (int)w->behind - w->exponent; /* may be below 0: zeros follow */
    int first = (int)(w->digits - w->behind) - 1 + w->exponent;
    int high = first >= 0 ? first / BIG_DIGITS : -((BIG_DIGITS - 1 - first) / BIG_DIGITS);
    int last = -scale;
    int low = last >= 0 ? last / BIG_DIGITS : -((BIG_DIGITS - 1 - last) / BIG_DIGITS);
    uint32_t *limbs = big_limbs(memory, (size_t)(high - low + 1));
    if (!limbs)
        return -ENOMEM;
    static const uint32_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    int place = first;
    for (size_t i = 0; i < w->mantissa.len; i++) {
        if (w->mantissa.ptr[i] == '.')
            continue;
        int weight = place >= 0 ? place / BIG_DIGITS : -((BIG_DIGITS - 1 - place) / BIG_DIGITS);
        uint32_t worth = powers[place - weight * BIG_DIGITS];
        limbs[high - weight] += (uint32_t)(w->mantissa.ptr[i] - '0') * worth;
        place--;
    }
    struct sql_numeric_big b = big_normal(limbs, (size_t)(high - low + 1), high, w->negative);
    return big_to(b, scale < 0 ? 0 : (unsigned)scale, memory, ret);
}

int sql_numeric_parse(slice text, struct arena *memory, struct sql_numeric *ret) {
    slice s = value_trim(text);
    bool sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    bool negative = sign && s.ptr[0] == '-';
    if (sign)
        s = slice_skip(s, 1);
    if (s.len > 0 && !digit(s.ptr[0]) && s.ptr[0] != '.')
        return parse_special(s, negative, sign, ret);
    struct written w;
    int rc = take_apart(s, &w);
    if (rc < 0)
        return rc;
    w.negative = negative;
    if (w.digits <= 18 && w.exponent == 0) {
        int64_t value = 0;
        for (size_t i = 0; i < w.mantissa.len; i++)
            if (w.mantissa.ptr[i] != '.')
                value = value * 10 + (w.mantissa.ptr[i] - '0');
        *ret = sql_numeric_small(negative ? -value : value, (unsigned)w.behind);
        return 0;
    }
    if (w.digits > SQL_NUMERIC_INTEGER_DIGITS_MAX + SQL_NUMERIC_SCALE_MAX ||
        w.exponent > EXPONENT_MAX || w.exponent < -EXPONENT_MAX ||
        (int)w.behind - w.exponent > (int)SQL_NUMERIC_SCALE_MAX)
        return -ERANGE;
    return parse_long(&w, memory, ret);
}

static int print_small(struct sql_numeric n, struct buf *out) {
    char digits[24];
    uint64_t magnitude = (uint64_t)(n.coefficient < 0 ? -n.coefficient : n.coefficient);
    size_t len = number_format_u64(magnitude, digits);
    size_t zeros = len <= n.scale ? n.scale - len + 1 : 0; /* 0.00x: zeros before the digits */
    int rc = buf_reserve(out, len + zeros + 2);
    if (rc < 0)
        return rc;
    char *at = out->ptr + out->len;
    if (n.coefficient < 0)
        *at++ = '-';
    size_t total = zeros + len;
    for (size_t i = 0; i < total; i++) {
        if (i == total - n.scale)
            *at++ = '.';
        *at++ = i < zeros ? '0' : digits[i - zeros];
    }
    out->len = (size_t)(at - out->ptr);
    return 0;
}

static int print_big(const struct sql_numeric_big *b, unsigned scale, struct buf *out) {
    int high = b->weight > 0 ? b->weight : 0;
    int low = -(int)((scale + BIG_DIGITS - 1) / BIG_DIGITS);
    int rc = buf_reserve(out, (size_t)(high - low + 1) * BIG_DIGITS + 3);
    if (rc < 0)
        return rc;
    char *at = out->ptr + out->len;
    if (b->negative)
        *at++ = '-';
    for (int weight = high; weight >= low; weight--) {
        int index = b->weight - weight;
        uint32_t limb = index >= 0 && index < (int)b->count ? b->limbs[index] : 0;
        if (weight == -1)
            *at++ = '.';
        if (weight == high) {
            at += number_format_u64(limb, at);
            continue;
        }
        for (int i = BIG_DIGITS; i-- > 0; limb /= 10)
            at[i] = (char)('0' + limb % 10);
        at += BIG_DIGITS;
    }
    at -= (unsigned)-low * BIG_DIGITS - scale; /* digits of the last limb that are not shown */
    out->len = (size_t)(at - out->ptr);
    return 0;
}

int sql_numeric_print(struct sql_numeric n, struct buf *out) {
    switch (n.kind) {
    case SQL_NUMERIC_SMALL:
        return print_small(n, out);
    case SQL_NUMERIC_BIG:
        return print_big(n.big, n.scale, out);
    case SQL_NUMERIC_INFINITY:
        return buf_append(out, slice_lit("Infinity"));
    case SQL_NUMERIC_MINUS_INFINITY:
        return buf_append(out, slice_lit("-Infinity"));
    default:
        return buf_append(out, slice_lit("NaN"));
    }
}

/* ---- other numbers --------------------------------------------------------------------------- */

int sql_numeric_from_double(double d, int digits, struct arena *memory, struct sql_numeric *ret) {
    if (isnan(d)) {
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    if (isinf(d)) {
        *ret = sql_numeric_infinity(d < 0 ? -1 : 1);
        return 0;
    }
    char text[64];
    int len = snprintf(text, sizeof text, "%.*g", digits, d);
    return sql_numeric_parse(slice_make(text, (size_t)len), memory, ret);
}

int sql_numeric_to_int(struct sql_numeric n, int64_t *ret) {
    if (n.kind > SQL_NUMERIC_BIG)
        return -EDOM;
    if (n.kind == SQL_NUMERIC_SMALL) { /* below 10^18: rounding takes no memory and cannot fail */
        struct sql_numeric rounded = sql_numeric_small(0, 0); /* with 19 digits behind: < 0.1 */
        if (n.scale <= 18)
            check(sql_numeric_round(n, 0, NULL, &rounded) == 0);
        *ret = rounded.coefficient;
        return 0;
    }
    struct arena memory = arena_make(0, (size_t)1 << 20);
    struct big_room small;
    struct sql_numeric_big b;
    int rc = big_round(big_of(&n, &small), 0, true, &memory, &b);
    __int128 value = 0;
    if (rc == 0 && b.weight > 2)
        rc = -ERANGE;
    for (int weight = b.weight; rc == 0 && b.count > 0 && weight >= 0; weight--) {
        unsigned index = (unsigned)(b.weight - weight);
        value = value * BIG_BASE + (index < b.count ? b.limbs[index] : 0);
    }
    if (rc == 0 && b.negative)
        value = -value;
    if (rc == 0 && (value > INT64_MAX || value < INT64_MIN))
        rc = -ERANGE;
    if (rc == 0)
        *ret = (int64_t)value;
    arena_free(&memory);
    return rc;
}

int sql_numeric_to_double(struct sql_numeric n, double *ret) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n.kind == SQL_NUMERIC_SMALL && n.scale < array_count(powers) &&
        n.coefficient <= INT64_C(1) << 53 && n.coefficient >= -(INT64_C(1) << 53)) {
        *ret = (double)n.coefficient / powers[n.scale]; /* both exact: rounded once */
        return 0;
    }
    if (n.kind > SQL_NUMERIC_BIG) {
        *ret = n.kind == SQL_NUMERIC_NAN        ? (double)NAN
               : n.kind == SQL_NUMERIC_INFINITY ? (double)INFINITY
                                                : (double)-INFINITY;
        return 0;
    }
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    int rc = sql_numeric_print(n, &text);
    const char *written = rc == 0 ? buf_text(&text) : NULL;
    if (!written)
        return -ENOMEM;
    double value = strtod(written, NULL);
    if (isinf(value))
        return -ERANGE;
    *ret = value;
    return 0;
}

/* ---- binary ---------------------------------------------------------------------------------- */

#define SIGN_NEGATIVE 0x4000u
#define SIGN_NAN 0xc000u
#define SIGN_INFINITY 0xd000u
#define SIGN_MINUS_INFINITY 0xf000u
#define INFINITY_SCALE 0x20u /* what PostgreSQL writes there; it means nothing */

static int put_header(struct buf *out, unsigned count, int weight, unsigned sign, unsigned scale) {
    unsigned words[4] = {count, (unsigned)weight & 0xffff, sign, scale};
    for (int i = 0; i < 4; i++) {
        char bytes[2] = {(char)(words[i] >> 8), (char)words[i]};
        int rc = buf_append(out, slice_make(bytes, 2));
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The four digits worth 10000^WEIGHT. They never straddle more than two limbs. */
static unsigned digit4(const struct sql_numeric_big *b, int weight) {
    unsigned value = 0;
    for (int place = weight * 4 + 3; place >= weight * 4; place--) {
        int limb = place >= 0 ? place / BIG_DIGITS : -((BIG_DIGITS - 1 - place) / BIG_DIGITS);
        int index = b->weight - limb;
        uint32_t rest = index >= 0 && index < (int)b->count ? b->limbs[index] : 0;
        for (int i = place - limb * BIG_DIGITS; i > 0; i--)
            rest /= 10;
        value = value * 10 + rest % 10;
    }
    return value;
}

int sql_numeric_send(struct sql_numeric n, struct buf *out) {
    switch (n.kind) {
    case SQL_NUMERIC_NAN:
        return put_header(out, 0, 0, SIGN_NAN, 0);
    case SQL_NUMERIC_INFINITY:
        return put_header(out, 0, 0, SIGN_INFINITY, INFINITY_SCALE);
    case SQL_NUMERIC_MINUS_INFINITY:
        return put_header(out, 0, 0, SIGN_MINUS_INFINITY, INFINITY_SCALE);
    default:
        break;
    }
    struct big_room room;
    struct sql_numeric_big b = big_of(&n, &room);
    if (b.count == 0)
        return put_header(out, 0, 0, 0, n.scale);
    int first;
    int high = big_weight4(b, &first);
    int low = -(int)((big_min_scale(b) + 3) / 4);
    while (digit4(&b, low) == 0)
        low++;
    int rc =
        put_header(out, (unsigned)(high - low + 1), high, b.negative ? SIGN_NEGATIVE : 0, n.scale);
    for (int weight = high; rc == 0 && weight >= low; weight--) {
        unsigned value = digit4(&b, weight);
        char bytes[2] = {(char)(value >> 8), (char)value};
        rc = buf_append(out, slice_make(bytes, 2));
    }
    return rc;
}

static unsigned word_at(slice bytes, size_t index) {
    return (unsigned)(uint8_t)bytes.ptr[index * 2] << 8 | (uint8_t)bytes.ptr[index * 2 + 1];
}

/* Written out as text "digits e exponent" and parsed: binary parameters are short. */
int sql_numeric_receive(slice bytes, struct arena *memory, struct sql_numeric *ret) {
    if (bytes.len < 8 || bytes.len != 8 + (size_t)word_at(bytes, 0) * 2)
        return -EINVAL;
    unsigned count = word_at(bytes, 0);
    int weight = (int16_t)word_at(bytes, 1);
    unsigned sign = word_at(bytes, 2);
    unsigned scale = word_at(bytes, 3);
    if (sign == SIGN_NAN)
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
    else if (sign == SIGN_INFINITY || sign == SIGN_MINUS_INFINITY)
        *ret = sql_numeric_infinity(sign == SIGN_INFINITY ? 1 : -1);
    if (sign >= SIGN_NAN)
        return sign == SIGN_NAN || sign == SIGN_INFINITY || sign == SIGN_MINUS_INFINITY ? 0
                                                                                        : -EINVAL;
    if ((sign != 0 && sign != SIGN_NEGATIVE) || scale > SQL_NUMERIC_SCALE_MAX)
        return -EINVAL;
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    int rc = buf_printf(&text, "%s0", sign ? "-" : "");
    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = word_at(bytes, 4 + i) > 9999 ? -EINVAL
                                          : buf_printf(&text, "%04u", word_at(bytes, 4 + i));
    if (rc == 0)
        rc = buf_printf(&text, "e%d", (weight - (int)count + 1) * 4);
    struct sql_numeric n;
    if (rc == 0)
        rc = sql_numeric_parse(buf_slice(&text), memory, &n);
    return rc < 0 ? rc : sql_numeric_truncate(n, (int)scale, memory, ret);
}
