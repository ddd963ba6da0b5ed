/*
 * show.c - see show.h.
 *
 * A record that is no event (an ES of before there was a judge may have some) is no row either: a
 * read of events says of it that it cannot be read, and a table would never get past it.
 */
#include "rooms/events/show.h"

#include "rooms/events/event_json.h"
#include "rooms/events/heads.h"
#include "rooms/events/jobs.h"

#include <errno.h>

int event_show(void *self, const struct log_record *record, void **held, struct buf *out) {
    struct engine *engine = self;
    struct event event;
    struct head *head = *held;
    if (event_read(record, &event))
        return 1;
    jobs_know_stream(engine);
    int hides = head_hides(engine, record->subject, event.number, record->time_ns, &head);
    *held = head;
    return hides ? hides : event_write_row(&event, record, out);
}

void event_show_end(void *self, void *held) {
    (void)self;
    head_give(held);
}
