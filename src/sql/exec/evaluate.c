/*
 * evaluate.c - expressions over batches.
 *
 *      a + 1 < b            column a ---.
 *                           constant 1 -- (+) ---.
 *                           column b ----------- (<) --> cells and nulls, one of each a row
 *
 * A node gives a column: of its children it takes theirs whole, so that a call is one loop over
 * cells that lie side by side. A column that is the same for all rows has stride 0, and calls over
 * such ones only are made once. The kinds that must leave rows out are in evaluate_lazy.c.
 */
#include "sql/exec/evaluate.h"

#include "base/mem.h"
#include "sql/exec/node.h"

#define EVALUATOR_BYTES_MAX ((size_t)256 << 20)

/* ---- making ------------------------------------------------------------------------------- */

static void node_collect(const struct sql_expr *e, struct node *into, unsigned *room) {
    if (e->kind == SQL_EXPR_COLUMN) {
        for (unsigned i = 0; i < into->used_count; i++) {
            if (into->used[i] == e->index)
                return;
        }
        if (into->used && into->used_count < *room)
            into->used[into->used_count] = e->index;
        into->used_count++;
        if (e->index + 1 > into->columns_min)
            into->columns_min = e->index + 1;
        return;
    }
    for (unsigned i = 0; i < e->count; i++)
        node_collect(e->arguments[i], into, room);
}

static unsigned node_count_columns(const struct sql_expr *e) {
    unsigned count = e->kind == SQL_EXPR_COLUMN;
    for (unsigned i = 0; i < e->count; i++)
        count += node_count_columns(e->arguments[i]);
    return count;
}

static bool node_is_constant(const struct node *n) {
    const struct sql_expr *e = n->e;
    if (e->kind == SQL_EXPR_COLUMN || e->kind == SQL_EXPR_OUTER)
        return false;
    if (e->function && e->function->flags & (SQL_STABLE | SQL_VOLATILE))
        return false;
    for (unsigned i = 0; i < n->count; i++) {
        if (!n->child[i].constant)
            return false;
    }
    return true;
}

static int node_make(struct sql_evaluator *v, const struct sql_expr *e, struct node *n,
                     unsigned depth, struct sql_error *error);

static int node_make_children(struct sql_evaluator *v, struct node *n, unsigned depth,
                              struct sql_error *error) {
    struct sql_type *types = arena_zalloc(&v->memory, n->count, sizeof *types);
    n->child = arena_zalloc(&v->memory, n->count, sizeof *n->child);
    n->arguments = arena_zalloc(&v->memory, n->count, sizeof *n->arguments);
    n->nulls = arena_zalloc(&v->memory, n->count, 1);
    n->columns = arena_zalloc(&v->memory, n->count, sizeof *n->columns);
    if (!types || !n->child || !n->arguments || !n->nulls || !n->columns)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < n->count; i++) {
        types[i] = n->e->arguments[i]->type;
        int r = node_make(v, n->e->arguments[i], &n->child[i], depth + 1, error);
        if (r)
            return r;
    }
    n->call.types = types;
    return 0;
}

static int node_make(struct sql_evaluator *v, const struct sql_expr *e, struct node *n,
                     unsigned depth, struct sql_error *error) {
    if (depth > SQL_DEPTH_MAX)
        return sql_fail(error, "54001", "statement is too complex");
    *n = (struct node){.e = e, .evaluator = v, .count = e->count};
    int r = node_make_children(v, n, depth, error);
    if (r)
        return r;
    n->call.settings = v->environment.settings;
    n->call.count = e->count;
    n->call.result = e->type;
    n->call.explicit_cast = e->kind == SQL_EXPR_CAST && e->index == SQL_CAST_EXPLICIT;
    n->call.nulls = n->nulls;
    unsigned room = node_count_columns(e);
    n->used = arena_zalloc(&v->memory, room, sizeof *n->used);
    if (!n->used)
        return sql_fail_memory(error);
    node_collect(e, n, &room);
    n->constant = node_is_constant(n);
    return 0;
}

int sql_evaluator_new(const struct sql_expr *e, const struct sql_environment *environment,
                      struct sql_evaluator **ret, struct sql_error *error) {
    struct sql_evaluator *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return sql_fail_memory(error);
    v->memory = arena_make(0, EVALUATOR_BYTES_MAX);
    v->environment = *environment;
    int r = node_make(v, e, &v->root, 1, error);
    if (r) {
        sql_evaluator_free(v);
        return r;
    }
    *ret = v;
    return 0;
}

static void node_release(struct node *n) {
    sql_call_release(&n->call);
    for (unsigned i = 0; n->child && i < n->count; i++)
        node_release(&n->child[i]);
}

struct sql_evaluator *sql_evaluator_free(struct sql_evaluator *v) {
    if (!v)
        return NULL;
    node_release(&v->root);
    arena_free(&v->memory);
    return mem_free(v);
}

/* ---- calls -------------------------------------------------------------------------------- */

int node_room(unsigned rows, struct arena *memory, struct node_room *ret, struct sql_error *error) {
    ret->cells = arena_alloc(memory, (rows ? rows : 1) * sizeof *ret->cells);
    ret->nulls = arena_zalloc(memory, rows ? rows : 1, 1);
    return ret->cells && ret->nulls ? 0 : sql_fail_memory(error);
}

int node_evaluate_children(struct node *n, const struct sql_batch *batch, struct arena *memory,
                           struct sql_error *error) {
    for (unsigned i = 0; i < n->count; i++) {
        int r = node_evaluate(&n->child[i], batch, memory, &n->columns[i], error);
        if (r)
            return r;
    }
    return 0;
}

/* Marks in NULLS the rows in which an argument is NULL. */
static void node_mark_nulls(const struct node *n, unsigned rows, uint8_t *nulls) {
    for (unsigned i = 0; i < n->count; i++) {
        const struct sql_column *c = &n->columns[i];
        if (!c->nulls)
            continue;
        if (c->stride == 0) {
            if (c->nulls[0])
                memset(nulls, 1, rows);
            continue;
        }
        for (unsigned row = 0; row < rows; row++)
            nulls[row] |= c->nulls[row];
    }
}

static bool node_gather_row(struct node *n, unsigned row) {
    bool some_null = false;
    for (unsigned i = 0; i < n->count; i++) {
        const struct sql_column *c = &n->columns[i];
        n->nulls[i] = sql_null_at(c, row);
        some_null |= n->nulls[i];
        n->arguments[i] = *sql_cell_at(c, row);
    }
    return some_null;
}

static int node_call_rows(struct node *n, unsigned rows, const struct node_room *to) {
    const struct sql_function *f = n->e->function;
    bool lenient = f->flags & SQL_LENIENT;
    for (unsigned row = 0; row < rows; row++) {
        if (node_gather_row(n, row) && !lenient) {
            to->nulls[row] = 1;
            continue;
        }
        n->call.null = false;
        int r = f->scalar(&n->call, n->arguments, &to->cells[row]);
        if (r)
            return r;
        to->nulls[row] = n->call.null;
    }
    return 0;
}

/* Is what the children gave the same for every row, and the call made once for all of them? */
static bool node_same_for_all(const struct node *n) {
    if (n->e->function && n->e->function->flags & SQL_VOLATILE)
        return false;
    for (unsigned i = 0; i < n->count; i++) {
        if (n->columns[i].stride != 0)
            return false;
    }
    return true;
}

static void node_give(const struct node_room *room, unsigned rows, unsigned stride,
                      struct sql_column *ret) {
    bool nulls = rows && memchr(room->nulls, 1, rows) != NULL;
    *ret = (struct sql_column){room->cells, nulls ? room->nulls : NULL, stride};
}

static int node_call(struct node *n, const struct sql_batch *batch, struct arena *memory,
                     struct sql_column *ret, struct sql_error *error) {
    int r = node_evaluate_children(n, batch, memory, error);
    if (r)
        return r;
    bool once = node_same_for_all(n);
    unsigned rows = once ? 1 : batch->rows;
    struct node_room room;
    r = node_room(rows, memory, &room, error);
    if (r)
        return r;
    const struct sql_function *f = n->e->function;
    n->call.memory = memory;
    n->call.error = error;
    if (f->vector) {
        if (!(f->flags & SQL_LENIENT))
            node_mark_nulls(n, rows, room.nulls);
        r = f->vector(&n->call, n->columns, rows, room.cells, room.nulls);
    } else {
        r = node_call_rows(n, rows, &room);
    }
    if (r == 0)
        node_give(&room, rows, once ? 0 : 1, ret);
    return r;
}

static int node_cast_rows(struct node *n, const struct sql_batch *batch, struct arena *memory,
                          struct sql_column *ret, struct sql_error *error) {
    int r = node_evaluate_children(n, batch, memory, error);
    if (r)
        return r;
    if (n->e->cast && !n->e->cast->scalar) {
        *ret = n->columns[0];
        return 0;
    }
    bool once = n->columns[0].stride == 0;
    unsigned rows = once ? 1 : batch->rows;
    struct node_room room;
    r = node_room(rows, memory, &room, error);
    for (unsigned row = 0; r == 0 && row < rows; row++) {
        bool nulled = node_gather_row(n, row);
        if (!nulled)
            r = node_cast(n, memory, &room.cells[row], &nulled, error);
        room.nulls[row] = nulled;
    }
    if (r == 0)
        node_give(&room, rows, once ? 0 : 1, ret);
    return r;
}

static int node_value_rows(struct node *n, const struct sql_batch *batch, struct arena *memory,
                           struct sql_column *ret, struct sql_error *error) {
    int r = node_evaluate_children(n, batch, memory, error);
    if (r)
        return r;
    bool once = node_same_for_all(n);
    unsigned rows = once ? 1 : batch->rows;
    struct node_room room;
    r = node_room(rows, memory, &room, error);
    for (unsigned row = 0; r == 0 && row < rows; row++) {
        bool nulled = false;
        node_gather_row(n, row);
        r = node_value(n, memory, &room.cells[row], &nulled, error);
        room.nulls[row] = nulled;
    }
    if (r == 0)
        node_give(&room, rows, once ? 0 : 1, ret);
    return r;
}

/* ---- nodes -------------------------------------------------------------------------------- */

static int node_compute(struct node *n, const struct sql_batch *batch, struct arena *memory,
                        struct sql_column *ret, struct sql_error *error) {
    switch (n->e->kind) {
    case SQL_EXPR_COLUMN:
        check(n->e->index < batch->columns);
        *ret = batch->column[n->e->index];
        return 0;
    case SQL_EXPR_CALL:
        return node_call(n, batch, memory, ret, error);
    case SQL_EXPR_CAST:
        return node_cast_rows(n, batch, memory, ret, error);
    case SQL_EXPR_AND:
    case SQL_EXPR_OR:
        return node_and_or(n, batch, memory, ret, error);
    case SQL_EXPR_CASE:
        return node_case(n, batch, memory, ret, error);
    case SQL_EXPR_COALESCE:
        return node_coalesce(n, batch, memory, ret, error);
    case SQL_EXPR_OUTER:
        return sql_fail(error, "XX000", "an outer column was left in a plan");
    default:
        return node_is_in_constants(n) ? node_in_constants(n, batch, memory, ret, error)
                                       : node_value_rows(n, batch, memory, ret, error);
    }
}

/* The value of a constant, computed at its first use: an error in a branch that no row takes is
   none. */
static int node_keep(struct node *n, struct sql_error *error) {
    const struct sql_environment *environment = &n->evaluator->environment;
    const struct sql_expr *e = n->e;
    if (e->kind == SQL_EXPR_CONST) {
        n->cell = e->cell;
        n->null = e->null;
    } else if (e->kind == SQL_EXPR_PARAMETER) {
        n->null = !environment->parameter_nulls || environment->parameter_nulls[e->index];
        if (!n->null)
            n->cell = environment->parameters[e->index];
    } else {
        struct sql_batch one = {.rows = 1};
        struct sql_column c;
        int r = node_compute(n, &one, &n->evaluator->memory, &c, error);
        if (r)
            return r;
        n->cell = *sql_cell_at(&c, 0);
        n->null = sql_null_at(&c, 0);
    }
    n->kept = true;
    return 0;
}

int node_evaluate(struct node *n, const struct sql_batch *batch, struct arena *memory,
                  struct sql_column *ret, struct sql_error *error) {
    if (!n->constant)
        return node_compute(n, batch, memory, ret, error);
    int r = n->kept ? 0 : node_keep(n, error);
    if (r)
        return r;
    *ret = (struct sql_column){&n->cell, n->null ? &n->null : NULL, 0};
    return 0;
}

int node_evaluate_some(struct node *n, const struct sql_batch *batch, const uint16_t *selection,
                       unsigned count, struct arena *memory, struct sql_column *ret,
                       struct sql_error *error) {
    if (count == batch->rows || n->constant)
        return node_evaluate(n, batch, memory, ret, error);
    struct sql_column *columns = arena_zalloc(memory, n->columns_min, sizeof *columns);
    if (!columns)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < n->used_count; i++) {
        const struct sql_column *from = &batch->column[n->used[i]];
        struct sql_column *to = &columns[n->used[i]];
        *to = *from;
        if (from->stride == 0)
            continue;
        union sql_cell *cells = arena_alloc(memory, (count + 1) * sizeof *cells);
        uint8_t *nulls = from->nulls ? arena_alloc(memory, count + 1) : NULL;
        if (!cells || (from->nulls && !nulls))
            return sql_fail_memory(error);
        for (unsigned row = 0; row < count; row++)
            cells[row] = from->cells[selection[row]];
        for (unsigned row = 0; nulls && row < count; row++)
            nulls[row] = from->nulls[selection[row]];
        *to = (struct sql_column){cells, nulls, 1};
    }
    struct sql_batch some = {.rows = count, .columns = n->columns_min, .column = columns};
    return node_evaluate(n, &some, memory, ret, error);
}

int sql_evaluate(struct sql_evaluator *v, const struct sql_batch *batch, struct arena *memory,
                 struct sql_column *ret, struct sql_error *error) {
    return node_evaluate(&v->root, batch, memory, ret, error);
}

int sql_evaluate_filter(struct sql_evaluator *v, const struct sql_batch *batch,
                        struct arena *memory, uint16_t *ret_rows, struct sql_error *error) {
    struct sql_column c;
    int r = node_evaluate(&v->root, batch, memory, &c, error);
    if (r)
        return r;
    int count = 0;
    for (unsigned row = 0; row < batch->rows; row++) {
        ret_rows[count] = (uint16_t)row;
        count += !sql_null_at(&c, row) && sql_cell_at(&c, row)->i != 0;
    }
    return count;
}

int sql_evaluate_constant(const struct sql_expr *e, const struct sql_environment *environment,
                          struct arena *memory, union sql_cell *ret, bool *ret_null,
                          struct sql_error *error) {
    struct sql_evaluator *v;
    int r = sql_evaluator_new(e, environment, &v, error);
    if (r)
        return r;
    struct sql_batch one = {.rows = 1};
    struct sql_column c;
    r = node_evaluate(&v->root, &one, memory, &c, error);
    if (r == 0) {
        *ret_null = sql_null_at(&c, 0);
        if (!*ret_null && sql_value_copy(e->type.oid, sql_cell_at(&c, 0), memory, ret))
            r = sql_fail_memory(error);
    }
    sql_evaluator_free(v);
    return r;
}
