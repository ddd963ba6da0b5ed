/*
 * type.h - the types of SQL, known by PostgreSQL's own numbers.
 *
 * A type is its OID (what drivers get over the wire, PostgreSQL 15's pg_type) and a modifier
 * (typmod: the n of varchar(n), precision and scale of numeric; -1: none). The table in type.c
 * holds of each what the rest of sql/ asks: its names, its array, its category and whether it is
 * that category's preferred one (the words of PostgreSQL's chapter 10, "Type Conversion"). Enums
 * and composite types made by CREATE TYPE get OIDs from 16384 on in the catalog.
 */
#ifndef NONET_SQL_TYPE_H
#define NONET_SQL_TYPE_H

#include "base/check.h"
#include "base/slice.h"

enum sql_oid {
    SQL_BOOL = 16,
    SQL_BYTEA = 17,
    SQL_CHAR = 18, /* "char", one byte, of the system catalogs */
    SQL_NAME = 19,
    SQL_INT8 = 20,
    SQL_INT2 = 21,
    SQL_INT4 = 23,
    SQL_REGPROC = 24,
    SQL_TEXT = 25,
    SQL_OID = 26,
    SQL_JSON = 114,
    SQL_FLOAT4 = 700,
    SQL_FLOAT8 = 701,
    SQL_UNKNOWN = 705, /* a quoted literal whose type is not decided yet */
    SQL_BPCHAR = 1042, /* char(n) */
    SQL_VARCHAR = 1043,
    SQL_DATE = 1082,
    SQL_TIME = 1083,
    SQL_TIMESTAMP = 1114,
    SQL_TIMESTAMPTZ = 1184,
    SQL_INTERVAL = 1186,
    SQL_NUMERIC = 1700,
    SQL_REGCLASS = 2205,
    SQL_REGTYPE = 2206,
    SQL_RECORD = 2249,
    SQL_VOID = 2278,
    SQL_UUID = 2950,
    SQL_JSONB = 3802,
    SQL_JSONPATH = 4072,
    SQL_REGNAMESPACE = 4089,
    SQL_REGROLE = 4096,
    /* Pseudo types of functions' signatures. */
    SQL_ANY = 2276,
    SQL_ANYARRAY = 2277,
    SQL_ANYELEMENT = 2283,
    SQL_ANYNONARRAY = 2776,
    SQL_ANYENUM = 3500,
    /* Arrays that code names; sql_array_of() knows all. */
    SQL_INT4_ARRAY = 1007,
    SQL_TEXT_ARRAY = 1009,
    SQL_INT8_ARRAY = 1016,
    SQL_FIRST_USER_OID = 16384,
    /* The arrays of a user's type have its OID and this bit (below catalog_oid.h's own), so that
       what lies in a cell is known without a catalog. */
    SQL_USER_ARRAY = 0x10000000,
};

/* Of an object of any kind: is it there without having been made? */
static inline bool sql_oid_is_system(uint32_t oid) {
    return oid < SQL_FIRST_USER_OID;
}

struct sql_type {
    uint32_t oid;
    int32_t typmod; /* -1: none. varchar(n), char(n): n + 4. numeric(p, s): ((p << 16) | s) + 4 */
};

#define sql_type_of(oid_) ((struct sql_type){(oid_), -1})

/* How the values of a type lie in a cell (value.h). */
enum sql_layout {
    SQL_LAYOUT_WORD,     /* cell.i: bool, integers, oid, date, time, timestamps, enums */
    SQL_LAYOUT_FLOAT,    /* cell.f */
    SQL_LAYOUT_TEXT,     /* cell.text: text and its kin, bytea, json, jsonb, unknown */
    SQL_LAYOUT_NUMERIC,  /* cell.numeric */
    SQL_LAYOUT_INTERVAL, /* cell.interval */
    SQL_LAYOUT_UUID,     /* cell.uuid */
    SQL_LAYOUT_ARRAY,    /* cell.array */
    SQL_LAYOUT_RECORD,   /* cell.record */
};

struct sql_type_info {
    uint32_t oid, array, element; /* array 0: none; element 0: not an array */
    const char *name;             /* pg_type.typname: "int4" */
    const char *sql_name;         /* format_type(): "integer" */
    char category;                /* pg_type.typcategory: B N S D T U A C E P X */
    bool preferred;
    int16_t length; /* typlen: bytes of the binary format, -1 variable */
    enum sql_layout layout;
};

/* NULL where no such built-in type is. Types made by users: catalog.h. */
const struct sql_type_info *sql_type_info(uint32_t oid);
/* By any of its names, lower case ("int", "integer", "int4"; "_int4" and "int4[]" are arrays). */
const struct sql_type_info *sql_type_named(slice name);
/* Each in turn, for pg_type: NULL past the last. */
const struct sql_type_info *sql_type_at(unsigned index);

uint32_t sql_array_of(uint32_t element);     /* 0: there is none */
uint32_t sql_element_of(uint32_t array);     /* 0: not an array */
enum sql_layout sql_layout_of(uint32_t oid); /* user types: WORD; their arrays: ARRAY */

/* As format_type(): "character varying(10)", "numeric(10,2)", "integer[]". Into OUT, cut to SIZE.
 */
const char *sql_type_text(struct sql_type type, char *out, size_t size);

#endif
