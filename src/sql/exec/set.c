/*
 * set.c - functions that give rows, run side by side for each row of the input.
 *
 *      input row (7)      f gives a, b       (7, a, x, 1)
 *                         g gives x          (7, b, NULL, 2)      with ordinality
 *
 * The rows of several functions are gathered for one input row at a time, then put beside each
 * other. Those of a single one are handed on as they come, however many they are.
 */
#include "sql/exec/operator.h"

#define SET_ROWS_MAX 100000000u /* of one call */

/* What one function gave for the row at hand: row-major cells of its columns. */
struct gathered {
    struct sql_operator *o;
    unsigned columns;
    size_t rows, room;
    union sql_cell *cells;
    uint8_t *nulls;
    struct sql_error *error;
    /* Of a single function: the input row at hand, and nothing is kept. */
    const struct sql_batch *batch;
    unsigned row;
};

struct set {
    struct sql_operator base;
    struct sql_evaluator ***argument; /* of each function */
    struct sql_column **column;
    struct sql_type **types;
    struct sql_call *call;
    struct gathered *gathered;
};

static int set_make(struct sql_operator *o, struct sql_error *error) {
    struct set *s = (struct set *)o;
    unsigned sets = o->plan->sets;
    s->argument = operator_zalloc(o, sets, sizeof *s->argument);
    s->column = operator_zalloc(o, sets, sizeof *s->column);
    s->types = operator_zalloc(o, sets, sizeof *s->types);
    s->call = operator_zalloc(o, sets, sizeof *s->call);
    s->gathered = operator_zalloc(o, sets, sizeof *s->gathered);
    if (!s->argument || !s->column || !s->types || !s->call || !s->gathered)
        return sql_fail_memory(error);
    unsigned at = o->plan->input[0]->columns;
    for (unsigned i = 0; i < sets; i++) {
        const struct sql_plan_set *set = &o->plan->set[i];
        s->column[i] = operator_zalloc(o, set->count + 1, sizeof **s->column);
        s->types[i] = operator_zalloc(o, set->count + 1, sizeof **s->types);
        if (!s->column[i] || !s->types[i])
            return sql_fail_memory(error);
        for (unsigned a = 0; a < set->count; a++)
            s->types[i][a] = set->arguments[a]->type;
        s->call[i] = (struct sql_call){.settings = o->exec->options.settings,
                                       .types = s->types[i],
                                       .count = set->count,
                                       .result = o->types[at]};
        s->gathered[i] = (struct gathered){.o = o, .columns = set->columns};
        at += set->columns;
        int r = operator_evaluators(o, set->arguments, set->count, &s->argument[i], error);
        if (r)
            return r;
    }
    return 0;
}

static int put_input(struct sql_operator *o, const struct sql_batch *batch, unsigned row,
                     struct sql_error *error) {
    int r = operator_room(o, error);
    for (unsigned i = 0; r == 0 && i < batch->columns; i++)
        sql_builder_set(&o->out, i, sql_cell_at(&batch->column[i], row),
                        sql_null_at(&batch->column[i], row));
    return r;
}

/* A row of the only function there is, handed on. */
static int stream(struct gathered *g, const union sql_cell *cells, const uint8_t *nulls) {
    struct sql_operator *o = g->o;
    unsigned at = g->batch->columns;
    int r = put_input(o, g->batch, g->row, g->error);
    if (r)
        return r;
    for (unsigned i = 0; i < g->columns; i++)
        sql_builder_set(&o->out, at + i, &cells[i], nulls && nulls[i]);
    union sql_cell ordinal = {.i = (int64_t)++g->rows};
    if (o->plan->ordinality)
        sql_builder_set(&o->out, at + g->columns, &ordinal, false);
    sql_builder_end(&o->out, sql_weight_at(g->batch, g->row));
    return 0;
}

static int gather(void *to, const union sql_cell *cells, const uint8_t *nulls) {
    struct gathered *g = to;
    struct arena *memory = &g->o->memory;
    if (g->o->plan->sets == 1)
        return stream(g, cells, nulls);
    if (g->rows == g->room) {
        size_t room = g->room ? g->room * 2 : 16;
        union sql_cell *larger = arena_alloc(memory, room * (g->columns + 1) * sizeof *larger);
        uint8_t *larger_nulls = arena_alloc(memory, room * (g->columns + 1));
        if (!larger || !larger_nulls || room > SET_ROWS_MAX)
            return sql_fail_memory(g->error);
        if (g->rows) {
            memcpy(larger, g->cells, g->rows * g->columns * sizeof *larger);
            memcpy(larger_nulls, g->nulls, g->rows * g->columns);
        }
        g->cells = larger;
        g->nulls = larger_nulls;
        g->room = room;
    }
    for (unsigned i = 0; i < g->columns; i++) {
        g->cells[g->rows * g->columns + i] = cells[i];
        g->nulls[g->rows * g->columns + i] = nulls ? nulls[i] : 0;
    }
    g->rows++;
    return 0;
}

static int call_set(struct set *s, unsigned i, const struct sql_batch *batch, unsigned row,
                    struct sql_error *error) {
    const struct sql_plan_set *set = &s->base.plan->set[i];
    struct gathered *g = &s->gathered[i];
    g->batch = batch;
    g->row = row;
    union sql_cell arguments[SQL_CALL_ARGUMENTS_MAX];
    uint8_t nulls[SQL_CALL_ARGUMENTS_MAX];
    bool some_null = false;
    g->rows = g->room = 0;
    g->error = error;
    check(set->count <= SQL_CALL_ARGUMENTS_MAX);
    for (unsigned a = 0; a < set->count; a++) {
        arguments[a] = *sql_cell_at(&s->column[i][a], row);
        nulls[a] = sql_null_at(&s->column[i][a], row);
        some_null |= nulls[a];
    }
    if (!set->function)
        return gather(g, arguments, nulls);
    const struct sql_function *f = set->function;
    struct sql_call *call = &s->call[i];
    bool skip = some_null && !(f->flags & SQL_LENIENT);
    call->memory = &s->base.memory;
    call->error = error;
    call->nulls = nulls;
    call->null = false;
    return skip ? 0 : f->set(call, arguments, gather, g);
}

/* One row of the output: the input's, then row AT of what each function gave. */
static int set_row(struct set *s, const struct sql_batch *batch, unsigned row, size_t at,
                   struct sql_error *error) {
    struct sql_operator *o = &s->base;
    unsigned to = batch->columns;
    int r = put_input(o, batch, row, error);
    if (r)
        return r;
    bool some = false;
    for (unsigned i = 0; i < o->plan->sets; i++) {
        const struct gathered *g = &s->gathered[i];
        some |= at < g->rows;
        for (unsigned c = 0; c < g->columns; c++, to++) {
            size_t cell = at * g->columns + c;
            if (at < g->rows)
                sql_builder_set(&o->out, to, &g->cells[cell], g->nulls[cell]);
            else
                operator_put_nulls(o, 1, to);
        }
    }
    if (o->plan->ordinality) {
        union sql_cell ordinal = {.i = (int64_t)at + 1};
        sql_builder_set(&o->out, to, &ordinal, !some);
    }
    sql_builder_end(&o->out, sql_weight_at(batch, row));
    return 0;
}

static int set_push(struct sql_operator *o, unsigned input, const struct sql_batch *batch,
                    struct sql_error *error) {
    (void)input;
    struct set *s = (struct set *)o;
    int r = 0;
    for (unsigned i = 0; i < o->plan->sets; i++) {
        for (unsigned a = 0; r == 0 && a < o->plan->set[i].count; a++)
            r = sql_evaluate(s->argument[i][a], batch, &o->memory, &s->column[i][a], error);
    }
    for (unsigned row = 0; r == 0 && row < batch->rows; row++) {
        size_t rows = o->plan->outer;
        for (unsigned i = 0; r == 0 && i < o->plan->sets; i++) {
            r = call_set(s, i, batch, row, error);
            if (s->gathered[i].rows > rows)
                rows = s->gathered[i].rows;
        }
        size_t at = o->plan->sets == 1 ? s->gathered[0].rows : 0; /* handed on already */
        for (; r == 0 && at < rows; at++)
            r = set_row(s, batch, row, at, error);
    }
    return r ? r : operator_flush(o, error);
}

static void set_release(struct sql_operator *o) {
    struct set *s = (struct set *)o;
    for (unsigned i = 0; s->argument && i < o->plan->sets; i++) {
        operator_evaluators_free(s->argument[i], o->plan->set[i].count);
        if (s->call)
            sql_call_release(&s->call[i]);
    }
}

const struct sql_operator_kind sql_operator_set = {.bytes = sizeof(struct set),
                                                   .stateless = true,
                                                   .make = set_make,
                                                   .push = set_push,
                                                   .release = set_release};
