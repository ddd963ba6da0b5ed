/*
 * heads.h - where each event stream ends, and how it would with more events.
 *
 *     LOADING --its life, the records of the path, by their skip fields--> READY
 *        '------one of them cannot be read-----------------------------> FAILED (until nobody
 *                                                                         needs it)
 *
 * A DRAFT is a head as it would be with more events: they get their numbers, places and ids from
 * it, one by one, and the head becomes it once they are in the log, or stays as it is.
 */
#ifndef NONET_EVENTS_HEADS_H
#define NONET_EVENTS_HEADS_H

#include "base/arena.h"
#include "base/map64.h"
#include "rooms/events/fetch.h"
#include "rooms/events/life.h"

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
    int failed; /* why: -EBADMSG, -ENOMEM */
    unsigned refs;
    uint64_t number;        /* events; 0: there is no such event stream */
    struct life *life;      /* NULL: it has none; see head_life */
    unsigned life_changing; /* changes of it that are not on disk: readers wait for them */
    unsigned char chain[EVENT_CHAIN_BYTES];
    struct head_node *path; /* the oldest first */
    unsigned path_count, path_room;
    struct fetch fetch;
    bool life_known;     /* while it loads */
    uint64_t next;       /* while it loads: the record to read, 0 = none */
    struct map64 leaves; /* digest -> sequence of its leaf */
    uint64_t leaf_next;  /* the leaf to read for it; 0 = all are there */
    bool leaves_begun;
    bool stale; /* of a stream ES that has been deleted: not in the map any more */
    slice subject;
    char text[];
};

/* The head of SUBJECT, counted; it may still be loading. NULL: no memory. */
struct head *head_take(struct engine *engine, slice subject);
void head_give(struct head *head); /* NULL allowed */

/* Can its events be read? 0: it is there, and so are they. -EAGAIN: that is not known yet, ask
   again when the pump has run; -ENOENT: there is no such event stream, or it is deleted; -EIDRM:
   for ever; -EBADMSG, -ENOMEM. */
must_use int head_alive(const struct head *head);
/* Where its last event is, its last leaf (0: it has none). Of one that has events. */
uint64_t head_last(const struct head *head);
uint64_t head_last_leaf(const struct head *head);
/* What of it is kept; valid until it is changed. */
const struct life *head_life(const struct head *head);
/* Copies LIFE into the room that head_make_life has made: 0 or -ENOMEM. */
must_use int head_make_life(struct head *head);
void head_set_life(struct head *head, const struct life *life);
/* Up to which number its events are gone. */
uint64_t head_gone(const struct head *head);
/* Is event NUMBER of SUBJECT, committed at TIME_NS, gone (life.h)? 0 or 1; -EAGAIN: its head is
   being read, and is *HELD, to be given back; ask again when the pump has run; -EBADMSG, -ENOMEM.
   Costs a look at the notes where the stream has no life. */
must_use int head_hides(struct engine *engine, slice subject, uint64_t number, int64_t time_ns,
                        struct head **held);

/* 0: head->leaves knows all ids in leaves. -EINPROGRESS: FETCH's done is called, later. -EBADMSG,
   -ENOMEM, -ENOBUFS (HEADS_IDS_MAX). */
must_use int head_knows_leaves(struct head *head, struct fetch *fetch);

/* A head as it would be with more events; committed by head_become. */
struct draft {
    struct head *head;
    uint64_t number;
    unsigned char chain[EVENT_CHAIN_BYTES];
    struct head_node *path; /* in the arena */
    unsigned path_count;
};
/* For COUNT events. 0 or -ENOMEM. */
must_use int draft_begin(struct draft *draft, struct head *head, unsigned count,
                         struct arena *arena);
/* Fills in EVENT's place and ids (text in IDS), to be stored as SEQUENCE. GIVEN: its id is the
   client's. 0 or -ENOMEM. */
must_use int draft_place(struct draft *draft, struct event *event, uint64_t sequence, bool given,
                         struct buf *ids);
/* After event_write: its chain is the draft's. */
void draft_chain(struct draft *draft, const struct event *event);
void head_become(struct head *head, struct draft *draft);
void draft_drop(struct draft *draft);

#endif
