#include "base/random.h"

#include "base_test.h"

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4. */
static void xoshiro_gives_its_known_sequence(void **state) {
    (void)state;
    struct random r = {{1, 2, 3, 4}};
    assert_int_equal(random_u64(&r), 11520u);
    assert_int_equal(random_u64(&r), 0u);
    assert_int_equal(random_u64(&r), 1509978240u);
    assert_int_equal(random_u64(&r), 1215971899390074240u);
}

static void one_seed_gives_one_sequence(void **state) {
    (void)state;
    struct random a = random_make(7), b = random_make(7), c = random_make(8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_u64(&a);
        assert_int_equal(x, random_u64(&b));
        differs |= x != random_u64(&c);
    }
    assert_true(differs);
    struct random zero = random_make(0);
    assert_int_not_equal(random_u64(&zero), 0);
}

static void below_covers_the_range_evenly(void **state) {
    (void)state;
    struct random r = random_make(1);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++)
        counts[random_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(random_below(&r, 1), 0);
    /* With a bound of three quarters of all values, a biased choice would give the low third of the
       range half of the results. */
    uint64_t bound = 3ull << 62;
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t x = random_below(&r, bound);
        assert_true(x < bound);
        low += x < bound / 3;
    }
    assert_in_range(low, 9500, 10500);
}

static void doubles_lie_in_zero_to_one(void **state) {
    (void)state;
    struct random r = random_make(2);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = random_double(&r);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4800 && sum < 5200);
}

static void bytes_fill_exactly(void **state) {
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        unsigned char bytes[48];
        memset(bytes, 0xaa, sizeof bytes);
        struct random r = random_make(3);
        random_bytes(&r, bytes, len);
        for (size_t i = len; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 0xaa);
    }
    struct random a = random_make(3), b = random_make(3);
    unsigned char bytes[8];
    random_bytes(&a, bytes, 8);
    uint64_t word = random_u64(&b);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(bytes[i], (unsigned char)(word >> (8 * i)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xoshiro_gives_its_known_sequence),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(below_covers_the_range_evenly),
        cmocka_unit_test(doubles_lie_in_zero_to_one),
        cmocka_unit_test(bytes_fill_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
