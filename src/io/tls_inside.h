/*
 * tls_inside.h - what the files tls_*.c share. Inside of io/ only.
 *
 * A context is OpenSSL's SSL_CTX and what its callbacks need, for each certificate one. All loops
 * share it, so it is counted and read-only once made; the one thing that changes, the session kept
 * for a client's next connection, stands under a mutex.
 */
#ifndef NONET_IO_TLS_INSIDE_H
#define NONET_IO_TLS_INSIDE_H

#include "base/map.h"
#include "io/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct io_tls {
    _Atomic(unsigned) counts;
    struct io_host *host;
    bool server, verify_peer;
    SSL_CTX *context; /* of the first certificate */
    BIO_METHOD *wire; /* reads from a session's input, writes to its stream's wire queue */
    char *server_name;
    unsigned char *alpn; /* as RFC 7301 sends it: length, name, length, name ... */
    unsigned alpn_size;
    SSL_CTX **further; /* server: of the other certificates */
    unsigned further_count;
    struct map names;           /* server: what SNI asks for, in lower case -> SSL_CTX */
    struct io_tickets *tickets; /* server: of the host */
    pthread_mutex_t mutex;
    SSL_SESSION *session; /* client: the last one given, for the next connection */
};

/* tls_names.c: a certificate's names of hosts, for OUT in lower case, one a line. 0 or -ENOMEM. */
must_use int io_tls_names_of(X509 *certificate, struct buf *out);
/* CONTEXT's certificate is found by its names; one that is there already stays as it is. 0,
   -ENOBUFS (IO_TLS_NAMES_MAX) or -ENOMEM. */
must_use int io_tls_names_add(struct io_tls *tls, SSL_CTX *context);
SSL_CTX *io_tls_names_find(const struct io_tls *tls, slice name); /* NULL: nobody's */
void io_tls_names_free(struct io_tls *tls);

/* tls_tickets.c: a host's keys of session tickets; any thread. */
struct io_tickets *io_tickets_new(struct io_host *host); /* NULL: no memory */
void io_tickets_free(struct io_tickets *tickets);        /* NULL allowed */
/* uv_host.c */
struct io_tickets *io_host_tickets(struct io_host *host);
/* A server's sessions are protected by them. */
void io_tickets_use(SSL_CTX *context);

/* tls_stream.c: the method of tls->wire, or NULL without memory. */
BIO_METHOD *io_tls_wire_method(void);
/* The session kept for the next connection, or NULL; the caller frees. Each is given out once, as
   TLS 1.3 wants its tickets used. */
SSL_SESSION *io_tls_take_session(struct io_tls *tls);

#endif
