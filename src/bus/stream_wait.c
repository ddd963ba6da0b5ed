/*
 * stream_wait.c - see stream_wait.h.
 *
 * Each waiter has one timer: for the end of its time, and, set to now, for what it waits for; so
 * whoever is called is called from the loop, and may do what he likes.
 */
#include "bus/stream_wait.h"

#include "base/mem.h"
#include "bus/stream.h"

#include <errno.h>

struct waiter {
    struct streams_op op;
    struct list_node node; /* in the stream's waiters */
    struct io_timer timer;
    struct stream *stream; /* NULL: gone */
    uint64_t sequence;
    void (*done)(void *self, int failed);
    void *self;
};

static struct io_loop *loop_of(const struct waiter *w) {
    return bus_loop(w->op.streams->bus);
}

static bool is_there(const struct waiter *w) {
    return log_stream_state(w->stream->log).last_sequence >= w->sequence;
}

static void finish(struct waiter *w, int failed) {
    struct streams *streams = w->op.streams;
    void (*done)(void *self, int failed) = w->done;
    void *self = w->self;
    io_timer_stop(loop_of(w), &w->timer);
    list_remove(&w->node);
    streams_op_over(&w->op);
    streams->waiter_count--;
    mem_free(w);
    done(self, failed);
}

static void on_timer(struct io_timer *timer) {
    struct waiter *w = container_of(timer, struct waiter, timer);
    finish(w, !w->stream ? -ENOENT : is_there(w) ? 0 : -ETIMEDOUT);
}

static bool on_stop(struct streams_op *op, bool log_gone) {
    (void)log_gone;
    finish(container_of(op, struct waiter, op), -ECANCELED);
    return true;
}

int stream_wait(struct stream *stream, uint64_t sequence, uint64_t within_ns,
                void (*done)(void *self, int failed), void *self) {
    struct streams *streams = stream->streams;
    if (streams->waiter_count >= STREAM_WAITERS_MAX)
        return -EAGAIN;
    struct waiter *w = mem_zalloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->stream = stream;
    w->sequence = sequence;
    w->done = done;
    w->self = self;
    streams->waiter_count++;
    streams_op_begin(streams, &w->op, on_stop);
    list_push_back(&stream->waiters, &w->node);
    io_timer_start(loop_of(w), &w->timer, is_there(w) ? 0 : within_ns, on_timer);
    return 0;
}

void stream_wait_look(struct stream *stream) {
    struct list_node *node, *next;
    list_each(&stream->waiters, node, next) {
        struct waiter *w = container_of(node, struct waiter, node);
        if (is_there(w))
            io_timer_start(loop_of(w), &w->timer, 0, on_timer);
    }
}

void stream_wait_forget(struct stream *stream) {
    struct list_node *node;
    while ((node = list_pop_front(&stream->waiters))) {
        struct waiter *w = container_of(node, struct waiter, node);
        w->stream = NULL;
        io_timer_start(loop_of(w), &w->timer, 0, on_timer);
    }
}
