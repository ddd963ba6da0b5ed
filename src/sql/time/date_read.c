/*
 * date_read.c - what a number means depends on what has been read before it.
 *
 * The rules are those of PostgreSQL's appendix B.1 under the order month, day, year. `seen` tells
 * what is known; each field adds to it, and adding what is there already is an error, with one
 * exception: a word for the month makes an earlier number that was taken for the month the day
 * ("8 January").
 */
#include "sql/time/date_read.h"

static enum time_wrong see(struct date_reading *r, unsigned parts) {
    if (r->seen & parts)
        return TIME_WRONG_FORM;
    r->seen |= parts;
    return 0;
}

static void set_year(struct date_reading *r, int32_t year, size_t digits) {
    r->year = year;
    r->two_digits = digits <= 2;
}

/* "hhmmss", "hhmm", with a fraction; "yyyymmdd", "yymmdd". */
static enum time_wrong read_run(struct date_reading *r, slice text) {
    int32_t number;
    bool overflow = false;
    ptrdiff_t point = slice_find(text, '.');
    slice digits = point >= 0 ? slice_take(text, (size_t)point) : text;
    size_t len = digits.len;
    bool whole_date = (r->seen & DATE_ALL) == DATE_ALL || r->time_only;
    int us = 0;
    if (point >= 0 && !time_fraction(slice_skip(text, (size_t)point), &us))
        return TIME_WRONG_FORM;
    if (point < 0 && !whole_date && len >= 6) {
        slice year = slice_take(digits, len - 4), rest = slice_skip(digits, len - 4);
        if (!time_take_int(&year, &number, &overflow) || year.len || overflow)
            return TIME_WRONG_FORM;
        set_year(r, number, len - 4);
        if (!time_take_int(&rest, &number, &overflow) || rest.len)
            return TIME_WRONG_FORM;
        r->month = number / 100;
        r->day = number % 100;
        return see(r, DATE_ALL);
    }
    if ((r->seen & DATE_TIME) || (len != 6 && len != 4) ||
        !time_take_int(&digits, &number, &overflow) || digits.len)
        return TIME_WRONG_FORM;
    r->clock = (struct time_of_day){.second = len == 6 ? number % 100 : 0, .us = us};
    number = len == 6 ? number / 100 : number;
    r->clock.minute = number % 100;
    r->clock.hour = number / 100;
    return see(r, DATE_TIME);
}

/* One number of a date, DIGITS long. */
static enum time_wrong place_number(struct date_reading *r, int32_t number, size_t digits) {
    unsigned known = r->seen & DATE_ALL;
    if (known == DATE_YEAR && digits == 3 && number >= 1 && number <= 366) {
        r->day_of_year = number;
        return see(r, DATE_DAY_OF_YEAR | DATE_MONTH | DATE_DAY);
    }
    bool year = false;
    switch (known) {
    case 0:
        year = digits >= 3;
        if (!year) {
            r->month = number;
            return see(r, DATE_MONTH);
        }
        break;
    case DATE_YEAR:
    case DATE_DAY:
        r->month = number;
        return see(r, DATE_MONTH);
    case DATE_MONTH:
        year = r->text_month && digits >= 3;
        break;
    case DATE_YEAR | DATE_MONTH:
        if (r->text_month && digits >= 3 && r->two_digits) { /* "08-jan-1999": 08 was the day */
            r->day = (int32_t)r->year;
            set_year(r, number, digits);
            return see(r, DATE_DAY);
        }
        break;
    default:
        year = true;
    }
    if (year) {
        set_year(r, number, digits);
        return see(r, DATE_YEAR);
    }
    r->day = number;
    return see(r, DATE_DAY);
}

static enum time_wrong read_number_part(struct date_reading *r, slice text) {
    int32_t number;
    bool overflow = false;
    slice rest = text;
    if (!time_take_int(&rest, &number, &overflow))
        return TIME_WRONG_FORM;
    if (overflow)
        return TIME_WRONG_RANGE;
    if (rest.len > 0 && rest.ptr[0] == '.' && text.len - rest.len > 2)
        return read_run(r, text);
    if (rest.len > 0)
        return TIME_WRONG_FORM;
    if ((r->seen & DATE_ALL) == DATE_ALL)
        return read_run(r, text);
    return place_number(r, number, text.len);
}

static enum time_wrong see_text_month(struct date_reading *r, int month) {
    if ((r->seen & DATE_MONTH) && !r->text_month && !(r->seen & DATE_DAY) && r->month >= 1 &&
        r->month <= 31) {
        r->day = r->month; /* it was the day */
        r->seen |= DATE_DAY;
        r->seen &= ~(unsigned)DATE_MONTH;
    }
    r->text_month = true;
    r->month = month;
    return see(r, DATE_MONTH);
}

/* The next run of digits or of letters of *TEXT; empty at the end. */
static slice next_part(slice *text) {
    while (text->len && !time_is_digit(text->ptr[0]) && !time_is_letter(text->ptr[0]))
        *text = slice_skip(*text, 1);
    size_t len = 0;
    bool digits = text->len && time_is_digit(text->ptr[0]);
    while (len < text->len &&
           (digits ? time_is_digit(text->ptr[len]) : time_is_letter(text->ptr[len])))
        len++;
    slice part = slice_take(*text, len);
    *text = slice_skip(*text, len);
    return part;
}

/* "1999-01-08", "jan-08-1999", "8.1.1999": the month's word counts first, wherever it stands. */
static enum time_wrong read_date(struct date_reading *r, slice text) {
    bool late = r->seen & ~(unsigned)(DATE_ALL | DATE_DAY_OF_YEAR | DATE_ZONE);
    enum time_wrong wrong = late ? TIME_WRONG_FORM : 0; /* a date with dashes comes first */
    slice rest = text;
    int value;
    for (slice part = next_part(&rest); part.len && !wrong; part = next_part(&rest)) {
        if (time_is_digit(part.ptr[0]))
            continue;
        enum time_word_kind kind = time_word(part, &value);
        if (kind == TIME_WORD_MONTH) {
            r->text_month = true;
            r->month = value;
            wrong = see(r, DATE_MONTH);
        } else if (kind != TIME_WORD_IGNORED) {
            wrong = TIME_WRONG_FORM;
        }
    }
    rest = text;
    for (slice part = next_part(&rest); part.len && !wrong; part = next_part(&rest)) {
        if (!time_is_digit(part.ptr[0]))
            continue;
        if ((r->seen & DATE_ALL) == DATE_ALL)
            wrong = TIME_WRONG_FORM;
        else
            wrong = read_number_part(r, part);
    }
    if (!wrong && (r->seen & DATE_ALL) != DATE_ALL)
        wrong = TIME_WRONG_FORM;
    return wrong;
}

static enum time_wrong read_offset(struct date_reading *r, slice text) {
    enum time_wrong wrong = time_offset(text, &r->offset);
    return wrong ? wrong : see(r, DATE_ZONE);
}

static bool know_zone(struct date_reading *r, slice name) {
    r->zone = sql_zones_find(r->settings->zones, name);
    if (!r->zone && sql_zone_posix(name, &r->scratch) == 0)
        r->zone = &r->scratch;
    return r->zone != NULL;
}

static enum time_wrong read_date_field(struct date_reading *r, slice text) {
    const unsigned day_known = DATE_MONTH | DATE_DAY;
    bool known = (r->seen & day_known) == day_known;
    bool run = (known || r->time_only) && time_is_digit(text.ptr[0]);
    if (r->time_follows || run) { /* "hhmmss-08" */
        ptrdiff_t dash = slice_find(text, '-');
        r->time_follows = false;
        if (dash < 0 || (r->seen & DATE_TIME))
            return TIME_WRONG_FORM;
        enum time_wrong wrong = read_offset(r, slice_skip(text, (size_t)dash));
        return wrong ? wrong : read_run(r, slice_take(text, (size_t)dash));
    }
    if (known || (r->time_only && !time_is_digit(text.ptr[0]))) {
        r->unknown_zone = text;
        return know_zone(r, text) ? see(r, DATE_ZONE) : TIME_WRONG_ZONE;
    }
    return read_date(r, text);
}

static enum time_wrong read_time_field(struct date_reading *r, slice text) {
    r->time_follows = false;
    enum time_wrong wrong = time_clock(text, false, &r->clock);
    return wrong ? wrong : see(r, DATE_TIME);
}

static enum time_wrong read_julian(struct date_reading *r, slice text) {
    int32_t day;
    int us = 0;
    bool overflow = false;
    r->julian_follows = false;
    if (!time_take_int(&text, &day, &overflow) || overflow)
        return overflow ? TIME_WRONG_RANGE : TIME_WRONG_FORM;
    if (text.len > 0) {
        if (!time_fraction(text, &us) || see(r, DATE_TIME))
            return TIME_WRONG_FORM;
        int64_t time = (int64_t)us * (SQL_US_PER_DAY / SQL_US_PER_SECOND);
        r->clock = (struct time_of_day){
            (int32_t)(time / SQL_US_PER_HOUR), (int32_t)(time / SQL_US_PER_MINUTE % 60),
            (int32_t)(time / SQL_US_PER_SECOND % 60), (int)(time % SQL_US_PER_SECOND)};
    }
    struct sql_civil date = sql_civil_of((int64_t)day - SQL_JULIAN_EPOCH_DAY);
    r->year = date.year;
    r->month = date.month;
    r->day = date.day;
    r->julian = true;
    return see(r, DATE_ALL);
}

static enum time_wrong read_number_field(struct date_reading *r, slice text) {
    if (r->julian_follows)
        return read_julian(r, text);
    if (r->time_follows || r->time_only) {
        r->time_follows = false;
        return read_run(r, text);
    }
    ptrdiff_t point = slice_find(text, '.');
    if (point >= 0 && !(r->seen & DATE_ALL))
        return read_date(r, text);
    if (point > 2)
        return read_run(r, text);
    bool room = (r->seen & DATE_ALL) == 0 || !(r->seen & DATE_TIME);
    if (text.len >= 6 && room)
        return read_run(r, text);
    return read_number_part(r, text);
}

static enum time_wrong read_special(struct date_reading *r, enum time_special special) {
    const struct sql_zone *zone = r->settings->zone;
    int64_t now = r->settings->now;
    if (special >= TIME_SPECIAL_EPOCH) {
        r->special = special;
        return 0;
    }
    if (special == TIME_SPECIAL_MIDNIGHT) {
        r->clock = (struct time_of_day){0};
        r->offset = 0;
        return see(r, DATE_TIME | DATE_ZONE);
    }
    struct sql_moment moment;
    int32_t offset = sql_zone_at(zone, now)->offset;
    int64_t local = now + offset * SQL_US_PER_SECOND;
    local += special == TIME_SPECIAL_TOMORROW    ? SQL_US_PER_DAY
             : special == TIME_SPECIAL_YESTERDAY ? -SQL_US_PER_DAY
                                                 : 0;
    sql_moment_split(local, &moment);
    r->year = moment.date.year;
    r->julian = true; /* no two digits */
    r->month = moment.date.month;
    r->day = moment.date.day;
    if (special != TIME_SPECIAL_NOW)
        return see(r, DATE_ALL);
    r->clock = (struct time_of_day){moment.hour, moment.minute, moment.second, moment.microsecond};
    r->offset = offset;
    return see(r, DATE_ALL | DATE_TIME | DATE_ZONE);
}

static enum time_wrong read_word(struct date_reading *r, slice word, bool time_next) {
    int value = 0;
    bool summer;
    if (sql_zone_abbreviation(word, &r->offset, &summer))
        return see(r, DATE_ZONE);
    switch (time_word(word, &value)) {
    case TIME_WORD_IGNORED:
        return 0;
    case TIME_WORD_MONTH:
        return see_text_month(r, value);
    case TIME_WORD_WEEKDAY:
        return see(r, DATE_WEEKDAY);
    case TIME_WORD_HALF:
        r->afternoon = value != 0;
        return see(r, DATE_HALF);
    case TIME_WORD_ERA:
        r->before_christ = value != 0;
        return see(r, DATE_ERA);
    case TIME_WORD_T:
        r->time_follows = true;
        bool dated = r->time_only ? r->seen == 0 : (r->seen & DATE_ALL) == DATE_ALL;
        return dated && time_next ? 0 : TIME_WRONG_FORM;
    case TIME_WORD_JULIAN:
        r->julian_follows = true;
        return 0;
    case TIME_WORD_SUMMER:
        r->offset += 3600;
        return (r->seen & DATE_ZONE) && !r->zone ? see(r, DATE_SUMMER) : TIME_WRONG_FORM;
    case TIME_WORD_SPECIAL:
        return read_special(r, (enum time_special)value);
    default:
        return know_zone(r, word) ? see(r, DATE_ZONE) : TIME_WRONG_FORM;
    }
}

static enum time_wrong check_clock(struct date_reading *r) {
    struct time_of_day *t = &r->clock;
    if (r->seen & DATE_HALF) {
        if (t->hour > 12)
            return TIME_WRONG_RANGE;
        t->hour = t->hour % 12 + (r->afternoon ? 12 : 0);
    }
    bool beyond = t->hour == 24 && (t->minute || t->second || t->us);
    if (t->hour > 24 || t->minute > 59 || t->second > 60 || beyond)
        return TIME_WRONG_RANGE;
    return 0;
}

static enum time_wrong check_date(struct date_reading *r) {
    if ((r->seen & DATE_YEAR) && !r->julian) {
        if (r->before_christ) {
            if (r->year <= 0)
                return TIME_WRONG_RANGE;
            r->year = 1 - r->year;
        } else if (r->two_digits) {
            r->year += r->year < 70 ? 2000 : 1900;
        } else if (r->year <= 0) {
            return TIME_WRONG_RANGE;
        }
    }
    if (r->seen & DATE_DAY_OF_YEAR) {
        struct sql_civil date = sql_civil_of(sql_days_of(r->year, 1, 1) + r->day_of_year - 1);
        r->year = date.year;
        r->month = date.month;
        r->day = date.day;
    }
    if ((r->seen & DATE_MONTH) && (r->month < 1 || r->month > 12))
        return TIME_WRONG_ORDER;
    if ((r->seen & DATE_DAY) && (r->day < 1 || r->day > 31))
        return TIME_WRONG_ORDER;
    if ((r->seen & DATE_ALL) == DATE_ALL && r->day > sql_month_days(r->year, r->month))
        return TIME_WRONG_RANGE;
    return 0;
}

enum time_wrong date_read(struct time_fields *fields, struct date_reading *r) {
    enum time_wrong wrong = 0;
    bool date_first = r->time_only && fields->count > 1 &&
                      fields->field[0].kind == TIME_FIELD_DATE &&
                      fields->field[1].kind == TIME_FIELD_TIME;
    if (date_first)
        wrong = read_date(r, fields->field[0].text);
    for (unsigned i = date_first; i < fields->count && !wrong; i++) {
        const struct time_field *field = &fields->field[i];
        bool time_next = i + 1 < fields->count && fields->field[i + 1].kind <= TIME_FIELD_DATE;
        switch (field->kind) {
        case TIME_FIELD_NUMBER:
            wrong = read_number_field(r, field->text);
            break;
        case TIME_FIELD_TIME:
            wrong = read_time_field(r, field->text);
            break;
        case TIME_FIELD_DATE:
            wrong = read_date_field(r, field->text);
            break;
        case TIME_FIELD_SIGNED:
            wrong = read_offset(r, field->text);
            break;
        case TIME_FIELD_WORD:
            wrong = read_word(r, field->text, time_next);
            break;
        }
    }
    if (!wrong && (r->time_follows || r->julian_follows))
        wrong = TIME_WRONG_FORM;
    if (!wrong)
        wrong = check_date(r);
    return wrong ? wrong : check_clock(r);
}
