/*
 * spell_subscribe.c - SUBSCRIBE, as Materialize spells it:
 *
 *     SUBSCRIBE [TO] { name | ( query ) } [ WITH ( { SNAPSHOT | PROGRESS } [ = boolean ], … ) ]
 *
 * What else stands there in Materialize (AS OF, UP TO, ENVELOPE, WITHIN TIMESTAMP ORDER BY) is
 * refused by its name.
 */
#include "sql/parse/spell.h"
#include "sql/parse/token.h"

struct reader {
    slice original;
    struct sql_tokens *tokens;
    struct sql_spelling *spelling;
    struct sql_error *error;
};

static int refuse(struct reader *r, const struct sql_token *at, const char *state,
                  const char *what) {
    int failed = sql_fail(r->error, state, "%s", what);
    sql_error_hint(r->error, "Write: SUBSCRIBE TO view, or SUBSCRIBE (SELECT …), and behind it "
                             "WITH (SNAPSHOT = false, PROGRESS) where that is wanted.");
    sql_error_at(r->error, r->original.ptr, (int)at->start);
    return failed;
}

static void take_rest(struct reader *r, const struct sql_token *first, size_t to) {
    r->spelling->rest_start = first->start;
    r->spelling->rest = slice_make(r->original.ptr + first->start, to - first->start);
}

/* ( query ): FIRST is its parenthesis. */
static int take_query(struct reader *r, const struct sql_token *first) {
    for (unsigned depth = 1; depth > 0;) {
        struct sql_token token = sql_token_next(r->tokens);
        if (token.kind == SQL_TOKEN_END)
            return refuse(r, &token, "42601", "a parenthesis of SUBSCRIBE is not closed");
        depth += sql_token_is_sign(&token, '(');
        depth -= sql_token_is_sign(&token, ')');
    }
    take_rest(r, first, r->tokens->at);
    return 0;
}

static bool is_name(const struct sql_token *token) {
    static const char *const others[] = {"select", "values", "table", "with", "as", "up"};
    if (token->kind == SQL_TOKEN_QUOTED)
        return true;
    for (size_t i = 0; i < array_count(others); i++)
        if (sql_token_is(token, others[i]))
            return false;
    return token->kind == SQL_TOKEN_WORD;
}

/* name or schema.name: FIRST is its first word. */
static int take_name(struct reader *r, const struct sql_token *first) {
    if (!is_name(first))
        return refuse(r, first, "42601",
                      "SUBSCRIBE is followed by the name of a view or table, or by a query in "
                      "parentheses");
    size_t to = r->tokens->at;
    for (;;) {
        struct sql_tokens ahead = *r->tokens;
        struct sql_token point = sql_token_next(&ahead), word = sql_token_next(&ahead);
        if (!sql_token_is_sign(&point, '.') ||
            (word.kind != SQL_TOKEN_WORD && word.kind != SQL_TOKEN_QUOTED))
            break;
        *r->tokens = ahead;
        to = ahead.at;
    }
    take_rest(r, first, to);
    return 0;
}

/* Of one option; none: true. */
static int take_boolean(struct reader *r, bool *ret) {
    struct sql_tokens ahead = *r->tokens;
    struct sql_token equals = sql_token_next(&ahead);
    *ret = true;
    if (!sql_token_is_sign(&equals, '='))
        return 0;
    struct sql_token value = sql_token_next(&ahead);
    *r->tokens = ahead;
    *ret = sql_token_is(&value, "true") || sql_token_is(&value, "on");
    return *ret || sql_token_is(&value, "false") || sql_token_is(&value, "off")
               ? 0
               : refuse(r, &value, "22023", "an option of SUBSCRIBE is true or false");
}

static int take_options(struct reader *r) {
    struct sql_token token = sql_token_next(r->tokens);
    if (!sql_token_is_sign(&token, '('))
        return refuse(r, &token, "42601", "options of SUBSCRIBE stand in parentheses");
    do {
        struct sql_token name = sql_token_next(r->tokens);
        bool progress = sql_token_is(&name, "progress"), value;
        if (!progress && !sql_token_is(&name, "snapshot"))
            return refuse(r, &name, "22023", "the options of SUBSCRIBE are SNAPSHOT and PROGRESS");
        int failed = take_boolean(r, &value);
        if (failed < 0)
            return failed;
        if (progress)
            r->spelling->progress = value;
        else
            r->spelling->no_snapshot = !value;
        token = sql_token_next(r->tokens);
    } while (sql_token_is_sign(&token, ','));
    return sql_token_is_sign(&token, ')')
               ? 0
               : refuse(r, &token, "42601", "options of SUBSCRIBE are parted by commas");
}

/* What is behind: nothing, or the parenthesis that it all stands in. */
static int take_end(struct reader *r) {
    static const char *const others[] = {"as", "up", "envelope", "within"};
    struct sql_tokens ahead = *r->tokens;
    struct sql_token token = sql_token_next(&ahead);
    if (token.kind == SQL_TOKEN_END || sql_token_is_sign(&token, ')')) {
        r->tokens->at = token.start;
        return 0;
    }
    for (size_t i = 0; i < array_count(others); i++)
        if (sql_token_is(&token, others[i]))
            return refuse(r, &token, "0A000",
                          "SUBSCRIBE … AS OF, UP TO, ENVELOPE and WITHIN TIMESTAMP ORDER BY are "
                          "not supported");
    return refuse(r, &token, "42601", "this is no part of SUBSCRIBE");
}

int sql_spell_subscribe(slice original, struct sql_tokens *tokens, struct sql_spelling *ret,
                        struct sql_error *error) {
    struct reader r = {original, tokens, ret, error};
    struct sql_token token = sql_token_next(tokens);
    if (sql_token_is(&token, "to"))
        token = sql_token_next(tokens);
    int failed = sql_token_is_sign(&token, '(') ? take_query(&r, &token) : take_name(&r, &token);
    struct sql_tokens ahead = *tokens;
    struct sql_token with = sql_token_next(&ahead);
    if (failed == 0 && sql_token_is(&with, "with")) {
        *tokens = ahead;
        failed = take_options(&r);
    }
    return failed < 0 ? failed : take_end(&r);
}
