/*
 * input.h - lines of a script: a file, a pipe, or a person at the terminal.
 *
 * One place that knows where lines come from and how many there were: statements are read from it,
 * and so are the rows that follow a COPY FROM STDIN.
 */
#ifndef NONET_CLI_SQL_INPUT_H
#define NONET_CLI_SQL_INPUT_H

#include "base/buf.h"
#include "io/editor.h"

#include <stdio.h>

struct input {
    FILE *file;
    const char *name;         /* for errors; NULL: a person, or standard input */
    struct io_editor *editor; /* NULL: lines come from `file` */
    bool prompts;             /* a person types */
    unsigned line;            /* how many have been read */
};

/* The next line with its '\n' into LINE (emptied first); the last one of a file may lack it. 0;
   -ENODATA at the end, -EINTR (Ctrl-C), -ENOBUFS (longer than LINE may be), or what reading met. */
must_use int input_take_line(struct input *input, const char *prompt, struct buf *line);

#endif
