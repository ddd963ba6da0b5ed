/*
 * jsonpath.h - SQL/JSON paths: a tree of nodes, each with the accessors that follow it.
 *
 *      $.a[*] ? (@ > 1).size()
 *
 *      ROOT -> KEY a -> ANY_ELEMENT -> FILTER -> SIZE          `next`
 *                                        |
 *                                     GREATER                  `left`
 *                                      /    \
 *                                 CURRENT   NUMBER 1           `left`, `right`
 *
 * A path is parsed once into memory of its own and then only read. Values, at run time, are slices
 * of jsonb text. Nodes and steps of an execution are bounded: paths come from users, and `.**` upon
 * `.**` multiplies.
 */
#ifndef NONET_SQL_TEXT_JSONPATH_H
#define NONET_SQL_TEXT_JSONPATH_H

#include "sql/function.h"

#define JSONPATH_NODES_MAX 1000u                    /* of a path: 54001 */
#define JSONPATH_DEPTH_MAX 100u                     /* parentheses in parentheses: 54001 */
#define JSONPATH_STEPS_MAX 5000000u                 /* of one execution: 54000 */
#define JSONPATH_FOUND_BYTES_MAX ((size_t)64 << 20) /* slices of results: four millions */
#define JSONPATH_LAST UINT32_MAX                    /* `last` as a level of .** */

struct regex;

enum jsonpath_kind {
    /* What a path begins with. */
    JSONPATH_ROOT,
    JSONPATH_CURRENT,
    JSONPATH_VARIABLE, /* text: its name */
    JSONPATH_LITERAL,  /* text: in jsonb's form */
    JSONPATH_LAST_INDEX,
    /* Accessors. */
    JSONPATH_KEY,         /* text */
    JSONPATH_ANY_KEY,     /* .* */
    JSONPATH_ANY_ELEMENT, /* [*] */
    JSONPATH_SUBSCRIPTS,  /* subscripts, count */
    JSONPATH_ANY_LEVEL,   /* .**{first to last} */
    JSONPATH_FILTER,      /* left */
    JSONPATH_TYPE,
    JSONPATH_SIZE,
    JSONPATH_DOUBLE,
    JSONPATH_CEILING,
    JSONPATH_FLOOR,
    JSONPATH_ABS,
    JSONPATH_KEYVALUE,
    /* Arithmetic: left, and right where there are two. */
    JSONPATH_ADD,
    JSONPATH_SUBTRACT,
    JSONPATH_MULTIPLY,
    JSONPATH_DIVIDE,
    JSONPATH_MODULO,
    JSONPATH_PLUS,
    JSONPATH_MINUS,
    /* Predicates. */
    JSONPATH_EQUAL,
    JSONPATH_NOT_EQUAL,
    JSONPATH_LESS,
    JSONPATH_LESS_EQUAL,
    JSONPATH_GREATER,
    JSONPATH_GREATER_EQUAL,
    JSONPATH_STARTS_WITH,
    JSONPATH_LIKE_REGEX, /* left, regex */
    JSONPATH_AND,
    JSONPATH_OR,
    JSONPATH_NOT,
    JSONPATH_IS_UNKNOWN,
    JSONPATH_EXISTS,
};

static inline bool jsonpath_is_predicate(enum jsonpath_kind kind) {
    return kind >= JSONPATH_EQUAL;
}

struct jsonpath_node;

struct jsonpath_subscript {
    struct jsonpath_node *from, *to; /* to NULL: one element */
    struct jsonpath_subscript *next;
};

struct jsonpath_node {
    enum jsonpath_kind kind;
    struct jsonpath_node *next, *left, *right;
    slice text;
    struct jsonpath_subscript *subscripts;
    uint32_t first, last;
    struct regex *regex; /* freed with the path's memory */
};

struct jsonpath {
    bool strict;
    struct jsonpath_node *root;
};

/* Parses TEXT into MEMORY, which then also owns compiled patterns. 42601, 22P02, 2201B, 54001. */
must_use int jsonpath_parse(slice text, struct arena *memory, struct jsonpath *ret,
                            struct sql_error *error);

enum jsonpath_outcome {
    JSONPATH_FOUND = 0,
    JSONPATH_NONE = 1,
    JSONPATH_FAILED = 2, /* an error that was not to be told (silent, or within a predicate) */
};

struct jsonpath_run {
    const struct jsonpath *path;
    slice root, variables; /* jsonb; variables an object */
    bool silent;
    struct arena *memory; /* of results that are no part of ROOT */
    struct sql_error *error;
};
/* Evaluates; results are appended to FOUND as slices (FOUND NULL: only whether there are any).
   An outcome, or the error told (negative). */
must_use int jsonpath_execute(const struct jsonpath_run *run, struct buf *found);

static inline slice jsonpath_found_at(const struct buf *found, size_t i) {
    slice s;
    memcpy(&s, found->ptr + i * sizeof s, sizeof s);
    return s;
}
static inline size_t jsonpath_found_count(const struct buf *found) {
    return found->len / sizeof(slice);
}

#endif
