/* Stacks of their own: work that steps aside, many of them at once, deep ones, and their ends. */
#include "io/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STACK_BYTES ((size_t)256 << 10)
#define FIBERS 100u

struct count {
    struct io_fiber *fiber;
    unsigned to, at;
    bool stop;
};

static void count_up(void *self) {
    struct count *c = self;
    unsigned local = 0; /* what lies on the stack is there again */
    while (local < c->to && !c->stop) {
        c->at = ++local;
        io_fiber_yield(c->fiber);
    }
}

static void it_steps_aside_and_goes_on(void **state) {
    (void)state;
    struct io_fiber_stacks stacks = {.bytes = STACK_BYTES};
    struct count c = {.to = 3};
    assert_int_equal(io_fiber_create(&stacks, count_up, &c, &c.fiber), 0);
    assert_int_equal(c.at, 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_false(io_fiber_resume(c.fiber));
        assert_int_equal(c.at, i);
    }
    assert_true(io_fiber_resume(c.fiber));
    assert_null(io_fiber_free(c.fiber));
    assert_int_equal(stacks.count, 1);
    io_fiber_stacks_free(&stacks);
    assert_int_equal(stacks.count, 0);
}

static void many_go_on_in_any_order(void **state) {
    (void)state;
    static struct count counts[FIBERS];
    struct io_fiber_stacks stacks = {.bytes = STACK_BYTES};
    for (unsigned i = 0; i < FIBERS; i++) {
        counts[i] = (struct count){.to = 1 + i % 7};
        assert_int_equal(io_fiber_create(&stacks, count_up, &counts[i], &counts[i].fiber), 0);
    }
    unsigned ended = 0;
    for (unsigned round = 0; ended < FIBERS; round++)
        for (unsigned k = 0; k < FIBERS; k++) {
            struct count *c = &counts[(k * 37 + round) % FIBERS];
            if (!c->fiber)
                continue;
            if (!io_fiber_resume(c->fiber))
                continue;
            assert_int_equal(c->at, c->to);
            c->fiber = io_fiber_free(c->fiber);
            ended++;
        }
    assert_int_equal(stacks.count, IO_FIBER_SPARES_MAX);
    io_fiber_stacks_free(&stacks);
}

static void one_that_is_told_to_stop_unwinds(void **state) {
    (void)state;
    struct io_fiber_stacks stacks = {.bytes = STACK_BYTES};
    struct count c = {.to = UINT32_MAX};
    assert_int_equal(io_fiber_create(&stacks, count_up, &c, &c.fiber), 0);
    assert_false(io_fiber_resume(c.fiber));
    c.stop = true;
    assert_true(io_fiber_resume(c.fiber));
    io_fiber_free(c.fiber);
    io_fiber_stacks_free(&stacks);
}

static void one_that_never_began_is_freed(void **state) {
    (void)state;
    struct io_fiber_stacks stacks = {.bytes = STACK_BYTES};
    struct count c = {.to = 1};
    assert_int_equal(io_fiber_create(&stacks, count_up, &c, &c.fiber), 0);
    io_fiber_free(c.fiber);
    assert_null(io_fiber_free(NULL));
    assert_int_equal(c.at, 0);
    io_fiber_stacks_free(&stacks);
}

/* About half a KiB a level. */
static unsigned deep(struct io_fiber *fiber, unsigned level) {
    volatile char room[400];
    memset((void *)(uintptr_t)room, (int)(level & 0x7f), sizeof room);
    if (level == 0)
        io_fiber_yield(fiber);
    unsigned below = level ? deep(fiber, level - 1) : 0;
    return below + (room[399] == (char)(level & 0x7f));
}

struct deep {
    struct io_fiber *fiber;
    unsigned right;
};

static void go_deep(void *self) {
    struct deep *d = self;
    d->right = deep(d->fiber, 200);
}

static void a_deep_stack_is_kept_whole(void **state) {
    (void)state;
    struct io_fiber_stacks stacks = {.bytes = STACK_BYTES};
    struct deep d[2] = {0};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(io_fiber_create(&stacks, go_deep, &d[i], &d[i].fiber), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_false(io_fiber_resume(d[i].fiber));
    for (unsigned i = 0; i < 2; i++) {
        assert_true(io_fiber_resume(d[i].fiber));
        assert_int_equal(d[i].right, 201);
        io_fiber_free(d[i].fiber);
    }
    io_fiber_stacks_free(&stacks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_steps_aside_and_goes_on),
        cmocka_unit_test(many_go_on_in_any_order),
        cmocka_unit_test(one_that_is_told_to_stop_unwinds),
        cmocka_unit_test(one_that_never_began_is_freed),
        cmocka_unit_test(a_deep_stack_is_kept_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
