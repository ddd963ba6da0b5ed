/*
 * test_sql_copy.c - the shapes of COPY: rows written and read, whole and cut at every place, with
 * PostgreSQL 15's texts.
 */
#include "rooms/stream/copy_format.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sql_option option[8];
static struct sql_statement statement;
static struct sql_error error;
static const struct sql_settings settings;
static const struct sql_type types[] = {{SQL_INT4, -1}, {SQL_TEXT, -1}};
static const struct sql_plan_column columns[] = {{slice_lit("a"), {SQL_INT4, -1}},
                                                 {slice_lit("b"), {SQL_TEXT, -1}}};

static void option_of(const char *name, const char *value) {
    option[statement.options++] = (struct sql_option){slice_str(name), slice_str(value)};
    statement.option = option;
}

static struct copy_format format_of(const char *shape) {
    struct copy_format f;
    statement.options = 0;
    option_of("format", shape);
    assert_int_equal(copy_format_of(&statement, &f, &error), 0);
    return f;
}

/* --- reading: rows as "a|b;" with ~ for NULL -------------------------------------------------- */

static int on_rows(void *owner, const struct sql_batch *batch) {
    struct buf *out = owner;
    for (unsigned row = 0; row < batch->rows; row++)
        for (unsigned i = 0; i < batch->columns; i++) {
            if (sql_null_at(&batch->column[i], row))
                assert_int_equal(buf_append_byte(out, '~'), 0);
            else
                assert_int_equal(
                    sql_value_out(types[i], sql_cell_at(&batch->column[i], row), &settings, out),
                    0);
            assert_int_equal(buf_append_byte(out, i + 1 < batch->columns ? '|' : ';'), 0);
        }
    return 0;
}

static int read_cut(const struct copy_format *f, slice bytes, size_t at, struct buf *out) {
    struct copy_reader *r;
    const struct copy_reader_options options = {.format = f,
                                                .types = types,
                                                .count = 2,
                                                .settings = &settings,
                                                .rows = on_rows,
                                                .owner = out};
    assert_int_equal(copy_reader_new(&options, &r), 0);
    int failed = copy_reader_take(r, slice_take(bytes, at), &error);
    if (!failed)
        failed = copy_reader_take(r, slice_skip(bytes, at), &error);
    if (!failed)
        failed = copy_reader_end(r, &error);
    copy_reader_free(r);
    return failed;
}

static void assert_reads(const struct copy_format *f, slice bytes, const char *rows) {
    for (size_t at = 0; at <= bytes.len; at++) {
        struct buf out = buf_make(10000);
        assert_int_equal(read_cut(f, bytes, at, &out), 0);
        assert_string_equal(buf_text(&out), rows);
        buf_free(&out);
    }
}

static void assert_refuses(const struct copy_format *f, slice bytes, const char *state) {
    for (size_t at = 0; at <= bytes.len; at++) {
        struct buf out = buf_make(10000);
        assert_int_not_equal(read_cut(f, bytes, at, &out), 0);
        assert_string_equal(error.state, state);
        buf_free(&out);
    }
}

static void text_is_read(void **state) {
    (void)state;
    const struct copy_format f = format_of("text");
    assert_reads(&f, slice_lit("1\ta\n2\tb\n"), "1|a;2|b;");
    assert_reads(&f, slice_lit("1\t\\N\n\\N\t\n"), "1|~;~|;");
    assert_reads(&f, slice_lit("1\ta\\tb\\\\\\n\\x41\\102\\q\r\n"), "1|a\tb\\\nABq;");
    assert_reads(&f, slice_lit("1\ta\\\nb\n"), "1|a\nb;");
    assert_reads(&f, slice_lit("1\ta"), "1|a;");
    assert_reads(&f, slice_lit("1\ta\n\\.\nrest"), "1|a;");
    assert_reads(&f, slice_lit(""), "");
}

static void text_that_does_not_fit_is_refused(void **state) {
    (void)state;
    const struct copy_format f = format_of("text");
    assert_refuses(&f, slice_lit("1\n"), "22P04");
    assert_refuses(&f, slice_lit("1\ta\tb\n"), "22P04");
    assert_refuses(&f, slice_lit("x\ta\n"), "22P02");
    assert_refuses(&f, slice_lit("1\t\xff\n"), "22021");
}

static void csv_is_read(void **state) {
    (void)state;
    const struct copy_format f = format_of("csv");
    assert_reads(&f, slice_lit("1,a\n2,b\r\n"), "1|a;2|b;");
    assert_reads(&f, slice_lit("1,\n2,\"\"\n,x\n"), "1|~;2|;~|x;");
    assert_reads(&f, slice_lit("1,\"a \"\"b\"\", \nc\"\n"), "1|a \"b\", \nc;");
    assert_reads(&f, slice_lit("1,a\"b,\"c\n"), "1|ab,c;");
    assert_refuses(&f, slice_lit("1,\"a\n"), "22P04");
}

static void csv_has_a_header_other_quotes_and_other_nulls(void **state) {
    (void)state;
    struct copy_format f = format_of("csv");
    f.header = true;
    assert_reads(&f, slice_lit("a,b\n1,x\n"), "1|x;");
    f = format_of("csv");
    f.quote = '\'';
    f.escape = '\\';
    f.delimiter = ';';
    f.null = slice_lit("none");
    assert_reads(&f, slice_lit("1;'a\\'b;\\\\'\n2;none\n3;'none'\n"), "1|a'b;\\;2|~;3|none;");
}

static void binary_is_read(void **state) {
    (void)state;
    const struct copy_format f = format_of("binary");
    assert_reads(&f,
                 slice_lit("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
                           "\0\2\0\0\0\4\0\0\0\7\0\0\0\1x"
                           "\0\2\377\377\377\377\0\0\0\0"
                           "\377\377"),
                 "7|x;~|;");
    assert_refuses(&f, slice_lit("PGCOPX\n\377\r\n\0\0\0\0\0\0\0\0\0"), "22P04");
    assert_refuses(&f, slice_lit("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1"), "22P04");
    assert_refuses(&f, slice_lit("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\2\0\0"), "22P04");
}

/* --- writing -------------------------------------------------------------------------------- */

static void assert_writes(const struct copy_format *f, const char *number, const char *text,
                          const char *line) {
    union sql_cell a = {0}, b = {.text = slice_str(text)};
    const uint8_t nulls[] = {number == NULL, text == NULL};
    if (number)
        a.i = strtol(number, NULL, 10);
    const struct sql_column column[] = {{&a, &nulls[0], 1}, {&b, &nulls[1], 1}};
    const struct sql_batch batch = {.rows = 1, .columns = 2, .column = column};
    struct buf out = buf_make(1000);
    assert_int_equal(copy_write_row(f, columns, &batch, 0, &settings, &out), 0);
    assert_string_equal(buf_text(&out), line);
    struct buf again = buf_make(1000), expected = buf_make(1000);
    assert_int_equal(read_cut(f, buf_slice(&out), out.len, &again), 0);
    assert_int_equal(on_rows(&expected, &batch), 0);
    assert_string_equal(buf_text(&again), buf_text(&expected));
    buf_free(&again);
    buf_free(&expected);
    buf_free(&out);
}

static void text_is_written_and_reads_back(void **state) {
    (void)state;
    const struct copy_format f = format_of("text");
    assert_writes(&f, "1", "a", "1\ta\n");
    assert_writes(&f, NULL, NULL, "\\N\t\\N\n");
    assert_writes(&f, "1", "\\N\t\r\nx\v", "1\t\\\\N\\t\\r\\nx\\v\n");
}

static void csv_is_written_and_reads_back(void **state) {
    (void)state;
    struct copy_format f = format_of("csv");
    assert_writes(&f, "1", "a", "1,a\n");
    assert_writes(&f, "1", "", "1,\"\"\n");
    assert_writes(&f, NULL, NULL, ",\n");
    assert_writes(&f, "1", "a,\"b\"\n", "1,\"a,\"\"b\"\"\n\"\n");
    f.force_quote_all = true;
    assert_writes(&f, "1", "a", "\"1\",\"a\"\n");
}

static void around_the_rows_stand_a_header_or_the_signature(void **state) {
    (void)state;
    struct copy_format f = format_of("csv");
    struct buf out = buf_make(1000);
    assert_int_equal(copy_write_start(&f, columns, 2, &out), 0);
    assert_int_equal(out.len, 0);
    f.header = true;
    assert_int_equal(copy_write_start(&f, columns, 2, &out), 0);
    assert_string_equal(buf_text(&out), "a,b\n");
    buf_clear(&out);
    f = format_of("binary");
    assert_int_equal(copy_write_start(&f, columns, 2, &out), 0);
    assert_int_equal(buf_append(&out, copy_trailer(&f)), 0);
    assert_int_equal(out.len, 21);
    assert_memory_equal(out.ptr, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\377\377", 21);
    buf_free(&out);
}

/* --- options -------------------------------------------------------------------------------- */

static void options_that_do_not_go_together_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *shape, *name, *value, *state;
    } cases[] = {
        {"xml", "null", "", "22023"},           {"text", "delimiter", "ab", "0A000"},
        {"text", "delimiter", "a", "22023"},    {"text", "quote", "x", "0A000"},
        {"binary", "delimiter", ",", "42601"},  {"csv", "quote", ",", "22023"},
        {"csv", "null", "a,b", "22023"},        {"csv", "null", "a\n", "22023"},
        {"csv", "header", "maybe", "42601"},    {"csv", "surprise", "", "0A000"},
        {"csv", "encoding", "latin1", "0A000"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct copy_format f;
        statement.options = 0;
        option_of("format", cases[i].shape);
        option_of(cases[i].name, cases[i].value);
        assert_int_not_equal(copy_format_of(&statement, &f, &error), 0);
        assert_string_equal(error.state, cases[i].state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read),
        cmocka_unit_test(text_that_does_not_fit_is_refused),
        cmocka_unit_test(csv_is_read),
        cmocka_unit_test(csv_has_a_header_other_quotes_and_other_nulls),
        cmocka_unit_test(binary_is_read),
        cmocka_unit_test(text_is_written_and_reads_back),
        cmocka_unit_test(csv_is_written_and_reads_back),
        cmocka_unit_test(around_the_rows_stand_a_header_or_the_signature),
        cmocka_unit_test(options_that_do_not_go_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
