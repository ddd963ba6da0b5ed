/*
 * node.c - the table of rooms, and a node from its first line to its last (node.h).
 */
#include "node/node.h"

#include "base/mem.h"
#include "io/file.h"
#include "io/process.h"
#include "node/parts.h"
#include "rooms/etl/etl.h"
#include "rooms/events/events.h"
#include "rooms/gateway/gateway.h"
#include "rooms/pubsub/pubsub.h"
#include "rooms/request/request.h"
#include "rooms/stream/stream.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const struct room *const node_rooms[] = {
    &pubsub_room, &request_room, &events_room, &stream_room, &etl_room, &gateway_room,
};
const unsigned node_room_count = array_count(node_rooms);

_Noreturn void node_fatal(const struct error *error) {
    char text[1024];
    fprintf(stderr, "nonet: %s\n", error_text(error, text, sizeof text));
    _Exit(1);
}

static int parse_level(const char *word, enum log_level *ret_level) {
    static const char *const words[] = {"error", "warn", "info", "debug", "trace"};
    for (unsigned i = 0; i < array_count(words); i++)
        if (strcmp(word, words[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

static int make_logger(struct node *node, struct error *ret_error) {
    enum log_level level = (enum log_level)node->config->node.log.level;
    const char *word = node->options->log_level;
    if (word && parse_level(word, &level))
        return error_set(ret_error, -EINVAL, "--log %s: it is error, warn, info, debug or trace",
                         word);
    int failed = logger_create(node->room.host, level, &node->room.logger);
    if (failed)
        return error_set(ret_error, failed, "no memory for the logger");
    const struct config_log *log = &node->config->node.log;
    logger_set_form(node->room.logger, node->options->nats != NULL, log->times);
    failed = log->file.len ? logger_set_file(node->room.logger, log->file.ptr) : 0;
    return failed ? error_set(ret_error, failed, "cannot open the log file %.*s: %s",
                              slice_fmt(log->file), error_name(failed))
                  : 0;
}

static int open_rooms(struct node *node, struct error *ret_error) {
    for (unsigned i = 0; i < node_room_count; i++) {
        const struct room *room = node_rooms[i];
        const void *section =
            room->config ? config_section(node->config, room->config->name) : NULL;
        int failed =
            room->open ? room->open(&node->room, section, &node->room_self[i], ret_error) : 0;
        if (failed)
            return failed;
        node->room_open[i] = true;
    }
    return 0;
}

static int prepare(struct node *node, struct error *ret_error) {
    int failed = io_host_create(&node->room.host);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    failed = node_load_config(node, &node->config, true, ret_error);
    if (!failed)
        failed = make_logger(node, ret_error);
    if (!failed)
        failed = node_apply_settings(node, ret_error);
    if (!failed)
        failed = node_open_data(node, ret_error);
    if (failed)
        return failed;
    node->room.metrics = metrics_new(node->room.shards);
    if (!node->room.metrics)
        return error_set(ret_error, -ENOMEM, "no memory for metrics");
    failed = io_group_create(node->room.host, node->room.shards, &node->room.group);
    if (failed)
        return error_set(ret_error, failed, "cannot make %u shards: %s", node->room.shards,
                         error_name(failed));
    failed = node_watch_signals(node, ret_error);
    if (!failed)
        failed = figures_open(node, ret_error);
    if (!failed)
        failed = admin_open(node, ret_error);
    return failed ? failed : open_rooms(node, ret_error);
}

static void take_down(struct node *node) {
    for (unsigned i = 0; i < node->room.shards && node->room.group; i++)
        node_shard_free(&node->shards[i]);
    declare_forget(node);
    for (unsigned i = node_room_count; i-- > 0;)
        if (node->room_open[i] && node_rooms[i]->close)
            node_rooms[i]->close(node->room_self[i]);
    admin_close(node);
    node->services = mem_free(node->services);
    node->room.group = io_group_free(node->room.group);
    node->room.metrics = metrics_free(node->room.metrics);
    auth_unref(node->room.auth);
    nats_server_clean_up(node);
    node->lock = io_file_close(node->lock);
    if (node->options->nats && node->ended_by)
        logger_write(node->room.logger, LOG_LEVEL_INFO, "node", "Server Exiting..", NULL);
    node->room.logger = logger_free(node->room.logger);
    config_free(node->config);
    config_free(node->next_config);
    node->room.host = io_host_free(node->room.host);
}

int node_run(const struct node_options *options, int *ret_signal, struct error *ret_error) {
    struct node *node = mem_zalloc(1, sizeof *node);
    if (!node)
        return error_set(ret_error, -ENOMEM, "no memory for a node");
    node->options = options;
    int failed = prepare(node, ret_error);
    if (!failed) {
        failed = io_group_run(node->room.group, node_shard_start, node);
        if (failed)
            error_set(ret_error, failed, "cannot run the shards: %s", error_name(failed));
    }
    if (!failed && node->result) {
        failed = node->result;
        if (ret_error)
            *ret_error = node->fatal;
    }
    if (ret_signal)
        *ret_signal = node->ended_by;
    take_down(node);
    mem_free(node);
    return failed;
}

static int explain(const struct node *node, const char *name, struct buf *text) {
    struct json_writer w = json_writer_make(text, true);
    for (unsigned i = 0; i < node_room_count; i++)
        if (strcmp(node_rooms[i]->name, name) == 0)
            node_rooms[i]->explain(config_section(node->config, node_rooms[i]->config->name), &w);
    return json_write_finish(&w);
}

static int check_options(const struct node_options *options, struct buf *routes,
                         struct error *ret_error) {
    struct node *node = mem_zalloc(1, sizeof *node);
    if (!node)
        return error_set(ret_error, -ENOMEM, "no memory to check the config");
    node->options = options;
    int failed = io_host_create(&node->room.host);
    if (failed)
        error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    else
        failed = node_load_config(node, &node->config, true, ret_error);
    if (!failed && routes) {
        failed = explain(node, "gateway", routes);
        if (failed)
            error_set(ret_error, failed, "no memory to list the routes");
    }
    config_free(node->config);
    io_host_free(node->room.host);
    mem_free(node);
    return failed;
}

int node_check(const char *app, bool insecure, struct buf *routes, struct error *ret_error) {
    struct node_options options = {.app = app, .insecure = insecure};
    return check_options(&options, routes, ret_error);
}

int node_check_nats(const struct node_nats *nats, struct error *ret_error) {
    struct node_options options = {.nats = nats, .insecure = true};
    return check_options(&options, NULL, ret_error);
}
