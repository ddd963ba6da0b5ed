#include "desk.h"

#include <errno.h>
#include <stdio.h>

/* Who may ask what on a listener with a guard. */

static unsigned asked; /* how often check_user was called */

static int check_user(void *owner, slice user, slice password) {
    (void)owner;
    asked++;
    bool known = slice_equal(user, slice_lit("ann")) && slice_equal(password, slice_lit("s:ecret"));
    return known ? 0 : -EACCES;
}

static const char *const hosts[] = {"nonet.example", NULL};
static const struct http_guard guard = {
    .hosts = hosts, .token = {"t0ken", 5}, .check_user = check_user};

/* The status that a request with METHOD and these field lines gets from a desk guarded by G. */
static unsigned status_of(const struct http_guard *g, const char *method, const char *fields) {
    struct http_server_options options = {.guard = g};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, method);
    stranger_says(s, " /hello HTTP/1.1\r\n");
    stranger_says(s, fields);
    stranger_says(s, "\r\n");
    desk_run(desk, SIM_SECOND);
    slice got = stranger_got(s);
    assert_true(got.len > 12);
    unsigned status = (unsigned)(got.ptr[9] - '0') * 100 + (unsigned)(got.ptr[10] - '0') * 10 +
                      (unsigned)(got.ptr[11] - '0');
    assert_int_equal(desk->calls, status == 200 ? 1 : 0);
    if (status == 401)
        assert_true(got_contains(s, "\r\nWWW-Authenticate: Bearer realm=\"nonet\""));
    desk_close(desk);
    return status;
}

static void test_host_must_be_an_address_localhost_or_configured(void **state) {
    (void)state;
    static const char *const ours[] = {
        "127.0.0.1", "127.0.0.1:8222", "10.1.2.3:80",    "[::1]:8222",    "[::1]",
        "localhost", "LOCALHOST",      "localhost:8222", "nonet.example", "Nonet.Example:443",
    };
    static const char *const foreign[] = {
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "127.0.0.01",
        "1.2.3.4.5",
        "nonet.example.com",
        "x.nonet.example",
        "256.1.1.1",
    };
    char field[128];
    for (size_t i = 0; i < array_count(ours); i++) {
        snprintf(field, sizeof field, "Host: %s\r\n", ours[i]);
        assert_int_equal(status_of(&guard, "GET", field), 200);
    }
    for (size_t i = 0; i < array_count(foreign); i++) {
        snprintf(field, sizeof field, "Host: %s\r\n", foreign[i]);
        assert_int_equal(status_of(&guard, "GET", field), 403);
    }
}

#define LOCAL "Host: 127.0.0.1:80\r\n"
#define TOKEN "Authorization: Bearer t0ken\r\n"

static void test_a_changing_call_must_come_from_the_same_origin(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        unsigned status;
    } cases[] = {
        {LOCAL TOKEN, 200},
        {LOCAL TOKEN "Origin: http://127.0.0.1:80\r\n", 200},
        {LOCAL TOKEN "Origin: http://127.0.0.1\r\n", 200},
        {"Host: localhost:8222\r\n" TOKEN "Origin: http://localhost:8222\r\n", 200},
        {LOCAL TOKEN "Sec-Fetch-Site: same-origin\r\n", 200},
        {LOCAL TOKEN "Sec-Fetch-Site: none\r\n", 200},
        {LOCAL TOKEN "Origin: https://127.0.0.1:80\r\n", 403},
        {LOCAL TOKEN "Origin: http://127.0.0.1:81\r\n", 403},
        {LOCAL TOKEN "Origin: http://evil.example\r\n", 403},
        {LOCAL TOKEN "Origin: null\r\n", 403},
        {LOCAL TOKEN "Origin: http://127.0.0.1:80/\r\n", 403},
        {LOCAL TOKEN "Origin: http://127.0.0.1:80\r\nOrigin: http://evil.example\r\n", 403},
        {LOCAL TOKEN "Sec-Fetch-Site: cross-site\r\n", 403},
        {LOCAL TOKEN "Sec-Fetch-Site: same-site\r\n", 403},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_int_equal(status_of(&guard, "POST", cases[i].fields), cases[i].status);
    /* Who only reads may come from anywhere: the browser does not let the page see the answer. */
    assert_int_equal(status_of(&guard, "GET", LOCAL "Origin: http://evil.example\r\n"), 200);
}

static void test_a_changing_call_needs_the_token_or_a_user(void **state) {
    (void)state;
    static const struct {
        const char *credentials;
        unsigned status;
    } cases[] = {
        {"", 401},
        {"Authorization: Bearer t0ken\r\n", 200},
        {"Authorization: bearer t0ken\r\n", 200},
        {"Authorization: Bearer t0ke\r\n", 401},
        {"Authorization: Bearer t0kenx\r\n", 401},
        {"Authorization: Bearer\r\n", 401},
        {"Authorization: Basic YW5uOnM6ZWNyZXQ=\r\n", 200}, /* ann:s:ecret */
        {"Authorization: Basic YW5uOndyb25n\r\n", 401},     /* ann:wrong */
        {"Authorization: Basic YW5u\r\n", 401},             /* ann */
        {"Authorization: Basic !!!\r\n", 401},
        {"Authorization: Digest x\r\n", 401},
        {"Authorization: t0ken\r\n", 401},
    };
    char fields[256];
    for (size_t i = 0; i < array_count(cases); i++) {
        snprintf(fields, sizeof fields, LOCAL "%s", cases[i].credentials);
        assert_int_equal(status_of(&guard, "POST", fields), cases[i].status);
        assert_int_equal(status_of(&guard, "GET", fields), 200);
    }
}

static void test_without_a_token_and_users_nobody_changes_anything(void **state) {
    (void)state;
    static const struct http_guard closed = {0};
    assert_int_equal(status_of(&closed, "POST", LOCAL "Authorization: Bearer \r\n"), 401);
    assert_int_equal(status_of(&closed, "POST", LOCAL "Authorization: Basic Og==\r\n"), 401);
    assert_int_equal(status_of(&closed, "GET", LOCAL), 200);
}

static void test_off_loopback_reading_needs_credentials_too(void **state) {
    (void)state;
    struct http_guard strict = guard;
    strict.reading_too = true;
    assert_int_equal(status_of(&strict, "GET", LOCAL), 401);
    assert_int_equal(status_of(&strict, "GET", LOCAL TOKEN), 200);
    assert_int_equal(status_of(&strict, "HEAD", LOCAL), 401);
}

/* bcrypt is slow on purpose: guesses must not take the loop from everybody else. */
static void test_logins_a_second_are_bounded(void **state) {
    (void)state;
    struct http_server_options options = {.guard = &guard};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    asked = 0;
    for (unsigned i = 0; i < 60; i++)
        stranger_says(s,
                      "POST /hello HTTP/1.1\r\n" LOCAL "Authorization: Basic YW5uOndyb25n\r\n\r\n");
    desk_run(desk, SIM_SECOND / 2);
    assert_true(asked <= 2 * HTTP_LOGINS_PER_SECOND);
    assert_true(answers(s, "429") >= 20);
    desk_run(desk, 2 * SIM_SECOND);
    stranger_says(s,
                  "POST /hello HTTP/1.1\r\n" LOCAL "Authorization: Basic YW5uOnM6ZWNyZXQ=\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

/* A stranger learns nothing of the paths there are. */
static void test_the_guard_speaks_before_the_routes(void **state) {
    (void)state;
    struct http_server_options options = {.guard = &guard};
    struct desk *desk = desk_open(1, &options);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "GET /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n"
                     "DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(s, "403"), 1);
    assert_int_equal(answers(s, "401"), 1);
    desk_close(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_must_be_an_address_localhost_or_configured),
        cmocka_unit_test(test_a_changing_call_must_come_from_the_same_origin),
        cmocka_unit_test(test_a_changing_call_needs_the_token_or_a_user),
        cmocka_unit_test(test_without_a_token_and_users_nobody_changes_anything),
        cmocka_unit_test(test_off_loopback_reading_needs_credentials_too),
        cmocka_unit_test(test_logins_a_second_are_bounded),
        cmocka_unit_test(test_the_guard_speaks_before_the_routes),
    };
    return cmocka_run_group_tests_name("http/guard", tests, NULL, NULL);
}
