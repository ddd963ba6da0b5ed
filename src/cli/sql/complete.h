/*
 * complete.h - what the word at the cursor of `nonet sql` may become.
 *
 * Behind FROM, JOIN, INTO and their kin names of tables and views; behind a table's name and a dot
 * its columns; a command behind a backslash; else keywords, and the columns of the tables that the
 * statement names. The node is asked with a limit of rows and of time, and not where a transaction
 * has failed.
 */
#ifndef NONET_CLI_SQL_COMPLETE_H
#define NONET_CLI_SQL_COMPLETE_H

#include "cli/sql/script.h"

struct complete {
    struct console *console;
    const struct script *script; /* what stands in the lines before */
};

/* As io_editor_options has it; SELF is a struct complete. */
void complete_word(void *self, struct io_completion *completion);

#endif
