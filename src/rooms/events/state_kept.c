/*
 * state_kept.c - see state_kept.h.
 *
 * One piece of memory for each: the entry, its subject, its text. A newer text is a new entry. What
 * is found becomes the newest in use, whether it turns out to fit or not.
 */
#include "rooms/events/state_kept.h"

#include "base/mem.h"

struct kept {
    struct list_node node;
    uint64_t number;
    slice subject, state;
    char text[];
};

static size_t size_of(const struct kept *k) {
    return sizeof *k + k->subject.len + k->state.len;
}

static void drop(struct kept_states *kept, struct kept *k) {
    map_remove(&kept->by_subject, k->subject);
    list_remove(&k->node);
    kept->bytes -= size_of(k);
    mem_free(k);
}

void kept_init(struct kept_states *kept, struct hash_key hash_key) {
    *kept = (struct kept_states){.by_subject = map_make(hash_key, MAP_MAX_ENTRIES)};
    list_init(&kept->used);
}

void kept_free(struct kept_states *kept) {
    struct list_node *node;
    while ((node = list_first(&kept->used)))
        drop(kept, container_of(node, struct kept, node));
    map_free(&kept->by_subject);
}

uint64_t kept_find(struct kept_states *kept, slice subject, slice *ret_text) {
    struct kept *k = map_find(&kept->by_subject, subject);
    if (!k)
        return 0;
    list_remove(&k->node);
    list_push_back(&kept->used, &k->node);
    *ret_text = k->state;
    return k->number;
}

void kept_put(struct kept_states *kept, slice subject, uint64_t number, slice text) {
    struct kept *old = map_find(&kept->by_subject, subject);
    struct kept *k = mem_alloc(sizeof *k + subject.len + text.len);
    if (!k)
        return;
    char *at = k->text;
    *k = (struct kept){.number = number};
    k->subject = slice_store(&at, subject);
    k->state = slice_store(&at, text);
    if (old)
        drop(kept, old);
    if (size_of(k) > KEPT_BYTES_MAX || map_add(&kept->by_subject, k->subject, k)) {
        mem_free(k);
        return;
    }
    list_push_back(&kept->used, &k->node);
    kept->bytes += size_of(k);
    while (kept->bytes > KEPT_BYTES_MAX)
        drop(kept, container_of(list_first(&kept->used), struct kept, node));
}
