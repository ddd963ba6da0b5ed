/*
 * lookup.c - finding one's way back in an event stream, by what its records say (record.h).
 *
 * To a number: a record knows the one before, the one without its lowest bit, and every
 * EVENT_SPANth the one EVENT_SPAN before; the farthest of these that is not too far is taken, so
 * there are about as many steps as the square of the number's bits, and one for each leaf.
 *
 * To an id: its digest is in one node behind the last leaf, or in one leaf. The record of that node
 * has the id itself, or one of its children has, and so on down.
 */
#include "rooms/events/lookup.h"

#include <errno.h>

uint64_t event_hop(const struct event *event, uint64_t target) {
    uint64_t number = event->number;
    if (event->leaf && number - EVENT_SPAN >= target && (number & (number - 1)) < target)
        return event->leaf;
    return event->skip && (number & (number - 1)) >= target ? event->skip : event->before;
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

/* The node to begin with; 0 where no digest fits. */
static int begin(struct lookup *l, struct head *head, struct fetch *fetch) {
    l->digest = event_digest(l->id);
    for (unsigned i = head->path_count; i-- > 0;)
        if (has_digest(head->path[i].ids, head->path[i].id_count, l->digest)) {
            l->at = head->path[i].sequence;
            return 0;
        }
    if (head->number < EVENT_SPAN)
        return -ENOENT;
    int failed = head_knows_leaves(head, fetch);
    if (failed)
        return failed;
    l->at = (uint64_t)(uintptr_t)map64_find(&head->leaves, l->digest);
    return l->at ? 0 : -ENOENT;
}

static int look(struct lookup *l, const struct event *event) {
    uint64_t ids[EVENT_SPAN];
    if (l->phase == LOOKUP_SCAN) {
        if (event->number <= l->stop)
            return -ENOENT;
        if (event_read_ids(event->ids, ids))
            return -EBADMSG;
        if (!has_digest(ids, event_ids_count(event->ids), l->digest)) {
            l->at = event->skip;
            return l->at ? -EAGAIN : -ENOENT;
        }
    }
    if (slice_equal(event->id, l->id)) {
        l->number = event->number;
        l->sequence = l->at;
        return 0;
    }
    uint64_t span = event->number & (~event->number + 1);
    l->stop = event->number - (span < EVENT_SPAN ? span : EVENT_SPAN);
    l->phase = LOOKUP_SCAN;
    l->at = event->before;
    return l->at ? -EAGAIN : -ENOENT;
}

int lookup_step(struct lookup *l, struct head *head, struct fetch *fetch) {
    int result = -EAGAIN;
    if (l->phase == LOOKUP_BEGIN) {
        int failed = begin(l, head, fetch);
        if (failed)
            return failed;
        l->phase = LOOKUP_CHECK;
    }
    while (result == -EAGAIN) {
        struct log_record record;
        struct event event;
        result = fetch_event(fetch, l->at, &record, &event);
        if (!result)
            result = look(l, &event);
    }
    return result;
}
