/*
 * Relations: what readers of each moment see, keys, what is taken back, and scans that go on while
 * rows, indexes and the relation itself go.
 */
#include "sql/store/relation.h"
#include "value_kit.h"

#include <errno.h>
#include <stdio.h>

#define BY_NUMBER 11u
#define BY_TEXT 12u

static struct relation *make(void) {
    const struct sql_type types[] = {sql_type_of(SQL_NUMERIC), sql_type_of(SQL_TEXT)};
    struct relation *r;
    assert_int_equal(relation_new(types, 2, 1 << 20, &r), 0);
    assert_int_equal(relation_add_index(r, BY_NUMBER, (const unsigned[]){0}, 1, true), 0);
    assert_int_equal(relation_add_index(r, BY_TEXT, (const unsigned[]){1}, 1, false), 0);
    return r;
}

/* The row (NUMBER, TEXT), NULL where one is, with WEIGHT, at COMMIT. */
static int apply(struct relation *r, struct value_kit *k, const char *number, const char *text,
                 int64_t weight, uint64_t commit) {
    union sql_cell cells[2] = {{.i = 0}, {.i = 0}};
    uint8_t nulls[2] = {!number, !text};
    if (number)
        cells[0] = kit_value(k, sql_type_of(SQL_NUMERIC), number);
    if (text)
        cells[1] = kit_value(k, sql_type_of(SQL_TEXT), text);
    const struct sql_column columns[] = {{&cells[0], &nulls[0], 1}, {&cells[1], &nulls[1], 1}};
    const struct sql_batch batch = {1, 2, columns, &weight};
    struct relation_conflict conflict = {0, 0};
    int n = relation_apply(r, &batch, commit, &conflict);
    assert_int_equal(conflict.index, n == -EEXIST ? BY_NUMBER : 0);
    return n;
}

static unsigned count(struct relation_scan *scan) {
    struct sql_builder b;
    unsigned rows = 0;
    int n;
    assert_int_equal(sql_builder_make(1, &b), 0);
    while ((n = relation_scan_next(scan, (const unsigned[]){1}, 1, &b)) > 0) {
        rows += (unsigned)n;
        sql_builder_reset(&b);
    }
    assert_int_equal(n, 0);
    sql_builder_free(&b);
    relation_scan_end(scan);
    return rows;
}

static unsigned seen(struct relation *r, uint64_t moment) {
    struct relation_scan scan;
    relation_scan_all(r, moment, &scan);
    return count(&scan);
}

static unsigned with_number(struct relation *r, struct value_kit *k, const char *number,
                            uint64_t moment) {
    const union sql_cell cell = kit_value(k, sql_type_of(SQL_NUMERIC), number);
    struct relation_scan scan;
    assert_int_equal(relation_scan_key(r, moment, (const unsigned[]){0}, 1, &cell, &scan), 0);
    return count(&scan);
}

static void readers_see_their_moment(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    relation_vacuum(r, 0, 100); /* nothing has come, and nothing gone */
    assert_int_equal(apply(r, &k, "1.0", "a", 1, 1), 0);
    assert_int_equal(apply(r, &k, "2", "a", 1, 2), 0);
    assert_int_equal(apply(r, &k, "1.00", "a", -1, 3), 0); /* equal, in another scale */
    assert_int_equal(apply(r, &k, "1", "a", -1, 4), -ENOENT);
    const unsigned expected[] = {0, 1, 2, 1, 1};
    for (uint64_t moment = 0; moment < 5; moment++)
        assert_int_equal(seen(r, moment), expected[moment]);
    assert_int_equal(with_number(r, &k, "1.000", 2), 1);
    assert_int_equal(with_number(r, &k, "1.000", 3), 0);
    assert_int_equal(relation_judge(r, 1, 2), -EAGAIN);
    assert_int_equal(relation_judge(r, 1, 3), -ENOENT);
    assert_int_equal(relation_judge(r, 2, 3), 0);
    relation_vacuum(r, 2, 100); /* somebody still reads at 2 */
    assert_int_equal(relation_stats(r).versions, 2);
    relation_vacuum(r, 3, 100);
    assert_int_equal(relation_stats(r).versions, 1);
    assert_int_equal(relation_stats(r).rows, 1);
    relation_free(r);
    arena_free(&k.memory);
}

/* The text of the only row's number. */
static void assert_number(struct relation *r, uint64_t moment, const char *expected) {
    static const struct sql_settings plain = {.extra_float_digits = 1};
    struct relation_scan scan;
    struct sql_builder b;
    _cleanup_buf_ struct buf text = buf_make(4096);
    assert_int_equal(sql_builder_make(1, &b), 0);
    relation_scan_all(r, moment, &scan);
    assert_int_equal(relation_scan_next(&scan, (const unsigned[]){0}, 1, &b), 1);
    struct sql_batch batch = sql_builder_batch(&b);
    assert_int_equal(
        sql_value_out(sql_type_of(SQL_NUMERIC), sql_cell_at(&batch.column[0], 0), &plain, &text),
        0);
    assert_true(slice_equal(buf_slice(&text), slice_str(expected)));
    relation_scan_end(&scan);
    sql_builder_free(&b);
}

static void of_equal_rows_the_one_of_the_same_form_goes(void **state) {
    (void)state;
    static const char *const forms[] = {"1", "1.0", "1.00"};
    struct value_kit k = kit_make();
    for (unsigned i = 0; i < 3; i++) {
        const struct sql_type types[] = {sql_type_of(SQL_NUMERIC), sql_type_of(SQL_TEXT)};
        struct relation *r;
        assert_int_equal(relation_new(types, 2, 1 << 20, &r), 0);
        for (unsigned n = 0; n < 3; n++)
            assert_int_equal(apply(r, &k, forms[n], "a", 1, n + 1), 0);
        assert_int_equal(apply(r, &k, forms[(i + 1) % 3], "a", -1, 4), 0);
        assert_int_equal(apply(r, &k, forms[(i + 2) % 3], "a", -1, 5), 0);
        assert_number(r, 5, forms[i]);
        assert_int_equal(apply(r, &k, "1.000", "a", -1, 6), 0); /* or else an equal one */
        relation_free(r);
    }
    arena_free(&k.memory);
}

static void keys_are_unique_but_for_nulls(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    assert_int_equal(apply(r, &k, "1.0", "a", 1, 1), 0);
    assert_int_equal(apply(r, &k, "1.00", "b", 1, 2), -EEXIST);
    assert_int_equal(apply(r, &k, NULL, "b", 2, 2), 0); /* two of them */
    assert_int_equal(apply(r, &k, NULL, "b", 1, 3), 0);
    assert_int_equal(apply(r, &k, "7", NULL, 2, 3), -EEXIST); /* none of it stays */
    assert_int_equal(seen(r, 9), 4);
    assert_int_equal(relation_delete(r, 1, 4), 0);
    assert_int_equal(relation_delete(r, 1, 5), -EAGAIN);
    assert_int_equal(apply(r, &k, "1", "c", 1, 4), 0); /* the key is free again */
    assert_int_equal(relation_add_index(r, 13, (const unsigned[]){1}, 1, true), -EEXIST);
    assert_int_equal(relation_add_index(r, 14, (const unsigned[]){0, 1}, 2, true), 0);
    relation_free(r);
    arena_free(&k.memory);
}

/* What a failed commit took away is back, may be taken away once more, and does not hold up
   vacuum. */
static void what_comes_back_is_there(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    for (int i = 0; i < 3; i++)
        assert_int_equal(apply(r, &k, (const char *[]){"1", "2", "3"}[i], "a", 1, 1), 0);
    assert_int_equal(relation_delete(r, 1, 2), 0);
    assert_int_equal(relation_delete(r, 2, 2), 0);
    relation_restore(r, 1);
    relation_restore(r, 2);
    assert_int_equal(seen(r, 2), 3);
    assert_int_equal(relation_delete(r, 3, 3), 0);
    relation_vacuum(r, 3, 100);
    assert_int_equal(relation_stats(r).versions, 2);
    assert_int_equal(relation_delete(r, 1, 4), 0);
    relation_erase(r, 2);
    relation_vacuum(r, 4, 100);
    assert_int_equal(relation_stats(r).versions, 0);
    assert_int_equal(relation_next_id(r), 4); /* ids are not given twice */
    relation_free(r);
    arena_free(&k.memory);
}

/* More rows of one key than a batch holds; between two batches some go, and then the index. */
static void a_look_up_outlives_its_index(void **state) {
    (void)state;
    enum { ROWS = SQL_BATCH_ROWS * 2 };
    struct value_kit k = kit_make();
    struct relation *r = make();
    struct relation_scan scan;
    struct sql_builder b;
    const union sql_cell key = kit_value(&k, sql_type_of(SQL_TEXT), "a");
    assert_int_equal(apply(r, &k, NULL, "a", ROWS, 1), 0);
    for (uint64_t id = 1; id <= 10; id++)
        assert_int_equal(relation_delete(r, id * 100, 2), 0);
    assert_int_equal(relation_scan_key(r, 2, (const unsigned[]){1}, 1, &key, &scan), 0);
    assert_int_equal(sql_builder_make(1, &b), 0);
    int n = relation_scan_next(&scan, (const unsigned[]){UINT32_MAX}, 1, &b);
    assert_int_equal(n, SQL_BATCH_ROWS);
    for (unsigned i = 1; i < b.rows; i++) /* in the order of their ids */
        assert_true(b.cells[0][i - 1].i < b.cells[0][i].i);
    relation_vacuum(r, 2, 100);
    assert_int_equal(apply(r, &k, NULL, "b", ROWS, 3), 0); /* takes the freed places */
    relation_drop_index(r, BY_TEXT);
    sql_builder_free(&b);
    assert_int_equal(count(&scan), ROWS - 10 - SQL_BATCH_ROWS);
    assert_int_equal(relation_scan_key(r, 2, (const unsigned[]){1}, 1, &key, &scan), -ENOENT);
    relation_free(r);
    arena_free(&k.memory);
}

/* Rows read back have the ids they had: far apart, where most have gone. */
static void ids_may_be_far_apart(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    const uint64_t ids[] = {1, 100000, 100001, 9000000};
    for (unsigned i = 0; i < array_count(ids); i++) {
        char number[16];
        snprintf(number, sizeof number, "%u", i);
        relation_set_next_id(r, ids[i]);
        assert_int_equal(apply(r, &k, number, "a", 1, 1), 0);
        assert_int_equal(relation_next_id(r), ids[i] + 1);
        assert_int_equal(with_number(r, &k, number, 1), 1);
    }
    assert_int_equal(seen(r, 1), array_count(ids));
    relation_free(r);
    arena_free(&k.memory);
}

/* Rows as bytes, into another relation under their ids; the first is held while its table lets go.
 */
static void rows_are_copied_as_they_lie(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    assert_int_equal(apply(r, &k, NULL, "a", 3, 1), 0);
    relation_set_next_id(r, 5000000); /* far from the others */
    assert_int_equal(apply(r, &k, "7", "b", 1, 2), 0);
    assert_int_equal(relation_delete(r, 2, 3), 0);
    assert_ptr_equal(relation_ref(r), r);
    assert_null(relation_free(r));
    const struct {
        uint64_t moment;
        unsigned rows, ids;
    } cases[] = {{1, 3, 6}, {2, 4, 5000006}, {3, 3, 5000004}};
    for (unsigned i = 0; i < 3; i++) {
        struct relation_scan scan;
        unsigned rows = 0, looks = 2, again = 0;
        uint64_t ids = 0;
        slice bytes;
        int n;
        relation_scan_all(r, cases[i].moment, &scan);
        while ((n = relation_scan_bytes(&scan, &looks, &bytes)) != 0) {
            rows += n == 1;
            ids += n == 1 ? scan.id : 0;
            assert_true(n == 1 ? bytes.len > 0 : n == -EAGAIN);
            again += n == -EAGAIN;
            looks = n == -EAGAIN ? 2 : looks;
        }
        assert_int_equal(rows, cases[i].rows);
        assert_int_equal(ids, cases[i].ids);
        assert_true(again > 1000); /* empty places are passed over by the page */
        relation_scan_end(&scan);
    }
    relation_free(r);
    arena_free(&k.memory);
}

/* Who reads holds it: freed by its owner, it is there to the end of the scan. */
static void one_that_is_held_outlives_its_owner(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct relation *r = make();
    struct relation_scan scan;
    assert_int_equal(apply(r, &k, "1", "a", 1, 1), 0);
    assert_ptr_equal(relation_ref(r), r);
    relation_scan_all(r, 1, &scan);
    assert_null(relation_free(r));
    assert_int_equal(count(&scan), 1);
    assert_null(relation_free(r));
    arena_free(&k.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_their_moment),
        cmocka_unit_test(keys_are_unique_but_for_nulls),
        cmocka_unit_test(what_comes_back_is_there),
        cmocka_unit_test(of_equal_rows_the_one_of_the_same_form_goes),
        cmocka_unit_test(a_look_up_outlives_its_index),
        cmocka_unit_test(ids_may_be_far_apart),
        cmocka_unit_test(one_that_is_held_outlives_its_owner),
        cmocka_unit_test(rows_are_copied_as_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
