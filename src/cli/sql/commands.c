/* commands.c - see commands.h. */
#include "cli/sql/commands.h"

#include "base/edit.h"
#include "base/number.h"
#include "io/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define WATCH_SECONDS_DEFAULT 2u
#define WATCH_SECONDS_MAX 86400u
#define NS_PER_S 1000000000u

/* --- arguments -------------------------------------------------------------------------------- */

void command_fail(struct script *script, const char *format, ...) {
    char text[COMMAND_WORD_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (script->input && script->input->name)
        cli_failed("%s:%u: %s", script->input->name, script->input->line, text);
    else
        cli_failed("%s", text);
    script_heed(script, CONSOLE_REFUSED);
}

static void skip_blanks(slice *rest) {
    while (rest->len && memchr(" \t\r\n", rest->ptr[0], 4))
        *rest = slice_skip(*rest, 1);
}

bool command_take_word(slice *rest, char out[COMMAND_WORD_MAX]) {
    size_t len = 0;
    bool in_string = false, in_name = false;
    skip_blanks(rest);
    if (!rest->len || rest->ptr[0] == '\\')
        return false;
    while (rest->len && len + 1 < COMMAND_WORD_MAX) {
        char c = rest->ptr[0];
        if (!in_string && !in_name && memchr(" \t\r\n", c, 4))
            break;
        *rest = slice_skip(*rest, 1);
        if (c == '\'' && !in_name) {
            if (in_string && rest->len && rest->ptr[0] == '\'') { /* '' within is one */
                *rest = slice_skip(*rest, 1);
            } else {
                in_string = !in_string;
                continue;
            }
        } else if (c == '"' && !in_string) {
            in_name = !in_name;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

/* --- what is shown, and how ------------------------------------------------------------------- */

/* The switch's word, if there is one: "on", "off"; without it the other way round. */
static bool take_switch(struct script *script, slice *rest, const char *name, bool *value) {
    char word[COMMAND_WORD_MAX];
    if (!command_take_word(rest, word)) {
        *value = !*value;
    } else if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0) {
        *value = word[1] == 'n';
    } else {
        command_fail(script, "\\%s takes on or off, not '%s'", name, word);
        return false;
    }
    return true;
}

static void tell(const struct script *script, const char *format, ...) printf_like(2, 3);
static void tell(const struct script *script, const char *format, ...) {
    if (script->console->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(script->console->out, format, arguments);
    va_end(arguments);
}

static void set_expanded(struct script *script, slice *rest) {
    bool *expanded = &script->console->print.expanded;
    if (take_switch(script, rest, "x", expanded))
        tell(script, "Expanded display is %s.\n", *expanded ? "on" : "off");
}

static void set_tuples_only(struct script *script, slice *rest) {
    bool *tuples_only = &script->console->print.tuples_only;
    if (take_switch(script, rest, "t", tuples_only))
        tell(script, "Tuples only is %s.\n", *tuples_only ? "on" : "off");
}

static void set_timing(struct script *script, slice *rest) {
    if (take_switch(script, rest, "timing", &script->console->timing))
        tell(script, "Timing is %s.\n", script->console->timing ? "on" : "off");
}

static void set_print(struct script *script, slice *rest) {
    char name[COMMAND_WORD_MAX], value[COMMAND_WORD_MAX];
    struct printer_settings *print = &script->console->print;
    if (!command_take_word(rest, name)) {
        fprintf(script->console->out,
                "expanded    %s\nformat      %s\nnull        '%s'\ntuples_only %s\n",
                print->expanded ? "on" : "off", printer_format_name(print->format),
                print->null_text, print->tuples_only ? "on" : "off");
    } else if (strcmp(name, "expanded") == 0 || strcmp(name, "x") == 0) {
        set_expanded(script, rest);
    } else if (strcmp(name, "tuples_only") == 0 || strcmp(name, "t") == 0) {
        set_tuples_only(script, rest);
    } else if (strcmp(name, "null") == 0) {
        if (!command_take_word(rest, value))
            value[0] = '\0';
        if (slice_to_string(slice_str(value), print->null_text, sizeof print->null_text))
            command_fail(script, "\\pset null: at most %u bytes", PRINTER_NULL_MAX - 1);
        else
            tell(script, "Null display is \"%s\".\n", print->null_text);
    } else if (strcmp(name, "format") == 0) {
        if (!command_take_word(rest, value) ||
            !(strcmp(value, "aligned") == 0 ? printer_format_named("table", &print->format)
                                            : printer_format_named(value, &print->format)))
            command_fail(script, "\\pset format takes table, csv, json or ndjson");
        else
            tell(script, "Output format is %s.\n", printer_format_name(print->format));
    } else {
        command_fail(script, "\\pset has null, format, expanded and tuples_only, no '%s'", name);
    }
}

static void set_output(struct script *script, slice *rest) {
    char path[COMMAND_WORD_MAX];
    struct console *console = script->console;
    FILE *out = stdout;
    if (command_take_word(rest, path) && !(out = io_stdio_open(path, "w"))) {
        command_fail(script, "cannot write %s: %s", path, error_name(-errno));
        return;
    }
    script_heed(script, console_flush(console));
    if (console->out != stdout && fclose(console->out))
        command_fail(script, "\\o: the file is not whole: %s", error_name(-errno));
    console->out = out;
}

static void print_words(struct script *script, slice *rest) {
    char word[COMMAND_WORD_MAX];
    for (const char *gap = ""; command_take_word(rest, word); gap = " ")
        fprintf(script->console->out, "%s%s", gap, word);
    fputc('\n', script->console->out);
}

/* --- the statement that is typed -------------------------------------------------------------- */

static void go(struct script *script, slice *rest) {
    struct console *console = script->console;
    char path[COMMAND_WORD_MAX];
    FILE *before = console->out;
    if (!command_take_word(rest, path)) {
        script_run(script, script->text.len);
        return;
    }
    if (path[0] == '|' || !(console->out = io_stdio_open(path, "w"))) {
        console->out = before;
        command_fail(script, "cannot write %s: %s", path,
                     path[0] == '|' ? "\\g takes no command, only a file" : error_name(-errno));
        return;
    }
    script_run(script, script->text.len);
    if (fclose(console->out))
        command_fail(script, "cannot write %s: %s", path, error_name(-errno));
    console->out = before;
}

static void go_expanded(struct script *script, slice *rest) {
    struct printer_settings *print = &script->console->print;
    bool before = print->expanded;
    print->expanded = true;
    go(script, rest);
    print->expanded = before;
}

static void print_statement(struct script *script, slice *rest) {
    (void)rest;
    slice text = buf_slice(&script->text);
    if (!text.len)
        text = buf_slice(&script->previous);
    fprintf(script->console->out, "%.*s%s\n", slice_fmt(text),
            text.len ? "" : "Query buffer is empty.");
}

static void reset_statement(struct script *script, slice *rest) {
    (void)rest;
    script_reset(script);
    tell(script, "Query buffer reset (cleared).\n");
}

static void print_time(struct script *script, uint64_t seconds) {
    time_t now = (time_t)(io_host_wall_ns(script->console->host) / NS_PER_S);
    struct tm parts;
    char text[64];
    if (!localtime_r(&now, &parts) || !strftime(text, sizeof text, "%a %b %e %T %Y", &parts))
        text[0] = '\0';
    fprintf(script->console->out, "%s (every %llus)\n\n", text, (unsigned long long)seconds);
}

/* "2", "i=2", "c=10" in any order. */
static bool take_watch(struct script *script, slice *rest, uint64_t *seconds, uint64_t *times) {
    char word[COMMAND_WORD_MAX];
    while (command_take_word(rest, word)) {
        bool counts = strncmp(word, "c=", 2) == 0;
        slice number = slice_str(word);
        if (counts || strncmp(word, "i=", 2) == 0)
            number = slice_skip(number, 2);
        if (number_parse_u64(number, counts ? times : seconds) || *seconds > WATCH_SECONDS_MAX) {
            command_fail(script, "\\watch '%s': it takes seconds, at most %u, and c=TIMES", word,
                         WATCH_SECONDS_MAX);
            return false;
        }
    }
    return true;
}

static void watch(struct script *script, slice *rest) {
    uint64_t seconds = WATCH_SECONDS_DEFAULT, times = UINT64_MAX;
    if (!take_watch(script, rest, &seconds, &times))
        return;
    enum console_end before = script->end;
    script->end = CONSOLE_DONE;
    for (uint64_t i = 0; i < times; i++) {
        print_time(script, seconds);
        script_run(script, script->text.len); /* from the second time on: the previous one */
        if (script->end || script->quits)
            break;
        if (i + 1 == times)
            break;
        io_interrupt_catch(true);
        int waited =
            io_wait_readable(-1, script->console->out == stdout ? 1 : -1, (int)(seconds * 1000));
        if (!script->console->interactive)
            io_interrupt_catch(false);
        if (waited == -EPIPE)
            script_heed(script, CONSOLE_UNREAD);
        if (waited < 0)
            break;
    }
    script->end = before > script->end ? before : script->end;
}

/* --- the rest --------------------------------------------------------------------------------- */

static void include_file(struct script *script, slice *rest) {
    char path[COMMAND_WORD_MAX];
    struct console *console = script->console;
    if (!command_take_word(rest, path)) {
        command_fail(script, "\\i needs the name of a file");
    } else if (console->depth == SCRIPT_DEPTH_MAX) {
        command_fail(script, "\\i %s: more than %u files within each other", path,
                     SCRIPT_DEPTH_MAX);
    } else {
        console->depth++;
        enum console_end end = console_read_file(console, path);
        console->depth--;
        script_heed(script, end);
    }
}

static void tell_connection(struct script *script, slice *rest) {
    const struct console *console = script->console;
    const struct io_postgres *pq = &console->pq;
    (void)rest;
    fprintf(console->out,
            "You are connected to database \"%s\" as user \"%s\" on host \"%s\" at port \"%s\".\n",
            pq->PQdb(console->connection), pq->PQuser(console->connection),
            pq->PQhost(console->connection), pq->PQport(console->connection));
    const char *protocol = pq->PQsslAttribute(console->connection, "protocol");
    const char *cipher = pq->PQsslAttribute(console->connection, "cipher");
    if (pq->PQsslInUse(console->connection))
        fprintf(console->out, "SSL connection (protocol: %s, cipher: %s)\n",
                protocol ? protocol : "?", cipher ? cipher : "?");
}

static void connect_again(struct script *script, slice *rest) {
    char word[COMMAND_WORD_MAX];
    if (command_take_word(rest, word))
        command_fail(script,
                     "\\c takes no name: a node has one database, and --user says who we are");
    else
        console_reconnect(script->console);
}

static void run_shell(struct script *script, slice *rest) {
    char command[COMMAND_WORD_MAX];
    int status = slice_to_string(slice_trim(*rest), command, sizeof command);
    *rest = (slice){0};
    if (!status)
        status = io_terminal_run(command[0] ? command : "exec \"${SHELL:-/bin/sh}\"");
    if (status < 0)
        command_fail(script, "\\!: %s", error_name(status));
}

static void quit(struct script *script, slice *rest) {
    (void)rest;
    script->quits = true;
}

static void list_commands(struct script *script, slice *rest);

/* In the order in which \? lists them; a row without a name is a heading. */
static const struct command commands[] = {
    {.help = "Statements"},
    {"g", "[FILE]", "run it (or the one before again), rows into FILE", go},
    {"gx", "[FILE]", "the same, a line for each column", go_expanded},
    {"watch", "[SECONDS] [c=TIMES]", "run it again and again, until Ctrl-C", watch},
    {"e", "", "edit it with $VISUAL or $EDITOR, then run it", command_edit},
    {"p", "", "print it", print_statement},
    {"r", "", "drop what has been typed of it", reset_statement},
    {"i", "FILE", "run the statements in FILE", include_file},
    {"copy", "TABLE|(QUERY) FROM|TO 'FILE'|PROGRAM 'COMMAND'|STDIN|STDOUT [OPTIONS]",
     "COPY with a file of this machine", command_copy},
    {.help = "What is there ([+]: more of it)"},
    {"d", "[NAME]", "a table, view or index; without NAME all of them", NULL},
    {"dt", "[NAME]", "tables; also \\dv views, \\dm materialized views, \\di indexes", NULL},
    {"df", "[NAME]", "functions; also \\dT types, \\dn schemas, \\l databases", NULL},
    {"conninfo", "", "where and as whom we are connected", tell_connection},
    {"c", "", "connect again", connect_again},
    {.help = "How it is shown"},
    {"x", "[on|off]", "a line for each column", set_expanded},
    {"t", "[on|off]", "rows only", set_tuples_only},
    {"timing", "[on|off]", "how long each statement takes", set_timing},
    {"pset", "[NAME [VALUE]]", "null TEXT, format table|csv|json|ndjson, expanded, tuples_only",
     set_print},
    {"o", "[FILE]", "rows go into FILE; without it back to the terminal", set_output},
    {"echo", "[TEXT]", "print TEXT", print_words},
    {.help = "Else"},
    {"h", "[STATEMENT]", "how a statement is written", command_syntax},
    {"?", "", "this list", list_commands},
    {"!", "[COMMAND]", "run COMMAND in a shell", run_shell},
    {"q", "", "end", quit},
};

static void list_commands(struct script *script, slice *rest) {
    FILE *out = script->console->out;
    (void)rest;
    for (size_t i = 0; i < array_count(commands); i++) {
        const struct command *command = &commands[i];
        char left[32];
        snprintf(left, sizeof left, "\\%s %s", command->name ? command->name : "",
                 command->arguments ? command->arguments : "");
        if (!command->name)
            fprintf(out, "%s%s\n", i ? "\n" : "", command->help);
        else if (strlen(command->arguments) > 22)
            fprintf(out, "  \\%s %s\n  %-26s %s\n", command->name, command->arguments, "",
                    command->help);
        else
            fprintf(out, "  %-26s %s\n", left, command->help);
    }
}

/* --- finding ---------------------------------------------------------------------------------- */

static void unknown_command(struct script *script, slice name) {
    const char *names[array_count(commands)];
    size_t count = 0;
    for (size_t i = 0; i < array_count(commands); i++)
        if (commands[i].name)
            names[count++] = commands[i].name;
    ptrdiff_t nearest = name.len > 1 ? edit_closest(name, names, count) : -1;
    if (slice_equal(name, slice_lit("set")))
        command_fail(script, "\\set: there are no variables; \\pset sets how rows are shown");
    else if (nearest >= 0)
        command_fail(script, "there is no command \\%.*s; did you mean \\%s? \\? lists them",
                     slice_fmt(name), names[nearest]);
    else
        command_fail(script, "there is no command \\%.*s; \\? lists them", slice_fmt(name));
}

/* The name: letters with '+', or one sign. */
static slice take_name(slice *rest) {
    size_t len = 0;
    while (len < rest->len &&
           ((rest->ptr[len] >= 'a' && rest->ptr[len] <= 'z') ||
            (rest->ptr[len] >= 'A' && rest->ptr[len] <= 'Z') || (len && rest->ptr[len] == '+')))
        len++;
    slice name = slice_take(*rest, len ? len : 1);
    *rest = slice_skip(*rest, name.len);
    return name;
}

static void run_one(struct script *script, slice *rest) {
    slice name = take_name(rest);
    if (describe_is(name)) {
        describe_run(script, name, rest);
        return;
    }
    for (size_t i = 0; i < array_count(commands); i++) {
        if (commands[i].run && slice_equal(name, slice_str(commands[i].name))) {
            commands[i].run(script, rest);
            return;
        }
    }
    *rest = (slice){0};
    unknown_command(script, name);
}

void command_run(struct script *script, slice line) {
    slice rest = line;
    do {
        run_one(script, &rest);
        skip_blanks(&rest);
        if (!rest.len || script->quits)
            return;
        if (rest.ptr[0] != '\\') {
            command_fail(script, "'%.*s' is too much there", slice_fmt(rest));
            return;
        }
        rest = slice_skip(rest, 1);
    } while (rest.len);
}
