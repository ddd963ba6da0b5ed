/*
 * value.h - one value: a cell of 16 bytes, whatever its type.
 *
 * The type is known outside (of the column, the expression), NULL is told beside the cell, never
 * in it. One size for all costs some memory per batch, which stays in the cache, and buys one
 * shape of column, one shape of function, one loop.
 *
 *   WORD      i         bool 0/1, integers, oid; date: days, time: microseconds, timestamp and
 *                       timestamptz: microseconds since 2000-01-01 (UTC), all as in PostgreSQL;
 *                       INT64_MIN and INT64_MAX are -infinity and infinity of date and timestamps;
 *                       enum: the place of its label, from 0
 *   FLOAT     f         float8; float4 as the double of its rounded float
 *   TEXT      text      UTF-8 without NUL; bytea any bytes. json as written; jsonb as PostgreSQL
 *                       prints it (keys sorted by length, then bytes; `{"a": 1, "bb": [1, 2]}`),
 *                       so that output is a copy
 *   NUMERIC   numeric   exact decimal: coefficient / 10^scale while it fits 18 digits, else big
 *   INTERVAL  interval  months, days, microseconds, each of its own, as in PostgreSQL
 *   ARRAY     array     RECORD record: cells in memory of the same life
 *
 * Whatever a cell points to lies in memory that the one who made it names: of the batch it is in
 * (batch.h), of the statement for constants. To keep a value longer, encode it (row.h).
 */
#ifndef NONET_SQL_VALUE_H
#define NONET_SQL_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "sql/error.h"
#include "sql/type.h"

#define SQL_INFINITY INT64_MAX
#define SQL_MINUS_INFINITY INT64_MIN
#define SQL_TEXT_BYTES_MAX ((size_t)16 << 20) /* one value; beyond: 54000 */

enum sql_numeric_kind {
    SQL_NUMERIC_SMALL,
    SQL_NUMERIC_BIG,
    SQL_NUMERIC_NAN,
    SQL_NUMERIC_INFINITY,
    SQL_NUMERIC_MINUS_INFINITY,
};

struct sql_numeric {
    union {
        int64_t coefficient;               /* SMALL: |coefficient| < 10^18 */
        const struct sql_numeric_big *big; /* numeric.c's own */
    };
    uint16_t scale; /* digits behind the point that are shown (PostgreSQL's dscale) */
    uint8_t kind;   /* enum sql_numeric_kind */
};

struct sql_interval {
    int64_t microseconds;
    int32_t days, months;
};

union sql_cell {
    int64_t i;
    double f;
    slice text;
    struct sql_numeric numeric;
    struct sql_interval interval;
    uint8_t uuid[16];
    const struct sql_array *array;
    const struct sql_record *record;
};
_Static_assert(sizeof(union sql_cell) == 16, "a cell is 16 bytes");

#define SQL_ARRAY_DIMENSIONS_MAX 6u
#define SQL_ARRAY_ELEMENTS_MAX 1000000u /* 16 MB of cells */
struct sql_array {
    uint32_t element;           /* its type's OID */
    unsigned dimensions, count; /* 0, 0: the empty array */
    int32_t lengths[SQL_ARRAY_DIMENSIONS_MAX], lower[SQL_ARRAY_DIMENSIONS_MAX];
    const union sql_cell *cells; /* row-major */
    const uint8_t *nulls;        /* 1: NULL; NULL pointer: no element is */
};

struct sql_record {
    unsigned count;
    const struct sql_type *types;
    const union sql_cell *cells;
    const uint8_t *nulls; /* never NULL pointer where count > 0 */
    const slice *names;   /* of its fields, for JSON; NULL: f1, f2, … Not kept by copies. */
};

/* What a session's settings say to input, output and functions. Lives as long as the session. */
struct sql_settings {
    const struct sql_zone *zone;    /* time zone (zone.h); NULL: UTC */
    int64_t now;                    /* of the transaction, timestamptz */
    int64_t statement_now;          /* of the statement */
    int extra_float_digits;         /* default 1: shortest that reads back */
    slice user, database;           /* current_user, current_database() */
    uint64_t (*random)(void *self); /* 64 random bits; gives random(), gen_random_uuid() */
    int64_t (*clock)(void *self);   /* clock_timestamp() */
    void *self;
    /* md5, sha224, sha256, sha384, sha512 (RFC 1321, FIPS 180-4): the digest's bytes into RET, of
       64, and how many; 0: there is no such one. NULL: there are none. */
    size_t (*digest)(const char *name, slice bytes, unsigned char *ret);
    /* Labels of enums, names of regclass; may be NULL in tests. */
    const struct sql_catalog *catalog;
    /* current_setting(): its value, ptr NULL: there is none. May be NULL. */
    slice (*setting)(void *session, slice name);
    /* pg_relation_size(): bytes of a table's rows, 0: none are kept. May be NULL. */
    int64_t (*relation_bytes)(void *session, uint32_t oid);
    void *session;
    const struct sql_zones *zones; /* the zones that have names (zone.h); NULL: only fixed ones */
};

/* The text form, as PostgreSQL's input and output functions (ISO dates, `IntervalStyle postgres`).
   in: 0, or an error with PostgreSQL's SQLSTATE (22P02, 22007, 22003, 22008). out: appends. */
must_use int sql_value_in(struct sql_type type, slice text, const struct sql_settings *settings,
                          struct arena *memory, union sql_cell *ret, struct sql_error *error);
must_use int sql_value_out(struct sql_type type, const union sql_cell *cell,
                           const struct sql_settings *settings, struct buf *out);
/* The binary form, as PostgreSQL's receive and send functions. */
must_use int sql_value_receive(struct sql_type type, slice bytes,
                               const struct sql_settings *settings, struct arena *memory,
                               union sql_cell *ret, struct sql_error *error);
must_use int sql_value_send(struct sql_type type, const union sql_cell *cell,
                            const struct sql_settings *settings, struct buf *out);

/* The order of the type's btree operator class: <0, 0, >0. Text by bytes (collation "C"); NaN is
   equal to itself and above all. Neither is NULL. */
int sql_value_compare(uint32_t oid, const union sql_cell *a, const union sql_cell *b);
bool sql_value_equal(uint32_t oid, const union sql_cell *a, const union sql_cell *b);
/* Equal values hash alike (1.0 and 1.00 of numeric; -0 and 0). The same at every start. */
uint64_t sql_value_hash(uint32_t oid, const union sql_cell *cell);
/* A copy whose memory is MEMORY's. 0 or -ENOMEM. */
must_use int sql_value_copy(uint32_t oid, const union sql_cell *cell, struct arena *memory,
                            union sql_cell *ret);

#endif
