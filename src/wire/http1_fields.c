/*
 * http1_fields.c - sections, lines, fields, tokens and lists of HTTP/1.1.
 *
 * The scan decides about bytes, the rest about lines. Because the scan has refused every control
 * byte but tab and every CR and LF that is not part of a CR LF, the readers of lines below need
 * to look for none of them.
 */
#include "wire/http1_fields.h"

#include "wire/mask.h"

#include <errno.h>

/* tchar of RFC 9110 5.6.2 */
static const bool token_bytes[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true, ['0'] = true, ['1'] = true, ['2'] = true,
    ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true,
    ['9'] = true, ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true,
    ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true,
    ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true,
    ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true, ['v'] = true, ['w'] = true,
    ['x'] = true, ['y'] = true, ['z'] = true, ['A'] = true, ['B'] = true, ['C'] = true,
    ['D'] = true, ['E'] = true, ['F'] = true, ['G'] = true, ['H'] = true, ['I'] = true,
    ['J'] = true, ['K'] = true, ['L'] = true, ['M'] = true, ['N'] = true, ['O'] = true,
    ['P'] = true, ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true,
    ['V'] = true, ['W'] = true, ['X'] = true, ['Y'] = true, ['Z'] = true,
};

bool http1_is_token_byte(char c) {
    return token_bytes[(unsigned char)c];
}

/* Whether the eight bytes are letters and dashes, as in most names. */
static bool is_usual(const char *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    const uint64_t lower = word | ones * 0x20; /* '-' stays what it is */
    const uint64_t letters = (lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x7f - 'z'));
    const uint64_t dashes = ~((word ^ ones * '-') + ones * 0x7f);
    return ((letters | dashes) & ~word & tops) == tops;
}

/* Whether all of S, at least eight bytes, is letters, digits and dashes (in short ones, no digits).
   The last step looks at some bytes once more. */
static bool is_usual_name(slice s) {
    if (s.len <= MASK_BYTES_SHORT)
        return is_usual(s.ptr) && is_usual(s.ptr + s.len - 8);
    for (size_t i = 0; i + MASK_BYTES_SHORT <= s.len; i += MASK_BYTES_SHORT)
        if (mask_word_16(s.ptr + i) != 0xffff)
            return false;
    return mask_word_16(s.ptr + s.len - MASK_BYTES_SHORT) == 0xffff;
}

bool http1_is_token(slice s) {
    if (s.len >= 8 && is_usual_name(s))
        return true;
    for (size_t i = 0; i < s.len; i++) {
        if (!token_bytes[(unsigned char)s.ptr[i]])
            return false;
    }
    return s.len > 0;
}

static int refuse(enum http1_error error, enum http1_error *ret_error) {
    *ret_error = error;
    return -EPROTO;
}

/* Everything below ' ' and DEL. */
static uint64_t control_mask(const char *at, size_t count) {
    char copy[MASK_BYTES];
    const char *window = count >= MASK_BYTES ? at : mask_pad(at, count, copy);
    return mask_up_to_64(window, 0x1f) | mask_equal_64(window, 0x7f);
}

int http1_scan(struct http1_scan *scan, slice input, size_t limit, size_t *ret_len,
               enum http1_error *ret_error) {
    const size_t end = input.len < limit ? input.len : limit;
    for (size_t base = scan->scanned; base < end; base += MASK_BYTES) {
        uint64_t mask = control_mask(input.ptr + base, end - base);
        for (; mask; mask &= mask - 1) {
            const size_t at = base + (size_t)__builtin_ctzll(mask);
            const char c = input.ptr[at];
            if (c == '\r') {
                if (at + 1 == end) {
                    scan->scanned = (uint32_t)at; /* what follows it is not known yet */
                    return 0;
                }
                if (input.ptr[at + 1] != '\n')
                    return refuse(HTTP1_ERROR_BARE_CR, ret_error);
                if (at == scan->line_start) {
                    *ret_len = at + 2;
                    return 1;
                }
                scan->line_start = (uint32_t)at + 2;
                mask &= mask - 1; /* its LF, if it is in this window */
            } else if (c == '\n') {
                if (at == 0 || input.ptr[at - 1] != '\r')
                    return refuse(HTTP1_ERROR_BARE_LF, ret_error);
            } else if (c != '\t') {
                return refuse(HTTP1_ERROR_CONTROL_BYTE, ret_error);
            }
        }
    }
    if (end > scan->scanned)
        scan->scanned = (uint32_t)end;
    return 0;
}

slice http1_next_line(slice *rest) {
    size_t lf = mask_find(rest->ptr, rest->len, '\n');
    size_t line_len = lf < 1 || lf == rest->len ? rest->len : lf - 1;
    slice line = slice_take(*rest, line_len);
    *rest = slice_skip(*rest, line_len + 2);
    return line;
}

/* A colon behind letters, digits and dashes: where it is, or 0. */
static size_t usual_name_len(slice line) {
    for (size_t i = 0; i + MASK_BYTES_SHORT <= line.len; i += MASK_BYTES_SHORT) {
        const unsigned others = ~mask_word_16(line.ptr + i) & 0xffff;
        if (others) {
            const size_t len = i + (unsigned)__builtin_ctz(others);
            return line.ptr[len] == ':' ? len : 0;
        }
    }
    return 0;
}

/* Without the blanks at its ends; most values have one before them. */
static slice trim_value(slice value) {
    if (value.len > 0 && value.ptr[0] == ' ')
        value = slice_make(value.ptr + 1, value.len - 1);
    const bool bare = value.len > 0 && (unsigned char)value.ptr[0] > ' ' &&
                      (unsigned char)value.ptr[value.len - 1] > ' ';
    return bare ? value : slice_trim(value);
}

enum http1_error http1_parse_field(slice line, struct http1_field *ret_field) {
    size_t usual = usual_name_len(line);
    if (usual) {
        ret_field->name = slice_take(line, usual);
        ret_field->value = trim_value(slice_skip(line, usual + 1));
        return HTTP1_ERROR_NONE;
    }
    if (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        return HTTP1_ERROR_FIELD_FOLDED;
    ptrdiff_t colon = slice_find(line, ':');
    if (colon < 0)
        return HTTP1_ERROR_FIELD_COLON;
    slice name = slice_take(line, (size_t)colon);
    if (!http1_is_token(name)) {
        const char last = name.len ? name.ptr[name.len - 1] : '\0';
        return last == ' ' || last == '\t' ? HTTP1_ERROR_FIELD_BLANK : HTTP1_ERROR_FIELD_NAME;
    }
    ret_field->name = name;
    ret_field->value = trim_value(slice_skip(line, (size_t)colon + 1));
    return HTTP1_ERROR_NONE;
}

bool http1_next_field(slice *section, struct http1_field *ret_field) {
    if (section->len == 0)
        return false;
    slice line = http1_next_line(section);
    return http1_parse_field(line, ret_field) == HTTP1_ERROR_NONE;
}

/* Where the element at the start of LIST ends: its comma, or LIST's end. */
static size_t element_len(slice list) {
    bool quoted = false;
    for (size_t i = 0; i < list.len; i++) {
        const char c = list.ptr[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && c == ',')
            return i;
    }
    return list.len;
}

bool http1_next_element(slice *list, slice *ret_element) {
    while (list->len > 0) {
        size_t len = element_len(*list);
        slice element = slice_trim(slice_take(*list, len));
        *list = slice_skip(*list, len + 1);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool http1_cut_scheme(slice *credentials, slice scheme) {
    if (credentials->len <= scheme.len || credentials->ptr[scheme.len] != ' ' ||
        !slice_equal_nocase(slice_take(*credentials, scheme.len), scheme))
        return false;
    *credentials = slice_trim(slice_skip(*credentials, scheme.len));
    return true;
}

bool http1_is_framing(slice name) {
    switch (name.len) { /* most fields are told apart by their length */
    case sizeof("Connection") - 1:
        return slice_equal_nocase(name, slice_lit("Connection"));
    case sizeof("Content-Length") - 1:
        return slice_equal_nocase(name, slice_lit("Content-Length"));
    case sizeof("Transfer-Encoding") - 1:
        return slice_equal_nocase(name, slice_lit("Transfer-Encoding"));
    default:
        return false;
    }
}

bool http1_parse_length(slice text, uint64_t *ret_length) {
    enum { DIGITS_MAX = 19 }; /* of 2^63 - 1; 19 digits fit uint64_t */
    if (text.len == 0 || text.len > DIGITS_MAX || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    uint64_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9)
            return false;
        length = length * 10 + digit;
    }
    if (length > INT64_MAX)
        return false;
    *ret_length = length;
    return true;
}
