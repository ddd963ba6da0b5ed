/*
 * scram.h - SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, as PostgreSQL's clients speak
 * it.
 *
 *     client  n,,n=,r=<nonce>                            scram_first
 *     server  r=<nonce><ours>,s=<salt>,i=4096
 *     client  c=biws,r=<nonce><ours>,p=<proof>           scram_final
 *     server  v=<signature>
 *
 * Neither side shows the password, and each proves that it knows it. The name in the client's first
 * message is passed over: the startup message has named the user. Channel binding is not offered,
 * so a client that insists on it ("p=") is refused. Passwords are taken as they are written:
 * SASLprep, which clients apply, changes those only that are not in Unicode's form NFKC.
 *
 * Pure: the nonce, salt and keys are the caller's.
 */
#ifndef NONET_STREAM_SCRAM_H
#define NONET_STREAM_SCRAM_H

#include "base/buf.h"

#define SCRAM_ITERATIONS 4096u /* PostgreSQL's, and the least that RFC 7677 allows */
#define SCRAM_KEY_BYTES 32u
#define SCRAM_SALT_BYTES 16u
#define SCRAM_NONCE_BYTES 18u        /* random ones; in base64 on the wire */
#define SCRAM_MESSAGE_BYTES_MAX 512u /* the client's first message without its header */

/* What is kept of a password under a salt. */
struct scram_keys {
    unsigned char stored[SCRAM_KEY_BYTES], server[SCRAM_KEY_BYTES];
};

/* Under way, between first and final. */
struct scram {
    char header[4];     /* "n,," or "y,," */
    struct buf said;    /* first messages of both, joined by a comma */
    size_t nonce_start; /* in `said`: the whole nonce */
    size_t nonce_len;
};

/* Slow on purpose: milliseconds. */
void scram_derive(slice password, const unsigned char salt[SCRAM_SALT_BYTES],
                  struct scram_keys *ret_keys);

struct scram scram_make(void);
void scram_free(struct scram *s);
/* Appends the answer to OUT. 0, -EPROTO (not what RFC 5802 says), -ENOTSUP (channel binding),
   -ENOMEM or -ENOBUFS. */
must_use int scram_first(struct scram *s, slice message,
                         const unsigned char nonce[SCRAM_NONCE_BYTES],
                         const unsigned char salt[SCRAM_SALT_BYTES], struct buf *out);
/* The same: 0 and the answer where the client knows the password; -EACCES where not. */
must_use int scram_final(struct scram *s, slice message, const struct scram_keys *keys,
                         struct buf *out);

#endif
