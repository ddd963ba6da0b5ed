#include "base/error.h"

#include "base_test.h"

static void set_returns_the_code_and_clears_the_rest(void **state) {
    (void)state;
    struct error e;
    memset(&e, 'x', sizeof e);
    assert_int_equal(error_set(&e, -EINVAL, "unknown key '%s'", "max_agee"), -EINVAL);
    assert_int_equal(e.code, -EINVAL);
    assert_string_equal(e.message, "unknown key 'max_agee'");
    assert_string_equal(e.place, "");
    assert_string_equal(e.hint, "");
}

static void nobody_listening_is_fine(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, -EIO, "x"), -EIO);
    error_place(NULL, "x");
    error_hint(NULL, "x");
}

static void text_has_place_message_and_hint(void **state) {
    (void)state;
    struct error e;
    char out[256];
    error_set(&e, -EINVAL, "unknown key");
    assert_string_equal(error_text(&e, out, sizeof out), "unknown key");
    error_place(&e, "%s:%d:%d", "nonet.yaml", 12, 7);
    assert_string_equal(error_text(&e, out, sizeof out), "nonet.yaml:12:7: unknown key");
    error_hint(&e, "did you mean '%s'?", "max_age");
    assert_string_equal(error_text(&e, out, sizeof out),
                        "nonet.yaml:12:7: unknown key\n  hint: did you mean 'max_age'?");
}

static void texts_are_cut_not_overflowed(void **state) {
    (void)state;
    struct error e;
    char out[10];
    error_set(&e, -EINVAL, "%01000d", 0);
    error_place(&e, "%01000d", 0);
    error_hint(&e, "%01000d", 0);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    assert_int_equal(strlen(e.place), sizeof e.place - 1);
    assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
    assert_int_equal(strlen(error_text(&e, out, sizeof out)), sizeof out - 1);
}

static void codes_have_names(void **state) {
    (void)state;
    assert_string_equal(error_name(-ENOSPC), "No space left on device");
    assert_string_equal(error_name(ENOSPC), "No space left on device");
    assert_string_equal(error_name(-99999), "Unknown error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_returns_the_code_and_clears_the_rest),
        cmocka_unit_test(nobody_listening_is_fine),
        cmocka_unit_test(text_has_place_message_and_hint),
        cmocka_unit_test(texts_are_cut_not_overflowed),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
