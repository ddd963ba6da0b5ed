/*
 * Casts from json and jsonb, and the aggregates that make them; expected is what PostgreSQL 15
 * gives.
 */
#include "../../base/base_test.h"
#include "sql/function.h"
#include "sql/text/json_write.h"

static const struct {
    uint32_t from, to;
    int32_t typmod;
    const char *text, *expected;
} casts[] = {
    {SQL_JSONB, SQL_INT2, -1, "1.5", "2"},
    {SQL_JSONB, SQL_INT4, -1, "-1.5", "-2"},
    {SQL_JSONB, SQL_INT2, -1, "99999", "!22003 smallint out of range"},
    {SQL_JSONB, SQL_INT4, -1, "1e10", "!22003 integer out of range"},
    {SQL_JSONB, SQL_INT8, -1, "1e20", "!22003 bigint out of range"},
    {SQL_JSONB, SQL_INT8, -1, "1e18", "1000000000000000000"},
    {SQL_JSONB, SQL_NUMERIC, -1, "1.250", "1.250"},
    {SQL_JSONB, SQL_NUMERIC, ((3 << 16) | 1) + 4, "1.25", "1.3"},
    {SQL_JSONB, SQL_BOOL, -1, "true", "t"},
    {SQL_JSONB, SQL_BOOL, -1, "false", "f"},
    {SQL_JSONB, SQL_BOOL, -1, "\"t\"", "!22023 cannot cast jsonb string to type boolean"},
    {SQL_JSONB, SQL_BOOL, -1, "[1]", "!22023 cannot cast jsonb array to type boolean"},
    {SQL_JSONB, SQL_INT4, -1, "null", "!22023 cannot cast jsonb null to type integer"},
    {SQL_JSONB, SQL_NUMERIC, -1, "{}", "!22023 cannot cast jsonb object to type numeric"},
    {SQL_JSONB, SQL_FLOAT8, -1, "1.5", "1.5"},
    {SQL_JSONB, SQL_FLOAT4, -1, "1.5", "1.5"},
    {SQL_JSONB, SQL_FLOAT4, -1, "true", "!22023 cannot cast jsonb boolean to type real"},
    {SQL_JSONB, SQL_BOOL, -1, "1", "!22023 cannot cast jsonb numeric to type boolean"},
    {SQL_JSON, SQL_JSONB, -1, " {\"b\":1, \"a\":2}", "{\"a\": 2, \"b\": 1}"},
    {SQL_JSON, SQL_JSONB, -1, "\"\\u0000\"", "!22P05 unsupported Unicode escape sequence"},
};

static void print(int failed, const struct sql_error *error, struct sql_type type,
                  const union sql_cell *cell, struct buf *out) {
    struct sql_settings settings = {.extra_float_digits = 1};
    if (failed)
        assert_int_equal(buf_printf(out, "!%s %s", error->state, error->message), 0);
    else
        assert_int_equal(sql_value_out(type, cell, &settings, out), 0);
}

static void values_of_jsonb_become_values_of_sql(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(casts); i++) {
        struct arena memory = arena_make(0, 1 << 20);
        struct sql_settings settings = {.extra_float_digits = 1};
        struct sql_error error = {.position = 0};
        struct sql_type from = sql_type_of(casts[i].from);
        uint8_t null = 0;
        union sql_cell cell, result;
        assert_int_equal(
            sql_value_in(from, slice_str(casts[i].text), &settings, &memory, &cell, &error), 0);
        const struct sql_cast *cast = sql_cast_find(casts[i].from, casts[i].to);
        assert_non_null(cast);
        struct sql_call call = {.memory = &memory,
                                .settings = &settings,
                                .error = &error,
                                .types = &from,
                                .count = 1,
                                .result = {casts[i].to, casts[i].typmod},
                                .nulls = &null};
        struct buf out = buf_make(1000);
        print(cast->scalar(&call, &cell, &result), &error, call.result, &result, &out);
        assert_string_equal(buf_text(&out), casts[i].expected);
        buf_free(&out);
        arena_free(&memory);
    }
    assert_null(sql_cast_find(SQL_JSONB, SQL_JSON)->scalar);
}

struct row {
    const char *values[2]; /* NULL: NULL */
    int64_t weight;
};

static const struct {
    const char *name;
    uint32_t types[2];
    struct row rows[3];
    const char *expected; /* NULL: NULL */
} aggregates[] = {
    {"json_agg", {SQL_INT4, 0}, {{{"1"}, 1}, {{NULL}, 1}, {{"2"}, 2}}, "[1, null, 2, 2]"},
    {"jsonb_agg", {SQL_TEXT, 0}, {{{"b"}, 1}, {{"a\"c"}, 1}}, "[\"b\", \"a\\\"c\"]"},
    {"json_agg", {SQL_INT4_ARRAY, 0}, {{{"{1}"}, 1}, {{"{2}"}, 1}}, "[[1], \n [2]]"},
    {"json_agg", {SQL_INT4, 0}, {{{NULL}, 0}}, NULL},
    {"json_object_agg",
     {SQL_TEXT, SQL_INT4},
     {{{"a", "1"}, 1}, {{"b", NULL}, 1}},
     "{ \"a\" : 1, \"b\" : null }"},
    {"jsonb_object_agg",
     {SQL_TEXT, SQL_INT4},
     {{{"b", "1"}, 1}, {{"a", "2"}, 1}, {{"b", "3"}, 1}},
     "{\"a\": 2, \"b\": 3}"},
    {"json_object_agg",
     {SQL_TEXT, SQL_INT4},
     {{{NULL, "1"}, 1}},
     "!22023 field name must not be null"},
    {"json_object_agg",
     {SQL_INT4_ARRAY, SQL_INT4},
     {{{"{1}", "1"}, 1}},
     "!22023 key value must be scalar, not array, composite, or json"},
};

static int add_row(const struct sql_aggregate *a, struct sql_call *call, void *state,
                   const struct row *row) {
    union sql_cell cells[2];
    uint8_t nulls[2] = {0, 0};
    for (unsigned i = 0; i < call->count; i++) {
        nulls[i] = row->values[i] == NULL;
        if (!nulls[i])
            assert_int_equal(sql_value_in(call->types[i], slice_str(row->values[i]), call->settings,
                                          call->memory, &cells[i], call->error),
                             0);
    }
    call->nulls = nulls;
    return a->add(call, state, cells, row->weight);
}

static void aggregates_gather_rows_and_survive_a_snapshot(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(aggregates); i++) {
        struct arena memory = arena_make(0, 1 << 20);
        struct sql_settings settings = {.extra_float_digits = 1};
        struct sql_error error = {.position = 0};
        unsigned cursor = 0;
        const struct sql_aggregate *a = sql_aggregate_next(slice_str(aggregates[i].name), &cursor);
        struct sql_type types[2] = {sql_type_of(aggregates[i].types[0]),
                                    sql_type_of(aggregates[i].types[1])};
        struct sql_call call = {.memory = &memory,
                                .settings = &settings,
                                .error = &error,
                                .types = types,
                                .count = a->count,
                                .result = sql_type_of(a->result)};
        max_align_t first[8] = {{0}}, second[8] = {{0}};
        assert_true(a->state_bytes <= 128);
        int failed = 0;
        for (unsigned r = 0; r < 3 && aggregates[i].rows[r].weight && !failed; r++)
            failed = add_row(a, &call, first, &aggregates[i].rows[r]);
        struct buf saved = buf_make(1000), out = buf_make(1000);
        assert_int_equal(a->save(first, &saved), 0);
        assert_int_equal(a->load(second, buf_slice(&saved)), 0);
        union sql_cell result;
        failed = failed ? failed : a->result_of(&call, second, &result);
        assert_int_equal(!failed && call.null, aggregates[i].expected == NULL);
        if (aggregates[i].expected) {
            print(failed, &error, call.result, &result, &out);
            assert_string_equal(buf_text(&out), aggregates[i].expected);
        }
        a->release(first);
        a->release(second);
        buf_free(&saved);
        buf_free(&out);
        arena_free(&memory);
    }
}

static void a_record_is_written_with_its_names(void **state) {
    (void)state;
    static const struct sql_type types[2] = {{SQL_INT4, -1}, {SQL_TEXT, -1}};
    static const union sql_cell cells[2] = {{.i = 7}, {.i = 0}};
    static const uint8_t nulls[2] = {0, 1};
    static const slice names[2] = {slice_lit("x"), slice_lit("a \"b\"")};
    struct sql_record record = {2, types, cells, nulls, NULL};
    union sql_cell cell = {.record = &record};
    struct buf out = buf_make(1000);
    assert_int_equal(sql_json_write(sql_type_of(SQL_RECORD), &cell, false, NULL, &out), 0);
    assert_string_equal(buf_text(&out), "{\"f1\":7,\"f2\":null}");
    record.names = names;
    buf_clear(&out);
    assert_int_equal(sql_json_write_pretty(sql_type_of(SQL_RECORD), &cell, NULL, &out), 0);
    assert_string_equal(buf_text(&out), "{\"x\":7,\n \"a \\\"b\\\"\":null}");
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_jsonb_become_values_of_sql),
        cmocka_unit_test(a_record_is_written_with_its_names),
        cmocka_unit_test(aggregates_gather_rows_and_survive_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
