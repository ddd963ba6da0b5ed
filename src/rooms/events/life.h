/*
 * life.h - what of an event stream is kept, and whether there is one. Pure.
 *
 *     never appended --append--> ALIVE --delete--> DELETED --append--> ALIVE
 *                                  '------'-----permanent-----> TOMBSTONED, for ever
 *
 * NUMBERS are those of record.h, revision + 1; "up to" a number means it and all below. Up to
 * life_gone() an event stream's events are gone: nobody reads them any more. That only rises, but
 * for max_age, which goes by the time of the commit: who reads asks life_expired as well.
 *
 * SWEPT. Events that are gone are taken out of the log a while later (sweep.h), the oldest first,
 * up to `swept`. The skeleton stays: the records of the head's path and the leaves (record.h), by
 * which everything else is found, ids for ever with it. What of the path lies between two leaves is
 * in `kept`, to be taken out once it is on the path no more. The first event that is still there
 * has its chain from `chain`, the one of event number `swept`.
 *
 * A LIFE is a note (notes.h) of the event stream, JSON; a stream without one keeps everything.
 */
#ifndef NONET_EVENTS_LIFE_H
#define NONET_EVENTS_LIFE_H

#include "rooms/events/record.h"

#define LIFE_KEPT_MAX 16u /* more than the path has between two leaves */

enum expect {
    EXPECT_ANY,
    EXPECT_NONE,
    EXPECT_EXISTS,
    EXPECT_REVISION,
    EXPECT_DELETED,
    EXPECT_TOMBSTONED,
};
/* "any", ... of each but EXPECT_REVISION; NULL past the last. */
const char *expect_word(unsigned expect);
/* Reads one of these words, or the digits of a revision. 0 or -EINVAL. */
must_use int expect_read(slice text, enum expect *ret_expect, uint64_t *revision);

enum life_state { LIFE_NEVER, LIFE_ALIVE, LIFE_DELETED, LIFE_TOMBSTONED };

struct life {
    uint64_t version;         /* changes that somebody has asked for; 0: none */
    uint64_t max_count;       /* events; 0: all of them */
    uint64_t max_age_ns;      /* since the commit; 0: for ever */
    uint64_t truncate_before; /* a revision, so: up to this number they are gone */
    uint64_t floor;           /* what was gone when the limits were others */
    uint64_t deleted;         /* the number of events when it was deleted last; 0: never */
    bool tombstoned;          /* then for ever */
    uint64_t swept;
    unsigned char chain[EVENT_CHAIN_BYTES];
    uint64_t mark; /* sweep.h: by which it is found again after a start; 0: it has none */
    bool clean;    /* of a tombstoned one: its skeleton is taken out, too */
    struct {
        uint64_t number, sequence;
    } kept[LIFE_KEPT_MAX];
    unsigned kept_count;
};

/* NUMBER: the event stream's last, 0 where nothing was ever appended. */
enum life_state life_state(const struct life *life, uint64_t number);
/* Up to which number events are gone. */
uint64_t life_gone(const struct life *life, uint64_t number);
/* Is an event that was committed at TIME_NS too old? */
bool life_expired(const struct life *life, int64_t time_ns, int64_t now_ns);
/* Is the event stream as expected? WRITES: something is to be changed by it, else it is a check
   alone. (Anchors 2.1.) */
bool life_fits(const struct life *life, uint64_t number, enum expect expect, uint64_t revision,
               bool writes);

/* What somebody may ask for. Each counts as a version. */
struct life_limits {
    uint64_t max_count, max_age_ns, truncate_before;
};
void life_limit(struct life *life, uint64_t number, const struct life_limits *limits);
void life_delete(struct life *life, uint64_t number);
void life_tombstone(struct life *life, uint64_t number);

/* Has the sweep something to do with it, now or as events come and grow old? */
bool life_works(const struct life *life, uint64_t number);

/* Up to which number there is something to be taken out at once: what limits by count keep anyway
   may wait until it is LIFE_SLACK events, or max_count. */
#define LIFE_SLACK 1024u
uint64_t life_sweeps(const struct life *life, uint64_t number);

/* The note. Read: 0, -EBADMSG (it is no life), -ENOMEM. Written: 0, -ENOMEM. */
must_use int life_read(slice text, struct life *ret_life);
must_use int life_write(const struct life *life, struct buf *out);
/* The subject of the life of the event stream with SUBJECT ("es.order.42"). 0 or -ENOMEM. */
must_use int life_subject(slice subject, struct buf *out);

#endif
