/*
 * login_end.c - a timer that asks the wall clock (login_end.h).
 *
 * The loop's timers go by the monotonic clock: a wait until a wall time is cut into pieces of
 * LOOK_NS at most, so that a clock that is set meanwhile makes it late by no more than that.
 */
#include "rooms/gateway/login_end.h"

#define LOOK_NS (60 * INT64_C(1000000000))

static void on_timer(struct io_timer *timer);

static void wait(struct login_end *login_end) {
    int64_t now_ns = io_loop_wall_ns(login_end->loop);
    int64_t left_ns = login_end->at_ns > now_ns ? login_end->at_ns - now_ns : 0;
    io_timer_start(login_end->loop, &login_end->timer,
                   (uint64_t)(left_ns < LOOK_NS ? left_ns : LOOK_NS), on_timer);
}

static void on_timer(struct io_timer *timer) {
    struct login_end *login_end = container_of(timer, struct login_end, timer);
    if (io_loop_wall_ns(login_end->loop) < login_end->at_ns) {
        wait(login_end);
        return;
    }
    login_end->over = true;
    login_end->on_over(login_end);
}

void login_end_start(struct login_end *login_end, struct io_loop *loop,
                     void (*on_over)(struct login_end *login_end)) {
    if (login_end->at_ns == 0)
        return;
    login_end->loop = loop;
    login_end->on_over = on_over;
    wait(login_end);
}

void login_end_stop(struct login_end *login_end) {
    if (login_end->loop)
        io_timer_stop(login_end->loop, &login_end->timer);
    login_end->loop = NULL;
}
