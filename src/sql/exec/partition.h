/*
 * partition.h - rows in an order, apart by a key: what TOP, WINDOW and SESSION keep.
 *
 *      key -> partition [ tree of rows ]     those touched in this step in a list, as it went
 *
 * A row is a node (state.h) with what its operator knows of it. A partition goes with its last row.
 */
#ifndef NONET_SQL_EXEC_PARTITION_H
#define NONET_SQL_EXEC_PARTITION_H

#include "sql/exec/keys.h"
#include "sql/exec/snapshot.h"

struct sql_partition {
    uint32_t key_len;
    bool touched;
    uint64_t hash;
    struct sql_tree rows;
    struct sql_partition *next, *prev; /* of those touched; of an operator without, its own */
    void *own;                         /* the operator's; NULL at first */
    char key[];
};

struct sql_partitions {
    struct sql_operator *o;
    struct sql_keys *keys;
    struct sql_slab slab; /* of partitions and rows */
    struct sql_index index;
    struct sql_order order;
    struct sql_partition *first, **last; /* touched */
};

/* By the columns plan->partition of the input. ROW_KEY_AT: where in a row its key lies. */
must_use int sql_partitions_make(struct sql_partitions *ps, struct sql_operator *o,
                                 unsigned row_key_at, struct sql_error *error);
void sql_partitions_release(struct sql_partitions *ps);

/* The keys of BATCH; then the partition of one of its rows, made where there is none. */
must_use int sql_partitions_push(struct sql_partitions *ps, const struct sql_batch *batch,
                                 struct sql_error *error);
struct sql_partition *sql_partition_of(struct sql_partitions *ps, unsigned row,
                                       struct sql_error *error);
void sql_partition_touch(struct sql_partitions *ps, struct sql_partition *p);
/* The step is over: CALL for each that was touched, which may free it; then none is. */
void sql_partitions_settle(struct sql_partitions *ps,
                           void (*call)(struct sql_operator *o, struct sql_partition *p));
/* Frees P, which has no rows. */
void sql_partition_free(struct sql_partitions *ps, struct sql_partition *p);

/* Saves them in no order: their own record, then ROW writes one for each row, with this tag. */
#define SQL_PARTITION_ROW (SNAPSHOT_OWN + 2u)
typedef int sql_partition_save_row(const struct sql_node *n, struct sql_saving *s);
must_use int sql_partitions_save(const struct sql_partitions *ps, sql_partition_save_row *row,
                                 struct sql_saving *s);
/* The same in an order of the operator's own: the head, then each. */
must_use int sql_partitions_save_head(const struct sql_partitions *ps, struct sql_saving *s);
must_use int sql_partition_save(const struct sql_partition *p, sql_partition_save_row *row,
                                struct sql_saving *s);
/* Loads one record: a partition, then l->at, or by ROW one of its rows. */
typedef int sql_partition_load_row(struct sql_operator *o, struct sql_partition *p,
                                   struct sql_loading *l);
must_use int sql_partitions_load(struct sql_partitions *ps, sql_partition_load_row *row,
                                 struct sql_loading *l);

#endif
