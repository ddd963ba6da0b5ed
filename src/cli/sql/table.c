/*
 * table.c - rows in aligned columns, as psql shows them; expanded: a line for each column.
 *
 *       id |  name            -[ RECORD 1 ]-
 *      ----+--------          id   | 1
 *        1 | two   +          name | two   +
 *          | lines                 | lines
 *      (1 row)
 *
 * Numbers stand to the right. A plus at the end of a cell says that its next line follows.
 */
#include "cli/sql/printer_kind.h"
#include "cli/sql/width.h"

#include <errno.h>
#include <inttypes.h>

#define NULL_LENGTH UINT32_MAX

enum side { LEFT, RIGHT, CENTRE };

/* --- holding rows back ------------------------------------------------------------------------ */

static int hold(struct printer *printer, const struct printer_cell *cell) {
    uint32_t len = cell->is_null ? NULL_LENGTH : (uint32_t)cell->text.len;
    int failed = buf_append(&printer->held, slice_make(&len, sizeof len));
    return failed || cell->is_null ? failed : buf_append(&printer->held, cell->text);
}

/* The next cell off *HELD, as it is shown. */
static slice take_held(const struct printer *printer, slice *held) {
    uint32_t len;
    memcpy(&len, held->ptr, sizeof len);
    *held = slice_skip(*held, sizeof len);
    if (len == NULL_LENGTH)
        return slice_str(printer->settings->null_text);
    slice text = slice_take(*held, len);
    *held = slice_skip(*held, len);
    return text;
}

static void widen(unsigned *width, slice text) {
    unsigned columns = width_of(text);
    if (columns > *width)
        *width = columns;
}

static slice shown_text(const struct printer *printer, const struct printer_cell *cell) {
    return cell->is_null ? slice_str(printer->settings->null_text) : cell->text;
}

/* --- lines ------------------------------------------------------------------------------------ */

static int fill(struct buf *line, char with, unsigned count) {
    if (buf_reserve(line, count))
        return -ENOMEM;
    if (count)
        memset(line->ptr + line->len, with, count);
    line->len += count;
    return 0;
}

static void write_line(struct printer *printer) {
    fwrite(printer->line.ptr, 1, printer->line.len, printer->out);
    fputc('\n', printer->out);
    buf_clear(&printer->line);
}

/* The next line of *REST in WIDTH columns, with the sign that more follows. TRAILING: what is right
   of the text is filled, too. */
static int append_cell(struct buf *line, slice *rest, unsigned width, enum side side, bool trailing,
                       bool *ret_more) {
    bool failed = false, more;
    slice measured = *rest;
    unsigned free_columns = width - width_take_line(&measured, NULL, &more, NULL);
    unsigned before = side == LEFT ? 0 : side == RIGHT ? free_columns : free_columns / 2;
    if (fill(line, ' ', before))
        return -ENOMEM;
    width_take_line(rest, line, &more, &failed);
    if (failed || ((trailing || more) && fill(line, ' ', free_columns - before)))
        return -ENOMEM;
    *ret_more |= more;
    if (!more)
        *rest = (slice){0}; /* nothing left, which is not an empty line */
    return more ? buf_append_byte(line, '+') : trailing ? buf_append_byte(line, ' ') : 0;
}

static enum side side_of(const struct printer *printer, unsigned column, bool head) {
    if (head)
        return CENTRE;
    return printer_is_number(printer->columns[column].type) ? RIGHT : LEFT;
}

/* The lines of the cells in `rests`; the names of columns are filled up to the right edge. */
static int write_rests(struct printer *printer, bool head) {
    struct buf *line = &printer->line;
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < printer->column_count; i++) {
            bool trailing = head || i + 1 < printer->column_count;
            slice *rest = &printer->rests[i];
            int failed = buf_append(line, i ? slice_lit("| ") : slice_lit(" "));
            if (!failed && rest->ptr)
                failed = append_cell(line, rest, printer->widths[i], side_of(printer, i, head),
                                     trailing, &more);
            else if (!failed && trailing)
                failed = fill(line, ' ', printer->widths[i] + 1);
            if (failed)
                return failed;
        }
        write_line(printer);
    }
    return 0;
}

/* --- aligned ---------------------------------------------------------------------------------- */

static void write_title(struct printer *printer, unsigned width) {
    const char *title = printer->frame->title;
    if (!title || printer->settings->tuples_only)
        return;
    unsigned columns = width_of(slice_str(title));
    unsigned before = width > columns ? (width - columns) / 2 : 0;
    fprintf(printer->out, "%*s", (int)before, "");
    width_write(printer->out, slice_str(title));
    fputc('\n', printer->out);
}

static int write_head(struct printer *printer) {
    unsigned width = 0;
    printer->has_head = true;
    if (printer->settings->tuples_only)
        return 0;
    for (unsigned i = 0; i < printer->column_count; i++)
        width += printer->widths[i] + 3;
    write_title(printer, width ? width - 1 : 2);
    for (unsigned i = 0; i < printer->column_count; i++) {
        slice name = printer->columns[i].name;
        printer->rests[i] = name.ptr ? name : slice_lit("");
    }
    int failed = printer->column_count ? write_rests(printer, true) : 0;
    for (unsigned i = 0; i < printer->column_count && !failed; i++) {
        failed = i ? buf_append_byte(&printer->line, '+') : 0;
        if (!failed)
            failed = fill(&printer->line, '-', printer->widths[i] + 2);
    }
    if (!printer->column_count && !failed)
        failed = fill(&printer->line, '-', 2);
    if (!failed)
        write_line(printer);
    return failed;
}

static int begin_table(struct printer *printer) {
    for (unsigned i = 0; i < printer->column_count; i++)
        printer->widths[i] = width_of(printer->columns[i].name);
    return 0;
}

static int flush_table(struct printer *printer) {
    int failed = printer->has_head ? 0 : write_head(printer);
    slice held = buf_slice(&printer->held);
    while (printer->shown < printer->rows && !failed) {
        for (unsigned i = 0; i < printer->column_count; i++) {
            slice text = take_held(printer, &held);
            printer->rests[i] = text.ptr ? text : slice_lit("");
        }
        failed = printer->column_count ? write_rests(printer, false) : 0;
        printer->shown++;
    }
    buf_clear(&printer->held);
    return failed;
}

static int add_table_row(struct printer *printer, const struct printer_cell *cells) {
    for (unsigned i = 0; i < printer->column_count; i++) {
        if (hold(printer, &cells[i]))
            return -ENOMEM;
        widen(&printer->widths[i], shown_text(printer, &cells[i]));
    }
    return printer->held.len > PRINTER_HELD_BYTES ? flush_table(printer) : 0;
}

/* Lines below, or the number of rows; and an empty line. */
static void write_footer(struct printer *printer, bool counts) {
    slice footer = printer->frame->footer;
    if (!printer->settings->tuples_only && footer.ptr)
        width_write(printer->out, footer);
    else if (!printer->settings->tuples_only && counts)
        fprintf(printer->out, "(%" PRIu64 " row%s)\n", printer->rows,
                printer->rows == 1 ? "" : "s");
    fputc('\n', printer->out);
}

static int end_table(struct printer *printer) {
    int failed = flush_table(printer);
    write_footer(printer, true);
    return failed;
}

const struct printer_kind printer_table = {begin_table, add_table_row, flush_table, end_table,
                                           NULL};

/* --- expanded: widths[0] is that of all names, widths[1] that of all values ------------------- */

static int begin_expanded(struct printer *printer) {
    for (unsigned i = 0; i < printer->column_count; i++)
        widen(&printer->widths[0], printer->columns[i].name);
    return 0;
}

/* "-[ RECORD 1 ]-+-----"; without a number the line alone. */
static int write_rule(struct printer *printer, uint64_t record) {
    struct buf *line = &printer->line;
    char text[40] = "";
    if (record)
        snprintf(text, sizeof text, "-[ RECORD %" PRIu64 " ]", record);
    int failed = fill(line, '-', printer->widths[0] + printer->widths[1] + 3);
    if (!failed)
        line->ptr[printer->widths[0] + 1] = '+';
    size_t len = strlen(text);
    if (!failed && len > line->len)
        failed = fill(line, '-', (unsigned)(len - line->len));
    if (failed)
        return failed;
    memcpy(line->ptr, text, len);
    write_line(printer);
    return 0;
}

/* "name | value", and further lines of both. */
static int write_pair(struct printer *printer, slice name, slice value) {
    struct buf *line = &printer->line;
    slice rests[2] = {name.ptr ? name : slice_lit(""), value.ptr ? value : slice_lit("")};
    for (bool more = true; more;) {
        more = false;
        int failed = rests[0].ptr
                         ? append_cell(line, &rests[0], printer->widths[0], LEFT, true, &more)
                         : fill(line, ' ', printer->widths[0] + 1);
        if (!failed)
            failed = buf_append_byte(line, '|');
        if (!failed && rests[1].ptr) {
            failed = buf_append_byte(line, ' ');
            if (!failed)
                failed = append_cell(line, &rests[1], printer->widths[1], LEFT, false, &more);
        }
        if (failed)
            return failed;
        write_line(printer);
    }
    return 0;
}

static int flush_expanded(struct printer *printer) {
    slice held = buf_slice(&printer->held);
    int failed = 0;
    if (!printer->has_head && printer->rows)
        write_title(printer, 0);
    printer->has_head |= printer->rows > 0;
    while (printer->shown < printer->rows && printer->column_count && !failed) {
        uint64_t number = ++printer->shown;
        if (!printer->settings->tuples_only || number > 1)
            failed = write_rule(printer, printer->settings->tuples_only ? 0 : number);
        for (unsigned i = 0; i < printer->column_count && !failed; i++)
            failed = write_pair(printer, printer->columns[i].name, take_held(printer, &held));
    }
    buf_clear(&printer->held);
    return failed;
}

static int add_expanded_row(struct printer *printer, const struct printer_cell *cells) {
    for (unsigned i = 0; i < printer->column_count; i++) {
        if (hold(printer, &cells[i]))
            return -ENOMEM;
        widen(&printer->widths[1], shown_text(printer, &cells[i]));
    }
    return printer->held.len > PRINTER_HELD_BYTES ? flush_expanded(printer) : 0;
}

static int end_expanded(struct printer *printer) {
    int failed = flush_expanded(printer);
    write_footer(printer, printer->rows == 0 || printer->column_count == 0);
    return failed;
}

const struct printer_kind printer_expanded = {begin_expanded, add_expanded_row, flush_expanded,
                                              end_expanded, NULL};
