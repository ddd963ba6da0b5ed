/*
 * expiry.c - a timer that asks the wall clock (expiry.h).
 *
 * The loop's timers go by the monotonic clock: a wait until a wall time is cut into pieces of
 * LOOK_NS at most, so that a clock that is set meanwhile makes it late by no more than that.
 */
#include "rooms/gateway/expiry.h"

#define LOOK_NS (60 * INT64_C(1000000000))

static void on_timer(struct io_timer *timer);

static void wait(struct expiry *expiry) {
    int64_t now_ns = io_loop_wall_ns(expiry->loop);
    int64_t left_ns = expiry->at_ns > now_ns ? expiry->at_ns - now_ns : 0;
    io_timer_start(expiry->loop, &expiry->timer, (uint64_t)(left_ns < LOOK_NS ? left_ns : LOOK_NS),
                   on_timer);
}

static void on_timer(struct io_timer *timer) {
    struct expiry *expiry = container_of(timer, struct expiry, timer);
    if (io_loop_wall_ns(expiry->loop) < expiry->at_ns) {
        wait(expiry);
        return;
    }
    expiry->over = true;
    expiry->on_over(expiry);
}

void expiry_start(struct expiry *expiry, struct io_loop *loop,
                  void (*on_over)(struct expiry *expiry)) {
    if (expiry->at_ns == 0)
        return;
    expiry->loop = loop;
    expiry->on_over = on_over;
    wait(expiry);
}

void expiry_stop(struct expiry *expiry) {
    if (expiry->loop)
        io_timer_stop(expiry->loop, &expiry->timer);
    expiry->loop = NULL;
}
