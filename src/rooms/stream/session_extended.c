/*
 * session_extended.c - the extended protocol: prepared statements, portals, and Sync.
 *
 *     Parse  -> prepared[name]          Bind -> portals[name]      Describe, Execute, Close
 *     error  -> everything is passed over up to Sync                Sync -> ready for the next
 *
 * The messages up to a Sync are one transaction where no block is open. An Execute whose Sync has
 * come behind it already is run as a statement of its own, which is the same and answers after its
 * commit; else the transaction is kept until Sync ends it. Portals end with their transaction.
 */
#include "rooms/stream/session.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>

#define PORTAL_BYTES_MAX ((size_t)256 << 20) /* of its parameters */

void session_extended_fail(struct session *s, const struct sql_error *error) {
    session_error(s, error);
    database_session_fail(s->db);
    s->skipping = s->failed = true;
}

static bool is_utf8(struct session *s, slice text) {
    struct sql_error error;
    if (utf8_valid(text))
        return true;
    (void)sql_fail(&error, "22021", "invalid byte sequence for encoding \"UTF8\"");
    session_extended_fail(s, &error);
    return false;
}

/* --- prepared statements -------------------------------------------------------------------- */

static void unref_prepared(struct prepared *p) {
    if (--p->refs > 0)
        return;
    database_statement_free(p->statement);
    mem_free((char *)p->name.ptr);
    mem_free(p);
}

static void close_prepared(struct session *s, slice name) {
    struct prepared *p = map_remove(&s->prepared, name);
    if (p)
        unref_prepared(p);
}

void session_drop_prepared(struct session *s) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&s->prepared, &at));)
        unref_prepared(entry->value);
    map_clear(&s->prepared);
}

bool session_deallocate(struct session *s, const struct sql_statement *statement) {
    if (!statement->name.ptr) { /* ALL: those of PREPARE, too */
        session_drop_prepared(s);
        return false;
    }
    if (!map_find(&s->prepared, statement->name))
        return false;
    close_prepared(s, statement->name);
    return true;
}

static int prepare(struct session *s, const struct pgwire_event *e, struct prepared *p,
                   struct sql_error *error) {
    struct sql_parse *parse = NULL;
    struct sql_type *declared = NULL;
    int failed = sql_parse(e->text, &parse, error);
    if (!failed && sql_parse_count(parse) > 1)
        failed =
            sql_fail(error, "42601", "cannot insert multiple commands into a prepared statement");
    if (!failed && sql_parse_count(parse) == 1) {
        declared = mem_zalloc(e->oids.count ? e->oids.count : 1, sizeof *declared);
        for (unsigned i = 0; declared && i < e->oids.count; i++)
            declared[i] = sql_type_of(pgwire_oid_at(&e->oids, i));
        failed = declared ? database_prepare(s->db, parse, 0, declared, e->oids.count,
                                             &p->statement, error)
                          : sql_fail_memory(error);
    }
    mem_free(declared);
    sql_parse_free(parse);
    return failed;
}

static void parse(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    if (!is_utf8(s, e->text) || !is_utf8(s, e->name))
        return;
    if (e->name.len == 0)
        close_prepared(s, e->name);
    struct prepared *p = mem_zalloc(1, sizeof *p);
    char *name = mem_copy(e->name.ptr, e->name.len);
    int failed = p && name ? 0 : sql_fail_memory(&error);
    if (!failed && map_find(&s->prepared, e->name))
        failed = sql_fail(&error, "42P05", "prepared statement \"%.*s\" already exists",
                          slice_fmt(e->name));
    if (!failed)
        failed = prepare(s, e, p, &error);
    if (!failed) {
        p->refs = 1;
        p->name = slice_make(name, e->name.len);
        failed = map_add(&s->prepared, p->name, p);
        if (failed)
            (void)sql_fail(&error, "53400", "a session has at most %zu prepared statements",
                           SESSION_NAMES_MAX);
    }
    if (failed) {
        if (p)
            database_statement_free(p->statement);
        mem_free(p);
        mem_free(name);
        session_extended_fail(s, &error);
        return;
    }
    session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_PARSE_COMPLETE));
}

static struct prepared *find_prepared(struct session *s, slice name) {
    struct sql_error error;
    struct prepared *p = map_find(&s->prepared, name);
    if (p)
        return p;
    if (name.len == 0)
        (void)sql_fail(&error, "26000", "unnamed prepared statement does not exist");
    else
        (void)sql_fail(&error, "26000", "prepared statement \"%.*s\" does not exist",
                       slice_fmt(name));
    session_extended_fail(s, &error);
    return NULL;
}

/* --- portals -------------------------------------------------------------------------------- */

static void free_portal(struct session *s, struct portal *p) {
    if (s->executing == p) {
        s->executing = NULL;
        s->answer = NULL;
    }
    answer_free(p->answer);
    if (p->prepared)
        unref_prepared(p->prepared);
    arena_free(&p->memory);
    mem_free((char *)p->name.ptr);
    mem_free(p);
}

static void close_portal(struct session *s, slice name) {
    struct portal *p = map_remove(&s->portals, name);
    if (p)
        free_portal(s, p);
}

void session_drop_portals(struct session *s) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&s->portals, &at));)
        free_portal(s, entry->value);
    map_clear(&s->portals);
}

static struct portal *find_portal(struct session *s, slice name) {
    struct sql_error error;
    struct portal *p = map_find(&s->portals, name);
    if (p)
        return p;
    (void)sql_fail(&error, "34000", "portal \"%.*s\" does not exist", slice_fmt(name));
    session_extended_fail(s, &error);
    return NULL;
}

static int take_parameter(struct session *s, struct portal *p, struct sql_type type,
                          unsigned format, unsigned index, slice value, struct sql_error *error) {
    const struct sql_settings *settings = database_session_settings(s->db);
    p->nulls[index] = value.ptr == NULL;
    if (!value.ptr)
        return 0;
    if (format > 1)
        return sql_fail(error, "22023", "unsupported format code: %u", format);
    if (format == 0 && !utf8_valid(value))
        return sql_fail(error, "22021", "invalid byte sequence for encoding \"UTF8\"");
    slice copy;
    if (arena_copy(&p->memory, value, &copy))
        return sql_fail_memory(error);
    return format ? sql_value_receive(type, copy, settings, &p->memory, &p->cells[index], error)
                  : sql_value_in(type, copy, settings, &p->memory, &p->cells[index], error);
}

static int take_parameters(struct session *s, struct portal *p, const struct pgwire_event *e,
                           struct sql_error *error) {
    const struct sql_type *types = NULL;
    const unsigned count =
        p->prepared->statement ? database_statement_parameters(p->prepared->statement, &types) : 0;
    if (count != e->parameters.count)
        return sql_fail(error, "08P01",
                        "bind message supplies %u parameters, but prepared statement \"%.*s\" "
                        "requires %u",
                        e->parameters.count, slice_fmt(e->statement), count);
    p->cells = arena_zalloc(&p->memory, count, sizeof *p->cells);
    p->nulls = arena_zalloc(&p->memory, count, sizeof *p->nulls);
    int failed = p->cells && p->nulls ? 0 : sql_fail_memory(error);
    slice rest = e->parameters.bytes;
    for (unsigned i = 0; !failed && i < count; i++)
        failed = take_parameter(s, p, types[i], pgwire_format_of(&e->formats, i), i,
                                pgwire_next_parameter(&rest), error);
    return failed;
}

static int judge_formats(const struct database_statement *statement, const struct pgwire_event *e,
                         struct sql_error *error) {
    const struct sql_plan_column *columns;
    const unsigned count = statement ? database_statement_columns(statement, &columns) : 0;
    if (e->result_formats.count > 1 && e->result_formats.count != count)
        return sql_fail(error, "08P01",
                        "bind message has %u result formats but query has %u columns",
                        e->result_formats.count, count);
    for (unsigned i = 0; i < e->result_formats.count; i++)
        if (pgwire_format_of(&e->result_formats, i) > 1)
            return sql_fail(error, "22023", "unsupported format code: %u",
                            pgwire_format_of(&e->result_formats, i));
    return 0;
}

static int make_portal(struct session *s, const struct pgwire_event *e, struct prepared *prepared,
                       struct portal *p, struct sql_error *error) {
    p->memory = arena_make(0, PORTAL_BYTES_MAX);
    p->prepared = prepared;
    prepared->refs++;
    char *name = mem_copy(e->name.ptr, e->name.len);
    if (!name)
        return sql_fail_memory(error);
    p->name = slice_make(name, e->name.len);
    if (map_find(&s->portals, p->name))
        return sql_fail(error, "42P03", "cursor \"%.*s\" already exists", slice_fmt(p->name));
    int failed = take_parameters(s, p, e, error);
    if (!failed)
        failed = judge_formats(prepared->statement, e, error);
    if (!failed && prepared->statement &&
        answer_new(s, prepared->statement, &e->result_formats, &p->answer))
        failed = sql_fail_memory(error);
    if (!failed && map_add(&s->portals, p->name, p))
        failed = sql_fail(error, "53400", "a session has at most %zu portals", SESSION_NAMES_MAX);
    return failed;
}

static void bind_portal(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    struct prepared *prepared = find_prepared(s, e->statement);
    if (!prepared || !is_utf8(s, e->name))
        return;
    if (e->name.len == 0)
        close_portal(s, e->name);
    struct portal *p = mem_zalloc(1, sizeof *p);
    int failed = p ? make_portal(s, e, prepared, p, &error) : sql_fail_memory(&error);
    if (failed) {
        if (p)
            free_portal(s, p);
        session_extended_fail(s, &error);
        return;
    }
    session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_BIND_COMPLETE));
}

/* --- Describe ------------------------------------------------------------------------------- */

static void describe_parameters(struct session *s, const struct database_statement *statement) {
    const struct sql_type *types = NULL;
    const unsigned count = statement ? database_statement_parameters(statement, &types) : 0;
    uint32_t *oids = mem_zalloc(count ? count : 1, sizeof *oids);
    for (unsigned i = 0; oids && i < count; i++)
        oids[i] = types[i].oid;
    session_wrote(s, oids ? pgwire_write_parameter_description(&s->out, oids, count) : -ENOMEM);
    mem_free(oids);
}

static void describe(struct session *s, const struct pgwire_event *e) {
    if (e->what == 'S') {
        const struct prepared *p = find_prepared(s, e->name);
        if (!p)
            return;
        describe_parameters(s, p->statement);
        answer_describe(s, p->statement, NULL, true);
        return;
    }
    const struct portal *p = find_portal(s, e->name);
    if (p)
        answer_describe(s, p->prepared->statement, p->answer ? p->answer->formats : NULL, true);
}

/* --- Execute -------------------------------------------------------------------------------- */

static bool sync_follows(const struct session *s) {
    return slice_starts_with(slice_skip(buf_slice(&s->rest), s->used), slice_lit("S\0\0\0\4"));
}

static void begin_implicit(struct session *s, uint32_t limit) {
    if (s->implicit || (sync_follows(s) && limit == 0))
        return;
    s->implicit = true;
    database_implicit_begin(s->db);
}

static void execute(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    struct portal *p = find_portal(s, e->name);
    if (!p)
        return;
    if (!p->answer) {
        session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_EMPTY_QUERY));
        return;
    }
    struct answer *a = p->answer;
    if (a->started && !a->suspended && !database_statement_gives_rows(a->statement)) {
        (void)sql_fail(&error, "55000", "portal \"%.*s\" cannot be run", slice_fmt(e->name));
        session_extended_fail(s, &error);
        return;
    }
    const bool again = a->started;
    if (!again && database_statement_kind(a->statement) == SQL_STATEMENT_DEALLOCATE &&
        session_deallocate(s, database_statement_bound(a->statement))) {
        session_wrote(s, pgwire_write_command_complete(&s->out, slice_lit("DEALLOCATE")));
        return;
    }
    s->executing = p;
    s->answer = a;
    if (again) {
        answer_go_on(a, e->limit);
        return;
    }
    metrics_count(s->sessions->shard->metrics, s->sessions->statements_total, 1);
    begin_implicit(s, e->limit);
    answer_start(a, p->cells, p->nulls, e->limit);
}

void session_executed(struct session *s) {
    struct answer *a = s->answer;
    if (a->error.state[0]) {
        session_error(s, &a->error);
        s->skipping = s->failed = true;
    } else {
        answer_complete(a);
    }
    s->answer = NULL;
    s->executing = NULL;
}

/* --- Sync ----------------------------------------------------------------------------------- */

static void sync_messages(struct session *s) {
    s->skipping = false;
    if (!s->implicit) {
        session_synced(s);
        return;
    }
    if (s->failed)
        session_drop_portals(s);
    s->syncing = true;
    session_end_implicit(s, s->failed);
}

void session_synced(struct session *s) {
    if (s->syncing && s->ending_error.state[0] && !s->failed)
        session_error(s, &s->ending_error);
    s->syncing = s->implicit = s->failed = false;
    if (database_session_state(s->db) != 'T')
        session_drop_portals(s);
    session_ready_for_query(s);
}

static void close_named(struct session *s, const struct pgwire_event *e) {
    if (e->what == 'S')
        close_prepared(s, e->name);
    else
        close_portal(s, e->name);
    session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_CLOSE_COMPLETE));
}

/* --- messages ------------------------------------------------------------------------------- */

static void refuse_message(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    if (e->kind == PGWIRE_FUNCTION_CALL)
        (void)sql_fail(&error, "0A000",
                       "function calls by message are not supported: SELECT the "
                       "function");
    else if (e->kind == PGWIRE_MALFORMED)
        (void)sql_fail(&error, "08P01", "invalid message format");
    else
        (void)sql_fail(&error, "08P01", "unexpected message type 0x%02X",
                       (unsigned)(unsigned char)e->type);
    session_extended_fail(s, &error);
    const bool simple = e->type == 'Q' || e->type == 'F';
    if (simple) { /* these are answered without a Sync */
        s->skipping = s->failed = false;
        session_ready_for_query(s);
    }
}

static void handle(struct session *s, const struct pgwire_event *e) {
    switch (e->kind) {
    case PGWIRE_QUERY:
        close_prepared(s, (slice){0});
        close_portal(s, (slice){0});
        session_query(s, e->text, false);
        return;
    case PGWIRE_PARSE:
        parse(s, e);
        return;
    case PGWIRE_BIND:
        bind_portal(s, e);
        return;
    case PGWIRE_DESCRIBE:
        describe(s, e);
        return;
    case PGWIRE_EXECUTE:
        execute(s, e);
        return;
    case PGWIRE_CLOSE:
        close_named(s, e);
        return;
    case PGWIRE_FLUSH:     /* all is flushed in each turn */
    case PGWIRE_COPY_DATA: /* of a COPY that has failed */
    case PGWIRE_COPY_DONE:
    case PGWIRE_COPY_FAIL:
        return;
    default:
        refuse_message(s, e);
    }
}

void session_message(struct session *s, const struct pgwire_event *e) {
    if (e->kind == PGWIRE_TERMINATE)
        session_close(s);
    else if (e->kind == PGWIRE_SYNC)
        sync_messages(s);
    else if (!s->skipping)
        handle(s, e);
}
