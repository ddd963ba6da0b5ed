/*
 * entries.c - see entries.h.
 *
 * An entry's subject and payload are memory of their own, freed with it, since what comes first may
 * be made long before the commit.
 */
#include "rooms/stream/entries.h"

#include "base/mem.h"

#include <errno.h>

static void free_entry(struct entries *e, struct ledger_entry *entry) {
    e->bytes -= entry->payload.len;
    mem_free((void *)entry->subject.ptr);
    mem_free((void *)entry->payload.ptr);
}

void entries_cut(struct entries *e, size_t count) {
    while (e->count > count)
        free_entry(e, &e->list[--e->count]);
}

void entries_free(struct entries *e) {
    entries_cut(e, 0);
    mem_free(e->list);
    *e = (struct entries){0};
}

int entries_add(struct entries *e, slice subject, slice payload) {
    if (e->bytes + payload.len > LEDGER_COMMIT_BYTES_MAX || e->count == LEDGER_COMMIT_ENTRIES_MAX)
        return -EFBIG;
    if (e->count == e->room) {
        size_t room = e->room ? e->room * 2 : 16;
        struct ledger_entry *more = mem_realloc(e->list, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        e->list = more;
        e->room = room;
    }
    char *name = mem_copy(subject.ptr, subject.len), *bytes = mem_copy(payload.ptr, payload.len);
    if (!name || !bytes) {
        mem_free(name);
        mem_free(bytes);
        return -ENOMEM;
    }
    e->list[e->count++] =
        (struct ledger_entry){slice_make(name, subject.len), slice_make(bytes, payload.len)};
    e->bytes += payload.len;
    return 0;
}

int entries_add_all(struct entries *e, const struct entries *from) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < from->count; i++)
        r = entries_add(e, from->list[i].subject, from->list[i].payload);
    return r;
}
