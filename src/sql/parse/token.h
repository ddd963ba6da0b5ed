/*
 * token.h - just enough of SQL's lexical rules (PostgreSQL 15, chapter 4.1) to find words.
 *
 * The grammar is libpg_query's; this reader only must never take a word out of a string, a quoted
 * name, a dollar-quoted body or a comment, and know where statements and parentheses end.
 */
#ifndef NONET_SQL_PARSE_TOKEN_H
#define NONET_SQL_PARSE_TOKEN_H

#include "base/slice.h"

#include <stdint.h>

enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_WORD,   /* keyword or name, not quoted */
    SQL_TOKEN_QUOTED, /* "name" */
    SQL_TOKEN_STRING, /* 'text', E'text', $$text$$, with quotes */
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_SIGN, /* one byte of anything else */
};

struct sql_token {
    enum sql_token_kind kind;
    slice text;
    uint32_t start; /* byte */
};

struct sql_tokens {
    slice text;
    size_t at;
};

/* The next one; comments and blanks are passed over. A string or comment without an end reaches to
   the end of the text (the grammar then complains). */
struct sql_token sql_token_next(struct sql_tokens *t);

/* Is T the word WORD (lower case), in any case, not quoted? */
bool sql_token_is(const struct sql_token *t, const char *word);
bool sql_token_is_sign(const struct sql_token *t, char sign);

#endif
