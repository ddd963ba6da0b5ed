/* script.c - see script.h. */
#include "cli/sql/script.h"

#include "io/terminal.h"

#include <errno.h>

#define LINE_BYTES_MAX CONSOLE_STATEMENT_MAX

void script_begin(struct script *script, struct console *console, struct input *input) {
    *script = (struct script){
        .console = console,
        .input = input,
        .text = buf_make(CONSOLE_STATEMENT_MAX),
        .previous = buf_make(CONSOLE_STATEMENT_MAX),
        .scratch = buf_make(CONSOLE_STATEMENT_MAX),
        .line = 1,
    };
    split_begin(&script->split, 0);
}

void script_reset(struct script *script) {
    buf_clear(&script->text);
    split_begin(&script->split, 0);
    script->line = script->input ? script->input->line + 1 : 1;
}

/* --- running ---------------------------------------------------------------------------------- */

static unsigned line_ends(slice text) {
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

static size_t blanks(slice text) {
    size_t count = 0;
    while (count < text.len && memchr(" \t\r\n\f\v", text.ptr[count], 6))
        count++;
    return count;
}

/* The first COUNT bytes go; a new statement begins behind them. */
static void take_off(struct script *script, size_t count) {
    script->line += line_ends(slice_take(buf_slice(&script->text), count));
    buf_consume(&script->text, count);
    split_begin(&script->split, 0);
}

/* A person goes on after an error, a file (also one that a person includes) does not. */
void script_heed(struct script *script, enum console_end end) {
    struct console *console = script->console;
    bool typed = script->input && script->input->prompts;
    if (end > script->end)
        script->end = end;
    if (end == CONSOLE_LOST && typed)
        console_reconnect(console);
    else if (end == CONSOLE_LOST || end == CONSOLE_UNREAD)
        script->quits = true;
    else if (end == CONSOLE_REFUSED && !typed && !console->keep_going)
        script->quits = true;
}

/* STATEMENT lies in `text` or `previous`. */
static void run_statement(struct script *script, slice statement, unsigned line) {
    struct console *console = script->console;
    struct console_place place = {script->input ? script->input->name : NULL, line};
    buf_clear(&script->scratch);
    if (buf_append(&script->scratch, statement) || !buf_text(&script->scratch)) {
        cli_failed("no memory for the statement");
        script_heed(script, CONSOLE_REFUSED);
        return;
    }
    struct input *before = console->input;
    console->input = script->input;
    script_heed(script, console_run(console, script->scratch.ptr, place));
    console->input = before;
}

void script_run(struct script *script, size_t end) {
    slice text = slice_take(buf_slice(&script->text), end);
    size_t lead = blanks(text);
    slice statement = slice_skip(text, lead);
    if (!statement.len) {
        run_statement(script, buf_slice(&script->previous), script->line);
    } else {
        run_statement(script, statement, script->line + line_ends(slice_take(text, lead)));
        buf_clear(&script->previous);
        if (buf_append(&script->previous, statement))
            buf_clear(&script->previous); /* \g then has nothing to repeat */
    }
    take_off(script, end);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The command at split.at, which is taken out of the text with its line. */
static void run_command(struct script *script) {
    slice rest = slice_skip(buf_slice(&script->text), script->split.at + 1), after;
    slice line = slice_cut(rest, '\n', &after);
    _cleanup_buf_ struct buf command = buf_make(CONSOLE_STATEMENT_MAX);
    if (buf_append(&command, line)) {
        cli_failed("no memory for the command");
        script_heed(script, CONSOLE_REFUSED);
        return;
    }
    /* Whole lines come, so there is nothing behind this one. */
    script->text.len = script->split.at;
    command_run(script, buf_slice(&command));
}

void script_add(struct script *script, slice more) {
    if (buf_append(&script->text, more)) {
        cli_failed("a statement may have %u MiB", CONSOLE_STATEMENT_MAX >> 20);
        script_reset(script);
        script_heed(script, CONSOLE_REFUSED);
        return;
    }
    while (!script->quits) {
        enum split_found found = split_next(&script->split, buf_slice(&script->text));
        if (found == SPLIT_STATEMENT)
            script_run(script, script->split.at);
        else if (found == SPLIT_COMMAND)
            run_command(script);
        else
            break;
    }
    /* Blank lines between statements are no part of one. */
    size_t lead = blanks(buf_slice(&script->text));
    if (lead == script->text.len)
        take_off(script, lead);
}

enum console_end script_end(struct script *script) {
    if (!script->quits && script->split.has_text)
        script_run(script, script->text.len);
    buf_free(&script->text);
    buf_free(&script->previous);
    buf_free(&script->scratch);
    return script->end;
}

enum console_end console_read(struct console *console, struct input *input) {
    struct script script;
    struct buf line = buf_make(LINE_BYTES_MAX);
    int failed = 0;
    script_begin(&script, console, input);
    while (!script.quits && !(failed = input_take_line(input, "", &line)))
        script_add(&script, buf_slice(&line));
    if (failed && failed != -ENODATA) {
        cli_failed("cannot read %s: %s", input->name ? input->name : "standard input",
                   error_name(failed));
        script_heed(&script, CONSOLE_REFUSED);
        script.quits = true;
    }
    buf_free(&line);
    return script_end(&script);
}

enum console_end console_read_file(struct console *console, const char *path) {
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : io_stdio_open(path, "r");
    if (!file) {
        cli_failed("cannot read %s: %s", path, error_name(-errno));
        return CONSOLE_REFUSED;
    }
    struct input input = {.file = file, .name = standard ? "stdin" : path};
    enum console_end end = console_read(console, &input);
    if (!standard)
        fclose(file);
    return end;
}
