/*
 * request.c - the room (request.h): its services on shard 0, and the built-in one, "nonet".
 *
 * A node that drains withdraws its services first, so that whoever asks is told "no responders" at
 * once or reaches another node, and never waits for one that is going.
 */
#include "rooms/request/request.h"

#include "base/mem.h"
#include "rooms/request/service.h"
#include "wire/json_write.h"

#include <errno.h>

struct request {
    struct room_node *node;
    struct request_endpoint status;
    struct request_service nonet;
};

struct request_shard {
    struct request_services *services; /* on shard 0 only */
};

/* --- nonet.status --------------------------------------------------------------------------------
 */

/* The same as GET /v1/status on the admin listener. */
static int answer_status(void *owner, const struct bus_message *request, struct buf *answer,
                         struct error *ret_error) {
    (void)request;
    const struct room_node *node = owner;
    struct json_writer w = json_writer_make(answer, false);
    node->write_status(node, &w);
    if (json_write_finish(&w)) {
        error_set(ret_error, -ENOMEM, "no memory for the status");
        return 503;
    }
    return 0;
}

/* --- the room ------------------------------------------------------------------------------------
 */

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    (void)section;
    struct request *request = mem_zalloc(1, sizeof *request);
    if (!request)
        return error_set(ret_error, -ENOMEM, "no memory for the node's services");
    request->node = node;
    request->status = (struct request_endpoint){
        .name = "status", .subject = "nonet.status", .answer = answer_status, .owner = node};
    request->nonet = (struct request_service){
        .name = "nonet",
        .version = NONET_VERSION,
        .description = "The node itself: what it is and how it does.",
        .endpoints = &request->status,
        .endpoint_count = 1,
    };
    *ret_self = request;
    return 0;
}

static void shard_close(void *shard_self) {
    struct request_shard *room = shard_self;
    request_services_free(room->services);
    mem_free(room);
}

static int shard_open(void *self, struct room_shard *shard, void **ret_shard_self,
                      struct error *ret_error) {
    struct request *request = self;
    struct request_shard *room = mem_zalloc(1, sizeof *room);
    int failed = room ? 0 : -ENOMEM;
    if (!failed && shard->index == 0) {
        failed = request_services_create(shard->bus, &room->services);
        if (!failed)
            failed = request_service_add(room->services, &request->nonet);
    }
    if (failed) {
        if (room)
            shard_close(room);
        return error_set(ret_error, failed, "cannot offer the node's services");
    }
    *ret_shard_self = room;
    return 0;
}

static void drain(void *shard_self, void (*done)(void *argument), void *argument) {
    struct request_shard *room = shard_self;
    room->services = request_services_free(room->services);
    done(argument);
}

static void close_room(void *self) {
    mem_free(self);
}

const struct room request_room = {
    .name = "request",
    .open = open_room,
    .shard_open = shard_open,
    .drain = drain,
    .shard_close = shard_close,
    .close = close_room,
};
