/*
 * loop.h - the host, the loop, timers, tasks, and messages between loops. Part of the seam.
 *
 * Everything that is not deterministic stands behind the headers of io/. Production links the
 * libuv implementation (io/uv_*.c, io/posix_*.c); tests/sim links a simulated twin behind the
 * same headers: a virtual clock, a disk that loses what was not synced, a network that delays and
 * cuts, all from one seed. Code above io/ cannot tell which one it has.
 *
 * A HOST is one machine as a node sees it: its files, network, clock and randomness. A GROUP is the
 * node's loops (its shards), numbered from 0. A LOOP is one thread that owns everything made on it;
 * nothing mutable is shared, and every function below is called on the loop's own thread unless it
 * says otherwise. One turn of a loop does, in this order:
 *
 *     1 wait for sockets, timers or a wake-up     4 tasks put off with io_defer
 *     2 sockets: on_bytes, on_accept, ...         5 flush output written in this turn (net.h)
 *     3 messages from other loops, timers         6 hand messages for other loops over, waking them
 *
 * so whatever one turn produces leaves in one system call per socket and one wake-up per loop.
 *
 * MESSAGES between loops travel through one ordered, bounded channel per pair. Order from one
 * loop to another is the order of the sends. A channel over its high-water mark still takes what a
 * turn has already begun (losing it would break a promise) but reports itself full, and whoever
 * feeds it from a socket stops reading that socket until on_room (push-back down to TCP).
 */
#ifndef NONET_IO_LOOP_H
#define NONET_IO_LOOP_H

#include "base/check.h"
#include "base/slice.h"
#include "base/wheel.h"

#define IO_LOOPS_MAX 65 /* 64 shards and the log's own */
#define IO_CHANNEL_HIGH_BYTES (8u << 20)

struct io_host;
struct io_group;
struct io_loop;

/* --- host ------------------------------------------------------------------------------- */

/* The real machine. (The simulated one is made by tests/sim/sim.h.) 0 or -ENOMEM. */
must_use int io_host_create(struct io_host **ret_host);
struct io_host *io_host_free(struct io_host *host); /* NULL allowed, returns NULL */

/* Any thread. Monotonic nanoseconds from an arbitrary start; never goes back. */
uint64_t io_host_clock_ns(struct io_host *host);
/* Any thread. Nanoseconds since 1970-01-01 UTC; may jump when the machine's clock is set. */
int64_t io_host_wall_ns(struct io_host *host);
/* Any thread. Fills OUT with bytes fit for keys. Never fails: without randomness it aborts. */
void io_host_random(struct io_host *host, void *out, size_t size);

/* --- group and loop --------------------------------------------------------------------- */

/* COUNT loops, 1 to IO_LOOPS_MAX. 0, -ENOMEM, or a system error. */
must_use int io_group_create(struct io_host *host, unsigned count, struct io_group **ret_group);
/* Frees loops and channels. Every stream, listener, timer and worker must be closed before. */
struct io_group *io_group_free(struct io_group *group);
unsigned io_group_count(const struct io_group *group);
struct io_loop *io_group_loop(struct io_group *group, unsigned index);

/* Runs every loop: START(owner, loop) is called first on each loop's own thread (loop 0 on the
   calling thread). Returns when all have been stopped. 0 or a system error at thread creation. */
must_use int io_group_run(struct io_group *group, void (*start)(void *owner, struct io_loop *loop),
                          void *owner);
/* Any thread. Asks the loop to end after the turn at hand; pending messages are delivered first. */
void io_loop_stop(struct io_loop *loop);

unsigned io_loop_index(const struct io_loop *loop);
struct io_host *io_loop_host(const struct io_loop *loop);
struct io_group *io_loop_group(const struct io_loop *loop);
/* The clock as of this turn's start: cheap, the same for a whole turn. */
uint64_t io_loop_now_ns(const struct io_loop *loop);
int64_t io_loop_wall_ns(const struct io_loop *loop);
/* Whatever the node hangs on a loop (its shard). */
void io_loop_set_owner(struct io_loop *loop, void *owner);
void *io_loop_owner(const struct io_loop *loop);

/* --- timers: 1 ms grain, any number, O(1) -------------------------------------------------- */

struct io_timer {
    struct wheel_timer wheel;
    void (*on_fire)(struct io_timer *timer); /* may start, stop or free any timer, itself too */
};
/* Fires once, DELAY_NS from now, never early; 0: in the next turn, without waiting for a
   millisecond to pass. Starting a running timer moves it. */
void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ns,
                    void (*on_fire)(struct io_timer *timer));
/* No-op where it does not run. A zeroed io_timer is a stopped one. */
void io_timer_stop(struct io_loop *loop, struct io_timer *timer);
bool io_timer_running(const struct io_timer *timer);

/* --- tasks: once, at the end of this turn, before output is flushed --------------------------- */

struct io_task {
    struct io_task *next;
    void (*run)(struct io_task *task);
    bool queued;
};
/* No-op where the task is queued already. A task deferred by a task runs in the same turn. */
void io_defer(struct io_loop *loop, struct io_task *task);
/* Takes a queued task back; no-op where it is not queued. */
void io_defer_cancel(struct io_loop *loop, struct io_task *task);

/* --- messages between loops ------------------------------------------------------------------ */

struct io_receiver {
    /* BODY is valid during the call only. */
    void (*on_message)(void *owner, unsigned from, uint32_t kind, slice body);
    /* The channel to loop TO, once reported full, has room again. */
    void (*on_room)(void *owner, unsigned to);
    void *owner;
};
void io_loop_set_receiver(struct io_loop *loop, const struct io_receiver *receiver);

/* Sends the PARTS joined to loop TO (never to itself). At most 128 MiB. 0 or -ENOMEM. */
must_use int io_send(struct io_loop *loop, unsigned to, uint32_t kind, const slice *parts,
                     unsigned part_count);
/* More than IO_CHANNEL_HIGH_BYTES sent to TO and not yet taken. */
bool io_channel_full(const struct io_loop *loop, unsigned to);

/* --- signals ---------------------------------------------------------------------------------- */

/* Calls ON_SIGNAL on LOOP for each SIGNUM; one watcher a signal. 0, -EEXIST or a system error. */
must_use int io_signal_watch(struct io_loop *loop, int signum,
                             void (*on_signal)(void *owner, int signum), void *owner);

#endif
