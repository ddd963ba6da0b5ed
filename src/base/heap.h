/*
 * heap.h - an intrusive min-heap (a pairing heap).
 *
 * The node lies inside the element: adding never allocates and so never fails, and a known
 * element is removed in O(log n) amortised. Adding and looking at the least are O(1). A pairing
 * heap rather than a binary one in an array, because an array must grow and growing can fail.
 * No function recurses.
 *
 * The order is the caller's: less(a, b) says whether A comes before B and must not change for an
 * element while it is in the heap (remove it, change it, add it again). Equal elements come out in
 * unspecified but repeatable order; put a counter into the order where that matters.
 */
#ifndef NONET_BASE_HEAP_H
#define NONET_BASE_HEAP_H

#include "base/check.h"

struct heap_node {
    struct heap_node *child; /* first child */
    struct heap_node *next;  /* next sibling */
    struct heap_node *prev;  /* previous sibling, or the parent for a first child */
};

struct heap {
    struct heap_node *root;
    size_t count;
    bool (*less)(const struct heap_node *a, const struct heap_node *b);
};

struct heap heap_make(bool (*less)(const struct heap_node *a, const struct heap_node *b));

/* The least element, or NULL. */
static inline struct heap_node *heap_first(const struct heap *h) {
    return h->root;
}

static inline size_t heap_count(const struct heap *h) {
    return h->count;
}

/* N is in no heap. */
void heap_add(struct heap *h, struct heap_node *n);

/* N is in this heap. */
void heap_remove(struct heap *h, struct heap_node *n);

/* Removes and returns the least element, or NULL. */
struct heap_node *heap_pop(struct heap *h);

#endif
