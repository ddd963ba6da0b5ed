/*
 * evaluate_lazy.c - AND, OR, CASE and COALESCE: rows that are decided are left out of what follows.
 *
 *      CASE WHEN x = 0 THEN 0 ELSE 1 / x END
 *          rows 0 1 2 3   x = 0 for 1, 3     ->  THEN is computed of 1, 3; ELSE of 0, 2
 *
 * The rows that are still open are a selection, rising row numbers. While it is all rows nothing
 * is gathered; when it is empty the rest of the arguments are not looked at.
 */
#include "sql/exec/node.h"

static uint16_t *selection_all(unsigned rows, struct arena *memory) {
    uint16_t *selection = arena_alloc(memory, (rows + 1) * sizeof *selection);
    for (unsigned row = 0; selection && row < rows; row++)
        selection[row] = (uint16_t)row;
    return selection;
}

int node_and_or(struct node *n, const struct sql_batch *batch, struct arena *memory,
                struct sql_column *ret, struct sql_error *error) {
    int64_t deciding = n->e->kind == SQL_EXPR_OR;
    struct node_room room;
    uint16_t *open = selection_all(batch->rows, memory);
    int r = node_room(batch->rows, memory, &room, error);
    if (r || !open)
        return r ? r : sql_fail_memory(error);
    unsigned count = batch->rows;
    for (unsigned row = 0; row < count; row++)
        room.cells[row].i = !deciding;
    bool nulls = false;
    for (unsigned i = 0; i < n->count && count; i++) {
        struct sql_column c;
        r = node_evaluate_some(&n->child[i], batch, open, count, memory, &c, error);
        if (r)
            return r;
        unsigned left = 0;
        for (unsigned at = 0; at < count; at++) {
            uint16_t row = open[at];
            open[left] = row;
            if (sql_null_at(&c, at)) {
                room.nulls[row] = 1;
                nulls = true;
            } else if (sql_cell_at(&c, at)->i == deciding) {
                room.cells[row].i = deciding;
                room.nulls[row] = 0;
                continue;
            }
            left++;
        }
        count = left;
    }
    *ret = (struct sql_column){room.cells, nulls ? room.nulls : NULL, 1};
    return 0;
}

/* Puts the values C of rows SELECTION into their places. */
static void scatter(const struct sql_column *c, const uint16_t *selection, unsigned count,
                    const struct node_room *to) {
    for (unsigned at = 0; at < count; at++) {
        uint16_t row = selection[at];
        to->nulls[row] = sql_null_at(c, at);
        if (!to->nulls[row])
            to->cells[row] = *sql_cell_at(c, at);
    }
}

static int case_branch(struct node *branch, const struct sql_batch *batch, const uint16_t *rows,
                       unsigned count, struct arena *memory, const struct node_room *to,
                       struct sql_error *error) {
    if (count == 0)
        return 0;
    struct sql_column c;
    int r = node_evaluate_some(branch, batch, rows, count, memory, &c, error);
    if (r == 0)
        scatter(&c, rows, count, to);
    return r;
}

int node_case(struct node *n, const struct sql_batch *batch, struct arena *memory,
              struct sql_column *ret, struct sql_error *error) {
    struct node_room room;
    uint16_t *open = selection_all(batch->rows, memory);
    uint16_t *taken = arena_alloc(memory, (batch->rows + 1) * sizeof *taken);
    int r = node_room(batch->rows, memory, &room, error);
    if (r || !open || !taken)
        return r ? r : sql_fail_memory(error);
    memset(room.nulls, 1, batch->rows);
    unsigned count = batch->rows, i = 0;
    for (; i + 1 < n->count && count; i += 2) {
        struct sql_column when;
        r = node_evaluate_some(&n->child[i], batch, open, count, memory, &when, error);
        if (r)
            return r;
        unsigned left = 0, takes = 0;
        for (unsigned at = 0; at < count; at++) {
            uint16_t row = open[at];
            if (!sql_null_at(&when, at) && sql_cell_at(&when, at)->i)
                taken[takes++] = row;
            else
                open[left++] = row;
        }
        r = case_branch(&n->child[i + 1], batch, taken, takes, memory, &room, error);
        if (r)
            return r;
        count = left;
    }
    if (n->count % 2 == 1)
        r = case_branch(&n->child[n->count - 1], batch, open, count, memory, &room, error);
    *ret = (struct sql_column){room.cells, room.nulls, 1};
    return r;
}

int node_coalesce(struct node *n, const struct sql_batch *batch, struct arena *memory,
                  struct sql_column *ret, struct sql_error *error) {
    struct node_room room;
    uint16_t *open = selection_all(batch->rows, memory);
    int r = node_room(batch->rows, memory, &room, error);
    if (r || !open)
        return r ? r : sql_fail_memory(error);
    memset(room.nulls, 1, batch->rows);
    unsigned count = batch->rows;
    for (unsigned i = 0; i < n->count && count; i++) {
        r = case_branch(&n->child[i], batch, open, count, memory, &room, error);
        if (r)
            return r;
        unsigned left = 0;
        for (unsigned at = 0; at < count; at++) {
            open[left] = open[at];
            left += room.nulls[open[at]];
        }
        count = left;
    }
    *ret = (struct sql_column){room.cells, room.nulls, 1};
    return 0;
}
