/*
 * parse.h - SQL text to PostgreSQL's own parse tree.
 *
 * libpg_query (PostgreSQL 15's grammar) gives the tree as JSON, which is kept as it is: a node is
 * `{"SelectStmt": {…}}`, fields that are empty, 0 or false are absent, `location` is a byte of the
 * text (absent: 0). Before it a pass over the tokens rewrites the spellings PostgreSQL's grammar
 * lacks, byte for byte in place, so that positions stay true (spell.c lists them).
 */
#ifndef NONET_SQL_PARSE_PARSE_H
#define NONET_SQL_PARSE_PARSE_H

#include "sql/error.h"
#include "wire/json.h"

#define SQL_STATEMENT_BYTES_MAX ((size_t)4 << 20)
#define SQL_AS_OF_MAX 16u
#define SQL_STATEMENTS_MAX 10000u /* in one text */

/* What the pass over the tokens found, of one statement. */
struct sql_spelling {
    enum sql_spelling_verb {
        SQL_SPELLED_PLAIN, /* the tree says it all */
        SQL_SPELLED_FLUSH,
        /* SUBSCRIBE, or COPY or DECLARE of it, whose tree then has an empty SELECT in its place.
           rest: what is subscribed to, SQL of a query in parentheses or a name. */
        SQL_SPELLED_SUBSCRIBE,
        SQL_SPELLED_SOURCE, /* CREATE SOURCE, tree: CREATE TABLE */
        /* CREATE SINK …, tree: CREATE VIEW of an empty SELECT, or nothing; rest: its text. DROP
           SINK, tree: DROP VIEW. */
        SQL_SPELLED_SINK,
    } verb;
    bool append_only, emit_on_window_close;
    bool progress, no_snapshot; /* SUBSCRIBE … WITH (PROGRESS, SNAPSHOT = false) */
    slice watermark_column, watermark_expression; /* ptr NULL: none; SQL text */
    unsigned as_of_count;     /* tables followed by FOR SYSTEM_TIME AS OF PROCTIME(): */
    int as_of[SQL_AS_OF_MAX]; /* the bytes their names start at */
    slice rest;
    uint32_t rest_start; /* where `rest` stands in the whole */
};

struct sql_statement_text {
    json_value node; /* the statement's node, {"SelectStmt": …}; absent: empty statement */
    struct sql_spelling spelling;
    slice text;          /* this statement alone, as written */
    uint32_t text_start; /* where it starts in the whole; locations are of the whole */
};

struct sql_parse;

/* Parses all statements of TEXT. 0, or an error (42601 with its position; 54000 too long or too
   many; 54001 too deep). Keeps a copy of TEXT. */
must_use int sql_parse(slice text, struct sql_parse **ret, struct sql_error *error);
/* One holder less; NULL allowed, returns NULL. */
struct sql_parse *sql_parse_free(struct sql_parse *p);
/* P for one holder more, who frees it, too. It never changes once it is made. */
struct sql_parse *sql_parse_ref(struct sql_parse *p);
unsigned sql_parse_count(const struct sql_parse *p);
const struct sql_statement_text *sql_parse_at(const struct sql_parse *p, unsigned index);
slice sql_parse_text(const struct sql_parse *p); /* what locations count in */

/* Walking the tree. */
/* Is NODE {"NAME": …}? Then *RET (may be NULL) is what is inside. */
bool sql_node_is(json_value node, const char *name, json_value *ret);
/* The one key of a node, "" where it is none. */
slice sql_node_name(json_value node);
json_value sql_field(json_value inside, const char *name);
slice sql_field_text(json_value inside, const char *name); /* "" where absent; enums, too */
bool sql_field_bool(json_value inside, const char *name);
int64_t sql_field_int(json_value inside, const char *name); /* 0 where absent */
int sql_location(json_value inside);
/* A node String's sval. */
slice sql_string(json_value node);

#endif
