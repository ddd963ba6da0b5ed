#include "base/crc16.h"

#include "base_test.h"

static void published_check_value(void **state) {
    (void)state;
    assert_int_equal(crc16_update(0, "", 0), 0);
    assert_int_equal(crc16_update(0, "123456789", 9), 0x31c3);
}

static void pieces_give_the_checksum_of_the_whole(void **state) {
    (void)state;
    static const char digits[] = "123456789";
    for (size_t cut = 0; cut <= 9; cut++) {
        uint16_t crc = crc16_update(0, digits, cut);
        assert_int_equal(crc16_update(crc, digits + cut, 9 - cut), 0x31c3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_check_value),
        cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
