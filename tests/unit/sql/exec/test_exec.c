/*
 * The executor: plans as graphs, rows without input, set functions, set operations, TOP, what is
 * not kept.
 */
#include "kit.h"

#include "sql/catalog.h"

#include <stdio.h>

static const struct sql_table stream = {.kind = SQL_TABLE_STREAM, .watermark_column = -1};

static void values_are_given_once(void **state) {
    (void)state;
    for (unsigned once = 0; once < 2; once++) {
        struct kit k = kit_make();
        struct sql_plan *p = kit_plan(&k, SQL_PLAN_VALUES, 2, 0);
        p->rows = 2;
        p->expressions = 4;
        p->expression = kit_list(&k, 4, kit_int(&k, 1), kit_null(&k), kit_int(&k, 2),
                                 kit_op(&k, '+', kit_int(&k, 3), kit_int(&k, 4)));
        kit_run(&k, p, once);
        kit_end(&k);
        kit_expect(&k, "1,NULL 2,7");
        if (!once)
            kit_end(&k);
        kit_expect(&k, "1,NULL 2,7");
        kit_free(&k);
    }
}

static void a_select_without_from_has_one_row(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_plan(&k, SQL_PLAN_VALUES, 0, 0);
    p->rows = 1;
    kit_run(&k, kit_project(&k, p, 1, kit_list(&k, 1, kit_int(&k, 5))), true);
    kit_end(&k);
    kit_expect(&k, "5");
    kit_free(&k);
}

static int series(struct sql_call *call, const union sql_cell *arguments,
                  int (*emit)(void *to, const union sql_cell *cells, const uint8_t *nulls),
                  void *to) {
    (void)call;
    int r = 0;
    for (int64_t i = 1; r == 0 && i <= arguments[0].i; i++) {
        union sql_cell cell = {.i = i};
        r = emit(to, &cell, NULL);
    }
    return r;
}

static const struct sql_function series_function = {
    .name = "series", .result = SQL_INT8, .count = 1, .arguments = {SQL_INT8}, .set = series};

static struct sql_plan *plan_of_sets(struct kit *k, unsigned sets, bool ordinality, bool outer) {
    struct sql_plan *in = kit_scan(k, 2);
    struct sql_plan *p = kit_plan(k, SQL_PLAN_SET, 2 + sets + ordinality, 1, in);
    p->sets = sets;
    p->set = arena_zalloc(&k->memory, sets, sizeof *p->set);
    assert_non_null(p->set);
    for (unsigned i = 0; i < sets; i++)
        p->set[i] = (struct sql_plan_set){&series_function, 1, kit_list(k, 1, kit_column(k, i)), 1};
    p->ordinality = ordinality;
    p->outer = outer;
    return p;
}

static void set_functions_run_side_by_side(void **state) {
    (void)state;
    static const struct {
        unsigned sets;
        bool ordinality, outer;
        const char *expected;
    } cases[] = {
        {1, false, false, "2,1,1 2,1,2"},
        {1, true, true, "0,3,NULL,NULL 2,1,1,1 2,1,2,2 NULL,1,NULL,NULL"},
        {2, true, false,
         "0,3,NULL,1,1 0,3,NULL,2,2 0,3,NULL,3,3 2,1,1,1,1 2,1,2,NULL,2 NULL,1,NULL,1,1"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct kit k = kit_make();
        kit_run(&k, plan_of_sets(&k, cases[i].sets, cases[i].ordinality, cases[i].outer), false);
        kit_push(&k, 0, "2,1 0,3 NULL,1");
        kit_end(&k);
        kit_expect(&k, cases[i].expected);
        kit_push(&k, 0, "~2,1 ~0,3 ~NULL,1");
        kit_end(&k);
        kit_expect(&k, "");
        kit_free(&k);
    }
}

static void set_operations_count_rows(void **state) {
    (void)state;
    static const struct {
        enum sql_plan_kind kind;
        bool all;
        const char *expected;
    } cases[] = {
        {SQL_PLAN_UNION, true, "1x3 2x2 3 NULLx2"},
        {SQL_PLAN_INTERSECT, false, "1 2 NULL"},
        {SQL_PLAN_INTERSECT, true, "1 2 NULL"},
        {SQL_PLAN_EXCEPT, false, ""},
        {SQL_PLAN_EXCEPT, true, "1"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct kit k = kit_make();
        struct sql_plan *l = kit_scan(&k, 1), *r = kit_scan(&k, 1);
        struct sql_plan *p = kit_plan(&k, cases[i].kind, 1, 2, l, r);
        p->all = cases[i].all;
        kit_run(&k, p, false);
        kit_push(&k, 0, "1x2 2 NULL");
        kit_push(&k, 1, "1 2 3 NULL");
        kit_end(&k);
        kit_expect(&k, cases[i].expected);
        kit_free(&k);
    }
}

static void a_plan_with_two_parents_is_one_operator(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *shared =
        kit_filter(&k, kit_scan(&k, 1), kit_op(&k, '<', kit_column(&k, 0), kit_int(&k, 3)));
    kit_run(&k, kit_plan(&k, SQL_PLAN_UNION, 1, 2, shared, shared), false);
    assert_int_equal(sql_exec_inputs(k.exec), 1);
    kit_push(&k, 0, "1 2 3");
    kit_end(&k);
    kit_expect(&k, "1x2 2x2");
    kit_free(&k);
}

static void top_keeps_places(void **state) {
    (void)state;
    static const struct {
        enum sql_top_kind kind;
        int64_t limit, offset;
        const char *expected;
    } cases[] = {
        {SQL_TOP_ROW_NUMBER, 2, 0, "1,9x2"},   {SQL_TOP_ROW_NUMBER, -1, 3, "1,5 1,7"},
        {SQL_TOP_ROW_NUMBER, 2, 2, "1,7 1,8"}, {SQL_TOP_RANK, 1, 0, "1,9x2"},
        {SQL_TOP_RANK, 3, 0, "1,8 1,9x2"},     {SQL_TOP_DENSE_RANK, 2, 0, "1,8 1,9x2"},
        {SQL_TOP_ROW_NUMBER, 0, 0, ""},
    };
    for (size_t i = 0; i < array_count(cases) * 2; i++) {
        struct kit k = kit_make();
        struct sql_plan *scan = kit_scan(&k, 2);
        if (i % 2)
            scan->table = &stream;
        struct sql_plan *p =
            kit_top(&k, scan, cases[i / 2].kind, cases[i / 2].limit, cases[i / 2].offset);
        p->partitions = 1;
        p->order[0] = (struct sql_sort_key){1, true, true};
        kit_run(&k, p, false);
        kit_push(&k, 0, "1,5");
        kit_end(&k);
        kit_push(&k, 0, "1,7 1,9x2 1,8");
        kit_end(&k);
        kit_expect(&k, cases[i / 2].expected);
        kit_free(&k);
    }
}

static void top_of_rows_that_stay_keeps_no_more_than_it_shows(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = kit_scan(&k, 2);
    scan->table = &stream;
    struct sql_plan *p = kit_top(&k, scan, SQL_TOP_ROW_NUMBER, 3, 0);
    p->order[0] = (struct sql_sort_key){1, true, true};
    kit_run(&k, p, false);
    for (int i = 0; i < 1000; i++) {
        char row[32];
        (void)snprintf(row, sizeof row, "1,%d", i);
        kit_push(&k, 0, row);
        kit_end(&k);
    }
    kit_expect(&k, "1,997 1,998 1,999");
    assert_true(sql_exec_stats(k.exec).state_rows <= 4);
    kit_free(&k);
}

static void limit_without_order_needs_no_more_rows(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_top(&k, kit_scan(&k, 1), SQL_TOP_ROW_NUMBER, 2, 1);
    p->orders = 0;
    kit_run(&k, p, true);
    kit_push(&k, 0, "1 2");
    assert_false(sql_exec_full(k.exec));
    kit_push(&k, 0, "3x5 4");
    assert_true(sql_exec_full(k.exec));
    kit_end(&k);
    kit_expect(&k, "2 3");
    kit_free(&k);
}

static void once_does_not_keep_the_probing_side(void **state) {
    (void)state;
    struct kit k = kit_make();
    kit_run(&k, kit_join_scans(&k, SQL_JOIN_LEFT, 1, 0, 0), true);
    kit_push(&k, 1, "1");
    sql_exec_end_input(k.exec, kit_input(&k, 1));
    uint64_t before = sql_exec_stats(k.exec).state_rows;
    kit_push(&k, 0, "1x3 2 NULL");
    assert_int_equal(sql_exec_stats(k.exec).state_rows, before);
    kit_end(&k);
    kit_expect(&k, "1,1x3 2,NULL NULL,NULL");
    kit_free(&k);
}

static void the_built_side_is_the_first_input(void **state) {
    (void)state;
    struct kit k = kit_make();
    kit_run(&k, kit_join_scans(&k, SQL_JOIN_INNER, 1, 0, 0), true);
    assert_ptr_equal(sql_exec_input(k.exec, 0), k.scans[1]);
    assert_ptr_equal(sql_exec_input(k.exec, 1), k.scans[0]);
    kit_free(&k);
}

static void an_error_ends_it(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_expr *e = kit_op(&k, '/', kit_int(&k, 1), kit_column(&k, 0));
    kit_run(&k, kit_project(&k, kit_scan(&k, 1), 1, kit_list(&k, 1, e)), false);
    assert_int_not_equal(kit_try_push(&k, 0, "1 0"), 0);
    assert_string_equal(k.error.state, "22012");
    k.error = (struct sql_error){.state = ""};
    assert_int_not_equal(sql_exec_end_step(k.exec, &k.error), 0);
    assert_string_equal(k.error.state, "22012");
    kit_free(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_given_once),
        cmocka_unit_test(a_select_without_from_has_one_row),
        cmocka_unit_test(set_functions_run_side_by_side),
        cmocka_unit_test(set_operations_count_rows),
        cmocka_unit_test(a_plan_with_two_parents_is_one_operator),
        cmocka_unit_test(top_keeps_places),
        cmocka_unit_test(top_of_rows_that_stay_keeps_no_more_than_it_shows),
        cmocka_unit_test(limit_without_order_needs_no_more_rows),
        cmocka_unit_test(once_does_not_keep_the_probing_side),
        cmocka_unit_test(the_built_side_is_the_first_input),
        cmocka_unit_test(an_error_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
