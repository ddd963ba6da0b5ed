/* token.c - see token.h. */
#include "sql/parse/token.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool starts_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool goes_on(char c) {
    return starts_word(c) || is_digit(c) || c == '$';
}

/* Behind a block comment that starts at AT; they nest. */
static size_t behind_comment(slice text, size_t at) {
    unsigned depth = 0;
    while (at + 1 < text.len) {
        if (text.ptr[at] == '/' && text.ptr[at + 1] == '*') {
            depth++;
            at += 2;
        } else if (text.ptr[at] == '*' && text.ptr[at + 1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return text.len;
}

static size_t behind_blanks(slice text, size_t at) {
    while (at < text.len) {
        if (is_space(text.ptr[at])) {
            at++;
        } else if (text.ptr[at] == '-' && at + 1 < text.len && text.ptr[at + 1] == '-') {
            while (at < text.len && text.ptr[at] != '\n')
                at++;
        } else if (text.ptr[at] == '/' && at + 1 < text.len && text.ptr[at + 1] == '*') {
            at = behind_comment(text, at);
        } else {
            break;
        }
    }
    return at;
}

/* Behind the text that QUOTE at AT opens; a doubled quote is part of it, and so is what a backslash
   escapes where ESCAPES. */
static size_t behind_quote(slice text, size_t at, char quote, bool escapes) {
    for (at++; at < text.len; at++) {
        if (escapes && text.ptr[at] == '\\') {
            at++;
        } else if (text.ptr[at] == quote) {
            if (at + 1 >= text.len || text.ptr[at + 1] != quote)
                return at + 1;
            at++;
        }
    }
    return text.len;
}

/* Behind $tag$ … $tag$ that starts at AT; AT where that is no such quote ($1). */
static size_t behind_dollars(slice text, size_t at) {
    size_t tag_end = at + 1;
    while (tag_end < text.len && text.ptr[tag_end] != '$' && goes_on(text.ptr[tag_end]) &&
           !(tag_end == at + 1 && is_digit(text.ptr[tag_end])))
        tag_end++;
    if (tag_end >= text.len || text.ptr[tag_end] != '$')
        return at;
    slice tag = slice_make(text.ptr + at, tag_end + 1 - at);
    ptrdiff_t close = slice_find_slice(slice_skip(text, tag_end + 1), tag);
    return close < 0 ? text.len : tag_end + 1 + (size_t)close + tag.len;
}

static size_t behind_number(slice text, size_t at) {
    while (at < text.len && (goes_on(text.ptr[at]) || text.ptr[at] == '.')) {
        bool exponent = text.ptr[at] == 'e' || text.ptr[at] == 'E';
        at++;
        if (exponent && at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
            at++;
    }
    return at;
}

struct sql_token sql_token_next(struct sql_tokens *t) {
    size_t start = behind_blanks(t->text, t->at);
    struct sql_token token = {SQL_TOKEN_END, {NULL, 0}, (uint32_t)start};
    t->at = start;
    if (start >= t->text.len)
        return token;
    char c = t->text.ptr[start];
    char after = start + 1 < t->text.len ? t->text.ptr[start + 1] : '\0';
    size_t end = start + 1;
    token.kind = SQL_TOKEN_SIGN;
    if (c == '\'' || (after == '\'' && (c == 'b' || c == 'B' || c == 'x' || c == 'X' || c == 'n' ||
                                        c == 'N' || c == 'e' || c == 'E'))) {
        token.kind = SQL_TOKEN_STRING;
        end = behind_quote(t->text, c == '\'' ? start : start + 1, '\'', c == 'e' || c == 'E');
    } else if (c == '"') {
        token.kind = SQL_TOKEN_QUOTED;
        end = behind_quote(t->text, start, '"', false);
    } else if (starts_word(c)) {
        token.kind = SQL_TOKEN_WORD;
        while (end < t->text.len && goes_on(t->text.ptr[end]))
            end++;
    } else if (is_digit(c) || (c == '.' && is_digit(after))) {
        token.kind = SQL_TOKEN_NUMBER;
        end = behind_number(t->text, start);
    } else if (c == '$' && behind_dollars(t->text, start) > start) {
        token.kind = SQL_TOKEN_STRING;
        end = behind_dollars(t->text, start);
    }
    token.text = slice_make(t->text.ptr + start, end - start);
    t->at = end;
    return token;
}

bool sql_token_is(const struct sql_token *t, const char *word) {
    return t->kind == SQL_TOKEN_WORD && slice_equal_nocase(t->text, slice_str(word));
}

bool sql_token_is_sign(const struct sql_token *t, char sign) {
    return t->kind == SQL_TOKEN_SIGN && t->text.ptr[0] == sign;
}
