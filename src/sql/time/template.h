/*
 * template.h - templates of to_char(), to_timestamp() and to_date(), compiled.
 *
 *      "FMDDth Month"  ->  [DD, fill mode, th] [' '] [Month]
 *
 * The patterns are those of PostgreSQL's table 9.27. What is no pattern stands for itself, one item
 * a character; in double quotes everything does. A template is compiled once and kept with its
 * text for as long as the same text comes again (sql_call's `kept`).
 */
#ifndef NONET_SQL_TIME_TEMPLATE_H
#define NONET_SQL_TIME_TEMPLATE_H

#include "sql/function.h"
#include "sql/time/time_fields.h"

#define TEMPLATE_BYTES_MAX 8192u /* of a template's text; more: 54000 */

enum template_code {
    CODE_AM,
    CODE_AM_DOTS,
    CODE_BC,
    CODE_BC_DOTS,
    CODE_CENTURY,
    CODE_DAY,
    CODE_DAY_SHORT,
    CODE_DAY_OF_YEAR,
    CODE_DAY_OF_MONTH,
    CODE_DAY_OF_WEEK,
    CODE_FRACTION, /* the row's digits say how many */
    CODE_EXACT,    /* FX */
    CODE_HOUR12,
    CODE_HOUR24,
    CODE_ISO_DAY_OF_YEAR,
    CODE_ISO_DAY_OF_WEEK,
    CODE_ISO_WEEK,
    CODE_ISO_YEAR, /* digits: 4 to 1 */
    CODE_JULIAN,
    CODE_MILLISECOND,
    CODE_MINUTE,
    CODE_MONTH,
    CODE_MONTH_NAME,
    CODE_MONTH_SHORT,
    CODE_OFFSET,
    CODE_QUARTER,
    CODE_ROMAN,
    CODE_SECOND,
    CODE_SECOND_OF_DAY,
    CODE_ZONE,
    CODE_ZONE_HOUR,
    CODE_ZONE_MINUTE,
    CODE_MICROSECOND,
    CODE_WEEK,
    CODE_WEEK_OF_MONTH,
    CODE_YEAR, /* digits: 4 to 1 */
    CODE_YEAR_COMMA,
};

enum template_style { STYLE_UPPER, STYLE_CAPITAL, STYLE_LOWER };
enum template_calendar { CALENDAR_ANY, CALENDAR_GREGORIAN, CALENDAR_ISO };

struct template_pattern {
    char name[6]; /* without NUL where it has six letters */
    uint8_t code, style, digits, calendar;
    bool number; /* input: it begins with a digit for sure */
};

enum template_kind { ITEM_PATTERN, ITEM_CHAR, ITEM_SEPARATOR, ITEM_SPACE };

enum template_flag {
    TEMPLATE_FILL = 1,      /* FM: no blanks, no zeros */
    TEMPLATE_TRANSLATE = 2, /* TM: names without padding */
    TEMPLATE_TH = 4,        /* an ordinal's letters follow */
    TEMPLATE_TH_LOWER = 8,
};

struct template_item {
    const struct template_pattern *pattern; /* of ITEM_PATTERN */
    uint8_t kind, flags, len;
    char bytes[4]; /* of the others: one character */
};

struct template {
    slice text;       /* what it was made of */
    size_t bytes_max; /* no output is longer */
    unsigned count;
    struct template_item items[];
};

/* The template of TEXT: CALL's kept one, or a new one that CALL keeps from now on. NULL: the error
   is set. */
const struct template *template_of(struct sql_call *call, slice text);
/* What a separator of a template stands for: ASCII that is no blank, letter or digit. */
static inline bool template_is_separator(char c) {
    return c > ' ' && c < 0x7f && !time_is_letter(c) && !time_is_digit(c);
}
/* Bytes of the character that TEXT begins with; 1 where it is empty. */
static inline size_t template_character_bytes(slice text) {
    size_t len = 1;
    while (len < text.len && len < 4 && ((uint8_t)text.ptr[len] & 0xc0) == 0x80)
        len++;
    return len;
}
extern const char *const template_months[12];
extern const char *const template_days[7]; /* from Sunday */
/* The name of a pattern, as a slice. */
static inline slice template_name(const struct template_pattern *p) {
    return slice_make(p->name, strnlen(p->name, sizeof p->name));
}

#endif
