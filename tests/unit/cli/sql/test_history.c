/* A statement of several lines is a line of the history's file, and comes back as it was. */
#include "../cli_test.h"

#include "cli/sql/history.h"

static void an_entry_is_a_line(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"SELECT 1;", "SELECT 1;\n"},
        {"SELECT 1,\n  2;", "SELECT 1,\\n  2;\n"},
        {"\\d item", "\\\\d item\n"},
        {"SELECT E'\\n';", "SELECT E'\\\\n';\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        _cleanup_buf_ struct buf line = buf_make(100), entry = buf_make(100);
        assert_int_equal(history_write(slice_str(cases[i][0]), &line), 0);
        assert_slice(buf_slice(&line), cases[i][1]);
        assert_int_equal(history_read(slice_make(line.ptr, line.len - 1), &entry), 0);
        assert_slice(buf_slice(&entry), cases[i][0]);
    }
}

static void line_ends_go_where_they_mean_nothing(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"SELECT 1,\n2;", "SELECT 1, 2;"},
        {"SELECT 'a\nb',\n2;", "SELECT 'a\nb', 2;"},
        {"SELECT 1 -- one\n;", "SELECT 1 -- one\n;"},
        {"SELECT /* a\nb */ 1\n;", "SELECT /* a b */ 1 ;"},
        {"SELECT $$\n$$\n;", "SELECT $$\n$$ ;"},
        {"SELECT 1; SELECT\n2;", "SELECT 1; SELECT 2;"},
        {"SELECT 1\n\\x\n;", "SELECT 1 \\x\n;"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        _cleanup_buf_ struct buf line = buf_make(100);
        assert_int_equal(history_flatten(slice_str(cases[i][0]), &line), 0);
        assert_slice(buf_slice(&line), cases[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_a_line),
        cmocka_unit_test(line_ends_go_where_they_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
