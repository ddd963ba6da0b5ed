/*
 * like.c - LIKE and its kin: ~~ !~~ ~~* !~~*, and ESCAPE's like_escape.
 *
 *   %   any run of characters     _   one character     \x   x itself
 *
 * A pattern is matched with one point to return to, the last % (what lies before it need never be
 * looked at again), so time is bounded by text times pattern. A vector whose pattern is constant
 * looks once at the pattern: 'x', 'x%', '%x' and '%x%' without other wildcards become a comparison
 * or a search. ILIKE folds ASCII letters, as collation "C" does.
 */
#include "sql/text/text_functions.h"

#include <errno.h>

static char fold(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool same(char a, char b, bool caseless) {
    return a == b || (caseless && fold(a) == fold(b));
}

static int fail_escape(struct sql_error *error) {
    return sql_fail(error, "22025", "LIKE pattern must not end with escape character");
}

/* 1, 0, or the error. */
static int like(struct sql_error *error, slice text, slice pattern, bool caseless) {
    size_t t = 0, p = 0, again_text = 0, again_pattern = SIZE_MAX;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '%') {
            again_pattern = ++p;
            again_text = t;
            if (p == pattern.len)
                return 1;
            continue;
        }
        if (p < pattern.len && pattern.ptr[p] == '_') {
            t += text_step(slice_skip(text, t));
            p++;
            continue;
        }
        size_t literal = p + (p < pattern.len && pattern.ptr[p] == '\\');
        if (literal > p && literal == pattern.len)
            return fail_escape(error);
        if (literal < pattern.len && same(text.ptr[t], pattern.ptr[literal], caseless)) {
            t++;
            p = literal + 1;
            continue;
        }
        if (again_pattern == SIZE_MAX)
            return 0;
        again_text += text_step(slice_skip(text, again_text));
        t = again_text;
        p = again_pattern;
    }
    while (p < pattern.len && pattern.ptr[p] == '%')
        p++;
    return p == pattern.len;
}

static int like_scalar(struct sql_call *call, const union sql_cell *a, bool caseless, bool negated,
                       union sql_cell *ret) {
    int is = like(call->error, a[0].text, a[1].text, caseless);
    if (is < 0)
        return is;
    ret->i = (is == 1) != negated;
    return 0;
}

static int is_like(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return like_scalar(call, a, false, false, ret);
}

static int is_not_like(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return like_scalar(call, a, false, true, ret);
}

static int is_ilike(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return like_scalar(call, a, true, false, ret);
}

static int is_not_ilike(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return like_scalar(call, a, true, true, ret);
}

/* A pattern of one literal with % at neither, either or both ends. */
struct plain {
    bool plain, open_start, open_end;
    slice literal;
};

static struct plain plain_of(slice pattern) {
    struct plain p = {.literal = pattern};
    if (p.literal.len && p.literal.ptr[0] == '%') {
        p.open_start = true;
        p.literal = slice_skip(p.literal, 1);
    }
    if (p.literal.len && p.literal.ptr[p.literal.len - 1] == '%') {
        p.open_end = true;
        p.literal.len--;
    }
    p.plain = slice_find(p.literal, '%') < 0 && slice_find(p.literal, '_') < 0 &&
              slice_find(p.literal, '\\') < 0;
    return p;
}

static bool plain_match(const struct plain *p, slice text) {
    if (p->open_start && p->open_end)
        return slice_find_slice(text, p->literal) >= 0;
    if (p->open_start)
        return slice_ends_with(text, p->literal);
    return p->open_end ? slice_starts_with(text, p->literal) : slice_equal(text, p->literal);
}

static int like_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                       bool negated, union sql_cell *ret, const uint8_t *nulls) {
    struct plain plain = {.plain = false};
    if (a[1].stride == 0 && rows > 0 && !sql_null_at(&a[1], 0))
        plain = plain_of(a[1].cells[0].text);
    for (unsigned i = 0; i < rows; i++) {
        if (nulls[i])
            continue;
        slice text = sql_cell_at(&a[0], i)->text;
        int is = plain.plain ? plain_match(&plain, text)
                             : like(call->error, text, sql_cell_at(&a[1], i)->text, false);
        if (is < 0)
            return is;
        ret[i].i = (is == 1) != negated;
    }
    return 0;
}

static int is_like_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                          union sql_cell *ret, uint8_t *ret_nulls) {
    return like_vector(call, a, rows, false, ret, ret_nulls);
}

static int is_not_like_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                              union sql_cell *ret, uint8_t *ret_nulls) {
    return like_vector(call, a, rows, true, ret, ret_nulls);
}

/* The pattern as it would be written with a backslash as its escape; ESCAPE may be empty. */
static int like_escape(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice pattern = a[0].text, escape = a[1].text;
    if (escape.len && text_step(escape) < escape.len) {
        (void)sql_fail(call->error, "22025", "invalid escape string");
        sql_error_hint(call->error, "Escape string must be empty or one character.");
        return -EINVAL;
    }
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    bool escaped = false;
    while (pattern.len && !failed) {
        slice c = slice_take(pattern, text_step(pattern));
        pattern = slice_skip(pattern, c.len);
        if (escape.len && !escaped && slice_equal(c, escape)) {
            escaped = true;
            failed = buf_append_byte(&out, '\\');
            continue;
        }
        if (c.ptr[0] == '\\' && !escaped)
            failed = buf_append_byte(&out, '\\');
        failed = failed ? failed : buf_append(&out, c);
        escaped = false;
    }
    return text_give(call, failed, &out, ret);
}

const struct sql_function sql_functions_like[] = {
    SQL_ROW_VECTOR("~~", is_like, is_like_vector, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW_VECTOR("!~~", is_not_like, is_not_like_vector, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    /* char(n) is matched with its blanks. */
    SQL_ROW_VECTOR("~~", is_like, is_like_vector, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW_VECTOR("!~~", is_not_like, is_not_like_vector, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("~~*", is_ilike, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("!~~*", is_not_ilike, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("~~*", is_ilike, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW("!~~*", is_not_ilike, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW("like", is_like, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW("notlike", is_not_like, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW("like_escape", like_escape, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    {.name = NULL},
};
