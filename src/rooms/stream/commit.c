/*
 * commit.c - transactions on their way to the disk, in groups (transaction.h, inside.h).
 *
 * An entry of a table: what one transaction did to it, or a part of that.
 *
 *   u64 the id of the first row added | u32 deleted | u64 id … | ( u32 length | row ) …
 *
 * little-endian, rows as row.h writes them. Ids are told, not counted, so that a transaction that
 * failed leaves the same ids behind as one that never was.
 */
#include "rooms/stream/transaction.h"

#include "base/mem.h"
#include "rooms/stream/database_checkpoint.h"
#include "rooms/stream/rows.h"
#include "rooms/stream/view_snapshot.h"

#include <stdio.h>

#define ENTRY_BYTES ((size_t)1 << 20) /* an entry is closed when it is larger */
#define GROUP_MAX 1000u               /* transactions in one group */

struct commit {
    struct list_node node; /* of db->queue, then, where it is `put`, of db->flight */
    struct io_timer patience;
    struct transaction *transaction;
    void (*done)(void *self, const struct sql_error *error); /* NULL: nobody waits */
    void *self;
    struct sql_error error;
    bool put; /* it is in the tables */
};

static void pump(struct database *db);

/* --- entries -------------------------------------------------------------------------------- */

static int add_entry(struct entries *e, uint32_t oid, const struct buf *payload) {
    char subject[64];
    int n = snprintf(subject, sizeof subject, LEDGER_PREFIX "table.%u", oid);
    return entries_add(e, slice_make(subject, (size_t)n), buf_slice(payload));
}

static int begin_entry(struct buf *out, uint64_t first, const struct map64 *deleted) {
    struct entry_writer w = {.out = out};
    buf_clear(out);
    entry_u64(&w, first);
    entry_u32(&w, deleted ? (uint32_t)map64_count(deleted) : 0);
    const struct map64_entry *entry;
    for (size_t at = 0; deleted && (entry = map64_next(deleted, &at));)
        entry_u64(&w, entry->id);
    return w.failed;
}

/* --- putting a transaction into the tables --------------------------------------------------- */

int commit_put_rows(const struct change *c, struct relation *rows, uint64_t moment,
                    struct entries *entries, struct relation_conflict *conflict) {
    unsigned columns = c->stored->table->columns;
    struct sql_type types[SQL_COLUMNS_MAX];
    for (unsigned i = 0; i < columns; i++)
        types[i] = c->stored->table->column[i].type;
    struct sql_builder b;
    struct relation_scan scan;
    _cleanup_buf_ struct buf payload = buf_make(LEDGER_ENTRY_BYTES_MAX * 2);
    _cleanup_buf_ struct buf row = buf_make(SIZE_MAX / 2);
    uint64_t next = relation_next_id(rows);
    int r = begin_entry(&payload, next, &c->deleted);
    if (r < 0 || sql_builder_make(columns, &b) < 0)
        return -ENOMEM;
    relation_scan_all(c->added, 1, &scan);
    for (;;) {
        sql_builder_reset(&b);
        int n = relation_scan_next(&scan, NULL, columns, &b);
        if (n <= 0) {
            r = n;
            break;
        }
        struct sql_batch batch = sql_builder_batch(&b);
        r = relation_apply(rows, &batch, moment, conflict);
        for (unsigned i = 0; r == 0 && i < batch.rows; i++) {
            buf_clear(&row);
            r = sql_row_encode(&batch, types, NULL, columns, i, false, &row);
            r = r == 0 && row.len > LEDGER_ENTRY_BYTES_MAX ? -EMSGSIZE : r;
            struct entry_writer w = {.out = &payload, .failed = r};
            entry_u32(&w, (uint32_t)row.len);
            entry_bytes(&w, buf_slice(&row));
            r = w.failed;
            if (r == 0 && payload.len > ENTRY_BYTES) {
                r = add_entry(entries, c->stored->table->oid, &payload);
                if (r == 0)
                    r = begin_entry(&payload, next + i + 1, NULL);
            }
        }
        next += batch.rows;
        if (r < 0)
            break;
    }
    relation_scan_end(&scan);
    sql_builder_free(&b);
    return r < 0 ? r : add_entry(entries, c->stored->table->oid, &payload);
}

static void take_back(struct change *c, uint64_t first, uint64_t moment) {
    struct relation *rows = c->stored->rows;
    for (uint64_t id = relation_next_id(rows); id > first; id--)
        if (relation_judge(rows, id - 1, moment) == 0)
            relation_erase(rows, id - 1);
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&c->deleted, &at));)
        if (relation_judge(rows, entry->id, moment - 1) == -EAGAIN)
            relation_restore(rows, entry->id);
}

int commit_refuse(int r, const struct change *c, const struct relation_conflict *conflict,
                  struct sql_error *error) {
    const struct sql_table *t = c ? c->stored->table : NULL;
    for (unsigned i = 0; r == -EEXIST && i < t->indexes; i++)
        if (t->index[i].oid == conflict->index)
            return sql_fail(error, "23505",
                            "duplicate key value violates unique constraint \"%.*s\"",
                            slice_fmt(t->index[i].name));
    if (r == -ENOBUFS)
        return sql_fail(error, "53200", "table \"%.*s\" would take more than its memory",
                        slice_fmt(t->name));
    if (r == -EMSGSIZE)
        return sql_fail(error, "54000", "a row has at most %zu bytes", LEDGER_ENTRY_BYTES_MAX);
    if (r == -EFBIG) {
        (void)sql_fail(error, "54000", "one commit writes at most %zu bytes",
                       LEDGER_COMMIT_BYTES_MAX);
        return -EFBIG;
    }
    return sql_fail_memory(error);
}

static int put_change(struct change *c, uint64_t moment, struct entries *entries,
                      struct sql_error *error) {
    struct relation *rows = c->stored->rows;
    uint64_t first = relation_next_id(rows);
    struct relation_conflict conflict = {0, 0};
    const struct map64_entry *entry;
    int r = change_judge(c, error);
    if (r < 0)
        return r;
    for (size_t at = 0; r == 0 && (entry = map64_next(&c->deleted, &at));)
        r = relation_delete(rows, entry->id, moment);
    if (r == 0)
        r = commit_put_rows(c, rows, moment, entries, &conflict);
    if (r == 0)
        return 0;
    take_back(c, first, moment);
    return commit_refuse(r, c, &conflict, error);
}
/* Out of the tables again: the log did not take it. */
static void take_out(struct commit *c) {
    if (!c->put)
        return;
    struct transaction *t = c->transaction;
    for (struct list_node *n = t->changes.head.prev; n != &t->changes.head; n = n->prev) {
        struct change *change = container_of(n, struct change, node);
        if (!change->folded)
            take_back(change, change->placed, t->snapshot);
    }
    definitions_relax(t, true);
}

static int put_transaction(struct database *db, struct commit *c, struct entries *entries) {
    struct transaction *t = c->transaction;
    uint64_t moment = database_moment(db);
    t->snapshot = moment; /* from now on: when it was put */
    struct list_node *n;
    int r = t->definitions ? entries_add_all(entries, &t->definitions->log) : 0;
    if (r < 0)
        return commit_refuse(r, NULL, NULL, &c->error);
    definitions_relax(t, false);
    for (n = t->changes.head.next; r == 0 && n != &t->changes.head; n = n->next) {
        struct change *change = container_of(n, struct change, node);
        if (change->folded)
            continue;
        if (!change_fits(change, change->stored->table)) {
            r = fail_changed_table(change->stored->table, &c->error);
            break;
        }
        change->placed = relation_next_id(change->stored->rows);
        r = put_change(change, moment, entries, &c->error);
        if (r < 0)
            break;
    }
    if (r == 0) {
        c->put = true;
        return 0;
    }
    for (n = n->prev; n != &t->changes.head; n = n->prev) {
        struct change *change = container_of(n, struct change, node);
        if (!change->folded)
            take_back(change, change->placed, moment);
    }
    definitions_relax(t, true);
    return r;
}

/* --- what others see of it -------------------------------------------------------------------- */

static void tell_batch(struct database *db, const struct sql_table *table, struct sql_builder *b) {
    struct sql_batch batch = sql_builder_batch(b);
    if (batch.rows)
        database_changed(db, table, &batch);
    sql_builder_reset(b);
}

/* Rows that C took away from its table, then those it added, as changes of the table. */
static int tell_rows(struct database *db, struct change *c, struct sql_builder *b) {
    const struct sql_table *table = c->stored->table;
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&c->deleted, &at));) {
        int r = relation_read(c->stored->rows, entry->id, NULL, table->columns, -1, b);
        if (r < 0)
            return r;
        if (sql_builder_full(b))
            tell_batch(db, table, b);
    }
    for (uint64_t id = c->placed; id < c->placed_end; id++) {
        int r = relation_read(c->stored->rows, id, NULL, table->columns, 1, b);
        if (r < 0)
            return r;
        if (sql_builder_full(b))
            tell_batch(db, table, b);
    }
    tell_batch(db, table, b);
    return 0;
}

/* A view that is not told of a row would be wrong from then on. */
static void tell(struct database *db, struct change *c,
                 int (*rows)(struct database *db, struct change *c, struct sql_builder *b)) {
    struct sql_builder b;
    int r = sql_builder_make(c->stored->table->columns, &b);
    if (r == 0) {
        r = rows(db, c, &b);
        sql_builder_free(&b);
    }
    if (r < 0) {
        struct error why;
        (void)error_set(&why, r, "views cannot be told of a commit (%s)", error_name(r));
        database_fatal(db, &why);
    }
}

/* Its rows have other places in the version that stands for their table. */
static int tell_folded_rows(struct database *db, struct change *c, struct sql_builder *b) {
    const struct sql_table *table = c->stored->table;
    const struct map64_entry *entry;
    struct relation_scan scan;
    int r = 0, n = 1;
    for (size_t at = 0; r == 0 && (entry = map64_next(&c->deleted, &at));) {
        r = relation_read(c->stored->rows, entry->id, NULL, table->columns, -1, b);
        if (sql_builder_full(b))
            tell_batch(db, table, b);
    }
    tell_batch(db, table, b);
    relation_scan_all(c->added, 1, &scan);
    while (r == 0 && n > 0) {
        n = relation_scan_next(&scan, NULL, table->columns, b);
        r = n < 0 ? n : 0;
        tell_batch(db, table, b);
    }
    relation_scan_end(&scan);
    return r;
}

void commit_tell_folded(struct database *db, struct change *c) {
    if (c->folded && !c->gone && c->stored->rows)
        tell(db, c, tell_folded_rows);
}

static void tell_views(struct database *db, struct commit *c) {
    struct transaction *t = c->transaction;
    struct list_node *n;
    if (t->definitions && t->definitions->catalog)
        definitions_publish(t);
    for (n = t->changes.head.next; n != &t->changes.head; n = n->next) {
        struct change *change = container_of(n, struct change, node);
        if (!change->folded)
            tell(db, change, tell_rows);
    }
}

static void note_position(struct database *db, struct commit *c) {
    struct list_node *n, *next;
    list_each(&c->transaction->changes, n, next) {
        container_of(n, struct change, node)->stored->position = ledger_position(db->ledger);
    }
}

static void finish(struct commit *c, const struct sql_error *error) {
    void (*done)(void *self, const struct sql_error *error) = c->done;
    void *self = c->self;
    struct sql_error copy = error ? *error : (struct sql_error){.state = ""};
    list_remove(&c->node);
    io_timer_stop(c->transaction->db->loop, &c->patience);
    transaction_free(c->transaction);
    mem_free(c);
    if (done)
        done(self, error ? &copy : NULL);
}

static void on_stored(void *self, const struct error *failed) {
    struct database *db = self;
    struct sql_error error;
    db->sending = NULL;
    struct list_node *n, *next;
    if (failed) {
        (void)sql_fail(&error, failed->code == -ENOSPC ? "53100" : "58030", "could not commit: %s",
                       failed->message);
        for (n = db->flight.head.prev; n != &db->flight.head; n = n->prev)
            take_out(container_of(n, struct commit, node));
    } else {
        list_each(&db->flight, n, next) note_position(db, container_of(n, struct commit, node));
        list_each(&db->flight, n, next) tell_views(db, container_of(n, struct commit, node));
        database_step(db);
    }
    struct list done;
    list_init(&done);
    list_splice(&done, &db->flight);
    database_show(db);
    list_each(&done, n, next) finish(container_of(n, struct commit, node), failed ? &error : NULL);
    definition_go_on(db);
    views_save_go_on(db);
    pump(db);
}

/* --- groups ------------------------------------------------------------------------------------
 */

static void on_patience(struct io_timer *timer) {
    struct sql_error why;
    (void)sql_fail(&why, "55P03", "canceling statement due to lock timeout");
    sql_error_hint(&why, "Another transaction alters or drops a table that this one has written "
                         "to, and has not ended.");
    commit_cancel(container_of(timer, struct commit, patience), &why);
}

/* Has it changed a table that another transaction defines anew? Then it waits for that one. */
static bool must_wait(struct database *db, struct commit *c) {
    struct transaction *t = c->transaction;
    bool held = false;
    struct list_node *n;
    for (n = t->changes.head.next; !held && n != &t->changes.head; n = n->next) {
        const struct stored *s = container_of(n, struct change, node)->stored;
        held = s->holder && s->holder != t;
    }
    if (held && t->patience_ns && !io_timer_running(&c->patience))
        io_timer_start(db->loop, &c->patience, t->patience_ns, on_patience);
    return held;
}

static bool defines(const struct commit *c) {
    return c->transaction->definitions && c->transaction->definitions->catalog;
}

static void note_places(struct commit *c) {
    struct list_node *n;
    for (n = c->transaction->changes.head.next; n != &c->transaction->changes.head; n = n->next) {
        struct change *change = container_of(n, struct change, node);
        if (!change->folded)
            change->placed_end = relation_next_id(change->stored->rows);
    }
}

/* C is the next of the group, of which COUNT are there. 1: it is in; 0: it was refused; -EAGAIN:
   the group has to go without it. */
static int set_off(struct database *db, struct commit *c, struct entries *entries, unsigned count,
                   struct list *refused) {
    size_t before = entries->count;
    if (defines(c) && count > 0) /* what comes behind it has to see what it defines */
        return -EAGAIN;
    list_remove(&c->node);
    int r = put_transaction(db, c, entries);
    if (r == 0) {
        io_timer_stop(db->loop, &c->patience);
        note_places(c);
        list_push_back(&db->flight, &c->node);
        return 1;
    }
    entries_cut(entries, before);
    if (r == -EFBIG && count > 0) { /* it may fit into a group of its own */
        list_push_front(&db->queue, &c->node);
        return -EAGAIN;
    }
    list_push_back(refused, &c->node);
    return 0;
}

/* What has gathered while the last group was on its way, in its order. */
static unsigned gather(struct database *db, struct entries *entries, struct list *refused) {
    unsigned count = 0;
    struct list_node *n, *next;
    list_each(&db->queue, n, next) {
        struct commit *c = container_of(n, struct commit, node);
        if (count == GROUP_MAX || entries->bytes > LEDGER_COMMIT_BYTES_MAX / 2)
            break;
        if (must_wait(db, c))
            continue;
        bool alone = defines(c);
        int r = set_off(db, c, entries, count, refused);
        if (r < 0)
            break;
        count += (unsigned)r;
        if (r == 1 && alone)
            break;
    }
    return count;
}

/* None sets off while a definition waits for those on their way: it copies rows as they are; so
   does a snapshot. */
static void pump(struct database *db) {
    struct entries entries = {0};
    struct list refused;
    list_init(&refused);
    if (db->sending || db->closed || db->defining || views_save_holds(db))
        return;
    database_checkpoint_look(db->checkpoint);
    unsigned count = gather(db, &entries, &refused);
    if (count &&
        ledger_commit(db->ledger, entries.list, entries.count, on_stored, db, &db->sending) < 0) {
        struct error why;
        (void)error_set(&why, -ENOMEM, "no memory for the commit");
        on_stored(db, &why);
    }
    database_checkpoint_grow(db->checkpoint, entries.bytes);
    entries_free(&entries);
    struct list_node *n, *next;
    if (!list_empty(&refused)) /* they have taken moments, which nobody waits for in vain */
        database_show(db);
    list_each(&refused, n, next) {
        struct commit *c = container_of(n, struct commit, node);
        struct sql_error error = c->error;
        finish(c, &error);
    }
}

static void on_pump(struct io_task *task) {
    pump(container_of(task, struct database, pump));
}

void commits_go_on(struct database *db) {
    db->pump.run = on_pump;
    io_defer(db->loop, &db->pump);
}

int transaction_commit(struct transaction *take_t,
                       void (*done)(void *self, const struct sql_error *error), void *self,
                       struct commit **ret) {
    struct commit *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->transaction = take_t;
    c->done = done;
    c->self = self;
    list_push_back(&take_t->db->queue, &c->node);
    commits_go_on(take_t->db);
    *ret = c;
    return 0;
}

void commit_forget(struct commit *c) {
    if (c)
        c->done = NULL;
}

void commit_cancel(struct commit *c, const struct sql_error *why) {
    if (!c->put)
        finish(c, why);
}

void commits_close(struct database *db) {
    struct list_node *n, *next;
    io_defer_cancel(db->loop, &db->pump);
    struct list *lists[] = {&db->queue, &db->flight};
    for (unsigned i = 0; i < 2; i++)
        list_each(lists[i], n, next) {
            struct commit *c = container_of(n, struct commit, node);
            list_remove(&c->node);
            io_timer_stop(db->loop, &c->patience);
            transaction_free(c->transaction);
            mem_free(c);
        }
}

/* --- reading back ----------------------------------------------------------------------------- */

/* An identity counts on behind what a transaction has put. */
static void count_identity(void *self, const union sql_cell *cells, const uint8_t *nulls) {
    struct stored *stored = self;
    const struct sql_table *table = stored->table;
    for (unsigned i = 0; i < table->columns; i++) {
        bool counts = table->column[i].generated == SQL_IDENTITY ||
                      table->column[i].generated == SQL_IDENTITY_BY_DEFAULT;
        if (counts && !nulls[i] && cells[i].i >= stored->next_identity)
            stored->next_identity = cells[i].i + 1;
    }
}

/* NAMED: each row has its id before it, and the counter of identities stays as it is. */
static int replay_rows(struct stored *stored, slice payload, bool named, uint64_t moment,
                       struct error *error) {
    const struct sql_table *table = stored->table;
    struct sql_type types[SQL_COLUMNS_MAX];
    for (unsigned i = 0; i < table->columns; i++)
        types[i] = table->column[i].type;
    const struct rows_reader reader = {.rows = stored->rows,
                                       .types = types,
                                       .columns = table->columns,
                                       .named = named,
                                       .moment = moment,
                                       .each = named ? NULL : count_identity,
                                       .self = stored};
    int r = rows_read(&reader, payload);
    return r == 0 ? 0
                  : error_set(error, r, "rows of table \"%.*s\" in stream SQL do not fit it (%s)",
                              slice_fmt(table->name), error_name(r));
}

int commit_replay_named(struct database *db, struct stored *stored, slice rows,
                        struct error *error) {
    return replay_rows(stored, rows, true, database_moment(db), error);
}

/* The rows that ROWS, the ids of COUNT of them, tells to have gone. */
static int replay_deleted(struct stored *stored, struct entry_reader *r, uint32_t count,
                          uint64_t moment, struct error *error) {
    for (uint32_t i = 0; i < count; i++)
        if (relation_delete(stored->rows, entry_take_u64(r), moment) < 0)
            return error_set(error, -EBADMSG, "table %u in stream SQL loses a row it has not",
                             stored->table->oid);
    return 0;
}

int commit_replay(struct database *db, slice subject, slice payload, struct error *error) {
    uint64_t oid = 0;
    slice digits = slice_skip(subject, sizeof LEDGER_PREFIX "table." - 1);
    for (size_t i = 0; i < digits.len; i++)
        oid = oid * 10 + (uint64_t)(digits.ptr[i] - '0');
    struct sql_table *table = sql_catalog_table_by_oid(db->catalog, (uint32_t)oid);
    if (!table || table->kind != SQL_TABLE_STORED)
        return 0; /* dropped since */
    struct stored *stored = stored_of(table);
    struct entry_reader r = {.rest = payload};
    uint64_t first = entry_take_u64(&r), moment = database_moment(db);
    uint32_t deleted = entry_take_u32(&r);
    if (r.failed || r.rest.len / 8 < deleted)
        return error_set(error, -EBADMSG, "an entry of table %u in stream SQL is cut short",
                         table->oid);
    int failed = replay_deleted(stored, &r, deleted, moment, error);
    if (!failed && first < relation_next_id(stored->rows))
        failed =
            error_set(error, -EBADMSG, "rows of table %u in stream SQL come twice", table->oid);
    if (failed)
        return failed;
    relation_set_next_id(stored->rows, first);
    return replay_rows(stored, r.rest, false, moment, error);
}
