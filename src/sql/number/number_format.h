/*
 * number_format.h - the patterns of to_char(number, 'S9,990.99') and to_number.
 *
 * A pattern becomes a run of elements. Positions are the digits (9, 0) and the point; everything
 * else stands between them. The value comes as digits: an integer part, a fraction as long as the
 * pattern's, a sign.
 */
#ifndef NONET_SQL_NUMBER_NUMBER_FORMAT_H
#define NONET_SQL_NUMBER_NUMBER_FORMAT_H

#include "sql/function.h"

enum format_kind {
    FORMAT_NINE,
    FORMAT_ZERO,
    FORMAT_POINT,    /* . D */
    FORMAT_GROUP,    /* , G */
    FORMAT_CURRENCY, /* L: a blank */
    FORMAT_SIGN,     /* S */
    FORMAT_MINUS,    /* MI */
    FORMAT_PLUS,     /* PL */
    FORMAT_BOTH,     /* SG */
    FORMAT_BRACKETS, /* PR */
    FORMAT_FILL,     /* FM: no padding */
    FORMAT_SHIFT,    /* V: digits behind it multiply */
    FORMAT_ORDINAL,  /* TH, th */
    FORMAT_ROMAN,    /* RN, rn */
    FORMAT_EXPONENT, /* EEEE */
    FORMAT_BLANK,    /* B: without effect */
    FORMAT_LITERAL,
};

struct format_element {
    uint8_t kind;
    bool lower;    /* th, rn */
    slice literal; /* of LITERAL: one character */
};

struct number_format {
    struct format_element *element;
    unsigned elements;
    unsigned before, behind, shift; /* digits before and behind the point; behind V */
    unsigned has;                   /* 1 << kind of each that is there; ZERO: before the point */
    unsigned zero_first;            /* position of the first 0 before the point */
    unsigned zero_behind;           /* digits behind the point up to the last 0 there */
    unsigned sign_at;               /* digits before S */
    bool sign_behind;               /* S stands behind the point */
};

#define FORMAT_HAS(format_, kind_) (((format_)->has >> (kind_)) & 1u)

/* What a pattern is to be filled with. */
struct format_digits {
    slice integer, fraction; /* FRACTION: format->behind digits */
    bool negative;
    bool overflow; /* does not fit: the positions show # */
};

/* Elements in MEMORY. 0, or sql_fail (42601). */
must_use int number_format_read(slice pattern, struct arena *memory, struct number_format *ret,
                                struct sql_error *error);
must_use int number_format_write(const struct number_format *f, const struct format_digits *d,
                                 struct buf *out);
/* The text TEXT by pattern F as a number's text, to be parsed. */
must_use int number_format_parse(const struct number_format *f, slice text, struct buf *out);

#endif
