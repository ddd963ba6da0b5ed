#include "log_kit.h"

#include "io/copy.h"
#include "log/pin.h"

/* A copy of the log as of one commit, made while it goes on. */

struct pinning {
    unsigned come;
    int failed;
    struct log_pin *pin;
};

static void on_pinned(void *self, int failed, struct log_pin *pin) {
    struct pinning *p = self;
    p->come++;
    p->failed = failed;
    p->pin = pin;
}

static bool has_come(void *self) {
    return ((struct pinning *)self)->come > 0;
}

static struct pinning pin(struct desk *desk) {
    struct pinning p = {0};
    struct log_pin *asked;
    assert_int_equal(log_pin(desk->log, on_pinned, &p, &asked), 0);
    assert_int_equal(p.come, 0);
    assert_true(sim_run_until(desk->sim, has_come, &p, DESK_LIMIT));
    return p;
}

/* MEANWHILE(desk) between two steps. */
static int copy(struct desk *desk, struct log_pin *p, const char *to,
                void (*meanwhile)(struct desk *desk), struct error *error) {
    struct log_copy *c = NULL;
    struct log_copied copied;
    uint64_t files = 0, bytes = 0;
    int result = log_copy_begin(p, to, &c);
    if (result)
        return result;
    while ((result = log_copy_step(c, &copied, error)) == 1) {
        if (meanwhile)
            meanwhile(desk);
        files += copied.name[0] != 0;
        bytes += copied.name[0] ? copied.bytes : 0;
    }
    if (!result) {
        assert_int_equal(copied.done, bytes);
        assert_true(files >= 3 && copied.total <= copied.done);
    }
    log_copy_end(c);
    return result;
}

static void fill(struct desk *desk, const char *subject, unsigned from, unsigned count) {
    struct log_stream *a = desk_find(desk, "A");
    char payload[300];
    for (unsigned i = from; i < from + count; i++) {
        memset(payload, 'a' + (int)(i % 26), sizeof payload - 1);
        payload[sizeof payload - 1] = 0;
        snprintf(payload, sizeof payload, "%s %u", subject, i);
        payload[strlen(payload)] = ' ';
        desk_append(desk, a, subject, payload);
        if (i % 50 == 0)
            desk_sync(desk);
    }
    desk_sync(desk);
}

static struct desk *filled(uint64_t seed) {
    struct desk *desk = desk_new(seed, NULL);
    desk_open(desk);
    desk_stream(desk, "A");
    fill(desk, "x", 1, 4000);
    assert_int_equal(desk_checkpoint(desk), 0);
    fill(desk, "x", 4001, 500);
    desk_delete(desk, desk_find(desk, "A"), 17);
    desk_trim(desk, desk_find(desk, "A"), 11);
    desk_sync(desk);
    return desk;
}

static void never(void *self, const struct error *error) {
    (void)self;
    print_error("%s: %s\n", error->place, error->message);
    fail();
}

/* What is in DIRECTORY is what A was at the pin. */
static void judge_copy(struct desk *desk, const char *directory) {
    struct log_verify_report report;
    struct error error = {0};
    assert_int_equal(log_verify(desk->host, directory, never, NULL, &report, &error), 0);
    desk->options.directory = directory;
    desk_open(desk);
    struct log_stream *a = desk_find(desk, "A");
    struct log_stream_state state = log_stream_state(a);
    assert_int_equal(state.messages, 4500 - 10 - 1);
    assert_int_equal(state.first_sequence, 11);
    assert_int_equal(state.last_sequence, 4500);
    struct log_record record;
    assert_int_equal(desk_read(desk, a, 4500, &record), 0);
    assert_true(slice_starts_with(record.payload, slice_lit("x 4500 ")));
    assert_int_equal(desk_read(desk, a, 17, &record), -ENOENT);
    fill(desk, "y", 1, 300); /* and it is a log like any other */
    desk_reopen(desk);
    assert_int_equal(log_stream_state(desk_find(desk, "A")).last_sequence, 4800);
    desk_close(desk);
    desk->options.directory = "log";
}

static unsigned rounds;

static void go_on(struct desk *desk) {
    fill(desk, "later", 1, 20);
    if (rounds++ % 5 == 0)
        assert_int_equal(desk_checkpoint(desk), 0);
    if (rounds == 8) /* everything that the copy is made of dies */
        desk_trim(desk, desk_find(desk, "A"), 4501);
}

static void test_a_copy_is_the_log_as_of_the_pin(void **state) {
    (void)state;
    struct desk *desk = filled(1);
    struct error error = {0};
    struct pinning p = pin(desk);
    assert_int_equal(p.failed, 0);
    assert_int_equal(log_pin_position(p.pin), log_position(desk->log));
    rounds = 0;
    assert_int_equal(copy(desk, p.pin, "copy", go_on, &error), 0);
    assert_true(rounds > 8);
    log_unpin(p.pin);
    desk_close(desk);
    judge_copy(desk, "copy");
    desk_open(desk);
    assert_true(log_stream_state(desk_find(desk, "A")).last_sequence > 4500);
    desk_free(desk);
}

static unsigned segment_files(struct desk *desk) {
    struct sim_image *image = sim_disk_save(desk->host);
    const char *name;
    slice bytes;
    unsigned count = 0;
    for (unsigned i = 0; (name = sim_image_file(image, i, &bytes)); i++)
        count += strstr(name, "log/segments/") != NULL;
    sim_image_free(image);
    return count;
}

static void test_dead_segments_go_when_the_pin_is_given_back(void **state) {
    (void)state;
    struct desk *desk = filled(2);
    struct pinning p = pin(desk);
    unsigned before = segment_files(desk);
    assert_true(before > 1);
    desk_trim(desk, desk_find(desk, "A"), 4501);
    desk_sync(desk);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(desk_checkpoint(desk), 0);
    assert_true(segment_files(desk) >= before);
    log_unpin(p.pin);
    fill(desk, "z", 1, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(desk_checkpoint(desk), 0);
    assert_true(segment_files(desk) < before);
    desk_free(desk);
}

static void test_one_pin_at_a_time_and_a_pin_given_back_early(void **state) {
    (void)state;
    struct desk *desk = filled(3);
    struct pinning p = {0};
    struct log_pin *asked, *other;
    assert_int_equal(log_pin(desk->log, on_pinned, &p, &asked), 0);
    assert_int_equal(log_pin(desk->log, on_pinned, &p, &other), -EBUSY);
    log_unpin(asked);
    assert_int_equal(desk_checkpoint(desk), 0);
    sim_run_for(desk->sim, SIM_SECOND);
    assert_int_equal(p.come, 0);
    p = pin(desk); /* there is room again */
    assert_int_equal(p.failed, 0);
    log_unpin(p.pin);
    assert_int_equal(log_pin(desk->log, on_pinned, &p, &asked), 0);
    log_unpin(asked);
    desk_kill(desk); /* with one that is still known to a checkpoint */
    desk_open(desk);
    assert_int_equal(log_pin(desk->log, on_pinned, &p, &asked), 0);
    p.come = 0;
    desk_close(desk); /* the checkpoint of the close is no pin's */
    assert_int_equal(p.come, 1);
    assert_int_equal(p.failed, -EROFS);
    desk_free(desk);
}

/* Whatever fails while it is copied is told, and the log does not mind. */
static void test_a_copy_that_fails_leaves_the_log_as_it_is(void **state) {
    (void)state;
    static const enum sim_call calls[] = {SIM_OPEN, SIM_READ,     SIM_WRITE,
                                          SIM_SYNC, SIM_ALLOCATE, SIM_DIR_SYNC};
    struct desk *desk = filled(4);
    unsigned failures = 0;
    for (unsigned i = 0; i < array_count(calls); i++) {
        for (unsigned nth = 1;; nth++) {
            struct error error = {0};
            struct pinning p = pin(desk);
            sim_disk_fail(desk->host, calls[i], nth, -ENOSPC);
            int failed = copy(desk, p.pin, "copy", NULL, &error);
            sim_disk_fail(desk->host, calls[i], 0, 0);
            log_unpin(p.pin);
            assert_int_equal(io_remove_tree(desk->host, "copy"), 0);
            if (!failed)
                break;
            assert_int_equal(failed, -ENOSPC);
            failures++;
        }
    }
    assert_true(failures > 10);
    assert_int_equal(desk->fatals, 0);
    struct error error = {0};
    struct pinning p = pin(desk);
    assert_int_equal(copy(desk, p.pin, "copy", NULL, &error), 0);
    log_unpin(p.pin);
    desk_close(desk);
    judge_copy(desk, "copy");
    desk_free(desk);
}

/* What a step has called done is on disk; the name of the folder itself is its maker's to sync. */
static void test_a_copy_outlives_a_power_cut(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct desk *desk = filled(seed);
        struct error error = {0};
        struct pinning p = pin(desk);
        assert_int_equal(copy(desk, p.pin, "copy", NULL, &error), 0);
        assert_int_equal(io_dir_sync(desk->host, "."), 0);
        log_unpin(p.pin);
        desk_cut(desk);
        judge_copy(desk, "copy");
        desk_free(desk);
    }
}

static void test_the_copy_of_an_empty_log(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    struct error error = {0};
    desk_open(desk);
    struct pinning p = pin(desk);
    assert_int_equal(p.failed, 0);
    assert_int_equal(copy(desk, p.pin, "copy", NULL, &error), 0);
    log_unpin(p.pin);
    desk_close(desk);
    desk->options.directory = "copy";
    desk_open(desk);
    desk_stream(desk, "A");
    fill(desk, "x", 1, 10);
    desk_reopen(desk);
    assert_int_equal(log_stream_state(desk_find(desk, "A")).messages, 10);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_is_the_log_as_of_the_pin),
        cmocka_unit_test(test_dead_segments_go_when_the_pin_is_given_back),
        cmocka_unit_test(test_one_pin_at_a_time_and_a_pin_given_back_early),
        cmocka_unit_test(test_a_copy_that_fails_leaves_the_log_as_it_is),
        cmocka_unit_test(test_a_copy_outlives_a_power_cut),
        cmocka_unit_test(test_the_copy_of_an_empty_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
