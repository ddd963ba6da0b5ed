#include "base/base32.h"

#include "base/random.h"
#include "base_test.h"

static void vectors_of_the_rfc_without_padding(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"", ""},
                   {"f", "MY"},
                   {"fo", "MZXQ"},
                   {"foo", "MZXW6"},
                   {"foob", "MZXW6YQ"},
                   {"fooba", "MZXW6YTB"},
                   {"foobar", "MZXW6YTBOI"}};
    for (size_t i = 0; i < array_count(vectors); i++) {
        slice bytes = slice_str(vectors[i].bytes);
        char out[32];
        size_t len = base32_encode(bytes, out);
        assert_int_equal(len, strlen(vectors[i].text));
        assert_int_equal(len, base32_encoded_len(bytes.len));
        assert_memory_equal(out, vectors[i].text, len);
        assert_int_equal(base32_decode(slice_str(vectors[i].text), out, sizeof out, &len), 0);
        assert_int_equal(len, bytes.len);
        assert_memory_equal(out, bytes.ptr, len);
    }
}

static void two_texts_never_mean_the_same_bytes(void **state) {
    (void)state;
    static const char *const bad[] = {
        "M", "MZX", "MZXW6Y", "my", "MZ", "MY======", "M1", "M0", "M8", "M Y", "MZXW7"};
    char out[32];
    size_t len = 5;
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(base32_decode(slice_str(bad[i]), out, sizeof out, &len), -EINVAL);
    assert_int_equal(len, 5);
}

static void output_is_never_overrun(void **state) {
    (void)state;
    char out[4] = "zzz";
    size_t len = 0;
    assert_int_equal(base32_decode(slice_lit("MZXW6"), out, 2, &len), -ENOSPC);
    assert_string_equal(out, "zzz");
    assert_int_equal(base32_decode(slice_lit("MZXW6"), out, 3, &len), 0);
    assert_string_equal(out, "foo");
}

static void random_bytes_go_there_and_back(void **state) {
    (void)state;
    struct random r = random_make(1);
    for (size_t len = 0; len < 100; len++) {
        char bytes[100], text[200], back[100];
        size_t back_len = 0;
        random_bytes(&r, bytes, len);
        size_t text_len = base32_encode(slice_make(bytes, len), text);
        assert_int_equal(text_len, base32_encoded_len(len));
        assert_int_equal(base32_decoded_len(text_len), len);
        assert_int_equal(base32_decode(slice_make(text, text_len), back, len, &back_len), 0);
        assert_int_equal(back_len, len);
        if (len)
            assert_memory_equal(back, bytes, len);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc_without_padding),
        cmocka_unit_test(two_texts_never_mean_the_same_bytes),
        cmocka_unit_test(output_is_never_overrun),
        cmocka_unit_test(random_bytes_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
