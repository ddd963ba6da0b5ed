#include "bus_kit.h"

#include "bus/stream_wait.h"

/* Waiting for a stream to be so far: each is called once, and never from inside. */

struct waited {
    unsigned called;
    int failed;
};

static void on_waited(void *self, int failed) {
    struct waited *w = self;
    w->called++;
    w->failed = failed;
}

static struct house *open_house(void) {
    struct house *house = house_open(61, 1);
    house_streams(house);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s']}"));
    return house;
}

static void test_readers_see_it_when_the_wait_ends(void **state) {
    (void)state;
    struct house *house = open_house();
    struct stream *s = kit_find(house, "S");
    struct waited first = {0}, third = {0}, there = {0};
    assert_int_equal(stream_wait(s, 1, SIM_SECOND, on_waited, &first), 0);
    assert_int_equal(stream_wait(s, 3, SIM_SECOND, on_waited, &third), 0);
    kit_fill(house, "s", 1);
    house_until(house, &first.called);
    assert_int_equal(first.failed, 0);
    assert_int_equal(third.called, 0);
    say(house_last(house), "s", "");
    say(house_last(house), "s", "");
    house_until(house, &third.called);
    assert_int_equal(third.failed, 0);
    assert_true(log_stream_state(stream_log(s)).last_sequence >= 3);
    assert_int_equal(stream_wait(s, 3, SIM_SECOND, on_waited, &there), 0);
    assert_int_equal(there.called, 0);
    house_until(house, &there.called);
    assert_int_equal(there.failed, 0);
    house_close(house);
}

static void test_it_ends_with_its_time_its_stream_and_its_node(void **state) {
    (void)state;
    struct house *house = open_house();
    struct waited late = {0}, gone = {0}, stopped = {0};
    assert_int_equal(stream_wait(kit_find(house, "S"), 1, 2 * SIM_SECOND, on_waited, &late), 0);
    house_run(house, 1900 * SIM_MILLISECOND);
    assert_int_equal(late.called, 0);
    house_run(house, 200 * SIM_MILLISECOND);
    assert_int_equal(late.failed, -ETIMEDOUT);
    assert_int_equal(stream_wait(kit_find(house, "S"), 1, 2 * SIM_SECOND, on_waited, &gone), 0);
    assert_true(kit_delete_stream(house, "S"));
    house_until(house, &gone.called);
    assert_int_equal(gone.failed, -ENOENT);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s']}"));
    assert_int_equal(stream_wait(kit_find(house, "S"), 1, 2 * SIM_SECOND, on_waited, &stopped), 0);
    house_close(house);
    assert_int_equal(stopped.failed, -ECANCELED);
    assert_int_equal(late.called + gone.called + stopped.called, 3);
}

static void test_only_so_many_wait(void **state) {
    (void)state;
    struct house *house = open_house();
    struct stream *s = kit_find(house, "S");
    struct waited w = {0};
    for (unsigned i = 0; i < STREAM_WAITERS_MAX; i++)
        assert_int_equal(stream_wait(s, 1, SIM_SECOND, on_waited, &w), 0);
    assert_int_equal(stream_wait(s, 1, SIM_SECOND, on_waited, &w), -EAGAIN);
    kit_fill(house, "s", 1);
    house_run(house, 10 * SIM_MILLISECOND);
    assert_int_equal(w.called, STREAM_WAITERS_MAX);
    assert_int_equal(stream_wait(s, 1, SIM_SECOND, on_waited, &w), 0);
    mem_fail_at(1, false);
    assert_int_equal(stream_wait(s, 1, SIM_SECOND, on_waited, &w), -ENOMEM);
    mem_fail_at(0, false);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_see_it_when_the_wait_ends),
        cmocka_unit_test(test_it_ends_with_its_time_its_stream_and_its_node),
        cmocka_unit_test(test_only_so_many_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
