/*
 * type_io.h - what a type brings along: its text and binary forms, its order, its hash.
 *
 * value.c and row.c ask everything of every type. The types whose knowledge lives in a folder of
 * its own (time/, text/) hand it over as a table of such rows, closed by a row of oid 0 and listed
 * in lists.h. A NULL member means: as its layout has it (compare, hash, canonical, key), or that
 * the type has no such form (in, out, receive, send: 0A000).
 */
#ifndef NONET_SQL_TYPE_IO_H
#define NONET_SQL_TYPE_IO_H

#include "sql/value.h"

struct sql_type_io {
    uint32_t oid;
    /* As sql_value_in, _out, _receive and _send. The modifier is theirs to apply. */
    int (*in)(struct sql_type type, slice text, const struct sql_settings *settings,
              struct arena *memory, union sql_cell *ret, struct sql_error *error);
    int (*out)(struct sql_type type, const union sql_cell *cell,
               const struct sql_settings *settings, struct buf *out);
    int (*receive)(struct sql_type type, slice bytes, const struct sql_settings *settings,
                   struct arena *memory, union sql_cell *ret, struct sql_error *error);
    int (*send)(struct sql_type type, const union sql_cell *cell,
                const struct sql_settings *settings, struct buf *out);
    int (*compare)(const union sql_cell *a, const union sql_cell *b);
    uint64_t (*hash)(const union sql_cell *cell);
    /* Of TEXT layouts whose equal values may be written in several ways (jsonb's 1.0 and 1.00):
       appends the one text that stands for all of them. */
    int (*canonical)(const union sql_cell *cell, struct buf *out);
    /* Appends bytes whose memcmp() order is the type's order; any length, any bytes. */
    int (*key)(const union sql_cell *cell, struct buf *out);
};

/* The row of OID in any list of lists.h, or NULL. */
const struct sql_type_io *sql_type_io_find(uint32_t oid);

#endif
