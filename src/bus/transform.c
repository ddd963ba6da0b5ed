/*
 * transform.c - see transform.h for the language.
 *
 * Making one turns the destination into a list of parts, each with the places of the source's
 * wildcards it takes; applying one cuts the subject into tokens and writes part by part. What could
 * be wrong is found when it is made; applying can only fail to match or to fit.
 */
#include "bus/transform.h"
#include "base/hash.h"

#include "base/check.h"
#include "base/number.h"
#include "wire/nats_subject.h"

#include <errno.h>

enum part_kind {
    LITERAL,
    WILDCARD,
    PARTITION,
    SPLIT,
    SPLIT_FROM_LEFT,
    SPLIT_FROM_RIGHT,
    SLICE_FROM_LEFT,
    SLICE_FROM_RIGHT,
    LEFT,
    RIGHT,
    REST
};

struct part {
    enum part_kind kind;
    slice text;                               /* LITERAL; SPLIT: the separator */
    uint32_t number;                          /* size, or count of partitions */
    uint16_t tokens[TRANSFORM_ARGUMENTS_MAX]; /* places in the subject */
    unsigned token_count;
};

struct transform {
    slice source;
    size_t source_tokens; /* without '>' */
    struct part *parts;
    unsigned part_count;
};

/* --- making ------------------------------------------------------------------------------- */

struct making {
    uint16_t wildcards[TRANSFORM_TOKENS_MAX]; /* place of each in the source */
    unsigned wildcard_count;
    const char *why;
};

static int wrong(struct making *m, const char *why) {
    m->why = why;
    return -EINVAL;
}

static const struct function {
    const char *name;
    enum part_kind kind;
    bool number_first; /* else the token first */
    unsigned arguments_min, arguments_max;
} functions[] = {
    {"wildcard", WILDCARD, false, 1, 1},
    {"partition", PARTITION, true, 2, TRANSFORM_ARGUMENTS_MAX},
    {"split", SPLIT, false, 2, 2},
    {"splitfromleft", SPLIT_FROM_LEFT, false, 2, 2},
    {"splitfromright", SPLIT_FROM_RIGHT, false, 2, 2},
    {"slicefromleft", SLICE_FROM_LEFT, false, 2, 2},
    {"slicefromright", SLICE_FROM_RIGHT, false, 2, 2},
    {"left", LEFT, false, 2, 2},
    {"right", RIGHT, false, 2, 2},
};

static int add_token(struct making *m, struct part *part, slice text) {
    uint64_t n;
    if (number_parse_u64(slice_trim(text), &n))
        return wrong(m, "a function of the destination wants the number of a wildcard");
    if (n == 0 || n > m->wildcard_count)
        return wrong(m, "wildcard index out of range in the destination");
    part->tokens[part->token_count++] = m->wildcards[n - 1];
    return 0;
}

static int add_number(struct making *m, struct part *part, slice text) {
    uint64_t n;
    if (number_parse_u64(slice_trim(text), &n) || n == 0 || n > INT32_MAX)
        return wrong(m, "a function of the destination wants a number above 0");
    part->number = (uint32_t)n;
    return 0;
}

static int make_function(struct making *m, const struct function *f, slice arguments,
                         struct part *part) {
    unsigned count = 0;
    int failed = 0;
    part->kind = f->kind;
    for (slice rest = arguments; rest.ptr && !failed; count++) {
        slice argument = slice_cut(rest, ',', &rest);
        if (count == f->arguments_max)
            return wrong(m, "too many arguments to a function of the destination");
        if (count == 0 ? !f->number_first : f->kind == PARTITION)
            failed = add_token(m, part, argument);
        else if (f->kind == SPLIT)
            part->text = slice_trim(argument);
        else
            failed = add_number(m, part, argument);
    }
    if (!failed && count < f->arguments_min)
        return wrong(m, "not enough arguments to a function of the destination");
    if (!failed && f->kind == SPLIT && !part->text.len)
        return wrong(m, "split wants a separator");
    return failed;
}

/* TEXT stands between the braces: "name(arguments)". */
static int make_call(struct making *m, slice text, struct part *part) {
    slice arguments, name = slice_trim(slice_cut(slice_trim(text), '(', &arguments));
    if (!arguments.len || arguments.ptr[arguments.len - 1] != ')')
        return wrong(m, "a function of the destination is written {{name(arguments)}}");
    arguments = slice_take(arguments, arguments.len - 1);
    for (size_t i = 0; i < array_count(functions); i++)
        if (slice_equal_nocase(name, slice_str(functions[i].name)))
            return make_function(m, &functions[i], arguments, part);
    return wrong(m, "unknown function in the destination");
}

static int make_part(struct making *m, slice token, struct part *part) {
    uint64_t n;
    if (token.len > 1 && token.ptr[0] == '$' && number_parse_u64(slice_skip(token, 1), &n) == 0) {
        part->kind = WILDCARD;
        return add_token(m, part, slice_skip(token, 1));
    }
    if (token.len > 4 && slice_starts_with(token, slice_lit("{{")) &&
        slice_equal(slice_skip(token, token.len - 2), slice_lit("}}")))
        return make_call(m, slice_take(slice_skip(token, 2), token.len - 4), part);
    part->kind = slice_equal(token, slice_lit(">")) ? REST : LITERAL;
    part->text = token;
    return 0;
}

/* Subjects here may hold blanks, between the arguments of a function. */
static bool has_empty_token(slice subject) {
    slice token;
    for (slice rest = subject; nats_subject_next(&rest, &token);)
        if (!token.len)
            return true;
    return !subject.len;
}

static int read_source(struct making *m, struct transform *t, bool *ret_rest) {
    slice token;
    if (!nats_subject_valid(t->source) || nats_subject_tokens(t->source) > TRANSFORM_TOKENS_MAX)
        return wrong(m, "the source is not a subject");
    for (slice rest = t->source; nats_subject_next(&rest, &token);) {
        *ret_rest = slice_equal(token, slice_lit(">"));
        if (*ret_rest)
            break;
        if (slice_equal(token, slice_lit("*")))
            m->wildcards[m->wildcard_count++] = (uint16_t)t->source_tokens;
        t->source_tokens++;
    }
    return 0;
}

static int read_destination(struct making *m, struct transform *t, slice destination,
                            bool *ret_rest) {
    slice token;
    for (slice rest = destination; nats_subject_next(&rest, &token);) {
        if (*ret_rest || slice_equal(token, slice_lit("*")))
            return wrong(m, "the destination is not a subject without wildcards");
        int failed = make_part(m, token, &t->parts[t->part_count]);
        if (failed)
            return failed;
        *ret_rest = t->parts[t->part_count++].kind == REST;
    }
    return 0;
}

int transform_make(struct arena *arena, slice source, slice destination,
                   struct transform **ret_transform, const char **ret_why) {
    struct making m = {0};
    bool from_rest = false, to_rest = false;
    size_t count = nats_subject_tokens(destination);
    if (has_empty_token(destination) || count > TRANSFORM_TOKENS_MAX) {
        *ret_why = "the destination is not a subject";
        return -EINVAL;
    }
    struct transform *t = arena_zalloc(arena, 1, sizeof *t);
    struct part *parts = t ? arena_zalloc(arena, count, sizeof *parts) : NULL;
    slice text;
    if (!parts || arena_copy(arena, source.len ? source : slice_lit(">"), &t->source) ||
        arena_copy(arena, destination, &text))
        return -ENOMEM;
    t->parts = parts;
    int failed = read_source(&m, t, &from_rest);
    if (!failed)
        failed = read_destination(&m, t, text, &to_rest);
    if (!failed && from_rest != to_rest)
        failed = wrong(&m, "either source and destination end with '>', or neither");
    if (failed) {
        *ret_why = m.why;
        return failed;
    }
    *ret_transform = t;
    return 0;
}

/* --- applying ----------------------------------------------------------------------------- */

struct writing {
    char *out;
    size_t size, len;
    bool full;
};

static void put(struct writing *w, slice text) {
    if (text.len > w->size - w->len) {
        w->full = true;
        return;
    }
    if (text.len)
        memcpy(w->out + w->len, text.ptr, text.len);
    w->len += text.len;
}

static void put_cut(struct writing *w, slice token, size_t at) {
    put(w, slice_take(token, at));
    put(w, slice_lit("."));
    put(w, slice_skip(token, at));
}

static void put_partition(struct writing *w, const struct part *part, const slice *tokens) {
    uint32_t hash = HASH_FNV1A_START;
    for (unsigned i = 0; i < part->token_count; i++)
        hash = hash_fnv1a(hash, tokens[part->tokens[i]]);
    char digits[20];
    put(w, slice_make(digits, number_format_u64(hash % part->number, digits)));
}

static void put_split(struct writing *w, slice token, slice separator) {
    bool first = true;
    while (token.len) {
        size_t at = 0;
        while (at < token.len && !slice_starts_with(slice_skip(token, at), separator))
            at++;
        if (at && !first)
            put(w, slice_lit("."));
        if (at)
            first = false;
        put(w, slice_take(token, at));
        token = at < token.len ? slice_skip(token, at + separator.len) : (slice){0};
    }
}

/* Pieces of SIZE, the shorter one at the end or, FROM_RIGHT, in front. */
static void put_slices(struct writing *w, slice token, size_t size, bool from_right) {
    size_t piece = from_right && token.len % size ? token.len % size : size;
    for (bool first = true; token.len; first = false, piece = size) {
        if (!first)
            put(w, slice_lit("."));
        if (piece > token.len)
            piece = token.len;
        put(w, slice_take(token, piece));
        token = slice_skip(token, piece);
    }
}

static void put_part(struct writing *w, const struct part *part, const slice *tokens) {
    slice token = part->token_count ? tokens[part->tokens[0]] : part->text;
    size_t size = part->number;
    bool whole = size >= token.len; /* nothing to cut */
    switch (part->kind) {
    case PARTITION:
        put_partition(w, part, tokens);
        return;
    case SPLIT:
        put_split(w, token, part->text);
        return;
    case SPLIT_FROM_LEFT:
        if (!whole)
            put_cut(w, token, size);
        break;
    case SPLIT_FROM_RIGHT:
        if (!whole)
            put_cut(w, token, token.len - size);
        break;
    case SLICE_FROM_LEFT:
    case SLICE_FROM_RIGHT:
        if (!whole)
            put_slices(w, token, size, part->kind == SLICE_FROM_RIGHT);
        break;
    case LEFT:
        put(w, slice_take(token, whole ? token.len : size));
        return;
    case RIGHT:
        put(w, slice_skip(token, whole ? 0 : token.len - size));
        return;
    case LITERAL:
    case WILDCARD:
    case REST:
        put(w, token);
        return;
    }
    if (whole)
        put(w, token);
}

/* The subject's tokens as far as the source names them, and what '>' stands for. */
static void cut_tokens(const struct transform *t, slice subject, slice *tokens, slice *ret_rest) {
    for (size_t i = 0; i < t->source_tokens; i++)
        check(nats_subject_next(&subject, &tokens[i]));
    *ret_rest = subject;
}

bool transform_apply(const struct transform *t, slice subject, char *out, size_t size,
                     slice *ret_subject) {
    slice tokens[TRANSFORM_TOKENS_MAX], rest;
    if (!nats_subject_literal(subject) || !nats_subject_match(subject, t->source))
        return false;
    cut_tokens(t, subject, tokens, &rest);
    struct writing w = {.out = out, .size = size};
    for (unsigned i = 0; i < t->part_count && !w.full; i++) {
        if (i)
            put(&w, slice_lit("."));
        if (t->parts[i].kind == REST)
            put(&w, rest);
        else
            put_part(&w, &t->parts[i], tokens);
    }
    if (w.full || !nats_subject_literal(slice_make(out, w.len)))
        return false;
    *ret_subject = slice_make(out, w.len);
    return true;
}
