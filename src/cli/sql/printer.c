/* printer.c - see printer.h. Here: what all formats share, and CSV. */
#include "cli/sql/printer_kind.h"

#include "base/mem.h"

#include <errno.h>

static const char *const format_names[] = {"table", "csv", "json", "ndjson"};

bool printer_format_named(const char *name, enum printer_format *ret_format) {
    for (size_t i = 0; i < array_count(format_names); i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *ret_format = (enum printer_format)i;
            return true;
        }
    }
    return false;
}

const char *printer_format_name(enum printer_format format) {
    return format_names[format];
}

/* --- the types of PostgreSQL that are told apart ---------------------------------------------- */

bool printer_is_number(unsigned type) {
    switch (type) {
    case 20:   /* bigint */
    case 21:   /* smallint */
    case 23:   /* integer */
    case 26:   /* oid */
    case 28:   /* xid */
    case 700:  /* real */
    case 701:  /* double precision */
    case 790:  /* money */
    case 1700: /* numeric */
    case 5069: /* xid8 */
        return true;
    default:
        return false;
    }
}

unsigned printer_element(unsigned type) {
    static const unsigned arrays[][2] = {
        {1000, 16},   /* boolean */
        {1016, 20},   /* bigint */
        {1005, 21},   /* smallint */
        {1007, 23},   /* integer */
        {1028, 26},   /* oid */
        {1021, 700},  /* real */
        {1022, 701},  /* double precision */
        {1231, 1700}, /* numeric */
        {199, 114},   /* json */
        {3807, 3802}, /* jsonb */
        {1009, 25},   /* text */
        {1015, 1043}, /* varchar */
        {1014, 1042}, /* char */
        {1003, 19},   /* name */
        {1001, 17},   /* bytea */
        {1182, 1082}, /* date */
        {1183, 1083}, /* time */
        {1115, 1114}, /* timestamp */
        {1185, 1184}, /* timestamptz */
        {1187, 1186}, /* interval */
        {2951, 2950}, /* uuid */
    };
    for (size_t i = 0; i < array_count(arrays); i++)
        if (arrays[i][0] == type)
            return arrays[i][1];
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct printer_kind *kind_of(const struct printer_settings *settings) {
    switch (settings->format) {
    case PRINTER_CSV:
        return &printer_csv;
    case PRINTER_JSON:
    case PRINTER_NDJSON:
        return &printer_json;
    case PRINTER_TABLE:
        break;
    }
    return settings->expanded ? &printer_expanded : &printer_table;
}

static void free_printer(struct printer *printer) {
    buf_free(&printer->names);
    buf_free(&printer->held);
    buf_free(&printer->line);
    mem_free(printer->columns);
    mem_free(printer->widths);
    mem_free(printer->rests);
    mem_free(printer);
}

/* The columns with names of their own: a result goes when its rows have been read. */
static int copy_columns(struct printer *printer, const struct printer_column *columns) {
    for (unsigned i = 0; i < printer->column_count; i++)
        if (buf_append(&printer->names, columns[i].name))
            return -ENOMEM;
    const char *at = printer->names.ptr;
    for (unsigned i = 0; i < printer->column_count; i++) {
        slice name = slice_make(at, columns[i].name.len);
        printer->columns[i] = (struct printer_column){name, columns[i].type};
        at = name.len ? at + name.len : at;
    }
    return 0;
}

struct printer *printer_begin(FILE *out, const struct printer_settings *settings,
                              const struct printer_frame *frame,
                              const struct printer_column *columns, unsigned count) {
    struct printer *printer = mem_zalloc(1, sizeof *printer);
    if (!printer)
        return NULL;
    printer->kind = kind_of(settings);
    printer->out = out;
    printer->settings = settings;
    printer->frame = frame;
    printer->column_count = count;
    printer->names = buf_make(PRINTER_BYTES_MAX);
    printer->held = buf_make(PRINTER_BYTES_MAX);
    printer->line = buf_make(PRINTER_BYTES_MAX);
    printer->columns = mem_zalloc((size_t)count + 1, sizeof *printer->columns);
    printer->widths = mem_zalloc((size_t)count + 2, sizeof *printer->widths);
    printer->rests = mem_zalloc((size_t)count + 1, sizeof *printer->rests);
    bool failed = !printer->columns || !printer->widths || !printer->rests ||
                  copy_columns(printer, columns) || printer->kind->begin(printer);
    if (!failed)
        return printer;
    free_printer(printer);
    return NULL;
}

int printer_row(struct printer *printer, const struct printer_cell *cells) {
    printer->rows++;
    return printer->kind->row(printer, cells);
}

int printer_flush(struct printer *printer) {
    return printer->kind->flush(printer);
}

int printer_end(struct printer *printer) {
    if (!printer)
        return 0;
    int failed = printer->kind->end(printer);
    free_printer(printer);
    return failed;
}

void printer_drop(struct printer *printer) {
    if (!printer)
        return;
    if (printer->kind->drop)
        printer->kind->drop(printer);
    free_printer(printer);
}

/* --- CSV: RFC 4180, but that lines end with a line feed alone -------------------------------- */

/* NULL is nothing at all; an empty text is "", so that the two differ. */
static void write_field(FILE *out, slice text) {
    bool plain = text.len > 0 && !slice_equal(text, slice_lit("\\."));
    for (size_t i = 0; i < text.len && plain; i++)
        plain = !strchr(",\"\r\n", text.ptr[i]) || !text.ptr[i];
    if (plain) {
        fwrite(text.ptr, 1, text.len, out);
        return;
    }
    fputc('"', out);
    for (slice rest = text; rest.ptr;) {
        slice part = slice_cut(rest, '"', &rest);
        fwrite(part.len ? part.ptr : "", 1, part.len, out);
        if (rest.ptr)
            fputs("\"\"", out);
    }
    fputc('"', out);
}

static void write_cell(const struct printer *printer, const struct printer_cell *cell) {
    if (!cell->is_null)
        write_field(printer->out, cell->text);
    else if (printer->settings->null_text[0])
        write_field(printer->out, slice_str(printer->settings->null_text));
}

static int begin_csv(struct printer *printer) {
    const struct printer_settings *settings = printer->settings;
    for (unsigned i = 0; i < printer->column_count; i++) {
        if (settings->tuples_only || settings->expanded)
            break;
        if (i)
            fputc(',', printer->out);
        write_field(printer->out, printer->columns[i].name);
        if (i + 1 == printer->column_count)
            fputc('\n', printer->out);
    }
    return 0;
}

static int add_csv_row(struct printer *printer, const struct printer_cell *cells) {
    bool expanded = printer->settings->expanded;
    for (unsigned i = 0; i < printer->column_count; i++) {
        if (expanded)
            write_field(printer->out, printer->columns[i].name);
        if (i || expanded)
            fputc(',', printer->out);
        write_cell(printer, &cells[i]);
        if (expanded || i + 1 == printer->column_count)
            fputc('\n', printer->out);
    }
    return 0;
}

static int flush_nothing(struct printer *printer) {
    (void)printer;
    return 0;
}

const struct printer_kind printer_csv = {begin_csv, add_csv_row, flush_nothing, flush_nothing,
                                         NULL};
