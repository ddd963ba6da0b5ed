/*
 * database_checkpoint.c - see database_checkpoint.h.
 *
 *   RESTING --time--> begin + catalog sent --on disk--> rows, a commit of PIECE_BYTES at a time
 *      ^                                                  '--none left--> end sent
 *      |                                                                     |
 *      '------ given up: a commit failed; later again <----- on disk: what is older is let go
 */
#include "rooms/stream/database_checkpoint.h"

#include "base/mem.h"
#include "rooms/stream/image.h"
#include "rooms/stream/rows.h"
#include "rooms/stream/transaction.h"

#include <inttypes.h>

#define VERSION 1u
#define PIECE_BYTES ((size_t)1 << 20)
#define PIECE_LOOKS 100000u /* places of rows looked at in one turn */

/* A table whose rows are to be copied. */
struct part {
    uint32_t oid;
    uint64_t next_id; /* of its rows, at the moment */
    struct relation *rows;
};

struct database_checkpoint {
    struct database *db;
    uint64_t grown;      /* bytes behind the last one */
    uint64_t size;       /* of the last one; 0: none */
    uint64_t not_before; /* bytes grown at which it is tried again; 0: as it should be */
    struct ledger_commit *sending;
    struct io_timer next; /* the next piece */
    /* The one under way, or being read back. */
    bool busy, ended;
    uint64_t moment, before; /* before: bytes grown when it began */
    uint64_t begin, entries, bytes;
    struct part *part;
    unsigned parts, at;
    struct relation_scan scan;
    bool scanning;
    uint64_t expected_entries, expected_bytes; /* what its `end` says */
};

struct database_checkpoint *database_checkpoint_new(struct database *db) {
    struct database_checkpoint *c = mem_zalloc(1, sizeof *c);
    if (c)
        c->db = db;
    return c;
}

static void rest(struct database_checkpoint *c) {
    if (c->scanning)
        relation_scan_end(&c->scan);
    for (unsigned i = 0; i < c->parts; i++)
        relation_free(c->part[i].rows);
    c->part = mem_free(c->part);
    c->parts = c->at = 0;
    c->scanning = c->busy = c->ended = false;
}

struct database_checkpoint *database_checkpoint_free(struct database_checkpoint *c) {
    if (!c)
        return NULL;
    rest(c);
    ledger_commit_forget(c->sending);
    io_timer_stop(c->db->loop, &c->next);
    return mem_free(c);
}

void database_checkpoint_grow(struct database_checkpoint *c, uint64_t bytes) {
    c->grown += bytes;
}

uint64_t database_checkpoint_moment(const struct database_checkpoint *c) {
    return c->busy ? c->moment : UINT64_MAX;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void give_up(struct database_checkpoint *c, const char *why) {
    logger_write(c->db->logger, LOG_LEVEL_WARN, "sql", "a checkpoint was given up", "why=%s", why);
    c->grown += c->before;
    c->not_before = c->grown + CHECKPOINT_BYTES_MIN;
    rest(c);
}

static void finish(struct database_checkpoint *c) {
    logger_write(c->db->logger, LOG_LEVEL_INFO, "sql", "a checkpoint is on disk",
                 "sequence=%" PRIu64 " bytes=%" PRIu64, c->begin, c->bytes);
    c->size = c->bytes;
    c->not_before = 0;
    ledger_trim(c->db->ledger, c->begin);
    rest(c);
}

static void on_next(struct io_timer *timer);

static void on_stored(void *self, const struct error *failed) {
    struct database_checkpoint *c = self;
    c->sending = NULL;
    if (failed) {
        give_up(c, failed->message);
        return;
    }
    if (!c->begin)
        c->begin = ledger_committed(c->db->ledger);
    if (c->ended)
        finish(c);
    else
        io_timer_start(c->db->loop, &c->next, 0, on_next);
}

static void send_parts(struct database_checkpoint *c, const struct ledger_entry *entries,
                       size_t count) {
    for (size_t i = 0; i < count; i++)
        c->bytes += entries[i].payload.len;
    c->entries += count;
    int r = ledger_commit(c->db->ledger, entries, count, on_stored, c, &c->sending);
    if (r < 0)
        give_up(c, r == -E2BIG ? "the definitions are too large for one commit" : "no memory");
}

/* A piece of the table at hand into OUT; the table is over when there was no more. */
static int copy_rows(struct database_checkpoint *c, struct buf *out) {
    const struct part *p = &c->part[c->at];
    struct entry_writer w = {.out = out};
    if (!c->scanning)
        relation_scan_all(p->rows, c->moment, &c->scan);
    c->scanning = true;
    entry_u32(&w, p->oid);
    entry_u64(&w, 0); /* the next id: known at the end */
    int r = rows_copy(&c->scan, PIECE_LOOKS, PIECE_BYTES, &w);
    if (r < 0)
        return r;
    entry_set_u64(out, 4, r == 0 ? p->next_id : c->scan.next);
    if (r == 0) {
        relation_scan_end(&c->scan);
        c->scanning = false;
        c->at++;
    }
    return 0;
}

static void send_end(struct database_checkpoint *c) {
    _cleanup_buf_ struct buf out = buf_make(64);
    struct entry_writer w = {.out = &out};
    entry_u32(&w, VERSION);
    entry_u64(&w, c->begin);
    entry_u64(&w, c->entries);
    entry_u64(&w, c->bytes);
    const struct ledger_entry entry = {slice_lit(CHECKPOINT_END), buf_slice(&out)};
    c->ended = true;
    if (w.failed)
        give_up(c, "no memory");
    else
        send_parts(c, &entry, 1);
}

static void on_next(struct io_timer *timer) {
    struct database_checkpoint *c = container_of(timer, struct database_checkpoint, next);
    if (c->at == c->parts) {
        send_end(c);
        return;
    }
    _cleanup_buf_ struct buf out = buf_make(PIECE_BYTES + 2 * LEDGER_ENTRY_BYTES_MAX);
    int r = copy_rows(c, &out);
    const struct ledger_entry entry = {slice_lit(CHECKPOINT_PREFIX "rows"), buf_slice(&out)};
    if (r < 0)
        give_up(c, error_name(r));
    else
        send_parts(c, &entry, 1);
}

/* The catalog in as many entries as it takes. Their bytes are OUT's, entry I's from ENDS[I - 1]. */
static int write_catalog(struct database_checkpoint *c, struct buf *out, struct buf *ends) {
    struct entry_writer w = {.out = out};
    struct image_cursor at = {0};
    size_t from = 0;
    entry_u32(&w, VERSION);
    entry_u32(&w, sql_catalog_free_oid(c->db->catalog));
    while (!w.failed && image_write(c->db, &at, &w)) {
        if (out->len - from < PIECE_BYTES)
            continue;
        from = out->len;
        int r = buf_append(ends, slice_make(&from, sizeof from));
        if (r < 0)
            return r;
    }
    return w.failed ? w.failed : buf_append(ends, slice_make(&out->len, sizeof out->len));
}

static int send_catalog(struct database_checkpoint *c) {
    _cleanup_buf_ struct buf out = buf_make(LEDGER_COMMIT_BYTES_MAX);
    _cleanup_buf_ struct buf ends = buf_make(LEDGER_COMMIT_BYTES_MAX);
    int r = write_catalog(c, &out, &ends);
    size_t count = ends.len / sizeof(size_t), from = 0, end;
    struct ledger_entry *entries = r < 0 ? NULL : mem_zalloc(count, sizeof *entries);
    if (!entries)
        return r < 0 ? r : -ENOMEM;
    for (size_t i = 0; i < count; i++, from = end) {
        memcpy(&end, ends.ptr + i * sizeof end, sizeof end);
        entries[i] = (struct ledger_entry){i ? slice_lit(CHECKPOINT_PREFIX "catalog")
                                             : slice_lit(CHECKPOINT_PREFIX "begin"),
                                           slice_make(out.ptr + from, end - from)};
    }
    send_parts(c, entries, count);
    mem_free(entries);
    return 0;
}

/* All tables that have rows of their own are held. */
static int hold_tables(struct database_checkpoint *c) {
    struct sql_table *t;
    unsigned count = 0;
    for (unsigned at = 0; (t = sql_catalog_each_table(c->db->catalog, &at));)
        count += t->kind == SQL_TABLE_STORED;
    c->part = mem_zalloc(count + 1u, sizeof *c->part);
    if (!c->part)
        return -ENOMEM;
    for (unsigned at = 0; (t = sql_catalog_each_table(c->db->catalog, &at));) {
        if (t->kind != SQL_TABLE_STORED)
            continue;
        struct relation *rows = relation_ref(stored_of(t)->rows);
        c->part[c->parts++] = (struct part){t->oid, relation_next_id(rows), rows};
    }
    return 0;
}

static bool is_due(const struct database_checkpoint *c) {
    uint64_t least = c->size > CHECKPOINT_BYTES_MIN / 2 ? 2 * c->size : CHECKPOINT_BYTES_MIN;
    return c->grown > least && c->grown > c->not_before;
}

void database_checkpoint_look(struct database_checkpoint *c) {
    if (c->busy || !c->db->ready || !is_due(c))
        return;
    c->busy = true;
    c->moment = c->db->commit;
    c->before = c->grown;
    c->grown = c->begin = c->entries = c->bytes = 0;
    int r = hold_tables(c);
    if (r == 0)
        r = send_catalog(c);
    if (r < 0)
        give_up(c, error_name(r));
}

/* --- reading back ----------------------------------------------------------------------------- */

static int damaged(const struct database_checkpoint *c, struct error *error) {
    return error_set(
        error, -EBADMSG,
        "the checkpoint at %" PRIu64 " of stream SQL is damaged, or of another program", c->begin);
}

int database_checkpoint_found(struct database_checkpoint *c, slice payload, uint64_t *ret_begin,
                              struct error *error) {
    struct entry_reader r = {.rest = payload};
    uint32_t version = entry_take_u32(&r);
    c->begin = entry_take_u64(&r);
    c->expected_entries = entry_take_u64(&r);
    c->expected_bytes = entry_take_u64(&r);
    c->entries = c->bytes = 0;
    if (r.failed || version != VERSION)
        return damaged(c, error);
    *ret_begin = c->begin;
    return 0;
}

static int read_rows(struct database_checkpoint *c, struct entry_reader *r, struct error *error) {
    uint32_t oid = entry_take_u32(r);
    uint64_t next = entry_take_u64(r);
    struct sql_table *table = sql_catalog_table_by_oid(c->db->catalog, oid);
    if (r->failed || !table || table->kind != SQL_TABLE_STORED)
        return damaged(c, error);
    struct stored *stored = stored_of(table);
    int failed = commit_replay_named(c->db, stored, r->rest, error);
    if (!failed && next < relation_next_id(stored->rows))
        failed = damaged(c, error);
    if (!failed)
        relation_set_next_id(stored->rows, next);
    return failed;
}

static int read_catalog(struct database_checkpoint *c, struct entry_reader *r, bool begins,
                        struct error *error) {
    uint32_t version = begins ? entry_take_u32(r) : VERSION;
    uint32_t free_oid = begins ? entry_take_u32(r) : 0;
    if (r->failed || version != VERSION)
        return damaged(c, error);
    int failed = image_read(c->db, r);
    sql_catalog_set_free_oid(c->db->catalog, free_oid);
    return failed ? error_set(error, failed,
                              "definitions of the checkpoint at %" PRIu64
                              " of stream SQL cannot be made again (%s)",
                              c->begin, error_name(failed))
                  : 0;
}

int database_checkpoint_part(struct database_checkpoint *c, const struct ledger_record *part,
                             struct error *error) {
    struct entry_reader r = {.rest = part->payload};
    slice kind = slice_skip(part->subject, sizeof CHECKPOINT_PREFIX - 1);
    bool begins = slice_equal(kind, slice_lit("begin"));
    if (begins != (part->sequence == c->begin))
        return damaged(c, error);
    if (slice_equal(kind, slice_lit("end"))) {
        c->size = c->bytes;
        return c->entries == c->expected_entries && c->bytes == c->expected_bytes
                   ? 1
                   : damaged(c, error);
    }
    c->entries++;
    c->bytes += part->payload.len;
    return slice_equal(kind, slice_lit("rows")) ? read_rows(c, &r, error)
                                                : read_catalog(c, &r, begins, error);
}

void database_checkpoint_ready(struct database_checkpoint *c) {
    if (c->begin)
        ledger_trim(c->db->ledger, c->begin);
}
