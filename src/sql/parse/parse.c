/*
 * parse.c - see parse.h.
 *
 *   text ── cut at `;` ── spell each ── libpg_query, the whole at once ── JSON tree
 *                                                                            |
 *   statement i  <── the node whose stmt_location lies within its cut ───────┘
 *
 * As in PostgreSQL one mistake anywhere refuses the whole text before anything of it runs.
 */
#include "sql/parse/parse.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "sql/parse/negative.h"
#include "sql/parse/spell.h"
#include "sql/parse/token.h"

#include <errno.h>
#include <pg_query.h>

/* Operators in a row, as in 1 + 1 + 1 …: each makes the tree one deeper, and libpg_query writes the
   tree by recursion without asking how much stack is left. A tree of a quarter as many is refused
   by JSON_DEPTH_MAX anyway. */
#define CHAIN_MAX 4096u
#define CHAIN_LEVELS 256u /* of brackets told apart; the deeper ones count as one */

#define TREE_BYTES_MAX ((size_t)1 << 30) /* the parser's own is as large, and comes first */

struct sql_parse {
    char *original, *spelled; /* NUL behind both */
    size_t len;
    PgQueryParseResult result;
    bool parsed;
    struct buf mended; /* the tree's text, negative integers put in */
    struct json_doc tree;
    struct sql_statement_text *statements;
    unsigned count;
    unsigned references;
};

struct sql_parse *sql_parse_ref(struct sql_parse *p) {
    p->references++;
    return p;
}

struct sql_parse *sql_parse_free(struct sql_parse *p) {
    if (!p || --p->references > 0)
        return NULL;
    if (p->parsed)
        pg_query_free_parse_result(p->result);
    json_free(&p->tree);
    buf_free(&p->mended);
    mem_free(p->statements);
    mem_free(p->original);
    mem_free(p->spelled);
    return mem_free(p);
}

unsigned sql_parse_count(const struct sql_parse *p) {
    return p->count;
}

const struct sql_statement_text *sql_parse_at(const struct sql_parse *p, unsigned index) {
    check(index < p->count);
    return &p->statements[index];
}

slice sql_parse_text(const struct sql_parse *p) {
    return slice_make(p->original, p->len);
}

static int add_statement(struct sql_parse *p, uint32_t start, uint32_t end,
                         struct sql_error *error) {
    struct sql_statement_text statement = {.text_start = start};
    int r = sql_spell(sql_parse_text(p), p->spelled, start, end, &statement.spelling, error);
    if (r < 0)
        return r;
    statement.text = slice_trim(slice_make(p->original + start, end - start));
    if (p->count == SQL_STATEMENTS_MAX)
        return sql_fail(error, "54000", "more than %u statements in one text", SQL_STATEMENTS_MAX);
    if ((p->count & (p->count - 1)) == 0) { /* grows by doubling */
        size_t room = p->count ? (size_t)p->count * 2 : 1;
        void *more = mem_realloc(p->statements, room * sizeof *p->statements);
        if (!more)
            return sql_fail_memory(error);
        p->statements = more;
    }
    p->statements[p->count++] = statement;
    return 0;
}

/* How long chains of operators can be: one count for each level of brackets (CASE … END is one),
   which starts again behind a comma, AND, OR, WHEN, THEN and ELSE, as no chain goes on there. */
struct chains {
    unsigned level, counts[CHAIN_LEVELS];
    unsigned clauses; /* joins, set operations and operators by words, which commas do not end */
};

static bool is_one_of(const struct sql_token *token, const char *const *words) {
    while (*words && !sql_token_is(token, *words))
        words++;
    return *words;
}

static int chains_take(struct chains *c, const struct sql_token *token, struct sql_error *error) {
    static const char *const ends[] = {"and", "or", "when", "then", "else", NULL};
    static const char *const clauses[] = {"union",   "except",   "intersect", "join",
                                          "is",      "isnull",   "notnull",   "zone",
                                          "collate", "operator", NULL};
    unsigned at = c->level < CHAIN_LEVELS ? c->level : CHAIN_LEVELS - 1;
    if (sql_token_is_sign(token, '(') || sql_token_is_sign(token, '[') ||
        sql_token_is(token, "case")) {
        c->level++;
        if (c->level < CHAIN_LEVELS)
            c->counts[c->level] = 0;
    } else if (sql_token_is_sign(token, ')') || sql_token_is_sign(token, ']') ||
               sql_token_is(token, "end")) {
        c->level -= c->level > 0;
    } else if (sql_token_is_sign(token, ',') || is_one_of(token, ends)) {
        if (c->level < CHAIN_LEVELS)
            c->counts[at] = 0;
    } else if (token->kind == SQL_TOKEN_SIGN && !sql_token_is_sign(token, '.')) {
        c->counts[at]++;
    } else if (token->kind == SQL_TOKEN_WORD && is_one_of(token, clauses)) {
        c->clauses++;
    }
    if (c->counts[at] <= CHAIN_MAX && c->clauses <= CHAIN_MAX)
        return 0;
    return sql_fail(error, "54001", "statement is too complex: more than %u operators in a row",
                    CHAIN_MAX);
}

/* Each run of tokens between semicolons. Those of CREATE FUNCTION … BEGIN ATOMIC … END belong to
   it, and so do those within parentheses (CREATE RULE). */
static int cut(struct sql_parse *p, struct sql_error *error) {
    struct sql_tokens tokens = {sql_parse_text(p), 0};
    bool any = false, atomic = false;
    struct chains chains = {0};
    unsigned depth = 0;
    uint32_t start = 0;
    for (;;) {
        struct sql_token token = sql_token_next(&tokens);
        bool ends = token.kind == SQL_TOKEN_END ||
                    (!atomic && depth == 0 && sql_token_is_sign(&token, ';'));
        if (ends && any) {
            int added = add_statement(p, start, token.start, error);
            if (added < 0)
                return added;
        }
        if (token.kind == SQL_TOKEN_END)
            return 0;
        if (ends) {
            start = token.start + 1;
            any = false;
            chains = (struct chains){0};
            continue;
        }
        int r = chains_take(&chains, &token, error);
        if (r < 0)
            return r;
        if (!any)
            start = token.start;
        any = true;
        depth += sql_token_is_sign(&token, '(');
        depth -= sql_token_is_sign(&token, ')') && depth > 0;
        atomic = (atomic || sql_token_is(&token, "atomic")) && !sql_token_is(&token, "end");
    }
}

static int read_tree(struct sql_parse *p, struct sql_error *error) {
    p->result = pg_query_parse(p->spelled);
    p->parsed = true;
    if (p->result.error) {
        const char *words = p->result.error->message;
        /* Of its stack, and of the one of the grammar's own. */
        bool deep = words && (strstr(words, "stack depth") || strstr(words, "memory exhausted"));
        (void)sql_fail(error, deep ? "54001" : "42601", "%s", words ? words : "syntax error");
        error->position = p->result.error->cursorpos > 0 ? (uint32_t)p->result.error->cursorpos : 0;
        return -EINVAL;
    }
    p->tree.depth_max = JSON_DEPTH_MAX;
    p->tree.nodes_max = JSON_NODES_MAX;
    int r = sql_mend_negatives(slice_str(p->result.parse_tree), slice_make(p->spelled, p->len),
                               &p->mended);
    if (r == 0)
        r = json_parse(&p->tree, buf_slice(&p->mended));
    if (r == -E2BIG)
        return sql_fail(error, "54001", "statement is too complex: nested more than %u levels deep",
                        JSON_DEPTH_MAX);
    return r == -ENOMEM || r == -ENOBUFS
               ? sql_fail_memory(error)
               : (r < 0 ? sql_fail(error, "XX000", "the parse tree is no JSON") : 0);
}

/* Gives each statement its node. A node's stmt_location is the byte behind the semicolon before it,
   so it is of the first statement that starts there or later. That there is none would mean that
   the two readers cut the text differently; then nothing of it may run. */
static int give_nodes(struct sql_parse *p, struct sql_error *error) {
    unsigned at = 0;
    struct json_iterator i = json_each(json_path(json_root(&p->tree), "stmts"));
    while (json_next(&i)) {
        int64_t where = sql_field_int(i.value, "stmt_location");
        while (at < p->count && (int64_t)p->statements[at].text_start < where)
            at++;
        if (at == p->count)
            return sql_fail(error, "42601", "statements of this text cannot be told apart");
        p->statements[at++].node = json_member(i.value, slice_lit("stmt"));
    }
    return 0;
}

int sql_parse(slice text, struct sql_parse **ret, struct sql_error *error) {
    if (text.len > SQL_STATEMENT_BYTES_MAX)
        return sql_fail(error, "54000", "a statement may have %zu bytes, this one has %zu",
                        SQL_STATEMENT_BYTES_MAX, text.len);
    if (!utf8_valid(text) || slice_find(text, '\0') >= 0)
        return sql_fail(error, "22021", "invalid byte sequence for encoding \"UTF8\"");
    struct sql_parse *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return sql_fail_memory(error);
    p->references = 1;
    json_init(&p->tree);
    p->mended = buf_make(TREE_BYTES_MAX);
    p->len = text.len;
    p->original = mem_copy(text.len ? text.ptr : "", text.len);
    p->spelled = mem_copy(text.len ? text.ptr : "", text.len);
    int r = p->original && p->spelled ? cut(p, error) : sql_fail_memory(error);
    if (r == 0)
        r = read_tree(p, error);
    if (r == 0)
        r = give_nodes(p, error);
    if (r < 0) {
        sql_parse_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

bool sql_node_is(json_value node, const char *name, json_value *ret) {
    json_value inside = json_member(node, slice_str(name));
    if (json_type_of(inside) == JSON_ABSENT)
        return false;
    if (ret)
        *ret = inside;
    return true;
}

slice sql_node_name(json_value node) {
    struct json_iterator i = json_each(node);
    slice name;
    bool has = json_type_of(node) == JSON_OBJECT && json_next(&i);
    return has && json_string(i.key, &name) == 0 ? name : slice_make("", 0);
}

json_value sql_field(json_value inside, const char *name) {
    return json_member(inside, slice_str(name));
}

slice sql_field_text(json_value inside, const char *name) {
    slice text;
    return json_string(sql_field(inside, name), &text) == 0 ? text : slice_make("", 0);
}

bool sql_field_bool(json_value inside, const char *name) {
    bool value;
    return json_bool(sql_field(inside, name), &value) == 0 && value;
}

int64_t sql_field_int(json_value inside, const char *name) {
    int64_t value;
    return json_i64(sql_field(inside, name), &value) == 0 ? value : 0;
}

int sql_location(json_value inside) {
    return (int)sql_field_int(inside, "location");
}

slice sql_string(json_value node) {
    json_value inside;
    return sql_node_is(node, "String", &inside) ? sql_field_text(inside, "sval")
                                                : slice_make("", 0);
}
