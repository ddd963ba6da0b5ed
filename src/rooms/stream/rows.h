/*
 * rows.h - rows of a relation as bytes, each with its id before it, and back, for checkpoints and
 * snapshots of views:
 *
 *     ( u64 id | u32 length | row ) …       rows as row.h writes them, by ascending ids
 *
 * Ids are kept, so that the order of rows and what names them are the same afterwards.
 */
#ifndef NONET_STREAM_ROWS_H
#define NONET_STREAM_ROWS_H

#include "rooms/stream/entry.h"
#include "sql/store/relation.h"

/* The next rows of SCAN behind what W has, until that has BYTES or LOOKS places were looked at.
   0: there are no more; 1: there may be; or < 0. */
must_use int rows_copy(struct relation_scan *scan, unsigned looks, size_t bytes,
                       struct entry_writer *w);

struct rows_reader {
    struct relation *rows;
    const struct sql_type *types; /* of COLUMNS columns */
    unsigned columns;
    bool named;      /* else there are no ids: each row gets the next */
    uint64_t moment; /* the rows are there from then on */
    void (*each)(void *self, const union sql_cell *cells, const uint8_t *nulls); /* NULL: none */
    void *self;
};
/* All rows of PAYLOAD into the relation. 0, -EBADMSG, or as relation_apply. */
must_use int rows_read(const struct rows_reader *reader, slice payload);

#endif
