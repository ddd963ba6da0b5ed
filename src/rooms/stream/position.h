/*
 * position.h - how far in streams a session wants what it reads to be: setting min_position. Pure.
 *
 *     ORDERS:42           what a PubAck tells: the stream, and the sequence in it
 *     ORDERS:42, ES:7     of several streams
 *     7                   of events: the position that an append answers, a sequence of ES
 */
#ifndef NONET_STREAM_POSITION_H
#define NONET_STREAM_POSITION_H

#include "base/check.h"
#include "base/slice.h"

#define POSITIONS_MAX 64u
#define POSITION_EVENTS "ES" /* the stream of a number alone */

struct positions {
    unsigned count;
    struct {
        slice stream;
        uint64_t sequence;
    } list[POSITIONS_MAX];
};

/* Names are TEXT's. An empty text: none. 0; -EINVAL: it is not so written; -E2BIG. */
must_use int positions_read(slice text, struct positions *ret);
/* The largest of STREAM; 0: there is none. */
uint64_t positions_of(const struct positions *p, slice stream);

#endif
