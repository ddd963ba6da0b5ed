/*
 * extreme.c - min and max of every ordered type.
 *
 * The state holds the best value so far. It cannot be taken away: where rows go, the operator keeps
 * the values in order instead and knows these two by their names. Of equal values (1.5 and 1.50)
 * the last one stays, as in PostgreSQL, of char(n) the first.
 */
#include "sql/aggregate/held.h"

#include "sql/aggregate/aggregate.h"

static int add(struct sql_call *call, struct held *h, const union sql_cell *a, int sign) {
    struct sql_type type = call->types[0];
    if (h->form != HELD_NOTHING) {
        union sql_cell best;
        int rc = held_value(h, type, call->memory, &best, call->error);
        if (rc < 0)
            return rc;
        int order = sql_value_compare(type.oid, &a[0], &best) * sign;
        if (order < 0 || (order == 0 && type.oid == SQL_BPCHAR))
            return 0;
    }
    return held_keep(h, type, &a[0], call->error);
}

static int add_min(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)weight;
    return add(call, state, a, -1);
}

static int add_max(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)weight;
    return add(call, state, a, 1);
}

/* Words, which most are of: no layout to ask for. */
static int add_min_word(struct sql_call *call, void *state, const union sql_cell *a,
                        int64_t weight) {
    (void)call;
    (void)weight;
    struct held *h = state;
    if (h->form == HELD_NOTHING || a[0].i < h->cell.i)
        *h = (struct held){.cell = a[0], .form = HELD_CELL};
    return 0;
}

static int add_max_word(struct sql_call *call, void *state, const union sql_cell *a,
                        int64_t weight) {
    (void)call;
    (void)weight;
    struct held *h = state;
    if (h->form == HELD_NOTHING || a[0].i > h->cell.i)
        *h = (struct held){.cell = a[0], .form = HELD_CELL};
    return 0;
}

static int best_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct held *h = state;
    call->null = h->form == HELD_NOTHING;
    return call->null ? 0 : held_value(h, call->types[0], call->memory, ret, call->error);
}

static void release(void *state) {
    held_release(state);
}

static int save(const void *state, struct buf *out) {
    return held_save(state, out);
}

static int load(void *state, slice bytes) {
    return held_load(state, bytes);
}

#define EXTREME(name_, type_, add_)                                                                \
    {                                                                                              \
        .name = (name_), .result = (type_), .count = 1, .arguments = {type_},                      \
        .state_bytes = sizeof(struct held), .add = (add_), .result_of = best_of,                   \
        .release = release, .save = save, .load = load                                             \
    }
#define BOTH(type_) EXTREME("min", type_, add_min), EXTREME("max", type_, add_max)
#define BOTH_WORDS(type_) EXTREME("min", type_, add_min_word), EXTREME("max", type_, add_max_word)
const struct sql_aggregate sql_aggregates_extreme[] = {
    BOTH_WORDS(SQL_INT4),
    BOTH_WORDS(SQL_INT8),
    BOTH_WORDS(SQL_INT2),
    BOTH_WORDS(SQL_OID),
    BOTH_WORDS(SQL_DATE),
    BOTH_WORDS(SQL_TIME),
    BOTH_WORDS(SQL_TIMESTAMP),
    BOTH_WORDS(SQL_TIMESTAMPTZ),
    BOTH_WORDS(SQL_ANYENUM),
    BOTH(SQL_TEXT),
    BOTH(SQL_NUMERIC),
    BOTH(SQL_FLOAT8),
    BOTH(SQL_FLOAT4),
    BOTH(SQL_BPCHAR),
    BOTH(SQL_INTERVAL),
    BOTH(SQL_ANYARRAY),
    {.name = NULL},
};
