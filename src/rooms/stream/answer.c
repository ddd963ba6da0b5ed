/*
 * answer.c - see answer.h.
 *
 * The sink's functions are called by the database, perhaps from inside a call of ours: they write
 * messages, note what has come and wake the session, and never free or start anything.
 */
#include "rooms/stream/session.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* --- rows out ------------------------------------------------------------------------------- */

/* Of the rows that come, which for COPY are not those of an answer. */
static unsigned columns_of(const struct database_statement *statement,
                           const struct sql_plan_column **ret) {
    if (database_statement_kind(statement) != SQL_STATEMENT_COPY_TO)
        return database_statement_columns(statement, ret);
    const struct sql_statement *bound = database_statement_bound(statement);
    if (bound->subscription) {
        *ret = bound->subscription->column;
        return bound->subscription->columns;
    }
    *ret = bound->query.plan->column;
    return bound->query.visible;
}

static int put_row(struct answer *a, const struct sql_batch *batch, unsigned row, struct buf *b) {
    const struct sql_settings *settings = database_session_settings(a->session->db);
    size_t start = 0;
    int failed = pgwire_begin(b, a->copy_out ? 'd' : 'D', &start);
    if (failed)
        return failed;
    if (a->copy_out) {
        failed = copy_write_row(&a->copy, a->column, batch, row, settings, b);
    } else {
        failed = pgwire_put_u16(b, a->columns);
        for (unsigned i = 0; !failed && i < a->columns; i++)
            failed = copy_write_value(a->column[i].type, &batch->column[i], row, a->formats[i],
                                      settings, b);
    }
    if (failed)
        pgwire_undo(b, start);
    else
        pgwire_end(b, start);
    return failed;
}

static bool at_limit(const struct answer *a) {
    return a->limit > 0 && a->sent >= a->limit;
}

/* One copy of a row: into the output, or behind what is held. A step of the database that has begun
   goes on to its end although we are full. */
static int pass_row(struct answer *a, const struct sql_batch *batch, unsigned row, size_t passed) {
    struct session *s = a->session;
    const bool hold = a->full || at_limit(a) || a->held_from < a->held.len ||
                      s->out.len - passed > ANSWER_PASS_BYTES;
    int failed = hold ? -ENOBUFS : put_row(a, batch, row, &s->out);
    if (!failed)
        a->sent++;
    return failed == -ENOBUFS ? put_row(a, batch, row, &a->held) : failed;
}

static void give_up(struct answer *a, int failed) {
    if (failed == -ENOMEM)
        (void)sql_fail_memory(&a->error);
    else
        (void)sql_fail(&a->error, "54000", "rows of the result are too large to be sent");
    a->broken = a->over = true;
}

static bool has_room(const struct answer *a) {
    return io_stream_pending(a->session->stream) < ANSWER_ROOM_BYTES;
}

/* Whether the database may go on; else notes who will tell it to. */
static bool may_go_on(struct answer *a) {
    a->full = false;
    if (a->held_from == a->held.len && !at_limit(a) && has_room(a))
        return true;
    a->full = true;
    if (at_limit(a))
        a->suspended = true;
    else
        io_stream_want_room(a->session->stream, ANSWER_ROOM_BYTES / 2);
    session_wake(a->session);
    return false;
}

/* The run may have bound the statement anew, which frees what was bound before. */
static int see_statement(struct answer *a) {
    const struct database_statement *statement = database_run_statement(a->run);
    (void)columns_of(statement, &a->column);
    return a->copy_out ? copy_format_of(database_statement_bound(statement), &a->copy, &a->error)
                       : 0;
}

static bool on_rows(void *owner, const struct sql_batch *batch) {
    struct answer *a = owner;
    struct session *s = a->session;
    if (s->state == SESSION_CLOSING || a->broken)
        return false;
    const size_t passed = s->out.len;
    int failed = see_statement(a);
    for (unsigned row = 0; !failed && row < batch->rows; row++)
        for (int64_t times = sql_weight_at(batch, row); !failed && times > 0; times--)
            failed = pass_row(a, batch, row, passed);
    session_push(s);
    if (failed)
        give_up(a, failed);
    if (failed || s->state == SESSION_CLOSING) {
        session_wake(s);
        return false;
    }
    return may_go_on(a);
}

static void on_done(void *owner, slice tag, const struct sql_error *error) {
    struct answer *a = owner;
    a->run = NULL;
    a->over = true;
    a->copying = false;
    if (error && !a->broken)
        a->error = *error;
    const slice kept = slice_take(tag, sizeof a->tag - 1);
    if (kept.len)
        memcpy(a->tag, kept.ptr, kept.len);
    a->tag[kept.len] = '\0';
    session_wake(a->session);
}

/* --- COPY FROM ------------------------------------------------------------------------------ */

static int on_copied(void *owner, const struct sql_batch *batch) {
    struct answer *a = owner;
    return a->run ? database_run_copy(a->run, batch) : -ECANCELED;
}

static int begin_copy(struct answer *a, struct sql_error *error) {
    const struct sql_statement *bound = database_statement_bound(database_run_statement(a->run));
    int failed = copy_format_of(bound, &a->copy, error);
    if (failed)
        return failed;
    a->copy_types = mem_zalloc(bound->copy_count ? bound->copy_count : 1, sizeof *a->copy_types);
    if (!a->copy_types)
        return sql_fail_memory(error);
    for (unsigned i = 0; i < bound->copy_count; i++)
        a->copy_types[i] = bound->table->column[bound->copy_columns[i]].type;
    const struct copy_reader_options options = {.format = &a->copy,
                                                .types = a->copy_types,
                                                .count = bound->copy_count,
                                                .settings =
                                                    database_session_settings(a->session->db),
                                                .rows = on_copied,
                                                .owner = a};
    if (copy_reader_new(&options, &a->reader))
        return sql_fail_memory(error);
    session_wrote(a->session, pgwire_write_copy_in(&a->session->out, a->copy.shape == COPY_BINARY,
                                                   bound->copy_count));
    return 0;
}

/* Only noted: what the client sends is read in the session's turn. */
static void on_copy_in(void *owner) {
    struct answer *a = owner;
    a->copying = true;
    session_wake(a->session);
}

static void stop_copy(struct answer *a, const struct sql_error *error) {
    a->copying = false;
    if (a->run)
        database_run_copy_end(a->run, error);
}

static void stop_reading(struct answer *a, int failed, const struct sql_error *error) {
    const struct sql_statement *bound = database_statement_bound(a->statement);
    if (failed == -ECANCELED)
        return; /* `done` has been told why */
    snprintf(a->where, sizeof a->where, "COPY %.*s, line %llu", slice_fmt(bound->table->name),
             (unsigned long long)copy_reader_line(a->reader));
    stop_copy(a, error);
}

void answer_copy(struct answer *a, const struct pgwire_event *e) {
    struct sql_error error;
    int failed = 0;
    switch (e->kind) {
    case PGWIRE_COPY_DATA:
        failed = copy_reader_take(a->reader, e->body, &error);
        break;
    case PGWIRE_COPY_DONE:
        failed = copy_reader_end(a->reader, &error);
        if (!failed)
            stop_copy(a, NULL);
        break;
    case PGWIRE_COPY_FAIL:
        (void)sql_fail(&error, "57014", "COPY from stdin failed: %.*s",
                       slice_fmt(slice_take(e->text, 256)));
        stop_copy(a, &error);
        return;
    case PGWIRE_FLUSH:
    case PGWIRE_SYNC: /* of the Execute that began it */
        return;
    case PGWIRE_TERMINATE:
        session_close(a->session);
        return;
    default:
        (void)sql_fail(&error, "08P01", "unexpected message type 0x%02X during COPY from stdin",
                       (unsigned)(unsigned char)e->type);
        stop_copy(a, &error);
        return;
    }
    if (failed)
        stop_reading(a, failed, &error);
}

/* --- life ----------------------------------------------------------------------------------- */

int answer_new(struct session *s, struct database_statement *statement,
               const struct pgwire_list *formats, struct answer **ret) {
    struct answer *a = mem_zalloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->session = s;
    a->statement = statement;
    a->columns = columns_of(statement, &a->column);
    a->held = buf_make(ANSWER_HELD_BYTES_MAX);
    a->formats = mem_zalloc(a->columns ? a->columns : 1, 1);
    if (!a->formats) {
        mem_free(a);
        return -ENOMEM;
    }
    for (unsigned i = 0; formats && formats->count && i < a->columns; i++)
        a->formats[i] = (uint8_t)pgwire_format_of(formats, i);
    *ret = a;
    return 0;
}

struct answer *answer_free(struct answer *a) {
    if (!a)
        return NULL;
    if (a->run)
        database_run_free(a->run);
    copy_reader_free(a->reader);
    mem_free(a->copy_types);
    mem_free(a->formats);
    buf_free(&a->held);
    return mem_free(a);
}

static int begin_copy_out(struct answer *a) {
    struct session *s = a->session;
    size_t start = 0;
    int failed = copy_format_of(database_statement_bound(a->statement), &a->copy, &a->error);
    if (failed)
        return failed;
    a->copy_out = true;
    a->columns = columns_of(a->statement, &a->column);
    failed = pgwire_write_copy_out(&s->out, a->copy.shape == COPY_BINARY, a->columns);
    if (!failed)
        failed = pgwire_begin(&s->out, 'd', &start);
    const size_t before = s->out.len;
    if (!failed)
        failed = copy_write_start(&a->copy, a->column, a->columns, &s->out);
    if (!failed && s->out.len > before)
        pgwire_end(&s->out, start);
    else if (!failed)
        pgwire_undo(&s->out, start);
    session_wrote(s, failed);
    return 0;
}

void answer_start(struct answer *a, const union sql_cell *parameters, const uint8_t *nulls,
                  uint32_t limit) {
    const struct database_sink sink = {
        .rows = on_rows, .done = on_done, .copy_in = on_copy_in, .owner = a};
    const enum sql_statement_kind kind = database_statement_kind(a->statement);
    int failed = 0;
    a->started = true;
    a->limit = limit;
    if (kind == SQL_STATEMENT_COPY_TO)
        failed = begin_copy_out(a);
    else if (kind == SQL_STATEMENT_COPY_FROM)
        failed = copy_format_of(database_statement_bound(a->statement), &a->copy, &a->error);
    if (failed)
        database_session_fail(a->session->db);
    else
        failed = database_run(a->session->db, a->statement, parameters, nulls, &sink, &a->run,
                              &a->error);
    if (failed || a->over)
        a->run = NULL;
    a->over |= failed != 0;
}

/* Messages that were held, up to the limit and as far as there is room. */
static void pass_held(struct answer *a) {
    struct session *s = a->session;
    while (a->held_from < a->held.len && !at_limit(a) && s->out.len < ANSWER_PASS_BYTES) {
        const char *at = a->held.ptr + a->held_from;
        const size_t len = 1 + (size_t)pgwire_u32(at + 1);
        if (buf_append(&s->out, slice_make(at, len)))
            break;
        a->held_from += len;
        a->sent++;
    }
    if (a->held_from == a->held.len) {
        a->held_from = 0;
        buf_free(&a->held);
    }
    session_push(s);
}

void answer_room(struct answer *a) {
    if (!a->full && a->held_from == a->held.len)
        return;
    pass_held(a);
    if (a->session->state == SESSION_CLOSING || a->over || !a->run) {
        if (a->held_from < a->held.len && !at_limit(a) && a->session->state != SESSION_CLOSING)
            io_stream_want_room(a->session->stream, ANSWER_ROOM_BYTES / 2);
        return;
    }
    if (may_go_on(a))
        database_run_resume(a->run);
}

void answer_go_on(struct answer *a, uint32_t limit) {
    a->suspended = false;
    a->was_suspended = true;
    a->limit = limit;
    a->sent = 0;
    answer_room(a);
    if (a->over && at_limit(a))
        a->suspended = true;
}

bool answer_settled(struct answer *a) {
    struct sql_error error;
    if (a->copying && !a->reader && begin_copy(a, &error))
        stop_copy(a, &error);
    if (a->broken) {
        if (a->run)
            database_session_fail(a->session->db);
        a->run = a->run ? database_run_free(a->run) : NULL;
        return true;
    }
    return a->suspended || (a->over && a->held_from == a->held.len);
}

/* --- messages around the rows --------------------------------------------------------------- */

void answer_describe(struct session *s, const struct database_statement *statement,
                     const uint8_t *formats, bool tell_none) {
    const struct sql_plan_column *from = NULL;
    if (!statement || !database_statement_gives_rows(statement) ||
        database_statement_kind(statement) == SQL_STATEMENT_COPY_TO) {
        if (tell_none)
            session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_NO_DATA));
        return;
    }
    const unsigned count = database_statement_columns(statement, &from);
    struct pgwire_column *columns = mem_zalloc(count ? count : 1, sizeof *columns);
    for (unsigned i = 0; columns && i < count; i++) {
        const struct sql_type_info *info = sql_type_info(from[i].type.oid);
        columns[i] = (struct pgwire_column){.name = from[i].name,
                                            .type = from[i].type.oid,
                                            .type_length = info ? info->length : 4, /* an enum */
                                            .type_modifier = from[i].type.typmod,
                                            .format = formats ? formats[i] : 0};
    }
    session_wrote(s, columns ? pgwire_write_row_description(&s->out, columns, count) : -ENOMEM);
    mem_free(columns);
}

static void complete_copy_out(struct answer *a) {
    struct session *s = a->session;
    const slice trailer = copy_trailer(&a->copy);
    int failed = trailer.len ? pgwire_write_copy_data(&s->out, trailer) : 0;
    if (!failed)
        failed = pgwire_write_mark(&s->out, PGWIRE_COPY_OUT_DONE);
    session_wrote(s, failed);
}

void answer_complete(struct answer *a) {
    struct session *s = a->session;
    if (a->suspended) {
        session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_PORTAL_SUSPENDED));
        return;
    }
    if (a->copy_out)
        complete_copy_out(a);
    if (a->was_suspended && strncmp(a->tag, "SELECT ", 7) == 0)
        snprintf(a->tag, sizeof a->tag, "SELECT %u", a->sent);
    session_wrote(s, pgwire_write_command_complete(&s->out, slice_str(a->tag)));
    a->was_suspended = true; /* once more: what is sent then */
    a->sent = 0;
}
