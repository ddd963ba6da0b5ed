#include "base/crc32c.h"

#include "base/random.h"
#include "base_test.h"

typedef uint32_t update_function(uint32_t crc, const void *bytes, size_t len);

static update_function *const versions[] = {crc32c_update, crc32c_update_portable};

/* RFC 3720, B.4, and the usual check value. */
static void published_vectors(void **state) {
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
    for (unsigned i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    for (size_t v = 0; v < array_count(versions); v++) {
        assert_int_equal(versions[v](0, "", 0), 0);
        assert_int_equal(versions[v](0, "123456789", 9), 0xe3069283);
        assert_int_equal(versions[v](0, zeros, 32), 0x8a9136aa);
        assert_int_equal(versions[v](0, ones, 32), 0x62a8ab43);
        assert_int_equal(versions[v](0, up, 32), 0x46dd794e);
        assert_int_equal(versions[v](0, down, 32), 0x113fdb5c);
    }
}

static void every_length_and_alignment_agrees(void **state) {
    (void)state;
    enum { SIZE = 8192 };
    static unsigned char bytes[SIZE + 16];
    struct random r = random_make(1);
    random_bytes(&r, bytes, sizeof bytes);
    for (size_t len = 0; len < SIZE; len += len < 1000 ? 1 : 37) {
        size_t offset = len % 9;
        assert_int_equal(crc32c_update(0, bytes + offset, len),
                         crc32c_update_portable(0, bytes + offset, len));
    }
}

static void pieces_give_the_checksum_of_the_whole(void **state) {
    (void)state;
    static unsigned char bytes[10000];
    struct random r = random_make(2);
    random_bytes(&r, bytes, sizeof bytes);
    for (size_t v = 0; v < array_count(versions); v++) {
        uint32_t whole = versions[v](0, bytes, sizeof bytes);
        for (size_t cut = 0; cut <= sizeof bytes; cut += 97) {
            uint32_t crc = versions[v](0, bytes, cut);
            assert_int_equal(versions[v](crc, bytes + cut, sizeof bytes - cut), whole);
        }
    }
}

static void every_flipped_bit_changes_it(void **state) {
    (void)state;
    unsigned char bytes[500];
    struct random r = random_make(3);
    random_bytes(&r, bytes, sizeof bytes);
    uint32_t whole = crc32c_update(0, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        assert_int_not_equal(crc32c_update(0, bytes, sizeof bytes), whole);
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
}

static void the_instruction_is_used_where_there_is_one(void **state) {
    (void)state;
#if defined(__x86_64__)
    bool has_it = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
    assert_int_equal(crc32c_hardware(), has_it);
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(every_length_and_alignment_agrees),
        cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
        cmocka_unit_test(every_flipped_bit_changes_it),
        cmocka_unit_test(the_instruction_is_used_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
