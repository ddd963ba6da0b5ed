#include "wire_test.h"

#include "base/check.h"
#include "wire/url.h"

static void authorities(void **state) {
    (void)state;
    struct url_authority a;
    assert_int_equal(url_parse_authority(slice_lit("a.example"), &a), 0);
    assert_slice(a.host, "a.example");
    assert_false(a.has_port);
    assert_null(a.user.ptr);
    assert_int_equal(url_parse_authority(slice_lit("127.0.0.1:0"), &a), 0);
    assert_true(a.has_port);
    assert_int_equal(a.port, 0);
    assert_int_equal(url_parse_authority(slice_lit("[::1]:65535"), &a), 0);
    assert_slice(a.host, "::1");
    assert_true(a.is_ipv6);
    assert_int_equal(a.port, 65535);
    assert_int_equal(url_parse_authority(slice_lit("user:p@ss@h:1"), &a), 0);
    assert_slice(a.user, "user:p@ss");
    assert_slice(a.host, "h");
    assert_int_equal(url_parse_authority(slice_lit("@h"), &a), 0);
    assert_non_null(a.user.ptr);
}

static void what_is_no_authority(void **state) {
    (void)state;
    struct url_authority a = {.port = 7};
    static const char *const wrong[] = {
        "",     ":80",    "a:",     "a:b",   "a:65536",  "a:123456", "a:-1", "a b",
        "a/b",  "a?b",    "a,b",    "a%20b", "a:1:2",    "::1",      "[]",   "[a]",
        "[::1", "[::1]x", "[::1]:", "user@", "\xc3\xa9", "[1::2::3]"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(url_parse_authority(slice_str(wrong[i]), &a), -EINVAL);
    assert_int_equal(a.port, 7);
}

static void ipv6_addresses(void **state) {
    (void)state;
    struct url_authority a;
    static const char *const good[] = {
        "[::]",          "[1:2:3:4:5:6:7:8]", "[1::8]",        "[::8]",
        "[1::]",         "[::ffff:1.2.3.4]",  "[::0.0.0.255]", "[1:2:3:4:5:6:1.2.3.4]",
        "[ABCD:ef01::]", "[1:2:3:4:5:6:7::]"};
    for (size_t i = 0; i < array_count(good); i++)
        assert_int_equal(url_parse_authority(slice_str(good[i]), &a), 0);
    static const char *const wrong[] = {"[1:2:3:4:5:6:7]",
                                        "[1:2:3:4:5:6:7:8:9]",
                                        "[1:2:3:4::5:6:7:8]",
                                        "[12345::]",
                                        "[:1]",
                                        "[1:]",
                                        "[:::]",
                                        "[::g]",
                                        "[1.2.3.4]",
                                        "[::1.2.3]",
                                        "[::1.2.3.256]",
                                        "[::01.2.3.4]",
                                        "[1.2.3.4::]",
                                        "[::1.2.3.4:5]",
                                        "[fe80::1%eth0]",
                                        "[1:2:3:4:5:6:7:1.2.3.4]"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(url_parse_authority(slice_str(wrong[i]), &a), -EINVAL);
}

static void the_same_authority_in_two_spellings(void **state) {
    (void)state;
    assert_true(url_same_authority(slice_lit("A"), slice_lit("a:80"), 80));
    assert_true(url_same_authority(slice_lit("[::A]"), slice_lit("[::a]:80"), 80));
    assert_false(url_same_authority(slice_lit("a"), slice_lit("a:81"), 80));
    assert_false(url_same_authority(slice_lit("a"), slice_lit("b"), 80));
    assert_false(url_same_authority(slice_lit("a"), slice_lit(""), 80));
}

static void whole_urls(void **state) {
    (void)state;
    struct url u;
    assert_int_equal(url_parse(slice_lit("nats://me:x@h.example:4222"), &u), 0);
    assert_slice(u.scheme, "nats");
    assert_slice(u.authority_text, "me:x@h.example:4222");
    assert_slice(u.authority.user, "me:x");
    assert_slice(u.authority.host, "h.example");
    assert_int_equal(u.authority.port, 4222);
    assert_slice(u.path, "");
    assert_null(u.query.ptr);
    assert_int_equal(url_parse(slice_lit("http://h/a/b?c=d?e"), &u), 0);
    assert_slice(u.path, "/a/b");
    assert_slice(u.query, "c=d?e");
    assert_int_equal(url_parse(slice_lit("a+b-c.1://h?"), &u), 0);
    assert_slice(u.path, "");
    assert_slice(u.query, "");
    assert_non_null(u.query.ptr);
    static const char *const wrong[] = {"",           "h",         "/a",          "http:/h",
                                        "http://",    "://h",      "1a://h",      "a b://h",
                                        "http://h#x", "http:///a", "http://h:x/", "http://?q"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(url_parse(slice_str(wrong[i]), &u), -EINVAL);
}

static void escapes(void **state) {
    (void)state;
    char out[64];
    size_t len = 0;
    assert_int_equal(url_decode(slice_lit("a%20b+c%2f%00%Ff"), false, out, &len), 0);
    assert_slice(slice_make(out, len), "a b+c/\0\xff");
    assert_int_equal(url_decode(slice_lit("a+b%2B"), true, out, &len), 0);
    assert_slice(slice_make(out, len), "a b+");
    len = 77;
    static const char *const wrong[] = {"%", "%2", "a%2", "%zz", "%2z", "%z2", "%%20", "% 20"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(url_decode(slice_str(wrong[i]), false, out, &len), -EINVAL);
    assert_int_equal(len, 77);
    char own[] = "x%41y";
    assert_int_equal(url_decode(slice_str(own), false, own, &len), 0);
    assert_slice(slice_make(own, len), "xAy");
}

static void paths_have_one_form(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"//", "/"},
        {"/a//b", "/a/b"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/.", "/a/"},
        {"/./", "/"},
        {"/a/%2e%2E/b", "/b"},
        {"/%41%7e", "/A~"},
        {"/a/b/../../c", "/c"},
        {"/...", "/..."},
        {"/a;x", "/a;x"},
        {"/a%20b", "/a b"},
        {"/a/..", "/"},
        {"/.a", "/.a"},
        {"/..a", "/..a"},
    };
    char out[64];
    size_t len;
    for (size_t i = 0; i < array_count(pairs); i++) {
        assert_int_equal(url_path_normalize(slice_str(pairs[i][0]), out, &len), 0);
        out[len] = '\0';
        assert_string_equal(out, pairs[i][1]);
    }
}

static void paths_that_are_traps(void **state) {
    (void)state;
    char out[64];
    size_t len = 77;
    static const char *const wrong[] = {
        "",           "a",      "/..",     "/../a",  "/a/../..",  "/a%2fb",
        "/a%2Fb",     "/a%5cb", "/a\\b",   "/a%00",  "/a%0ab",    "/a%7f",
        "/%",         "/a%2",   "/..;x/a", "/a/.;x", "/%2e%2e;/", "/a/%2e%2e/%2e%2e",
        "/a/b//../c", "//.."};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(url_path_normalize(slice_str(wrong[i]), out, &len), -EINVAL);
    assert_int_equal(len, 77);
}

/* All short paths of the bytes that matter, with and without an escape that changes nothing. */
static void paths_without_an_escape_mean_the_same(void **state) {
    (void)state;
    static const char bytes[] = "/.a;";
    char plain[16], escaped[16], out[2][16];
    for (unsigned length = 0; length <= 6; length++)
        for (unsigned number = 0; number < 1u << (2 * length); number++) {
            for (unsigned i = 0; i < length; i++)
                plain[1 + i] = escaped[1 + i] = bytes[number >> (2 * i) & 3];
            plain[0] = escaped[0] = '/';
            plain[1 + length] = 'a';
            memcpy(escaped + 1 + length, "%61", 3);
            size_t len[2] = {0, 0};
            int failed = url_path_normalize(slice_make(plain, length + 2), out[0], &len[0]);
            assert_int_equal(url_path_normalize(slice_make(escaped, length + 4), out[1], &len[1]),
                             failed);
            assert_int_equal(len[0], len[1]);
            assert_memory_equal(out[0], out[1], len[0]);
        }
}

static void whatever_is_encoded_is_read_back_as_it_was(void **state) {
    (void)state;
    char all[256], sent[3 * sizeof all], back[sizeof sent];
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    slice text = slice_make(all, sizeof all);
    size_t len = url_encode_path(text, sent);
    assert_null(memchr(sent, ';', len));
    assert_null(memchr(sent, '?', len));
    assert_non_null(memchr(sent, '/', len));
    assert_int_equal(url_decode(slice_make(sent, len), false, back, &len), 0);
    assert_memory_equal(back, all, sizeof all);
    len = url_encode_value(text, sent);
    assert_null(memchr(sent, '/', len));
    assert_null(memchr(sent, '&', len));
    assert_int_equal(url_decode(slice_make(sent, len), true, back, &len), 0);
    assert_int_equal(len, sizeof all);
    assert_memory_equal(back, all, sizeof all);
}

static void queries_pair_by_pair(void **state) {
    (void)state;
    slice key, value, query = slice_lit("a=1&&b&c=&=d&e=f=g");
    assert_true(url_query_next(&query, &key, &value));
    assert_slice(key, "a");
    assert_slice(value, "1");
    assert_true(url_query_next(&query, &key, &value));
    assert_slice(key, "b");
    assert_null(value.ptr);
    assert_true(url_query_next(&query, &key, &value));
    assert_slice(key, "c");
    assert_slice(value, "");
    assert_non_null(value.ptr);
    assert_true(url_query_next(&query, &key, &value));
    assert_slice(key, "");
    assert_slice(value, "d");
    assert_true(url_query_next(&query, &key, &value));
    assert_slice(key, "e");
    assert_slice(value, "f=g");
    assert_false(url_query_next(&query, &key, &value));
    slice rest;
    assert_slice(url_cut_query(slice_lit("/a?b?c"), &rest), "/a");
    assert_slice(rest, "b?c");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authorities),
        cmocka_unit_test(what_is_no_authority),
        cmocka_unit_test(ipv6_addresses),
        cmocka_unit_test(the_same_authority_in_two_spellings),
        cmocka_unit_test(whole_urls),
        cmocka_unit_test(escapes),
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(paths_that_are_traps),
        cmocka_unit_test(paths_without_an_escape_mean_the_same),
        cmocka_unit_test(whatever_is_encoded_is_read_back_as_it_was),
        cmocka_unit_test(queries_pair_by_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
