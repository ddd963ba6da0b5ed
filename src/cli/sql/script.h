/*
 * script.h - text that is read and run: statements, and commands that begin with a backslash.
 *
 *      text:  | what has been read of the statement ... | the rest of its line |
 *                                                       ^ split.at
 *
 * A command may stand behind a statement (SELECT 1 \gx) or within one (\e, \r): it acts on `text`.
 */
#ifndef NONET_CLI_SQL_SCRIPT_H
#define NONET_CLI_SQL_SCRIPT_H

#include "cli/sql/console.h"
#include "cli/sql/input.h"
#include "cli/sql/split.h"

#define SCRIPT_DEPTH_MAX 16u /* files that call each other by \i */

struct script {
    struct console *console;
    struct input *input;
    struct buf text;     /* not run yet */
    struct buf previous; /* the statement run last, for \g and \e */
    struct buf scratch;  /* a statement with its NUL */
    struct split split;
    unsigned line;        /* of the first byte of text */
    bool quits;           /* \q, or an error that ends the script */
    enum console_end end; /* the worst so far */
};

/* INPUT may be NULL: text comes by script_add alone. */
void script_begin(struct script *script, struct console *console, struct input *input);
/* MORE, whole lines, behind what is there; runs what is complete. */
void script_add(struct script *script, slice more);
/* Runs what has no semicolon. Returns the worst that happened. */
enum console_end script_end(struct script *script);
/* Runs what `text` holds up to END (its length where there is no more), or the previous statement
   where that is nothing, and takes it off. */
void script_run(struct script *script, size_t end);
/* A statement or command ended so: the script stops where it must. */
void script_heed(struct script *script, enum console_end end);
/* Drops what has been read of the statement. */
void script_reset(struct script *script);

/* commands.c: the commands in LINE (behind a backslash, to the end of the line). */
void command_run(struct script *script, slice line);

#endif
