/*
 * url.h - the parts of a URL (RFC 3986), cut and compared the safe way.
 *
 * A path is the key by which a gateway chooses a route and a file server a file, so every way of
 * writing one path as two must end here: url_path_normalize() decodes what is only spelling
 * ("%41" is 'A'), resolves "." and "..", joins repeated slashes, and refuses what other software
 * would read differently: an encoded slash, backslash or control byte, a bare backslash, an escape
 * that is none, a ".." that climbs out or stands behind an empty segment, "..;x". The result is
 * bytes, not text to be sent on: it is decoded.
 */
#ifndef NONET_WIRE_URL_H
#define NONET_WIRE_URL_H

#include "base/check.h"
#include "base/slice.h"

struct url_authority {
    slice user; /* before '@', "user:password"; ptr is NULL where there is none */
    slice host; /* a name, an IPv4 address, or an IPv6 address without its brackets */
    bool is_ipv6;
    bool has_port;
    uint16_t port; /* 0 where none is given */
};

struct url {
    slice scheme; /* as written; compare with slice_equal_nocase */
    slice authority_text;
    struct url_authority authority;
    slice path;  /* empty, or begins with '/' */
    slice query; /* without '?'; ptr is NULL where there is no '?' */
};

/* Splits "scheme://authority/path?query". Only URLs with an authority; a fragment is refused.
   0 or -EINVAL. */
must_use int url_parse(slice text, struct url *ret_url);

/* "[user@]host[:port]". The host is not empty; only letters, digits, '-', '.', '_' and '~'
   (RFC 3986 has more, of which no host is made); an IPv6 address in brackets is checked. 0 or
   -EINVAL. */
must_use int url_parse_authority(slice text, struct url_authority *ret_authority);

/* True where A and B are the same host and port, with DEFAULT_PORT for a missing one. */
bool url_same_authority(slice a, slice b, uint16_t default_port);

/* "%41+" -> "A+", with PLUS_IS_SPACE "A ". OUT holds at least s.len bytes and may be s.ptr itself.
   0 and *ret_len, or -EINVAL for a '%' without two hex digits. */
must_use int url_decode(slice s, bool plus_is_space, char *out, size_t *ret_len);

/* The other way: PATH, decoded, as it is sent. Whatever might mean something else than itself is
   "%XX", ';' too: some servers take what is behind it for parameters. '/' stays, but in a segment.
   OUT holds at least 3 * path.len bytes; returns how many there are. */
size_t url_encode_path(slice path, char *out);
size_t url_encode_segment(slice segment, char *out);
/* The same for a value within a query: only letters, digits and "-._~" stay. */
size_t url_encode_value(slice value, char *out);
/* The same of any TEXT: only letters, digits and PLAIN stay. */
size_t url_encode(slice text, const char *plain, char *out);

/* Whether S, decoded, is PLAIN; false where it cannot be. */
bool url_says(slice s, bool plus_is_space, slice plain);

/* PATH (begins with '/', no query) in its one form, see above. OUT holds at least path.len bytes.
   0 and *ret_len, or -EINVAL. */
must_use int url_path_normalize(slice path, char *out, size_t *ret_len);

/* Takes the next "key=value" off *QUERY, not decoded; a key without '=' has a value whose ptr is
   NULL. Empty pairs are passed over. False at the end. */
bool url_query_next(slice *query, slice *ret_key, slice *ret_value);

/* Cuts "path?query" at the first '?'. Without one ret_query->ptr is NULL. */
slice url_cut_query(slice target, slice *ret_query);

#endif
