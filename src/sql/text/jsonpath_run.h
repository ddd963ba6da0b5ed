/*
 * jsonpath_run.h - what the two halves of the evaluation of a path share.
 *
 * jsonpath_execute.c follows accessors and methods, jsonpath_predicate.c decides predicates and
 * computes. Each calls the other: a filter holds a predicate, a predicate compares paths.
 */
#ifndef NONET_SQL_TEXT_JSONPATH_RUN_H
#define NONET_SQL_TEXT_JSONPATH_RUN_H

#include "sql/text/json.h"
#include "sql/text/jsonpath.h"

struct jsonpath_context {
    const struct jsonpath_run *run;
    bool lax;
    bool ignore_structure; /* a missing member or element is none, not an error */
    bool tells;            /* errors are told; else they are JSONPATH_FAILED */
    slice current;         /* @ */
    bool in_array;         /* `last` means something */
    int64_t array_size;
    uint64_t steps;
};

enum jsonpath_truth { JSONPATH_FALSE, JSONPATH_TRUE, JSONPATH_UNKNOWN };

/* Fails with STATE, or quietly. Returns what the caller shall return. */
int jsonpath_fail(struct jsonpath_context *c, const char *state, const char *format, ...)
    printf_like(3, 4);
/* NODE and its accessors on VALUE, results appended to FOUND (NULL: only whether there are any).
   UNWRAP: an array where something else is wanted is taken element by element. */
int jsonpath_item(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                  struct buf *found, bool unwrap);
/* VALUE as the result of NODE: on to its accessors. */
int jsonpath_next(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                  struct buf *found);
/* All results of NODE, arrays among them taken apart in lax mode. */
int jsonpath_unwrapped(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                       struct buf *found);
/* A predicate's truth: no error of its parts is told. *RET, or an error that always is (memory). */
int jsonpath_decide(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                    enum jsonpath_truth *ret);
/* Arithmetic: NODE is one of ADD … MINUS. */
int jsonpath_compute(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                     struct buf *found);
/* A numeric method: ABS, FLOOR, CEILING, DOUBLE. */
int jsonpath_number_method(struct jsonpath_context *c, const struct jsonpath_node *node,
                           slice value, struct buf *found);
/* Copies TEXT to the run's memory. 0 or 53200. */
int jsonpath_keep(struct jsonpath_context *c, const struct buf *text, slice *ret);

#endif
