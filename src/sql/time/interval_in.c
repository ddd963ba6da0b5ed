/*
 * interval_in.c - intervals from text.
 *
 *      1 day 02:03:04.5     1 mon -2 days     3 weeks ago     1-2 3 4:05     P1Y2M3DT4H5M6.7S
 *
 * The fields are read from the last to the first, because a unit follows its number. A number
 * without a unit takes the lowest field of the typmod (INTERVAL '3' DAY), else seconds; before a
 * time or hours it is days. Fractions go down: of years to months, of months to days (30 to the
 * month) and time, of all others to time.
 */
#include "sql/time/calendar.h"
#include "sql/time/time_fields.h"
#include "sql/time/units.h"

#include <math.h>

/* The sums under way: no part of an interval is larger than 64 bits while it is read. */
struct sums {
    int64_t us, days, months;
    bool overflow;
};

static void sum(struct sums *s, int64_t *part, int64_t value, int64_t scale) {
    int64_t scaled;
    s->overflow |= __builtin_mul_overflow(value, scale, &scaled);
    s->overflow |= __builtin_add_overflow(*part, scaled, part);
}

/* FRACTION of a unit of SCALE microseconds. */
static void sum_fraction(struct sums *s, double fraction, int64_t scale) {
    double us = fraction * (double)scale;
    int64_t whole = (int64_t)us;
    us -= (double)whole;
    sum(s, &s->us, whole + (us > 0.5) - (us < -0.5), 1);
}

static void sum_day_fraction(struct sums *s, double fraction, int scale) {
    double days = fraction * scale;
    int64_t whole = (int64_t)days;
    sum(s, &s->days, whole, 1);
    sum_fraction(s, days - (double)whole, SQL_US_PER_DAY);
}

static void sum_years(struct sums *s, int64_t value, double fraction, int64_t years) {
    sum(s, &s->months, value, 12 * years);
    sum(s, &s->months, (int64_t)rint(fraction * (double)years * 12), 1);
}

static bool sum_unit(struct sums *s, enum time_unit unit, int64_t value, double fraction) {
    static const int64_t years[] = {1, 10, 100, 1000};
    if (unit == UNIT_NONE || unit == UNIT_QUARTER || unit > UNIT_MILLENNIUM)
        return false;
    switch (unit) {
    case UNIT_DAY:
        sum(s, &s->days, value, 1);
        sum_fraction(s, fraction, SQL_US_PER_DAY);
        break;
    case UNIT_WEEK:
        sum(s, &s->days, value, 7);
        sum_day_fraction(s, fraction, 7);
        break;
    case UNIT_MONTH:
        sum(s, &s->months, value, 1);
        sum_day_fraction(s, fraction, SQL_DAYS_PER_MONTH);
        break;
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
        sum_years(s, value, fraction, years[unit - UNIT_YEAR]);
        break;
    default:
        sum(s, &s->us, value, time_unit_us[unit]);
        sum_fraction(s, fraction, time_unit_us[unit]);
    }
    return true;
}

/* "[-+]12" from the front. */
static bool take_number(slice *text, int64_t *ret, bool *ret_negative, bool *overflow) {
    int64_t number;
    *ret_negative = text->len && text->ptr[0] == '-';
    if (text->len && (text->ptr[0] == '-' || text->ptr[0] == '+'))
        *text = slice_skip(*text, 1);
    bool any = time_take_digits(text, &number, overflow);
    *ret = *ret_negative ? -number : number;
    return any;
}

/* ".5" from the front, the sign of its number to be put. */
static double take_fraction(slice *text) {
    double number = 0, scale = 1;
    size_t len = 1;
    for (; len < text->len && time_is_digit(text->ptr[len]); len++) {
        if (len <= 15) {
            number = number * 10 + (text->ptr[len] - '0');
            scale *= 10;
        }
    }
    *text = slice_skip(*text, len);
    return number / scale;
}

struct reading {
    struct sums sums;
    enum time_unit unit; /* of the number before */
    unsigned seen;       /* 1 << enum time_unit */
    int fields;          /* of the typmod */
};

/* The unit of a bare number. */
static enum time_unit default_unit(int fields) {
    if (fields == SQL_INTERVAL_ALL || (fields & SQL_INTERVAL_SECOND))
        return UNIT_SECOND;
    if (fields & SQL_INTERVAL_MINUTE)
        return UNIT_MINUTE;
    if (fields & SQL_INTERVAL_HOUR)
        return UNIT_HOUR;
    if (fields & SQL_INTERVAL_DAY)
        return UNIT_DAY;
    return fields & SQL_INTERVAL_MONTH ? UNIT_MONTH : UNIT_YEAR;
}

static enum time_wrong see(struct reading *r, unsigned units) {
    if (r->seen & units)
        return TIME_WRONG_FORM;
    r->seen |= units;
    return 0;
}

static enum time_wrong read_clock(struct reading *r, slice text, bool negative) {
    struct time_of_day t;
    bool minutes = r->fields == (SQL_INTERVAL_MINUTE | SQL_INTERVAL_SECOND);
    enum time_wrong wrong = time_clock(text, minutes, &t);
    if (wrong)
        return wrong;
    int sign = negative ? -1 : 1;
    sum(&r->sums, &r->sums.us, t.hour * sign, SQL_US_PER_HOUR);
    sum(&r->sums, &r->sums.us, t.minute * sign, SQL_US_PER_MINUTE);
    sum(&r->sums, &r->sums.us, t.second * sign, SQL_US_PER_SECOND);
    sum(&r->sums, &r->sums.us, t.us * sign, 1);
    r->unit = UNIT_DAY;
    return see(r, 1u << UNIT_HOUR | 1u << UNIT_MINUTE | 1u << UNIT_SECOND);
}

static enum time_wrong read_number(struct reading *r, slice text) {
    int64_t value, months;
    double fraction = 0;
    bool negative, months_negative, overflow = false;
    bool digits = take_number(&text, &value, &negative, &overflow);
    enum time_unit unit = r->unit ? r->unit : default_unit(r->fields);
    if (digits && text.len > 0 && text.ptr[0] == '-') { /* "years-months" */
        text = slice_skip(text, 1);
        if (!take_number(&text, &months, &months_negative, &overflow) || text.len > 0)
            return TIME_WRONG_FORM;
        if (overflow || months_negative || months >= 12)
            return TIME_WRONG_RANGE;
        unit = UNIT_MONTH;
        overflow = __builtin_mul_overflow(value, 12, &value) ||
                   __builtin_add_overflow(value, negative ? -months : months, &value);
    } else if (text.len > 0 && text.ptr[0] == '.') {
        fraction = take_fraction(&text);
        fraction = negative ? -fraction : fraction;
    } else if (!digits) {
        return TIME_WRONG_FORM;
    }
    if (text.len > 0)
        return TIME_WRONG_FORM;
    if (overflow)
        return TIME_WRONG_RANGE;
    if (!sum_unit(&r->sums, unit, value, fraction))
        return TIME_WRONG_FORM;
    r->unit = unit == UNIT_HOUR ? UNIT_DAY : unit;
    unsigned seen = 1u << unit;
    if (unit == UNIT_SECOND && fraction != 0)
        seen |= 1u << UNIT_MILLISECOND | 1u << UNIT_MICROSECOND;
    return see(r, seen);
}

static enum time_wrong read_word(struct reading *r, slice word, bool *ago) {
    enum time_unit unit = time_unit_named(word);
    if (unit == UNIT_NONE)
        return TIME_WRONG_FORM;
    if (unit == UNIT_AGO) {
        *ago = true;
        return 0;
    }
    r->unit = unit;
    return 0;
}

static enum time_wrong read_fields(const struct time_fields *fields, struct reading *r) {
    enum time_wrong wrong = 0;
    bool ago = false;
    for (unsigned i = fields->count; i-- > 0 && !wrong;) {
        slice text = fields->field[i].text;
        switch (fields->field[i].kind) {
        case TIME_FIELD_TIME:
            wrong = read_clock(r, text, false);
            break;
        case TIME_FIELD_SIGNED:
            if (slice_find(text, ':') >= 0)
                wrong = read_clock(r, slice_skip(text, 1), text.ptr[0] == '-');
            else
                wrong = read_number(r, text);
            break;
        case TIME_FIELD_NUMBER:
        case TIME_FIELD_DATE:
            wrong = read_number(r, text);
            break;
        case TIME_FIELD_WORD:
            wrong = read_word(r, text, &ago);
            break;
        }
    }
    if (!wrong && r->seen == 0)
        wrong = TIME_WRONG_FORM;
    if (ago) {
        struct sums *s = &r->sums;
        s->overflow |= __builtin_sub_overflow(0, s->us, &s->us);
        s->days = -s->days; /* beyond 32 bits either way is out of range later */
        s->months = -s->months;
    }
    return wrong;
}

/* --- ISO 8601 -----------------------------------------------------------------------------------
 */

static enum time_unit designator(char letter, bool time) {
    switch (letter) {
    case 'Y':
        return time ? UNIT_NONE : UNIT_YEAR;
    case 'M':
        return time ? UNIT_MINUTE : UNIT_MONTH;
    case 'W':
        return time ? UNIT_NONE : UNIT_WEEK;
    case 'D':
        return time ? UNIT_NONE : UNIT_DAY;
    case 'H':
        return time ? UNIT_HOUR : UNIT_NONE;
    case 'S':
        return time ? UNIT_SECOND : UNIT_NONE;
    default:
        return UNIT_NONE;
    }
}

/* "00010203" and "040506" without separators; DIGITS long. false: it is no such number. */
static bool sum_run(struct sums *s, int64_t value, size_t digits, bool time) {
    if (digits != (time ? 6 : 8))
        return false;
    sum_unit(s, time ? UNIT_HOUR : UNIT_YEAR, value / 10000, 0);
    sum_unit(s, time ? UNIT_MINUTE : UNIT_MONTH, value / 100 % 100, 0);
    sum_unit(s, time ? UNIT_SECOND : UNIT_DAY, value % 100, 0);
    return true;
}

/* "0001-02-03T04:05:06": the form without letters, from the date's or the time's first number. */
static enum time_wrong read_iso_columns(struct sums *s, slice text, bool time) {
    static const enum time_unit units[2][3] = {{UNIT_YEAR, UNIT_MONTH, UNIT_DAY},
                                               {UNIT_HOUR, UNIT_MINUTE, UNIT_SECOND}};
    bool negative, overflow = false;
    int place = 0;
    while (text.len > 0) {
        int64_t value;
        double fraction = 0;
        if (text.ptr[0] == 'T' && !time) {
            text = slice_skip(text, 1);
            time = true;
            place = 0;
            continue;
        }
        if (place > 2 || (place > 0 && text.ptr[0] != (time ? ':' : '-')))
            return TIME_WRONG_FORM;
        text = slice_skip(text, place > 0);
        size_t digits = text.len;
        if (!take_number(&text, &value, &negative, &overflow))
            return TIME_WRONG_FORM;
        digits -= text.len + negative;
        if (text.len > 0 && text.ptr[0] == '.')
            fraction = take_fraction(&text);
        bool last = text.len == 0 || (text.ptr[0] == 'T' && !time);
        if (place == 0 && last && sum_run(s, value, digits, time))
            place = 3;
        else
            sum_unit(s, units[time][place++], value, negative ? -fraction : fraction);
    }
    return overflow ? TIME_WRONG_RANGE : 0;
}

static enum time_wrong read_iso(struct sums *s, slice text) {
    bool time = false, lettered = false, negative, overflow = false;
    while (text.len > 0) {
        slice start = text;
        int64_t value;
        double fraction = 0;
        if (text.ptr[0] == 'T' && !time) {
            time = true;
            lettered = false;
            text = slice_skip(text, 1);
            continue;
        }
        if (!take_number(&text, &value, &negative, &overflow))
            return TIME_WRONG_FORM;
        if (text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == ','))
            fraction = take_fraction(&text);
        char after = text.len ? text.ptr[0] : 'T';
        if (!lettered && (after == 'T' || after == (time ? ':' : '-')))
            return read_iso_columns(s, start, time);
        if (text.len == 0 ||
            !sum_unit(s, designator(after, time), value, negative ? -fraction : fraction))
            return TIME_WRONG_FORM;
        text = slice_skip(text, 1);
        lettered = true;
    }
    return overflow ? TIME_WRONG_RANGE : 0;
}

int sql_interval_in(slice text, int32_t typmod, struct sql_interval *ret, struct sql_error *error) {
    struct time_fields fields;
    struct reading r = {.fields = typmod < 0 ? SQL_INTERVAL_ALL : typmod >> 16 & 0x7fff};
    enum time_wrong wrong = TIME_WRONG_FORM;
    if (time_fields_cut(text, &fields))
        wrong = read_fields(&fields, &r);
    if (wrong == TIME_WRONG_FORM && text.len > 1 && text.ptr[0] == 'P') {
        r.sums = (struct sums){0};
        wrong = read_iso(&r.sums, slice_skip(text, 1));
    }
    if (wrong == TIME_WRONG_RANGE || (!wrong && r.sums.overflow))
        wrong = TIME_WRONG_INTERVAL;
    if (wrong)
        return time_fail(error, wrong, "interval", text, text);
    struct sums *s = &r.sums;
    if (s->months > INT32_MAX || s->months < INT32_MIN)
        return sql_fail(error, "22008", "interval out of range");
    if (s->days > INT32_MAX || s->days < INT32_MIN)
        return time_fail(error, TIME_WRONG_INTERVAL, "interval", text, text);
    *ret = (struct sql_interval){s->us, (int32_t)s->days, (int32_t)s->months};
    sql_interval_adjust(ret, typmod);
    return 0;
}
