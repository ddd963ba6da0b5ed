#include "token_kit.h"

#include "base/base64.h"
#include "io/crypto.h"

const slice token_secret = slice_lit("0123456789abcdef0123456789abcdef");

static void append(struct buf *out, slice bytes) {
    assert_int_equal(buf_append(out, bytes), 0);
}

static void append_base64(struct buf *out, slice bytes) {
    assert_int_equal(buf_reserve(out, base64_encoded_len(BASE64_URL_RAW, bytes.len)), 0);
    out->len += base64_encode(BASE64_URL_RAW, bytes, out->ptr + out->len);
}

slice token_forge(struct buf *out, slice header, slice payload, slice signature) {
    buf_clear(out);
    append_base64(out, header);
    append(out, slice_lit("."));
    append_base64(out, payload);
    append(out, slice_lit("."));
    append(out, signature);
    return buf_slice(out);
}

slice token_sign(struct buf *out, slice header, slice payload) {
    unsigned char digest[32];
    slice unsigned_token = token_forge(out, header, payload, (slice){NULL, 0});
    io_hmac_sha256(token_secret, slice_take(unsigned_token, unsigned_token.len - 1), digest);
    append_base64(out, slice_make(digest, sizeof digest));
    return buf_slice(out);
}

slice token_of(struct buf *out, const struct signature_example *e) {
    buf_clear(out);
    assert_int_equal(buf_printf(out, "%s.%s", e->signed_part, e->signature), 0);
    return buf_slice(out);
}

slice token_jwk(struct buf *out, const struct signature_example *e, const char *more) {
    bool rsa = strcmp(e->kty, "RSA") == 0, secret = strcmp(e->kty, "oct") == 0;
    int failed = buf_printf(out, "{%s\"kty\":\"%s\",\"%s\":\"%s\"", more, e->kty,
                            rsa      ? "n"
                            : secret ? "k"
                                     : "x",
                            e->first);
    if (!failed && e->second)
        failed = buf_printf(out, ",\"%s\":\"%s\"", rsa ? "e" : "y", e->second);
    if (!failed && e->crv)
        failed = buf_printf(out, ",\"crv\":\"%s\"", e->crv);
    assert_int_equal(failed, 0);
    append(out, slice_lit("}"));
    return buf_slice(out);
}

struct jwks *token_set(const struct signature_example *e, const char *more) {
    _cleanup_buf_ struct buf text = buf_make(TOKEN_TEXT_MAX);
    struct jwks *set = NULL;
    struct error error = {0};
    append(&text, slice_lit("{\"keys\":["));
    token_jwk(&text, e, more);
    append(&text, slice_lit("]}"));
    if (jwks_parse(buf_slice(&text), &set, &error))
        fail_msg("%s: %s", e->name, error.message);
    return set;
}

struct jwks *token_secret_set(slice kid) {
    struct jwks_given given = {.kid = kid, .secret = token_secret};
    struct jwks *set = NULL;
    unsigned number;
    struct error error;
    assert_int_equal(jwks_create(&given, 1, &set, &number, &error), 0);
    return set;
}
