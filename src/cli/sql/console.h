/*
 * console.h - `nonet sql`: a session with the listener `sql`, and what its parts share.
 *
 *      sql.c       the verb: options, -c and -f in their order, exit codes
 *      connect.c   where the node is, who we are
 *      input.c     lines of a script, a pipe or a person
 *      script.c    text cut into statements and commands (split.h), each run
 *      run.c       one statement: sent, its rows shown as they come, Ctrl-C
 *      copy.c      COPY in both directions
 *
 * Everything happens on one thread, which waits in io_wait_readable and nowhere else for long.
 */
#ifndef NONET_CLI_SQL_CONSOLE_H
#define NONET_CLI_SQL_CONSOLE_H

#include "cli/cli.h"
#include "cli/sql/printer.h"
#include "io/loop.h"
#include "io/postgres.h"

#define CONSOLE_STATEMENT_MAX (64u << 20) /* bytes: what the listener takes as one message */
#define CONSOLE_NO_SERVER 2               /* the exit code */

/* How a statement ended. */
enum console_end {
    CONSOLE_DONE,
    CONSOLE_REFUSED, /* the server said no, and that has been told */
    CONSOLE_LOST,    /* the connection is gone, told */
    CONSOLE_UNREAD,  /* nobody reads what we print, or it cannot be written (told) */
};

struct input;

struct console {
    const struct cli_call *call;
    struct io_host *host;
    struct io_postgres pq;
    PGconn *connection;
    struct printer_settings print;
    bool quiet;          /* no "INSERT 0 1" */
    bool timing;         /* "Time: 1.234 ms" behind each statement */
    bool keep_going;     /* a script goes on after an error */
    bool interactive;    /* a person types */
    bool unread;         /* nobody reads our output, and that has been told where it must be */
    unsigned depth;      /* of \i */
    FILE *out;           /* where rows go */
    struct input *input; /* what is being read, which COPY FROM STDIN reads, too; NULL: of -c */
    FILE *copy_file;     /* of \copy, in place of input or output; else NULL */
};

/* A statement's place in a file, for errors; FILE NULL: it is in none. */
struct console_place {
    const char *file;
    unsigned line; /* of its first byte */
};

/* Connects as the options say. An exit code: CLI_OK, CONSOLE_NO_SERVER or CLI_USAGE, told. */
int console_connect(struct console *console);
/* Again, from the start: the node may have another port now. In vain: told, and the connection is
   the broken one that it was, so that the next statement tries once more. */
void console_reconnect(struct console *console);

/* Runs TEXT, which may be several statements, and prints what is answered. */
enum console_end console_run(struct console *console, const char *text, struct console_place place);
/* Rows of a question of our own, whole; at most TIMEOUT_MS (-1: no end). NULL with CONSOLE_... in
 *RET_END where it failed; told unless QUIETLY. The caller clears it. */
PGresult *console_ask(struct console *console, const char *text, const char *const *values,
                      int value_count, bool quietly, int timeout_ms, enum console_end *ret_end);

/* Prints what is left; CONSOLE_UNREAD where it cannot be. */
enum console_end console_flush(struct console *console);
/* Waits until the server has said something, and takes it in: CONSOLE_DONE. Shows PRINTER's (NULL:
   none) rows when nothing comes for a while; Ctrl-C cancels the statement. CONSOLE_LOST: read the
   result, it says why. CONSOLE_REFUSED: no memory for the rows. */
enum console_end console_wait(struct console *console, struct printer *printer);
/* Asks the server to end the statement that is running. */
void console_cancel(struct console *console);

/* COPY, when its result has come: rows to the output, or from the input. */
enum console_end console_copy_out(struct console *console);
enum console_end console_copy_in(struct console *console, const PGresult *result);

/* Reads INPUT to its end, runs what it says. The worst that happened; stops at the first error
   unless keep_going or interactive. */
enum console_end console_read(struct console *console, struct input *input);
/* The same of a file, or of standard input for "-". */
enum console_end console_read_file(struct console *console, const char *path);

#endif
