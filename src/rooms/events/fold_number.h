/*
 * fold_number.h - adds two JSON numbers without losing anything where that can be helped. Pure.
 *
 *     1 + 2 = 3      0.10 + 0.20 = 0.30      9223372036854775807 + 1: refused
 *
 * Numbers without an exponent are decimals of up to 63 bits, with up to 18 places behind the point:
 * their sum is exact, with as many places as the longer one has. Integers stay integers of 64 bits;
 * a sum beyond that is refused, never rounded. What does not fit otherwise (an exponent, more
 * digits) is added as a double is, and written in the shortest form that reads back equal.
 */
#ifndef NONET_EVENTS_FOLD_NUMBER_H
#define NONET_EVENTS_FOLD_NUMBER_H

#include "base/buf.h"

/* A and B as JSON writes numbers; appends their sum. 0, -ERANGE, -ENOMEM, -ENOBUFS. */
must_use int fold_number_add(slice a, slice b, struct buf *out);

#endif
