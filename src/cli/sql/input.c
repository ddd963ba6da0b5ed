/* input.c - see input.h. */
#include "cli/sql/input.h"

#include <errno.h>

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

int input_take_line(struct input *input, const char *prompt, struct buf *line) {
    int failed;
    buf_clear(line);
    if (input->editor) {
        failed = io_editor_read(input->editor, prompt, line);
        if (!failed)
            failed = buf_append_byte(line, '\n');
    } else {
        if (input->prompts) {
            fputs(prompt, stdout);
            fflush(stdout);
        }
        failed = read_stream(input->file, line);
    }
    input->line += !failed;
    return failed;
}
