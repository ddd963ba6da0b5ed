/*
 * value_parts.h - what the files behind value.h, numeric.h and row.h share; nobody else includes
 * it.
 *
 *   value.c          which of the functions below serves a type
 *   value_text.c     text and its kin: lengths, bytea, "char", enums, names of the catalog
 *   value_number.c   bool, integers, floats, uuid
 *   value_nested.c   arrays and records as text
 *   value_binary.c   the binary forms
 *   value_order.c    order, equality, hash, copy
 */
#ifndef NONET_SQL_VALUE_PARTS_H
#define NONET_SQL_VALUE_PARTS_H

#include "sql/type_io.h"

/* Every function that reads text has the arguments of sql_value_in, in this one piece. */
struct sql_reading {
    struct sql_type type;
    const struct sql_settings *settings; /* may be NULL */
    struct arena *memory;
    struct sql_error *error;
};

/* 22P02 `invalid input syntax for type integer: "x"`. */
int value_syntax(const struct sql_reading *r, slice text);
/* ASCII white space, as PostgreSQL's isspace(); taken off both ends. */
static inline bool value_is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
slice value_trim(slice text);

int value_bool_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_int_in(const struct sql_reading *r, slice text, union sql_cell *ret); /* and oid */
int value_float_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_float_out(uint32_t oid, double value, const struct sql_settings *settings,
                    struct buf *out);
int value_uuid_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_uuid_out(const union sql_cell *cell, struct buf *out);
int value_numeric_in(const struct sql_reading *r, slice text, union sql_cell *ret);

/* text, varchar, bpchar, name, "char", unknown: checked as UTF-8, cut or padded by the modifier. */
int value_text_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_bytea_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_bytea_out(const union sql_cell *cell, struct buf *out);
/* regclass, regtype and their kin; enums of the catalog. */
int value_name_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_name_out(uint32_t oid, const union sql_cell *cell, const struct sql_settings *settings,
                   struct buf *out);
int value_enum_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_enum_out(uint32_t oid, const union sql_cell *cell, const struct sql_settings *settings,
                   struct buf *out);

int value_array_in(const struct sql_reading *r, slice text, union sql_cell *ret);
int value_array_out(struct sql_type type, const struct sql_array *array,
                    const struct sql_settings *settings, struct buf *out);
int value_record_out(const struct sql_record *record, const struct sql_settings *settings,
                     struct buf *out);

/* bpchar's blanks at the end do not count. */
slice value_without_blanks(slice text);
/* The length of an interval as PostgreSQL compares it: months of 30 days, days of 24 hours. */
__int128 value_interval_length(struct sql_interval interval);
/* Bytes of a WORD in binary form and in rows: 1, 2, 4 or 8. */
unsigned value_word_bytes(uint32_t oid);

#endif
