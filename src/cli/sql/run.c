/*
 * run.c - one statement: sent, its results taken as they come, shown, its errors told.
 *
 *      send --> wait --> result --> wait --> result --> ... --> none
 *                |         rows: into the printer; COPY: copy.c; error: to stderr
 *                +-- nothing comes for FLUSH_MS: what is there is shown
 *                +-- Ctrl-C: CancelRequest; the statement then ends with the server's error 57014
 *                +-- nobody reads our output: the same, and no more is printed
 */
#include "cli/sql/console.h"
#include "cli/sql/width.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "io/terminal.h"

#include <errno.h>
#include <inttypes.h>

#define STDOUT 1
#define FLUSH_MS 50
#define NS_PER_MS 1000000u

struct run {
    struct console *console;
    const char *text;
    struct console_place place;
    struct printer *printer;
    struct printer_cell *cells;
    unsigned cell_count;
    bool copied_out;      /* the data stands where the tag would */
    enum console_end end; /* the worst so far */
};

/* --- waiting ---------------------------------------------------------------------------------- */

void console_cancel(struct console *console) {
    char words[256];
    PGcancel *cancel = console->pq.PQgetCancel(console->connection);
    if (!cancel || !console->pq.PQcancel(cancel, words, sizeof words))
        fputs("nonet: the statement could not be canceled\n", stderr);
    console->pq.PQfreeCancel(cancel);
}

static enum console_end cannot_write(struct console *console, int code) {
    if (!console->unread && code != EPIPE)
        cli_failed("cannot write the output: %s", error_name(-code));
    console->unread = true;
    return CONSOLE_UNREAD;
}

enum console_end console_flush(struct console *console) {
    errno = 0;
    if (fflush(console->out) == 0 && !ferror(console->out))
        return CONSOLE_DONE;
    return cannot_write(console, errno ? errno : EPIPE);
}

enum console_end console_wait(struct console *console, struct printer *printer) {
    const struct io_postgres *pq = &console->pq;
    int output = console->out == stdout && !console->unread ? STDOUT : -1;
    int timeout_ms = FLUSH_MS;
    for (;;) {
        int ready = io_wait_readable(pq->PQsocket(console->connection), output, timeout_ms);
        if (ready > 0)
            return pq->PQconsumeInput(console->connection) ? CONSOLE_DONE : CONSOLE_LOST;
        if (ready == -EINTR) {
            console_cancel(console);
        } else if (ready == -EPIPE) {
            console->unread = true;
            return CONSOLE_UNREAD;
        } else if (ready < 0) {
            return CONSOLE_LOST;
        } else {
            if (printer && printer_flush(printer))
                return CONSOLE_REFUSED;
            if (console_flush(console))
                return CONSOLE_UNREAD;
            timeout_ms = -1;
        }
    }
}

/* --- errors ----------------------------------------------------------------------------------- */

/* The line of the file in which the error is: where the statement begins, or further on. */
static unsigned line_of(const struct run *run, const PGresult *result) {
    const char *field = run->console->pq.PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    unsigned line = run->place.line;
    unsigned long position = 0;
    if (!field || sscanf(field, "%lu", &position) != 1)
        return line;
    slice rest = slice_str(run->text);
    for (uint32_t character; position > 1 && rest.len; position--) {
        line += rest.ptr[0] == '\n';
        int len = utf8_decode(rest, &character);
        rest = slice_skip(rest, len > 0 ? (size_t)len : 1);
    }
    return line;
}

static void tell_error(const struct run *run, const PGresult *result) {
    const struct io_postgres *pq = &run->console->pq;
    const char *words = pq->PQresultErrorMessage(result);
    fflush(run->console->out);
    if (run->place.file)
        fprintf(stderr, "%s:%u: ", run->place.file, line_of(run, result));
    width_write(stderr, slice_str(words && *words ? words : "ERROR:  no reason is given\n"));
}

static void worsen(struct run *run, enum console_end end) {
    if (end > run->end)
        run->end = end;
}

static void tell_lost(struct run *run) {
    if (run->end >= CONSOLE_LOST)
        return;
    slice rest, words = slice_str(run->console->pq.PQerrorMessage(run->console->connection));
    words = slice_cut(words, '\n', &rest);
    cli_failed("the connection to the node is lost: %.*s", slice_fmt(words));
    worsen(run, CONSOLE_LOST);
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool begin_printer(struct run *run, const PGresult *result) {
    static const struct printer_frame frame = {.title = NULL};
    struct console *console = run->console;
    unsigned count = (unsigned)console->pq.PQnfields(result);
    struct printer_column *columns = mem_zalloc((size_t)count + 1, sizeof *columns);
    run->cells = mem_zalloc((size_t)count + 1, sizeof *run->cells);
    run->cell_count = count;
    for (unsigned i = 0; i < count && columns; i++)
        columns[i] = (struct printer_column){slice_str(console->pq.PQfname(result, (int)i)),
                                             console->pq.PQftype(result, (int)i)};
    if (columns && run->cells)
        run->printer = printer_begin(console->out, &console->print, &frame, columns, count);
    mem_free(columns);
    return run->printer != NULL;
}

static void no_memory(struct run *run) {
    fflush(run->console->out);
    cli_failed("no memory for the rows; --format csv needs none");
    console_cancel(run->console);
    printer_drop(run->printer);
    run->printer = NULL;
    worsen(run, CONSOLE_REFUSED);
}

static void add_rows(struct run *run, const PGresult *result) {
    const struct io_postgres *pq = &run->console->pq;
    int rows = pq->PQntuples(result);
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < (int)run->cell_count; i++)
            run->cells[i] = (struct printer_cell){
                slice_make(pq->PQgetvalue(result, row, i), (size_t)pq->PQgetlength(result, row, i)),
                pq->PQgetisnull(result, row, i)};
        if (printer_row(run->printer, run->cells)) {
            no_memory(run);
            return;
        }
    }
}

static void take_rows(struct run *run, const PGresult *result) {
    if (run->end != CONSOLE_DONE) /* what still comes after a failure of ours */
        return;
    if (!run->printer && !begin_printer(run, result)) {
        no_memory(run);
        return;
    }
    add_rows(run, result);
    if (ferror(run->console->out) && run->end == CONSOLE_DONE) {
        worsen(run, cannot_write(run->console, errno));
        console_cancel(run->console);
    }
}

static void end_rows(struct run *run) {
    struct printer *printer = run->printer;
    run->printer = NULL;
    run->cells = mem_free(run->cells);
    if (run->end == CONSOLE_UNREAD)
        printer_drop(printer);
    else if (printer_end(printer))
        no_memory(run);
}

/* "INSERT 0 1": for people only. Programs read rows. */
static void tell_tag(struct run *run, PGresult *result) {
    struct console *console = run->console;
    const char *tag = console->pq.PQcmdStatus(result);
    if (!console->quiet && console->print.format == PRINTER_TABLE && *tag)
        fprintf(console->out, "%s\n", tag);
}

/* Rows that were changed have a tag as well as those that RETURNING gives. */
static bool has_tag(const char *tag) {
    return strncmp(tag, "INSERT", 6) == 0 || strncmp(tag, "UPDATE", 6) == 0 ||
           strncmp(tag, "DELETE", 6) == 0 || strncmp(tag, "MERGE", 5) == 0;
}

/* --- results ---------------------------------------------------------------------------------- */

static void take_error(struct run *run, const PGresult *result) {
    const struct io_postgres *pq = &run->console->pq;
    if (run->printer) {
        if (run->console->print.format == PRINTER_TABLE && printer_flush(run->printer))
            worsen(run, CONSOLE_REFUSED);
        printer_drop(run->printer);
        run->printer = NULL;
        run->cells = mem_free(run->cells);
    }
    if (pq->PQstatus(run->console->connection) == CONNECTION_BAD)
        tell_lost(run);
    else if (!run->console->unread)
        tell_error(run, result);
    worsen(run, CONSOLE_REFUSED);
}

static void take_result(struct run *run, PGresult *result) {
    struct console *console = run->console;
    switch (console->pq.PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        take_rows(run, result);
        break;
    case PGRES_TUPLES_OK:
        take_rows(run, result);
        end_rows(run);
        if (has_tag(console->pq.PQcmdStatus(result)))
            tell_tag(run, result);
        break;
    case PGRES_COMMAND_OK:
        if (!run->copied_out)
            tell_tag(run, result);
        run->copied_out = false;
        break;
    case PGRES_COPY_OUT:
        run->copied_out = console->copy_file == NULL;
        worsen(run, console_copy_out(console));
        break;
    case PGRES_COPY_IN:
        worsen(run, console_copy_in(console, result));
        break;
    case PGRES_EMPTY_QUERY:
        break;
    default:
        take_error(run, result);
        break;
    }
}

static void take_results(struct run *run) {
    const struct io_postgres *pq = &run->console->pq;
    PGconn *connection = run->console->connection;
    for (;;) {
        while (pq->PQisBusy(connection)) {
            enum console_end end = console_wait(run->console, run->printer);
            if (end == CONSOLE_LOST)
                break;
            if (end == CONSOLE_REFUSED)
                no_memory(run);
            if (end == CONSOLE_UNREAD && run->end < CONSOLE_UNREAD)
                console_cancel(run->console);
            worsen(run, end);
        }
        PGresult *result = pq->PQgetResult(connection);
        if (!result)
            return;
        take_result(run, result);
        pq->PQclear(result);
        if (run->end == CONSOLE_LOST)
            return;
    }
}

enum console_end console_run(struct console *console, const char *text,
                             struct console_place place) {
    struct run run = {.console = console, .text = text, .place = place};
    uint64_t begin_ns = io_host_clock_ns(console->host);
    io_interrupt_catch(true);
    if (!console->pq.PQsendQuery(console->connection, text))
        tell_lost(&run);
    else
        console->pq.PQsetSingleRowMode(console->connection);
    if (run.end == CONSOLE_DONE)
        take_results(&run);
    printer_drop(run.printer);
    mem_free(run.cells);
    uint64_t took_ns = io_host_clock_ns(console->host) - begin_ns;
    worsen(&run, console_flush(console));
    if (console->timing) /* not among the rows that a program reads */
        fprintf(console->print.format == PRINTER_TABLE ? console->out : stderr, "Time: %.3f ms\n",
                (double)took_ns / NS_PER_MS);
    (void)io_interrupt_take();
    if (!console->interactive)
        io_interrupt_catch(false);
    return run.end;
}

/* --- questions of our own --------------------------------------------------------------------- */

/* Waits for the next result until DEADLINE_NS (0: no end), then cancels. */
static void wait_for_answer(struct console *console, uint64_t deadline_ns) {
    const struct io_postgres *pq = &console->pq;
    bool canceled = false;
    while (pq->PQisBusy(console->connection)) {
        uint64_t now_ns = io_host_clock_ns(console->host);
        int left_ms = -1;
        if (deadline_ns && !canceled)
            left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / NS_PER_MS) + 1 : 0;
        int ready = io_wait_readable(pq->PQsocket(console->connection), -1, left_ms);
        if (ready > 0 && !pq->PQconsumeInput(console->connection))
            return;
        if (ready == -EINTR || (ready == 0 && left_ms == 0 && !canceled)) {
            console_cancel(console);
            canceled = true;
        }
    }
}

PGresult *console_ask(struct console *console, const char *text, const char *const *values,
                      int value_count, bool quietly, int timeout_ms, enum console_end *ret_end) {
    const struct io_postgres *pq = &console->pq;
    struct run run = {.console = console, .text = text};
    uint64_t deadline_ns = 0;
    PGresult *answer = NULL, *result;
    if (timeout_ms >= 0)
        deadline_ns = io_host_clock_ns(console->host) + (uint64_t)timeout_ms * NS_PER_MS;
    io_interrupt_catch(true);
    if (!pq->PQsendQueryParams(console->connection, text, value_count, NULL, values, NULL, NULL,
                               0)) {
        if (quietly)
            worsen(&run, CONSOLE_LOST);
        else
            tell_lost(&run);
    }
    while (run.end != CONSOLE_LOST) {
        wait_for_answer(console, deadline_ns);
        if (!(result = pq->PQgetResult(console->connection)))
            break;
        if (pq->PQresultStatus(result) == PGRES_TUPLES_OK && !answer) {
            answer = result;
            continue;
        }
        if (quietly)
            worsen(&run, CONSOLE_REFUSED);
        else
            take_error(&run, result);
        pq->PQclear(result);
    }
    if (!console->interactive)
        io_interrupt_catch(false);
    if (ret_end)
        *ret_end = run.end;
    if (run.end != CONSOLE_DONE) {
        pq->PQclear(answer);
        return NULL;
    }
    return answer;
}
