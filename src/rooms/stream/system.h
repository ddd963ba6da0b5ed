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

#define SYSTEM_COLUMNS_MAX 96u

/* Where rows go: values are put one after the other in the order of the columns; or, of a wide
   table, system_begin, then those that are known by their columns' names (the next one is found at
   once when they come in the table's order). */
struct system_rows {
    struct database_run *run;
    struct database *db;
    const struct sql_catalog *catalog; /* as the statement sees it */
    const struct sql_table *table;
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
/* All of the row is NULL; in columns that are never NULL 0, false or the empty value. */
void system_begin(struct system_rows *r);
void system_set_int(struct system_rows *r, const char *column, int64_t value);
void system_set_text(struct system_rows *r, const char *column, slice value);
void system_set_float(struct system_rows *r, const char *column, double value);
void system_set_cell(struct system_rows *r, const char *column, union sql_cell value);
/* An array of COUNT values, copied to memory, from LOWER on. 0 or -ENOMEM. */
must_use int system_set_array(struct system_rows *r, const char *column, unsigned count,
                              const union sql_cell *cells, int32_t lower);
must_use int system_end(struct system_rows *r); /* the row is whole */

/* ROW for every table of the catalog, of any kind, until it is not 0. */
typedef int system_table_row(struct system_rows *r, const struct sql_table *t);
must_use int system_each_table(struct system_rows *r, system_table_row *row);
/* A view, or what is one in PostgreSQL: its catalogs' tables have OIDs below 10000. */
bool system_is_view(const struct sql_table *t);

struct system_table {
    const char *schema, *name;
    uint32_t oid;
    const char *columns; /* "oid oid!, relacl text": name, type, ! for one that is never NULL */
    int (*rows)(struct system_rows *r); /* NULL: it has none */
};

extern const struct system_table system_tables_nonet[];       /* system_nonet.c */
extern const struct system_table system_tables_pg[];          /* system_pg.c */
extern const struct system_table system_tables_information[]; /* system_information.c */

static inline void system_set_string(struct system_rows *r, const char *column, const char *value) {
    system_set_text(r, column, slice_str(value));
}

#endif
