/*
 * aside.h - records that a table over a stream cannot take, laid aside with their reason: dead
 * letters (WITH (dead_letter = …)) and late rows (WITH (late_rows = …)).
 *
 *   stream of the table ── read once more, each column judged ── fits, in time ──> nothing
 *                             |-- does not fit ──> dead_letter, a subject   (sql.dead.TABLE)
 *                             '-- late by the watermark ──> late_rows       (sql.late.TABLE)
 *
 * One reader a table, beside the views of it: however many views read the table, and whichever of
 * its columns, a record is laid aside once, by the table's definition alone.
 *
 *     headers    Nonet-Table, Nonet-Stream, Nonet-Sequence, Nonet-Subject, Nonet-Time of the
 * record; Nonet-Column (where it is of one), Nonet-SQLSTATE, Nonet-Reason; then its own Nats-Msg-Id
 * OID:STREAM:SEQUENCE        payload    the record's
 *
 * EXACTLY ONCE. How far a table is judged is noted in stream SQL_JUDGED (sql.judged.OID, the newest
 * one only), after what was laid aside up to there is on disk. A reader that begins goes on behind
 * its note, and reads in the targets what has been laid aside since that note, so that a kill
 * between the two doubles nothing. Without its note a reader judges from the beginning.
 *
 *   NOTE ──> TAIL of each target ──> READ <──> SEND one after another ──> NOTED ──> READ
 *     '----------'--- no answer, no stream: everything again after a pause -----'
 *
 * A target is captured by some durable stream; SQL_DEAD and SQL_LATE, for the subjects that are
 * theirs without a choice, are made when they are needed, with at most ASIDE_STREAM_BYTES each (the
 * oldest go).
 */
#ifndef NONET_STREAM_ASIDE_H
#define NONET_STREAM_ASIDE_H

#include "rooms/stream/inside.h"

#define ASIDE_STREAM_BYTES (UINT64_C(1) << 30)

/* nonet_dead_letters and nonet_late_rows, tables over SQL_DEAD and SQL_LATE, into the catalog. */
must_use int aside_tables_define(struct database *db);

struct asides;
/* Of all tables of the catalog that ask for it, those to come, too, once DB is ready. */
must_use int asides_open(struct database *db, struct bus *bus, struct asides **ret);
struct asides *asides_close(struct asides *a); /* NULL allowed, returns NULL */

#endif
