/*
 * session.c - a session's life: bytes in, bytes out, and the one loop that drives it (session.h).
 *
 * What the client sends while something is under way waits in `rest`; beyond REST_IDLE_BYTES of it
 * the socket is not read any more. Below that it is, so that a client that goes away is noticed.
 */
#include "rooms/stream/session.h"

#include "base/mem.h"

#include <errno.h>

#define REST_IDLE_BYTES ((size_t)64 << 10)
#define STARTUP_BYTES_MAX ((size_t)64 << 10)

/* --- bytes out ------------------------------------------------------------------------------ */

void session_push(struct session *s) {
    if (s->out.len == 0 || !s->stream)
        return;
    if (io_stream_is_open(s->stream) && io_stream_write(s->stream, buf_slice(&s->out))) {
        logger_write(s->sessions->shard->node->logger, LOG_LEVEL_WARN, "stream",
                     "closing a session whose client does not read", "process=%u", s->process);
        s->state = SESSION_CLOSING;
        io_stream_abort(s->stream);
    }
    if (s->out.cap > ANSWER_ROOM_BYTES)
        buf_free(&s->out);
    buf_clear(&s->out);
}

void session_wrote(struct session *s, int result) {
    if (result == 0 || s->state == SESSION_CLOSING)
        return;
    logger_write(s->sessions->shard->node->logger, LOG_LEVEL_WARN, "stream", "closing a session",
                 "process=%u reason=%s", s->process, error_name(result));
    s->state = SESSION_CLOSING;
    io_stream_abort(s->stream);
}

static void report(struct session *s, const char *severity, const struct sql_error *e) {
    const slice where = s->answer ? slice_str(s->answer->where) : (slice){NULL, 0};
    const struct pgwire_report fields = {.severity = severity,
                                         .state = e->state,
                                         .message = slice_str(e->message),
                                         .detail = slice_str(e->detail),
                                         .hint = slice_str(e->hint),
                                         .where = where,
                                         .position = e->position};
    session_wrote(s, pgwire_write_error(&s->out, &fields));
}

void session_error(struct session *s, const struct sql_error *error) {
    report(s, "ERROR", error);
}

void session_fatal(struct session *s, const struct sql_error *error) {
    if (s->state == SESSION_CLOSING)
        return;
    report(s, "FATAL", error);
    logger_write(s->sessions->shard->node->logger, LOG_LEVEL_DEBUG, "stream", "session refused",
                 "process=%u peer=%s state=%s reason=%s", s->process, io_stream_peer(s->stream),
                 error->state, error->message);
    session_close(s);
}

void session_close(struct session *s) {
    if (s->state == SESSION_CLOSING)
        return;
    session_push(s);
    s->state = SESSION_CLOSING;
    io_stream_close(s->stream);
}

/* Its transaction is taken back. */
static void drop_work(struct session *s) {
    session_drop_portals(s);
    session_query_drop(s);
    session_drop_prepared(s);
    s->db = database_session_free(s->db);
}

/* A client that does not hang up either is gone later: what others wait for goes now. */
static void on_idle(struct io_timer *timer) {
    struct session *s = container_of(timer, struct session, deadline);
    struct sql_error error;
    if (database_session_state(s->db) == 'I')
        (void)sql_fail(&error, "57P05", "terminating connection due to idle-session timeout");
    else
        (void)sql_fail(&error, "25P03",
                       "terminating connection due to idle-in-transaction timeout");
    session_fatal(s, &error);
    drop_work(s);
}

void session_ready_for_query(struct session *s) {
    char state = database_session_state(s->db);
    uint64_t patience_ns = database_session_patience_ns(s->db);
    session_wrote(s, pgwire_write_ready(&s->out, state));
    if (patience_ns)
        io_timer_start(s->sessions->shard->loop, &s->deadline, patience_ns, on_idle);
}

/* --- going on ------------------------------------------------------------------------------- */

static void on_again(struct io_timer *timer) {
    struct session *s = container_of(timer, struct session, again);
    s->turn_messages = 0;
    session_wake(s);
}

static void handle(struct session *s, const struct pgwire_event *e) {
    if (s->answer && s->answer->copying)
        answer_copy(s->answer, e);
    else if (s->state == SESSION_READY)
        session_message(s, e);
    else if (s->state == SESSION_STARTUP)
        session_startup(s, e);
    else
        session_password(s, e);
}

static void refuse_bytes(struct session *s) {
    const enum pgwire_error code = (enum pgwire_error)s->parser.error;
    struct sql_error error;
    if (code == PGWIRE_ERROR_TYPE)
        (void)sql_fail(&error, pgwire_error_state(code), "%s %d", pgwire_error_text(code),
                       (unsigned char)s->parser.refused);
    else
        (void)sql_fail(&error, pgwire_error_state(code), "%s", pgwire_error_text(code));
    session_fatal(s, &error);
}

/* Handles the next message. False: there is none, or this turn has had its share. */
static bool take_message(struct session *s) {
    struct pgwire_event event;
    size_t consumed = 0;
    if (s->turn_messages >= SESSION_MESSAGES_PER_TURN) {
        io_timer_start(s->sessions->shard->loop, &s->again, 0, on_again);
        return false;
    }
    int r = pgwire_parse(&s->parser, slice_skip(buf_slice(&s->rest), s->used), &event, &consumed);
    s->wants_bytes = r == 0;
    if (r == 0)
        return false;
    if (r < 0) {
        refuse_bytes(s);
        return false;
    }
    s->turn_messages++;
    s->used += consumed;
    if (s->state == SESSION_READY) /* it is not idle any more */
        io_timer_stop(s->sessions->shard->loop, &s->deadline);
    handle(s, &event);
    return true;
}

/* One step. False: something has to come first. */
static bool go_on(struct session *s) {
    if (s->state == SESSION_CLOSING || s->state == SESSION_TLS || s->state == SESSION_WAITING ||
        s->state == SESSION_JUDGED)
        return false;
    if (s->answer) {
        if (!answer_settled(s->answer))
            return s->answer->copying && take_message(s);
        if (s->executing)
            session_executed(s);
        else
            session_query_answered(s);
        return true;
    }
    if (s->ending == SESSION_ENDING)
        return false;
    if (s->ending == SESSION_ENDED) {
        s->ending = SESSION_NOT_ENDING;
        if (s->syncing)
            session_synced(s);
        else
            session_query_end(s);
        return true;
    }
    if (s->query.parse) {
        session_query_next(s);
        return true;
    }
    return take_message(s);
}

static void keep_reading(struct session *s) {
    const bool stop = !s->wants_bytes && s->rest.len - s->used > REST_IDLE_BYTES;
    if (s->state == SESSION_CLOSING || stop == s->paused)
        return;
    s->paused = stop;
    if (stop)
        io_stream_pause(s->stream);
    else
        io_stream_resume(s->stream);
}

static void step(struct session *s) {
    s->wants_bytes = false;
    s->stepping = true;
    while (go_on(s))
        ;
    s->stepping = false;
    if (s->used == s->rest.len) {
        s->used = 0;
        buf_clear(&s->rest);
        if (s->rest.cap > REST_IDLE_BYTES)
            buf_free(&s->rest);
    }
    session_push(s);
    keep_reading(s);
    if (s->sessions->draining && s->wants_bytes)
        session_leave(s);
}

static void on_wake(struct io_task *task) {
    step(container_of(task, struct session, wake));
}

void session_wake(struct session *s) {
    if (!s->stepping && s->state != SESSION_CLOSING)
        io_defer(s->sessions->shard->loop, &s->wake);
}

/* --- the stream ----------------------------------------------------------------------------- */

static void on_bytes(void *owner, slice bytes) {
    struct session *s = owner;
    if (s->state == SESSION_CLOSING)
        return;
    if (s->used > 0) {
        buf_consume(&s->rest, s->used);
        s->used = 0;
    }
    if (buf_append(&s->rest, bytes)) {
        struct sql_error error;
        (void)sql_fail_memory(&error);
        session_fatal(s, &error);
        return;
    }
    s->turn_messages = 0;
    step(s);
}

static void on_drain(void *owner) {
    struct session *s = owner;
    if (s->answer && s->state != SESSION_CLOSING) {
        answer_room(s->answer);
        session_wake(s);
    }
}

static void session_free(struct session *s) {
    struct io_loop *loop = s->sessions->shard->loop;
    struct sessions *all = s->sessions;
    database_when_ready_cancel(all->db, s);
    io_defer_cancel(loop, &s->wake);
    io_timer_stop(loop, &s->again);
    io_timer_stop(loop, &s->deadline);
    if (s->login)
        auth_job_forget(s->login);
    drop_work(s);
    map_free(&s->prepared);
    map_free(&s->portals);
    principal_unref(s->principal);
    scram_free(&s->scram);
    arena_free(&s->startup);
    buf_free(&s->rest);
    buf_free(&s->out);
    list_remove(&s->in_sessions);
    mem_free(s);
    sessions_left(all);
}

static void on_close(void *owner, int reason) {
    struct session *s = owner;
    (void)reason;
    s->state = SESSION_CLOSING;
    s->stream = NULL;
    session_free(s);
}

void session_drop(struct session *s) {
    static const struct io_stream_events nobody = {0};
    io_stream_set_events(s->stream, &nobody, NULL);
    io_stream_abort(s->stream);
    session_free(s);
}

void session_leave(struct session *s) {
    struct sql_error error;
    (void)sql_fail(&error, "57P01", "terminating connection due to administrator command");
    session_fatal(s, &error);
}

static void on_deadline(struct io_timer *timer) {
    struct session *s = container_of(timer, struct session, deadline);
    session_close(s); /* without a word, as PostgreSQL */
}

void session_expect(struct session *s) {
    const struct room_shard *shard = s->sessions->shard;
    io_timer_start(shard->loop, &s->deadline, shard->node->limits.auth_timeout_ns, on_deadline);
}

int session_accept(struct sessions *all, struct io_stream *stream) {
    static const struct io_stream_events events = {
        .on_bytes = on_bytes, .on_drain = on_drain, .on_close = on_close};
    static const struct hash_key unkeyed; /* names are the client's own */
    struct session *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->sessions = all;
    s->stream = stream;
    s->process = ++all->processes;
    io_host_random(all->shard->node->host, &s->secret, sizeof s->secret);
    s->wake.run = on_wake;
    s->parser = pgwire_parser_make(SESSION_MESSAGE_BYTES_MAX);
    s->rest = buf_make((size_t)SESSION_MESSAGE_BYTES_MAX + 2 * (size_t)IO_READ_BYTES);
    s->out = buf_make(SESSION_OUT_BYTES_MAX);
    s->startup = arena_make(0, STARTUP_BYTES_MAX);
    s->scram = scram_make();
    s->prepared = map_make(unkeyed, SESSION_NAMES_MAX);
    s->portals = map_make(unkeyed, SESSION_NAMES_MAX);
    list_push_back(&all->all, &s->in_sessions);
    io_stream_set_out_max(stream, 2 * SESSION_OUT_BYTES_MAX);
    io_stream_set_events(stream, &events, s);
    session_expect(s);
    return 0;
}
