/*
 * define_sink.c - CREATE SINK: a materialized view that tells its changes elsewhere (sql/sink.h).
 *
 *   CREATE SINK [IF NOT EXISTS] name { FROM table | AS query } WITH (option = value, …)
 *
 * PostgreSQL's grammar is given two texts, in both of which each byte is where the user wrote it:
 *
 *   CREATE SINK s AS SELECT a FROM t WITH (subject = 'x')
 *   CREATE VIEW s                    WITH (subject = 'x') AS SELECT      the head
 *                    SELECT a FROM t                                     the query
 */
#include "sql/bind/define.h"
#include "sql/parse/token.h"

#include <errno.h>

struct written {
    slice text;    /* the statement */
    size_t before; /* bytes of the whole before it */
    bool if_not_exists;
    size_t name_end;     /* bytes of `text`: behind the name */
    size_t from, to;     /* the query, or the table's name */
    bool is_name;        /* FROM table */
    size_t what, exists; /* where SINK and IF NOT EXISTS stand */
    size_t exists_end;
    size_t with; /* WITH (…), up to the end */
};

static int refuse(struct sql_binder *b, const struct written *w, const struct sql_token *at,
                  const char *words) {
    int r = bind_error(b, (int)(w->before + at->start), "42601", "%s", words);
    sql_error_hint(b->error,
                   "Write CREATE SINK name FROM view WITH (subject = 'orders.hot'), or AS "
                   "SELECT … in place of FROM.");
    return r;
}

static bool take_words(struct sql_tokens *tokens, const char *const *words) {
    struct sql_tokens saved = *tokens;
    for (; *words; words++) {
        struct sql_token token = sql_token_next(tokens);
        if (sql_token_is(&token, *words))
            continue;
        *tokens = saved;
        return false;
    }
    return true;
}

/* WITH (…) at the end of the text, outside of parentheses; else w->with is 0. */
static void find_options(struct written *w, struct sql_tokens tokens) {
    int depth = 0;
    struct sql_token token;
    while ((token = sql_token_next(&tokens)).kind != SQL_TOKEN_END) {
        struct sql_tokens ahead = tokens;
        struct sql_token next = sql_token_next(&ahead);
        if (depth == 0 && sql_token_is(&token, "with") && sql_token_is_sign(&next, '('))
            w->with = token.start;
        depth += sql_token_is_sign(&token, '(') - sql_token_is_sign(&token, ')');
        if (depth == 0 && w->with && sql_token_is_sign(&token, ')') && next.kind != SQL_TOKEN_END)
            w->with = 0; /* something follows: these were no options */
    }
}

/* NAME or SCHEMA.NAME; the token behind it. */
static struct sql_token skip_name(struct sql_tokens *tokens, size_t *ret_end) {
    struct sql_token token = sql_token_next(tokens);
    for (;;) {
        *ret_end = tokens->at;
        token = sql_token_next(tokens);
        if (!sql_token_is_sign(&token, '.'))
            return token;
        token = sql_token_next(tokens);
    }
}

static int read_written(struct sql_binder *b, struct written *w) {
    static const char *const exists[] = {"if", "not", "exists", NULL};
    struct sql_tokens tokens = {w->text, 0};
    struct sql_token token = sql_token_next(&tokens); /* CREATE */
    token = sql_token_next(&tokens);
    w->what = token.start;
    w->exists = tokens.at;
    w->if_not_exists = take_words(&tokens, exists);
    w->exists_end = tokens.at;
    token = skip_name(&tokens, &w->name_end);
    w->is_name = sql_token_is(&token, "from");
    if (!w->is_name && !sql_token_is(&token, "as"))
        return refuse(b, w, &token, "a sink is made FROM a table or view, or AS a query");
    w->from = tokens.at;
    find_options(w, tokens);
    if (!w->with) {
        token.start = (uint32_t)w->text.len;
        return refuse(b, w, &token, "a sink names its subject in WITH (subject = '…'), at its end");
    }
    w->to = w->with;
    return 0;
}

/* The text, blank but for FROM … TO; BEHIND more bytes at its end. */
static char *blank_copy(struct sql_binder *b, const struct written *w, size_t behind) {
    size_t size = w->before + w->text.len + behind;
    char *text = bind_alloc(b, size + 1, 1);
    if (text)
        memset(text, ' ', size);
    return text;
}

static int parse_head(struct sql_binder *b, const struct written *w, json_value *ret_view) {
    static const char behind[] = " AS SELECT";
    json_value node;
    char *text = blank_copy(b, w, sizeof behind - 1);
    if (!text)
        return -EINVAL;
    char *at = text + w->before;
    memcpy(at, w->text.ptr, w->name_end);
    memcpy(at + w->what, "VIEW", 4);
    memset(at + w->exists, ' ', w->exists_end - w->exists);
    memcpy(at + w->with, w->text.ptr + w->with, w->text.len - w->with);
    memcpy(at + w->text.len, behind, sizeof behind - 1);
    int r =
        bind_parse_kept(b, slice_make(text, w->before + w->text.len + sizeof behind - 1), &node);
    if (r == 0 && !sql_node_is(node, "ViewStmt", ret_view))
        r = bind_error(b, (int)w->before, "42601", "this is no CREATE SINK");
    return r;
}

static int parse_query(struct sql_binder *b, const struct written *w, json_value *ret_select) {
    static const char table[] = "TABLE ";
    size_t word = sizeof table - 1;
    json_value node;
    char *text = blank_copy(b, w, 0);
    if (!text)
        return -EINVAL;
    char *at = text + w->before;
    size_t from = w->from;
    while (from < w->to && memchr(" \t\r\n", w->text.ptr[from], 4))
        from++;
    memcpy(at + from, w->text.ptr + from, w->to - from);
    if (w->is_name) /* behind CREATE SINK s FROM there is room */
        memcpy(at + from - word, table, word);
    int r = bind_parse_kept(b, slice_make(text, w->before + w->to), &node);
    if (r == 0 && !sql_node_is(node, "SelectStmt", ret_select))
        r = bind_error(b, (int)(w->before + from), "42601", "a sink is made AS a query");
    return r;
}

int define_sink(struct sql_binder *b, const struct sql_statement_text *statement,
                struct sql_statement *ret) {
    struct written w = {.text = statement->spelling.rest, .before = statement->spelling.rest_start};
    struct define_kept k = {.definition = {NULL, 0}};
    json_value view;
    int r = read_written(b, &w);
    if (r < 0)
        return r;
    struct bind_text kept = bind_other(b);
    b->text = kept.text; /* positions are the user's */
    r = parse_head(b, &w, &view);
    if (r == 0)
        r = parse_query(b, &w, &k.select);
    if (r == 0) {
        k.range = sql_field(view, "view");
        k.options = sql_field(view, "options");
        k.names = sql_field(view, "aliases");
        k.if_not_exists = w.if_not_exists;
        k.on_close = b->spelling->emit_on_window_close;
        k.sink = true;
        k.definition = slice_trim(slice_make(w.text.ptr + w.from, w.to - w.from));
        if (w.is_name &&
            arena_printf(b->memory, &k.definition, "TABLE %.*s", slice_fmt(k.definition)) < 0)
            r = sql_fail_memory(b->error);
    }
    if (r == 0)
        r = define_kept_view(b, &k, ret);
    bind_back(b, &kept);
    return r;
}
