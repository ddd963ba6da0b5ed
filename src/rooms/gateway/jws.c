/*
 * jws.c - cuts a token into its parts and reads its header (jws.h).
 *
 * The text is cut at its dots before anything is decoded, so a token of any other number of parts
 * (an encrypted one has five) costs a scan and nothing else.
 */
#include "rooms/gateway/jws.h"

#include <errno.h>

void jws_reader_init(struct jws_reader *r) {
    json_init(&r->header);
    r->header.nodes_max = JWS_HEADER_NODES_MAX;
    r->header.depth_max = JWS_HEADER_DEPTH_MAX;
}

void jws_reader_free(struct jws_reader *r) {
    json_free(&r->header);
    jws_reader_init(r);
}

/* The string FIELD of the header, "" where it has none. */
static int read_text(json_value header, slice field, slice *ret_text) {
    json_value value = json_member(header, field);
    *ret_text = (slice){NULL, 0};
    int failed = json_string(value, ret_text);
    return failed == -ENOENT ? 0 : failed;
}

static int read_header(struct jws_reader *r, slice encoded, struct jws *jws) {
    size_t len;
    if (base64_decode(BASE64_URL_RAW, encoded, r->header_text, sizeof r->header_text, &len))
        return -EINVAL;
    int failed = json_parse(&r->header, slice_make(r->header_text, len));
    if (failed)
        return failed == -ENOMEM ? -ENOMEM : -EINVAL;
    json_value header = json_root(&r->header);
    slice algorithm;
    if (json_type_of(header) != JSON_OBJECT)
        return -EINVAL;
    if (json_type_of(json_member(header, slice_lit("crit"))) != JSON_ABSENT ||
        json_type_of(json_member(header, slice_lit("b64"))) != JSON_ABSENT)
        return -ENOTSUP;
    if ((failed = read_text(header, slice_lit("alg"), &algorithm)) ||
        (failed = read_text(header, slice_lit("kid"), &jws->kid)) ||
        (failed = read_text(header, slice_lit("typ"), &jws->type)))
        return failed;
    if (!algorithm.len || jws->kid.len > JWS_KID_MAX)
        return -EINVAL;
    return io_signature_named(algorithm, &jws->algorithm) ? -ENOTSUP : 0;
}

int jws_read(struct jws_reader *r, slice token, struct jws *ret_jws) {
    if (token.len > JWS_TOKEN_MAX)
        return -E2BIG;
    struct jws jws = {0};
    slice header, rest, signature;
    size_t len;
    header = slice_cut(token, '.', &rest);
    jws.payload = slice_cut(rest, '.', &signature);
    if (!header.len || !signature.len || slice_find(signature, '.') >= 0)
        return -EINVAL;
    if (base64_decode(BASE64_URL_RAW, signature, r->signature, sizeof r->signature, &len))
        return -EINVAL;
    jws.signature = slice_make(r->signature, len);
    jws.signed_part = slice_take(token, header.len + 1 + jws.payload.len);
    int failed = read_header(r, header, &jws);
    if (failed)
        return failed;
    *ret_jws = jws;
    return 0;
}
