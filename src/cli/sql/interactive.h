/*
 * interactive.h - statements that a person types at the terminal.
 *
 * What was typed is kept in $XDG_STATE_HOME/nonet/sql_history (else ~/.local/state/nonet/...), a
 * statement a line, mode 0600, the last IO_EDITOR_HISTORY_MAX of them; each is appended as it is
 * run, so that sessions side by side all keep theirs.
 */
#ifndef NONET_CLI_SQL_INTERACTIVE_H
#define NONET_CLI_SQL_INTERACTIVE_H

#include "cli/sql/console.h"

/* Until \q, or the end of input. The exit code is that of the connection alone: errors have been
   seen. */
enum console_end console_interact(struct console *console);

#endif
