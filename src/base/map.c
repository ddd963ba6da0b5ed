#include "base/map.h"

#include "base/mem.h"

#include <errno.h>

#define MAP_FIRST_INDEX ((size_t)16)
#define SLOT_REMOVED UINT32_MAX
#define NOT_FOUND SIZE_MAX

/* Entries that an index of SIZE slots carries: three quarters. */
static size_t load_limit(size_t size) {
    return size / 4 * 3;
}

struct map map_make(struct hash_key key, size_t max) {
    check(max <= MAP_MAX_ENTRIES);
    return (struct map){.key = key, .max = max};
}

void map_free(struct map *m) {
    mem_free(m->entries);
    mem_free(m->index);
    *m = map_make(m->key, m->max);
}

void map_clear(struct map *m) {
    m->count = m->used = m->taken = 0;
    if (m->index)
        memset(m->index, 0, m->index_size * sizeof *m->index);
}

/* The bits that choose the slot are not the ones kept in it. */
static size_t slot_start(size_t index_size, uint64_t hash) {
    return (size_t)(hash >> 32) & (index_size - 1);
}

/* The slot that names the live entry of KEY, or NOT_FOUND. Ends, because a quarter is empty. */
static size_t find_slot(const struct map *m, slice key, uint64_t hash) {
    if (m->count == 0)
        return NOT_FOUND;
    size_t mask = m->index_size - 1;
    for (size_t at = slot_start(m->index_size, hash);; at = (at + 1) & mask) {
        const struct map_slot *slot = &m->index[at];
        if (slot->entry == 0)
            return NOT_FOUND;
        if (slot->bits == (uint32_t)hash && slot->entry != SLOT_REMOVED &&
            slice_equal(m->entries[slot->entry - 1].key, key))
            return at;
    }
}

void *map_find_hashed(const struct map *m, slice key, uint64_t hash) {
    size_t at = find_slot(m, key, hash);
    return at == NOT_FOUND ? NULL : m->entries[m->index[at].entry - 1].value;
}

void *map_find(const struct map *m, slice key) {
    return map_find_hashed(m, key, hash_slice(&m->key, key));
}

/* Names entry NUMBER in the first free slot. */
static void index_entry(struct map_slot *index, size_t index_size, uint64_t hash, size_t number) {
    size_t mask = index_size - 1;
    size_t at = slot_start(index_size, hash);
    while (index[at].entry != 0)
        at = (at + 1) & mask;
    index[at] = (struct map_slot){(uint32_t)hash, (uint32_t)number + 1};
}

/* Moves the live entries, in order and without holes, into memory with room for one more, and for
   as many again: smaller than before where most were removed. */
static int rebuild(struct map *m) {
    size_t size = MAP_FIRST_INDEX;
    while (load_limit(size) < m->count + m->count / 2 + 1)
        size *= 2;
    struct map_entry *entries = mem_alloc(load_limit(size) * sizeof *entries);
    struct map_slot *index = entries ? mem_zalloc(size, sizeof *index) : NULL;
    if (!index) {
        mem_free(entries);
        return -ENOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].value)
            continue;
        entries[used] = m->entries[i];
        index_entry(index, size, entries[used].hash, used);
        used++;
    }
    check(used == m->count);
    mem_free(m->entries);
    mem_free(m->index);
    m->entries = entries;
    m->index = index;
    m->index_size = size;
    m->used = m->taken = used;
    return 0;
}

static int add_new(struct map *m, slice key, uint64_t hash, void *value) {
    if (m->count >= m->max)
        return -ENOBUFS;
    /* taken >= used: every entry, a hole too, was given a slot that is not empty again yet. */
    if (m->taken >= load_limit(m->index_size)) {
        int rc = rebuild(m);
        if (rc < 0)
            return rc;
    }
    m->entries[m->used] = (struct map_entry){key, hash, value};
    index_entry(m->index, m->index_size, hash, m->used);
    m->used++;
    m->taken++;
    m->count++;
    return 0;
}

int map_add(struct map *m, slice key, void *value) {
    check(value);
    uint64_t hash = hash_slice(&m->key, key);
    return find_slot(m, key, hash) == NOT_FOUND ? add_new(m, key, hash, value) : -EEXIST;
}

int map_set(struct map *m, slice key, void *value, void **ret_old) {
    check(value);
    uint64_t hash = hash_slice(&m->key, key);
    size_t at = find_slot(m, key, hash);
    void *old = NULL;
    if (at == NOT_FOUND) {
        int rc = add_new(m, key, hash, value);
        if (rc < 0)
            return rc;
    } else {
        struct map_entry *entry = &m->entries[m->index[at].entry - 1];
        old = entry->value;
        entry->key = key;
        entry->value = value;
    }
    if (ret_old)
        *ret_old = old;
    return 0;
}

void *map_remove(struct map *m, slice key) {
    size_t at = find_slot(m, key, hash_slice(&m->key, key));
    if (at == NOT_FOUND)
        return NULL;
    struct map_entry *entry = &m->entries[m->index[at].entry - 1];
    void *value = entry->value;
    m->index[at].entry = SLOT_REMOVED;
    m->count--;
    entry->value = NULL;
    entry->key = slice_make(NULL, 0);
    /* Holes at the end are given back, so that a map used as a stack or queue of one stays small.
       Their slots stay taken until the next rebuild. */
    while (m->used && !m->entries[m->used - 1].value)
        m->used--;
    return value;
}

const struct map_entry *map_next(const struct map *m, size_t *cursor) {
    while (*cursor < m->used) {
        const struct map_entry *entry = &m->entries[(*cursor)++];
        if (entry->value)
            return entry;
    }
    return NULL;
}
