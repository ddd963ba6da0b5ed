/*
 * log_figures.c - the log's figures as metrics, on the shard the log lives on.
 *
 * A row says which number of log_stats a family shows. Asking the log walks its streams, and there
 * may be very many, so it is asked less often than the buses: every five seconds, which is still
 * more often than anybody scrapes.
 */
#include "log/stats.h"
#include "node/parts.h"

#define TICK_NS 5000000000ull

struct row {
    size_t at; /* in log_stats */
    struct metrics_family family;
};

static const struct row rows[] = {
    {offsetof(struct log_stats, groups),
     {.name = "nonet_log_groups_total",
      .kind = METRICS_COUNTER,
      .help = "Groups of batches written to the journal."}},
    {offsetof(struct log_stats, batches),
     {.name = "nonet_log_batches_total",
      .kind = METRICS_COUNTER,
      .help = "Atomic batches in them: publishes, acknowledgements, changes of streams."}},
    {offsetof(struct log_stats, journal_bytes),
     {.name = "nonet_log_journal_written_bytes_total",
      .kind = METRICS_COUNTER,
      .unit = "bytes",
      .help = "Bytes written to the journal."}},
    {offsetof(struct log_stats, syncs),
     {.name = "nonet_log_syncs_total",
      .kind = METRICS_COUNTER,
      .help = "Writes of the journal that were synced: one for each group or seal."}},
    {offsetof(struct log_stats, sync_ns),
     {.name = "nonet_log_sync_seconds_total",
      .kind = METRICS_COUNTER,
      .unit = "seconds",
      .scale = 1e-9,
      .help = "Time they took, write and sync."}},
    {offsetof(struct log_stats, journal_used_bytes),
     {.name = "nonet_log_journal_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "Journal in use: what no checkpoint has saved yet, in whole files."}},
    {offsetof(struct log_stats, journal_capacity_bytes),
     {.name = "nonet_log_journal_capacity_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "What the journal may take; publishers pause at three quarters."}},
    {offsetof(struct log_stats, journal_files),
     {.name = "nonet_log_journal_files",
      .kind = METRICS_GAUGE,
      .help = "Files of the journal, in use and ready."}},
    {offsetof(struct log_stats, unsaved_bytes),
     {.name = "nonet_log_unsaved_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "Messages in memory that no checkpoint has saved yet."}},
    {offsetof(struct log_stats, full),
     {.name = "nonet_log_full",
      .kind = METRICS_GAUGE,
      .help = "1 while publishers are paused because too much is unsaved."}},
    {offsetof(struct log_stats, disk_full),
     {.name = "nonet_log_disk_full",
      .kind = METRICS_GAUGE,
      .help = "1 while publishes are refused for lack of space on the disk."}},
    {offsetof(struct log_stats, erasing),
     {.name = "nonet_log_erasing",
      .kind = METRICS_GAUGE,
      .help = "1 while files of the log may still hold messages that were erased."}},
    {offsetof(struct log_stats, checkpoints),
     {.name = "nonet_log_checkpoints_total",
      .kind = METRICS_COUNTER,
      .help = "Checkpoints written."}},
    {offsetof(struct log_stats, checkpoints_failed),
     {.name = "nonet_log_checkpoints_failed_total",
      .kind = METRICS_COUNTER,
      .help = "Checkpoints that failed; they are tried again."}},
    {offsetof(struct log_stats, checkpoint_ns),
     {.name = "nonet_log_checkpoint_seconds_total",
      .kind = METRICS_COUNTER,
      .unit = "seconds",
      .scale = 1e-9,
      .help = "Time checkpoints took beside the loop."}},
    {offsetof(struct log_stats, checkpoint_bytes),
     {.name = "nonet_log_checkpoint_bytes_total",
      .kind = METRICS_COUNTER,
      .unit = "bytes",
      .help = "Bytes of messages and state that checkpoints wrote."}},
    {offsetof(struct log_stats, checkpoint_stall_ns_max),
     {.name = "nonet_log_checkpoint_stall_seconds_max",
      .kind = METRICS_GAUGE,
      .unit = "seconds",
      .scale = 1e-9,
      .help = "The longest a checkpoint has kept the loop."}},
    {offsetof(struct log_stats, cache_bytes),
     {.name = "nonet_log_cache_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "Blocks of messages in memory."}},
    {offsetof(struct log_stats, cache_hits),
     {.name = "nonet_log_cache_hits_total",
      .kind = METRICS_COUNTER,
      .help = "Blocks turned to that were in memory."}},
    {offsetof(struct log_stats, cache_misses),
     {.name = "nonet_log_cache_misses_total",
      .kind = METRICS_COUNTER,
      .help = "Blocks that were read from the disk."}},
    {offsetof(struct log_stats, blocking_reads),
     {.name = "nonet_log_blocking_reads_total",
      .kind = METRICS_COUNTER,
      .help = "Blocks that retention read while the loop waited."}},
    {offsetof(struct log_stats, streams),
     {.name = "nonet_log_streams",
      .kind = METRICS_GAUGE,
      .help = "Durable streams, those in memory included."}},
    {offsetof(struct log_stats, damaged),
     {.name = "nonet_log_damaged_messages",
      .kind = METRICS_GAUGE,
      .help = "Messages that cannot be read: their bytes on disk are not what was written."}},
    {offsetof(struct log_stats, segments),
     {.name = "nonet_log_segments", .kind = METRICS_GAUGE, .help = "Segment files."}},
    {offsetof(struct log_stats, segment_bytes),
     {.name = "nonet_log_segment_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "Bytes in them."}},
    {offsetof(struct log_stats, segment_live_bytes),
     {.name = "nonet_log_segment_live_bytes",
      .kind = METRICS_GAUGE,
      .unit = "bytes",
      .help = "Bytes in them that streams still hold."}},
};

_Static_assert(array_count(rows) == NODE_LOG_FIGURES, "a handle for each row");

static uint64_t number_at(const struct log_stats *stats, size_t at) {
    uint64_t number;
    memcpy(&number, (const char *)stats + at, sizeof number);
    return number;
}

int log_figures_open(struct node *node) {
    int failed = 0;
    for (unsigned i = 0; i < NODE_LOG_FIGURES && !failed; i++)
        failed =
            metrics_add_series(node->room.metrics, &rows[i].family, NULL, &node->log_figures[i]);
    return failed;
}

static void gather(struct node_shard *shard) {
    struct log_stats now = log_stats(shard->log);
    for (unsigned i = 0; i < NODE_LOG_FIGURES; i++) {
        struct metric figure = shard->node->log_figures[i];
        uint64_t number = number_at(&now, rows[i].at);
        if (rows[i].family.kind == METRICS_GAUGE)
            metrics_gauge_set(shard->room.metrics, figure, (int64_t)number);
        else
            metrics_count(shard->room.metrics, figure,
                          number - number_at(&shard->log_counted, rows[i].at));
    }
    shard->log_counted = now;
}

static void tick(struct io_timer *timer) {
    struct node_shard *shard = container_of(timer, struct node_shard, log_timer);
    gather(shard);
    io_timer_start(shard->room.loop, timer, TICK_NS, tick);
}

void log_figures_start(struct node_shard *shard) {
    if (shard->log)
        tick(&shard->log_timer);
}

void log_figures_stop(struct node_shard *shard) {
    io_timer_stop(shard->room.loop, &shard->log_timer);
}
