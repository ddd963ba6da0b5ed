/*
 * number_text.c - to_char and to_number of numbers.
 *
 * The value is rounded to the digits that the pattern has behind its point and split; filling the
 * pattern is number_format.c's. A float shows no more digits than it holds (15, float4: 6).
 */
#include "sql/number/number.h"
#include "sql/number/number_format.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROMAN_WIDTH 15

static int told(struct sql_call *call, int failed, const struct buf *out, union sql_cell *ret) {
    if (failed == -ENOBUFS)
        return sql_fail(call->error, "54000", "the result of to_char is too long");
    if (failed < 0 || arena_copy(call->memory, buf_slice(out), &ret->text) < 0)
        return sql_fail_memory(call->error);
    return 0;
}

static int roman(const struct number_format *f, bool lower, bool number, int64_t value,
                 struct buf *out) {
    static const struct {
        int64_t worth;
        const char *text;
    } steps[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"},
                 {90, "XC"},  {50, "L"},   {40, "XL"}, {10, "X"},   {9, "IX"},
                 {5, "V"},    {4, "IV"},   {1, "I"}};
    char text[ROMAN_WIDTH + 1];
    size_t len = 0;
    bool fits = number && value > 0 && value < 4000;
    for (size_t i = 0; fits && i < array_count(steps); i++)
        for (; value >= steps[i].worth; value -= steps[i].worth)
            for (const char *c = steps[i].text; *c; c++)
                text[len++] = lower ? (char)(*c + 32) : *c;
    for (; !fits && len < ROMAN_WIDTH; len++)
        text[len] = '#';
    int rc = 0;
    for (size_t i = len; rc == 0 && i < ROMAN_WIDTH && !FORMAT_HAS(f, FORMAT_FILL); i++)
        rc = buf_append_byte(out, ' ');
    return rc < 0 ? rc : buf_append(out, slice_make(text, len));
}

/* The digits of TEXT ("-12.50") put into the pattern. */
static int fill(struct sql_call *call, const struct number_format *f, slice text, struct buf *out) {
    struct format_digits d = {.negative = text.len > 0 && text.ptr[0] == '-'};
    if (d.negative)
        text = slice_skip(text, 1);
    d.integer = slice_cut(text, '.', &d.fraction);
    size_t room = (size_t)f->before + f->behind + f->shift;
    char *digits = arena_alloc(call->memory, room);
    if (!digits)
        return -ENOMEM;
    memset(digits, '0', room);
    if (d.integer.len > f->before + f->shift) {
        d.overflow = true;
        memset(digits, '#', room);
        d.integer = slice_make(digits + f->behind, f->before + f->shift);
        d.fraction = slice_make(digits, f->behind);
    } else if (d.fraction.len < f->behind) {
        if (d.fraction.len)
            memcpy(digits, d.fraction.ptr, d.fraction.len);
        d.fraction = slice_make(digits, f->behind);
    }
    return number_format_write(f, &d, out);
}

static int read_pattern(struct sql_call *call, slice pattern, struct number_format *ret) {
    return number_format_read(pattern, call->memory, ret, call->error);
}

/* Of ROMAN the letters' case. */
static bool roman_lower(const struct number_format *f) {
    for (unsigned i = 0; i < f->elements; i++)
        if (f->element[i].kind == FORMAT_ROMAN)
            return f->element[i].lower;
    return false;
}

static int put_exponent(const struct number_format *f, double value, struct buf *out) {
    if (isnan(value) || isinf(value)) {
        int rc = buf_append_byte(out, ' ');
        for (unsigned i = 0; rc == 0 && i < f->before + f->behind + 5; i++)
            rc = buf_append_byte(out, i == f->before ? '.' : '#');
        return rc;
    }
    return buf_printf(out, "% .*e", (int)f->behind, value);
}

/* d.ddde+XX of a numeric: its first digit before the point, then rounded, which may make it 10. */
static int put_decimal_exponent(struct sql_call *call, const struct number_format *f,
                                struct sql_numeric n, struct buf *out) {
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    int rc = sql_numeric_print(n, &text);
    if (rc < 0)
        return rc;
    slice fraction;
    slice digits = buf_slice(&text);
    bool negative = digits.ptr[0] == '-';
    slice integer = slice_cut(slice_skip(digits, negative), '.', &fraction);
    int exponent = (int)integer.len - 1;
    if (slice_equal(integer, slice_lit("0"))) {
        size_t zeros = 0;
        while (zeros < fraction.len && fraction.ptr[zeros] == '0')
            zeros++;
        exponent = zeros < fraction.len ? -(int)zeros - 1 : 0;
    }
    char power[16];
    int len = snprintf(power, sizeof power, "1e%d", -exponent);
    struct sql_numeric factor;
    rc = sql_numeric_parse(slice_make(power, (size_t)len), call->memory, &factor);
    if (rc == 0)
        rc = sql_numeric_multiply(n, factor, call->memory, &n);
    if (rc == 0)
        rc = sql_numeric_round(n, (int)f->behind, call->memory, &n);
    if (rc == 0 && !negative)
        rc = buf_append_byte(out, ' ');
    if (rc == 0)
        rc = sql_numeric_print(n, out);
    return rc < 0 ? rc : buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

/* Rounded to the pattern's fraction; V multiplies first. */
static int decimal_text(struct sql_call *call, const struct number_format *f, struct sql_numeric n,
                        struct buf *out) {
    int rc = 0;
    if (f->shift > 0) {
        struct sql_numeric factor;
        rc = sql_numeric_power(sql_numeric_small(10, 0), sql_numeric_small(f->shift, 0),
                               call->memory, &factor);
        if (rc == 0)
            rc = sql_numeric_multiply(n, factor, call->memory, &n);
    }
    if (rc == 0)
        rc = sql_numeric_round(n, f->shift ? 0 : (int)f->behind, call->memory, &n);
    return rc < 0 ? rc : sql_numeric_print(n, out);
}

static int number_to_char(struct sql_call *call, struct sql_numeric n, slice pattern,
                          union sql_cell *ret) {
    struct number_format f;
    int rc = read_pattern(call, pattern, &f);
    if (rc < 0)
        return rc;
    _cleanup_buf_ struct buf out = buf_make((size_t)1 << 20);
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    if (FORMAT_HAS(&f, FORMAT_ROMAN)) {
        int64_t value = 0;
        bool number = sql_numeric_to_int(n, &value) == 0;
        return told(call, roman(&f, roman_lower(&f), number, value, &out), &out, ret);
    }
    if (FORMAT_HAS(&f, FORMAT_EXPONENT)) {
        rc = n.kind > SQL_NUMERIC_BIG ? put_exponent(&f, (double)NAN, &out)
                                      : put_decimal_exponent(call, &f, n, &out);
        return told(call, rc, &out, ret);
    }
    rc = decimal_text(call, &f, n, &text);
    if (rc == 0)
        rc = fill(call, &f, buf_slice(&text), &out);
    return told(call, rc, &out, ret);
}

static int numeric_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return number_to_char(call, a[0].numeric, a[1].text, ret);
}

/* An int4's exponent is written as a float's. */
static int int_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct number_format f;
    int failed = read_pattern(call, a[1].text, &f);
    if (failed < 0)
        return failed;
    if (call->types[0].oid == SQL_INT4 && FORMAT_HAS(&f, FORMAT_EXPONENT) &&
        !FORMAT_HAS(&f, FORMAT_ROMAN)) {
        _cleanup_buf_ struct buf out = buf_make((size_t)1 << 20);
        return told(call, put_exponent(&f, (double)a[0].i, &out), &out, ret);
    }
    struct sql_numeric n;
    int rc = sql_numeric_from_int(a[0].i, call->memory, &n);
    return rc < 0 ? number_failed(call, rc) : number_to_char(call, n, a[1].text, ret);
}

static int float_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct number_format f;
    int rc = read_pattern(call, a[1].text, &f);
    if (rc < 0)
        return rc;
    double value = a[0].f;
    _cleanup_buf_ struct buf out = buf_make((size_t)1 << 20);
    if (FORMAT_HAS(&f, FORMAT_ROMAN)) {
        bool number = value > -1e9 && value < 1e9;
        int64_t whole = number ? llrint(value) : 0;
        return told(call, roman(&f, roman_lower(&f), number, whole, &out), &out, ret);
    }
    if (FORMAT_HAS(&f, FORMAT_EXPONENT))
        return told(call, put_exponent(&f, value, &out), &out, ret);
    value *= pow(10, f.shift);
    int held = call->types[0].oid == SQL_FLOAT4 ? 6 : 15;
    char text[512];
    int digits = snprintf(text, sizeof text, "%.0f", fabs(value));
    int behind = (int)f.behind;
    if (digits >= held)
        behind = 0;
    else if (digits + behind > held)
        behind = held - digits;
    int len = snprintf(text, sizeof text, "%.*f", behind, value);
    f.behind = f.behind > (unsigned)behind ? (unsigned)behind : f.behind;
    return told(call, fill(call, &f, slice_make(text, (size_t)len), &out), &out, ret);
}

static int to_number(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct number_format f;
    int rc = read_pattern(call, a[1].text, &f);
    if (rc < 0)
        return rc;
    if (FORMAT_HAS(&f, FORMAT_ROMAN))
        return sql_fail(call->error, "0A000", "\"RN\" not supported for input");
    if (FORMAT_HAS(&f, FORMAT_EXPONENT))
        return sql_fail(call->error, "0A000", "\"EEEE\" not supported for input");
    if (f.before + f.shift + f.behind > SQL_NUMERIC_PRECISION_MAX)
        return sql_fail(call->error, "22023", "a pattern of more than %d digits",
                        SQL_NUMERIC_PRECISION_MAX);
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    rc = number_format_parse(&f, a[0].text, &text);
    struct sql_numeric n;
    if (rc == 0)
        rc = sql_numeric_parse(buf_slice(&text), call->memory, &n);
    if (rc == -EINVAL)
        return sql_fail(call->error, "22P02", "invalid input syntax for type numeric: \" \"");
    if (rc < 0)
        return number_failed(call, rc);
    /* As many digits as the pattern has, before and behind the point. */
    int32_t digits = (int32_t)(f.before + f.shift + f.behind);
    rc = sql_numeric_fit(n, (digits << 16 | (int32_t)f.behind) + 4, call->memory, &n, call->error);
    if (rc < 0)
        return rc;
    if (f.shift > 0) {
        struct sql_numeric factor;
        rc = sql_numeric_power(sql_numeric_small(10, 0), sql_numeric_small(-(int64_t)f.shift, 0),
                               call->memory, &factor);
        if (rc == 0)
            rc = sql_numeric_multiply(n, factor, call->memory, &n);
    }
    ret->numeric = n;
    return number_failed(call, rc);
}

const struct sql_function sql_functions_number_text[] = {
    SQL_ROW("to_char", numeric_to_char, SQL_TEXT, SQL_NUMERIC, SQL_TEXT),
    SQL_ROW("to_char", int_to_char, SQL_TEXT, SQL_INT4, SQL_TEXT),
    SQL_ROW("to_char", int_to_char, SQL_TEXT, SQL_INT8, SQL_TEXT),
    SQL_ROW("to_char", float_to_char, SQL_TEXT, SQL_FLOAT4, SQL_TEXT),
    SQL_ROW("to_char", float_to_char, SQL_TEXT, SQL_FLOAT8, SQL_TEXT),
    SQL_ROW("to_number", to_number, SQL_NUMERIC, SQL_TEXT, SQL_TEXT),
    {.name = NULL},
};
