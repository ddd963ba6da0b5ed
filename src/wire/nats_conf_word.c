/*
 * nats_conf_word.c - booleans, numbers with their suffixes, escapes (nats_conf_word.h).
 *
 * A word is a number only as a whole: "10" and "64mb" are, "10.0.0.1", "10s" and "1h" are text. So
 * a duration of minutes wants quotes ("2m"), as it does with nats-server: bare it is two million.
 */
#include "wire/nats_conf_word.h"

#include "base/hex.h"
#include "base/number.h"

#include <errno.h>

bool nats_conf_is_variable(slice word) {
    static const char *const hashes[] = {"$2a$", "$2b$", "$2y$"};
    for (size_t i = 0; i < array_count(hashes); i++)
        if (slice_starts_with(word, slice_str(hashes[i])))
            return false;
    return word.len > 1 && word.ptr[0] == '$';
}

static bool is_any_of(slice word, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(word, slice_str(words[i])))
            return true;
    return false;
}

static size_t digits_at(slice word, size_t from) {
    size_t at = from;
    while (at < word.len && word.ptr[at] >= '0' && word.ptr[at] <= '9')
        at++;
    return at - from;
}

/* What a suffix multiplies by; 0: it is none. */
static int64_t factor_of(slice suffix) {
    static const char letters[] = "kmgtpe";
    if (!suffix.len)
        return 1;
    slice rest = slice_skip(suffix, 1);
    bool binary = is_any_of(rest, (const char *const[]){"b", "i", "ib"}, 3);
    if (rest.len && !binary)
        return 0;
    int64_t factor = 1;
    for (size_t i = 0; letters[i]; i++) {
        factor *= binary ? 1024 : 1000;
        if ((suffix.ptr[0] | 0x20) == letters[i])
            return factor;
    }
    return 0;
}

static bool is_fraction(slice word, size_t sign, size_t digits) {
    size_t point = sign + digits;
    return point + 1 < word.len && word.ptr[point] == '.' &&
           digits_at(word, point + 1) == word.len - point - 1;
}

int nats_conf_read_word(slice word, struct nats_conf_node *node) {
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    node->type = NATS_CONF_TEXT;
    node->text = word;
    bool truth = is_any_of(word, yes, array_count(yes));
    if (truth || is_any_of(word, no, array_count(no))) {
        node->type = NATS_CONF_BOOL;
        node->number = truth;
        return 0;
    }
    size_t sign = word.len && word.ptr[0] == '-';
    size_t digits = digits_at(word, sign);
    if (!digits)
        return 0;
    if (is_fraction(word, sign, digits)) {
        node->type = NATS_CONF_FRACTION;
        return 0;
    }
    int64_t factor = factor_of(slice_skip(word, sign + digits));
    if (!factor)
        return 0;
    node->type = NATS_CONF_NUMBER;
    int64_t number;
    int failed = number_parse_i64(slice_take(word, sign + digits), INT64_MIN, INT64_MAX, &number);
    if (failed || __builtin_mul_overflow(number, factor, &node->number))
        return -ERANGE;
    return 0;
}

/* One escape behind its backslash at AT of TEXT. Returns its bytes in TEXT, 0: there is none. */
static size_t read_escape(slice text, size_t at, char *ret_byte) {
    static const char names[] = "tnr\"\\", bytes[] = "\t\n\r\"\\";
    if (at >= text.len)
        return 0;
    for (size_t i = 0; names[i]; i++)
        if (text.ptr[at] == names[i]) {
            *ret_byte = bytes[i];
            return 1;
        }
    size_t len;
    slice digits = slice_take(slice_skip(text, at + 1), 2);
    bool hex = text.ptr[at] == 'x' && digits.len == 2 && hex_decode(digits, ret_byte, 1, &len) == 0;
    return hex ? 3 : 0;
}

int nats_conf_unescape(slice text, struct arena *arena, slice *ret_text, size_t *ret_at) {
    if (slice_find(text, '\\') < 0) {
        *ret_text = text;
        return 0;
    }
    char *out = arena_alloc(arena, text.len);
    if (!out)
        return -ENOMEM;
    size_t len = 0;
    for (size_t at = 0; at < text.len; len++) {
        if (text.ptr[at] != '\\') {
            out[len] = text.ptr[at++];
            continue;
        }
        size_t escape = read_escape(text, at + 1, &out[len]);
        if (!escape) {
            *ret_at = at;
            return -EINVAL;
        }
        at += 1 + escape;
    }
    *ret_text = slice_make(out, len);
    return 0;
}
