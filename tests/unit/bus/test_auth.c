#include "bus_kit.h"

#include "base/base32.h"
#include "base/base64.h"
#include "base/crc16.h"
#include "base/password.h"
#include "bus/auth.h"
#include "io/crypto.h"

/* Who may come in, and which subjects they may use. Rules as nats-server's. */

static struct auth *make(const struct auth_user *users, unsigned count) {
    struct auth *auth = NULL;
    struct error error;
    assert_int_equal(auth_create(users, count, &auth, &error), 0);
    return auth;
}

static bool lets_in(struct auth *auth, const struct auth_login *login) {
    struct principal *principal = NULL;
    int failed = auth_check(auth, login, &principal);
    principal_unref(principal);
    return failed == 0;
}

/* --- logging in ---------------------------------------------------------------------------------
 */

static void test_without_users_everybody_comes_in_with_all_rights(void **state) {
    (void)state;
    struct auth *auth = make(NULL, 0);
    struct principal *p;
    assert_false(auth_required(auth));
    assert_int_equal(auth_check(auth, &(struct auth_login){.user = slice_lit("x")}, &p), 0);
    assert_true(principal_unlimited(p));
    assert_true(principal_may_publish(p, slice_lit("any.thing")));
    assert_true(principal_may_subscribe(p, slice_lit(">"), (slice){0}));
    assert_int_equal(principal_name(p).len, 0);
    principal_unref(p);
    auth_unref(auth);
}

static void test_users_are_found_by_name_without_a_login(void **state) {
    (void)state;
    struct auth_user users[] = {
        {.user = slice_lit("zoe"), .password = slice_lit("1")},
        {.user = slice_lit("ann"), .password = slice_lit("2")},
        {.token = slice_lit("nameless")},
        {.user = slice_lit("bob"), .password = slice_lit("3")},
    };
    struct auth *auth = make(users, array_count(users));
    static const char *const names[] = {"ann", "bob", "zoe"};
    for (unsigned i = 0; i < array_count(names); i++) {
        struct principal *p = auth_principal_of(auth, slice_str(names[i]));
        assert_non_null(p);
        assert_true(slice_equal(principal_name(p), slice_str(names[i])));
        principal_unref(p);
    }
    static const char *const others[] = {"", "an", "annn", "nameless", "0", "zz"};
    for (unsigned i = 0; i < array_count(others); i++)
        assert_null(auth_principal_of(auth, slice_str(others[i])));
    auth_unref(auth);
    auth = make(NULL, 0);
    assert_null(auth_principal_of(auth, slice_lit("ann")));
    auth_unref(auth);
}

static void test_passwords_and_tokens_must_be_right(void **state) {
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    static const uint8_t salt[PASSWORD_SALT_SIZE] = {1, 2, 3};
    assert_int_equal(password_hash(slice_lit("hidden"), PASSWORD_COST_MIN, salt, hash), 0);
    struct auth_user users[] = {
        {.user = slice_lit("ann"), .password = slice_lit("secret")},
        {.user = slice_lit("bob"), .password = slice_str(hash)},
        {.token = slice_lit("token")},
    };
    struct auth *auth = make(users, array_count(users));
    static const struct {
        struct auth_login login;
        bool in;
    } cases[] = {
        {{.user = {"ann", 3}, .password = {"secret", 6}}, true},
        {{.user = {"ann", 3}, .password = {"Secret", 6}}, false},
        {{.user = {"ann", 3}}, false},
        {{.user = {"bob", 3}, .password = {"hidden", 6}}, true},
        {{.user = {"bob", 3}, .password = {"secret", 6}}, false},
        {{.user = {"eve", 3}, .password = {"secret", 6}}, false},
        {{.token = {"token", 5}}, true},
        {{.token = {"tokem", 5}}, false},
        {{.password = {"token", 5}}, false},
        {{.jwt = {"eyJ", 3}}, false},
        {{.user = {NULL, 0}}, false},
    };
    assert_true(auth_required(auth));
    assert_false(auth_uses_nkeys(auth));
    for (unsigned i = 0; i < array_count(cases); i++)
        assert_int_equal(lets_in(auth, &cases[i].login), cases[i].in);
    auth_unref(auth);
}

/* A user's nkey of SEED, NUL-terminated. */
static void make_nkey(const unsigned char seed[32], char *ret_text) {
    unsigned char bytes[35] = {20 << 3};
    assert_int_equal(io_ed25519_public(seed, bytes + 1), 0);
    uint16_t crc = crc16_update(0, bytes, 33);
    bytes[33] = (unsigned char)(crc & 0xff);
    bytes[34] = (unsigned char)(crc >> 8);
    ret_text[base32_encode(slice_make(bytes, sizeof bytes), ret_text)] = 0;
}

static void test_nkeys_sign_the_nonce(void **state) {
    (void)state;
    static const unsigned char seed[32] = "0123456789abcdef0123456789abcde", other[32] = "x";
    char key[64], text[128];
    unsigned char signature[64];
    make_nkey(seed, key);
    assert_int_equal(strlen(key), 56);
    struct auth_user user = {.nkey = slice_str(key)};
    struct auth *auth = make(&user, 1);
    assert_true(auth_uses_nkeys(auth));
    slice nonce = slice_lit("a-nonce-of-some-length");
    static const enum base64_form forms[] = {BASE64_URL_RAW, BASE64_STANDARD, BASE64_URL,
                                             BASE64_STANDARD_RAW};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(io_ed25519_sign(i < 4 ? seed : other, nonce, signature), 0);
        size_t len = base64_encode(forms[i % 4], slice_make(signature, sizeof signature), text);
        struct auth_login login = {
            .nkey = slice_str(key), .signature = slice_make(text, len), .nonce = nonce};
        assert_int_equal(lets_in(auth, &login), i < 4);
        login.nonce = slice_lit("another-nonce");
        assert_false(lets_in(auth, &login));
        login.signature = slice_lit("!");
        assert_false(lets_in(auth, &login));
    }
    auth_unref(auth);
}

static void test_what_is_no_nkey_is_refused_with_words(void **state) {
    (void)state;
    static const unsigned char seed[32] = "seed";
    char key[64];
    make_nkey(seed, key);
    for (unsigned i = 0; i < 57; i += 8) {
        char bad[64];
        snprintf(bad, sizeof bad, "%s", key);
        if (i < 56)
            bad[i] = bad[i] == 'A' ? 'B' : 'A';
        else
            bad[55] = 0;
        struct auth_user user = {.nkey = slice_str(bad)};
        struct auth *auth;
        struct error error = {0};
        assert_int_equal(auth_create(&user, 1, &auth, &error), -EINVAL);
        assert_non_null(strstr(error.message, bad));
        assert_true(error.hint[0] != 0);
    }
}

/* --- rights --------------------------------------------------------------------------------------
 */

static struct auth_subjects list(const slice *subjects, unsigned count) {
    return (struct auth_subjects){subjects, count};
}

static struct principal *login_ann(struct auth *auth) {
    struct principal *p = NULL;
    struct auth_login login = {.user = slice_lit("ann"), .password = slice_lit("p")};
    assert_int_equal(auth_check(auth, &login, &p), 0);
    return p;
}

static void test_publish_rights_deny_wins(void **state) {
    (void)state;
    static const slice allow[] = {{"a.>", 3}, {"b", 1}}, deny[] = {{"a.secret.*", 10}};
    struct auth_user user = {.user = slice_lit("ann"),
                             .password = slice_lit("p"),
                             .publish_allow = list(allow, 2),
                             .publish_deny = list(deny, 1),
                             .limits_publish = true};
    struct auth *auth = make(&user, 1);
    struct principal *p = login_ann(auth);
    assert_false(principal_unlimited(p));
    assert_true(principal_may_publish(p, slice_lit("a.x")));
    assert_true(principal_may_publish(p, slice_lit("b")));
    assert_false(principal_may_publish(p, slice_lit("c")));
    assert_false(principal_may_publish(p, slice_lit("a.secret.x")));
    assert_true(principal_may_publish(p, slice_lit("a.secret.x.y")));
    assert_true(principal_may_subscribe(p, slice_lit("c"), (slice){0}));
    principal_unref(p);
    auth_unref(auth);
}

static void test_an_empty_allow_list_allows_nothing(void **state) {
    (void)state;
    struct auth_user user = {.user = slice_lit("ann"),
                             .password = slice_lit("p"),
                             .limits_publish = true,
                             .limits_subscribe = true};
    struct auth *auth = make(&user, 1);
    struct principal *p = login_ann(auth);
    assert_false(principal_may_publish(p, slice_lit("a")));
    assert_false(principal_may_subscribe(p, slice_lit("a"), (slice){0}));
    principal_unref(p);
    auth_unref(auth);
}

static void test_subscriptions_must_lie_inside_what_is_allowed(void **state) {
    (void)state;
    static const slice allow[] = {{"a.>", 3}, {"w q.*", 5}, {"_INBOX.>", 8}};
    static const slice deny[] = {{"a.secret", 8}};
    struct auth_user user = {.user = slice_lit("ann"),
                             .password = slice_lit("p"),
                             .subscribe_allow = list(allow, 3),
                             .subscribe_deny = list(deny, 1),
                             .limits_subscribe = true};
    struct auth *auth = make(&user, 1);
    struct principal *p = login_ann(auth);
    assert_true(principal_may_subscribe(p, slice_lit("a.*"), (slice){0}));
    assert_true(principal_may_subscribe(p, slice_lit("a.b.>"), slice_lit("any")));
    assert_false(principal_may_subscribe(p, slice_lit(">"), (slice){0}));
    assert_false(principal_may_subscribe(p, slice_lit("*.b"), (slice){0}));
    assert_false(principal_may_subscribe(p, slice_lit("a.secret"), (slice){0}));
    assert_true(principal_may_subscribe(p, slice_lit("w"), slice_lit("q.1")));
    assert_false(principal_may_subscribe(p, slice_lit("w"), slice_lit("r")));
    assert_false(principal_may_subscribe(p, slice_lit("w"), (slice){0}));
    /* One that only overlaps what is denied is filtered, message by message. */
    assert_true(principal_filters(p, slice_lit("a.*")));
    assert_false(principal_filters(p, slice_lit("a.b")));
    assert_false(principal_may_receive(p, slice_lit("a.secret")));
    assert_true(principal_may_receive(p, slice_lit("a.open")));
    principal_unref(p);
    auth_unref(auth);
}

static void test_a_principal_outlives_its_set_and_knows_whether_it_is_still_in(void **state) {
    (void)state;
    static const slice allow[] = {{"a.>", 3}};
    struct auth_user before[] = {{.user = slice_lit("bob"), .password = slice_lit("x")},
                                 {.user = slice_lit("ann"),
                                  .password = slice_lit("p"),
                                  .publish_allow = list(allow, 1),
                                  .limits_publish = true}};
    struct auth *old = make(before, 2), *same = make(before + 1, 1);
    struct principal *p = login_ann(old);
    old = auth_unref(old);
    assert_slice(principal_name(p), "ann");
    assert_true(principal_may_publish(p, slice_lit("a.b")));
    assert_slice(principal_describe(p).publish_allow.subjects[0], "a.>");
    assert_true(principal_still_in(p, same));
    struct auth_user other = before[1];
    other.password = slice_lit("q");
    struct auth *secret = make(&other, 1);
    assert_false(principal_still_in(p, secret));
    other = before[1];
    other.limits_publish = false;
    struct auth *rights = make(&other, 1), *nobody = make(NULL, 0);
    assert_false(principal_still_in(p, rights));
    assert_false(principal_still_in(p, nobody));
    principal_unref(p);
    auth_unref(same);
    auth_unref(secret);
    auth_unref(rights);
    auth_unref(nobody);
}

static void test_each_failed_allocation_is_an_answer(void **state) {
    (void)state;
    static const slice subjects[] = {{"a.>", 3}, {"b", 1}};
    struct auth_user users[] = {{.user = slice_lit("ann"),
                                 .password = slice_lit("p"),
                                 .publish_allow = list(subjects, 2),
                                 .publish_deny = list(subjects, 1),
                                 .subscribe_allow = list(subjects, 2),
                                 .subscribe_deny = list(subjects, 1)},
                                {.token = slice_lit("t")}};
    int failed = -ENOMEM;
    unsigned long nth = 0;
    while (failed) {
        struct auth *auth = NULL;
        mem_fail_at(++nth, false);
        failed = auth_create(users, 2, &auth, NULL);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_true(nth < 100);
        auth_unref(auth);
    }
    assert_true(nth > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_users_everybody_comes_in_with_all_rights),
        cmocka_unit_test(test_users_are_found_by_name_without_a_login),
        cmocka_unit_test(test_passwords_and_tokens_must_be_right),
        cmocka_unit_test(test_nkeys_sign_the_nonce),
        cmocka_unit_test(test_what_is_no_nkey_is_refused_with_words),
        cmocka_unit_test(test_publish_rights_deny_wins),
        cmocka_unit_test(test_an_empty_allow_list_allows_nothing),
        cmocka_unit_test(test_subscriptions_must_lie_inside_what_is_allowed),
        cmocka_unit_test(test_a_principal_outlives_its_set_and_knows_whether_it_is_still_in),
        cmocka_unit_test(test_each_failed_allocation_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
