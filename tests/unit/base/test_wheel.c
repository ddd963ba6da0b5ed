#include "base/wheel.h"

#include "base/random.h"
#include "base_test.h"

enum { FIRED_MAX = 4096 };

static struct wheel wheel;
static struct {
    struct wheel_timer *timer;
    uint64_t at_ms;
} fired[FIRED_MAX];
static size_t fired_count;

static void note(struct wheel_timer *t) {
    assert_true(fired_count < FIRED_MAX);
    assert_false(wheel_armed(t));
    fired[fired_count].timer = t;
    fired[fired_count++].at_ms = wheel.now_ms;
}

static int start(void **state) {
    (void)state;
    wheel_init(&wheel, 1000);
    fired_count = 0;
    return 0;
}

static void fires_at_its_deadline_not_before(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, note);
    assert_int_equal(wheel_next_ms(&wheel), WHEEL_NEVER);
    wheel_add(&wheel, &t, 1250);
    assert_true(wheel_armed(&t));
    assert_true(wheel_next_ms(&wheel) <= 1250);
    assert_int_equal(wheel_advance(&wheel, 1249), 0);
    assert_int_equal(wheel_next_ms(&wheel), 1250);
    assert_int_equal(wheel_advance(&wheel, 1250), 1);
    assert_ptr_equal(fired[0].timer, &t);
    assert_int_equal(fired[0].at_ms, 1250);
    assert_int_equal(wheel_advance(&wheel, 5000), 0);
    assert_int_equal(wheel_next_ms(&wheel), WHEEL_NEVER);
}

static void passed_deadline_fires_at_the_next_tick(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, note);
    wheel_add(&wheel, &t, 3);
    assert_int_equal(wheel_advance(&wheel, 1000), 0);
    assert_int_equal(wheel_next_ms(&wheel), 1001);
    assert_int_equal(wheel_advance(&wheel, 1001), 1);
    wheel_add(&wheel, &t, 1001);
    assert_int_equal(wheel_advance(&wheel, 1001), 0);
    assert_int_equal(wheel_advance(&wheel, 1002), 1);
}

static void cancelled_timer_does_not_fire(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, note);
    wheel_cancel(&wheel, &t); /* harmless */
    wheel_add(&wheel, &t, 100000);
    wheel_cancel(&wheel, &t);
    assert_false(wheel_armed(&t));
    assert_int_equal(wheel.count, 0);
    assert_int_equal(wheel_next_ms(&wheel), WHEEL_NEVER);
    assert_int_equal(wheel_advance(&wheel, 200000), 0);
}

static void adding_again_moves_the_timer(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, note);
    wheel_add(&wheel, &t, 1010);
    wheel_add(&wheel, &t, 1500);
    assert_int_equal(wheel.count, 1);
    assert_int_equal(wheel_advance(&wheel, 1499), 0);
    assert_int_equal(wheel_advance(&wheel, 1500), 1);
}

static void one_tick_fires_in_the_order_of_adding(void **state) {
    (void)state;
    struct wheel_timer t[4];
    for (int i = 0; i < 4; i++)
        wheel_timer_init(&t[i], note);
    wheel_add(&wheel, &t[0], 70000); /* far away: sits three levels up */
    wheel_add(&wheel, &t[1], 70000);
    wheel_advance(&wheel, 69000);
    wheel_add(&wheel, &t[2], 70000);
    wheel_advance(&wheel, 69999);
    wheel_add(&wheel, &t[3], 70000); /* now at the lowest */
    assert_int_equal(wheel_advance(&wheel, 80000), 4);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(fired[i].timer, &t[i]);
}

static void one_long_advance_fires_in_deadline_order_at_each_deadline(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static struct wheel_timer t[COUNT];
    struct random r = random_make(11);
    for (int i = 0; i < COUNT; i++) {
        wheel_timer_init(&t[i], note);
        wheel_add(&wheel, &t[i], 1001 + random_below(&r, 1ull << random_below(&r, 40)));
    }
    assert_int_equal(wheel_advance(&wheel, 1ull << 41), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(fired[i].at_ms, fired[i].timer->deadline_ms);
        if (i)
            assert_true(fired[i - 1].at_ms <= fired[i].at_ms);
    }
    assert_int_equal(wheel.now_ms, 1ull << 41);
}

static void farthest_deadline_is_kept(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, note);
    wheel_add(&wheel, &t, UINT64_MAX - 1);
    assert_true(wheel_next_ms(&wheel) > 1000 && wheel_next_ms(&wheel) <= UINT64_MAX - 1);
    assert_int_equal(wheel_advance(&wheel, UINT64_MAX - 2), 0);
    assert_int_equal(wheel_advance(&wheel, UINT64_MAX - 1), 1);
}

static void time_never_runs_backwards(void **state) {
    (void)state;
    assert_int_equal(wheel_advance(&wheel, 10), 0);
    assert_int_equal(wheel.now_ms, 1000);
}

/* Sleeping until wheel_next_ms, as a loop does, misses nothing and wakes few times for nothing. */
static void sleeping_until_next_ms_hits_every_deadline(void **state) {
    (void)state;
    enum { COUNT = 200 };
    static struct wheel_timer t[COUNT];
    struct random r = random_make(5);
    for (int i = 0; i < COUNT; i++) {
        wheel_timer_init(&t[i], note);
        wheel_add(&wheel, &t[i], 1001 + random_below(&r, 100000000));
    }
    size_t wakes = 0;
    for (uint64_t next; (next = wheel_next_ms(&wheel)) != WHEEL_NEVER; wakes++)
        wheel_advance(&wheel, next);
    assert_int_equal(fired_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(fired[i].at_ms, fired[i].timer->deadline_ms);
    assert_true(wakes <= COUNT * WHEEL_LEVELS);
}

static struct wheel_timer others[3];

static void cancel_and_move_others(struct wheel_timer *t) {
    note(t);
    wheel_cancel(&wheel, &others[0]);                /* of the same tick */
    wheel_cancel(&wheel, &others[1]);                /* of a later one */
    wheel_add(&wheel, &others[2], wheel.now_ms + 5); /* from the same tick to a later one */
}

static void callbacks_may_cancel_and_move_any_timer(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, cancel_and_move_others);
    for (int i = 0; i < 3; i++)
        wheel_timer_init(&others[i], note);
    wheel_add(&wheel, &t, 2000);
    wheel_add(&wheel, &others[0], 2000);
    wheel_add(&wheel, &others[1], 3000);
    wheel_add(&wheel, &others[2], 2000);
    assert_int_equal(wheel_advance(&wheel, 5000), 2);
    assert_ptr_equal(fired[0].timer, &t);
    assert_ptr_equal(fired[1].timer, &others[2]);
    assert_int_equal(fired[1].at_ms, 2005);
    assert_int_equal(wheel.count, 0);
}

static void again_in_ten(struct wheel_timer *t) {
    note(t);
    wheel_add(&wheel, t, wheel.now_ms + 10);
}

static void again_at_once(struct wheel_timer *t) {
    note(t);
    wheel_add(&wheel, t, wheel.now_ms);
}

static void callback_may_add_its_own_timer_again(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, again_in_ten);
    wheel_add(&wheel, &t, 1010);
    assert_int_equal(wheel_advance(&wheel, 1100), 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(fired[i].at_ms, 1010 + 10 * i);
    assert_true(wheel_armed(&t));
}

static void timer_added_at_once_fires_once_a_tick(void **state) {
    (void)state;
    struct wheel_timer t;
    wheel_timer_init(&t, again_at_once);
    wheel_add(&wheel, &t, 0);
    assert_int_equal(wheel_advance(&wheel, 1005), 5);
}

static void again_soon(struct wheel_timer *t) {
    fired_count++;
    wheel_add_soon(&wheel, t);
}

static size_t turn(uint64_t now_ms) {
    wheel_turn(&wheel);
    return wheel_advance(&wheel, now_ms);
}

static void soon_is_the_next_turn_whatever_the_time(void **state) {
    (void)state;
    struct wheel_timer soon, due, cancelled, again;
    wheel_timer_init(&soon, note);
    wheel_timer_init(&due, note);
    wheel_timer_init(&cancelled, note);
    wheel_timer_init(&again, again_soon);
    wheel_add_soon(&wheel, &soon);
    wheel_add_soon(&wheel, &cancelled);
    wheel_add(&wheel, &due, 1001);
    wheel_cancel(&wheel, &cancelled);
    assert_true(wheel_has_soon(&wheel));
    assert_int_equal(wheel_next_ms(&wheel), 1000);
    assert_int_equal(wheel_advance(&wheel, 1000), 0); /* still the turn in which it was added */
    assert_int_equal(turn(1001), 2);
    assert_ptr_equal(fired[0].timer, &due);
    assert_ptr_equal(fired[1].timer, &soon);
    assert_false(wheel_has_soon(&wheel));
    assert_int_equal(wheel_next_ms(&wheel), WHEEL_NEVER);
    wheel_add(&wheel, &soon, 5000); /* moved from its deadline, and back */
    wheel_add_soon(&wheel, &soon);
    wheel_add(&wheel, &soon, 2000);
    wheel_add_soon(&wheel, &again);
    fired_count = 0;
    assert_int_equal(turn(1001), 1); /* in which it is added again, for the next */
    assert_int_equal(wheel_advance(&wheel, 1001), 0);
    assert_int_equal(turn(1001), 1);
    assert_int_equal(fired_count, 2);
    wheel_cancel(&wheel, &again);
    assert_int_equal(turn(2000), 1);
    assert_int_equal(wheel.count, 0);
}

static void free_itself(struct wheel_timer *t) {
    fired_count++;
    mem_free(t);
}

static void callback_may_free_its_timer(void **state) {
    (void)state;
    struct wheel_timer *t = mem_alloc(sizeof *t);
    assert_non_null(t);
    wheel_timer_init(t, free_itself);
    wheel_add(&wheel, t, 1500);
    assert_int_equal(wheel_advance(&wheel, 1600), 1);
    assert_int_equal(fired_count, 1);
}

/* Random adds, cancels and advances against a plain array of deadlines. */
static void random_use_agrees_with_a_model(void **state) {
    (void)state;
    enum { COUNT = 50 };
    static struct wheel_timer t[COUNT];
    uint64_t model[COUNT] = {0}; /* 0 = not armed */
    struct random r = random_make(3);
    for (int i = 0; i < COUNT; i++)
        wheel_timer_init(&t[i], note);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)random_below(&r, COUNT);
        uint64_t action = random_below(&r, 3);
        if (action == 0) {
            model[i] = wheel.now_ms + 1 + random_below(&r, 1ull << random_below(&r, 20));
            wheel_add(&wheel, &t[i], model[i]);
        } else if (action == 1) {
            model[i] = 0;
            wheel_cancel(&wheel, &t[i]);
        } else {
            uint64_t now = wheel.now_ms + random_below(&r, 1ull << random_below(&r, 16));
            size_t due = 0;
            for (size_t j = 0; j < COUNT; j++)
                due += model[j] && model[j] <= now;
            fired_count = 0;
            assert_int_equal(wheel_advance(&wheel, now), due);
            for (size_t j = 0; j < fired_count; j++) {
                size_t which = (size_t)(fired[j].timer - t);
                assert_int_equal(fired[j].at_ms, model[which]);
                model[which] = 0;
            }
        }
        uint64_t least = WHEEL_NEVER;
        for (size_t j = 0; j < COUNT; j++)
            least = model[j] && model[j] < least ? model[j] : least;
        assert_true(wheel_next_ms(&wheel) <= least);
        assert_true(wheel_next_ms(&wheel) > wheel.now_ms);
    }
}

#define timer_test(name) cmocka_unit_test_setup(name, start)

int main(void) {
    const struct CMUnitTest tests[] = {
        timer_test(fires_at_its_deadline_not_before),
        timer_test(passed_deadline_fires_at_the_next_tick),
        timer_test(cancelled_timer_does_not_fire),
        timer_test(adding_again_moves_the_timer),
        timer_test(one_tick_fires_in_the_order_of_adding),
        timer_test(one_long_advance_fires_in_deadline_order_at_each_deadline),
        timer_test(farthest_deadline_is_kept),
        timer_test(time_never_runs_backwards),
        timer_test(sleeping_until_next_ms_hits_every_deadline),
        timer_test(callbacks_may_cancel_and_move_any_timer),
        timer_test(callback_may_add_its_own_timer_again),
        timer_test(timer_added_at_once_fires_once_a_tick),
        timer_test(soon_is_the_next_turn_whatever_the_time),
        timer_test(callback_may_free_its_timer),
        timer_test(random_use_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
