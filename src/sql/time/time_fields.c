/*
 * time_fields.c - cutting, words, and the small forms that dates and intervals share.
 */
#include "sql/time/time_fields.h"

#include <errno.h>
#include <math.h>

struct cutter {
    slice rest;
    struct time_fields *out;
    size_t used; /* of out->bytes */
    char *start; /* of the field under way */
};

static char peek(const struct cutter *c) {
    return c->rest.len ? *c->rest.ptr : '\0';
}

/* Never overflows: a text gives at most as many bytes as it has, and a NUL a field. */
static void keep(struct cutter *c) {
    char byte = *c->rest.ptr;
    c->out->bytes[c->used++] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    c->rest = slice_skip(c->rest, 1);
}

static void keep_digits(struct cutter *c) {
    while (time_is_digit(peek(c)))
        keep(c);
}

static bool peek_any(const struct cutter *c, const char *set) {
    return c->rest.len > 0 && *c->rest.ptr && strchr(set, *c->rest.ptr) != NULL;
}

static bool peek_alnum(const struct cutter *c) {
    return time_is_digit(peek(c)) || time_is_letter(peek(c));
}

static enum time_field_kind cut_number(struct cutter *c) {
    keep_digits(c);
    if (peek(c) == ':') {
        while (time_is_digit(peek(c)) || peek_any(c, ":."))
            keep(c);
        return TIME_FIELD_TIME;
    }
    if (!peek_any(c, "-/."))
        return TIME_FIELD_NUMBER;
    char delimiter = peek(c);
    keep(c);
    if (!time_is_digit(peek(c))) {
        bool bare = !peek_alnum(c) && peek(c) != delimiter;
        while (peek_alnum(c) || (c->rest.len && peek(c) == delimiter))
            keep(c);
        return bare && delimiter == '.' ? TIME_FIELD_NUMBER : TIME_FIELD_DATE;
    }
    keep_digits(c);
    if (peek(c) == delimiter) {
        while (time_is_digit(peek(c)) || (c->rest.len && peek(c) == delimiter))
            keep(c);
        return TIME_FIELD_DATE;
    }
    return delimiter == '.' ? TIME_FIELD_NUMBER : TIME_FIELD_DATE;
}

static enum time_field_kind cut_word(struct cutter *c) {
    int value;
    while (time_is_letter(peek(c)))
        keep(c);
    bool joined = peek_any(c, "-/.");
    if (!joined && (peek(c) == '+' || time_is_digit(peek(c)))) {
        slice word = slice_make(c->start, (size_t)(c->out->bytes + c->used - c->start));
        joined = time_word(word, &value) == TIME_WORD_UNKNOWN && word.len > 1;
    }
    if (!joined)
        return TIME_FIELD_WORD;
    while (peek_alnum(c) || peek_any(c, "+-/_.:"))
        keep(c);
    return TIME_FIELD_DATE;
}

static bool cut_signed(struct cutter *c, enum time_field_kind *ret) {
    keep(c);
    while (c->rest.len && time_is_space(*c->rest.ptr))
        c->rest = slice_skip(c->rest, 1);
    if (time_is_digit(peek(c))) {
        while (time_is_digit(peek(c)) || peek_any(c, ":.-"))
            keep(c);
        *ret = TIME_FIELD_SIGNED;
        return true;
    }
    *ret = TIME_FIELD_WORD;
    if (!time_is_letter(peek(c)))
        return false;
    while (time_is_letter(peek(c)))
        keep(c);
    return true;
}

static bool cut_field(struct cutter *c) {
    enum time_field_kind kind;
    char byte = peek(c);
    c->start = c->out->bytes + c->used;
    if (time_is_digit(byte)) {
        kind = cut_number(c);
    } else if (byte == '.') {
        kind = TIME_FIELD_NUMBER;
        keep(c);
        keep_digits(c);
    } else if (time_is_letter(byte)) {
        kind = cut_word(c);
    } else if (byte == '+' || byte == '-') {
        if (!cut_signed(c, &kind))
            return false;
    } else if (byte > ' ' && byte < 0x7f) { /* other punctuation says nothing */
        c->rest = slice_skip(c->rest, 1);
        return true;
    } else {
        return false;
    }
    if (c->out->count == TIME_FIELDS_MAX)
        return false;
    slice text = slice_make(c->start, (size_t)(c->out->bytes + c->used - c->start));
    c->out->field[c->out->count++] = (struct time_field){kind, text};
    c->out->bytes[c->used++] = '\0';
    return true;
}

bool time_fields_cut(slice text, struct time_fields *ret) {
    struct cutter c = {.rest = text, .out = ret};
    ret->count = 0;
    if (text.len > SQL_TIME_TEXT_MAX)
        return false;
    while (c.rest.len > 0) {
        if (time_is_space(*c.rest.ptr))
            c.rest = slice_skip(c.rest, 1);
        else if (!cut_field(&c))
            return false;
    }
    return true;
}

struct word {
    char text[10];
    uint8_t kind, value;
};

static const struct word words[] = {
    {"t", TIME_WORD_T, 0},
    {"am", TIME_WORD_HALF, 0},
    {"pm", TIME_WORD_HALF, 12},
    {"ad", TIME_WORD_ERA, 0},
    {"bc", TIME_WORD_ERA, 1},
    {"jan", TIME_WORD_MONTH, 1},
    {"feb", TIME_WORD_MONTH, 2},
    {"mar", TIME_WORD_MONTH, 3},
    {"apr", TIME_WORD_MONTH, 4},
    {"may", TIME_WORD_MONTH, 5},
    {"jun", TIME_WORD_MONTH, 6},
    {"jul", TIME_WORD_MONTH, 7},
    {"aug", TIME_WORD_MONTH, 8},
    {"sep", TIME_WORD_MONTH, 9},
    {"oct", TIME_WORD_MONTH, 10},
    {"nov", TIME_WORD_MONTH, 11},
    {"dec", TIME_WORD_MONTH, 12},
    {"january", TIME_WORD_MONTH, 1},
    {"february", TIME_WORD_MONTH, 2},
    {"march", TIME_WORD_MONTH, 3},
    {"april", TIME_WORD_MONTH, 4},
    {"june", TIME_WORD_MONTH, 6},
    {"july", TIME_WORD_MONTH, 7},
    {"august", TIME_WORD_MONTH, 8},
    {"sept", TIME_WORD_MONTH, 9},
    {"september", TIME_WORD_MONTH, 9},
    {"october", TIME_WORD_MONTH, 10},
    {"november", TIME_WORD_MONTH, 11},
    {"december", TIME_WORD_MONTH, 12},
    {"sun", TIME_WORD_WEEKDAY, 0},
    {"mon", TIME_WORD_WEEKDAY, 1},
    {"tue", TIME_WORD_WEEKDAY, 2},
    {"tues", TIME_WORD_WEEKDAY, 2},
    {"wed", TIME_WORD_WEEKDAY, 3},
    {"weds", TIME_WORD_WEEKDAY, 3},
    {"thu", TIME_WORD_WEEKDAY, 4},
    {"thur", TIME_WORD_WEEKDAY, 4},
    {"thurs", TIME_WORD_WEEKDAY, 4},
    {"fri", TIME_WORD_WEEKDAY, 5},
    {"sat", TIME_WORD_WEEKDAY, 6},
    {"sunday", TIME_WORD_WEEKDAY, 0},
    {"monday", TIME_WORD_WEEKDAY, 1},
    {"tuesday", TIME_WORD_WEEKDAY, 2},
    {"wednesday", TIME_WORD_WEEKDAY, 3},
    {"thursday", TIME_WORD_WEEKDAY, 4},
    {"friday", TIME_WORD_WEEKDAY, 5},
    {"saturday", TIME_WORD_WEEKDAY, 6},
    {"at", TIME_WORD_IGNORED, 0},
    {"on", TIME_WORD_IGNORED, 0},
    {"j", TIME_WORD_JULIAN, 0},
    {"jd", TIME_WORD_JULIAN, 0},
    {"julian", TIME_WORD_JULIAN, 0},
    {"dst", TIME_WORD_SUMMER, 0},
    {"now", TIME_WORD_SPECIAL, TIME_SPECIAL_NOW},
    {"today", TIME_WORD_SPECIAL, TIME_SPECIAL_TODAY},
    {"yesterday", TIME_WORD_SPECIAL, TIME_SPECIAL_YESTERDAY},
    {"tomorrow", TIME_WORD_SPECIAL, TIME_SPECIAL_TOMORROW},
    {"allballs", TIME_WORD_SPECIAL, TIME_SPECIAL_MIDNIGHT},
    {"epoch", TIME_WORD_SPECIAL, TIME_SPECIAL_EPOCH},
    {"infinity", TIME_WORD_SPECIAL, TIME_SPECIAL_INFINITY},
    {"-infinity", TIME_WORD_SPECIAL, TIME_SPECIAL_MINUS_INFINITY},
};

enum time_word_kind time_word(slice word, int *ret_value) {
    if (word.len == 0 || word.len > sizeof words[0].text)
        return TIME_WORD_UNKNOWN;
    for (size_t i = 0; i < array_count(words); i++) {
        if (words[i].text[0] == word.ptr[0] &&
            slice_equal(word, slice_make(words[i].text, strnlen(words[i].text, 10)))) {
            *ret_value = words[i].value;
            return words[i].kind;
        }
    }
    return TIME_WORD_UNKNOWN;
}

bool time_take_digits(slice *text, int64_t *ret, bool *overflow) {
    int64_t number = 0;
    size_t len = 0;
    for (; len < text->len && time_is_digit(text->ptr[len]); len++) {
        *overflow |= __builtin_mul_overflow(number, 10, &number);
        *overflow |= __builtin_add_overflow(number, text->ptr[len] - '0', &number);
    }
    *text = slice_skip(*text, len);
    *ret = *overflow ? INT64_MAX : number;
    return len > 0;
}

bool time_take_int(slice *text, int32_t *ret, bool *overflow) {
    int64_t number;
    bool any = time_take_digits(text, &number, overflow);
    *overflow |= number > INT32_MAX;
    *ret = *overflow ? INT32_MAX : (int32_t)number;
    return any;
}

bool time_fraction(slice text, int *ret_us) {
    int64_t number = 0;
    double scale = 1;
    *ret_us = 0;
    if (text.len == 0)
        return true;
    if (text.ptr[0] != '.')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (!time_is_digit(text.ptr[i]))
            return false;
        if (i <= 15) { /* what follows is too small to count */
            number = number * 10 + (text.ptr[i] - '0');
            scale *= 10;
        }
    }
    *ret_us = (int)rint((double)number / scale * 1e6);
    return true;
}

enum time_wrong time_offset(slice text, int32_t *ret) {
    int32_t hour, minute = 0, second = 0;
    bool overflow = false, negative = text.len && text.ptr[0] == '-';
    text = slice_skip(text, 1);
    size_t digits = text.len;
    if (!time_take_int(&text, &hour, &overflow))
        return TIME_WRONG_FORM;
    digits -= text.len;
    if (text.len > 0 && text.ptr[0] == ':') {
        text = slice_skip(text, 1);
        if (!time_take_int(&text, &minute, &overflow))
            return TIME_WRONG_FORM;
        if (text.len > 0 && text.ptr[0] == ':') {
            text = slice_skip(text, 1);
            if (!time_take_int(&text, &second, &overflow))
                return TIME_WRONG_FORM;
        }
    } else if (text.len == 0 && digits > 2) {
        minute = hour % 100;
        hour /= 100;
    }
    if (overflow || hour > 15 || minute > 59 || second > 59)
        return TIME_WRONG_OFFSET;
    if (text.len > 0)
        return TIME_WRONG_FORM;
    int32_t offset = hour * 3600 + minute * 60 + second;
    *ret = negative ? -offset : offset;
    return 0;
}

enum time_wrong time_clock(slice text, bool minutes_first, struct time_of_day *ret) {
    struct time_of_day t = {0};
    bool overflow = false;
    if (!time_take_digits(&text, &t.hour, &overflow) || text.len == 0 || text.ptr[0] != ':')
        return TIME_WRONG_FORM;
    text = slice_skip(text, 1);
    time_take_int(&text, &t.minute, &overflow); /* nothing is 0, as in PostgreSQL */
    bool shorter = text.len > 0 ? text.ptr[0] == '.' : minutes_first;
    if (shorter) {
        t.second = t.minute;
        t.minute = t.hour < 60 ? (int32_t)t.hour : 60; /* refused below */
        t.hour = 0;
    } else if (text.len > 0) {
        if (text.ptr[0] != ':')
            return TIME_WRONG_FORM;
        text = slice_skip(text, 1);
        time_take_int(&text, &t.second, &overflow);
    }
    if (!time_fraction(text, &t.us))
        return TIME_WRONG_FORM;
    if (overflow || t.minute > 59 || t.second > 60)
        return TIME_WRONG_RANGE;
    *ret = t;
    return 0;
}

int time_fail(struct sql_error *error, enum time_wrong wrong, const char *type, slice text,
              slice zone) {
    switch (wrong) {
    case TIME_WRONG_RANGE:
    case TIME_WRONG_ORDER:
        sql_fail(error, "22008", "date/time field value out of range: \"%.*s\"", slice_fmt(text));
        if (wrong == TIME_WRONG_ORDER)
            sql_error_hint(error, "Perhaps you need a different \"datestyle\" setting.");
        return -EINVAL;
    case TIME_WRONG_INTERVAL:
        return sql_fail(error, "22015", "interval field value out of range: \"%.*s\"",
                        slice_fmt(text));
    case TIME_WRONG_OFFSET:
        return sql_fail(error, "22009", "time zone displacement out of range: \"%.*s\"",
                        slice_fmt(text));
    case TIME_WRONG_ZONE:
        return sql_fail(error, "22023", "time zone \"%.*s\" not recognized", slice_fmt(zone));
    default:
        return sql_fail(error, "22007", "invalid input syntax for type %s: \"%.*s\"", type,
                        slice_fmt(text));
    }
}
