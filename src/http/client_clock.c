/*
 * client_clock.c - how long a link waits, and for what.
 *
 * The clock measures one thing at a time, from since_ns on:
 *
 *     idle                                           idle_ns
 *     bytes of the request that the server does      take_ns, begun anew as it takes any
 *       not take
 *     the request is whole and gone, no head yet     answer_ns
 *     a body is coming, and not paused               silence_ns, begun anew by any byte
 *     anything else: it is the owner's turn          -
 *
 * The timer is not moved when what it measures changes, only when it would ring too late: ringing
 * early costs a look, and a link that serves call after call sets its timer once in some seconds.
 * (Opening has clocks of its own, in io.)
 */
#include "http/client_link.h"

#include <errno.h>

#define LOOKS 4u /* at bytes that are not taken, within take_ns */

struct wait {
    uint64_t span_ns; /* NEVER: for nothing of the server's */
    const char *what;
};

static struct wait what_for(const struct http_link *l) {
    const struct http_pool_options *options = &l->pool->options;
    const struct http_call *call = l->call;
    if (!call)
        return (struct wait){options->idle_ns, NULL};
    if (io_stream_pending(l->stream) > 0)
        return (struct wait){call->take_ns, "the server does not take the request"};
    if (!call->whole || (call->answered && (call->paused || call->switched)))
        return (struct wait){HTTP_LINK_NEVER, NULL};
    if (!call->answered)
        return (struct wait){call->answer_ns, "no answer came in time"};
    return (struct wait){options->silence_ns, "the answer has stopped coming"};
}

/* So often, while bytes wait to be taken: who takes them tells nobody. */
static uint64_t step_ns(const struct http_link *l) {
    return l->call->take_ns / LOOKS + 1;
}

static void on_clock(struct io_timer *timer) {
    struct http_link *l = container_of(timer, struct http_link, clock);
    uint64_t now = io_loop_now_ns(l->loop);
    l->due_ns = HTTP_LINK_NEVER;
    if (l->taken != io_stream_accepted(l->stream)) {
        l->taken = io_stream_accepted(l->stream);
        if (io_stream_pending(l->stream) > 0)
            l->since_ns = now;
    }
    struct wait wait = what_for(l);
    if (wait.span_ns == HTTP_LINK_NEVER)
        return;
    uint64_t waited = now - l->since_ns;
    if (waited < wait.span_ns) {
        uint64_t left = wait.span_ns - waited;
        bool taking = l->call && io_stream_pending(l->stream) > 0;
        http_link_look(l, taking && step_ns(l) < left ? step_ns(l) : left);
    } else if (l->call) {
        http_link_fail(l, HTTP_FAILED_TIME, -ETIMEDOUT, wait.what);
    } else {
        http_link_drop(l, true);
    }
}

void http_link_look(struct http_link *l, uint64_t span_ns) {
    uint64_t now = io_loop_now_ns(l->loop);
    uint64_t due = span_ns < HTTP_LINK_NEVER - now ? now + span_ns : HTTP_LINK_NEVER;
    if (due >= l->due_ns)
        return;
    l->due_ns = due;
    io_timer_start(l->loop, &l->clock, span_ns, on_clock);
}

void http_link_look_after_request(struct http_link *l) {
    const struct http_call *call = l->call;
    uint64_t span = step_ns(l);
    if (call->whole && !call->answered && call->answer_ns < span)
        span = call->answer_ns;
    http_link_look(l, span);
}

/* --- room for a body ----------------------------------------------------------------------------
 */

void http_link_give_room(struct http_link *l) {
    struct http_call *call = l->call;
    if (!call->wants_room || io_stream_pending(l->stream) >= HTTP_CALL_HIGH_BYTES)
        return;
    call->wants_room = false;
    call->events.on_room(call->self);
}

void http_link_want_room(struct http_link *l) {
    l->call->wants_room = true;
    io_stream_want_room(l->stream, HTTP_CALL_HIGH_BYTES);
}
