/*
 * image.h - the catalog's objects as bytes, one after another, for checkpoints: what the
 * definitions have made, not their texts, so that OIDs, dropped columns and the order of making are
 * the same afterwards whatever was altered and dropped on the way.
 *
 *     object   u8 kind ('s' schema, 'e' enum, 'f' function, 't' table) | its fields
 *
 * Views are there with their query's text; their rows are not.
 */
#ifndef NONET_STREAM_IMAGE_H
#define NONET_STREAM_IMAGE_H

#include "rooms/stream/entry.h"
#include "rooms/stream/inside.h"

/* The next object to write: {0} is the first. */
struct image_cursor {
    unsigned kind, at;
};

/* Appends the next object of what somebody has defined. False: there is none more. */
bool image_write(const struct database *db, struct image_cursor *cursor, struct entry_writer *w);
/* Makes the objects of R, up to its end, where there are none of their names: 0, or -ENOMEM,
   -EBADMSG (what was written is not this), -EEXIST. */
must_use int image_read(struct database *db, struct entry_reader *r);

#endif
