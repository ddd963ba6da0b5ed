/*
 * A view is at every moment what the query would answer: random plans over random changes.
 *
 * After each step the sum of what the view told is compared with the same plan run once over the
 * rows that are there. What the view holds back, forgets or takes back wrongly shows as a
 * difference; what `once` takes back shows as a negative weight.
 */
#include "kit.h"

#include "base/mem.h"
#include "sql/catalog.h"

#include <stdio.h>
#include <stdlib.h>

#define PLANS 2000u
#define FAULTY_PLANS 40u
#define FAULTS_MAX 400u
#define STEPS 6u
#define SCANS 3u
#define COLUMNS 3u
#define ROWS_MAX 64u
#define DEPTH 4u

struct chance {
    uint64_t x;
};

static unsigned pick(struct chance *c, unsigned below) {
    c->x ^= c->x << 13;
    c->x ^= c->x >> 7;
    c->x ^= c->x << 17;
    return (unsigned)((c->x * 0x9e3779b97f4a7c15u >> 33) % below);
}

/* ---- plans: all of three columns ---------------------------------------------------------- */

static struct sql_expr *number(struct kit *k, struct chance *c, unsigned columns) {
    struct sql_expr *a = kit_column(k, pick(c, columns));
    switch (pick(c, 5)) {
    case 0:
        return kit_op(k, '+', a, kit_column(k, pick(c, columns)));
    case 1:
        return kit_node(k, SQL_EXPR_COALESCE, 2, a, kit_int(k, pick(c, 3)));
    case 2:
        return kit_node(k, SQL_EXPR_CASE, 3, kit_op(k, '<', a, kit_column(k, pick(c, columns))), a,
                        kit_null(k));
    default:
        return a;
    }
}

static struct sql_expr *condition(struct kit *k, struct chance *c, unsigned columns) {
    struct sql_expr *less =
        kit_op(k, '<', kit_column(k, pick(c, columns)), kit_column(k, pick(c, columns)));
    switch (pick(c, 4)) {
    case 0:
        return kit_node(k, SQL_EXPR_IS_NULL, 1, kit_column(k, pick(c, columns)));
    case 1:
        return kit_node(k, SQL_EXPR_OR, 2, less,
                        kit_op(k, '=', kit_column(k, pick(c, columns)), kit_int(k, 1)));
    case 2:
        return kit_node(k, SQL_EXPR_NOT, 1, less);
    default:
        return less;
    }
}

static struct sql_plan *three(struct kit *k, struct chance *c, struct sql_plan *p) {
    if (p->columns == COLUMNS && pick(c, 2))
        return p;
    struct sql_expr *e[COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++)
        e[i] = number(k, c, p->columns);
    return kit_project(k, p, COLUMNS, kit_list(k, 3, e[0], e[1], e[2]));
}

static struct sql_plan *random_plan(struct kit *k, struct chance *c, unsigned depth);

static struct sql_plan *random_join(struct kit *k, struct chance *c, unsigned depth) {
    struct sql_plan *l = random_plan(k, c, depth - 1);
    struct sql_plan *r = pick(c, 5) ? random_plan(k, c, depth - 1) : l;
    enum sql_join_kind kind = (enum sql_join_kind)pick(c, SQL_JOIN_SCALAR);
    int left = (int)pick(c, 4) - 1;
    struct sql_plan *p = kit_join(k, kind, l, r, left, (int)pick(c, 3));
    p->keys_null_equal = kind != SQL_JOIN_ANTI_NULL && pick(c, 4) == 0;
    if (kind == SQL_JOIN_ANTI_NULL && left < 0) {
        p->keys = 2;
        p->left_key = kit_list(k, 2, kit_column(k, 0), kit_column(k, 1));
        p->right_key = kit_list(k, 2, kit_column(k, 1), kit_column(k, 2));
    }
    if (pick(c, 2))
        p->predicate = condition(k, c, l->columns + r->columns);
    return p;
}

static void random_aggregate(struct kit *k, struct chance *c, struct sql_plan *p, unsigned at,
                             unsigned columns) {
    static const char *const names[] = {"count", "count_any", "sum", "min", "max", "fold"};
    unsigned which = pick(c, 6);
    struct sql_expr *argument = which ? number(k, c, columns) : NULL;
    kit_set_aggregate(k, p, at, names[which], argument);
    struct sql_plan_aggregate *a = &p->aggregate[at];
    if (pick(c, 3) == 0)
        a->filter = condition(k, c, columns);
    a->distinct = which && pick(c, 3) == 0;
    if (which == 5) { /* order matters to it */
        static struct sql_sort_key how[2] = {{0, true, false}, {0, false, true}};
        a->order_count = 1;
        a->order = kit_list(k, 1, argument);
        a->order_how = &how[pick(c, 2)];
    }
}

static struct sql_plan *random_group(struct kit *k, struct chance *c, unsigned depth) {
    static uint64_t sets[] = {3, 1, 0};
    struct sql_plan *in = random_plan(k, c, depth - 1);
    unsigned groups = pick(c, 3), aggregates = 1 + pick(c, 3);
    struct sql_expr **group = kit_list(k, 2, number(k, c, COLUMNS), number(k, c, COLUMNS));
    struct sql_plan *p = kit_aggregate(k, in, groups, group, aggregates);
    for (unsigned i = 0; i < aggregates; i++)
        random_aggregate(k, c, p, i, COLUMNS);
    if (groups == 2 && pick(c, 2)) {
        p->grouping_sets = 3;
        p->grouping_set = sets;
    }
    return p;
}

static struct sql_plan *random_top(struct kit *k, struct chance *c, unsigned depth) {
    struct sql_plan *in = random_plan(k, c, depth - 1);
    enum sql_top_kind kind = (enum sql_top_kind)pick(c, 3);
    struct sql_plan *p = kit_top(k, in, kind, (int64_t)pick(c, 5), pick(c, 2) ? pick(c, 3) : 0);
    p->partitions = pick(c, 2);
    p->partition[0] = pick(c, COLUMNS);
    p->order[0] = (struct sql_sort_key){pick(c, COLUMNS), pick(c, 2), pick(c, 2)};
    return p;
}

static struct sql_plan *random_set(struct kit *k, struct chance *c, unsigned depth) {
    static const enum sql_plan_kind kinds[] = {SQL_PLAN_UNION, SQL_PLAN_INTERSECT, SQL_PLAN_EXCEPT};
    struct sql_plan *l = random_plan(k, c, depth - 1), *r = random_plan(k, c, depth - 1);
    struct sql_plan *p = kit_plan(k, kinds[pick(c, 3)], COLUMNS, 2, l, r);
    p->all = pick(c, 2);
    return p;
}

static void random_frame(struct kit *k, struct chance *c, struct sql_plan_window *f) {
    f->mode = (enum sql_frame_mode)pick(c, 3);
    f->start = (enum sql_frame_bound)pick(c, 4);
    f->end =
        (enum sql_frame_bound)(f->start + pick(c, SQL_FRAME_UNBOUNDED_FOLLOWING - f->start + 1));
    if (f->end == SQL_FRAME_UNBOUNDED_PRECEDING)
        f->end = SQL_FRAME_CURRENT;
    f->start_offset = kit_int(k, pick(c, 3));
    f->end_offset = kit_int(k, pick(c, 3));
    f->plus = kit_function('+');
    f->minus = kit_function('-');
    f->exclude = (enum sql_frame_exclude)pick(c, 4);
}

static struct sql_plan *random_window(struct kit *k, struct chance *c, unsigned depth) {
    static const char *const names[] = {"count", "sum", "min", "fold"};
    struct sql_plan *in = random_plan(k, c, depth - 1);
    struct sql_plan *p = kit_plan(k, SQL_PLAN_WINDOW, COLUMNS + 1, 1, in);
    struct sql_plan_window *f = arena_zalloc(&k->memory, 1, sizeof *f);
    p->order = arena_zalloc(&k->memory, 1, sizeof *p->order);
    p->partition = arena_zalloc(&k->memory, 1, sizeof *p->partition);
    assert_true(f && p->order && p->partition);
    p->windows = 1;
    p->window = f;
    p->partitions = pick(c, 2);
    p->partition[0] = pick(c, COLUMNS);
    p->orders = 1;
    p->order[0] = (struct sql_sort_key){pick(c, COLUMNS), pick(c, 2), pick(c, 2)};
    f->type = sql_type_of(SQL_INT8);
    f->function = (enum sql_window_function)pick(c, SQL_WINDOW_NTH_VALUE + 1);
    if (f->function == SQL_WINDOW_PERCENT_RANK || f->function == SQL_WINDOW_CUME_DIST)
        f->function = SQL_WINDOW_AGGREGATE;
    random_frame(k, c, f);
    f->count = 1;
    f->arguments = kit_list(k, 1, number(k, c, COLUMNS));
    if (f->function == SQL_WINDOW_AGGREGATE) {
        unsigned which = pick(c, 4);
        f->aggregate = kit_aggregate_named(names[which]);
        f->count = which > 0;
        f->filter = pick(c, 2) ? condition(k, c, COLUMNS) : NULL;
    } else if (f->function == SQL_WINDOW_NTILE) {
        f->arguments = kit_list(k, 1, kit_int(k, 1 + pick(c, 4)));
    } else if (f->function == SQL_WINDOW_NTH_VALUE) {
        f->count = 2;
        f->arguments = kit_list(k, 2, f->arguments[0], kit_int(k, 1 + pick(c, 3)));
    }
    return p;
}

/* tumble, hop, and sessions of values that stand for time. */
static struct sql_plan *random_time(struct kit *k, struct chance *c, unsigned depth) {
    struct sql_plan *in = random_plan(k, c, depth - 1);
    bool session = pick(c, 2);
    struct sql_plan *p =
        kit_plan(k, session ? SQL_PLAN_SESSION : SQL_PLAN_TUMBLE, COLUMNS + 2, 1, in);
    p->partition = arena_zalloc(&k->memory, 1, sizeof *p->partition);
    assert_non_null(p->partition);
    p->partitions = pick(c, 2);
    p->partition[0] = pick(c, COLUMNS);
    p->time_column = pick(c, COLUMNS);
    p->gap = 1 + pick(c, 2);
    p->slide = 1 + pick(c, 2);
    p->size = p->slide * (1 + pick(c, 2));
    p->offset_time = pick(c, 2);
    return p;
}

static struct sql_plan *random_node(struct kit *k, struct chance *c, unsigned depth) {
    switch (pick(c, 12)) {
    case 0:
        return kit_filter(k, random_plan(k, c, depth - 1), condition(k, c, COLUMNS));
    case 1:
    case 2:
    case 3:
        return random_join(k, c, depth);
    case 4:
    case 5:
        return random_group(k, c, depth);
    case 6:
        return random_top(k, c, depth);
    case 7:
        return kit_plan(k, SQL_PLAN_DISTINCT, COLUMNS, 1, random_plan(k, c, depth - 1));
    case 8:
    case 9:
        return random_window(k, c, depth);
    case 10:
        return random_time(k, c, depth);
    default:
        return random_set(k, c, depth);
    }
}

static struct sql_plan *random_plan(struct kit *k, struct chance *c, unsigned depth) {
    if (depth == 0 || k->query.plans > KIT_PLANS_MAX - 20 || pick(c, 5) == 0) {
        unsigned scan = pick(c, SCANS);
        return (struct sql_plan *)(uintptr_t)k->scans[scan];
    }
    return three(k, c, random_node(k, c, depth));
}

/* ---- rows --------------------------------------------------------------------------------- */

struct table {
    unsigned rows;
    char row[ROWS_MAX][32];
};

static void random_row(struct chance *c, char *out, size_t size) {
    size_t at = 0;
    for (unsigned i = 0; i < COLUMNS; i++) {
        unsigned value = pick(c, 5);
        const char *comma = i ? "," : "";
        at += (size_t)(value == 4 ? snprintf(out + at, size - at, "%sNULL", comma)
                                  : snprintf(out + at, size - at, "%s%u", comma, value));
    }
}

/* Changes TABLE, and says so as text of rows. */
static void random_change(struct chance *c, struct table *t, bool only_more, char *out,
                          size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (unsigned changes = pick(c, 6); changes > 0; changes--) {
        bool less = !only_more && t->rows && pick(c, 5) < 2;
        if (!less && t->rows == ROWS_MAX)
            continue;
        if (less) {
            unsigned which = pick(c, t->rows);
            at += (size_t)snprintf(out + at, size - at, "~%s ", t->row[which]);
            memmove(t->row[which], t->row[--t->rows], sizeof t->row[which]);
        } else {
            random_row(c, t->row[t->rows], sizeof t->row[0]);
            at += (size_t)snprintf(out + at, size - at, "%s ", t->row[t->rows++]);
        }
    }
}

static void push_table(struct kit *k, unsigned scan, const struct table *t) {
    for (unsigned i = 0; i < t->rows; i++)
        kit_push(k, scan, t->row[i]);
}

static const char *answer_once(struct kit *view, const struct table *tables, unsigned first) {
    struct kit k = kit_make();
    memcpy(k.scans, view->scans, sizeof k.scans);
    k.query = view->query;
    kit_run(&k, view->query.plan, true);
    for (unsigned i = 0; i < SCANS; i++) {
        unsigned scan = (first + i) % SCANS;
        push_table(&k, scan, &tables[scan]);
        if (kit_input(&k, scan) != UINT32_MAX)
            sql_exec_end_input(k.exec, kit_input(&k, scan));
    }
    kit_end(&k);
    assert_true(k.least_weight >= 0);
    slice copy;
    assert_int_equal(arena_copy(&view->memory, slice_str(kit_text(&k)), &copy), 0);
    kit_free(&k);
    return copy.ptr;
}

static void run_one(unsigned seed) {
    static const struct sql_table stream = {.kind = SQL_TABLE_STREAM, .watermark_column = -1};
    struct chance c = {seed * 0x9e3779b97f4a7c15u + 1};
    struct kit k = kit_make();
    struct table tables[SCANS] = {{.rows = 0}};
    bool only_more = pick(&c, 3) == 0;
    for (unsigned i = 0; i < SCANS; i++) {
        struct sql_plan *scan = kit_scan(&k, COLUMNS);
        if (only_more)
            scan->table = &stream;
    }
    kit_run(&k, random_plan(&k, &c, DEPTH), false);
    for (unsigned step = 0; step < STEPS; step++) {
        for (unsigned i = 0; i < 2 * SCANS; i++) {
            char rows[512];
            unsigned scan = pick(&c, SCANS);
            random_change(&c, &tables[scan], only_more, rows, sizeof rows);
            kit_push(&k, scan, rows);
        }
        kit_end(&k);
        const char *once = answer_once(&k, tables, pick(&c, SCANS));
        const char *view = kit_text(&k);
        if (strcmp(view, once) != 0)
            print_error("seed %u, step %u\n", seed, step);
        assert_string_equal(view, once);
    }
    kit_free(&k);
}

static void a_view_is_what_the_query_answers(void **state) {
    (void)state;
    const char *only = getenv("SEED");
    if (only) {
        run_one((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= PLANS; seed++)
        run_one(seed);
}

/* ---- saved states ------------------------------------------------------------------------- */

#define SAVED_PLANS 600u

/* Random changes, the same to both; all that comes out must be the same, in the same order. */
static void change_both(struct chance *c, struct kit *a, struct kit *b, struct table *tables,
                        bool only_more) {
    for (unsigned i = 0; i < 2 * SCANS; i++) {
        char rows[512];
        unsigned scan = pick(c, SCANS);
        random_change(c, &tables[scan], only_more, rows, sizeof rows);
        kit_push(a, scan, rows);
        kit_push(b, scan, rows);
    }
    kit_end(a);
    kit_end(b);
}

static void expect_alike(struct kit *a, struct kit *b, unsigned seed, unsigned step) {
    const char *one = buf_text(&a->trace), *other = buf_text(&b->trace);
    struct sql_exec_stats stats = sql_exec_stats(a->exec), other_stats = sql_exec_stats(b->exec);
    if (strcmp(one, other) != 0 || memcmp(&stats, &other_stats, sizeof stats) != 0)
        print_error("seed %u, step %u\n", seed, step);
    assert_string_equal(one, other);
    assert_memory_equal(&stats, &other_stats, sizeof stats);
    buf_clear(&a->trace);
    buf_clear(&b->trace);
}

/* One goes on; the other is loaded anew now and then, from either of them. */
static void save_one(unsigned seed) {
    static const struct sql_table stream = {.kind = SQL_TABLE_STREAM, .watermark_column = -1};
    struct chance c = {seed * 0x9e3779b97f4a7c15u + 7};
    struct kit kits[3] = {kit_make(), kit_make(), kit_make()};
    struct kit *a = &kits[0], *b = &kits[1], *next = &kits[2];
    struct table tables[SCANS] = {{.rows = 0}};
    bool only_more = pick(&c, 3) == 0;
    for (unsigned i = 0; i < SCANS; i++) {
        struct sql_plan *scan = kit_scan(a, COLUMNS);
        if (only_more)
            scan->table = &stream;
    }
    a->traces = b->traces = next->traces = true;
    kit_run(a, random_plan(a, &c, DEPTH), false);
    kit_save(a);
    b->seed = 1;
    kit_load(a, b);
    for (unsigned step = 0; step < 2 * STEPS; step++) {
        change_both(&c, a, b, tables, only_more);
        expect_alike(a, b, seed, step);
        if (pick(&c, 2))
            continue;
        struct kit *from = pick(&c, 2) ? a : b, *old = b;
        kit_save(from);
        next->seed = step + 2;
        kit_load(from, next);
        b = next;
        next = old;
        expect_alike(a, b, seed, step);
    }
    for (unsigned i = array_count(kits); i-- > 0;) /* the first has the plan */
        kit_free(&kits[i]);
}

static void a_state_that_was_saved_goes_on_as_if_nothing_had_been(void **state) {
    (void)state;
    const char *only = getenv("SEED");
    if (only) {
        save_one((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= SAVED_PLANS; seed++)
        save_one(seed);
}

static int drop_rows(void *self, const struct sql_batch *batch, struct sql_error *error) {
    (void)self;
    (void)batch;
    (void)error;
    return 0;
}

/* Runs a view with the FAULT-th allocation failing for good. False: it was not reached. */
static bool run_with_fault(unsigned seed, unsigned long fault) {
    struct chance c = {seed * 0x9e3779b97f4a7c15u + 1};
    struct kit k = kit_make();
    struct table tables[SCANS] = {{.rows = 0}};
    (void)pick(&c, 3);
    for (unsigned i = 0; i < SCANS; i++)
        (void)kit_scan(&k, COLUMNS);
    k.query.plan = random_plan(&k, &c, DEPTH);
    struct sql_exec_options options = {.memory_max = 1 << 24, .emit = drop_rows};
    mem_fail_at(fault, true);
    unsigned long before = mem_attempts();
    int r = sql_exec_new(&k.query, &options, &k.exec, &k.error);
    for (unsigned step = 0; r == 0 && step < 3; step++) {
        char rows[512];
        for (unsigned scan = 0; r == 0 && scan < SCANS; scan++) {
            random_change(&c, &tables[scan], false, rows, sizeof rows);
            r = kit_try_push(&k, scan, rows);
        }
        if (r == 0)
            r = sql_exec_end_step(k.exec, &k.error);
    }
    bool reached = mem_attempts() - before >= fault;
    mem_fail_at(0, false);
    if (r && (reached || strcmp(k.error.state, "53200") == 0))
        assert_string_equal(k.error.state, "53200");
    kit_free(&k);
    return reached;
}

/* Whatever allocation fails, it is an error of the query and nothing else: no crash, no leak. */
static void no_memory_is_an_error_of_the_query(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= FAULTY_PLANS; seed++) {
        for (unsigned long fault = 1; fault < FAULTS_MAX; fault++) {
            if (!run_with_fault(seed, fault))
                break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_what_the_query_answers),
        cmocka_unit_test(a_state_that_was_saved_goes_on_as_if_nothing_had_been),
        cmocka_unit_test(no_memory_is_an_error_of_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
