#include "rooms/gateway/jwt.h"

#include "base/mem.h"
#include "token_kit.h"

#include <stdio.h>

/* Whether a token is good, for whom, and whose it is. */

#define SECOND INT64_C(1000000000)
#define NOW (1700000000 * SECOND)

static struct jwt_reader *reader;
static struct jwks *keys;
static struct jwt_rules rules;

static int set_up(void **state) {
    (void)state;
    rules = (struct jwt_rules){.algorithms = IO_SIGNATURE_BIT(IO_HS256),
                               .leeway_ns = 60 * SECOND,
                               .expiry_optional = true};
    keys = token_secret_set(slice_lit(""));
    return jwt_reader_new(&reader);
}

static int tear_down(void **state) {
    (void)state;
    reader = jwt_reader_free(reader);
    keys = jwks_unref(keys);
    return 0;
}

/* The token of PAYLOAD, signed; *RET_JWT is NULL where it is refused. */
static enum jwt_fault verify_under(const char *header, const char *payload, struct jwt **ret_jwt) {
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    *ret_jwt = NULL;
    slice text = token_sign(&token, slice_str(header), slice_str(payload));
    return jwt_verify(reader, text, &rules, keys, NOW, ret_jwt);
}

static struct jwt *verify(const char *payload) {
    struct jwt *jwt;
    enum jwt_fault fault = verify_under(HS256_HEADER, payload, &jwt);
    if (fault)
        fail_msg("%s: %s", payload, jwt_fault_text(fault));
    return jwt;
}

static enum jwt_fault fault_of(const char *payload) {
    struct jwt *jwt;
    enum jwt_fault fault = verify_under(HS256_HEADER, payload, &jwt);
    assert_true((fault == JWT_FINE) == (jwt != NULL));
    jwt_unref(jwt);
    return fault;
}

struct case_of {
    const char *payload;
    enum jwt_fault fault;
};
static void assert_faults(const struct case_of *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum jwt_fault fault = fault_of(cases[i].payload);
        if (fault != cases[i].fault)
            fail_msg("%s: %s", cases[i].payload, jwt_fault_text(fault));
    }
}

/* --- what it is ----------------------------------------------------------------------------- */

static void test_a_good_token_tells_whose_it_is(void **state) {
    (void)state;
    struct jwt *jwt = verify("{\"iss\":\"https://id.example\",\"sub\":\"ann\",\"exp\":1700000600,"
                             "\"scope\":\"read write\",\"n\":{\"a\":[1,2]}}");
    assert_true(jwt->verified);
    assert_true(slice_equal(jwt->principal, slice_lit("ann")));
    assert_true(slice_equal(jwt->issuer, slice_lit("https://id.example")));
    assert_true(jwt->expires_ns == 1700000600 * SECOND);
    assert_true(jwt_has_scope(jwt, slice_lit("read")));
    assert_true(jwt_has_scope(jwt, slice_lit("write")));
    assert_false(jwt_has_scope(jwt, slice_lit("writ")));
    assert_false(jwt_has_scope(jwt, slice_lit("read write")));
    assert_false(jwt_has_scope(jwt, slice_lit("")));
    assert_true(slice_equal(json_source(jwt_claim(jwt, slice_lit("n.a"))), slice_lit("[1,2]")));
    assert_true(jwt->bytes > sizeof *jwt);
    assert_ptr_equal(jwt_ref(jwt), jwt);
    assert_null(jwt_unref(jwt));
    assert_true(slice_equal(jwt->principal, slice_lit("ann")));
    assert_null(jwt_unref(jwt));
    assert_null(jwt_unref(NULL));
}

static void test_tokens_of_the_standard_are_good(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    rules.algorithms = IO_SIGNATURES_HMAC | IO_SIGNATURES_PUBLIC;
    for (unsigned i = 0; i < 3; i++) { /* RFC 7515, A.1 to A.3: claims of joe */
        const struct signature_example *e = &signature_examples[i];
        struct jwks *set = token_set(e, "");
        struct jwt *jwt = NULL;
        slice text = token_of(&token, e);
        assert_int_equal(jwt_verify(reader, text, &rules, set, 1300819379 * SECOND, &jwt), 0);
        assert_true(slice_equal(jwt->issuer, slice_lit("joe")));
        assert_int_equal(jwt->principal.len, 0);
        bool root = false;
        json_value claim = jwt_claim(jwt, slice_lit("http://example.com/is_root"));
        assert_int_equal(json_bool(claim, &root), 0);
        assert_true(root);
        jwt_unref(jwt);
        jwt = NULL;
        assert_int_equal(jwt_verify(reader, text, &rules, set, NOW, &jwt), JWT_EXPIRED);
        rules.algorithms &= ~IO_SIGNATURE_BIT(e->algorithm);
        assert_int_equal(jwt_verify(reader, text, &rules, set, 1300819379 * SECOND, &jwt),
                         JWT_ALGORITHM);
        assert_null(jwt);
        jwks_unref(set);
    }
}

static void test_what_is_no_set_of_claims_is_malformed(void **state) {
    (void)state;
    static const char *const payloads[] = {
        "", "[]", "7", "\"sub\"", "null", "{\"sub\":\"a\",\"sub\":\"b\"}", "{\"sub\":\"a\"} x", "{",
    };
    for (unsigned i = 0; i < array_count(payloads); i++)
        assert_int_equal(fault_of(payloads[i]), JWT_MALFORMED);
    char deep[2 * (JWT_CLAIM_DEPTH_MAX + 1) + 8];
    int n = snprintf(deep, sizeof deep, "{\"a\":");
    memset(deep + n, '[', JWT_CLAIM_DEPTH_MAX);
    memset(deep + n + JWT_CLAIM_DEPTH_MAX, ']', JWT_CLAIM_DEPTH_MAX);
    memcpy(deep + n + 2 * JWT_CLAIM_DEPTH_MAX, "}", 2);
    assert_int_equal(fault_of(deep), JWT_MALFORMED);
}

/* The payload is signed as it is written, so it can be anything that is not base64url. */
static void test_a_payload_that_cannot_be_decoded_is_malformed(void **state) {
    (void)state;
    struct jwt *jwt = NULL;
    slice token = slice_lit("eyJhbGciOiJIUzI1NiJ9.e31.AAAA");
    assert_int_equal(jwt_verify(reader, token, &rules, keys, NOW, &jwt), JWT_MALFORMED);
    token = slice_lit("eyJhbGciOiJIUzI1NiJ9.e30=.AAAA");
    assert_int_equal(jwt_verify(reader, token, &rules, keys, NOW, &jwt), JWT_MALFORMED);
    assert_null(jwt);
}

static void test_a_type_may_be_wanted(void **state) {
    (void)state;
    static const struct {
        const char *header;
        enum jwt_fault fault;
    } cases[] = {
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_FINE},
        {"{\"alg\":\"HS256\",\"typ\":\"AT+JWT\"}", JWT_FINE},
        {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_FINE},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", JWT_TYPE},
        {"{\"alg\":\"HS256\",\"typ\":\"\"}", JWT_TYPE},
        {"{\"alg\":\"HS256\"}", JWT_TYPE},
    };
    rules.type = slice_lit("at+jwt");
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct jwt *jwt;
        assert_int_equal(verify_under(cases[i].header, "{}", &jwt), cases[i].fault);
        jwt_unref(jwt);
    }
}

/* --- signatures ----------------------------------------------------------------------------- */

static void test_a_token_that_is_not_genuine_is_refused(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    struct jwt *jwt = NULL;
    jwks_unref(keys);
    keys = token_secret_set(slice_lit("a"));
    slice header = slice_lit("{\"alg\":\"HS256\",\"kid\":\"a\"}");
    slice other = slice_lit("{\"alg\":\"HS256\",\"kid\":\"b\"}");
    slice strange = slice_lit("{\"alg\":\"RS256\",\"kid\":\"a\"}");
    slice payload = slice_lit("{\"sub\":\"ann\"}");
    slice text = token_sign(&token, header, payload);
    token.ptr[token.len - 10] ^= 1;
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_SIGNATURE);
    text = token_sign(&token, other, payload);
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_KEY_UNKNOWN);
    text = token_sign(&token, strange, payload);
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_ALGORITHM);
    rules.algorithms |= IO_SIGNATURE_BIT(IO_RS256);
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_ALGORITHM);
    text = token_forge(&token, slice_lit("{\"alg\":\"none\"}"), payload, slice_lit("AAAA"));
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_UNSUPPORTED);
    text = token_forge(&token, slice_lit("{\"alg\":\"none\"}"), payload, slice_lit(""));
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_MALFORMED);
    assert_null(jwt);
}

/* Who has no key cannot ask around what would be accepted. */
static void test_claims_of_a_forged_token_are_not_told_apart(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    static const slice audience = slice_lit("shop");
    static const struct jwt_requirement requirement = {.path = slice_lit("role")};
    rules.issuer = slice_lit("https://id.example");
    rules.audiences = &audience;
    rules.audience_count = 1;
    rules.requirements = &requirement;
    rules.requirement_count = 1;
    static const char *const payloads[] = {
        "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"role\":1}",
        "{\"iss\":\"https://id.example\",\"aud\":\"mall\",\"role\":1}",
        "{\"iss\":\"https://other.example\",\"aud\":\"shop\",\"role\":1}",
        "{\"iss\":\"https://id.example\",\"aud\":\"shop\"}",
        "{\"sub\":7.5}",
    };
    for (unsigned i = 0; i < array_count(payloads); i++) {
        struct jwt *jwt = NULL;
        slice text =
            token_forge(&token, slice_lit(HS256_HEADER), slice_str(payloads[i]), slice_lit("AAAA"));
        assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), JWT_KEY_UNKNOWN);
        assert_null(jwt);
    }
}

/* The issuer is known before anything is verified, to choose whose keys to use. */
static void test_an_opened_token_is_not_verified(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    struct jwt *jwt = NULL;
    slice text = token_sign(&token, slice_lit(HS256_HEADER), slice_lit("{\"iss\":\"\\u0061\"}"));
    assert_int_equal(jwt_open(reader, text, &jwt), JWT_FINE);
    assert_true(slice_equal(jwt->issuer, slice_lit("a")));
    assert_false(jwt->verified);
    rules.issuer = slice_lit("b");
    assert_int_equal(jwt_check(reader, jwt, &rules, keys, NOW), JWT_ISSUER);
    assert_false(jwt->verified);
    rules.issuer = slice_lit("a");
    assert_int_equal(jwt_check(reader, jwt, &rules, keys, NOW), JWT_FINE);
    assert_true(jwt->verified);
    jwt_unref(jwt);
}

/* --- times ---------------------------------------------------------------------------------- */

static void test_times_are_held_with_leeway(void **state) {
    (void)state;
    static const struct case_of cases[] = {
        {"{\"exp\":1700000001}", JWT_FINE},
        {"{\"exp\":1700000000}", JWT_FINE},
        {"{\"exp\":1699999941}", JWT_FINE},
        {"{\"exp\":1699999940.5}", JWT_FINE},
        {"{\"exp\":1699999940}", JWT_EXPIRED},
        {"{\"exp\":0}", JWT_EXPIRED},
        {"{\"exp\":1e30}", JWT_FINE},
        {"{\"exp\":18446744073709551616}", JWT_FINE},
        {"{\"nbf\":1700000060}", JWT_FINE},
        {"{\"nbf\":1700000061}", JWT_NOT_YET},
        {"{\"nbf\":1e30}", JWT_NOT_YET},
        {"{\"iat\":1700000060}", JWT_FINE},
        {"{\"iat\":1700000061}", JWT_NOT_YET},
        {"{\"iat\":1,\"nbf\":2,\"exp\":1700000600}", JWT_FINE},
        {"{\"exp\":-1}", JWT_MALFORMED},
        {"{\"exp\":-1e400}", JWT_MALFORMED},
        {"{\"exp\":1e400}", JWT_MALFORMED},
        {"{\"exp\":\"1700000600\"}", JWT_MALFORMED},
        {"{\"exp\":null}", JWT_MALFORMED},
        {"{\"exp\":[1700000600]}", JWT_MALFORMED},
        {"{\"nbf\":\"0\"}", JWT_MALFORMED},
        {"{\"iat\":true}", JWT_MALFORMED},
    };
    assert_faults(cases, array_count(cases));
}

static void test_without_an_expiry_a_token_is_refused_unless_allowed(void **state) {
    (void)state;
    rules.expiry_optional = false;
    assert_int_equal(fault_of("{\"sub\":\"ann\"}"), JWT_MALFORMED);
    assert_int_equal(fault_of("{\"sub\":\"ann\",\"exp\":1700000001}"), JWT_FINE);
    rules.expiry_optional = true;
    struct jwt *jwt = verify("{\"sub\":\"ann\"}");
    assert_true(jwt->expires_ns == JWT_NEVER);
    jwt_unref(jwt);
}

static void test_any_leeway_is_allowed(void **state) {
    (void)state;
    rules.leeway_ns = 0;
    assert_int_equal(fault_of("{\"exp\":1700000000}"), JWT_EXPIRED);
    assert_int_equal(fault_of("{\"exp\":1700000000.001}"), JWT_FINE);
    assert_int_equal(fault_of("{\"nbf\":1700000000}"), JWT_FINE);
    assert_int_equal(fault_of("{\"nbf\":1700000000.001}"), JWT_NOT_YET);
    rules.leeway_ns = UINT64_MAX;
    assert_int_equal(fault_of("{\"exp\":1,\"nbf\":9000000000,\"iat\":9000000000}"), JWT_FINE);
}

/* --- whom it is for ------------------------------------------------------------------------- */

static void test_the_issuer_must_be_the_one(void **state) {
    (void)state;
    static const struct case_of cases[] = {
        {"{\"iss\":\"https://id.example\"}", JWT_FINE},
        {"{\"iss\":\"https:\\/\\/id.example\"}", JWT_FINE},
        {"{\"iss\":\"https://id.example/\"}", JWT_ISSUER},
        {"{\"iss\":\"https://ID.example\"}", JWT_ISSUER},
        {"{\"iss\":[\"https://id.example\"]}", JWT_ISSUER},
        {"{\"iss\":null}", JWT_ISSUER},
        {"{}", JWT_ISSUER},
    };
    rules.issuer = slice_lit("https://id.example");
    assert_faults(cases, array_count(cases));
}

static void test_the_audience_must_hold_one_of_ours(void **state) {
    (void)state;
    static const struct case_of cases[] = {
        {"{\"aud\":\"shop\"}", JWT_FINE},
        {"{\"aud\":\"mall\"}", JWT_FINE},
        {"{\"aud\":[\"other\",\"mall\"]}", JWT_FINE},
        {"{\"aud\":[]}", JWT_AUDIENCE},
        {"{\"aud\":\"other\"}", JWT_AUDIENCE},
        {"{\"aud\":\"shop mall\"}", JWT_AUDIENCE},
        {"{\"aud\":[[\"shop\"]]}", JWT_AUDIENCE},
        {"{\"aud\":{\"shop\":\"shop\"}}", JWT_AUDIENCE},
        {"{\"aud\":null}", JWT_AUDIENCE},
        {"{}", JWT_AUDIENCE},
    };
    static const slice audiences[] = {slice_lit("shop"), slice_lit("mall")};
    rules.audiences = audiences;
    rules.audience_count = array_count(audiences);
    assert_faults(cases, array_count(cases));
    rules.audience_count = 0;
    assert_int_equal(fault_of("{\"aud\":\"other\"}"), JWT_FINE);
}

static void test_claims_may_be_required(void **state) {
    (void)state;
    static const struct case_of cases[] = {
        {"{\"realm\":{\"roles\":[\"user\",\"admin\"]},\"mfa\":true}", JWT_FINE},
        {"{\"realm\":{\"roles\":\"owner\"},\"mfa\":\"yes\"}", JWT_FINE},
        {"{\"realm.roles\":[\"admin\"],\"mfa\":1}", JWT_FINE},
        {"{\"realm\":{\"roles\":[\"user\"]},\"mfa\":true}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":\"user admin\"},\"mfa\":true}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":{\"admin\":\"admin\"}},\"mfa\":true}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":[]},\"mfa\":true}", JWT_CLAIM},
        {"{\"realm\":\"admin\",\"mfa\":true}", JWT_CLAIM},
        {"{\"roles\":[\"admin\"],\"mfa\":true}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":\"admin\"},\"mfa\":false}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":\"admin\"},\"mfa\":null}", JWT_CLAIM},
        {"{\"realm\":{\"roles\":\"admin\"}}", JWT_CLAIM},
    };
    static const slice roles[] = {slice_lit("admin"), slice_lit("owner")};
    static const struct jwt_requirement requirements[] = {
        {.path = slice_lit("realm.roles"), .values = roles, .value_count = array_count(roles)},
        {.path = slice_lit("mfa")},
    };
    rules.requirements = requirements;
    rules.requirement_count = array_count(requirements);
    assert_faults(cases, array_count(cases));
}

static void test_numbers_and_booleans_are_compared_as_written(void **state) {
    (void)state;
    static const slice values[] = {slice_lit("7"), slice_lit("true")};
    static const struct jwt_requirement requirement = {
        .path = slice_lit("x"), .values = values, .value_count = array_count(values)};
    static const struct case_of cases[] = {
        {"{\"x\":7}", JWT_FINE},     {"{\"x\":\"7\"}", JWT_FINE},  {"{\"x\":true}", JWT_FINE},
        {"{\"x\":[0,7]}", JWT_FINE}, {"{\"x\":7.0}", JWT_CLAIM},   {"{\"x\":false}", JWT_CLAIM},
        {"{\"x\":null}", JWT_CLAIM}, {"{\"x\":[[7]]}", JWT_CLAIM},
    };
    rules.requirements = &requirement;
    rules.requirement_count = 1;
    assert_faults(cases, array_count(cases));
}

/* --- reading claims ------------------------------------------------------------------------- */

static void test_paths_descend_and_keys_may_hold_dots(void **state) {
    (void)state;
    struct jwt *jwt = verify("{\"a\":{\"b\":{\"c\":1},\"b.c\":2},\"https://x.example/roles\":3,"
                             "\"https://x.example/claims\":{\"role\":4},\"\":5,\"a.d\":6}");
    static const struct {
        const char *path, *source;
    } cases[] = {
        {"a.b.c", "2"},
        {"a.b", "{\"c\":1}"},
        {"a.d", "6"},
        {"https://x.example/roles", "3"},
        {"https://x.example/claims.role", "4"},
        {"https://x.example/claims.other", ""},
        {"a.b.c.d", ""},
        {"a.x", ""},
        {"x", ""},
        {".", "5"}, /* the empty key is one, too */
        {"..", ""},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        slice source = json_source(jwt_claim(jwt, slice_str(cases[i].path)));
        if (!slice_equal(source, slice_str(cases[i].source)))
            fail_msg("%s: %.*s", cases[i].path, slice_fmt(source));
    }
    jwt_unref(jwt);
}

static void test_the_principal_is_a_name(void **state) {
    (void)state;
    static const struct {
        const char *payload, *name; /* NULL: refused */
    } cases[] = {
        {"{\"sub\":\"ann\"}", "ann"},
        {"{\"sub\":\"J\\u00f6rg \\\"J\\\"\"}", "J\xc3\xb6rg \"J\""},
        {"{\"sub\":4711}", "4711"},
        {"{\"sub\":\"\"}", ""},
        {"{}", ""},
        {"{\"sub\":1.5}", NULL},
        {"{\"sub\":true}", NULL},
        {"{\"sub\":null}", NULL},
        {"{\"sub\":[\"ann\"]}", NULL},
        {"{\"sub\":\"ann\\r\\nX-Admin: yes\"}", NULL},
        {"{\"sub\":\"ann\\u0000\"}", NULL},
        {"{\"sub\":\"ann\\u007f\"}", NULL},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        if (!cases[i].name) {
            assert_int_equal(fault_of(cases[i].payload), JWT_CLAIM);
            continue;
        }
        struct jwt *jwt = verify(cases[i].payload);
        assert_true(slice_equal(jwt->principal, slice_str(cases[i].name)));
        jwt_unref(jwt);
    }
    char payload[JWT_PRINCIPAL_MAX + 32];
    snprintf(payload, sizeof payload, "{\"sub\":\"%0*d\"}", (int)JWT_PRINCIPAL_MAX, 0);
    assert_int_equal(fault_of(payload), JWT_FINE);
    snprintf(payload, sizeof payload, "{\"sub\":\"%0*d\"}", (int)JWT_PRINCIPAL_MAX + 1, 0);
    assert_int_equal(fault_of(payload), JWT_CLAIM);
}

static void test_principal_and_scope_may_be_other_claims(void **state) {
    (void)state;
    rules.principal = slice_lit("user.email");
    rules.scope = slice_lit("scp");
    struct jwt *jwt = verify("{\"sub\":\"7\",\"user\":{\"email\":\"ann@x.example\"},"
                             "\"scope\":\"admin\",\"scp\":[\"read\",\"a b\"]}");
    assert_true(slice_equal(jwt->principal, slice_lit("ann@x.example")));
    assert_true(jwt_has_scope(jwt, slice_lit("read")));
    assert_true(jwt_has_scope(jwt, slice_lit("a b")));
    assert_false(jwt_has_scope(jwt, slice_lit("a")));
    assert_false(jwt_has_scope(jwt, slice_lit("admin")));
    jwt_unref(jwt);
    jwt = verify("{\"scp\":{\"read\":true}}");
    assert_false(jwt_has_scope(jwt, slice_lit("read")));
    jwt_unref(jwt);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void test_rules_that_say_nothing_allow_nothing(void **state) {
    (void)state;
    rules = (struct jwt_rules){0};
    assert_int_equal(fault_of("{\"exp\":1700000600}"), JWT_ALGORITHM);
}

/* error_description (RFC 6750): no quotes, no backslash, nothing outside of ASCII. */
static void test_every_fault_has_words_fit_for_a_header(void **state) {
    (void)state;
    for (enum jwt_fault fault = JWT_FINE; fault <= JWT_NO_MEMORY; fault++) {
        const char *text = jwt_fault_text(fault);
        assert_true(text[0] != 0);
        for (; *text; text++)
            assert_true(*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\');
    }
}

static void test_without_memory_a_token_is_not_judged(void **state) {
    (void)state;
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX);
    slice text = token_sign(&token, slice_lit("{\"alg\":\"HS256\",\"kid\":\"\\u0061\"}"),
                            slice_lit("{\"iss\":\"\\u0061\",\"sub\":\"\\u0061\"}"));
    for (unsigned long i = 1;; i++) {
        struct jwt *jwt = NULL;
        struct jwt_reader *fresh = NULL;
        mem_fail_at(i, true);
        bool made = jwt_reader_new(&fresh) == 0;
        enum jwt_fault fault =
            made ? jwt_verify(fresh, text, &rules, keys, NOW, &jwt) : JWT_NO_MEMORY;
        mem_fail_at(0, false);
        assert_true((fault == JWT_FINE) == (jwt != NULL));
        jwt_unref(jwt);
        jwt_reader_free(fresh);
        if (!fault) {
            assert_true(i > 5);
            return;
        }
        assert_int_equal(fault, JWT_NO_MEMORY);
    }
}

#define jwt_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        jwt_test(test_a_good_token_tells_whose_it_is),
        jwt_test(test_tokens_of_the_standard_are_good),
        jwt_test(test_what_is_no_set_of_claims_is_malformed),
        jwt_test(test_a_payload_that_cannot_be_decoded_is_malformed),
        jwt_test(test_a_type_may_be_wanted),
        jwt_test(test_a_token_that_is_not_genuine_is_refused),
        jwt_test(test_claims_of_a_forged_token_are_not_told_apart),
        jwt_test(test_an_opened_token_is_not_verified),
        jwt_test(test_times_are_held_with_leeway),
        jwt_test(test_without_an_expiry_a_token_is_refused_unless_allowed),
        jwt_test(test_any_leeway_is_allowed),
        jwt_test(test_the_issuer_must_be_the_one),
        jwt_test(test_the_audience_must_hold_one_of_ours),
        jwt_test(test_claims_may_be_required),
        jwt_test(test_numbers_and_booleans_are_compared_as_written),
        jwt_test(test_paths_descend_and_keys_may_hold_dots),
        jwt_test(test_the_principal_is_a_name),
        jwt_test(test_principal_and_scope_may_be_other_claims),
        jwt_test(test_rules_that_say_nothing_allow_nothing),
        jwt_test(test_every_fault_has_words_fit_for_a_header),
        jwt_test(test_without_memory_a_token_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
