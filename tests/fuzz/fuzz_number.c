/*
 * Text of strangers as numbers, durations, sizes, rates, moments, base64, base32, hex and UTF-8.
 * Each input goes to every parser. Beyond not crashing: what is read and written again reads as
 * the same value, strict decoders accept only what their encoder writes, and what a parser refuses
 * it does not touch.
 */
#include "base/base32.h"
#include "base/base64.h"
#include "base/clocktext.h"
#include "base/hex.h"
#include "base/number.h"
#include "base/utf8.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_integers(slice text) {
    char out[NUMBER_TEXT_MAX];
    uint64_t u = 77;
    uint64_t again;
    int64_t i = 77;
    int64_t i_again;
    if (number_parse_u64(text, &u) == 0) {
        slice written = slice_make(out, number_format_u64(u, out));
        check(number_parse_u64(written, &again) == 0 && again == u);
        check(written.len <= text.len);
    } else {
        check(u == 77);
    }
    if (number_parse_i64(text, INT64_MIN, INT64_MAX, &i) == 0) {
        slice written = slice_make(out, number_format_i64(i, out));
        check(number_parse_i64(written, INT64_MIN, INT64_MAX, &i_again) == 0 && i_again == i);
    } else {
        check(i == 77);
    }
}

static void try_units(slice text) {
    char out[2 * NUMBER_TEXT_MAX];
    uint64_t ns = 77;
    uint64_t again;
    if (number_parse_duration(text, &ns) == 0) {
        slice written = slice_make(out, number_format_duration(ns, out));
        check(ns <= INT64_MAX && written.len < sizeof out);
        check(number_parse_duration(written, &again) == 0 && again == ns);
    } else {
        check(ns == 77);
    }
    uint64_t bytes = 77;
    if (number_parse_size(text, &bytes) == 0)
        check(number_format_size(bytes, out) < NUMBER_TEXT_MAX);
    else
        check(bytes == 77);
    struct number_rate rate;
    if (number_parse_rate(text, &rate) == 0)
        check(rate.count > 0 && rate.period_ns > 0);
    double number;
    if (number_parse_double(text, &number) == 0)
        check(number - number == 0); /* neither infinite nor nan */
}

static void try_time(slice text) {
    char out[CLOCKTEXT_SIZE];
    int64_t ns;
    int64_t again;
    if (clocktext_parse(text, &ns) < 0)
        return;
    slice written = slice_make(out, clocktext_format(ns, out));
    check(clocktext_parse(written, &again) == 0 && again == ns);
}

/* Strict decoders: the text is the only one for its bytes. */
static void try_encodings(slice text) {
    static char bytes[INPUT_MAX];
    static char out[2 * INPUT_MAX + 4];
    size_t len;
    for (int form = BASE64_STANDARD; form <= BASE64_URL_RAW; form++) {
        enum base64_form f = (enum base64_form)form;
        if (base64_decode(f, text, bytes, sizeof bytes, &len) == 0)
            check(
                slice_equal(slice_make(out, base64_encode(f, slice_make(bytes, len), out)), text));
    }
    if (base32_decode(text, bytes, sizeof bytes, &len) == 0)
        check(slice_equal(slice_make(out, base32_encode(slice_make(bytes, len), out)), text));
    if (hex_decode(text, bytes, sizeof bytes, &len) == 0)
        check(slice_equal_nocase(slice_make(out, hex_encode(slice_make(bytes, len), out)), text));
    len = base64_encode(BASE64_STANDARD, text, out);
    check(base64_decode(BASE64_STANDARD, slice_make(out, len), bytes, sizeof bytes, &len) == 0);
    check(slice_equal(slice_make(bytes, len), text));
}

static void try_utf8(slice text) {
    size_t prefix = utf8_valid_prefix(text);
    size_t at = 0;
    size_t count = 0;
    while (at < text.len) {
        uint32_t code_point;
        char out[UTF8_MAX];
        int len = utf8_decode(slice_skip(text, at), &code_point);
        if (len < 0)
            break;
        check(utf8_encode(code_point, out) == len && memcmp(out, text.ptr + at, (size_t)len) == 0);
        at += (size_t)len;
        count++;
    }
    check(at == prefix && utf8_valid(text) == (prefix == text.len));
    check(utf8_count(slice_take(text, prefix)) == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice text = slice_make(data, size < INPUT_MAX ? size : INPUT_MAX);
    try_integers(text);
    try_units(text);
    try_time(text);
    try_encodings(text);
    try_utf8(text);
    return 0;
}
