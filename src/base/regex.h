/*
 * regex.h - regular expressions in Perl's syntax (PCRE2), with an answer to every hostile one.
 *
 *   pattern  --regex_compile-->  struct regex  --regex_match-->  spans of the match and its groups
 *
 * A backtracking matcher can be made to take for ever ("(a+)+$") or to need any amount of memory.
 * So each match has a budget of steps, of nesting and of memory, and -E2BIG is the answer at each.
 * Patterns are bounded in bytes and in what they expand to ("(a{1000}){1000}" does not compile).
 * Compiled patterns run as machine code where the machine lets us make some, else interpreted;
 * both give the same answers.
 *
 * Text is UTF-8 and must be valid: it is not looked at again. Case, \w and \d are those of ASCII.
 * A regex keeps the room its matches need and is used by one thread at a time.
 */
#ifndef NONET_BASE_REGEX_H
#define NONET_BASE_REGEX_H

#include "base/check.h"
#include "base/slice.h"

#define REGEX_PATTERN_BYTES_MAX ((size_t)64 << 10)
#define REGEX_STEPS_MAX 2000000u           /* of one match: some 10 ms of machine code */
#define REGEX_DEPTH_MAX 100000u            /* backtracking points at once */
#define REGEX_HEAP_KIB_MAX 16384u          /* for them */
#define REGEX_STACK_BYTES_MAX (512u << 10) /* of the machine code, taken when 32 KiB do not do */
#define REGEX_MESSAGE_BYTES 256u
#define REGEX_NONE SIZE_MAX /* start and end of a group that took no part */

struct regex;

struct regex_span {
    size_t start, end; /* bytes of the subject */
};

enum regex_flag {
    REGEX_CASELESS = 1, /* also beyond ASCII */
    REGEX_EXTENDED = 2, /* blanks and # comments in the pattern do not count */
};

/* 0 and *RET for the caller to free. -EINVAL: the pattern is none, MESSAGE (REGEX_MESSAGE_BYTES)
   says why. -ENOMEM. */
must_use int regex_compile(slice pattern, unsigned flags, struct regex **ret, char *message);
/* NULL is allowed; returns NULL. */
struct regex *regex_free(struct regex *r);
/* Capture groups in the pattern, without the whole match. */
unsigned regex_groups(const struct regex *r);

/* Looks for the first match in SUBJECT from byte START (0..len, the start of a character) on.
   1: found; SPANS[0] is the match, SPANS[i] group i, REGEX_NONE for those without part; COUNT
   spans are filled, at most groups + 1 of them hold something. 0: none. -E2BIG: a bound was
   reached. -ENOMEM. */
must_use int regex_match(struct regex *r, slice subject, size_t start, struct regex_span *spans,
                         unsigned count);

#endif
