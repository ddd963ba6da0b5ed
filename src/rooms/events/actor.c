/*
 * actor.c - see actor.h.
 *
 * Metadata is an object on one line, which append_read.c has judged: it is read once more here, and
 * written with one member more, or another. Only where there is somebody to be named.
 */
#include "rooms/events/actor.h"

#include "rooms/events/append.h"

#include <errno.h>

#define ACTOR "actor"
#define ON_BEHALF_OF "on_behalf_of"

/* Two names and two words at most, however they are escaped. */
#define MORE_MAX ((size_t)64 << 10)

static bool is(json_value key, const char *name) {
    return json_string_is(key, slice_str(name));
}

/* METADATA, an object or absent, with ACTOR in front. DISPLACED: the event names another one. */
static int write_named(json_value metadata, slice actor, bool displaced, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_value named = json_member(metadata, slice_lit(ACTOR));
    struct json_iterator i = json_each(metadata);
    json_write_object(&w);
    json_write_key(&w, ACTOR);
    json_write_string(&w, actor);
    if (displaced) {
        json_write_key(&w, ON_BEHALF_OF);
        json_write_raw(&w, json_source(named));
    }
    while (json_next(&i)) {
        slice key;
        if (is(i.key, ACTOR) || (displaced && is(i.key, ON_BEHALF_OF)))
            continue;
        if (json_string(i.key, &key))
            return -ENOMEM;
        json_write_key_slice(&w, key);
        json_write_raw(&w, json_source(i.value));
    }
    json_write_end(&w);
    return json_write_finish(&w);
}

static int name_one(struct event *event, const struct actor *actor, struct json_doc *doc,
                    struct arena *arena) {
    _cleanup_buf_ struct buf text = buf_make(EVENT_METADATA_MAX * 2 + MORE_MAX);
    int failed = event->metadata.len ? json_parse(doc, event->metadata) : 0;
    if (failed)
        return -ENOMEM; /* it has been read before */
    json_value metadata = event->metadata.len ? json_root(doc) : (json_value){0};
    json_value named = json_member(metadata, slice_lit(ACTOR));
    bool names = json_type_of(named) != JSON_ABSENT && json_type_of(named) != JSON_NULL;
    if (names && (!actor->is_sure || json_string_is(named, actor->name)))
        return 0;
    if (write_named(metadata, actor->name, names, &text))
        return -ENOMEM;
    return arena_copy(arena, buf_slice(&text), &event->metadata);
}

int actor_name(struct append *append, const struct actor *actor, struct arena *arena) {
    struct json_doc doc;
    int failed = 0;
    if (!actor->name.len)
        return 0;
    json_init(&doc);
    for (unsigned i = 0; i < append->part_count && !failed; i++)
        for (unsigned k = 0; k < append->parts[i].event_count && !failed; k++)
            failed = name_one(&append->parts[i].events[k], actor, &doc, arena);
    json_free(&doc);
    return failed;
}
