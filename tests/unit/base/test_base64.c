#include "base/base64.h"

#include "base/random.h"
#include "base_test.h"

static const enum base64_form forms[] = {BASE64_STANDARD, BASE64_STANDARD_RAW, BASE64_URL,
                                         BASE64_URL_RAW};

static void assert_encodes(enum base64_form form, slice bytes, const char *expected) {
    char out[64];
    char back[64];
    size_t len = base64_encode(form, bytes, out);
    assert_int_equal(len, strlen(expected));
    assert_int_equal(len, base64_encoded_len(form, bytes.len));
    assert_memory_equal(out, expected, len);
    assert_int_equal(base64_decode(form, slice_str(expected), back, sizeof back, &len), 0);
    assert_int_equal(len, bytes.len);
    if (len)
        assert_memory_equal(back, bytes.ptr, len);
}

static void vectors_of_the_rfc(void **state) {
    (void)state;
    assert_encodes(BASE64_STANDARD, slice_lit(""), "");
    assert_encodes(BASE64_STANDARD, slice_lit("f"), "Zg==");
    assert_encodes(BASE64_STANDARD, slice_lit("fo"), "Zm8=");
    assert_encodes(BASE64_STANDARD, slice_lit("foo"), "Zm9v");
    assert_encodes(BASE64_STANDARD, slice_lit("foob"), "Zm9vYg==");
    assert_encodes(BASE64_STANDARD, slice_lit("foobar"), "Zm9vYmFy");
    assert_encodes(BASE64_STANDARD_RAW, slice_lit("f"), "Zg");
    assert_encodes(BASE64_STANDARD_RAW, slice_lit("fooba"), "Zm9vYmE");
}

static void the_two_alphabets(void **state) {
    (void)state;
    assert_encodes(BASE64_STANDARD, slice_lit("\xfb\xff\xbf"), "+/+/");
    assert_encodes(BASE64_URL, slice_lit("\xfb\xff\xbf"), "-_-_");
    assert_encodes(BASE64_URL_RAW, slice_lit("\xff"), "_w");
    assert_encodes(BASE64_URL, slice_lit("\xff"), "_w==");
}

static void two_texts_never_mean_the_same_bytes(void **state) {
    (void)state;
    static const struct {
        enum base64_form form;
        const char *text;
    } bad[] = {
        {BASE64_STANDARD, "Zg"},       {BASE64_STANDARD, "Zg="},      {BASE64_STANDARD, "Zh=="},
        {BASE64_STANDARD, "Zm9="},     {BASE64_STANDARD, "Z==="},     {BASE64_STANDARD, "===="},
        {BASE64_STANDARD, "Zm9v\n"},   {BASE64_STANDARD, "Zg==Zg=="}, {BASE64_STANDARD, "Zm=v"},
        {BASE64_STANDARD, "-_-_"},     {BASE64_URL, "+/+/"},          {BASE64_STANDARD_RAW, "Zg=="},
        {BASE64_STANDARD_RAW, "Z"},    {BASE64_STANDARD_RAW, "Zh"},   {BASE64_URL_RAW, "Zm9vY"},
        {BASE64_STANDARD, "Zm 9vYg="},
    };
    char out[64];
    size_t len = 5;
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(base64_decode(bad[i].form, slice_str(bad[i].text), out, sizeof out, &len),
                         -EINVAL);
    assert_int_equal(len, 5);
}

static void output_is_never_overrun(void **state) {
    (void)state;
    char out[4] = "zzz";
    size_t len = 5;
    assert_int_equal(base64_decode(BASE64_STANDARD, slice_lit("Zm9v"), out, 2, &len), -ENOSPC);
    assert_int_equal(out[2], 'z');
    assert_int_equal(base64_decode(BASE64_STANDARD, slice_lit("Zm9v"), out, 3, &len), 0);
    assert_int_equal(out[3], 0);
}

static void decodes_in_place(void **state) {
    (void)state;
    char text[] = "Zm9vYmFy";
    size_t len = 0;
    assert_int_equal(base64_decode(BASE64_STANDARD, slice_str(text), text, sizeof text, &len), 0);
    assert_slice(slice_make(text, len), "foobar");
}

static void random_bytes_go_there_and_back(void **state) {
    (void)state;
    struct random r = random_make(1);
    for (size_t len = 0; len < 200; len++) {
        char bytes[200], text[300], back[256];
        random_bytes(&r, bytes, len);
        for (size_t f = 0; f < array_count(forms); f++) {
            size_t text_len = base64_encode(forms[f], slice_make(bytes, len), text);
            size_t back_len = 0;
            assert_true(base64_decoded_max(text_len) >= len);
            assert_int_equal(
                base64_decode(forms[f], slice_make(text, text_len), back, len, &back_len), 0);
            assert_int_equal(back_len, len);
            if (len)
                assert_memory_equal(back, bytes, len);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(the_two_alphabets),
        cmocka_unit_test(two_texts_never_mean_the_same_bytes),
        cmocka_unit_test(output_is_never_overrun),
        cmocka_unit_test(decodes_in_place),
        cmocka_unit_test(random_bytes_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
