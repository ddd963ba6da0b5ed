/*
 * zone_posix.c - rules of zones as POSIX writes them in TZ.
 *
 *      CET-1CEST,M3.5.0,M10.5.0/3       <+0330>-3:30       EST5EDT       UTC0       +2
 *
 * The sign is POSIX's: what is west of Greenwich is positive. A daylight name without days means
 * the rule of the United States since 2007. As in PostgreSQL the first name may be missing, but
 * the offset may not.
 */
#include "sql/time/time_fields.h"
#include "sql/time/zone.h"

#include <errno.h>
#include <stdio.h>

#define RULE_DEFAULT ",M3.2.0,M11.1.0"

static char first_of(slice s) {
    return s.len ? *s.ptr : '\0';
}

static bool take_byte(slice *text, char byte) {
    if (first_of(*text) != byte || text->len == 0)
        return false;
    *text = slice_skip(*text, 1);
    return true;
}

static bool take_number(slice *text, int max, int *ret) {
    int number = 0;
    if (!time_is_digit(first_of(*text)))
        return false;
    while (time_is_digit(first_of(*text))) {
        number = number * 10 + (*text->ptr - '0');
        if (number > max)
            return false;
        *text = slice_skip(*text, 1);
    }
    *ret = number;
    return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(slice *text, int hours_max, int32_t *ret) {
    int hour = 0, minute = 0, second = 0;
    bool negative = take_byte(text, '-');
    if (!negative)
        take_byte(text, '+');
    if (!take_number(text, hours_max, &hour))
        return false;
    if (take_byte(text, ':') && !take_number(text, 59, &minute))
        return false;
    if (take_byte(text, ':') && !take_number(text, 60, &second))
        return false;
    int32_t total = hour * 3600 + minute * 60 + second;
    *ret = negative ? -total : total;
    return true;
}

static bool take_name(slice *text, char out[static 16]) {
    bool quoted = take_byte(text, '<');
    size_t len = 0;
    while (len < text->len && (quoted ? text->ptr[len] != '>' : time_is_letter(text->ptr[len])))
        len++;
    if (slice_to_string(slice_take(*text, len), out, 16) != 0)
        return false;
    *text = slice_skip(*text, len);
    return !quoted || take_byte(text, '>');
}

static bool take_change(slice *text, struct sql_zone_change *ret) {
    struct sql_zone_change change = {.form = 'D', .time = 2 * 3600};
    if (!take_byte(text, ','))
        return false;
    if (take_byte(text, 'M')) {
        change.form = 'M';
        if (!take_number(text, 12, &change.month) || change.month < 1 || !take_byte(text, '.') ||
            !take_number(text, 5, &change.week) || change.week < 1 || !take_byte(text, '.') ||
            !take_number(text, 6, &change.day))
            return false;
    } else {
        if (take_byte(text, 'J'))
            change.form = 'J';
        if (!take_number(text, 365, &change.day) || (change.form == 'J' && change.day < 1))
            return false;
    }
    if (take_byte(text, '/') && !take_time(text, 167, &change.time))
        return false;
    *ret = change;
    return true;
}

int sql_zone_posix(slice text, struct sql_zone *ret) {
    struct sql_zone zone = {.ruled = true};
    int32_t west;
    if (slice_to_string(text, zone.name, sizeof zone.name) != 0)
        return -EINVAL;
    if (!take_name(&text, zone.standard.abbreviation) || !take_time(&text, 167, &west))
        return -EINVAL;
    zone.standard.offset = -west;
    if (text.len > 0) {
        zone.changes = zone.daylight.daylight = true;
        if (!take_name(&text, zone.daylight.abbreviation) || !zone.daylight.abbreviation[0])
            return -EINVAL;
        zone.daylight.offset = zone.standard.offset + 3600;
        if (text.len > 0 && first_of(text) != ',') {
            if (!take_time(&text, 167, &west))
                return -EINVAL;
            zone.daylight.offset = -west;
        }
        if (text.len == 0)
            text = slice_lit(RULE_DEFAULT);
        if (!take_change(&text, &zone.begin) || !take_change(&text, &zone.end) || text.len > 0)
            return -EINVAL;
    }
    *ret = zone;
    return 0;
}

struct sql_zone sql_zone_fixed(int32_t offset) {
    struct sql_zone zone = {.ruled = true, .standard = {.offset = offset}};
    unsigned size = (unsigned)(offset < 0 ? -offset : offset) % (1000 * 3600);
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%02u", size / 3600);
    if (size % 3600)
        len += snprintf(digits + len, sizeof digits - (size_t)len, ":%02u", size / 60 % 60);
    if (size % 60)
        snprintf(digits + len, sizeof digits - (size_t)len, ":%02u", size % 60);
    char sign = offset < 0 ? '-' : '+';
    snprintf(zone.name, sizeof zone.name, "<%c%s>%c%s", sign, digits, offset < 0 ? '+' : '-',
             digits);
    snprintf(zone.standard.abbreviation, sizeof zone.standard.abbreviation, "%c%.14s", sign,
             digits);
    return zone;
}
