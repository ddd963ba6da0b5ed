#include "base/hash.h"

#include "base_test.h"

/* The key and inputs of the published vectors: 00 01 02 ... */
static const struct hash_key counting_key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static slice counting_bytes(size_t len) {
    static char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    return slice_make(bytes, len);
}

static void sip24_gives_the_published_vectors(void **state) {
    (void)state;
    static const uint64_t expected[] = {
        0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
        0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
        0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
        0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
    };
    for (size_t len = 0; len < array_count(expected); len++)
        assert_int_equal(hash_slice_sip24(&counting_key, counting_bytes(len)), expected[len]);
}

/* SipHash-1-3 with the zero key, as CPython computes hash(bytes) with PYTHONHASHSEED=0. */
static void sip13_agrees_with_another_implementation(void **state) {
    (void)state;
    const struct hash_key zero = {0, 0};
    static const struct {
        size_t len;
        uint64_t hash;
    } expected[] = {
        {1, 0x68a914128e01e473u},  {7, 0x2f098ab0c751325au},  {8, 0xead411e67ebe2eeau},
        {9, 0x75927f9d95124362u},  {15, 0xf30eb725bb91c9eau}, {16, 0x8972188433a5c5b7u},
        {17, 0x4883c49a2c009c1du}, {31, 0x169739443111d49bu}, {63, 0x385d3e39e5f37359u},
    };
    for (size_t i = 0; i < array_count(expected); i++)
        assert_int_equal(hash_slice(&zero, counting_bytes(expected[i].len)), expected[i].hash);
}

static void another_key_gives_another_hash(void **state) {
    (void)state;
    struct hash_key other = counting_key;
    other.high ^= 1;
    assert_int_not_equal(hash_slice(&counting_key, slice_lit("bid.new")),
                         hash_slice(&other, slice_lit("bid.new")));
    assert_int_not_equal(hash_slice(&counting_key, slice_lit("a")),
                         hash_slice(&counting_key, slice_lit("a\0")));
}

static void mix64_is_one_to_one_and_spreads_single_bits(void **state) {
    (void)state;
    assert_int_equal(hash_mix64(0), 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        int changed = __builtin_popcountll(hash_mix64(12345) ^ hash_mix64(12345 ^ 1ull << bit));
        assert_in_range(changed, 12, 52);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sip24_gives_the_published_vectors),
        cmocka_unit_test(sip13_agrees_with_another_implementation),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(mix64_is_one_to_one_and_spreads_single_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
