/*
 * index.c - see index.h. A slot whose rows have all gone keeps its hash with the list marked empty,
 * and is used again by the same hash; growing leaves such slots behind. Tables grow at three
 * quarters full.
 */
#include "sql/store/index.h"

#include "base/mem.h"

#include <errno.h>

#define SLOT_FREE INDEX_NONE         /* never used: a search ends here */
#define SLOT_EMPTY (INDEX_NONE - 1u) /* of this hash, without rows */
#define NODES_MAX (INDEX_NONE - 2u)

void row_index_free(struct row_index *x) {
    mem_free(x->slots);
    mem_free(x->nodes);
    *x = (struct row_index){0};
}

/* Where HASH is, or would be put. */
static struct index_slot *slot_of(struct index_slot *slots, uint32_t size, uint64_t hash) {
    uint32_t at = (uint32_t)(hash >> 32 ^ hash) & (size - 1);
    while (slots[at].first != SLOT_FREE && slots[at].hash != hash)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static int grow_slots(struct row_index *x) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < x->size; i++)
        live += x->slots[i].first < SLOT_EMPTY;
    uint32_t size = 16;
    while (size < live * 2 + 2)
        size *= 2;
    struct index_slot *slots = mem_alloc((size_t)size * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < size; i++)
        slots[i] = (struct index_slot){0, SLOT_FREE};
    for (uint32_t i = 0; i < x->size; i++)
        if (x->slots[i].first < SLOT_EMPTY)
            *slot_of(slots, size, x->slots[i].hash) = x->slots[i];
    mem_free(x->slots);
    x->slots = slots;
    x->size = size;
    x->used = live;
    return 0;
}

static int take_node(struct row_index *x, uint32_t *ret) {
    if (x->node_count && x->free_node != INDEX_NONE) {
        *ret = x->free_node;
        x->free_node = x->nodes[*ret].next;
        return 0;
    }
    if (x->node_count == x->node_room) {
        if (x->node_room > NODES_MAX / 2)
            return -ENOMEM;
        uint32_t room = x->node_room ? x->node_room * 2 : 16;
        struct index_node *more = mem_realloc(x->nodes, (size_t)room * sizeof *more);
        if (!more)
            return -ENOMEM;
        x->nodes = more;
        x->node_room = room;
    }
    if (x->node_count == 0)
        x->free_node = INDEX_NONE;
    *ret = x->node_count++;
    return 0;
}

int row_index_add(struct row_index *x, uint64_t hash, uint64_t id) {
    if ((uint64_t)(x->used + 1) * 4 > (uint64_t)x->size * 3) {
        int r = grow_slots(x);
        if (r < 0)
            return r;
    }
    uint32_t node;
    int r = take_node(x, &node);
    if (r < 0)
        return r;
    struct index_slot *slot = slot_of(x->slots, x->size, hash);
    x->used += slot->first == SLOT_FREE;
    x->nodes[node] = (struct index_node){id, slot->first >= SLOT_EMPTY ? INDEX_NONE : slot->first};
    *slot = (struct index_slot){hash, node};
    return 0;
}

void row_index_remove(struct row_index *x, uint64_t hash, uint64_t id) {
    if (!x->size)
        return;
    struct index_slot *slot = slot_of(x->slots, x->size, hash);
    if (slot->first >= SLOT_EMPTY)
        return;
    for (uint32_t *at = &slot->first; *at != INDEX_NONE; at = &x->nodes[*at].next) {
        uint32_t node = *at;
        if (x->nodes[node].id != id)
            continue;
        *at = x->nodes[node].next;
        x->nodes[node].next = x->free_node;
        x->free_node = node;
        if (slot->first == INDEX_NONE)
            slot->first = SLOT_EMPTY;
        return;
    }
}

uint32_t row_index_first(const struct row_index *x, uint64_t hash) {
    if (!x->size)
        return INDEX_NONE;
    uint32_t first = slot_of(x->slots, x->size, hash)->first;
    return first >= SLOT_EMPTY ? INDEX_NONE : first;
}

uint64_t row_index_bytes(const struct row_index *x) {
    return (uint64_t)x->size * sizeof *x->slots + (uint64_t)x->node_room * sizeof *x->nodes;
}
