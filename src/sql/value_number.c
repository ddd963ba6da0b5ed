/*
 * value_number.c - bool, integers, floats and uuids as text.
 *
 * A float is written with the fewest digits that read back as the same value, as PostgreSQL does
 * since 12: fixed between 1e-4 and 1e15 (float4: 1e6), else d.ddde+XX. Whole numbers in that
 * range, which most are, are written as integers.
 */
#include "sql/value_parts.h"

#include "base/hex.h"
#include "base/number.h"
#include "sql/numeric.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- bool ------------------------------------------------------------------------------------ */

static bool begins(slice text, const char *word, size_t least) {
    return text.len >= least && text.len <= strlen(word) &&
           slice_equal_nocase(text, slice_make(word, text.len));
}

int value_bool_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice s = value_trim(text);
    bool yes = begins(s, "true", 1) || begins(s, "yes", 1) || begins(s, "on", 2) ||
               slice_equal(s, slice_lit("1"));
    bool no = begins(s, "false", 1) || begins(s, "no", 1) || begins(s, "off", 2) ||
              slice_equal(s, slice_lit("0"));
    if (!yes && !no)
        return value_syntax(r, text);
    *ret = (union sql_cell){.i = yes};
    return 0;
}

/* ---- integers -------------------------------------------------------------------------------- */

static void range_of(uint32_t oid, int64_t *ret_min, int64_t *ret_max) {
    *ret_min = oid == SQL_INT2   ? INT16_MIN
               : oid == SQL_INT8 ? INT64_MIN
                                 : (int64_t)INT32_MIN; /* oid: -1 is 4294967295 */
    *ret_max = oid == SQL_INT2   ? INT16_MAX
               : oid == SQL_INT8 ? INT64_MAX
               : oid == SQL_OID  ? (int64_t)UINT32_MAX
                                 : (int64_t)INT32_MAX;
}

int value_int_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice s = value_trim(text);
    if (s.len > 1 && s.ptr[0] == '+' && s.ptr[1] != '-')
        s = slice_skip(s, 1);
    int64_t min;
    int64_t max;
    range_of(r->type.oid, &min, &max);
    int64_t value;
    int rc = number_parse_i64(s, min, max, &value);
    if (rc == -ERANGE) {
        char name[96];
        return sql_fail(r->error, "22003", "value \"%.*s\" is out of range for type %s",
                        slice_fmt(text), sql_type_text(r->type, name, sizeof name));
    }
    if (rc < 0)
        return value_syntax(r, text);
    *ret = (union sql_cell){.i = r->type.oid == SQL_OID ? (int64_t)(uint32_t)value : value};
    return 0;
}

/* ---- floats ---------------------------------------------------------------------------------- */

/* Up to 15 digits and a power of ten that is exact: one rounding, as strtod has it. */
static bool simple_float(slice s, double *ret) {
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t value = 0;
    unsigned digits = 0;
    unsigned behind = 0;
    bool point = false;
    for (size_t i = negative; i < s.len; i++) {
        if (s.ptr[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || ++digits > 15)
            return false;
        value = value * 10 + (s.ptr[i] - '0');
        behind += point;
    }
    if (digits == 0)
        return false;
    double number = (double)value / powers[behind];
    *ret = negative ? -number : number;
    return true;
}

int value_float_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice s = value_trim(text);
    bool single = r->type.oid == SQL_FLOAT4;
    double value;
    if (!single && simple_float(s, &value)) {
        *ret = (union sql_cell){.f = value};
        return 0;
    }
    slice copy; /* strtod wants a NUL behind */
    if (slice_find(s, '\0') >= 0 || slice_find(s, '(') >= 0 || s.len == 0)
        return value_syntax(r, text);
    if (arena_copy(r->memory, s, &copy) < 0)
        return sql_fail_memory(r->error);
    char *end;
    errno = 0;
    value = single ? (double)strtof(copy.ptr, &end) : strtod(copy.ptr, &end);
    if (end != copy.ptr + copy.len)
        return value_syntax(r, text);
    if (errno == ERANGE && (value == 0 || isinf(value))) {
        char name[96];
        return sql_fail(r->error, "22003", "\"%.*s\" is out of range for type %s", slice_fmt(text),
                        sql_type_text(r->type, name, sizeof name));
    }
    *ret = (union sql_cell){.f = value};
    return 0;
}

/* The fewest significant digits that read back, as "d.ddde+XX" in OUT. */
static void shortest(bool single, double value, char *out, size_t size) {
    double magnitude = fabs(value);
    bool denormal = magnitude < (single ? 1.17549435e-38 : 2.2250738585072014e-308);
    int most = single ? 9 : 17;
    for (int digits = denormal ? 1 : most - (single ? 3 : 2); digits <= most; digits++) {
        snprintf(out, size, "%.*e", digits - 1, value);
        if (single ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value)
            return;
    }
}

/* A double that some decimal of up to 15 digits names, as most that people wrote are: its digits
   behind the point are tried one after the other. False: it is none, or outside 1e-4 .. 1e15. */
static bool write_decimal(double value, struct buf *out, int *ret) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};
    double magnitude = fabs(value);
    if (magnitude < 1e-4 || magnitude >= 1e15)
        return false;
    for (unsigned behind = 0; behind < array_count(powers); behind++) {
        double scaled = rint(magnitude * powers[behind]);
        if (scaled >= 1e15)
            return false;
        if (scaled / powers[behind] != magnitude) /* both exact: as reading it back would */
            continue;
        int64_t coefficient = (int64_t)scaled;
        *ret = sql_numeric_print(sql_numeric_small(value < 0 ? -coefficient : coefficient, behind),
                                 out);
        return true;
    }
    return false;
}

/* "1.2500e+02" as PostgreSQL writes it: "125". */
static int write_digits(const char *scientific, int fixed_below, struct buf *out) {
    char digits[32];
    size_t count = 0;
    const char *at = scientific;
    bool negative = *at == '-';
    for (at += negative; *at != 'e'; at++)
        if (*at != '.')
            digits[count++] = *at;
    int exponent = (int)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    char text[48];
    char *to = text;
    if (negative)
        *to++ = '-';
    if (exponent < -4 || exponent >= fixed_below) {
        *to++ = digits[0];
        if (count > 1)
            *to++ = '.';
        memcpy(to, digits + 1, count - 1);
        to += count - 1;
        to += snprintf(to, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return buf_append(out, slice_make(text, (size_t)(to - text)));
    }
    for (int place = exponent < 0 ? 0 : exponent; place >= 0 || exponent - place < (int)count;
         place--) {
        if (place == -1)
            *to++ = '.';
        int index = exponent - place;
        *to++ = index >= 0 && index < (int)count ? digits[index] : '0';
    }
    return buf_append(out, slice_make(text, (size_t)(to - text)));
}

int value_float_out(uint32_t oid, double value, const struct sql_settings *settings,
                    struct buf *out) {
    bool single = oid == SQL_FLOAT4;
    if (isnan(value))
        return buf_append(out, slice_lit("NaN"));
    if (isinf(value))
        return buf_append(out, value < 0 ? slice_lit("-Infinity") : slice_lit("Infinity"));
    if (value == 0)
        return buf_append(out, signbit(value) ? slice_lit("-0") : slice_lit("0"));
    int extra = settings ? settings->extra_float_digits : 1;
    int usual = single ? 6 : 15;
    if (fabs(value) < (single ? 1e6 : 1e15) && value == (double)(int64_t)value && extra > 0)
        return buf_append_i64(out, (int64_t)value);
    int rc;
    if (!single && extra > 0 && write_decimal(value, out, &rc))
        return rc;
    char scientific[40];
    if (extra > 0) {
        shortest(single, value, scientific, sizeof scientific);
        return write_digits(scientific, usual, out);
    }
    int digits = usual + extra < 1 ? 1 : usual + extra;
    snprintf(scientific, sizeof scientific, "%.*e", digits - 1, value);
    return write_digits(scientific, digits, out);
}

/* ---- uuid ------------------------------------------------------------------------------------ */

/* Hyphens may stand behind every fourth digit; braces around. */
int value_uuid_in(const struct sql_reading *r, slice text, union sql_cell *ret) {
    slice s = text;
    if (s.len >= 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}')
        s = slice_make(s.ptr + 1, s.len - 2);
    char digits[32];
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '-' && count > 0 && count % 4 == 0 && count < 32 && s.ptr[i - 1] != '-')
            continue;
        if (count == sizeof digits)
            return value_syntax(r, text);
        digits[count++] = s.ptr[i];
    }
    char bytes[16];
    size_t len;
    if (count != sizeof digits ||
        hex_decode(slice_make(digits, count), bytes, sizeof bytes, &len) < 0)
        return value_syntax(r, text);
    memcpy(ret->uuid, bytes, sizeof bytes);
    return 0;
}

int value_uuid_out(const union sql_cell *cell, struct buf *out) {
    char hex[32];
    char text[36];
    hex_encode(slice_make(cell->uuid, 16), hex);
    char *to = text;
    for (size_t i = 0; i < sizeof hex; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *to++ = '-';
        *to++ = hex[i];
    }
    return buf_append(out, slice_make(text, sizeof text));
}
