/*
 * view_load.c - see view_snapshot.h: reading back.
 *
 *   FIND the newest end --> READ its parts, into memory --> ASK for each stream, is it the same -->
 *        '-- none            '-- not as it says              '-- no                     done(saved)
 *             '-------------------'---------------------------'--> done(NULL)
 */
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"
#include "rooms/stream/entry.h"

#include <stdio.h>

struct view_load {
    struct database *db;
    const struct sql_table *table;
    void (*done)(void *self, const struct view_saved *saved);
    void *self;
    struct ledger_read *read;
    uint64_t begin, expected;
    struct view_saved saved;
    size_t room;
    unsigned stream; /* of the feeds, asked for next */
    struct feeds_saved asked;
    bool asking;
    struct io_timer end;
};

struct view_load *view_load_free(struct view_load *l) {
    if (!l)
        return NULL;
    ledger_read_close(l->read);
    if (l->asking)
        ledger_find_cancel(l->db->ledger, l);
    io_timer_stop(l->db->loop, &l->end);
    for (size_t i = 0; i < l->saved.parts; i++)
        mem_free((void *)l->saved.part[i].ptr);
    mem_free(l->saved.part);
    return mem_free(l);
}

static void on_end(struct io_timer *timer) {
    struct view_load *l = container_of(timer, struct view_load, end);
    l->done(l->self, l->saved.feeds.ptr ? &l->saved : NULL);
}

/* WHY NULL: it counts, or there is none. */
static void over(struct view_load *l, const char *why) {
    l->read = ledger_read_close(l->read);
    if (why) {
        l->saved.feeds = (slice){NULL, 0};
        logger_write(l->db->logger, LOG_LEVEL_INFO, "sql",
                     "a view is computed from the log, its snapshot does not count",
                     "view=%.*s why=%s", slice_fmt(l->table->name), why);
    }
    io_timer_start(l->db->loop, &l->end, 0, on_end);
}

/* --- ASK -------------------------------------------------------------------------------------- */

static void ask_next(struct view_load *l);

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct view_load *l = self;
    (void)name;
    l->asking = false;
    if (failed)
        over(l, "a stream it has read is not there");
    else if (l->asked.created_ns && l->asked.created_ns != ledger_found_created_ns(l->db->ledger))
        over(l, "a stream it has read was made anew");
    else if (last < l->asked.last)
        over(l, "a stream has fewer messages than it has read");
    else
        ask_next(l);
}

static void ask_next(struct view_load *l) {
    if (!feeds_saved_next(l->saved.feeds, &l->stream, &l->asked)) {
        over(l, NULL);
        return;
    }
    l->asking = true;
    ledger_find(l->db->ledger, l->asked.stream, (slice){0}, on_found, l);
}

/* --- READ ------------------------------------------------------------------------------------- */

static int take_part(struct view_load *l, slice payload) {
    if (l->saved.parts == l->room) {
        size_t room = l->room ? l->room * 2 : 8;
        slice *more = mem_realloc(l->saved.part, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        l->saved.part = more;
        l->room = room;
    }
    char *copy = mem_copy(payload.ptr, payload.len);
    if (!copy)
        return -ENOMEM;
    l->saved.part[l->saved.parts++] = slice_make(copy, payload.len);
    return 0;
}

static void read_head(struct view_load *l) {
    struct entry_reader r = {.rest = l->saved.part[0]};
    bool begins = entry_take_u8(&r) == 'h' && entry_take_u32(&r) == VIEW_SNAPSHOT_VERSION;
    slice definition = entry_take_text(&r);
    l->saved.steps = entry_take_u64(&r);
    if (!begins || r.failed)
        over(l, "it is of another program");
    else if (!slice_equal(definition, l->table->definition))
        over(l, "the view's definition is another one");
    else {
        l->saved.feeds = r.rest;
        ask_next(l);
    }
}

static void on_failed(void *owner, const struct error *why) {
    struct view_load *l = owner;
    over(l, why->code == -ENOENT ? NULL : why->message);
}

static void on_parts(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct view_load *l = owner;
    int r = 0;
    (void)last;
    for (size_t i = 0; r == 0 && i < count && l->saved.parts < l->expected; i++) {
        if (l->saved.parts == 0 && records[i].sequence != l->begin)
            r = -EBADMSG;
        else
            r = take_part(l, records[i].payload);
    }
    if (r < 0 || (at_end && l->saved.parts < l->expected))
        over(l, r == -ENOMEM ? "no memory to read it" : "parts of it are missing");
    else if (l->saved.parts < l->expected)
        ledger_read_next(l->read);
    else
        read_head(l);
}

/* --- FIND ------------------------------------------------------------------------------------- */

static int read_from(struct view_load *l, const char *kind, bool newest,
                     void (*piece)(void *owner, const struct ledger_record *records, size_t count,
                                   uint64_t last, bool at_end)) {
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_VIEWS_PREFIX "%u.%s", l->table->oid, kind);
    const struct ledger_read_options options = {.stream = slice_lit(LEDGER_VIEWS),
                                                .subject = slice_make(subject, (size_t)n),
                                                .from = l->begin,
                                                .newest = newest,
                                                .piece = piece,
                                                .failed = on_failed,
                                                .owner = l};
    l->read = ledger_read_close(l->read);
    return ledger_read(l->db->ledger, &options, &l->read);
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
    if (!own || r.failed || l->expected == 0)
        over(l, "it is of another program");
    else if (read_from(l, "part", false, on_parts) < 0)
        over(l, "no memory to read it");
}

int view_load(struct database *db, const struct sql_table *table,
              void (*done)(void *self, const struct view_saved *saved), void *self,
              struct view_load **ret) {
    struct view_load *l = mem_zalloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    *l = (struct view_load){.db = db, .table = table, .done = done, .self = self};
    int r = read_from(l, "end", true, on_end_found);
    if (r < 0)
        view_load_free(l);
    else
        *ret = l;
    return r;
}
