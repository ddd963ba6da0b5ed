/*
 * append_tags.c - the tags that an append has to do with (append.h).
 *
 * They are taken as they stand there: those of its events, event by event in the order of their
 * headers, then those of its conditions. A tag that stands there twice is taken twice, so whoever
 * goes through the events once more finds the ends of each in a row.
 *
 * Before that, events with a correlation id get its key (provenance.h).
 */
#include "rooms/events/append.h"

#include <errno.h>

static int take(struct append *append, struct engine *engine, slice tag) {
    struct tag_end *end = tag_take(engine, tag);
    if (!end)
        return -ENOMEM;
    append->ends[append->end_count++] = end;
    return 0;
}

static int take_events_tags(struct append *append, struct engine *engine) {
    char room[EVENT_TAG_ROOM];
    int failed = 0;
    for (unsigned i = 0; i < append->part_count; i++)
        for (unsigned k = 0; k < append->parts[i].event_count; k++) {
            slice tag, tags = append->parts[i].events[k].tags;
            while (!failed && event_tag_next(&tags, room, &tag))
                failed = take(append, engine, tag);
        }
    return failed;
}

static int take_conditions_tags(struct append *append, struct engine *engine) {
    int failed = 0;
    for (unsigned i = 0; i < append->conditions.count; i++)
        for (unsigned k = 0; k < append->conditions.all[i].item_count; k++) {
            struct condition_item *item = &append->conditions.all[i].items[k];
            item->ends = &append->ends[append->end_count];
            for (unsigned t = 0; t < item->tag_count && !failed; t++)
                failed = take(append, engine, item->tags[t]);
        }
    return failed;
}

static int add_key(struct event *event, slice correlation, struct arena *arena) {
    slice tags = event->tags;
    char *text = arena_alloc(arena, tags.len + 1 + PROVENANCE_KEY_BYTES), *at = text;
    if (!text)
        return -ENOMEM;
    if (tags.len) {
        memcpy(at, tags.ptr, tags.len);
        at += tags.len;
        *at++ = ',';
    }
    slice key = provenance_key(correlation, at);
    event->tags = slice_make(text, (size_t)(at - text) + key.len);
    return 0;
}

static int add_keys(struct append *append, struct engine *engine, struct arena *arena) {
    int failed = 0;
    for (unsigned i = 0; i < append->part_count; i++)
        for (unsigned k = 0; k < append->parts[i].event_count && !failed; k++) {
            struct event *event = &append->parts[i].events[k];
            struct provenance p;
            if (!event->metadata.len && !event->more.len)
                continue;
            failed = provenance_read(&engine->provenance, event, &p);
            if (!failed && p.correlation.len)
                failed = add_key(event, p.correlation, arena);
        }
    return failed;
}

int append_take_tags(struct append *append, struct engine *engine, struct arena *arena) {
    int missing = add_keys(append, engine, arena);
    if (missing)
        return missing;
    unsigned count = append_count_tags(append);
    if (!count)
        return 0;
    append->ends = arena_zalloc(arena, count, sizeof *append->ends);
    if (!append->ends)
        return -ENOMEM;
    int failed = take_events_tags(append, engine);
    append->event_end_count = append->end_count;
    return failed ? failed : take_conditions_tags(append, engine);
}

void append_give_tags(struct append *append) {
    while (append->end_count)
        tag_give(append->ends[--append->end_count]);
}

int append_tags_ready(const struct append *append) {
    for (unsigned i = 0; i < append->end_count; i++) {
        if (append->ends[i]->state == TAG_LOADING)
            return -EINPROGRESS;
        if (append->ends[i]->state == TAG_FAILED)
            return append->ends[i]->failed;
    }
    return 0;
}
