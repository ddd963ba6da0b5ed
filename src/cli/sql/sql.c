/*
 * sql.c - nonet sql: SQL from the command line, from files, or typed.
 *
 * -c and -f are run in the order in which they stand; without them statements come from standard
 * input: typed at a terminal, else as a script. Exit: 0 done, 1 an error of a statement, 2 no
 * connection (or used wrongly).
 */
#include "cli/sql/script.h"

#include "cli/sql/interactive.h"
#include "io/process.h"
#include "io/terminal.h"

#include <stdio.h>

#define STDIN 0

static bool read_settings(const struct cli_call *call, struct console *console) {
    const char *format = cli_value(call, "format"), *null_text = cli_value(call, "null");
    struct printer_settings *print = &console->print;
    print->expanded = cli_flag(call, "expanded");
    print->tuples_only = cli_flag(call, "tuples-only");
    console->quiet = cli_flag(call, "quiet");
    console->timing = cli_flag(call, "timing");
    console->keep_going = cli_flag(call, "keep-going");
    if (format && !printer_format_named(format, &print->format)) {
        cli_misused(call, "--format %s: it takes table, csv, json or ndjson", format);
        return false;
    }
    if (cli_flag(call, "json") && !format)
        print->format = PRINTER_JSON;
    else if (cli_flag(call, "json") && print->format != PRINTER_JSON) {
        cli_misused(call, "--json and --format %s: one or the other", format);
        return false;
    }
    if (null_text && slice_to_string(slice_str(null_text), print->null_text, PRINTER_NULL_MAX)) {
        cli_misused(call, "--null: at most %u bytes", PRINTER_NULL_MAX - 1);
        return false;
    }
    bool json = print->format == PRINTER_JSON || print->format == PRINTER_NDJSON;
    if (json && (print->expanded || print->tuples_only || null_text)) {
        cli_misused(call, "--expanded, --tuples-only and --null are not for JSON");
        return false;
    }
    return true;
}

/* "\d item" is a command of ours; all else goes to the server as it is, as one message, so that
   several statements are one transaction. */
static enum console_end run_text(struct console *console, const char *text) {
    slice trimmed = slice_trim(slice_str(text));
    if (!trimmed.len || trimmed.ptr[0] != '\\')
        return console_run(console, text, (struct console_place){.file = NULL});
    struct script script;
    script_begin(&script, console, NULL);
    script_add(&script, trimmed);
    return script_end(&script);
}

static enum console_end run_all(struct console *console) {
    const struct cli_call *call = console->call;
    enum console_end worst = CONSOLE_DONE;
    bool given = false;
    for (unsigned i = 0; i < call->option_count; i++) {
        const char *name = call->options[i].option->name, *value = call->options[i].value;
        bool is_text = strcmp(name, "command") == 0;
        if (!is_text && strcmp(name, "file") != 0)
            continue;
        given = true;
        enum console_end end =
            is_text ? run_text(console, value) : console_read_file(console, value);
        worst = end > worst ? end : worst;
        if (worst >= CONSOLE_LOST || (worst && !console->keep_going))
            return worst;
    }
    if (given)
        return worst;
    if (io_is_terminal(STDIN))
        return console_interact(console);
    struct input input = {.file = stdin, .name = "stdin"};
    return console_read(console, &input);
}

static int exit_code(enum console_end end) {
    switch (end) {
    case CONSOLE_DONE:
        return CLI_OK;
    case CONSOLE_LOST:
        return CONSOLE_NO_SERVER;
    case CONSOLE_REFUSED:
    case CONSOLE_UNREAD:
        break;
    }
    return CLI_FAILED;
}

int cli_sql(const struct cli_call *call) {
    struct console console = {.call = call, .out = stdout};
    if (!read_settings(call, &console))
        return CLI_USAGE;
    if (io_host_create(&console.host))
        return cli_failed("no memory");
    io_locale_utf8();
    int code = console_connect(&console);
    if (code == CLI_OK)
        code = exit_code(run_all(&console));
    if (console.connection)
        console.pq.PQfinish(console.connection);
    io_host_free(console.host);
    return code;
}
