#include "rooms/gateway/jwks.h"

#include "base/mem.h"
#include "rooms/gateway/jws.h"
#include "token_kit.h"

/* Which keys of a set are taken, and which of them checks a token. */

static int parse(const char *text, struct jwks **ret_set, struct error *error) {
    *ret_set = NULL;
    *error = (struct error){0};
    return jwks_parse(slice_str(text), ret_set, error);
}

static int check_example(const struct jwks *set, const char *kid,
                         const struct signature_example *e) {
    unsigned char bytes[IO_SIGNATURE_BYTES_MAX];
    slice signature = signature_bytes(e->signature, bytes, sizeof bytes);
    return jwks_check(set, slice_str(kid), e->algorithm, slice_str(e->signed_part), signature);
}

/* A set of the keys of COUNT examples, each with fields of its own. */
struct member {
    unsigned example;
    const char *more;
};
static struct jwks *set_of(const struct member *members, unsigned count) {
    _cleanup_buf_ struct buf text = buf_make(TOKEN_TEXT_MAX);
    struct jwks *set = NULL;
    struct error error;
    assert_int_equal(buf_append(&text, slice_lit("{\"keys\":[")), 0);
    for (unsigned i = 0; i < count; i++) {
        if (i)
            assert_int_equal(buf_append_byte(&text, ','), 0);
        token_jwk(&text, &signature_examples[members[i].example], members[i].more);
    }
    assert_int_equal(buf_append(&text, slice_lit("]}")), 0);
    assert_int_equal(jwks_parse(buf_slice(&text), &set, &error), 0);
    return set;
}

static void test_keys_of_every_kind_check_what_others_signed(void **state) {
    (void)state;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        struct jwks *set = token_set(e, "");
        const char *reason;
        assert_int_equal(jwks_count(set), 1);
        assert_int_equal(jwks_skipped(set, &reason), 0);
        assert_string_equal(reason, "");
        assert_true(jwks_signatures(set) & IO_SIGNATURE_BIT(e->algorithm));
        assert_int_equal(check_example(set, "", e), 0);
        jwks_unref(set);
    }
}

/* Fields beside the key's numbers: taken, or skipped with a word about why. */
static void test_keys_for_other_ends_are_skipped(void **state) {
    (void)state;
    static const struct {
        const char *more, *word; /* NULL: taken */
    } cases[] = {
        {"\"use\":\"sig\",", NULL},
        {"\"key_ops\":[\"verify\"],", NULL},
        {"\"key_ops\":[\"sign\",\"verify\"],\"use\":\"sig\",", NULL},
        {"\"alg\":\"ES256\",", NULL},
        {"\"kid\":\"\",", NULL},
        {"\"x5c\":[\"AAAA\"],\"x5t\":7,\"other\":{},", NULL},
        {"\"use\":\"enc\",", "use"},
        {"\"use\":null,", "use"},
        {"\"use\":[\"sig\"],", "use"},
        {"\"key_ops\":[\"sign\"],", "key_ops"},
        {"\"key_ops\":[],", "key_ops"},
        {"\"key_ops\":\"verify\",", "key_ops"},
        {"\"alg\":\"ES384\",", "alg"},
        {"\"alg\":\"HS256\",", "alg"},
        {"\"alg\":\"ECDH-ES\",", "alg"},
        {"\"alg\":\"none\",", "alg"},
        {"\"alg\":7,", "alg"},
        {"\"kid\":7,", "kid"},
        {"\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\",", "private"},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        const struct member members[] = {{2, cases[i].more}, {1, "\"kid\":\"other\","}};
        struct jwks *set = set_of(members, 2);
        const char *reason;
        bool taken = !cases[i].word;
        assert_int_equal(jwks_skipped(set, &reason), taken ? 0 : 1);
        if (!taken && (!strstr(reason, cases[i].word) || !strstr(reason, "key 0")))
            fail_msg("'%s' does not say '%s'", reason, cases[i].word);
        assert_int_equal(jwks_count(set), taken ? 2 : 1);
        assert_int_equal(check_example(set, "", &signature_examples[2]), taken ? 0 : -ENOKEY);
        jwks_unref(set);
    }
}

static void test_keys_that_are_none_are_skipped(void **state) {
    (void)state;
    static const struct {
        const char *key, *word;
    } cases[] = {
        {"{}", "kty"},
        {"7", "no object"},
        {"{\"kty\":7}", "kty"},
        {"{\"kty\":\"XYZ\"}", "XYZ"},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "'n'"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "'e'"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "bits"},
        {"{\"kty\":\"RSA\",\"n\":\"A+/B\",\"e\":\"AQAB\"}", "'n'"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "coordinate"},
        {"{\"kty\":\"EC\",\"crv\":\"P-255\",\"x\":\"AA\",\"y\":\"AA\"}", "P-255"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}", "'y'"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}", "X25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}", "32 bytes"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         "protects nothing"},
        {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", "secret"},
        {"{\"kty\":\"oct\"}", "'k'"},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        _cleanup_buf_ struct buf text = buf_make(TOKEN_TEXT_MAX);
        struct jwks *set;
        struct error error;
        assert_int_equal(buf_printf(&text, "{\"keys\":[%s]}", cases[i].key), 0);
        assert_int_equal(parse(buf_text(&text), &set, &error), -ENOKEY);
        assert_null(set);
        if (!strstr(error.message, cases[i].word))
            fail_msg("'%s' does not say '%s'", error.message, cases[i].word);
    }
}

static void test_what_is_no_set_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int answer;
    } cases[] = {
        {"", -EINVAL},
        {"<html>", -EINVAL},
        {"[]", -EINVAL},
        {"{}", -EINVAL},
        {"{\"keys\":{}}", -EINVAL},
        {"{\"keys\":null}", -EINVAL},
        {"{\"keys\":[],\"keys\":[]}", -EINVAL},
        {"{\"keys\":[]}", -ENOKEY},
        {"{\"keys\":[null,7,[]]}", -ENOKEY},
    };
    struct jwks *set;
    struct error error;
    for (unsigned i = 0; i < array_count(cases); i++) {
        assert_int_equal(parse(cases[i].text, &set, &error), cases[i].answer);
        assert_null(set);
        assert_true(error.message[0] != 0);
    }
}

static void test_a_set_has_bounds(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = buf_make(2 * JWKS_TEXT_MAX);
    struct jwks *set;
    struct error error;
    for (unsigned count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
        buf_clear(&text);
        assert_int_equal(buf_printf(&text, "{\"keys\":["), 0);
        for (unsigned i = 0; i < count; i++) {
            if (i)
                assert_int_equal(buf_append_byte(&text, ','), 0);
            token_jwk(&text, &signature_examples[8], "");
        }
        assert_int_equal(buf_printf(&text, "]}"), 0);
        assert_int_equal(parse(buf_text(&text), &set, &error), count > JWKS_KEYS_MAX ? -E2BIG : 0);
        jwks_unref(set);
    }
    while (text.len <= JWKS_TEXT_MAX)
        assert_int_equal(buf_append_byte(&text, ' '), 0);
    assert_int_equal(parse(buf_text(&text), &set, &error), -E2BIG);
}

/* --- which key ------------------------------------------------------------------------------ */

static void test_a_kid_chooses_the_key(void **state) {
    (void)state;
    static const struct member members[] = {
        {2, "\"kid\":\"ec\","}, {1, "\"kid\":\"rsa\","}, {4, "\"kid\":\"rsa-2\","}};
    struct jwks *set = set_of(members, 3);
    assert_int_equal(check_example(set, "ec", &signature_examples[2]), 0);
    assert_int_equal(check_example(set, "rsa", &signature_examples[1]), 0);
    assert_int_equal(check_example(set, "rsa-2", &signature_examples[4]), 0);
    assert_int_equal(check_example(set, "rsa-2", &signature_examples[5]), 0); /* PS384, same key */
    assert_int_equal(check_example(set, "rsa", &signature_examples[4]), -EBADMSG);
    assert_int_equal(check_example(set, "ec", &signature_examples[1]), -EINVAL);
    assert_int_equal(check_example(set, "rsa", &signature_examples[2]), -EINVAL);
    assert_int_equal(check_example(set, "new", &signature_examples[2]), -ENOKEY);
    assert_int_equal(check_example(set, "EC", &signature_examples[2]), -ENOKEY);
    jwks_unref(set);
}

static void test_without_a_kid_every_key_of_the_algorithm_is_tried(void **state) {
    (void)state;
    static const struct member members[] = {
        {2, "\"kid\":\"ec\","}, {1, "\"kid\":\"rsa\","}, {4, "\"kid\":\"rsa-2\","}};
    struct jwks *set = set_of(members, 3);
    assert_int_equal(check_example(set, "", &signature_examples[2]), 0);
    assert_int_equal(check_example(set, "", &signature_examples[1]), 0);
    assert_int_equal(check_example(set, "", &signature_examples[4]), 0);
    assert_int_equal(check_example(set, "", &signature_examples[0]), -ENOKEY);
    struct signature_example forged = signature_examples[2];
    forged.signed_part = "eyJhbGciOiJFUzI1NiJ9.e30";
    assert_int_equal(check_example(set, "", &forged), -ENOKEY);
    jwks_unref(set);
}

static void test_a_key_without_a_kid_is_tried_for_any_token(void **state) {
    (void)state;
    static const struct member members[] = {{2, ""}, {1, "\"kid\":\"rsa\","}, {4, ""}};
    struct jwks *set = set_of(members, 3);
    assert_int_equal(check_example(set, "whatever", &signature_examples[2]), 0);
    assert_int_equal(check_example(set, "rsa", &signature_examples[4]), 0);
    assert_int_equal(check_example(set, "rsa", &signature_examples[1]), 0);
    assert_int_equal(check_example(set, "whatever", &signature_examples[1]), -ENOKEY);
    assert_int_equal(check_example(set, "whatever", &signature_examples[3]), -ENOKEY);
    jwks_unref(set);
}

static void test_two_kinds_may_share_a_kid(void **state) {
    (void)state;
    static const struct member members[] = {
        {2, "\"kid\":\"a\","}, {1, "\"kid\":\"a\","}, {8, "\"kid\":\"a\","}};
    struct jwks *set = set_of(members, 3);
    assert_int_equal(check_example(set, "a", &signature_examples[2]), 0);
    assert_int_equal(check_example(set, "a", &signature_examples[1]), 0);
    assert_int_equal(check_example(set, "a", &signature_examples[8]), 0);
    assert_int_equal(check_example(set, "a", &signature_examples[4]), -EBADMSG);
    assert_int_equal(check_example(set, "a", &signature_examples[3]), -EINVAL);
    jwks_unref(set);
}

/* The algorithm of a key narrows what its kind could do: an issuer that says PS256 means it. */
static void test_a_key_with_an_algorithm_does_nothing_else(void **state) {
    (void)state;
    struct jwks *set = token_set(&signature_examples[4], "\"alg\":\"PS384\",\"kid\":\"a\",");
    assert_int_equal(jwks_signatures(set), IO_SIGNATURE_BIT(IO_PS384));
    assert_int_equal(check_example(set, "a", &signature_examples[5]), 0);
    assert_int_equal(check_example(set, "a", &signature_examples[4]), -EINVAL);
    jwks_unref(set);
}

static void test_only_so_many_keys_are_tried(void **state) {
    (void)state;
    struct member members[JWKS_TRIES_MAX + 2];
    for (unsigned i = 0; i < array_count(members); i++)
        members[i] = (struct member){1, ""};
    members[JWKS_TRIES_MAX - 1] = (struct member){4, ""};
    struct jwks *set = set_of(members, array_count(members));
    assert_int_equal(check_example(set, "", &signature_examples[4]), 0);
    jwks_unref(set);
    members[JWKS_TRIES_MAX - 1] = (struct member){1, ""};
    members[JWKS_TRIES_MAX] = (struct member){4, ""};
    set = set_of(members, array_count(members));
    assert_int_equal(check_example(set, "", &signature_examples[4]), -ENOKEY);
    jwks_unref(set);
    /* A name finds its key wherever it stands. */
    members[JWKS_TRIES_MAX + 1] = (struct member){4, "\"kid\":\"last\","};
    set = set_of(members, array_count(members));
    assert_int_equal(check_example(set, "last", &signature_examples[4]), 0);
    jwks_unref(set);
}

/* The attack on libraries that take whatever key they find for whatever algorithm: a token signed
   by HMAC with the text of the public key as the secret. */
static void test_a_public_key_is_no_secret(void **state) {
    (void)state;
    static const struct member members[] = {{1, "\"kid\":\"rsa\","}, {2, ""}};
    struct jwks *set = set_of(members, 2);
    for (enum io_signature a = IO_HS256; a <= IO_HS512; a++) {
        struct signature_example forged = signature_examples[0];
        forged.algorithm = a;
        assert_int_equal(check_example(set, "rsa", &forged), -EINVAL);
        assert_int_equal(check_example(set, "", &forged), -ENOKEY);
    }
    jwks_unref(set);
}

/* --- the set -------------------------------------------------------------------------------- */

static void test_sets_of_the_same_text_are_equal(void **state) {
    (void)state;
    struct jwks *a = token_set(&signature_examples[1], ""),
                *b = token_set(&signature_examples[1], "");
    struct jwks *c = token_set(&signature_examples[1], "\"kid\":\"a\",");
    struct jwks *d = token_secret_set(slice_lit("")), *e = token_secret_set(slice_lit(""));
    assert_true(jwks_equal(a, a));
    assert_true(jwks_equal(a, b));
    assert_false(jwks_equal(a, c));
    assert_true(jwks_equal(d, d));
    assert_false(jwks_equal(d, e));
    assert_false(jwks_equal(a, d));
    struct jwks *const sets[] = {a, b, c, d, e};
    for (unsigned i = 0; i < array_count(sets); i++)
        assert_null(jwks_unref(sets[i]));
    assert_null(jwks_unref(NULL));
}

static void test_a_counted_set_lives_on(void **state) {
    (void)state;
    struct jwks *set = token_set(&signature_examples[8], "");
    assert_ptr_equal(jwks_ref(set), set);
    jwks_unref(set);
    assert_int_equal(check_example(set, "", &signature_examples[8]), 0);
    jwks_unref(set);
}

static void test_keys_of_the_config(void **state) {
    (void)state;
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                              "-----END PUBLIC KEY-----\n";
    char long_kid[JWS_KID_MAX + 1] = "k";
    struct jwks_given given[] = {{.kid = slice_lit("mac"), .secret = token_secret},
                                 {.pem = slice_str(pem)}};
    struct jwks *set = NULL;
    unsigned number = 7;
    struct error error;
    assert_int_equal(jwks_create(given, 2, &set, &number, &error), 0);
    assert_int_equal(jwks_count(set), 2);
    assert_int_equal(check_example(set, "any", &signature_examples[8]), 0);
    assert_int_equal(check_example(set, "mac", &signature_examples[0]), -EBADMSG);
    jwks_unref(set);
    set = NULL;
    given[1].secret = token_secret; /* both */
    assert_int_equal(jwks_create(given, 2, &set, &number, &error), -EINVAL);
    assert_int_equal(number, 1);
    given[1] = (struct jwks_given){.kid = slice_lit("neither")};
    assert_int_equal(jwks_create(given, 2, &set, &number, &error), -EINVAL);
    given[1] = (struct jwks_given){.secret = slice_lit("short")};
    assert_int_equal(jwks_create(given, 2, &set, &number, &error), -EINVAL);
    given[1] = (struct jwks_given){.kid = {long_kid, sizeof long_kid}, .secret = token_secret};
    assert_int_equal(jwks_create(given, 2, &set, &number, &error), -EINVAL);
    assert_int_equal(jwks_create(given, JWKS_KEYS_MAX + 1, &set, &number, &error), -E2BIG);
    assert_null(set);
}

static void test_without_memory_there_is_no_set(void **state) {
    (void)state;
    const char *text = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"\\u0061\",\"x\":"
                       "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    unsigned long before = mem_attempts();
    struct jwks *set;
    struct error error;
    assert_int_equal(parse(text, &set, &error), 0);
    jwks_unref(set);
    unsigned long sites = mem_attempts() - before;
    assert_true(sites >= 4);
    for (unsigned long i = 1; i <= sites; i++) {
        mem_fail_at(i, false);
        assert_int_equal(parse(text, &set, &error), -ENOMEM);
        mem_fail_at(0, false);
        assert_null(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_every_kind_check_what_others_signed),
        cmocka_unit_test(test_keys_for_other_ends_are_skipped),
        cmocka_unit_test(test_keys_that_are_none_are_skipped),
        cmocka_unit_test(test_what_is_no_set_is_refused),
        cmocka_unit_test(test_a_set_has_bounds),
        cmocka_unit_test(test_a_kid_chooses_the_key),
        cmocka_unit_test(test_without_a_kid_every_key_of_the_algorithm_is_tried),
        cmocka_unit_test(test_a_key_without_a_kid_is_tried_for_any_token),
        cmocka_unit_test(test_two_kinds_may_share_a_kid),
        cmocka_unit_test(test_a_key_with_an_algorithm_does_nothing_else),
        cmocka_unit_test(test_only_so_many_keys_are_tried),
        cmocka_unit_test(test_a_public_key_is_no_secret),
        cmocka_unit_test(test_sets_of_the_same_text_are_equal),
        cmocka_unit_test(test_a_counted_set_lives_on),
        cmocka_unit_test(test_keys_of_the_config),
        cmocka_unit_test(test_without_memory_there_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
