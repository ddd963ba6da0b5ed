/*
 * fetch.h - one event of ES, or one note, from memory, from disk, or once it has got there.
 *
 * Whoever needs a record asks for it and, where it has to be waited for, asks again when `done`
 * says so. A fetch waits for one record at a time; it may be given up at any moment.
 */
#ifndef NONET_EVENTS_FETCH_H
#define NONET_EVENTS_FETCH_H

#include "log/filter.h"
#include "rooms/events/engine.h"

struct fetch {
    struct list_node node; /* in engine->unseen */
    struct engine *engine;
    struct log_load load;
    struct io_timer again;
    bool loading;
    void (*done)(struct fetch *fetch); /* ask again now */
};
void fetch_init(struct fetch *fetch, struct engine *engine, void (*done)(struct fetch *fetch));
/* The record of STREAM, ES or its companion, valid until the loop's next turn or the next fetch. 0;
   -EINPROGRESS: done is called, later; -EBADMSG: it cannot be read. */
must_use int fetch_record(struct fetch *fetch, struct stream *stream, uint64_t sequence,
                          struct log_record *ret_record);
/* The first record of STREAM at or after FROM whose subject fits FILTER. 0; -ENOENT: none up to
   what is visible now; with *RET_RECORD's sequence set: -EAGAIN, so far none fits, go on there;
   -EINPROGRESS, the same once done is called; -EBADMSG, it cannot be read. */
must_use int fetch_next(struct fetch *fetch, struct stream *stream, const struct log_filter *filter,
                        uint64_t from, struct log_record *ret_record);
/* The event at SEQUENCE, valid until the loop's next turn or the next fetch. 0; -EINPROGRESS: done
   is called, later; -EBADMSG: it cannot be read, or is no event. */
must_use int fetch_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
                         struct event *ret_event);
/* Done is called next turn: who has much to do lets others in between. */
void fetch_again(struct fetch *fetch);
/* Is ES on disk up to SEQUENCE? 0; -EINPROGRESS: done is called, later. */
must_use int fetch_visible(struct fetch *fetch, uint64_t sequence);
void fetch_cancel(struct fetch *fetch);
/* Was there a record of LOG at SEQUENCE, up to its last, that is not there any more? */
bool fetch_is_hole(const struct log_stream *log, uint64_t sequence);
/* Of ES; false where there is none. */
bool fetch_is_event_hole(const struct engine *engine, uint64_t sequence);

#endif
