/*
 * json_scan.h - the lexer that json.c and json_pick.c share; nobody else includes it, but for
 * json_write.c, which asks for the bytes that need no escape.
 *
 * A cursor runs over the text and takes one token at a time. The two walkers above it differ in
 * what they keep, never in what they accept, because every byte is judged here.
 *
 * The long part of most documents is the inside of strings, so the search for the next byte that
 * means something there (quote, backslash, control, not ASCII) goes 16 bytes at a time with SSE2,
 * or 8 at a time in a plain word elsewhere.
 */
#ifndef NONET_WIRE_JSON_SCAN_H
#define NONET_WIRE_JSON_SCAN_H

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"
#include "wire/json.h"

#include <errno.h>

#define JSON_REASON_DEPTH "objects and arrays are nested too deeply"
#define JSON_REASON_REPEATED "this key occurs twice in its object"

struct json_scan {
    const char *start;
    const char *at;
    const char *end;
    const char *reason; /* set on refusal; `at` then stands on the byte at fault */
};

/* What json_scan_string and json_scan_number found out beside the end. */
struct json_token {
    const char *start; /* first byte of the content (behind the quote) or of the digits */
    const char *end;   /* one past the content */
    bool escaped;
    bool integer;
};

static inline struct json_scan json_scan_make(slice text) {
    const char *start = text.len ? text.ptr : "";
    return (struct json_scan){start, start, start + text.len, NULL};
}

/* Refuses at WHERE. Returns -EINVAL. */
int json_scan_refuse(struct json_scan *s, const char *where, const char *reason);

/* The grammar around values, of the document and of a container. All leave `at` on the first byte
   of a value where one is due.
   begin: -EINVAL, or -E2BIG past JSON_TEXT_MAX.
   next: 1 where an element or member follows (an object's key in *RET_KEY), 0 where the container
   has ended, -EINVAL. FIRST: nothing stood in the container yet.
   finish: 0, or -EINVAL where something follows. */
must_use int json_scan_begin(struct json_scan *s);
must_use int json_scan_next(struct json_scan *s, bool object, bool first,
                            struct json_token *ret_key);
must_use int json_scan_finish(struct json_scan *s);

/* `at` must stand on the opening quote; leaves it behind the closing one. 0 or -EINVAL. */
must_use int json_scan_string(struct json_scan *s, struct json_token *ret_token);

/* The number at `at`. 0, or -EINVAL also where nothing like a number stands there. */
must_use int json_scan_number(struct json_scan *s, struct json_token *ret_token);

/* Takes the rest of `true`, `false` or `null`. 0 or -EINVAL. */
must_use int json_scan_word(struct json_scan *s, slice word);

/* The scalar at `at`, which stands before the end; inline, for it is asked for each value. 0, or
   -EINVAL also where none stands there. */
must_use static inline int json_scan_scalar(struct json_scan *s, struct json_token *ret_token,
                                            enum json_type *ret_type) {
    switch (*s->at) {
    case '"':
        *ret_type = JSON_STRING;
        return json_scan_string(s, ret_token);
    case 't':
        *ret_type = JSON_BOOL;
        return json_scan_word(s, slice_lit("true"));
    case 'f':
        *ret_type = JSON_BOOL;
        return json_scan_word(s, slice_lit("false"));
    case 'n':
        *ret_type = JSON_NULL;
        return json_scan_word(s, slice_lit("null"));
    default:
        *ret_type = JSON_NUMBER;
        return json_scan_number(s, ret_token);
    }
}

/* Bytes at P that are printable ASCII and neither quote nor backslash, at most END - P: the two
   ways to count them, named so that a test can compare them. */
size_t json_scan_plain(const char *p, const char *end);
size_t json_scan_plain_words(const char *p, const char *end);

/* Decodes the escapes of a string already accepted. OUT has room for IN.len. Returns the end. */
char *json_scan_unescape(slice in, char *out);

/* Whether the string IN, already accepted, is TEXT once its escapes are decoded. */
bool json_scan_unescapes_to(slice in, slice text);

/* Typed reads of a number as written (json.h and json_pick.h say the answers). */
must_use int json_scan_to_i64(slice digits, int64_t *ret_number);
must_use int json_scan_to_u64(slice digits, uint64_t *ret_number);
must_use int json_scan_to_double(slice digits, double *ret_number);

/* Fills *E from a refusal; what json_explain() and json_pick_explain() share. */
int json_scan_explain(slice text, size_t offset, const char *reason, int code, slice name,
                      struct error *e);

#endif
