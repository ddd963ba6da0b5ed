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

/* Since the log was opened, unless it is about now. All are whole numbers, so that a table can name
   them by their place. */
struct log_stats {
    uint64_t groups, batches, journal_bytes; /* written to the journal; seals count as bytes only */
    uint64_t syncs, sync_ns; /* one a group or seal; time of the write and the sync */
    uint64_t checkpoints, checkpoints_failed, checkpoint_ns,
        checkpoint_bytes;              /* blocks and state */
    uint64_t checkpoint_stall_ns_max;  /* how long the loop stood still to freeze one */
    uint64_t cache_hits, cache_misses; /* blocks turned to; of them loaded from disk */
    uint64_t blocking_reads;           /* blocks that retention had to read at once */
    uint64_t damaged;                  /* now: messages that cannot be read */
    uint64_t streams, segments, segment_bytes, segment_live_bytes, cache_bytes, unsaved_bytes;
    uint64_t journal_files, journal_used_bytes, journal_capacity_bytes;
    uint64_t full, disk_full; /* now: 1 where log_full(), 1 where the disk has no space left */
    uint64_t erasing;         /* now: 1 while files may still hold erased messages */
};
struct log_stats log_stats(const struct log *log);

#endif
