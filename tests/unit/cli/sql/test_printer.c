/* Rows as a table, expanded, CSV and JSON: what is written is stated whole. */
#include "../cli_test.h"

#include "base/mem.h"
#include "cli/sql/printer.h"
#include "io/terminal.h"

#include <stdlib.h>

#define INTEGER 23u
#define TEXT 25u
#define ROWS_MAX 4u

static const struct printer_column columns[] = {
    {{"id", 2}, INTEGER},
    {{"name", 4}, TEXT},
};

struct shown {
    struct printer_settings settings;
    const char *rows[ROWS_MAX][2]; /* ended by a row whose first is NULL; a NULL second is NULL */
    const char *text;
    unsigned flush_after; /* this row; 0: never */
};

static void add(struct printer *printer, const char *const row[2]) {
    const struct printer_cell cells[] = {{slice_str(row[0]), false},
                                         {slice_str(row[1]), row[1] == NULL}};
    assert_int_equal(printer_row(printer, cells), 0);
}

static void assert_shown(const struct shown *shown, const struct printer_frame *frame) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct printer *printer = printer_begin(out, &shown->settings, frame, columns, 2);
    assert_non_null(printer);
    for (unsigned i = 0; i < ROWS_MAX && shown->rows[i][0]; i++) {
        add(printer, shown->rows[i]);
        if (shown->flush_after == i + 1)
            assert_int_equal(printer_flush(printer), 0);
    }
    assert_int_equal(printer_end(printer), 0);
    fclose(out);
    assert_string_equal(text, shown->text);
    free(text);
}

static const struct printer_frame plain = {.title = NULL};

static void tables_are_aligned(void **state) {
    (void)state;
    static const struct shown cases[] = {
        {.rows = {{"1", "a"}, {"22", NULL}},
         .text = " id | name \n"
                 "----+------\n"
                 "  1 | a\n"
                 " 22 | \n"
                 "(2 rows)\n\n"},
        {.rows = {{"1", "two\nlines"}},
         .text = " id | name  \n"
                 "----+-------\n"
                 "  1 | two  +\n"
                 "    | lines\n"
                 "(1 row)\n\n"},
        {.rows = {{"1", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"}, {"2", "b"}},
         .text = " id |  name  \n"
                 "----+--------\n"
                 "  1 | \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\n"
                 "  2 | b\n"
                 "(2 rows)\n\n"},
        {.rows = {{NULL}}, .text = " id | name \n----+------\n(0 rows)\n\n"},
        {.settings = {.tuples_only = true}, .rows = {{"1", "a"}}, .text = "  1 | a\n\n"},
        {.settings = {.null_text = "null"},
         .rows = {{"1", NULL}},
         .text = " id | name \n----+------\n  1 | null\n(1 row)\n\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_shown(&cases[i], &plain);
}

/* Rows that came later are at least as wide, and the head is said once. */
static void a_table_may_come_in_parts(void **state) {
    (void)state;
    static const struct shown shown = {
        .rows = {{"1", "a"}, {"2", "longer"}, {"333", "b"}},
        .flush_after = 1,
        .text = " id | name \n"
                "----+------\n"
                "  1 | a\n"
                "   2 | longer\n"
                " 333 | b\n"
                "(3 rows)\n\n",
    };
    assert_shown(&shown, &plain);
}

static void title_and_footer_stand_around_it(void **state) {
    (void)state;
    static const struct printer_frame frame = {.title = "T \"x\"", .footer = {"Indexes:\n", 9}};
    static const struct shown shown = {
        .rows = {{"1", "a"}},
        .text = "   T \"x\"\n id | name \n----+------\n  1 | a\nIndexes:\n\n",
    };
    assert_shown(&shown, &frame);
}

static void expanded_rows_have_a_line_for_each_column(void **state) {
    (void)state;
    static const struct shown cases[] = {
        {.settings = {.expanded = true},
         .rows = {{"1", "a long value"}, {"2", "x\ny"}},
         .text = "-[ RECORD 1 ]------\n"
                 "id   | 1\n"
                 "name | a long value\n"
                 "-[ RECORD 2 ]------\n"
                 "id   | 2\n"
                 "name | x           +\n"
                 "     | y\n\n"},
        {.settings = {.expanded = true, .tuples_only = true},
         .rows = {{"1", "a"}, {"2", "b"}},
         .text = "id   | 1\nname | a\n-----+--\nid   | 2\nname | b\n\n"},
        {.settings = {.expanded = true}, .rows = {{NULL}}, .text = "(0 rows)\n\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_shown(&cases[i], &plain);
}

static void csv_quotes_what_it_must(void **state) {
    (void)state;
    static const struct shown cases[] = {
        {.settings = {.format = PRINTER_CSV},
         .rows = {{"1", "plain"}, {"2", "a,\"b\"\nc"}, {"3", ""}, {"4", NULL}},
         .text = "id,name\n1,plain\n2,\"a,\"\"b\"\"\nc\"\n3,\"\"\n4,\n"},
        {.settings = {.format = PRINTER_CSV, .tuples_only = true},
         .rows = {{"1", "\\."}},
         .text = "1,\"\\.\"\n"},
        {.settings = {.format = PRINTER_CSV, .expanded = true},
         .rows = {{"1", "a"}},
         .text = "id,1\nname,a\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_shown(&cases[i], &plain);
}

static void json_keeps_types(void **state) {
    (void)state;
    static const struct shown cases[] = {
        {.settings = {.format = PRINTER_JSON},
         .rows = {{"1", "a\"b"}, {"2", NULL}},
         .text = "[\n {\"id\":1,\"name\":\"a\\\"b\"},\n {\"id\":2,\"name\":null}\n]\n"},
        {.settings = {.format = PRINTER_JSON}, .rows = {{NULL}}, .text = "[]\n"},
        {.settings = {.format = PRINTER_NDJSON},
         .rows = {{"1", "x"}, {"NaN", "y"}},
         .text = "{\"id\":1,\"name\":\"x\"}\n{\"id\":\"NaN\",\"name\":\"y\"}\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_shown(&cases[i], &plain);
}

/* One value of TYPE as NDJSON shows it. */
static void json_writes_each_type_as_it_is(void **state) {
    (void)state;
    static const struct {
        unsigned type;
        const char *text, *json;
    } cases[] = {
        {16, "t", "true"},
        {16, "f", "false"},
        {20, "9223372036854775807", "9223372036854775807"},
        {1700, "1.50", "1.50"},
        {1700, "-0.001", "-0.001"},
        {701, "1e+300", "1e+300"},
        {701, "-Infinity", "\"-Infinity\""},
        {114, "{\"a\":\n1}", "{\"a\": 1}"},
        {1114, "2024-01-01 00:00:00", "\"2024-01-01 00:00:00\""},
        {1007, "{1,NULL,-3}", "[1,null,-3]"},
        {1007, "{}", "[]"},
        {1007, "{{1,2},{3,4}}", "[[1,2],[3,4]]"},
        {1007, "[0:1]={5,6}", "[5,6]"},
        {1009, "{a,\"b \\\"c\\\"\",\"NULL\",\"\",\"x,y}\"}",
         "[\"a\",\"b \\\"c\\\"\",\"NULL\",\"\",\"x,y}\"]"},
        {1000, "{t,f}", "[true,false]"},
        {3807, "{\"{\\\"a\\\": 1}\"}", "[{\"a\": 1}]"},
    };
    static const struct printer_settings settings = {.format = PRINTER_NDJSON};
    for (size_t i = 0; i < array_count(cases); i++) {
        char *text = NULL, expected[128];
        size_t size;
        FILE *out = open_memstream(&text, &size);
        const struct printer_column column = {slice_lit("v"), cases[i].type};
        const struct printer_cell cell = {slice_str(cases[i].text), false};
        struct printer *printer = printer_begin(out, &settings, &plain, &column, 1);
        assert_int_equal(printer_row(printer, &cell), 0);
        assert_int_equal(printer_end(printer), 0);
        fclose(out);
        snprintf(expected, sizeof expected, "{\"v\":%s}\n", cases[i].json);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void columns_of_the_same_name_are_told_apart_in_json(void **state) {
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    static const struct printer_settings settings = {.format = PRINTER_NDJSON};
    const struct printer_column same[] = {{slice_lit("a"), INTEGER}, {slice_lit("a"), INTEGER}};
    const struct printer_cell cells[] = {{slice_lit("1"), false}, {slice_lit("2"), false}};
    struct printer *printer = printer_begin(out, &settings, &plain, same, 2);
    assert_int_equal(printer_row(printer, cells), 0);
    assert_int_equal(printer_end(printer), 0);
    fclose(out);
    assert_string_equal(text, "{\"a\":1,\"a_2\":2}\n");
    free(text);
}

static void memory_that_runs_out_fails_the_rows(void **state) {
    (void)state;
    static const struct printer_settings settings = {.format = PRINTER_TABLE};
    const struct printer_cell cells[] = {{slice_lit("1"), false}, {slice_lit("x"), false}};
    for (unsigned long n = 1;; n++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        unsigned long before = mem_attempts();
        mem_fail_at(n, false);
        struct printer *printer = printer_begin(out, &settings, &plain, columns, 2);
        bool failed = !printer || printer_row(printer, cells);
        if (failed)
            printer_drop(printer);
        else
            failed = printer_end(printer);
        mem_fail_at(0, false);
        bool passed = mem_attempts() - before < n;
        fclose(out);
        free(text);
        assert_int_equal(failed, !passed);
        if (passed)
            return;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(a_table_may_come_in_parts),
        cmocka_unit_test(title_and_footer_stand_around_it),
        cmocka_unit_test(expanded_rows_have_a_line_for_each_column),
        cmocka_unit_test(csv_quotes_what_it_must),
        cmocka_unit_test(json_keeps_types),
        cmocka_unit_test(json_writes_each_type_as_it_is),
        cmocka_unit_test(columns_of_the_same_name_are_told_apart_in_json),
        cmocka_unit_test(memory_that_runs_out_fails_the_rows),
    };
    io_locale_utf8();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
