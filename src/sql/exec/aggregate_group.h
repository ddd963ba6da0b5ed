/*
 * aggregate_group.h - what an AGGREGATE keeps: groups, their values, and when they close.
 *
 * All of it lies in the operator's slab and is counted in the plan's budget. How long a group's
 * states are, and so where its key begins, is decided once for all groups (aggregate_make.c).
 */
#ifndef NONET_SQL_EXEC_AGGREGATE_GROUP_H
#define NONET_SQL_EXEC_AGGREGATE_GROUP_H

#include "sql/exec/state.h"

#define STATE_ALIGN 16u

struct group {
    uint32_t key_len, exact_len;
    uint64_t hash, id;
    int64_t rows;         /* the weights of its rows */
    struct group *next;   /* of those touched in this step, or closing together */
    char *shown;          /* the aggregates' values that were told, encoded; NULL: none */
    struct value *values; /* in maps of distinct values; only with close_group */
    uint64_t held;        /* bytes counted for what its states gather (array_agg) */
    uint32_t shown_len;
    uint16_t set;
    bool touched;
    _Alignas(STATE_ALIGN) char bytes[];
};

/* A distinct value of a group: id of the group and the value are the key. */
struct value {
    uint32_t key_len;
    uint32_t map; /* struct distinct's number */
    struct value *next;
    int64_t counts[]; /* one a user; or one word of bits, where rows never go. Then the key */
};

/* A value in a bag. */
struct bagged {
    struct sql_node node;
    uint32_t arguments_len;
    char bytes[]; /* key, then the arguments' row */
};

/* Groups that close at one time. */
struct closing {
    struct sql_node node;
    int64_t time;
    struct group *first, **last;
    char key[8];
};

#endif
