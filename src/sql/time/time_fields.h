/*
 * time_fields.h - the text of a date, a time or an interval cut into fields, and their words.
 *
 *      "Mon Jan 8 04:05:06.5 1999 -08"  ->  WORD WORD NUMBER TIME NUMBER SIGNED
 *
 * The first half of reading (datetime.h); what the fields mean is decided in date_read.c and
 * interval_in.c.
 */
#ifndef NONET_SQL_TIME_TIME_FIELDS_H
#define NONET_SQL_TIME_TIME_FIELDS_H

#include "sql/time/datetime.h"

#define TIME_FIELDS_MAX 25u

enum time_field_kind {
    TIME_FIELD_NUMBER, /* digits, at most one point: "8", "040506.789" */
    TIME_FIELD_TIME,   /* digits and colons: "04:05:06.789" */
    TIME_FIELD_DATE,   /* digits or letters with '-', '/' or '.': "1999-jan-08", "europe/berlin" */
    TIME_FIELD_SIGNED, /* a sign and a number or time: "-08", "+5:30" */
    TIME_FIELD_WORD,   /* letters, or a sign and letters: "jan", "-infinity" */
};

struct time_field {
    enum time_field_kind kind;
    slice text; /* in lower case, in the fields' own bytes, a NUL behind it */
};

struct time_fields {
    unsigned count;
    struct time_field field[TIME_FIELDS_MAX];
    char bytes[2 * SQL_TIME_TEXT_MAX];
};

enum time_word_kind {
    TIME_WORD_UNKNOWN,
    TIME_WORD_IGNORED, /* at, on */
    TIME_WORD_MONTH,   /* value: 1..12 */
    TIME_WORD_WEEKDAY, /* value: 0..6 */
    TIME_WORD_HALF,    /* am, pm: value 0, 12 */
    TIME_WORD_ERA,     /* ad, bc: value 0, 1 */
    TIME_WORD_T,       /* a time follows */
    TIME_WORD_JULIAN,  /* a Julian day follows */
    TIME_WORD_SUMMER,  /* dst */
    TIME_WORD_SPECIAL, /* value: enum time_special */
};

enum time_special {
    TIME_SPECIAL_NONE,
    TIME_SPECIAL_NOW,
    TIME_SPECIAL_TODAY,
    TIME_SPECIAL_YESTERDAY,
    TIME_SPECIAL_TOMORROW,
    TIME_SPECIAL_MIDNIGHT, /* allballs */
    TIME_SPECIAL_EPOCH,
    TIME_SPECIAL_INFINITY,
    TIME_SPECIAL_MINUS_INFINITY,
};

/* What is wrong with a text: 0, or one of these. */
enum time_wrong {
    TIME_WRONG_FORM = 1, /* 22007 */
    TIME_WRONG_RANGE,    /* 22008 */
    TIME_WRONG_ORDER,    /* 22008, and perhaps month and day changed places */
    TIME_WRONG_INTERVAL, /* 22015 */
    TIME_WRONG_OFFSET,   /* 22009 */
    TIME_WRONG_ZONE,     /* 22023 */
};

/* TEXT into fields. false: it cannot be any of the types. */
bool time_fields_cut(slice text, struct time_fields *ret);
enum time_word_kind time_word(slice word, int *ret_value);

static inline bool time_is_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool time_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool time_is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Digits from the front of *TEXT. false where there are none; *RET is at most INT64_MAX or
   INT32_MAX, and *OVERFLOW set beyond. */
bool time_take_digits(slice *text, int64_t *ret, bool *overflow);
bool time_take_int(slice *text, int32_t *ret, bool *overflow);
/* ".789" (or "") whole into microseconds, 0 to 1000000. */
bool time_fraction(slice text, int *ret_us);
/* "+hh", "+hhmm", "+hh:mm", "+hh:mm:ss" into seconds east. */
enum time_wrong time_offset(slice text, int32_t *ret);
/* "hh:mm", "hh:mm:ss", "hh:mm:ss.fff", "mm:ss.fff" (and, where MINUTES_FIRST, "mm:ss"). */
struct time_of_day {
    int64_t hour; /* of an interval as many as there are */
    int32_t minute, second;
    int us;
};
enum time_wrong time_clock(slice text, bool minutes_first, struct time_of_day *ret);

/* Fills ERROR for TEXT that was to be of TYPE ("date", "interval"). Returns -EINVAL. ZONE: the name
   that nobody knows. */
int time_fail(struct sql_error *error, enum time_wrong wrong, const char *type, slice text,
              slice zone);

#endif
