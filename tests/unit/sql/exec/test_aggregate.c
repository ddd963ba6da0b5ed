/*
 * AGGREGATE: NULLs, groups that go, grouping sets, DISTINCT, FILTER, order, closing windows.
 */
#include "kit.h"

#include "sql/catalog.h"

static const struct sql_table stream = {.kind = SQL_TABLE_STREAM, .watermark_column = 1};

static void groups_come_change_and_go(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p =
        kit_aggregate(&k, kit_scan(&k, 2), 1, kit_list(&k, 1, kit_column(&k, 0)), 3);
    kit_set_aggregate(&k, p, 0, "count", NULL);
    kit_set_aggregate(&k, p, 1, "sum", kit_column(&k, 1));
    kit_set_aggregate(&k, p, 2, "max", kit_column(&k, 1));
    kit_run(&k, p, false);
    kit_end(&k);
    kit_expect(&k, "");
    kit_push(&k, 0, "1,5 1,7 NULL,1 NULL,2 2,NULL");
    kit_end(&k);
    kit_expect(&k, "1,2,12,7 2,1,NULL,NULL NULL,2,3,2");
    kit_push(&k, 0, "~1,7 ~2,NULL");
    kit_end(&k);
    kit_expect(&k, "1,1,5,5 NULL,2,3,2");
    kit_push(&k, 0, "~1,5 ~NULL,1 ~NULL,2");
    kit_end(&k);
    kit_expect(&k, "");
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
    kit_free(&k);
}

static void without_groups_there_is_always_a_row(void **state) {
    (void)state;
    for (unsigned once = 0; once < 2; once++) {
        struct kit k = kit_make();
        struct sql_plan *p = kit_aggregate(&k, kit_scan(&k, 1), 0, NULL, 2);
        kit_set_aggregate(&k, p, 0, "count", NULL);
        kit_set_aggregate(&k, p, 1, "min", kit_column(&k, 0));
        kit_run(&k, p, once);
        kit_end(&k);
        kit_expect(&k, "0,NULL");
        kit_free(&k);
    }
}

static void what_does_not_change_is_not_told(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p =
        kit_aggregate(&k, kit_scan(&k, 2), 1, kit_list(&k, 1, kit_column(&k, 0)), 1);
    kit_set_aggregate(&k, p, 0, "max", kit_column(&k, 1));
    kit_run(&k, p, false);
    kit_push(&k, 0, "1,5");
    kit_end(&k);
    kit_push(&k, 0, "1,4 1,3");
    kit_end(&k);
    assert_int_equal(sql_exec_stats(k.exec).rows_out, 1);
    kit_free(&k);
}

static void grouping_sets_are_told_apart(void **state) {
    (void)state;
    static uint64_t sets[] = {3, 1, 0}; /* (a, b), (a), () */
    static unsigned both[] = {0, 1};
    struct kit k = kit_make();
    struct sql_plan *p = kit_aggregate(&k, kit_scan(&k, 3), 2,
                                       kit_list(&k, 2, kit_column(&k, 0), kit_column(&k, 1)), 2);
    kit_set_aggregate(&k, p, 0, "sum", kit_column(&k, 2));
    p->aggregate[1] = (struct sql_plan_aggregate){
        .grouping_count = 2, .grouping = both, .type = sql_type_of(SQL_INT8)};
    p->grouping_sets = 3;
    p->grouping_set = sets;
    kit_run(&k, p, false);
    kit_end(&k);
    kit_expect(&k, "NULL,NULL,NULL,3");
    kit_push(&k, 0, "1,1,10 1,NULL,20 2,1,30");
    kit_end(&k);
    kit_expect(&k, "1,1,10,0 1,NULL,20,0 1,NULL,30,1 2,1,30,0 2,NULL,30,1 NULL,NULL,60,3");
    kit_free(&k);
}

static void distinct_counts_each_value_once(void **state) {
    (void)state;
    for (unsigned only_more = 0; only_more < 2; only_more++) {
        struct kit k = kit_make();
        struct sql_plan *scan = kit_scan(&k, 2);
        if (only_more)
            scan->table = &stream;
        struct sql_plan *p = kit_aggregate(&k, scan, 1, kit_list(&k, 1, kit_column(&k, 0)), 3);
        for (unsigned i = 0; i < 3; i++) {
            kit_set_aggregate(&k, p, i, "count_any", kit_column(&k, 1));
            p->aggregate[i].distinct = true;
        }
        p->aggregate[1].filter = kit_op(&k, '<', kit_column(&k, 1), kit_int(&k, 3));
        p->aggregate[2].filter = kit_op(&k, '<', kit_int(&k, 1), kit_column(&k, 1));
        kit_run(&k, p, false);
        kit_push(&k, 0, "1,1 1,1 1,2 1,3 1,NULL 2,9");
        kit_end(&k);
        kit_expect(&k, "1,3,2,2 2,1,0,1");
        if (!only_more) {
            kit_push(&k, 0, "~1,1 ~1,3");
            kit_end(&k);
            kit_expect(&k, "1,2,2,1 2,1,0,1");
        }
        kit_free(&k);
    }
}

static void a_filter_guards_the_argument(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_aggregate(&k, kit_scan(&k, 1), 0, NULL, 1);
    kit_set_aggregate(&k, p, 0, "sum", kit_op(&k, '/', kit_int(&k, 12), kit_column(&k, 0)));
    p->aggregate[0].filter = kit_op(&k, '<', kit_int(&k, 0), kit_column(&k, 0));
    kit_run(&k, p, false);
    kit_push(&k, 0, "0 2 3");
    kit_end(&k);
    kit_expect(&k, "10");
    kit_free(&k);
}

static void order_within_is_kept(void **state) {
    (void)state;
    static struct sql_sort_key descending = {.descending = true};
    struct kit k = kit_make();
    struct sql_plan *p = kit_aggregate(&k, kit_scan(&k, 2), 0, NULL, 1);
    kit_set_aggregate(&k, p, 0, "fold", kit_column(&k, 0));
    p->aggregate[0].order_count = 1;
    p->aggregate[0].order = kit_list(&k, 1, kit_column(&k, 1));
    p->aggregate[0].order_how = &descending;
    kit_run(&k, p, false);
    kit_push(&k, 0, "1,10 2,30 3,20");
    kit_end(&k);
    kit_expect(&k, "231");
    kit_push(&k, 0, "~3,20 4,5");
    kit_end(&k);
    kit_expect(&k, "214");
    kit_free(&k);
}

/* count(*), count(DISTINCT v) of (window_end, v): once, when the window closes. */
static void a_window_is_told_once_when_it_closes(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = kit_scan(&k, 2);
    scan->table = &stream;
    struct sql_plan *p = kit_aggregate(&k, scan, 1, kit_list(&k, 1, kit_column(&k, 0)), 2);
    kit_set_aggregate(&k, p, 0, "count", NULL);
    kit_set_aggregate(&k, p, 1, "count_any", kit_column(&k, 1));
    p->aggregate[1].distinct = true;
    p->close_group = 0;
    kit_run(&k, p, false);
    kit_push(&k, 0, "20,1 10,1 10,1 10,2");
    kit_end(&k);
    kit_expect(&k, "");
    assert_int_equal(sql_exec_watermark(k.exec, 0, 9, &k.error), 0);
    kit_end(&k);
    kit_expect(&k, "");
    kit_push(&k, 0, "10,3");
    assert_int_equal(sql_exec_watermark(k.exec, 0, 10, &k.error), 0);
    kit_end(&k);
    kit_expect(&k, "10,4,3");
    kit_push(&k, 0, "10,4 NULL,1"); /* late, and never to be closed */
    assert_int_equal(sql_exec_watermark(k.exec, 0, 25, &k.error), 0);
    kit_end(&k);
    kit_expect(&k, "10,4,3 20,1,1");
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
    /* Many at once, in whatever order they came. */
    kit_push(&k, 0, "31,1 58,1 33,1 57,1 40,1 35,1 56,1 26,1");
    assert_int_equal(sql_exec_watermark(k.exec, 0, 40, &k.error), 0);
    kit_end(&k);
    kit_expect(&k, "10,4,3 20,1,1 26,1,1 31,1,1 33,1,1 35,1,1 40,1,1");
    kit_free(&k);
}

static void what_states_gather_is_counted(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = kit_scan(&k, 1);
    scan->table = &stream;
    k.memory_max = 10000;
    struct sql_plan *p = kit_aggregate(&k, scan, 0, NULL, 1);
    kit_set_aggregate(&k, p, 0, "fold", kit_column(&k, 0));
    kit_run(&k, p, false);
    int r = 0;
    for (unsigned i = 0; r == 0 && i < 10000; i++)
        r = kit_try_push(&k, 0, "1");
    assert_int_not_equal(r, 0);
    assert_string_equal(k.error.state, "53200");
    kit_free(&k);
}

static void sessions_join_and_split(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_plan(&k, SQL_PLAN_SESSION, 4, 1, kit_scan(&k, 2));
    unsigned who = 0;
    p->partitions = 1;
    p->partition = &who;
    p->time_column = 1;
    p->gap = 10;
    kit_run(&k, p, false);
    kit_push(&k, 0, "1,0 1,20 2,5 1,NULL");
    kit_end(&k);
    kit_expect(&k, "1,0,0,10 1,20,20,30 2,5,5,15");
    kit_push(&k, 0, "1,10");
    kit_end(&k);
    kit_expect(&k, "1,0,0,30 1,10,0,30 1,20,0,30 2,5,5,15");
    kit_push(&k, 0, "~1,10");
    kit_end(&k);
    kit_expect(&k, "1,0,0,10 1,20,20,30 2,5,5,15");
    kit_push(&k, 0, "~1,0 ~1,20 ~2,5");
    kit_end(&k);
    kit_expect(&k, "");
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
    kit_free(&k);
}

static void complete_sessions_are_forgotten(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = kit_scan(&k, 2);
    scan->table = &stream;
    struct sql_plan *p = kit_plan(&k, SQL_PLAN_SESSION, 4, 1, scan);
    unsigned who = 0;
    p->partitions = 1;
    p->partition = &who;
    p->time_column = 1;
    p->gap = 10;
    kit_run(&k, p, false);
    kit_push(&k, 0, "1,0 1,5 1,40 2,0");
    assert_int_equal(sql_exec_watermark(k.exec, 0, 15, &k.error), 0);
    kit_end(&k);
    kit_push(&k, 0, "1,15"); /* at the very end of the first: it still joins it */
    kit_end(&k);
    kit_expect(&k, "1,0,0,25 1,15,0,25 1,40,40,50 1,5,0,25 2,0,0,10");
    assert_int_equal(sql_exec_watermark(k.exec, 0, 26, &k.error), 0);
    kit_end(&k);
    kit_end(&k);
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 2); /* 1's last row, its partition */
    kit_expect(&k, "1,0,0,25 1,15,0,25 1,40,40,50 1,5,0,25 2,0,0,10");
    kit_free(&k);
}

static void rows_are_in_the_windows_of_their_time(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_plan(&k, SQL_PLAN_TUMBLE, 3, 1, kit_scan(&k, 1));
    p->size = 10;
    p->slide = 5;
    p->offset_time = 1;
    kit_run(&k, p, false);
    kit_push(&k, 0, "1 -1 NULL 10");
    kit_end(&k);
    kit_expect(&k, "-1,-4,6 -1,-9,1 1,-4,6 1,1,11 10,1,11 10,6,16");
    kit_free(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_come_change_and_go),
        cmocka_unit_test(without_groups_there_is_always_a_row),
        cmocka_unit_test(what_does_not_change_is_not_told),
        cmocka_unit_test(grouping_sets_are_told_apart),
        cmocka_unit_test(distinct_counts_each_value_once),
        cmocka_unit_test(a_filter_guards_the_argument),
        cmocka_unit_test(order_within_is_kept),
        cmocka_unit_test(a_window_is_told_once_when_it_closes),
        cmocka_unit_test(what_states_gather_is_counted),
        cmocka_unit_test(sessions_join_and_split),
        cmocka_unit_test(complete_sessions_are_forgotten),
        cmocka_unit_test(rows_are_in_the_windows_of_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
