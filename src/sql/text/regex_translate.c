/*
 * regex_translate.c - branches, atoms and quantifiers of PostgreSQL's patterns (regex_translate.h).
 *
 *   expression  branch { | branch }
 *   branch      { atom [ quantifier ] }
 *   atom        (…) (?:…) lookaround, bracket, escape, anchor, character
 *
 * Greediness. In PostgreSQL a branch as a whole prefers the longest or the shortest match, as its
 * first quantifier that says something does; alternatives together prefer the longest. So each
 * quantifier is put out with a mark, a branch that turns out lazy makes all its marks lazy, and
 * the marks become `?` or nothing at the end.
 */
#include "base/regex.h"
#include "sql/text/regex_bracket.h"

#include <errno.h>

#define REPEAT_MAX 255
#define BRANCHES_MAX 32u /* alternatives that are put in order; more keep theirs */

enum preference { NONE, GREEDY, LAZY };

static int take_expression(struct translator *t, enum preference *ret);

static bool next_is(const struct translator *t, const char *begin) {
    return slice_starts_with(t->rest, slice_str(begin));
}

static bool take(struct translator *t, const char *begin) {
    bool is = next_is(t, begin);
    t->rest = slice_skip(t->rest, is ? strlen(begin) : 0);
    return is;
}

static bool is_digit(const struct translator *t, size_t at) {
    return at < t->rest.len && t->rest.ptr[at] >= '0' && t->rest.ptr[at] <= '9';
}

static bool at_quantifier(const struct translator *t) {
    return t->rest.len &&
           (strchr("*+?", t->rest.ptr[0]) || (t->rest.ptr[0] == '{' && is_digit(t, 1)));
}

/* What does not count: (?#…), and in expanded syntax blanks and # to the line's end. */
static int skip_ignored(struct translator *t) {
    for (;;) {
        if (take(t, "(?#")) {
            ptrdiff_t end = slice_find(t->rest, ')');
            if (end < 0)
                return regex_fail(t, "parentheses () not balanced");
            t->rest = slice_skip(t->rest, (size_t)end + 1);
        } else if (t->options.expanded && t->rest.len && strchr(" \t\n\v\f\r", t->rest.ptr[0])) {
            t->rest = slice_skip(t->rest, 1);
        } else if (t->options.expanded && next_is(t, "#")) {
            ptrdiff_t end = slice_find(t->rest, '\n');
            t->rest = slice_skip(t->rest, end < 0 ? t->rest.len : (size_t)end + 1);
        } else {
            return 0;
        }
    }
}

static int take_number(struct translator *t, unsigned *ret) {
    unsigned number = 0;
    if (!is_digit(t, 0))
        return regex_fail(t, "invalid repetition count(s)");
    for (; is_digit(t, 0); t->rest = slice_skip(t->rest, 1)) {
        number = number * 10 + (unsigned)(t->rest.ptr[0] - '0');
        if (number > REPEAT_MAX)
            return regex_fail(t, "invalid repetition count(s)");
    }
    *ret = number;
    return 0;
}

/* {m} {m,} {m,n}. */
struct bound {
    bool fixed; /* {m}: it says nothing about greediness */
    bool same;  /* {m,m}: it says something, but PCRE2 would not hear it */
};

static int take_bound(struct translator *t, struct bound *bound) {
    slice written = t->rest;
    t->rest = slice_skip(t->rest, 1);
    unsigned low = 0, high = 0;
    int failed = take_number(t, &low);
    high = low;
    bound->fixed = !failed && !take(t, ",");
    if (!failed && !bound->fixed) {
        high = REPEAT_MAX;
        failed = is_digit(t, 0) ? take_number(t, &high) : 0;
    }
    if (failed)
        return failed;
    if (t->rest.len == 0)
        return regex_fail(t, "braces {} not balanced");
    if (high < low || !take(t, "}"))
        return regex_fail(t, "invalid repetition count(s)");
    bound->same = low == high && !bound->fixed;
    return regex_put(t, slice_take(written, written.len - t->rest.len));
}

/* Marks from byte START on that are FROM become TO. */
static void mark_again(struct translator *t, size_t start, char from, char to) {
    for (size_t i = start; i < t->out->len; i++)
        if (t->out->ptr[i] == from)
            t->out->ptr[i] = to;
}

/* Behind an atom that was put out from byte ATOM on. */
static int take_quantifier(struct translator *t, size_t atom, enum preference *preference) {
    struct bound bound = {.fixed = false};
    int failed = 0;
    if (next_is(t, "{")) {
        failed = take_bound(t, &bound);
    } else {
        failed = regex_put(t, slice_take(t->rest, 1));
        t->rest = slice_skip(t->rest, 1);
    }
    if (failed)
        return failed;
    bool lazy = take(t, "?");
    if (!bound.fixed)
        *preference = lazy ? LAZY : GREEDY;
    if (bound.same && lazy)
        mark_again(t, atom, TEXT_REGEX_GREEDY, TEXT_REGEX_MADE_LAZY);
    else if (bound.same)
        mark_again(t, atom, TEXT_REGEX_MADE_LAZY, TEXT_REGEX_GREEDY);
    char mark = lazy ? TEXT_REGEX_LAZY : TEXT_REGEX_GREEDY;
    failed = regex_put(t, slice_make(&mark, 1));
    failed = failed ? failed : skip_ignored(t);
    if (!failed && at_quantifier(t))
        return regex_fail(t, "quantifier operand invalid");
    return failed;
}

/* Behind an opening parenthesis, which was put out. */
static int take_group(struct translator *t, bool captures, enum preference *ret) {
    if (++t->depth > TEXT_REGEX_DEPTH_MAX)
        return regex_fail(t, "regular expression is too complex");
    t->groups += captures;
    int failed = take_expression(t, ret);
    if (failed)
        return failed;
    if (!take(t, ")"))
        return regex_fail(t, "parentheses () not balanced");
    t->depth--;
    t->closed += captures;
    return regex_put(t, slice_lit(")"));
}

static int take_constraint(struct translator *t, slice open) {
    bool outer = t->in_constraint;
    enum preference ignored = NONE;
    t->in_constraint = true;
    int failed = regex_put(t, open);
    failed = failed ? failed : take_group(t, false, &ignored);
    t->in_constraint = outer;
    if (!failed && at_quantifier(t))
        return regex_fail(t, "quantifier operand invalid");
    return failed;
}

static int take_parenthesis(struct translator *t, enum preference *ret) {
    static const char *const constraints[] = {"(?=", "(?!", "(?<=", "(?<!"};
    for (size_t i = 0; i < array_count(constraints); i++)
        if (take(t, constraints[i]))
            return take_constraint(t, slice_str(constraints[i]));
    bool captures = !take(t, "(?:");
    if (captures && next_is(t, "(?"))
        return regex_fail(t, "quantifier operand invalid");
    if (captures)
        t->rest = slice_skip(t->rest, 1);
    captures = captures && !t->in_constraint;
    int failed = regex_put(t, captures ? slice_lit("(") : slice_lit("(?:"));
    return failed ? failed : take_group(t, captures, ret);
}

/* \m and its kin: 1 where it was one. */
static int take_anchor_escape(struct translator *t) {
    static const struct {
        char letter;
        const char *means;
    } anchors[] = {{'A', "\\A"}, {'m', "\\b(?=\\w)"}, {'M', "\\b(?<=\\w)"},
                   {'y', "\\b"}, {'Y', "\\B"},        {'Z', "\\z"}};
    for (size_t i = 0; i < array_count(anchors); i++) {
        if (t->rest.len == 0 || t->rest.ptr[0] != anchors[i].letter)
            continue;
        t->rest = slice_skip(t->rest, 1);
        int failed = regex_put(t, slice_str(anchors[i].means));
        if (!failed && at_quantifier(t))
            failed = regex_fail(t, "quantifier operand invalid");
        return failed ? failed : 1;
    }
    return 0;
}

static int take_back_reference(struct translator *t) {
    unsigned number = 0;
    for (unsigned digits = 0; digits < 3 && is_digit(t, 0); digits++) {
        number = number * 10 + (unsigned)(t->rest.ptr[0] - '0');
        t->rest = slice_skip(t->rest, 1);
    }
    if (number == 0 || number > t->closed || t->in_constraint)
        return regex_fail(t, "invalid backreference number");
    char text[32] = "";
    struct buf out = {text, 0, sizeof text, sizeof text};
    int failed = buf_printf(&out, t->options.caseless ? "(?i:\\g{%u})" : "(?:\\g{%u})", number);
    check(!failed);
    return regex_put(t, buf_slice(&out));
}

static int take_backslash(struct translator *t) {
    t->rest = slice_skip(t->rest, 1);
    slice letter = slice_take(t->rest, 1);
    if (letter.len && letter.ptr[0] && strchr("dswDSW", letter.ptr[0])) {
        t->rest = slice_skip(t->rest, 1);
        int failed = regex_put(t, slice_lit("\\"));
        return failed ? failed : regex_put(t, letter);
    }
    int taken = take_anchor_escape(t);
    if (taken)
        return taken < 0 ? taken : 0;
    uint32_t code = 0;
    taken = regex_take_escape(t, &code);
    if (taken)
        return taken < 0 ? taken : regex_put_character(t, code);
    if (is_digit(t, 0))
        return take_back_reference(t);
    return regex_fail(t, "invalid escape \\ sequence");
}

static int take_anchor(struct translator *t) {
    bool start = take(t, "^");
    t->rest = slice_skip(t->rest, !start);
    int failed = 0;
    if (t->options.newline_anchors)
        failed = regex_put(t, start ? slice_lit("(?:\\A|(?<=\\n))") : slice_lit("(?=\\n|\\z)"));
    else
        failed = regex_put(t, start ? slice_lit("\\A") : slice_lit("\\z"));
    if (!failed && at_quantifier(t))
        return regex_fail(t, "quantifier operand invalid");
    return failed;
}

static int take_atom(struct translator *t, enum preference *preference) {
    char c = t->rest.ptr[0];
    if (at_quantifier(t))
        return regex_fail(t, "quantifier operand invalid");
    if (c == '(')
        return take_parenthesis(t, preference);
    if (c == '\\')
        return take_backslash(t);
    if (c == '^' || c == '$')
        return take_anchor(t);
    if (take(t, "[[:<:]]"))
        return regex_put(t, slice_lit("\\b(?=\\w)"));
    if (take(t, "[[:>:]]"))
        return regex_put(t, slice_lit("\\b(?<=\\w)"));
    if (take(t, "["))
        return regex_take_bracket(t);
    if (take(t, "."))
        return regex_put(t, t->options.newline_stops ? slice_lit("\\N") : slice_lit("."));
    uint32_t code = 0;
    int failed = regex_take_character(t, &code);
    return failed ? failed : regex_put_character(t, code);
}

/* What a branch of alternatives was put out as. */
struct branch {
    size_t start, end;
    bool fixed; /* it matches LENGTH characters, and holds no groups */
    unsigned length;
};

/* Counts the atom at t->rest in. */
static void measure_atom(const struct translator *t, struct branch *b) {
    char c = t->rest.ptr[0], next = t->rest.len > 1 ? t->rest.ptr[1] : '\0';
    if (c == '(' || (c == '\\' && next >= '1' && next <= '9'))
        b->fixed = false;
    else if (c != '^' && c != '$' && !next_is(t, "[[:<:]]") && !next_is(t, "[[:>:]]") &&
             !(c == '\\' && next && strchr("AmMyYZ", next)))
        b->length++;
}

/* A lazy branch that ends with the text has one length only: its parts keep what they prefer. */
static int take_branch(struct translator *t, enum preference *ret, struct branch *branch) {
    size_t start = t->out->len;
    enum preference preference = NONE;
    bool to_end = false;
    *branch = (struct branch){.start = start, .fixed = true};
    for (;;) {
        int failed = skip_ignored(t);
        if (failed)
            return failed;
        if (t->rest.len == 0 || t->rest.ptr[0] == '|' || t->rest.ptr[0] == ')')
            break;
        enum preference piece = NONE;
        size_t atom = t->out->len;
        to_end = next_is(t, "$") || next_is(t, "\\Z");
        measure_atom(t, branch);
        failed = take_atom(t, &piece);
        failed = failed ? failed : skip_ignored(t);
        if (!failed && at_quantifier(t)) {
            branch->fixed = false;
            failed = take_quantifier(t, atom, &piece);
        }
        if (failed)
            return failed;
        preference = preference == NONE ? piece : preference;
    }
    if (preference == LAZY && !to_end)
        mark_again(t, start, TEXT_REGEX_GREEDY, TEXT_REGEX_MADE_LAZY);
    *ret = preference;
    branch->end = t->out->len;
    return 0;
}

/* Alternatives of fixed lengths are put in order, the longest first, so that PCRE2, which takes the
   first that matches, takes the longest as PostgreSQL does. */
static int arrange(struct translator *t, const struct branch *branches, size_t count) {
    const struct branch *ordered[BRANCHES_MAX];
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        if (!branches[i].fixed)
            return 0;
        for (; at > 0 && ordered[at - 1]->length < branches[i].length; at--)
            ordered[at] = ordered[at - 1];
        ordered[at] = &branches[i];
        changed |= at < i;
    }
    if (!changed)
        return 0;
    size_t start = branches[0].start;
    _cleanup_buf_ struct buf written = buf_make(TEXT_REGEX_BYTES_MAX);
    int failed = buf_append(&written, slice_skip(buf_slice(t->out), start));
    if (failed)
        return sql_fail_memory(t->error);
    t->out->len = start;
    for (size_t i = 0; i < count && !failed; i++) {
        failed = i > 0 ? regex_put(t, slice_lit("|")) : 0;
        if (!failed)
            failed = regex_put(t, slice_make(written.ptr + ordered[i]->start - start,
                                             ordered[i]->end - ordered[i]->start));
    }
    return failed;
}

static int take_expression(struct translator *t, enum preference *ret) {
    struct branch branches[BRANCHES_MAX];
    size_t count = 1;
    int failed = take_branch(t, ret, &branches[0]);
    while (!failed && take(t, "|")) {
        enum preference ignored = NONE;
        struct branch more;
        failed = regex_put(t, slice_lit("|"));
        failed = failed ? failed : take_branch(t, &ignored, &more);
        if (count < BRANCHES_MAX)
            branches[count] = more;
        count++;
        *ret = GREEDY;
    }
    return failed || count == 1 || count > BRANCHES_MAX ? failed : arrange(t, branches, count);
}

static int take_literal(struct translator *t) {
    int failed = 0;
    while (t->rest.len && !failed) {
        uint32_t code = 0;
        failed = regex_take_character(t, &code);
        failed = failed ? failed : regex_put_character(t, code);
    }
    return failed;
}

static bool set_option(char letter, struct text_regex_options *o) {
    switch (letter) {
    case 'c':
        o->caseless = false;
        return true;
    case 'i':
        o->caseless = true;
        return true;
    case 'm':
    case 'n':
        o->newline_stops = o->newline_anchors = true;
        return true;
    case 'p':
        o->newline_stops = true;
        o->newline_anchors = false;
        return true;
    case 'w':
        o->newline_stops = false;
        o->newline_anchors = true;
        return true;
    case 's':
        o->newline_stops = o->newline_anchors = false;
        return true;
    case 'x':
        o->expanded = true;
        return true;
    case 't':
        o->expanded = false;
        return true;
    case 'q':
        o->literal = true;
        return true;
    case 'e': /* extended: what an ARE is but for its escapes */
        return true;
    default:
        return false;
    }
}

int text_regex_flags(slice flags, struct text_regex_options *options, struct sql_error *error) {
    for (size_t i = 0; i < flags.len; i++) {
        if (flags.ptr[i] == 'g')
            options->global = true;
        else if (!set_option(flags.ptr[i], options))
            return sql_fail(error, "22023", "invalid regular expression option: \"%.*s\"",
                            slice_fmt(slice_take(slice_skip(flags, i), 1)));
    }
    return 0;
}

/* ***= ***: and (?letters) at the start. */
static int take_prefix(struct translator *t) {
    if (take(t, "***=")) {
        t->options.literal = true;
        return 0;
    }
    (void)take(t, "***:");
    if (t->rest.len < 3 || !next_is(t, "(?") || t->rest.ptr[2] < 'a' || t->rest.ptr[2] > 'z')
        return 0;
    slice rest = slice_skip(t->rest, 2);
    while (rest.len && rest.ptr[0] != ')') {
        if (!set_option(rest.ptr[0], &t->options))
            return regex_fail(t, "invalid embedded option");
        rest = slice_skip(rest, 1);
    }
    if (rest.len == 0)
        return regex_fail(t, "invalid embedded option");
    t->rest = slice_skip(rest, 1);
    return 0;
}

/* Marks become what they say. */
static void settle(struct buf *out, size_t start) {
    size_t to = start;
    for (size_t i = start; i < out->len; i++) {
        char c = out->ptr[i];
        if (c == TEXT_REGEX_GREEDY)
            continue;
        bool lazy = c == TEXT_REGEX_LAZY || c == TEXT_REGEX_MADE_LAZY;
        out->ptr[to++] = (char)(lazy ? '?' : c);
    }
    out->len = to;
}

int text_regex_translate(slice pattern, struct text_regex_options options, struct buf *out,
                         struct sql_error *error) {
    struct translator t = {.rest = pattern, .options = options, .out = out, .error = error};
    size_t start = out->len;
    int failed = regex_put(&t, slice_lit("(?s)")); /* . matches newlines; where not: \N */
    if (!failed && !options.literal)
        failed = take_prefix(&t);
    if (failed)
        return failed;
    if (t.options.literal)
        return take_literal(&t);
    enum preference ignored = NONE;
    failed = take_expression(&t, &ignored);
    if (failed)
        return failed;
    if (t.rest.len > 0)
        return regex_fail(&t, "parentheses () not balanced");
    settle(out, start);
    return 0;
}

int text_regex_compile(slice pattern, struct text_regex_options options, struct regex **ret,
                       struct sql_error *error) {
    _cleanup_buf_ struct buf translated = buf_make(TEXT_REGEX_BYTES_MAX);
    char message[REGEX_MESSAGE_BYTES];
    int failed = text_regex_translate(pattern, options, &translated, error);
    if (failed)
        return failed;
    failed = regex_compile(buf_slice(&translated), 0, ret, message);
    if (failed == -EINVAL)
        return sql_fail(error, "2201B", "invalid regular expression: %s", message);
    return failed ? sql_fail_memory(error) : 0;
}
