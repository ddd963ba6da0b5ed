#include "desk.h"

#include <errno.h>
#include <stdio.h>

/* Who may ask what on a listener with a guard. */

static unsigned asked; /* how often check_user was called */

static int check_user(void *owner, slice user, slice password, struct http_login *login) {
    (void)owner;
    (void)login;
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

/* Only what asks for no credentials, and that not by default. */
static void test_any_host_is_for_open_pages_alone(void **state) {
    (void)state;
    struct http_guard open = guard;
    open.any_host = true;
    assert_int_equal(status_of(&open, "GET", "Host: evil.example\r\n"), 403);
    struct http_login_budget budget = {0};
    struct http_login login = {0};
    const struct http1_head head = {.method = slice_lit("GET"),
                                    .authority = slice_lit("evil.example")};
    assert_int_equal(http_guard_judge(&open, &head, false, true, &budget, 0, NULL, &login).status,
                     0);
    assert_int_equal(http_guard_judge(&guard, &head, false, true, &budget, 0, NULL, &login).status,
                     403);
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

/* --- users who are judged later ------------------------------------------------------------------
 */

#define LATER_MAX 8u

struct judge {
    struct http_login *asked[LATER_MAX];
    unsigned count, forgotten;
};

static int check_later(void *owner, slice user, slice password, struct http_login *login) {
    struct judge *judge = owner;
    (void)user;
    (void)password;
    if (judge->count == LATER_MAX)
        return -EAGAIN;
    judge->asked[judge->count++] = login;
    return -EINPROGRESS;
}

static void forget(void *owner, struct http_login *login) {
    struct judge *judge = owner;
    unsigned found = 0;
    for (unsigned i = 0; i < judge->count; i++) {
        if (judge->asked[i] != login)
            continue;
        judge->asked[i] = NULL;
        found++;
    }
    assert_int_equal(found, 1);
    judge->forgotten++;
}

/* The word about the INDEX-th who was asked about. */
static void decide(struct desk *desk, struct judge *judge, unsigned index, int result) {
    struct http_login *login = judge->asked[index];
    assert_true(index < judge->count && login != NULL);
    judge->asked[index] = NULL;
    http_login_decide(login, result);
    desk_run(desk, SIM_SECOND);
}

static struct desk *desk_of_judge(struct judge *judge) {
    static struct http_guard later;
    struct http_server_options options = {.guard = &later};
    *judge = (struct judge){0};
    later = (struct http_guard){
        .check_user = check_later, .forget_user = forget, .owner = judge, .reading_too = true};
    return desk_open(1, &options);
}

#define ANN LOCAL "Authorization: Basic YW5uOnM6ZWNyZXQ=\r\n"

static void test_a_request_waits_for_the_word_about_its_user(void **state) {
    (void)state;
    struct judge judge;
    struct desk *desk = desk_of_judge(&judge);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "GET /hello HTTP/1.1\r\n" ANN "\r\n"
                     "POST /echo HTTP/1.1\r\n" ANN "Content-Length: 4\r\n\r\nbo");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(judge.count, 2);
    assert_int_equal(desk->calls, 0);
    decide(desk, &judge, 1, 0); /* before the body is whole, and before the first one's */
    assert_int_equal(desk->calls, 0);
    stranger_says(s, "dy");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(desk->calls, 1);
    assert_int_equal(s->got.len, 0); /* answers keep their order */
    decide(desk, &judge, 0, 0);
    assert_int_equal(desk->calls, 2);
    assert_int_equal(answers(s, "200"), 2);
    assert_true(got_contains(s, "hello") && got_contains(s, "body"));
    desk_close(desk);
    assert_int_equal(judge.forgotten, 0);
}

static void test_who_is_refused_later_hears_of_nothing_else(void **state) {
    (void)state;
    struct judge judge;
    struct desk *desk = desk_of_judge(&judge);
    struct stranger *s = desk_stranger(desk);
    stranger_says(s, "GET /hello HTTP/1.1\r\n" ANN "\r\n"
                     "GET /nothing HTTP/1.1\r\n" ANN "\r\n"
                     "GET /nothing HTTP/1.1\r\n" ANN "\r\n"
                     "POST /echo HTTP/1.1\r\n" ANN "Content-Length: 4\r\n\r\nbody");
    desk_run(desk, SIM_SECOND);
    assert_int_equal(judge.count, 4);
    assert_int_equal(s->got.len, 0);
    decide(desk, &judge, 0, -EACCES);
    assert_int_equal(answers(s, "401"), 1);
    assert_true(got_contains(s, "\r\nWWW-Authenticate: Bearer realm=\"nonet\""));
    decide(desk, &judge, 1, -EACCES);
    assert_int_equal(answers(s, "401"), 2);
    decide(desk, &judge, 2, 0);
    assert_int_equal(answers(s, "404"), 1);
    decide(desk, &judge, 3, -ENOMEM);
    assert_int_equal(answers(s, "503"), 1);
    assert_int_equal(desk->calls, 0);
    stranger_says(s, "GET /hello HTTP/1.1\r\n" ANN "\r\n"); /* the connection goes on */
    desk_run(desk, SIM_SECOND);
    decide(desk, &judge, 4, 0);
    assert_int_equal(answers(s, "200"), 1);
    desk_close(desk);
}

static void test_a_user_who_goes_away_is_forgotten(void **state) {
    (void)state;
    struct judge judge;
    struct desk *desk = desk_of_judge(&judge);
    struct stranger *gone = desk_stranger(desk), *stays = desk_stranger(desk);
    stranger_says(gone, "GET /hello HTTP/1.1\r\n" ANN "\r\n"
                        "POST /echo HTTP/1.1\r\n" ANN "Content-Length: 4\r\n\r\nbo");
    stranger_says(stays, "POST /echo HTTP/1.1\r\n" ANN "Transfer-Encoding: chunked\r\n\r\n");
    desk_run(desk, SIM_SECOND);
    stranger_leaves(gone);
    desk_run(desk, SIM_SECOND);
    assert_int_equal(judge.forgotten, 2);
    stranger_says(stays, "what is this?\r\n"); /* refused while the word is out */
    desk_run(desk, SIM_SECOND);
    assert_int_equal(answers(stays, "400"), 1);
    assert_int_equal(judge.forgotten, 3);
    for (unsigned i = 0; i < LATER_MAX; i++) {
        struct stranger *s = desk_stranger(desk);
        stranger_says(s, "GET /hello HTTP/1.1\r\n" ANN "\r\n");
        desk_run(desk, SIM_SECOND);
        assert_int_equal(answers(s, "429"), i + 3 >= LATER_MAX);
    }
    assert_int_equal(desk->calls, 0);
    desk_close(desk); /* with five who still wait */
    assert_int_equal(judge.forgotten, LATER_MAX);
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

/* --- the node's own gateway ---------------------------------------------------------------- */

static char told[64]; /* of the last request */

static void tell_user(void *owner, struct http_request *request) {
    (void)owner;
    slice user = http_request_user(request);
    snprintf(told, sizeof told, "%s%.*s", http_request_through_gateway(request) ? "gateway " : "",
             slice_fmt(user));
    http_reply_json(request, 200, slice_lit("{}"));
}

/* What the handler of a route is told; the status where it is not called. */
static const char *told_of(bool for_gateway, const char *method, const char *fields) {
    static const struct http_guard with_gateway = {
        .token = {"t0ken", 5}, .gateway_token = {"g4te", 4}, .check_user = check_user};
    struct http_server_options options = {.guard = &with_gateway};
    struct desk *desk = desk_open(1, &options);
    desk_serve_only(desk, &(struct http_route){
                              .pattern = "/v1", .handle = tell_user, .for_gateway = for_gateway});
    struct stranger *s = desk_stranger(desk);
    *told = '\0';
    stranger_says(s, method);
    stranger_says(s, " /v1 HTTP/1.1\r\nX-Nonet-Principal: joe\r\n");
    stranger_says(s, fields);
    stranger_says(s, "\r\n");
    desk_run(desk, SIM_SECOND);
    slice got = stranger_got(s);
    assert_true(got.len > 12);
    if (!slice_equal(slice_make(got.ptr + 9, 3), slice_lit("200")))
        snprintf(told, sizeof told, "%.3s", got.ptr + 9);
    desk_close(desk);
    return told;
}

#define GATEWAY LOCAL "Authorization: Nonet-Gateway g4te\r\n"

static void test_the_gateway_is_let_in_for_whom_it_names(void **state) {
    (void)state;
    assert_string_equal(told_of(true, "POST", GATEWAY), "gateway joe");
    assert_string_equal(told_of(true, "GET", GATEWAY), "gateway joe");
    assert_string_equal(told_of(true, "POST", GATEWAY "Origin: https://shop.example\r\n"),
                        "gateway joe");
    assert_string_equal(told_of(false, "POST", GATEWAY), "404");
    assert_string_equal(told_of(false, "GET", GATEWAY), "404");
}

static void test_nobody_else_is_taken_for_the_gateway(void **state) {
    (void)state;
    assert_string_equal(told_of(true, "POST", LOCAL "Authorization: Nonet-Gateway g4t\r\n"), "401");
    assert_string_equal(told_of(true, "POST", LOCAL "Authorization: Nonet-Gateway\r\n"), "401");
    assert_string_equal(told_of(true, "POST", LOCAL "Authorization: Bearer g4te\r\n"), "401");
    assert_string_equal(told_of(true, "POST", LOCAL TOKEN), "");
    assert_string_equal(told_of(true, "POST", LOCAL "Authorization: Basic YW5uOnM6ZWNyZXQ=\r\n"),
                        "ann");
    assert_string_equal(told_of(true, "GET", LOCAL), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_must_be_an_address_localhost_or_configured),
        cmocka_unit_test(test_any_host_is_for_open_pages_alone),
        cmocka_unit_test(test_a_changing_call_must_come_from_the_same_origin),
        cmocka_unit_test(test_a_changing_call_needs_the_token_or_a_user),
        cmocka_unit_test(test_without_a_token_and_users_nobody_changes_anything),
        cmocka_unit_test(test_off_loopback_reading_needs_credentials_too),
        cmocka_unit_test(test_logins_a_second_are_bounded),
        cmocka_unit_test(test_a_request_waits_for_the_word_about_its_user),
        cmocka_unit_test(test_who_is_refused_later_hears_of_nothing_else),
        cmocka_unit_test(test_a_user_who_goes_away_is_forgotten),
        cmocka_unit_test(test_the_guard_speaks_before_the_routes),
        cmocka_unit_test(test_the_gateway_is_let_in_for_whom_it_names),
        cmocka_unit_test(test_nobody_else_is_taken_for_the_gateway),
    };
    return cmocka_run_group_tests_name("http/guard", tests, NULL, NULL);
}
