/*
 * test_close.c - EMIT ON WINDOW CLOSE: which grouping waits, told by its group; a view without one
 * is refused, for its rows would never be final.
 */
#include "harness.h"

static int close_group(const struct sql_plan *p) {
    if (p->kind == SQL_PLAN_AGGREGATE && p->close_group >= 0)
        return p->close_group;
    int found = -1;
    for (unsigned i = 0; i < p->inputs && found < 0; i++)
        found = close_group(p->input[i]);
    return found;
}

static const struct {
    const char *sql, *state;
    int group;
} cases[] = {
    {"CREATE MATERIALIZED VIEW w AS SELECT auction, window_end, count(*) FROM tumble(bid, "
     "date_time, "
     "interval '10' second) GROUP BY 1, 2 EMIT ON WINDOW CLOSE",
     "", 1},
    {"CREATE MATERIALIZED VIEW w WITH (emit = 'on_window_close') AS SELECT max(n) FROM (SELECT "
     "window_end we, count(*) n FROM hop(bid, date_time, interval '2' second, interval '10' "
     "second) "
     "GROUP BY bidder, window_end) q",
     "", 1},
    {"CREATE MATERIALIZED VIEW w AS SELECT window_end, count(*) FROM tumble(bid, date_time, "
     "interval "
     "'10' second) GROUP BY 1",
     "", -1},
    {"CREATE MATERIALIZED VIEW w AS SELECT auction, count(*) FROM bid GROUP BY 1 EMIT ON WINDOW "
     "CLOSE",
     "0A000", -1},
};

static void a_group_of_window_end_waits(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct bound b;
        int result = bind_text(cases[i].sql, &b);
        assert_string_equal(b.error.state, cases[i].state);
        if (result == 0)
            assert_int_equal(close_group(b.statement.query.plan), cases[i].group);
        bound_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_of_window_end_waits),
    };
    return cmocka_run_group_tests_name("sql/bind/close", tests, open_database, close_database);
}
