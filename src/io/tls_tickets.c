/*
 * tls_tickets.c - the keys under which a server gives its sessions to its clients (RFC 5077, and
 * the tickets of TLS 1.3).
 *
 *     ticket = name of the key | IV | AES-256-CBC of the session | HMAC-SHA-256 of all before
 *
 * OpenSSL's own keys belong to one SSL_CTX: a reload would forget every session, and a node that
 * runs for a year would protect them all by one key. So the keys are the host's: a new one every
 * six hours, the one before still opens what it has closed, the one before that is gone. A session
 * lives two hours at most (OpenSSL's default), so no ticket is refused before its time. Keys never
 * leave the memory of the process: after a restart every client makes a full handshake.
 */
#include "base/mem.h"
#include "io/tls_inside.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define KEY_LIFE_NS (6 * 3600 * UINT64_C(1000000000))
#define NAME_BYTES 16

struct ticket_key {
    unsigned char name[NAME_BYTES], cipher[32], mac[32];
    uint64_t made_ns; /* by the host's clock */
};

struct io_tickets {
    struct io_host *host;
    pthread_mutex_t mutex;
    struct ticket_key now, before; /* before: zeroes until there is one */
    bool has_before;
};

static void make_key(struct io_tickets *tickets, struct ticket_key *key) {
    io_host_random(tickets->host, key, offsetof(struct ticket_key, made_ns));
    key->made_ns = io_host_clock_ns(tickets->host);
}

struct io_tickets *io_tickets_new(struct io_host *host) {
    struct io_tickets *tickets = mem_zalloc(1, sizeof *tickets);
    if (!tickets)
        return NULL;
    tickets->host = host;
    pthread_mutex_init(&tickets->mutex, NULL);
    make_key(tickets, &tickets->now);
    return tickets;
}

void io_tickets_free(struct io_tickets *tickets) {
    if (!tickets)
        return;
    pthread_mutex_destroy(&tickets->mutex);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    mem_free(tickets);
}

static struct ticket_key key_to_close_with(struct io_tickets *tickets) {
    pthread_mutex_lock(&tickets->mutex);
    if (io_host_clock_ns(tickets->host) - tickets->now.made_ns >= KEY_LIFE_NS) {
        tickets->before = tickets->now;
        tickets->has_before = true;
        make_key(tickets, &tickets->now);
    }
    struct ticket_key key = tickets->now;
    pthread_mutex_unlock(&tickets->mutex);
    return key;
}

static bool key_to_open_with(struct io_tickets *tickets, const unsigned char *name,
                             struct ticket_key *ret_key, bool *ret_old) {
    pthread_mutex_lock(&tickets->mutex);
    bool is_now = memcmp(name, tickets->now.name, NAME_BYTES) == 0;
    bool is_before =
        !is_now && tickets->has_before && memcmp(name, tickets->before.name, NAME_BYTES) == 0;
    if (is_now || is_before)
        *ret_key = is_now ? tickets->now : tickets->before;
    *ret_old = is_before;
    pthread_mutex_unlock(&tickets->mutex);
    return is_now || is_before;
}

/* OpenSSL's callback. Opening: 1 opened by, 2 the same but give a new ticket, 0 unknown (a full
   handshake). Closing: 1. -1: an error, the handshake fails. TLS 1.3 uses a ticket once, so that
   nobody can tell two connections to be of one client: there each brings the next. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int closing) {
    const struct io_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    bool old = false;
    if (closing) {
        key = key_to_close_with(tls->tickets);
        memcpy(name, key.name, NAME_BYTES);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
    } else if (!key_to_open_with(tls->tickets, name, &key, &old)) {
        return 0;
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof key.mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    bool done = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, closing) == 1 &&
                EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(&key, sizeof key);
    return done ? 1 + (old || (!closing && SSL_version(ssl) >= TLS1_3_VERSION)) : -1;
}

void io_tickets_use(SSL_CTX *context) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
