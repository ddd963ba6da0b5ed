/*
 * crypto.h - the few primitives of OpenSSL that are needed above: Ed25519, SHA-256, HMAC, and
 * digests by their names.
 *
 * Pure functions of their arguments, usable on any thread. They stand in io/ because it is the one
 * folder that includes OpenSSL, and the simulation links the same code. Nothing here compares
 * secrets: that is password_equal (base/password.h).
 */
#ifndef NONET_IO_CRYPTO_H
#define NONET_IO_CRYPTO_H

#include "base/check.h"
#include "base/slice.h"

/* Is SIGNATURE (64 bytes) the Ed25519 signature of MESSAGE by PUBLIC_KEY (32 bytes)? RFC 8032. */
bool io_ed25519_verify(const unsigned char public_key[32], slice message, slice signature);
/* Signs with a 32-byte seed. 0 or -EIO. */
must_use int io_ed25519_sign(const unsigned char seed[32], slice message,
                             unsigned char ret_signature[64]);
must_use int io_ed25519_public(const unsigned char seed[32], unsigned char ret_public_key[32]);
/* SHA-1 is broken as a promise of anything; WebSocket's handshake echoes with it (RFC 6455). */
void io_sha1(slice bytes, unsigned char ret_digest[20]);
void io_sha256(slice bytes, unsigned char ret_digest[32]);
/* The same of COUNT parts, one behind the other. */
void io_sha256_parts(const slice *parts, size_t count, unsigned char ret_digest[32]);
/* The same of bytes that come in pieces. 0 or -ENOMEM; the end frees, RET_DIGEST may be NULL. */
struct io_sha256;
must_use int io_sha256_begin(struct io_sha256 **ret_sum);
void io_sha256_add(struct io_sha256 *sum, slice bytes);
void io_sha256_end(struct io_sha256 *sum, unsigned char *ret_digest); /* NULL allowed */
/* By OpenSSL's name (md5, sha224 … sha512), for those who must have what others have computed: its
   bytes, and how many; 0: the library has none of that name. */
size_t io_digest(const char *name, slice bytes, unsigned char ret_digest[64]);
void io_hmac_sha256(slice key, slice bytes, unsigned char ret_digest[32]);

#endif
