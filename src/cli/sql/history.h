/*
 * history.h - what was typed in earlier sessions, in a file.
 *
 * A statement a line: "\n" is a line end in it, "\\" a backslash. Each is appended as it is run, so
 * that sessions side by side all keep theirs; a file of more than twice as many lines as are kept
 * is shortened when it is read. A history that cannot be kept is no error: there is none then.
 */
#ifndef NONET_CLI_SQL_HISTORY_H
#define NONET_CLI_SQL_HISTORY_H

#include "io/editor.h"
#include "io/loop.h"

#define HISTORY_PATH_MAX 1024u
#define HISTORY_FILE_BYTES_MAX (16u << 20)
#define HISTORY_ENTRY_BYTES_MAX (64u << 10) /* a longer one is not kept */

struct history_file {
    struct io_host *host;
    char path[HISTORY_PATH_MAX]; /* "": it is not kept */
};

/* Finds the file, makes its folder, and gives what it holds to EDITOR. */
void history_open(struct history_file *history, struct io_host *host, struct io_editor *editor);
void history_add(struct history_file *history, struct io_editor *editor, slice entry);

/* ENTRY as a line of the file, and back. 0 or -ENOMEM. */
must_use int history_write(slice entry, struct buf *line);
must_use int history_read(slice line, struct buf *entry);
/* ENTRY as it comes back to be edited: on one line, where no line end in it means something (in a
   string, behind a comment of "--"). 0 or -ENOMEM. */
must_use int history_flatten(slice entry, struct buf *line);

#endif
