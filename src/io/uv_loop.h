/*
 * uv_loop.h - the inside of a loop in production. For io/uv_*.c, tls_*.c, worker.c, process.c only.
 *
 * A turn (loop.h) is one uv_run(UV_RUN_ONCE), which waits and calls back sockets, and behind it
 * everything libuv does not know: messages, the timer wheel, tasks, output, hand-over. libuv has
 * one handle of ours for all timers (alarm) and one for all wake-ups (wake: an eventfd, because a
 * loop woken by uv_async spins until the sender's system call has returned, which measured ten
 * times the cost of the wake-up itself where both share a core).
 *
 * WAKING. Whoever has something for a loop sets a bit of its `attention` and then looks at
 * `asleep`; the loop sets `asleep` and then looks at its attention. In the one order that
 * sequentially consistent operations have, one of the two sees the other, so no wake-up is lost,
 * and none is paid for where the loop is awake.
 *
 *     attention bit i < IO_LOOPS_MAX: loop i has sent blocks, or has taken some of ours
 *     IO_ATTENTION_WORKER: a worker has jobs done       IO_ATTENTION_STOP: end after this turn
 */
#ifndef NONET_IO_UV_LOOP_H
#define NONET_IO_UV_LOOP_H

#include "base/list.h"
#include "io/loop.h"
#include "io/pool.h"

#include <stdatomic.h>
#include <uv.h>

#define IO_ATTENTION_WORKER 126u
#define IO_ATTENTION_STOP 127u
#define IO_ATTENTION_WORDS 2
#define IO_TASKS_PER_TURN_MAX (1u << 20) /* what is over it runs in the next turn */
#define IO_NS_PER_MS 1000000u

struct io_channel;
struct io_stream;

struct io_group {
    struct io_host *host;
    unsigned count;
    struct io_loop *loops[IO_LOOPS_MAX];
    _Atomic(uint64_t) signals_watched; /* bit SIGNUM */
    void (*start)(void *owner, struct io_loop *loop);
    void *start_owner;
};

struct io_loop {
    struct io_group *group;
    unsigned index;
    void *owner;

    uv_loop_t uv;
    int wake_fd; /* an eventfd */
    uv_poll_t wake;
    uv_timer_t alarm;  /* rings when the wheel has something to do */
    uint64_t alarm_ms; /* WHEEL_NEVER: does not run */
    struct wheel wheel;

    bool clock_fresh; /* now_ns was read in this turn */
    uint64_t now_ns;
    int64_t wall_offset_ns; /* wall clock - now */
    uint64_t wall_checked_ns;

    struct io_task *task_first, *task_last;
    struct io_stream *dirty_first, *dirty_last; /* streams to flush */
    struct io_pool pool;                        /* output buffers */
    char *read_buffer;                          /* IO_READ_BYTES, for all streams */
    char *plain_buffer;                         /* decrypted input, made by the first TLS stream */

    struct io_receiver receiver;
    struct io_channel *out[IO_LOOPS_MAX]; /* to loop i; NULL for ourselves */
    struct io_channel *in[IO_LOOPS_MAX];  /* from loop i */
    unsigned sent_to[IO_LOOPS_MAX];       /* loops with something to hand over */
    unsigned sent_count;

    struct list workers, signals;
    struct list connects; /* under way */
    size_t open_count;    /* streams, listeners, connects, processes: 0 when the group is freed */
    bool stopping;

    char line_before[64]; /* keeps what other threads write off our own lines */
    _Atomic(uint64_t) attention[IO_ATTENTION_WORDS];
    _Atomic(bool) asleep;
    char line_behind[64];
};

void io_loop_read_clock(struct io_loop *loop);

/* First thing in every callback of libuv: reads the clock once a turn. */
static inline void io_loop_enter(struct io_loop *loop) {
    if (!loop->clock_fresh)
        io_loop_read_clock(loop);
}

/* Any thread: sets the bit and wakes the loop where it may be asleep. */
void io_loop_attend(struct io_loop *loop, unsigned bit);

/* uv_channel.c */
must_use int io_channels_create(struct io_group *group);
void io_channels_free(struct io_group *group); /* connections that were under way are closed */
/* Loop FROM has done something: takes its messages, looks for room in our channel to it. */
void io_channel_attend(struct io_loop *loop, unsigned from);
void io_channels_hand_over(struct io_loop *loop);
/* io_send for the one message that is io's own: a connection accepted for another loop. */
must_use int io_channel_send_accepted(struct io_loop *loop, unsigned to, slice body);

/* uv_net.c */
void io_streams_flush(struct io_loop *loop);
/* uv_listen.c: a connection accepted by another loop; CLOSE: only its descriptor is closed. */
void io_listener_take(struct io_loop *loop, slice body);
void io_listener_drop(slice body);
/* worker.c */
void io_workers_attend(struct io_loop *loop);

#endif
