/*
 * jwks.h - a set of keys that check tokens: JWKS of RFC 7517, or keys from the config.
 *
 *      {"keys": [ {"kty":"RSA","kid":"2026-11","use":"sig","n":...,"e":...},
 *                 {"kty":"EC", "kid":"2026-12","crv":"P-256","x":...,"y":...} ]}
 *
 * A set is immutable and counted; all shards use the same one, and a newer one takes its place. A
 * key is taken where it can check signatures: kty RSA, EC, OKP or oct, of the sizes and curves that
 * io/verifier.h takes, `use` absent or "sig", `key_ops` absent or with "verify", and where `alg` is
 * given it does nothing else. Every other key is skipped with a reason, as RFC 7517, 5 wants it:
 * one odd key must not lock everybody out. So are private keys, whoever has published them. `x5c`
 * and its like are not looked at.
 *
 * Which key checks a token: those that bear its kid. A key without a kid is tried for any token,
 * and a token without a kid tries every key of its algorithm; at most JWKS_TRIES_MAX checks are
 * made, since each costs what an attacker would like it to cost.
 *
 * Bounds: JWKS_TEXT_MAX bytes, JWKS_KEYS_MAX keys; more is -E2BIG.
 */
#ifndef NONET_GATEWAY_JWKS_H
#define NONET_GATEWAY_JWKS_H

#include "io/verifier.h"

#define JWKS_TEXT_MAX ((size_t)256 << 10)
#define JWKS_KEYS_MAX 100u
#define JWKS_TRIES_MAX 4u
#define JWKS_NODES_MAX 16384u /* values in the document */
#define JWKS_DEPTH_MAX 16u

struct jwks;

/* 0 with one count. -EINVAL (not a JWKS), -E2BIG, -ENOMEM; -ENOKEY: no key in it is of use, which
   is far more often a server at fault than the wish to lock everybody out. TEXT is not needed
   after the call. */
must_use int jwks_parse(slice text, struct jwks **ret_set, struct error *ret_error);

/* A key as written in the config: one of PEM and SECRET. */
struct jwks_given {
    slice kid; /* "" = for any token */
    slice pem;
    slice secret;
};
/* 0, or -EINVAL with words about key NUMBER in *RET_NUMBER, -E2BIG, -ENOMEM. */
must_use int jwks_create(const struct jwks_given *keys, unsigned count, struct jwks **ret_set,
                         unsigned *ret_number, struct error *ret_error);

struct jwks *jwks_ref(struct jwks *set);   /* any thread */
struct jwks *jwks_unref(struct jwks *set); /* NULL allowed, returns NULL; any thread */

unsigned jwks_count(const struct jwks *set);
/* How many keys were skipped, and why the first of them was ("" where none was). */
unsigned jwks_skipped(const struct jwks *set, const char **ret_reason);
/* The set of algorithms (IO_SIGNATURE_BIT) that some key of the set checks. */
uint32_t jwks_signatures(const struct jwks *set);
/* Were both read from the same text? Then what one of them has verified still holds. Sets of
   jwks_create equal only themselves. */
bool jwks_equal(const struct jwks *a, const struct jwks *b);

/* Any thread. Is SIGNATURE one by a key of the set?
   0         yes
   -ENOKEY   no key that may be meant has made it: a newer set may know the key
   -EINVAL   the key of this kid is not for this algorithm
   -EBADMSG  the key of this kid has not made it
   -ENOMEM */
must_use int jwks_check(const struct jwks *set, slice kid, enum io_signature algorithm,
                        slice message, slice signature);

#endif
