/*
 * Patterns of strangers: the first line is a pattern as PostgreSQL writes them, the second a text.
 *
 * Beyond not crashing: what the translator lets pass compiles, but for what PCRE2 cannot do
 * (lookbehind of unknown length, patterns too large), a match lies within the text at whole
 * characters, and what SIMILAR TO makes is always a pattern or refused as one.
 */
#include "base/regex.h"
#include "base/utf8.h"
#include "sql/text/regex_translate.h"

#include <errno.h>

#define INPUT_MAX ((size_t)1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_boundary(slice text, size_t at) {
    return at == text.len || ((unsigned char)text.ptr[at] & 0xc0) != 0x80;
}

static void match(slice pattern, struct text_regex_options options, slice text) {
    struct sql_error error;
    struct regex *regex = NULL;
    if (text_regex_compile(pattern, options, &regex, &error))
        return;
    for (size_t start = 0; start <= text.len;) {
        struct regex_span spans[3];
        int found = regex_match(regex, text, start, spans, 3);
        check(found == 0 || found == 1 || found == -E2BIG);
        if (found != 1)
            break;
        for (unsigned i = 0; i < 3; i++)
            check(spans[i].start == REGEX_NONE ||
                  (spans[i].end <= text.len && is_boundary(text, spans[i].start) &&
                   is_boundary(text, spans[i].end)));
        start = spans[0].end > start ? spans[0].end : start + 1;
        while (start < text.len && !is_boundary(text, start))
            start++;
    }
    regex_free(regex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice text,
        pattern = slice_cut(slice_make(data, size < INPUT_MAX ? size : INPUT_MAX), '\n', &text);
    if (!utf8_valid(text) || !utf8_valid(pattern) || slice_find(text, '\0') >= 0 ||
        slice_find(pattern, '\0') >= 0)
        return 0;
    match(pattern, (struct text_regex_options){.caseless = false}, text);
    match(pattern,
          (struct text_regex_options){
              .caseless = true, .newline_stops = true, .newline_anchors = true, .expanded = true},
          text);
    _cleanup_buf_ struct buf similar = buf_make(TEXT_REGEX_BYTES_MAX);
    struct sql_error error;
    if (text_similar_translate(pattern, slice_lit("\\"), &similar, &error) == 0)
        match(buf_slice(&similar), (struct text_regex_options){.caseless = false}, text);
    return 0;
}
