/*
 * to_char.c - timestamps and intervals as a template says.
 *
 * The parts are taken apart once a value; each item writes what it shows into room that the
 * template knows to be enough. An interval has no weekday, no zone and no era, but months and days
 * of its own, which may be negative: a number is then one column wider, but for days.
 */
#include "sql/lists.h"
#include "sql/time/arithmetic.h"
#include "sql/time/template.h"

#include <errno.h>
#include <stdlib.h>

#define STACK_BYTES 512u /* output that needs no second look at the arena */

static const char *const roman[12] = {"I",   "II",   "III", "IV", "V",  "VI",
                                      "VII", "VIII", "IX",  "X",  "XI", "XII"};

struct shown {
    int64_t year, days, hour;
    int month, day, minute, second, us;
    bool interval;
    const struct sql_zone_kind *zone; /* NULL: none */
};

/* printf's "%0*lld". */
static char *put_number(char *at, int64_t number, int width) {
    char digits[24];
    int len = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[len++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0) {
        *at++ = '-';
        width--;
    }
    for (; width > len; width--)
        *at++ = '0';
    while (len > 0)
        *at++ = digits[--len];
    return at;
}

static char *put_ordinal(char *at, const char *start, bool lower) {
    static const char endings[4][2] = {{'T', 'H'}, {'S', 'T'}, {'N', 'D'}, {'R', 'D'}};
    int last = at[-1] - '0';
    bool teen = at - start > 1 && at[-2] == '1';
    int which = teen || last > 3 || last < 0 ? 0 : last;
    for (int i = 0; i < 2; i++)
        *at++ = (char)(endings[which][i] + (lower ? 'a' - 'A' : 0));
    return at;
}

static char *put_styled(char *at, const char *name, size_t len, enum template_style style) {
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool upper = c >= 'A' && c <= 'Z', small = c >= 'a' && c <= 'z';
        if (style == STYLE_UPPER && small)
            c = (char)(c - 'a' + 'A');
        else if (style == STYLE_LOWER && upper)
            c = (char)(c - 'A' + 'a');
        *at++ = c;
    }
    return at;
}

/* NAME padded to WIDTH, if not told otherwise. */
static char *put_name(char *at, const char *name, size_t len, size_t width,
                      const struct template_item *item) {
    char *end = put_styled(at, name, len, item->pattern->style);
    if (!(item->flags & (TEMPLATE_FILL | TEMPLATE_TRANSLATE)))
        while (end < at + width)
            *end++ = ' ';
    return end;
}

static int64_t shown_year(const struct shown *s, int64_t year) {
    return s->interval || year > 0 ? year : 1 - year;
}

static int64_t iso_year(const struct shown *s) {
    int week;
    return shown_year(s, sql_iso_year(s->days, &week));
}

static int iso_week(const struct shown *s) {
    int week;
    sql_iso_year(s->days, &week);
    return week;
}

static int64_t day_of_year(const struct shown *s) {
    if (s->interval)
        return (s->year * 12 + s->month) * SQL_DAYS_PER_MONTH + s->day;
    return sql_day_of_year(s->days, s->year);
}

static int64_t century(const struct shown *s) {
    if (s->interval)
        return s->year / 100;
    return s->year > 0 ? (s->year - 1) / 100 + 1 : s->year / 100 - 1;
}

/* WIDER: the year as such is negative, whatever this calendar makes of it. */
static char *put_year(char *at, int64_t year, int digits, bool fill, bool wider) {
    static const int64_t modulus[] = {1, 10, 100, 1000, 0};
    if (digits < 4)
        year %= modulus[digits];
    return put_number(at, year, fill ? 0 : digits + wider);
}

static int64_t fraction(const struct shown *s, int digits) {
    static const int units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    return s->us / units[digits];
}

/* The number that ITEM shows and its WIDTH; false: it shows no number. */
static bool number_of(const struct shown *s, const struct template_pattern *p, int64_t *ret,
                      int *width) {
    *width = p->digits;
    switch (p->code) {
    case CODE_HOUR12:
        *ret = s->hour % 12 == 0 ? 12 : s->hour % 12;
        return true;
    case CODE_HOUR24:
        *ret = s->hour;
        return true;
    case CODE_MINUTE:
        *ret = s->minute;
        return true;
    case CODE_SECOND:
        *ret = s->second;
        return true;
    case CODE_SECOND_OF_DAY:
        *ret = s->hour * 3600 + s->minute * 60 + s->second;
        return true;
    case CODE_MONTH:
        *ret = s->month;
        return true;
    case CODE_DAY_OF_MONTH:
        *ret = s->day;
        return true;
    case CODE_DAY_OF_YEAR:
        *ret = day_of_year(s);
        return true;
    case CODE_ISO_DAY_OF_YEAR:
        *ret = s->days - sql_iso_year_start(sql_iso_year(s->days, width)) + 1;
        *width = p->digits;
        return true;
    case CODE_DAY_OF_WEEK:
        *ret = sql_weekday(s->days) + 1;
        return true;
    case CODE_ISO_DAY_OF_WEEK:
        *ret = (sql_weekday(s->days) + 6) % 7 + 1;
        return true;
    case CODE_WEEK:
        *ret = (day_of_year(s) - 1) / 7 + 1;
        return true;
    case CODE_ISO_WEEK:
        *ret = iso_week(s);
        return true;
    case CODE_WEEK_OF_MONTH:
        *ret = (s->day - 1) / 7 + 1;
        return true;
    case CODE_QUARTER:
        *ret = (s->month - 1) / 3 + 1;
        return true;
    case CODE_JULIAN:
        *ret = s->days + SQL_JULIAN_EPOCH_DAY;
        return true;
    case CODE_CENTURY:
        *ret = century(s);
        *width = *ret <= 99 && *ret >= -99 ? 2 : 0;
        return true;
    default:
        return false;
    }
}

/* Fractions of a second keep their zeros in fill mode too. */
static bool put_fraction_of(char **at, const struct shown *s, const struct template_pattern *p) {
    int digits = p->code == CODE_MILLISECOND   ? 3
                 : p->code == CODE_MICROSECOND ? 6
                 : p->code == CODE_FRACTION    ? p->digits
                                               : 0;
    if (!digits)
        return false;
    int64_t value = fraction(s, digits);
    *at = put_number(*at, value, digits + (value < 0));
    return true;
}

static bool put_year_of(char **at, const struct shown *s, const struct template_item *item) {
    bool fill = item->flags & TEMPLATE_FILL;
    int64_t year = shown_year(s, s->year);
    switch (item->pattern->code) {
    case CODE_YEAR:
        *at = put_year(*at, year, item->pattern->digits, fill, year < 0);
        return true;
    case CODE_ISO_YEAR:
        *at = put_year(*at, iso_year(s), item->pattern->digits, fill, year < 0);
        return true;
    case CODE_YEAR_COMMA:
        *at = put_number(*at, year / 1000, 0);
        *(*at)++ = ',';
        *at = put_number(*at, year % 1000, 3);
        return true;
    default:
        return false;
    }
}

static char *put_zone(char *at, const struct shown *s, const struct template_item *item) {
    int offset = s->zone ? s->zone->offset : 0, size = abs(offset);
    switch (item->pattern->code) {
    case CODE_ZONE:
        if (!s->zone)
            return at;
        return put_styled(at, s->zone->abbreviation, strlen(s->zone->abbreviation),
                          item->pattern->style == STYLE_LOWER ? STYLE_LOWER : STYLE_CAPITAL);
    case CODE_ZONE_MINUTE:
        return put_number(at, size / 60 % 60, 2);
    default:
        *at++ = offset < 0 ? '-' : '+';
        at =
            put_number(at, size / 3600,
                       item->pattern->code == CODE_OFFSET && (item->flags & TEMPLATE_FILL) ? 0 : 2);
        if (item->pattern->code == CODE_OFFSET && size % 3600) {
            *at++ = ':';
            at = put_number(at, size / 60 % 60, 2);
        }
        return at;
    }
}

static char *put_roman(char *at, const struct shown *s, const struct template_item *item) {
    if (s->month == 0 && s->year == 0)
        return at;
    int month = s->month > 0 ? s->month : s->month + 12; /* of intervals: 0 is the last */
    struct template_item plain = *item;
    plain.flags &= (uint8_t)~TEMPLATE_TRANSLATE;
    return put_name(at, roman[month - 1], strlen(roman[month - 1]), 4, &plain);
}

static char *put_word(char *at, const struct shown *s, const struct template_item *item) {
    const char *name;
    switch (item->pattern->code) {
    case CODE_AM:
        return put_styled(at, s->hour % 24 >= 12 ? "PM" : "AM", 2, item->pattern->style);
    case CODE_AM_DOTS:
        return put_styled(at, s->hour % 24 >= 12 ? "P.M." : "A.M.", 4, item->pattern->style);
    case CODE_BC:
        return put_styled(at, s->year <= 0 ? "BC" : "AD", 2, item->pattern->style);
    case CODE_BC_DOTS:
        return put_styled(at, s->year <= 0 ? "B.C." : "A.D.", 4, item->pattern->style);
    case CODE_MONTH_NAME:
        name = template_months[s->month - 1];
        return put_name(at, name, strlen(name), 9, item);
    case CODE_MONTH_SHORT:
        return put_styled(at, template_months[s->month - 1], 3, item->pattern->style);
    case CODE_DAY:
        name = template_days[sql_weekday(s->days)];
        return put_name(at, name, strlen(name), 9, item);
    case CODE_DAY_SHORT:
        return put_styled(at, template_days[sql_weekday(s->days)], 3, item->pattern->style);
    case CODE_ROMAN:
        return put_roman(at, s, item);
    case CODE_EXACT:
        return at;
    default:
        return put_zone(at, s, item);
    }
}

/* Of an interval these say nothing. */
static bool needs_date(enum template_code code) {
    switch (code) {
    case CODE_BC:
    case CODE_BC_DOTS:
    case CODE_MONTH_NAME:
    case CODE_MONTH_SHORT:
    case CODE_DAY:
    case CODE_DAY_SHORT:
    case CODE_DAY_OF_WEEK:
    case CODE_ISO_DAY_OF_WEEK:
    case CODE_ZONE:
    case CODE_ZONE_HOUR:
    case CODE_ZONE_MINUTE:
    case CODE_OFFSET:
        return true;
    default:
        return false;
    }
}

static char *put_item(char *at, const struct shown *s, const struct template_item *item) {
    const struct template_pattern *p = item->pattern;
    char *start = at;
    int64_t number;
    int width;
    if (s->interval && s->month == 0 && p->code == CODE_QUARTER)
        return at;
    if (number_of(s, p, &number, &width)) {
        bool wider = number < 0 && p->code != CODE_DAY_OF_MONTH && p->code != CODE_DAY_OF_YEAR;
        at = put_number(at, number, item->flags & TEMPLATE_FILL ? 0 : width + wider);
    } else if (!put_fraction_of(&at, s, p) && !put_year_of(&at, s, item))
        return put_word(at, s, item);
    return item->flags & TEMPLATE_TH ? put_ordinal(at, start, item->flags & TEMPLATE_TH_LOWER) : at;
}

static int put_template(struct sql_call *call, const struct template *t, const struct shown *s,
                        slice *ret) {
    char stack[STACK_BYTES], *room = stack;
    if (t->bytes_max > sizeof stack && !(room = arena_alloc(call->memory, t->bytes_max)))
        return sql_fail_memory(call->error);
    char *at = room;
    for (unsigned i = 0; i < t->count; i++) {
        const struct template_item *item = &t->items[i];
        if (item->kind != ITEM_PATTERN) {
            memcpy(at, item->bytes, item->len);
            at += item->len;
        } else if (s->interval && needs_date(item->pattern->code)) {
            sql_fail(call->error, "22007", "invalid format specification for an interval value");
            sql_error_hint(call->error, "Intervals are not tied to specific calendar dates.");
            return -EINVAL;
        } else {
            at = put_item(at, s, item);
        }
    }
    size_t len = (size_t)(at - room);
    check(len <= t->bytes_max);
    *ret = slice_make(room, len);
    if (room == stack && arena_copy(call->memory, *ret, ret) != 0)
        return sql_fail_memory(call->error);
    return 0;
}

static int timestamp_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = a[1].text.len == 0 || sql_infinite(a[0].i);
    if (call->null)
        return 0;
    const struct template *t = template_of(call, a[1].text);
    if (!t)
        return -EINVAL;
    struct sql_moment m;
    struct shown s = {0};
    int64_t local = a[0].i;
    if (call->types[0].oid == SQL_TIMESTAMPTZ) {
        s.zone = sql_zone_at(sql_call_zone(call), local);
        local += s.zone->offset * SQL_US_PER_SECOND;
    }
    sql_moment_split(local, &m);
    s.year = m.date.year;
    s.month = m.date.month;
    s.day = m.date.day;
    s.days = m.days;
    s.hour = m.hour;
    s.minute = m.minute;
    s.second = m.second;
    s.us = m.microsecond;
    return put_template(call, t, &s, &ret->text);
}

static int interval_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null = a[1].text.len == 0;
    if (call->null)
        return 0;
    const struct template *t = template_of(call, a[1].text);
    if (!t)
        return -EINVAL;
    const struct sql_interval *i = &a[0].interval;
    struct shown s = {.interval = true,
                      .year = i->months / 12,
                      .month = i->months % 12,
                      .day = i->days,
                      .hour = i->microseconds / SQL_US_PER_HOUR,
                      .minute = (int)(i->microseconds / SQL_US_PER_MINUTE % 60),
                      .second = (int)(i->microseconds / SQL_US_PER_SECOND % 60),
                      .us = (int)(i->microseconds % SQL_US_PER_SECOND)};
    s.days = sql_days_of(s.year, s.month, s.day);
    return put_template(call, t, &s, &ret->text);
}

#define ROW(type_, scalar_)                                                                        \
    {                                                                                              \
        .name = "to_char", .result = SQL_TEXT, .count = 2, .arguments = {SQL_##type_, SQL_TEXT},   \
        .scalar = scalar_                                                                          \
    }

const struct sql_function sql_functions_time_to_char[] = {
    ROW(TIMESTAMP, timestamp_to_char),
    ROW(TIMESTAMPTZ, timestamp_to_char),
    ROW(INTERVAL, interval_to_char),
    {.name = NULL},
};
