/* Ctrl-C ends a wait and nothing else; a reader that has gone is seen while waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void what_can_be_read_ends_the_wait(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(io_wait_readable(ends[0], -1, 0), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(io_wait_readable(ends[0], -1, -1), 1);
    close(ends[0]);
    close(ends[1]);
}

static void ctrl_c_before_a_wait_ends_it_once(void **state) {
    (void)state;
    io_interrupt_catch(true);
    raise(SIGINT);
    assert_int_equal(io_wait_readable(-1, -1, -1), -EINTR);
    assert_int_equal(io_wait_readable(-1, -1, 0), 0);
    raise(SIGINT);
    assert_true(io_interrupt_take());
    assert_false(io_interrupt_take());
    io_interrupt_catch(false);
}

static void a_second_ctrl_c_that_nobody_heeds_ends_the_program(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        io_interrupt_catch(true);
        raise(SIGINT);
        raise(SIGINT);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static void a_reader_that_has_gone_is_seen(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(io_wait_readable(-1, ends[1], 0), 0);
    close(ends[0]);
    assert_int_equal(io_wait_readable(-1, ends[1], -1), -EPIPE);
    close(ends[1]);
}

static void commands_give_their_exit_code(void **state) {
    (void)state;
    assert_int_equal(io_terminal_run("exit 7"), 7);
    assert_int_equal(io_terminal_run("kill -9 $$"), 256 + 9);
    char line[16] = "";
    FILE *command = io_stdio_command("echo hello; exit 3", "r");
    assert_non_null(command);
    assert_non_null(fgets(line, sizeof line, command));
    assert_string_equal(line, "hello\n");
    assert_int_equal(io_stdio_end(command), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_read_ends_the_wait),
        cmocka_unit_test(ctrl_c_before_a_wait_ends_it_once),
        cmocka_unit_test(a_second_ctrl_c_that_nobody_heeds_ends_the_program),
        cmocka_unit_test(a_reader_that_has_gone_is_seen),
        cmocka_unit_test(commands_give_their_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
