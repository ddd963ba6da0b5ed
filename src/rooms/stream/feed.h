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
    /* A slice has been pushed. 0; or < 0: it has failed, and feeds_close was called. */
    int (*step)(void *self);
    /* Streams that were not there have been looked for; perhaps they are not there still. */
    void (*looked)(void *self);
    /* Nothing more comes: WHY. Close the feeds, perhaps from inside. */
    void (*failed)(void *self, const struct sql_error *why);
    void *self;
};
/* Of the executor's inputs, those over streams. NULL in *RET: there are none. */
must_use int feeds_open(const struct feeds_options *options, struct feeds **ret,
                        struct sql_error *error);
struct feeds *feeds_close(struct feeds *f); /* also from inside its calls; NULL allowed */

struct feeds_status {
    uint64_t position; /* of the log up to which records are in */
    uint64_t lag;      /* records that are not */
    uint64_t late_rows, bad_records;
    bool live; /* all of them are at their ends */
};
struct feeds_status feeds_status(const struct feeds *f);

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
