/*
 * nats_subject.c - validity and matching of subjects, by walking their tokens side by side.
 *
 * Two subjects are compared token by token. What ends the walk early is '>', which takes whatever
 * is left on the other side, provided that something is left: "a.>" does not match "a".
 *
 *      match      literal against pattern     token = token, or pattern '*', or pattern '>'
 *      is_subset  pattern against pattern     as match, but '*' is only within '*', '>' within '>'
 *      overlap    pattern against pattern     token = token, or '*' or '>' on either side
 */
#include "wire/nats_subject.h"

static bool is_token(slice token, char wildcard) {
    return token.len == 1 && token.ptr[0] == wildcard;
}

static bool is_wildcard(slice token) {
    return is_token(token, '*') || is_token(token, '>');
}

static bool is_forbidden(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

bool nats_subject_next(slice *rest, slice *ret_token) {
    if (!rest->ptr)
        return false;
    const char *dot = rest->len ? memchr(rest->ptr, '.', rest->len) : NULL;
    if (!dot) {
        *ret_token = *rest;
        *rest = (slice){NULL, 0};
        return true;
    }
    *ret_token = slice_make(rest->ptr, (size_t)(dot - rest->ptr));
    *rest = slice_skip(*rest, ret_token->len + 1);
    return true;
}

bool nats_subject_valid(slice s) {
    for (size_t i = 0; i < s.len; i++) {
        if (is_forbidden(s.ptr[i]))
            return false;
    }
    slice token, rest = s;
    bool last = false;
    while (nats_subject_next(&rest, &token)) {
        if (token.len == 0 || last)
            return false;
        last = is_token(token, '>');
    }
    return s.len > 0;
}

bool nats_subject_has_wildcard(slice s) {
    slice token;
    while (nats_subject_next(&s, &token)) {
        if (is_wildcard(token))
            return true;
    }
    return false;
}

bool nats_subject_literal(slice s) {
    return nats_subject_valid(s) && !nats_subject_has_wildcard(s);
}

size_t nats_subject_tokens(slice s) {
    size_t count = 0;
    slice token;
    while (nats_subject_next(&s, &token))
        count++;
    return count;
}

bool nats_subject_match(slice subject, slice pattern) {
    slice name, token;
    bool open = false; /* '>' was met: the rest of the subject only has to be one */
    while (nats_subject_next(&subject, &name)) {
        if (name.len == 0)
            return false;
        if (open)
            continue;
        if (!nats_subject_next(&pattern, &token))
            return false;
        open = is_token(token, '>');
        if (!open && !is_token(token, '*') && !slice_equal(name, token))
            return false;
    }
    return open || !nats_subject_next(&pattern, &token);
}

bool nats_subject_is_subset(slice part, slice whole) {
    slice inner, outer;
    while (nats_subject_next(&part, &inner)) {
        if (!nats_subject_next(&whole, &outer))
            return false;
        if (is_token(outer, '>'))
            return true;
        if (is_token(inner, '>'))
            return false;
        if (!is_token(outer, '*') && (is_token(inner, '*') || !slice_equal(inner, outer)))
            return false;
    }
    return !nats_subject_next(&whole, &outer);
}

bool nats_subject_overlap(slice a, slice b) {
    slice left, right;
    while (nats_subject_next(&a, &left)) {
        if (!nats_subject_next(&b, &right))
            return false;
        if (is_token(left, '>') || is_token(right, '>'))
            return true;
        if (!is_token(left, '*') && !is_token(right, '*') && !slice_equal(left, right))
            return false;
    }
    return !nats_subject_next(&b, &right);
}
