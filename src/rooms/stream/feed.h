/*
 * feed.h - the streams of one view: read, decoded, and pushed into its executor.
 *
 *   table bid     (subject nexmark.bid)     ─┐
 *   table auction (subject nexmark.auction) ─┴─ stream NEXMARK ── one read ──┐
 *   table rates   (stream RATES)            ─── stream RATES ──── one read ──┴─ by commit position
 *
 * Tables over one stream share one read, so that their records come as they were published; records
 * of several streams come in the order of their commits, as far as there are records of each. What
 * can be pushed at once is a SLICE (at most a piece of each read); then the view ends its step, and
 * more is asked for. A stream that is not there yet is looked for again and again.
 *
 * A record that does not fit its table is counted and passed over.
 *
 * Between slices, how far all of it is can be saved as bytes, and feeds of the same plan go on from
 * there: nothing is read twice, nothing left out.
 *
 * LATE ROWS. Only a plan that closes windows lets go of rows: those older than the newest of their
 * table before them by more than its watermark's delay. That depends on nothing but the order of
 * the records.
 */
#ifndef NONET_STREAM_FEED_H
#define NONET_STREAM_FEED_H

#include "rooms/stream/ledger.h"
#include "rooms/stream/position.h"
#include "sql/exec/exec.h"

struct feeds;
struct feeds_options {
    struct ledger *ledger;
    struct io_loop *loop;
    struct sql_exec *exec;
    const struct sql_plan *plan;
    const struct sql_settings *settings;
    slice saved; /* by feeds_save, to go on from; empty: from the beginning */
    /* A slice has been pushed. 0; or < 0: it has failed, and feeds_close was called. */
    int (*step)(void *self);
    /* Streams that were not there have been looked for; perhaps they are not there still. */
    void (*looked)(void *self);
    /* Nothing more comes: WHY. Close the feeds, perhaps from inside. */
    void (*failed)(void *self, const struct sql_error *why);
    void *self;
};
/* Of the executor's inputs, those over streams. NULL in *RET: there are none. XX001: `saved` is not
   of these. */
must_use int feeds_open(const struct feeds_options *options, struct feeds **ret,
                        struct sql_error *error);
struct feeds *feeds_close(struct feeds *f); /* also from inside its calls; NULL allowed */

struct feeds_status {
    uint64_t position; /* of the log up to which records are in */
    uint64_t lag;      /* records that are not */
    uint64_t late_rows, bad_records;
    uint64_t read; /* bytes of records since they were opened */
    bool live;     /* all of them are at their ends */
    /* Half of what some stream still has is newer than what feeds_kept was told of: soon it will
       have let go of records that are nowhere else. */
    bool hurry;
};
struct feeds_status feeds_status(const struct feeds *f);

/* No slice comes while they are held, never from inside `step`; a piece that comes waits. */
void feeds_hold(struct feeds *f, bool held);
/* Appends where they are, from inside `step` or between slices. 0 or -ENOMEM. */
must_use int feeds_save(struct feeds *f, struct buf *out);
void feeds_kept(struct feeds *f); /* what feeds_save gave last is on disk */
/* The streams that SAVED tells of, each in turn, from *CURSOR 0 on: is it there, as it was then, it
   can be gone on with. False at the end, or where SAVED is damaged. */
struct feeds_saved {
    slice stream;
    int64_t created_ns;
    uint64_t last; /* sequence that is in */
    bool shown;    /* it is read as its judge shows it: `events` */
};
bool feeds_saved_next(slice saved, unsigned *cursor, struct feeds_saved *ret);

/* Calls DONE, once, never from inside, when all that the log has now of the streams is in. Not
   called after feeds_close. 0 or -ENOMEM. */
must_use int feeds_wait(struct feeds *f, void (*done)(void *self), void *self);
/* What is missing of POSITIONS: a stream, and how far it is in. */
struct feeds_lack {
    slice stream; /* of the feed, or of POSITIONS; empty: one is still looked for */
    uint64_t has;
};
/* Is all up to POSITIONS in? A stream that is not there counts as none of them once it has been
   looked for after SINCE_NS (of the loop's clock), which this begins where it has to. */
bool feeds_reached(struct feeds *f, const struct positions *positions, uint64_t since_ns,
                   struct feeds_lack *ret_lack);
/* A slice has been seen by all: waits may end now. */
void feeds_look(struct feeds *f);

#endif
