/* Rows that come and go by the clock: what is there is always what the condition says of now. */
#include "kit.h"

#include "base/random.h"

#include <stdio.h>

/* The rows whose column 0 + OFFSET is their moment. */
static struct sql_plan *temporal(struct kit *k, struct sql_plan *in, bool ends, int64_t offset) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_TEMPORAL, 2, 1, in);
    p->expressions = 1;
    p->expression = kit_list(k, 1, kit_column(k, 0));
    p->ends = ends;
    p->offset_time = offset;
    return p;
}

static void at(struct kit *k, int64_t now) {
    assert_int_equal(sql_exec_clock(k->exec, now, &k->error), 0);
    kit_end(k);
}

static void rows_go_at_their_moment(void **state) {
    (void)state;
    struct kit k = kit_make();
    kit_run(&k, temporal(&k, kit_scan(&k, 2), true, 10), false);
    at(&k, 100);
    assert_int_equal(sql_exec_next_moment(k.exec), INT64_MAX);
    kit_push(&k, 0, "90,1 91,2 95,3x2 NULL,4 89,5");
    kit_end(&k);
    kit_expect(&k, "91,2 95,3x2");
    assert_int_equal(sql_exec_next_moment(k.exec), 101);
    at(&k, 101);
    kit_expect(&k, "95,3x2");
    kit_push(&k, 0, "~95,3 ~90,1 ~91,2"); /* the others have gone already */
    kit_end(&k);
    kit_expect(&k, "95,3");
    at(&k, 50); /* time does not run backwards */
    kit_expect(&k, "95,3");
    assert_int_equal(sql_exec_next_moment(k.exec), 105);
    at(&k, 1000);
    kit_expect(&k, "");
    assert_int_equal(sql_exec_next_moment(k.exec), INT64_MAX);
    assert_int_equal(sql_exec_stats(k.exec).state_rows, 0);
    kit_free(&k);
}

static void rows_come_at_their_moment(void **state) {
    (void)state;
    struct kit k = kit_make();
    kit_run(&k, temporal(&k, kit_scan(&k, 2), false, -10), false);
    at(&k, 100);
    kit_push(&k, 0, "110,1 111,2 120,3 NULL,4");
    kit_end(&k);
    kit_expect(&k, "110,1");
    kit_push(&k, 0, "~120,3 ~110,1");
    at(&k, 101); /* within the step that takes rows away */
    kit_expect(&k, "111,2");
    assert_int_equal(sql_exec_next_moment(k.exec), INT64_MAX);
    kit_push(&k, 0, "122,5");
    at(&k, 112);
    kit_expect(&k, "111,2 122,5");
    kit_free(&k);
}

static void infinite_times_have_no_moment(void **state) {
    (void)state;
    for (unsigned ends = 0; ends < 2; ends++) {
        struct kit k = kit_make();
        char rows[100];
        kit_run(&k, temporal(&k, kit_scan(&k, 2), ends, 5), false);
        at(&k, 100);
        (void)snprintf(rows, sizeof rows, "%lld,1", (long long)SQL_INFINITY);
        kit_push(&k, 0, rows);
        kit_end(&k);
        kit_expect(&k, ends ? rows : "");
        assert_int_equal(sql_exec_next_moment(k.exec), INT64_MAX);
        kit_free(&k);
    }
}

/* A sum above follows, and is what the condition says at each moment. */
static void random_rows_agree_with_the_condition(void **state) {
    (void)state;
    enum { ROWS = 40, STEPS = 3000 };
    struct random chance = random_make(7);
    for (unsigned ends = 0; ends < 2; ends++) {
        struct kit k = kit_make();
        int64_t time[ROWS] = {0}, now = 0;
        bool in[ROWS] = {false};
        struct sql_plan *p = temporal(&k, kit_scan(&k, 2), ends, 3);
        struct sql_plan *sum = kit_aggregate(&k, p, 0, NULL, 1);
        kit_set_aggregate(&k, sum, 0, "count_any", kit_column(&k, 0));
        kit_run(&k, sum, false);
        at(&k, now);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned i = (unsigned)random_below(&chance, ROWS);
            char row[64], expected[32];
            if (!in[i])
                time[i] = now + (int64_t)random_below(&chance, 30) - 15;
            (void)snprintf(row, sizeof row, "%s%lld,%u", in[i] ? "~" : "", (long long)time[i], i);
            in[i] = !in[i];
            kit_push(&k, 0, row);
            now += (int64_t)random_below(&chance, 3);
            at(&k, now);
            unsigned there = 0;
            for (unsigned r = 0; r < ROWS; r++)
                there += in[r] && (now < time[r] + 3) == ends;
            (void)snprintf(expected, sizeof expected, "%u", there);
            kit_expect(&k, expected);
        }
        kit_free(&k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_at_their_moment),
        cmocka_unit_test(rows_come_at_their_moment),
        cmocka_unit_test(infinite_times_have_no_moment),
        cmocka_unit_test(random_rows_agree_with_the_condition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
