/*
 * events.c - the room (events.h): the engine on the stream shard, the routes on loop 0.
 *
 * The two meet over the bus only, also where they are the same loop. Nothing has to be configured,
 * folds may be; a node that is asked for no event stream pays for none. ES is made at the start
 * where nonet.yaml has the section, so that nothing published to es.> is missed, and else with the
 * first append: who uses durable streams alone does not find one that is not theirs.
 */
#include "rooms/events/events.h"

#include "base/mem.h"
#include "rooms/events/call.h"
#include "rooms/events/engine.h"
#include "rooms/events/sweep.h"

#include <errno.h>

struct events {
    struct room_node *node;
    struct bus *bus; /* of loop 0 */
    struct folds *folds;
    bool configured; /* nonet.yaml has the section */
};

struct events_shard {
    struct engine *engine; /* on the stream shard only */
};

static void judge(const void *section, const struct room_setting *setting,
                  struct conf_errors *errors) {
    (void)setting;
    events_judge(section, errors);
}

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    struct events *events = mem_zalloc(1, sizeof *events);
    if (!events)
        return error_set(ret_error, -ENOMEM, "no memory for event streams");
    events->node = node;
    const struct events_config *config = section;
    events->configured = config && config->item.given;
    int failed = folds_create(config, &events->folds, ret_error);
    if (failed) {
        mem_free(events);
        return failed;
    }
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
    if (room->engine) {
        states_set_folds(room->engine, folds_ref(events->folds));
        states_count(room->engine, shard->node->metrics, shard->metrics);
        sweep_count(room->engine, shard->node->metrics, shard->metrics);
        if (events->configured)
            engine_want_stream(room->engine);
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

/* The engine is sent one count of the new folds; where there is none, nobody folds. */
static int reload(void *self, const void *section, struct error *ret_error) {
    struct events *events = self;
    struct folds *folds;
    int failed = folds_create(section, &folds, ret_error);
    if (failed)
        return failed;
    struct folds *sent = folds_ref(folds);
    struct bus_message message = {.subject = slice_lit(CALL_FOLDS),
                                  .payload = slice_make(&sent, sizeof sent)};
    if (bus_publish(events->bus, &message, NULL, NULL) == 0)
        folds_unref(sent);
    folds_unref(events->folds);
    events->folds = folds;
    return 0;
}

static void shard_close(void *shard_self) {
    struct events_shard *room = shard_self;
    if (room->engine)
        engine_close(room->engine);
    mem_free(room);
}

static void close_room(void *self) {
    struct events *events = self;
    folds_unref(events->folds);
    mem_free(events);
}

const struct room events_room = {
    .name = "events",
    .config = &events_key,
    .judge = judge,
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .reload = reload,
    .shard_close = shard_close,
    .close = close_room,
};
