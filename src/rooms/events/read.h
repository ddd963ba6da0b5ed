/*
 * read.h - reading events: of one event stream, or of all, in lines of JSON.
 *
 *     {"stream":"order-42","revision":3,"position":1007,"id":"..","type":"Placed","source":"..",
 *      "time":"..","tags":[..],"metadata":{..},"attributes":{..},"data":{..},"chain":".."}
 *
 * A READ is one page. Of an event stream: the records are found by the path that they lead
 * themselves (record.h), so a page costs what it holds, however long the stream is and whatever
 * lies in between. Of all: the stream ES is gone through from a position on, and what does not
 * match is passed over, at most READ_LOOKS_MAX records a page; a page may therefore be empty and
 * still say where to go on. At the end a read may wait for more.
 *
 * From a time or a position on an event stream is searched by the same path (lookup.h).
 *
 * Backwards events with tags are found by the chains of the tags (walk.h), so there, too, a page
 * costs about what it holds. `last` of a page backwards is where ES ended when it began: what is
 * not on it, or on the pages behind it, has come later.
 *
 * What is gone (life.h) is not shown, whether its record is still in the log or not.
 *
 * BOUNDS. READ_EVENTS_MAX events, READ_BYTES_MAX bytes a page (an event above that is a page of its
 * own), READS_MAX reads under way (429), READ_WAIT_MAX_NS of waiting.
 */
#ifndef NONET_EVENTS_READ_H
#define NONET_EVENTS_READ_H

#include "rooms/events/engine.h"

#define READ_EVENTS_MAX 1000u
#define READ_EVENTS_DEFAULT 100u
#define READ_BYTES_MAX (4u << 20)
#define READ_LOOKS_MAX 100000u
#define READ_FILTERS_MAX 16u
#define READS_MAX 16384u
#define READ_WAIT_MAX_NS UINT64_C(60000000000)

struct read_options {
    slice subject;  /* of an event stream; empty: all events */
    slice category; /* of all: "es.CATEGORY"; empty: every one */
    slice types[READ_FILTERS_MAX], tags[READ_FILTERS_MAX]; /* one of the types, all of the tags */
    unsigned type_count, tag_count;
    uint64_t from;        /* revision, or position, of the first; backwards UINT64_MAX: the last */
    int64_t from_time_ns; /* not 0: the first at or after it, instead of FROM; of the commit */
    uint64_t from_position; /* not 0, of an event stream: the first at or after it, likewise */
    bool backwards;
    bool cloudevents; /* lines are CloudEvents (event_json.h) */
    /* An audit, of all, forwards: lines say who did what; empty, 0: whoever, for ever. */
    bool audit;
    slice actor, correlation;
    int64_t to_time_ns;    /* not this one any more */
    unsigned limit;        /* events; 0 = READ_EVENTS_DEFAULT */
    uint64_t wait_ns;      /* forwards: until there is at least one event */
    uint64_t position_min; /* not before ES has got so far */
};

struct read_end {
    unsigned status;    /* 200; 404 no such event stream; 410 deleted for ever; 429; 500; 503; 504
                           position_min has not come */
    const char *detail; /* of a status that is no 200 */
    slice lines;        /* one a line, each ended by '\n' */
    unsigned count;
    uint64_t next;  /* where the next page begins: revision or position; backwards UINT64_MAX
                       where this was the last */
    bool caught_up; /* forwards: nothing is behind this page */
    uint64_t first; /* revision of the first event that is kept; of all: 0 */
    uint64_t last;  /* revision of the event stream's last event; of all: position of the last */
};

/* The bytes of the texts of OPTIONS; and OPTIONS with its texts copied to *AT, which moves on. */
size_t read_options_bytes(const struct read_options *options);
struct read_options read_options_store(const struct read_options *options, char **at);

/* DONE comes once, from inside perhaps. Texts are copied. */
void events_read(struct engine *engine, const struct read_options *options,
                 void (*done)(void *self, const struct read_end *end), void *self);
/* ES has new events for readers. */
void reads_wake(struct engine *engine);
void reads_close(struct engine *engine);

#endif
