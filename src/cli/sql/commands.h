/*
 * commands.h - what the commands of `nonet sql` share: \d, \x, \copy ...
 *
 * A command is a row of the table in commands.c. It takes its arguments off the line: words between
 * blanks, in '…' with '' for a quote, or all of it. What it leaves has to be another command.
 */
#ifndef NONET_CLI_SQL_COMMANDS_H
#define NONET_CLI_SQL_COMMANDS_H

#include "cli/sql/script.h"

#define COMMAND_WORD_MAX 4096u

struct command {
    const char *name;
    const char *arguments; /* as help shows them */
    const char *help;
    void (*run)(struct script *script, slice *rest);
};

/* The next argument off *REST into OUT; false where there is none. Of a name the double quotes
   stay, so that \d "My.Table" keeps its meaning. */
bool command_take_word(slice *rest, char out[COMMAND_WORD_MAX]);
/* "nonet: \x: ..."; the script heeds it. */
void command_fail(struct script *script, const char *format, ...) printf_like(2, 3);

/* describe.c: \d and its family; NAME is what stands behind the backslash. False: no such. */
bool describe_is(slice name);
void describe_run(struct script *script, slice name, slice *rest);
/* copy_command.c, syntax.c, edit_command.c */
void command_copy(struct script *script, slice *rest);
void command_syntax(struct script *script, slice *rest);
void command_edit(struct script *script, slice *rest);

#endif
