/*
 * system.h - a system table: its columns, and a function that makes its rows when they are read.
 *
 * One file a group of tables (system_*.c) offers an array of these, closed by a row of name NULL;
 * system.c lists them, puts them into the catalog at the start, and asks for their rows. OIDs are
 * those of PostgreSQL where it has the same table (drivers know some), below SQL_FIRST_USER_OID.
 */
#ifndef NONET_STREAM_SYSTEM_H
#define NONET_STREAM_SYSTEM_H

#include "rooms/stream/work.h"

#define SYSTEM_COLUMNS_MAX 64u

struct system_column {
    const char *name;
    uint32_t type;
};

/* Where rows go: values are put one after the other, in the order of the columns. */
struct system_rows {
    struct database_run *run;
    struct database *db;
    struct arena *memory;
    union sql_cell cells[SYSTEM_COLUMNS_MAX];
    uint8_t nulls[SYSTEM_COLUMNS_MAX];
    unsigned column;
    int (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls);
    void *self;
};
void system_int(struct system_rows *r, int64_t value); /* any integer, oid, bool, timestamp */
void system_text(struct system_rows *r, slice value);  /* ptr NULL: NULL. Lives as long as memory */
void system_null(struct system_rows *r);
must_use int system_end(struct system_rows *r); /* the row is whole */

struct system_table {
    const char *schema, *name;
    uint32_t oid;
    const struct system_column *columns; /* closed by name NULL */
    int (*rows)(struct system_rows *r);
};

extern const struct system_table system_nonet_tables[]; /* system_nonet.c */

#endif
