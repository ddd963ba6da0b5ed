/*
 * edit_command.c - \e: the statement in an editor, in a file of its own that only we may read.
 *
 * What comes back takes the statement's place; it is run when it is complete, as if it had been
 * typed.
 */
#include "cli/sql/commands.h"

#include "base/mem.h"
#include "io/file.h"
#include "io/process.h"
#include "io/terminal.h"

#include <errno.h>
#include <stdio.h>

#define PATH_MAX_BYTES 1024u

static const char *either(const char *a, const char *b, const char *fallback) {
    const char *first = io_environment(a), *second = io_environment(b);
    return first && *first ? first : second && *second ? second : fallback;
}

static int write_file(struct io_host *host, const char *path, slice text) {
    struct io_file *file;
    int failed =
        io_file_open(host, path, IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_EXCLUSIVE, &file);
    if (failed)
        return failed;
    failed = io_file_write(file, text.ptr, text.len, 0);
    io_file_close(file);
    return failed;
}

/* 0, negative, or the editor's exit code. */
static int edit(struct io_host *host, const char *path, slice text, char **ret_text,
                size_t *ret_size) {
    char command[2 * PATH_MAX_BYTES];
    snprintf(command, sizeof command, "%s '%s'", either("VISUAL", "EDITOR", "vi"), path);
    int failed = write_file(host, path, text);
    if (!failed)
        failed = io_terminal_run(command);
    if (!failed)
        failed = io_file_load(host, path, CONSOLE_STATEMENT_MAX, ret_text, ret_size);
    return failed;
}

void command_edit(struct script *script, slice *rest) {
    (void)rest;
    struct io_host *host = script->console->host;
    char path[PATH_MAX_BYTES], *text = NULL;
    size_t size = 0;
    slice before = buf_slice(&script->text);
    if (!before.len)
        before = buf_slice(&script->previous);
    if (!script->console->interactive) {
        command_fail(script, "\\e is for people at a terminal");
        return;
    }
    snprintf(path, sizeof path, "%.900s/nonet-%d.sql", either("TMPDIR", "TEMP", "/var/tmp"),
             io_process_self());
    int failed = edit(host, path, before, &text, &size);
    if (io_unlink(host, path) && !failed)
        failed = -EIO;
    script_reset(script);
    if (failed < 0)
        command_fail(script, "\\e: %s: %s", path, error_name(failed));
    else if (failed)
        command_fail(script, "\\e: the editor ended with exit code %d", failed);
    else if (buf_append(&script->text, slice_make(text, size)))
        command_fail(script, "\\e: no memory");
    else
        printf("%.*s%s", slice_fmt(buf_slice(&script->text)),
               size && text[size - 1] == '\n' ? "" : "\n");
    mem_free(text);
}
