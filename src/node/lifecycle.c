/*
 * lifecycle.c - loop 0's part: from "all shards are open" to the end.
 *
 *   OPENING --all shards open--> DECLARING --streams of the config are there--> RUNNING
 *      |                             |                                             | signal
 *      '---- a failure ----> STOPPING <--------------------------------------------'
 *
 *   STOPPING: "drain" to every shard (bounded by limits.drain_timeout, for a lame duck by
 *   limits.lame_duck besides), then, once, "close"; when the services have ended, too, all loops
 *   are stopped. A second signal skips the rest of the
 *   waits. While shards are still opening there is nothing to drain: the loops end as they turn.
 *
 * The shards are reached by a scatter-gather request over the bus, like everything else.
 */
#include "node/parts.h"

#include "base/clocktext.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define OPEN_POLL_NS 1000000ull
#define STREAM_POLLS_MAX 10000u
#define CLOSE_TIMEOUT_NS (60 * 1000000000ull)

static void stop_loops(struct node *node) {
    for (unsigned i = 0; i < node->room.shards; i++)
        io_loop_stop(io_group_loop(node->room.group, i));
}

/* All shards have closed, or will not. The loops run on for services that have not ended. */
static void end(struct node *node) {
    node->closed = true;
    if (!services_running(node))
        stop_loops(node);
}

void node_service_ended(struct node *node) {
    if (node->closed)
        end(node);
}

static void on_closed(void *owner, const struct bus_message *reply, int ended) {
    struct node *node = owner;
    if (reply || ended == -ECANCELED) /* the loops have ended by other ways */
        return;
    if (ended)
        logger_write(node->room.logger, LOG_LEVEL_ERROR, "node", "not every shard has closed",
                     "error=%s", error_name(ended));
    end(node);
}

static void ask_shards(struct node *node, const char *what, uint64_t timeout_ns,
                       void (*on_reply)(void *, const struct bus_message *, int)) {
    struct bus_request_options options = {
        .message = {.subject = slice_lit(NODE_CONTROL_SUBJECT), .payload = slice_str(what)},
        .timeout_ns = timeout_ns,
        .replies_max = node->room.shards,
        .on_reply = on_reply,
        .owner = node,
    };
    if (bus_request(node->shards[0].room.bus, &options, NULL))
        end(node);
}

static void close_shards(struct node *node) {
    if (node->closing)
        return;
    node->closing = true;
    ask_shards(node, "close", CLOSE_TIMEOUT_NS, on_closed);
}

static void on_drained(void *owner, const struct bus_message *reply, int ended) {
    struct node *node = owner;
    if (reply || ended == -ECANCELED || node->closing)
        return;
    if (ended)
        logger_write(node->room.logger, LOG_LEVEL_WARN, "node",
                     "drain ended before all clients had gone", NULL);
    close_shards(node);
}

static bool all_open(struct node *node) {
    return atomic_load(&node->opened) == node->room.shards && !atomic_load(&node->open_failed);
}

void node_stop(struct node *node) {
    bool again = node->phase == NODE_STOPPING;
    node->phase = NODE_STOPPING;
    io_timer_stop(node->shards[0].room.loop, &node->timer);
    if (!all_open(node)) { /* shards may lack a bus: nobody has been served */
        stop_loops(node);
        return;
    }
    if (again) {
        services_stop(node);
        close_shards(node);
        return;
    }
    if (node->options->nats)
        nats_server_farewell(node);
    else
        logger_write(node->room.logger, LOG_LEVEL_INFO, "node", "stopping", NULL);
    node_farewell(node);
    services_stop(node);
    admin_stop(node);
    const struct room_limits *limits = &node->room.limits;
    ask_shards(node, "drain", limits->drain_ns + (node->room.lame_duck ? limits->lame_duck_ns : 0),
               on_drained);
}

void node_fail(struct node *node, const struct error *error) {
    check(error->code);
    node->fatal = *error;
    node->result = error->code;
    node_stop(node);
}

/* --- signals -------------------------------------------------------------------------------- */

static void reopen_log(struct node *node) {
    int failed = logger_reopen(node->room.logger);
    logger_write(node->room.logger, failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "node",
                 failed ? "the log file cannot be opened anew, the old one goes on"
                        : "the log file has been opened anew",
                 "error=%s", failed ? error_name(failed) : "none");
}

static void end_by(struct node *node, int signum) {
    if (node->phase != NODE_STOPPING) {
        node->ended_by = signum;
        node->room.lame_duck = signum == SIGUSR2;
    }
    if (node->room.lame_duck && node->phase != NODE_STOPPING)
        logger_write(node->room.logger, LOG_LEVEL_INFO, "node",
                     "Entering lame duck mode, stop accepting new clients", NULL);
    node_stop(node);
}

static void on_signal(void *owner, int signum) {
    struct node *node = owner;
    struct error error = {0};
    if (signum == SIGUSR1)
        reopen_log(node);
    else if (signum != SIGHUP)
        end_by(node, signum);
    else if (node_reload(node, &error))
        reload_refused(node, &error);
}

/* Before the loops run, for opening may take long: a SIGHUP would end the process. What comes in
   the meantime is told when loop 0 turns. */
int node_watch_signals(struct node *node, struct error *ret_error) {
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    struct io_loop *loop = io_group_loop(node->room.group, 0);
    for (size_t i = 0; i < array_count(signums); i++) {
        int failed = io_signal_watch(loop, signums[i], on_signal, node);
        if (failed)
            return error_set(ret_error, failed, "cannot watch signal %d: %s", signums[i],
                             error_name(failed));
    }
    return 0;
}

/* --- start -------------------------------------------------------------------------------- */

/* Without an APP the defaults run, even where a nonet.yaml lies: that must not surprise. */
static void warn_of_unused_config(const struct node *node) {
    struct io_file *file = NULL;
    if (node->options->app || io_file_open(node->room.host, "nonet.yaml", 0, &file))
        return;
    io_file_close(file);
    logger_write(node->room.logger, LOG_LEVEL_WARN, "node",
                 "the nonet.yaml of this folder is not used: `nonet run .` does", NULL);
}

static int welcome(struct node *node, struct error *ret_error) {
    if (node->options->nats)
        return nats_server_ready(node, ret_error);
    warn_of_unused_config(node);
    for (unsigned i = 0; i < node->port_count; i++)
        logger_write(node->room.logger, LOG_LEVEL_INFO, "node", "listening",
                     "listener=%s address=%s", node->ports[i].name, node->ports[i].address);
    logger_write(node->room.logger, LOG_LEVEL_INFO, "node", "ready", "name=%s data=%s shards=%u",
                 node->name, node->data, node->room.serving);
    if (!node->options->quiet)
        node_welcome(node);
    return 0;
}

static int open_doors(struct node *node, struct error *ret_error) {
    for (unsigned i = 0; i < node_room_count; i++) {
        int failed =
            node_rooms[i]->started ? node_rooms[i]->started(node->room_self[i], ret_error) : 0;
        if (failed)
            return failed;
    }
    int failed = admin_listen(node, ret_error);
    if (!failed)
        failed = node_write_ports(node, ret_error);
    if (!failed)
        failed = node_write_pid(node, ret_error);
    return failed ? failed : services_start(node, ret_error);
}

static void on_declared(struct node *node, const struct error *error) {
    if (node->phase != NODE_DECLARING)
        return;
    struct error failure = {0};
    if (error && error->code)
        failure = *error;
    else if (open_doors(node, &failure) == 0 && welcome(node, &failure) == 0)
        node->phase = NODE_RUNNING;
    if (node->phase != NODE_RUNNING)
        node_fail(node, &failure);
}

/* All shards are open, but what the stream shard has announced while it opened reaches this loop a
   turn later: before that nobody would answer for streams. Bounded, and then told by who asks. */
static bool waits_for_streams(struct node *node) {
    return node->room.jetstream && !atomic_load(&node->open_failed) &&
           node->stream_polls < STREAM_POLLS_MAX &&
           !bus_has_interest(node->shards[0].room.bus, slice_lit("$JS.API.INFO"));
}

static void on_poll(struct io_timer *timer) {
    struct node *node = container_of(timer, struct node, timer);
    struct io_loop *loop = node->shards[0].room.loop;
    struct error error = {0};
    bool open = atomic_load(&node->opened) == node->room.shards;
    if (!open || waits_for_streams(node)) {
        node->stream_polls += open;
        io_timer_start(loop, &node->timer, OPEN_POLL_NS, on_poll);
        return;
    }
    if (atomic_load(&node->open_failed)) {
        node_fail(node, &node->open_error);
        return;
    }
    node->phase = NODE_DECLARING;
    int failed = declare_streams(node, node->config, on_declared);
    if (!failed)
        return;
    error_set(&error, failed, "the streams cannot be declared: %s", error_name(failed));
    node_fail(node, &error);
}

void node_begin(struct node *node) {
    io_timer_start(node->shards[0].room.loop, &node->timer, 0, on_poll);
}
