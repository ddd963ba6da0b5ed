/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "rooms/gateway/api_keys.h"

#include <errno.h>
#include <stdio.h>

/* Keys of the config, found by what a client sends. */

#define NOW INT64_C(1700000000000000000)
#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct hash_key hash_key = {1, 2};

static struct api_keys *make(const struct api_key_given *keys, unsigned count) {
    struct api_keys *set = NULL;
    unsigned number;
    struct error error;
    if (api_keys_create(hash_key, keys, count, &set, &number, &error))
        fail_msg("key %u: %s", number, error.message);
    return set;
}

static int find(const struct api_keys *set, const char *sent, const struct api_key **ret_key) {
    *ret_key = NULL;
    return api_keys_find(set, slice_str(sent), NOW, ret_key);
}

static void test_a_key_is_found_by_its_secret(void **state) {
    (void)state;
    static const slice rights[] = {slice_lit("read"), slice_lit("write")};
    const struct api_key_given given[] = {
        {.name = slice_lit("ann"),
         .secret = slice_lit("ann-key"),
         .expires_ns = API_KEY_NEVER,
         .rights = rights,
         .right_count = 2},
        {.name = slice_lit("bob"),
         .secret = slice_lit("sha256:" SHA256_OF_ABC),
         .expires_ns = API_KEY_NEVER},
    };
    struct api_keys *set = make(given, 2);
    const struct api_key *key;
    assert_int_equal(api_keys_count(set), 2);
    assert_int_equal(find(set, "ann-key", &key), 0);
    assert_true(slice_equal(key->name, slice_lit("ann")));
    assert_true(api_key_has_right(key, slice_lit("read")));
    assert_true(api_key_has_right(key, slice_lit("write")));
    assert_false(api_key_has_right(key, slice_lit("")));
    assert_false(api_key_has_right(key, slice_lit("wri")));
    assert_int_equal(find(set, "abc", &key), 0);
    assert_true(slice_equal(key->name, slice_lit("bob")));
    assert_int_equal(key->right_count, 0);
    assert_false(api_key_has_right(key, slice_lit("read")));
    api_keys_unref(set);
}

static void test_nothing_else_is_a_key(void **state) {
    (void)state;
    const struct api_key_given given[] = {
        {.name = slice_lit("ann"), .secret = slice_lit("ann-key"), .expires_ns = API_KEY_NEVER},
        {.name = slice_lit("bob"),
         .secret = slice_lit("sha256:" SHA256_OF_ABC),
         .expires_ns = API_KEY_NEVER},
    };
    static const char *const others[] = {
        "", "ann", "ann-key ", "Ann-key", "ann-ke", ("sha256:" SHA256_OF_ABC), SHA256_OF_ABC, "ab",
    };
    struct api_keys *set = make(given, 2), *empty = make(NULL, 0);
    const struct api_key *key;
    for (unsigned i = 0; i < array_count(others); i++) {
        assert_int_equal(find(set, others[i], &key), -EACCES);
        assert_int_equal(find(empty, others[i], &key), -EACCES);
        assert_null(key);
    }
    static const char long_key[API_KEY_BYTES_MAX + 1] = "k";
    assert_int_equal(api_keys_find(set, slice_make(long_key, sizeof long_key), NOW, &key), -EACCES);
    api_keys_unref(set);
    api_keys_unref(empty);
}

static void test_a_key_expires(void **state) {
    (void)state;
    const struct api_key_given given[] = {
        {.name = slice_lit("a"), .secret = slice_lit("past"), .expires_ns = NOW - 1},
        {.name = slice_lit("b"), .secret = slice_lit("now"), .expires_ns = NOW},
        {.name = slice_lit("c"), .secret = slice_lit("soon"), .expires_ns = NOW + 1},
    };
    struct api_keys *set = make(given, 3);
    const struct api_key *key;
    assert_int_equal(find(set, "past", &key), -EKEYEXPIRED);
    assert_int_equal(find(set, "now", &key), -EKEYEXPIRED);
    assert_null(key);
    assert_int_equal(find(set, "soon", &key), 0);
    api_keys_unref(set);
}

/* So that the new key can be handed out before the old one ends. */
static void test_keys_may_share_a_name_but_not_a_secret(void **state) {
    (void)state;
    struct api_key_given given[] = {
        {.name = slice_lit("ann"), .secret = slice_lit("old"), .expires_ns = API_KEY_NEVER},
        {.name = slice_lit("ann"), .secret = slice_lit("abc"), .expires_ns = API_KEY_NEVER},
    };
    struct api_keys *set = make(given, 2);
    const struct api_key *key;
    assert_int_equal(find(set, "old", &key), 0);
    assert_int_equal(find(set, "abc", &key), 0);
    assert_true(slice_equal(key->name, slice_lit("ann")));
    api_keys_unref(set);
    given[0].secret = slice_lit("sha256:" SHA256_OF_ABC);
    unsigned number = 0;
    struct error error;
    set = NULL;
    assert_int_equal(api_keys_create(hash_key, given, 2, &set, &number, &error), -EEXIST);
    assert_int_equal(number, 1);
    assert_null(set);
}

static void test_what_cannot_be_a_key_is_refused_with_words(void **state) {
    (void)state;
    static const char long_text[API_KEY_BYTES_MAX + 1] = "k";
    const struct api_key_given cases[] = {
        {.name = slice_lit(""), .secret = slice_lit("key")},
        {.name = {long_text, API_KEY_NAME_MAX + 1}, .secret = slice_lit("key")},
        {.name = slice_lit("a"), .secret = slice_lit("")},
        {.name = slice_lit("a"), .secret = {long_text, sizeof long_text}},
        {.name = slice_lit("a"), .secret = slice_lit("sha256:")},
        {.name = slice_lit("a"), .secret = slice_lit("sha256:ba7816bf")},
        {.name = slice_lit("a"), .secret = slice_lit("sha256:" SHA256_OF_ABC "00")},
        {.name = slice_lit("a"),
         .secret = slice_lit("sha256:xa7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad")},
        {.name = slice_lit("a"), .secret = slice_lit("key"), .right_count = API_KEY_RIGHTS_MAX + 1},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct api_keys *set = NULL;
        unsigned number = 7;
        struct error error = {0};
        assert_int_equal(api_keys_create(hash_key, &cases[i], 1, &set, &number, &error), -EINVAL);
        assert_int_equal(number, 0);
        assert_true(error.message[0] != 0);
        assert_null(set);
    }
    struct api_keys *set = NULL;
    unsigned number;
    struct error error;
    assert_int_equal(api_keys_create(hash_key, cases, API_KEYS_MAX + 1, &set, &number, &error),
                     -E2BIG);
}

static void test_the_set_has_its_own_copies(void **state) {
    (void)state;
    char name[] = "ann", secret[] = "key", right[] = "read";
    slice rights[] = {slice_str(right)};
    const struct api_key_given given = {slice_str(name), slice_str(secret), API_KEY_NEVER, rights,
                                        1};
    struct api_keys *set = make(&given, 1);
    name[0] = secret[0] = right[0] = 'x';
    rights[0] = (slice){NULL, 0};
    const struct api_key *key;
    assert_ptr_equal(api_keys_ref(set), set);
    assert_null(api_keys_unref(set));
    assert_int_equal(find(set, "key", &key), 0);
    assert_true(slice_equal(key->name, slice_lit("ann")));
    assert_true(api_key_has_right(key, slice_lit("read")));
    assert_null(api_keys_unref(set));
    assert_null(api_keys_unref(NULL));
}

static void test_many_keys_are_found(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static char secrets[COUNT][16];
    static struct api_key_given given[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(secrets[i], sizeof secrets[i], "key-%u", i);
        given[i] = (struct api_key_given){
            .name = slice_str(secrets[i]), .secret = slice_str(secrets[i]), .expires_ns = NOW + 1};
    }
    struct api_keys *set = make(given, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const struct api_key *key;
        assert_int_equal(find(set, secrets[i], &key), 0);
        assert_true(slice_equal(key->name, given[i].name));
    }
    api_keys_unref(set);
}

static void test_without_memory_there_is_no_set(void **state) {
    (void)state;
    static const slice rights[] = {slice_lit("read")};
    const struct api_key_given given = {slice_lit("ann"), slice_lit("key"), API_KEY_NEVER, rights,
                                        1};
    unsigned long i = 0;
    int failed;
    do {
        struct api_keys *set = NULL;
        unsigned number;
        struct error error;
        mem_fail_at(++i, true);
        failed = api_keys_create(hash_key, &given, 1, &set, &number, &error);
        mem_fail_at(0, false);
        assert_true(failed ? failed == -ENOMEM && !set : set != NULL);
        api_keys_unref(set);
    } while (failed);
    assert_true(i > 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_found_by_its_secret),
        cmocka_unit_test(test_nothing_else_is_a_key),
        cmocka_unit_test(test_a_key_expires),
        cmocka_unit_test(test_keys_may_share_a_name_but_not_a_secret),
        cmocka_unit_test(test_what_cannot_be_a_key_is_refused_with_words),
        cmocka_unit_test(test_the_set_has_its_own_copies),
        cmocka_unit_test(test_many_keys_are_found),
        cmocka_unit_test(test_without_memory_there_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
