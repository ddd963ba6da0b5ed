#include "rooms/gateway/jws.h"

#include "token_kit.h"

/* Which texts are tokens, and what is heard of a header. */

static struct jws_reader reader;

static int set_up(void **state) {
    (void)state;
    jws_reader_init(&reader);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    jws_reader_free(&reader);
    return 0;
}

/* The answer to a token with HEADER and a signature of three bytes. */
static int read_header(const char *header, struct jws *ret_jws) {
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    token_forge(&token, slice_str(header), slice_lit("{}"), slice_lit("AAAA"));
    return jws_read(&reader, buf_slice(&token), ret_jws);
}

static void test_a_token_is_cut_into_its_parts(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        unsigned char bytes[IO_SIGNATURE_BYTES_MAX];
        struct jws jws;
        assert_int_equal(jws_read(&reader, token_of(&token, e), &jws), 0);
        assert_int_equal(jws.algorithm, e->algorithm);
        assert_true(slice_equal(jws.signed_part, slice_str(e->signed_part)));
        assert_true(slice_equal(jws.payload, slice_str(strchr(e->signed_part, '.') + 1)));
        assert_true(slice_equal(jws.signature, signature_bytes(e->signature, bytes, sizeof bytes)));
    }
}

static void test_of_the_header_three_fields_are_heard(void **state) {
    (void)state;
    struct jws jws;
    assert_int_equal(read_header("{\"alg\":\"ES256\",\"kid\":\"a\\u0062\",\"typ\":\"JWT\"}", &jws),
                     0);
    assert_int_equal(jws.algorithm, IO_ES256);
    assert_true(slice_equal(jws.kid, slice_lit("ab")));
    assert_true(slice_equal(jws.type, slice_lit("JWT")));
    assert_int_equal(read_header("{\"alg\":\"EdDSA\",\"jku\":\"https://evil.example/\",\"jwk\":{},"
                                 "\"x5c\":[\"AA\"],\"x5u\":1,\"x\":[[]]}",
                                 &jws),
                     0);
    assert_int_equal(jws.algorithm, IO_EDDSA);
    assert_int_equal(jws.kid.len, 0);
    assert_int_equal(jws.type.len, 0);
}

static void test_what_a_header_may_not_ask_for(void **state) {
    (void)state;
    static const struct {
        const char *header;
        int answer;
    } cases[] = {
        {"{\"alg\":\"none\"}", -ENOTSUP},
        {"{\"alg\":\"NONE\"}", -ENOTSUP},
        {"{\"alg\":\"rs256\"}", -ENOTSUP},
        {"{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}", -ENOTSUP},
        {"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}", -ENOTSUP},
        {"{\"alg\":\"ES256\",\"crit\":[]}", -ENOTSUP},
        {"{\"alg\":\"ES256\",\"crit\":null}", -ENOTSUP},
        {"{\"alg\":\"ES256\",\"b64\":true}", -ENOTSUP},
        {"{\"alg\":\"ES256\",\"\\u0063rit\":[\"exp\"]}", -ENOTSUP},
        {"{}", -EINVAL},
        {"{\"alg\":\"\"}", -EINVAL},
        {"{\"alg\":null}", -EINVAL},
        {"{\"alg\":7}", -EINVAL},
        {"{\"alg\":[\"ES256\"]}", -EINVAL},
        {"{\"alg\":\"ES256\",\"alg\":\"HS256\"}", -EINVAL},
        {"{\"alg\":\"ES256\",\"kid\":7}", -EINVAL},
        {"{\"alg\":\"ES256\",\"kid\":null}", -EINVAL},
        {"{\"alg\":\"ES256\",\"typ\":{}}", -EINVAL},
        {"[\"ES256\"]", -EINVAL},
        {"\"ES256\"", -EINVAL},
        {"ES256", -EINVAL},
        {"{\"alg\":\"ES256\"}x", -EINVAL},
        {"{\"alg\":\"ES256\",\"x\":[[[[[[[[[]]]]]]]]]}", -EINVAL},
    };
    struct jws jws = {.algorithm = IO_SIGNATURES};
    for (unsigned i = 0; i < array_count(cases); i++)
        if (read_header(cases[i].header, &jws) != cases[i].answer)
            fail_msg("%s", cases[i].header);
    assert_int_equal(jws.algorithm, IO_SIGNATURES); /* untouched */
}

static void test_the_compact_form_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *token;
        int answer;
    } cases[] = {
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAAA", 0},
        {"eyJhbGciOiJFUzI1NiJ9..AAAA", 0}, /* an empty payload is a JWS, if no JWT */
        {"", -EINVAL},
        {".", -EINVAL},
        {"..", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.", -EINVAL},
        {"eyJhbGciOiJub25lIn0.e30.", -EINVAL},
        {".e30.AAAA", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAAA.", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAAA.AAAA.AAAA", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAA=", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAB", -EINVAL}, /* unused bits */
        {"eyJhbGciOiJFUzI1NiJ9.e30.A", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA+A", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA AA", -EINVAL},
        {" eyJhbGciOiJFUzI1NiJ9.e30.AAAA", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AAAA\n", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ9=.e30.AAAA", -EINVAL},
        {"eyJhbGciOiJFUzI1NiJ-.e30.AAAA", -EINVAL},
    };
    struct jws jws;
    for (unsigned i = 0; i < array_count(cases); i++)
        if (jws_read(&reader, slice_str(cases[i].token), &jws) != cases[i].answer)
            fail_msg("%s", cases[i].token);
}

static void test_sizes_have_bounds(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX), header = buf_make(TOKEN_TEXT_MAX);
    struct jws jws;
    slice head = slice_lit("eyJhbGciOiJFUzI1NiJ9."), end = slice_lit(".AAAA");
    for (size_t len = JWS_TOKEN_MAX; len <= JWS_TOKEN_MAX + 1; len++) {
        buf_clear(&token);
        assert_int_equal(buf_append(&token, head), 0);
        while (token.len + end.len < len)
            assert_int_equal(buf_append_byte(&token, 'A'), 0);
        assert_int_equal(buf_append(&token, end), 0);
        assert_int_equal(jws_read(&reader, buf_slice(&token), &jws),
                         len > JWS_TOKEN_MAX ? -E2BIG : 0);
    }
    for (unsigned len = JWS_KID_MAX; len <= JWS_KID_MAX + 1; len++) {
        buf_clear(&header);
        assert_int_equal(buf_printf(&header, "{\"alg\":\"ES256\",\"kid\":\"%0*d\"}", (int)len, 0),
                         0);
        assert_int_equal(read_header(buf_text(&header), &jws), len > JWS_KID_MAX ? -EINVAL : 0);
    }
    /* A signature longer than any algorithm's. */
    buf_clear(&token);
    assert_int_equal(buf_append(&token, slice_lit("eyJhbGciOiJFUzI1NiJ9.e30.")), 0);
    for (unsigned i = 0; i < (IO_SIGNATURE_BYTES_MAX / 3 + 1) * 4; i++)
        assert_int_equal(buf_append_byte(&token, 'A'), 0);
    assert_int_equal(jws_read(&reader, buf_slice(&token), &jws), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_token_is_cut_into_its_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_the_header_three_fields_are_heard, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_header_may_not_ask_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_compact_form_is_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sizes_have_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
