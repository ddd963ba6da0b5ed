/* history.c - see history.h. */
#include "cli/sql/history.h"

#include "base/mem.h"
#include "cli/sql/split.h"
#include "io/file.h"
#include "io/process.h"

#include <stdio.h>

#define FILE_MODE 0600u

int history_write(slice entry, struct buf *line) {
    int failed = 0;
    for (size_t i = 0; i < entry.len && !failed; i++) {
        char c = entry.ptr[i];
        failed = c == '\n'   ? buf_append(line, slice_lit("\\n"))
                 : c == '\\' ? buf_append(line, slice_lit("\\\\"))
                             : buf_append_byte(line, c);
    }
    return failed ? failed : buf_append_byte(line, '\n');
}

int history_read(slice line, struct buf *entry) {
    int failed = 0;
    for (size_t i = 0; i < line.len && !failed; i++) {
        char c = line.ptr[i];
        if (c == '\\' && i + 1 < line.len)
            c = line.ptr[++i] == 'n' ? '\n' : line.ptr[i];
        failed = buf_append_byte(entry, c);
    }
    return failed;
}

/* Whether a blank may stand for the line end at the end of TEXT; SPLIT has seen what is before. */
static bool means_nothing(struct split *split, slice text) {
    enum split_found found;
    while ((found = split_next(split, text)) != SPLIT_MORE) {
        if (found == SPLIT_COMMAND)
            return false; /* its line is its own */
        split_begin(split, split->at);
    }
    return split->inside == SPLIT_PLAIN || split->inside == SPLIT_COMMENT;
}

int history_flatten(slice entry, struct buf *line) {
    struct split split;
    int failed = 0;
    split_begin(&split, 0);
    for (size_t i = 0; i < entry.len && !failed; i++) {
        char c = entry.ptr[i];
        if (c == '\n' && means_nothing(&split, slice_take(entry, i)))
            c = ' ';
        failed = buf_append_byte(line, c);
    }
    return failed;
}

static bool find_folder(char *out, size_t size) {
    const char *state = io_environment("XDG_STATE_HOME"), *home = io_environment("HOME");
    int len = -1;
    if (state && *state == '/')
        len = snprintf(out, size, "%s/nonet", state);
    else if (home && *home == '/')
        len = snprintf(out, size, "%s/.local/state/nonet", home);
    return len > 0 && (size_t)len < size;
}

static void give_entry(struct io_editor *editor, slice entry) {
    _cleanup_buf_ struct buf line = buf_make(HISTORY_ENTRY_BYTES_MAX + 1);
    if (!history_flatten(entry, &line) && buf_text(&line))
        io_editor_remember(editor, line.ptr);
}

static void give_lines(struct io_editor *editor, slice text) {
    _cleanup_buf_ struct buf entry = buf_make(HISTORY_ENTRY_BYTES_MAX);
    while (text.len) {
        slice line = slice_cut(text, '\n', &text);
        buf_clear(&entry);
        if (line.len && !history_read(line, &entry))
            give_entry(editor, buf_slice(&entry));
    }
}

/* What remains of TEXT when only its last lines are kept. */
static slice last_lines(slice text) {
    size_t lines = 0, at = text.len;
    while (at > 0) {
        if (text.ptr[at - 1] == '\n' && lines++ == IO_EDITOR_HISTORY_MAX)
            break;
        at--;
    }
    return slice_skip(text, at);
}

static size_t count_lines(slice text) {
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

void history_open(struct history_file *history, struct io_host *host, struct io_editor *editor) {
    char folder[HISTORY_PATH_MAX - 16], *text;
    size_t size;
    *history = (struct history_file){.host = host};
    if (!find_folder(folder, sizeof folder) || io_dir_create(host, folder))
        return;
    snprintf(history->path, sizeof history->path, "%s/sql_history", folder);
    if (io_file_load(host, history->path, HISTORY_FILE_BYTES_MAX, &text, &size))
        return;
    slice all = slice_make(text, size), kept = last_lines(all);
    if (count_lines(all) > 2 * IO_EDITOR_HISTORY_MAX &&
        io_file_replace(host, history->path, kept, FILE_MODE))
        history->path[0] = '\0';
    give_lines(editor, kept);
    mem_free(text);
}

void history_add(struct history_file *history, struct io_editor *editor, slice entry) {
    _cleanup_buf_ struct buf line = buf_make(2 * HISTORY_ENTRY_BYTES_MAX + 1);
    struct io_file *file;
    if (entry.len > HISTORY_ENTRY_BYTES_MAX || history_write(entry, &line))
        return;
    give_entry(editor, entry);
    if (!history->path[0] || io_file_open(history->host, history->path,
                                          IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_APPEND, &file))
        return;
    if (io_file_write(file, line.ptr, line.len, 0))
        history->path[0] = '\0';
    io_file_close(file);
}
