/*
 * json_scan.c - tokens of JSON: strings, numbers, words, white space.
 *
 * A string is accepted in one pass: plain runs are skipped wide, an escape is checked for its
 * letter (and a \u surrogate for its partner), a byte past ASCII starts a UTF-8 sequence that must
 * be the shortest form and no surrogate. Decoding happens later, if ever, and may then trust all of
 * that.
 */
#include "wire/json_scan.h"

#include "base/hex.h"
#include "base/number.h"
#include "base/utf8.h"
#include "wire/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

int json_scan_refuse(struct json_scan *s, const char *where, const char *reason) {
    s->at = where;
    s->reason = reason;
    return -EINVAL;
}

/* Takes a run of white space. */
static void skip_spaces(struct json_scan *s) {
    const char *p = s->at;
    const char *end = s->end;
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' ');
    /* A line break is mostly followed by indentation: step over it, then go wide. */
    while (end - p >= 17 && (*p == '\n' || *p == ' ')) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
        unsigned other = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, space)) ^ 0xffffu;
        if (other) {
            p += 1 + __builtin_ctz(other);
            break;
        }
        p += 17;
    }
#endif
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    s->at = p;
}

/* Moves to the next byte that is not white space. False at the end of the text. */
static inline bool skip_space(struct json_scan *s) {
    if (unlikely(s->at == s->end)) {
        return false;
    }
    if (likely((unsigned char)*s->at > ' ')) {
        return true;
    }
    skip_spaces(s);
    return s->at != s->end;
}

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

/* The high bit of every byte of WORD that is below ' ', a quote, a backslash or not ASCII. May
   also mark bytes above the first mark (borrows travel up), so only the lowest mark counts. */
static inline uint64_t special_bytes(uint64_t word) {
    uint64_t control = word - ONES * 0x20;
    uint64_t quote = word ^ (ONES * '"');
    uint64_t backslash = word ^ (ONES * '\\');
    uint64_t found = control | (quote - ONES) | (backslash - ONES);
    return (found | word) & HIGHS;
}

size_t json_scan_plain_words(const char *p, const char *end) {
    const char *start = p;
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint64_t found = special_bytes(word);
        if (found) {
            return (size_t)(p - start) + ((size_t)__builtin_ctzll(found) >> 3);
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= ' ' && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\') {
        p++;
    }
    return (size_t)(p - start);
}

#ifdef __SSE2__
/* A bit for each of the 16 bytes at P that is not plain. */
static inline unsigned special_mask(const char *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed: control bytes and everything past ASCII are both less than a space. */
    __m128i found = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                 _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                              _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    return (unsigned)_mm_movemask_epi8(found);
}
#endif

size_t json_scan_plain(const char *p, const char *end) {
    const char *start = p;
#ifdef __SSE2__
    /* Two at a time: where strings of a kind have about a length, the turns are foreseen. */
    for (; end - p >= 32; p += 32) {
        unsigned mask = special_mask(p) | special_mask(p + 16) << 16;
        if (mask) {
            return (size_t)(p - start) + (size_t)__builtin_ctz(mask);
        }
    }
    if (end - p >= 16) {
        unsigned mask = special_mask(p);
        if (mask) {
            return (size_t)(p - start) + (size_t)__builtin_ctz(mask);
        }
        p += 16;
    }
#endif
    return (size_t)(p - start) + json_scan_plain_words(p, end);
}

/* Four hex digits at P, or -1. */
static int hex_quad(const char *p, const char *end) {
    if (end - p < 4) {
        return -1;
    }
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

/* `at` stands on a backslash; leaves it behind the escape. */
static int scan_escape(struct json_scan *s) {
    const char *p = s->at;
    if (s->end - p < 2) {
        return json_scan_refuse(s, s->end, "a string has no closing quote");
    }
    char letter = p[1];
    if (letter != 'u') {
        if (letter == '\0' || !strchr("\"\\/bfnrt", letter)) {
            return json_scan_refuse(s, p,
                                    "this escape is not one of \\\" \\\\ \\/ \\b \\f \\n \\r "
                                    "\\t \\uXXXX");
        }
        s->at = p + 2;
        return 0;
    }
    int unit = hex_quad(p + 2, s->end);
    if (unit < 0) {
        return json_scan_refuse(s, p, "\\u must be followed by four hexadecimal digits");
    }
    s->at = p + 6;
    if (unit < 0xd800 || unit > 0xdfff) {
        return 0;
    }
    int low = unit <= 0xdbff && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u'
                  ? hex_quad(s->at + 2, s->end)
                  : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        return json_scan_refuse(s, p, "half of a surrogate pair stands alone");
    }
    s->at += 6;
    return 0;
}

int json_scan_string(struct json_scan *s, struct json_token *ret_token) {
    const char *start = s->at + 1;
    bool escaped = false;
    s->at = start;
    for (;;) {
        s->at += json_scan_plain(s->at, s->end);
        if (s->at == s->end) {
            return json_scan_refuse(s, s->end, "a string has no closing quote");
        }
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            break;
        }
        if (c == '\\') {
            escaped = true;
            int r = scan_escape(s);
            if (r < 0) {
                return r;
            }
        } else if (c < ' ') {
            return json_scan_refuse(s, s->at, "a control byte in a string must be escaped");
        } else {
            uint32_t point;
            int len = utf8_decode(slice_make(s->at, (size_t)(s->end - s->at)), &point);
            if (len <= 0) {
                return json_scan_refuse(s, s->at, "a string is not UTF-8");
            }
            s->at += len;
        }
    }
    *ret_token = (struct json_token){start, s->at, escaped, false};
    s->at++;
    return 0;
}

static const char *skip_digits(const char *p, const char *end) {
    while (p < end && (unsigned char)(*p - '0') <= 9) {
        p++;
    }
    return p;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The length of the integer of 1 to 7 digits that S stands on; 0: something else, or more. */
static inline size_t short_integer(const struct json_scan *s) {
    uint64_t word;
    if (s->end - s->at < 8) {
        return 0;
    }
    memcpy(&word, s->at, sizeof(word));
    word ^= ONES * '0';
    uint64_t other = ((word + ONES * 0x76) | word) & HIGHS; /* bytes that are no digits */
    size_t len = other ? (size_t)__builtin_ctzll(other) >> 3 : 0;
    char next = s->at[len];
    bool more = next == '.' || (next | 0x20) == 'e' || (*s->at == '0' && len > 1);
    return more ? 0 : len;
}
#endif

int json_scan_number(struct json_scan *s, struct json_token *ret_token) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    size_t len = short_integer(s);
    if (len > 0) {
        *ret_token = (struct json_token){s->at, s->at + len, false, true};
        s->at += len;
        return 0;
    }
#endif
    const char *p = s->at;
    const char *end = s->end;
    const char *digits = p + (*p == '-');
    p = skip_digits(digits, end);
    if (p == digits) {
        return json_scan_refuse(s, p,
                                *s->at == '-' ? "a digit is missing behind the minus sign"
                                              : "this is no JSON value");
    }
    if (*digits == '0' && p - digits > 1) {
        return json_scan_refuse(s, digits, "a number may not begin with a zero");
    }
    bool integer = true;
    if (p < end && *p == '.') {
        integer = false;
        const char *fraction = p + 1;
        p = skip_digits(fraction, end);
        if (p == fraction) {
            return json_scan_refuse(s, p, "a digit is missing behind the decimal point");
        }
    }
    if (p < end && (*p | 0x20) == 'e') {
        integer = false;
        const char *exponent = p + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-')) {
            exponent++;
        }
        p = skip_digits(exponent, end);
        if (p == exponent) {
            return json_scan_refuse(s, p, "a digit is missing in the exponent");
        }
    }
    *ret_token = (struct json_token){s->at, p, false, integer};
    s->at = p;
    return 0;
}

int json_scan_word(struct json_scan *s, slice word) {
    slice rest = slice_make(s->at, (size_t)(s->end - s->at));
    if (!slice_starts_with(rest, word)) {
        return json_scan_refuse(s, s->at, "this is no JSON value");
    }
    s->at += word.len;
    return 0;
}

int json_scan_begin(struct json_scan *s) {
    if ((size_t)(s->end - s->start) > JSON_TEXT_MAX) {
        json_scan_refuse(s, s->at, "the document is too long");
        return -E2BIG;
    }
    return skip_space(s) ? 0 : json_scan_refuse(s, s->at, "there is no JSON value here");
}

int json_scan_finish(struct json_scan *s) {
    return skip_space(s) ? json_scan_refuse(s, s->at, "something follows the end of the document")
                         : 0;
}

static int refuse_cut(struct json_scan *s) {
    return json_scan_refuse(s, s->end, "the document ends in the middle");
}

/* `at` stands where a key should; leaves it on the member's value. */
static int scan_key(struct json_scan *s, struct json_token *ret_key) {
    if (*s->at != '"') {
        return json_scan_refuse(s, s->at, "a key in double quotes is expected here");
    }
    int r = json_scan_string(s, ret_key);
    if (r < 0) {
        return r;
    }
    if (!skip_space(s)) {
        return refuse_cut(s);
    }
    if (*s->at != ':') {
        return json_scan_refuse(s, s->at, "a colon is expected between key and value");
    }
    s->at++;
    return skip_space(s) ? 1 : refuse_cut(s);
}

int json_scan_next(struct json_scan *s, bool object, bool first, struct json_token *ret_key) {
    if (!skip_space(s)) {
        return refuse_cut(s);
    }
    if (*s->at == (object ? '}' : ']')) {
        s->at++;
        return 0;
    }
    if (!first) {
        if (*s->at != ',') {
            return json_scan_refuse(s, s->at, "a comma or the closing bracket is expected here");
        }
        s->at++;
        if (!skip_space(s)) {
            return refuse_cut(s);
        }
    }
    return object ? scan_key(s, ret_key) : 1;
}

/* Decodes the escape behind the backslash at P; *P is left behind it. */
static char *unescape_one(const char **p, const char *end, char *out) {
    const char *at = *p + 1;
    char letter = *at++;
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    if (letter == 'u') {
        int unit = hex_quad(at, end);
        check(unit >= 0);
        at += 4;
        uint32_t point = (uint32_t)unit;
        if (point >= 0xd800 && point <= 0xdbff) {
            int low = hex_quad(at + 2, end);
            check(low >= 0xdc00 && low <= 0xdfff);
            point = 0x10000 + ((point - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
            at += 6;
        }
        int len = utf8_encode(point, out);
        check(len > 0);
        out += len;
    } else {
        const char *known = strchr(from, letter);
        *out++ = known ? to[known - from] : letter;
    }
    *p = at;
    return out;
}

char *json_scan_unescape(slice in, char *out) {
    const char *p = in.ptr;
    const char *end = p + in.len;
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((backslash ? backslash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (backslash) {
            out = unescape_one(&p, end, out);
        }
    }
    return out;
}

bool json_scan_unescapes_to(slice in, slice text) {
    const char *p = in.ptr;
    const char *end = p + in.len;
    while (p < end) {
        char decoded[UTF8_MAX];
        size_t len = 1;
        if (*p == '\\') {
            len = (size_t)(unescape_one(&p, end, decoded) - decoded);
        } else {
            decoded[0] = *p++;
        }
        if (!slice_starts_with(text, slice_make(decoded, len))) {
            return false;
        }
        text = slice_skip(text, len);
    }
    return text.len == 0;
}

int json_scan_to_i64(slice digits, int64_t *ret_number) {
    return number_parse_i64(digits, INT64_MIN, INT64_MAX, ret_number);
}

int json_scan_to_u64(slice digits, uint64_t *ret_number) {
    return slice_starts_with(digits, slice_lit("-")) ? -ERANGE
                                                     : number_parse_u64(digits, ret_number);
}

int json_scan_to_double(slice digits, double *ret_number) {
    return digits.len > NUMBER_DOUBLE_TEXT_MAX ? -ERANGE : number_parse_double(digits, ret_number);
}

void json_position(slice text, size_t offset, uint32_t *ret_line, uint32_t *ret_column) {
    uint32_t line = 1;
    uint32_t column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

int json_scan_explain(slice text, size_t offset, const char *reason, int code, slice name,
                      struct error *e) {
    uint32_t line;
    uint32_t column;
    json_position(text, offset, &line, &column);
    error_set(e, code, "%s", reason);
    error_place(e, "%.*s%s%u:%u", slice_fmt(name), name.len ? ":" : "", line, column);
    return code;
}
