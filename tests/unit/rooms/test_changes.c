#include "../sql/sql_test.h"

#include "rooms/stream/changes.h"

#include <errno.h>
#include <stdio.h>

/* Net changes of rows (bigint, numeric), written as text. */

static const struct sql_type types[] = {{SQL_INT8, -1}, {SQL_NUMERIC, -1}};

static int add(struct changes *c, int64_t a, const char *number, int64_t weight) {
    static const struct sql_settings settings;
    struct arena memory = arena_make(0, 1u << 20);
    struct sql_error error;
    union sql_cell cells[2] = {{.i = a}};
    assert_int_equal(
        sql_value_in(types[1], slice_str(number), &settings, &memory, &cells[1], &error), 0);
    const struct sql_column columns[2] = {{&cells[0], NULL, 1}, {&cells[1], NULL, 1}};
    const struct sql_batch batch = {1, 2, columns, &weight};
    int r = changes_add(c, &batch);
    arena_free(&memory);
    return r;
}

struct told {
    char text[512];
    unsigned left;
};

static int tell(void *self, slice row, int64_t weight) {
    struct told *t = self;
    static const struct sql_settings settings;
    struct arena memory = arena_make(0, 1u << 20);
    struct buf number = buf_make(100);
    union sql_cell cells[2];
    uint8_t nulls[2];
    size_t len = strlen(t->text);
    if (t->left-- == 0)
        return -ECANCELED;
    assert_int_equal(sql_row_decode(row, types, 2, &memory, cells, nulls), (int)row.len);
    assert_int_equal(sql_value_out(types[1], &cells[1], &settings, &number), 0);
    snprintf(t->text + len, sizeof t->text - len, "%s%+lld(%lld,%.*s)", len ? " " : "",
             (long long)weight, (long long)cells[0].i, slice_fmt(buf_slice(&number)));
    buf_free(&number);
    arena_free(&memory);
    return 0;
}

static void expect(const struct changes *c, const char *text) {
    struct told told = {.left = 1000};
    assert_int_equal(changes_each(c, tell, &told), 0);
    assert_string_equal(told.text, text);
}

static void what_comes_and_goes_is_not_told(void **state) {
    (void)state;
    struct changes c = changes_make(types, 2, 1u << 20);
    expect(&c, "");
    assert_true(changes_empty(&c));
    assert_int_equal(add(&c, 1, "2", 1), 0);
    assert_int_equal(add(&c, 7, "3", -2), 0);
    assert_int_equal(add(&c, 2, "2", 3), 0);
    assert_int_equal(add(&c, 1, "2", -1), 0);
    expect(&c, "-2(7,3) +3(2,2)");
    changes_clear(&c);
    expect(&c, "");
    assert_int_equal(add(&c, 2, "2", 1), 0);
    expect(&c, "+1(2,2)");
    changes_free(&c);
}

static void equal_values_are_one_row_that_looks_as_it_first_did(void **state) {
    (void)state;
    struct changes c = changes_make(types, 2, 1u << 20);
    assert_int_equal(add(&c, 1, "1.00", 1), 0);
    assert_int_equal(add(&c, 1, "1.0", 1), 0);
    expect(&c, "+2(1,1.00)");
    assert_int_equal(add(&c, 1, "1", -2), 0);
    expect(&c, "");
    changes_free(&c);
}

static void memory_is_bounded(void **state) {
    (void)state;
    struct changes c = changes_make(types, 2, 64u << 10);
    int r = 0;
    for (int64_t i = 0; r == 0 && i < 100000; i++)
        r = add(&c, i, "1", 1);
    assert_int_equal(r, -ENOBUFS);
    changes_clear(&c);
    assert_int_equal(add(&c, 1, "1", 1), 0);
    expect(&c, "+1(1,1)");
    changes_free(&c);
}

static void telling_stops_where_it_is_refused(void **state) {
    (void)state;
    struct changes c = changes_make(types, 2, 1u << 20);
    assert_int_equal(add(&c, 1, "1", 1), 0);
    assert_int_equal(add(&c, 2, "1", 1), 0);
    struct told told = {.left = 1};
    assert_int_equal(changes_each(&c, tell, &told), -ECANCELED);
    assert_string_equal(told.text, "+1(1,1)");
    changes_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_and_goes_is_not_told),
        cmocka_unit_test(equal_values_are_one_row_that_looks_as_it_first_did),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(telling_stops_where_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
