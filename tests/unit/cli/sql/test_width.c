/* Text takes the columns that a terminal gives it. */
#include "../cli_test.h"

#include "cli/sql/width.h"
#include "io/terminal.h"

#include <stdlib.h>

struct shown {
    const char *text, *as;
    unsigned columns;
};

static void characters_have_their_columns(void **state) {
    (void)state;
    static const struct shown cases[] = {
        {"", "", 0},
        {"abc", "abc", 3},
        {"\xc3\xa9", "\xc3\xa9", 1},                                 /* e acute */
        {"e\xcc\x81", "e\xcc\x81", 1},                               /* e and a combining acute */
        {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two of East Asia */
        {"\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82", 2},                 /* a face */
        {"\tx", "        x", 9},
        {"ab\tx", "ab      x", 9},
        {"\x1b[1m", "\\x1B[1m", 7},
        {"a\rb", "a\\rb", 4},
        {"\x7f", "\\x7F", 4},
        {"\xc2\x85", "\\u0085", 6},
        {"\xff", "\\xFF", 4},
        {"\xe6\x97", "\\xE6\\x97", 8},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        _cleanup_buf_ struct buf out = buf_make(100);
        slice rest = slice_str(cases[i].text);
        bool more, failed = false;
        assert_int_equal(width_take_line(&rest, &out, &more, &failed), cases[i].columns);
        assert_false(more);
        assert_false(failed);
        assert_slice(buf_slice(&out), cases[i].as);
        assert_int_equal(width_of(slice_str(cases[i].text)), cases[i].columns);
    }
}

static void the_widest_line_counts(void **state) {
    (void)state;
    assert_int_equal(width_of(slice_lit("a\nlonger\nb")), 6);
    slice rest = slice_lit("a\n\nb");
    bool more;
    assert_int_equal(width_take_line(&rest, NULL, &more, NULL), 1);
    assert_true(more);
    assert_int_equal(width_take_line(&rest, NULL, &more, NULL), 0);
    assert_true(more);
    assert_int_equal(width_take_line(&rest, NULL, &more, NULL), 1);
    assert_false(more);
}

static void text_is_written_as_it_is_shown(void **state) {
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    width_write(out, slice_lit("ERROR:  \x1b]0;x\x07\n\nLINE 1\n"));
    width_write(out, slice_lit(""));
    fclose(out);
    assert_string_equal(text, "ERROR:  \\x1B]0;x\\x07\n\nLINE 1\n");
    free(text);
}

static void memory_that_runs_out_is_told(void **state) {
    (void)state;
    _cleanup_buf_ struct buf out = buf_make(2);
    slice rest = slice_lit("abc");
    bool more, failed = false;
    width_take_line(&rest, &out, &more, &failed);
    assert_true(failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_have_their_columns),
        cmocka_unit_test(the_widest_line_counts),
        cmocka_unit_test(text_is_written_as_it_is_shown),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    io_locale_utf8();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
