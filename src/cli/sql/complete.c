/* complete.c - see complete.h. */
#include "cli/sql/complete.h"

#include <stdio.h>

#define ASK_MS 1000
#define NAME_MAX_BYTES 256u
#define STATEMENT_TAIL_MAX 4096u /* bytes of the statement that are looked at for tables */

static const char *const keywords[] = {
    "ALTER TABLE",
    "AND",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COMMIT",
    "CONFLICT",
    "COPY",
    "CREATE",
    "CREATE INDEX",
    "CREATE MATERIALIZED VIEW",
    "CREATE TABLE",
    "CREATE TYPE",
    "CREATE VIEW",
    "CROSS JOIN",
    "DELETE FROM",
    "DESC",
    "DISTINCT",
    "DO",
    "DROP",
    "ELSE",
    "EMIT ON WINDOW CLOSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FETCH",
    "FILTER",
    "FLUSH",
    "FROM",
    "FULL JOIN",
    "GROUP BY",
    "HAVING",
    "ILIKE",
    "IN",
    "INDEX",
    "INSERT INTO",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "MATERIALIZED VIEW",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OVER",
    "PARTITION BY",
    "PRIMARY KEY",
    "REFERENCES",
    "RETURNING",
    "RIGHT JOIN",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "STDIN",
    "STDOUT",
    "TABLE",
    "THEN",
    "TO",
    "TRUE",
    "TRUNCATE",
    "UNION",
    "UNION ALL",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
};

static const char *const commands[] = {
    "\\c",  "\\conninfo", "\\copy", "\\d",    "\\df", "\\di", "\\dm",     "\\dn",    "\\dt",
    "\\dT", "\\dv",       "\\e",    "\\echo", "\\g",  "\\gx", "\\h",      "\\i",     "\\l",
    "\\o",  "\\p",        "\\pset", "\\q",    "\\r",  "\\t",  "\\timing", "\\watch", "\\x",
};

/* Behind these a table is named. */
static const char *const before_tables[] = {"from", "join",     "into", "update", "table",
                                            "view", "truncate", "on",   "copy"};

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static size_t word_begin(slice text, size_t end) {
    while (end > 0 && is_word(text.ptr[end - 1]))
        end--;
    return end;
}

/* The word that ends before END, passing over blanks. */
static slice word_before(slice text, size_t end) {
    while (end > 0 && strchr(" \t\n", text.ptr[end - 1]) && text.ptr[end - 1])
        end--;
    size_t begin = word_begin(text, end);
    return slice_make(text.ptr + begin, end - begin);
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* WORD as a keyword is continued: in small letters where it was begun so. */
static void add_keyword(struct io_completion *completion, const char *keyword, slice word) {
    char text[64];
    size_t len = strlen(keyword);
    bool small = !word.len || (word.ptr[0] >= 'a' && word.ptr[0] <= 'z');
    if (len >= sizeof text || !slice_equal_nocase(slice_take(slice_str(keyword), word.len), word))
        return;
    for (size_t i = 0; i < len; i++)
        text[i] = small ? lower(keyword[i]) : keyword[i];
    io_completion_add(completion, slice_make(text, len));
}

/* The first column of TEXT's rows; $1 is VALUE, $2 (where TEXT has it) OTHER. */
static void add_rows(const struct complete *self, struct io_completion *completion,
                     const char *text, slice value, slice other, int count) {
    struct console *console = self->console;
    char first[STATEMENT_TAIL_MAX + 1], second[NAME_MAX_BYTES];
    PGTransactionStatusType state = console->pq.PQtransactionStatus(console->connection);
    if ((state != PQTRANS_IDLE && state != PQTRANS_INTRANS) ||
        slice_to_string(value, first, sizeof first) ||
        slice_to_string(other, second, sizeof second))
        return;
    const char *const values[] = {first, second};
    PGresult *rows = console_ask(console, text, values, count, true, ASK_MS, NULL);
    for (int i = 0; rows && i < console->pq.PQntuples(rows); i++)
        io_completion_add(completion, slice_make(console->pq.PQgetvalue(rows, i, 0),
                                                 (size_t)console->pq.PQgetlength(rows, i, 0)));
    console->pq.PQclear(rows);
}

static void add_tables(const struct complete *self, struct io_completion *completion, slice word) {
    add_rows(self, completion,
             "SELECT quote_ident(c.relname) FROM pg_catalog.pg_class c"
             " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
             " WHERE c.relkind IN ('r', 'v', 'm') AND starts_with(c.relname, lower($1))"
             " AND (n.nspname NOT IN ('pg_catalog', 'information_schema') OR length($1) > 2)"
             " ORDER BY 1 LIMIT 200",
             word, slice_lit(""), 1);
}

/* Columns of TABLE, with or without an alias it cannot know. */
static void add_columns_of(const struct complete *self, struct io_completion *completion,
                           slice table, slice word) {
    add_rows(self, completion,
             "SELECT quote_ident(a.attname) FROM pg_catalog.pg_attribute a"
             " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
             " WHERE c.relname = lower($1) AND a.attnum > 0 AND NOT a.attisdropped"
             " AND starts_with(a.attname, lower($2)) ORDER BY 1 LIMIT 200",
             table, word, 2);
}

/* Columns of all tables whose name is a word of the statement. */
static void add_columns(const struct complete *self, struct io_completion *completion, slice word) {
    _cleanup_buf_ struct buf statement = buf_make(2 * CONSOLE_STATEMENT_MAX);
    if (!word.len || buf_append(&statement, buf_slice(&self->script->text)) ||
        buf_append(&statement, completion->before))
        return;
    slice all = buf_slice(&statement);
    if (all.len > STATEMENT_TAIL_MAX)
        all = slice_skip(all, all.len - STATEMENT_TAIL_MAX);
    add_rows(self, completion,
             "SELECT DISTINCT quote_ident(a.attname) FROM pg_catalog.pg_attribute a"
             " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
             " JOIN regexp_split_to_table(lower($1), '[^[:alnum:]_]+') AS w(word)"
             " ON c.relname = w.word WHERE a.attnum > 0 AND NOT a.attisdropped"
             " AND starts_with(a.attname, lower($2)) ORDER BY 1 LIMIT 200",
             all, word, 2);
}

static bool names_table(slice previous) {
    for (size_t i = 0; i < array_count(before_tables); i++)
        if (slice_equal_nocase(previous, slice_str(before_tables[i])))
            return true;
    return false;
}

static void complete_command(struct io_completion *completion, size_t backslash) {
    slice typed = slice_skip(completion->before, backslash);
    completion->from = backslash;
    for (size_t i = 0; i < array_count(commands); i++)
        if (slice_starts_with(slice_str(commands[i]), typed))
            io_completion_add(completion, slice_str(commands[i]));
}

void complete_word(void *owner, struct io_completion *completion) {
    const struct complete *self = owner;
    slice before = completion->before;
    size_t begin = word_begin(before, before.len);
    slice word = slice_skip(before, begin);
    slice previous = word_before(before, begin);
    completion->from = begin;
    if (begin && before.ptr[begin - 1] == '\\') {
        complete_command(completion, begin - 1);
    } else if (begin && before.ptr[begin - 1] == '.') {
        add_columns_of(self, completion, word_before(before, begin - 1), word);
    } else if (names_table(previous) || slice_starts_with(slice_trim(before), slice_lit("\\d"))) {
        add_tables(self, completion, word);
    } else {
        add_columns(self, completion, word);
        for (size_t i = 0; i < array_count(keywords) && word.len; i++)
            add_keyword(completion, keywords[i], word);
    }
}
