/*
 * slice.h - a run of bytes that somebody else owns: pointer and length, passed by value.
 *
 * All parsing in Nonet takes slices and gives slices: a token is a slice into the buffer it was
 * found in, so nothing is copied or terminated to be looked at. A slice says nothing about who
 * owns the bytes or for how long; the function that hands one out says that. Bytes are `char`
 * because most are text, and no function here cares about encoding.
 *
 * The empty slice is {NULL or anything, 0}; every function accepts it.
 */
#ifndef NONET_BASE_SLICE_H
#define NONET_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const char *ptr;
    size_t len;
} slice;

/* printf("%.*s", slice_fmt(s)): prints at most INT_MAX bytes, up to the first NUL. */
#define slice_fmt(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).len ? (s).ptr : ""

/* A slice over a string literal, its length known to the compiler. */
#define slice_lit(literal) ((slice){"" literal, sizeof(literal) - 1})

static inline slice slice_make(const void *ptr, size_t len) {
    return (slice){(const char *)ptr, len};
}

/* A slice over a NUL-terminated string; NULL gives the empty slice. */
static inline slice slice_str(const char *text) {
    return (slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(slice a, slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Bytewise order, the shorter first where one is a prefix of the other: <0, 0, >0. */
static inline int slice_compare(slice a, slice b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_starts_with(slice s, slice prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool slice_ends_with(slice s, slice suffix) {
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* S without its first COUNT bytes; COUNT past the end gives the empty slice at the end. */
static inline slice slice_skip(slice s, size_t count) {
    size_t skipped = count < s.len ? count : s.len;
    return (slice){s.ptr ? s.ptr + skipped : NULL, s.len - skipped};
}

/* The first COUNT bytes of S, or all of it where it is shorter. */
static inline slice slice_take(slice s, size_t count) {
    return (slice){s.ptr, count < s.len ? count : s.len};
}

/* Index of the first BYTE in S, or -1. */
ptrdiff_t slice_find(slice s, char byte);

/* Index of the first NEEDLE in S, or -1. The empty needle is found at 0. */
ptrdiff_t slice_find_slice(slice s, slice needle);

/* Equal but for ASCII letter case (field names, verbs). Not for text in other alphabets. */
bool slice_equal_nocase(slice a, slice b);

/* S without spaces and tabs at both ends. */
slice slice_trim(slice s);

/* Cuts S at the first SEPARATOR: returns what stands before it and leaves the rest in *REST.
   Without a separator returns all of S and leaves *REST empty with ptr NULL. */
slice slice_cut(slice s, char separator, slice *ret_rest);

/* Copies S to *AT, moves *AT behind it, and gives back the copy: for structs that keep their texts
   in one piece of memory behind themselves. */
static inline slice slice_store(char **at, slice s) {
    slice copy = slice_make(*at, s.len);
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/* Copies S with a closing NUL into OUT of SIZE bytes. Returns 0, or -ENOSPC and copies nothing
   where it does not fit, or -EINVAL where S holds a NUL byte. */
int slice_to_string(slice s, char *out, size_t size) __attribute__((warn_unused_result));

#endif
