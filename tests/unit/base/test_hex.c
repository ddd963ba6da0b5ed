#include "base/hex.h"

#include "base_test.h"

static void bytes_become_lower_case_digits(void **state) {
    (void)state;
    char out[8];
    assert_slice(slice_make(out, hex_encode(slice_lit("\x00\x9f\xff"), out)), "009fff");
    assert_int_equal(hex_encode(slice_make(NULL, 0), out), 0);
}

static void both_cases_are_read(void **state) {
    (void)state;
    char out[4];
    size_t len = 0;
    assert_int_equal(hex_decode(slice_lit("009fFF"), out, sizeof out, &len), 0);
    assert_slice(slice_make(out, len), "\x00\x9f\xff");
    assert_int_equal(hex_decode(slice_lit(""), out, 0, &len), 0);
    assert_int_equal(len, 0);
}

static void garbage_and_small_outputs_are_refused(void **state) {
    (void)state;
    char out[4] = "zzz";
    size_t len = 5;
    assert_int_equal(hex_decode(slice_lit("0"), out, sizeof out, &len), -EINVAL);
    assert_int_equal(hex_decode(slice_lit("0g"), out, sizeof out, &len), -EINVAL);
    assert_int_equal(hex_decode(slice_lit("g0"), out, sizeof out, &len), -EINVAL);
    assert_int_equal(hex_decode(slice_lit("0102"), out, 1, &len), -ENOSPC);
    assert_string_equal(out, "zzz");
    assert_int_equal(len, 5);
}

static void digits_have_values(void **state) {
    (void)state;
    int digits = 0;
    for (int c = 0; c < 256; c++)
        digits += hex_digit((char)c) >= 0;
    assert_int_equal(digits, 22);
    assert_int_equal(hex_digit('a'), 10);
    assert_int_equal(hex_digit('F'), 15);
    assert_int_equal(hex_digit('/'), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_lower_case_digits),
        cmocka_unit_test(both_cases_are_read),
        cmocka_unit_test(garbage_and_small_outputs_are_refused),
        cmocka_unit_test(digits_have_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
