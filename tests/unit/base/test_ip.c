#include "base/ip.h"

#include "base_test.h"

static struct ip ip_of(const char *text) {
    struct ip ip;
    assert_int_equal(ip_parse(slice_str(text), &ip), 0);
    return ip;
}

static void assert_text(const char *text, const char *expected) {
    char out[IP_TEXT_MAX];
    struct ip ip = ip_of(text);
    assert_string_equal(ip_text(&ip, out), expected);
}

static void addresses_have_one_form(void **state) {
    (void)state;
    assert_text("10.1.2.3", "10.1.2.3");
    assert_text("::ffff:10.1.2.3", "10.1.2.3");
    assert_text("[2001:DB8:0::1]", "2001:db8::1");
    struct ip ip;
    const char *bad[] = {"", "10.1.2", "10.1.2.3.4", "010.1.2.3", "1::2::3", "[::1", "x", "::1%lo"};
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(ip_parse(slice_str(bad[i]), &ip), -EINVAL);
}

static void a_port_may_stand_behind(void **state) {
    (void)state;
    struct ip ip;
    assert_int_equal(ip_parse_with_port(slice_lit("10.1.2.3:80"), &ip), 0);
    assert_true(ip_is_v4(&ip));
    assert_int_equal(ip_parse_with_port(slice_lit("[::1]:80"), &ip), 0);
    assert_false(ip_is_v4(&ip));
    assert_int_equal(ip_parse_with_port(slice_lit("::1"), &ip), 0);
    assert_int_equal(ip_parse_with_port(slice_lit("host:80"), &ip), -EINVAL);
}

static void networks_hold_what_they_begin(void **state) {
    (void)state;
    struct ip_network network;
    struct ip inside = ip_of("10.255.0.1"), outside = ip_of("11.0.0.1"), six = ip_of("::1");
    assert_int_equal(ip_network_parse(slice_lit("10.0.0.0/8"), &network), 0);
    assert_true(ip_in_network(&inside, &network));
    assert_false(ip_in_network(&outside, &network));
    assert_false(ip_in_network(&six, &network));
    assert_int_equal(ip_network_parse(slice_lit("::/0"), &network), 0);
    assert_true(ip_in_network(&inside, &network));
    assert_int_equal(ip_network_parse(slice_lit("11.0.0.1"), &network), 0);
    assert_true(ip_in_network(&outside, &network));
    const char *bad[] = {"10.0.0.1/8", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/x", "/8"};
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(ip_network_parse(slice_str(bad[i]), &network), -EINVAL);
}

static void a_prefix_is_what_neighbours_share(void **state) {
    (void)state;
    struct ip a = ip_of("2001:db8:1:2:3::1"), b = ip_of("2001:db8:1:2:ffff::9");
    struct ip left = ip_prefix(&a, 64), right = ip_prefix(&b, 64);
    assert_memory_equal(left.bytes, right.bytes, sizeof left.bytes);
    left = ip_prefix(&a, 66);
    right = ip_prefix(&b, 66);
    assert_memory_not_equal(left.bytes, right.bytes, sizeof left.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(a_port_may_stand_behind),
        cmocka_unit_test(networks_hold_what_they_begin),
        cmocka_unit_test(a_prefix_is_what_neighbours_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
