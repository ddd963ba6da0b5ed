#include "base/heap.h"

struct heap heap_make(bool (*less)(const struct heap_node *a, const struct heap_node *b)) {
    return (struct heap){NULL, 0, less};
}

/* Makes the later of two roots the first child of the other. Either may be NULL. */
static struct heap_node *meld(const struct heap *h, struct heap_node *a, struct heap_node *b) {
    if (!a || !b)
        return a ? a : b;
    if (h->less(b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Melds a list of siblings into one root: in pairs first, then the pairs from the last to the
   first. That order is what makes removal logarithmic. */
static struct heap_node *meld_siblings(const struct heap *h, struct heap_node *first) {
    struct heap_node *pairs = NULL; /* melded pairs, newest first, linked by next */
    while (first) {
        struct heap_node *a = first;
        struct heap_node *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        struct heap_node *pair = meld(h, a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct heap_node *root = NULL;
    while (pairs) {
        struct heap_node *rest = pairs->next;
        pairs->next = NULL;
        root = meld(h, pairs, root);
        pairs = rest;
    }
    return root;
}

void heap_add(struct heap *h, struct heap_node *n) {
    *n = (struct heap_node){NULL, NULL, NULL};
    h->root = meld(h, h->root, n);
    h->count++;
}

void heap_remove(struct heap *h, struct heap_node *n) {
    check(h->count > 0);
    struct heap_node *below = meld_siblings(h, n->child);
    if (n == h->root) {
        h->root = below;
    } else {
        if (n->prev->child == n)
            n->prev->child = n->next;
        else
            n->prev->next = n->next;
        if (n->next)
            n->next->prev = n->prev;
        h->root = meld(h, h->root, below);
    }
    *n = (struct heap_node){NULL, NULL, NULL};
    h->count--;
}

struct heap_node *heap_pop(struct heap *h) {
    struct heap_node *first = h->root;
    if (first)
        heap_remove(h, first);
    return first;
}
