/*
 * definer.c - see definer.h.
 *
 * What a version replaces is kept as long as a savepoint may bring it back, and what the database
 * shows until the transaction has ended; the lists `made` and `held` say what is to be freed then.
 */
#include "rooms/stream/changelog.h"
#include "rooms/stream/rewrite.h"
#include "rooms/stream/subscribe.h"
#include "rooms/stream/transaction.h"
#include "rooms/stream/view_snapshot.h"

#include "base/mem.h"
#include "sql/catalog_copy.h"

#include <errno.h>

struct sql_catalog *session_catalog(const struct database_session *s) {
    const struct definitions *defined = s->transaction ? s->transaction->definitions : NULL;
    return defined && defined->catalog ? defined->catalog : s->db->catalog;
}

/* A savepoint goes back to the catalog that is there now? */
static bool is_saved(const struct transaction *t, const struct sql_catalog *catalog) {
    for (unsigned i = 0; i < t->savepoint_count; i++)
        if (t->savepoints[i].catalog == catalog)
            return true;
    return false;
}

int definer_begin(struct definer *d, struct database_session *s, struct sql_error *error) {
    struct transaction *t = s->transaction;
    if (!t->definitions)
        t->definitions = mem_zalloc(1, sizeof *t->definitions);
    struct definitions *defined = t->definitions;
    if (!defined)
        return sql_fail_memory(error);
    if (!defined->catalog || is_saved(t, defined->catalog)) {
        struct sql_catalog *copy;
        if (sql_catalog_copy(session_catalog(s), &copy) < 0)
            return sql_fail_memory(error);
        sql_catalog_free(defined->catalog);
        defined->catalog = copy;
    }
    s->settings.catalog = defined->catalog;
    *d = (struct definer){s->db, defined->catalog, t, s};
    return 0;
}

int definer_log(struct definer *d, slice text, struct sql_error *error) {
    if (text.len > LEDGER_ENTRY_BYTES_MAX)
        return sql_fail(error, "54000", "a definition has at most %zu bytes",
                        LEDGER_ENTRY_BYTES_MAX);
    int r = entries_add(&d->transaction->definitions->log, slice_lit(LEDGER_PREFIX "ddl"), text);
    if (r == -EFBIG)
        return sql_fail(error, "54000", "one transaction defines and writes at most %zu bytes",
                        LEDGER_COMMIT_BYTES_MAX);
    return r < 0 ? sql_fail_memory(error) : 0;
}

static int push(struct sql_table ***list, unsigned *count, struct sql_table *t) {
    struct sql_table **more = mem_realloc(*list, (*count + 1u) * sizeof *more);
    if (!more)
        return -ENOMEM;
    *list = more;
    more[(*count)++] = t;
    t->references++;
    return 0;
}

int definer_made(struct definer *d, struct sql_table *t) {
    struct definitions *defined = d->transaction ? d->transaction->definitions : NULL;
    return defined ? push(&defined->made, &defined->made_count, t) : 0;
}

/* Statements may still name it: it stays in memory until there is none (statement.c). If there is
   no memory for the list, it stays for good. */
void table_retire(struct database *db, struct sql_table *t) {
    struct stored *s = t->kind == SQL_TABLE_STORED ? t->host : NULL;
    if (s)
        s->rows = relation_free(s->rows);
    if (t->kind == SQL_TABLE_MATERIALIZED)
        t->host = NULL;
    if (db->statement_count == 0)
        return;
    t->references++;
    (void)!push(&db->dropped, &db->dropped_count, t);
    t->references--;
}

/* --- tables ----------------------------------------------------------------------------------- */

static bool is_shown(const struct database *db, const struct sql_table *t) {
    return sql_catalog_table_by_oid(db->catalog, t->oid) == t;
}

/* T leaves the catalog of D, which frees its reference then. */
static int leave(struct definer *d, struct sql_table *t) {
    struct transaction *by = d->transaction;
    if (by && is_shown(d->db, t)) {
        if (t->kind == SQL_TABLE_STORED && t->host)
            stored_of(t)->holder = by;
        return push(&by->definitions->held, &by->definitions->held_count, t);
    }
    if (!by || by->savepoint_count == 0)
        table_retire(d->db, t);
    return 0;
}

uint64_t definer_moment(const struct definer *d) {
    return d->transaction ? d->transaction->snapshot : d->db->commit;
}

/* T's rows with what C has changed, for a version of T; the log has the changes. */
static int fold(struct definer *d, const struct sql_table *t, const struct change *c,
                struct relation **ret, struct sql_error *error) {
    struct sql_expr *as_it_was[SQL_COLUMNS_MAX] = {NULL};
    struct relation *rows = stored_of(t)->rows;
    struct relation_conflict conflict = {0, 0};
    int r = change_judge(c, error);
    if (r < 0)
        return r;
    const struct rewrite_options options = {
        .from = rows, .hidden = &c->deleted, .columns = t->columns, .values = as_it_was};
    r = rewrite_rows(d, t, &options, ret, error);
    if (r < 0)
        return r;
    r = commit_put_rows(c, *ret, definer_moment(d), &d->transaction->definitions->log, &conflict);
    if (r == 0)
        return 0;
    *ret = relation_free(*ret);
    return commit_refuse(r, c, &conflict, error);
}

/* What the transaction of D has changed of T. < 0: another has altered T since. */
static int find_change(const struct definer *d, const struct sql_table *t, struct change **ret,
                       struct sql_error *error) {
    *ret = d->transaction ? transaction_find(d->transaction, t) : NULL;
    return *ret && !change_fits(*ret, t) ? fail_changed_table(t, error) : 0;
}

/* The rows that VERSION of T has. */
static int host(struct definer *d, struct sql_table *t, struct sql_table *version, struct change *c,
                struct sql_error *error) {
    if (t->kind != SQL_TABLE_STORED) {
        version->host = t->kind == SQL_TABLE_MATERIALIZED ? t->host : NULL;
        return 0;
    }
    struct stored *s = arena_zalloc(&version->memory, 1, sizeof *s);
    if (!s)
        return sql_fail_memory(error);
    *s = *stored_of(t);
    s->table = version;
    s->holder = NULL;
    s->rows = NULL;
    bool changed = c && (map64_count(&c->deleted) || relation_stats(c->added).rows);
    int r = changed ? fold(d, t, c, &s->rows, error) : 0;
    if (r < 0)
        return r;
    if (!changed)
        s->rows = relation_ref(stored_of(t)->rows);
    version->host = s;
    return 0;
}

struct sql_table *definer_change(struct definer *d, struct sql_table *t, struct sql_error *error) {
    struct sql_table *version = NULL;
    struct change *c;
    int r = find_change(d, t, &c, error);
    if (r == 0 && sql_table_copy(t, &version) < 0)
        r = sql_fail_memory(error);
    if (r == 0)
        r = host(d, t, version, c, error);
    if (r == 0 &&
        (definer_made(d, version) < 0 || (c && transaction_fold(d->transaction, c, false) < 0) ||
         leave(d, t) < 0 || sql_catalog_replace_table(d->catalog, t, version) < 0))
        r = sql_fail_memory(error);
    if (r == 0)
        return version;
    if (version)
        table_retire(d->db, version);
    sql_table_unref(version);
    return NULL;
}

int definer_drop(struct definer *d, struct sql_table *t, struct sql_error *error) {
    struct change *c;
    if (find_change(d, t, &c, error) < 0)
        return -EINVAL;
    if ((c && transaction_fold(d->transaction, c, true) < 0) || leave(d, t) < 0)
        return sql_fail_memory(error);
    if (!d->transaction && t->kind == SQL_TABLE_MATERIALIZED)
        view_snapshot_drop(d->db, t->oid);
    sql_catalog_remove_table(d->catalog, t);
    return 0;
}

/* --- indexes ---------------------------------------------------------------------------------- */

static int note(struct definer *d, struct relation *rows, const struct sql_table_index *x,
                bool goes) {
    struct definitions *defined = d->transaction->definitions;
    struct index_note *more = mem_realloc(defined->note, (defined->notes + 1u) * sizeof *more);
    if (!more)
        return -ENOMEM;
    defined->note = more;
    more[defined->notes++] = (struct index_note){relation_ref(rows), x->oid, x->unique, goes};
    return 0;
}

int definer_add_index(struct definer *d, struct sql_table *t, const struct sql_table_index *x) {
    /* A view that has not begun has no rows yet; and what it has during a step may not be unique.
     */
    struct relation *rows = relation_of(t);
    bool unique = x->unique && t->kind == SQL_TABLE_STORED;
    int r = rows ? relation_add_index(rows, x->oid, x->column, x->columns, unique) : 0;
    if (r < 0 || !rows || !d->transaction)
        return r;
    r = note(d, rows, x, false);
    if (r < 0)
        relation_drop_index(rows, x->oid);
    return r;
}

int definer_drop_index(struct definer *d, struct sql_table *t, const struct sql_table_index *x) {
    struct relation *rows = relation_of(t);
    if (!rows)
        return 0;
    if (d->transaction)
        return note(d, rows, x, true);
    relation_drop_index(rows, x->oid);
    return 0;
}

/* Those from COUNT on are over: what comes, or what goes, is not there any more. */
static void end_notes(struct definitions *defined, unsigned count) {
    while (defined->notes > count) {
        const struct index_note *n = &defined->note[--defined->notes];
        if (n->goes == defined->published)
            relation_drop_index(n->rows, n->oid);
        relation_free(n->rows);
    }
}

/* --- savepoints and the end ------------------------------------------------------------------- */

void definitions_savepoint(struct transaction *t, struct savepoint *s) {
    const struct definitions *defined = t->definitions;
    s->catalog = defined && defined->catalog ? sql_catalog_hold(defined->catalog) : NULL;
    s->log = defined ? defined->log.count : 0;
    s->made = defined ? defined->made_count : 0;
    s->notes = defined ? defined->notes : 0;
}

void definitions_rollback_to(struct transaction *t, const struct savepoint *s) {
    struct definitions *defined = t->definitions;
    if (!defined)
        return;
    sql_catalog_free(defined->catalog);
    defined->catalog = s->catalog ? sql_catalog_hold(s->catalog) : NULL;
    entries_cut(&defined->log, s->log);
    while (defined->made_count > s->made) {
        struct sql_table *made = defined->made[--defined->made_count];
        table_retire(t->db, made);
        sql_table_unref(made);
    }
    end_notes(defined, s->notes);
}

void definitions_relax(struct transaction *t, bool restore) {
    const struct definitions *defined = t->definitions;
    for (unsigned i = 0; defined && i < defined->notes; i++)
        if (defined->note[i].goes && defined->note[i].unique)
            relation_enforce_index(defined->note[i].rows, defined->note[i].oid, restore);
}

/* Views that were dropped stop; the others go on by the table that is theirs now. */
static void move_views(struct database *db) {
    struct list_node *n, *next;
    list_each(&db->views, n, next) {
        struct kept *k = container_of(n, struct kept, node);
        struct sql_table *now = sql_catalog_table_by_oid(db->catalog, k->table->oid);
        if (!now) {
            view_snapshot_drop(db, k->table->oid);
            database_unkeep(db, k);
            continue;
        }
        k->table = now;
        view_move(k->view, now);
        if (k->changelog)
            changelog_move(k->changelog, now);
    }
}

static void begin_views(struct database *db) {
    struct sql_table *t;
    for (unsigned at = 0; (t = sql_catalog_each_table(db->catalog, &at));) {
        struct sql_error why = {.state = ""};
        if (t->kind == SQL_TABLE_MATERIALIZED && !t->host && database_keep(db, t, NULL, &why) < 0)
            logger_write(db->logger, LOG_LEVEL_ERROR, "sql", "a view cannot be started",
                         "view=%.*s why=%s", slice_fmt(t->name), why.message);
    }
}

/* Identities that others have drawn meanwhile are not given again. */
static void keep_identities(const struct database *db, const struct definitions *defined) {
    for (unsigned i = 0; i < defined->held_count; i++) {
        const struct sql_table *old = defined->held[i];
        const struct sql_table *now = sql_catalog_table_by_oid(db->catalog, old->oid);
        if (!now || now->kind != SQL_TABLE_STORED)
            continue;
        int64_t *next = &stored_of(now)->next_identity;
        *next = *next < stored_of(old)->next_identity ? stored_of(old)->next_identity : *next;
    }
}

static bool same_columns(const struct sql_table *a, const struct sql_table *b) {
    bool same = a->columns == b->columns;
    for (unsigned i = 0; same && i < a->columns; i++)
        same = a->column[i].type.oid == b->column[i].type.oid &&
               a->column[i].dropped == b->column[i].dropped &&
               slice_equal(a->column[i].name, b->column[i].name);
    return same;
}

/* Who is told of changes was told of other columns. */
static void end_subscriptions(struct database *db, const struct definitions *defined) {
    for (unsigned i = 0; i < defined->held_count; i++) {
        const struct sql_table *old = defined->held[i];
        const struct sql_table *now = sql_catalog_table_by_oid(db->catalog, old->oid);
        if (!now || !same_columns(now, old))
            subscriptions_lose(db, old);
    }
}

static void note_positions(struct database *db, const struct definitions *defined) {
    for (unsigned i = 0; i < defined->made_count; i++)
        if (defined->made[i]->kind == SQL_TABLE_STORED && defined->made[i]->host)
            stored_of(defined->made[i])->position = ledger_position(db->ledger);
}

void definitions_publish(struct transaction *t) {
    struct definitions *defined = t->definitions;
    struct list_node *n, *next;
    list_each(&t->changes, n, next) commit_tell_folded(t->db, container_of(n, struct change, node));
    sql_catalog_swap(t->db->catalog, defined->catalog);
    defined->published = true;
    keep_identities(t->db, defined);
    note_positions(t->db, defined);
    end_subscriptions(t->db, defined);
    move_views(t->db);
    begin_views(t->db);
}

static void let_go(struct database *db, struct definitions *defined) {
    for (unsigned i = 0; i < defined->made_count; i++) {
        if (!defined->published || !is_shown(db, defined->made[i]))
            table_retire(db, defined->made[i]);
        sql_table_unref(defined->made[i]);
    }
    for (unsigned i = 0; i < defined->held_count; i++) {
        struct sql_table *t = defined->held[i];
        if (t->kind == SQL_TABLE_STORED && t->host)
            stored_of(t)->holder = NULL;
        if (!is_shown(db, t))
            table_retire(db, t);
        sql_table_unref(t);
    }
    end_notes(defined, 0);
}

void definitions_end(struct transaction *t) {
    struct database *db = t->db;
    struct definitions *defined = t->definitions;
    if (defined) {
        let_go(db, defined);
        entries_free(&defined->log);
        sql_catalog_free(defined->catalog);
        mem_free(defined->made);
        mem_free(defined->held);
        mem_free(defined->note);
        t->definitions = mem_free(defined);
    }
    if (db->definer != t)
        return;
    db->definer = NULL;
    if (!db->closed) {
        definitions_go_on(db);
        commits_go_on(db);
    }
}
