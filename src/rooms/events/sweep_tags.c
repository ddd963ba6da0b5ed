/*
 * sweep_tags.c - see sweep_tags.h.
 *
 * Records are taken out of the chains the newest first: where the last of a tag goes, the one that
 * it leads to is the last, and may go itself.
 */
#include "rooms/events/sweep_tags.h"

#include "base/mem.h"
#include "rooms/events/sweep_stream.h"

#include <stdlib.h>

struct swept {
    unsigned count;
    struct {
        struct tag_end *end;
        uint64_t before;
    } tags[];
};

void sweep_tags_init(struct sweep_tags *t, struct engine *engine) {
    *t = (struct sweep_tags){.engine = engine,
                             .records = map64_make(engine->hash_key.low, MAP64_MAX_ENTRIES)};
}

static void swept_free(struct swept *swept) {
    for (unsigned i = 0; i < swept->count; i++)
        tag_give(swept->tags[i].end);
    mem_free(swept);
}

void sweep_tags_clear(struct sweep_tags *t) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&t->records, &at));)
        swept_free(entry->value);
    map64_free(&t->records);
    t->count = 0;
}

void sweep_tags_note(struct sweep_tags *t, uint64_t sequence, const struct event *event) {
    char room[EVENT_TAG_ROOM];
    unsigned count = event->tagged.len ? event_tag_count(event->tags) : 0;
    struct swept *swept = t->count + count > SWEEP_TAGS_MAX
                              ? NULL
                              : mem_zalloc(1, sizeof *swept + count * sizeof swept->tags[0]);
    slice tag, tags = event->tags;
    while (swept && swept->count < count && event_tag_next(&tags, room, &tag)) {
        struct tag_end *end = tag_take(t->engine, tag);
        if (!end)
            continue;
        swept->tags[swept->count].end = end;
        if (event_tagged(event, tag, &swept->tags[swept->count].before))
            swept->count++;
        else
            tag_give(end);
    }
    if (swept && map64_add(&t->records, sequence, swept))
        swept_free(swept);
    else if (swept)
        t->count += swept->count;
}

bool sweep_tags_noted(const struct sweep_tags *t, uint64_t sequence) {
    return map64_find(&t->records, sequence) != NULL;
}

bool sweep_tags_ready(const struct sweep_tags *t) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&t->records, &at));) {
        const struct swept *swept = entry->value;
        for (unsigned i = 0; i < swept->count; i++)
            if (swept->tags[i].end->state == TAG_LOADING)
                return false;
    }
    return true;
}

static int newest_first(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one < other) - (one > other);
}

void sweep_tags_draft(struct sweep_tags *t, const uint64_t *sequences, unsigned count) {
    uint64_t sorted[SWEEP_DELETE_MAX];
    check(count <= SWEEP_DELETE_MAX);
    if (!t->count || !count)
        return;
    memcpy(sorted, sequences, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, newest_first);
    for (unsigned i = 0; i < count; i++) {
        const struct swept *swept = map64_find(&t->records, sorted[i]);
        for (unsigned k = 0; swept && k < swept->count; k++)
            tag_draft_removal(swept->tags[k].end, sorted[i], swept->tags[k].before);
    }
}

void sweep_tags_settle(struct sweep_tags *t, bool stored) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&t->records, &at));) {
        const struct swept *swept = entry->value;
        for (unsigned i = 0; i < swept->count; i++)
            tags_settle(&swept->tags[i].end, 1, stored);
    }
}
