/*
 * condition.c - conditions by type and tag: judged, told (condition.h).
 *
 * The judgement is a walk an item, one after the other. It says -EINPROGRESS where a record has to
 * be waited for, and after STEP_MAX events, so that others get their turn; it goes on where it was.
 * All items are judged, also behind one that is violated: all violations are told at once.
 */
#include "rooms/events/condition.h"

#include <errno.h>

#define STEP_MAX 2048u /* events looked at a turn, about two milliseconds */

/* --- judging ------------------------------------------------------------------------------ */

static int note_violation(struct condition_item *item, uint64_t position, slice subject,
                          const struct event *event, struct arena *arena) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    int failed = event_name(subject, &name) ? -EBADMSG : 0;
    if (!failed)
        failed = arena_copy(arena, buf_slice(&name), &item->stream);
    if (!failed)
        failed = arena_copy(arena, event->type, &item->type);
    item->position = position;
    item->violated = !failed;
    return failed;
}

static void begin(struct condition *c, struct condition_item *item, struct engine *engine) {
    struct stream *es = engine_stream(engine);
    uint64_t floor = item->clean_to > c->after ? item->clean_to : c->after;
    item->ceiling = es ? log_stream_staged(stream_log(es)).last_sequence : 0;
    walk_begin(&item->walk, engine, item->ends, item->tag_count, item->ceiling, floor);
    item->begun = true;
}

struct judging {
    struct conditions *all;
    struct fetch *fetch;
    struct arena *arena;
    unsigned steps;
};

/* The event that the item's walk is at: 1: it violates the item; 0: it does not. */
static int judge_event(struct judging *j, struct condition_item *item,
                       const struct log_record *record, const struct event *event) {
    if (!event_matches(event, item->types, item->type_count, item->tags, item->tag_count))
        return 0;
    int gone = head_hides(j->fetch->engine, record->subject, event->number, record->time_ns,
                          &j->all->held);
    if (gone)
        return gone < 0 ? gone : 0;
    int failed = note_violation(item, item->walk.at, record->subject, event, j->arena);
    return failed ? failed : 1;
}

/* One event. 0: the walk goes on; 1: it is over; -EINPROGRESS, -EAGAIN (the pump), -EBADMSG,
   -ENOMEM. */
static int judge_next(struct judging *j, struct condition *c, struct condition_item *item) {
    struct log_record record;
    struct event event;
    int result = walk_look(&item->walk, j->fetch, &record, &event);
    bool hole = result == -EAGAIN;
    if (!result)
        result = judge_event(j, item, &record, &event);
    if (result && !hole)
        return result;
    if (!hole)
        walk_next(&item->walk, &event);
    j->fetch->engine->condition_looks++;
    c->too_far = ++c->looks >= CONDITION_LOOKS_MAX;
    if (c->too_far || ++j->steps < STEP_MAX)
        return c->too_far;
    j->steps = 0;
    fetch_again(j->fetch); /* enough for this turn */
    return -EINPROGRESS;
}

static int judge_item(struct judging *j, struct condition *c, struct condition_item *item) {
    int result = item->violated || c->too_far;
    if (!item->begun)
        begin(c, item, j->fetch->engine);
    while (!result)
        result = judge_next(j, c, item);
    if (result < 0)
        return result;
    item->clean_to = item->ceiling;
    item->begun = false;
    return 0;
}

/* It was judged up to where ES ended then, and not against what comes meanwhile. */
static void begin_anew(struct conditions *all) {
    all->all[all->at].items[all->item_at].begun = false;
    all->at = all->item_at = 0;
}

int conditions_judge(struct conditions *all, struct fetch *fetch, struct arena *arena) {
    struct judging j = {.all = all, .fetch = fetch, .arena = arena};
    for (; all->at < all->count; all->at++) {
        struct condition *c = &all->all[all->at];
        for (; all->item_at < c->item_count; all->item_at++) {
            int failed = judge_item(&j, c, &c->items[all->item_at]);
            if (failed && failed != -EINPROGRESS && failed != -EAGAIN)
                begin_anew(all);
            if (failed)
                return failed;
        }
        all->item_at = 0;
    }
    all->at = 0; /* for what comes meanwhile */
    return 0;
}

void conditions_release(struct conditions *all) {
    head_give(all->held);
    all->held = NULL;
}

/* --- telling ------------------------------------------------------------------------------ */

static bool violated(const struct condition *c) {
    for (unsigned i = 0; i < c->item_count; i++)
        if (c->items[i].violated)
            return true;
    return false;
}

bool conditions_violated(const struct conditions *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (violated(&all->all[i]))
            return true;
    return false;
}

const struct condition *conditions_unknown(const struct conditions *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (all->all[i].too_far && !violated(&all->all[i]))
            return &all->all[i];
    return NULL;
}

static void write_item(const struct condition *c, unsigned index, struct json_writer *w) {
    const struct condition_item *item = &c->items[index];
    json_write_object(w);
    json_write_key(w, "check");
    json_write_text(w, "none");
    json_write_key(w, "index");
    json_write_u64(w, c->index);
    json_write_key(w, "item");
    json_write_u64(w, index);
    json_write_key(w, "after");
    json_write_u64(w, c->after);
    json_write_key(w, "position");
    json_write_u64(w, item->position);
    json_write_key(w, "stream");
    json_write_string(w, item->stream);
    json_write_key(w, "type");
    json_write_string(w, item->type);
    json_write_end(w);
}

void conditions_write(const struct conditions *all, struct json_writer *w) {
    for (unsigned i = 0; i < all->count; i++)
        for (unsigned k = 0; k < all->all[i].item_count; k++)
            if (all->all[i].items[k].violated)
                write_item(&all->all[i], k, w);
}
