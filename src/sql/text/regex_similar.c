/*
 * regex_similar.c - SIMILAR TO's patterns as regular expressions (regex_translate.h).
 *
 *      %   .*          _   .          ( )   (?: )        . ^ $ \   escaped
 *      | * + ? {m,n} [ ]   as they are                   #x   \x   (# is the escape character)
 *
 *   ^(?:pattern)$
 *   ^(?:before){1,1}?(part){1,1}(?:behind)$      of before#"part#"behind, for substring
 *
 * {1,1}? is how an ARE is told that the part before shall be as short as can be.
 */
#include "sql/text/give.h"
#include "sql/text/regex_translate.h"

#include <errno.h>

struct similar {
    slice rest, escape;
    struct buf *out;
    struct sql_error *error;
    unsigned separators;
    bool in_bracket;
};

static int put_escaped(struct similar *s, slice c) {
    if (c.ptr[0] == '"' && !s->in_bracket) {
        if (++s->separators > 2)
            return sql_fail(s->error, "2200C",
                            "SQL regular expression may not contain more than two "
                            "escape-double-quote separators");
        return buf_append(s->out,
                          s->separators == 1 ? slice_lit("){1,1}?(") : slice_lit("){1,1}(?:"));
    }
    int failed = buf_append_byte(s->out, '\\');
    return failed ? failed : buf_append(s->out, c);
}

static int put(struct similar *s, slice c) {
    if (s->in_bracket) {
        s->in_bracket = c.ptr[0] != ']';
        int failed = c.ptr[0] == '\\' ? buf_append_byte(s->out, '\\') : 0;
        return failed ? failed : buf_append(s->out, c);
    }
    switch (c.ptr[0]) {
    case '[':
        s->in_bracket = true;
        return buf_append(s->out, c);
    case '%':
        return buf_append(s->out, slice_lit(".*"));
    case '_':
        return buf_append_byte(s->out, '.');
    case '(':
        return buf_append(s->out, slice_lit("(?:"));
    case '\\':
    case '.':
    case '^':
    case '$': {
        int failed = buf_append_byte(s->out, '\\');
        return failed ? failed : buf_append(s->out, c);
    }
    default:
        return buf_append(s->out, c);
    }
}

int text_similar_translate(slice pattern, slice escape, struct buf *out, struct sql_error *error) {
    if (escape.len && text_step(escape) < escape.len) {
        (void)sql_fail(error, "22025", "invalid escape string");
        sql_error_hint(error, "Escape string must be empty or one character.");
        return -EINVAL;
    }
    struct similar s = {.rest = pattern, .escape = escape, .out = out, .error = error};
    int failed = buf_append(out, slice_lit("^(?:"));
    bool escaped = false;
    while (s.rest.len && !failed) {
        slice c = slice_take(s.rest, text_step(s.rest));
        s.rest = slice_skip(s.rest, c.len);
        if (escaped)
            failed = put_escaped(&s, c);
        else if (!escape.len || !slice_equal(c, escape))
            failed = put(&s, c);
        escaped = !escaped && escape.len && slice_equal(c, escape);
    }
    failed = failed ? failed : buf_append(out, slice_lit(")$"));
    if (failed == -ENOMEM)
        return sql_fail_memory(error);
    if (failed == -ENOBUFS)
        return sql_fail(error, "54000", "the pattern is too long");
    return failed;
}
