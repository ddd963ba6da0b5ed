/*
 * datetime_out.c - the text of dates, times and intervals, and what a typmod does to them.
 *
 *      2024-01-02     03:04:05.06     2024-01-02 03:04:05.06     2024-01-02 03:04:05.06+05:30
 *      0044-03-15 BC                  1 year -2 mons +3 days -04:05:06.7
 */
#include "sql/time/datetime.h"

#include "sql/time/calendar.h"
#include "sql/time/zone.h"

#include <stdlib.h>

#define TEXT_MAX 64 /* no text is longer, but for intervals (interval_out) */

static char *put_two(char *at, int number) {
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
    return at + 2;
}

/* At least four digits. */
static char *put_year(char *at, int64_t year) {
    uint64_t written = (uint64_t)(year > 0 ? year : 1 - year);
    char digits[20];
    int len = 0;
    do
        digits[len++] = (char)('0' + written % 10);
    while ((written /= 10) > 0 || len < 4);
    while (len > 0)
        *at++ = digits[--len];
    return at;
}

static char *put_date(char *at, const struct sql_civil *date) {
    at = put_year(at, date->year);
    *at++ = '-';
    at = put_two(at, date->month);
    *at++ = '-';
    return put_two(at, date->day);
}

static char *put_era(char *at, const struct sql_civil *date) {
    if (date->year > 0)
        return at;
    memcpy(at, " BC", 3);
    return at + 3;
}

/* Without the zeros at its end. */
static char *put_fraction(char *at, int us) {
    if (us == 0)
        return at;
    *at++ = '.';
    for (int unit = 100000; us > 0; unit /= 10) {
        *at++ = (char)('0' + us / unit);
        us %= unit;
    }
    return at;
}

static char *put_clock(char *at, int hour, int minute, int second, int us) {
    at = put_two(at, hour);
    *at++ = ':';
    at = put_two(at, minute);
    *at++ = ':';
    return put_fraction(put_two(at, second), us);
}

static char *put_offset(char *at, int32_t offset) {
    int size = abs(offset);
    *at++ = offset < 0 ? '-' : '+';
    at = put_two(at, size / 3600);
    if (size % 3600) {
        *at++ = ':';
        at = put_two(at, size / 60 % 60);
    }
    if (size % 60) {
        *at++ = ':';
        at = put_two(at, size % 60);
    }
    return at;
}

static int append(struct buf *out, const char *text, const char *end) {
    return buf_append(out, slice_make(text, (size_t)(end - text)));
}

static int append_infinity(struct buf *out, int64_t value) {
    return buf_append(out, value < 0 ? slice_lit("-infinity") : slice_lit("infinity"));
}

int sql_date_out(int64_t days, struct buf *out) {
    char text[TEXT_MAX];
    if (sql_infinite(days))
        return append_infinity(out, days);
    struct sql_civil date = sql_civil_of(days);
    return append(out, text, put_era(put_date(text, &date), &date));
}

int sql_time_out(int64_t time, struct buf *out) {
    char text[TEXT_MAX];
    int64_t seconds = time / SQL_US_PER_SECOND;
    return append(out, text,
                  put_clock(text, (int)(seconds / 3600), (int)(seconds / 60 % 60),
                            (int)(seconds % 60), (int)(time % SQL_US_PER_SECOND)));
}

int sql_timestamp_out(int64_t timestamp, bool with_zone, const struct sql_settings *settings,
                      struct buf *out) {
    char text[TEXT_MAX], *at;
    struct sql_moment m;
    int32_t offset = 0;
    if (sql_infinite(timestamp))
        return append_infinity(out, timestamp);
    if (with_zone && settings)
        offset = sql_zone_at(settings->zone, timestamp)->offset;
    sql_moment_split(timestamp + offset * SQL_US_PER_SECOND, &m);
    at = put_date(text, &m.date);
    *at++ = ' ';
    at = put_clock(at, m.hour, m.minute, m.second, m.microsecond);
    if (with_zone)
        at = put_offset(at, offset);
    return append(out, text, put_era(at, &m.date));
}

/* --- intervals ----------------------------------------------------------------------------------
 */

struct interval_text {
    struct buf *out;
    bool first, negative; /* the part before was: a positive one then shows its sign */
    int failed;
};

static void put_part(struct interval_text *t, int64_t value, const char *unit) {
    if (value == 0 || t->failed)
        return;
    t->failed = buf_printf(t->out, "%s%s%lld %s%s", t->first ? "" : " ",
                           t->negative && value > 0 ? "+" : "", (long long)value, unit,
                           value == 1 ? "" : "s");
    t->first = false;
    t->negative = value < 0;
}

int sql_interval_out(const struct sql_interval *interval, struct buf *out) {
    struct interval_text t = {.out = out, .first = true};
    put_part(&t, interval->months / 12, "year");
    put_part(&t, interval->months % 12, "mon");
    put_part(&t, interval->days, "day");
    if (t.failed || (interval->microseconds == 0 && !t.first))
        return t.failed;
    bool negative = interval->microseconds < 0;
    uint64_t us =
        negative ? 0 - (uint64_t)interval->microseconds : (uint64_t)interval->microseconds;
    uint64_t seconds = us / 1000000;
    char text[TEXT_MAX];
    char *end = put_two(text, (int)(seconds / 60 % 60));
    *end++ = ':';
    end = put_fraction(put_two(end, (int)(seconds % 60)), (int)(us % 1000000));
    return buf_printf(out, "%s%s%02llu:%.*s", t.first ? "" : " ",
                      negative ? "-" : (t.negative ? "+" : ""),
                      (unsigned long long)(seconds / 3600), (int)(end - text), text);
}

/* --- typmods ------------------------------------------------------------------------------------
 */

/* Half away from 0, as far as the type reaches. */
static int64_t round_digits(int64_t us, int digits) {
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t unit = units[digits];
    if (us < INT64_MIN + unit || us > INT64_MAX - unit)
        return us;
    return us >= 0 ? (us + unit / 2) / unit * unit : -((-us + unit / 2) / unit * unit);
}

int64_t sql_time_round(int64_t time, int32_t typmod) {
    return typmod < 0 || typmod >= 6 || sql_infinite(time) ? time : round_digits(time, typmod);
}

/* The lowest field that is kept decides; whole fields above it stay, as in PostgreSQL. */
void sql_interval_adjust(struct sql_interval *interval, int32_t typmod) {
    if (typmod < 0)
        return;
    int fields = typmod >> 16 & 0x7fff, digits = typmod & 0xffff;
    if (fields != SQL_INTERVAL_ALL && !(fields & SQL_INTERVAL_SECOND)) {
        if (!(fields & (SQL_INTERVAL_HOUR | SQL_INTERVAL_MINUTE)))
            interval->microseconds = 0;
        else if (fields & SQL_INTERVAL_MINUTE)
            interval->microseconds -= interval->microseconds % SQL_US_PER_MINUTE;
        else
            interval->microseconds -= interval->microseconds % SQL_US_PER_HOUR;
        if (fields == SQL_INTERVAL_YEAR)
            interval->months -= interval->months % 12;
        if (!(fields & ~(SQL_INTERVAL_YEAR | SQL_INTERVAL_MONTH)))
            interval->days = 0;
    }
    if (digits < 6)
        interval->microseconds = round_digits(interval->microseconds, digits);
}
