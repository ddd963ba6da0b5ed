/*
 * rewrite.h - the rows of a table in another form, or without those that a transaction has taken
 * away.
 *
 * The rows that are read stay as they are: who reads them goes on, and ROLLBACK has them back.
 */
#ifndef NONET_STREAM_REWRITE_H
#define NONET_STREAM_REWRITE_H

#include "rooms/stream/definer.h"

struct rewrite_options {
    struct relation *from;      /* all live rows of it, with the ids they have */
    const struct map64 *hidden; /* but these; NULL: all */
    unsigned columns;           /* of `from` */
    /* What each column of the table becomes, over the columns of `from`; NULL: as it was. */
    struct sql_expr *const *values;
};

/* Rows for T, with its indexes. 0, or ERROR: 23505, 53200, what the values fail with. */
must_use int rewrite_rows(struct definer *d, const struct sql_table *t,
                          const struct rewrite_options *options, struct relation **ret,
                          struct sql_error *error);

#endif
