/*
 * logic.c - bool_and, bool_or, every, bit_and, bit_or, bit_xor.
 *
 * Of booleans both sides are counted, so rows can be taken away; an exclusive or undoes itself.
 * Bits that were joined by and or or cannot be told apart again.
 */
#include "sql/aggregate/aggregate.h"

struct truths {
    int64_t yes, no;
};

static int truth_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct truths *t = state;
    *(a[0].i ? &t->yes : &t->no) += weight;
    return 0;
}

static int all_true(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct truths *t = state;
    call->null = t->yes == 0 && t->no == 0;
    *ret = (union sql_cell){.i = t->no == 0};
    return 0;
}

static int some_true(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct truths *t = state;
    call->null = t->yes == 0 && t->no == 0;
    *ret = (union sql_cell){.i = t->yes != 0};
    return 0;
}

struct bits {
    int64_t value, rows;
};

static int and_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct bits *b = state;
    b->value = b->rows ? b->value & a[0].i : a[0].i;
    b->rows += weight;
    return 0;
}

static int or_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct bits *b = state;
    b->value |= a[0].i;
    b->rows += weight;
    return 0;
}

static int xor_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct bits *b = state;
    b->value ^= weight & 1 ? a[0].i : 0;
    b->rows += weight;
    return 0;
}

static int bits_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct bits *b = state;
    call->null = b->rows == 0;
    *ret = (union sql_cell){.i = b->value};
    return 0;
}

#define TRUTH(name_, result_)                                                                      \
    {                                                                                              \
        .name = (name_), .result = SQL_BOOL, .count = 1, .arguments = {SQL_BOOL},                  \
        .invertible = true, .state_bytes = sizeof(struct truths), .add = truth_add,                \
        .result_of = (result_)                                                                     \
    }
#define BITS(name_, type_, add_, invertible_)                                                      \
    {                                                                                              \
        .name = (name_), .result = (type_), .count = 1, .arguments = {type_},                      \
        .invertible = (invertible_), .state_bytes = sizeof(struct bits), .add = (add_),            \
        .result_of = bits_of                                                                       \
    }
#define WIDTHS(name_, add_, invertible_)                                                           \
    BITS(name_, SQL_INT2, add_, invertible_), BITS(name_, SQL_INT4, add_, invertible_),            \
        BITS(name_, SQL_INT8, add_, invertible_)

const struct sql_aggregate sql_aggregates_logic[] = {
    TRUTH("bool_and", all_true),
    TRUTH("every", all_true),
    TRUTH("bool_or", some_true),
    WIDTHS("bit_and", and_add, false),
    WIDTHS("bit_or", or_add, false),
    WIDTHS("bit_xor", xor_add, true),
    {.name = NULL},
};
