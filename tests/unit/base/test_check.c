#include "base/check.h"

#include "base_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct outer {
    int first;
    int member;
};

static void true_conditions_go_on(void **state) {
    (void)state;
    int evaluated = 0;
    check(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void false_condition_says_where_and_aborts(void **state) {
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        check(1 + 1 == 3);
        _exit(0);
    }
    close(pipe_ends[1]);
    char text[512];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof text - 1 &&
           (got = read(pipe_ends[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(pipe_ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "check failed: 1 + 1 == 3 at "));
    assert_non_null(strstr(text, "test_check.c:"));
    assert_non_null(strstr(text, "(false_condition_says_where_and_aborts)"));
}

static void container_is_found_from_its_member(void **state) {
    (void)state;
    struct outer o = {1, 2};
    assert_ptr_equal(container_of(&o.member, struct outer, member), &o);
    assert_int_equal(array_count(((int[]){1, 2, 3})), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_conditions_go_on),
        cmocka_unit_test(false_condition_says_where_and_aborts),
        cmocka_unit_test(container_is_found_from_its_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
