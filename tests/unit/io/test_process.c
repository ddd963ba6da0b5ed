#include "stage.h"

#include "base/mem.h"
#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct show {
    struct stage *stage;
    struct io_process *process;
    struct io_process_options options;
    char lines[4096]; /* "out:LINE|err:LINE|" */
    size_t longest;
    unsigned line_count;
    char output[64];
    size_t output_size;
    int status, signum;
    unsigned ends;
    struct io_timer timer;
};

static void on_line(void *owner, bool is_stderr, slice line) {
    struct show *show = owner;
    size_t used = strlen(show->lines);
    show->line_count++;
    if (line.len > show->longest)
        show->longest = line.len;
    if (line.len < 100)
        snprintf(show->lines + used, sizeof show->lines - used, "%s:%.*s|",
                 is_stderr ? "err" : "out", slice_fmt(line));
    if (show->signum)
        io_process_signal(show->process, show->signum);
}

static void on_exit_seen(void *owner, int status, slice output) {
    struct show *show = owner;
    show->status = status;
    show->ends++;
    show->output_size = output.len;
    if (output.len > 0)
        memcpy(show->output, output.ptr,
               output.len < sizeof show->output ? output.len : sizeof show->output);
    stage_end(show->stage);
}

static void show_begin(struct stage *stage) {
    struct show *show = stage->state;
    show->stage = stage;
    show->options.owner = show;
    show->options.on_exit = on_exit_seen;
    assert_int_equal(io_process_start(stage->loop, &show->options, &show->process), 0);
    assert_true(io_process_id(show->process) > 1);
}

static void play_show(struct show *show, const char *command) {
    struct stage stage;
    show->options.command = command;
    stage_play(&stage, 1, show_begin, show);
    assert_int_equal(show->ends, 1);
}

static void output_comes_line_by_line(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}};
    play_show(&show, "echo one; echo; printf 'two\\nthree'");
    assert_string_equal(show.lines, "out:one|out:|out:two|out:three|");
    assert_int_equal(show.status, 0);
}

static void errors_are_told_apart_from_output(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}};
    play_show(&show, "echo oops >&2; exit 7");
    assert_string_equal(show.lines, "err:oops|");
    assert_int_equal(show.status, 7);
}

static void a_long_line_comes_in_pieces(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}};
    play_show(&show, "head -c 20000 /dev/zero | tr '\\0' x; echo; echo end");
    assert_int_equal(show.longest, IO_LINE_MAX);
    assert_string_equal(show.lines, "out:end|");
    assert_int_equal(show.line_count, 4); /* 8192 + 8192 + 3616, end */
}

static void input_is_written_and_closed(void **state) {
    (void)state;
    size_t size = 300000; /* more than a pipe holds */
    char *input = malloc(size);
    memset(input, 'a', size);
    struct show show = {
        .options = {.input = slice_make(input, size), .whole_output = true, .output_max = 64}};
    play_show(&show, "wc -c");
    free(input);
    show.output[show.output_size] = '\0';
    assert_int_equal(strtoul(show.output, NULL, 10), size);
}

static void a_child_that_does_not_read_is_no_matter(void **state) {
    (void)state;
    struct show show = {.options = {.input = slice_lit("unread"), .on_line = on_line}};
    play_show(&show, "exec <&-; echo done");
    assert_string_equal(show.lines, "out:done|");
}

static void whole_output_is_cut_at_its_bound(void **state) {
    (void)state;
    struct show show = {.options = {.whole_output = true, .output_max = 10, .on_line = on_line}};
    play_show(&show, "printf 0123456789abcdef; echo seen >&2");
    assert_int_equal(show.output_size, 10);
    assert_memory_equal(show.output, "0123456789", 10);
    assert_string_equal(show.lines, "err:seen|");
}

static void variables_and_folder_are_the_child_s(void **state) {
    (void)state;
    static const char *const variables[] = {"GREETING=hello", "HOME=/nowhere", NULL};
    struct show show = {
        .options = {.on_line = on_line, .variables = variables, .directory = "/usr"}};
    play_show(&show, "echo $GREETING; echo $HOME; pwd; test -n \"$PATH\" && echo path");
    assert_string_equal(show.lines, "out:hello|out:/nowhere|out:/usr|out:path|");
}

static void signals_reach_the_whole_group(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}, .signum = SIGKILL};
    play_show(&show, "sleep 1000 & echo $!; wait; echo survived");
    assert_int_equal(show.status, 256 + SIGKILL);
    assert_int_equal(show.line_count, 1);
    int grandchild = (int)strtol(show.lines + 4, NULL, 10);
    for (unsigned i = 0; i < 2000 && kill(grandchild, 0) == 0; i++)
        usleep(1000); /* until its new parent has taken it away */
    assert_int_equal(kill(grandchild, 0), -1);
}

static void a_handled_signal_is_a_status_of_the_child_s_own(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}, .signum = SIGTERM};
    play_show(&show, "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    assert_int_equal(show.status, 5);
}

static void what_a_child_leaves_behind_dies_with_it(void **state) {
    (void)state;
    struct show show = {.options = {.on_line = on_line}};
    play_show(&show, "sleep 1000 & exit 3"); /* it holds our pipes, too */
    assert_int_equal(show.status, 3);
}

static void a_wrong_folder_or_no_memory_is_an_error_at_start(void **state) {
    (void)state;
    struct io_host *host;
    struct io_group *group;
    check(io_host_create(&host) == 0 && io_group_create(host, 1, &group) == 0);
    struct io_process_options options = {.command = "true", .directory = "/no/such/folder"};
    struct io_process *process = NULL;
    assert_int_equal(io_process_start(io_group_loop(group, 0), &options, &process), -ENOENT);
    assert_null(process);
    options.directory = NULL;
    for (unsigned long at = 1; at <= 3; at++) {
        mem_fail_at(at, false);
        assert_int_equal(io_process_start(io_group_loop(group, 0), &options, &process), -ENOMEM);
        mem_fail_at(0, false);
    }
    io_group_free(group);
    io_host_free(host);
}

/* Our own death takes the child with it: a forked copy of this program starts one and is killed. */
static void print_id(void *owner, bool is_stderr, slice line) {
    (void)owner;
    (void)is_stderr;
    printf("%.*s\n", slice_fmt(line));
    fflush(stdout);
    raise(SIGKILL);
}

static void a_killed_node_leaves_no_child_nor_theirs(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t node = fork();
    if (node == 0) {
        dup2(ends[1], STDOUT_FILENO);
        struct show show = {.options = {.on_line = print_id}};
        play_show(&show, "(sleep 1000; true) & echo $!; wait; true"); /* a child of the child */
        _exit(1);
    }
    close(ends[1]);
    char text[32] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(node, &status, 0), node);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    int child = (int)strtol(text, NULL, 10);
    assert_true(child > 1);
    for (unsigned i = 0; i < 2000 && kill(child, 0) == 0; i++)
        usleep(1000);
    assert_int_equal(kill(child, 0), -1);
}

static void the_process_knows_itself(void **state) {
    (void)state;
    setenv("NONET_TEST_VARIABLE", "value", 1);
    assert_string_equal(io_environment("NONET_TEST_VARIABLE"), "value");
    assert_null(io_environment("NONET_TEST_NO_SUCH_VARIABLE"));
    struct io_usage usage = io_usage_now();
    assert_true(usage.resident_bytes > 100000);
    assert_true(usage.cpu_user_ns + usage.cpu_system_ns > 0);
    assert_true(io_core_count() >= 1);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_false(io_is_terminal(ends[0]));
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_comes_line_by_line),
        cmocka_unit_test(errors_are_told_apart_from_output),
        cmocka_unit_test(a_long_line_comes_in_pieces),
        cmocka_unit_test(input_is_written_and_closed),
        cmocka_unit_test(a_child_that_does_not_read_is_no_matter),
        cmocka_unit_test(whole_output_is_cut_at_its_bound),
        cmocka_unit_test(variables_and_folder_are_the_child_s),
        cmocka_unit_test(signals_reach_the_whole_group),
        cmocka_unit_test(a_handled_signal_is_a_status_of_the_child_s_own),
        cmocka_unit_test(what_a_child_leaves_behind_dies_with_it),
        cmocka_unit_test(a_wrong_folder_or_no_memory_is_an_error_at_start),
        cmocka_unit_test(a_killed_node_leaves_no_child_nor_theirs),
        cmocka_unit_test(the_process_knows_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
