/*
 * watch.c - watches of subjects (watch.h).
 *
 *      watches: map  "deliver.a" -> watched_subject -> { watch, watch }
 *                                        |
 *      changed: list  <------------------'  until the end of the turn
 *
 * bus.c and remote.c say where interest changes (bus_watches_touch); that costs one look at a
 * counter where nobody watches, and one lookup by the subject where somebody does.
 */
#include "bus/watch.h"

#include "base/map.h"
#include "base/mem.h"
#include "bus/core.h"

#include <errno.h>

struct watched_subject {
    struct list watches;
    size_t len;
    char text[];
};

struct watches {
    struct bus *bus;
    struct map by_subject;
    struct list changed;
    struct io_task task;
};

static void run(struct io_task *task) {
    struct watches *all = container_of(task, struct watches, task);
    struct list_node *node;
    struct list now; /* what changes during the calls is for the next round */
    list_init(&now);
    list_splice(&now, &all->changed);
    while ((node = list_pop_front(&now))) {
        struct bus_watch *watch = container_of(node, struct bus_watch, in_changed);
        watch->on_change(watch);
    }
}

static int open_watches(struct bus *bus) {
    struct watches *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    struct hash_key key;
    io_host_random(bus->host, &key, sizeof key);
    all->bus = bus;
    all->by_subject = map_make(key, BUS_WATCHES_MAX);
    all->task.run = run;
    list_init(&all->changed);
    bus->watches = all;
    return 0;
}

static struct watched_subject *add_subject(struct watches *all, slice text, int *ret_failed) {
    struct watched_subject *subject = mem_zalloc(1, sizeof *subject + text.len);
    *ret_failed = -ENOMEM;
    if (!subject)
        return NULL;
    list_init(&subject->watches);
    subject->len = text.len;
    memcpy(subject->text, text.ptr, text.len);
    *ret_failed = map_add(&all->by_subject, slice_make(subject->text, subject->len), subject);
    return *ret_failed ? mem_free(subject) : subject;
}

int bus_watch(struct bus *bus, slice text, struct bus_watch *watch) {
    check(!watch->subject);
    int failed = bus->watches ? 0 : open_watches(bus);
    if (failed)
        return failed;
    struct watched_subject *subject = map_find(&bus->watches->by_subject, text);
    if (!subject)
        subject = add_subject(bus->watches, text, &failed);
    if (failed)
        return failed;
    watch->subject = subject;
    list_node_init(&watch->in_changed);
    list_push_back(&subject->watches, &watch->in_subject);
    return 0;
}

void bus_watch_end(struct bus *bus, struct bus_watch *watch) {
    struct watched_subject *subject = watch->subject;
    if (!subject)
        return;
    watch->subject = NULL;
    list_remove(&watch->in_subject);
    list_remove(&watch->in_changed);
    if (!list_empty(&subject->watches))
        return;
    map_remove(&bus->watches->by_subject, slice_make(subject->text, subject->len));
    mem_free(subject);
}

static void touch(struct watches *all, struct watched_subject *subject) {
    struct list_node *at, *following;
    list_each(&subject->watches, at, following) {
        struct bus_watch *watch = container_of(at, struct bus_watch, in_subject);
        if (!list_linked(&watch->in_changed))
            list_push_back(&all->changed, &watch->in_changed);
    }
    io_defer(all->bus->loop, &all->task);
}

void bus_watches_touch(struct bus *bus, slice text) {
    if (likely(!bus->watches || !map_count(&bus->watches->by_subject)))
        return;
    struct watched_subject *subject = map_find(&bus->watches->by_subject, text);
    if (subject)
        touch(bus->watches, subject);
}

void bus_watches_touch_all(struct bus *bus) {
    const struct map_entry *entry;
    for (size_t at = 0; bus->watches && (entry = map_next(&bus->watches->by_subject, &at));)
        touch(bus->watches, entry->value);
}

void bus_watches_close(struct bus *bus) {
    struct watches *all = bus->watches;
    if (!all)
        return;
    check(map_count(&all->by_subject) == 0);
    io_defer_cancel(bus->loop, &all->task);
    map_free(&all->by_subject);
    bus->watches = mem_free(all);
}

bool bus_is_subscribed(struct bus *bus, slice subject, slice queue) {
    return index_is_wanted(&bus->index, subject, queue);
}
