/*
 * regex_translate.h - PostgreSQL's regular expressions (ARE) in the words of PCRE2.
 *
 * What is different is written out, what is not is passed on:
 *
 *      ARE                      PCRE2
 *      \m \M \y \Y \Z           \b(?=\w)  \b(?<=\w)  \b  \B  \z
 *      ^ $                      \A \z; newline-sensitive: after, before each line's end
 *      \b \B \v \xhhh \uhhhh    the characters they are; classes and octals alike
 *      a with option i          [aA]: case is that of ASCII
 *      (?n)… ***=… at the start options, a literal
 *      .*?x.* in one branch     .*?x.*?: the first quantifier decides for its branch
 *      a|ab                     ab|a: the longest of alternatives that have a fixed length
 *
 * Two things remain Perl's, because PCRE2 tries alternatives in order and never looks for the
 * longest match: of a+|ab+c the first that leads to a match is taken (PostgreSQL: the longest), and
 * the text a lookbehind looks at must be of known length.
 */
#ifndef NONET_SQL_TEXT_REGEX_TRANSLATE_H
#define NONET_SQL_TEXT_REGEX_TRANSLATE_H

#include "base/buf.h"
#include "sql/error.h"

#define TEXT_REGEX_DEPTH_MAX 200u
#define TEXT_REGEX_BYTES_MAX ((size_t)64 << 10) /* of the translation */

struct regex;

struct text_regex_options {
    bool caseless;
    bool newline_stops;   /* . and [^…] do not match a newline */
    bool newline_anchors; /* ^ and $ also match around newlines */
    bool expanded;        /* blanks and # comments do not count */
    bool literal;
    bool global; /* not the pattern's: all matches */
};

/* Reads the flags of regexp_match(…) and its kin. 22023 for an unknown one. */
must_use int text_regex_flags(slice flags, struct text_regex_options *options,
                              struct sql_error *error);
/* Appends PATTERN in PCRE2's syntax to OUT. 2201B where it is no regular expression. */
must_use int text_regex_translate(slice pattern, struct text_regex_options options, struct buf *out,
                                  struct sql_error *error);
/* PATTERN compiled, for the caller to free. 2201B, 53200. */
must_use int text_regex_compile(slice pattern, struct text_regex_options options,
                                struct regex **ret, struct sql_error *error);
/* Appends a SIMILAR TO pattern as ARE. ESCAPE: one character, or empty: none. 22025, 2200C. */
must_use int text_similar_translate(slice pattern, slice escape, struct buf *out,
                                    struct sql_error *error);

#endif
