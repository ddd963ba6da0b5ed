/*
 * told.h - the messages of a changelog: what a row's change looks like, and what messages that are
 * stored come to.
 *
 *     ENTRY   what a row is known by: its JSON, of a sink   subject \n key \n JSON
 *
 *     type          row comes          row goes                  read back, the view has
 *     changelog     insert, JSON       delete, JSON              inserts less deletes, from `reset`
 * on append-only   insert, JSON       (cannot be)               all inserts upsert        upsert,
 * JSON       delete, without payload   the last message of each key
 *
 * Of an upsert the subject belongs to the key: a row that moves to another subject is taken away at
 * the old one. JSON has no line ends in it, nor have subjects.
 */
#ifndef NONET_STREAM_TOLD_H
#define NONET_STREAM_TOLD_H

#include "rooms/stream/changes.h"
#include "rooms/stream/ledger.h"
#include "sql/sink.h"

struct told {
    const struct sql_table *table; /* its columns and their types, whichever version it is */
    const struct sql_settings *settings;
    struct sql_sink *sink; /* NULL: view.NAME */
    struct arena memory;   /* the sink's */
    struct sql_type *types;
    struct buf subject; /* of all messages; of a sink's that varies: the pattern */
    struct buf keys;    /* `"name":` of each column, one behind the other */
    size_t *key_end;    /* of each in `keys` */
    struct buf entry;   /* of told_row */
    uint64_t number;    /* of the last message told, or read back */
    bool whole;         /* what was read back has its beginning, and no gap */
    struct map latest;  /* while an upsert is read back: struct latest, by subject \n key */
    uint64_t latest_bytes;
};

/* TABLE is a view. 0, -ENOMEM, -EINVAL (options that are no sink's: cannot be). */
must_use int told_init(struct told *t, const struct sql_table *table,
                       const struct sql_settings *settings);
void told_free(struct told *t);
/* A stream captures messages only where it captures all of this. */
static inline slice told_subject(const struct told *t) {
    return buf_slice(&t->subject);
}
static inline bool told_varies(const struct told *t) {
    return t->sink && t->sink->varies;
}
/* Are there messages that begin anew for whoever adds up? */
static inline bool told_resets(const struct told *t) {
    return !t->sink || t->sink->type == SQL_SINK_CHANGELOG;
}
/* May what a stream has let go of be told again? */
static inline bool told_repeats(const struct told *t) {
    return !t->sink || t->sink->type != SQL_SINK_APPEND_ONLY;
}

/* The entry of a row, in t->entry. 0, -ENOMEM, -ENOBUFS, -ENAMETOOLONG: its subject. */
must_use int told_row(struct told *t, const union sql_cell *cells, const uint8_t *nulls);

/* Appends the messages of CHANGES, of rows (changes.h) or of entries, as one step at POSITION:
   struct tell_item | subject | headers | payload, each. RESET: before them, that what was told is
   void. 0, or as told_row. */
must_use int told_write(struct told *t, const struct changes *changes, bool entries, bool reset,
                        uint64_t position, struct buf *out);

/* Reading back: each record of the stream in turn, then the end; FOLD then has what the stream has,
   weighed below 0. 0, -ENOMEM, -ENOBUFS. */
void told_read_begin(struct told *t, struct changes *fold);
must_use int told_read(struct told *t, const struct ledger_record *record, struct changes *fold);
must_use int told_read_end(struct told *t, struct changes *fold);

#endif
