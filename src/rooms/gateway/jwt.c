/*
 * jwt.c - opens tokens and judges their claims (jwt.h).
 *
 * A JWT is one block: the struct and, behind it, the payload that the claims' document points into.
 * Times of JWT are seconds, perhaps with a fraction (NumericDate); here they become nanoseconds,
 * and what lies beyond the year 2262 is "never".
 */
#include "rooms/gateway/jwt.h"

#include "base/mem.h"

#include <errno.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NODE_BYTES 16u /* of a value in a document (json.h) */

struct jwt_reader {
    struct jws_reader reader;
    struct jws jws;           /* of the token opened last */
    const struct jwt *opened; /* that token */
};

const char *jwt_fault_text(enum jwt_fault fault) {
    switch (fault) {
    case JWT_FINE:
        return "the token is valid";
    case JWT_TOO_LONG:
        return "the token is too long";
    case JWT_MALFORMED:
        return "the token is malformed";
    case JWT_UNSUPPORTED:
        return "the token asks for something that is not supported";
    case JWT_ALGORITHM:
        return "the algorithm of the token is not allowed";
    case JWT_TYPE:
        return "the token is of another type";
    case JWT_EXPIRED:
        return "the token expired";
    case JWT_NOT_YET:
        return "the token is not valid yet";
    case JWT_KEY_UNKNOWN:
        return "the key of the token is not known";
    case JWT_SIGNATURE:
        return "the signature of the token is not valid";
    case JWT_ISSUER:
        return "the issuer of the token is not accepted";
    case JWT_AUDIENCE:
        return "the token is for another audience";
    case JWT_CLAIM:
        return "the token does not grant this";
    case JWT_NO_MEMORY:
        return "the token cannot be checked now";
    }
    check(false);
    return NULL;
}

int jwt_reader_new(struct jwt_reader **ret_reader) {
    struct jwt_reader *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    jws_reader_init(&r->reader);
    *ret_reader = r;
    return 0;
}

struct jwt_reader *jwt_reader_free(struct jwt_reader *r) {
    if (r)
        jws_reader_free(&r->reader);
    return mem_free(r);
}

struct jwt *jwt_ref(struct jwt *jwt) {
    jwt->refs++;
    return jwt;
}

struct jwt *jwt_unref(struct jwt *jwt) {
    if (!jwt || --jwt->refs)
        return NULL;
    json_free(&jwt->claims);
    return mem_free(jwt);
}

/* --- claims --------------------------------------------------------------------------------- */

/* Needs no verified token: that is what it helps to find out. */
static json_value claim_at(struct jwt *jwt, slice path) {
    json_value value = json_root(&jwt->claims);
    while (path.len && json_type_of(value) != JSON_ABSENT) {
        size_t len = path.len;
        json_value found = json_member(value, path);
        while (json_type_of(found) == JSON_ABSENT && len > 0)
            if (path.ptr[--len] == '.')
                found = json_member(value, slice_take(path, len));
        value = found;
        path = slice_skip(path, len + 1);
    }
    return value;
}

json_value jwt_claim(struct jwt *jwt, slice path) {
    check(jwt->verified);
    return claim_at(jwt, path);
}

static json_value claim_or(struct jwt *jwt, slice path, slice standard) {
    return claim_at(jwt, path.len ? path : standard);
}

/* Numbers and booleans are compared as they are written. */
static bool is_one_of(json_value value, const slice *wanted, unsigned count) {
    enum json_type type = json_type_of(value);
    for (unsigned i = 0; i < count; i++) {
        if (type == JSON_STRING && json_string_is(value, wanted[i]))
            return true;
        if ((type == JSON_NUMBER || type == JSON_BOOL) &&
            slice_equal(json_source(value), wanted[i]))
            return true;
    }
    return false;
}

/* VALUE is one of WANTED, or an array that holds one. */
static bool is_any(json_value value, const slice *wanted, unsigned count) {
    if (json_type_of(value) != JSON_ARRAY)
        return is_one_of(value, wanted, count);
    struct json_iterator i = json_each(value);
    while (json_next(&i))
        if (is_one_of(i.value, wanted, count))
            return true;
    return false;
}

bool jwt_has_scope(struct jwt *jwt, slice word) {
    check(jwt->verified);
    slice rest;
    if (json_type_of(jwt->scope) == JSON_ARRAY)
        return is_any(jwt->scope, &word, 1);
    if (!word.len || json_string(jwt->scope, &rest))
        return false;
    while (rest.len)
        if (slice_equal(slice_cut(rest, ' ', &rest), word))
            return true;
    return false;
}

/* Seconds since 1970 as nanoseconds. 0, -ENOENT, or -EINVAL where it is no such number. */
static int read_time(struct jwt *jwt, slice name, int64_t *ret_ns) {
    static const double seconds_max = (double)(INT64_MAX / NS_PER_SECOND);
    double seconds;
    int failed = json_double(claim_at(jwt, name), &seconds);
    if (failed == -ENOENT)
        return failed;
    if (failed || seconds < 0)
        return -EINVAL;
    *ret_ns = seconds < seconds_max ? (int64_t)(seconds * (double)NS_PER_SECOND) : JWT_NEVER;
    return 0;
}

/* --- opening -------------------------------------------------------------------------------- */

static enum jwt_fault fault_of(int failed) {
    switch (failed) {
    case 0:
        return JWT_FINE;
    case -E2BIG:
        return JWT_TOO_LONG;
    case -ENOTSUP:
        return JWT_UNSUPPORTED;
    case -ENOMEM:
        return JWT_NO_MEMORY;
    default:
        return JWT_MALFORMED;
    }
}

static enum jwt_fault read_claims(struct jwt *jwt, slice payload) {
    size_t len;
    if (base64_decode(BASE64_URL_RAW, payload, jwt->text, base64_decoded_max(payload.len), &len))
        return JWT_MALFORMED;
    int failed = json_parse(&jwt->claims, slice_make(jwt->text, len));
    if (failed)
        return failed == -ENOMEM ? JWT_NO_MEMORY : JWT_MALFORMED;
    if (json_type_of(json_root(&jwt->claims)) != JSON_OBJECT)
        return JWT_MALFORMED;
    failed = json_string(claim_at(jwt, slice_lit("iss")), &jwt->issuer);
    return failed == -ENOMEM ? JWT_NO_MEMORY : JWT_FINE;
}

enum jwt_fault jwt_open(struct jwt_reader *r, slice token, struct jwt **ret_jwt) {
    r->opened = NULL;
    enum jwt_fault fault = fault_of(jws_read(&r->reader, token, &r->jws));
    if (fault)
        return fault;
    size_t room = base64_decoded_max(r->jws.payload.len);
    struct jwt *jwt = mem_alloc(sizeof *jwt + room);
    if (!jwt)
        return JWT_NO_MEMORY;
    *jwt = (struct jwt){.refs = 1, .expires_ns = JWT_NEVER};
    json_init(&jwt->claims);
    jwt->claims.nodes_max = JWT_CLAIM_NODES_MAX;
    jwt->claims.depth_max = JWT_CLAIM_DEPTH_MAX;
    fault = read_claims(jwt, r->jws.payload);
    if (fault) {
        jwt_unref(jwt);
        return fault;
    }
    /* Texts with escapes are decoded into a second copy of the payload when asked for. */
    jwt->bytes = sizeof *jwt + 2 * room + jwt->claims.capacity * NODE_BYTES;
    r->opened = jwt;
    *ret_jwt = jwt;
    return JWT_FINE;
}

/* --- judging -------------------------------------------------------------------------------- */

/* "application/" before a type may be left out, on both sides (RFC 7515, 4.1.9). */
static slice short_type(slice type) {
    slice prefix = slice_lit("application/");
    bool has = slice_equal_nocase(slice_take(type, prefix.len), prefix);
    return has ? slice_skip(type, prefix.len) : type;
}

static bool type_fits(slice type, slice wanted) {
    return !wanted.len || slice_equal_nocase(short_type(type), short_type(wanted));
}

static enum jwt_fault judge_times(struct jwt *jwt, const struct jwt_rules *rules, int64_t now_ns) {
    int64_t leeway_ns = rules->leeway_ns < JWT_NEVER ? (int64_t)rules->leeway_ns : JWT_NEVER;
    int64_t not_before_ns = 0, issued_ns = 0, late_ns, early_ns;
    int expires = read_time(jwt, slice_lit("exp"), &jwt->expires_ns);
    int not_before = read_time(jwt, slice_lit("nbf"), &not_before_ns);
    int issued = read_time(jwt, slice_lit("iat"), &issued_ns);
    if (expires == -EINVAL || not_before == -EINVAL || issued == -EINVAL ||
        (expires == -ENOENT && !rules->expiry_optional))
        return JWT_MALFORMED;
    if (__builtin_sub_overflow(now_ns, leeway_ns, &late_ns))
        late_ns = INT64_MIN;
    if (__builtin_add_overflow(now_ns, leeway_ns, &early_ns))
        early_ns = INT64_MAX;
    if (jwt->expires_ns <= late_ns)
        return JWT_EXPIRED;
    return not_before_ns > early_ns || issued_ns > early_ns ? JWT_NOT_YET : JWT_FINE;
}

static enum jwt_fault judge_signature(const struct jws *jws, const struct jwks *keys) {
    switch (jwks_check(keys, jws->kid, jws->algorithm, jws->signed_part, jws->signature)) {
    case 0:
        return JWT_FINE;
    case -ENOKEY:
        return JWT_KEY_UNKNOWN;
    case -EINVAL:
        return JWT_ALGORITHM;
    case -ENOMEM:
        return JWT_NO_MEMORY;
    default:
        return JWT_SIGNATURE;
    }
}

static bool requirement_holds(struct jwt *jwt, const struct jwt_requirement *r) {
    json_value value = claim_at(jwt, r->path);
    if (r->value_count)
        return is_any(value, r->values, r->value_count);
    bool yes = true;
    enum json_type type = json_type_of(value);
    return type != JSON_ABSENT && type != JSON_NULL && (json_bool(value, &yes) || yes);
}

/* Who the token says its bearer is. It goes to logs and to fields of requests, so it is text. */
static enum jwt_fault name_principal(struct jwt *jwt, const struct jwt_rules *rules) {
    json_value value = claim_or(jwt, rules->principal, slice_lit("sub"));
    slice name = {NULL, 0};
    int failed = json_string(value, &name);
    if (failed == -ENOMEM)
        return JWT_NO_MEMORY;
    if (failed == -EINVAL && json_is_integer(value))
        name = json_source(value);
    else if (failed == -EINVAL)
        return JWT_CLAIM;
    if (name.len > JWT_PRINCIPAL_MAX)
        return JWT_CLAIM;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return JWT_CLAIM;
    jwt->principal = name;
    return JWT_FINE;
}

static enum jwt_fault judge_claims(struct jwt *jwt, const struct jwt_rules *rules) {
    json_value audience = claim_at(jwt, slice_lit("aud"));
    if (rules->issuer.len && !slice_equal(jwt->issuer, rules->issuer))
        return JWT_ISSUER;
    if (rules->audience_count && !is_any(audience, rules->audiences, rules->audience_count))
        return JWT_AUDIENCE;
    for (unsigned i = 0; i < rules->requirement_count; i++)
        if (!requirement_holds(jwt, &rules->requirements[i]))
            return JWT_CLAIM;
    jwt->scope = claim_or(jwt, rules->scope, slice_lit("scope"));
    return name_principal(jwt, rules);
}

enum jwt_fault jwt_check(struct jwt_reader *r, struct jwt *jwt, const struct jwt_rules *rules,
                         const struct jwks *keys, int64_t now_ns) {
    check(jwt == r->opened && !jwt->verified);
    if (!(rules->algorithms & IO_SIGNATURE_BIT(r->jws.algorithm)))
        return JWT_ALGORITHM;
    if (!type_fits(r->jws.type, rules->type))
        return JWT_TYPE;
    enum jwt_fault fault = judge_times(jwt, rules, now_ns);
    if (!fault)
        fault = judge_signature(&r->jws, keys);
    if (!fault)
        fault = judge_claims(jwt, rules);
    jwt->verified = !fault;
    return fault;
}

enum jwt_fault jwt_verify(struct jwt_reader *r, slice token, const struct jwt_rules *rules,
                          const struct jwks *keys, int64_t now_ns, struct jwt **ret_jwt) {
    struct jwt *jwt = NULL;
    enum jwt_fault fault = jwt_open(r, token, &jwt);
    if (!fault)
        fault = jwt_check(r, jwt, rules, keys, now_ns);
    if (fault)
        jwt_unref(jwt);
    else
        *ret_jwt = jwt;
    return fault;
}
