/*
 * dedupe.c - the ids of a duplicate window (dedupe.h).
 *
 * An entry holds its id as text, which is also the map's key, so an id costs one allocation.
 * Adding never fails: where there is no room, the oldest ids make it.
 */
#include "bus/dedupe.h"

#include "base/mem.h"
#include "bus/streams.h"

void dedupe_open(struct dedupe *d, struct hash_key key, int64_t window_ns) {
    *d = (struct dedupe){.ids = map_make(key, STREAMS_DUPLICATES_MAX), .window_ns = window_ns};
}

static uint64_t size_of(const struct dedupe_entry *entry) {
    return sizeof *entry + entry->id_len;
}

static void drop_oldest(struct dedupe *d) {
    struct dedupe_entry *entry = d->oldest;
    slice id = slice_make(entry->id, entry->id_len);
    if (map_find(&d->ids, id) == entry)
        map_remove(&d->ids, id);
    d->oldest = entry->next;
    if (!d->oldest)
        d->newest = NULL;
    d->bytes -= size_of(entry);
    mem_free(entry);
}

void dedupe_close(struct dedupe *d) {
    while (d->oldest)
        drop_oldest(d);
    map_free(&d->ids);
}

static void expire(struct dedupe *d, int64_t now_ns) {
    while (d->oldest && now_ns > d->oldest->time_ns && now_ns - d->oldest->time_ns > d->window_ns)
        drop_oldest(d);
}

uint64_t dedupe_find(struct dedupe *d, slice id, int64_t now_ns) {
    expire(d, now_ns);
    const struct dedupe_entry *entry = map_find(&d->ids, id);
    return entry ? entry->sequence : 0;
}

void dedupe_add(struct dedupe *d, slice id, uint64_t sequence, int64_t time_ns) {
    struct dedupe_entry *entry = mem_alloc(sizeof *entry + id.len);
    if (entry) {
        *entry = (struct dedupe_entry){
            .time_ns = time_ns, .sequence = sequence, .id_len = (uint32_t)id.len};
        memcpy(entry->id, id.ptr, id.len);
    }
    while (entry && (d->bytes + size_of(entry) > DEDUPE_BYTES_MAX ||
                     map_set(&d->ids, slice_make(entry->id, id.len), entry, NULL))) {
        if (d->oldest) {
            drop_oldest(d);
            d->shortened++;
        } else {
            entry = mem_free(entry);
        }
    }
    if (!entry) {
        d->shortened++;
        return;
    }
    d->bytes += size_of(entry);
    if (d->newest)
        d->newest->next = entry;
    else
        d->oldest = entry;
    d->newest = entry;
}
