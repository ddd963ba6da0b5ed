/*
 * stats.c - the log's own numbers, gathered from its parts when somebody asks.
 *
 * Each part counts for itself while it works; nothing here is on a hot path. Sums over streams and
 * segments are made anew each time rather than kept, so that they cannot drift.
 */
#include "log/stats.h"

#include "log/log_data.h"

static void count_streams(const struct log *log, struct log_stats *out) {
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        out->damaged += container_of(node, struct log_stream, node)->damaged;
        out->streams++;
    }
}

static void count_segments(const struct log *log, struct log_stats *out) {
    for (unsigned i = 0; i < log->segments.count; i++) {
        out->segment_bytes += log->segments.items[i]->size;
        out->segment_live_bytes += log->segments.items[i]->live;
    }
    out->segments = log->segments.count;
}

struct log_stats log_stats(const struct log *log) {
    struct journal_stats journal = journal_stats(log->journal);
    struct log_stats out = {
        .groups = journal.groups,
        .batches = journal.batches,
        .journal_bytes = journal.bytes,
        .syncs = journal.groups + journal.seals,
        .sync_ns = journal.sync_ns,
        .journal_files = journal.files,
        .journal_used_bytes = journal_used_bytes(log->journal),
        .journal_capacity_bytes = journal_capacity(log->journal),
        .unsaved_bytes = log->unsaved_bytes,
        .checkpoints = log->checkpoint.done_count,
        .checkpoints_failed = log->checkpoint.failed_count,
        .checkpoint_ns = log->checkpoint.ns,
        .checkpoint_stall_ns_max = log->checkpoint.stall_ns_max,
        .checkpoint_bytes = log->checkpoint.bytes,
        .cache_bytes = log->cache.bytes,
        .cache_hits = log->cache.hits,
        .cache_misses = log->cache.misses,
        .blocking_reads = log->cache.blocking,
        .full = log_full(log),
        .disk_full = log->disk_full,
        .erasing = log->erasure.pending,
    };
    count_streams(log, &out);
    count_segments(log, &out);
    return out;
}
