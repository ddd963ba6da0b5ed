#include "desk.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* Which route answers which path. */

static void never(void *owner, struct http_request *request) {
    (void)owner;
    (void)request;
    fail();
}

static int add(struct http_routes *routes, const char *method, const char *pattern) {
    struct http_route route = {.method = method, .pattern = pattern, .handle = never};
    return http_routes_add(routes, &route);
}

static struct http_routes *routes_of(const char *const *patterns, size_t count) {
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(add(routes, "GET", patterns[i]), 0);
    return routes;
}

static const char *found(const struct http_routes *routes, const char *path) {
    struct http_match match;
    http_routes_find(routes, slice_lit("GET"), slice_str(path), &match);
    return match.route ? match.route->pattern : "none";
}

static void test_the_more_literal_pattern_wins(void **state) {
    (void)state;
    static const char *const patterns[] = {"/*",   "/{any}",   "/a/*",     "/a/{x}",
                                           "/a/b", "/a/{x}/c", "/a/b/*",   "/{x}/b/c",
                                           "/",    "/d/",      "/d/{x}/*", "/e/{x}/f/{y}"};
    static const struct {
        const char *path, *pattern;
    } cases[] = {
        {"/", "/"},
        {"/a", "/{any}"},
        {"/a/b", "/a/b"},
        {"/a/q", "/a/{x}"},
        {"/a/", "/a/*"},
        {"/a/b/c", "/a/b/*"},
        {"/a/q/c", "/a/{x}/c"},
        {"/a/q/d", "/a/*"},
        {"/z/b/c", "/{x}/b/c"},
        {"/z/b/d", "/*"},
        {"/d/", "/d/"},
        {"/d/x/", "/d/{x}/*"},
        {"/d/x", "/*"},
        {"/e/1/f/2", "/e/{x}/f/{y}"},
        {"/e/1/f/", "/*"},
    };
    struct http_routes *routes = routes_of(patterns, array_count(patterns));
    for (size_t i = 0; i < array_count(cases); i++)
        assert_string_equal(found(routes, cases[i].path), cases[i].pattern);
    http_routes_free(routes);
}

static void test_the_order_of_adding_does_not_matter(void **state) {
    (void)state;
    static const char *const forwards[] = {"/a/b", "/a/{x}", "/a/*", "/*"};
    static const char *const backwards[] = {"/*", "/a/*", "/a/{x}", "/a/b"};
    static const char *const paths[] = {"/a/b", "/a/c", "/a/c/d", "/b"};
    struct http_routes *one = routes_of(forwards, 4), *two = routes_of(backwards, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(found(one, paths[i]), forwards[i]);
        assert_string_equal(found(two, paths[i]), forwards[i]);
    }
    http_routes_free(one);
    http_routes_free(two);
}

static void test_parameters_are_whole_segments(void **state) {
    (void)state;
    static const char *const patterns[] = {"/v1/{kind}/{id}/files/*"};
    struct http_routes *routes = routes_of(patterns, 1);
    struct http_match match;
    http_routes_find(routes, slice_lit("GET"), slice_lit("/v1/a b/x.y/files/p/q"), &match);
    assert_non_null(match.route);
    assert_int_equal(match.parameter_count, 3);
    static const char *const wanted[][2] = {{"kind", "a b"}, {"id", "x.y"}, {"*", "p/q"}};
    for (unsigned i = 0; i < 3; i++) {
        assert_true(slice_equal(match.parameters[i].name, slice_str(wanted[i][0])));
        assert_true(slice_equal(match.parameters[i].value, slice_str(wanted[i][1])));
    }
    http_routes_find(routes, slice_lit("GET"), slice_lit("/v1//x/files/p"), &match);
    assert_null(match.route);
    http_routes_free(routes);
}

static void test_get_answers_head_unless_head_has_its_own(void **state) {
    (void)state;
    struct http_routes *routes;
    struct http_match match;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add(routes, "GET", "/a"), 0);
    assert_int_equal(add(routes, "GET", "/b"), 0);
    assert_int_equal(add(routes, "HEAD", "/b"), 0);
    http_routes_find(routes, slice_lit("HEAD"), slice_lit("/a"), &match);
    assert_string_equal(match.route->method, "GET");
    http_routes_find(routes, slice_lit("HEAD"), slice_lit("/b"), &match);
    assert_string_equal(match.route->method, "HEAD");
    http_routes_find(routes, slice_lit("GET"), slice_lit("/b"), &match);
    assert_string_equal(match.route->method, "GET");
    http_routes_free(routes);
}

static void test_a_known_path_with_another_method_says_which_it_has(void **state) {
    (void)state;
    struct http_routes *routes;
    struct http_match match;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add(routes, "PUT", "/a"), 0);
    assert_int_equal(add(routes, "GET", "/{x}"), 0);
    http_routes_find(routes, slice_lit("POST"), slice_lit("/a"), &match);
    assert_null(match.route);
    assert_true(match.path_known);
    assert_string_equal(match.allow, "PUT, GET, HEAD");
    http_routes_find(routes, slice_lit("POST"), slice_lit("/a/b"), &match);
    assert_false(match.path_known);
    assert_int_equal(add(routes, NULL, "/any"), 0);
    http_routes_find(routes, slice_lit("QUERY"), slice_lit("/any"), &match);
    assert_non_null(match.route);
    http_routes_free(routes);
}

static void test_malformed_and_repeated_routes_are_refused(void **state) {
    (void)state;
    static const char *const malformed[] = {
        "",      "a",        "/a//b", "/{}",  "/{X}",
        "/{a}b", "/a*",      "/*/b",  "/a?b", "/./a",
        "/../a", "/{a}/{a}", "/{a",   "/a}",  "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/*"};
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    for (size_t i = 0; i < array_count(malformed); i++)
        assert_int_equal(add(routes, "GET", malformed[i]), -EINVAL);
    assert_int_equal(add(routes, "get", "/a"), -EINVAL);
    assert_int_equal(add(routes, "", "/a"), -EINVAL);
    assert_int_equal(add(routes, "GET", "/{a}"), 0);
    assert_int_equal(add(routes, "GET", "/{b}"), -EEXIST);
    assert_int_equal(add(routes, "PUT", "/{b}"), 0);
    http_routes_free(routes);
}

static void test_the_table_is_bounded(void **state) {
    (void)state;
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    for (unsigned i = 0; i < HTTP_ROUTES_MAX; i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "/n%05u", HTTP_ROUTES_MAX - i);
        assert_int_equal(add(routes, "GET", pattern), 0);
    }
    assert_int_equal(add(routes, "GET", "/one-more"), -ENOBUFS);
    assert_string_equal(found(routes, "/n00007"), "/n00007");
    http_routes_free(routes);
}

static void test_without_memory_a_route_is_refused(void **state) {
    (void)state;
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    int failed = -ENOMEM;
    for (unsigned long at = 1; failed; at++) {
        mem_fail_at(at, false);
        failed = add(routes, "GET", "/a");
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_true(at < 10);
    }
    assert_string_equal(found(routes, "/a"), "/a");
    http_routes_free(routes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_more_literal_pattern_wins),
        cmocka_unit_test(test_the_order_of_adding_does_not_matter),
        cmocka_unit_test(test_parameters_are_whole_segments),
        cmocka_unit_test(test_get_answers_head_unless_head_has_its_own),
        cmocka_unit_test(test_a_known_path_with_another_method_says_which_it_has),
        cmocka_unit_test(test_malformed_and_repeated_routes_are_refused),
        cmocka_unit_test(test_the_table_is_bounded),
        cmocka_unit_test(test_without_memory_a_route_is_refused),
    };
    return cmocka_run_group_tests_name("http/routes", tests, NULL, NULL);
}
