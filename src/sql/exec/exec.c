/*
 * exec.c - makes operators of a plan, feeds them, ends their steps in order.
 *
 * Operators stand in an order in which inputs come before those they feed; of a join the right
 * side comes first, for it is the side that is built. A node with several parents became one
 * operator: it is found by its number. `once` needs no order of the host: an operator whose inputs
 * have all ended gives what it held back and ends, which ends its parents in turn.
 */
#include "sql/exec/exec.h"

#include "sql/catalog.h"
#include "sql/exec/snapshot.h"

#define EXEC_BYTES_MAX ((size_t)256 << 20) /* the operators themselves */
#define SCRATCH_CHUNK ((size_t)64 << 10)
#define SCRATCH_BYTES_MAX ((size_t)512 << 20) /* of one push of one operator */
#define ROW_BYTES_MAX ((size_t)1 << 30)
#define PLAN_DEPTH_MAX 1000u
#define SEED 0x6e6f6e6574u

/* ---- making ------------------------------------------------------------------------------- */

static const struct sql_operator_kind *kind_of(enum sql_plan_kind kind) {
    switch (kind) {
    case SQL_PLAN_SCAN:
        return &sql_operator_scan;
    case SQL_PLAN_VALUES:
        return &sql_operator_values;
    case SQL_PLAN_SET:
        return &sql_operator_set;
    case SQL_PLAN_FILTER:
        return &sql_operator_filter;
    case SQL_PLAN_PROJECT:
        return &sql_operator_project;
    case SQL_PLAN_JOIN:
        return &sql_operator_join;
    case SQL_PLAN_AGGREGATE:
        return &sql_operator_aggregate;
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        return &sql_operator_combine;
    case SQL_PLAN_UNION:
        return &sql_operator_union;
    case SQL_PLAN_TOP:
        return &sql_operator_top;
    case SQL_PLAN_TUMBLE:
        return &sql_operator_tumble;
    case SQL_PLAN_WINDOW:
        return &sql_operator_window;
    case SQL_PLAN_SESSION:
        return &sql_operator_session;
    case SQL_PLAN_TEMPORAL:
        return &sql_operator_temporal;
    case SQL_PLAN_APPLY:
        break;
    }
    return NULL;
}

static int operator_make(struct sql_exec *x, const struct sql_plan *plan, struct sql_operator **ret,
                         struct sql_error *error) {
    const struct sql_operator_kind *kind = kind_of(plan->kind);
    if (!kind)
        return sql_fail(error, "XX000", "a correlated subquery was left in a plan");
    if (plan->columns > SQL_ROW_COLUMNS_MAX)
        return sql_fail(error, "54011", "rows within a query have at most %u columns",
                        SQL_ROW_COLUMNS_MAX);
    struct sql_operator *o = mem_zalloc(1, kind->bytes);
    if (!o)
        return sql_fail_memory(error);
    o->kind = kind;
    o->plan = plan;
    o->exec = x;
    o->memory = arena_make(SCRATCH_CHUNK, SCRATCH_BYTES_MAX);
    o->bytes = buf_make(ROW_BYTES_MAX);
    o->watermark = SQL_NO_WATERMARK;
    o->input = operator_zalloc(o, plan->inputs + 1, sizeof *o->input);
    o->input_ended = operator_zalloc(o, plan->inputs + 1, 1);
    o->types = operator_zalloc(o, plan->columns + 1, sizeof *o->types);
    *ret = o;
    if (!o->input || !o->input_ended || !o->types)
        return sql_fail_memory(error);
    int r = kind->hands_on ? 0 : operator_builder(o, plan->columns, &o->out, error);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < plan->columns; i++)
        o->types[i] = plan->column[i].type;
    return 0;
}

static int operator_scratch(struct sql_operator *o, struct sql_error *error) {
    unsigned columns = o->plan->columns;
    for (unsigned i = 0; i < o->plan->inputs; i++) {
        if (o->plan->input[i]->columns > columns)
            columns = o->plan->input[i]->columns;
    }
    o->cells = operator_zalloc(o, columns + 1, sizeof *o->cells);
    o->nulls = operator_zalloc(o, columns + 1, 1);
    return o->cells && o->nulls ? 0 : sql_fail_memory(error);
}

/* What makes operators of a graph. */
struct making {
    struct sql_exec *x;
    struct sql_operator **by_number;
    unsigned numbers;
};

static int make_graph(struct making *m, const struct sql_plan *plan, unsigned depth,
                      struct sql_operator **ret, struct sql_error *error) {
    check(plan->number < m->numbers);
    if (depth > PLAN_DEPTH_MAX)
        return sql_fail(error, "54001", "statement is too complex");
    if (m->by_number[plan->number]) {
        *ret = m->by_number[plan->number];
        return 0;
    }
    struct sql_operator *o = NULL;
    int r = operator_make(m->x, plan, &o, error);
    struct sql_operator **input = o ? o->input : NULL;
    bool right_first = plan->kind == SQL_PLAN_JOIN;
    for (unsigned i = 0; r == 0 && i < plan->inputs; i++) {
        unsigned at = right_first ? plan->inputs - 1 - i : i;
        r = make_graph(m, plan->input[at], depth + 1, &input[at], error);
    }
    if (o) { /* its inputs stand before it; freed from there, whole or not */
        m->by_number[plan->number] = o;
        m->x->operator[m->x->operators++] = o;
    }
    if (r == 0)
        r = operator_scratch(o, error);
    if (r == 0 && plan->kind == SQL_PLAN_SCAN)
        m->x->scan[m->x->inputs++] = o;
    if (r == 0)
        *ret = o;
    return r;
}

static int link_parents(struct sql_exec *x, struct sql_error *error) {
    for (unsigned i = 0; i < x->operators; i++) {
        for (unsigned at = 0; at < x->operator[i]->plan->inputs; at++)
            x->operator[i]->input[at]->parents++;
    }
    for (unsigned i = 0; i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        o->parent = operator_zalloc(o, o->parents + 1, sizeof *o->parent);
        if (!o->parent)
            return sql_fail_memory(error);
        o->parents = 0;
    }
    for (unsigned i = 0; i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        for (unsigned at = o->plan->inputs; at-- > 0;) { /* the built side is fed first */
            struct sql_operator *from = o->input[at];
            from->parent[from->parents++] = (struct sql_parent){o, at};
        }
    }
    return 0;
}

static int make_all(struct sql_exec *x, const struct sql_query *query, struct sql_error *error) {
    struct making m = {.x = x, .numbers = query->plans};
    m.by_number = arena_zalloc(&x->memory, query->plans, sizeof *m.by_number);
    x->operator= arena_zalloc(&x->memory, query->plans, sizeof *x->operator);
    x->scan = arena_zalloc(&x->memory, query->plans, sizeof *x->scan);
    if (!m.by_number || !x->operator|| !x->scan)
        return sql_fail_memory(error);
    int r = make_graph(&m, query->plan, 1, &x->root, error);
    if (r == 0)
        r = link_parents(x, error);
    if (r)
        return r;
    x->root->root = true;
    for (unsigned i = 0; r == 0 && i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        o->append_only = x->options.once || sql_plan_facts(o->plan).append_only;
        if (o->kind->make)
            r = o->kind->make(o, error);
    }
    return r;
}

int sql_exec_new(const struct sql_query *query, const struct sql_exec_options *options,
                 struct sql_exec **ret, struct sql_error *error) {
    struct sql_exec *x = mem_zalloc(1, sizeof *x);
    if (!x)
        return sql_fail_memory(error);
    x->options = *options;
    x->environment =
        (struct sql_environment){options->settings, options->parameters, options->parameter_nulls};
    x->budget.max = options->memory_max;
    x->memory = arena_make(0, EXEC_BYTES_MAX);
    x->seed = SEED;
    x->clock = INT64_MIN;
    if (options->settings && options->settings->random)
        x->seed = options->settings->random(options->settings->self);
    int r = make_all(x, query, error);
    if (r) {
        sql_exec_free(x);
        return r;
    }
    *ret = x;
    return 0;
}

struct sql_exec *sql_exec_free(struct sql_exec *x) {
    if (!x)
        return NULL;
    snapshot_loading_free(x);
    for (unsigned i = 0; i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        if (o->kind->release)
            o->kind->release(o);
        sql_builder_free(&o->out);
        buf_free(&o->bytes);
        arena_free(&o->memory);
        mem_free(o);
    }
    arena_free(&x->memory);
    return mem_free(x);
}

/* ---- `once`: what has ended --------------------------------------------------------------- */

static int operator_end(struct sql_operator *o, struct sql_error *error) {
    if (o->ended)
        return 0;
    arena_reset(&o->memory);
    int r = o->kind->end_step ? o->kind->end_step(o, error) : 0;
    o->ended = true;
    for (unsigned i = 0; r == 0 && i < o->parents; i++) {
        struct sql_operator *to = o->parent[i].o;
        to->input_ended[o->parent[i].input] = 1;
        arena_reset(&to->memory);
        if (to->kind->input_ended)
            r = to->kind->input_ended(to, o->parent[i].input, error);
        bool all = true;
        for (unsigned at = 0; at < to->plan->inputs; at++)
            all &= to->input_ended[at];
        if (r == 0 && all)
            r = operator_end(to, error);
    }
    return r;
}

/* Operators without inputs give their rows before anything else comes. */
static int start(struct sql_exec *x, struct sql_error *error) {
    if (x->started)
        return 0;
    x->started = x->within = true;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        if (o->plan->kind != SQL_PLAN_VALUES)
            continue;
        r = o->kind->push(o, 0, NULL, error);
        if (r == 0 && x->options.once)
            r = operator_end(o, error);
    }
    return r;
}

/* ---- steps -------------------------------------------------------------------------------- */

/* What fails is kept: every later call tells it again. */
static int settle(struct sql_exec *x, int r, const struct sql_error *error) {
    if (r) {
        x->failed = r;
        x->failure = *error;
    }
    return r;
}

/* Has something failed before? Then nothing goes any more. */
static int resume(struct sql_exec *x, struct sql_error *error) {
    if (x->failed) {
        *error = x->failure;
        return x->failed;
    }
    check(!x->loading && !x->saving);
    return settle(x, start(x, error), error);
}

unsigned sql_exec_inputs(const struct sql_exec *x) {
    return x->inputs;
}

const struct sql_plan *sql_exec_input(const struct sql_exec *x, unsigned input) {
    check(input < x->inputs);
    return x->scan[input]->plan;
}

int sql_exec_push(struct sql_exec *x, unsigned input, const struct sql_batch *batch,
                  struct sql_error *error) {
    check(input < x->inputs);
    int r = resume(x, error);
    if (r)
        return r;
    x->rows_in += batch->rows;
    x->within = true;
    arena_reset(&x->scan[input]->memory);
    return settle(x, x->scan[input]->kind->push(x->scan[input], 0, batch, error), error);
}

void sql_exec_end_input(struct sql_exec *x, unsigned input) {
    check(input < x->inputs);
    struct sql_error error;
    if (x->options.once && resume(x, &error) == 0)
        (void)settle(x, operator_end(x->scan[input], &error), &error);
}

int sql_exec_watermark(struct sql_exec *x, unsigned input, int64_t time, struct sql_error *error) {
    check(input < x->inputs);
    int r = resume(x, error);
    if (r)
        return r;
    struct sql_operator *o = x->scan[input];
    if (time == SQL_NO_WATERMARK)
        time--;
    if (o->watermark == SQL_NO_WATERMARK || time > o->watermark)
        o->watermark = time;
    return 0;
}

int sql_exec_clock(struct sql_exec *x, int64_t now, struct sql_error *error) {
    int r = resume(x, error);
    if (r || now <= x->clock)
        return r;
    x->clock = now;
    for (unsigned i = 0; r == 0 && i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        if (!o->kind->clock)
            continue;
        x->within = true;
        arena_reset(&o->memory);
        r = o->kind->clock(o, error);
    }
    return settle(x, r, error);
}

int64_t sql_exec_next_moment(const struct sql_exec *x) {
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < x->operators; i++) {
        const struct sql_operator *o = x->operator[i];
        int64_t at = o->kind->next_moment ? o->kind->next_moment(o) : INT64_MAX;
        next = at < next ? at : next;
    }
    return next;
}

static int advance_watermark(struct sql_operator *o, struct sql_error *error) {
    if (o->plan->inputs == 0)
        return 0;
    int64_t least = SQL_NO_WATERMARK;
    for (unsigned i = 0; i < o->plan->inputs; i++) {
        if (o->input[i]->watermark < least)
            least = o->input[i]->watermark;
    }
    if (least == SQL_NO_WATERMARK || (o->watermark != SQL_NO_WATERMARK && least <= o->watermark))
        return 0;
    o->watermark = least;
    return o->kind->watermark ? o->kind->watermark(o, error) : 0;
}

int sql_exec_end_step(struct sql_exec *x, struct sql_error *error) {
    int r = resume(x, error);
    for (unsigned i = 0; r == 0 && x->options.once && i < x->inputs; i++)
        r = operator_end(x->scan[i], error);
    for (unsigned i = 0; r == 0 && !x->options.once && i < x->operators; i++) {
        struct sql_operator *o = x->operator[i];
        arena_reset(&o->memory);
        r = o->kind->end_step ? o->kind->end_step(o, error) : 0;
        if (r == 0)
            r = advance_watermark(o, error);
    }
    x->within = false;
    return settle(x, r, error);
}

static bool operator_full(const struct sql_operator *o) {
    if (o->plan->kind == SQL_PLAN_PROJECT)
        return operator_full(o->input[0]);
    return o->plan->kind == SQL_PLAN_TOP && sql_top_is_full(o);
}

bool sql_exec_full(const struct sql_exec *x) {
    return x->options.once && operator_full(x->root);
}

struct sql_exec_stats sql_exec_stats(const struct sql_exec *x) {
    return (struct sql_exec_stats){.state_bytes = x->budget.used,
                                   .state_rows = x->budget.rows,
                                   .rows_in = x->rows_in,
                                   .rows_out = x->rows_out};
}

int sql_exec_lookup(struct sql_exec *x, unsigned input, union sql_cell *ret_cells,
                    uint8_t *ret_nulls, struct sql_error *error) {
    const struct sql_plan *plan = sql_exec_input(x, input);
    for (unsigned i = 0; i < plan->lookups; i++) {
        bool null;
        int r = sql_evaluate_constant(plan->lookup_values[i], &x->environment, &x->memory,
                                      &ret_cells[i], &null, error);
        if (r)
            return r;
        ret_nulls[i] = null;
    }
    return 0;
}
