#include "base/password.h"

#include "base_test.h"

/* Of "U*U", from the published test set of crypt_blowfish, cost 5. */
#define KNOWN_HASH "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static const uint8_t salt[PASSWORD_SALT_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

static void a_published_hash_is_verified(void **state) {
    (void)state;
    assert_int_equal(password_verify(slice_lit("U*U"), slice_lit(KNOWN_HASH)), 0);
    assert_int_equal(password_verify(slice_lit("U*V"), slice_lit(KNOWN_HASH)), -EACCES);
    assert_int_equal(password_verify(slice_lit(""), slice_lit(KNOWN_HASH)), -EACCES);
}

static void all_three_names_of_bcrypt_are_verified(void **state) {
    (void)state;
    char hash[] = KNOWN_HASH;
    hash[2] = 'b';
    assert_int_equal(password_verify(slice_lit("U*U"), slice_str(hash)), 0);
    hash[2] = 'y';
    assert_int_equal(password_verify(slice_lit("U*U"), slice_str(hash)), 0);
    hash[2] = 'x'; /* the old, broken one */
    assert_int_equal(password_verify(slice_lit("U*U"), slice_str(hash)), -EINVAL);
}

static void a_made_hash_verifies_its_password_only(void **state) {
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    assert_int_equal(password_hash(slice_lit("secret"), 4, salt, hash), 0);
    assert_true(password_is_bcrypt(slice_str(hash)));
    assert_int_equal(password_cost(slice_str(hash)), 4);
    assert_memory_equal(hash, "$2b$04$", 7);
    assert_int_equal(password_verify(slice_lit("secret"), slice_str(hash)), 0);
    assert_int_equal(password_verify(slice_lit("secreT"), slice_str(hash)), -EACCES);
    assert_int_equal(password_verify(slice_lit("secret1"), slice_str(hash)), -EACCES);
}

static void what_is_no_bcrypt_hash_is_said_to_be_none(void **state) {
    (void)state;
    static const char *const none[] = {
        "",
        "secret",
        "$2a$05$short",
        "$1$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWx",
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$32$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$0x$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCC:.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
    };
    for (size_t i = 0; i < array_count(none); i++) {
        assert_false(password_is_bcrypt(slice_str(none[i])));
        assert_int_equal(password_verify(slice_lit("x"), slice_str(none[i])), -EINVAL);
    }
    assert_true(password_is_bcrypt(slice_lit(KNOWN_HASH)));
    assert_int_equal(password_cost(slice_lit(KNOWN_HASH)), 5);
}

static void nothing_hides_behind_a_nul_or_the_72nd_byte(void **state) {
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    char longest[PASSWORD_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(password_hash(slice_make(longest, PASSWORD_MAX), 4, salt, hash), 0);
    assert_int_equal(password_verify(slice_make(longest, PASSWORD_MAX), slice_str(hash)), 0);
    assert_int_equal(password_verify(slice_make(longest, PASSWORD_MAX + 1), slice_str(hash)),
                     -EACCES);
    assert_int_equal(password_verify(slice_lit("U*U\0x"), slice_lit(KNOWN_HASH)), -EACCES);
}

static void impossible_hashes_are_refused(void **state) {
    (void)state;
    char hash[PASSWORD_HASH_SIZE] = "untouched";
    char too_long[PASSWORD_MAX + 1];
    memset(too_long, 'a', sizeof too_long);
    assert_int_equal(password_hash(slice_lit(""), 4, salt, hash), -EINVAL);
    assert_int_equal(password_hash(slice_lit("a\0b"), 4, salt, hash), -EINVAL);
    assert_int_equal(password_hash(slice_lit("a"), 3, salt, hash), -EINVAL);
    assert_int_equal(password_hash(slice_lit("a"), 32, salt, hash), -EINVAL);
    assert_int_equal(password_hash(slice_make(too_long, sizeof too_long), 4, salt, hash), -EINVAL);
    assert_string_equal(hash, "untouched");
}

static bool verify_once(void) {
    int rc = password_verify(slice_lit("U*U"), slice_lit(KNOWN_HASH));
    assert_true(rc == 0 || rc == -ENOMEM);
    return rc == 0;
}

static void no_memory_never_lets_anyone_in(void **state) {
    (void)state;
    fail_each_allocation(verify_once);
}

static void plain_secrets_are_compared_whole(void **state) {
    (void)state;
    assert_true(password_equal(slice_lit("s3cr3t"), slice_lit("s3cr3t")));
    assert_false(password_equal(slice_lit("s3cr3t"), slice_lit("s3cr3T")));
    assert_false(password_equal(slice_lit("S3cr3t"), slice_lit("s3cr3t")));
    assert_false(password_equal(slice_lit("s3cr3t"), slice_lit("s3cr3")));
    assert_true(password_equal(slice_make(NULL, 0), slice_lit("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_hash_is_verified),
        cmocka_unit_test(all_three_names_of_bcrypt_are_verified),
        cmocka_unit_test(a_made_hash_verifies_its_password_only),
        cmocka_unit_test(what_is_no_bcrypt_hash_is_said_to_be_none),
        cmocka_unit_test(nothing_hides_behind_a_nul_or_the_72nd_byte),
        cmocka_unit_test(impossible_hashes_are_refused),
        cmocka_unit_test(no_memory_never_lets_anyone_in),
        cmocka_unit_test(plain_secrets_are_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
