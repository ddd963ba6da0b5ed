/*
 * jwks.c - makes sets of keys and looks for the one that signed (jwks.h).
 *
 * Sets are small (a handful of keys; a hundred at most), and what follows a look-up is a signature
 * to check, so a key is found by walking over all. The walk that judges a signature is the only
 * place that knows which keys may be meant.
 */
#include "rooms/gateway/jwks.h"

#include "base/base64.h"
#include "base/mem.h"
#include "io/crypto.h"
#include "rooms/gateway/jws.h"
#include "wire/json.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#define NUMBER_BYTES_MAX IO_SECRET_BYTES_MAX /* of a decoded field; a secret may be the longest */
#define REASON_MAX 192

struct key {
    slice kid; /* "" = none */
    struct io_verifier *verifier;
    uint32_t signatures; /* what it may check here */
};

struct jwks {
    atomic_uint refs;
    bool parsed;
    unsigned char digest[32]; /* of the text, where parsed */
    unsigned skipped;
    char reason[REASON_MAX];
    unsigned count;
    struct key keys[];
};

/* A signature on its way from key to key. */
struct attempt {
    enum io_signature algorithm;
    slice message, signature;
};

static struct jwks *make_set(unsigned room) {
    struct jwks *set = mem_zalloc(1, sizeof *set + room * sizeof set->keys[0]);
    if (set)
        atomic_init(&set->refs, 1);
    return set;
}

struct jwks *jwks_ref(struct jwks *set) {
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

struct jwks *jwks_unref(struct jwks *set) {
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    for (unsigned i = 0; i < set->count; i++) {
        io_verifier_free(set->keys[i].verifier);
        mem_free((char *)set->keys[i].kid.ptr);
    }
    return mem_free(set);
}

/* Adds a key, whose VERIFIER is the set's from now on, also on failure. */
static int add_key(struct jwks *set, slice kid, struct io_verifier *verifier, uint32_t signatures) {
    char *copy = kid.len ? mem_copy(kid.ptr, kid.len) : NULL;
    if (kid.len && !copy) {
        io_verifier_free(verifier);
        return -ENOMEM;
    }
    set->keys[set->count++] = (struct key){slice_make(copy, kid.len), verifier, signatures};
    return 0;
}

/* --- keys of the config --------------------------------------------------------------------- */

static int read_given(const struct jwks_given *given, struct jwks *set, struct error *ret_error) {
    struct io_verifier *verifier = NULL;
    if ((given->pem.len > 0) == (given->secret.len > 0))
        return error_set(ret_error, -EINVAL, "a key is either PEM or a secret");
    if (given->kid.len > JWS_KID_MAX)
        return error_set(ret_error, -EINVAL, "a kid of more than %u bytes", JWS_KID_MAX);
    int failed = given->pem.len ? io_verifier_pem(given->pem, &verifier, ret_error)
                                : io_verifier_secret(given->secret, &verifier, ret_error);
    if (failed)
        return failed;
    if (add_key(set, given->kid, verifier, io_verifier_signatures(verifier)))
        return error_set(ret_error, -ENOMEM, "no memory for a key");
    return 0;
}

int jwks_create(const struct jwks_given *keys, unsigned count, struct jwks **ret_set,
                unsigned *ret_number, struct error *ret_error) {
    *ret_number = 0;
    if (count > JWKS_KEYS_MAX)
        return error_set(ret_error, -E2BIG, "more than %u keys", JWKS_KEYS_MAX);
    struct jwks *set = make_set(count);
    if (!set)
        return error_set(ret_error, -ENOMEM, "no memory for %u keys", count);
    for (unsigned i = 0; i < count; i++) {
        int failed = read_given(&keys[i], set, ret_error);
        if (failed) {
            *ret_number = i;
            jwks_unref(set);
            return failed;
        }
    }
    *ret_set = set;
    return 0;
}

/* --- keys of a document --------------------------------------------------------------------- */

/* What judging a key needs to say. */
struct judge {
    json_value key;
    struct error *error; /* why it is skipped */
};

/* The bytes of field NAME into OUT. */
static int read_bytes(struct judge *j, const char *name, unsigned char out[NUMBER_BYTES_MAX],
                      slice *ret_bytes) {
    slice text;
    size_t len;
    int failed = json_string(json_member(j->key, slice_str(name)), &text);
    if (!failed)
        failed = base64_decode(BASE64_URL_RAW, text, out, NUMBER_BYTES_MAX, &len);
    if (failed == -ENOMEM)
        return failed;
    if (failed)
        return error_set(j->error, -EINVAL, "'%s' is not there or not base64url", name);
    *ret_bytes = slice_make(out, len);
    return 0;
}

static int read_ec(struct judge *j, slice curve, struct io_verifier **ret_verifier) {
    unsigned char x_bytes[NUMBER_BYTES_MAX], y_bytes[NUMBER_BYTES_MAX];
    slice x, y;
    int failed = read_bytes(j, "x", x_bytes, &x);
    if (!failed)
        failed = read_bytes(j, "y", y_bytes, &y);
    return failed ? failed : io_verifier_ec(curve, x, y, ret_verifier, j->error);
}

static int read_rsa(struct judge *j, struct io_verifier **ret_verifier) {
    unsigned char n_bytes[NUMBER_BYTES_MAX], e_bytes[NUMBER_BYTES_MAX];
    slice n, e;
    int failed = read_bytes(j, "n", n_bytes, &n);
    if (!failed)
        failed = read_bytes(j, "e", e_bytes, &e);
    return failed ? failed : io_verifier_rsa(n, e, ret_verifier, j->error);
}

static int read_okp(struct judge *j, slice curve, struct io_verifier **ret_verifier) {
    unsigned char x_bytes[NUMBER_BYTES_MAX];
    slice x;
    if (!slice_equal(curve, slice_lit("Ed25519")))
        return error_set(j->error, -EINVAL, "the curve '%.*s' is not known",
                         slice_fmt(slice_take(curve, 32)));
    int failed = read_bytes(j, "x", x_bytes, &x);
    return failed ? failed : io_verifier_ed25519(x, ret_verifier, j->error);
}

static int read_secret(struct judge *j, struct io_verifier **ret_verifier) {
    unsigned char bytes[NUMBER_BYTES_MAX];
    slice secret;
    int failed = read_bytes(j, "k", bytes, &secret);
    if (!failed)
        failed = io_verifier_secret(secret, ret_verifier, j->error);
    explicit_bzero(bytes, sizeof bytes);
    return failed;
}

/* The key's numbers. */
static int read_verifier(struct judge *j, struct io_verifier **ret_verifier) {
    slice type, curve = {NULL, 0};
    if (json_string(json_member(j->key, slice_lit("kty")), &type))
        return error_set(j->error, -EINVAL, "'kty' is not there");
    int failed = json_string(json_member(j->key, slice_lit("crv")), &curve);
    if (failed == -ENOMEM)
        return failed;
    if (json_type_of(json_member(j->key, slice_lit("d"))) != JSON_ABSENT)
        return error_set(j->error, -EINVAL, "it is a private key");
    if (slice_equal(type, slice_lit("RSA")))
        return read_rsa(j, ret_verifier);
    if (slice_equal(type, slice_lit("EC")))
        return read_ec(j, curve, ret_verifier);
    if (slice_equal(type, slice_lit("OKP")))
        return read_okp(j, curve, ret_verifier);
    if (slice_equal(type, slice_lit("oct")))
        return read_secret(j, ret_verifier);
    return error_set(j->error, -EINVAL, "kty '%.*s' is not known", slice_fmt(slice_take(type, 32)));
}

static bool holds_text(json_value array, slice text) {
    struct json_iterator i = json_each(array);
    while (!i.object && json_next(&i))
        if (json_string_is(i.value, text))
            return true;
    return false;
}

/* Is the key meant for signatures? */
static int judge_use(struct judge *j) {
    json_value use = json_member(j->key, slice_lit("use"));
    json_value operations = json_member(j->key, slice_lit("key_ops"));
    if (json_type_of(use) != JSON_ABSENT && !json_string_is(use, slice_lit("sig")))
        return error_set(j->error, -EINVAL, "its use is not 'sig'");
    if (json_type_of(operations) != JSON_ABSENT && !holds_text(operations, slice_lit("verify")))
        return error_set(j->error, -EINVAL, "its key_ops do not hold 'verify'");
    return 0;
}

/* Narrows *SIGNATURES to what `alg` says, where it says something. */
static int judge_algorithm(struct judge *j, uint32_t *signatures) {
    slice name;
    enum io_signature algorithm;
    int failed = json_string(json_member(j->key, slice_lit("alg")), &name);
    if (failed == -ENOENT)
        return 0;
    if (failed == -ENOMEM)
        return failed;
    if (failed || io_signature_named(name, &algorithm) ||
        !(*signatures & IO_SIGNATURE_BIT(algorithm)))
        return error_set(j->error, -EINVAL, "its alg is not for such a key, or not known");
    *signatures = IO_SIGNATURE_BIT(algorithm);
    return 0;
}

static int judge_kid(struct judge *j, slice *ret_kid) {
    *ret_kid = (slice){NULL, 0};
    int failed = json_string(json_member(j->key, slice_lit("kid")), ret_kid);
    if (failed == -ENOMEM)
        return failed;
    if (failed == -EINVAL || ret_kid->len > JWS_KID_MAX)
        return error_set(j->error, -EINVAL, "its kid is no text, or too long");
    return 0;
}

/* Adds the key of J to SET. 0; -EINVAL with the reason to skip it; -ENOMEM. */
static int read_key(struct judge *j, struct jwks *set) {
    struct io_verifier *verifier = NULL;
    slice kid;
    if (json_type_of(j->key) != JSON_OBJECT)
        return error_set(j->error, -EINVAL, "it is no object");
    int failed = judge_use(j);
    if (!failed)
        failed = judge_kid(j, &kid);
    if (!failed)
        failed = read_verifier(j, &verifier);
    if (failed)
        return failed;
    uint32_t signatures = io_verifier_signatures(verifier);
    failed = judge_algorithm(j, &signatures);
    if (failed) {
        io_verifier_free(verifier);
        return failed;
    }
    return add_key(set, kid, verifier, signatures);
}

static int read_keys(json_value keys, struct jwks *set, struct error *ret_error) {
    struct json_iterator i = json_each(keys);
    for (unsigned number = 0; json_next(&i); number++) {
        struct error reason = {0};
        struct judge judge = {i.value, &reason};
        int failed = read_key(&judge, set);
        if (failed == -ENOMEM)
            return error_set(ret_error, -ENOMEM, "no memory for a set of keys");
        if (failed && set->skipped++ == 0)
            snprintf(set->reason, sizeof set->reason, "key %u: %.160s", number, reason.message);
    }
    if (set->count)
        return 0;
    return error_set(ret_error, -ENOKEY, "no key of the set is of use%s%s",
                     set->skipped ? "; " : "", set->reason);
}

static int read_set(struct json_doc *doc, slice text, struct jwks **ret_set,
                    struct error *ret_error) {
    int failed = json_parse(doc, text);
    if (failed)
        return json_explain(doc, failed, slice_lit("JWKS"), ret_error);
    json_value keys = json_member(json_root(doc), slice_lit("keys"));
    if (json_type_of(keys) != JSON_ARRAY)
        return error_set(ret_error, -EINVAL, "not a JWKS: there is no array 'keys'");
    if (json_count(keys) > JWKS_KEYS_MAX)
        return error_set(ret_error, -E2BIG, "a JWKS of more than %u keys", JWKS_KEYS_MAX);
    struct jwks *set = make_set(json_count(keys));
    if (!set)
        return error_set(ret_error, -ENOMEM, "no memory for a set of keys");
    failed = read_keys(keys, set, ret_error);
    if (failed) {
        jwks_unref(set);
        return failed;
    }
    set->parsed = true;
    io_sha256(text, set->digest);
    *ret_set = set;
    return 0;
}

int jwks_parse(slice text, struct jwks **ret_set, struct error *ret_error) {
    if (text.len > JWKS_TEXT_MAX)
        return error_set(ret_error, -E2BIG, "a JWKS of more than %zu bytes", JWKS_TEXT_MAX);
    struct json_doc doc;
    json_init(&doc);
    doc.nodes_max = JWKS_NODES_MAX;
    doc.depth_max = JWKS_DEPTH_MAX;
    int failed = read_set(&doc, text, ret_set, ret_error);
    json_free(&doc);
    return failed;
}

/* --- questions ------------------------------------------------------------------------------ */

unsigned jwks_count(const struct jwks *set) {
    return set->count;
}

unsigned jwks_skipped(const struct jwks *set, const char **ret_reason) {
    *ret_reason = set->reason;
    return set->skipped;
}

uint32_t jwks_signatures(const struct jwks *set) {
    uint32_t signatures = 0;
    for (unsigned i = 0; i < set->count; i++)
        signatures |= set->keys[i].signatures;
    return signatures;
}

bool jwks_equal(const struct jwks *a, const struct jwks *b) {
    return a == b || (a->parsed && b->parsed && memcmp(a->digest, b->digest, 32) == 0);
}

/* One walk over the keys: those that bear KID, or those that are tried for it all the same. */
static int try_keys(const struct jwks *set, slice kid, bool named, const struct attempt *attempt,
                    unsigned *tries) {
    int answer = -ENOKEY;
    for (unsigned i = 0; i < set->count; i++) {
        const struct key *key = &set->keys[i];
        if (named ? !slice_equal(key->kid, kid) : kid.len && key->kid.len)
            continue;
        if (!(key->signatures & IO_SIGNATURE_BIT(attempt->algorithm))) {
            answer = answer == -ENOKEY ? -EINVAL : answer;
            continue;
        }
        if ((*tries)++ == JWKS_TRIES_MAX)
            break;
        answer = io_verifier_check(key->verifier, attempt->algorithm, attempt->message,
                                   attempt->signature);
        if (answer == 0 || answer == -ENOMEM)
            break;
    }
    return answer;
}

int jwks_check(const struct jwks *set, slice kid, enum io_signature algorithm, slice message,
               slice signature) {
    const struct attempt attempt = {algorithm, message, signature};
    unsigned tries = 0;
    int named = kid.len ? try_keys(set, kid, true, &attempt, &tries) : -ENOKEY;
    if (named == 0 || named == -ENOMEM)
        return named;
    int unnamed = try_keys(set, kid, false, &attempt, &tries);
    return unnamed == 0 || unnamed == -ENOMEM ? unnamed : named;
}
