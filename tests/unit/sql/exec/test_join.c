/*
 * JOIN of all kinds: NULLs, retraction, predicates, both ways of answering (a view, and once).
 */
#include "kit.h"

#include "sql/catalog.h"

#include <stdio.h>

struct join_case {
    const char *name;
    enum sql_join_kind kind;
    const char *left, *right; /* rows "key,value" */
    const char *expected;     /* without a predicate */
    const char *filtered;     /* with left's value < right's value */
};

static const char *const left_rows = "1,10 2,20 2,25 3,30 NULL,40";
static const char *const right_rows = "1,11 2,20 2,22 4,44 NULL,55";

static const struct join_case cases[] = {
    {"inner", SQL_JOIN_INNER, NULL, NULL, "1,10,1,11 2,20,2,20 2,20,2,22 2,25,2,20 2,25,2,22",
     "1,10,1,11 2,20,2,22"},
    {"left", SQL_JOIN_LEFT, NULL, NULL,
     "1,10,1,11 2,20,2,20 2,20,2,22 2,25,2,20 2,25,2,22 3,30,NULL,NULL NULL,40,NULL,NULL",
     "1,10,1,11 2,20,2,22 2,25,NULL,NULL 3,30,NULL,NULL NULL,40,NULL,NULL"},
    {"right", SQL_JOIN_RIGHT, NULL, NULL,
     "1,10,1,11 2,20,2,20 2,20,2,22 2,25,2,20 2,25,2,22 NULL,NULL,4,44 NULL,NULL,NULL,55",
     "1,10,1,11 2,20,2,22 NULL,NULL,2,20 NULL,NULL,4,44 NULL,NULL,NULL,55"},
    {"full", SQL_JOIN_FULL, NULL, NULL,
     "1,10,1,11 2,20,2,20 2,20,2,22 2,25,2,20 2,25,2,22 3,30,NULL,NULL NULL,40,NULL,NULL "
     "NULL,NULL,4,44 NULL,NULL,NULL,55",
     "1,10,1,11 2,20,2,22 2,25,NULL,NULL 3,30,NULL,NULL NULL,40,NULL,NULL NULL,NULL,2,20 "
     "NULL,NULL,4,44 NULL,NULL,NULL,55"},
    {"semi", SQL_JOIN_SEMI, NULL, NULL, "1,10 2,20 2,25", "1,10 2,20"},
    {"anti", SQL_JOIN_ANTI, NULL, NULL, "3,30 NULL,40", "2,25 3,30 NULL,40"},
    {"not in, NULL on the right", SQL_JOIN_ANTI_NULL, NULL, NULL, "", ""},
    {"not in, unknown predicate", SQL_JOIN_ANTI_NULL, NULL, "9,NULL 1,5", "2,20 2,25 3,30",
     "1,10 2,20 2,25 3,30"},
    {"not in", SQL_JOIN_ANTI_NULL, NULL, "1,11 4,44", "2,20 2,25 3,30", "2,20 2,25 3,30"},
    {"not in nothing", SQL_JOIN_ANTI_NULL, NULL, "", "1,10 2,20 2,25 3,30 NULL,40",
     "1,10 2,20 2,25 3,30 NULL,40"},
    {"left, right is empty", SQL_JOIN_LEFT, "1,1 1,1", "", "1,1,NULL,NULLx2", "1,1,NULL,NULLx2"},
    {"scalar", SQL_JOIN_SCALAR, NULL, "1,11 4,44",
     "1,10,1,11 2,20,NULL,NULL 2,25,NULL,NULL 3,30,NULL,NULL NULL,40,NULL,NULL",
     "1,10,1,11 2,20,NULL,NULL 2,25,NULL,NULL 3,30,NULL,NULL NULL,40,NULL,NULL"},
};

static struct sql_plan *plan_of(struct kit *k, const struct join_case *c, bool filtered) {
    struct sql_plan *p = kit_join_scans(k, c->kind, 2, 0, 0);
    if (filtered)
        p->predicate = kit_op(k, '<', kit_column(k, 1), kit_column(k, 3));
    return p;
}

static void all_kinds_give_what_postgresql_gives(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(cases) * 8; i++) {
        const struct join_case *c = &cases[i / 8];
        bool filtered = i & 1, once = i & 2, left_first = i & 4;
        struct kit k = kit_make();
        kit_run(&k, plan_of(&k, c, filtered), once);
        const char *rows[2] = {c->left ? c->left : left_rows, c->right ? c->right : right_rows};
        for (unsigned turn = 0; turn < 2; turn++) {
            unsigned side = turn ^ !left_first;
            kit_push(&k, side, rows[side]);
            sql_exec_end_input(k.exec, kit_input(&k, side));
        }
        kit_end(&k);
        if (strcmp(kit_text(&k), filtered ? c->filtered : c->expected) != 0)
            print_error("%s %d %d %d\n", c->name, filtered, once, left_first);
        kit_expect(&k, filtered ? c->filtered : c->expected);
        assert_true(!once || k.least_weight >= 0);
        kit_free(&k);
    }
}

static void an_outer_row_comes_and_goes_with_its_partners(void **state) {
    (void)state;
    struct kit k = kit_make();
    kit_run(&k, kit_join_scans(&k, SQL_JOIN_LEFT, 2, 0, 0), false);
    kit_push(&k, 0, "1,10");
    kit_end(&k);
    kit_expect(&k, "1,10,NULL,NULL");
    kit_push(&k, 1, "1,5 1,6");
    kit_end(&k);
    kit_expect(&k, "1,10,1,5 1,10,1,6");
    kit_push(&k, 1, "~1,5");
    kit_end(&k);
    kit_expect(&k, "1,10,1,6");
    kit_push(&k, 1, "~1,6");
    kit_end(&k);
    kit_expect(&k, "1,10,NULL,NULL");
    kit_push(&k, 0, "~1,10");
    kit_end(&k);
    kit_expect(&k, "");
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
    kit_free(&k);
}

static void a_second_row_of_a_scalar_subquery_is_an_error(void **state) {
    (void)state;
    for (unsigned once = 0; once < 2; once++) {
        struct kit k = kit_make();
        kit_run(&k, kit_join_scans(&k, SQL_JOIN_SCALAR, 1, -1, -1), once);
        kit_push(&k, 0, "1");
        kit_push(&k, 1, "7 8");
        assert_int_not_equal(sql_exec_end_step(k.exec, &k.error), 0);
        assert_string_equal(k.error.state, "21000");
        assert_int_not_equal(kit_try_push(&k, 0, "1"), 0); /* spent */
        kit_free(&k);
    }
}

static void nulls_are_equal_where_it_is_asked_for(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *p = kit_join_scans(&k, SQL_JOIN_INNER, 1, 0, 0);
    p->keys_null_equal = true;
    kit_run(&k, p, false);
    kit_push(&k, 0, "NULL 1");
    kit_push(&k, 1, "NULL");
    kit_end(&k);
    kit_expect(&k, "NULL,NULL");
    kit_free(&k);
}

static void as_of_now_leaves_earlier_results_alone(void **state) {
    (void)state;
    static const struct sql_table stream = {.kind = SQL_TABLE_STREAM, .watermark_column = -1};
    struct kit k = kit_make();
    struct sql_plan *l = kit_scan(&k, 2), *r = kit_scan(&k, 2);
    l->table = &stream;
    r->as_of_now = true;
    kit_run(&k, kit_join(&k, SQL_JOIN_LEFT, l, r, 0, 0), false);
    kit_push(&k, 0, "1,1");
    kit_push(&k, 1, "1,5");
    kit_push(&k, 0, "1,2");
    kit_end(&k);
    kit_push(&k, 1, "~1,5 1,6");
    kit_push(&k, 0, "1,3");
    kit_end(&k);
    kit_expect(&k, "1,1,NULL,NULL 1,2,1,5 1,3,1,6");
    kit_free(&k);
}

static void a_join_of_a_table_with_itself_is_right(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = kit_scan(&k, 2);
    kit_run(&k, kit_join(&k, SQL_JOIN_INNER, scan, scan, 0, 1), false);
    kit_push(&k, 0, "1,2 2,1 3,3");
    kit_end(&k);
    kit_expect(&k, "1,2,2,1 2,1,1,2 3,3,3,3");
    kit_push(&k, 0, "~3,3 1,1");
    kit_end(&k);
    kit_expect(&k, "1,1,1,1 1,1,2,1 1,2,1,1 1,2,2,1 2,1,1,2");
    kit_free(&k);
}

static void state_is_bounded(void **state) {
    (void)state;
    struct kit k = kit_make();
    k.memory_max = 4000;
    kit_run(&k, kit_join_scans(&k, SQL_JOIN_INNER, 1, 0, 0), false);
    int r = 0;
    for (int i = 0; r == 0 && i < 1000; i++) {
        char row[16];
        (void)snprintf(row, sizeof row, "%d", i);
        r = kit_try_push(&k, 0, row);
    }
    assert_int_not_equal(r, 0);
    assert_string_equal(k.error.state, "53200");
    assert_true(sql_exec_stats(k.exec).state_bytes <= 4000);
    kit_free(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_give_what_postgresql_gives),
        cmocka_unit_test(an_outer_row_comes_and_goes_with_its_partners),
        cmocka_unit_test(a_second_row_of_a_scalar_subquery_is_an_error),
        cmocka_unit_test(nulls_are_equal_where_it_is_asked_for),
        cmocka_unit_test(as_of_now_leaves_earlier_results_alone),
        cmocka_unit_test(a_join_of_a_table_with_itself_is_right),
        cmocka_unit_test(state_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
