/*
 * Expressions: three-valued logic, what is left out, NULLs in ANY, ALL and IN, arrays and rows.
 */
#include "kit.h"

#include "sql/exec/evaluate.h"

#define T kit_node(k, SQL_EXPR_IS_NULL, 1, kit_null(k))
#define F kit_node(k, SQL_EXPR_IS_NULL, 1, kit_int(k, 1))

/* Bound to a column of two rows: 0 and NULL. */
struct row {
    int64_t value;
    bool null;
};

static void evaluate(struct kit *k, const struct sql_expr *e, struct row ret[2]) {
    static const union sql_cell cells[2] = {{.i = 0}, {.i = 7}};
    static const uint8_t nulls[2] = {0, 1};
    const struct sql_column column = {cells, nulls, 1};
    const struct sql_batch batch = {2, 1, &column, NULL};
    const struct sql_environment environment = {NULL, NULL, NULL};
    struct sql_evaluator *v;
    struct sql_column c;
    int r = sql_evaluator_new(e, &environment, &v, &k->error);
    assert_int_equal(r, 0);
    r = sql_evaluate(v, &batch, &k->memory, &c, &k->error);
    if (r)
        fail_msg("%s: %s", k->error.state, k->error.message);
    for (unsigned row = 0; row < 2; row++) {
        ret[row].null = sql_null_at(&c, row);
        ret[row].value = ret[row].null ? 0 : sql_cell_at(&c, row)->i;
    }
    sql_evaluator_free(v);
}

static void expect(struct kit *k, const struct sql_expr *e, int64_t first, int64_t second) {
    struct row rows[2];
    evaluate(k, e, rows);
    assert_int_equal(rows[0].null ? -1 : rows[0].value, first);
    assert_int_equal(rows[1].null ? -1 : rows[1].value, second);
}

/* -1 is NULL. */
static void logic_has_three_values(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    struct sql_expr *x = kit_op(k, '=', kit_column(k, 0), kit_int(k, 0)); /* true, NULL */
    expect(k, x, 1, -1);
    expect(k, kit_node(k, SQL_EXPR_NOT, 1, x), 0, -1);
    expect(k, kit_node(k, SQL_EXPR_AND, 2, x, T), 1, -1);
    expect(k, kit_node(k, SQL_EXPR_AND, 2, x, F), 0, 0);
    expect(k, kit_node(k, SQL_EXPR_AND, 3, T, x, F), 0, 0);
    expect(k, kit_node(k, SQL_EXPR_OR, 2, x, T), 1, 1);
    expect(k, kit_node(k, SQL_EXPR_OR, 2, x, F), 1, -1);
    expect(k, kit_node(k, SQL_EXPR_IS_TRUE, 1, x), 1, 0);
    expect(k, kit_node(k, SQL_EXPR_IS_FALSE, 1, x), 0, 0);
    expect(k, kit_node(k, SQL_EXPR_IS_NULL, 1, x), 0, 1);
    expect(k, kit_node(k, SQL_EXPR_DISTINCT, 2, kit_column(k, 0), kit_null(k)), 1, 0);
    kit_free(k);
}

static void what_does_not_decide_is_not_computed(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    struct sql_expr *fails = kit_op(k, '/', kit_int(k, 1), kit_column(k, 0));
    struct sql_expr *always_fails = kit_op(k, '/', kit_int(k, 1), kit_int(k, 0));
    struct sql_expr *zero = kit_op(k, '=', kit_column(k, 0), kit_int(k, 0));
    struct sql_expr *bad = kit_op(k, '<', fails, kit_int(k, 1));
    expect(k, kit_node(k, SQL_EXPR_CASE, 3, zero, kit_int(k, 5), fails), 5, -1);
    expect(k, kit_node(k, SQL_EXPR_CASE, 4, zero, kit_int(k, 5), F, always_fails), 5, -1);
    expect(k, kit_node(k, SQL_EXPR_OR, 2, zero, bad), 1, -1);
    expect(k, kit_node(k, SQL_EXPR_AND, 2, kit_node(k, SQL_EXPR_NOT, 1, zero), bad), 0, -1);
    expect(k, kit_node(k, SQL_EXPR_COALESCE, 2, kit_column(k, 0), kit_int(k, 9)), 0, 9);
    expect(k, kit_node(k, SQL_EXPR_COALESCE, 3, kit_int(k, 3), fails, always_fails), 3, 3);
    kit_free(k);
}

static void greatest_and_least_pass_over_nulls(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    struct sql_expr *c = kit_column(k, 0);
    expect(k, kit_node(k, SQL_EXPR_GREATEST, 3, c, kit_int(k, 4), kit_null(k)), 4, 4);
    expect(k, kit_node(k, SQL_EXPR_LEAST, 2, c, kit_int(k, 4)), 0, 4);
    expect(k, kit_node(k, SQL_EXPR_LEAST, 2, c, c), 0, -1);
    kit_free(k);
}

static struct sql_expr *array_of(struct kit *k, unsigned count, struct sql_expr **e) {
    struct sql_expr *array = kit_node(k, SQL_EXPR_ARRAY, 0);
    array->type = sql_type_of(SQL_INT8_ARRAY);
    array->count = count;
    array->arguments = e;
    return array;
}

static void members_are_found_and_nulls_are_unknown(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    struct sql_expr *c = kit_column(k, 0), *zero = kit_int(k, 0), *one = kit_int(k, 1);
    expect(k, kit_node(k, SQL_EXPR_IN, 3, c, one, zero), 1, -1);
    expect(k, kit_node(k, SQL_EXPR_IN, 3, c, one, kit_null(k)), -1, -1);
    expect(k, kit_node(k, SQL_EXPR_IN, 2, c, one), 0, -1);
    expect(k, kit_node(k, SQL_EXPR_IN, 3, c, one, c), 1, -1); /* not only constants */
    struct sql_expr *many = kit_node(k, SQL_EXPR_IN, 0);
    many->count = 101;
    many->arguments = arena_alloc(&k->memory, many->count * sizeof *many->arguments);
    assert_non_null(many->arguments);
    for (unsigned i = 1; i < many->count; i++)
        many->arguments[i] = kit_int(k, (int64_t)i % 50 - 49);
    many->arguments[0] = c;
    expect(k, many, 1, -1);
    many->arguments[0] = kit_int(k, 1);
    expect(k, many, 0, 0);
    struct sql_expr *some = array_of(k, 2, kit_list(k, 2, one, zero));
    struct sql_expr *unknown = array_of(k, 2, kit_list(k, 2, one, kit_null(k)));
    struct sql_expr *none = array_of(k, 0, NULL);
    static const struct {
        enum sql_expr_kind kind;
        unsigned array;
        int64_t first, second;
    } cases[] = {
        {SQL_EXPR_ANY, 0, 1, -1}, {SQL_EXPR_ANY, 1, -1, -1}, {SQL_EXPR_ANY, 2, 0, 0},
        {SQL_EXPR_ALL, 0, 0, -1}, {SQL_EXPR_ALL, 1, 0, -1},  {SQL_EXPR_ALL, 2, 1, 1},
    };
    struct sql_expr *arrays[] = {some, unknown, none};
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_expr *e = kit_node(k, cases[i].kind, 2, c, arrays[cases[i].array]);
        e->function = kit_function('=');
        expect(k, e, cases[i].first, cases[i].second);
    }
    kit_free(k);
}

static void rows_and_their_fields(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    struct sql_expr *row = kit_node(k, SQL_EXPR_ROW, 2, kit_column(k, 0), kit_null(k));
    row->type = sql_type_of(SQL_RECORD);
    struct sql_expr *field = kit_node(k, SQL_EXPR_FIELD, 1, row);
    field->type = sql_type_of(SQL_INT8);
    expect(k, field, 0, -1);
    expect(k, kit_node(k, SQL_EXPR_IS_NULL, 1, row), 0, 1);
    kit_free(k);
}

static void arrays_of_arrays_have_one_shape(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    const struct sql_environment environment = {NULL, NULL, NULL};
    struct sql_expr *two = array_of(k, 2, kit_list(k, 2, kit_int(k, 1), kit_int(k, 2)));
    struct sql_expr *one = array_of(k, 1, kit_list(k, 1, kit_int(k, 3)));
    union sql_cell cell;
    bool null;
    struct sql_expr *good = array_of(k, 2, kit_list(k, 2, two, two));
    assert_int_equal(sql_evaluate_constant(good, &environment, &k->memory, &cell, &null, &k->error),
                     0);
    assert_int_equal(cell.array->dimensions, 2);
    assert_int_equal(cell.array->count, 4);
    struct sql_expr *bad = array_of(k, 2, kit_list(k, 2, two, one));
    assert_int_not_equal(
        sql_evaluate_constant(bad, &environment, &k->memory, &cell, &null, &k->error), 0);
    assert_string_equal(k->error.state, "2202E");
    kit_free(k);
}

static void parameters_are_read(void **state) {
    (void)state;
    struct kit kit = kit_make(), *k = &kit;
    static const union sql_cell parameters[2] = {{.i = 42}, {.i = 0}};
    static const uint8_t nulls[2] = {0, 1};
    const struct sql_environment environment = {NULL, parameters, nulls};
    struct sql_expr *e = kit_int(k, 0);
    e->kind = SQL_EXPR_PARAMETER;
    union sql_cell cell;
    bool null;
    assert_int_equal(sql_evaluate_constant(e, &environment, &k->memory, &cell, &null, &k->error),
                     0);
    assert_int_equal(cell.i, 42);
    e->index = 1;
    assert_int_equal(sql_evaluate_constant(e, &environment, &k->memory, &cell, &null, &k->error),
                     0);
    assert_true(null);
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(what_does_not_decide_is_not_computed),
        cmocka_unit_test(greatest_and_least_pass_over_nulls),
        cmocka_unit_test(members_are_found_and_nulls_are_unknown),
        cmocka_unit_test(rows_and_their_fields),
        cmocka_unit_test(arrays_of_arrays_have_one_shape),
        cmocka_unit_test(parameters_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
