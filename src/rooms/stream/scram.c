/*
 * scram.c - see scram.h.
 *
 *     SaltedPassword  = PBKDF2-HMAC-SHA-256(password, salt, iterations), one block
 *     ClientKey       = HMAC(SaltedPassword, "Client Key")      StoredKey = SHA-256(ClientKey)
 *     ServerKey       = HMAC(SaltedPassword, "Server Key")
 *     AuthMessage     = client-first-bare "," server-first "," client-final-without-proof
 *     ClientSignature = HMAC(StoredKey, AuthMessage)
 *     proof           = ClientKey XOR ClientSignature
 *     signature       = HMAC(ServerKey, AuthMessage)
 *
 * So SHA-256(proof XOR ClientSignature) must be StoredKey.
 */
#include "rooms/stream/scram.h"

#include "base/base64.h"
#include "base/password.h"
#include "io/crypto.h"

#include <errno.h>

#define KEY_TEXT_BYTES 44u /* SCRAM_KEY_BYTES in base64 */
#define SAID_BYTES_MAX ((size_t)4096)
#define HEADER_BYTES 3u

void scram_derive(slice password, const unsigned char salt[SCRAM_SALT_BYTES],
                  struct scram_keys *ret_keys) {
    unsigned char block[SCRAM_SALT_BYTES + 4], step[SCRAM_KEY_BYTES], salted[SCRAM_KEY_BYTES];
    memcpy(block, salt, SCRAM_SALT_BYTES);
    memcpy(block + SCRAM_SALT_BYTES, "\0\0\0\1", 4); /* the number of the block */
    io_hmac_sha256(password, slice_make(block, sizeof block), step);
    memcpy(salted, step, sizeof salted);
    for (unsigned i = 1; i < SCRAM_ITERATIONS; i++) {
        io_hmac_sha256(password, slice_make(step, sizeof step), step);
        for (size_t at = 0; at < sizeof salted; at++)
            salted[at] ^= step[at];
    }
    const slice key = slice_make(salted, sizeof salted);
    io_hmac_sha256(key, slice_lit("Client Key"), step);
    io_sha256(slice_make(step, sizeof step), ret_keys->stored);
    io_hmac_sha256(key, slice_lit("Server Key"), ret_keys->server);
}

struct scram scram_make(void) {
    return (struct scram){.said = buf_make(SAID_BYTES_MAX)};
}

void scram_free(struct scram *s) {
    buf_free(&s->said);
}

/* The value of attribute NAME, which must be the next of *REST. ptr NULL: it is not. */
static slice attribute(slice *rest, char name) {
    const slice text = slice_cut(*rest, ',', rest);
    if (text.len < 2 || text.ptr[0] != name || text.ptr[1] != '=')
        return (slice){NULL, 0};
    return slice_skip(text, 2);
}

/* The header: no channel binding, and no other name to act for. */
static int take_header(struct scram *s, slice *message) {
    const char *known = message->len >= HEADER_BYTES ? message->ptr : "   ";
    if (known[0] == 'p')
        return -ENOTSUP;
    if ((known[0] != 'n' && known[0] != 'y') || known[1] != ',' || known[2] != ',')
        return -EPROTO;
    memcpy(s->header, known, HEADER_BYTES);
    *message = slice_skip(*message, HEADER_BYTES);
    return 0;
}

static bool is_nonce(slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

static int append_base64(struct buf *b, slice bytes) {
    int failed = buf_reserve(b, base64_encoded_len(BASE64_STANDARD, bytes.len));
    if (!failed)
        b->len += base64_encode(BASE64_STANDARD, bytes, b->ptr + b->len);
    return failed;
}

/* The server's first message, behind the client's in `said`. */
static int answer_first(struct scram *s, slice client_nonce, const unsigned char *nonce,
                        const unsigned char *salt, struct buf *out) {
    const size_t start = s->said.len;
    int failed = buf_append(&s->said, slice_lit("r="));
    s->nonce_start = s->said.len;
    if (!failed)
        failed = buf_append(&s->said, client_nonce);
    if (!failed)
        failed = append_base64(&s->said, slice_make(nonce, SCRAM_NONCE_BYTES));
    s->nonce_len = s->said.len - s->nonce_start;
    if (!failed)
        failed = buf_append(&s->said, slice_lit(",s="));
    if (!failed)
        failed = append_base64(&s->said, slice_make(salt, SCRAM_SALT_BYTES));
    if (!failed)
        failed = buf_printf(&s->said, ",i=%u", SCRAM_ITERATIONS);
    return failed ? failed : buf_append(out, slice_skip(buf_slice(&s->said), start));
}

int scram_first(struct scram *s, slice message, const unsigned char nonce[SCRAM_NONCE_BYTES],
                const unsigned char salt[SCRAM_SALT_BYTES], struct buf *out) {
    int failed = take_header(s, &message);
    if (failed)
        return failed;
    slice rest = message;
    const slice name = attribute(&rest, 'n'), client_nonce = attribute(&rest, 'r');
    if (!name.ptr || !is_nonce(client_nonce) || message.len > SCRAM_MESSAGE_BYTES_MAX)
        return -EPROTO;
    buf_clear(&s->said);
    failed = buf_append(&s->said, message);
    if (!failed)
        failed = buf_append_byte(&s->said, ',');
    return failed ? failed : answer_first(s, client_nonce, nonce, salt, out);
}

/* PROOF is of someone who knows StoredKey's password. */
static bool proves(const struct scram_keys *keys, slice said, slice proof) {
    unsigned char bytes[KEY_TEXT_BYTES], signature[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES];
    size_t len = 0;
    if (base64_decode(BASE64_STANDARD, proof, bytes, sizeof bytes, &len) || len != SCRAM_KEY_BYTES)
        return false;
    io_hmac_sha256(slice_make(keys->stored, SCRAM_KEY_BYTES), said, signature);
    for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
        signature[i] ^= bytes[i];
    io_sha256(slice_make(signature, sizeof signature), stored);
    return password_equal(slice_make(stored, sizeof stored),
                          slice_make(keys->stored, SCRAM_KEY_BYTES));
}

int scram_final(struct scram *s, slice message, const struct scram_keys *keys, struct buf *out) {
    char binding[8];
    slice rest = message;
    const slice channel = attribute(&rest, 'c'), nonce = attribute(&rest, 'r');
    const size_t binding_len =
        base64_encode(BASE64_STANDARD, slice_make(s->header, HEADER_BYTES), binding);
    const slice ours = slice_make(s->said.ptr + s->nonce_start, s->nonce_len);
    if (!channel.ptr || !slice_equal(channel, slice_make(binding, binding_len)) || !nonce.ptr ||
        !slice_equal(nonce, ours))
        return -EPROTO;
    /* Extensions are passed over; the proof is the last, and all before it is signed. */
    slice proof = {NULL, 0};
    size_t without = message.len;
    while (rest.ptr && !proof.ptr) {
        without = (size_t)(rest.ptr - message.ptr) - 1;
        proof = attribute(&rest, 'p');
    }
    if (!proof.ptr || rest.ptr)
        return -EPROTO;
    int failed = buf_append_byte(&s->said, ',');
    if (!failed)
        failed = buf_append(&s->said, slice_take(message, without));
    if (failed)
        return failed;
    if (!proves(keys, buf_slice(&s->said), proof))
        return -EACCES;
    unsigned char signature[SCRAM_KEY_BYTES];
    io_hmac_sha256(slice_make(keys->server, SCRAM_KEY_BYTES), buf_slice(&s->said), signature);
    failed = buf_append(out, slice_lit("v="));
    return failed ? failed : append_base64(out, slice_make(signature, sizeof signature));
}
