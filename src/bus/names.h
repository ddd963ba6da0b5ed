/*
 * names.h - the entries of a map in order of their names.
 *
 * Lists of streams and consumers are asked for page by page, "the next one after this name". A walk
 * over the map for each would make a list of n names cost n times n, and a hundred thousand are
 * allowed. So the order is made when it is asked for and kept until the map changes: one sort,
 * then a binary search a step. Without memory for it the walk is what is left, correct and slow.
 *
 * Whoever adds to or removes from the map says names_changed.
 */
#ifndef NONET_BUS_NAMES_H
#define NONET_BUS_NAMES_H

#include "base/map.h"

struct names {
    struct map_entry *sorted;
    size_t count;
    bool fresh;
};

static inline void names_changed(struct names *names) {
    names->fresh = false;
}
/* The value of the first name behind AFTER (empty: of the first), or NULL. */
void *names_next(struct names *names, const struct map *map, slice after);
void names_free(struct names *names);

#endif
