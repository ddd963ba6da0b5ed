/*
 * tail.c - see tail.h.
 *
 * A list in the order of the sequences, and a map from sequence to entry: entries come at the end
 * and leave at the front, are found anywhere, and one that is missing is no harm.
 */
#include "rooms/events/tail.h"

#include "base/map64.h"
#include "base/mem.h"

#include <errno.h>

struct tail_event {
    struct list_node node;
    uint64_t sequence, number;
    int64_t time_ns;
    slice subject, type, tags, tagged;
    char text[];
};

void tail_add(struct engine *engine, uint64_t sequence, slice subject, const struct event *event) {
    if (!engine->tail_wanted)
        return;
    size_t size = subject.len + event->type.len + event->tags.len + event->tagged.len;
    struct tail_event *kept = mem_alloc(sizeof *kept + size);
    if (!kept)
        return;
    char *at = kept->text;
    kept->sequence = sequence;
    kept->number = event->number;
    kept->time_ns = io_loop_wall_ns(engine->loop);
    kept->subject = slice_store(&at, subject);
    kept->type = slice_store(&at, event->type);
    kept->tags = slice_store(&at, event->tags);
    kept->tagged = slice_store(&at, event->tagged);
    if (map64_add(&engine->tail_map, sequence, kept)) {
        mem_free(kept);
        return;
    }
    list_push_back(&engine->tail, &kept->node);
}

static void drop_first(struct engine *engine) {
    struct tail_event *kept = container_of(list_pop_front(&engine->tail), struct tail_event, node);
    map64_remove(&engine->tail_map, kept->sequence);
    mem_free(kept);
}

void tail_trim(struct engine *engine) {
    struct list_node *node;
    uint64_t last = engine_last(engine);
    while ((node = list_first(&engine->tail)) &&
           container_of(node, struct tail_event, node)->sequence <= last)
        drop_first(engine);
}

void tail_forget(struct engine *engine) {
    while (!list_empty(&engine->tail))
        drop_first(engine);
}

void tail_free(struct engine *engine) {
    tail_forget(engine);
    map64_free(&engine->tail_map);
}

int tail_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
               struct event *ret_event) {
    struct engine *engine = fetch->engine;
    const struct tail_event *kept = map64_find(&engine->tail_map, sequence);
    if (kept) {
        *ret_record = (struct log_record){.subject = kept->subject, .time_ns = kept->time_ns};
        *ret_event = (struct event){
            .number = kept->number, .type = kept->type, .tags = kept->tags, .tagged = kept->tagged};
        return 0;
    }
    struct stream *stream = engine_stream(engine);
    if (!stream)
        return -EBADMSG;
    struct log_stream_state state = log_stream_state(stream_log(stream));
    if (sequence < state.first_sequence ||
        (sequence <= state.last_sequence && log_sequence_deleted(stream_log(stream), sequence)))
        return -ENOENT;
    int failed = fetch_record(fetch, stream, sequence, ret_record);
    if (failed)
        return failed;
    return event_read(ret_record, ret_event) ? -ENOENT : 0;
}
