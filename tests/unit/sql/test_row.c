/*
 * Rows as bytes: what is encoded reads back, equal values have equal canonical bytes, and the bytes
 * of keys have the order of the values.
 */
#include "sql/row.h"
#include "value_kit.h"

#include <errno.h>
#include <stdio.h>

#define ROW_BYTES_MAX 4096

/* A batch of one row. */
struct one_row {
    union sql_cell cells[8];
    uint8_t nulls[8];
    struct sql_type types[8];
    struct sql_column columns[8];
    struct sql_batch batch;
};

static void put(struct one_row *r, struct value_kit *k, uint32_t oid, const char *text) {
    unsigned at = r->batch.columns++;
    r->types[at] = sql_type_of(oid);
    r->nulls[at] = !text;
    if (text)
        r->cells[at] = kit_value(k, r->types[at], text);
    r->columns[at] = (struct sql_column){&r->cells[at], &r->nulls[at], 1};
    r->batch.column = r->columns;
    r->batch.rows = 1;
}

static const struct {
    uint32_t oid;
    const char *ascending[9];
} values[] = {
    {SQL_BOOL, {"f", "t"}},
    {SQL_INT2, {"-32768", "0", "32767"}},
    {SQL_INT8, {"-9223372036854775808", "-1", "0", "9223372036854775807"}},
    {SQL_FLOAT8, {"-Infinity", "-1.5", "0", "1e-300", "2", "Infinity", "NaN"}},
    {SQL_NUMERIC,
     {"-Infinity", "-1e20", "-1.25", "-1.2", "0.00", "0.001", "12.50", "123456789012345678901.5",
      "NaN"}},
    {SQL_NUMERIC, {"1e-25", "1.0e-24", "0.9999", "1", "1.00000000000000000000001", "10", "1000"}},
    {SQL_TEXT, {"", "A", "a", "aa", "\xc3\xa4"}},
    {SQL_BYTEA, {"", "\\x00", "\\x0000", "\\x0001", "\\x01", "\\xff"}},
    {SQL_UUID, {"00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
    {SQL_INT4_ARRAY, {"{}", "{1}", "{1,2}", "{1,3}", "{1,NULL}", "{2}", "{NULL}"}},
    {SQL_TEXT_ARRAY, {"{}", "{\"\"}", "{a}", "{a,\"\"}", "{aa}", "{b}"}},
};

static void a_row_reads_back_as_it_was(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    for (size_t v = 0; v < array_count(values); v++)
        for (size_t i = 0; i < 9 && values[v].ascending[i]; i++) {
            struct one_row r = {.batch = {.rows = 0}};
            put(&r, &k, SQL_INT4, NULL);
            put(&r, &k, values[v].oid, values[v].ascending[i]);
            put(&r, &k, SQL_INT4, "7");
            struct buf out = buf_make(ROW_BYTES_MAX);
            assert_int_equal(sql_row_encode(&r.batch, r.types, NULL, 3, 0, false, &out), 0);
            union sql_cell cells[3];
            uint8_t nulls[3];
            assert_int_equal(sql_row_decode(buf_slice(&out), r.types, 3, &k.memory, cells, nulls),
                             (ptrdiff_t)out.len);
            assert_true(nulls[0] && !nulls[1] && !nulls[2]);
            assert_int_equal(cells[2].i, 7);
            char before[4096];
            snprintf(before, sizeof before, "%s", kit_text(&k, r.types[1], &r.cells[1]));
            assert_string_equal(kit_text(&k, r.types[1], &cells[1]), before);
            for (size_t len = 0; len < out.len; len++) /* cut anywhere, it is no row */
                assert_int_equal(
                    sql_row_decode(slice_make(out.ptr, len), r.types, 3, &k.memory, cells, nulls),
                    -EBADMSG);
            buf_free(&out);
        }
    arena_free(&k.memory);
}

static void equal_values_have_equal_canonical_bytes(void **state) {
    (void)state;
    static const struct {
        uint32_t oid;
        const char *a, *b;
    } cases[] = {
        {SQL_NUMERIC, "1.0", "1.000000000000000000000000"},
        {SQL_NUMERIC, "0", "0.00"},
        {SQL_NUMERIC, "1e20", "100000000000000000000.0"},
        {SQL_NUMERIC, "123456789012345678", "123456789012345678.000"},
        {SQL_FLOAT8, "0", "-0"},
        {SQL_BPCHAR, "a", "a   "},
        {1231 /* numeric[] */, "{1.0,2}", "{1,2.00}"},
    };
    struct value_kit k = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        struct one_row r = {.batch = {.rows = 0}};
        put(&r, &k, cases[i].oid, cases[i].a);
        put(&r, &k, cases[i].oid, cases[i].b);
        struct buf a = buf_make(ROW_BYTES_MAX);
        struct buf b = buf_make(ROW_BYTES_MAX);
        assert_int_equal(sql_row_encode(&r.batch, r.types, (unsigned[]){0}, 1, 0, true, &a), 0);
        assert_int_equal(sql_row_encode(&r.batch, r.types, (unsigned[]){1}, 1, 0, true, &b), 0);
        assert_true(slice_equal(buf_slice(&a), buf_slice(&b)));
        union sql_cell cell;
        uint8_t null;
        assert_true(sql_row_decode(buf_slice(&a), r.types, 1, &k.memory, &cell, &null) > 0);
        assert_true(sql_value_equal(cases[i].oid, &cell, &r.cells[0]));
        buf_free(&a);
        buf_free(&b);
    }
    arena_free(&k.memory);
}

static struct buf key_of(struct value_kit *k, uint32_t oid, const char *text, bool descending,
                         bool nulls_first) {
    struct buf out = buf_make(ROW_BYTES_MAX);
    union sql_cell cell = {.i = 0};
    if (text)
        cell = kit_value(k, sql_type_of(oid), text);
    assert_int_equal(sql_key_value(oid, &cell, !text, descending, nulls_first, &out), 0);
    /* What follows a key in a longer one must not change the order. */
    assert_int_equal(buf_append_byte(&out, (char)0x80), 0);
    return out;
}

static void keys_have_the_order_of_their_values(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    for (size_t v = 0; v < array_count(values); v++)
        for (unsigned form = 0; form < 4; form++) {
            bool descending = form & 1;
            bool nulls_first = form & 2;
            for (size_t i = 0; i < 9 && values[v].ascending[i]; i++)
                for (size_t j = 0; j < 9 && values[v].ascending[j]; j++) {
                    uint32_t oid = values[v].oid;
                    struct buf a = key_of(&k, oid, values[v].ascending[i], descending, false);
                    struct buf b = key_of(&k, oid, values[v].ascending[j], descending, false);
                    int order = slice_compare(buf_slice(&a), buf_slice(&b));
                    int wanted = (i > j) - (i < j);
                    assert_int_equal((order > 0) - (order < 0), descending ? -wanted : wanted);
                    struct buf null = key_of(&k, oid, NULL, descending, nulls_first);
                    order = slice_compare(buf_slice(&null), buf_slice(&a));
                    assert_true(nulls_first ? order < 0 : order > 0);
                    buf_free(&a);
                    buf_free(&b);
                    buf_free(&null);
                }
        }
    arena_free(&k.memory);
}

static void a_builder_gathers_rows_with_weights(void **state) {
    (void)state;
    struct sql_builder b;
    assert_int_equal(sql_builder_make(2, &b), 0);
    for (unsigned i = 0; !sql_builder_full(&b); i++) {
        union sql_cell cell = {.i = i};
        sql_builder_set(&b, 0, &cell, false);
        sql_builder_set(&b, 1, &cell, i % 2 == 0);
        sql_builder_end(&b, i == 5 ? -1 : 1);
    }
    struct sql_batch batch = sql_builder_batch(&b);
    assert_int_equal(batch.rows, SQL_BATCH_ROWS);
    assert_int_equal(sql_cell_at(&batch.column[0], 9)->i, 9);
    assert_true(sql_null_at(&batch.column[1], 8) && !sql_null_at(&batch.column[1], 9));
    assert_int_equal(sql_weight_at(&batch, 5), -1);
    sql_builder_reset(&b);
    batch = sql_builder_batch(&b);
    assert_int_equal(batch.rows, 0);
    assert_null(batch.weights);
    sql_builder_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_reads_back_as_it_was),
        cmocka_unit_test(equal_values_have_equal_canonical_bytes),
        cmocka_unit_test(keys_have_the_order_of_their_values),
        cmocka_unit_test(a_builder_gathers_rows_with_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
