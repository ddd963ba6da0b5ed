/*
 * login_end.h - the end of what has let somebody in, for what goes on longer than an answer does:
 * streams of events, WebSockets, tunnels.
 *
 *     at_ns known (way_jwt.c) --login_end_start--> waits --at_ns--> over, on_over
 *                                                 '--login_end_stop--> as if never started
 *
 * It is a time of the wall clock, which may be set while we wait; so it is looked at once a minute
 * at least.
 */
#ifndef NONET_GATEWAY_LOGIN_END_H
#define NONET_GATEWAY_LOGIN_END_H

#include "io/loop.h"

struct login_end {
    int64_t at_ns; /* wall time, ns; 0: never */
    bool over;
    struct io_loop *loop; /* NULL: not started */
    struct io_timer timer;
    void (*on_over)(struct login_end *login_end); /* may free it */
};

/* AT_NS is set already. ON_OVER comes once, never from inside. */
void login_end_start(struct login_end *login_end, struct io_loop *loop,
                     void (*on_over)(struct login_end *login_end));
void login_end_stop(struct login_end *login_end); /* no-op where it was not started */

#endif
