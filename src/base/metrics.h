/*
 * metrics.h - counters, gauges and histograms, updated by every shard without a lock.
 *
 *      family  nonet_messages_in_total      description: name, help, unit, label names
 *        series {stream="BIDS"}             -> first cell of the series
 *      shard 0 cells [....|....|....]       each shard writes its own copy, on its own cache lines;
 *      shard 1 cells [....|....|....]       a reader adds the copies up
 *
 * An update is one relaxed load and store in the shard's own memory: no lock, no shared line, no
 * read-modify-write. Adding a series and writing the page take a mutex; neither is on a hot path.
 * Cells never move, so a handle stays good for the registry's life.
 *
 * Bounds: METRICS_SERIES_MAX series and METRICS_CELLS_MAX cells. At the bound metrics_add_series
 * says -ENOBUFS and gives the null handle, whose updates go nowhere, so a caller may go on. What
 * was refused is counted in nonet_metrics_series_refused_total.
 */
#ifndef NONET_BASE_METRICS_H
#define NONET_BASE_METRICS_H

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

#include <stdatomic.h>

#define METRICS_SHARDS_MAX 256
#define METRICS_FAMILIES_MAX 1024
#define METRICS_SERIES_MAX 16384
#define METRICS_LABELS_MAX 4        /* labels of one family */
#define METRICS_LABEL_VALUE_MAX 256 /* longer values are cut */
#define METRICS_BUCKETS_MAX 64      /* bounds of one histogram */
#define METRICS_CHUNK_CELLS 1024
#define METRICS_CHUNKS_MAX 256
#define METRICS_CELLS_MAX (METRICS_CHUNK_CELLS * METRICS_CHUNKS_MAX)

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* One documented name. Lives as long as the registry (a static const table beside the code). */
struct metrics_family {
    const char *name; /* nonet_..., counters end in _total, the unit before that */
    const char *help;
    const char *unit; /* "bytes", "seconds", ""; for the reference page */
    enum metrics_kind kind;
    const char *labels[METRICS_LABELS_MAX]; /* names, NULL where unused */
    const uint64_t *bounds; /* histograms: upper bounds, increasing, in the unit observed */
    size_t bound_count;
    double scale; /* printed value = value x scale (1e-9: observed ns, printed seconds); 0 = 1 */
};

/* A handle of a series. {0} is the null handle. */
struct metric {
    uint32_t cell;
};

struct metrics_shard {
    _Alignas(64) _Atomic(uint64_t) *chunks[METRICS_CHUNKS_MAX];
};

struct metrics;

/* A registry for SHARDS writers (threads), or NULL. */
must_use struct metrics *metrics_new(unsigned shards);
struct metrics *metrics_free(struct metrics *m);

/* Where writer SHARD (below the count given to metrics_new) updates. Only one thread at a time
   may use it. */
struct metrics_shard *metrics_shard(struct metrics *m, unsigned shard);

/* Finds or makes the series of FAMILY with these label values (as many as the family names,
   copied). 0, -ENOBUFS or -ENOMEM with the null handle. Any thread; hand the handle to another
   thread only through something that orders memory (a queue, thread start). */
int metrics_add_series(struct metrics *m, const struct metrics_family *family, const slice *values,
                       struct metric *ret_metric);

/* Leaves the series out of the page until it is added again (its stream was deleted). */
void metrics_hide_series(struct metrics *m, struct metric metric);

static inline void metrics_cell_add(struct metrics_shard *s, uint32_t cell, uint64_t amount) {
    _Atomic(uint64_t) *at = &s->chunks[cell / METRICS_CHUNK_CELLS][cell % METRICS_CHUNK_CELLS];
    uint64_t old = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, old + amount, memory_order_relaxed);
}

/* Counters. */
static inline void metrics_count(struct metrics_shard *s, struct metric metric, uint64_t amount) {
    metrics_cell_add(s, metric.cell, amount);
}

/* Gauges: this shard's part of the sum, changed or set. */
static inline void metrics_gauge_add(struct metrics_shard *s, struct metric metric,
                                     int64_t amount) {
    metrics_cell_add(s, metric.cell, (uint64_t)amount);
}
void metrics_gauge_set(struct metrics_shard *s, struct metric metric, int64_t value);

/* Histograms: VALUE in the unit of the bounds. FAMILY is the one the series was made with. */
void metrics_observe(struct metrics_shard *s, const struct metrics_family *family,
                     struct metric metric, uint64_t value);

/* The sum over all shards of a counter or gauge. Any thread. */
int64_t metrics_value(struct metrics *m, struct metric metric);

/* Appends all families in Prometheus text format 0.0.4. 0, -ENOBUFS or -ENOMEM. Any thread. */
must_use int metrics_write(struct metrics *m, struct buf *out);

/* The INDEX-th family in the order they were added, NULL past the last: for the reference page. */
const struct metrics_family *metrics_family_at(struct metrics *m, size_t index);

#endif
