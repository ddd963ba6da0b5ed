/*
 * expiry.h - the end of what has let somebody in, for what goes on longer than an answer does:
 * streams of events, WebSockets, tunnels.
 *
 *     at_ns known (way_jwt.c) --expiry_start--> waits --at_ns--> over, on_over
 *                                                 '--expiry_stop--> as if never started
 *
 * It is a time of the wall clock, which may be set while we wait; so it is looked at once a minute
 * at least.
 */
#ifndef NONET_GATEWAY_EXPIRY_H
#define NONET_GATEWAY_EXPIRY_H

#include "io/loop.h"

struct expiry {
    int64_t at_ns; /* wall time, ns; 0: never */
    bool over;
    struct io_loop *loop; /* NULL: not started */
    struct io_timer timer;
    void (*on_over)(struct expiry *expiry); /* may free it */
};

/* AT_NS is set already. ON_OVER comes once, never from inside. */
void expiry_start(struct expiry *expiry, struct io_loop *loop,
                  void (*on_over)(struct expiry *expiry));
void expiry_stop(struct expiry *expiry); /* no-op where it was not started */

#endif
