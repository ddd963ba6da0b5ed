/*
 * database.c - see database.h: the whole, its sessions, and how changes reach views.
 *
 * What was defined and written is read back from stream SQL first (recover.c). Views are in the
 * order of their creation, so that one walk hands a change on from each to those above it.
 */
#include "rooms/stream/aside.h"
#include "rooms/stream/changelog.h"
#include "rooms/stream/subscribe.h"
#include "rooms/stream/transaction.h"

#include "base/mem.h"
#include "io/crypto.h"
#include "rooms/stream/database_checkpoint.h"
#include "rooms/stream/view_snapshot.h"
#include "rooms/stream/zones.h"

#include <errno.h>

#define ZONES_PATH "/usr/share/zoneinfo"
#define VACUUM_EVERY_NS UINT64_C(100000000)
#define VACUUM_ROWS 20000u
#define LOOK_EVERY_NS UINT64_C(250000000)
#define SAVE_EVERY_NS UINT64_C(500000000)

struct waiter {
    struct list_node node;
    void (*done)(void *self, const struct error *failed);
    void *self;
};

static uint64_t random_bits(void *self) {
    const struct database *db = self;
    uint64_t bits;
    io_host_random(io_loop_host(db->loop), &bits, sizeof bits);
    return bits;
}

/* Microseconds since 2000, as timestamptz has them. */
static int64_t clock_now(void *self) {
    const struct database *db = self;
    return io_host_wall_ns(io_loop_host(db->loop)) / 1000 - INT64_C(946684800000000);
}

/* The oldest moment that anybody reads at: of transactions, and of queries that have begun before
   their transaction's last statement (portals). */
static uint64_t oldest_moment(const struct database *db) {
    const struct list_node *n;
    uint64_t oldest = db->visible;
    for (n = list_first(&db->sessions); n; n = list_next(&db->sessions, n)) {
        const struct database_session *s = container_of(n, struct database_session, node);
        if (s->transaction && s->transaction->snapshot < oldest)
            oldest = s->transaction->snapshot;
    }
    for (n = list_first(&db->runs); n; n = list_next(&db->runs, n)) {
        const struct database_run *run = container_of(n, struct database_run, node);
        if (run->moment < oldest)
            oldest = run->moment;
    }
    if (database_checkpoint_moment(db->checkpoint) < oldest)
        oldest = database_checkpoint_moment(db->checkpoint);
    if (views_save_moment(db) < oldest)
        oldest = views_save_moment(db);
    return oldest;
}

static void on_save(struct io_timer *timer) {
    struct database *db = container_of(timer, struct database, save_timer);
    if (db->ready)
        views_save(db);
    io_timer_start(db->loop, &db->save_timer, SAVE_EVERY_NS, on_save);
}

static void on_vacuum(struct io_timer *timer) {
    struct database *db = container_of(timer, struct database, vacuum_timer);
    uint64_t oldest = oldest_moment(db);
    oldest = changelogs_oldest(db, oldest);
    struct sql_table *table;
    for (unsigned at = 0; (table = sql_catalog_each_table(db->catalog, &at));) {
        struct relation *rows = relation_of(table);
        if (rows)
            relation_vacuum(rows, oldest, VACUUM_ROWS);
    }
    io_timer_start(db->loop, &db->vacuum_timer, VACUUM_EVERY_NS, on_vacuum);
}

static void on_look(struct io_timer *timer) {
    struct database *db = container_of(timer, struct database, look_timer);
    changelogs_look(db);
    io_timer_start(db->loop, &db->look_timer, LOOK_EVERY_NS, on_look);
}

int database_open(struct room_shard *shard, const struct database_options *options,
                  struct database **ret, struct error *ret_error) {
    struct database *db = mem_zalloc(1, sizeof *db);
    if (!db)
        return error_set(ret_error, -ENOMEM, "no memory for the database");
    db->node = shard->node;
    db->loop = shard->loop;
    db->bus = shard->bus;
    db->logger = shard->node->logger;
    db->limits = (struct database_limits){options->work_mem_bytes, options->memory_bytes,
                                          options->memory_bytes, options->subscription_bytes};
    db->commit = db->visible = 1;
    db->stacks.bytes = DATABASE_STACK_BYTES;
    struct list *lists[] = {&db->sessions, &db->runs,  &db->watching,      &db->queue,
                            &db->flight,   &db->views, &db->subscriptions, &db->waiting};
    for (unsigned i = 0; i < array_count(lists); i++)
        list_init(lists[i]);
    int r = sql_catalog_new(&db->catalog);
    if (r == 0)
        r = database_system_define(db);
    if (r == 0)
        r = ledger_create(shard, &db->ledger);
    if (r == 0)
        r = asides_open(db, shard->bus, &db->asides);
    db->zones = r == 0 ? sql_zones_create() : NULL;
    db->checkpoint = db->zones ? database_checkpoint_new(db) : NULL;
    db->settings = (struct sql_settings){.extra_float_digits = 1,
                                         .user = slice_lit("nonet"),
                                         .database = slice_lit("nonet"),
                                         .random = random_bits,
                                         .clock = clock_now,
                                         .digest = io_digest,
                                         .self = db,
                                         .catalog = db->catalog,
                                         .zones = db->zones};
    if (r == 0 && db->checkpoint)
        r = database_recover(db);
    if (r < 0 || !db->checkpoint) {
        database_close(db);
        return error_set(ret_error, r < 0 ? r : -ENOMEM, "the database cannot be opened (%s)",
                         error_name(r < 0 ? r : -ENOMEM));
    }
    io_timer_start(db->loop, &db->vacuum_timer, VACUUM_EVERY_NS, on_vacuum);
    io_timer_start(db->loop, &db->look_timer, LOOK_EVERY_NS, on_look);
    io_timer_start(db->loop, &db->save_timer, SAVE_EVERY_NS, on_save);
    *ret = db;
    return 0;
}

static void free_stored(struct sql_table *table) {
    struct stored *stored = table->kind == SQL_TABLE_STORED ? table->host : NULL;
    if (stored)
        stored->rows = relation_free(stored->rows);
}

struct database *database_close(struct database *db) {
    if (!db)
        return NULL;
    db->closed = true;
    check(list_empty(&db->sessions));
    views_save_close(db);
    db->loading = view_load_free(db->loading);
    runs_close(db);
    io_fiber_stacks_free(&db->stacks);
    struct list_node *n, *next;
    while ((n = list_last(&db->views))) {
        struct kept *k = container_of(n, struct kept, node);
        list_remove(&k->node);
        k->table->host = NULL;
        changelog_free(k->changelog);
        view_stop(k->view);
        mem_free(k);
    }
    commits_close(db);
    db->asides = asides_close(db->asides);
    db->checkpoint = database_checkpoint_free(db->checkpoint);
    ledger_commit_forget(db->sending);
    ledger_read_close(db->recovery);
    list_each(&db->waiting, n, next) mem_free(container_of(n, struct waiter, node));
    io_timer_stop(db->loop, &db->vacuum_timer);
    io_timer_stop(db->loop, &db->look_timer);
    io_timer_stop(db->loop, &db->save_timer);
    struct sql_table *table;
    for (unsigned at = 0; db->catalog && (table = sql_catalog_each_table(db->catalog, &at));)
        free_stored(table);
    for (unsigned i = 0; i < db->dropped_count; i++)
        sql_table_unref(db->dropped[i]);
    mem_free(db->dropped);
    ledger_free(db->ledger);
    sql_catalog_free(db->catalog);
    sql_zones_free(db->zones);
    return mem_free(db);
}

bool database_is_ready(const struct database *db) {
    return db->ready;
}

void database_when_ready(struct database *db, void (*done)(void *self, const struct error *failed),
                         void *self) {
    if (db->ready || db->failed.code) {
        done(self, db->ready ? NULL : &db->failed);
        return;
    }
    struct waiter *w = mem_zalloc(1, sizeof *w);
    if (!w) {
        struct error failed;
        (void)error_set(&failed, -ENOMEM, "no memory to wait for the database");
        done(self, &failed);
        return;
    }
    *w = (struct waiter){.done = done, .self = self};
    list_push_back(&db->waiting, &w->node);
}

void database_when_ready_cancel(struct database *db, void *self) {
    struct list_node *n, *next;
    list_each(&db->waiting, n, next) {
        struct waiter *w = container_of(n, struct waiter, node);
        if (w->self == self) {
            list_remove(&w->node);
            mem_free(w);
        }
    }
}

void database_opened(struct database *db, const struct error *failed) {
    if (failed)
        db->failed = *failed;
    db->ready = !failed;
    struct list_node *n;
    while ((n = list_pop_front(&db->waiting))) {
        struct waiter *w = container_of(n, struct waiter, node);
        void (*done)(void *self, const struct error *failed) = w->done;
        void *self = w->self;
        mem_free(w);
        done(self, failed);
    }
}

void database_fatal(struct database *db, const struct error *why) {
    if (!db->failed.code)
        logger_write(db->logger, LOG_LEVEL_ERROR, "sql", "the database stops", "why=%s",
                     why->message);
    db->failed = *why;
    db->ready = false;
}

/* --- tables ----------------------------------------------------------------------------------- */

slice table_option(const struct sql_table *table, const char *name) {
    for (unsigned i = 0; i < table->options; i++)
        if (slice_equal(table->option[i].name, slice_str(name)))
            return table->option[i].value;
    return (slice){NULL, 0};
}

struct stored *stored_of(const struct sql_table *table) {
    check(table->kind == SQL_TABLE_STORED);
    return table->host;
}

struct relation *relation_of(const struct sql_table *table) {
    if (!table->host)
        return NULL;
    if (table->kind == SQL_TABLE_STORED)
        return stored_of(table)->rows;
    return table->kind == SQL_TABLE_MATERIALIZED ? view_relation(table->host) : NULL;
}

/* --- moments and changes ------------------------------------------------------------------------
 */

uint64_t database_moment(struct database *db) {
    return ++db->commit;
}

void database_show(struct database *db) {
    if (!list_empty(&db->flight))
        return;
    db->visible = db->commit;
    runs_shown(db);
    subscriptions_show(db);
    changelogs_show(db);
}

void database_changed(struct database *db, const struct sql_table *table,
                      const struct sql_batch *batch) {
    for (struct list_node *n = db->views.head.next; n != &db->views.head; n = n->next) {
        struct kept *k = container_of(n, struct kept, node);
        k->touched |= view_input(k->view, table, batch);
        if (k->table == table && k->changelog)
            changelog_changed(k->changelog, batch);
    }
    subscriptions_changed(db, table, batch);
}

void database_step(struct database *db) {
    for (struct list_node *n = db->views.head.next; n != &db->views.head; n = n->next) {
        struct kept *k = container_of(n, struct kept, node);
        if (!k->touched)
            continue;
        k->touched = false;
        view_step(k->view, database_moment(db));
    }
    subscriptions_step(db);
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static char *copy_text(slice text) {
    return mem_copy(text.len ? text.ptr : "", text.len);
}

int database_session_new(struct database *db, const struct database_session_options *o,
                         struct database_session **ret) {
    struct database_session *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->db = db;
    s->options = *o;
    s->user = copy_text(o->user);
    s->application = copy_text(o->application);
    list_init(&s->cursors);
    list_init(&s->prepared);
    if (!s->user || !s->application) {
        mem_free(s->user);
        mem_free(s->application);
        mem_free(s);
        return -ENOMEM;
    }
    if (!db->zones_loaded)
        zones_load(io_loop_host(db->loop), ZONES_PATH, db->zones);
    db->zones_loaded = true;
    s->settings = db->settings;
    s->settings.user = slice_str(s->user);
    s->settings.session = s;
    s->settings.setting = system_setting;
    s->settings.relation_bytes = system_relation_bytes;
    list_push_back(&db->sessions, &s->node);
    *ret = s;
    return 0;
}

struct database_session *database_session_free(struct database_session *s) {
    if (!s)
        return NULL;
    struct list_node *n, *next;
    list_each(&s->db->runs, n, next) {
        struct database_run *run = container_of(n, struct database_run, node);
        if (run->session == s)
            database_run_free(run);
    }
    commit_forget(s->implicit_commit);
    (void)cursor_close(s, (slice){NULL, 0});
    (void)prepared_drop(s, (slice){NULL, 0});
    transaction_free(s->transaction);
    settings_free(s);
    list_remove(&s->node);
    mem_free(s->user);
    mem_free(s->application);
    return mem_free(s);
}

/* Classes 01 (warning) and 25 (what a transaction's state makes of a statement). */
bool database_notice_warns(const struct sql_error *notice) {
    return memcmp(notice->state, "01", 2) == 0 || memcmp(notice->state, "25", 2) == 0;
}

void session_notice(const struct database_session *s, const struct sql_error *notice) {
    slice least = settings_get(s, slice_lit("client_min_messages"));
    if (slice_equal_nocase(least, slice_lit("error")) ||
        (slice_equal_nocase(least, slice_lit("warning")) && !database_notice_warns(notice)))
        return;
    if (s->options.notice)
        s->options.notice(s->options.owner, notice);
}

char database_session_state(const struct database_session *s) {
    return !s->block ? 'I' : (s->failed ? 'E' : 'T');
}

void database_session_fail(struct database_session *s) {
    s->failed |= s->block;
}

const struct sql_settings *database_session_settings(const struct database_session *s) {
    return &s->settings;
}

uint64_t database_session_patience_ns(const struct database_session *s) {
    slice name = s->block ? slice_lit("idle_in_transaction_session_timeout")
                          : slice_lit("idle_session_timeout");
    return settings_milliseconds(s, name) * UINT64_C(1000000);
}

slice database_session_setting(const struct database_session *s, slice name) {
    return settings_get(s, name);
}

void database_implicit_begin(struct database_session *s) {
    s->implicit = true;
}

int session_end_transaction(struct database_session *s, bool commit,
                            void (*done)(void *self, const struct sql_error *error), void *self,
                            struct commit **ret, struct sql_error *error) {
    struct transaction *t = s->transaction;
    int r = 0;
    s->transaction = NULL;
    cursor_end_transaction(s);
    runs_end_transaction(s);
    s->settings.catalog = s->db->catalog;
    if (commit && transaction_has_changes(t)) {
        t->patience_ns = settings_milliseconds(s, slice_lit("lock_timeout")) * 1000000;
        if (transaction_commit(t, done, self, ret) == 0)
            return 1;
        r = sql_fail_memory(error);
    }
    transaction_free(t);
    settings_end_transaction(s, commit && r == 0);
    return r;
}

static void on_implicit(void *self, const struct sql_error *error) {
    struct database_session *s = self;
    s->implicit_commit = NULL;
    settings_end_transaction(s, !error);
    s->implicit_done(s->implicit_owner, error);
}

void database_implicit_end(struct database_session *s, bool failed,
                           void (*done)(void *owner, const struct sql_error *error), void *owner) {
    struct sql_error error;
    s->implicit = false;
    if (s->block || !s->transaction) {
        done(owner, NULL);
        return;
    }
    s->implicit_done = done;
    s->implicit_owner = owner;
    int r = session_end_transaction(s, !failed, on_implicit, s, &s->implicit_commit, &error);
    if (r <= 0)
        done(owner, r < 0 ? &error : NULL);
}
