/*
 * fuzz_jwt.c - tokens of strangers, and claims of an issuer who has gone mad.
 *
 * The input is judged twice: as the text of a token, and as claims that are then signed with a
 * secret of the set, so that what lies behind the signature is reached, too. Properties: a text
 * that is read is the only one of its parts (decoded and encoded again it is the same); what is
 * refused leaves nothing behind; what is accepted fulfils the rules, reads the same again, and is
 * refused with any part of it changed.
 */
#include "base/base64.h"
#include "base/buf.h"
#include "io/crypto.h"
#include "rooms/gateway/jwt.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1700000000000000000)
#define LEEWAY UINT64_C(60000000000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define SET                                                                                        \
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"                                             \
    "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"                                            \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"                                                  \
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static const slice audiences[] = {slice_lit("shop"), slice_lit("mall")};
static const struct jwt_requirement requirement = {
    .path = slice_lit("realm.roles"), .values = audiences, .value_count = 2};

/* SALT chooses among the rules. */
static struct jwt_rules rules_of(size_t salt) {
    struct jwt_rules rules = {
        .algorithms = IO_SIGNATURES_HMAC | IO_SIGNATURES_PUBLIC,
        .leeway_ns = LEEWAY,
        .expiry_optional = salt & 1,
        .principal = salt & 2 ? slice_lit("a.b.c") : slice_lit(""),
        .scope = salt & 4 ? slice_lit("scp") : slice_lit(""),
    };
    if (salt & 8)
        rules.audiences = audiences, rules.audience_count = 2;
    if (salt & 16)
        rules.requirements = &requirement, rules.requirement_count = 1;
    if (salt & 32)
        rules.issuer = slice_lit("i");
    return rules;
}

static void append_base64(struct buf *out, slice bytes) {
    check(buf_reserve(out, base64_encoded_len(BASE64_URL_RAW, bytes.len)) == 0);
    out->len += base64_encode(BASE64_URL_RAW, bytes, out->ptr + out->len);
}

static void check_read(slice token) {
    static struct jws_reader reader;
    struct jws jws;
    jws_reader_init(&reader);
    int failed = jws_read(&reader, token, &jws);
    check(failed == 0 || failed == -EINVAL || failed == -E2BIG || failed == -ENOTSUP);
    if (!failed) {
        struct buf again = buf_make(2 * JWS_TOKEN_MAX);
        check(jws.algorithm < IO_SIGNATURES && jws.kid.len <= JWS_KID_MAX);
        check(buf_append(&again, jws.signed_part) == 0 && buf_append_byte(&again, '.') == 0);
        append_base64(&again, jws.signature);
        check(slice_equal(buf_slice(&again), token));
        buf_free(&again);
    }
    jws_reader_free(&reader);
}

static void check_good(struct jwt *jwt, const struct jwt_rules *rules) {
    check(jwt->verified && jwt->refs == 1);
    check(jwt->principal.len <= JWT_PRINCIPAL_MAX);
    for (size_t i = 0; i < jwt->principal.len; i++)
        check((unsigned char)jwt->principal.ptr[i] >= ' ' && jwt->principal.ptr[i] != 0x7f);
    check(jwt->expires_ns > NOW - (int64_t)LEEWAY);
    check(rules->expiry_optional || json_type_of(jwt_claim(jwt, slice_lit("exp"))) == JSON_NUMBER);
    check(!rules->issuer.len || slice_equal(jwt->issuer, rules->issuer));
    check(!rules->audience_count || json_type_of(jwt_claim(jwt, slice_lit("aud"))) != JSON_ABSENT);
    (void)!jwt_has_scope(jwt, slice_lit("read"));
    struct json_iterator i = json_each(json_root(&jwt->claims));
    slice key;
    while (json_next(&i))
        if (json_string(i.key, &key) == 0 && key.len)
            check(json_type_of(jwt_claim(jwt, key)) != JSON_ABSENT);
}

static enum jwt_fault check_verify(struct jwt_reader *reader, slice token,
                                   const struct jwt_rules *rules, const struct jwks *set) {
    struct jwt *jwt = NULL;
    enum jwt_fault fault = jwt_verify(reader, token, rules, set, NOW, &jwt);
    check(fault != JWT_NO_MEMORY && (fault == JWT_FINE) == (jwt != NULL));
    check(jwt_fault_text(fault)[0] != 0);
    if (jwt)
        check_good(jwt, rules);
    jwt_unref(jwt);
    return fault;
}

/* PAYLOAD signed, and then every so often a byte of the token changed. */
static void check_claims(struct jwt_reader *reader, slice payload, const struct jwt_rules *rules,
                         const struct jwks *set) {
    struct buf token = buf_make(2 * JWS_TOKEN_MAX);
    unsigned char digest[32];
    check(buf_append(&token, slice_lit("eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.")) == 0);
    append_base64(&token, payload);
    io_hmac_sha256(slice_lit(SECRET), buf_slice(&token), digest);
    check(buf_append_byte(&token, '.') == 0);
    append_base64(&token, slice_make(digest, sizeof digest));
    enum jwt_fault fault = check_verify(reader, buf_slice(&token), rules, set);
    check(fault != JWT_SIGNATURE && fault != JWT_KEY_UNKNOWN && fault != JWT_ALGORITHM);
    check(check_verify(reader, buf_slice(&token), rules, set) == fault);
    for (size_t at = 0; at < token.len && !fault; at += 1 + token.len / 8) {
        char was = token.ptr[at];
        token.ptr[at] = was == 'A' ? 'B' : 'A';
        check(check_verify(reader, buf_slice(&token), rules, set) != JWT_FINE);
        token.ptr[at] = was;
    }
    buf_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct jwt_reader *reader; /* made once: points cost more to judge than tokens */
    static struct jwks *set;
    struct error error;
    slice input = slice_make(data, size);
    struct jwt_rules rules = rules_of(size);
    if (!set)
        check(jwt_reader_new(&reader) == 0 && jwks_parse(slice_lit(SET), &set, &error) == 0);
    check_read(input);
    (void)!check_verify(reader, input, &rules, set);
    if (size <= JWS_TOKEN_MAX / 2)
        check_claims(reader, input, &rules, set);
    return 0;
}
