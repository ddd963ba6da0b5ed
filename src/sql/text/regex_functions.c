/*
 * regex_functions.c - ~ and its kin, regexp_…(), substring by pattern.
 *
 * A pattern is translated and compiled once and kept with the call as long as the next row brings
 * the same pattern and flags, which for constants is always. Each match has regex.h's budget; what
 * exceeds it is error 54000, so that no pattern holds up a shard.
 *
 * Searching for all matches steps on by one character where a match was empty. Splitting does not
 * count empty matches at the end, or right behind the match before.
 */
#include "base/mem.h"
#include "base/regex.h"
#include "sql/text/regex_translate.h"
#include "sql/text/text_functions.h"

#include <errno.h>

/* The match and its groups; of patterns with more the rest is not asked for. */
#define SPANS_MAX 256u

struct pattern {
    struct regex *regex;
    char *source; /* the pattern, then the flags */
    size_t pattern_len, flags_len;
    bool caseless, global;
};

static void pattern_free(void *kept) {
    struct pattern *p = kept;
    regex_free(p->regex);
    mem_free(p->source);
    mem_free(p);
}

static bool is_kept(const struct pattern *p, slice pattern, slice flags, bool caseless) {
    return p && p->caseless == caseless &&
           slice_equal(pattern, slice_make(p->source, p->pattern_len)) &&
           slice_equal(flags, slice_make(p->source + p->pattern_len, p->flags_len));
}

static int fail_match(struct sql_call *call, int failed) {
    if (failed == -ENOMEM)
        return sql_fail_memory(call->error);
    (void)sql_fail(call->error, "54000", "regular expression failed: too many steps");
    sql_error_hint(call->error, "A match may take %u steps; make the pattern less ambiguous.",
                   REGEX_STEPS_MAX);
    return -EINVAL;
}

/* The compiled pattern, kept or new. */
static int pattern_of(struct sql_call *call, slice pattern, slice flags, bool caseless,
                      struct pattern **ret) {
    if (is_kept(call->kept, pattern, flags, caseless)) {
        *ret = call->kept;
        return 0;
    }
    struct text_regex_options options = {.caseless = caseless};
    int failed = text_regex_flags(flags, &options, call->error);
    if (failed)
        return failed;
    struct pattern *made = mem_zalloc(1, sizeof *made);
    char *source = mem_alloc(pattern.len + flags.len);
    if (made && source)
        failed = text_regex_compile(pattern, options, &made->regex, call->error);
    if (!made || !source || failed) {
        mem_free(made);
        mem_free(source);
        return failed ? failed : sql_fail_memory(call->error);
    }
    char *at = made->source = source;
    slice_store(&at, pattern);
    slice_store(&at, flags);
    made->pattern_len = pattern.len;
    made->flags_len = flags.len;
    made->caseless = caseless;
    made->global = options.global;
    if (call->kept)
        call->kept_free(call->kept);
    call->kept = made;
    call->kept_free = pattern_free;
    *ret = made;
    return 0;
}

/* The same of arguments PATTERN and FLAGS (where there is one), 'g' refused for function NAME. */
static int pattern_at(struct sql_call *call, const union sql_cell *a, unsigned flags,
                      const char *name, struct pattern **ret) {
    slice given = flags < call->count ? a[flags].text : slice_lit("");
    int failed = pattern_of(call, a[1].text, given, false, ret);
    if (failed || !name || !(*ret)->global)
        return failed;
    (void)sql_fail(call->error, "22023", "%s() does not support the \"global\" option", name);
    if (strcmp(name, "regexp_match") == 0)
        sql_error_hint(call->error, "Use the regexp_matches function instead.");
    return -EINVAL;
}

/* 1, 0, or the error told. */
static int match(struct sql_call *call, struct pattern *p, slice text, size_t start,
                 struct regex_span *spans, unsigned count) {
    int found = regex_match(p->regex, text, start, spans, count);
    return found < 0 ? fail_match(call, found) : found;
}

static int matches(struct sql_call *call, const union sql_cell *a, bool caseless, bool negated,
                   union sql_cell *ret) {
    struct pattern *p = NULL;
    struct regex_span span;
    int failed = pattern_of(call, a[1].text, slice_lit(""), caseless, &p);
    int found = failed ? failed : match(call, p, a[0].text, 0, &span, 1);
    if (found < 0)
        return found;
    ret->i = (found == 1) != negated;
    return 0;
}

static int is_match(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return matches(call, a, false, false, ret);
}

static int is_no_match(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return matches(call, a, false, true, ret);
}

static int is_match_caseless(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return matches(call, a, true, false, ret);
}

static int is_no_match_caseless(struct sql_call *call, const union sql_cell *a,
                                union sql_cell *ret) {
    return matches(call, a, true, true, ret);
}

static slice span_of(slice text, struct regex_span span) {
    return slice_make(text.ptr + span.start, span.end - span.start);
}

static unsigned spans_of(const struct pattern *p) {
    unsigned groups = regex_groups(p->regex);
    return groups + 1 > SPANS_MAX ? SPANS_MAX : groups + 1;
}

/* The groups of a match, or the whole of it where the pattern has none, as text[]. */
static int give_groups(struct sql_call *call, slice text, const struct regex_span *spans,
                       unsigned count, union sql_cell *ret) {
    unsigned first = count > 1;
    struct text_array out;
    int failed = text_array_make(call, SQL_TEXT, count - first, &out);
    for (unsigned i = first; i < count && !failed; i++) {
        out.nulls[i - first] = spans[i].start == REGEX_NONE;
        if (!out.nulls[i - first])
            out.cells[i - first].text = span_of(text, spans[i]);
    }
    if (!failed)
        ret->array = out.array;
    return failed;
}

static int regexp_match(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    struct regex_span spans[SPANS_MAX];
    int failed = pattern_at(call, a, 2, "regexp_match", &p);
    if (failed)
        return failed;
    int found = match(call, p, a[0].text, 0, spans, spans_of(p));
    if (found <= 0) {
        call->null = true;
        return found;
    }
    return give_groups(call, a[0].text, spans, spans_of(p), ret);
}

/* All matches, one after the other. */
struct search {
    struct sql_call *call;
    struct pattern *pattern;
    slice text;
    size_t start; /* where the next is looked for; > text.len: no more */
    struct regex_span spans[SPANS_MAX];
};

/* 1: s->spans holds the next match; 0: there is none; or the error. */
static int search_next(struct search *s) {
    if (s->start > s->text.len)
        return 0;
    int found = match(s->call, s->pattern, s->text, s->start, s->spans, spans_of(s->pattern));
    if (found <= 0)
        return found;
    if (s->spans[0].end > s->start)
        s->start = s->spans[0].end;
    else
        s->start += s->start < s->text.len ? text_step(slice_skip(s->text, s->start)) : 1;
    return 1;
}

static int regexp_matches(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                          void *to) {
    static const uint8_t none[1] = {0};
    struct search s = {.call = call, .text = a[0].text};
    int failed = pattern_at(call, a, 2, NULL, &s.pattern);
    while (!failed) {
        int found = search_next(&s);
        if (found <= 0)
            return found;
        union sql_cell cell;
        failed = give_groups(call, s.text, s.spans, spans_of(s.pattern), &cell);
        failed = failed ? failed : emit(to, &cell, none);
        if (!s.pattern->global)
            break;
    }
    return failed;
}

/* The next separator that counts. */
static int search_separator(struct search *s, size_t behind) {
    for (;;) {
        int found = search_next(s);
        if (found <= 0)
            return found;
        if (s->spans[0].start < s->text.len && s->spans[0].end > behind)
            return 1;
    }
}

static int split_each(struct sql_call *call, const union sql_cell *a, const char *name,
                      int (*each)(void *to, slice part), void *to) {
    struct search s = {.call = call, .text = a[0].text};
    size_t behind = 0;
    int failed = pattern_at(call, a, 2, name, &s.pattern);
    while (!failed) {
        int found = search_separator(&s, behind);
        if (found < 0)
            return found;
        if (found == 0)
            return each(to, slice_skip(s.text, behind));
        failed = each(to, slice_make(s.text.ptr + behind, s.spans[0].start - behind));
        behind = s.spans[0].end;
    }
    return failed;
}

struct emitter {
    sql_emit *emit;
    void *to;
};

static int emit_part(void *self, slice part) {
    static const uint8_t none[1] = {0};
    struct emitter *e = self;
    union sql_cell cell = {.text = part};
    return e->emit(e->to, &cell, none);
}

static int regexp_split_to_table(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                                 void *to) {
    struct emitter e = {emit, to};
    return split_each(call, a, "regexp_split_to_table", emit_part, &e);
}

static int gather_part(void *self, slice part) {
    return buf_append(self, slice_make(&part, sizeof part));
}

static int regexp_split_to_array(struct sql_call *call, const union sql_cell *a,
                                 union sql_cell *ret) {
    _cleanup_buf_ struct buf parts = text_buf();
    int failed = split_each(call, a, "regexp_split_to_array", gather_part, &parts);
    if (failed)
        return text_fail(call, failed);
    struct text_array out;
    failed = text_array_make(call, SQL_TEXT, parts.len / sizeof(slice), &out);
    if (failed)
        return failed;
    for (unsigned i = 0; i < out.array->count; i++)
        memcpy(&out.cells[i].text, parts.ptr + i * sizeof(slice), sizeof(slice));
    ret->array = out.array;
    return 0;
}

/* \1 to \9 the groups, \& the whole, \\ a backslash, anything else as it is. */
static int put_replacement(struct buf *out, slice by, slice text, const struct regex_span *spans,
                           unsigned count) {
    int failed = 0;
    while (by.len && !failed) {
        ptrdiff_t at = slice_find(by, '\\');
        failed = buf_append(out, at < 0 ? by : slice_take(by, (size_t)at));
        if (at < 0 || failed)
            break;
        by = slice_skip(by, (size_t)at + 1);
        char c = by.len ? by.ptr[0] : '\0';
        unsigned group = c >= '1' && c <= '9' ? (unsigned)(c - '0') : 0;
        if (group > 0 || c == '&') {
            if (group < count && spans[group].start != REGEX_NONE)
                failed = buf_append(out, span_of(text, spans[group]));
            by = slice_skip(by, 1);
        } else {
            failed = buf_append_byte(out, '\\');
            by = slice_skip(by, c == '\\');
        }
    }
    return failed;
}

/* Match NTH (0: every) from byte START on is replaced. */
static int replace(struct sql_call *call, struct pattern *p, const union sql_cell *a, size_t start,
                   int64_t nth, union sql_cell *ret) {
    struct search s = {.call = call, .pattern = p, .text = a[0].text, .start = start};
    _cleanup_buf_ struct buf out = text_buf();
    size_t copied = 0;
    int failed = 0;
    for (int64_t n = 1; !failed; n++) {
        int found = search_next(&s);
        if (found < 0)
            return found;
        if (found == 0)
            break;
        if (nth > 0 && n < nth)
            continue;
        failed = buf_append(&out, slice_make(s.text.ptr + copied, s.spans[0].start - copied));
        if (!failed)
            failed = put_replacement(&out, a[2].text, s.text, s.spans, spans_of(p));
        copied = s.spans[0].end;
        if (nth > 0)
            break;
    }
    failed = failed ? failed : buf_append(&out, slice_skip(s.text, copied));
    return text_give(call, failed, &out, ret);
}

static int regexp_replace(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    int failed = pattern_at(call, a, 3, NULL, &p);
    if (failed && call->count > 3 && a[3].text.len && a[3].text.ptr[0] >= '0' &&
        a[3].text.ptr[0] <= '9')
        sql_error_hint(call->error,
                       "If you meant to use regexp_replace() with a start parameter, cast the "
                       "fourth argument to integer explicitly.");
    return failed ? failed : replace(call, p, a, 0, p->global ? 0 : 1, ret);
}

/* Argument INDEX, or its default; below MIN is 22023. */
static int parameter(struct sql_call *call, const union sql_cell *a, unsigned index,
                     const char *name, int64_t min, int64_t otherwise, int64_t *ret) {
    *ret = index < call->count ? a[index].i : otherwise;
    if (*ret >= min)
        return 0;
    return sql_fail(call->error, "22023", "invalid value for parameter \"%s\": %lld", name,
                    (long long)*ret);
}

/* The byte where character START (from 1) begins: past the end where there is none. */
static size_t start_byte(slice text, int64_t start) {
    size_t at = text_offset(text, (size_t)start - 1);
    return at == text.len && text_length(text) < (size_t)start - 1 ? text.len + 1 : at;
}

static int regexp_replace_nth(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    int64_t start = 1, nth = 1;
    int failed = parameter(call, a, 3, "start", 1, 1, &start);
    failed = failed ? failed : parameter(call, a, 4, "n", 0, 1, &nth);
    failed = failed ? failed : pattern_at(call, a, 5, NULL, &p);
    if (failed)
        return failed;
    if (call->count < 5)
        nth = p->global ? 0 : 1;
    return replace(call, p, a, start_byte(a[0].text, start), nth, ret);
}

static int regexp_count(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct search s = {.call = call, .text = a[0].text};
    int64_t start = 1;
    int failed = parameter(call, a, 2, "start", 1, 1, &start);
    failed = failed ? failed : pattern_at(call, a, 3, "regexp_count", &s.pattern);
    if (failed)
        return failed;
    s.start = start_byte(s.text, start);
    for (ret->i = 0;; ret->i++) {
        int found = search_next(&s);
        if (found <= 0)
            return found;
    }
}

/* Of match NTH from START on, group SUBEXPR: 1 and *RET, 0 where there is none, or the error. */
static int find_nth(struct search *s, int64_t start, int64_t nth, int64_t subexpr,
                    struct regex_span *ret) {
    s->start = start_byte(s->text, start);
    for (; nth > 0; nth--) {
        int found = search_next(s);
        if (found <= 0)
            return found;
    }
    if (subexpr >= spans_of(s->pattern) || s->spans[subexpr].start == REGEX_NONE)
        return 0;
    *ret = s->spans[subexpr];
    return 1;
}

static int regexp_instr(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct search s = {.call = call, .text = a[0].text};
    struct regex_span span;
    int64_t start = 1, nth = 1, end = 0, subexpr = 0;
    int failed = parameter(call, a, 2, "start", 1, 1, &start);
    failed = failed ? failed : parameter(call, a, 3, "n", 1, 1, &nth);
    failed = failed ? failed : parameter(call, a, 4, "endoption", 0, 0, &end);
    if (!failed && end > 1)
        failed = sql_fail(call->error, "22023", "invalid value for parameter \"endoption\": %lld",
                          (long long)end);
    failed = failed ? failed : parameter(call, a, 6, "subexpr", 0, 0, &subexpr);
    failed = failed ? failed : pattern_at(call, a, 5, "regexp_instr", &s.pattern);
    if (failed)
        return failed;
    int found = find_nth(&s, start, nth, subexpr, &span);
    if (found < 0)
        return found;
    size_t at = found ? (end ? span.end : span.start) : 0;
    ret->i = found ? (int64_t)text_length(slice_take(s.text, at)) + 1 : 0;
    return 0;
}

static int regexp_substr(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct search s = {.call = call, .text = a[0].text};
    struct regex_span span;
    int64_t start = 1, nth = 1, subexpr = 0;
    int failed = parameter(call, a, 2, "start", 1, 1, &start);
    failed = failed ? failed : parameter(call, a, 3, "n", 1, 1, &nth);
    failed = failed ? failed : parameter(call, a, 5, "subexpr", 0, 0, &subexpr);
    failed = failed ? failed : pattern_at(call, a, 4, "regexp_substr", &s.pattern);
    if (failed)
        return failed;
    int found = find_nth(&s, start, nth, subexpr, &span);
    call->null = found == 0;
    if (found > 0)
        ret->text = span_of(s.text, span);
    return found < 0 ? found : 0;
}

static int regexp_like(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    struct regex_span span;
    int failed = pattern_at(call, a, 2, "regexp_like", &p);
    int found = failed ? failed : match(call, p, a[0].text, 0, &span, 1);
    ret->i = found == 1;
    return found < 0 ? found : 0;
}

/* The first group, or the whole match where the pattern has none. */
static int give_first(struct sql_call *call, struct pattern *p, slice text, union sql_cell *ret) {
    struct regex_span spans[2];
    int found = match(call, p, text, 0, spans, 2);
    if (found < 0)
        return found;
    struct regex_span span = spans[regex_groups(p->regex) > 0];
    call->null = found == 0 || span.start == REGEX_NONE;
    if (!call->null)
        ret->text = span_of(text, span);
    return 0;
}

static int substring(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    int failed = pattern_of(call, a[1].text, slice_lit(""), false, &p);
    return failed ? failed : give_first(call, p, a[0].text, ret);
}

static int substring_similar(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    struct pattern *p = NULL;
    _cleanup_buf_ struct buf pattern = text_buf();
    int failed = text_similar_translate(a[1].text, a[2].text, &pattern, call->error);
    failed = failed ? failed : pattern_of(call, buf_slice(&pattern), slice_lit(""), false, &p);
    return failed ? failed : give_first(call, p, a[0].text, ret);
}

static int similar_to_escape(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    slice escape = call->count > 1 ? a[1].text : slice_lit("\\");
    int failed = text_similar_translate(a[0].text, escape, &out, call->error);
    return text_give(call, failed, &out, ret);
}

#define TEXT_AND_PATTERN SQL_TEXT, SQL_TEXT

const struct sql_function sql_functions_regex[] = {
    SQL_ROW("~", is_match, SQL_BOOL, TEXT_AND_PATTERN),
    SQL_ROW("~", is_match, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("!~", is_no_match, SQL_BOOL, TEXT_AND_PATTERN),
    SQL_ROW("!~", is_no_match, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("~*", is_match_caseless, SQL_BOOL, TEXT_AND_PATTERN),
    SQL_ROW("~*", is_match_caseless, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW("!~*", is_no_match_caseless, SQL_BOOL, TEXT_AND_PATTERN),
    SQL_ROW("!~*", is_no_match_caseless, SQL_BOOL, SQL_BPCHAR, SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_match", regexp_match, 1, SQL_TEXT_ARRAY, TEXT_AND_PATTERN, SQL_TEXT),
    SQL_ROW_SET("regexp_matches", regexp_matches, 0, SQL_TEXT_ARRAY, TEXT_AND_PATTERN),
    SQL_ROW_SET("regexp_matches", regexp_matches, 0, SQL_TEXT_ARRAY, TEXT_AND_PATTERN, SQL_TEXT),
    SQL_ROW_SET("regexp_split_to_table", regexp_split_to_table, 0, SQL_TEXT, TEXT_AND_PATTERN),
    SQL_ROW_SET("regexp_split_to_table", regexp_split_to_table, 0, SQL_TEXT, TEXT_AND_PATTERN,
                SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_split_to_array", regexp_split_to_array, 1, SQL_TEXT_ARRAY,
                     TEXT_AND_PATTERN, SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_replace", regexp_replace, 1, SQL_TEXT, TEXT_AND_PATTERN, SQL_TEXT,
                     SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_replace", regexp_replace_nth, 2, SQL_TEXT, TEXT_AND_PATTERN, SQL_TEXT,
                     SQL_INT4, SQL_INT4, SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_count", regexp_count, 2, SQL_INT4, TEXT_AND_PATTERN, SQL_INT4,
                     SQL_TEXT),
    SQL_ROW_DEFAULTS("regexp_instr", regexp_instr, 5, SQL_INT4, TEXT_AND_PATTERN, SQL_INT4,
                     SQL_INT4, SQL_INT4, SQL_TEXT, SQL_INT4),
    SQL_ROW_DEFAULTS("regexp_substr", regexp_substr, 4, SQL_TEXT, TEXT_AND_PATTERN, SQL_INT4,
                     SQL_INT4, SQL_TEXT, SQL_INT4),
    SQL_ROW_DEFAULTS("regexp_like", regexp_like, 1, SQL_BOOL, TEXT_AND_PATTERN, SQL_TEXT),
    SQL_ROW("substring", substring, SQL_TEXT, TEXT_AND_PATTERN),
    SQL_ROW("substring", substring_similar, SQL_TEXT, TEXT_AND_PATTERN, SQL_TEXT),
    SQL_ROW_DEFAULTS("similar_to_escape", similar_to_escape, 1, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("similar_escape", similar_to_escape, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    {.name = NULL},
};
