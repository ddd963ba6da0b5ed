/*
 * test_origin.c - which pages a pattern names.
 */
#include "rooms/gateway/origin.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool fits(const char *pattern, const char *origin) {
    return origin_fits(slice_str(pattern), slice_str(origin));
}

static void an_origin_names_itself_alone(void **state) {
    (void)state;
    assert_true(fits("https://shop.example", "https://shop.example"));
    assert_true(fits("https://Shop.example", "https://shop.example"));
    assert_true(fits("http://localhost:3000", "http://localhost:3000"));
    assert_false(fits("https://shop.example", "http://shop.example"));
    assert_false(fits("https://shop.example", "https://shop.example:8443"));
    assert_false(fits("https://shop.example", "https://shop.example.evil.example"));
    assert_false(fits("https://shop.example", "https://a.shop.example"));
    assert_false(fits("https://shop.example", "null"));
    assert_false(fits("https://shop.example", ""));
}

static void a_star_stands_for_names_below(void **state) {
    (void)state;
    assert_true(fits("https://*.shop.example", "https://a.shop.example"));
    assert_true(fits("https://*.shop.example", "https://a.b-c.shop.example"));
    assert_true(fits("https://*.SHOP.example", "HTTPS://a.shop.EXAMPLE"));
    assert_true(fits("https://*.shop.example:8443", "https://a.shop.example:8443"));
    assert_false(fits("https://*.shop.example", "https://shop.example"));
    assert_false(fits("https://*.shop.example", "https://.shop.example"));
    assert_false(fits("https://*.shop.example", "https://a..shop.example"));
    assert_false(fits("https://*.shop.example", "https://ashop.example"));
    assert_false(fits("https://*.shop.example", "http://a.shop.example"));
    assert_false(fits("https://*.shop.example", "https://a.shop.example:8443"));
    assert_false(fits("https://*.shop.example", "https://evil.example/.shop.example"));
    assert_false(fits("https://*.shop.example", "https://evil.example:1.shop.example"));
    assert_false(fits("https://*.shop.example", "https://u@a.shop.example"));
    assert_false(fits("https://*.shop.example", "https://a.shop.example.evil.example"));
}

static void a_star_alone_is_everybody(void **state) {
    (void)state;
    assert_true(fits("*", "https://shop.example"));
    assert_true(fits("*", "null"));
    assert_true(fits("null", "null"));
    assert_false(fits("null", "https://null"));
}

static void what_is_no_pattern_is_refused(void **state) {
    (void)state;
    static const char *const good[] = {"*",
                                       "null",
                                       "https://shop.example",
                                       "http://localhost:3000",
                                       "https://*.shop.example",
                                       "https://*.shop.example:8443",
                                       "http://[::1]:8080",
                                       "http://[::1]",
                                       "chrome-extension://abcdef"};
    static const char *const bad[] = {"",
                                      "shop.example",
                                      "https://",
                                      "https://shop.example/",
                                      "https://shop.example/path",
                                      "https://*",
                                      "https://*shop.example",
                                      "https://a.*.example",
                                      "https://*.*.example",
                                      "https://shop.example:",
                                      "https://shop.example:http",
                                      "https://shop.example:123456",
                                      "https://u@shop.example",
                                      "https://shop..example",
                                      "http://[]",
                                      "http://[::1]x",
                                      "://shop.example",
                                      "ht tp://shop.example",
                                      "* "};
    for (size_t i = 0; i < array_count(good); i++)
        assert_int_equal(origin_pattern_check(slice_str(good[i])), 0);
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(origin_pattern_check(slice_str(bad[i])), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_names_itself_alone),
        cmocka_unit_test(a_star_stands_for_names_below),
        cmocka_unit_test(a_star_alone_is_everybody),
        cmocka_unit_test(what_is_no_pattern_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
