/* The streaming calls of SHA-256 are called deprecated since OpenSSL 3.0, but the one-shot call
   looks the algorithm up and makes a context each time: 1.1 us for the 800 bytes of a usual token
   instead of 0.75, on the path of every request that brings one. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "io/crypto.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define ED25519_SIGNATURE_BYTES 64

static const unsigned char *bytes_of(slice s) {
    return (const unsigned char *)(s.len ? s.ptr : "");
}

bool io_ed25519_verify(const unsigned char public_key[32], slice message, slice signature) {
    if (signature.len != ED25519_SIGNATURE_BYTES)
        return false;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool valid = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, bytes_of(signature), signature.len, bytes_of(message),
                                  message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return valid;
}

int io_ed25519_sign(const unsigned char seed[32], slice message, unsigned char ret_signature[64]) {
    unsigned char signature[ED25519_SIGNATURE_BYTES];
    size_t size = sizeof signature;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &size, bytes_of(message), message.len) == 1 &&
                size == sizeof signature;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!made)
        return -EIO;
    memcpy(ret_signature, signature, sizeof signature);
    return 0;
}

int io_ed25519_public(const unsigned char seed[32], unsigned char ret_public_key[32]) {
    unsigned char public_key[32];
    size_t size = sizeof public_key;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    bool made = key && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1 &&
                size == sizeof public_key;
    EVP_PKEY_free(key);
    if (!made)
        return -EIO;
    memcpy(ret_public_key, public_key, sizeof public_key);
    return 0;
}

void io_sha1(slice bytes, unsigned char ret_digest[20]) {
    check(SHA1(bytes_of(bytes), bytes.len, ret_digest) != NULL);
}

void io_sha256(slice bytes, unsigned char ret_digest[32]) {
    io_sha256_parts(&bytes, 1, ret_digest);
}

void io_sha256_parts(const slice *parts, size_t count, unsigned char ret_digest[32]) {
    SHA256_CTX context;
    check(SHA256_Init(&context) == 1);
    for (size_t i = 0; i < count; i++)
        check(SHA256_Update(&context, bytes_of(parts[i]), parts[i].len) == 1);
    check(SHA256_Final(ret_digest, &context) == 1);
}

struct io_sha256 {
    SHA256_CTX context;
};

int io_sha256_begin(struct io_sha256 **ret_sum) {
    struct io_sha256 *sum = mem_alloc(sizeof *sum);
    if (!sum)
        return -ENOMEM;
    check(SHA256_Init(&sum->context) == 1);
    *ret_sum = sum;
    return 0;
}

void io_sha256_add(struct io_sha256 *sum, slice bytes) {
    check(SHA256_Update(&sum->context, bytes_of(bytes), bytes.len) == 1);
}

void io_sha256_end(struct io_sha256 *sum, unsigned char *ret_digest) {
    if (sum && ret_digest)
        check(SHA256_Final(ret_digest, &sum->context) == 1);
    mem_free(sum);
}

size_t io_digest(const char *name, slice bytes, unsigned char ret_digest[64]) {
    unsigned length = 0;
    const EVP_MD *kind = EVP_get_digestbyname(name);
    if (!kind || EVP_MD_get_size(kind) > 64 ||
        EVP_Digest(bytes_of(bytes), bytes.len, ret_digest, &length, kind, NULL) != 1)
        return 0;
    return length;
}

void io_hmac_sha256(slice key, slice bytes, unsigned char ret_digest[32]) {
    unsigned size = 0;
    check(key.len <= INT32_MAX);
    check(HMAC(EVP_sha256(), bytes_of(key), (int)key.len, bytes_of(bytes), bytes.len, ret_digest,
               &size) != NULL);
    check(size == 32);
}
