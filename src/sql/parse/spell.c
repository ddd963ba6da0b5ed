/* spell.c - see spell.h. */
#include "sql/parse/spell.h"
#include "sql/parse/token.h"

struct speller {
    slice original;
    char *text;
    uint32_t end; /* of the statement */
    struct sql_tokens tokens;
    struct sql_spelling *spelling;
    struct sql_error *error;
};

static void blank(struct speller *s, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        if (s->text[i] != '\n')
            s->text[i] = ' ';
}

static slice between(const struct speller *s, size_t from, size_t to) {
    return slice_trim(slice_make(s->original.ptr + from, to - from));
}

static int refuse(struct speller *s, const struct sql_token *at, const char *state,
                  const char *what, const char *hint) {
    int r = sql_fail(s->error, state, "%s", what);
    sql_error_hint(s->error, "%s", hint);
    sql_error_at(s->error, s->original.ptr, (int)at->start);
    return r;
}

/* Takes WORDS if they come next, one after the other. */
static bool take(struct speller *s, const char *const *words, struct sql_token *ret_last) {
    struct sql_tokens saved = s->tokens;
    for (; *words; words++) {
        *ret_last = sql_token_next(&s->tokens);
        bool is =
            sql_token_is(ret_last, *words) ||
            (ret_last->kind == SQL_TOKEN_SIGN && slice_equal(ret_last->text, slice_str(*words)));
        if (!is) {
            s->tokens = saved;
            return false;
        }
    }
    return true;
}

/* WATERMARK FOR column AS expression, up to the comma or parenthesis that ends it. COMMA: the byte
   of the comma before it, or UINT32_MAX. */
static int take_watermark(struct speller *s, uint32_t start, uint32_t comma) {
    static const char *const words[] = {"for", NULL};
    static const char *const as[] = {"as", NULL};
    struct sql_token token;
    struct sql_tokens saved = s->tokens;
    if (!take(s, words, &token)) /* a column of that name */
        return 0;
    struct sql_token column = sql_token_next(&s->tokens);
    if ((column.kind != SQL_TOKEN_WORD && column.kind != SQL_TOKEN_QUOTED) ||
        !take(s, as, &token)) {
        s->tokens = saved;
        return refuse(s, &column, "42601",
                      "a watermark is written WATERMARK FOR column AS expression",
                      "For example: WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds'.");
    }
    if (s->spelling->watermark_column.ptr)
        return refuse(s, &column, "42P16", "a table has one watermark", "Leave one WATERMARK FOR.");
    size_t from = s->tokens.at;
    int depth = 0;
    struct sql_tokens before = s->tokens;
    for (token = sql_token_next(&s->tokens); token.kind != SQL_TOKEN_END;
         before = s->tokens, token = sql_token_next(&s->tokens)) {
        depth += sql_token_is_sign(&token, '(');
        if (depth == 0 && (sql_token_is_sign(&token, ',') || sql_token_is_sign(&token, ')')))
            break;
        depth -= sql_token_is_sign(&token, ')');
    }
    s->spelling->watermark_column = column.text;
    s->spelling->watermark_expression = between(s, from, token.start);
    bool first = comma == UINT32_MAX;
    blank(s, first ? start : comma, token.start);
    if (first && sql_token_is_sign(&token, ','))
        blank(s, token.start, token.start + 1u);
    else
        s->tokens = before; /* the comma or parenthesis is read again */
    return 0;
}

/* The elements of CREATE TABLE's parentheses, and what stands behind them. */
static int spell_table(struct speller *s) {
    static const char *const only[] = {"only", NULL};
    unsigned depth = 0;
    uint32_t comma = UINT32_MAX;
    bool begins = false; /* an element of the table starts here */
    for (;;) {
        struct sql_token token = sql_token_next(&s->tokens), last;
        if (token.kind == SQL_TOKEN_END)
            return 0;
        if (begins && sql_token_is(&token, "watermark")) {
            int r = take_watermark(s, token.start, comma);
            if (r < 0)
                return r;
        } else if (depth == 0 && sql_token_is(&token, "append") && take(s, only, &last)) {
            s->spelling->append_only = true;
            blank(s, token.start, s->tokens.at);
        }
        begins = false;
        if (sql_token_is_sign(&token, '(')) {
            begins = depth++ == 0;
            comma = UINT32_MAX;
        } else if (sql_token_is_sign(&token, ')') && depth > 0) {
            depth--;
        } else if (depth == 1 && sql_token_is_sign(&token, ',')) {
            begins = true;
            comma = token.start;
        }
    }
}

/* What may stand anywhere in a query. */
static int spell_query(struct speller *s) {
    static const char *const on_close[] = {"on", "window", "close", NULL};
    static const char *const as_of[] = {"system_time", "as", "of", "proctime", "(", ")", NULL};
    struct sql_token before = {SQL_TOKEN_END, {NULL, 0}, 0}, name = before, last;
    for (;;) {
        struct sql_token token = sql_token_next(&s->tokens);
        if (token.kind == SQL_TOKEN_END)
            return 0;
        bool after_name = before.kind == SQL_TOKEN_WORD || before.kind == SQL_TOKEN_QUOTED;
        if (sql_token_is(&token, "emit") && take(s, on_close, &last)) {
            s->spelling->emit_on_window_close = true;
            blank(s, token.start, s->tokens.at);
        } else if (sql_token_is(&token, "for") && after_name && take(s, as_of, &last)) {
            if (s->spelling->as_of_count == SQL_AS_OF_MAX)
                return refuse(s, &token, "54000", "too many tables are joined as of now",
                              "Join at most 16 in one statement.");
            s->spelling->as_of[s->spelling->as_of_count++] = (int)name.start;
            blank(s, token.start, s->tokens.at);
        } else if (sql_token_is(&token, "asof")) {
            struct sql_tokens ahead = s->tokens;
            struct sql_token next = sql_token_next(&ahead);
            if (after_name && (sql_token_is(&next, "join") || sql_token_is(&next, "left") ||
                               sql_token_is(&next, "inner")))
                return refuse(s, &token, "0A000", "ASOF JOIN is not supported",
                              "Write LEFT JOIN LATERAL (SELECT … WHERE time <= … ORDER BY time "
                              "DESC LIMIT 1) ON true.");
        }
        /* The first word of a qualified name is where PostgreSQL says the table is. */
        if (!sql_token_is_sign(&before, '.') && !sql_token_is_sign(&token, '.'))
            name = token;
        before = token;
    }
}

/* The statement is no PostgreSQL at all: the grammar sees nothing of it. */
static int spell_whole(struct speller *s, enum sql_spelling_verb verb, uint32_t start,
                       size_t rest) {
    s->spelling->verb = verb;
    s->spelling->rest = between(s, rest, s->end);
    s->spelling->rest_start = (uint32_t)(s->spelling->rest.ptr - s->original.ptr);
    blank(s, start, s->end);
    return 0;
}

/* CREATE SINK [IF NOT EXISTS] name …: the grammar sees CREATE VIEW name AS SELECT, where there is
   room for that; else something is missing, which is told when it is bound. */
static int spell_sink(struct speller *s, uint32_t start, const struct sql_token *what) {
    static const char *const exists[] = {"if", "not", "exists", NULL};
    static const char behind[] = "AS SELECT";
    struct sql_token last, token;
    size_t from = s->tokens.at, name = from;
    (void)spell_whole(s, SQL_SPELLED_SINK, start, start);
    if (take(s, exists, &last))
        name = s->tokens.at;
    do {
        token = sql_token_next(&s->tokens);
        token = sql_token_next(&s->tokens);
    } while (sql_token_is_sign(&token, '.'));
    if (token.kind == SQL_TOKEN_END || s->end - token.start < sizeof behind)
        return 0;
    memcpy(s->text + start, s->original.ptr + start, what->start - start);
    memcpy(s->text + what->start, "VIEW", 4);
    memcpy(s->text + name, s->original.ptr + name, token.start - name);
    memcpy(s->text + token.start, behind, sizeof behind - 1);
    return 0;
}

/* SUBSCRIBE, which is TOKEN, has been read: the grammar sees LEFT in its place. */
static int spell_subscribe(struct speller *s, const struct sql_token *token, slice left) {
    int r = sql_spell_subscribe(s->original, &s->tokens, s->spelling, s->error);
    if (r < 0)
        return r;
    s->spelling->verb = SQL_SPELLED_SUBSCRIBE;
    blank(s, token->start, s->tokens.at);
    memcpy(s->text + token->start, left.ptr, left.len);
    return 0;
}

/* COPY ( SUBSCRIBE … ) TO, DECLARE c CURSOR FOR SUBSCRIBE …: BEFORE is what it stands behind. */
static int spell_within(struct speller *s, const char *before) {
    struct sql_token last = {SQL_TOKEN_END, {NULL, 0}, 0}, token = sql_token_next(&s->tokens);
    bool copies = *before == '(';
    while (token.kind != SQL_TOKEN_END) {
        bool behind = copies ? sql_token_is_sign(&last, '(') : sql_token_is(&last, before);
        if (behind && sql_token_is(&token, "subscribe"))
            return spell_subscribe(s, &token, slice_lit("SELECT"));
        if (behind || (copies && !sql_token_is_sign(&token, '(')))
            break;
        last = token;
        token = sql_token_next(&s->tokens);
    }
    return 1;
}

static int spell_create(struct speller *s, struct sql_token *what) {
    if (sql_token_is(what, "source")) {
        memcpy(s->text + what->start, "TABLE ", 6);
        s->spelling->verb = SQL_SPELLED_SOURCE;
        s->spelling->append_only = true;
        return spell_table(s);
    }
    if (sql_token_is(what, "table"))
        return spell_table(s);
    return spell_query(s);
}

int sql_spell(slice original, char *text, uint32_t start, uint32_t end, struct sql_spelling *ret,
              struct sql_error *error) {
    *ret = (struct sql_spelling){.verb = SQL_SPELLED_PLAIN};
    struct speller s = {original, text, end, {slice_take(original, end), start}, ret, error};
    struct sql_token verb = sql_token_next(&s.tokens);
    struct sql_tokens behind_verb = s.tokens;
    struct sql_token what = sql_token_next(&s.tokens);
    bool create = sql_token_is(&verb, "create"), drop = sql_token_is(&verb, "drop");
    if (sql_token_is(&verb, "flush"))
        return what.kind == SQL_TOKEN_END
                   ? spell_whole(&s, SQL_SPELLED_FLUSH, start, end)
                   : refuse(&s, &what, "42601", "FLUSH stands alone", "Write: FLUSH;");
    if (sql_token_is(&verb, "subscribe")) {
        s.tokens = behind_verb;
        return spell_subscribe(&s, &verb, slice_lit(""));
    }
    if (sql_token_is(&verb, "copy") || sql_token_is(&verb, "declare")) {
        s.tokens = behind_verb;
        int within = spell_within(&s, sql_token_is(&verb, "copy") ? "(" : "for");
        if (within <= 0)
            return within;
    }
    if (create && sql_token_is(&what, "sink"))
        return spell_sink(&s, start, &what);
    if (drop && sql_token_is(&what, "sink")) {
        memcpy(text + what.start, "VIEW", 4);
        ret->verb = SQL_SPELLED_SINK;
        return 0;
    }
    if (drop && sql_token_is(&what, "source")) {
        memcpy(text + what.start, "TABLE ", 6);
        ret->verb = SQL_SPELLED_SOURCE;
        return 0;
    }
    if (create)
        return spell_create(&s, &what);
    s.tokens = behind_verb;
    return spell_query(&s);
}
