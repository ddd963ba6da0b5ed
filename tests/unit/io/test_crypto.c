#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/crypto.h"

#include <string.h>

static void from_hex(const char *text, unsigned char *out) {
    for (size_t i = 0; text[i]; i += 2) {
        unsigned byte = 0;
        for (size_t j = i; j < i + 2; j++)
            byte = byte * 16 + (unsigned)(text[j] <= '9' ? text[j] - '0' : text[j] - 'a' + 10);
        out[i / 2] = (unsigned char)byte;
    }
}

/* RFC 8032, 7.1, test 3. */
static void ed25519_is_rfc_8032(void **state) {
    (void)state;
    unsigned char seed[32], public_key[32], expected_key[32], signature[64], expected[64];
    from_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", seed);
    from_hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", expected_key);
    from_hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
             "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
             expected);
    slice message = slice_lit("\xaf\x82");
    assert_int_equal(io_ed25519_public(seed, public_key), 0);
    assert_memory_equal(public_key, expected_key, 32);
    assert_int_equal(io_ed25519_sign(seed, message, signature), 0);
    assert_memory_equal(signature, expected, 64);
    slice given = slice_make(signature, 64);
    assert_true(io_ed25519_verify(public_key, message, given));
    assert_false(io_ed25519_verify(public_key, slice_lit("\xaf\x83"), given));
    assert_false(io_ed25519_verify(public_key, message, slice_take(given, 63)));
    assert_false(io_ed25519_verify(public_key, message, slice_make(NULL, 0)));
    signature[5] ^= 1;
    assert_false(io_ed25519_verify(public_key, message, given));
    unsigned char nonsense[32];
    memset(nonsense, 0xff, sizeof nonsense);
    assert_false(io_ed25519_verify(nonsense, message, given));
}

static void ed25519_signs_nothing_too(void **state) {
    (void)state;
    unsigned char seed[32] = {7}, public_key[32], signature[64];
    slice nothing = slice_make(NULL, 0);
    assert_int_equal(io_ed25519_public(seed, public_key), 0);
    assert_int_equal(io_ed25519_sign(seed, nothing, signature), 0);
    assert_true(io_ed25519_verify(public_key, nothing, slice_make(signature, 64)));
}

static void sha256_is_fips_180(void **state) {
    (void)state;
    unsigned char digest[32], expected[32];
    from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected);
    io_sha256(slice_lit("abc"), digest);
    assert_memory_equal(digest, expected, 32);
    from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", expected);
    io_sha256(slice_make(NULL, 0), digest);
    assert_memory_equal(digest, expected, 32);
}

static void sha1_is_fips_180(void **state) {
    (void)state;
    unsigned char digest[20], expected[20];
    from_hex("a9993e364706816aba3e25717850c26c9cd0d89d", expected);
    io_sha1(slice_lit("abc"), digest);
    assert_memory_equal(digest, expected, 20);
    from_hex("da39a3ee5e6b4b0d3255bfef95601890afd80709", expected);
    io_sha1(slice_make(NULL, 0), digest);
    assert_memory_equal(digest, expected, 20);
}

static void hmac_is_rfc_4231(void **state) {
    (void)state;
    unsigned char digest[32], expected[32];
    from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected);
    io_hmac_sha256(slice_lit("Jefe"), slice_lit("what do ya want for nothing?"), digest);
    assert_memory_equal(digest, expected, 32);
    io_hmac_sha256(slice_make(NULL, 0), slice_make(NULL, 0), digest);
    from_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", expected);
    assert_memory_equal(digest, expected, 32);
}

/* RFC 1321, A.5; FIPS 180-4's example of one block. */
static void digests_go_by_their_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *digest;
    } cases[] = {
        {"md5", "900150983cd24fb0d6963f7d28e17f72"},
        {"sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
        {"sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                   "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        unsigned char digest[64], expected[64];
        size_t length = io_digest(cases[i].name, slice_lit("abc"), digest);
        assert_int_equal(2 * length, strlen(cases[i].digest));
        from_hex(cases[i].digest, expected);
        assert_memory_equal(digest, expected, length);
    }
    unsigned char none[64];
    assert_int_equal(io_digest("no such digest", slice_lit("abc"), none), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_go_by_their_names), cmocka_unit_test(ed25519_is_rfc_8032),
        cmocka_unit_test(ed25519_signs_nothing_too), cmocka_unit_test(sha256_is_fips_180),
        cmocka_unit_test(sha1_is_fips_180),          cmocka_unit_test(hmac_is_rfc_4231),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
