/*
 * stream_reader.h - reads a durable stream in order, from a sequence on, by requests over the bus.
 *
 *     OPENING --consumer made, on_open--> OPEN --stream_reader_pull--> PULLING --on_batch--> OPEN
 *        ^                                  '--stream_reader_follow--> FOLLOWING
 *        '--------- not heard of any more, out of order, deleted ----------'
 *
 * A reader has an ephemeral consumer without acknowledgements, kept in memory by the engine, so one
 * costs no write. A follower asks for more by itself and makes a new consumer where it was when
 * anything is amiss; messages come in order, each once, none left out that the stream still has.
 * Whoever pulls has his own bounds: nothing comes that was not asked for.
 *
 * Callbacks are the last thing that a reader does in a turn: it may be closed and freed by them.
 *
 * BOUNDS. An INBOX, one a loop, has any number of readers. A follower is never sent more than
 * STREAM_READER_BATCH messages ahead of what it has taken; a request that gets no answer is asked
 * again STREAM_READER_FAILURES_MAX times, then on_lost is called.
 */
#ifndef NONET_GATEWAY_STREAM_READER_H
#define NONET_GATEWAY_STREAM_READER_H

#include "base/map64.h"
#include "bus/request.h"
#include "wire/json.h"

#define STREAM_READER_BATCH 512u
#define STREAM_READER_FAILURES_MAX 5u

struct stream_inbox {
    struct bus *bus;
    struct bus_subscription *subscription; /* NULL: not open */
    struct map64 readers;
    uint64_t last_id;
    struct json_doc doc;
    size_t prefix_len;
    char prefix[40];
};
/* 0, -ENOBUFS or -ENOMEM. */
must_use int stream_inbox_open(struct stream_inbox *inbox, struct bus *bus);
void stream_inbox_close(struct stream_inbox *inbox); /* no reader is left */

struct stream_reader;

struct stream_reader_events {
    /* It begins with FIRST: not what was asked for where that lies outside the stream. Called again
       when the reader had to begin anew: what it was told to do is to be said again. */
    void (*on_open)(struct stream_reader *reader, uint64_t first);
    void (*on_message)(struct stream_reader *reader, uint64_t sequence,
                       const struct bus_message *message);
    /* The pull is over. END: there was nothing more just now. */
    void (*on_batch)(struct stream_reader *reader, bool end);
    /* It is closed: the stream is gone, or does not answer. */
    void (*on_lost)(struct stream_reader *reader);
};

struct stream_reader {
    struct stream_inbox *inbox; /* NULL: closed */
    const struct stream_reader_events *events;
    slice stream, filter;
    uint64_t id;
    uint64_t from;      /* sequence that comes next at the earliest; 0: behind the last one */
    uint64_t delivered; /* number of the consumer's last message */
    struct bus_request *opening;
    unsigned wanted;     /* messages asked for and not come */
    uint64_t bytes_left; /* of a pull */
    bool bytes_limited, got_some, follows, open;
    unsigned failures;
    uint64_t heard_ns;
    struct io_timer watch;
    char consumer[64];
};

/* STREAM and FILTER (empty: all) must live as long as the reader is open. FROM 0: what comes after
   now. Never calls back from inside. 0 or -ENOMEM: it is not open. */
must_use int stream_reader_open(struct stream_reader *reader, struct stream_inbox *inbox,
                                const struct stream_reader_events *events, slice stream,
                                slice filter, uint64_t from);
/* In or after each on_open: everything, as it comes. */
void stream_reader_follow(struct stream_reader *reader);
/* In or after each on_open, while no other pull is under way: up to COUNT messages of BYTES
   altogether, but one whatever its size. May call back from inside. */
void stream_reader_pull(struct stream_reader *reader, unsigned count, uint64_t bytes);
void stream_reader_close(struct stream_reader *reader); /* harmless where it is closed */

#endif
