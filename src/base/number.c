#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Reads the digits that begin *TEXT and cuts them off. -EINVAL without digits; on -ERANGE they are
   cut off too, so that garbage behind a number too large is still found to be garbage. */
static int take_digits(slice *text, uint64_t *ret_number) {
    uint64_t number = 0;
    bool over = false;
    size_t len = 0;
    for (; len < text->len && is_digit(text->ptr[len]); len++) {
        uint64_t value = (uint64_t)(text->ptr[len] - '0');
        over |= __builtin_mul_overflow(number, 10u, &number);
        over |= __builtin_add_overflow(number, value, &number);
    }
    if (len == 0)
        return -EINVAL;
    *text = slice_skip(*text, len);
    if (over)
        return -ERANGE;
    *ret_number = number;
    return 0;
}

#define SWAR_DIGITS_MAX 16u

/* The LEN bytes at P, LEN <= 8, as a little-endian number: the first is the lowest. */
static uint64_t load(const char *p, size_t len) {
    uint32_t low, high;
    if (len >= 4) { /* two that overlap */
        memcpy(&low, p, sizeof low);
        memcpy(&high, p + len - 4, sizeof high);
        return low | (uint64_t)high << 8 * (len - 4);
    }
    uint64_t middle = (unsigned char)p[len / 2], last = (unsigned char)p[len - 1];
    return (unsigned char)p[0] | middle << 8 * (len / 2) | last << 8 * (len - 1);
}

/* 1 to 8 digits at once, in one word: neighbours become one number, three times. Adds to *BAD where
   some byte is no digit. (D. Lemire, "Quickly parsing eight digits", 2018.) */
static uint64_t eight_digits(const char *p, size_t len, uint64_t *bad) {
    uint64_t word = load(p, len) ^ UINT64_C(0x3030303030303030) >> (64 - 8 * len);
    *bad |= (word + UINT64_C(0x7676767676767676)) | word;
    word <<= 64 - 8 * len; /* zeros in front */
    word = (word * 10) + (word >> 8);
    word = ((word & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            ((word >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
    return word;
}

/* TEXT of 1 to SWAR_DIGITS_MAX bytes; false: not digits alone. */
static bool parse_short(slice text, uint64_t *ret_number) {
    size_t first = text.len > 8 ? text.len - 8 : text.len;
    uint64_t bad = 0;
    uint64_t number = eight_digits(text.ptr, first, &bad);
    if (text.len > 8)
        number = number * 100000000 + eight_digits(text.ptr + first, 8, &bad);
    *ret_number = number;
    return (bad & UINT64_C(0x8080808080808080)) == 0;
}

int number_parse_u64(slice text, uint64_t *ret_number) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t short_number;
    if (text.len - 1 < SWAR_DIGITS_MAX && parse_short(text, &short_number)) {
        *ret_number = short_number;
        return 0;
    }
#endif
    uint64_t number = 0;
    int rc = take_digits(&text, &number);
    if (text.len)
        return -EINVAL;
    if (rc == 0)
        *ret_number = number;
    return rc;
}

int number_parse_i64(slice text, int64_t min, int64_t max, int64_t *ret_number) {
    bool negative = slice_starts_with(text, slice_lit("-"));
    uint64_t size = 0;
    int rc = number_parse_u64(slice_skip(text, negative), &size);
    if (rc < 0)
        return rc;
    if (size > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    int64_t number = negative ? (int64_t)(0 - size) : (int64_t)size;
    if (number < min || number > max)
        return -ERANGE;
    *ret_number = number;
    return 0;
}

static size_t digits_len(slice s) {
    size_t len = 0;
    while (len < s.len && is_digit(s.ptr[len]))
        len++;
    return len;
}

/* JSON's grammar: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool is_json_number(slice s) {
    s = slice_skip(s, slice_starts_with(s, slice_lit("-")));
    size_t whole = digits_len(s);
    if (whole == 0 || (whole > 1 && s.ptr[0] == '0'))
        return false;
    s = slice_skip(s, whole);
    if (s.len && s.ptr[0] == '.') {
        s = slice_skip(s, 1);
        if (digits_len(s) == 0)
            return false;
        s = slice_skip(s, digits_len(s));
    }
    if (s.len && (s.ptr[0] == 'e' || s.ptr[0] == 'E')) {
        s = slice_skip(s, 1);
        s = slice_skip(s, s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'));
        if (digits_len(s) == 0)
            return false;
        s = slice_skip(s, digits_len(s));
    }
    return s.len == 0;
}

int number_parse_double(slice text, double *ret_number) {
    char copy[NUMBER_DOUBLE_TEXT_MAX + 1];
    if (!is_json_number(text))
        return -EINVAL;
    if (slice_to_string(text, copy, sizeof copy) < 0)
        return -ERANGE;
    /* The grammar is checked above, and no locale is ever set, so '.' is the decimal point. */
    double number = strtod(copy, NULL);
    if (!isfinite(number))
        return -ERANGE;
    *ret_number = number;
    return 0;
}

int number_parse_bool(slice text, bool *ret_value) {
    static const struct {
        slice word;
        bool value;
    } words[] = {
        {slice_lit("true"), true}, {slice_lit("false"), false}, {slice_lit("yes"), true},
        {slice_lit("no"), false},  {slice_lit("on"), true},     {slice_lit("off"), false},
    };
    for (size_t i = 0; i < array_count(words); i++) {
        if (slice_equal(text, words[i].word)) {
            *ret_value = words[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

/* "12" or "12.345" at the start of *TEXT, cut off: whole part, and the fraction in 10^-18. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
};
#define FRACTION_DIGITS 18
#define FRACTION_ONE 1000000000000000000u

static int take_decimal(slice *text, struct decimal *ret_decimal) {
    struct decimal d = {0, 0};
    int rc = take_digits(text, &d.whole);
    if (rc == -EINVAL || text->len == 0 || text->ptr[0] != '.') {
        *ret_decimal = d;
        return rc;
    }
    *text = slice_skip(*text, 1);
    size_t len = digits_len(*text);
    if (len == 0 || len > FRACTION_DIGITS)
        return -EINVAL;
    int fraction_rc = take_digits(text, &d.fraction);
    check(fraction_rc == 0);
    for (size_t i = len; i < FRACTION_DIGITS; i++)
        d.fraction *= 10;
    *ret_decimal = d;
    return rc;
}

/* D x UNIT exactly. -EINVAL where it is not whole, -ERANGE where it is above MAX. */
static int decimal_times(struct decimal d, uint64_t unit, uint64_t max, uint64_t *ret_number) {
    unsigned __int128 part = (unsigned __int128)d.fraction * unit;
    if (part % FRACTION_ONE != 0)
        return -EINVAL;
    unsigned __int128 number = (unsigned __int128)d.whole * unit + part / FRACTION_ONE;
    if (number > max)
        return -ERANGE;
    *ret_number = (uint64_t)number;
    return 0;
}

struct unit {
    slice name;
    uint64_t size;
};

/* From large to small: the order in which they may be combined and are written. */
static const struct unit duration_units[] = {
    {slice_lit("w"), 604800u * 1000000000ull},
    {slice_lit("d"), 86400u * 1000000000ull},
    {slice_lit("h"), 3600u * 1000000000ull},
    {slice_lit("m"), 60u * 1000000000ull},
    {slice_lit("s"), 1000000000u},
    {slice_lit("ms"), 1000000u},
    {slice_lit("us"), 1000u},
    {slice_lit("ns"), 1u},
};

static size_t letters_len(slice s) {
    size_t len = 0;
    while (len < s.len && ((s.ptr[len] | 0x20) >= 'a' && (s.ptr[len] | 0x20) <= 'z'))
        len++;
    return len;
}

/* One "NUMBER UNIT" of a duration, with a unit of at least index *FROM, which moves behind it. */
static int take_duration_part(slice *text, size_t *from, uint64_t *ret_ns) {
    struct decimal d = {0, 0};
    int rc = take_decimal(text, &d);
    if (rc == -EINVAL)
        return rc;
    slice name = slice_take(*text, letters_len(*text));
    *text = slice_skip(*text, name.len);
    for (size_t i = *from; i < array_count(duration_units); i++) {
        if (slice_equal(name, duration_units[i].name)) {
            *from = i + 1;
            return rc < 0 ? rc : decimal_times(d, duration_units[i].size, INT64_MAX, ret_ns);
        }
    }
    return -EINVAL;
}

int number_parse_duration(slice text, uint64_t *ret_ns) {
    if (slice_equal(text, slice_lit("0"))) {
        *ret_ns = 0;
        return 0;
    }
    uint64_t sum = 0;
    size_t from = 0;
    bool over = false;
    do {
        uint64_t part = 0;
        int rc = take_duration_part(&text, &from, &part);
        if (rc == -EINVAL)
            return rc;
        over |= rc == -ERANGE || part > INT64_MAX - sum;
        sum = over ? 0 : sum + part;
    } while (text.len);
    if (over)
        return -ERANGE;
    *ret_ns = sum;
    return 0;
}

/* The power of 1024 that a unit's letters name, or -EINVAL. */
static int size_shift(slice letters) {
    static const char *const forms[] = {"", "b", "ib"};
    static const char prefixes[] = "kmgtpe";
    if (letters.len == 0 || slice_equal_nocase(letters, slice_lit("b")))
        return 0;
    for (int i = 0; prefixes[i]; i++) {
        if ((letters.ptr[0] | 0x20) != prefixes[i])
            continue;
        for (size_t form = 0; form < array_count(forms); form++) {
            if (slice_equal_nocase(slice_skip(letters, 1), slice_str(forms[form])))
                return 10 * (i + 1);
        }
    }
    return -EINVAL;
}

int number_parse_size(slice text, uint64_t *ret_bytes) {
    struct decimal d = {0, 0};
    int rc = take_decimal(&text, &d);
    if (rc == -EINVAL)
        return rc;
    int shift = size_shift(text);
    if (shift < 0)
        return shift;
    return rc < 0 ? rc : decimal_times(d, 1ull << shift, UINT64_MAX, ret_bytes);
}

/* "s" is one second: a period without a number has 1 of its unit. */
static int parse_period(slice text, uint64_t *ret_ns) {
    if (text.len && is_digit(text.ptr[0]))
        return number_parse_duration(text, ret_ns);
    for (size_t i = 0; i < array_count(duration_units); i++) {
        if (slice_equal(text, duration_units[i].name)) {
            *ret_ns = duration_units[i].size;
            return 0;
        }
    }
    return -EINVAL;
}

int number_parse_rate(slice text, struct number_rate *ret_rate) {
    struct number_rate rate = {0, 0};
    slice period;
    slice count = slice_cut(text, '/', &period);
    int count_rc = number_parse_u64(count, &rate.count);
    int period_rc = parse_period(period, &rate.period_ns);
    if (count_rc == -EINVAL || period_rc == -EINVAL)
        return -EINVAL;
    if (count_rc < 0 || period_rc < 0 || rate.count == 0 || rate.period_ns == 0)
        return -ERANGE;
    *ret_rate = rate;
    return 0;
}

/* Two digits at a time halve the divisions, which are what this costs. */
static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

static size_t count_digits(uint64_t number) {
    size_t digits = 1;
    for (;;) {
        if (number < 10)
            return digits;
        if (number < 100)
            return digits + 1;
        if (number < 1000)
            return digits + 2;
        if (number < 10000)
            return digits + 3;
        number /= 10000;
        digits += 4;
    }
}

size_t number_format_u64(uint64_t number, char *out) {
    size_t len = count_digits(number);
    size_t at = len;
    while (number >= 100) {
        at -= 2;
        memcpy(out + at, digit_pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10)
        memcpy(out, digit_pairs + 2 * number, 2);
    else
        out[0] = (char)('0' + number);
    return len;
}

size_t number_format_i64(int64_t number, char *out) {
    if (number >= 0)
        return number_format_u64((uint64_t)number, out);
    out[0] = '-';
    return 1 + number_format_u64(0 - (uint64_t)number, out + 1);
}

size_t number_format_duration(uint64_t ns, char *out) {
    size_t len = 0;
    for (size_t i = 1; i < array_count(duration_units); i++) { /* 7d reads better than 1w */
        const struct unit *unit = &duration_units[i];
        if (ns < unit->size)
            continue;
        len += number_format_u64(ns / unit->size, out + len);
        memcpy(out + len, unit->name.ptr, unit->name.len);
        len += unit->name.len;
        ns %= unit->size;
    }
    if (len == 0) {
        memcpy(out, "0s", 2);
        len = 2;
    }
    out[len] = '\0';
    return len;
}

/* NS in units of 10^DIGITS, with what is left as a fraction, and UNIT. */
static size_t put_fraction(char *out, uint64_t ns, unsigned digits, const char *unit) {
    uint64_t size = 1;
    for (unsigned i = 0; i < digits; i++)
        size *= 10;
    size_t len = number_format_u64(ns / size, out);
    if (ns % size) {
        len += (size_t)snprintf(out + len, 11, ".%0*u", (int)digits, (unsigned)(ns % size));
        while (out[len - 1] == '0')
            len--;
    }
    size_t unit_len = strlen(unit);
    memcpy(out + len, unit, unit_len + 1);
    return len + unit_len;
}

size_t number_format_go_duration(uint64_t ns, char *out) {
    static const uint64_t minute = 60000000000u;
    size_t len = 0;
    if (ns > 0 && ns < 1000000000u)
        return ns < 1000      ? put_fraction(out, ns, 0, "ns")
               : ns < 1000000 ? put_fraction(out, ns, 3, "\u00b5s")
                              : put_fraction(out, ns, 6, "ms");
    if (ns >= 60 * minute) {
        len = number_format_u64(ns / (60 * minute), out);
        out[len++] = 'h';
    }
    if (ns >= minute) {
        len += number_format_u64(ns / minute % 60, out + len);
        out[len++] = 'm';
    }
    return len + put_fraction(out + len, ns % minute, 9, "s");
}

size_t number_format_size(uint64_t bytes, char *out) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024)
        return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%uB", (unsigned)bytes);
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < array_count(units)) {
        value /= 1024;
        unit++;
    }
    return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%.1f%s", value, units[unit]);
}
