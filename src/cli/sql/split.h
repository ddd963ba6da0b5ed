/*
 * split.h - where a statement of SQL ends, and where a backslash begins a command.
 *
 *      CREATE FUNCTION f() RETURNS text AS $x$ SELECT ';' $x$ LANGUAGE sql; SELECT 1 \gx
 *                                              not here                   ^here      ^ here
 *
 * A statement ends with a semicolon outside of strings ('…', E'…\'…', U&'…'), quoted names, dollar
 * quotes, comments (which nest), parentheses and the BEGIN ATOMIC … END of a function's body.
 * Standard strings: a backslash in '…' means itself.
 *
 * Text comes line by line: after SPLIT_MORE the next call goes on where the last one ended, so each
 * byte is looked at once.
 */
#ifndef NONET_CLI_SQL_SPLIT_H
#define NONET_CLI_SQL_SPLIT_H

#include "base/slice.h"

#define SPLIT_TAG_MAX 64u  /* of $tag$; a longer one is no quote */
#define SPLIT_WORD_MAX 16u /* of the words that decide about BEGIN ATOMIC */

enum split_found {
    SPLIT_MORE,      /* the text ends within a statement, or with nothing */
    SPLIT_STATEMENT, /* `at` stands behind its semicolon */
    SPLIT_COMMAND,   /* `at` stands at a backslash */
};

enum split_inside {
    SPLIT_PLAIN,
    SPLIT_STRING,
    SPLIT_ESCAPE_STRING,
    SPLIT_NAME,
    SPLIT_DOLLAR,
    SPLIT_LINE_COMMENT,
    SPLIT_COMMENT,
};

struct split {
    size_t at;
    enum split_inside inside;
    unsigned depth, comments; /* open parentheses; open comments */
    unsigned blocks;          /* BEGIN and CASE that are open in a function's body */
    unsigned words;           /* of the statement, as far as they are counted */
    bool creates_routine;     /* CREATE [OR REPLACE] FUNCTION or PROCEDURE, as far as is known */
    bool replaces;            /* its second word is OR */
    bool has_text;            /* something but blanks and comments was seen */
    char tag[SPLIT_TAG_MAX + 2];
    size_t tag_len;
};

/* A new statement, which begins at AT of its text. */
void split_begin(struct split *split, size_t at);

/* Goes on through TEXT: the same as in the call before, or with more behind it. The last line of it
   is whole. */
enum split_found split_next(struct split *split, slice text);

/* What a person has to close: ' " $ ( * - as psql's prompts say it, or '=' where nothing has
   begun. */
char split_open(const struct split *split);

#endif
