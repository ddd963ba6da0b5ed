/*
 * list.h - an intrusive doubly linked list.
 *
 *      +-> head <-> node <-> node <-+        circular through the head: no special ends
 *      +----------------------------+
 *
 * The node lies inside the element, so linking never allocates and never fails, and an element
 * leaves its list in O(1) without knowing which list that is. A node that is in no list points to
 * itself: initialise it with list_node_init before asking list_linked or removing it.
 *
 *      struct list_node *n, *next;
 *      list_each(&list, n, next) { struct thing *t = container_of(n, struct thing, node); ... }
 *
 * list_each allows removing (and freeing) the current element.
 */
#ifndef NONET_BASE_LIST_H
#define NONET_BASE_LIST_H

#include "base/check.h"

struct list_node {
    struct list_node *prev;
    struct list_node *next;
};

struct list {
    struct list_node head;
};

static inline void list_node_init(struct list_node *n) {
    n->prev = n->next = n;
}

static inline void list_init(struct list *l) {
    list_node_init(&l->head);
}

/* Is N in a list? N was initialised or removed by functions of this file. */
static inline bool list_linked(const struct list_node *n) {
    return n->next != n;
}

static inline bool list_empty(const struct list *l) {
    return l->head.next == &l->head;
}

/* Links N, which is in no list, behind AT (a node of a list or its head). */
static inline void list_insert_after(struct list_node *at, struct list_node *n) {
    n->prev = at;
    n->next = at->next;
    at->next->prev = n;
    at->next = n;
}

static inline void list_push_back(struct list *l, struct list_node *n) {
    list_insert_after(l->head.prev, n);
}

static inline void list_push_front(struct list *l, struct list_node *n) {
    list_insert_after(&l->head, n);
}

/* Takes N out of its list; harmless where it is in none. */
static inline void list_remove(struct list_node *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_node_init(n);
}

/* The first, last, next or previous node, or NULL at the end. */
static inline struct list_node *list_first(const struct list *l) {
    return list_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l) {
    return list_empty(l) ? NULL : l->head.prev;
}

static inline struct list_node *list_next(const struct list *l, const struct list_node *n) {
    return n->next == &l->head ? NULL : n->next;
}

static inline struct list_node *list_prev(const struct list *l, const struct list_node *n) {
    return n->prev == &l->head ? NULL : n->prev;
}

/* Takes the first node out and returns it, or NULL. */
static inline struct list_node *list_pop_front(struct list *l) {
    struct list_node *n = list_first(l);
    if (n)
        list_remove(n);
    return n;
}

/* Moves all of FROM behind the last node of TO, in order; FROM is then empty. */
static inline void list_splice(struct list *to, struct list *from) {
    if (list_empty(from))
        return;
    struct list_node *first = from->head.next;
    struct list_node *last = from->head.prev;
    first->prev = to->head.prev;
    to->head.prev->next = first;
    last->next = &to->head;
    to->head.prev = last;
    list_init(from);
}

#define list_each(list, node, following)                                                           \
    for ((node) = (list)->head.next, (following) = (node)->next; (node) != &(list)->head;          \
         (node) = (following), (following) = (node)->next)

#endif
