/*
 * function.h - the contracts of functions, operators, casts and aggregates.
 *
 * Each is a row of a table (lists.h): name, types, and a C function on single values. An
 * operator is a function whose name is its spelling ("+", "<=", "~*"; one argument: prefix). The
 * binder finds a row by name and argument types as PostgreSQL does (chapter 10.2, 10.3); the
 * evaluator (exec/evaluate.h) calls it for each row of a batch, or its `vector` form where there is
 * one.
 *
 * A strict function (all but those with SQL_LENIENT) is never called with a NULL, and gives NULL
 * for one. A function tells NULL by call->null = true. It takes memory for its result from
 * call->memory, which lives as long as the batch. It fails by sql_fail(call->error, …).
 */
#ifndef NONET_SQL_FUNCTION_H
#define NONET_SQL_FUNCTION_H

#include "sql/batch.h"

#define SQL_ARGUMENTS_MAX 8u /* of a table's row; variadic calls may have up to 100 */
#define SQL_CALL_ARGUMENTS_MAX 100u

struct sql_call {
    struct arena *memory;
    const struct sql_settings *settings;
    struct sql_error *error;
    const struct sql_type *types; /* of the arguments, as called */
    unsigned count;
    struct sql_type result;
    const uint8_t *nulls; /* of the arguments; lenient functions ask */
    bool null;            /* set: the result is NULL */
    /* Of casts: written by the user, so that varchar(3) cuts; else too long a value is 22001. */
    bool explicit_cast;
    /* What the function made for itself of arguments that are constants (a compiled pattern):
       kept from row to row. `kept_free` frees it with the plan. Starts NULL. */
    void *kept;
    void (*kept_free)(void *kept);
};

typedef int sql_scalar(struct sql_call *call, const union sql_cell *arguments, union sql_cell *ret);
/* ROWS rows at once; RET has room for them; RET_NULLS is zeroed, arguments' NULL rows are already
   marked in it and may hold anything: they must not fail. */
typedef int sql_vector(struct sql_call *call, const struct sql_column *arguments, unsigned rows,
                       union sql_cell *ret, uint8_t *ret_nulls);
/* Functions that give rows (generate_series, unnest, regexp_matches): called once for a row of
   arguments, gives each of its rows to EMIT; what that fails with is handed on. */
typedef int sql_emit(void *to, const union sql_cell *cells, const uint8_t *nulls);
typedef int sql_set(struct sql_call *call, const union sql_cell *arguments, sql_emit *emit,
                    void *to);

enum sql_function_flag {
    SQL_LENIENT = 1,  /* sees NULL arguments */
    SQL_STABLE = 2,   /* the same within a statement (now()): no view may hold it */
    SQL_VOLATILE = 4, /* random(), nextval() */
    SQL_VARIADIC = 8, /* the last argument may be repeated (concat, greatest of arrays) */
};

struct sql_function {
    const char *name; /* lower case */
    uint32_t result;  /* OID; ANYELEMENT, ANYARRAY follow the arguments */
    uint8_t count;    /* of arguments */
    uint8_t
        defaults; /* how many of the last may be left out (functions are then called with less) */
    uint8_t flags;
    uint32_t arguments[SQL_ARGUMENTS_MAX];
    sql_scalar *scalar;
    sql_vector *vector;         /* NULL: scalar, row by row */
    sql_set *set;               /* instead of scalar */
    const char *const *columns; /* of a set with several, NULL-terminated names; their types: */
    const uint32_t *column_types;
    const char *const *names; /* of the arguments, all of them, to be called by; NULL: by place */
};

enum sql_cast_context { SQL_CAST_IMPLICIT, SQL_CAST_ASSIGNMENT, SQL_CAST_EXPLICIT };

/* Text to and from anything goes through sql_value_in and _out and needs no row (I/O conversion:
   explicit, and to text also assignment). call->result.typmod says the modifier to apply; a row
   whose from and to are the same does that alone (varchar -> varchar(3), numeric -> numeric(9,2)),
   and is for a type whose modifier means something. */
struct sql_cast {
    uint32_t from, to;
    enum sql_cast_context context; /* the least that allows it */
    sql_scalar *scalar;            /* NULL: the bits are the same */
};

struct sql_aggregate {
    const char *name;
    uint32_t result;
    uint8_t count;
    uint8_t flags; /* SQL_LENIENT: sees rows whose arguments are NULL */
    uint32_t arguments[SQL_ARGUMENTS_MAX];
    /* Of an ordered-set aggregate (percentile_cont(0.5) WITHIN GROUP (ORDER BY x)): how many of
       the arguments are direct; `add` gets those, then the values, which come in ORDER. 0 and
       false: an ordinary one. */
    uint8_t direct;
    bool ordered_set;
    /* Rows can be taken away again by `add` with a negative weight (count, sum, avg of exact
       types): state stays small. Where not, whoever retracts keeps the values (exec). */
    bool invertible;
    uint16_t state_bytes; /* zeroed before the first add; at most 128 */
    /* WEIGHT > 0: that many equal rows come; < 0 only if invertible. State may own mem_ memory. */
    int (*add)(struct sql_call *call, void *state, const union sql_cell *arguments, int64_t weight);
    /* May be called again and again, between adds. */
    int (*result_of)(struct sql_call *call, const void *state, union sql_cell *ret);
    void (*release)(void *state); /* NULL: owns nothing */
    /* Bytes for a snapshot, and back (where that fails, nothing is owned). NULL: the state's own
       bytes are (no pointers). */
    int (*save)(const void *state, struct buf *out);
    int (*load)(void *state, slice bytes);
};

/* The tables themselves: lists.h. The rows named NAME, one after the other: start with *CURSOR = 0;
 * NULL past the last. */
const struct sql_function *sql_function_next(slice name, unsigned *cursor);
const struct sql_aggregate *sql_aggregate_next(slice name, unsigned *cursor);
/* The cast's row, or NULL. */
const struct sql_cast *sql_cast_find(uint32_t from, uint32_t to);
/* Each in turn, for pg_proc and pg_cast. */
const struct sql_function *sql_function_at(unsigned index);
const struct sql_aggregate *sql_aggregate_at(unsigned index);
const struct sql_cast *sql_cast_at(unsigned index);

#endif
