/*
 * engine.h - event streams on the stream shard: the inside, for the files of this folder.
 *
 *     POST /v1/streams/.. --(events.c)--.
 *                                       +--> JOBS, one after another --> one batch of ES --> answer
 *     PUB es.order.42 (any client) -----'      |
 *                                              '-- HEADS: where each event stream ends
 *
 * An append is judged against the HEAD of each event stream that it names: how many events it has,
 * the chain so far, and the last record's path of nodes (record.h). A head is read from the log
 * once (the few records of its path) and then kept, the least used going first. Heads of waiting
 * jobs are read side by side; jobs are judged strictly in the order in which they came, each when
 * all its heads are there, so what one has appended the next one sees, on disk or not yet.
 *
 * A judgement that has to read older records (has this id been there?) is done again from where it
 * stood when the block has come; meanwhile all others wait. That happens only where somebody
 * repeats an append.
 *
 * BOUNDS. ENGINE_JOBS_MAX waiting jobs and ENGINE_JOB_BYTES_MAX bytes in them: 429. HEADS_MAX heads
 * that nobody needs are kept. HEADS_IDS_MAX digests of leaves in memory: see head_knows_leaves.
 */
#ifndef NONET_EVENTS_ENGINE_H
#define NONET_EVENTS_ENGINE_H

#include "base/list.h"
#include "base/map.h"
#include "base/map64.h"
#include "bus/streams.h"
#include "rooms/events/record.h"
#include "wire/json.h"

#define ENGINE_STREAM "ES"
#define ENGINE_JOBS_MAX 65536u
#define ENGINE_JOB_BYTES_MAX ((size_t)128 << 20)
#define HEADS_MAX 65536u
#define HEAD_PATH_MAX 64u
#define HEADS_IDS_MAX ((size_t)16 << 20)

struct job;

struct engine {
    struct io_loop *loop;
    struct bus *bus;
    struct streams *streams;
    struct logger *logger;
    struct log_stream *known; /* whose heads these are */
    int64_t known_created_ns;
    struct map heads;            /* subject -> struct head */
    struct list idle;            /* heads without a job, least used first */
    size_t head_count, leaf_ids; /* of idle heads; of all */
    struct list jobs;
    size_t job_count, job_bytes;
    unsigned committing; /* jobs on their way to the disk */
    struct io_task pump;
    struct list unseen;     /* fetches that wait for something to become visible */
    struct list reads_open; /* read.c */
    unsigned read_count;
    bool creating, closed, publishing;
    struct hash_key hash_key;
    struct bus_subscription *appends, *reads; /* requests from other loops */
    struct json_doc doc;                      /* the read being read */
};

/* ES, or NULL where it is not there yet. */
struct stream *engine_stream(const struct engine *engine);
must_use int engine_create(struct io_loop *loop, struct bus *bus, struct streams *streams,
                           struct logger *logger, struct engine **ret_engine);
/* Waiting appends and reads are refused; what is being committed ends by itself. */
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

/* --- fetch: one record, from wherever it is (fetch.c) ------------------------------------- */

struct fetch {
    struct list_node node; /* in engine->unseen */
    struct engine *engine;
    struct log_load load;
    struct io_timer again;
    bool loading;
    void (*done)(struct fetch *fetch); /* ask again now */
};
void fetch_init(struct fetch *fetch, struct engine *engine, void (*done)(struct fetch *fetch));
/* The event at SEQUENCE, valid until the loop's next turn or the next fetch. 0; -EINPROGRESS: done
   is called, later; -EBADMSG: it cannot be read, or is no event. */
must_use int fetch_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
                         struct event *ret_event);
void fetch_cancel(struct fetch *fetch);

/* --- heads (heads.c) ---------------------------------------------------------------------- */

/* A record of the last one's path; `ids` where it lies behind the last leaf. */
struct head_node {
    uint64_t number, sequence;
    uint64_t *ids;
    unsigned id_count;
};

enum head_state { HEAD_LOADING, HEAD_READY, HEAD_FAILED };

struct head {
    struct list_node node; /* in engine->idle */
    struct engine *engine;
    enum head_state state;
    unsigned refs;
    uint64_t number; /* events; 0: there is no such event stream */
    unsigned char chain[EVENT_CHAIN_BYTES];
    struct head_node path[HEAD_PATH_MAX]; /* the oldest first */
    unsigned path_count;
    struct fetch fetch;
    uint64_t next;       /* while it loads: the record to read, 0 = none */
    struct map64 leaves; /* digest -> struct leaf_place */
    uint64_t leaf_next;  /* the leaf to read for it; 0 = all are there */
    bool leaves_begun;
    bool stale; /* of a stream ES that has been deleted: not in the map any more */
    slice subject;
    char text[];
};

/* The head of SUBJECT, counted; it may still be loading. NULL: no memory. */
struct head *head_take(struct engine *engine, slice subject);
void head_give(struct head *head); /* NULL allowed */
void heads_forget(struct engine *engine);

/* 0: head->leaves knows all ids in leaves. -EINPROGRESS: FETCH's done is called, later. -EBADMSG,
   -ENOMEM, -ENOBUFS (HEADS_IDS_MAX). */
must_use int head_knows_leaves(struct head *head, struct fetch *fetch);

/* A head as it would be with more events; committed by head_become. */
struct draft {
    struct head *head;
    uint64_t number;
    unsigned char chain[EVENT_CHAIN_BYTES];
    struct head_node path[HEAD_PATH_MAX];
    unsigned path_count;
};
void draft_begin(struct draft *draft, struct head *head);
/* Fills in EVENT's place and ids (text in IDS), to be stored as SEQUENCE. GIVEN: its id is the
   client's. 0 or -ENOMEM. */
must_use int draft_place(struct draft *draft, struct event *event, uint64_t sequence, bool given,
                         struct buf *ids);
/* After event_write: its chain is the draft's. */
void draft_chain(struct draft *draft, const struct event *event);
void head_become(struct head *head, struct draft *draft);
void draft_drop(struct draft *draft);

/* --- looking back (lookup.c) -------------------------------------------------------------- */

/* From the record EVENT to one with number TARGET (below EVENT's): the next record to read. */
uint64_t event_hop(const struct event *event, uint64_t target);

/* Has an event with this id, given by a client, been in the stream? Begin with zeros but `id`. */
struct lookup {
    slice id;
    uint64_t digest, at, stop;
    enum { LOOKUP_BEGIN, LOOKUP_CHECK, LOOKUP_SCAN } phase;
    uint64_t number, sequence; /* where it was found */
};
/* 0: it has. -ENOENT, -EINPROGRESS (FETCH's done is called, later), -EBADMSG, -ENOMEM, -ENOBUFS. */
must_use int lookup_step(struct lookup *lookup, struct head *head, struct fetch *fetch);

#endif
