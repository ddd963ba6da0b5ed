/*
 * changelog.h - a materialized view tells its changes over NATS, on `view.NAME` (of another schema
 * than public: `view.SCHEMA.NAME`), one message a row that comes or goes; a sink on the subject
 * that it names, in the form that it asks for (told.h).
 *
 *     Nonet-Op: insert | delete | reset      Nonet-Position: 4711     {"auction":1,"price":120}
 *     Nonet-Change: 18                       Nonet-Step: 2/3
 *
 *     OFF --somebody is interested--> LOOKING --nobody captures it--> LIVE
 *                                        |  '--a stream does--> FOLDING --read, compared--> KEPT
 *                                        '<------- another stream, an error, too much waits ---'
 *
 * Nothing is published where nobody listens. Where a stream captures the subject, this holds, also
 * after kill -9: the fold of its messages is the view. For before anything is told, what the stream
 * has is folded and compared with the view, and the difference is the first step; from then on each
 * step is appended by the node itself (changelog_server.h), in one commit as far as it fits into
 * TELL bytes. No publisher beside it may write there (bus/private.h). A stream that has
 * nothing, or has let go of its beginning, begins anew: `reset`, then all rows.
 *
 * The view never waits: what waits to be told has at most `told_bytes` of the database, beyond that
 * it is dropped. LIVE then has a gap in Nonet-Change; KEPT is LOOKING again, and tells the
 * difference.
 */
#ifndef NONET_STREAM_CHANGELOG_H
#define NONET_STREAM_CHANGELOG_H

#include "rooms/stream/inside.h"

struct changelog;

/* Of VIEW, which is in the catalog by TABLE. 0 or -ENOMEM. */
must_use int changelog_new(struct database *db, struct view *view, const struct sql_table *table,
                           struct changelog **ret);
/* TABLE stands in the place of the view's table from now on, with the same columns. */
void changelog_move(struct changelog *c, const struct sql_table *table);
struct changelog *changelog_free(struct changelog *c); /* NULL allowed; returns NULL */
struct changelog_status {
    const char *state; /* off (nobody listens), looking, live, reading, stored */
    slice stream;      /* that it is stored in; empty: none */
    uint64_t told;     /* messages, as Nonet-Change counts them */
    uint64_t waiting;  /* bytes that wait to be told */
    const char *why;   /* it waits, after an error; "": none */
};
struct changelog_status changelog_status(const struct changelog *c);
/* TABLE's, which is a view: rows of it change. */
void changelog_changed(struct changelog *c, const struct sql_batch *batch);
/* Readers see what has changed. */
void changelogs_show(struct database *db);
/* OLDEST, or the moment that is still read of some view, where it is older. */
uint64_t changelogs_oldest(const struct database *db, uint64_t oldest);
/* Those who began to listen are looked for, now and then. */
void changelogs_look(struct database *db);

#endif
