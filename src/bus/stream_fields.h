/*
 * stream_fields.h - what a stream is configured with: StreamConfig of the JetStream API, as a
 * struct. stream_config.h reads and writes it, streams.h says what follows from it.
 *
 * Slices point into memory of whoever made the struct; the engine copies. A limit of -1 is none.
 */
#ifndef NONET_BUS_STREAM_FIELDS_H
#define NONET_BUS_STREAM_FIELDS_H

#include "base/slice.h"

#define STREAMS_NAME_MAX 255
#define STREAMS_SUBJECTS_MAX 256

/* What a stream keeps: all (until a limit), what a consumer that is interested has not yet
   acknowledged, or what has not been acknowledged by the one consumer there is for it. */
enum stream_retention {
    STREAM_RETENTION_LIMITS,
    STREAM_RETENTION_INTEREST,
    STREAM_RETENTION_WORK_QUEUE
};
enum stream_discard { STREAM_DISCARD_OLD, STREAM_DISCARD_NEW };

/* transform.h; destination empty = none. */
struct stream_mapping {
    slice source, destination;
    bool headers_only; /* of republish: the payload's size in the place of the payload */
};

struct stream_config {
    slice name, description;
    slice subjects[STREAMS_SUBJECTS_MAX];
    unsigned subject_count;
    enum stream_retention retention;
    enum stream_discard discard;
    bool discard_new_per_subject, in_memory, no_ack, sealed;
    bool deny_delete, deny_purge, allow_rollup, allow_direct, allow_message_ttl, allow_atomic;
    bool node_own;      /* made by the node: its subjects may begin with _NONET., which captures
                           nothing; not stored */
    bool mirror_direct; /* kept and given back: there are no mirrors to read from */
    int64_t consumers_max, messages_max, bytes_max, messages_per_subject_max, message_bytes_max;
    int64_t age_max_ns, duplicate_window_ns; /* window 0 = 2 min, or age_max where that is less */
    int64_t marker_ttl_ns; /* subject_delete_marker_ttl, see expiry.h; 0 = no markers */
    struct stream_mapping transform, republish;
    uint64_t first_sequence; /* of a new stream; 0 = 1 */
    /* What consumers have where they say nothing, and at most; 0 = no limit. */
    int64_t consumer_inactive_ns, consumer_ack_pending;
    slice metadata; /* a JSON object, given back as it came; empty = none */
};

#endif
