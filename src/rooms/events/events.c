/*
 * events.c - the room (events.h): the engine on the stream shard, the routes on loop 0.
 *
 * The two meet over the bus only, also where they are the same loop. There is nothing to configure:
 * a node that is asked for no event stream pays for none.
 */
#include "rooms/events/events.h"

#include "base/mem.h"
#include "rooms/events/engine.h"

#include <errno.h>

struct events {
    struct room_node *node;
    struct bus *bus; /* of loop 0 */
};

struct events_shard {
    struct engine *engine; /* on the stream shard only */
};

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    (void)section;
    struct events *events = mem_zalloc(1, sizeof *events);
    if (!events)
        return error_set(ret_error, -ENOMEM, "no memory for event streams");
    events->node = node;
    *ret_self = events;
    return 0;
}

static int shard_open(void *self, struct room_shard *shard, void **ret_shard_self,
                      struct error *ret_error) {
    struct events *events = self;
    struct events_shard *room = mem_zalloc(1, sizeof *room);
    int failed = room ? 0 : -ENOMEM;
    if (!failed && shard->streams)
        failed = engine_create(shard->loop, shard->bus, shard->streams, shard->node->logger,
                               &room->engine);
    if (failed) {
        mem_free(room);
        return error_set(ret_error, failed, "no memory for event streams");
    }
    if (shard->index == 0)
        events->bus = shard->bus;
    *ret_shard_self = room;
    return 0;
}

static int started(void *self, struct error *ret_error) {
    struct events *events = self;
    if (!events->node->admin)
        return 0;
    int failed = events_http_routes(events->node->admin, events->bus);
    return failed ? error_set(ret_error, failed, "cannot add the routes of event streams") : 0;
}

static void shard_close(void *shard_self) {
    struct events_shard *room = shard_self;
    if (room->engine)
        engine_close(room->engine);
    mem_free(room);
}

static void close_room(void *self) {
    mem_free(self);
}

const struct room events_room = {
    .name = "events",
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .shard_close = shard_close,
    .close = close_room,
};
