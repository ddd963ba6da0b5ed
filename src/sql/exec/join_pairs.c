/*
 * join_pairs.c - what a join gives: pairs, a batch at a time, and rows that stand alone.
 *
 * Pairs are gathered before the predicate is asked, so that it is asked a column at a time. Those
 * that pass count as partners of both rows, and are handed on where the kind of join gives pairs.
 */
#include "sql/exec/join.h"

int join_turn(const struct join *j, unsigned side, int64_t before, int64_t after) {
    int was = before > 0, is = after > 0;
    switch (j->lone[side]) {
    case LONE_MATCHED:
        return is - was;
    case LONE_UNMATCHED:
        return j->once ? 0 : was - is; /* once: not told before it is settled */
    default:
        return 0;
    }
}

bool join_is_lone(const struct join *j, unsigned side, int64_t matches) {
    if (j->lone[side] == LONE_MATCHED)
        return matches > 0;
    bool settled = !j->once || j->base.input_ended[1 - side];
    return j->lone[side] == LONE_UNMATCHED && settled && matches <= 0;
}

/* ---- rows alone --------------------------------------------------------------------------- */

static void lone_pad(struct join *j, unsigned side) {
    if (j->gives_pairs)
        operator_put_nulls(&j->base, j->columns[1 - side], j->column_at[1 - side]);
}

int join_lone(struct join *j, unsigned side, const struct sql_batch *batch, unsigned row,
              int64_t weight, struct sql_error *error) {
    struct sql_operator *o = &j->base;
    int r = operator_room(o, error);
    if (r)
        return r;
    for (unsigned i = 0; i < j->columns[side]; i++)
        sql_builder_set(&o->out, j->column_at[side] + i, sql_cell_at(&batch->column[i], row),
                        sql_null_at(&batch->column[i], row));
    lone_pad(j, side);
    sql_builder_end(&o->out, weight);
    return 0;
}

int join_lone_kept(struct join *j, unsigned side, const struct joined *e, int64_t weight,
                   struct sql_error *error) {
    struct sql_operator *o = &j->base;
    int r = operator_room(o, error);
    if (r == 0)
        r = operator_put(o, joined_bytes(e), j->types[side], j->columns[side], j->column_at[side],
                         error);
    if (r)
        return r;
    lone_pad(j, side);
    sql_builder_end(&o->out, weight);
    return 0;
}

/* ---- pairs -------------------------------------------------------------------------------- */

int join_pair(struct join *j, const struct sql_batch *batch, unsigned row, struct joined *p,
              struct sql_error *error) {
    struct sql_builder *b = &j->pairs;
    unsigned side = j->side, other = 1 - side;
    if (sql_builder_full(b)) {
        int r = join_pairs_flush(j, error);
        if (r)
            return r;
    }
    for (unsigned i = 0; i < j->columns[side]; i++)
        sql_builder_set(b, j->column_at[side] + i, sql_cell_at(&batch->column[i], row),
                        sql_null_at(&batch->column[i], row));
    int r = operator_put_into(&j->base, b, joined_bytes(p), j->types[other], j->columns[other],
                              j->column_at[other], error);
    if (r)
        return r;
    int64_t weight;
    if (__builtin_mul_overflow(sql_weight_at(batch, row), p->weight, &weight))
        return sql_fail(error, "22003", "a row occurs too often");
    j->pair_row[b->rows] = (uint16_t)row;
    j->pair_other[b->rows] = p;
    sql_builder_end(b, weight);
    return 0;
}

/* Leaves the pairs for which the predicate is true. */
static int pairs_filter(struct join *j, struct sql_error *error) {
    struct sql_builder *b = &j->pairs;
    struct sql_batch all = sql_builder_batch(b);
    int stopped = operator_go_on(&j->base, error);
    if (stopped)
        return stopped;
    int kept = sql_evaluate_filter(j->predicate, &all, &j->base.memory, j->passing, error);
    if (kept < 0)
        return kept;
    unsigned count = (unsigned)kept;
    if (count == b->rows)
        return 0;
    for (unsigned i = 0; i < b->columns; i++) {
        for (unsigned at = 0; at < count; at++) {
            b->cells[i][at] = b->cells[i][j->passing[at]];
            b->nulls[i][at] = b->nulls[i][j->passing[at]];
        }
    }
    for (unsigned at = 0; at < count; at++) {
        b->weights[at] = b->weights[j->passing[at]];
        j->pair_row[at] = j->pair_row[j->passing[at]];
        j->pair_other[at] = j->pair_other[j->passing[at]];
    }
    b->rows = count;
    return 0;
}

/* Both rows of each pair have a partner more, or less. */
static int pairs_count(struct join *j, struct sql_error *error) {
    struct sql_builder *b = &j->pairs;
    unsigned other = 1 - j->side;
    for (unsigned at = 0; at < b->rows; at++) {
        struct joined *p = j->pair_other[at];
        struct join_row *row = &j->row[j->pair_row[at]];
        int64_t weight = p->weight ? b->weights[at] / p->weight : 0;
        int64_t before = p->matches;
        row->matches += p->weight;
        p->matches += weight;
        int turn = j->frozen ? 0 : join_turn(j, other, before, p->matches);
        if (turn) {
            int r = join_lone_kept(j, other, p, turn * p->weight, error);
            if (r)
                return r;
        }
    }
    return 0;
}

int join_pairs_flush(struct join *j, struct sql_error *error) {
    struct sql_builder *b = &j->pairs;
    int r = b->rows && j->predicate ? pairs_filter(j, error) : 0;
    if (r == 0 && j->predicate)
        r = pairs_count(j, error);
    if (r == 0 && j->gives_pairs) {
        struct sql_batch batch = sql_builder_batch(b);
        r = operator_emit(&j->base, &batch, error);
    }
    sql_builder_reset(b);
    return r;
}
