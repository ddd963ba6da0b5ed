/*
 * evaluate_in.c - x IN (constants): the constants are put into a table once, and a row is one
 * look-up however many there are.
 *
 *      slot = hash(value) & mask, then the next ones; an empty slot ends the search
 */
#include "sql/exec/node.h"

struct node_set {
    bool null; /* some constant is NULL: what is not found is unknown */
    unsigned mask;
    const union sql_cell **slots; /* NULL: empty */
};

static int set_make(struct node *n, struct sql_error *error) {
    struct arena *memory = &n->evaluator->memory;
    struct sql_batch none = {.rows = 1};
    uint32_t oid = n->e->arguments[0]->type.oid;
    struct node_set *set = arena_zalloc(memory, 1, sizeof *set);
    unsigned capacity = 4;
    while (capacity < n->count * 2)
        capacity *= 2;
    const union sql_cell **slots = arena_zalloc(memory, capacity, sizeof(union sql_cell *));
    if (!set || !slots)
        return sql_fail_memory(error);
    *set = (struct node_set){.mask = capacity - 1, .slots = slots};
    for (unsigned i = 1; i < n->count; i++) {
        struct sql_column c;
        int r = node_evaluate(&n->child[i], &none, memory, &c, error);
        if (r)
            return r;
        if (sql_null_at(&c, 0)) {
            set->null = true;
            continue;
        }
        unsigned at = (unsigned)sql_value_hash(oid, c.cells) & set->mask;
        while (slots[at])
            at = (at + 1) & set->mask;
        slots[at] = c.cells;
    }
    n->set = set;
    return 0;
}

static bool set_has(const struct node_set *set, uint32_t oid, const union sql_cell *cell) {
    unsigned at = (unsigned)sql_value_hash(oid, cell) & set->mask;
    for (; set->slots[at]; at = (at + 1) & set->mask) {
        if (sql_value_equal(oid, set->slots[at], cell))
            return true;
    }
    return false;
}

bool node_is_in_constants(const struct node *n) {
    if (n->e->kind != SQL_EXPR_IN)
        return false;
    for (unsigned i = 1; i < n->count; i++) {
        if (!n->child[i].constant)
            return false;
    }
    return true;
}

int node_in_constants(struct node *n, const struct sql_batch *batch, struct arena *memory,
                      struct sql_column *ret, struct sql_error *error) {
    struct sql_column c;
    struct node_room room;
    int r = n->set ? 0 : set_make(n, error);
    if (r == 0)
        r = node_evaluate(&n->child[0], batch, memory, &c, error);
    if (r == 0)
        r = node_room(batch->rows, memory, &room, error);
    if (r)
        return r;
    uint32_t oid = n->e->arguments[0]->type.oid;
    for (unsigned row = 0; row < batch->rows; row++) {
        bool null = sql_null_at(&c, row);
        bool found = !null && set_has(n->set, oid, sql_cell_at(&c, row));
        room.cells[row].i = found;
        room.nulls[row] = null || (!found && n->set->null);
    }
    *ret = (struct sql_column){room.cells, room.nulls, 1};
    return 0;
}
