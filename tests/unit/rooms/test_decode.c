/*
 * test_decode.c - records to rows: each case is a column's type, a document, and what PostgreSQL
 * shows of the value; or the SQLSTATE why there is no row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rooms/stream/decode.h"
#include "sql/batch.h"

#include <errno.h>
#include <stdio.h>

static struct sql_table_column column(const char *name, struct sql_type type) {
    return (struct sql_table_column){.name = slice_str(name), .type = type};
}

static struct ledger_record record_of(const char *document) {
    return (struct ledger_record){.sequence = 7,
                                  .position = 9,
                                  .time_ns = INT64_C(1700000000123456789),
                                  .subject = slice_lit("a.b"),
                                  .headers = slice_lit("NATS/1.0\r\nNumber: 5\r\nWord: x\r\n\r\n"),
                                  .payload = slice_str(document)};
}

static struct sql_option *with; /* the table's options, `withs` of them */
static unsigned withs;

/* Row 0 of the table's column 0 as text: "NULL", the value, or "!" and the SQLSTATE. */
static const char *decoded(const struct sql_table_column *c, const char *document, char out[256]) {
    struct sql_table_column own = *c;
    const struct sql_table table = {
        .name = slice_lit("t"), .columns = 1, .column = &own, .options = withs, .option = with};
    const struct sql_settings settings = {.extra_float_digits = 1};
    const unsigned which = 0;
    struct decoder *d;
    struct sql_builder b;
    struct sql_error why = {.state = ""};
    struct ledger_record record = record_of(document);
    assert_int_equal(decoder_new(&table, &which, 1, &settings, &d), 0);
    assert_int_equal(sql_builder_make(1, &b), 0);
    int r = decoder_add(d, &record, &b, &why);
    assert_int_equal(b.rows, r == 0);
    if (r == 0) {
        struct sql_batch batch = sql_builder_batch(&b);
        struct buf text = buf_make(200);
        assert_int_equal(sql_weight_at(&batch, 0), 1);
        if (sql_null_at(&batch.column[0], 0))
            assert_int_equal(buf_append(&text, slice_lit("NULL")), 0);
        else
            assert_int_equal(
                sql_value_out(c->type, sql_cell_at(&batch.column[0], 0), &settings, &text), 0);
        snprintf(out, 256, "%.*s", slice_fmt(buf_slice(&text)));
        buf_free(&text);
    } else {
        bool of_column = strcmp(why.state, "22P02") != 0 || why.message[0] != 't';
        assert_int_equal(r, -EBADMSG);
        assert_true(why.message[0]);
        assert_int_equal(decoder_refused(d).len, of_column ? c->name.len : 0);
        snprintf(out, 256, "!%s", why.state);
    }
    sql_builder_free(&b);
    decoder_free(d);
    return out;
}

static void test_values_by_their_types(void **state) {
    (void)state;
    static const struct {
        struct sql_type type;
        const char *document, *expected;
    } cases[] = {
        {{SQL_INT8, -1}, "{\"x\":9223372036854775807}", "9223372036854775807"},
        {{SQL_INT8, -1}, "{\"x\":9223372036854775808}", "!22003"},
        {{SQL_INT8, -1}, "{\"x\":1.5}", "!22P02"},
        {{SQL_INT8, -1}, "{\"x\":\" 12 \"}", "12"},
        {{SQL_INT8, -1}, "{\"x\":true}", "!22P02"},
        {{SQL_INT4, -1}, "{\"x\":-2147483648}", "-2147483648"},
        {{SQL_INT4, -1}, "{\"x\":2147483648}", "!22003"},
        {{SQL_INT2, -1}, "{\"x\":32768}", "!22003"},
        {{SQL_NUMERIC, -1}, "{\"x\":1.50}", "1.50"},
        {{SQL_NUMERIC, -1},
         "{\"x\":123456789012345678901234567890.5}",
         "123456789012345678901234567890.5"},
        {{SQL_NUMERIC, -1}, "{\"x\":\"NaN\"}", "NaN"},
        {{SQL_NUMERIC, ((5 << 16) | 2) + 4}, "{\"x\":1.005}", "1.01"},
        {{SQL_NUMERIC, ((5 << 16) | 2) + 4}, "{\"x\":12345}", "!22003"},
        {{SQL_FLOAT8, -1}, "{\"x\":0.1}", "0.1"},
        {{SQL_FLOAT8, -1}, "{\"x\":1e400}", "!22003"},
        {{SQL_FLOAT4, -1}, "{\"x\":0.1}", "0.1"},
        {{SQL_BOOL, -1}, "{\"x\":true}", "t"},
        {{SQL_BOOL, -1}, "{\"x\":\"no\"}", "f"},
        {{SQL_BOOL, -1}, "{\"x\":\"maybe\"}", "!22P02"},
        {{SQL_TEXT, -1}, "{\"x\":\"plain\"}", "plain"},
        {{SQL_TEXT, -1}, "{\"x\":\"a\\n\\u00e9\\\"\"}", "a\n\xc3\xa9\""},
        {{SQL_TEXT, -1}, "{\"x\":\"a\\u0000\"}", "!22P05"},
        {{SQL_TEXT, -1}, "{\"x\":12.50}", "12.50"},
        {{SQL_TEXT, -1}, "{\"x\":{\"a\": [1]}}", "{\"a\": [1]}"},
        {{SQL_TEXT, -1}, "{\"x\":null}", "NULL"},
        {{SQL_TEXT, -1}, "{\"y\":1}", "NULL"},
        {{SQL_TEXT, -1}, "[1]", "NULL"},
        {{SQL_VARCHAR, 7}, "{\"x\":\"abc\"}", "abc"},
        {{SQL_VARCHAR, 7}, "{\"x\":\"abcd\"}", "!22001"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":\"2024-02-29T23:59:58.123\"}", "2024-02-29 23:59:58.123"},
        {{SQL_TIMESTAMP, -1},
         "{\"x\":\"2024-02-29 23:59:58.123456Z\"}",
         "2024-02-29 23:59:58.123456"},
        {{SQL_TIMESTAMP, -1},
         "{\"x\":\"2024-02-29 23:59:58.1234567\"}",
         "2024-02-29 23:59:58.123457"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":\"2023-02-29 00:00:00\"}", "!22008"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":\"Jan 8 1999\"}", "1999-01-08 00:00:00"},
        {{SQL_TIMESTAMP, 3}, "{\"x\":\"2024-01-01T00:00:00.0006\"}", "2024-01-01 00:00:00.001"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":1700000000123}", "2023-11-14 22:13:20.123"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":-1}", "1969-12-31 23:59:59.999"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":0.5}", "1970-01-01 00:00:00.0005"},
        {{SQL_TIMESTAMP, -1}, "{\"x\":9999999999999999999}", "!22008"},
        {{SQL_TIMESTAMPTZ, -1}, "{\"x\":\"2024-02-29T23:59:58Z\"}", "2024-02-29 23:59:58+00"},
        {{SQL_TIMESTAMPTZ, -1}, "{\"x\":\"2024-02-29T23:59:58+02:00\"}", "2024-02-29 21:59:58+00"},
        {{SQL_DATE, -1}, "{\"x\":\"2024-02-29\"}", "2024-02-29"},
        {{SQL_UUID, -1},
         "{\"x\":\"A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11\"}",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {{SQL_UUID, -1}, "{\"x\":\"a0\"}", "!22P02"},
        {{SQL_JSON, -1}, "{\"x\": {\"b\" : 1e2}}", "{\"b\" : 1e2}"},
        {{SQL_JSONB, -1}, "{\"x\": {\"b\" : 1e2}}", "{\"b\": 100}"},
        {{SQL_JSONB, -1}, "{\"x\": \"s\"}", "\"s\""},
        {{SQL_INT4_ARRAY, -1}, "{\"x\":\"{1,2}\"}", "{1,2}"},
        {{SQL_TEXT, -1}, "{\"x\":\"a\"", "!22P02"},
        {{SQL_TEXT, -1}, "", "!22P02"},
    };
    char out[256];
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_table_column c = column("x", cases[i].type);
        if (strcmp(decoded(&c, cases[i].document, out), cases[i].expected) != 0)
            fail_msg("%s as %u: %s, expected %s", cases[i].document, cases[i].type.oid, out,
                     cases[i].expected);
    }
}

static void test_columns_find_their_members(void **state) {
    (void)state;
    char out[256];
    struct sql_table_column c = column("a/b~c", sql_type_of(SQL_INT8));
    assert_string_equal(decoded(&c, "{\"a/b~c\":5}", out), "5");
    c.path = slice_lit("/q/0/z");
    assert_string_equal(decoded(&c, "{\"q\":[{\"z\":6}]}", out), "6");
    c = column("doc", sql_type_of(SQL_JSONB));
    c.path = (slice){"", 0};
    assert_string_equal(decoded(&c, "{\"q\":[1]}", out), "{\"q\": [1]}");
}

static void test_the_message_tells_what_the_document_does_not(void **state) {
    (void)state;
    char out[256];
    struct sql_table_column c = column("nonet_sequence", sql_type_of(SQL_INT8));
    assert_string_equal(decoded(&c, "{}", out), "7");
    assert_string_equal(decoded(&c, "{\"nonet_sequence\":8}", out), "8");
    c = column("nonet_position", sql_type_of(SQL_INT8));
    assert_string_equal(decoded(&c, "{}", out), "9");
    c = column("nonet_subject", sql_type_of(SQL_TEXT));
    assert_string_equal(decoded(&c, "{}", out), "a.b");
    c = column("nonet_time", sql_type_of(SQL_TIMESTAMPTZ));
    assert_string_equal(decoded(&c, "{}", out), "2023-11-14 22:13:20.123456+00");
}

static void test_headers_are_columns_and_payloads_may_be_raw(void **state) {
    (void)state;
    char out[256];
    struct sql_option options[] = {{slice_lit("header.c"), slice_lit("Number")},
                                   {slice_lit("format"), slice_lit("raw")}};
    struct sql_table_column c = column("c", sql_type_of(SQL_INT8));
    with = options;
    withs = 1;
    assert_string_equal(decoded(&c, "{\"c\":1}", out), "5");
    assert_string_equal(decoded(&c, "no JSON", out), "!22P02");
    options[0].value = slice_lit("Word");
    assert_string_equal(decoded(&c, "{\"c\":1}", out), "!22P02");
    options[0].value = slice_lit("None");
    assert_string_equal(decoded(&c, "{\"c\":1}", out), "NULL");
    withs = 2;
    options[0].value = slice_lit("Number");
    assert_string_equal(decoded(&c, "no JSON", out), "5");
    c = column("nonet_payload", sql_type_of(SQL_TEXT));
    assert_string_equal(decoded(&c, "no JSON", out), "no JSON");
    assert_string_equal(decoded(&c, "\xff", out), "NULL");
    c = column("nonet_payload", sql_type_of(SQL_BYTEA));
    assert_string_equal(decoded(&c, "\xff", out), "\\xff");
    c = column("other", sql_type_of(SQL_TEXT));
    assert_string_equal(decoded(&c, "{\"other\":1}", out), "NULL");
    withs = 0;
}

static void test_not_null_holds_whichever_columns_are_read(void **state) {
    (void)state;
    struct sql_table_column columns[] = {column("a", sql_type_of(SQL_INT8)),
                                         column("b", sql_type_of(SQL_TEXT))};
    columns[1].not_null = true;
    const struct sql_table table = {.name = slice_lit("t"), .columns = 2, .column = columns};
    const unsigned which = 0;
    struct decoder *d;
    struct sql_builder b, none;
    struct sql_error why;
    struct ledger_record whole = record_of("{\"a\":1,\"b\":\"\"}"), half = record_of("{\"a\":2}");
    assert_int_equal(decoder_new(&table, &which, 1, NULL, &d), 0);
    assert_int_equal(sql_builder_make(1, &b), 0);
    assert_int_equal(decoder_add(d, &half, &b, &why), -EBADMSG);
    assert_string_equal(why.state, "23502");
    assert_string_equal(
        why.message, "null value in column \"b\" of relation \"t\" violates not-null constraint");
    assert_string_equal(why.detail, "Column \"b\" of table \"t\", record 7.");
    assert_int_equal(decoder_add(d, &whole, &b, &why), 0);
    assert_int_equal(b.rows, 1);
    sql_builder_free(&b);
    decoder_free(d);
    /* count(*) reads none. */
    assert_int_equal(decoder_new(&table, NULL, 0, NULL, &d), 0);
    assert_int_equal(sql_builder_make(0, &none), 0);
    assert_int_equal(decoder_add(d, &half, &none, &why), -EBADMSG);
    assert_int_equal(decoder_add(d, &whole, &none, &why), 0);
    assert_int_equal(none.rows, 1);
    sql_builder_free(&none);
    decoder_free(d);
}

static void test_too_many_columns_are_refused(void **state) {
    (void)state;
    static struct sql_table_column columns[300];
    static char names[300][8];
    static unsigned which[300];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "c%u", i);
        columns[i] = column(names[i], sql_type_of(SQL_INT8));
        which[i] = i;
    }
    const struct sql_table table = {.columns = 300, .column = columns};
    struct decoder *d;
    assert_int_equal(decoder_new(&table, which, 300, NULL, &d), -E2BIG);
    assert_int_equal(decoder_new(&table, which, 255, NULL, &d), 0);
    decoder_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_by_their_types),
        cmocka_unit_test(test_columns_find_their_members),
        cmocka_unit_test(test_the_message_tells_what_the_document_does_not),
        cmocka_unit_test(test_headers_are_columns_and_payloads_may_be_raw),
        cmocka_unit_test(test_not_null_holds_whichever_columns_are_read),
        cmocka_unit_test(test_too_many_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
