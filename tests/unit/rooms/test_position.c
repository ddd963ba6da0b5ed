/*
 * test_position.c - the forms of min_position.
 */
#include "rooms/stream/position.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Texts of min_position, and what they are read as: "STREAM=SEQUENCE " each; NULL: refused. */
static const struct {
    const char *text, *positions;
} cases[] = {
    {"", ""},
    {"  ", ""},
    {"ORDERS:42", "ORDERS=42 "},
    {" ORDERS:42 , ES:7", "ORDERS=42 ES=7 "},
    {"7", "ES=7 "},
    {"7, ORDERS:1", "ES=7 ORDERS=1 "},
    {"18446744073709551615", "ES=18446744073709551615 "},
    {"18446744073709551616", NULL},
    {"a:b:1", "a:b=1 "},
    {"a,b:1,c:2", "a,b=1 c=2 "},
    {"a:1:2", "a:1=2 "},
    {"ORDERS", NULL},
    {"ORDERS:", NULL},
    {":1", NULL},
    {"ORDERS:x", NULL},
    {"ORDERS:-1", NULL},
    {"ORDERS:1 ES:2", NULL},
};

static void test_forms(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct positions p;
        char found[256] = "";
        int r = positions_read(slice_str(cases[i].text), &p);
        assert_int_equal(r, cases[i].positions ? 0 : -EINVAL);
        for (unsigned k = 0; r == 0 && k < p.count; k++) {
            size_t len = strlen(found);
            snprintf(found + len, sizeof found - len, "%.*s=%llu ", slice_fmt(p.list[k].stream),
                     (unsigned long long)p.list[k].sequence);
        }
        if (r == 0)
            assert_string_equal(found, cases[i].positions);
    }
}

static void test_the_largest_counts(void **state) {
    struct positions p;
    (void)state;
    assert_int_equal(positions_read(slice_lit("A:1, A:9, A:3"), &p), 0);
    assert_int_equal(positions_of(&p, slice_lit("A")), 9);
    assert_int_equal(positions_of(&p, slice_lit("a")), 0);
}

static void test_too_many_are_refused(void **state) {
    char text[(POSITIONS_MAX + 1) * 4 + 1] = "";
    struct positions p;
    (void)state;
    for (unsigned i = 0; i < POSITIONS_MAX; i++)
        memcpy(text + i * 4, "A:1,", 5);
    assert_int_equal(positions_read(slice_str(text), &p), 0);
    memcpy(text + (size_t)POSITIONS_MAX * 4, "A:1,", 5);
    assert_int_equal(positions_read(slice_str(text), &p), -E2BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_the_largest_counts),
        cmocka_unit_test(test_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
