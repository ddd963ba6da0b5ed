/*
 * terminal.h - a person at a terminal: Ctrl-C, what can be waited for, secrets, an editor's
 * program.
 *
 * For verbs that talk with people; a node has none of this. Ctrl-C (SIGINT) is caught once for the
 * process and leaves a mark that the next wait heeds; a second one while nobody has heeded the
 * first ends the program, as if it had not been caught. Reads and writes go on.
 */
#ifndef NONET_IO_TERMINAL_H
#define NONET_IO_TERMINAL_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* From now on Ctrl-C is caught, or ends the program as it does by default. */
void io_interrupt_catch(bool caught);
/* Whether Ctrl-C was pressed since the last time this was asked. */
bool io_interrupt_take(void);

/* Waits until DESCRIPTOR (-1: none) can be read, at most TIMEOUT_MS (-1: without end). 1; 0 when
   the time is over; -EINTR after Ctrl-C, which is taken; -EPIPE when whoever reads OUTPUT, a pipe
   (-1: none), has gone. */
must_use int io_wait_readable(int descriptor, int output, int timeout_ms);

/* Characters in a line of the terminal that standard output is; 0: it is none. */
unsigned io_terminal_columns(void);

/* Prints PROMPT on the terminal and reads a line from it that is not shown. 0, -ENOTTY (there is no
   terminal), -EINTR (Ctrl-C), -ENODATA (its end), -ENOSPC (longer than SIZE). */
must_use int io_terminal_secret(const char *prompt, char *out, size_t size);

/* Runs COMMAND by the shell, on this terminal, and waits for it. Its exit status, 256 + signal, or
   negative. */
must_use int io_terminal_run(const char *command);

/* A file, pipe or device as a stream of standard C, which the caller closes with fclose. MODE as of
   fopen. NULL, with errno: there is none such. */
must_use FILE *io_stdio_open(const char *path, const char *mode);
/* The output ("r") or input ("w") of COMMAND, run by the shell; ended with io_stdio_end, which
   waits and gives its exit status, 256 + signal, or negative. */
must_use FILE *io_stdio_command(const char *command, const char *mode);
must_use int io_stdio_end(FILE *stream);

/* Text is UTF-8 from now on for the functions of the C library that ask a locale: wcwidth, and
   libraries that edit lines. */
void io_locale_utf8(void);

#endif
