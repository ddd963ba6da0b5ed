/*
 * printer.h - the rows of one answer as a table, CSV or JSON, row by row.
 *
 *      begin --> row, row, flush, row ... --> end         end also frees
 *
 * CSV and JSON are written as rows come. A table needs the widths of all rows: up to
 * PRINTER_HELD_BYTES of them are held back, or as many as there are when somebody flushes because
 * nothing more has come for a while; rows after that stand in columns at least as wide. So an
 * answer without an end is shown as it comes, and one of any length in bounded memory.
 */
#ifndef NONET_CLI_SQL_PRINTER_H
#define NONET_CLI_SQL_PRINTER_H

#include "base/buf.h"

#include <stdio.h>

#define PRINTER_HELD_BYTES (16u << 20)
#define PRINTER_BYTES_MAX (2u << 30) /* of one row, and of all names of columns */
#define PRINTER_NULL_MAX 64u

enum printer_format { PRINTER_TABLE, PRINTER_CSV, PRINTER_JSON, PRINTER_NDJSON };

struct printer_settings {
    enum printer_format format;
    bool expanded;    /* a line for each column */
    bool tuples_only; /* rows, and nothing else */
    char null_text[PRINTER_NULL_MAX];
};

struct printer_column {
    slice name;
    unsigned type; /* OID of its PostgreSQL type */
};

struct printer_cell {
    slice text;
    bool is_null;
};

/* What stands around a table. */
struct printer_frame {
    const char *title; /* centred above; NULL: none */
    slice footer;      /* lines below, in place of the number of rows; ptr NULL: none */
};

struct printer;
/* SETTINGS and FRAME stay where they are until the end. NULL: no memory. */
must_use struct printer *printer_begin(FILE *out, const struct printer_settings *settings,
                                       const struct printer_frame *frame,
                                       const struct printer_column *columns, unsigned count);
/* 0 or -ENOMEM, as flush. CELLS: as many as columns. What cannot be written is seen at OUT. */
must_use int printer_row(struct printer *printer, const struct printer_cell *cells);
must_use int printer_flush(struct printer *printer);
/* NULL allowed. */
must_use int printer_end(struct printer *printer);
/* Frees without a word, after a failure; ends what JSON has open. NULL allowed. */
void printer_drop(struct printer *printer);

/* "table", "csv", "json", "ndjson"; false where NAME is none of them. */
bool printer_format_named(const char *name, enum printer_format *ret_format);
const char *printer_format_name(enum printer_format format);

#endif
