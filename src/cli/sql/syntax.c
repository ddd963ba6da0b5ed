/*
 * syntax.c - \h: how the statements that Nonet understands are written, in short.
 */
#include "cli/sql/commands.h"

#include <stdio.h>

struct syntax {
    const char *statement;
    const char *text;
};

static const struct syntax syntaxes[] = {
    {"ALTER TABLE",
     "ALTER TABLE name ADD [COLUMN] column type [DEFAULT value] [NOT NULL]\n"
     "ALTER TABLE name DROP [COLUMN] column | RENAME [COLUMN] column TO new_name\n"
     "ALTER TABLE name ALTER [COLUMN] column TYPE type | SET DEFAULT value |\n"
     "    DROP DEFAULT | SET NOT NULL | DROP NOT NULL\n"
     "ALTER TABLE name ADD CONSTRAINT name CHECK (condition) | UNIQUE (column, ...)\n"
     "ALTER TABLE name DROP CONSTRAINT name | RENAME TO new_name"},
    {"BEGIN", "BEGIN [ISOLATION LEVEL READ COMMITTED | REPEATABLE READ] [READ ONLY]"},
    {"COMMIT", "COMMIT"},
    {"COPY", "COPY table [(column, ...)] FROM STDIN [WITH] (FORMAT text | csv | binary, HEADER,\n"
             "    DELIMITER ',', NULL '')\n"
             "COPY table [(column, ...)] | (query) TO STDOUT [WITH] (...)\n"
             "\\copy does the same with a file of this machine."},
    {"CREATE FUNCTION", "CREATE [OR REPLACE] FUNCTION name ([argument type, ...]) RETURNS type\n"
                        "    LANGUAGE sql AS $$ SELECT ... $$"},
    {"CREATE INDEX", "CREATE [UNIQUE] INDEX [IF NOT EXISTS] name ON table (column, ...)"},
    {"CREATE MATERIALIZED VIEW",
     "CREATE MATERIALIZED VIEW [IF NOT EXISTS] name AS query [EMIT ON WINDOW CLOSE]"},
    {"CREATE TABLE",
     "CREATE TABLE [IF NOT EXISTS] name (column type [NOT NULL] [DEFAULT value] [PRIMARY KEY],\n"
     "    ...)\n"
     "CREATE TABLE name (column type, ...)\n"
     "    WITH (subject = 'orders.>', [stream = 'ORDERS',] [path.column = '/json/pointer',]\n"
     "    [watermark = 'column - interval ''4 s'''])"},
    {"CREATE TYPE", "CREATE TYPE name AS ENUM ('label', ...)"},
    {"CREATE VIEW", "CREATE [OR REPLACE] VIEW name AS query"},
    {"DELETE", "DELETE FROM table [USING ...] [WHERE condition] [RETURNING ...]"},
    {"DROP", "DROP TABLE | VIEW | MATERIALIZED VIEW | INDEX | TYPE | FUNCTION [IF EXISTS] name"},
    {"EXPLAIN", "EXPLAIN statement      its plan, and what state each part keeps"},
    {"FLUSH", "FLUSH      wait until all views have what the log has now"},
    {"INSERT", "INSERT INTO table [(column, ...)] VALUES (value, ...), ... | query\n"
               "    [ON CONFLICT [(column, ...)] DO NOTHING | DO UPDATE SET column = value]\n"
               "    [RETURNING ...]"},
    {"ROLLBACK", "ROLLBACK [TO SAVEPOINT name]"},
    {"SAVEPOINT", "SAVEPOINT name"},
    {"SELECT",
     "[WITH name AS (query), ...]\n"
     "SELECT [DISTINCT [ON (value, ...)]] value [AS name], ...\n"
     "    FROM table | view | (query) | tumble(table, time, size) | hop(...) | session(...)\n"
     "    [JOIN ... ON condition] [WHERE condition] [GROUP BY value, ...] [HAVING condition]\n"
     "    [WINDOW name AS (...)] [UNION | INTERSECT | EXCEPT [ALL] query]\n"
     "    [ORDER BY value [DESC] [NULLS LAST], ...] [LIMIT count] [OFFSET count]"},
    {"SET", "SET name = value      SHOW name      SHOW ALL"},
    {"SUBSCRIBE", "SUBSCRIBE [TO] view | table | (query) [WITH (SNAPSHOT = false, PROGRESS)]\n"
                  "    the rows there are, and then each change, until Ctrl-C"},
    {"TRUNCATE", "TRUNCATE table, ..."},
    {"UPDATE", "UPDATE table SET column = value, ... [FROM ...] [WHERE condition] [RETURNING ...]"},
};

static bool begins_with(const char *statement, slice asked) {
    slice name = slice_str(statement);
    return asked.len && slice_equal_nocase(slice_take(name, asked.len), asked);
}

void command_syntax(struct script *script, slice *rest) {
    FILE *out = script->console->out;
    slice asked = slice_trim(*rest);
    unsigned found = 0;
    *rest = (slice){0};
    while (asked.len && strchr("; \r", asked.ptr[asked.len - 1]))
        asked.len--;
    for (size_t i = 0; i < array_count(syntaxes); i++) {
        if (!asked.len)
            fprintf(out, "  %-26s%s", syntaxes[i].statement,
                    i % 3 == 2 || i + 1 == array_count(syntaxes) ? "\n" : "");
        else if (begins_with(syntaxes[i].statement, asked))
            fprintf(out, "%s%s\n", found++ ? "\n" : "", syntaxes[i].text);
    }
    if (asked.len && !found)
        command_fail(script, "\\h: no statement begins with '%.*s'; \\h lists them",
                     slice_fmt(asked));
}
