/*
 * view_load.c - see view_snapshot.h: reading back.
 *
 *   FIND the newest end --> HEAD, its first part --> ASK for each stream, is it the same --.
 *        '-- none            '-- not as it says              '-- no                        |
 *             '-------------------'---------------------------'--> keep(NULL)              v
 *   done <-- keep(saved) on a fiber, which takes part after part as they are read <--------'
 *
 * No more is in memory of it than one piece of reading. Where it
 * reads `events`, ASK ends with the notes of deleted event streams, once a start.
 */
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"
#include "rooms/stream/entry.h"

#include <stdio.h>

/* Of the event store (rooms/events/notes.h, life.h): the lives of event streams, and what says in
   one that it was deleted for good. */
#define EVENT_NOTES_STREAM "ES_NOTES"
#define EVENT_LIVES "_NONET.es.life.>"
#define EVENT_TOMBSTONED "\"tombstoned\":true"

struct view_load {
    struct view_load_options o;
    struct ledger_read *read;
    uint64_t begin, expected, given; /* the first part; so many, and were taken */
    struct view_saved saved;
    bool counts;
    char *head;
    /* The piece that is here. */
    const struct ledger_record *records;
    size_t count, at;
    bool at_end;
    unsigned stream; /* of the feeds, asked for next */
    struct feeds_saved asked;
    bool asking;
    bool events;               /* one of them is the event store's */
    struct ledger_read *notes; /* of the event store */
    struct io_timer next;
    struct io_fiber *fiber;
    bool ended, stopped, waits,
        broken; /* the fiber; it unwinds; it waits for a piece; none comes */
};

struct view_load *view_load_free(struct view_load *l) {
    if (!l)
        return NULL;
    l->stopped = true;
    while (l->fiber && !l->ended)
        (void)io_fiber_resume(l->fiber);
    io_fiber_free(l->fiber);
    ledger_read_close(l->read);
    ledger_read_close(l->notes);
    if (l->asking)
        ledger_find_cancel(l->o.db->ledger, l);
    io_timer_stop(l->o.db->loop, &l->next);
    mem_free(l->head);
    return mem_free(l);
}

/* --- the fiber -------------------------------------------------------------------------------- */

static int next_part(void *self, slice *ret_part) {
    struct view_load *l = self;
    while (!l->stopped && !l->broken && l->given < l->expected && l->at == l->count) {
        if (l->at_end)
            return -EBADMSG;
        l->waits = true;
        ledger_read_next(l->read);
        io_fiber_yield(l->fiber);
    }
    if (l->stopped || l->broken)
        return l->stopped ? -ECANCELED : -EBADMSG;
    *ret_part = (slice){0};
    if (l->given == l->expected)
        return 0;
    l->given++;
    *ret_part = l->records[l->at++].payload;
    return ret_part->len ? 0 : -EBADMSG;
}

static void on_fiber(void *self) {
    struct view_load *l = self;
    l->o.keep(l->o.db, l->o.table, l->counts ? &l->saved : NULL);
    l->ended = true;
}

static void on_done(struct io_timer *timer) {
    const struct view_load *l = container_of(timer, struct view_load, next);
    l->o.done(l->o.db); /* L is gone */
}

static void resume(struct view_load *l) {
    l->waits = false;
    if (io_fiber_resume(l->fiber))
        io_timer_start(l->o.db->loop, &l->next, 0, on_done);
}

static void on_keep(struct io_timer *timer) {
    struct view_load *l = container_of(timer, struct view_load, next);
    if (io_fiber_create(&l->o.db->stacks, on_fiber, l, &l->fiber) == 0) {
        resume(l);
        return;
    }
    l->o.keep(l->o.db, l->o.table, NULL);
    io_timer_start(l->o.db->loop, &l->next, 0, on_done);
}

/* WHY NULL: there is none. */
static void over(struct view_load *l, const char *why) {
    l->read = ledger_read_close(l->read);
    if (why)
        logger_write(l->o.db->logger, LOG_LEVEL_INFO, "sql",
                     "a view is computed from the log, its snapshot does not count",
                     "view=%.*s why=%s", slice_fmt(l->o.table->name), why);
    io_timer_start(l->o.db->loop, &l->next, 0, on_keep);
}

/* --- ASK -------------------------------------------------------------------------------------- */

static void ask_next(struct view_load *l);

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct view_load *l = self;
    (void)name;
    l->asking = false;
    if (failed)
        over(l, "a stream it has read is not there");
    else if (l->asked.created_ns && l->asked.created_ns != ledger_found_created_ns(l->o.db->ledger))
        over(l, "a stream it has read was made anew");
    else if (last < l->asked.last)
        over(l, "a stream has fewer messages than it has read");
    else
        ask_next(l);
}

/* All streams are there: is what was deleted for good of events not in it? */
static void counts(struct view_load *l) {
    l->notes = ledger_read_close(l->notes);
    l->counts = !l->events || l->o.db->tombstones.count == l->saved.tombstones;
    if (l->counts) {
        io_timer_start(l->o.db->loop, &l->next, 0, on_keep);
        return;
    }
    over(l, "an event stream was deleted for good since it was computed");
    view_snapshot_drop(l->o.db, l->o.table->oid);
}

static void on_notes(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct view_load *l = owner;
    struct tombstones *t = &l->o.db->tombstones;
    (void)last;
    for (size_t i = 0; i < count; i++)
        t->count += slice_find_slice(records[i].payload, slice_lit(EVENT_TOMBSTONED)) >= 0;
    t->read = at_end;
    if (at_end)
        counts(l);
    else
        ledger_read_next(l->notes);
}

static void on_no_notes(void *owner, const struct error *why) {
    struct view_load *l = owner;
    if (why->code == -ENOENT) {
        l->o.db->tombstones.read = true;
        counts(l);
    } else {
        l->notes = ledger_read_close(l->notes);
        over(l, why->message);
    }
}

static void read_notes(struct view_load *l) {
    l->o.db->tombstones.count = 0;
    const struct ledger_read_options options = {.stream = slice_lit(EVENT_NOTES_STREAM),
                                                .subject = slice_lit(EVENT_LIVES),
                                                .piece = on_notes,
                                                .failed = on_no_notes,
                                                .owner = l};
    if (ledger_read(l->o.db->ledger, &options, &l->notes) < 0)
        over(l, "no memory to read it");
}

static void ask_next(struct view_load *l) {
    if (feeds_saved_next(l->saved.feeds, &l->stream, &l->asked)) {
        l->asking = true;
        l->events |= l->asked.shown;
        ledger_find(l->o.db->ledger, l->asked.stream, (slice){0}, on_found, l);
    } else if (l->events && !l->o.db->tombstones.read) {
        read_notes(l);
    } else {
        counts(l);
    }
}

/* --- HEAD ------------------------------------------------------------------------------------- */

static void read_head(struct view_load *l, slice part) {
    l->head = mem_copy(part.len ? part.ptr : "", part.len);
    if (!l->head) {
        over(l, "no memory to read it");
        return;
    }
    struct entry_reader r = {.rest = slice_make(l->head, part.len)};
    bool begins = entry_take_u8(&r) == 'h' && entry_take_u32(&r) == VIEW_SNAPSHOT_VERSION;
    slice definition = entry_take_text(&r);
    l->saved.steps = entry_take_u64(&r);
    l->saved.tombstones = entry_take_u64(&r);
    l->saved.tables = entry_take_text(&r);
    if (!begins || r.failed)
        over(l, "it is of another program");
    else if (!slice_equal(definition, l->o.table->definition))
        over(l, "the view's definition is another one");
    else {
        l->saved.feeds = r.rest;
        ask_next(l);
    }
}

static void on_failed(void *owner, const struct error *why) {
    struct view_load *l = owner;
    l->broken = true;
    if (l->fiber && l->waits)
        resume(l);
    else if (!l->fiber)
        over(l, why->code == -ENOENT ? NULL : why->message);
}

static void on_parts(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct view_load *l = owner;
    (void)last;
    l->records = records;
    l->count = count;
    l->at = 0;
    l->at_end = at_end;
    if (l->fiber) {
        resume(l);
    } else if (count == 0 && !at_end) {
        ledger_read_next(l->read);
    } else if (count == 0 || records[0].sequence != l->begin) {
        over(l, "parts of it are missing");
    } else {
        l->at = l->given = 1;
        read_head(l, records[0].payload);
    }
}

/* --- FIND ------------------------------------------------------------------------------------- */

static int read_from(struct view_load *l, const char *kind, bool newest,
                     void (*piece)(void *owner, const struct ledger_record *records, size_t count,
                                   uint64_t last, bool at_end)) {
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_VIEWS_PREFIX "%u.%s", l->o.table->oid, kind);
    const struct ledger_read_options options = {.stream = slice_lit(LEDGER_VIEWS),
                                                .subject = slice_make(subject, (size_t)n),
                                                .from = l->begin,
                                                .newest = newest,
                                                .piece = piece,
                                                .failed = on_failed,
                                                .owner = l};
    l->read = ledger_read_close(l->read);
    return ledger_read(l->o.db->ledger, &options, &l->read);
}

static void on_end_found(void *owner, const struct ledger_record *records, size_t count,
                         uint64_t last, bool at_end) {
    struct view_load *l = owner;
    (void)last;
    if (count == 0) {
        if (at_end)
            over(l, NULL);
        else
            ledger_read_next(l->read);
        return;
    }
    struct entry_reader r = {.rest = records[count - 1].payload};
    bool own = entry_take_u32(&r) == VIEW_SNAPSHOT_VERSION;
    l->begin = entry_take_u64(&r);
    l->expected = entry_take_u64(&r);
    l->saved.info.bytes = entry_take_u64(&r);
    l->saved.info.wall_ns = (int64_t)entry_take_u64(&r);
    l->saved.info.slot = entry_take_u8(&r);
    l->saved.info.is = true;
    if (!own || r.failed || l->expected == 0)
        over(l, "it is of another program");
    else if (read_from(l, l->saved.info.slot ? "part.1" : "part.0", false, on_parts) < 0)
        over(l, "no memory to read it");
}

int view_load(const struct view_load_options *options, struct view_load **ret) {
    struct view_load *l = mem_zalloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->o = *options;
    l->saved.next = next_part;
    l->saved.self = l;
    int r = read_from(l, "end", true, on_end_found);
    if (r < 0)
        view_load_free(l);
    else
        *ret = l;
    return r;
}
