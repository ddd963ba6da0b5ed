/*
 * expr.h - expressions, bound: every name is a place, every call a function, every type decided.
 *
 * The binder makes them, rewrites move them, the evaluator (exec/evaluate.h) computes them column
 * by column. A subquery is no expression: the binder turns it into a join (plan.h) and leaves a
 * COLUMN. Trees live in the arena of their statement, are never changed once the plan is done, and
 * are shared freely. Depth is bounded by SQL_DEPTH_MAX (54001 "statement is too complex").
 */
#ifndef NONET_SQL_EXPR_H
#define NONET_SQL_EXPR_H

#include "sql/function.h"

#define SQL_DEPTH_MAX 256u

enum sql_expr_kind {
    SQL_EXPR_CONST,     /* cell, null */
    SQL_EXPR_COLUMN,    /* index: column of the input (of a join: left's columns, then right's) */
    SQL_EXPR_OUTER,     /* index, level: column of the level-th APPLY around; only while binding */
    SQL_EXPR_PARAMETER, /* index: $1 is 0 */
    SQL_EXPR_CALL,      /* function, arguments */
    SQL_EXPR_CAST,      /* one argument; cast, or NULL: through text (sql_value_out, sql_value_in);
                           index: the enum sql_cast_context it was written in */
    SQL_EXPR_AND,       /* any number; evaluated from the left, only where still undecided */
    SQL_EXPR_OR,
    SQL_EXPR_NOT,
    SQL_EXPR_IS_NULL, /* of a record: all its fields are */
    SQL_EXPR_IS_TRUE, /* never NULL; IS FALSE, IS UNKNOWN and the NOTs are built of these */
    SQL_EXPR_IS_FALSE,
    SQL_EXPR_DISTINCT, /* a IS DISTINCT FROM b, same type both */
    SQL_EXPR_CASE,     /* when, then, when, then, … [else]; each only where it decides */
    SQL_EXPR_COALESCE,
    SQL_EXPR_GREATEST,
    SQL_EXPR_LEAST,
    SQL_EXPR_ANY, /* arguments[0] OP ANY (arguments[1], an array); function is OP's */
    SQL_EXPR_ALL,
    SQL_EXPR_IN,    /* arguments[0] = one of the rest, same types */
    SQL_EXPR_ARRAY, /* elements, or arrays one dimension lower */
    SQL_EXPR_ROW,
    SQL_EXPR_FIELD, /* index: of a record */
};

struct sql_expr {
    enum sql_expr_kind kind;
    struct sql_type type;
    int location; /* byte in the statement, -1: none */
    unsigned count;
    struct sql_expr **arguments;
    unsigned index, level;
    const struct sql_function *function;
    const struct sql_cast *cast;
    const slice *names; /* ROW of a relation: its columns'; else NULL */
    bool null;
    union sql_cell cell;
};

/* Are they the same computation? (GROUP BY a+1 … SELECT a+1.) Volatile calls never are. */
bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b);
/* Neither columns, parameters nor volatile calls within. */
bool sql_expr_is_constant(const struct sql_expr *e);
/* The flags (sql_function_flag) of all calls within, or-ed. */
unsigned sql_expr_flags(const struct sql_expr *e);
/* A copy with COLUMN i replaced by TO[i] (NULL: kept). NULL: no memory. */
struct sql_expr *sql_expr_substitute(struct arena *memory, const struct sql_expr *e,
                                     struct sql_expr *const *to, unsigned count);
/* Calls VISIT for each node, parents first; stops at and returns the first non-zero. */
int sql_expr_walk(struct sql_expr *e, int (*visit)(struct sql_expr *e, void *self), void *self);
/* As SQL text, for EXPLAIN; COLUMNS: names of the input's. */
must_use int sql_expr_text(const struct sql_expr *e, const slice *columns, unsigned count,
                           struct buf *out);

#endif
