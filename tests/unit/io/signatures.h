/*
 * signatures.h - signatures that others made, with their keys: the examples of RFC 7515, 7520 and
 * 8037, and of each algorithm that these leave out one made by Node.js.
 *
 * Keys and signatures are written as in a JWK and a JWS, in base64url. tests/unit/rooms uses them
 * as whole tokens.
 */
#ifndef NONET_TESTS_SIGNATURES_H
#define NONET_TESTS_SIGNATURES_H

#include "io/verifier.h"

#define SIGNATURE_EXAMPLES 16

struct signature_example {
    const char *name;
    enum io_signature algorithm;
    const char *kty;
    const char *crv;         /* NULL where the kind has none */
    const char *first;       /* n, x or k */
    const char *second;      /* e, y or NULL */
    const char *signed_part; /* header.payload */
    const char *signature;
};

extern const struct signature_example signature_examples[SIGNATURE_EXAMPLES];

/* Decodes base64url; the text is known to be such. */
slice signature_bytes(const char *text, unsigned char *out, size_t size);

/* The key of example E; the test fails where it is refused. */
struct io_verifier *signature_key(const struct signature_example *e);

#endif
