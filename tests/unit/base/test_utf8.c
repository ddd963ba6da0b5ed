#include "base/utf8.h"

#include "base_test.h"

static void valid_text_is_accepted(void **state) {
    (void)state;
    assert_true(utf8_valid(slice_make(NULL, 0)));
    assert_true(utf8_valid(slice_lit("plain ASCII that is longer than eight bytes")));
    assert_true(utf8_valid(slice_lit("\x7f")));
    assert_true(utf8_valid(slice_lit("na\xc3\xafve")));
    assert_true(utf8_valid(slice_lit("\xe2\x82\xac")));
    assert_true(utf8_valid(slice_lit("\xf0\x9f\x8e\xbb")));
    assert_true(utf8_valid(slice_lit("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf")));
    assert_true(utf8_valid(slice_lit("a\0b")));
}

static void invalid_text_is_refused_where_it_breaks(void **state) {
    (void)state;
    static const struct {
        slice text;
        size_t prefix;
    } bad[] = {
        {slice_lit("abc\x80"), 3},          /* continuation alone */
        {slice_lit("\xc0\x80"), 0},         /* overlong NUL */
        {slice_lit("\xc1\xbf"), 0},         /* overlong */
        {slice_lit("\xe0\x9f\xbf"), 0},     /* overlong */
        {slice_lit("\xf0\x8f\xbf\xbf"), 0}, /* overlong */
        {slice_lit("x\xed\xa0\x80"), 1},    /* surrogate */
        {slice_lit("\xf4\x90\x80\x80"), 0}, /* above U+10FFFF */
        {slice_lit("\xf5\x80\x80\x80"), 0}, /* no such byte */
        {slice_lit("\xff"), 0},             /* no such byte */
        {slice_lit("ok\xe2\x82"), 2},       /* cut short */
        {slice_lit("ok\xc3"), 2},           /* cut short */
        {slice_lit("\xe2\x82\x41"), 0},     /* broken by a letter */
        {slice_lit("\xf0\x9f\x8e\x41"), 0}, /* broken at the end */
        {slice_lit("12345678901234567\xff"
                   "9"),
         17}, /* behind a run of ASCII */
    };
    for (size_t i = 0; i < array_count(bad); i++) {
        assert_false(utf8_valid(bad[i].text));
        assert_int_equal(utf8_valid_prefix(bad[i].text), bad[i].prefix);
    }
}

static void every_code_point_goes_there_and_back(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char out[UTF8_MAX];
        int len = utf8_encode(c, out);
        if (c >= 0xd800 && c <= 0xdfff) {
            assert_int_equal(len, -EINVAL);
            continue;
        }
        uint32_t back = UINT32_MAX;
        assert_int_equal(len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        if (utf8_decode(slice_make(out, (size_t)len), &back) != len || back != c)
            fail_msg("U+%04X", (unsigned)c);
    }
    char out[UTF8_MAX];
    assert_int_equal(utf8_encode(0x110000, out), -EINVAL);
}

static void decode_says_empty_and_broken(void **state) {
    (void)state;
    uint32_t c = 5;
    assert_int_equal(utf8_decode(slice_lit(""), &c), 0);
    assert_int_equal(utf8_decode(slice_lit("\x80"), &c), -EILSEQ);
    assert_int_equal(c, 5);
}

static void code_points_are_counted(void **state) {
    (void)state;
    assert_int_equal(utf8_count(slice_lit("")), 0);
    assert_int_equal(utf8_count(slice_lit("0123456789")), 10);
    assert_int_equal(utf8_count(slice_lit("na\xc3\xafve \xf0\x9f\x8e\xbb")), 7);
    assert_int_equal(utf8_count(slice_lit("a\xff\xfe"
                                          "b\xe2\x82")),
                     6);
}

/* By the definition: some bytes behind it make one whole sequence of it. */
static bool can_be_completed(const char *beginning, size_t len) {
    char text[UTF8_MAX];
    memcpy(text, beginning, len);
    for (size_t whole = len + 1; whole <= UTF8_MAX; whole++) {
        memset(text + len, 0xbf, whole - len);
        for (int second = 0x80; second <= 0xbf; second++) {
            uint32_t c;
            if (len == 1)
                text[1] = (char)second;
            if (utf8_decode(slice_make(text, whole), &c) == (int)whole)
                return true;
        }
    }
    return false;
}

static void what_is_incomplete_can_be_completed(void **state) {
    (void)state;
    char text[UTF8_MAX];
    assert_false(utf8_incomplete(slice_lit("")));
    for (unsigned first = 0; first < 256; first++) {
        text[0] = (char)first;
        assert_int_equal(utf8_incomplete(slice_make(text, 1)), can_be_completed(text, 1));
        for (unsigned second = 0; second < 256; second++) {
            text[1] = (char)second;
            assert_int_equal(utf8_incomplete(slice_make(text, 2)), can_be_completed(text, 2));
            for (unsigned third = 0x7f; third < 0xc1; third++) {
                text[2] = (char)third;
                assert_int_equal(utf8_incomplete(slice_make(text, 3)), can_be_completed(text, 3));
                text[3] = (char)0x80;
                assert_false(utf8_incomplete(slice_make(text, 4)));
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_is_accepted),
        cmocka_unit_test(invalid_text_is_refused_where_it_breaks),
        cmocka_unit_test(every_code_point_goes_there_and_back),
        cmocka_unit_test(decode_says_empty_and_broken),
        cmocka_unit_test(code_points_are_counted),
        cmocka_unit_test(what_is_incomplete_can_be_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
