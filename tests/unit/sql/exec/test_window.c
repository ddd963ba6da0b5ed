/*
 * Window functions: the expected values are what PostgreSQL 15 answers.
 */
#include "kit.h"

static const char *const rows = "1,1,10 1,1,20 1,2,30 1,4,NULL 1,NULL,50 1,NULL,60 2,3,70 2,5,5x2";

/* OVER (PARTITION BY column 0 ORDER BY column 1 …), of column 2. */
static const struct window_case {
    enum sql_window_function function;
    const char *aggregate;
    enum sql_frame_mode mode;
    enum sql_frame_bound start;
    int start_offset;
    enum sql_frame_bound end;
    int end_offset;
    enum sql_frame_exclude exclude;
    bool descending, nulls_first;
    const char *expected;
} cases[] = {
    {SQL_WINDOW_ROW_NUMBER, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_CURRENT, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,1 1,1,20,2 1,2,30,3 1,4,NULL,4 1,NULL,50,5 1,NULL,60,6 2,3,70,1 2,5,5,2 "
     "2,5,5,3"},
    {SQL_WINDOW_RANK, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,1 1,1,20,1 1,2,30,3 1,4,NULL,4 1,NULL,50,5 1,NULL,60,5 2,3,70,1 2,5,5,2x2"},
    {SQL_WINDOW_DENSE_RANK, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_CURRENT, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,1 1,1,20,1 1,2,30,2 1,4,NULL,3 1,NULL,50,4 1,NULL,60,4 2,3,70,1 2,5,5,2x2"},
    {SQL_WINDOW_NTILE, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0, SQL_FRAME_CURRENT,
     0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,1 1,1,20,1 1,2,30,2 1,4,NULL,2 1,NULL,50,3 1,NULL,60,3 2,3,70,1 2,5,5,2 "
     "2,5,5,3"},
    {SQL_WINDOW_LAG, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,-1 1,1,20,-1 1,2,30,10 1,4,NULL,20 1,NULL,50,30 1,NULL,60,NULL 2,3,70,-1 "
     "2,5,5,-1 2,5,5,70"},
    {SQL_WINDOW_LEAD, NULL, SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,20 1,1,20,30 1,2,30,NULL 1,4,NULL,50 1,NULL,50,60 1,NULL,60,NULL 2,3,70,5 "
     "2,5,5,5 2,5,5,NULL"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_CURRENT, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,30 1,1,20,30 1,2,30,60 1,4,NULL,60 1,NULL,50,170 1,NULL,60,170 2,3,70,70 "
     "2,5,5,80x2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_RANGE, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_CURRENT, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,10 1,4,NULL,10 1,NULL,50,10 1,NULL,60,10 2,3,70,70 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,60 1,1,20,60 1,2,30,60 1,4,NULL,NULL 1,NULL,50,110 1,NULL,60,110 2,3,70,70 "
     "2,5,5,10x2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_RANGE, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,10 1,4,NULL,NULL 1,NULL,50,50 1,NULL,60,50 2,3,70,70 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_CURRENT, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,170 1,1,20,170 1,2,30,140 1,4,NULL,110 1,NULL,50,110 1,NULL,60,110 "
     "2,3,70,80 2,5,5,10x2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_RANGE, SQL_FRAME_CURRENT, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,30 1,4,NULL,50 1,NULL,50,50 1,NULL,60,50 2,3,70,5 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_FOLLOWING, 1, SQL_FRAME_FOLLOWING, 2,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,30 1,1,20,30 1,2,30,NULL 1,4,NULL,NULL 1,NULL,50,110 1,NULL,60,110 "
     "2,3,70,10 2,5,5,NULLx2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_RANGE, SQL_FRAME_FOLLOWING, 1, SQL_FRAME_FOLLOWING, 2,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,30 1,1,20,30 1,2,30,NULL 1,4,NULL,NULL 1,NULL,50,50 1,NULL,60,50 2,3,70,5 "
     "2,5,5,NULLx2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,30 1,2,30,50 1,4,NULL,30 1,NULL,50,50 1,NULL,60,110 2,3,70,70 "
     "2,5,5,10 2,5,5,75"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,20 1,4,NULL,30 1,NULL,50,50 1,NULL,60,50 2,3,70,70 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 2, SQL_FRAME_PRECEDING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,NULL 1,1,20,10 1,2,30,30 1,4,NULL,50 1,NULL,50,30 1,NULL,60,50 2,3,70,NULL "
     "2,5,5,70 2,5,5,75"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 2, SQL_FRAME_PRECEDING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,NULL 1,1,20,10 1,2,30,10 1,4,NULL,20 1,NULL,50,30 1,NULL,60,50 2,3,70,NULL "
     "2,5,5,5 2,5,5,70"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_FOLLOWING, 1, SQL_FRAME_FOLLOWING, 9,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,160 1,1,20,140 1,2,30,110 1,4,NULL,110 1,NULL,50,60 1,NULL,60,NULL "
     "2,3,70,10 2,5,5,5 2,5,5,NULL"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_ROWS, SQL_FRAME_FOLLOWING, 1, SQL_FRAME_FOLLOWING, 9,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,20 1,1,20,30 1,2,30,50 1,4,NULL,50 1,NULL,50,60 1,NULL,60,NULL 2,3,70,5 "
     "2,5,5,5 2,5,5,NULL"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_CURRENT, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,170 1,1,20,160 1,2,30,140 1,4,NULL,110 1,NULL,50,110 1,NULL,60,60 "
     "2,3,70,80 2,5,5,10 2,5,5,5"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_ROWS, SQL_FRAME_CURRENT, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,20 1,2,30,30 1,4,NULL,50 1,NULL,50,50 1,NULL,60,60 2,3,70,5 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_GROUPS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,60 1,1,20,60 1,2,30,60 1,4,NULL,140 1,NULL,50,110 1,NULL,60,110 2,3,70,80 "
     "2,5,5,80x2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_GROUPS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,10 1,4,NULL,30 1,NULL,50,50 1,NULL,60,50 2,3,70,5 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_GROUPS, SQL_FRAME_FOLLOWING, 1,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,140 1,1,20,140 1,2,30,110 1,4,NULL,110 1,NULL,50,NULL 1,NULL,60,NULL "
     "2,3,70,10 2,5,5,NULLx2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_GROUPS, SQL_FRAME_FOLLOWING, 1,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,30 1,1,20,30 1,2,30,50 1,4,NULL,50 1,NULL,50,NULL 1,NULL,60,NULL 2,3,70,5 "
     "2,5,5,NULLx2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_GROUPS, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_PRECEDING, 1, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,NULL 1,1,20,NULL 1,2,30,30 1,4,NULL,60 1,NULL,50,60 1,NULL,60,60 "
     "2,3,70,NULL 2,5,5,70x2"},
    {SQL_WINDOW_AGGREGATE, "min", SQL_FRAME_GROUPS, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_PRECEDING, 1, SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,NULL 1,1,20,NULL 1,2,30,10 1,4,NULL,10 1,NULL,50,10 1,NULL,60,10 "
     "2,3,70,NULL 2,5,5,70x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_CURRENT, false, false,
     "1,1,10,160 1,1,20,150 1,2,30,140 1,4,NULL,170 1,NULL,50,120 1,NULL,60,110 "
     "2,3,70,10 2,5,5,75x2"},
    {SQL_WINDOW_LAST_VALUE, NULL, SQL_FRAME_GROUPS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_CURRENT, false, false,
     "1,1,10,20 1,1,20,10 1,2,30,20 1,4,NULL,30 1,NULL,50,60 1,NULL,60,50 2,3,70,NULL "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_GROUP, false, false,
     "1,1,10,140 1,1,20,140 1,2,30,140 1,4,NULL,170 1,NULL,50,60 1,NULL,60,60 2,3,70,10 "
     "2,5,5,70x2"},
    {SQL_WINDOW_LAST_VALUE, NULL, SQL_FRAME_GROUPS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_GROUP, false, false,
     "1,1,10,NULL 1,1,20,NULL 1,2,30,20 1,4,NULL,30 1,NULL,50,NULL 1,NULL,60,NULL "
     "2,3,70,NULL 2,5,5,70x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_ROWS, SQL_FRAME_UNBOUNDED_PRECEDING, 0,
     SQL_FRAME_UNBOUNDED_FOLLOWING, 0, SQL_EXCLUDE_TIES, false, false,
     "1,1,10,150 1,1,20,160 1,2,30,170 1,4,NULL,170 1,NULL,50,110 1,NULL,60,120 "
     "2,3,70,80 2,5,5,75x2"},
    {SQL_WINDOW_LAST_VALUE, NULL, SQL_FRAME_GROUPS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_TIES, false, false,
     "1,1,10,10 1,1,20,20 1,2,30,30 1,4,NULL,NULL 1,NULL,50,50 1,NULL,60,60 2,3,70,70 "
     "2,5,5,5x2"},
    {SQL_WINDOW_FIRST_VALUE, NULL, SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,10 1,1,20,10 1,2,30,20 1,4,NULL,30 1,NULL,50,NULL 1,NULL,60,50 2,3,70,70 "
     "2,5,5,5 2,5,5,70"},
    {SQL_WINDOW_LAST_VALUE, NULL, SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,20 1,1,20,30 1,2,30,NULL 1,4,NULL,50 1,NULL,50,60 1,NULL,60,60 2,3,70,5 "
     "2,5,5,5x2"},
    {SQL_WINDOW_NTH_VALUE, NULL, SQL_FRAME_ROWS, SQL_FRAME_PRECEDING, 1, SQL_FRAME_FOLLOWING, 1,
     SQL_EXCLUDE_NOTHING, false, false,
     "1,1,10,20 1,1,20,20 1,2,30,30 1,4,NULL,NULL 1,NULL,50,50 1,NULL,60,60 2,3,70,5 "
     "2,5,5,5x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, true, false,
     "1,1,10,60 1,1,20,60 1,2,30,30 1,4,NULL,NULL 1,NULL,50,110 1,NULL,60,110 2,3,70,70 "
     "2,5,5,10x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, false, true,
     "1,1,10,30 1,1,20,30 1,2,30,60 1,4,NULL,NULL 1,NULL,50,110 1,NULL,60,110 2,3,70,70 "
     "2,5,5,10x2"},
    {SQL_WINDOW_AGGREGATE, "sum", SQL_FRAME_RANGE, SQL_FRAME_PRECEDING, 1, SQL_FRAME_CURRENT, 0,
     SQL_EXCLUDE_NOTHING, true, true,
     "1,1,10,60 1,1,20,60 1,2,30,30 1,4,NULL,NULL 1,NULL,50,110 1,NULL,60,110 2,3,70,70 "
     "2,5,5,10x2"},
};

/* lag(c, 2, -1), ntile(3), nth_value(c, 2); others of c, or of nothing. */
static void set_arguments(struct kit *k, struct sql_plan_window *f) {
    f->count = 1;
    f->arguments = kit_list(k, 1, kit_column(k, 2));
    switch (f->function) {
    case SQL_WINDOW_NTILE:
        f->arguments = kit_list(k, 1, kit_int(k, 3));
        break;
    case SQL_WINDOW_LAG:
        f->count = 3;
        f->arguments = kit_list(k, 3, kit_column(k, 2), kit_int(k, 2), kit_int(k, -1));
        break;
    case SQL_WINDOW_NTH_VALUE:
        f->count = 2;
        f->arguments = kit_list(k, 2, kit_column(k, 2), kit_int(k, 2));
        break;
    case SQL_WINDOW_ROW_NUMBER:
    case SQL_WINDOW_RANK:
    case SQL_WINDOW_DENSE_RANK:
        f->count = 0;
        break;
    default:
        break;
    }
}

static struct sql_plan *plan_of(struct kit *k, const struct window_case *c) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_WINDOW, 4, 1, kit_scan(k, 3));
    struct sql_plan_window *f = arena_zalloc(&k->memory, 1, sizeof *f);
    p->order = arena_zalloc(&k->memory, 1, sizeof *p->order);
    p->partition = arena_zalloc(&k->memory, 1, sizeof *p->partition);
    assert_true(f && p->order && p->partition);
    p->windows = 1;
    p->window = f;
    p->partitions = 1;
    p->orders = 1;
    p->order[0] = (struct sql_sort_key){1, c->descending, c->nulls_first};
    *f = (struct sql_plan_window){.function = c->function,
                                  .type = sql_type_of(SQL_INT8),
                                  .mode = c->mode,
                                  .start = c->start,
                                  .end = c->end,
                                  .start_offset = kit_int(k, c->start_offset),
                                  .end_offset = kit_int(k, c->end_offset),
                                  .plus = kit_function('+'),
                                  .minus = kit_function('-'),
                                  .exclude = c->exclude};
    if (c->aggregate)
        f->aggregate = kit_aggregate_named(c->aggregate);
    set_arguments(k, f);
    return p;
}

static void functions_give_what_postgresql_gives(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(cases); i++) {
        struct kit k = kit_make();
        kit_run(&k, plan_of(&k, &cases[i]), false);
        kit_push(&k, 0, rows);
        kit_end(&k);
        if (strcmp(kit_text(&k), cases[i].expected) != 0)
            print_error("case %zu\n", i);
        kit_expect(&k, cases[i].expected);
        kit_push(&k, 0, "~1,1,10 ~1,1,20 ~1,2,30 ~1,4,NULL ~1,NULL,50 ~1,NULL,60 ~2,3,70 ~2,5,5x2");
        kit_end(&k);
        kit_expect(&k, "");
        assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
        kit_free(&k);
    }
}

static void only_what_has_changed_is_told(void **state) {
    (void)state;
    struct window_case c = {SQL_WINDOW_ROW_NUMBER, .expected = NULL};
    struct kit k = kit_make();
    kit_run(&k, plan_of(&k, &c), false);
    kit_push(&k, 0, "1,1,1 1,2,2 1,3,3 2,1,1");
    kit_end(&k);
    uint64_t before = sql_exec_stats(k.exec).rows_out;
    kit_push(&k, 0, "1,4,4");
    kit_end(&k);
    kit_expect(&k, "1,1,1,1 1,2,2,2 1,3,3,3 1,4,4,4 2,1,1,1");
    assert_int_equal(sql_exec_stats(k.exec).rows_out - before, 1);
    kit_free(&k);
}

static void offsets_are_checked(void **state) {
    (void)state;
    struct window_case c = {SQL_WINDOW_FIRST_VALUE, .mode = SQL_FRAME_ROWS,
                            .start = SQL_FRAME_PRECEDING, .start_offset = -1,
                            .end = SQL_FRAME_CURRENT};
    struct kit k = kit_make();
    k.query.plan = plan_of(&k, &c);
    struct sql_exec_options options = {.memory_max = 1 << 20};
    assert_int_not_equal(sql_exec_new(&k.query, &options, &k.exec, &k.error), 0);
    assert_string_equal(k.error.state, "22013");
    assert_string_equal(k.error.message, "frame starting offset must not be negative");
    kit_free(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_give_what_postgresql_gives),
        cmocka_unit_test(only_what_has_changed_is_told),
        cmocka_unit_test(offsets_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
