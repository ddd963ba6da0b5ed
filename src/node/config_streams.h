/*
 * config_streams.h - the section `streams` of nonet.yaml as a struct; part of config.h.
 *
 * Each is made or updated at the start (declare.c) in the terms of the JetStream API, which judges
 * it once more; what the tables and config_check.c can tell is told with its place in the file.
 */
#ifndef NONET_NODE_CONFIG_STREAMS_H
#define NONET_NODE_CONFIG_STREAMS_H

#include "base/conf.h"

/* Of subject_transform and of republish; no destination: none. */
struct config_mapping {
    struct conf_item item;
    slice source, destination; /* source empty: all */
    bool headers_only;         /* of republish */
};

struct config_consumer_limits {
    struct conf_item item;
    uint64_t inactive_threshold_ns; /* 0 = without limit */
    int64_t max_ack_pending;
};

struct config_stream {
    struct conf_item item;
    slice description;
    struct conf_array subjects; /* of slice */
    int discard, storage;       /* enums of bus/streams.h; storage 1 = memory */
    uint64_t max_age_ns, max_bytes, max_msg_size, duplicate_window_ns; /* 0 = without limit */
    int64_t max_msgs, max_msgs_per_subject, max_consumers;             /* 0 = without limit */
    struct conf_array metadata;                                        /* of conf_pair */
    bool discard_new_per_subject, allow_direct, deny_delete, deny_purge, no_ack;
    bool allow_rollup_hdrs, allow_msg_ttl, allow_atomic;
    struct config_mapping subject_transform, republish;
    struct config_consumer_limits consumer_limits;
    int retention;                         /* enum stream_retention */
    uint64_t subject_delete_marker_ttl_ns; /* 0 = no markers */
    int64_t first_seq;                     /* 0 = 1 */
};

#endif
