/*
 * token_kit.h - makes tokens for the tests of rooms/gateway.
 *
 * Tokens are signed with HS256 and the 32 bytes of `token_secret`, because a MAC can be made in a
 * line; what others signed with real keys is in tests/unit/io/signatures.h.
 */
#ifndef NONET_TESTS_TOKEN_KIT_H
#define NONET_TESTS_TOKEN_KIT_H

/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "rooms/gateway/jwks.h"
#include "signatures.h"

#include <errno.h>

#define TOKEN_TEXT_MAX ((size_t)64 << 10)
#define HS256_HEADER "{\"alg\":\"HS256\"}"

extern const slice token_secret;

/* base64url(HEADER).base64url(PAYLOAD).signature, into OUT, which is emptied first. */
slice token_sign(struct buf *out, slice header, slice payload);
/* The same without a signature of anybody's: the last part is SIGNATURE, as it is. */
slice token_forge(struct buf *out, slice header, slice payload, slice signature);
/* The example as a token. */
slice token_of(struct buf *out, const struct signature_example *e);
/* The example's key as a JWK with MORE ("\"kid\":\"a\",") in it. */
slice token_jwk(struct buf *out, const struct signature_example *e, const char *more);
/* A set of that one key. */
struct jwks *token_set(const struct signature_example *e, const char *more);
/* A set of token_secret under KID. */
struct jwks *token_secret_set(slice kid);

#endif
