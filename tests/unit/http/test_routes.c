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

static void find(struct http_routes *routes, const char *method, const char *path,
                 struct http_match *ret_match) {
    const struct http_asked asked = {.method = slice_str(method), .path = slice_str(path)};
    assert_int_equal(http_routes_seal(routes), 0);
    http_routes_find(routes, &asked, ret_match);
}

static const char *found(struct http_routes *routes, const char *path) {
    struct http_match match;
    find(routes, "GET", path, &match);
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
    http_routes_unref(routes);
}

static int join_owner(void *self, const struct http_route *route) {
    return buf_append_byte(self, *(const char *)route->owner);
}

static void test_routes_are_listed_as_they_are_tried(void **state) {
    (void)state;
    const struct http_condition condition = {HTTP_ON_ARGUMENT, "x", NULL};
    static char names[] = "123456789";
    const struct http_route all[] = {
        {.pattern = "/", .host = "b.example", .owner = &names[1]},
        {.pattern = "/*", .owner = &names[8]},
        {.pattern = "/", .host = "*.example", .owner = &names[3]},
        {.pattern = "/a", .conditions = &condition, .condition_count = 1, .owner = &names[4]},
        {.pattern = "/{x}", .owner = &names[7]},
        {.pattern = "/", .host = "*.shop.example", .owner = &names[2]},
        {.pattern = "/", .host = "a.example", .owner = &names[0]},
        {.pattern = "/a", .owner = &names[6]},
        {.pattern = "/a", .method = "GET", .owner = &names[5]},
    };
    struct http_routes *routes;
    struct buf order = buf_make(100);
    assert_int_equal(http_routes_create(&routes), 0);
    for (size_t i = 0; i < array_count(all); i++) {
        struct http_route route = all[i];
        route.handle = never;
        assert_int_equal(http_routes_add(routes, &route), 0);
    }
    assert_int_equal(http_routes_each(routes, join_owner, &order), 0);
    assert_string_equal(buf_text(&order), names);
    buf_free(&order);
    http_routes_unref(routes);
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
    http_routes_unref(one);
    http_routes_unref(two);
}

static void test_parameters_are_whole_segments(void **state) {
    (void)state;
    static const char *const patterns[] = {"/v1/{kind}/{id}/files/*"};
    struct http_routes *routes = routes_of(patterns, 1);
    struct http_match match;
    find(routes, "GET", "/v1/a b/x.y/files/p/q", &match);
    assert_non_null(match.route);
    assert_int_equal(match.parameter_count, 3);
    static const char *const wanted[][2] = {{"kind", "a b"}, {"id", "x.y"}, {"*", "p/q"}};
    for (unsigned i = 0; i < 3; i++) {
        assert_true(slice_equal(match.parameters[i].name, slice_str(wanted[i][0])));
        assert_true(slice_equal(match.parameters[i].value, slice_str(wanted[i][1])));
    }
    find(routes, "GET", "/v1//x/files/p", &match);
    assert_null(match.route);
    http_routes_unref(routes);
}

static void test_get_answers_head_unless_head_has_its_own(void **state) {
    (void)state;
    struct http_routes *routes;
    struct http_match match;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add(routes, "GET", "/a"), 0);
    assert_int_equal(add(routes, "GET", "/b"), 0);
    assert_int_equal(add(routes, "HEAD", "/b"), 0);
    find(routes, "HEAD", "/a", &match);
    assert_string_equal(match.route->method, "GET");
    find(routes, "HEAD", "/b", &match);
    assert_string_equal(match.route->method, "HEAD");
    find(routes, "GET", "/b", &match);
    assert_string_equal(match.route->method, "GET");
    http_routes_unref(routes);
}

static void test_a_known_path_with_another_method_says_which_it_has(void **state) {
    (void)state;
    struct http_routes *routes;
    struct http_match match;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add(routes, "PUT", "/a"), 0);
    assert_int_equal(add(routes, "GET", "/{x}"), 0);
    assert_int_equal(add(routes, NULL, "/any"), 0);
    find(routes, "POST", "/a", &match);
    assert_null(match.route);
    assert_true(match.path_known);
    assert_string_equal(match.allow, "PUT, GET, HEAD");
    find(routes, "POST", "/a/b", &match);
    assert_false(match.path_known);
    find(routes, "QUERY", "/any", &match);
    assert_non_null(match.route);
    http_routes_unref(routes);
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
    http_routes_unref(routes);
}

/* --- hosts and conditions ------------------------------------------------------------------------
 */

/* What is asked beyond GET and a path; the routes are told apart by their owners' texts. */
struct question {
    const char *host, *path, *query, *answer;
    struct http1_field field;
};

static void ask(struct http_routes *routes, const struct question *questions, size_t count) {
    assert_int_equal(http_routes_seal(routes), 0);
    for (size_t i = 0; i < count; i++) {
        const struct question *q = &questions[i];
        const struct http_asked asked = {
            .method = slice_lit("GET"),
            .path = slice_str(q->path ? q->path : "/"),
            .host = slice_str(q->host),
            .query = slice_str(q->query),
            .fields = &q->field,
            .field_count = q->field.name.len > 0,
        };
        struct http_match match;
        http_routes_find(routes, &asked, &match);
        const char *answer = match.route ? match.route->owner : "none";
        if (strcmp(answer, q->answer) != 0)
            print_message("question %zu\n", i);
        assert_string_equal(answer, q->answer);
    }
}

static void add_hosted(struct http_routes *routes, const char *host, const char *pattern,
                       const char *answer) {
    struct http_route route = {.pattern = pattern, .host = host, .handle = never};
    route.owner = (void *)(uintptr_t)answer;
    assert_int_equal(http_routes_add(routes, &route), 0);
}

static void test_hosts_are_chosen_before_paths(void **state) {
    (void)state;
    static const struct question questions[] = {
        {"shop.example", .answer = "shop"},
        {"SHOP.Example:8080", .answer = "shop"},
        {"shop.example.", .answer = "shop"},
        {"shop.example", "/cart", .answer = "cart of any"},
        {"www.shop.example", .answer = "below shop"},
        {"a.b.shop.example:1", .answer = "below shop"},
        {"a.eu.shop.example", .answer = "below eu"},
        {"eu.shop.example", .answer = "below shop"},
        {"xshop.example", .answer = "any"},
        {".shop.example", .answer = "any"},
        {"example", .answer = "any"},
        {"[::1]:80", .answer = "loopback"},
        {"[::2]", .answer = "any"},
        {"", .answer = "any"},
        {NULL, .answer = "any"},
        {"www.shop.example", "/cart", .answer = "cart of any"},
        {"www.shop.example", "/deep/er", .answer = "below deep"},
    };
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    add_hosted(routes, NULL, "/", "any");
    add_hosted(routes, NULL, "/cart", "cart of any");
    add_hosted(routes, NULL, "/deep/er", "deeper of any");
    add_hosted(routes, "*.Shop.example", "/", "below shop");
    add_hosted(routes, "*.shop.example", "/deep/*", "below deep");
    add_hosted(routes, "*.eu.shop.example", "/", "below eu");
    add_hosted(routes, "shop.example.", "/", "shop");
    add_hosted(routes, "[::1]", "/", "loopback");
    ask(routes, questions, array_count(questions));
    http_routes_unref(routes);
}

static void test_a_host_too_long_for_any_route_is_no_host(void **state) {
    (void)state;
    static char host[5000];
    memset(host, 'a', sizeof host - 1);
    const struct question questions[] = {{host, .answer = "any"}};
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    add_hosted(routes, NULL, "/", "any");
    add_hosted(routes, "*.a", "/", "below a");
    ask(routes, questions, 1);
    http_routes_unref(routes);
}

static int add_conditioned(struct http_routes *routes, const struct http_condition *conditions,
                           unsigned count, const char *answer) {
    struct http_route route = {.pattern = "/",
                               .handle = never,
                               .owner = (void *)(uintptr_t)answer,
                               .conditions = conditions,
                               .condition_count = count};
    return http_routes_add(routes, &route);
}

static void test_more_conditions_are_more_specific(void **state) {
    (void)state;
    const struct http_condition beta = {HTTP_ON_FIELD, "X-Beta", "yes"},
                                tenant = {HTTP_ON_ARGUMENT, "ten ant", "a+b"},
                                debug = {HTTP_ON_ARGUMENT, "debug", NULL}, both[] = {beta, debug},
                                bothwards[] = {debug, beta};
    const struct http1_field yes = {slice_lit("x-beta"), slice_lit("yes")},
                             no = {slice_lit("X-Beta"), slice_lit("Yes")};
    const struct question questions[] = {
        {.answer = "plain"},
        {.field = yes, .answer = "beta"},
        {.field = no, .answer = "plain"},
        {.query = "debug", .answer = "debug"},
        {.query = "x=1&&debug=0", .answer = "debug"},
        {.query = "x=debug", .answer = "plain"},
        {.query = "debug", .field = yes, .answer = "both"},
        {.query = "%74en+ant=a%2Bb", .answer = "tenant"},
        {.query = "ten%20ant=a+b", .answer = "plain"},
        {.query = "ten%20ant=a%2Bbc", .answer = "plain"},
        {.query = "ten%20ant=a%2", .answer = "plain"},
        {.query = "ten%20ant=x&ten%20ant=a%2bb", .answer = "tenant"},
    };
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add_conditioned(routes, NULL, 0, "plain"), 0);
    assert_int_equal(add_conditioned(routes, &beta, 1, "beta"), 0);
    assert_int_equal(add_conditioned(routes, &debug, 1, "debug"), 0);
    assert_int_equal(add_conditioned(routes, &tenant, 1, "tenant"), 0);
    assert_int_equal(add_conditioned(routes, both, 2, "both"), 0);
    assert_int_equal(add_conditioned(routes, bothwards, 2, "both again"), -EEXIST);
    ask(routes, questions, array_count(questions));
    http_routes_unref(routes);
}

static void test_names_of_fields_have_no_case_where_conditions_are_ordered(void **state) {
    (void)state;
    const struct http_condition these[] = {{HTTP_ON_FIELD, "X-B", NULL},
                                           {HTTP_ON_FIELD, "x-a", NULL}},
                                same[] = {{HTTP_ON_FIELD, "x-b", NULL},
                                          {HTTP_ON_FIELD, "X-A", NULL}},
                                twice[] = {{HTTP_ON_FIELD, "x-b", NULL},
                                           {HTTP_ON_FIELD, "X-C", NULL},
                                           {HTTP_ON_FIELD, "X-B", NULL}};
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(add_conditioned(routes, these, 2, "these"), 0);
    assert_int_equal(add_conditioned(routes, same, 2, "same"), -EEXIST);
    assert_int_equal(add_conditioned(routes, twice, 3, "twice"), -EINVAL);
    http_routes_unref(routes);
}

/* A route that fits but for its method is no reason for 405 where its conditions do not hold. */
static void test_allow_knows_hosts_and_conditions(void **state) {
    (void)state;
    const struct http_condition condition = {HTTP_ON_ARGUMENT, "x", NULL};
    const struct http_route all[] = {
        {.method = "PUT", .pattern = "/a", .handle = never, .host = "other.example"},
        {.method = "PATCH",
         .pattern = "/a",
         .handle = never,
         .conditions = &condition,
         .condition_count = 1},
    };
    struct http_routes *routes;
    struct http_match match;
    struct http_asked asked = {.method = slice_lit("GET"), .path = slice_lit("/a")};
    assert_int_equal(http_routes_create(&routes), 0);
    for (size_t i = 0; i < array_count(all); i++)
        assert_int_equal(http_routes_add(routes, &all[i]), 0);
    find(routes, "GET", "/a", &match);
    assert_false(match.path_known);
    asked.query = slice_lit("x");
    asked.host = slice_lit("other.example");
    http_routes_find(routes, &asked, &match);
    assert_null(match.route);
    assert_true(match.path_known);
    assert_string_equal(match.allow, "PUT, PATCH");
    http_routes_unref(routes);
}

static void test_what_no_route_fits_goes_to_the_fallback(void **state) {
    (void)state;
    const struct http_route post = {.method = "POST", .pattern = "/a/{id}", .handle = never};
    struct http_routes *routes;
    struct http_match match;
    int owner;
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(http_routes_add(routes, &post), 0);
    http_routes_set_fallback(routes, never, &owner);
    find(routes, "POST", "/a/1", &match);
    assert_ptr_not_equal(match.route->owner, &owner);
    find(routes, "GET", "/a/1", &match);
    assert_ptr_equal(match.route->owner, &owner);
    assert_int_equal(match.parameter_count, 0);
    assert_string_equal(match.allow, "POST");
    find(routes, "GET", "/b", &match);
    assert_ptr_equal(match.route->owner, &owner);
    assert_string_equal(match.allow, "");
    http_routes_unref(routes);
}

static void test_malformed_hosts_and_conditions_are_refused(void **state) {
    (void)state;
    static const char *const hosts[] = {"",     ".",   "*.",      "*",   "a b",      "a.*",
                                        "a:80", "u@a", "*.[::1]", "::1", "[::1]:80", "*.*.a"};
    static const struct http_condition conditions[] = {
        {HTTP_ON_FIELD, "", NULL}, {HTTP_ON_FIELD, "a b", NULL}, {HTTP_ON_ARGUMENT, "", "x"}};
    struct http_condition many[HTTP_CONDITIONS_MAX + 1];
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    for (size_t i = 0; i < array_count(hosts); i++) {
        struct http_route route = {.pattern = "/", .handle = never, .host = hosts[i]};
        assert_int_equal(http_routes_add(routes, &route), -EINVAL);
    }
    for (size_t i = 0; i < array_count(conditions); i++)
        assert_int_equal(add_conditioned(routes, &conditions[i], 1, "never"), -EINVAL);
    many[0] = many[1] = (struct http_condition){HTTP_ON_ARGUMENT, "twice", NULL};
    assert_int_equal(add_conditioned(routes, many, 2, "never"), -EINVAL);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    for (size_t i = 0; i < array_count(many); i++)
        many[i] = (struct http_condition){HTTP_ON_ARGUMENT, names[i], NULL};
    assert_int_equal(add_conditioned(routes, many, HTTP_CONDITIONS_MAX + 1, "never"), -ENOBUFS);
    assert_int_equal(add_conditioned(routes, many, HTTP_CONDITIONS_MAX, "most"), 0);
    http_routes_unref(routes);
}

/* --- the tree ------------------------------------------------------------------------------------
 */

struct listed {
    const struct http_route *routes[400];
    unsigned count;
};

static int list(void *self, const struct http_route *route) {
    struct listed *listed = self;
    listed->routes[listed->count++] = route;
    return 0;
}

/* The contract, read to the letter: does PATTERN fit PATH? */
static bool plainly_fits(slice pattern, slice path) {
    while (pattern.ptr && path.ptr) {
        slice wanted = slice_cut(pattern, '/', &pattern);
        if (slice_equal(wanted, slice_lit("*")))
            return true;
        slice got = slice_cut(path, '/', &path);
        bool parameter = wanted.len > 0 && wanted.ptr[0] == '{';
        if (parameter ? got.len == 0 : !slice_equal(wanted, got))
            return false;
    }
    return !pattern.ptr && !path.ptr;
}

static const char *draw_segments(struct sim *sim, const char *const *choices, size_t count,
                                 char *ret_text) {
    size_t len = 0;
    uint64_t segments = 1 + sim_below(sim, 4);
    for (uint64_t i = 0; i < segments; i++) {
        const char *choice = choices[sim_below(sim, count)];
        len += (size_t)snprintf(ret_text + len, 64 - len, "/%s", choice);
        if (strcmp(choice, "*") == 0)
            break;
    }
    return ret_text;
}

/* The first route of the table that fits is the one that the tree finds. */
static void test_the_tree_finds_what_a_walk_would(void **state) {
    (void)state;
    static const char *const words[] = {"a", "b", "c", "{x}", "*"}, *const parts[] = {"a", "b", "c",
                                                                                      "d"};
    static const char *const hosts[] = {NULL, "h.example", "*.h.example"};
    unsigned matched = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim *sim = sim_create(seed, NULL);
        struct http_routes *routes;
        struct listed listed = {.count = 0};
        char text[64];
        assert_int_equal(http_routes_create(&routes), 0);
        for (unsigned i = 0; i < 400; i++) {
            struct http_route route = {.pattern =
                                           draw_segments(sim, words, array_count(words), text),
                                       .host = hosts[sim_below(sim, array_count(hosts))],
                                       .handle = never};
            int failed = http_routes_add(routes, &route);
            assert_true(failed == 0 || failed == -EEXIST || failed == -EINVAL);
        }
        assert_int_equal(http_routes_each(routes, list, &listed), 0);
        assert_int_equal(http_routes_seal(routes), 0);
        for (unsigned i = 0; i < 200; i++) {
            struct http_asked asked = {.method = slice_lit("GET"),
                                       .host = slice_lit("x.h.example")};
            asked.path = slice_str(draw_segments(sim, parts, array_count(parts), text));
            const struct http_route *wanted = NULL;
            for (unsigned j = 0; j < listed.count && !wanted; j++) {
                const struct http_route *route = listed.routes[j];
                if ((!route->host || route->host[0] == '*') &&
                    plainly_fits(slice_str(route->pattern), asked.path))
                    wanted = route;
            }
            struct http_match match;
            http_routes_find(routes, &asked, &match);
            assert_ptr_equal(match.route, wanted);
            matched += wanted != NULL;
        }
        http_routes_unref(routes);
        sim_free(sim);
    }
    assert_true(matched > 1000);
}

/* --- counts --------------------------------------------------------------------------------------
 */

static void count_free(void *owner) {
    ++*(unsigned *)owner;
}

static void test_the_last_count_frees(void **state) {
    (void)state;
    unsigned freed = 0;
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    http_routes_on_free(routes, count_free, &freed);
    assert_int_equal(add(routes, "GET", "/a"), 0);
    assert_ptr_equal(http_routes_ref(routes), routes);
    assert_null(http_routes_unref(routes));
    assert_int_equal(freed, 0);
    assert_string_equal(found(routes, "/a"), "/a");
    assert_null(http_routes_unref(routes));
    assert_int_equal(freed, 1);
    assert_null(http_routes_unref(NULL));
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
    http_routes_unref(routes);
}

static void test_without_memory_a_route_is_refused(void **state) {
    (void)state;
    const struct http_condition condition = {HTTP_ON_FIELD, "X", "y"};
    const struct http_route route = {.method = "GET",
                                     .pattern = "/a",
                                     .host = "h.example",
                                     .handle = never,
                                     .conditions = &condition,
                                     .condition_count = 1};
    struct http_routes *routes;
    assert_int_equal(http_routes_create(&routes), 0);
    int failed = -ENOMEM;
    for (unsigned long at = 1; failed; at++) {
        mem_fail_at(at, false);
        failed = http_routes_add(routes, &route);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_true(at < 10);
    }
    for (unsigned long at = 1; at <= 2; at++) {
        mem_fail_at(at, false);
        assert_int_equal(http_routes_seal(routes), -ENOMEM);
        mem_fail_at(0, false);
    }
    assert_int_equal(add(routes, "GET", "/b"), 0); /* it was not sealed */
    assert_string_equal(found(routes, "/b"), "/b");
    http_routes_unref(routes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_more_literal_pattern_wins),
        cmocka_unit_test(test_routes_are_listed_as_they_are_tried),
        cmocka_unit_test(test_the_order_of_adding_does_not_matter),
        cmocka_unit_test(test_parameters_are_whole_segments),
        cmocka_unit_test(test_get_answers_head_unless_head_has_its_own),
        cmocka_unit_test(test_a_known_path_with_another_method_says_which_it_has),
        cmocka_unit_test(test_malformed_and_repeated_routes_are_refused),
        cmocka_unit_test(test_hosts_are_chosen_before_paths),
        cmocka_unit_test(test_a_host_too_long_for_any_route_is_no_host),
        cmocka_unit_test(test_more_conditions_are_more_specific),
        cmocka_unit_test(test_names_of_fields_have_no_case_where_conditions_are_ordered),
        cmocka_unit_test(test_allow_knows_hosts_and_conditions),
        cmocka_unit_test(test_what_no_route_fits_goes_to_the_fallback),
        cmocka_unit_test(test_malformed_hosts_and_conditions_are_refused),
        cmocka_unit_test(test_the_tree_finds_what_a_walk_would),
        cmocka_unit_test(test_the_last_count_frees),
        cmocka_unit_test(test_the_table_is_bounded),
        cmocka_unit_test(test_without_memory_a_route_is_refused),
    };
    return cmocka_run_group_tests_name("http/routes", tests, NULL, NULL);
}
