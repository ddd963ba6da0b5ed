#include "base/mem.h"
#include "io/crypto.h"
#include "io/file.h"
#include "io/tls_inside.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

#define ALPN_MAX 1024           /* bytes of the whole list */
#define CA_FILE_MAX (16u << 20) /* bytes */
/* TLS 1.2 as TLS 1.3 is by itself: forward secrecy and authenticated encryption only. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* --- errors ----------------------------------------------------------------------------------- */

/* Words for OpenSSL's oldest error, which names the cause; the later ones only tell who saw it. */
static int openssl_error(struct error *ret_error, const char *file, const char *what) {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code)) {
        int failed = -(int)ERR_GET_REASON(code);
        error_set(ret_error, failed, "cannot read the %s: %s", what, error_name(failed));
        error_place(ret_error, "%s", file);
        return failed;
    }
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    error_set(ret_error, -EINVAL, "%s is not usable: %s", what, reason ? reason : "unknown cause");
    error_place(ret_error, "%s", file);
    return -EINVAL;
}

/* --- certificates ----------------------------------------------------------------------------- */

/* A key with a passphrase is refused: the default would ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *unused) {
    (void)out;
    (void)size;
    (void)writing;
    (void)unused;
    return -1;
}

static int load_certificate(SSL_CTX *context, const char *cert_file, const char *key_file,
                            struct error *ret_error) {
    if (!key_file) {
        error_set(ret_error, -EINVAL, "certificate without a key file");
        error_place(ret_error, "%s", cert_file);
        return -EINVAL;
    }
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        return openssl_error(ret_error, cert_file, "certificate");
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return openssl_error(ret_error, key_file, "key");
    if (SSL_CTX_check_private_key(context) != 1)
        return openssl_error(ret_error, key_file, "key");
    return 0;
}

static int load_authorities(SSL_CTX *context, const struct io_tls_options *options,
                            struct error *ret_error) {
    if (!options->verify_peer)
        return 0;
    if (!options->ca_file) {
        if (options->server)
            return error_set(ret_error, -EINVAL,
                             "client certificates cannot be checked without a CA file");
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            return openssl_error(ret_error, "(system)", "CA bundle");
    } else if (SSL_CTX_load_verify_file(context, options->ca_file) != 1) {
        return openssl_error(ret_error, options->ca_file, "CA bundle");
    }
    if (options->server && options->ca_file) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->ca_file);
        if (!names)
            return openssl_error(ret_error, options->ca_file, "CA bundle");
        SSL_CTX_set_client_CA_list(context, names);
    }
    int mode = SSL_VERIFY_PEER | (options->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(context, mode, NULL);
    return 0;
}

/* --- callbacks of OpenSSL --------------------------------------------------------------------- */

static int choose_certificate(SSL *ssl, int *alert, void *argument) {
    (void)alert;
    const struct io_tls *tls = argument;
    slice name = slice_str(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    SSL_CTX *context = name.len > 0 ? io_tls_names_find(tls, name) : NULL;
    if (context)
        SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
}

/* Ours is the order that counts. Without a common protocol the handshake goes on without one. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *argument) {
    (void)ssl;
    const struct io_tls *tls = argument;
    unsigned char *name;
    if (SSL_select_next_proto(&name, ret_size, tls->alpn, tls->alpn_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct io_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    pthread_mutex_lock(&tls->mutex);
    SSL_SESSION *before = tls->session;
    tls->session = session;
    pthread_mutex_unlock(&tls->mutex);
    SSL_SESSION_free(before);
    return 1; /* we keep the count */
}

SSL_SESSION *io_tls_take_session(struct io_tls *tls) {
    pthread_mutex_lock(&tls->mutex);
    SSL_SESSION *session = tls->session;
    tls->session = NULL;
    pthread_mutex_unlock(&tls->mutex);
    return session;
}

/* Sessions are kept by the clients alone, in tickets; what was agreed under other demands on client
   certificates (another CA file, or none) is not taken up again. */
static int limit_sessions(const struct io_tls *tls, const struct io_tls_options *options,
                          SSL_CTX *context, struct error *ret_error) {
    unsigned char demands[32];
    static_assert(sizeof demands <= SSL_MAX_SID_CTX_LENGTH, "OpenSSL takes the whole digest");
    char *authorities = NULL;
    size_t size = 0;
    if (options->verify_peer && options->ca_file) {
        int failed = io_file_load(tls->host, options->ca_file, CA_FILE_MAX, &authorities, &size);
        if (failed) {
            error_set(ret_error, failed, "cannot read the CA bundle: %s", error_name(failed));
            error_place(ret_error, "%s", options->ca_file);
            return failed;
        }
    }
    io_sha256(slice_make(authorities, size), demands);
    mem_free(authorities);
    check(SSL_CTX_set_session_id_context(context, demands, sizeof demands) == 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    io_tickets_use(context);
    return 0;
}

/* --- contexts --------------------------------------------------------------------------------- */

static int make_alpn(struct io_tls *tls, const char *const *names, struct error *ret_error) {
    if (!names || !names[0])
        return 0;
    tls->alpn = mem_alloc(ALPN_MAX);
    if (!tls->alpn)
        return error_set(ret_error, -ENOMEM, "no memory for TLS");
    for (; *names; names++) {
        size_t len = strlen(*names);
        if (len == 0 || len > 255 || tls->alpn_size + len + 1 > ALPN_MAX)
            return error_set(ret_error, -EINVAL, "'%s' is no ALPN protocol name", *names);
        tls->alpn[tls->alpn_size] = (unsigned char)len;
        memcpy(tls->alpn + tls->alpn_size + 1, *names, len);
        tls->alpn_size += (unsigned)len + 1;
    }
    return 0;
}

static int make_context(struct io_tls *tls, const struct io_tls_options *options,
                        const char *cert_file, const char *key_file, SSL_CTX **ret_context,
                        struct error *ret_error) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(options->server ? TLS_server_method() : TLS_client_method());
    if (!context)
        return error_set(ret_error, -ENOMEM, "no memory for TLS");
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    check(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* An idle connection gives its 32 KiB of record buffers back. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int failed = 0;
    if (options->server) {
        failed = limit_sessions(tls, options, context, ret_error);
        check(SSL_CTX_set_cipher_list(context, CIPHERS_1_2) == 1);
        SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
        SSL_CTX_set_tlsext_servername_arg(context, tls);
        if (tls->alpn_size > 0)
            SSL_CTX_set_alpn_select_cb(context, choose_protocol, tls);
    } else {
        SSL_CTX_set_session_cache_mode(context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context, keep_session);
        if (tls->alpn_size > 0 && SSL_CTX_set_alpn_protos(context, tls->alpn, tls->alpn_size) != 0)
            failed = error_set(ret_error, -ENOMEM, "no memory for TLS");
    }
    if (failed == 0 && cert_file)
        failed = load_certificate(context, cert_file, key_file, ret_error);
    if (failed == 0)
        failed = load_authorities(context, options, ret_error);
    if (failed)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return failed;
}

static int add_names(struct io_tls *tls, SSL_CTX *context, const char *cert_file,
                     struct error *ret_error) {
    int failed = io_tls_names_add(tls, context);
    if (failed == -ENOBUFS)
        error_set(ret_error, failed, "the certificates of a listener have more than %u names",
                  IO_TLS_NAMES_MAX);
    else if (failed)
        error_set(ret_error, failed, "no memory for TLS");
    if (failed)
        error_place(ret_error, "%s", cert_file);
    return failed;
}

/* The first one's names are its own, too: another that has them later does not take them. */
static int make_certificates(struct io_tls *tls, const struct io_tls_options *options,
                             struct error *ret_error) {
    struct hash_key key;
    io_host_random(tls->host, &key, sizeof key);
    tls->names = map_make(key, IO_TLS_NAMES_MAX);
    tls->tickets = io_host_tickets(tls->host);
    tls->further = mem_zalloc(options->further_count + 1, sizeof(SSL_CTX *));
    if (!tls->further)
        return error_set(ret_error, -ENOMEM, "no memory for TLS");
    int failed = add_names(tls, tls->context, options->cert_file, ret_error);
    for (unsigned i = 0; i < options->further_count && !failed; i++) {
        const struct io_tls_pair *pair = &options->further[i];
        SSL_CTX **context = &tls->further[i];
        failed = make_context(tls, options, pair->cert_file, pair->key_file, context, ret_error);
        if (failed)
            break;
        tls->further_count = i + 1; /* what io_tls_unref has to look at */
        failed = add_names(tls, *context, pair->cert_file, ret_error);
    }
    return failed;
}

static int check_options(const struct io_tls_options *options, struct error *ret_error) {
    if (options->server && !options->cert_file)
        return error_set(ret_error, -EINVAL, "a TLS server needs a certificate file");
    if (!options->server && options->verify_peer && !options->server_name)
        return error_set(ret_error, -EINVAL,
                         "the server cannot be checked without the name it should have");
    return 0;
}

int io_tls_create(struct io_host *host, const struct io_tls_options *options,
                  struct io_tls **ret_tls, struct error *ret_error) {
    int failed = check_options(options, ret_error);
    if (failed)
        return failed;
    struct io_tls *tls = mem_zalloc(1, sizeof *tls);
    if (!tls)
        return error_set(ret_error, -ENOMEM, "no memory for TLS");
    atomic_init(&tls->counts, 1);
    pthread_mutex_init(&tls->mutex, NULL);
    tls->host = host;
    tls->server = options->server;
    tls->verify_peer = options->verify_peer;
    tls->wire = io_tls_wire_method();
    if (options->server_name)
        tls->server_name = mem_copy(options->server_name, strlen(options->server_name));
    if (!tls->wire || (options->server_name && !tls->server_name))
        failed = error_set(ret_error, -ENOMEM, "no memory for TLS");
    if (failed == 0)
        failed = make_alpn(tls, options->alpn, ret_error);
    if (failed == 0)
        failed = make_context(tls, options, options->cert_file, options->key_file, &tls->context,
                              ret_error);
    if (failed == 0 && options->server)
        failed = make_certificates(tls, options, ret_error);
    if (failed)
        io_tls_unref(tls);
    else
        *ret_tls = tls;
    return failed;
}

struct io_tls *io_tls_ref(struct io_tls *tls) {
    atomic_fetch_add(&tls->counts, 1);
    return tls;
}

struct io_tls *io_tls_unref(struct io_tls *tls) {
    if (!tls || atomic_fetch_sub(&tls->counts, 1) != 1)
        return NULL;
    io_tls_names_free(tls);
    for (unsigned i = 0; i < tls->further_count; i++)
        SSL_CTX_free(tls->further[i]);
    mem_free(tls->further);
    SSL_SESSION_free(tls->session);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->wire);
    pthread_mutex_destroy(&tls->mutex);
    mem_free(tls->server_name);
    mem_free(tls->alpn);
    return mem_free(tls);
}

/* --- looking at files --------------------------------------------------------------------------
 */

static void write_time(const ASN1_TIME *time, char out[32]) {
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1 || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &parts))
        snprintf(out, 32, "an unknown time");
}

int io_tls_examine(const struct io_tls_pair *pair, const char *ca_file,
                   struct io_tls_facts *ret_facts, struct buf *names, struct error *ret_error) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return error_set(ret_error, -ENOMEM, "no memory for TLS");
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    int failed = load_certificate(context, pair->cert_file, pair->key_file, ret_error);
    if (failed == 0 && ca_file && SSL_CTX_load_verify_file(context, ca_file) != 1)
        failed = openssl_error(ret_error, ca_file, "CA bundle");
    if (failed == 0) {
        X509 *certificate = SSL_CTX_get0_certificate(context);
        const ASN1_TIME *from = X509_get0_notBefore(certificate);
        const ASN1_TIME *until = X509_get0_notAfter(certificate);
        ret_facts->early = X509_cmp_current_time(from) > 0;
        ret_facts->expired = X509_cmp_current_time(until) < 0;
        write_time(from, ret_facts->from);
        write_time(until, ret_facts->until);
        if (io_tls_names_of(certificate, names))
            failed = error_set(ret_error, -ENOMEM, "no memory for the names of a certificate");
    }
    SSL_CTX_free(context);
    return failed;
}
