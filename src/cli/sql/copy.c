/*
 * copy.c - COPY … TO STDOUT and FROM STDIN.
 *
 * Data goes as it is. It comes from the file of \copy, from what follows the statement in a script,
 * or, for -c, from standard input; text and CSV end with a line "\." or the end of the file.
 */
#include "cli/sql/console.h"
#include "cli/sql/input.h"

#include "io/terminal.h"

#include <errno.h>

#define BLOCK_BYTES 65536u
#define LINE_MAX_BYTES (1u << 30)

/* Ends early when the server fails the copy: it says so with the next result. */
enum console_end console_copy_out(struct console *console) {
    const struct io_postgres *pq = &console->pq;
    FILE *out = console->copy_file ? console->copy_file : console->out;
    enum console_end end = CONSOLE_DONE;
    for (;;) {
        char *data;
        int len = pq->PQgetCopyData(console->connection, &data, true);
        if (len < 0)
            return end;
        if (len == 0) {
            enum console_end waited = console_wait(console, NULL);
            if (waited == CONSOLE_LOST)
                return end; /* the next result says it */
            if (waited == CONSOLE_UNREAD && end == CONSOLE_DONE)
                console_cancel(console);
            end = waited > end ? waited : end;
            continue;
        }
        if (end == CONSOLE_DONE && fwrite(data, 1, (size_t)len, out) != (size_t)len) {
            if (errno != EPIPE)
                cli_failed("cannot write the copy: %s", error_name(-errno));
            console->unread |= out == console->out;
            console_cancel(console);
            end = CONSOLE_UNREAD;
        }
        pq->PQfreemem(data);
    }
}

/* Lines up to "\.": what is behind it belongs to the script. 0 or a negative errno. */
static int send_lines(struct console *console, struct input *input) {
    struct buf line = buf_make(LINE_MAX_BYTES);
    int failed;
    while (!(failed = input_take_line(input, ">> ", &line))) {
        slice text = buf_slice(&line);
        if (slice_equal(text, slice_lit("\\.\n")) || slice_equal(text, slice_lit("\\.\r\n")) ||
            slice_equal(text, slice_lit("\\.")))
            break;
        if (io_interrupt_take()) {
            failed = -EINTR;
            break;
        }
        if (console->pq.PQputCopyData(console->connection, line.ptr, (int)line.len) != 1)
            break; /* the next result says why */
    }
    buf_free(&line);
    return failed == -ENODATA ? 0 : failed;
}

static int send_blocks(struct console *console, FILE *file) {
    char block[BLOCK_BYTES];
    size_t got;
    errno = 0;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        if (io_interrupt_take())
            return -EINTR;
        if (console->pq.PQputCopyData(console->connection, block, (int)got) != 1)
            return 0;
    }
    return ferror(file) ? -(errno ? errno : EIO) : 0;
}

enum console_end console_copy_in(struct console *console, const PGresult *result) {
    /* Rows are typed without the editor, whose Tab completes. */
    struct input standard = {.file = stdin, .prompts = console->input && console->input->prompts};
    struct input *input = console->input && !standard.prompts ? console->input : &standard;
    const char *reason = NULL;
    int failed;
    if (input->prompts && !console->copy_file)
        puts("Enter data to be copied followed by a newline.\n"
             "End with a backslash and a period on a line by itself, or an EOF signal.");
    if (console->copy_file)
        failed = send_blocks(console, console->copy_file);
    else if (console->pq.PQbinaryTuples(result) && !console->input)
        failed = send_blocks(console, stdin);
    else
        failed = send_lines(console, input);
    if (failed == -EINTR)
        reason = "canceled by user";
    else if (failed)
        reason = error_name(failed);
    console->pq.PQputCopyEnd(console->connection, reason);
    return CONSOLE_DONE; /* the next result says how it ended */
}
