/*
 * facts.c - what follows from a plan's shape: does it only ever add rows, which columns are unique.
 *
 * append_only lets operators forget what could never be taken back. Unique columns are looked for
 * from below: a table's primary key, a group's columns, and what leaves them alone.
 */
#include "sql/catalog.h"
#include "sql/plan.h"

#define KEY_COLUMNS_MAX array_count(((struct sql_plan_facts *)NULL)->key)

static struct sql_plan_facts facts_of(const struct sql_plan *plan, unsigned depth);

static bool key_add(struct sql_plan_facts *f, unsigned column) {
    if (f->key_count == KEY_COLUMNS_MAX) {
        f->key_count = 0;
        return false;
    }
    f->key[f->key_count++] = column;
    return true;
}

static unsigned flags_of(struct sql_expr *const *e, unsigned count) {
    unsigned flags = 0;
    for (unsigned i = 0; i < count; i++)
        flags |= e[i] ? sql_expr_flags(e[i]) : 0;
    return flags;
}

static unsigned own_flags(const struct sql_plan *plan) {
    unsigned flags =
        flags_of(plan->expression, plan->expressions) | flags_of(plan->group, plan->groups) |
        flags_of(plan->lookup_values, plan->lookups) | flags_of(plan->left_key, plan->keys) |
        flags_of(plan->right_key, plan->keys) | flags_of(&plan->predicate, 1) |
        flags_of(&plan->limit, 1) | flags_of(&plan->offset, 1);
    for (unsigned i = 0; i < plan->sets; i++) {
        const struct sql_plan_set *set = &plan->set[i];
        flags |= flags_of(set->arguments, set->count) | (set->function ? set->function->flags : 0);
    }
    for (unsigned i = 0; i < plan->aggregates; i++) {
        const struct sql_plan_aggregate *a = &plan->aggregate[i];
        flags |= flags_of(a->arguments, a->count) | flags_of(a->order, a->order_count) |
                 flags_of(&a->filter, 1);
    }
    for (unsigned i = 0; i < plan->windows; i++) {
        const struct sql_plan_window *w = &plan->window[i];
        flags |= flags_of(w->arguments, w->count) | flags_of(&w->filter, 1) |
                 flags_of(&w->start_offset, 1) | flags_of(&w->end_offset, 1);
    }
    return flags & (SQL_STABLE | SQL_VOLATILE);
}

/* A table's primary key; of a view, what is unique by its definition. */
static void scan_facts(const struct sql_plan *plan, struct sql_plan_facts *f) {
    const struct sql_table *t = plan->table;
    f->append_only = !t || t->append_only || t->kind == SQL_TABLE_STREAM;
    const struct sql_table_index *key = t && t->indexes && t->index[0].primary ? &t->index[0]
                                        : t                                    ? t->key
                                                                               : NULL;
    for (unsigned i = 0; key && i < key->columns; i++) {
        unsigned at = 0;
        while (at < plan->columns && plan->scan_columns[at] != key->column[i])
            at++;
        if (at == plan->columns || !key_add(f, at)) {
            f->key_count = 0;
            return;
        }
    }
}

static void project_facts(const struct sql_plan *plan, const struct sql_plan_facts *in,
                          struct sql_plan_facts *f) {
    for (unsigned i = 0; i < in->key_count; i++) {
        unsigned at = 0;
        while (at < plan->columns && (plan->expression[at]->kind != SQL_EXPR_COLUMN ||
                                      plan->expression[at]->index != in->key[i]))
            at++;
        if (at == plan->columns || !key_add(f, at)) {
            f->key_count = 0;
            return;
        }
    }
}

bool sql_plan_is_as_of_now(const struct sql_plan *plan) {
    if (plan->kind == SQL_PLAN_SCAN)
        return plan->as_of_now;
    return (plan->kind == SQL_PLAN_FILTER || plan->kind == SQL_PLAN_PROJECT) &&
           sql_plan_is_as_of_now(plan->input[0]);
}

/* Has no row of the right side more than one partner for each row of the left? */
static bool right_is_unique(const struct sql_plan *plan, const struct sql_plan_facts *right) {
    for (unsigned i = 0; i < right->key_count; i++) {
        unsigned at = 0;
        while (at < plan->keys && (plan->right_key[at]->kind != SQL_EXPR_COLUMN ||
                                   plan->right_key[at]->index != right->key[i]))
            at++;
        if (at == plan->keys)
            return false;
    }
    return right->key_count > 0;
}

static void join_facts(const struct sql_plan *plan, const struct sql_plan_facts *left,
                       const struct sql_plan_facts *right, struct sql_plan_facts *f) {
    bool frozen = sql_plan_is_as_of_now(plan->input[1]);
    enum sql_join_kind kind = plan->join;
    bool inner = kind == SQL_JOIN_INNER;
    f->append_only =
        left->append_only && (frozen ? inner || kind == SQL_JOIN_LEFT
                                     : right->append_only && (inner || kind == SQL_JOIN_SEMI));
    bool left_stays = kind == SQL_JOIN_SEMI || kind == SQL_JOIN_ANTI ||
                      kind == SQL_JOIN_ANTI_NULL || kind == SQL_JOIN_SCALAR ||
                      ((inner || kind == SQL_JOIN_LEFT) && right_is_unique(plan, right));
    if (frozen || left->key_count == 0)
        return;
    for (unsigned i = 0; i < left->key_count; i++) {
        if ((left_stays || inner) && !key_add(f, left->key[i]))
            return;
    }
    for (unsigned i = 0; inner && !left_stays && i < right->key_count; i++) {
        if (!key_add(f, plan->input[0]->columns + right->key[i]))
            return;
    }
    if (inner && !left_stays && right->key_count == 0)
        f->key_count = 0;
}

static void first_columns(unsigned count, struct sql_plan_facts *f) {
    for (unsigned i = 0; i < count; i++) {
        if (!key_add(f, i))
            return;
    }
}

static void top_facts(const struct sql_plan *plan, const struct sql_plan_facts *in,
                      struct sql_plan_facts *f) {
    const struct sql_expr *limit = plan->limit;
    bool one = limit && limit->kind == SQL_EXPR_CONST && !limit->null && limit->cell.i == 1 &&
               plan->top == SQL_TOP_ROW_NUMBER;
    f->append_only = false;
    if (!one || plan->partitions == 0)
        memcpy(f->key, in->key, sizeof f->key);
    if (!one || plan->partitions == 0)
        f->key_count = in->key_count;
    for (unsigned i = 0; one && i < plan->partitions; i++) {
        if (!key_add(f, plan->partition[i]))
            return;
    }
}

static void node_facts(const struct sql_plan *plan, const struct sql_plan_facts *in,
                       struct sql_plan_facts *f) {
    switch (plan->kind) {
    case SQL_PLAN_SCAN:
        scan_facts(plan, f);
        return;
    case SQL_PLAN_JOIN:
        join_facts(plan, &in[0], &in[1], f);
        return;
    case SQL_PLAN_PROJECT:
        project_facts(plan, &in[0], f);
        return;
    case SQL_PLAN_AGGREGATE:
        f->append_only = plan->close_group >= 0 && plan->groups > 0;
        if (plan->grouping_sets <= 1)
            first_columns(plan->groups, f);
        return;
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        f->append_only = f->append_only && plan->kind != SQL_PLAN_EXCEPT;
        if (plan->kind == SQL_PLAN_DISTINCT || !plan->all)
            first_columns(plan->columns, f);
        return;
    case SQL_PLAN_TOP:
        top_facts(plan, &in[0], f);
        return;
    case SQL_PLAN_WINDOW:
    case SQL_PLAN_SESSION:
    case SQL_PLAN_APPLY:
        f->append_only = false;
        break;
    case SQL_PLAN_TEMPORAL:
        f->append_only = f->append_only && !plan->ends;
        break;
    case SQL_PLAN_FILTER:
        break;
    case SQL_PLAN_VALUES:
    case SQL_PLAN_SET:
    case SQL_PLAN_UNION:
    case SQL_PLAN_TUMBLE:
        return;
    }
    memcpy(f->key, in[0].key, sizeof f->key); /* the input's rows, some of them, or with more */
    f->key_count = in[0].key_count;
}

static struct sql_plan_facts facts_of(const struct sql_plan *plan, unsigned depth) {
    struct sql_plan_facts f = {.append_only = true, .flags = own_flags(plan)};
    struct sql_plan_facts in[2] = {{.append_only = false}};
    if (depth > SQL_DEPTH_MAX)
        return (struct sql_plan_facts){.flags = f.flags};
    for (unsigned i = 0; i < plan->inputs; i++) {
        struct sql_plan_facts *one = &in[i < 2 ? i : 1]; /* beyond two: a union, which has no key */
        *one = facts_of(plan->input[i], depth + 1);
        f.append_only = f.append_only && one->append_only;
        f.flags |= one->flags;
    }
    node_facts(plan, in, &f);
    return f;
}

struct sql_plan_facts sql_plan_facts(const struct sql_plan *plan) {
    return facts_of(plan, 1);
}
