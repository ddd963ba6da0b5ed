/*
 * jws.h - reads a signed token as it comes in a header field: the compact form of RFC 7515.
 *
 *      eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ . eyJzdWIiOiJhbm4ifQ . DtEhU3ljbEg8L38VWAfUAqOy...
 *      header: {"alg":"ES256","kid":"a"}    payload               signature
 *      '------------- signed_part ------------------------------'
 *
 * A JWS says how it wants to be checked, and it says so before anything is checked: the header is
 * a stranger's wish. Only two of its fields are heard, `alg`, which must be one of ours and which
 * the caller compares with what it allows and with the key's kind, and `kid`, which chooses among
 * the keys one has. Fields that bring or point to keys (`jwk`, `jku`, `x5c`, `x5u`) are never
 * looked at. Extensions that would change the meaning (`crit`, `b64`) refuse the token, as do
 * "none" and every other name that is not in io/verifier.h.
 *
 * Strict, so that a token has one text: three parts, base64url without padding and with its unused
 * bits zero, no blanks, no repeated field. Nothing is verified here: see jwks_check.
 *
 * A reader holds the memory that reading takes; slices of a JWS point into the token's text and
 * into the reader, until its next use. One thread.
 */
#ifndef NONET_GATEWAY_JWS_H
#define NONET_GATEWAY_JWS_H

#include "base/base64.h"
#include "io/verifier.h"
#include "wire/json.h"

#define JWS_TOKEN_MAX ((size_t)16 << 10) /* bytes of a token's text */
#define JWS_KID_MAX 256u
#define JWS_HEADER_NODES_MAX 512u /* values in the header */
#define JWS_HEADER_DEPTH_MAX 8u

struct jws {
    enum io_signature algorithm;
    slice kid;  /* "" where the token names no key */
    slice type; /* `typ`, or "" */
    slice signed_part;
    slice payload; /* as written, in base64url */
    slice signature;
};

struct jws_reader {
    struct json_doc header;
    char header_text[JWS_TOKEN_MAX / 4 * 3 + 3];
    char signature[IO_SIGNATURE_BYTES_MAX];
};

void jws_reader_init(struct jws_reader *reader);
void jws_reader_free(struct jws_reader *reader); /* leaves it as after init */

/* 0; -E2BIG: too long; -EINVAL: not such a token, or not well-formed; -ENOTSUP: it wants something
   that is not done here; -ENOMEM. *RET_JWS is written only on 0. */
must_use int jws_read(struct jws_reader *reader, slice token, struct jws *ret_jws);

#endif
