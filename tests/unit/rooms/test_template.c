/* What stands in a config's texts for parts of a request's path, and what may stand where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "rooms/gateway/template.h"

static const char *expanded(const char *text, enum template_kind kind, const char *name,
                            const char *value) {
    static char out[TEMPLATE_EXPANDED_MAX + 1];
    struct arena _cleanup_arena_ arena = arena_make(0, 1u << 20);
    struct http_parameter parameter = {slice_str(name), slice_str(value)};
    slice result;
    int failed = template_expand(slice_str(text), kind, &parameter, 1, &arena, &result);
    if (failed)
        return failed == -EINVAL ? "no" : "fails";
    memcpy(out, result.ptr, result.len);
    out[result.len] = '\0';
    return out;
}

static void values_are_encoded_in_a_path(void **state) {
    (void)state;
    assert_string_equal(expanded("/v2/{*}", TEMPLATE_PATH, "*", "a b/c"), "/v2/a%20b/c");
    assert_string_equal(expanded("/v2/{id}", TEMPLATE_PATH, "id", "a;b?c#d%e&f=g"),
                        "/v2/a%3Bb%3Fc%23d%25e&f=g");
    assert_string_equal(expanded("/v2/{id}", TEMPLATE_PATH, "id", "\xc3\xa9\n"), "/v2/%C3%A9%0A");
    assert_string_equal(expanded("/v2/{id}", TEMPLATE_PATH, "id", "a/b"), "/v2/a%2Fb");
    assert_string_equal(expanded("https://x/{id}", TEMPLATE_URL, "id", "x-9"), "https://x/x-9");
    assert_string_equal(expanded("/plain", TEMPLATE_PATH, "id", "x"), "/plain");
    assert_string_equal(expanded("/v2/{none}", TEMPLATE_PATH, "id", "x"), "no");
}

static void behind_a_question_mark_a_value_stays_one(void **state) {
    (void)state;
    assert_string_equal(expanded("https://x.example/{id}?q={id}", TEMPLATE_URL, "id", "a&b=c+d"),
                        "https://x.example/a&b=c+d?q=a%26b%3Dc%2Bd");
}

static void in_a_host_a_value_is_labels(void **state) {
    (void)state;
    static const char text[] = "https://{name}.shop.example/";
    assert_string_equal(expanded(text, TEMPLATE_URL, "name", "a-1.b"),
                        "https://a-1.b.shop.example/");
    static const char *const others[] = {"", "a@b", "a:1", "evil.example?", "a%2f", "a b"};
    for (size_t i = 0; i < array_count(others); i++)
        assert_string_equal(expanded(text, TEMPLATE_URL, "name", others[i]), "no");
}

static void a_token_of_a_subject_is_one(void **state) {
    (void)state;
    assert_string_equal(expanded("chat.{room}.in", TEMPLATE_SUBJECT, "room", "a-b"), "chat.a-b.in");
    assert_string_equal(expanded("all.{*}", TEMPLATE_SUBJECT, "*", "a/b"), "all.a.b");
    assert_string_equal(expanded("{room}.>", TEMPLATE_FILTER, "room", "x-9"), "x-9.>");
    assert_string_equal(expanded("all.{room}", TEMPLATE_SUBJECT, "room", "a/b"), "all.a/b");
    static const char *const others[] = {"", "a.b", "*", ">", "a b", "a/", "/a", "a//b"};
    for (size_t i = 0; i < array_count(others); i++)
        assert_string_equal(expanded("all.{*}", TEMPLATE_SUBJECT, "*", others[i]), "no");
}

static void what_is_too_long_is_refused(void **state) {
    (void)state;
    char value[TEMPLATE_EXPANDED_MAX];
    memset(value, 'x', sizeof value);
    value[TEMPLATE_EXPANDED_MAX - 1] = '\0';
    assert_string_equal(expanded("/{id}/", TEMPLATE_PATH, "id", value), "fails");
    value[TEMPLATE_EXPANDED_MAX - 3] = '\0';
    assert_int_equal(strlen(expanded("/{id}/", TEMPLATE_PATH, "id", value)),
                     TEMPLATE_EXPANDED_MAX - 1);
}

static void a_path_does_not_say_which_host(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {
        {"https://{id}.shop.example/{*}", 0},
        {"https://shop.example/{*}", 0},
        {"https://shop.example?to={id}", 0},
        {"/{*}", 0},
        {"https://shop.example{*}", -EINVAL}, /* ".evil.example" */
        {"https://{id}/x", -EINVAL},
        {"https://{id}.", -EINVAL},
        {"https://{id}@shop.example/", -EINVAL},
        {"https://shop.example:{id}/", -EINVAL},
        {"https://{none}.shop.example/", -EINVAL},
        {"https://{id.shop.example/", -EINVAL},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct error error;
        assert_int_equal(template_check(slice_str(cases[i].text), TEMPLATE_URL,
                                        slice_lit("/old/{id}/*"), &error),
                         cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_encoded_in_a_path),
        cmocka_unit_test(behind_a_question_mark_a_value_stays_one),
        cmocka_unit_test(in_a_host_a_value_is_labels),
        cmocka_unit_test(a_token_of_a_subject_is_one),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(a_path_does_not_say_which_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
