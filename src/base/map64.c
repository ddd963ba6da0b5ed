#include "base/map64.h"

#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define MAP64_FIRST_SIZE ((size_t)16)
#define NOT_FOUND SIZE_MAX

/* Its address marks a removed entry that something may probe past. */
static char removed_mark;
#define REMOVED ((void *)&removed_mark)

struct map64 map64_make(uint64_t seed, size_t max) {
    check(max <= MAP64_MAX_ENTRIES);
    return (struct map64){.seed = seed, .max = max};
}

void map64_free(struct map64 *m) {
    mem_free(m->slots);
    *m = map64_make(m->seed, m->max);
}

void map64_clear(struct map64 *m) {
    m->count = m->taken = 0;
    if (m->slots)
        memset(m->slots, 0, m->size * sizeof *m->slots);
}

static size_t slot_start(uint64_t seed, size_t size, uint64_t id) {
    return (size_t)hash_mix64(id ^ seed) & (size - 1);
}

/* The slot of ID, or NOT_FOUND. Ends, because a quarter of the slots is empty. */
static size_t find_slot(const struct map64 *m, uint64_t id) {
    if (m->count == 0)
        return NOT_FOUND;
    size_t mask = m->size - 1;
    for (size_t at = slot_start(m->seed, m->size, id);; at = (at + 1) & mask) {
        if (!m->slots[at].value)
            return NOT_FOUND;
        if (m->slots[at].id == id && m->slots[at].value != REMOVED)
            return at;
    }
}

void *map64_find(const struct map64 *m, uint64_t id) {
    size_t at = find_slot(m, id);
    return at == NOT_FOUND ? NULL : m->slots[at].value;
}

static void place(struct map64 *m, uint64_t id, void *value) {
    size_t mask = m->size - 1;
    size_t at = slot_start(m->seed, m->size, id);
    while (m->slots[at].value)
        at = (at + 1) & mask;
    m->slots[at] = (struct map64_entry){id, value};
}

/* Moves the live entries to slots with room for one more and half as many again. */
static int rebuild(struct map64 *m) {
    size_t size = MAP64_FIRST_SIZE;
    while (size / 4 * 3 < m->count + m->count / 2 + 1)
        size *= 2;
    struct map64_entry *old = m->slots;
    size_t old_size = m->size;
    struct map64_entry *slots = mem_zalloc(size, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    m->slots = slots;
    m->size = size;
    m->taken = m->count;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].value && old[i].value != REMOVED)
            place(m, old[i].id, old[i].value);
    }
    mem_free(old);
    return 0;
}

static int add_new(struct map64 *m, uint64_t id, void *value) {
    if (m->count >= m->max)
        return -ENOBUFS;
    if (m->taken >= m->size / 4 * 3) {
        int rc = rebuild(m);
        if (rc < 0)
            return rc;
    }
    place(m, id, value);
    m->taken++;
    m->count++;
    return 0;
}

int map64_add(struct map64 *m, uint64_t id, void *value) {
    check(value);
    return find_slot(m, id) == NOT_FOUND ? add_new(m, id, value) : -EEXIST;
}

int map64_set(struct map64 *m, uint64_t id, void *value, void **ret_old) {
    check(value);
    size_t at = find_slot(m, id);
    void *old = NULL;
    if (at == NOT_FOUND) {
        int rc = add_new(m, id, value);
        if (rc < 0)
            return rc;
    } else {
        old = m->slots[at].value;
        m->slots[at].value = value;
    }
    if (ret_old)
        *ret_old = old;
    return 0;
}

void *map64_remove(struct map64 *m, uint64_t id) {
    size_t at = find_slot(m, id);
    if (at == NOT_FOUND)
        return NULL;
    size_t mask = m->size - 1;
    void *value = m->slots[at].value;
    m->slots[at].value = REMOVED;
    m->count--;
    /* Before an empty slot nothing probes past: this mark, and those just before it, can go. */
    if (m->slots[(at + 1) & mask].value)
        return value;
    for (; m->slots[at].value == REMOVED; at = (at - 1) & mask) {
        m->slots[at].value = NULL;
        m->taken--;
    }
    return value;
}

const struct map64_entry *map64_next(const struct map64 *m, size_t *cursor) {
    while (*cursor < m->size) {
        const struct map64_entry *entry = &m->slots[(*cursor)++];
        if (entry->value && entry->value != REMOVED)
            return entry;
    }
    return NULL;
}
