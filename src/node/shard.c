/*
 * shard.c - one loop of the node: its bus, its streams where they live, its rooms.
 *
 * Opening runs on each loop's own thread before its first turn. A failure is kept for loop 0 to
 * tell and end the node by; the loop then just turns until it is stopped.
 *
 * Closing comes by message from loop 0 (lifecycle.c) in two rounds, drain and close; each is
 * answered when this loop has done its part, for the stream loop when the log is closed.
 */
#include "node/parts.h"

#include "log/log.h"

#include <errno.h>
#include <stdio.h>

static void fail_open(struct node *node, const struct error *error, int failed) {
    if (atomic_exchange(&node->open_failed, true))
        return;
    node->open_error = *error;
    if (!error->code)
        error_set(&node->open_error, failed, "cannot start: %s", error_name(failed));
}

/* --- log ---------------------------------------------------------------------------------- */

static void on_visible(void *self, struct log_stream *stream) {
    struct node_shard *shard = self;
    streams_on_visible(shard->room.streams, stream);
}

static void on_room(void *self) {
    struct node_shard *shard = self;
    streams_on_room(shard->room.streams);
}

/* The journal could not be written or synced: what is acknowledged is safe, nothing more will be.
   The process ends at once, so that nobody takes silence for success. */
static void on_fatal(void *self, const struct error *error) {
    struct node_shard *shard = self;
    char text[1024];
    logger_write(shard->room.node->logger, LOG_LEVEL_ERROR, "log", "the log has failed: stopping",
                 "error=%s", error_text(error, text, sizeof text));
    node_fatal(error);
}

static int open_streams(struct node_shard *shard, struct error *ret_error) {
    struct node *node = shard->node;
    struct streams_options options = {
        .bus = shard->room.bus,
        .logger = node->room.logger,
        .memory_bytes_max = node->room.limits.memory_store_bytes_max,
        .file_bytes_max = node->room.limits.file_store_bytes_max,
    };
    int failed = streams_create(&options, &shard->room.streams);
    if (failed)
        return error_set(ret_error, failed, "no memory for streams");
    char directory[sizeof node->data + 8];
    snprintf(directory, sizeof directory, "%s/log", node->data);
    struct log_options log_options = {
        .logger = node->room.logger,
        .directory = directory,
        .on_visible = on_visible,
        .on_room = on_room,
        .on_fatal = on_fatal,
        .self = shard,
    };
    log_options.owners = streams_owners(shard->room.streams, &log_options.owner_count);
    failed = log_open(shard->room.loop, &log_options, &shard->log, ret_error);
    return failed ? failed : streams_set_log(shard->room.streams, shard->log, ret_error);
}

/* --- drain and close ---------------------------------------------------------------------- */

static void answer(struct node_shard *shard) {
    struct bus_message message = {.subject = slice_make(shard->reply, shard->reply_len)};
    bus_publish(shard->room.bus, &message, NULL, NULL);
}

static void one_drained(void *argument) {
    struct node_shard *shard = argument;
    check(shard->draining > 0);
    if (--shard->draining == 0 && !shard->closed) /* else closing has ended the drain */
        answer(shard);
}

static void drain(struct node_shard *shard) {
    shard->draining = 1;
    for (unsigned i = 0; i < node_room_count; i++)
        if (shard->room_open[i] && node_rooms[i]->drain) {
            shard->draining++;
            node_rooms[i]->drain(shard->room_self[i], one_drained, shard);
        }
    one_drained(shard);
}

static void close_rooms(struct node_shard *shard) {
    for (unsigned i = node_room_count; i-- > 0;)
        if (shard->room_open[i]) {
            if (node_rooms[i]->shard_close)
                node_rooms[i]->shard_close(shard->room_self[i]);
            shard->room_open[i] = false;
        }
}

static void on_log_closed(void *self) {
    struct node_shard *shard = self;
    shard->room.streams = streams_free(shard->room.streams);
    answer(shard);
}

static void close_shard(struct node_shard *shard) {
    shard->closed = true;
    figures_stop(shard);
    close_rooms(shard);
    backup_stop(shard);
    if (!shard->log) {
        shard->room.streams = streams_free(shard->room.streams);
        answer(shard);
        return;
    }
    streams_stop(shard->room.streams);
    struct log *log = shard->log;
    shard->log = NULL;
    log_close(log, on_log_closed, shard);
}

static void on_control(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message) {
    (void)subscription;
    struct node_shard *shard = owner;
    if (shard->closed)
        return;
    check(message->reply.len <= sizeof shard->reply);
    memcpy(shard->reply, message->reply.ptr, message->reply.len);
    shard->reply_len = message->reply.len;
    if (slice_equal(message->payload, slice_lit("drain")))
        drain(shard);
    else if (slice_equal(message->payload, slice_lit("close")))
        close_shard(shard);
}

/* --- opening ------------------------------------------------------------------------------ */

static int open_rooms(struct node_shard *shard, struct error *ret_error) {
    for (unsigned i = 0; i < node_room_count; i++) {
        const struct room *room = node_rooms[i];
        if (room->shard_open) {
            int failed = room->shard_open(shard->node->room_self[i], &shard->room,
                                          &shard->room_self[i], ret_error);
            if (failed)
                return failed;
        }
        shard->room_open[i] = true;
    }
    return 0;
}

static int open_shard(struct node_shard *shard, struct error *ret_error) {
    static const struct bus_receiver receiver = {on_control};
    struct room_node *node = shard->room.node;
    struct bus_options options = {
        .loop = shard->room.loop,
        .shards = node->shards,
        .stream_shard = node->stream_shard,
        .logger = node->logger,
    };
    int failed = bus_create(&options, &shard->room.bus);
    if (!failed)
        failed = bus_subscribe(shard->room.bus, slice_lit(NODE_CONTROL_SUBJECT), (slice){0},
                               &receiver, shard, NULL, &shard->control);
    if (failed)
        return error_set(ret_error, failed, "no memory for the bus of shard %u", shard->room.index);
    if (shard->room.index == node->stream_shard) {
        failed = open_streams(shard, ret_error);
        if (failed)
            return failed;
        if (backup_listen(shard))
            return error_set(ret_error, -ENOMEM, "no memory for backups");
    }
    return open_rooms(shard, ret_error);
}

void node_shard_start(void *owner, struct io_loop *loop) {
    struct node *node = owner;
    unsigned index = io_loop_index(loop);
    struct node_shard *shard = &node->shards[index];
    shard->node = node;
    shard->room = (struct room_shard){
        .node = &node->room,
        .loop = loop,
        .index = index,
        .metrics = metrics_shard(node->room.metrics, index),
    };
    io_loop_set_owner(loop, shard);
    struct error error = {0};
    int failed = open_shard(shard, &error);
    if (failed)
        fail_open(node, &error, failed);
    else
        figures_start(shard);
    atomic_fetch_add(&node->opened, 1);
    if (index == 0)
        node_begin(node);
}

/* After the loops have ended, on the main thread. */
void node_shard_free(struct node_shard *shard) {
    if (!shard->node)
        return;
    figures_stop(shard);
    close_rooms(shard);
    backup_stop(shard);
    shard->log = log_abandon(shard->log);
    shard->room.streams = streams_free(shard->room.streams);
    if (shard->control)
        shard->control = bus_unsubscribe(shard->room.bus, shard->control);
    shard->room.bus = bus_free(shard->room.bus);
}
