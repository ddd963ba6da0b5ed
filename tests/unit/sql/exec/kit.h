/*
 * kit.h - plans by hand, for tests of operators: all columns are bigint, rows are written as text.
 *
 *      kit_push(&k, 0, "1,10 2,NULL -3,5x2");   rows apart by blanks; a leading ~ takes away,
 *                                               xN: N times
 *      kit_end(&k);
 *      kit_expect(&k, "1,10 2,NULL");           the sum of what came out, sorted as text
 */
#ifndef NONET_TESTS_SQL_EXEC_KIT_H
#define NONET_TESTS_SQL_EXEC_KIT_H

#include "../sql_test.h"
#include "sql/exec/exec.h"

#define KIT_PLANS_MAX 64u

struct kit_row {
    char *text;
    int64_t weight;
};

struct kit {
    struct arena memory;
    struct sql_query query;
    const struct sql_plan *scans[8];
    unsigned scan_count;
    struct sql_exec *exec;
    bool once;
    uint64_t memory_max;
    int64_t least_weight; /* of what came out */
    unsigned row_count, row_room;
    struct kit_row *rows;
    struct sql_error error;
    uint64_t seed; /* of hashes; 0: the default */
    struct sql_settings settings;
    bool traces;
    struct buf trace; /* where it does: all that came out, in order, "row*weight " */
    unsigned piece_count, piece_room;
    slice *pieces; /* of kit_save */
};

struct kit kit_make(void);
void kit_free(struct kit *k);

/* Expressions. */
struct sql_expr *kit_column(struct kit *k, unsigned index);
struct sql_expr *kit_int(struct kit *k, int64_t value);
struct sql_expr *kit_null(struct kit *k);
struct sql_expr *kit_node(struct kit *k, enum sql_expr_kind kind, unsigned count, ...);
/* '+', '-', '/' (22012 by 0), '<', '=', '%'. */
struct sql_expr *kit_op(struct kit *k, char op, struct sql_expr *a, struct sql_expr *b);
struct sql_expr **kit_list(struct kit *k, unsigned count, ...);

/* Plans, COLUMNS columns each. */
struct sql_plan *kit_plan(struct kit *k, enum sql_plan_kind kind, unsigned columns, unsigned inputs,
                          ...);
struct sql_plan *kit_scan(struct kit *k, unsigned columns);
struct sql_plan *kit_filter(struct kit *k, struct sql_plan *in, struct sql_expr *predicate);
struct sql_plan *kit_project(struct kit *k, struct sql_plan *in, unsigned count,
                             struct sql_expr **e);
/* On column LEFT = column RIGHT; < 0: no keys. */
struct sql_plan *kit_join(struct kit *k, enum sql_join_kind kind, struct sql_plan *l,
                          struct sql_plan *r, int left, int right);
/* The same of two scans of COLUMNS, left is 0, right is 1. */
struct sql_plan *kit_join_scans(struct kit *k, enum sql_join_kind kind, unsigned columns, int left,
                                int right);
struct sql_plan *kit_aggregate(struct kit *k, struct sql_plan *in, unsigned groups,
                               struct sql_expr **group, unsigned aggregates);
/* "count", "count_any" (of rows), "sum", "min", "max", "fold" (order matters, takes nothing
   away), "unsaved" (the same, whose state cannot be saved). */
const struct sql_aggregate *kit_aggregate_named(const char *name);
void kit_set_aggregate(struct kit *k, struct sql_plan *p, unsigned at, const char *name,
                       struct sql_expr *argument);
struct sql_plan *kit_top(struct kit *k, struct sql_plan *in, enum sql_top_kind kind, int64_t limit,
                         int64_t offset);

/* The function of an operator, by its sign. */
const struct sql_function *kit_function(char op);

/* Runs PLAN. */
void kit_run(struct kit *k, struct sql_plan *plan, bool once);
int kit_try_push(struct kit *k, unsigned scan, const char *rows);
void kit_push(struct kit *k, unsigned scan, const char *rows);
void kit_end(struct kit *k);
void kit_expect(struct kit *k, const char *rows);
/* The sum as text, in memory of the kit. */
const char *kit_text(struct kit *k);
/* Saves the state; into TO, which runs the same plan anew. */
void kit_save(struct kit *k);
void kit_load(struct kit *k, struct kit *to);
/* The number of plan SCAN among the inputs. */
unsigned kit_input(const struct kit *k, unsigned scan);

#endif
