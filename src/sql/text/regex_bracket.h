/*
 * regex_bracket.h - what the translator's two halves share: its state, escapes, bracket
 * expressions.
 *
 * regex_translate.c knows branches, atoms and quantifiers, regex_bracket.c single characters, their
 * escapes and sets of them. Nothing here is for others.
 */
#ifndef NONET_SQL_TEXT_REGEX_BRACKET_H
#define NONET_SQL_TEXT_REGEX_BRACKET_H

#include "sql/text/regex_translate.h"

/* Marks in the output, undone at its end: a quantifier is greedy, or not. No other byte of the
   output is one of these, control characters are written \xhh. */
#define TEXT_REGEX_GREEDY '\x01'
#define TEXT_REGEX_LAZY '\x02'
#define TEXT_REGEX_MADE_LAZY '\x03' /* by its branch, not by itself */

struct translator {
    slice rest; /* of the pattern */
    struct text_regex_options options;
    struct buf *out;
    struct sql_error *error;
    unsigned depth;
    unsigned groups, closed; /* capturing: opened, closed */
    bool in_constraint;      /* of lookaround: groups do not capture */
};

/* 2201B "invalid regular expression: WHY". */
int regex_fail(struct translator *t, const char *why);
int regex_put(struct translator *t, slice bytes);
/* CODE as a character of its own outside brackets. */
int regex_put_character(struct translator *t, uint32_t code);
/* The next character of the pattern, which is not empty. */
int regex_take_character(struct translator *t, uint32_t *ret);
/* An escape that is one character, t->rest behind its backslash: 1 and *RET, 0: it is another
   kind and nothing was taken, or the error. */
int regex_take_escape(struct translator *t, uint32_t *ret);
/* A bracket expression, t->rest behind its `[`. */
int regex_take_bracket(struct translator *t);

#endif
