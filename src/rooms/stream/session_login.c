/*
 * session_login.c - who a session is.
 *
 *     no users are configured    trusted, by any name (the listener is then on loopback)
 *     a plain password           SCRAM-SHA-256: the password is never sent
 *     a bcrypt password          asked for as it is, over TLS or loopback only; judged off the loop
 *     nobody of that name        SCRAM, which fails at its end, as with a wrong password
 *
 * A user whose rights are lists of subjects is refused: SQL reads tables and streams whole and
 * would lead around his lists.
 */
#include "rooms/stream/session.h"

#include "base/ip.h"
#include "base/password.h"

#include <errno.h>

static const slice scram_name = slice_lit("SCRAM-SHA-256");

static void refuse(struct session *s, const char *state, const char *format) {
    struct sql_error error;
    struct sessions *all = s->sessions;
    metrics_count(all->shard->metrics, all->refused_total, 1);
    (void)sql_fail(&error, state, format, slice_fmt(s->user));
    session_fatal(s, &error);
}

static void refuse_password(struct session *s) {
    refuse(s, "28P01", "password authentication failed for user \"%.*s\"");
}

static void let_in(struct session *s, struct principal *principal) {
    s->principal = principal;
    if (!principal_unlimited(principal)) {
        refuse(s, "28000",
               "user \"%.*s\" has rights to some subjects only, and SQL reads all of them");
        return;
    }
    session_begin(s);
}

static bool on_loopback(const struct session *s) {
    struct ip ip;
    struct ip_network four, six;
    if (ip_network_parse(slice_lit("127.0.0.0/8"), &four) ||
        ip_network_parse(slice_lit("::1"), &six) ||
        ip_parse_with_port(slice_str(io_stream_peer(s->stream)), &ip))
        return false;
    return ip_in_network(&ip, &four) || ip_in_network(&ip, &six);
}

void session_log_in(struct session *s) {
    struct auth *auth = s->sessions->auth;
    if (!auth_required(auth)) {
        session_begin(s);
        return;
    }
    const slice password = auth_password_of(auth, s->user);
    if (password.ptr && password_is_bcrypt(password)) {
        if (!s->encrypted && !on_loopback(s)) {
            refuse(s, "28000", "user \"%.*s\" has a bcrypt password, which is taken over TLS only");
            return;
        }
        session_wrote(
            s, pgwire_write_authentication(&s->out, PGWIRE_AUTHENTICATION_CLEARTEXT, (slice){0}));
        s->state = SESSION_PASSWORD;
        return;
    }
    session_wrote(s, pgwire_write_authentication(&s->out, PGWIRE_AUTHENTICATION_SASL,
                                                 slice_lit("SCRAM-SHA-256\0\0")));
    s->state = SESSION_SASL_FIRST;
}

/* --- bcrypt --------------------------------------------------------------------------------- */

static void decided(void *owner, const struct auth_login *login, int failed,
                    struct principal *principal) {
    struct session *s = owner;
    (void)login;
    s->login = NULL;
    if (s->state == SESSION_CLOSING)
        return;
    if (failed || !principal_still_in(principal, s->sessions->auth))
        refuse_password(s);
    else
        let_in(s, principal_ref(principal));
    session_wake(s);
}

static void take_password(struct session *s, slice body) {
    struct auth_login login = {.user = s->user};
    struct sessions *all = s->sessions;
    if (!pgwire_password(body, &login.password)) {
        refuse_password(s);
        return;
    }
    const struct auth_question question = {
        .auth = all->auth, .login = &login, .decided = decided, .owner = s};
    s->state = SESSION_JUDGED;
    if (auth_worker_submit(all->logins, &question, &s->login))
        refuse(s, "53300", "too many logins wait to be judged, \"%.*s\" must try again");
}

/* --- SCRAM ---------------------------------------------------------------------------------- */

static void refuse_sasl(struct session *s, int failed) {
    if (failed == -ENOTSUP)
        refuse(s, "0A000",
               "channel binding is not supported: connect user \"%.*s\" with "
               "channel_binding=prefer");
    else if (failed == -EPROTO)
        refuse(s, "08P01", "malformed SCRAM message of user \"%.*s\"");
    else if (failed == -EACCES)
        refuse_password(s);
    else
        refuse(s, "53200", "out of memory while user \"%.*s\" logs in");
}

static void take_first(struct session *s, slice body) {
    unsigned char nonce[SCRAM_NONCE_BYTES], salt[SCRAM_SALT_BYTES];
    struct buf answer = buf_make(4096);
    slice mechanism, data;
    int failed = pgwire_sasl_initial(body, &mechanism, &data) && slice_equal(mechanism, scram_name)
                     ? 0
                     : -EPROTO;
    io_host_random(s->sessions->shard->node->host, nonce, sizeof nonce);
    sessions_scram_salt(s->sessions, s->user, salt);
    if (!failed)
        failed = scram_first(&s->scram, data, nonce, salt, &answer);
    if (failed) {
        refuse_sasl(s, failed);
    } else {
        session_wrote(s, pgwire_write_authentication(&s->out, PGWIRE_AUTHENTICATION_SASL_CONTINUE,
                                                     buf_slice(&answer)));
        s->state = SESSION_SASL_FINAL;
    }
    buf_free(&answer);
}

static void take_final(struct session *s, slice body) {
    struct sessions *all = s->sessions;
    static const struct scram_keys nobodys;
    const slice password = auth_password_of(all->auth, s->user);
    const bool known = password.ptr && !password_is_bcrypt(password);
    const struct scram_keys *keys = known ? sessions_scram_keys(all, s->user, password) : &nobodys;
    struct buf answer = buf_make(4096);
    int failed = keys ? scram_final(&s->scram, body, keys, &answer) : -ENOMEM;
    if (!failed && !known)
        failed = -EACCES;
    if (failed) {
        refuse_sasl(s, failed);
    } else {
        session_wrote(s, pgwire_write_authentication(&s->out, PGWIRE_AUTHENTICATION_SASL_FINAL,
                                                     buf_slice(&answer)));
        let_in(s, auth_principal_of(all->auth, s->user));
    }
    buf_free(&answer);
}

void session_password(struct session *s, const struct pgwire_event *e) {
    struct sql_error error;
    if (e->kind == PGWIRE_TERMINATE) {
        session_close(s);
    } else if (e->kind != PGWIRE_PASSWORD) {
        (void)sql_fail(&error, "08P01", "expected password response, got message type %d",
                       (unsigned char)e->type);
        session_fatal(s, &error);
    } else if (s->state == SESSION_PASSWORD) {
        take_password(s, e->body);
    } else if (s->state == SESSION_SASL_FIRST) {
        take_first(s, e->body);
    } else {
        take_final(s, e->body);
    }
}
