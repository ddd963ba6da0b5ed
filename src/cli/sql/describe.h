/*
 * describe.h - what \d and its family share: names with wildcards, rows of the catalog as a table.
 *
 * The names are psql's: * and ? are wildcards, letters are small unless in double quotes, a dot
 * parts schema and name. Rows come from pg_catalog, in the console's format.
 */
#ifndef NONET_CLI_SQL_DESCRIBE_H
#define NONET_CLI_SQL_DESCRIBE_H

#include "cli/sql/commands.h"

/* As patterns of LIKE; NULL: any. They point into `texts`. */
struct describe_name {
    const char *schema, *name;
    char texts[2][2 * COMMAND_WORD_MAX + 1];
};

void describe_read_name(const char *word, struct describe_name *ret_name);

/* The rows of TEXT, whose parameters are VALUES, with TITLE above and FOOTER (ptr NULL: how many
   rows) below. */
void describe_print(struct script *script, const char *text, const char *const *values, int count,
                    const char *title, slice footer);

/* describe_one.c: each relation of NAME by itself; MORE as of "\d+". */
void describe_relations(struct script *script, const struct describe_name *name, const char *word,
                        bool more);

#endif
