/*
 * recover.c - the database read back from stream SQL: the last checkpoint as it is, then what came
 * behind it: definitions are bound and made again, rows put where they were, in the order in which
 * they were committed. Then its views begin.
 *
 *     FIND the newest `end` of a checkpoint --there is one--> LOAD its parts --whole--> REPLAY
 *                                           '--none: from the first message----------------^
 *     REPLAY --at its end--> VIEWS, one after another, each from its snapshot (view_snapshot.h)
 *
 * An entry that cannot be made again (by an older program, or damaged) stops it there: the database
 * then answers every statement with the reason, and nothing is written that would rest on less than
 * what was acknowledged.
 */
#include "rooms/stream/transaction.h"

#include "base/mem.h"
#include "rooms/stream/database_checkpoint.h"
#include "rooms/stream/view_snapshot.h"

#include <errno.h>

static int define_text(struct database *db, slice text, struct sql_error *error) {
    struct arena memory = arena_make(0, DATABASE_STATEMENT_BYTES_MAX);
    struct sql_parse *parse = NULL;
    struct sql_statement s = {.memory = &memory};
    struct sql_error why = {.state = ""};
    const struct sql_bind_options options = {
        .catalog = db->catalog, .settings = &db->settings, .memory = &memory, .again = true};
    int r = sql_parse(text, &parse, error);
    if (r == 0)
        r = sql_bind(parse, 0, &options, &s, error);
    /* Rows can refuse a definition that was stored already (an index whose keys occur twice, a
       column whose texts are no numbers) by a program that stored it first: they did so when it was
       made, and do it again, since they are the same ones at this place of the stream. Whoever
       asked for it was told then. */
    struct definer at_once = {.db = db, .catalog = db->catalog};
    int made = r == 0 ? database_define(&at_once, &s, text, &why) : 0;
    if (made < 0)
        logger_write(db->logger, LOG_LEVEL_WARN, "sql", "a definition was refused again", "why=%s",
                     why.message);
    if (made < 0 && slice_equal(slice_str(why.state), slice_lit("53200"))) {
        *error = why;
        r = made;
    }
    sql_parse_free(parse);
    arena_free(&memory);
    return r;
}

static int replay_definition(struct database *db, const struct ledger_record *record,
                             struct error *error) {
    struct sql_error why = {.state = ""};
    int r = define_text(db, record->payload, &why);
    return r == 0 ? 0
                  : error_set(error, r, "definition %llu of stream SQL cannot be made again: %s",
                              (unsigned long long)record->sequence, why.message);
}

/* --- VIEWS ------------------------------------------------------------------------------------ */

static void keep(struct database *db, struct sql_table *table, const struct view_saved *saved) {
    struct sql_error why = {.state = ""};
    if (database_keep(db, table, saved, &why) == 0 || db->closed)
        return;
    logger_write(db->logger, LOG_LEVEL_ERROR, "sql", "a view cannot be started", "view=%.*s why=%s",
                 slice_fmt(table->name), why.message);
}

static void keep_next(struct database *db);

static void on_kept(struct database *db) {
    db->loading = view_load_free(db->loading);
    keep_next(db);
}

/* Views begin one after another, each from what was saved of it. */
static void keep_next(struct database *db) {
    struct sql_table *table;
    unsigned at = db->kept;
    for (; (table = sql_catalog_each_table(db->catalog, &at)); db->kept = at) {
        if (table->kind != SQL_TABLE_MATERIALIZED)
            continue;
        const struct view_load_options load = {db, table, keep, on_kept};
        if (view_load(&load, &db->loading) == 0) {
            db->kept = at;
            return;
        }
        keep(db, table, NULL);
    }
    database_show(db);
    database_opened(db, NULL);
    database_checkpoint_ready(db->checkpoint);
    commits_go_on(db); /* it may be time for a checkpoint */
}

static void finish(struct database *db) {
    struct sql_table *table;
    for (unsigned at = 0; (table = sql_catalog_each_table(db->catalog, &at));)
        if (table->kind == SQL_TABLE_STORED && table->host)
            stored_of(table)->position = db->recovered;
    keep_next(db);
}

static void fail(struct database *db, const struct error *why) {
    logger_write(db->logger, LOG_LEVEL_ERROR, "sql", "the database cannot be read back", "why=%s",
                 why->message);
    database_opened(db, why);
}

static void on_failed(void *owner, const struct error *why) {
    struct database *db = owner;
    db->recovery = ledger_read_close(db->recovery);
    if (why->code == -ENOENT && !db->recovered_from)
        finish(db); /* nothing was ever written */
    else
        fail(db, why);
}

static int read_from(struct database *db, slice subject, bool newest,
                     void (*piece)(void *owner, const struct ledger_record *records, size_t count,
                                   uint64_t last, bool at_end)) {
    const struct ledger_read_options options = {
        .stream = slice_lit(LEDGER_STREAM),
        .subject = subject,
        .from = db->recovered_from,
        .newest = newest,
        .piece = piece,
        .failed = on_failed,
        .owner = db,
    };
    db->recovery = ledger_read_close(db->recovery);
    return ledger_read(db->ledger, &options, &db->recovery);
}

/* The next phase reads from here. */
static void go_on(struct database *db, slice subject,
                  void (*piece)(void *owner, const struct ledger_record *records, size_t count,
                                uint64_t last, bool at_end)) {
    struct error why;
    if (read_from(db, subject, false, piece) == 0)
        return;
    (void)error_set(&why, -ENOMEM, "no memory to read stream SQL");
    fail(db, &why);
}

/* How far the log has been read. The changes among a checkpoint's parts are read after its end. */
static void note_position(struct database *db, const struct ledger_record *records, size_t count) {
    if (count && records[count - 1].position > db->recovered)
        db->recovered = records[count - 1].position;
}

/* --- REPLAY ----------------------------------------------------------------------------------- */

static void on_changes(void *owner, const struct ledger_record *records, size_t count,
                       uint64_t last, bool at_end) {
    struct database *db = owner;
    struct error why;
    (void)last;
    note_position(db, records, count);
    for (size_t i = 0; i < count; i++) {
        bool definition = slice_equal(records[i].subject, slice_lit(LEDGER_PREFIX "ddl"));
        int r = definition ? replay_definition(db, &records[i], &why)
                           : commit_replay(db, records[i].subject, records[i].payload, &why);
        database_checkpoint_grow(db->checkpoint, records[i].payload.len);
        if (r < 0) {
            db->recovery = ledger_read_close(db->recovery);
            fail(db, &why);
            return;
        }
    }
    if (!at_end) {
        ledger_read_next(db->recovery);
        return;
    }
    db->recovery = ledger_read_close(db->recovery);
    finish(db);
}

static void replay(struct database *db) {
    go_on(db, slice_lit(LEDGER_PREFIX "ddl " LEDGER_PREFIX "table.>"), on_changes);
}

/* --- LOAD ------------------------------------------------------------------------------------- */

static void on_parts(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct database *db = owner;
    struct error why;
    int r = 0;
    (void)last;
    note_position(db, records, count);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = database_checkpoint_part(db->checkpoint, &records[i], &why);
    if (r == 0 && at_end)
        r = error_set(&why, -EBADMSG, "the checkpoint of stream SQL has no end");
    if (r == 1) {
        replay(db);
    } else if (r < 0) {
        db->recovery = ledger_read_close(db->recovery);
        fail(db, &why);
    } else {
        ledger_read_next(db->recovery);
    }
}

/* --- FIND ------------------------------------------------------------------------------------- */

static void on_end_found(void *owner, const struct ledger_record *records, size_t count,
                         uint64_t last, bool at_end) {
    struct database *db = owner;
    struct error why;
    (void)last;
    if (count == 0 && at_end) {
        replay(db);
    } else if (count == 0) {
        ledger_read_next(db->recovery);
    } else if (database_checkpoint_found(db->checkpoint, records[count - 1].payload,
                                         &db->recovered_from, &why) < 0) {
        db->recovery = ledger_read_close(db->recovery);
        fail(db, &why);
    } else {
        go_on(db, slice_lit(CHECKPOINT_PREFIX ">"), on_parts);
    }
}

int database_recover(struct database *db) {
    return read_from(db, slice_lit(CHECKPOINT_END), true, on_end_found);
}
