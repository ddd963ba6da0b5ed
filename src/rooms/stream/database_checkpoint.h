/*
 * database_checkpoint.h - the database at one moment, in stream SQL, so that a start need not read
 * all history and what is before it can be let go.
 *
 *     … changes │ begin catalog… │ rows  change  rows  change  change  rows  end │ changes …
 *               └ the moment     └── the copy, a piece a turn, among what is committed meanwhile
 *
 *     _NONET.sql.checkpoint.begin     u32 version | u32 free OID | objects of the catalog (image.h)
 *     _NONET.sql.checkpoint.catalog   more objects; all of them in one commit with `begin`
 *     _NONET.sql.checkpoint.rows      u32 OID | u64 next id | ( u64 id | u32 length | row ) …
 *     _NONET.sql.checkpoint.end       u32 version | u64 sequence of `begin` | u64 entries | u64
 *                                     bytes, of all parts before this one
 *
 * `begin` is sent when no transaction and no definition is on its way, and everything sent later
 * comes behind it in the stream: so its place there is the moment that the copy shows. Rows are
 * read as they were seen at that moment, and tables that are dropped or rewritten meanwhile are
 * held until they are copied.
 *
 * READING BACK (recover.c). The newest `end` tells where its `begin` is. The parts between are read
 * first, without what lies among them; then all changes and definitions behind `begin`. A copy
 * that was not finished has no `end`, and is passed over.
 *
 * WHEN. More has come since the last one than CHECKPOINT_BYTES_MIN and twice what that took: so
 * stream SQL takes at most about four times what the tables do, and an hour of writing costs at
 * most half an hour's worth of copying.
 */
#ifndef NONET_STREAM_DATABASE_CHECKPOINT_H
#define NONET_STREAM_DATABASE_CHECKPOINT_H

#include "rooms/stream/inside.h"

#define CHECKPOINT_PREFIX LEDGER_PREFIX "checkpoint."
#define CHECKPOINT_END CHECKPOINT_PREFIX "end"
#define CHECKPOINT_BYTES_MIN ((uint64_t)16 << 20)

must_use struct database_checkpoint *
database_checkpoint_new(struct database *db); /* NULL: no memory */
struct database_checkpoint *
database_checkpoint_free(struct database_checkpoint *c); /* NULL allowed, returns NULL */

/* BYTES of changes or definitions have been sent, or were found behind the last checkpoint. */
void database_checkpoint_grow(struct database_checkpoint *c, uint64_t bytes);
/* Nothing is on its way to the disk: one begins here, if it is time. */
void database_checkpoint_look(struct database_checkpoint *c);
/* The moment whose rows are still to be read; UINT64_MAX: none. */
uint64_t database_checkpoint_moment(const struct database_checkpoint *c);

/* PAYLOAD is that of the newest `end`: the sequence of its `begin`, to read the parts from. */
must_use int database_checkpoint_found(struct database_checkpoint *c, slice payload,
                                       uint64_t *ret_begin, struct error *error);
/* The next part. 1: that was the last, and the database is as it was then; 0: there is more. */
must_use int database_checkpoint_part(struct database_checkpoint *c,
                                      const struct ledger_record *part, struct error *error);
/* The database has been read back: what is before the checkpoint it was read from is let go. */
void database_checkpoint_ready(struct database_checkpoint *c);

#endif
