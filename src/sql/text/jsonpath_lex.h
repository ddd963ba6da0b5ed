/*
 * jsonpath_lex.h - the words of an SQL/JSON path, for jsonpath_parse.c alone.
 *
 * Blanks and comments stand between words. Names are what is no operator: key words are names too
 * until the parser looks at where they stand, because `$.exists.to` is a path of two keys.
 */
#ifndef NONET_SQL_TEXT_JSONPATH_LEX_H
#define NONET_SQL_TEXT_JSONPATH_LEX_H

#include "sql/text/jsonpath.h"

enum jsonpath_token_kind {
    JSONPATH_TOKEN_END,
    JSONPATH_TOKEN_NAME,     /* text */
    JSONPATH_TOKEN_STRING,   /* text: what it says */
    JSONPATH_TOKEN_NUMBER,   /* text: in jsonb's form */
    JSONPATH_TOKEN_VARIABLE, /* text */
    JSONPATH_TOKEN_SIGN,     /* written is the operator: "==", "**", "(" */
};

struct jsonpath_token {
    enum jsonpath_token_kind kind;
    slice text, written;
};

struct jsonpath_lexer {
    slice rest;
    struct arena *memory;
    struct sql_error *error;
};

must_use int jsonpath_lex(struct jsonpath_lexer *l, struct jsonpath_token *ret);

#endif
