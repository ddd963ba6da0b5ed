/*
 * tls.h - TLS 1.2 and 1.3 over an open stream (OpenSSL), both sides. Part of the seam.
 *
 * A context is made from PEM files and can be remade while streams live: a reload makes a new
 * context for new connections, old streams keep theirs (contexts are counted). A stream is
 * upgraded in place, because NATS starts TLS in the middle of a connection: after the call,
 * on_bytes and the output buffer are plain text again, and only the wire is encrypted.
 *
 * A server shows the certificate whose subjectAltName has the name that the client asks for (SNI):
 * the exact name before "*.shop.example", which covers one label (RFC 9525); else its first one.
 * Sessions resume by tickets whose keys the host holds and changes (tls_tickets.c), so that they
 * outlive a reload; a server that asks for other client certificates takes none of them.
 */
#ifndef NONET_IO_TLS_H
#define NONET_IO_TLS_H

#include "base/buf.h"
#include "io/net.h"

struct io_tls_pair {
    const char *cert_file, *key_file;
};

struct io_tls_options {
    const char *cert_file;   /* PEM chain; server: required, client: for client certificates */
    const char *key_file;    /* PEM key; a key that is not the certificate's is refused */
    const char *ca_file;     /* PEM bundle that the peer's certificate must lead to; NULL: on a
                                client the system's, on a server only without verify_peer */
    bool server;             /* which side */
    bool verify_peer;        /* server: client certificate required; client: check the server */
    const char *server_name; /* client: SNI and name check; needed for verify_peer */
    const char *const *alpn; /* NULL-terminated list in order of preference, or NULL */
    const struct io_tls_pair *further; /* server: more certificates, chosen by name */
    unsigned further_count;
};

/* Reads the files now. Errors name the file and the cause. The context starts with one count; HOST
   outlives it. */
must_use int io_tls_create(struct io_host *host, const struct io_tls_options *options,
                           struct io_tls **ret_tls, struct error *ret_error);
struct io_tls *io_tls_ref(struct io_tls *tls);
struct io_tls *io_tls_unref(struct io_tls *tls); /* NULL allowed, returns NULL; any thread */

/* What a server's certificate says. The files are read now, CA_FILE (NULL: none) too; errors are
   those of io_tls_create. NAMES gets its names of hosts in lower case, one a line. */
#define IO_TLS_NAMES_MAX 10000u /* of all certificates of one server */
struct io_tls_facts {
    bool early, expired;      /* by the clock of the machine */
    char from[32], until[32]; /* "2026-11-30 16:45:00 UTC" */
};
must_use int io_tls_examine(const struct io_tls_pair *pair, const char *ca_file,
                            struct io_tls_facts *ret_facts, struct buf *names,
                            struct error *ret_error);

/* Starts the handshake; ALREADY holds bytes of the peer's that were read before the upgrade.
   ON_READY(owner, 0) when encrypted, or a negative errno with WHY, upon which the stream closes.
   Bound: the handshake must end within timeout_ns. */
must_use int io_stream_start_tls(struct io_stream *stream, struct io_tls *tls, slice already,
                                 uint64_t timeout_ns,
                                 void (*on_ready)(void *owner, int failed, const char *why));
/* "TLSv1.3", the cipher, the ALPN protocol chosen, the peer certificate's subject (RFC 2253) and
   SANs, one a line, at most IO_TLS_SANS_MAX bytes of them; "" where there is none. Valid as long as
   the stream. RESUMED: an earlier session went on, no certificate was sent. */
#define IO_TLS_SANS_MAX 16384
struct io_tls_info {
    const char *version, *cipher, *alpn, *peer_subject, *peer_sans;
    bool resumed;
};
struct io_tls_info io_stream_tls(const struct io_stream *stream);

#endif
