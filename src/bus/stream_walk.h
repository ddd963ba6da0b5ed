/*
 * stream_walk.h - many messages of a stream for one request (direct get in batches, ADR-31).
 *
 *     [time -> sequence] -> [list of the last of each subject] -> read, one message after another
 *
 * A walk goes through the messages from one on that match a subject; or through the last message
 * of each subject that matches one of several filters, as the stream was at a sequence or a time:
 * for that, a subject whose last message is newer is searched from its first one on. Both may have
 * to wait for blocks and take a bounded step a turn. A stream may be deleted meanwhile: then the
 * walk ends with 404.
 */
#ifndef NONET_BUS_STREAM_WALK_H
#define NONET_BUS_STREAM_WALK_H

#include "bus/streams.h"

#define STREAM_WALK_FILTERS_MAX 1024u
#define STREAM_WALK_SUBJECTS_MAX 1024u /* of filters (ADR-31); more: 413 */
/* Filters with wildcards times subjects of the stream, looked at in one turn; more: 413. */
#define STREAM_WALK_COMPARISONS_MAX (16u << 20)

struct stream_walk_options {
    slice subject;        /* filter; empty: all. Not with last_of */
    uint64_t from;        /* nothing below */
    int64_t from_time_ns; /* not 0: instead, nothing before. Not with last_of */
    const slice *last_of; /* last_of_count of them; each has been judged as a subject */
    unsigned last_of_count;
    uint64_t up_to;        /* with last_of: nothing above; 0: the last there is now */
    int64_t up_to_time_ns; /* not 0: instead, nothing at or after it */
};

struct stream_walk_end {
    const struct streams_error *error; /* NULL: it came to the end, or EACH has had enough */
    uint64_t count;                    /* messages that EACH was given */
    uint64_t pending;                  /* that match, behind the last of these */
    uint64_t last;                     /* sequence of the last of these */
    uint64_t up_to;                    /* what it went up to, with last_of */
};

/* EACH is called for every message, with the number that match behind it and the sequence of the
   one given before (0 = none), until it returns false; then DONE, once. A record is valid during
   the call. What is damaged on disk is passed over. Errors: 404 (10059), 413 (too many subjects),
   500 (10057), 503. Texts are copied. EACH and DONE may be called from inside. */
void stream_walk(struct stream *stream, const struct stream_walk_options *options,
                 bool (*each)(void *self, const struct log_record *record, uint64_t pending,
                              uint64_t before),
                 void (*done)(void *self, const struct stream_walk_end *end), void *self);

#endif
