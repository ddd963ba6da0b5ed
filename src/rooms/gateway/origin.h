/*
 * origin.h - origins of pages (RFC 6454) and the patterns that name them in a config.
 *
 *     https://shop.example          this origin alone
 *     https://(star).shop.example   every name below shop.example, however deep, but not itself
 *     (star)                        every origin, those called "null" too
 *     null                          pages without an origin: files, sandboxed frames
 *
 * Scheme and port must be the pattern's; a port that is the scheme's usual one is written in
 * neither, as browsers send it. Letter case does not matter.
 */
#ifndef NONET_GATEWAY_ORIGIN_H
#define NONET_GATEWAY_ORIGIN_H

#include "base/check.h"
#include "base/slice.h"

/* Whether PATTERN is one of the above: 0, or -EINVAL. */
must_use int origin_pattern_check(slice pattern);
/* Whether ORIGIN, as a browser has sent it, is what PATTERN names. */
bool origin_fits(slice pattern, slice origin);

#endif
