/*
 * walk.c - see walk.h.
 *
 * A walk with a tag is on its chain, or on its way to it one by one; each record that it meets says
 * itself which it is. Where it has left the chain at its end, only what is older than all notes is
 * left to be looked at.
 */
#include "rooms/events/walk.h"

#include "rooms/events/tail.h"

#include <errno.h>

/* The chain has no more above the floor: what is left are events from before there were notes. */
static void leave_chain(struct walk *w) {
    uint64_t since = notes_since(w->engine);
    w->at = w->at < since ? w->at : since;
    w->tag = (slice){0};
}

static const struct tag_end *rarest(struct tag_end *const *ends, unsigned count, uint64_t floor) {
    const struct tag_end *found = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (ends[i]->last <= floor)
            return ends[i];
        if (!found || ends[i]->count < found->count)
            found = ends[i];
    }
    return found;
}

void walk_begin(struct walk *w, struct engine *engine, struct tag_end *const *ends, unsigned count,
                uint64_t from, uint64_t floor) {
    const struct tag_end *end = rarest(ends, count, floor);
    *w = (struct walk){.engine = engine, .at = from, .floor = floor};
    if (!end)
        return;
    w->tag = end->tag;
    w->left = end->count;
    if (end->last < from)
        w->at = end->last;
    else if (end->last > from) /* one of its events is looked for, from FROM on */
        w->left = UINT64_MAX;
    if (end->last <= floor) {
        w->at = from;
        leave_chain(w);
    }
}

int walk_look(struct walk *w, struct fetch *fetch, struct log_record *ret_record,
              struct event *ret_event) {
    if (w->at <= w->floor)
        return 1;
    int result = tail_event(fetch, w->at, ret_record, ret_event);
    if (result != -ENOENT)
        return result;
    w->at--;
    return -EAGAIN;
}

void walk_next(struct walk *w, const struct event *event) {
    uint64_t before;
    if (!w->tag.len || !event_tagged(event, w->tag, &before) || before >= w->at)
        w->at--;
    else if (--w->left && before > w->floor)
        w->at = before;
    else
        leave_chain(w);
}
