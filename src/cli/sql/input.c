/* input.c - see input.h. */
#include "cli/sql/input.h"

#include "io/terminal.h"

#include <errno.h>

#define STDIN 0

static int read_stream(FILE *file, struct buf *line) {
    int c;
    errno = 0;
    while ((c = getc_unlocked(file)) != EOF) {
        if (buf_append_byte(line, (char)c))
            return -ENOBUFS;
        if (c == '\n')
            return 0;
    }
    if (ferror(file))
        return errno ? -errno : -EIO;
    return line->len ? 0 : -ENODATA;
}

/* A terminal can be read when a line is whole: until then Ctrl-C is heard. */
static int read_terminal(const char *prompt, struct buf *line) {
    fputs(prompt, stdout);
    fflush(stdout);
    int ready;
    while ((ready = io_wait_readable(STDIN, -1, -1)) == 0)
        continue;
    if (ready == -EINTR)
        putchar('\n');
    return ready < 0 ? ready : read_stream(stdin, line);
}

int input_take_line(struct input *input, const char *prompt, struct buf *line) {
    int failed;
    buf_clear(line);
    if (input->editor) {
        failed = io_editor_read(input->editor, prompt, line);
        if (!failed)
            failed = buf_append_byte(line, '\n');
    } else {
        failed = input->prompts ? read_terminal(prompt, line) : read_stream(input->file, line);
    }
    input->line += !failed;
    return failed;
}
