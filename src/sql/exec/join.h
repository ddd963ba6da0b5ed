/*
 * join.h - the insides of JOIN, shared by its files.
 *
 *   key -> group [ totals of both sides | rows of left | rows of right ]
 *                                          |
 *                                          v   row [ weight | matches | bytes ]
 *
 * One look-up per row serves both: it finds the partners and is where the row is kept. How many
 * partners a row has is its group's total of the other side; with a predicate beside the keys each
 * row counts its own (matches).
 */
#ifndef NONET_SQL_EXEC_JOIN_H
#define NONET_SQL_EXEC_JOIN_H

#include "sql/exec/keys.h"

struct joined {
    uint32_t key_len; /* of its bytes, by which it is found where rows may go */
    struct joined *next, *prev;
    int64_t weight, matches;
    char bytes[];
};

struct join_group {
    uint32_t key_len;
    bool null;   /* some key is NULL (ANTI_NULL) */
    bool listed; /* in a list of struct join */
    bool dead;
    uint64_t hash;
    struct joined *first[2];
    int64_t total[2];
    struct join_group *next, *prev;
    char key[];
};

/* Which rows come out alone: the side's columns, those of the other side NULL or absent. */
enum lone {
    LONE_NEVER,
    LONE_UNMATCHED, /* outer joins, ANTI */
    LONE_MATCHED,   /* SEMI */
};

/* What is done with the rows of one push. */
struct join_row {
    struct join_group *group;
    struct joined *entry;
    int64_t matches;
};

struct join {
    struct sql_operator base;
    struct sql_keys *keys[2];
    unsigned columns[2], column_at[2]; /* how many of each side, where they begin in a pair */
    const struct sql_type *types[2];
    enum lone lone[2];
    bool gives_pairs, once, frozen, retracts[2];
    struct sql_evaluator *predicate;
    struct sql_slab slab;
    struct sql_index groups, rows[2];
    /* `once`: all groups. ANTI_NULL: all, those with a NULL in the second list. SCALAR: those
       touched in this step. */
    struct join_group *list[2];
    struct joined *gone; /* freed when the push is through */
    struct join_group *gone_groups;
    struct join_row row[SQL_BATCH_ROWS];
    /* Pairs under way: left's columns, right's columns. */
    struct sql_builder pairs;
    uint16_t pair_row[SQL_BATCH_ROWS], passing[SQL_BATCH_ROWS];
    struct joined *pair_other[SQL_BATCH_ROWS];
    unsigned side; /* whose rows are pushed */
};

/* ---- join_state.c ------------------------------------------------------------------------- */

/* The group of ROW's key on side SIDE, made where MAKE says so; *RET NULL: there is none. */
must_use int join_group_find(struct join *j, unsigned side, unsigned row, bool make,
                             struct join_group **ret, struct sql_error *error);
/* Adds WEIGHT of ROW to its side of G. */
must_use int join_store(struct join *j, unsigned side, struct join_group *g,
                        const struct sql_batch *batch, unsigned row, struct joined **ret,
                        struct sql_error *error);
void join_list(struct join *j, struct join_group *g);
void join_unlist(struct join *j, struct join_group *g);
/* Frees the rows that went in this push, and groups of the rows of BATCH that hold none. */
void join_sweep(struct join *j, unsigned rows);

/* ---- join_pairs.c ------------------------------------------------------------------------- */

/* ROW of the batch pushed with P of the other side. */
must_use int join_pair(struct join *j, const struct sql_batch *batch, unsigned row,
                       struct joined *p, struct sql_error *error);
must_use int join_pairs_flush(struct join *j, struct sql_error *error);
/* A row of SIDE alone, WEIGHT times: of a batch, or of the state. */
must_use int join_lone(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
                       int64_t weight, struct sql_error *error);
must_use int join_lone_kept(struct join *j, unsigned side, const struct joined *e, int64_t weight,
                            struct sql_error *error);
/* What a change of a kept row's partners means for it: -1, 0 or 1 time itself. */
int join_turn(const struct join *j, unsigned side, int64_t before, int64_t after);
/* Does a row that comes now with so many partners come out alone? Where that is not settled yet
   (`once`, and the other side goes on) it does not: join_settle tells it. */
bool join_is_lone(const struct join *j, unsigned side, int64_t matches);

/* ---- join_snapshot.c ---------------------------------------------------------------------- */

int join_save(const struct sql_operator *o, struct sql_saving *s);
int join_load(struct sql_operator *o, struct sql_loading *l);

/* ---- join_null.c: NOT IN ------------------------------------------------------------------ */

must_use int join_null_push(struct join *j, unsigned side, const struct sql_batch *batch,
                            struct sql_error *error);
/* Is KEY of PARTS parts, as join_null_push writes them? *RET_NULL: one is NULL. */
bool join_null_key(slice key, unsigned parts, bool *ret_null);

static inline bool join_stores(const struct join *j, unsigned side) {
    if (j->frozen)
        return side == 1;
    return !(j->once && j->base.input_ended[1 - side]);
}
static inline slice joined_bytes(const struct joined *e) {
    return slice_make(e->bytes, e->key_len);
}

#endif
