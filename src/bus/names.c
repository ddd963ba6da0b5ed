/*
 * names.c - see names.h.
 *
 * The sorted entries borrow the map's keys, so they may be looked at only while they are fresh. A
 * walk instead of them finds the same: both give the least name above the one asked for.
 */
#include "bus/names.h"

#include "base/mem.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b) {
    const struct map_entry *x = a, *y = b;
    return slice_compare(x->key, y->key);
}

static bool sort(struct names *names, const struct map *map) {
    size_t count = map_count(map);
    struct map_entry *sorted = mem_realloc(names->sorted, count * sizeof *sorted);
    if (!sorted)
        return false;
    names->sorted = sorted;
    names->count = 0;
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(map, &at));)
        sorted[names->count++] = *entry;
    check(names->count == count);
    qsort(sorted, count, sizeof *sorted, by_name);
    names->fresh = true;
    return true;
}

static void *walk(const struct map *map, slice after) {
    const struct map_entry *entry, *next = NULL;
    for (size_t at = 0; (entry = map_next(map, &at));)
        if (slice_compare(entry->key, after) > 0 &&
            (!next || slice_compare(entry->key, next->key) < 0))
            next = entry;
    return next ? next->value : NULL;
}

void *names_next(struct names *names, const struct map *map, slice after) {
    if (!map_count(map))
        return NULL;
    if (!names->fresh && !sort(names, map))
        return walk(map, after);
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(names->sorted[middle].key, after) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low < names->count ? names->sorted[low].value : NULL;
}

void names_free(struct names *names) {
    mem_free(names->sorted);
    *names = (struct names){0};
}
