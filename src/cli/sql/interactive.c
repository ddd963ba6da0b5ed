/* interactive.c - see interactive.h. */
#include "cli/sql/interactive.h"

#include "cli/sql/complete.h"
#include "cli/sql/history.h"
#include "cli/sql/script.h"
#include "io/terminal.h"

#include <errno.h>

#define PROMPT_MAX 128u
#define NAME_SHOWN_MAX 64

struct session {
    struct console *console;
    struct script script;
    struct input input;
    struct history_file history;
    struct buf line, entry; /* what was typed since the last statement */
};

/* "nonet=> ", "nonet-> " within a statement, '*' in a transaction, '!' in one that failed. */
static void write_prompt(const struct session *session, char *out) {
    const struct console *console = session->console;
    char open = session->script.text.len ? split_open(&session->script.split) : '=';
    const char *transaction = "";
    switch (console->pq.PQtransactionStatus(console->connection)) {
    case PQTRANS_ACTIVE:
    case PQTRANS_INTRANS:
        transaction = "*";
        break;
    case PQTRANS_INERROR:
        transaction = "!";
        break;
    case PQTRANS_UNKNOWN:
        transaction = "?";
        break;
    case PQTRANS_IDLE:
        break;
    }
    snprintf(out, PROMPT_MAX, "%.*s%c%s> ", NAME_SHOWN_MAX, console->pq.PQdb(console->connection),
             open, transaction);
}

static void greet(const struct console *console) {
    if (console->quiet)
        return;
    const char *server = console->pq.PQparameterStatus(console->connection, "server_version");
    printf(
        "nonet %s, SQL of a node at %s:%s (as PostgreSQL %s).\n\\? lists commands, \\h statements, "
        "\\q ends.\n\n",
        NONET_VERSION, console->pq.PQhost(console->connection),
        console->pq.PQport(console->connection), server ? server : "?");
}

/* The statement that was typed is done with: the history has it whole. */
static void remember(struct session *session) {
    slice entry = buf_slice(&session->entry);
    while (entry.len && memchr(" \t\r\n", entry.ptr[entry.len - 1], 4))
        entry.len--;
    if (entry.len && session->input.editor)
        history_add(&session->history, session->input.editor, entry);
    buf_clear(&session->entry);
}

static void take_line(struct session *session) {
    slice line = buf_slice(&session->line);
    slice word = slice_trim(slice_take(line, line.len - 1));
    bool fresh = session->script.text.len == 0;
    if (buf_append(&session->entry, line))
        buf_clear(&session->entry);
    if (fresh && (slice_equal(word, slice_lit("quit")) || slice_equal(word, slice_lit("exit")))) {
        session->script.quits = true;
        return;
    }
    if (fresh && slice_equal(word, slice_lit("help"))) {
        command_run(&session->script, slice_lit("?"));
        buf_clear(&session->entry);
        return;
    }
    script_add(&session->script, line);
    if (session->script.text.len == 0)
        remember(session);
}

static void read_lines(struct session *session) {
    while (!session->script.quits) {
        char prompt[PROMPT_MAX];
        write_prompt(session, prompt);
        int failed = input_take_line(&session->input, prompt, &session->line);
        if (failed == -EINTR || failed == -ENOBUFS) {
            if (failed == -ENOBUFS)
                cli_failed("a line may have %u bytes", IO_EDITOR_LINE_MAX);
            script_reset(&session->script);
            buf_clear(&session->entry);
        } else if (failed) {
            putchar('\n');
            session->script.split.has_text = false; /* what is not complete is not run */
            break;
        } else {
            take_line(session);
        }
    }
}

enum console_end console_interact(struct console *console) {
    struct session session = {.console = console,
                              .input = {.file = stdin, .prompts = true},
                              .line = buf_make(IO_EDITOR_LINE_MAX),
                              .entry = buf_make(HISTORY_ENTRY_BYTES_MAX)};
    struct complete complete = {.console = console, .script = &session.script};
    const struct io_editor_options options = {
        .program = "nonet", .complete = complete_word, .owner = &complete};
    struct error error = {0};
    console->interactive = true;
    greet(console);
    if (io_editor_create(&options, &session.input.editor, &error)) {
        cli_fail(&error);
        fputs("  lines can be typed, but not edited or remembered\n", stderr);
    } else {
        history_open(&session.history, console->host, session.input.editor);
        io_interrupt_catch(true);
    }
    script_begin(&session.script, console, &session.input);
    read_lines(&session);
    script_end(&session.script);
    io_editor_free(session.input.editor);
    buf_free(&session.line);
    buf_free(&session.entry);
    bool lost = console->pq.PQstatus(console->connection) != CONNECTION_OK;
    return lost ? CONSOLE_LOST : console->unread ? CONSOLE_UNREAD : CONSOLE_DONE;
}
