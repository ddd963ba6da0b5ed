/*
 * stats.h - the log's own numbers, for /metrics and for tests.
 *
 * They are plain counters on the log's loop, gathered when asked for: the log knows no registry,
 * so the same numbers serve the node's metrics, `nonet status` and the benchmarks. Asking walks
 * the streams and segments; once a second is often enough.
 */
#ifndef NONET_LOG_STATS_H
#define NONET_LOG_STATS_H

#include "log/log.h"

/* Since the log was opened, unless it is about now. */
struct log_stats {
    uint64_t groups, batches, journal_bytes, sync_ns; /* written to the journal; one sync a group */
    uint64_t checkpoints, checkpoints_failed, checkpoint_ns,
        checkpoint_bytes;              /* blocks and state */
    uint64_t checkpoint_stall_ns_max;  /* how long the loop stood still to freeze one */
    uint64_t cache_hits, cache_misses; /* blocks turned to; of them loaded from disk */
    uint64_t blocking_reads;           /* blocks that retention had to read at once */
    uint64_t damaged;                  /* now: messages that cannot be read */
    uint64_t streams, segments, segment_bytes, segment_live_bytes, cache_bytes, unsaved_bytes;
    uint64_t journal_files, journal_used_bytes;
    bool disk_full;
};
struct log_stats log_stats(const struct log *log);

#endif
