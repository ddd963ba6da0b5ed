/*
 * jwt.h - a JSON Web Token (RFC 7519): is it genuine, is it for us, is it still good, whose is it.
 *
 *      token text --jwt_open--> claims, a stranger's word --jwt_check--> claims, VERIFIED
 *                                 (its issuer chooses the rules)
 *
 * A route may trust several issuers, so the claim `iss` of a token that nobody has checked yet
 * chooses whose rules and keys it is held against; that is all an unverified token is good for,
 * and everything else about it asserts that it is verified. One issuer: jwt_verify does both steps.
 *
 * The order of jwt_check is chosen for what it costs and what it tells: the algorithm and the
 * times first (clients with stale tokens are the usual refusal, and must not cost a signature
 * check), then the signature, and only for genuine tokens the rest, so that nobody can ask around
 * which issuers and audiences are accepted.
 *
 * Texts of faults are made for the error_description of RFC 6750 and name no rule, key or value.
 *
 * A JWT is counted. It belongs to one shard: asking json.h for strings writes to the document.
 */
#ifndef NONET_GATEWAY_JWT_H
#define NONET_GATEWAY_JWT_H

#include "rooms/gateway/jwks.h"
#include "rooms/gateway/jws.h"

#define JWT_CLAIM_NODES_MAX 4096u /* values in the claims */
#define JWT_CLAIM_DEPTH_MAX 16u
#define JWT_PRINCIPAL_MAX 256u
#define JWT_NEVER INT64_MAX

enum jwt_fault {
    JWT_FINE,
    JWT_TOO_LONG,
    JWT_MALFORMED,
    JWT_UNSUPPORTED, /* an algorithm or extension that is not served at all */
    JWT_ALGORITHM,   /* one that is not allowed here, or not for this key */
    JWT_TYPE,
    JWT_EXPIRED,
    JWT_NOT_YET,
    JWT_KEY_UNKNOWN, /* a fresher set of keys may know it: jwks_policy_unknown */
    JWT_SIGNATURE,
    JWT_ISSUER,
    JWT_AUDIENCE,
    JWT_CLAIM,     /* genuine, but a claim is not as the rules want: 403, the others are 401 */
    JWT_NO_MEMORY, /* 503 */
};
const char *jwt_fault_text(enum jwt_fault fault);

/* One claim that must be there. PATH: see jwt_claim. It fits if it is one of VALUES, or an array
   that holds one; numbers and booleans are compared as they are written. No VALUES: it is there,
   and neither null nor false. */
struct jwt_requirement {
    slice path;
    const slice *values;
    unsigned value_count;
};

/* Whom to believe what. Borrowed; all zero refuses everything, as no algorithm is allowed. */
struct jwt_rules {
    uint32_t algorithms;    /* bits of io_signature */
    slice type;             /* `typ` must be this, letter case apart; "" = not looked at */
    slice issuer;           /* `iss` must be this; "" = not looked at */
    const slice *audiences; /* `aud` must be, or hold, one of these */
    unsigned audience_count;
    const struct jwt_requirement *requirements;
    unsigned requirement_count;
    slice principal;      /* path of the claim that names the caller; "" = `sub` */
    slice scope;          /* path of the claim with the scopes; "" = `scope` */
    uint64_t leeway_ns;   /* how far clocks may differ */
    bool expiry_optional; /* a token without `exp` is taken, for good */
};

/* Fields are to be read; but for ISSUER they mean something only where VERIFIED. */
struct jwt {
    unsigned refs;
    bool verified;
    slice issuer;       /* `iss`, "" where it is not there or no text */
    slice principal;    /* "" where the claim is not there; never holds control characters */
    json_value scope;   /* see jwt_has_scope */
    int64_t expires_ns; /* `exp` in wall time without the leeway, or JWT_NEVER */
    size_t bytes;       /* memory it takes, about */
    struct json_doc claims;
    char text[]; /* the payload */
};

struct jwt_reader;
must_use int jwt_reader_new(struct jwt_reader **ret_reader);   /* 0 or -ENOMEM; one a shard */
struct jwt_reader *jwt_reader_free(struct jwt_reader *reader); /* NULL allowed, returns NULL */

/* Reads TOKEN, whose text must live until jwt_check has been called. */
must_use enum jwt_fault jwt_open(struct jwt_reader *reader, slice token, struct jwt **ret_jwt);
/* Judges JWT, the last one that READER has opened, at the wall time NOW_NS. */
must_use enum jwt_fault jwt_check(struct jwt_reader *reader, struct jwt *jwt,
                                  const struct jwt_rules *rules, const struct jwks *keys,
                                  int64_t now_ns);
/* Both. *RET_JWT is written only on JWT_FINE. */
must_use enum jwt_fault jwt_verify(struct jwt_reader *reader, slice token,
                                   const struct jwt_rules *rules, const struct jwks *keys,
                                   int64_t now_ns, struct jwt **ret_jwt);

struct jwt *jwt_ref(struct jwt *jwt);
struct jwt *jwt_unref(struct jwt *jwt); /* NULL allowed, returns NULL */

/* A claim, or absent. PATH "realm_access.roles" descends; a key that holds dots itself
   ("https://shop.example/roles") is found too: at each step the longest key that fits is taken. */
json_value jwt_claim(struct jwt *jwt, slice path);
/* Is WORD among the scopes, which are a text of words ("read write") or an array of texts? */
bool jwt_has_scope(struct jwt *jwt, slice word);

#endif
