/*
 * transform.h - one subject made of another: a stream's subject_transform and republish.
 *
 *     source        orders.*.*.>          wildcards are numbered from the left: 1, 2
 *     destination   by.{{wildcard(2)}}.$1.>
 *     orders.eu.7.paid.late    ->    by.7.eu.paid.late
 *
 * A token of the destination is literal, `$N`, or a function in double braces (any case, blanks
 * around arguments):
 *
 *     wildcard(n)                the token that wildcard n stands for, as $n
 *     partition(count, n, ...)   0..count-1, by FNV-1a over those tokens, one behind the other
 *     split(n, separator)        cut at each separator, into tokens; empty ones are left out
 *     splitfromleft(n, size)     cut in two, `size` bytes from the left; splitfromright likewise
 *     slicefromleft(n, size)     cut into pieces of `size`; slicefromright leaves the first shorter
 *     left(n, size)              the first bytes; right the last
 *
 * A token too short to be cut stays as it is. '>' ends both source and destination, or neither. An
 * empty source is '>'. As nats-server has it (docs: subject mapping and partitioning; server
 * subject_transform.go for the edges), so that subjects come out the same there.
 */
#ifndef NONET_BUS_TRANSFORM_H
#define NONET_BUS_TRANSFORM_H

#include "base/arena.h"

#define TRANSFORM_TOKENS_MAX 256u /* of a destination, of a source, of a subject beyond '>' */
#define TRANSFORM_ARGUMENTS_MAX 16u

struct transform;

/* SOURCE and DESTINATION are copied into ARENA, which the transform lives in. 0, -ENOMEM, or
   -EINVAL with *RET_WHY in words. */
must_use int transform_make(struct arena *arena, slice source, slice destination,
                            struct transform **ret_transform, const char **ret_why);
/* SUBJECT, literal, as TRANSFORM makes it, into OUT of SIZE bytes; *RET_SUBJECT is there. False:
   the source does not match, or the result would not fit. */
bool transform_apply(const struct transform *transform, slice subject, char *out, size_t size,
                     slice *ret_subject);

#endif
