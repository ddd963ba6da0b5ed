/*
 * ledger.h - what the database asks of the log, from its own loop: commits of stream SQL, and the
 * records of any stream, in big pieces.
 *
 *      database's loop                       stream shard
 *   ledger_commit ── _NONET.SQL.commit ──> stream_append_all -> on disk ──> done
 *   ledger_read   ── _NONET.SQL.read ────> a piece of records (up to LEDGER_PIECE_BYTES),
 *                                          or, at the end, what comes next
 *   ledger_trim   ── _NONET.SQL.trim ────> what stream SQL does not need any more is let go
 *
 * Stream SQL is the node's own (nobody else writes to it or changes it). It holds what was defined
 * and what was written, one message an entry:
 *
 *     _NONET.sql.ddl              the text of a definition
 *     _NONET.sql.table.OID        changes of one table's rows, in one transaction
 *     _NONET.sql.checkpoint.PART  the database as it was at one moment (database_checkpoint.h)
 *
 * so that the database is what its replay from the last checkpoint gives, or from the first message
 * (recover.c). What lies before a checkpoint is let go once that is on disk: so nothing else may
 * be kept in stream SQL that is to stay there.
 *
 * A piece of reading is asked for ahead while the one before is worked on, no more: that bounds
 * memory.
 */
#ifndef NONET_STREAM_LEDGER_H
#define NONET_STREAM_LEDGER_H

#include "bus/room.h"

#define LEDGER_STREAM "SQL"
#define LEDGER_PREFIX "_NONET.sql."
#define LEDGER_VIEWS "SQL_VIEWS" /* what views keep: view_snapshot.h */
#define LEDGER_VIEWS_PREFIX "_NONET.sqlview."
#define LEDGER_PIECE_BYTES ((size_t)512 << 10) /* a single record may be larger */
#define LEDGER_ENTRY_BYTES_MAX ((size_t)4 << 20)
/* Less than one message between loops and one batch of the log take (128 MiB each). */
#define LEDGER_COMMIT_BYTES_MAX ((size_t)96 << 20)
#define LEDGER_COMMIT_ENTRIES_MAX 60000u

struct ledger;

/* On the database's loop. */
must_use int ledger_create(struct room_shard *shard, struct ledger **ret);
struct ledger *
ledger_free(struct ledger *l); /* ends what is under way without calls; returns NULL */
/* On the stream shard: serves the ledgers of the node. */
struct ledger_server;
must_use int ledger_server_create(struct room_shard *shard, struct ledger_server **ret);
struct ledger_server *ledger_server_free(struct ledger_server *s);

struct ledger_entry {
    slice subject; /* below LEDGER_PREFIX, or all of a commit below LEDGER_VIEWS_PREFIX */
    slice payload;
};

/* All entries in one commit of the log, which makes their stream where it is not there. DONE, once,
   never from inside, however long the disk takes: FAILED NULL: on disk; else it is not, but for
   -ECANCELED: the node stops. 0, -E2BIG (a bound above), -ENOMEM, -ENOBUFS: then DONE does not
   come.
 */
struct ledger_commit;
must_use int ledger_commit(struct ledger *l, const struct ledger_entry *entries, size_t count,
                           void (*done)(void *self, const struct error *failed), void *self,
                           struct ledger_commit **ret);
/* Where in the log the newest commit is that was told as done; 0: none was. */
uint64_t ledger_position(const struct ledger *l);
/* DONE is not called any more; what was sent may still be stored. */
void ledger_commit_forget(struct ledger_commit *c);
/* Within DONE, of what is on disk: the sequence of its first entry. The others follow it. */
uint64_t ledger_committed(const struct ledger *l);
/* Everything below SEQUENCE leaves stream SQL, a while later; what a crash or a full log prevents
   is left to the next call. */
void ledger_trim(struct ledger *l, uint64_t sequence);
/* The same for what SUBJECT (wildcards allowed) takes of stream SQL_VIEWS; UINT64_MAX: all of it.
 */
void ledger_drop(struct ledger *l, slice subject, uint64_t sequence);

struct ledger_record {
    uint64_t sequence, position; /* of its stream; of the whole log */
    int64_t time_ns;             /* when the log took it, since 1970 */
    slice subject, headers, payload;
};

struct ledger_read_options {
    slice stream;  /* its name; empty: the one that captures `subject` */
    slice subject; /* filter, may have wildcards, or several with blanks between; empty: all */
    uint64_t from; /* nothing below this sequence */
    bool shown;    /* as the judge of the stream shows them (bus/diversion.h), or as they are */
    bool newest;   /* begins with the last record of `subject`, which has no wildcards */
    int64_t created_ns; /* of the stream; 0: whichever has the name */
    /* A piece: COUNT records, then: LAST, the sequence up to which there is nothing else, and
       whether that was the end for now. Called until `closed`; after each the reader calls
       ledger_read_next when it wants more (perhaps from inside); till then the records are there.
     */
    void (*piece)(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                  bool at_end);
    /* The stream is gone, or another one of its name (-ESTALE), or there is none (-ENOENT), or it
       cannot be read: WHY. Nothing more comes. */
    void (*failed)(void *owner, const struct error *why);
    void *owner;
};
struct ledger_read;
/* The first piece comes by itself. No call comes from inside another. */
must_use int ledger_read(struct ledger *l, const struct ledger_read_options *options,
                         struct ledger_read **ret);
/* At the end it waits for what comes next. */
void ledger_read_next(struct ledger_read *r);
struct ledger_read *ledger_read_close(struct ledger_read *r); /* also from inside a call */
/* The stream's name and last sequence, as the last piece that came has told; until then {0}, 0. */
slice ledger_read_stream(const struct ledger_read *r);
uint64_t ledger_read_end(const struct ledger_read *r);
/* The same: its first sequence, and when it was made, by which it differs from others of its name.
 */
uint64_t ledger_read_first(const struct ledger_read *r);
int64_t ledger_read_created(const struct ledger_read *r);
/* The stream that captures SUBJECT (or is named STREAM), and its last sequence now: DONE once, from
   inside only to say -ENOMEM. FAILED: -ENOENT: there is none. */
void ledger_find(struct ledger *l, slice stream, slice subject,
                 void (*done)(void *self, slice name, uint64_t last, const struct error *failed),
                 void *self);
/* Within DONE: when that stream was made. */
int64_t ledger_found_created_ns(const struct ledger *l);
void ledger_find_cancel(struct ledger *l, const void *self); /* none of SELF's is called any more */

#endif
