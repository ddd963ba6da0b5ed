/*
 * tls_stream.c - a TLS session between a stream's plain text and its wire.
 *
 *     socket -> read buffer -> input -> [BIO read]  OpenSSL -> plain_buffer -> on_bytes
 *     head.out, plain ----------------> OpenSSL [BIO write] -> stream->wire -> socket
 *
 * OpenSSL talks to a BIO of ours that reads from the bytes just received and writes straight into
 * the stream's wire queue: no memory BIO in between, nothing copied twice, and it never blocks.
 *
 *     HANDSHAKE --done, on_ready(0)--> READY --close: goodbye sent--> OVER
 *         | failed, too late: on_ready(errno), goodbye sent            ^
 *         +------------------------------------------------------------+
 *
 * Plain text written during the handshake waits in `plain`. What was written before the upgrade
 * is put on the wire as it is, first.
 */
#include "io/tls_inside.h"
#include "io/uv_net.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* What one read of the socket can decrypt to at most: itself and one record begun before. */
#define PLAIN_BYTES (IO_READ_BYTES + (32u << 10))
#define SUBJECT_MAX 1024 /* bytes kept of a peer's name */

enum session_state { SESSION_HANDSHAKE, SESSION_READY, SESSION_OVER };

struct io_session {
    struct io_stream *stream;
    struct io_tls *tls;
    SSL *ssl;
    enum session_state state;
    bool answered; /* on_ready was called */
    bool end_held; /* the peer has said goodbye while the stream was paused */
    bool goodbye;  /* said by us */
    slice input;   /* being fed */
    char *early;   /* bytes read before the upgrade, until the first step */
    size_t early_size;
    struct io_segments plain;
    struct io_timer timeout;
    struct io_task step;
    void (*on_ready)(void *owner, int failed, const char *why);
    char *alpn, *peer_subject; /* NULL: none */
    struct buf peer_sans;
};

/* --- the wire as OpenSSL sees it -------------------------------------------------------------- */

static int wire_read(BIO *bio, char *out, int size) {
    struct io_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->input.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    slice part = slice_take(session->input, (size_t)size);
    memcpy(out, part.ptr, part.len);
    session->input = slice_skip(session->input, part.len);
    return (int)part.len;
}

static int wire_write(BIO *bio, const char *bytes, int size) {
    struct io_session *session = BIO_get_data(bio);
    struct io_stream *stream = session->stream;
    BIO_clear_retry_flags(bio);
    slice record = slice_make(bytes, (size_t)size);
    return io_segments_append(&stream->wire, &stream->loop->pool, record) == 0 ? size : -1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *io_tls_wire_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "nonet stream");
    if (method) {
        BIO_meth_set_read(method, wire_read);
        BIO_meth_set_write(method, wire_write);
        BIO_meth_set_ctrl(method, wire_control);
    }
    return method;
}

/* --- who the peer is -------------------------------------------------------------------------- */

static char *copy_cut(const char *bytes, size_t size) {
    return size ? mem_copy(bytes, size < SUBJECT_MAX ? size : SUBJECT_MAX) : NULL;
}

static char *subject_of(X509 *certificate) {
    BIO *text = BIO_new(BIO_s_mem());
    char *copy = NULL;
    if (text &&
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        char *bytes;
        long size = BIO_get_mem_data(text, &bytes);
        copy = copy_cut(bytes, size > 0 ? (size_t)size : 0);
    }
    BIO_free(text);
    return copy;
}

static char *name_text(const GENERAL_NAME *name) {
    const ASN1_STRING *text = name->type == GEN_DNS     ? name->d.dNSName
                              : name->type == GEN_EMAIL ? name->d.rfc822Name
                              : name->type == GEN_URI   ? name->d.uniformResourceIdentifier
                                                        : NULL;
    if (text) {
        slice bytes = slice_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        bool whole = slice_find(bytes, '\0') < 0 && bytes.len <= SUBJECT_MAX;
        return whole ? copy_cut(bytes.ptr, bytes.len) : NULL;
    }
    if (name->type != GEN_IPADD)
        return NULL;
    char *number = NULL;
    struct io_address address = {0};
    char host[IO_ADDRESS_TEXT_MAX];
    const unsigned char *bytes = ASN1_STRING_get0_data(name->d.iPAddress);
    bool v4 = ASN1_STRING_length(name->d.iPAddress) == 4;
    if (v4) {
        memcpy(&address.v4.sin_addr, bytes, 4);
        address.v4.sin_family = AF_INET;
    } else if (ASN1_STRING_length(name->d.iPAddress) == 16) {
        memcpy(&address.v6.sin6_addr, bytes, 16);
        address.v6.sin6_family = AF_INET6;
    } else {
        return NULL;
    }
    io_address_text(&address, host);
    const char *colon = strrchr(host, ':');
    number = v4 ? copy_cut(host, (size_t)(colon - host))
                : copy_cut(host + 1, (size_t)(colon - host) - 2);
    return number;
}

/* A name with a line break in it would be two; what does not fit whole is left out. */
static int add_san(struct buf *sans, const char *name) {
    if (strchr(name, '\n') || sans->len + strlen(name) + 2 > sans->max)
        return 0;
    return buf_printf(sans, "%s%s", sans->len ? "\n" : "", name);
}

/* Without memory for all of them there are fewer names to be let in by. */
static void learn_sans(struct io_session *session, X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int failed = 0;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && !failed; i++) {
        char *name = name_text(sk_GENERAL_NAME_value(names, i));
        failed = name ? add_san(&session->peer_sans, name) : 0;
        mem_free(name);
    }
    GENERAL_NAMES_free(names);
}

static void learn_peer(struct io_session *session) {
    const unsigned char *alpn;
    unsigned alpn_size;
    SSL_get0_alpn_selected(session->ssl, &alpn, &alpn_size);
    session->alpn = copy_cut((const char *)alpn, alpn_size);
    X509 *certificate = SSL_get1_peer_certificate(session->ssl);
    if (certificate) {
        session->peer_subject = subject_of(certificate);
        learn_sans(session, certificate);
        X509_free(certificate);
    }
}

static const char *or_empty(const char *text) {
    return text ? text : "";
}

struct io_tls_info io_stream_tls(const struct io_stream *stream) {
    struct io_session *session = stream->session;
    if (!session || !session->answered)
        return (struct io_tls_info){"", "", "", "", "", false};
    return (struct io_tls_info){
        .version = SSL_get_version(session->ssl),
        .cipher = or_empty(SSL_get_cipher_name(session->ssl)),
        .alpn = or_empty(session->alpn),
        .peer_subject = or_empty(session->peer_subject),
        .peer_sans = session->peer_sans.len ? or_empty(buf_text(&session->peer_sans)) : "",
        .resumed = SSL_session_reused(session->ssl) == 1,
    };
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void answer(struct io_session *session, int failed, const char *why) {
    if (session->answered)
        return;
    session->answered = true;
    io_timer_stop(session->stream->loop, &session->timeout);
    if (session->on_ready)
        session->on_ready(session->stream->owner, failed, why);
}

static void drop_plain(struct io_session *session) {
    struct io_stream *stream = session->stream;
    io_stream_seal(stream, &session->plain);
    io_segments_clear(&session->plain, &stream->loop->pool);
    io_stream_recount(stream);
}

/* The session is lost; an alert that tells the peer why may be on the wire and still leaves. */
static void fail(struct io_session *session, int failed, const char *why) {
    struct io_stream *stream = session->stream;
    if (stream->state != STREAM_OPEN)
        return;
    session->state = SESSION_OVER;
    answer(session, failed, why);
    drop_plain(session);
    if (stream->state == STREAM_OPEN)
        stream->reason = failed;
    io_stream_close(stream);
}

static const char *handshake_cause(struct io_session *session, char *out, size_t size) {
    long verified = SSL_get_verify_result(session->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (verified != X509_V_OK)
        reason = X509_verify_cert_error_string(verified);
    snprintf(out, size, "%s", reason ? reason : "handshake failed");
    ERR_clear_error();
    return out;
}

static void handshake(struct io_session *session) {
    ERR_clear_error();
    int done = SSL_do_handshake(session->ssl);
    if (done == 1) {
        session->state = SESSION_READY;
        learn_peer(session);
        answer(session, 0, NULL);
        return;
    }
    if (SSL_get_error(session->ssl, done) == SSL_ERROR_WANT_READ)
        return;
    char why[160];
    fail(session, -EPROTO, handshake_cause(session, why, sizeof why));
}

/* --- input ------------------------------------------------------------------------------------ */

/* Decrypts all that was fed and gives it to the owner, usually in one piece. */
static void decrypt(struct io_session *session) {
    struct io_stream *stream = session->stream;
    char *plain = stream->loop->plain_buffer;
    size_t have = 0;
    int got;
    ERR_clear_error();
    while ((got = SSL_read(session->ssl, plain + have, (int)(PLAIN_BYTES - have))) > 0) {
        have += (size_t)got;
        if (have < PLAIN_BYTES)
            continue;
        stream->events.on_bytes(stream->owner, slice_make(plain, have));
        have = 0;
        if (stream->state != STREAM_OPEN)
            return;
        ERR_clear_error();
    }
    int cause = SSL_get_error(session->ssl, got);
    char why[160] = "";
    if (cause != SSL_ERROR_WANT_READ && cause != SSL_ERROR_ZERO_RETURN)
        handshake_cause(session, why, sizeof why);
    if (have > 0)
        stream->events.on_bytes(stream->owner, slice_make(plain, have));
    if (stream->state != STREAM_OPEN)
        return;
    if (cause == SSL_ERROR_ZERO_RETURN && stream->pauses > 0)
        session->end_held = true;
    else if (cause == SSL_ERROR_ZERO_RETURN)
        io_stream_end(stream);
    else if (cause != SSL_ERROR_WANT_READ)
        fail(session, -EPROTO, why);
}

static void take_input(struct io_session *session, slice bytes) {
    struct io_stream *stream = session->stream;
    session->input = bytes;
    if (session->state == SESSION_HANDSHAKE)
        handshake(session);
    if (session->state == SESSION_READY && stream->state == STREAM_OPEN && !stream->peer_done)
        decrypt(session);
    session->input = slice_make(NULL, 0);
    io_stream_recount(stream);
    if (stream->wire.bytes > 0 && !stream->head.dirty && stream->state != STREAM_DEAD)
        io_stream_mark_dirty(stream);
}

/* Begins a client's handshake, and takes what was read before the upgrade. */
static void take_early(struct io_session *session) {
    char *early = session->early;
    session->early = NULL;
    take_input(session, slice_make(early, session->early_size));
    mem_free(early);
}

static void on_step(struct io_task *task) {
    struct io_session *session = container_of(task, struct io_session, step);
    struct io_stream *stream = session->stream;
    if (stream->state == STREAM_OPEN && session->early)
        take_early(session);
    if (stream->state == STREAM_OPEN && session->end_held && stream->pauses == 0)
        io_stream_end(stream);
}

void io_session_resumed(struct io_stream *stream) {
    if (stream->session->end_held)
        io_defer(stream->loop, &stream->session->step);
}

void io_session_feed(struct io_stream *stream, slice bytes) {
    struct io_session *session = stream->session;
    if (session->early)
        take_early(session);
    if (stream->state == STREAM_OPEN)
        take_input(session, bytes);
}

void io_session_wire_ended(struct io_stream *stream) {
    if (stream->session->end_held) {
        io_stream_end(stream);
        return;
    }
    stream->peer_done = true;
    fail(stream->session, -ECONNRESET, "the peer closed the connection");
    io_stream_fail(stream, -ECONNRESET);
}

/* --- output ----------------------------------------------------------------------------------- */

static int encrypt_bytes(struct io_session *session, slice bytes) {
    while (bytes.len > 0) {
        int size = bytes.len < INT32_MAX ? (int)bytes.len : INT32_MAX;
        ERR_clear_error();
        int put = SSL_write(session->ssl, bytes.ptr, size);
        if (put <= 0) /* the wire takes everything: only memory can be missing */
            return -ENOMEM;
        bytes = slice_skip(bytes, (size_t)put);
    }
    return 0;
}

int io_session_encrypt(struct io_stream *stream) {
    struct io_session *session = stream->session;
    if (session->state == SESSION_HANDSHAKE && stream->state == STREAM_FLUSHING) {
        drop_plain(session); /* nobody reads the rest of the handshake any more */
        session->state = SESSION_OVER;
    }
    if (session->state != SESSION_READY)
        return 0;
    io_stream_seal(stream, &session->plain);
    while (session->plain.first) {
        struct io_segment *first = session->plain.first;
        slice bytes = slice_make(first->bytes + first->from, first->to - first->from);
        int failed = encrypt_bytes(session, bytes);
        if (failed)
            return failed;
        io_segments_consume(&session->plain, &stream->loop->pool, bytes.len);
    }
    if (!session->goodbye && (stream->state == STREAM_FLUSHING || stream->shutting)) {
        session->goodbye = true;
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl); /* close_notify to the wire; the answer is not awaited */
    }
    if (stream->state == STREAM_FLUSHING)
        session->state = SESSION_OVER;
    io_stream_recount(stream);
    return 0;
}

bool io_session_said_goodbye(const struct io_session *session) {
    return session->goodbye;
}

struct io_segments *io_session_plain(struct io_session *session) {
    return &session->plain;
}

/* --- making and freeing ----------------------------------------------------------------------- */

static void on_timeout(struct io_timer *timer) {
    fail(container_of(timer, struct io_session, timeout), -ETIMEDOUT, "handshake took too long");
}

static void session_free(struct io_session *session) {
    SSL_free(session->ssl);
    io_tls_unref(session->tls);
    mem_free(session->early);
    mem_free(session->alpn);
    mem_free(session->peer_subject);
    buf_free(&session->peer_sans);
    mem_free(session);
}

void io_session_free(struct io_stream *stream) {
    struct io_session *session = stream->session;
    if (!session)
        return;
    stream->session = NULL;
    io_timer_stop(stream->loop, &session->timeout);
    io_defer_cancel(stream->loop, &session->step);
    session_free(session);
}

void io_session_lost(struct io_stream *stream) {
    if (stream->session && stream->reason != 0)
        answer(stream->session, stream->reason, "the connection was lost");
}

/* The name goes into SNI and is checked against the certificate; an IP is only checked. */
static bool name_server(SSL *ssl, const char *name) {
    X509_VERIFY_PARAM *checks = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(checks, name) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static bool set_up(struct io_session *session) {
    struct io_tls *tls = session->tls;
    session->ssl = SSL_new(tls->context);
    BIO *wire = session->ssl ? BIO_new(tls->wire) : NULL;
    if (!wire)
        return false;
    BIO_set_data(wire, session);
    BIO_set_init(wire, 1);
    SSL_set_bio(session->ssl, wire, wire);
    if (tls->server) {
        SSL_set_accept_state(session->ssl);
        return true;
    }
    SSL_set_connect_state(session->ssl);
    SSL_SESSION *kept = io_tls_take_session(tls);
    if (kept)
        (void)SSL_set_session(session->ssl, kept); /* refused: a full handshake */
    SSL_SESSION_free(kept);
    return !tls->server_name || name_server(session->ssl, tls->server_name);
}

int io_stream_start_tls(struct io_stream *stream, struct io_tls *tls, slice already,
                        uint64_t timeout_ns,
                        void (*on_ready)(void *owner, int failed, const char *why)) {
    check(stream->session == NULL);
    if (stream->state != STREAM_OPEN)
        return -EPIPE;
    if (!stream->loop->plain_buffer)
        stream->loop->plain_buffer = mem_alloc(PLAIN_BYTES);
    struct io_session *session = mem_zalloc(1, sizeof *session);
    if (!stream->loop->plain_buffer || !session) {
        mem_free(session);
        return -ENOMEM;
    }
    session->stream = stream;
    session->tls = io_tls_ref(tls);
    session->peer_sans = buf_make(IO_TLS_SANS_MAX);
    session->on_ready = on_ready;
    session->early = mem_copy(already.ptr, already.len);
    session->early_size = already.len;
    if (!session->early || !set_up(session)) {
        session_free(session);
        return -ENOMEM;
    }
    io_stream_seal(stream, &stream->wire);
    stream->session = session;
    io_timer_start(stream->loop, &session->timeout, timeout_ns, on_timeout);
    session->step.run = on_step;
    io_defer(stream->loop, &session->step);
    return 0;
}
