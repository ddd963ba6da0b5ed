/*
 * template_read.c - items of a template take their fields from a text, one after the other.
 *
 * A number takes as many digits as its pattern has letters, unless something that is no digit must
 * follow it (a separator, a name, the end) or FM was written: then it takes all there are.
 */
#include "sql/time/template_read.h"

#include <errno.h>
#include <limits.h>

struct reader {
    struct sql_call *call;
    const struct template *t;
    const struct template_item *item; /* under way */
    slice rest;
    const char *start; /* of the text */
    bool exact;        /* FX */
    int skipped;       /* characters passed that the template did not ask for; may be negative */
    struct template_fields *fields;
};

static void skip_spaces(struct reader *r) {
    while (r->rest.len > 0 && time_is_space(r->rest.ptr[0])) {
        r->rest = slice_skip(r->rest, 1);
        r->skipped++;
    }
}

static void skip_character(struct reader *r) {
    r->rest = slice_skip(r->rest, template_character_bytes(r->rest));
}

static int fail_value(struct reader *r, slice value, const char *detail) {
    slice name = template_name(r->item->pattern);
    sql_fail(r->call->error, "22007", "invalid value \"%.*s\" for \"%.*s\"", slice_fmt(value),
             slice_fmt(name));
    sql_error_detail(r->call->error, "%s", detail);
    return -EINVAL;
}

static int set(struct reader *r, int32_t *field, int32_t value) {
    if (*field != 0 && *field != value) {
        slice name = template_name(r->item->pattern);
        sql_fail(r->call->error, "22007",
                 "conflicting values for \"%.*s\" field in formatting string", slice_fmt(name));
        sql_error_detail(r->call->error,
                         "This value contradicts a previous setting for the same field type.");
        return -EINVAL;
    }
    *field = value;
    return 0;
}

/* No digit can follow the number of the item under way. */
static bool ends_with_item(const struct reader *r) {
    const struct template_item *next = r->item + 1;
    if ((r->item->flags & TEMPLATE_TH) || next == r->t->items + r->t->count)
        return true;
    if (next->kind == ITEM_PATTERN)
        return !next->pattern->number;
    return next->len != 1 || !time_is_digit(next->bytes[0]);
}

static int fail_width(struct reader *r, slice copy, size_t used, size_t len) {
    slice name = template_name(r->item->pattern);
    bool shorter = copy.len < len;
    if (shorter)
        sql_fail(r->call->error, "22007", "source string too short for \"%.*s\" formatting field",
                 slice_fmt(name));
    else
        sql_fail(r->call->error, "22007", "invalid value \"%.*s\" for \"%.*s\"", slice_fmt(copy),
                 slice_fmt(name));
    sql_error_detail(r->call->error,
                     shorter ? "Field requires %zu characters, but only %zu remain."
                             : "Field requires %zu characters, but only %zu could be parsed.",
                     len, shorter ? copy.len : used);
    sql_error_hint(r->call->error,
                   "If your source string is not fixed-width, try using the \"FM\" modifier.");
    return -EINVAL;
}

/* As strtol(): blanks, a sign, digits. Returns how many bytes it took; 0: no number. */
static size_t parse_number(slice text, int64_t *ret) {
    size_t at = 0, digits;
    int64_t number = 0;
    while (at < text.len && time_is_space(text.ptr[at]))
        at++;
    bool negative = at < text.len && text.ptr[at] == '-';
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        at++;
    for (digits = 0; at < text.len && time_is_digit(text.ptr[at]); at++, digits++)
        if (number <= INT32_MAX)
            number = number * 10 + (text.ptr[at] - '0');
    *ret = negative ? -number : number;
    return digits ? at : 0;
}

/* A number into FIELD (NULL: it does not count). RET_USED: the bytes it had; may be NULL. */
static int take_number(struct reader *r, size_t len, int32_t *field, size_t *ret_used) {
    int64_t number;
    while (r->rest.len > 0 && time_is_space(r->rest.ptr[0]))
        r->rest = slice_skip(r->rest, 1);
    slice copy = slice_take(r->rest, len);
    size_t used;
    if ((r->item->flags & TEMPLATE_FILL) || ends_with_item(r)) {
        used = parse_number(r->rest, &number);
    } else {
        used = parse_number(copy, &number);
        if (copy.len < len || (used > 0 && used < len))
            return fail_width(r, copy, used, len);
    }
    if (used == 0)
        return fail_value(r, copy, "Value must be an integer.");
    if (number > INT32_MAX || number < INT32_MIN) {
        slice name = template_name(r->item->pattern);
        sql_fail(r->call->error, "22008", "value for \"%.*s\" in source string is out of range",
                 slice_fmt(name));
        sql_error_detail(r->call->error, "Value must be in the range %d to %d.", INT_MIN, INT_MAX);
        return -EINVAL;
    }
    r->rest = slice_skip(r->rest, used);
    if (ret_used)
        *ret_used = used;
    return field ? set(r, field, (int32_t)number) : 0;
}

static bool starts_nocase(slice text, slice word) {
    return text.len >= word.len && slice_equal_nocase(slice_take(text, word.len), word);
}

/* The first of WORDS that the text begins with, in any case; the index to RET. */
static int take_word(struct reader *r, const char *const *words, int count, size_t cut, int *ret) {
    for (int i = 0; i < count; i++) {
        slice word = slice_str(words[i]);
        if (cut && word.len > cut)
            word.len = cut;
        if (starts_nocase(r->rest, word)) {
            r->rest = slice_skip(r->rest, word.len);
            *ret = i;
            return 0;
        }
    }
    slice first = r->rest;
    for (size_t i = 0; i < first.len; i++) {
        if (time_is_space(first.ptr[i])) {
            first.len = i;
            break;
        }
    }
    return fail_value(r, first,
                      "The given value did not match any of the allowed values for this field.");
}

static const char *const halves[] = {"am", "pm"};
static const char *const halves_dots[] = {"a.m.", "p.m."};
static const char *const eras[] = {"ad", "bc"};
static const char *const eras_dots[] = {"a.d.", "b.c."};
static const char *const romans[] = {"XII", "XI", "X",  "IX",  "VIII", "VII",
                                     "VI",  "V",  "IV", "III", "II",   "I"};

static int read_name(struct reader *r) {
    struct template_fields *f = r->fields;
    enum template_code code = r->item->pattern->code;
    int which = 0, failed;
    switch (code) {
    case CODE_AM:
    case CODE_AM_DOTS:
        failed = take_word(r, code == CODE_AM ? halves : halves_dots, 2, 0, &which);
        if (!failed)
            failed = set(r, &f->half, which + 1);
        f->half_day = true;
        f->afternoon = f->half == 2;
        return failed;
    case CODE_BC:
    case CODE_BC_DOTS:
        failed = take_word(r, code == CODE_BC ? eras : eras_dots, 2, 0, &which);
        if (!failed)
            failed = set(r, &f->era, which + 1);
        f->before_christ = f->era == 2;
        return failed;
    case CODE_MONTH_NAME:
    case CODE_MONTH_SHORT:
        failed = take_word(r, template_months, 12, code == CODE_MONTH_SHORT ? 3 : 0, &which);
        return failed ? failed : set(r, &f->month, which + 1);
    case CODE_DAY:
    case CODE_DAY_SHORT:
        failed = take_word(r, template_days, 7, code == CODE_DAY_SHORT ? 3 : 0, &which);
        return failed ? failed : set(r, &f->weekday, which + 1);
    case CODE_ROMAN:
        failed = take_word(r, romans, 12, 0, &which);
        return failed ? failed : set(r, &f->month, 12 - which);
    default:
        return sql_fail(r->call->error, "0A000",
                        "formatting field \"%.*s\" is only supported in to_char",
                        slice_fmt(template_name(r->item->pattern)));
    }
}

/* Fewer than four digits of a year are taken near 2020. */
static int32_t whole_year(int32_t year) {
    if (year < 70)
        return year + 2000;
    if (year < 100)
        return year + 1900;
    if (year < 520)
        return year + 2000;
    return year < 1000 ? year + 1000 : year;
}

static int read_year(struct reader *r) {
    struct template_fields *f = r->fields;
    size_t used;
    int digits = r->item->pattern->digits;
    int failed = take_number(r, (size_t)digits, &f->year, &used);
    if (failed)
        return failed;
    if (digits < 4 && used < 4)
        f->year = whole_year(f->year);
    f->year_digits = digits;
    return 0;
}

/* "2,024" */
static int read_year_comma(struct reader *r) {
    int64_t thousands, rest;
    size_t used = parse_number(r->rest, &thousands), more = 0;
    slice behind = slice_skip(r->rest, used);
    if (used > 0 && behind.len > 0 && behind.ptr[0] == ',')
        more = parse_number(slice_take(slice_skip(behind, 1), 3), &rest);
    if (more == 0)
        return sql_fail(r->call->error, "22007", "invalid input string for \"Y,YYY\"");
    int64_t year = thousands * 1000 + rest;
    if (year > INT32_MAX || year < INT32_MIN)
        return sql_fail(r->call->error, "22008",
                        "value for \"Y,YYY\" in source string is out of range");
    r->rest = slice_skip(behind, 1 + more);
    r->fields->year_digits = 4;
    return set(r, &r->fields->year, (int32_t)year);
}

static int read_fraction(struct reader *r) {
    static const int32_t scale[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    enum template_code code = r->item->pattern->code;
    size_t used, width = r->item->pattern->digits;
    int32_t number = 0;
    int failed = take_number(r, width, &number, &used);
    if (failed)
        return failed;
    if (code == CODE_MILLISECOND) {
        number *= used == 1 ? 100 : used == 2 ? 10 : 1;
        return set(r, &r->fields->millisecond, number);
    }
    if (code == CODE_FRACTION)
        r->fields->fraction_digits = (int32_t)width;
    if (used < array_count(scale))
        number *= scale[used];
    return set(r, &r->fields->microsecond, number);
}

static int read_zone_hour(struct reader *r) {
    struct template_fields *f = r->fields;
    char first = r->rest.len ? r->rest.ptr[0] : '\0';
    if (first == '+' || first == '-' || first == ' ') {
        f->zone_sign = first == '-' ? -1 : 1;
        r->rest = slice_skip(r->rest, 1);
    } else { /* the sign may have been taken for a separator */
        bool before = r->skipped > 0 && r->rest.ptr > r->start && r->rest.ptr[-1] == '-';
        f->zone_sign = before ? -1 : 1;
    }
    return take_number(r, 2, &f->zone_hour, NULL);
}

/* The field of a pattern that is a number as wide as its name; NULL: it is none. */
static int32_t *number_field(struct template_fields *f, enum template_code code) {
    switch (code) {
    case CODE_MINUTE:
        return &f->minute;
    case CODE_SECOND:
        return &f->second;
    case CODE_SECOND_OF_DAY:
        return &f->second_of_day;
    case CODE_MONTH:
        return &f->month;
    case CODE_DAY_OF_MONTH:
        return &f->day;
    case CODE_DAY_OF_YEAR:
        return &f->day_of_year;
    case CODE_DAY_OF_WEEK:
        return &f->weekday;
    case CODE_WEEK:
    case CODE_ISO_WEEK:
        return &f->week;
    case CODE_WEEK_OF_MONTH:
        return &f->week_of_month;
    case CODE_CENTURY:
        return &f->century;
    case CODE_JULIAN:
        return &f->julian;
    default:
        return NULL;
    }
}

static int read_field(struct reader *r) {
    const struct template_pattern *p = r->item->pattern;
    struct template_fields *f = r->fields;
    size_t width = template_name(p).len;
    int32_t day = 0;
    switch (p->code) {
    case CODE_EXACT:
        r->exact = true;
        return 0;
    case CODE_HOUR12:
        f->half_day = true;
        return take_number(r, 2, &f->hour, NULL);
    case CODE_HOUR24:
        return take_number(r, 2, &f->hour, NULL);
    case CODE_ZONE_HOUR:
        return read_zone_hour(r);
    case CODE_ZONE_MINUTE:
        f->zone_sign = f->zone_sign ? f->zone_sign : 1;
        return take_number(r, 2, &f->zone_minute, NULL);
    case CODE_ISO_DAY_OF_WEEK: /* Monday is 1 there, 2 here */
        if (take_number(r, 1, &day, NULL) != 0)
            return -EINVAL;
        return set(r, &f->weekday, day >= 7 ? 1 : day + 1);
    case CODE_ISO_DAY_OF_YEAR:
        return take_number(r, 3, &f->day_of_year, NULL);
    case CODE_QUARTER: /* says nothing of the day */
        return take_number(r, width, NULL, NULL);
    case CODE_YEAR_COMMA:
        return read_year_comma(r);
    case CODE_YEAR:
    case CODE_ISO_YEAR:
        return read_year(r);
    case CODE_MILLISECOND:
    case CODE_MICROSECOND:
    case CODE_FRACTION:
        return read_fraction(r);
    default:
        break;
    }
    int32_t *field = number_field(f, p->code);
    return field ? take_number(r, width, field, NULL) : read_name(r);
}

static int set_calendar(struct reader *r) {
    enum template_calendar calendar = r->item->pattern->calendar;
    if (calendar == CALENDAR_ANY)
        return 0;
    if (r->fields->calendar != CALENDAR_ANY && r->fields->calendar != calendar) {
        sql_fail(r->call->error, "22007", "invalid combination of date conventions");
        sql_error_hint(r->call->error, "Do not mix Gregorian and ISO week date conventions in a "
                                       "formatting template.");
        return -EINVAL;
    }
    r->fields->calendar = calendar;
    return 0;
}

/* An item that is no pattern. */
static void pass_character(struct reader *r) {
    if (r->exact) {
        skip_character(r);
    } else if (r->item->kind != ITEM_CHAR) {
        r->skipped--;
        char next = r->rest.ptr[0];
        if (time_is_space(next) || template_is_separator(next)) {
            r->rest = slice_skip(r->rest, 1);
            r->skipped++;
        }
    } else if (r->skipped > 0) {
        r->skipped--;
    } else {
        skip_character(r);
    }
}

static int read_item(struct reader *r) {
    int failed = set_calendar(r);
    if (!failed)
        failed = read_field(r);
    if (failed)
        return failed;
    const struct template_pattern *p = r->item->pattern;
    bool ordinal = p->number && p->code != CODE_ZONE_MINUTE && r->item->flags & TEMPLATE_TH;
    if (ordinal && r->rest.len > 0) { /* "st", whatever it says */
        skip_character(r);
        skip_character(r);
    }
    if (!r->exact) {
        r->skipped = 0;
        skip_spaces(r);
    }
    return 0;
}

int template_read(struct sql_call *call, const struct template *t, slice text,
                  struct template_fields *ret) {
    struct reader r = {.call = call, .t = t, .rest = text, .start = text.ptr, .fields = ret};
    for (unsigned i = 0; i < t->count && r.rest.len > 0; i++) {
        r.item = &t->items[i];
        bool pattern = r.item->kind == ITEM_PATTERN;
        bool exact = r.exact || (pattern && r.item->pattern->code == CODE_EXACT);
        if (!exact && (pattern || i == 0))
            skip_spaces(&r);
        int failed = 0;
        if (pattern)
            failed = read_item(&r);
        else if (r.rest.len > 0)
            pass_character(&r);
        if (failed)
            return failed;
    }
    return 0;
}
