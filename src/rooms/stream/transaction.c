/*
 * transaction.c - see transaction.h.
 *
 * Nothing here is seen by others before commit.c puts it into the tables. Unique keys are judged
 * when a row comes, against what is committed now and this transaction's own rows, and once more at
 * the commit, for what others have committed meanwhile.
 */
#include "rooms/stream/transaction.h"

#include "base/mem.h"

#include <errno.h>

struct transaction *transaction_new(struct database *db) {
    struct transaction *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->db = db;
    list_init(&t->changes);
    t->snapshot = db->visible;
    return t;
}

static void free_change(struct change *c) {
    relation_free(c->added);
    map64_free(&c->deleted);
    sql_table_unref(c->stored->table);
    mem_free(c);
}

static void keep_savepoints(struct transaction *t, unsigned count) {
    while (t->savepoint_count > count)
        sql_catalog_free(t->savepoints[--t->savepoint_count].catalog);
}

struct transaction *transaction_free(struct transaction *t) {
    if (!t)
        return NULL;
    struct list_node *n, *next;
    definitions_end(t);
    list_each(&t->changes, n, next) free_change(container_of(n, struct change, node));
    mem_free(t->undo);
    keep_savepoints(t, 0);
    mem_free(t->savepoints);
    return mem_free(t);
}

void transaction_see(struct transaction *t) {
    if (!transaction_is_fixed(t))
        t->snapshot = t->db->visible;
}

bool transaction_is_fixed(const struct transaction *t) {
    return t->repeatable && t->used;
}

struct change *transaction_find(const struct transaction *t, const struct sql_table *table) {
    for (struct list_node *n = t->changes.head.next; n != &t->changes.head; n = n->next) {
        struct change *c = container_of(n, struct change, node);
        if (c->stored->table->oid == table->oid && !c->folded)
            return c;
    }
    return NULL;
}

bool transaction_has_changes(const struct transaction *t) {
    return t->undo_count > 0 || (t->definitions && t->definitions->log.count > 0);
}

bool change_fits(const struct change *c, const struct sql_table *table) {
    return c->stored->table == table && c->stored->rows;
}

int fail_changed_row(struct sql_error *error) {
    return sql_fail(error, "40001", "could not serialize access due to concurrent update");
}

static bool change_lost(const struct change *c) {
    const struct map64_entry *entry;
    for (size_t at = 0; (entry = map64_next(&c->deleted, &at));)
        if (relation_judge(c->stored->rows, entry->id, RELATION_LIVE - 1) < 0)
            return true;
    return false;
}

int change_judge(const struct change *c, struct sql_error *error) {
    return change_lost(c) ? fail_changed_row(error) : 0;
}

/* Has a row that C takes away been taken away by another since it was judged last? */
static bool lost_row(const struct change *c) {
    const struct relation *rows = c->stored->rows;
    uint64_t taken = relation_taken(rows);
    if (taken - c->judged_taken > map64_count(&c->deleted))
        return change_lost(c);
    for (uint64_t n = c->judged_taken; n < taken; n++) {
        uint64_t id = relation_taken_id(rows, n);
        if (id == 0)
            return change_lost(c); /* it came so long ago that it is not told any more */
        if (map64_find(&c->deleted, id) && relation_judge(rows, id, RELATION_LIVE - 1) < 0)
            return true;
    }
    return false;
}

/* Has one of the rows in BATCH a unique key that OTHER has, too? 1, 0, or < 0. */
static int keys_meet(const struct sql_table *table, const struct sql_batch *batch,
                     struct relation *other, const struct map64 *hidden) {
    for (unsigned i = 0; i < table->indexes; i++)
        for (unsigned row = 0; table->index[i].unique && row < batch->rows; row++) {
            int64_t id = relation_find_key(other, table->index[i].oid, batch, row, hidden);
            if (id != 0)
                return id < 0 ? (int)id : 1;
        }
    return 0;
}

/* Do the rows of ROWS from id NEXT on, those that are there, meet one of OTHER's? 1, 0, or < 0. */
static int rows_meet(const struct sql_table *table, struct relation *rows, uint64_t next,
                     struct relation *other, const struct map64 *hidden) {
    struct sql_builder b;
    int r = sql_builder_make(table->columns, &b);
    if (r < 0)
        return r;
    while (r == 0 && next < relation_next_id(rows)) {
        sql_builder_reset(&b);
        for (; r == 0 && next < relation_next_id(rows) && !sql_builder_full(&b); next++)
            if (relation_judge(rows, next, RELATION_LIVE - 1) == 0)
                r = relation_read(rows, next, NULL, table->columns, 1, &b);
        struct sql_batch batch = sql_builder_batch(&b);
        if (r == 0)
            r = keys_meet(table, &batch, other, hidden);
    }
    sql_builder_free(&b);
    return r;
}

/* Has a row come since C was judged last that has the key of one that C adds? 1, 0, or < 0. */
static int met_key(struct change *c) {
    const struct sql_table *table = c->stored->table;
    struct relation *rows = c->stored->rows;
    uint64_t own = relation_stats(c->added).rows;
    bool unique = false;
    for (unsigned i = 0; i < table->indexes; i++)
        unique |= table->index[i].unique;
    if (!unique || own == 0 || c->judged_id == relation_next_id(rows))
        return 0;
    if (relation_next_id(rows) - c->judged_id <= own)
        return rows_meet(table, rows, c->judged_id, c->added, NULL);
    return rows_meet(table, c->added, 1, rows, &c->deleted);
}

int transaction_judge(struct transaction *t, struct sql_error *error) {
    if (transaction_is_fixed(t))
        return 0;
    for (struct list_node *n = t->changes.head.next; n != &t->changes.head; n = n->next) {
        struct change *c = container_of(n, struct change, node);
        if (c->folded || !change_fits(c, c->stored->table))
            continue;
        int r = lost_row(c) ? 1 : met_key(c);
        if (r < 0)
            return sql_fail_memory(error);
        if (r > 0)
            return fail_changed_row(error);
        c->judged_taken = relation_taken(c->stored->rows);
        c->judged_id = relation_next_id(c->stored->rows);
    }
    return 0;
}

int fail_changed_table(const struct sql_table *table, struct sql_error *error) {
    return sql_fail(error, "40001", "table \"%.*s\" was altered or dropped meanwhile",
                    slice_fmt(table->name));
}

/* What T does to STORED: rows of its own have the form the table had when the first came. */
static struct change *change_of(struct transaction *t, struct stored *stored,
                                struct sql_error *error) {
    struct change *c = transaction_find(t, stored->table);
    if (c && !change_fits(c, stored->table)) {
        (void)fail_changed_table(stored->table, error);
        return NULL;
    }
    if (c)
        return c;
    c = mem_zalloc(1, sizeof *c);
    if (!c) {
        (void)sql_fail_memory(error);
        return NULL;
    }
    c->stored = stored;
    c->deleted = map64_make(0, TRANSACTION_ROWS_MAX);
    if (relation_for(t->db, stored->table, &c->added) < 0) {
        mem_free(c);
        (void)sql_fail_memory(error);
        return NULL;
    }
    stored->table->references++;
    c->judged_taken = relation_taken(stored->rows);
    c->judged_id = relation_next_id(stored->rows);
    list_push_back(&t->changes, &c->node);
    return c;
}

static int note(struct transaction *t, struct change *c, int64_t id, bool own) {
    if (t->undo_count == t->undo_room) {
        size_t room = t->undo_room ? t->undo_room * 2 : 16;
        struct undo *more = mem_realloc(t->undo, room * sizeof *more);
        if (!more || room > TRANSACTION_ROWS_MAX)
            return -ENOMEM;
        t->undo = more;
        t->undo_room = room;
    }
    t->undo[t->undo_count++] = (struct undo){c, id, own};
    return 0;
}

void transaction_undo(struct transaction *t, size_t to) {
    while (t->undo_count > to) {
        struct undo u = t->undo[--t->undo_count];
        if (u.id == 0)
            u.change->folded = u.change->gone = false;
        else if (u.id > 0)
            map64_remove(&u.change->deleted, (uint64_t)u.id);
        else if (u.own)
            relation_restore(u.change->added, (uint64_t)-u.id);
        else
            relation_erase(u.change->added, (uint64_t)-u.id);
    }
}

int transaction_fold(struct transaction *t, struct change *c, bool gone) {
    int r = note(t, c, 0, false);
    c->folded = r == 0;
    c->gone = r == 0 && gone;
    return r;
}

/* PostgreSQL's words, with the key's values. */
static int duplicate(const struct sql_table *table, uint32_t oid, const struct sql_batch *batch,
                     unsigned row, struct sql_error *error) {
    static const struct sql_settings plain = {.extra_float_digits = 1};
    const struct sql_table_index *x = NULL;
    for (unsigned i = 0; i < table->indexes; i++)
        if (table->index[i].oid == oid)
            x = &table->index[i];
    if (!x)
        return sql_fail(error, "23505", "duplicate key value violates a unique constraint");
    (void)sql_fail(error, "23505", "duplicate key value violates unique constraint \"%.*s\"",
                   slice_fmt(x->name));
    _cleanup_buf_ struct buf names = buf_make(4096), values = buf_make(4096);
    int r = 0;
    for (unsigned i = 0; r == 0 && i < x->columns; i++) {
        unsigned c = x->column[i];
        r = buf_printf(&names, "%s%.*s", i ? ", " : "", slice_fmt(table->column[c].name));
        if (r == 0 && i)
            r = buf_append(&values, slice_lit(", "));
        if (r == 0)
            r = sql_value_out(table->column[c].type, sql_cell_at(&batch->column[c], row), &plain,
                              &values);
    }
    sql_error_detail(error, "Key (%.*s)=(%.*s) already exists.", slice_fmt(buf_slice(&names)),
                     slice_fmt(buf_slice(&values)));
    buf_free(&values);
    return -EINVAL;
}

int64_t transaction_conflict(struct transaction *t, struct stored *stored,
                             const struct sql_batch *batch, unsigned row, uint32_t index) {
    struct change *c = transaction_find(t, stored->table);
    for (unsigned i = 0; i < stored->table->indexes; i++) {
        const struct sql_table_index *x = &stored->table->index[i];
        if (!x->unique || (index && x->oid != index))
            continue;
        int64_t id = c ? relation_find_key(c->added, x->oid, batch, row, NULL) : 0;
        if (id != 0)
            return -id;
        id = relation_find_key(stored->rows, x->oid, batch, row, c ? &c->deleted : NULL);
        if (id != 0)
            return id;
    }
    return 0;
}

/* Row ROW of BATCH has a key, of index OID, that is there. Where a row that C takes away is gone
   meanwhile, whoever was first may have put another in its place, which is the one in the way, or
   was found and changed beside C's own: that is a conflict of two updates, no duplicate. */
static int in_the_way(const struct change *c, uint32_t oid, const struct sql_batch *batch,
                      unsigned row, struct sql_error *error) {
    return change_lost(c) ? fail_changed_row(error)
                          : duplicate(c->stored->table, oid, batch, row, error);
}

int transaction_insert(struct transaction *t, struct stored *stored, const struct sql_batch *batch,
                       struct sql_error *error) {
    struct change *c = change_of(t, stored, error);
    if (!c)
        return -EINVAL;
    for (unsigned row = 0; row < batch->rows; row++)
        for (unsigned i = 0; i < stored->table->indexes; i++) {
            const struct sql_table_index *x = &stored->table->index[i];
            if (x->unique && relation_find_key(stored->rows, x->oid, batch, row, &c->deleted) > 0)
                return in_the_way(c, x->oid, batch, row, error);
        }
    uint64_t first = relation_next_id(c->added);
    struct relation_conflict conflict;
    int r = relation_apply(c->added, batch, 1, &conflict);
    if (r == -EEXIST)
        return in_the_way(c, conflict.index, batch, conflict.row, error);
    if (r == -ENOBUFS)
        return sql_fail(error, "53200", "table \"%.*s\" would take more than its memory",
                        slice_fmt(stored->table->name));
    for (uint64_t id = first; r == 0 && id < relation_next_id(c->added); id++)
        r = note(t, c, -(int64_t)id, false);
    return r < 0 ? sql_fail_memory(error) : 0;
}

int transaction_delete(struct transaction *t, struct stored *stored, int64_t id,
                       struct sql_error *error) {
    struct change *c = change_of(t, stored, error);
    if (!c)
        return -EINVAL;
    int r;
    if (id < 0) {
        r = relation_delete(c->added, (uint64_t)-id, 1);
        if (r == -EAGAIN || r == -ENOENT)
            return 1;
        if (r == 0)
            r = note(t, c, id, true);
        return r < 0 ? sql_fail_memory(error) : 0;
    }
    if (map64_find(&c->deleted, (uint64_t)id))
        return 1;
    r = relation_judge(stored->rows, (uint64_t)id, t->snapshot);
    if (r < 0)
        return fail_changed_row(error);
    r = map64_add(&c->deleted, (uint64_t)id, c);
    if (r == 0)
        r = note(t, c, id, false);
    return r < 0 ? sql_fail_memory(error) : 0;
}

int transaction_read(struct transaction *t, struct stored *stored, int64_t id,
                     const unsigned *which, unsigned count, struct sql_builder *b) {
    struct change *c = transaction_find(t, stored->table);
    if (id < 0)
        return c ? relation_read(c->added, (uint64_t)-id, which, count, 1, b) : -ENOENT;
    return relation_read(stored->rows, (uint64_t)id, which, count, 1, b);
}

int transaction_savepoint(struct transaction *t, slice name, struct sql_error *error) {
    if (t->savepoint_count == TRANSACTION_SAVEPOINTS_MAX)
        return sql_fail(error, "54000", "a transaction has at most %u savepoints",
                        TRANSACTION_SAVEPOINTS_MAX);
    struct savepoint *more = mem_realloc(t->savepoints, (t->savepoint_count + 1u) * sizeof *more);
    if (!more)
        return sql_fail_memory(error);
    t->savepoints = more;
    struct savepoint *s = &more[t->savepoint_count];
    if (slice_to_string(name, s->name, sizeof s->name) < 0)
        return sql_fail(error, "42622", "the savepoint's name is too long");
    s->undo = t->undo_count;
    s->settings = 0;
    s->read_only = t->read_only;
    definitions_savepoint(t, s);
    t->savepoint_count++;
    return 0;
}

/* Those of tables that are not there any more: what they did has been undone. */
static void forget_changes(struct transaction *t) {
    const struct sql_catalog *catalog =
        t->definitions && t->definitions->catalog ? t->definitions->catalog : t->db->catalog;
    struct list_node *n, *next;
    list_each(&t->changes, n, next) {
        struct change *c = container_of(n, struct change, node);
        const struct sql_table *table = c->stored->table;
        if (c->folded || sql_catalog_table_by_oid(catalog, table->oid) == table)
            continue;
        list_remove(&c->node);
        free_change(c);
    }
}

int transaction_rollback_to(struct transaction *t, slice name, bool release,
                            struct sql_error *error) {
    unsigned i = t->savepoint_count;
    while (i > 0 && !slice_equal(slice_str(t->savepoints[i - 1].name), name))
        i--;
    if (i == 0)
        return sql_fail(error, "3B001", "savepoint \"%.*s\" does not exist", slice_fmt(name));
    if (!release) {
        const struct savepoint *s = &t->savepoints[i - 1];
        transaction_undo(t, s->undo);
        t->read_only = s->read_only;
        definitions_rollback_to(t, s);
        if (t->definitions)
            forget_changes(t);
    }
    keep_savepoints(t, release ? i - 1 : i);
    return 0;
}

unsigned transaction_mark(const struct transaction *t) {
    return t->savepoint_count ? t->savepoints[t->savepoint_count - 1].settings : 0;
}
