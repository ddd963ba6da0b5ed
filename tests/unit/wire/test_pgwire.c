/*
 * Pages in tests/wire/pgwire say what is parsed. Here: what a page cannot show, the contract
 * between the parser and the connection, what is inside of events, and the writers, whose bytes
 * are those of the protocol's documentation (PostgreSQL 15, chapter 55.7).
 */
#include "wire_test.h"

#include "base/mem.h"
#include "wire/pgwire.h"
#include "wire/pgwire_write.h"

/* --- parser ------------------------------------------------------------------------------------
 */

static struct pgwire_parser started(void) {
    struct pgwire_parser p = pgwire_parser_make(PGWIRE_MESSAGE_MAX);
    p.started = 1;
    return p;
}

static void it_says_how_many_bytes_it_needs(void **state) {
    (void)state;
    struct pgwire_parser p = pgwire_parser_make(100);
    struct pgwire_event e;
    size_t consumed = 77;
    assert_int_equal(pgwire_parse(&p, none, &e, &consumed), 0);
    assert_int_equal(p.need, 4);
    assert_int_equal(pgwire_parse(&p, slice_lit("\0\0\0\x20"), &e, &consumed), 0);
    assert_int_equal(p.need, 32);
    p.started = 1;
    assert_int_equal(pgwire_parse(&p, none, &e, &consumed), 0);
    assert_int_equal(p.need, 5);
    assert_int_equal(pgwire_parse(&p, slice_lit("Q\0\0\0\x64"), &e, &consumed), 0);
    assert_int_equal(p.need, 101);
    assert_int_equal(consumed, 77);
}

static void an_error_is_final_and_names_the_byte(void **state) {
    (void)state;
    struct pgwire_parser p = started();
    struct pgwire_event e;
    size_t consumed = 77;
    assert_int_equal(pgwire_parse(&p, slice_lit("z"), &e, &consumed), -EPROTO);
    assert_int_equal(p.error, PGWIRE_ERROR_TYPE);
    assert_int_equal(p.refused, 'z');
    assert_int_equal(pgwire_parse(&p, slice_lit("S\0\0\0\4"), &e, &consumed), -EPROTO);
    assert_int_equal(consumed, 77);
}

static void one_format_stands_for_all_values_and_none_for_text(void **state) {
    (void)state;
    const struct pgwire_list no = {0, none}, one = {1, slice_lit("\0\1")},
                             two = {2, slice_lit("\0\1\0\0")};
    assert_int_equal(pgwire_format_of(&no, 5), 0);
    assert_int_equal(pgwire_format_of(&one, 0), 1);
    assert_int_equal(pgwire_format_of(&one, 5), 1);
    assert_int_equal(pgwire_format_of(&two, 0), 1);
    assert_int_equal(pgwire_format_of(&two, 1), 0);
}

static void a_null_parameter_has_no_pointer_and_an_empty_one_has(void **state) {
    (void)state;
    slice rest = slice_lit("\xff\xff\xff\xff\0\0\0\0\0\0\0\1a");
    assert_null(pgwire_next_parameter(&rest).ptr);
    const slice empty = pgwire_next_parameter(&rest);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_slice(pgwire_next_parameter(&rest), "a");
    assert_int_equal(rest.len, 0);
}

static void a_password_is_one_text(void **state) {
    (void)state;
    slice password;
    assert_true(pgwire_password(slice_lit("secret\0"), &password));
    assert_slice(password, "secret");
    assert_false(pgwire_password(slice_lit("secret"), &password));
    assert_false(pgwire_password(slice_lit("a\0b\0"), &password));
    assert_false(pgwire_password(none, &password));
}

static void sasls_first_message_names_its_mechanism(void **state) {
    (void)state;
    slice mechanism, data;
    assert_true(pgwire_sasl_initial(slice_lit("SCRAM-SHA-256\0\0\0\0\3n,,"), &mechanism, &data));
    assert_slice(mechanism, "SCRAM-SHA-256");
    assert_slice(data, "n,,");
    assert_true(pgwire_sasl_initial(slice_lit("X\0\xff\xff\xff\xff"), &mechanism, &data));
    assert_int_equal(data.len, 0);
    assert_false(pgwire_sasl_initial(slice_lit("X\0\0\0\0\4n,,"), &mechanism, &data));
    assert_false(pgwire_sasl_initial(slice_lit("X\0\0\0\0\2n,,"), &mechanism, &data));
    assert_false(pgwire_sasl_initial(slice_lit("X"), &mechanism, &data));
}

/* --- writers -----------------------------------------------------------------------------------
 */

#define assert_written(call, text)                                                                 \
    do {                                                                                           \
        struct buf b = buf_make(1000);                                                             \
        assert_int_equal(call, 0);                                                                 \
        assert_slice(buf_slice(&b), text);                                                         \
        buf_free(&b);                                                                              \
    } while (0)

static void marks_and_states(void **state) {
    (void)state;
    assert_written(pgwire_write_mark(&b, PGWIRE_PARSE_COMPLETE), "1\0\0\0\4");
    assert_written(pgwire_write_mark(&b, PGWIRE_PORTAL_SUSPENDED), "s\0\0\0\4");
    assert_written(pgwire_write_ready(&b, 'T'), "Z\0\0\0\5T");
    assert_written(pgwire_write_command_complete(&b, slice_lit("SELECT 1")),
                   "C\0\0\0\x0dSELECT 1\0");
    assert_written(pgwire_write_backend_key(&b, 7, 0x80000001), "K\0\0\0\x0c\0\0\0\7\x80\0\0\1");
    assert_written(pgwire_write_parameter_status(&b, slice_lit("a"), slice_lit("b")), "S\0\0\0\x08"
                                                                                      "a\0b\0");
}

static void authentication(void **state) {
    (void)state;
    assert_written(pgwire_write_authentication(&b, PGWIRE_AUTHENTICATION_OK, none),
                   "R\0\0\0\x08\0\0\0\0");
    assert_written(
        pgwire_write_authentication(&b, PGWIRE_AUTHENTICATION_SASL, slice_lit("SCRAM-SHA-256\0\0")),
        "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
}

static void descriptions(void **state) {
    (void)state;
    const struct pgwire_column column = {slice_lit("a"), 1, 2, 23, 4, -1, 1};
    const uint32_t oids[] = {23, 25};
    assert_written(pgwire_write_row_description(&b, &column, 1),
                   "T\0\0\0\x1a\0\1a\0\0\0\0\1\0\2\0\0\0\x17\0\4\xff\xff\xff\xff\0\1");
    assert_written(pgwire_write_parameter_description(&b, oids, 2),
                   "t\0\0\0\x0e\0\2\0\0\0\x17\0\0\0\x19");
}

static void a_report_has_the_fields_it_has(void **state) {
    (void)state;
    const struct pgwire_report few = {
        .severity = "ERROR", .state = "42601", .message = slice_lit("m")};
    const struct pgwire_report all = {
        "NOTICE", "00000", slice_lit("m"), slice_lit("d"), slice_lit("h"), slice_lit("w"), 12};
    assert_written(pgwire_write_error(&b, &few), "E\0\0\0\x1dSERROR\0VERROR\0C42601\0Mm\0\0");
    assert_written(pgwire_write_notice(&b, &all),
                   "N\0\0\0\x2cSNOTICE\0VNOTICE\0C00000\0Mm\0Dd\0Hh\0P12\0Ww\0\0");
}

static void copy(void **state) {
    (void)state;
    assert_written(pgwire_write_copy_in(&b, 1, 2), "G\0\0\0\x0b\1\0\2\0\1\0\1");
    assert_written(pgwire_write_copy_out(&b, 0, 1), "H\0\0\0\x09\0\0\1\0\0");
    assert_written(pgwire_write_copy_data(&b, slice_lit("1\n")), "d\0\0\0\6"
                                                                 "1\n");
}

static void negotiation(void **state) {
    (void)state;
    const slice options[] = {slice_lit("_pq_.x")};
    assert_written(pgwire_write_negotiate(&b, 0, options, 1),
                   "v\0\0\0\x13\0\0\0\0\0\0\0\1_pq_.x\0");
}

static void a_row_is_filled_value_by_value(void **state) {
    (void)state;
    struct buf b = buf_make(1000);
    size_t row = 0, value = 0;
    assert_int_equal(pgwire_begin(&b, 'D', &row), 0);
    assert_int_equal(pgwire_put_u16(&b, 2), 0);
    assert_int_equal(pgwire_begin_value(&b, &value), 0);
    assert_int_equal(buf_append(&b, slice_lit("abc")), 0);
    pgwire_end_value(&b, value);
    assert_int_equal(pgwire_put_null(&b), 0);
    pgwire_end(&b, row);
    assert_slice(buf_slice(&b), "D\0\0\0\x11\0\2\0\0\0\3abc\xff\xff\xff\xff");
    buf_free(&b);
}

static void what_does_not_fit_is_not_written_at_all(void **state) {
    (void)state;
    const struct pgwire_column columns[2] = {{.name = slice_lit("a")}, {.name = slice_lit("b")}};
    for (size_t room = 0; room < 47; room++) {
        struct buf b = buf_make(room + 1);
        assert_int_equal(buf_append_byte(&b, 'x'), 0);
        assert_int_equal(pgwire_write_row_description(&b, columns, 2), -ENOBUFS);
        assert_slice(buf_slice(&b), "x");
        buf_free(&b);
    }
    struct buf b = buf_make(47);
    assert_int_equal(pgwire_write_row_description(&b, columns, 2), 0);
    assert_int_equal(b.len, 47);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_many_bytes_it_needs),
        cmocka_unit_test(an_error_is_final_and_names_the_byte),
        cmocka_unit_test(one_format_stands_for_all_values_and_none_for_text),
        cmocka_unit_test(a_null_parameter_has_no_pointer_and_an_empty_one_has),
        cmocka_unit_test(a_password_is_one_text),
        cmocka_unit_test(sasls_first_message_names_its_mechanism),
        cmocka_unit_test(marks_and_states),
        cmocka_unit_test(authentication),
        cmocka_unit_test(descriptions),
        cmocka_unit_test(a_report_has_the_fields_it_has),
        cmocka_unit_test(copy),
        cmocka_unit_test(negotiation),
        cmocka_unit_test(a_row_is_filled_value_by_value),
        cmocka_unit_test(what_does_not_fit_is_not_written_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
