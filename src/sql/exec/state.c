/*
 * state.c - slabs, hash indexes and ordered trees of row state (state.h).
 */
#include "sql/exec/state.h"

#include "base/mem.h"

#include <errno.h>

/* ---- memory ------------------------------------------------------------------------------- */

#define CHUNK_BYTES_MIN ((size_t)4 << 10)
#define CHUNK_BYTES_MAX ((size_t)256 << 10)
#define CHUNK_HEAD 16u
#define CLASS_BYTES 16u

/* Larger than the classes: from the allocator, in a list so that the slab can be freed at once. */
struct sql_slab_large {
    struct sql_slab_large *next, *prev;
};
_Static_assert(sizeof(struct sql_slab_large) == 16, "keeps the alignment");

int sql_budget_take(struct sql_budget *b, uint64_t bytes) {
    if (b->max - b->used < bytes)
        return -ENOBUFS;
    b->used += bytes;
    return 0;
}

void sql_slab_make(struct sql_slab *s, struct sql_budget *budget) {
    *s = (struct sql_slab){.budget = budget, .chunk_bytes = CHUNK_BYTES_MIN};
}

void sql_slab_free(struct sql_slab *s) {
    while (s->chunks) {
        void *next = *(void **)s->chunks;
        mem_free(s->chunks);
        s->chunks = next;
    }
    while (s->large) {
        struct sql_slab_large *next = s->large->next;
        mem_free(s->large);
        s->large = next;
    }
}

static void *slab_take_large(struct sql_slab *s, size_t size) {
    if (sql_budget_take(s->budget, size))
        return NULL;
    struct sql_slab_large *large = mem_alloc(sizeof *large + size);
    if (!large) {
        sql_budget_give(s->budget, size);
        return NULL;
    }
    *large = (struct sql_slab_large){.next = s->large};
    if (s->large)
        s->large->prev = large;
    s->large = large;
    s->budget->rows++;
    return large + 1;
}

static void slab_give_large(struct sql_slab *s, void *pointer, size_t size) {
    struct sql_slab_large *large = (struct sql_slab_large *)pointer - 1;
    if (large->prev)
        large->prev->next = large->next;
    else
        s->large = large->next;
    if (large->next)
        large->next->prev = large->prev;
    mem_free(large);
    sql_budget_give(s->budget, size);
    s->budget->rows--;
}

static int slab_grow(struct sql_slab *s) {
    char *chunk = mem_alloc(s->chunk_bytes);
    if (!chunk)
        return -ENOMEM;
    *(void **)(void *)chunk = s->chunks;
    s->chunks = chunk;
    s->at = chunk + CHUNK_HEAD;
    s->left = s->chunk_bytes - CHUNK_HEAD;
    if (s->chunk_bytes < CHUNK_BYTES_MAX)
        s->chunk_bytes *= 2;
    return 0;
}

void *sql_slab_take(struct sql_slab *s, size_t size) {
    size_t class = size ? (size - 1) / CLASS_BYTES : 0;
    if (class >= SQL_SLAB_CLASSES)
        return slab_take_large(s, size);
    size_t bytes = (class + 1) * CLASS_BYTES;
    if (s->budget->max - s->budget->used < bytes)
        return NULL;
    void *pointer = s->free[class];
    if (pointer) {
        s->free[class] = *(void **)pointer;
    } else {
        if (s->left < bytes && slab_grow(s))
            return NULL;
        pointer = s->at;
        s->at += bytes;
        s->left -= bytes;
    }
    s->budget->used += bytes;
    s->budget->rows++;
    return pointer;
}

void sql_slab_give(struct sql_slab *s, void *pointer, size_t size) {
    size_t class = size ? (size - 1) / CLASS_BYTES : 0;
    if (class >= SQL_SLAB_CLASSES) {
        slab_give_large(s, pointer, size);
        return;
    }
    *(void **)pointer = s->free[class];
    s->free[class] = pointer;
    s->budget->used -= (class + 1) * CLASS_BYTES;
    s->budget->rows--;
}

/* ---- by hash ------------------------------------------------------------------------------ */

#define INDEX_CAPACITY_MIN 16u

/* Multiply and fold the 128 bit product: all bits of both words reach all bits of the result. */
static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const char *at, size_t bytes) {
    uint64_t word = 0;
    memcpy(&word, at, bytes);
    return word;
}

uint64_t sql_hash_bytes(uint64_t seed, slice bytes) {
    uint64_t hash = seed ^ 0x9e3779b97f4a7c15u;
    const char *at = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 16; left -= 16, at += 16)
        hash = fold(load(at, 8) ^ 0xa0761d6478bd642fu, load(at + 8, 8) ^ hash);
    uint64_t low = 0, high = 0;
    if (left >= 8) {
        low = load(at, 8);
        high = load(at + left - 8, 8);
    } else if (left) {
        low = load(at, left);
    }
    hash = fold(low ^ 0xe7037ed1a0b428dbu, high ^ hash);
    return fold(hash ^ bytes.len, 0x8ebc6af09c88c6e3u);
}

void sql_index_make(struct sql_index *i, struct sql_budget *budget, unsigned key_at) {
    *i = (struct sql_index){.budget = budget, .key_at = key_at};
}

void sql_index_free(struct sql_index *i) {
    if (i->capacity)
        sql_budget_give(i->budget, i->capacity * sizeof *i->slots);
    i->slots = mem_free(i->slots);
    i->capacity = i->count = 0;
}

void *sql_index_find(const struct sql_index *i, uint64_t hash, slice key) {
    if (i->capacity == 0)
        return NULL;
    size_t mask = i->capacity - 1;
    for (size_t at = hash & mask; i->slots[at].entry; at = (at + 1) & mask) {
        if (i->slots[at].hash != hash)
            continue;
        char *entry = i->slots[at].entry;
        uint32_t len;
        memcpy(&len, entry, sizeof len);
        if (len == key.len && (len == 0 || memcmp(entry + i->key_at, key.ptr, len) == 0))
            return entry;
    }
    return NULL;
}

static void index_put(struct sql_slot *slots, size_t capacity, struct sql_slot slot) {
    size_t mask = capacity - 1, at = slot.hash & mask;
    while (slots[at].entry)
        at = (at + 1) & mask;
    slots[at] = slot;
}

static int index_grow_to(struct sql_index *i, size_t capacity) {
    if (sql_budget_take(i->budget, capacity * sizeof *i->slots))
        return -ENOBUFS;
    struct sql_slot *slots = mem_zalloc(capacity, sizeof *slots);
    if (!slots) {
        sql_budget_give(i->budget, capacity * sizeof *i->slots);
        return -ENOMEM;
    }
    for (size_t at = 0; at < i->capacity; at++) {
        if (i->slots[at].entry)
            index_put(slots, capacity, i->slots[at]);
    }
    sql_budget_give(i->budget, i->capacity * sizeof *i->slots);
    mem_free(i->slots);
    i->slots = slots;
    i->capacity = capacity;
    return 0;
}

int sql_index_reserve(struct sql_index *i, uint64_t capacity) {
    if (capacity == 0)
        return 0;
    if (i->capacity || capacity < INDEX_CAPACITY_MIN || capacity & (capacity - 1))
        return -EBADMSG;
    if (capacity > i->budget->max / sizeof *i->slots)
        return -ENOBUFS;
    return index_grow_to(i, (size_t)capacity);
}

int sql_index_add(struct sql_index *i, uint64_t hash, void *entry) {
    if ((i->count + 1) * 4 > i->capacity * 3) {
        int r = index_grow_to(i, i->capacity ? i->capacity * 2 : INDEX_CAPACITY_MIN);
        if (r)
            return r;
    }
    index_put(i->slots, i->capacity, (struct sql_slot){hash, entry});
    i->count++;
    return 0;
}

/* Closes the hole by moving those behind it that may stand further in front: no tombstones. */
void sql_index_remove(struct sql_index *i, uint64_t hash, const void *entry) {
    size_t mask = i->capacity - 1, hole = hash & mask;
    while (i->slots[hole].entry != entry) {
        check(i->slots[hole].entry);
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; i->slots[at].entry; at = (at + 1) & mask) {
        size_t home = i->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            i->slots[hole] = i->slots[at];
            hole = at;
        }
    }
    i->slots[hole] = (struct sql_slot){0, NULL};
    i->count--;
}

/* ---- in order ----------------------------------------------------------------------------- */

static uint32_t order_priority(struct sql_order *o) {
    uint64_t x = o->sequence += 0x9e3779b97f4a7c15u;
    return (uint32_t)(fold(x ^ 0xa0761d6478bd642fu, x ^ 0xe7037ed1a0b428dbu) >> 32);
}

static int64_t total_of(const struct sql_node *n) {
    return n ? n->total : 0;
}

static void node_sum(struct sql_node *n) {
    n->total = n->weight + total_of(n->left) + total_of(n->right);
}

struct sql_node *sql_tree_find(const struct sql_tree *t, const struct sql_order *o, slice key) {
    struct sql_node *n = t->root;
    while (n) {
        int order = slice_compare(key, sql_node_key(o, n));
        if (order == 0)
            return n;
        n = order < 0 ? n->left : n->right;
    }
    return NULL;
}

struct sql_node *sql_tree_at_least(const struct sql_tree *t, const struct sql_order *o, slice key) {
    struct sql_node *n = t->root, *best = NULL;
    while (n) {
        if (slice_compare(key, sql_node_key(o, n)) <= 0) {
            best = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

/* Puts TO where N hangs. */
static void replace(struct sql_tree *t, const struct sql_node *n, struct sql_node *to) {
    struct sql_node *parent = n->parent;
    if (!parent)
        t->root = to;
    else if (parent->left == n)
        parent->left = to;
    else
        parent->right = to;
    if (to)
        to->parent = parent;
}

/* N goes above its parent. */
static void rotate_up(struct sql_tree *t, struct sql_node *n) {
    struct sql_node *parent = n->parent, *between;
    replace(t, parent, n);
    if (parent->left == n) {
        between = n->right;
        parent->left = between;
        n->right = parent;
    } else {
        between = n->left;
        parent->right = between;
        n->left = parent;
    }
    if (between)
        between->parent = parent;
    parent->parent = n;
    node_sum(parent);
    node_sum(n);
}

void sql_tree_add(struct sql_tree *t, struct sql_order *o, struct sql_node *n) {
    struct sql_node *parent = NULL, **at = &t->root;
    slice key = sql_node_key(o, n);
    while (*at) {
        parent = *at;
        parent->total += n->weight;
        at = slice_compare(key, sql_node_key(o, parent)) < 0 ? &parent->left : &parent->right;
    }
    n->left = n->right = NULL;
    n->parent = parent;
    n->priority = order_priority(o);
    n->total = n->weight;
    *at = n;
    while (n->parent && n->parent->priority < n->priority)
        rotate_up(t, n);
}

int sql_tree_append(struct sql_tree *t, struct sql_order *o, struct sql_node *n) {
    const struct sql_node *last = sql_tree_last(t);
    if (last && slice_compare(sql_node_key(o, last), sql_node_key(o, n)) >= 0)
        return -EBADMSG;
    sql_tree_add(t, o, n);
    return 0;
}

void sql_tree_remove(struct sql_tree *t, struct sql_node *n) {
    sql_tree_weigh(n, -n->weight);
    while (n->left && n->right)
        rotate_up(t, n->left->priority > n->right->priority ? n->left : n->right);
    replace(t, n, n->left ? n->left : n->right);
}

void sql_tree_weigh(struct sql_node *n, int64_t change) {
    n->weight += change;
    for (; n; n = n->parent)
        n->total += change;
}

static struct sql_node *leftmost(struct sql_node *n) {
    while (n && n->left)
        n = n->left;
    return n;
}

static struct sql_node *rightmost(struct sql_node *n) {
    while (n && n->right)
        n = n->right;
    return n;
}

struct sql_node *sql_tree_first(const struct sql_tree *t) {
    return leftmost(t->root);
}

struct sql_node *sql_tree_last(const struct sql_tree *t) {
    return rightmost(t->root);
}

struct sql_node *sql_node_next(const struct sql_node *n) {
    if (n->right)
        return leftmost(n->right);
    while (n->parent && n->parent->right == n)
        n = n->parent;
    return n->parent;
}

struct sql_node *sql_node_prev(const struct sql_node *n) {
    if (n->left)
        return rightmost(n->left);
    while (n->parent && n->parent->left == n)
        n = n->parent;
    return n->parent;
}

int64_t sql_node_before(const struct sql_node *n) {
    int64_t before = total_of(n->left);
    for (; n->parent; n = n->parent) {
        if (n->parent->right == n)
            before += n->parent->weight + total_of(n->parent->left);
    }
    return before;
}
