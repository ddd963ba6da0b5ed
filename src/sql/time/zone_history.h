/*
 * zone_history.h - what a TZif file says, for the files of zones themselves.
 *
 * Two columns of changes, in order of time, and the kinds of time they lead to. Made once, read by
 * any thread, freed with its zone.
 */
#ifndef NONET_SQL_TIME_ZONE_HISTORY_H
#define NONET_SQL_TIME_ZONE_HISTORY_H

#include "sql/time/zone.h"

struct sql_zone_history {
    unsigned count, kind_count;
    uint8_t first; /* the kind before at[0] */
    int64_t *at;   /* [count] seconds of UTC since 2000, rising */
    uint8_t *kind; /* [count] the kind from at[i] on */
    struct sql_zone_kind *kinds;
};

/* Fills RET->history and the rule of the footer from BYTES. 0, -EBADMSG or -ENOMEM. */
must_use int sql_zone_read(slice bytes, struct sql_zone *ret);
void sql_zone_history_free(struct sql_zone_history *history);

#endif
