/*
 * test_auth_job.c - logins judged on a worker's thread: the line, its bounds, who goes meanwhile.
 */
#include "bus_kit.h"

#include "bus/auth_job.h"

#include <errno.h>

struct heard {
    unsigned decided;
    int failed;
    bool user; /* there was a principal */
};

struct scene {
    struct house *house;
    struct auth *auth;
    struct auth_worker *worker;
};

static void decided(void *owner, const struct auth_login *login, int failed,
                    struct principal *principal) {
    struct heard *heard = owner;
    assert_true(slice_equal(login->user, slice_lit("ann")));
    heard->decided++;
    heard->failed = failed;
    heard->user = principal != NULL;
}

static struct scene open_scene(unsigned waiting_max, unsigned of_one_max) {
    static const struct auth_user ann = {.user = {"ann", 3}, .password = {"secret", 6}};
    struct scene s = {.house = house_open(1, 1)};
    struct error error;
    struct auth_worker_options options = {.loop = bus_loop(s.house->bus[0]),
                                          .thread = "logins",
                                          .waiting_max = waiting_max,
                                          .waiting_of_one_max = of_one_max};
    assert_int_equal(auth_create(&ann, 1, &s.auth, &error), 0);
    assert_int_equal(auth_worker_new(&options, &s.worker), 0);
    return s;
}

static void close_scene(struct scene *s) {
    auth_worker_free(s->worker);
    auth_unref(s->auth);
    house_close(s->house);
}

static int try_login(struct scene *s, const char *password, uint64_t who, struct heard *heard,
                     struct auth_job **ret_job) {
    struct auth_login login = {.user = slice_lit("ann"), .password = slice_str(password)};
    struct auth_question question = {
        .auth = s->auth, .login = &login, .who = who, .decided = decided, .owner = heard};
    return auth_worker_submit(s->worker, &question, ret_job);
}

static void a_login_is_judged_later(void **state) {
    (void)state;
    struct scene s = open_scene(4, 0);
    struct heard good = {0}, bad = {0};
    struct auth_job *job;
    assert_int_equal(try_login(&s, "secret", 0, &good, &job), 0);
    assert_int_equal(try_login(&s, "wrong", 0, &bad, &job), 0);
    assert_int_equal(good.decided, 0);
    house_until(s.house, &bad.decided);
    assert_int_equal(good.decided, 1);
    assert_int_equal(good.failed, 0);
    assert_true(good.user);
    assert_int_equal(bad.failed, -EACCES);
    assert_false(bad.user);
    close_scene(&s);
}

static void the_line_is_short_and_shared(void **state) {
    (void)state;
    struct scene s = open_scene(3, 2);
    struct heard heard = {0}, last = {0};
    struct auth_job *job;
    assert_int_equal(try_login(&s, "a", 7, &heard, &job), 0);
    assert_int_equal(try_login(&s, "b", 7, &heard, &job), 0);
    assert_int_equal(try_login(&s, "c", 7, &heard, &job), -EAGAIN);
    assert_int_equal(try_login(&s, "d", 8, &last, &job), 0);
    assert_int_equal(try_login(&s, "e", 9, &heard, &job), -EAGAIN);
    house_until(s.house, &last.decided);
    assert_int_equal(heard.decided, 2);
    assert_int_equal(try_login(&s, "f", 7, &heard, &job), 0);
    close_scene(&s);
}

static void who_goes_hears_nothing(void **state) {
    (void)state;
    struct scene s = open_scene(4, 0);
    struct heard gone = {0}, skipped = {0}, last = {0};
    struct auth_job *job;
    assert_int_equal(try_login(&s, "secret", 0, &gone, &job), 0);
    auth_job_forget(job);
    assert_int_equal(try_login(&s, "secret", 0, &skipped, &job), 0);
    auth_job_skip(job);
    assert_int_equal(try_login(&s, "secret", 0, &last, &job), 0);
    house_until(s.house, &last.decided);
    assert_int_equal(gone.decided, 0);
    assert_int_equal(skipped.decided, 1);
    assert_int_equal(last.failed, 0);
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_judged_later),
        cmocka_unit_test(the_line_is_short_and_shared),
        cmocka_unit_test(who_goes_hears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
