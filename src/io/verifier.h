/*
 * verifier.h - a key that checks signatures: made once, used many times, on any thread.
 *
 *      numbers of a JWK, PEM, or a secret --> VERIFIER --check(algorithm, message, signature)--> 0
 *
 * The algorithms are those of JSON Web Signatures (RFC 7518, RFC 8037), under their names there. A
 * verifier knows which of them its key may check: an RSA key RS and PS, a point of P-256 nothing
 * but ES256, a secret nothing but HS. So whoever signs with a public key as if it were a secret,
 * the classic attack on tokens, meets -EINVAL and no computation at all.
 *
 * What is weak or wrong is refused when the key is made, because a person is there to read why:
 * RSA below IO_RSA_BITS_MIN (or so large that a check would cost milliseconds), exponents that are
 * even or 1, points that are not on their curve, Ed25519 points of small order (all zeros, say: a
 * signature for such a key can be made by anybody), secrets shorter than the hash they feed
 * (RFC 7518, 3.2). A verifier holds no private key and takes none.
 *
 * Signatures come as JWS writes them: RSA's as long as the modulus, ECDSA's as the two numbers one
 * behind the other, each as long as the field (not DER), Ed25519's 64 bytes.
 *
 * It stands in io/ for the reason crypto.h does. A verifier is immutable; checking locks nothing.
 */
#ifndef NONET_IO_VERIFIER_H
#define NONET_IO_VERIFIER_H

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"

#define IO_RSA_BITS_MIN 2048
#define IO_RSA_BITS_MAX 8192
#define IO_SIGNATURE_BYTES_MAX (IO_RSA_BITS_MAX / 8) /* of any algorithm */
#define IO_SECRET_BYTES_MIN 32u                      /* then it is fit for HS256 */
#define IO_SECRET_BYTES_MAX 4096u
#define IO_PEM_BYTES_MAX ((size_t)64 << 10)

enum io_signature {
    IO_RS256,
    IO_RS384,
    IO_RS512,
    IO_PS256,
    IO_PS384,
    IO_PS512,
    IO_ES256,
    IO_ES384,
    IO_ES512,
    IO_EDDSA, /* over Ed25519 only */
    IO_HS256,
    IO_HS384,
    IO_HS512,
    IO_SIGNATURES, /* how many there are */
};

/* Sets of algorithms are bits: IO_SIGNATURE_BIT(IO_RS256) | IO_SIGNATURE_BIT(IO_ES256). */
#define IO_SIGNATURE_BIT(algorithm) ((uint32_t)1 << (algorithm))
#define IO_SIGNATURES_HMAC                                                                         \
    (IO_SIGNATURE_BIT(IO_HS256) | IO_SIGNATURE_BIT(IO_HS384) | IO_SIGNATURE_BIT(IO_HS512))
#define IO_SIGNATURES_PUBLIC ((IO_SIGNATURE_BIT(IO_SIGNATURES) - 1) & ~IO_SIGNATURES_HMAC)

/* "RS256" and back; letter case counts. The latter is -EINVAL for other names, "none" too. */
const char *io_signature_name(enum io_signature algorithm);
must_use int io_signature_named(slice name, enum io_signature *ret_algorithm);

struct io_verifier;

/* All of these: 0; -EINVAL with words for the one who wrote the key; -ENOMEM. Bytes are copied.
   Numbers are big-endian. CURVE is "P-256", "P-384" or "P-521", coordinates have their full
   length. PEM holds "PUBLIC KEY" or "CERTIFICATE"; the first block counts, and a certificate is
   just a way to write a key: neither its dates nor its issuer are looked at. */
must_use int io_verifier_rsa(slice modulus, slice exponent, struct io_verifier **ret_verifier,
                             struct error *ret_error);
must_use int io_verifier_ec(slice curve, slice x, slice y, struct io_verifier **ret_verifier,
                            struct error *ret_error);
must_use int io_verifier_ed25519(slice public_key, struct io_verifier **ret_verifier,
                                 struct error *ret_error);
must_use int io_verifier_secret(slice secret, struct io_verifier **ret_verifier,
                                struct error *ret_error);
must_use int io_verifier_pem(slice pem, struct io_verifier **ret_verifier, struct error *ret_error);

/* NULL allowed, returns NULL. A secret is wiped. */
struct io_verifier *io_verifier_free(struct io_verifier *verifier);

/* The set of algorithms that this key may check, never empty. */
uint32_t io_verifier_signatures(const struct io_verifier *verifier);

/* 0: SIGNATURE is this key's, of this MESSAGE, by this ALGORITHM. -EBADMSG: it is not. -EINVAL: the
   algorithm is not one of this key's. -ENOMEM. Any thread. About 2 us for a secret, 15 for RSA of
   2048 bits, 60 for P-256, 80 for Ed25519, but 400 and more for P-384 and P-521. */
must_use int io_verifier_check(const struct io_verifier *verifier, enum io_signature algorithm,
                               slice message, slice signature);

#endif
