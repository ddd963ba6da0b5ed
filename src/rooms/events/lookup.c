/*
 * lookup.c - finding one's way back in an event stream, by what its records say (record.h).
 *
 * To a number: a record knows the one before, the one without its lowest bit, and every
 * EVENT_SPANth the one EVENT_SPAN before; the farthest of these that is not too far is taken, so
 * there are about as many steps as the square of the number's bits, and one for each leaf.
 *
 * To a time or a position: likewise, but the target's number is not known, so what is tried may lie
 * too far and the next nearer one is tried then (search_step).
 *
 * To an id: its digest is in one node behind the last leaf, or in one leaf. The record of that node
 * has the id itself, or one of its children has, and so on down; what leads to events that are gone
 * ends there, whether their records are still there or not.
 */
#include "rooms/events/lookup.h"

#include <errno.h>

uint64_t event_hop(const struct event *event, uint64_t target) {
    uint64_t number = event->number;
    if (event->leaf && number - EVENT_SPAN >= target && (number & (number - 1)) < target)
        return event->leaf;
    return event->skip && (number & (number - 1)) >= target ? event->skip : event->before;
}

#define HOPS array_count(((struct search *)NULL)->hops)

void search_begin(struct search *search, uint64_t at,
                  bool (*is_too_new)(const void *self, const struct log_record *record,
                                     const struct event *event),
                  const void *self) {
    *search = (struct search){.at = at, .is_too_new = is_too_new, .self = self, .hop = HOPS};
}

/* From a record that is too new to the farthest of the three that it knows; if that is not too
   new, to the next nearer one, and the record before it is the one at last. A record that was taken
   out of the log is older than all that are there. */
int search_step(struct search *search, struct fetch *fetch, struct log_record *ret_record,
                struct event *ret_event) {
    bool hole = fetch_is_event_hole(fetch->engine, search->at);
    bool last = search->hop == HOPS || search->at == search->hops[HOPS - 1];
    int failed = hole ? 0 : fetch_event(fetch, search->at, ret_record, ret_event);
    if (failed)
        return failed;
    if (!hole && search->is_too_new(search->self, ret_record, ret_event)) {
        if (!ret_event->before)
            return -ERANGE;
        search->hops[0] = ret_event->skip;
        search->hops[1] = ret_event->leaf;
        search->hops[2] = ret_event->before;
        search->hop = 0;
    } else if (last) {
        return hole ? -ERANGE : 0;
    } else {
        search->hop++;
    }
    while (!search->hops[search->hop])
        search->hop++;
    search->at = search->hops[search->hop];
    return -EAGAIN;
}

static bool has_digest(const uint64_t *ids, size_t count, uint64_t digest) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids[middle] < digest)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ids[low] == digest;
}

/* The next record to look at. 0: the id's event is behind it, and gone. -EAGAIN; -ENOENT. */
static int go(struct lookup *l, uint64_t gone, uint64_t number, uint64_t sequence) {
    if (!sequence || number <= l->stop)
        return -ENOENT;
    if (number <= gone) {
        l->number = 0;
        l->sequence = sequence;
        return 0;
    }
    l->at = sequence;
    l->at_number = number;
    return -EAGAIN;
}

/* The node to begin with. As go(). */
static int begin(struct lookup *l, struct head *head, uint64_t gone, struct fetch *fetch) {
    l->digest = event_digest(l->id);
    for (unsigned i = head->path_count; i-- > 0;)
        if (has_digest(head->path[i].ids, head->path[i].id_count, l->digest))
            return go(l, gone, head->path[i].number, head->path[i].sequence);
    if (head->number < EVENT_SPAN)
        return -ENOENT;
    int failed = head_knows_leaves(head, fetch);
    if (failed)
        return failed;
    l->at = (uint64_t)(uintptr_t)map64_find(&head->leaves, l->digest);
    return l->at ? -EAGAIN : -ENOENT;
}

static int look(struct lookup *l, uint64_t gone, const struct event *event) {
    uint64_t ids[EVENT_SPAN], number = event->number, skip = number & (number - 1);
    if (l->phase == LOOKUP_SCAN) {
        if (number != l->at_number)
            return -EBADMSG;
        if (event_read_ids(event->ids, ids))
            return -EBADMSG;
        if (!has_digest(ids, event_ids_count(event->ids), l->digest))
            return go(l, gone, skip, event->skip);
    }
    if (number <= gone || slice_equal(event->id, l->id)) {
        l->number = number <= gone ? 0 : number;
        l->sequence = l->at;
        return 0;
    }
    uint64_t span = number & (~number + 1);
    l->stop = number - (span < EVENT_SPAN ? span : EVENT_SPAN);
    l->phase = LOOKUP_SCAN;
    return go(l, gone, number - 1, event->before);
}

int lookup_step(struct lookup *l, struct head *head, struct fetch *fetch) {
    int result = -EAGAIN;
    uint64_t gone = head_gone(head);
    if (l->phase == LOOKUP_BEGIN) {
        result = begin(l, head, gone, fetch);
        if (result != -EAGAIN)
            return result;
        l->phase = LOOKUP_CHECK;
    }
    while (result == -EAGAIN) {
        struct log_record record;
        struct event event;
        if (l->phase == LOOKUP_SCAN && l->at_number <= gone) /* it has gone meanwhile */
            return go(l, gone, l->at_number, l->at);
        result = fetch_event(fetch, l->at, &record, &event);
        if (!result)
            result = look(l, gone, &event);
    }
    return result;
}
