/*
 * jsonpath_parse.c - the grammar of SQL/JSON paths (jsonpath.h), one function a level.
 *
 *   path        [ lax | strict ] or
 *   or          and { || and }
 *   and         not { && not }
 *   not         ! ( … ) | ! exists(…) | comparison
 *   comparison  sum [ == | != | <> | < | <= | > | >= sum | starts with … | like_regex … ]
 *   sum         product { + | - product }
 *   product     unary { * | / | % unary }
 *   unary       + unary | - unary | primary { accessor }
 *
 * Predicates and values share the levels; what is not allowed where (1 && 2, ? (1)) is told where
 * it is found.
 */
#include "base/number.h"
#include "base/regex.h"
#include "sql/text/json.h"
#include "sql/text/jsonpath_lex.h"
#include "sql/text/regex_translate.h"

#include <errno.h>

struct parser {
    struct jsonpath_lexer lexer;
    struct jsonpath_token token; /* the one looked at */
    struct arena *memory;
    struct sql_error *error;
    unsigned nodes, depth, filters, subscripts;
};

static int parse_or(struct parser *p, struct jsonpath_node **ret);

static int fail_syntax(struct parser *p) {
    if (p->token.kind == JSONPATH_TOKEN_END)
        return sql_fail(p->error, "42601", "syntax error at end of jsonpath input");
    return sql_fail(p->error, "42601", "syntax error at or near \"%.*s\" of jsonpath input",
                    slice_fmt(p->token.written));
}

static int advance(struct parser *p) {
    return jsonpath_lex(&p->lexer, &p->token);
}

static bool at_sign(const struct parser *p, const char *sign) {
    return p->token.kind == JSONPATH_TOKEN_SIGN && slice_equal(p->token.written, slice_str(sign));
}

static bool at_word(const struct parser *p, const char *word) {
    return p->token.kind == JSONPATH_TOKEN_NAME &&
           slice_equal_nocase(p->token.text, slice_str(word));
}

static int expect_sign(struct parser *p, const char *sign) {
    return at_sign(p, sign) ? advance(p) : fail_syntax(p);
}

static int expect_word(struct parser *p, const char *word) {
    return at_word(p, word) ? advance(p) : fail_syntax(p);
}

static int fail_deep(struct parser *p) {
    (void)sql_fail(p->error, "54001", "stack depth limit exceeded");
    sql_error_hint(p->error, "A jsonpath may have %u parts, %u of them in one another.",
                   JSONPATH_NODES_MAX, JSONPATH_DEPTH_MAX);
    return -EINVAL;
}

static int make(struct parser *p, enum jsonpath_kind kind, struct jsonpath_node **ret) {
    if (++p->nodes > JSONPATH_NODES_MAX)
        return fail_deep(p);
    struct jsonpath_node *n = arena_zalloc(p->memory, 1, sizeof *n);
    if (!n)
        return sql_fail_memory(p->error);
    n->kind = kind;
    *ret = n;
    return 0;
}

/* NODE becomes KIND of what it was and RIGHT. */
static int join(struct parser *p, enum jsonpath_kind kind, struct jsonpath_node *right,
                struct jsonpath_node **node) {
    struct jsonpath_node *n = NULL;
    int failed = make(p, kind, &n);
    if (failed)
        return failed;
    n->left = *node;
    n->right = right;
    *node = n;
    return 0;
}

/* N must be a predicate, or a value, which a predicate with accessors is too: ($.a == 1).type(). */
static int want(struct parser *p, const struct jsonpath_node *n, bool predicate) {
    bool is_predicate = jsonpath_is_predicate(n->kind) && !n->next;
    return is_predicate == predicate ? 0 : fail_syntax(p);
}

static int parse_parenthesis(struct parser *p, struct jsonpath_node **ret) {
    int failed = advance(p);
    failed = failed ? failed : parse_or(p, ret);
    return failed ? failed : expect_sign(p, ")");
}

static int parse_exists(struct parser *p, struct jsonpath_node **ret) {
    int failed = advance(p);
    if (!failed && !at_sign(p, "("))
        failed = fail_syntax(p);
    struct jsonpath_node *n = NULL;
    failed = failed ? failed : parse_parenthesis(p, &n);
    failed = failed ? failed : want(p, n, false);
    if (failed)
        return failed;
    *ret = n;
    return join(p, JSONPATH_EXISTS, NULL, ret);
}

static int parse_literal(struct parser *p, struct jsonpath_node **ret) {
    slice text = p->token.text;
    if (p->token.kind == JSONPATH_TOKEN_STRING) {
        _cleanup_buf_ struct buf quoted = buf_make(SQL_TEXT_BYTES_MAX);
        if (sql_json_quote(text, &quoted) || arena_copy(p->memory, buf_slice(&quoted), &text))
            return sql_fail_memory(p->error);
    }
    int failed = make(p, JSONPATH_LITERAL, ret);
    if (failed)
        return failed;
    (*ret)->text = text;
    return advance(p);
}

static int parse_start(struct parser *p, enum jsonpath_kind kind, struct jsonpath_node **ret) {
    int failed = make(p, kind, ret);
    if (failed)
        return failed;
    (*ret)->text = p->token.text;
    return advance(p);
}

static int parse_name(struct parser *p, struct jsonpath_node **ret) {
    if (at_word(p, "exists"))
        return parse_exists(p, ret);
    if (at_word(p, "last")) {
        if (p->subscripts == 0)
            return sql_fail(p->error, "42601", "LAST is allowed only in array subscripts");
        return parse_start(p, JSONPATH_LAST_INDEX, ret);
    }
    slice text = p->token.text;
    if (slice_equal(text, slice_lit("true")) || slice_equal(text, slice_lit("false")) ||
        slice_equal(text, slice_lit("null")))
        return parse_literal(p, ret);
    return fail_syntax(p);
}

static int parse_primary(struct parser *p, struct jsonpath_node **ret) {
    switch (p->token.kind) {
    case JSONPATH_TOKEN_STRING:
    case JSONPATH_TOKEN_NUMBER:
        return parse_literal(p, ret);
    case JSONPATH_TOKEN_VARIABLE:
        return parse_start(p, JSONPATH_VARIABLE, ret);
    case JSONPATH_TOKEN_NAME:
        return parse_name(p, ret);
    default:
        break;
    }
    if (at_sign(p, "$"))
        return parse_start(p, JSONPATH_ROOT, ret);
    if (at_sign(p, "@")) {
        if (p->filters == 0)
            return sql_fail(p->error, "42601", "@ is not allowed in root expressions");
        return parse_start(p, JSONPATH_CURRENT, ret);
    }
    return at_sign(p, "(") ? parse_parenthesis(p, ret) : fail_syntax(p);
}

static int parse_level(struct parser *p, uint32_t *ret) {
    uint64_t level = 0;
    if (at_word(p, "last"))
        level = JSONPATH_LAST;
    else if (p->token.kind != JSONPATH_TOKEN_NUMBER || number_parse_u64(p->token.text, &level) ||
             level > INT32_MAX)
        return fail_syntax(p);
    *ret = (uint32_t)level;
    return advance(p);
}

/* Behind `**`: {n}, {n to m}, or nothing for all levels. */
static int parse_levels(struct parser *p, struct jsonpath_node *n) {
    n->first = 0;
    n->last = JSONPATH_LAST;
    if (!at_sign(p, "{"))
        return 0;
    int failed = advance(p);
    failed = failed ? failed : parse_level(p, &n->first);
    n->last = n->first;
    if (!failed && at_word(p, "to")) {
        failed = advance(p);
        failed = failed ? failed : parse_level(p, &n->last);
    }
    return failed ? failed : expect_sign(p, "}");
}

static const struct {
    const char *name;
    enum jsonpath_kind kind;
} methods[] = {
    {"type", JSONPATH_TYPE},         {"size", JSONPATH_SIZE},   {"double", JSONPATH_DOUBLE},
    {"ceiling", JSONPATH_CEILING},   {"floor", JSONPATH_FLOOR}, {"abs", JSONPATH_ABS},
    {"keyvalue", JSONPATH_KEYVALUE},
};

/* The name behind a point was KEY, and a parenthesis follows. */
static int parse_method(struct parser *p, slice name, struct jsonpath_node *n) {
    if (slice_equal_nocase(name, slice_lit("datetime")))
        return sql_fail(p->error, "0A000", "jsonpath item method .datetime() is not supported");
    for (size_t i = 0; i < array_count(methods); i++)
        if (slice_equal_nocase(name, slice_str(methods[i].name))) {
            int failed = advance(p);
            n->kind = methods[i].kind;
            return failed ? failed : expect_sign(p, ")");
        }
    return fail_syntax(p);
}

/* Behind a point. */
static int parse_member(struct parser *p, struct jsonpath_node **ret) {
    int failed = make(p, JSONPATH_KEY, ret);
    if (failed)
        return failed;
    struct jsonpath_node *n = *ret;
    if (at_sign(p, "*")) {
        n->kind = JSONPATH_ANY_KEY;
        return advance(p);
    }
    if (at_sign(p, "**")) {
        n->kind = JSONPATH_ANY_LEVEL;
        failed = advance(p);
        return failed ? failed : parse_levels(p, n);
    }
    bool name = p->token.kind == JSONPATH_TOKEN_NAME;
    if (!name && p->token.kind != JSONPATH_TOKEN_STRING)
        return fail_syntax(p);
    n->text = p->token.text;
    failed = advance(p);
    if (failed || !name || !at_sign(p, "("))
        return failed;
    return parse_method(p, n->text, n);
}

static int parse_subscript(struct parser *p, struct jsonpath_subscript **ret) {
    struct jsonpath_subscript *s = arena_zalloc(p->memory, 1, sizeof *s);
    if (!s)
        return sql_fail_memory(p->error);
    int failed = parse_or(p, &s->from);
    failed = failed ? failed : want(p, s->from, false);
    if (!failed && at_word(p, "to")) {
        failed = advance(p);
        failed = failed ? failed : parse_or(p, &s->to);
        failed = failed ? failed : want(p, s->to, false);
    }
    *ret = s;
    return failed;
}

/* Behind `[`. */
static int parse_bracket(struct parser *p, struct jsonpath_node **ret) {
    int failed = make(p, JSONPATH_SUBSCRIPTS, ret);
    if (failed)
        return failed;
    if (at_sign(p, "*")) {
        (*ret)->kind = JSONPATH_ANY_ELEMENT;
        failed = advance(p);
        return failed ? failed : expect_sign(p, "]");
    }
    struct jsonpath_subscript **end = &(*ret)->subscripts;
    p->subscripts++;
    for (;;) {
        failed = parse_subscript(p, end);
        if (failed)
            return failed;
        end = &(*end)->next;
        if (!at_sign(p, ","))
            break;
        failed = advance(p);
        if (failed)
            return failed;
    }
    p->subscripts--;
    return expect_sign(p, "]");
}

/* Behind `?`. */
static int parse_filter(struct parser *p, struct jsonpath_node **ret) {
    int failed = make(p, JSONPATH_FILTER, ret);
    if (!failed && !at_sign(p, "("))
        failed = fail_syntax(p);
    if (failed)
        return failed;
    p->filters++;
    failed = advance(p);
    failed = failed ? failed : parse_or(p, &(*ret)->left);
    failed = failed ? failed : want(p, (*ret)->left, true);
    p->filters--;
    return failed ? failed : expect_sign(p, ")");
}

static int parse_accessors(struct parser *p, struct jsonpath_node *n) {
    while (n->next)
        n = n->next;
    for (;;) {
        int failed = 0;
        if (at_sign(p, ".")) {
            failed = advance(p);
            failed = failed ? failed : parse_member(p, &n->next);
        } else if (at_sign(p, "[")) {
            failed = advance(p);
            failed = failed ? failed : parse_bracket(p, &n->next);
        } else if (at_sign(p, "?")) {
            failed = advance(p);
            failed = failed ? failed : parse_filter(p, &n->next);
        } else {
            return 0;
        }
        if (failed)
            return failed;
        n = n->next;
    }
}

static int parse_unary(struct parser *p, struct jsonpath_node **ret) {
    if (++p->depth > JSONPATH_DEPTH_MAX)
        return fail_deep(p);
    int failed = 0;
    if (at_sign(p, "+") || at_sign(p, "-")) {
        enum jsonpath_kind kind = at_sign(p, "+") ? JSONPATH_PLUS : JSONPATH_MINUS;
        failed = advance(p);
        failed = failed ? failed : parse_unary(p, ret);
        failed = failed ? failed : want(p, *ret, false);
        failed = failed ? failed : join(p, kind, NULL, ret);
    } else {
        failed = parse_primary(p, ret);
        failed = failed ? failed : parse_accessors(p, *ret);
    }
    p->depth--;
    return failed;
}

struct sign_of {
    const char *sign;
    enum jsonpath_kind kind;
};
static const struct sign_of products[] = {
    {"*", JSONPATH_MULTIPLY}, {"/", JSONPATH_DIVIDE}, {"%", JSONPATH_MODULO}, {NULL, 0}};
static const struct sign_of sums[] = {{"+", JSONPATH_ADD}, {"-", JSONPATH_SUBTRACT}, {NULL, 0}};
static const struct sign_of comparisons[] = {
    {"==", JSONPATH_EQUAL},         {"!=", JSONPATH_NOT_EQUAL},
    {"<>", JSONPATH_NOT_EQUAL},     {"<", JSONPATH_LESS},
    {"<=", JSONPATH_LESS_EQUAL},    {">", JSONPATH_GREATER},
    {">=", JSONPATH_GREATER_EQUAL}, {NULL, 0}};

static const struct sign_of *sign_at(const struct parser *p, const struct sign_of *signs) {
    for (; signs->sign; signs++)
        if (at_sign(p, signs->sign))
            return signs;
    return NULL;
}

/* Operators of SIGNS between what NEXT parses, from the left. */
static int parse_operators(struct parser *p, const struct sign_of *signs,
                           int (*next)(struct parser *p, struct jsonpath_node **ret),
                           struct jsonpath_node **ret) {
    int failed = next(p, ret);
    const struct sign_of *sign;
    while (!failed && (sign = sign_at(p, signs))) {
        struct jsonpath_node *right = NULL;
        failed = want(p, *ret, false);
        failed = failed ? failed : advance(p);
        failed = failed ? failed : next(p, &right);
        failed = failed ? failed : want(p, right, false);
        failed = failed ? failed : join(p, sign->kind, right, ret);
    }
    return failed;
}

static int parse_product(struct parser *p, struct jsonpath_node **ret) {
    return parse_operators(p, products, parse_unary, ret);
}

static int parse_sum(struct parser *p, struct jsonpath_node **ret) {
    return parse_operators(p, sums, parse_product, ret);
}

/* XQuery's flags; without s, `.` does not match a line's end. */
static int regex_flags(struct parser *p, slice flags, struct text_regex_options *o) {
    o->newline_stops = true;
    for (size_t i = 0; i < flags.len; i++)
        switch (flags.ptr[i]) {
        case 'i':
            o->caseless = true;
            break;
        case 's':
            o->newline_stops = false;
            break;
        case 'm':
            o->newline_anchors = true;
            break;
        case 'q':
            o->literal = true;
            break;
        case 'x':
            return sql_fail(p->error, "0A000",
                            "XQuery \"x\" flag (expanded regular expressions) is not implemented");
        default:
            (void)sql_fail(p->error, "42601", "invalid input syntax for type jsonpath");
            sql_error_detail(p->error,
                             "Unrecognized flag character \"%c\" in LIKE_REGEX predicate.",
                             flags.ptr[i]);
            return -EINVAL;
        }
    return 0;
}

static void free_regex(void *regex) {
    regex_free(regex);
}

static int compile(struct parser *p, slice pattern, slice flags, struct regex **ret) {
    struct text_regex_options options = {.caseless = false};
    struct regex *regex = NULL;
    int failed = regex_flags(p, flags, &options);
    failed = failed ? failed : text_regex_compile(pattern, options, &regex, p->error);
    if (failed)
        return failed;
    if (arena_on_cleanup(p->memory, free_regex, regex)) {
        regex_free(regex);
        return sql_fail_memory(p->error);
    }
    *ret = regex;
    return 0;
}

/* Behind like_regex. */
static int parse_regex(struct parser *p, struct jsonpath_node **node) {
    slice pattern = p->token.text, flags = slice_lit("");
    int failed = p->token.kind == JSONPATH_TOKEN_STRING ? advance(p) : fail_syntax(p);
    if (!failed && at_word(p, "flag")) {
        failed = advance(p);
        flags = p->token.text;
        if (!failed)
            failed = p->token.kind == JSONPATH_TOKEN_STRING ? advance(p) : fail_syntax(p);
    }
    struct regex *regex = NULL;
    failed = failed ? failed : compile(p, pattern, flags, &regex);
    failed = failed ? failed : join(p, JSONPATH_LIKE_REGEX, NULL, node);
    if (!failed)
        (*node)->regex = regex;
    return failed;
}

static int parse_starts_with(struct parser *p, struct jsonpath_node **node) {
    struct jsonpath_node *right = NULL;
    int failed = expect_word(p, "with");
    if (!failed && p->token.kind == JSONPATH_TOKEN_STRING)
        failed = parse_literal(p, &right);
    else if (!failed && p->token.kind == JSONPATH_TOKEN_VARIABLE)
        failed = parse_start(p, JSONPATH_VARIABLE, &right);
    else if (!failed)
        failed = fail_syntax(p);
    return failed ? failed : join(p, JSONPATH_STARTS_WITH, right, node);
}

static int parse_comparison(struct parser *p, struct jsonpath_node **ret) {
    bool parenthesis = at_sign(p, "(");
    int failed = parse_sum(p, ret);
    if (failed)
        return failed;
    const struct sign_of *sign = sign_at(p, comparisons);
    if (sign) {
        struct jsonpath_node *right = NULL;
        failed = want(p, *ret, false);
        failed = failed ? failed : advance(p);
        failed = failed ? failed : parse_sum(p, &right);
        failed = failed ? failed : want(p, right, false);
        return failed ? failed : join(p, sign->kind, right, ret);
    }
    if (at_word(p, "starts") || at_word(p, "like_regex")) {
        bool starts = at_word(p, "starts");
        failed = want(p, *ret, false);
        failed = failed ? failed : advance(p);
        if (failed)
            return failed;
        return starts ? parse_starts_with(p, ret) : parse_regex(p, ret);
    }
    if (parenthesis && at_word(p, "is")) {
        failed = want(p, *ret, true);
        failed = failed ? failed : advance(p);
        failed = failed ? failed : expect_word(p, "unknown");
        return failed ? failed : join(p, JSONPATH_IS_UNKNOWN, NULL, ret);
    }
    return 0;
}

static int parse_not(struct parser *p, struct jsonpath_node **ret) {
    if (!at_sign(p, "!"))
        return parse_comparison(p, ret);
    int failed = advance(p);
    if (!failed && at_word(p, "exists"))
        failed = parse_exists(p, ret);
    else if (!failed)
        failed = at_sign(p, "(") ? parse_parenthesis(p, ret) : fail_syntax(p);
    failed = failed ? failed : want(p, *ret, true);
    return failed ? failed : join(p, JSONPATH_NOT, NULL, ret);
}

static int parse_logic(struct parser *p, const char *sign, enum jsonpath_kind kind,
                       int (*next)(struct parser *p, struct jsonpath_node **ret),
                       struct jsonpath_node **ret) {
    int failed = next(p, ret);
    while (!failed && at_sign(p, sign)) {
        struct jsonpath_node *right = NULL;
        failed = want(p, *ret, true);
        failed = failed ? failed : advance(p);
        failed = failed ? failed : next(p, &right);
        failed = failed ? failed : want(p, right, true);
        failed = failed ? failed : join(p, kind, right, ret);
    }
    return failed;
}

static int parse_and(struct parser *p, struct jsonpath_node **ret) {
    return parse_logic(p, "&&", JSONPATH_AND, parse_not, ret);
}

static int parse_or(struct parser *p, struct jsonpath_node **ret) {
    if (++p->depth > JSONPATH_DEPTH_MAX)
        return fail_deep(p);
    int failed = parse_logic(p, "||", JSONPATH_OR, parse_and, ret);
    p->depth--;
    return failed;
}

int jsonpath_parse(slice text, struct arena *memory, struct jsonpath *ret,
                   struct sql_error *error) {
    struct parser p = {.lexer = {.rest = text, .memory = memory, .error = error},
                       .memory = memory,
                       .error = error};
    struct jsonpath path = {.strict = false};
    int failed = advance(&p);
    if (!failed && p.token.kind == JSONPATH_TOKEN_END)
        return sql_fail(error, "22P02", "invalid input syntax for type jsonpath: \"%.*s\"",
                        slice_fmt(text));
    if (!failed && (at_word(&p, "lax") || at_word(&p, "strict"))) {
        path.strict = at_word(&p, "strict");
        failed = advance(&p);
    }
    failed = failed ? failed : parse_or(&p, &path.root);
    if (!failed && p.token.kind != JSONPATH_TOKEN_END)
        failed = fail_syntax(&p);
    if (!failed)
        *ret = path;
    return failed;
}
