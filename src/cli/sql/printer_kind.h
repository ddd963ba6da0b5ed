/*
 * printer_kind.h - what the formats of a printer share; for printer.c and the formats themselves.
 *
 * A format is one struct of functions. They write to `out`, keep what they need in the printer, and
 * return 0 or -ENOMEM.
 */
#ifndef NONET_CLI_SQL_PRINTER_KIND_H
#define NONET_CLI_SQL_PRINTER_KIND_H

#include "cli/sql/printer.h"

struct printer_kind {
    int (*begin)(struct printer *printer);
    int (*row)(struct printer *printer, const struct printer_cell *cells);
    int (*flush)(struct printer *printer);
    int (*end)(struct printer *printer);
    void (*drop)(struct printer *printer); /* may be NULL */
};

struct printer {
    const struct printer_kind *kind;
    FILE *out;
    const struct printer_settings *settings;
    const struct printer_frame *frame;
    struct printer_column *columns; /* their names lie in `names` */
    unsigned column_count;
    struct buf names;
    uint64_t rows;
    /* Tables only. */
    struct buf held; /* rows not shown yet: each cell's length (UINT32_MAX: NULL), then its bytes */
    struct buf line; /* the line that is being made */
    unsigned *widths; /* of columns; expanded: [0] of all names, [1] of all values */
    slice *rests;     /* what is left of each cell of the row at hand */
    uint64_t shown;   /* rows */
    bool has_head;    /* title and names are out */
};

extern const struct printer_kind printer_table, printer_expanded, printer_csv, printer_json;

/* Numbers stand to the right, and are numbers in JSON. */
bool printer_is_number(unsigned type);
/* Is it the OID of an array? That of its elements, else 0. */
unsigned printer_element(unsigned type);

#endif
