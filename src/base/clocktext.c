#include "base/clocktext.h"

#include "base/number.h"

#include <errno.h>

#define NS_PER_SECOND 1000000000
#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097 /* 400 years, after which the calendar repeats */
#define DAYS_TO_1970 719468 /* from 0000-03-01, where eras begin */

/* A year is taken to begin on 1 March, so that the leap day is its last and the months before it
   have the fixed pattern of lengths that (153 * month + 2) / 5 counts. */
int64_t clocktext_days(int64_t year, unsigned month, unsigned day) {
    int64_t shifted = year - (month <= 2);
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    unsigned year_of_era = (unsigned)(shifted - era * 400);
    unsigned month_from_march = month > 2 ? month - 3 : month + 9;
    unsigned day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void civil_date(int64_t days, struct clocktext_civil *c) {
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    unsigned day_of_era = (unsigned)(shifted - era * DAYS_PER_ERA);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    c->day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    c->month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    c->year = era * 400 + year_of_era + (c->month <= 2);
}

/* Rounds towards minus infinity, so that moments before 1970 fall on the right day. */
static int64_t floor_divide(int64_t number, int64_t by, int64_t *ret_rest) {
    int64_t quotient = number / by;
    int64_t rest = number % by;
    if (rest < 0) {
        rest += by;
        quotient--;
    }
    *ret_rest = rest;
    return quotient;
}

struct clocktext_civil clocktext_civil(int64_t unix_ns) {
    struct clocktext_civil c = {0};
    int64_t nanosecond;
    int64_t second;
    int64_t seconds = floor_divide(unix_ns, NS_PER_SECOND, &nanosecond);
    civil_date(floor_divide(seconds, SECONDS_PER_DAY, &second), &c);
    c.hour = (unsigned)(second / 3600);
    c.minute = (unsigned)(second / 60 % 60);
    c.second = (unsigned)(second % 60);
    c.nanosecond = (unsigned)nanosecond;
    return c;
}

unsigned clocktext_weekday(int64_t days) {
    int64_t weekday;
    floor_divide(days + 4, 7, &weekday); /* 1970-01-01 was a Thursday */
    return (unsigned)weekday;
}

unsigned clocktext_month_days(int64_t year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    check(month >= 1 && month <= 12);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* COUNT digits and what follows them, padded with zeros. Returns the place behind. */
static char *put(char *out, unsigned number, int count, char behind) {
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    out[count] = behind;
    return out + count + 1;
}

size_t clocktext_format(int64_t unix_ns, char *out) {
    struct clocktext_civil c = clocktext_civil(unix_ns);
    char *at = put(out, (unsigned)c.year, 4, '-');
    at = put(at, c.month, 2, '-');
    at = put(at, c.day, 2, 'T');
    at = put(at, c.hour, 2, ':');
    at = put(at, c.minute, 2, ':');
    at = put(at, c.second, 2, '.');
    if (c.nanosecond)
        at = put(at, c.nanosecond, 9, 'Z');
    char *end = at - 1; /* on the '.' or the 'Z' */
    while (c.nanosecond && end[-1] == '0')
        end--;
    *end++ = 'Z';
    *end = '\0';
    return (size_t)(end - out);
}

/* Reads exactly COUNT digits and, unless it is 0, the letter BEHIND in either case. */
static bool take(slice *text, size_t count, char behind, unsigned *ret_number) {
    uint64_t number;
    size_t len = count + (behind != 0);
    if (text->len < len || number_parse_u64(slice_take(*text, count), &number) < 0)
        return false;
    if (behind && !slice_equal_nocase(slice_make(text->ptr + count, 1), slice_make(&behind, 1)))
        return false;
    *text = slice_skip(*text, len);
    *ret_number = (unsigned)number;
    return true;
}

static bool take_fraction(slice *text, unsigned *ret_nanosecond) {
    *ret_nanosecond = 0;
    if (text->len == 0 || text->ptr[0] != '.')
        return true;
    *text = slice_skip(*text, 1);
    unsigned number = 0;
    unsigned unit = NS_PER_SECOND;
    while (unit > 1 && text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        unit /= 10;
        number += (unsigned)(text->ptr[0] - '0') * unit;
        *text = slice_skip(*text, 1);
    }
    *ret_nanosecond = number;
    return unit < NS_PER_SECOND;
}

/* "Z" or "+HH:MM", to the end of the text. */
static bool take_offset(slice text, int64_t *ret_seconds) {
    unsigned hours;
    unsigned minutes;
    if (slice_equal_nocase(text, slice_lit("Z"))) {
        *ret_seconds = 0;
        return true;
    }
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
        return false;
    int64_t sign = text.ptr[0] == '-' ? -1 : 1;
    text = slice_skip(text, 1);
    if (!take(&text, 2, ':', &hours) || !take(&text, 2, 0, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = sign * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

int clocktext_parse(slice text, int64_t *ret_unix_ns) {
    unsigned year;
    unsigned nanosecond;
    int64_t offset;
    struct clocktext_civil c;
    if (!take(&text, 4, '-', &year) || !take(&text, 2, '-', &c.month) ||
        !take(&text, 2, 'T', &c.day) || !take(&text, 2, ':', &c.hour) ||
        !take(&text, 2, ':', &c.minute) || !take(&text, 2, 0, &c.second) ||
        !take_fraction(&text, &nanosecond) || !take_offset(text, &offset))
        return -EINVAL;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > clocktext_month_days(year, c.month) ||
        c.hour > 23 || c.minute > 59 || c.second > 60)
        return -EINVAL;
    int64_t seconds = clocktext_days(year, c.month, c.day) * SECONDS_PER_DAY +
                      (int64_t)(c.hour * 3600 + c.minute * 60 + c.second) - offset;
    if (c.second == 60)
        nanosecond = 0;
    __int128 unix_ns = (__int128)seconds * NS_PER_SECOND + nanosecond;
    if (unix_ns < INT64_MIN || unix_ns > INT64_MAX)
        return -ERANGE;
    *ret_unix_ns = (int64_t)unix_ns;
    return 0;
}
