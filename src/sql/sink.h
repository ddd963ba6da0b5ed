/*
 * sink.h - a materialized view that tells its changes on a subject of the user's own: what its
 * options say.
 *
 *   CREATE SINK hot FROM hot_items WITH (subject = 'hot.${region}', type = 'upsert', key = 'id')
 *
 *   subject  where to publish; ${column} stands for a value, as a token or part of one. Whatever
 *            may not stand in a subject is %XX there; NULL is `null`, the empty text `%`
 *   type     changelog (the default): each row that comes or goes, as on view.NAME
 *            upsert: the row that a key has now, or that it has none any more
 *            append-only: each row that comes; the query must be one whose rows never go
 *   key      upsert: columns, commas between them, that are unique; unless given, those that are by
 *            the query
 *
 * A sink is a materialized view with these options, so it is read, listed, saved and dropped as
 * one; rooms/stream/changelog.h tells.
 */
#ifndef NONET_SQL_SINK_H
#define NONET_SQL_SINK_H

#include "sql/catalog.h"
#include "sql/error.h"

#define SQL_SINK_PARTS_MAX 64u
#define SQL_SINK_KEYS_MAX 16u

enum sql_sink_type { SQL_SINK_CHANGELOG, SQL_SINK_UPSERT, SQL_SINK_APPEND_ONLY };

struct sql_sink_part {
    slice text;
    int column; /* whose value stands behind TEXT; -1: none, in the last part */
};

struct sql_sink {
    enum sql_sink_type type;
    slice pattern; /* all its subjects: * where a token has a value in it */
    bool varies;   /* the subject has values in it */
    unsigned parts;
    struct sql_sink_part part[SQL_SINK_PARTS_MAX];
    unsigned keys; /* UPSERT; 0: not given */
    unsigned key[SQL_SINK_KEYS_MAX];
};

/* Is NAME an option of sinks? */
bool sql_sink_has_option(slice name);
/* Has T, a materialized view, a subject of its own? */
bool sql_is_sink(const struct sql_table *t);
/* What the options of T say, which is one; in MEMORY and in T. 0, -ENOMEM, or -EINVAL: 22023, 42703
   with the option's name. */
must_use int sql_sink_read(const struct sql_table *t, struct arena *memory, struct sql_sink *ret,
                           struct sql_error *error);
/* Appends where a row is told: COLUMN gives the text of a value (false in *RET_NULL). 0, -ENOMEM,
   -ENOBUFS or what COLUMN gave. */
must_use int sql_sink_subject(const struct sql_sink *sink,
                              int (*column)(void *self, unsigned column, struct buf *out,
                                            bool *ret_null),
                              void *self, struct buf *out);
/* Appends NAME as one token of a subject, or part of one. */
must_use int sql_sink_token(slice name, struct buf *out);

#endif
