/*
 * chains.h - do the chains of all event streams hold? Records in, findings out; nothing is read.
 *
 * The records of ES are given in their order, from the first on; the end of every event stream is
 * kept. Of each record it is asked: is it an event; is its number the next one of its stream (else
 * some are missing, or swapped, or there twice); do `before`, `skip` and `leaf` name what they
 * must, and Nonet-Tagged the last one with each tag; does the chain hold (else it, or the one
 * before it, was changed). After a finding a stream is taken up where it goes on, so that one
 * change is one finding and not one for every event behind it.
 *
 * WHAT HAS BEEN TAKEN OUT by limits and deletion (life.h) is not missing: of such an event stream
 * its life is given first, and the chain is taken up where the life says. Of the skeleton below
 * that nothing can be checked but that it belongs there. How many records were taken out of all of
 * ES is known, so that others which are missing are found at the end of a stream as well.
 *
 * THE NOTES OF TAGS (tags.h) are given at the end: each must name a record that is not before the
 * last one with the tag, and count no fewer than there are; else conditions would pass over some.
 *
 * Who gives the records: a serving node (verify.h), or the log of one that does not run
 * (verify_closed.c). Costs about 250 bytes for each event stream, 100 for each tag.
 */
#ifndef NONET_EVENTS_CHAINS_H
#define NONET_EVENTS_CHAINS_H

#include "base/error.h"
#include "base/map.h"
#include "rooms/events/life.h"

struct events_report {
    uint64_t events, streams, findings;
};

struct chains {
    struct map ends;         /* subject -> struct end */
    struct map tags;         /* tag -> struct tag_seen */
    uint64_t next;           /* the position behind the last record */
    uint64_t since;          /* notes_since: up to it events have left none */
    bool gaps;               /* there are positions without a record: what was there nobody knows */
    uint64_t holes, missing; /* such positions; events that findings have told of already */
    struct events_report report;
    void (*found)(void *self, const struct error *finding);
    void *self;
};

/* FOUND(self, finding): "order-42@3 (position 17): what is wrong with it". */
void chains_begin(struct chains *chains, struct hash_key key,
                  void (*found)(void *self, const struct error *finding), void *self);
void chains_free(struct chains *chains);
/* The event stream SUBJECT has LIFE; before its first record. 0 or -ENOMEM. */
must_use int chains_life(struct chains *chains, slice subject, const struct life *life);
/* Has SUBJECT had a record, or a life, yet? */
bool chains_know(const struct chains *chains, slice subject);
/* The next record of ES. 0 or -ENOMEM. */
must_use int chains_record(struct chains *chains, const struct log_record *record);
/* After the last record: a tag that has been met, and its note. Start with *CURSOR = 0; false: that
   was the last. TAG is valid until chains_free. */
bool chains_next_tag(const struct chains *chains, size_t *cursor, slice *ret_tag);
/* TEXT: of its note; empty: there is none. */
void chains_tag(struct chains *chains, slice tag, slice text);
/* The next position has no record. */
void chains_hole(struct chains *chains);
/* That was all, and REMOVED records have been taken out. */
void chains_end(struct chains *chains, uint64_t removed);
/* There is a record at POSITION, and nobody can read it. */
void chains_unreadable(struct chains *chains, uint64_t position);

#endif
