/*
 * copy_command.c - \copy: COPY whose file is on this machine, not on the node's.
 *
 *      \copy item (id, name) FROM 'items.csv' (FORMAT csv)
 *      \copy (SELECT * FROM item) TO PROGRAM 'gzip > items.gz' CSV HEADER
 *
 * The word FROM or TO outside of quotes and parentheses parts what is copied from where. The
 * statement that is sent has STDIN or STDOUT in the file's place.
 */
#include "cli/sql/commands.h"

#include "io/terminal.h"

#include <errno.h>

struct copy_line {
    slice what, options;
    bool writes; /* TO */
    bool is_program, is_standard;
    char target[COMMAND_WORD_MAX];
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Where the word FROM or TO begins; -1: nowhere. */
static ptrdiff_t find_direction(slice line, bool *ret_writes) {
    unsigned depth = 0;
    char quote = '\0';
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quote) {
            quote = c == quote ? '\0' : quote;
            continue;
        }
        if (c == '\'' || c == '"')
            quote = c;
        depth += c == '(';
        depth -= c == ')' && depth;
        if (depth || !i || (!is_blank(line.ptr[i - 1]) && line.ptr[i - 1] != ')'))
            continue;
        slice rest = slice_skip(line, i);
        *ret_writes = slice_equal_nocase(slice_take(rest, 2), slice_lit("to"));
        size_t len = *ret_writes ? 2 : 4;
        if ((*ret_writes || slice_equal_nocase(slice_take(rest, 4), slice_lit("from"))) &&
            rest.len > len && (is_blank(rest.ptr[len]) || rest.ptr[len] == '\''))
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool read_line(slice line, struct copy_line *copy) {
    ptrdiff_t at = find_direction(line, &copy->writes);
    if (at < 0)
        return false;
    copy->what = slice_trim(slice_take(line, (size_t)at));
    slice rest = slice_trim(slice_skip(line, (size_t)at + (copy->writes ? 2 : 4)));
    bool quoted = rest.len && rest.ptr[0] == '\'';
    if (!copy->what.len || !command_take_word(&rest, copy->target))
        return false;
    slice target = slice_str(copy->target);
    copy->is_program = !quoted && slice_equal_nocase(target, slice_lit("program"));
    copy->is_standard = !quoted && (slice_equal_nocase(target, slice_lit("stdin")) ||
                                    slice_equal_nocase(target, slice_lit("pstdin")) ||
                                    slice_equal_nocase(target, slice_lit("stdout")) ||
                                    slice_equal_nocase(target, slice_lit("pstdout")));
    if (copy->is_program && !command_take_word(&rest, copy->target))
        return false;
    rest = slice_trim(rest);
    while (rest.len && (rest.ptr[rest.len - 1] == ';' || is_blank(rest.ptr[rest.len - 1])))
        rest.len--;
    copy->options = rest;
    return true;
}

/* Opens the file, runs the statement, closes. */
static void run_copy(struct script *script, const struct copy_line *copy, const char *statement) {
    struct console *console = script->console;
    const char *mode = copy->writes ? "w" : "r";
    if (!copy->is_standard) {
        console->copy_file = copy->is_program ? io_stdio_command(copy->target, mode)
                                              : io_stdio_open(copy->target, mode);
        if (!console->copy_file) {
            command_fail(script, "\\copy: cannot open %s: %s", copy->target, error_name(-errno));
            return;
        }
    }
    struct input *before = console->input;
    console->input = script->input;
    script_heed(script, console_run(console, statement, (struct console_place){.file = NULL}));
    console->input = before;
    FILE *file = console->copy_file;
    console->copy_file = NULL;
    if (!file)
        return;
    int failed = copy->is_program ? io_stdio_end(file) : fclose(file) ? -errno : 0;
    if (failed < 0)
        command_fail(script, "\\copy: %s: %s", copy->target, error_name(failed));
    else if (failed > 0)
        command_fail(script, "\\copy: %s: it ended with exit code %d", copy->target, failed);
}

void command_copy(struct script *script, slice *rest) {
    struct copy_line copy = {.writes = false};
    slice line = slice_trim(*rest);
    *rest = (slice){0};
    if (!read_line(line, &copy)) {
        command_fail(script, "\\copy: write \\copy TABLE FROM 'FILE' or \\copy (QUERY) TO 'FILE', "
                             "with options of COPY behind it");
        return;
    }
    _cleanup_buf_ struct buf statement = buf_make(CONSOLE_STATEMENT_MAX);
    if (buf_printf(&statement, "COPY %.*s %s %.*s", slice_fmt(copy.what),
                   copy.writes ? "TO STDOUT" : "FROM STDIN", slice_fmt(copy.options)) ||
        !buf_text(&statement)) {
        command_fail(script, "\\copy: no memory");
        return;
    }
    run_copy(script, &copy, statement.ptr);
}
