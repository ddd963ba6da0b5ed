/*
 * app.c - see app.h.
 *
 * One statement is run after the other, in a session of its own. What failed for want of another
 * object goes to the next round, as long as rounds get anything done; the last round tells what is
 * wrong with each that is left.
 */
#include "rooms/stream/app.h"

#include "base/mem.h"
#include "io/file.h"
#include "rooms/stream/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app_file {
    char *name, *text;
    size_t length;
    struct sql_parse *parse;
};

struct app_item {
    struct app_file *file;
    unsigned statement;
    bool done;
};

struct app {
    struct database *db;
    struct room_node *node;
    struct database_session *session;
    struct app_file *files;
    struct app_item *items;
    unsigned file_count, item_count, at, made;
    bool progress, last_round;
    size_t bytes;
    const char *folder;
    struct database_run *run;
    struct database_statement *statement;
    struct io_timer next;
};

struct app *app_free(struct app *app) {
    if (!app)
        return NULL;
    database_when_ready_cancel(app->db, app);
    io_timer_stop(app->db->loop, &app->next);
    database_run_free(app->run);
    database_statement_free(app->statement);
    database_session_free(app->session);
    for (unsigned i = 0; i < app->file_count; i++) {
        sql_parse_free(app->files[i].parse);
        mem_free(app->files[i].name);
        mem_free(app->files[i].text);
    }
    mem_free(app->files);
    mem_free(app->items);
    return mem_free(app);
}

/* "sql/views.sql:3:1: what is wrong". POSITION: a character of the file from 1, 0: unknown. */
static void tell(const struct app *app, const struct app_file *file, uint32_t position,
                 const char *what, const char *hint) {
    uint32_t line = 1, column = 1;
    for (size_t i = 0; position > 1 && i < file->length; i++) {
        if (((unsigned char)file->text[i] & 0xc0) != 0x80 && i > 0 && --position == 1)
            break;
        column++;
        if (file->text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    static const char words[] = "a definition of the app was not made";
    if (hint[0])
        logger_write(app->node->logger, LOG_LEVEL_ERROR, "sql", words,
                     "at=sql/%s:%u:%u why=%s hint=%s", file->name, line, column, what, hint);
    else
        logger_write(app->node->logger, LOG_LEVEL_ERROR, "sql", words, "at=sql/%s:%u:%u why=%s",
                     file->name, line, column, what);
}

static void tell_folder(const struct app *app, int failed) {
    logger_write(app->node->logger, LOG_LEVEL_ERROR, "sql", "the app's definitions are not made",
                 "folder=%s/sql why=%s", app->folder, error_name(failed));
}

/* --- files ------------------------------------------------------------------------------------ */

static int on_entry(void *owner, const char *name) {
    struct app *app = owner;
    size_t length = strlen(name);
    if (length < 5 || strcmp(name + length - 4, ".sql") != 0)
        return 0;
    if (app->file_count == APP_FILES_MAX)
        return -ENOBUFS;
    struct app_file *more = mem_realloc(app->files, (app->file_count + 1u) * sizeof *more);
    char *copy = mem_copy(name, length);
    if (!more || !copy) {
        app->files = more ? more : app->files;
        mem_free(copy);
        return -ENOMEM;
    }
    app->files = more;
    app->files[app->file_count++] = (struct app_file){.name = copy};
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct app_file *)a)->name, ((const struct app_file *)b)->name);
}

static int read_file(struct app *app, struct app_file *file) {
    char path[4096];
    struct sql_error error = {.state = ""};
    (void)snprintf(path, sizeof path, "%s/sql/%s", app->folder, file->name);
    int r =
        io_file_load(app->node->host, path, APP_BYTES_MAX - app->bytes, &file->text, &file->length);
    if (r < 0) {
        tell(app, file, 0, error_name(r), "");
        return r;
    }
    app->bytes += file->length;
    r = sql_parse(slice_make(file->text, file->length), &file->parse, &error);
    if (r < 0) {
        tell(app, file, error.position, error.message, error.hint);
        return r;
    }
    unsigned count = sql_parse_count(file->parse);
    struct app_item *more = mem_realloc(app->items, (app->item_count + count + 1u) * sizeof *more);
    if (!more) {
        tell(app, file, 0, error_name(-ENOMEM), "");
        return -ENOMEM;
    }
    app->items = more;
    for (unsigned i = 0; i < count; i++)
        app->items[app->item_count++] = (struct app_item){file, i, false};
    return 0;
}

/* --- statements ----------------------------------------------------------------------------------
 */

/* The table or view a definition makes; false: it makes something else. */
static bool target_of(json_value node, slice *ret_schema, slice *ret_name) {
    json_value inside, range;
    if (sql_node_is(node, "CreateStmt", &inside))
        range = sql_field(inside, "relation");
    else if (sql_node_is(node, "ViewStmt", &inside))
        range = sql_field(inside, "view");
    else if (sql_node_is(node, "CreateTableAsStmt", &inside))
        range = sql_field(sql_field(inside, "into"), "rel");
    else
        return false;
    slice schema = sql_field_text(range, "schemaname");
    *ret_schema = schema.len ? schema : slice_lit("public");
    *ret_name = sql_field_text(range, "relname");
    return true;
}

static bool may_stand_here(json_value node) {
    static const char *const allowed[] = {
        "CreateStmt",     "ViewStmt",           "CreateTableAsStmt", "IndexStmt",
        "CreateEnumStmt", "CreateFunctionStmt", "CreateSchemaStmt",  "CommentStmt"};
    for (unsigned i = 0; i < array_count(allowed); i++)
        if (sql_node_is(node, allowed[i], NULL))
            return true;
    return false;
}

static void go_on(struct app *app);

static void on_next(struct io_timer *timer) {
    go_on(container_of(timer, struct app, next));
}

static bool on_rows(void *owner, const struct sql_batch *batch) {
    (void)owner, (void)batch;
    return true;
}

/* It names something that another statement may still make. */
static bool may_come(const char *state) {
    static const char *const states[] = {"42P01", "42704", "42883", "3F000"};
    for (unsigned i = 0; i < array_count(states); i++)
        if (strcmp(state, states[i]) == 0)
            return true;
    return false;
}

static void settle(struct app *app, const struct sql_error *error) {
    struct app_item *item = &app->items[app->at++];
    bool there =
        error && (strcmp(error->state, "42710") == 0 || strcmp(error->state, "42723") == 0 ||
                  strcmp(error->state, "42P06") == 0 || (strcmp(error->state, "42P07") == 0));
    if (error && !there && !app->last_round && may_come(error->state))
        return;
    item->done = true;
    app->progress = true;
    app->made += !error;
    if (error && !there)
        tell(app, item->file, error->position, error->message, error->hint);
}

static void on_done(void *owner, slice tag, const struct sql_error *error) {
    struct app *app = owner;
    (void)tag;
    app->run = NULL;
    app->statement = database_statement_free(app->statement);
    settle(app, error);
    io_timer_start(app->db->loop, &app->next, 0, on_next);
}

/* There already: by the same text, or a mistake. */
static bool is_there(struct app *app, struct app_item *item) {
    const struct sql_statement_text *s = sql_parse_at(item->file->parse, item->statement);
    slice schema, name;
    const struct sql_table *t = NULL;
    if (target_of(s->node, &schema, &name))
        t = sql_catalog_table(app->db->catalog, schema, name);
    if (!t)
        return false;
    item->done = true;
    if (!slice_equal(t->source, s->text)) {
        char what[256];
        (void)snprintf(what, sizeof what, "\"%.*s\" is there, and was defined otherwise",
                       slice_fmt(slice_take(name, 100)));
        tell(app, item->file, s->text_start + 1, what,
             "DROP it and start again, or give this one another name");
    }
    return true;
}

/* Runs the item, or settles it. False: it is under way. */
static bool take_item(struct app *app, struct app_item *item) {
    const struct sql_statement_text *s = sql_parse_at(item->file->parse, item->statement);
    const struct database_sink sink = {.rows = on_rows, .done = on_done, .owner = app};
    struct sql_error error = {.state = ""};
    if (item->done || is_there(app, item)) {
        app->at++;
        return true;
    }
    if (!may_stand_here(s->node)) {
        tell(app, item->file, s->text_start + 1, "only CREATE statements may stand here",
             "Files in sql/ are run at each start; run other statements with nonet sql.");
        item->done = true;
        app->at++;
        return true;
    }
    if (database_prepare(app->session, item->file->parse, item->statement, NULL, 0, &app->statement,
                         &error) < 0 ||
        database_run(app->session, app->statement, NULL, NULL, &sink, &app->run, &error) < 0) {
        app->statement = database_statement_free(app->statement);
        settle(app, &error);
        return true;
    }
    return false;
}

/* All items have been taken once more. False: nothing is left. A round that got nothing done is
   followed by the last one, which tells what is wrong with each that is left. */
static bool next_round(struct app *app) {
    bool left = false;
    for (unsigned i = 0; i < app->item_count; i++)
        left |= !app->items[i].done;
    app->last_round = !app->progress;
    app->progress = false;
    app->at = 0;
    return left;
}

static void go_on(struct app *app) {
    do {
        if (app->at == app->item_count && !next_round(app)) {
            logger_write(app->node->logger, LOG_LEVEL_INFO, "sql", "definitions of the app",
                         "files=%u made=%u", app->file_count, app->made);
            return;
        }
    } while (take_item(app, &app->items[app->at]));
}

static void on_ready(void *self, const struct error *failed) {
    struct app *app = self;
    const struct database_session_options options = {.user = slice_lit("nonet"),
                                                     .application = slice_lit("app")};
    if (failed || !app->item_count)
        return; /* told by the database */
    int r = database_session_new(app->db, &options, &app->session);
    if (r < 0)
        tell_folder(app, r);
    else
        io_timer_start(app->db->loop, &app->next, 0, on_next);
}

struct app *app_start(struct database *db, struct room_node *node, const char *folder) {
    char path[4096];
    struct app *app = mem_zalloc(1, sizeof *app);
    if (!app)
        return NULL;
    app->db = db;
    app->node = node;
    app->folder = folder;
    (void)snprintf(path, sizeof path, "%s/sql", folder);
    int r = io_dir_list(node->host, path, on_entry, app);
    if (r < 0 && r != -ENOENT)
        tell_folder(app, r);
    if (r < 0 || app->file_count == 0)
        return app_free(app);
    qsort(app->files, app->file_count, sizeof *app->files, by_name);
    for (unsigned i = 0; i < app->file_count; i++)
        (void)!read_file(app, &app->files[i]); /* told; the others are made */
    database_when_ready(db, on_ready, app);
    return app;
}
