/*
 * What a plan's shape says: does it only add rows, which columns are unique.
 */
#include "kit.h"

#include "sql/catalog.h"

static unsigned one = 1;
static struct sql_table_index primary = {.columns = 1, .column = &one, .primary = true};
static const struct sql_table stored = {.kind = SQL_TABLE_STORED, .indexes = 1, .index = &primary};
static const struct sql_table stream = {.kind = SQL_TABLE_STREAM};

static struct sql_plan *scan_of(struct kit *k, const struct sql_table *table) {
    static unsigned columns[] = {0, 1, 2};
    struct sql_plan *p = kit_scan(k, 3);
    p->table = table;
    p->scan_columns = columns;
    return p;
}

static void expect_key(const struct sql_plan *p, unsigned count, unsigned first) {
    struct sql_plan_facts f = sql_plan_facts(p);
    assert_int_equal(f.key_count, count);
    if (count)
        assert_int_equal(f.key[0], first);
}

static void unique_columns_are_found(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *scan = scan_of(&k, &stored), *events = scan_of(&k, &stream);
    expect_key(scan, 1, 1);
    expect_key(events, 0, 0);
    expect_key(kit_filter(&k, scan, kit_op(&k, '<', kit_column(&k, 0), kit_int(&k, 1))), 1, 1);
    expect_key(kit_project(&k, scan, 1, kit_list(&k, 1, kit_column(&k, 1))), 1, 0);
    expect_key(kit_project(&k, scan, 1, kit_list(&k, 1, kit_column(&k, 0))), 0, 0);
    expect_key(kit_plan(&k, SQL_PLAN_DISTINCT, 3, 1, events), 3, 0);
    expect_key(
        kit_aggregate(&k, events, 2, kit_list(&k, 2, kit_column(&k, 0), kit_column(&k, 1)), 0), 2,
        0);
    expect_key(kit_join(&k, SQL_JOIN_LEFT, scan, scan, 0, 1), 1, 1);
    expect_key(kit_join(&k, SQL_JOIN_INNER, scan, scan, 0, 0), 2, 1);
    expect_key(kit_join(&k, SQL_JOIN_LEFT, scan, events, 0, 0), 0, 0);
    expect_key(kit_join(&k, SQL_JOIN_ANTI, scan, events, 0, 0), 1, 1);
    struct sql_plan *top = kit_top(&k, events, SQL_TOP_ROW_NUMBER, 1, 0);
    top->partitions = 1;
    top->partition[0] = 2;
    expect_key(top, 1, 2);
    kit_free(&k);
}

static void only_what_never_takes_back_is_append_only(void **state) {
    (void)state;
    struct kit k = kit_make();
    struct sql_plan *t = scan_of(&k, &stored), *s = scan_of(&k, &stream);
    struct sql_plan *now = scan_of(&k, &stored);
    now->as_of_now = true;
    struct sql_plan *closing = kit_aggregate(&k, s, 1, kit_list(&k, 1, kit_column(&k, 0)), 0);
    closing->close_group = 0;
    const struct {
        struct sql_plan *plan;
        bool append_only;
    } cases[] = {
        {t, false},
        {s, true},
        {kit_join(&k, SQL_JOIN_INNER, s, s, 0, 0), true},
        {kit_join(&k, SQL_JOIN_INNER, s, t, 0, 0), false},
        {kit_join(&k, SQL_JOIN_LEFT, s, s, 0, 0), false},
        {kit_join(&k, SQL_JOIN_LEFT, s, now, 0, 0), true},
        {kit_aggregate(&k, s, 1, kit_list(&k, 1, kit_column(&k, 0)), 0), false},
        {closing, true},
        {kit_plan(&k, SQL_PLAN_DISTINCT, 3, 1, s), true},
        {kit_plan(&k, SQL_PLAN_EXCEPT, 3, 2, s, s), false},
        {kit_plan(&k, SQL_PLAN_UNION, 3, 3, s, s, t), false},
        {kit_top(&k, s, SQL_TOP_ROW_NUMBER, 1, 0), false},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        if (sql_plan_facts(cases[i].plan).append_only != cases[i].append_only)
            fail_msg("case %zu", i);
    }
    kit_free(&k);
}

static void flags_of_all_expressions_are_gathered(void **state) {
    (void)state;
    static const struct sql_function volatile_function = {
        .name = "random", .result = SQL_FLOAT8, .flags = SQL_VOLATILE};
    struct kit k = kit_make();
    struct sql_expr *e = kit_node(&k, SQL_EXPR_CALL, 0);
    e->function = &volatile_function;
    struct sql_plan *p = kit_filter(&k, scan_of(&k, &stream), e);
    assert_int_equal(sql_plan_facts(kit_plan(&k, SQL_PLAN_DISTINCT, 3, 1, p)).flags, SQL_VOLATILE);
    assert_int_equal(sql_plan_facts(p->input[0]).flags, 0);
    kit_free(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unique_columns_are_found),
        cmocka_unit_test(only_what_never_takes_back_is_append_only),
        cmocka_unit_test(flags_of_all_expressions_are_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
