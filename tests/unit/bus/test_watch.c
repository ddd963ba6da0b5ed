#include "bus_kit.h"

#include "bus/watch.h"

/* Watches: told once a turn, of exactly the subject, from any shard. */

struct watcher {
    struct bus_watch watch;
    unsigned told;
    struct bus *bus;
    bool ends_itself;
};

static void on_change(struct bus_watch *watch) {
    struct watcher *watcher = container_of(watch, struct watcher, watch);
    watcher->told++;
    if (watcher->ends_itself)
        bus_watch_end(watcher->bus, watch);
}

static void watch(struct watcher *watcher, struct bus *bus, const char *subject) {
    watcher->bus = bus;
    watcher->watch.on_change = on_change;
    assert_int_equal(bus_watch(bus, slice_str(subject), &watcher->watch), 0);
}

static void test_it_is_told_when_interest_comes_and_goes(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct house *house = house_open(1, shards);
        struct watcher here = {0}, elsewhere = {0};
        struct bus *bus = house_last(house);
        watch(&here, bus, "a.b");
        watch(&elsewhere, bus, "a.c");
        assert_false(bus_is_subscribed(bus, slice_lit("a.b"), (slice){0}));
        struct catcher catcher;
        catcher_open(&catcher, house->bus[0], "a.b", NULL);
        house_run(house, SIM_MILLISECOND);
        assert_int_equal(here.told, 1);
        assert_true(bus_is_subscribed(bus, slice_lit("a.b"), (slice){0}));
        catcher_close(&catcher);
        house_run(house, SIM_MILLISECOND);
        assert_int_equal(here.told, 2);
        assert_false(bus_is_subscribed(bus, slice_lit("a.b"), (slice){0}));
        assert_int_equal(elsewhere.told, 0);
        bus_watch_end(bus, &here.watch);
        bus_watch_end(bus, &elsewhere.watch);
        house_close(house);
    }
}

static void test_wildcards_do_not_count_and_groups_only_by_name(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct house *house = house_open(1, shards);
        struct bus *bus = house_last(house);
        struct catcher wide, member;
        catcher_open(&wide, house->bus[0], "a.*", NULL);
        catcher_open(&member, house->bus[0], "a.b", "g");
        house_run(house, SIM_MILLISECOND);
        assert_false(bus_is_subscribed(bus, slice_lit("a.b"), (slice){0}));
        assert_true(bus_is_subscribed(bus, slice_lit("a.b"), slice_lit("g")));
        assert_false(bus_is_subscribed(bus, slice_lit("a.b"), slice_lit("h")));
        catcher_close(&wide);
        catcher_close(&member);
        house_close(house);
    }
}

static void test_many_changes_in_a_turn_are_told_once_and_a_watch_may_end_itself(void **state) {
    (void)state;
    struct house *house = house_open(1, 1);
    struct watcher one = {.ends_itself = true}, two = {0};
    watch(&one, house->bus[0], "a");
    watch(&two, house->bus[0], "a");
    struct catcher catchers[3];
    for (unsigned i = 0; i < 3; i++)
        catcher_open(&catchers[i], house->bus[0], "a", NULL);
    house_run(house, SIM_MILLISECOND);
    assert_int_equal(one.told, 1);
    assert_int_equal(two.told, 1);
    for (unsigned i = 0; i < 3; i++)
        catcher_close(&catchers[i]);
    bus_watch_end(house->bus[0], &two.watch);
    bus_watch_end(house->bus[0], &two.watch);
    house_run(house, SIM_MILLISECOND);
    assert_int_equal(one.told, 1);
    assert_int_equal(two.told, 1);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_told_when_interest_comes_and_goes),
        cmocka_unit_test(test_wildcards_do_not_count_and_groups_only_by_name),
        cmocka_unit_test(test_many_changes_in_a_turn_are_told_once_and_a_watch_may_end_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
