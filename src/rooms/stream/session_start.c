/*
 * session_start.c - the beginning of a session: encryption, the startup message, its settings.
 *
 * Startup parameters that are settings (DateStyle, TimeZone, `options` with -c …) are set by SET
 * statements of the session's own, so that there is one way to set a thing; one that fails ends the
 * session, as in PostgreSQL. Then come the ParameterStatus messages clients rely on.
 */
#include "rooms/stream/session.h"

#define OPTIONS_MAX 16u /* of the protocol, that are not known here */
#define SETTINGS_BYTES_MAX ((size_t)64 << 10)
#define RECOVERING_NS_MAX UINT64_C(60000000000)

/* --- before the startup message ------------------------------------------------------------- */

static void on_encrypted(void *owner, int failed, const char *why) {
    struct session *s = owner;
    if (failed) { /* the stream closes by itself */
        logger_write(s->sessions->shard->node->logger, LOG_LEVEL_DEBUG, "stream",
                     "TLS handshake failed", "process=%u reason=%s", s->process, why);
        return;
    }
    s->encrypted = true;
    s->state = SESSION_STARTUP;
    session_wake(s);
}

static void answer_ssl_request(struct session *s) {
    struct sessions *all = s->sessions;
    if (!all->tls || s->encrypted) {
        session_wrote(s, buf_append_byte(&s->out, 'N'));
        return;
    }
    if (s->used < s->rest.len) { /* would be taken for what came encrypted */
        struct sql_error error;
        (void)sql_fail(&error, "08P01", "received unencrypted data after SSL request");
        session_fatal(s, &error);
        return;
    }
    session_wrote(s, buf_append_byte(&s->out, 'S'));
    session_push(s);
    if (s->state == SESSION_CLOSING)
        return;
    s->state = SESSION_TLS;
    if (io_stream_start_tls(s->stream, all->tls, (slice){0},
                            all->shard->node->limits.tls_timeout_ns, on_encrypted))
        session_close(s);
}

/* --- the startup message -------------------------------------------------------------------- */

static int keep(struct session *s, slice value, slice *ret) {
    return arena_copy(&s->startup, value, ret);
}

/* A newer 3.x, or options of the protocol: what is not known is told. */
static void negotiate(struct session *s, const struct pgwire_event *e) {
    slice unknown[OPTIONS_MAX], rest = e->body, name, value;
    unsigned count = 0;
    while (pgwire_next_pair(&rest, &name, &value) && count < OPTIONS_MAX)
        if (slice_starts_with(name, slice_lit("_pq_.")))
            unknown[count++] = name;
    if (e->version_minor > 0 || count > 0)
        session_wrote(s, pgwire_write_negotiate(&s->out, 0, unknown, count));
}

static int keep_parameters(struct session *s, const struct pgwire_event *e) {
    slice rest = e->body, name, value;
    int failed = keep(s, e->body, &s->parameters);
    while (!failed && pgwire_next_pair(&rest, &name, &value)) {
        if (slice_equal(name, slice_lit("user")))
            failed = keep(s, value, &s->user);
        else if (slice_equal(name, slice_lit("database")))
            failed = keep(s, value, &s->database);
        else if (slice_equal(name, slice_lit("application_name")))
            failed = keep(s, value, &s->application);
    }
    if (s->database.len == 0)
        s->database = s->user;
    return failed;
}

/* What is wrong with a startup message of parameters that were kept, or 0. */
static int judge(struct session *s, struct sql_error *error) {
    slice rest = s->parameters, name, value;
    while (pgwire_next_pair(&rest, &name, &value))
        if (slice_equal(name, slice_lit("replication")) && !slice_equal(value, slice_lit("off")) &&
            !slice_equal(value, slice_lit("false")) && !slice_equal(value, slice_lit("0")))
            return sql_fail(error, "0A000",
                            "this server does not replicate: take \"replication\" "
                            "out of the connection's parameters");
    if (s->user.len == 0)
        return sql_fail(error, "28000", "no PostgreSQL user name specified in startup packet");
    if (s->sessions->draining)
        return sql_fail(error, "57P03", "the database system is shutting down");
    if (s->sessions->count > s->sessions->sessions_max)
        return sql_fail(error, "53300", "sorry, too many clients already");
    return 0;
}

static void on_recovering(struct io_timer *timer) {
    struct sql_error error;
    (void)sql_fail(&error, "57P03", "the database system is starting up");
    session_fatal(container_of(timer, struct session, deadline), &error);
}

/* The database is there: perhaps at once. The deadline of the login begins anew. */
static void on_database(void *owner, const struct error *failed) {
    struct session *s = owner;
    struct sql_error error;
    if (s->state == SESSION_CLOSING)
        return;
    if (failed) {
        (void)sql_fail(&error, "57P03", "the database cannot be read: %s", failed->message);
        session_fatal(s, &error);
    } else {
        session_expect(s);
        session_log_in(s);
    }
    session_wake(s);
}

static void start(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    int failed = keep_parameters(s, e) ? sql_fail_memory(&error) : judge(s, &error);
    if (failed) {
        session_fatal(s, &error);
        return;
    }
    negotiate(s, e);
    s->state = SESSION_WAITING;
    io_timer_start(s->sessions->shard->loop, &s->deadline, RECOVERING_NS_MAX, on_recovering);
    database_when_ready(s->sessions->db, on_database, s);
}

void session_startup(struct session *s, const struct pgwire_event *e) {
    switch (e->kind) {
    case PGWIRE_SSL_REQUEST:
        answer_ssl_request(s);
        return;
    case PGWIRE_GSS_REQUEST:
        session_wrote(s, buf_append_byte(&s->out, 'N'));
        return;
    case PGWIRE_CANCEL_REQUEST:
        sessions_cancel(s->sessions, e->process, e->secret);
        session_close(s);
        return;
    default:
        check(e->kind == PGWIRE_STARTUP);
        start(s, e);
    }
}

/* --- settings ------------------------------------------------------------------------------- */

static int put_quoted(struct buf *b, char quote, slice text) {
    int failed = buf_append_byte(b, quote);
    for (size_t i = 0; !failed && i < text.len; i++) {
        failed = buf_append_byte(b, text.ptr[i]);
        if (!failed && text.ptr[i] == quote)
            failed = buf_append_byte(b, quote);
    }
    return failed ? failed : buf_append_byte(b, quote);
}

static int put_set(struct buf *b, slice name, slice value) {
    int failed = buf_append(b, slice_lit("SET "));
    if (!failed)
        failed = put_quoted(b, '"', name);
    if (!failed)
        failed = buf_append(b, slice_lit(" TO "));
    if (!failed)
        failed = put_quoted(b, '\'', value);
    return failed ? failed : buf_append_byte(b, ';');
}

/* The next word of `options`: blanks part them, a backslash takes the next byte as it is. */
static bool next_word(slice *rest, char *word, size_t size, slice *ret_word) {
    size_t len = 0;
    while (rest->len && rest->ptr[0] == ' ')
        *rest = slice_skip(*rest, 1);
    if (rest->len == 0)
        return false;
    while (rest->len && rest->ptr[0] != ' ') {
        if (rest->ptr[0] == '\\' && rest->len > 1)
            *rest = slice_skip(*rest, 1);
        if (len < size)
            word[len++] = rest->ptr[0];
        *rest = slice_skip(*rest, 1);
    }
    *ret_word = slice_make(word, len);
    return true;
}

/* "-c name=value", "-cname=value", "--name=value". */
static int put_options(struct buf *b, slice options) {
    char text[1024];
    slice word, value;
    int failed = 0;
    while (!failed && next_word(&options, text, sizeof text, &word)) {
        if (slice_equal(word, slice_lit("-c")) && !next_word(&options, text, sizeof text, &word))
            return 0;
        if (slice_starts_with(word, slice_lit("-c")) || slice_starts_with(word, slice_lit("--")))
            word = slice_skip(word, 2);
        const slice name = slice_cut(word, '=', &value);
        failed = put_set(b, name, value);
    }
    return failed;
}

static int put_settings(struct session *s, struct buf *b) {
    static const slice others[] = {slice_lit("user"), slice_lit("database"),
                                   slice_lit("application_name"), slice_lit("replication")};
    slice rest = s->parameters, name, value;
    int failed = 0;
    while (!failed && pgwire_next_pair(&rest, &name, &value)) {
        bool other = slice_starts_with(name, slice_lit("_pq_."));
        for (size_t i = 0; i < array_count(others); i++)
            other |= slice_equal(name, others[i]);
        if (slice_equal(name, slice_lit("options")))
            failed = put_options(b, value);
        else if (!other)
            failed = put_set(b, name, value);
    }
    return failed;
}

static void on_notice(void *owner, const struct sql_error *notice) {
    struct session *s = owner;
    const bool warns = database_notice_warns(notice);
    const struct pgwire_report fields = {.severity = warns ? "WARNING" : "NOTICE",
                                         .state = notice->state,
                                         .message = slice_str(notice->message),
                                         .detail = slice_str(notice->detail),
                                         .hint = slice_str(notice->hint),
                                         .position = notice->position};
    session_wrote(s, pgwire_write_notice(&s->out, &fields));
    session_wake(s);
}

static void on_parameter(void *owner, slice name, slice value) {
    struct session *s = owner;
    if (s->state == SESSION_READY)
        session_wrote(s, pgwire_write_parameter_status(&s->out, name, value));
    session_wake(s);
}

void session_begin(struct session *s) {
    struct sql_error error;
    struct buf settings = buf_make(SETTINGS_BYTES_MAX);
    const struct database_session_options options = {.user = s->user,
                                                     .application = s->application,
                                                     .notice = on_notice,
                                                     .parameter = on_parameter,
                                                     .owner = s};
    const bool ours =
        slice_equal(s->database, slice_lit("nonet")) || slice_equal(s->database, s->user);
    int failed = ours ? 0
                      : sql_fail(&error, "3D000", "database \"%.*s\" does not exist",
                                 slice_fmt(s->database));
    if (!failed &&
        (put_settings(s, &settings) || database_session_new(s->sessions->db, &options, &s->db)))
        failed = sql_fail_memory(&error);
    if (failed) {
        session_fatal(s, &error);
    } else {
        session_wrote(s,
                      pgwire_write_authentication(&s->out, PGWIRE_AUTHENTICATION_OK, (slice){0}));
        s->state = SESSION_SETTINGS;
        io_timer_stop(s->sessions->shard->loop, &s->deadline);
        session_query(s, buf_slice(&settings), true);
    }
    buf_free(&settings);
}

void session_begun(struct session *s) {
    static const char *const told[] = {"application_name",
                                       "client_encoding",
                                       "DateStyle",
                                       "default_transaction_read_only",
                                       "in_hot_standby",
                                       "integer_datetimes",
                                       "IntervalStyle",
                                       "is_superuser",
                                       "server_encoding",
                                       "server_version",
                                       "session_authorization",
                                       "standard_conforming_strings",
                                       "TimeZone"};
    for (size_t i = 0; i < array_count(told); i++) {
        const slice name = slice_str(told[i]), value = database_session_setting(s->db, name);
        if (value.ptr)
            session_wrote(s, pgwire_write_parameter_status(&s->out, name, value));
    }
    session_wrote(s, pgwire_write_backend_key(&s->out, s->process, s->secret));
    s->state = SESSION_READY;
    session_ready_for_query(s);
}
