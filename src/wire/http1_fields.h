/*
 * http1_fields.h - what heads and trailers are made of: lines, fields, tokens, lists.
 *
 * A section is a run of lines, each ended by CR LF, closed by an empty one. http1_scan walks the
 * bytes of a section as they arrive and knows two things: that no byte so far is one that may
 * not be there, and whether the section is whole. Only then are its lines read as fields.
 */
#ifndef NONET_WIRE_HTTP1_FIELDS_H
#define NONET_WIRE_HTTP1_FIELDS_H

#include "base/slice.h"
#include "wire/http1_error.h"

struct http1_field {
    slice name;  /* as sent; compare with slice_equal_nocase */
    slice value; /* without blanks at its ends; bytes 0x80 to 0xff are let through */
};

/* How far a section has been walked. Zero before its first byte. */
struct http1_scan {
    uint32_t scanned;    /* so many bytes are known to be good */
    uint32_t line_start; /* where the line under the cursor begins */
};

/* Walks INPUT, the section from its first byte, on from where the scan stands.
   1: whole; *ret_len is its length with the empty line. 0: more is needed.
   -EPROTO: *ret_error is BARE_LF, BARE_CR or CONTROL_BYTE.
   Looks at no more than LIMIT bytes; the caller judges what it means that there are more. */
must_use int http1_scan(struct http1_scan *scan, slice input, size_t limit, size_t *ret_len,
                        enum http1_error *ret_error);

/* Takes one line off *REST, which holds whole lines, without its CR LF. */
slice http1_next_line(slice *rest);

/* Reads LINE as "name: value". HTTP1_ERROR_NONE, or why not. */
must_use enum http1_error http1_parse_field(slice line, struct http1_field *ret_field);

/* Takes the next field off a section that was found good (trailers): false at its end. */
bool http1_next_field(slice *section, struct http1_field *ret_field);

/* Takes the next element off a comma-separated list, blanks and empty elements removed. A comma in
   a quoted string does not separate. False at the end. */
bool http1_next_element(slice *list, slice *ret_element);

/* Takes "SCHEME " off the *CREDENTIALS of an Authorization field; false: they are of another. */
bool http1_cut_scheme(slice *credentials, slice scheme);

/* RFC 9110: 1 or more tchar. */
bool http1_is_token(slice s);
bool http1_is_token_byte(char c);

/* Connection, Content-Length, Transfer-Encoding: whoever sends a message says these itself. */
bool http1_is_framing(slice name);

/* Digits only, no leading zero but in "0", at most 2^63 - 1. */
bool http1_parse_length(slice text, uint64_t *ret_length);

#endif
