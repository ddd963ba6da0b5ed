/*
 * sse_window.h - messages as server-sent events, encoded once, and a window over the last of them.
 *
 *     id: 4711                          the stream's sequence; left out where no stream has them
 *     subject: bid.new                  a field of ours, which browsers pass over
 *     data: {"auction": 7,              the payload, a line each; CR LF, LF and CR all end a line
 *     data:  "price": 100}
 *                                       an empty line ends the event
 *
 * The subject is not the event's type, for a page hears only types that it names, and wildcards
 * catch subjects that nobody can name beforehand: so all are a "message", which onmessage hears.
 *
 * A payload that is not UTF-8 comes as a data URL, "data:application/octet-stream;base64,AAEC", on
 * one line, and so does text of which the lines alone would break SSE_EVENT_BYTES_MAX; what is too
 * large even so is left out, and told as dropped. Bytes that may not stand in a line of text are
 * percent-encoded in a subject. Headers are not told.
 *
 * Two events are the gateway's own:
 *
 *     event: nonet.gap                  messages above AFTER and below FIRST may be missing: the
 *     data: {"after":4,"first":9}       stream does not have them any more
 *
 *     event: nonet.dropped              so many messages were left out: the client was slow, or
 *     data: {"messages":17}             they were too large
 *
 * A WINDOW holds the events from BASE on, oldest first, dense in one buffer, so that any run of
 * them is one write:
 *
 *       | dropped |  11  |  12  | 15 |  16  |            base 10, next 17
 *       ptr     start                      len
 */
#ifndef NONET_GATEWAY_SSE_WINDOW_H
#define NONET_GATEWAY_SSE_WINDOW_H

#include "base/buf.h"

#define SSE_EVENT_BYTES_MAX (8u << 20)
#define SSE_NOTICE_BYTES_MAX 128u
#define SSE_WINDOW_EVENTS_MAX 16384u

struct sse_event {
    slice subject, payload;
    uint64_t sequence;
    bool has_id;
    bool has_gap; /* before it: what is above GAP_AFTER and below it may be missing */
    uint64_t gap_after;
};

/* Appends EVENT, or the notice that it is too large. 0, -ENOBUFS, -ENOMEM: nothing was. */
must_use int sse_event_write(struct buf *b, const struct sse_event *event);
/* The gateway's own events, to OUT of SSE_NOTICE_BYTES_MAX bytes. Return the text. */
slice sse_gap(char *out, uint64_t after, uint64_t first);
slice sse_dropped(char *out, uint64_t messages);

struct sse_entry {
    uint64_t sequence;
    uint32_t at;                      /* in bytes */
    uint32_t subject_at, subject_len; /* of the subject in it; 0: not as it was */
};

struct sse_window {
    struct buf bytes;
    size_t start; /* of the first event that is kept */
    struct sse_entry *entries;
    uint32_t first, count, room; /* entries[first] to entries[count - 1] are kept */
    uint64_t base, next;         /* it has all from BASE to below NEXT */
};

/* Empty, from sequence BASE on. Allocates nothing. */
struct sse_window sse_window_make(uint64_t base);
void sse_window_free(struct sse_window *w);
/* Forgets all; goes on with BASE, which is not below its next. */
void sse_window_restart(struct sse_window *w, uint64_t base);
/* Adds an event whose sequence is not below next, and drops the oldest while there are more than
   KEEP_BYTES or SSE_WINDOW_EVENTS_MAX. Without memory the window restarts behind the event. */
void sse_window_add(struct sse_window *w, const struct sse_event *event, size_t keep_bytes);

static inline bool sse_window_empty(const struct sse_window *w) {
    return w->first == w->count;
}
/* Index of the first event from SEQUENCE on; w->count where there is none. */
uint32_t sse_window_find(const struct sse_window *w, uint64_t sequence);
/* The events from INDEX on up to BYTES_MAX, but at least one; *RET_END is behind the last. */
slice sse_window_run(const struct sse_window *w, uint32_t index, size_t bytes_max,
                     uint32_t *ret_end);
slice sse_window_subject(const struct sse_window *w, uint32_t index);

#endif
