/*
 * tls_inside.h - what tls_context.c and tls_stream.c share. Inside of io/ only.
 *
 * A context is OpenSSL's SSL_CTX and what its callbacks need. All loops share it, so it is counted
 * and read-only once made; the one thing that changes, the session kept for a client's next
 * connection, stands under a mutex.
 */
#ifndef NONET_IO_TLS_INSIDE_H
#define NONET_IO_TLS_INSIDE_H

#include "io/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct io_tls_certificate {
    char *name; /* SNI, "*.shop.example" allowed */
    SSL_CTX *context;
};

struct io_tls {
    _Atomic(unsigned) counts;
    bool server, verify_peer;
    SSL_CTX *context;
    BIO_METHOD *wire; /* reads from a session's input, writes to its stream's wire queue */
    char *server_name;
    unsigned char *alpn; /* as RFC 7301 sends it: length, name, length, name ... */
    unsigned alpn_size;
    struct io_tls_certificate *certificates;
    unsigned certificate_count;
    pthread_mutex_t mutex;
    SSL_SESSION *session; /* client: the last one given, for the next connection */
};

/* tls_stream.c: the method of tls->wire, or NULL without memory. */
BIO_METHOD *io_tls_wire_method(void);
/* The session kept for the next connection, or NULL; the caller frees. Each is given out once, as
   TLS 1.3 wants its tickets used. */
SSL_SESSION *io_tls_take_session(struct io_tls *tls);

#endif
