#include "base/metrics.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>

#define LINE_SIZE 64
#define LABELS_TEXT_MAX ((size_t)4096)
#define NO_SERIES UINT32_MAX
/* Cells of the null handle: as many as the largest histogram updates. */
#define NULL_CELLS (METRICS_BUCKETS_MAX + 2)

struct series {
    const struct metrics_family *family;
    char *key; /* NAME{LABELS}, owned */
    size_t key_len;
    uint32_t cell;
    uint32_t next; /* of the same family, or NO_SERIES */
    bool hidden;
};

struct family_slot {
    const struct metrics_family *family;
    uint32_t first;
    uint32_t last;
};

struct metrics {
    pthread_mutex_t lock; /* everything below but the shards' cells */
    unsigned shard_count; /* writers and one more, for the registry's own counter */
    struct metrics_shard *shards;
    size_t chunk_count;
    size_t cells_used;
    struct family_slot families[METRICS_FAMILIES_MAX];
    size_t family_count;
    struct series *series;
    size_t series_count;
    size_t series_cap;
    struct map by_key; /* NAME{LABELS} -> index into series, plus 1, as a pointer */
    struct metric refused;
};

static const struct metrics_family refused_family = {
    .name = "nonet_metrics_series_refused_total",
    .help = "Series that were not added because the registry was full or memory ran out.",
    .unit = "",
    .kind = METRICS_COUNTER,
};

/* Gives every shard one more chunk, or none. */
static int add_chunk(struct metrics *m) {
    size_t bytes = METRICS_CHUNK_CELLS * sizeof(_Atomic(uint64_t));
    if (m->chunk_count == METRICS_CHUNKS_MAX)
        return -ENOBUFS;
    for (unsigned i = 0; i < m->shard_count; i++) {
        _Atomic(uint64_t) *chunk = mem_alloc_aligned(bytes, LINE_SIZE);
        if (!chunk) {
            while (i-- > 0)
                m->shards[i].chunks[m->chunk_count] = mem_free(m->shards[i].chunks[m->chunk_count]);
            return -ENOMEM;
        }
        memset(chunk, 0, bytes);
        m->shards[i].chunks[m->chunk_count] = chunk;
    }
    m->chunk_count++;
    return 0;
}

/* COUNT cells in one chunk. Cells left over at the end of a chunk stay unused. */
static int take_cells(struct metrics *m, size_t count, uint32_t *ret_cell) {
    size_t left = m->chunk_count * METRICS_CHUNK_CELLS - m->cells_used;
    if (left < count) {
        int rc = add_chunk(m);
        if (rc < 0)
            return rc;
        m->cells_used = (m->chunk_count - 1) * METRICS_CHUNK_CELLS;
    }
    *ret_cell = (uint32_t)m->cells_used;
    m->cells_used += count;
    return 0;
}

struct metrics *metrics_new(unsigned shards) {
    check(shards > 0 && shards <= METRICS_SHARDS_MAX);
    struct metrics *m = mem_zalloc(1, sizeof *m);
    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->shard_count = shards + 1;
    /* Names are ours and the series are bounded, so the hash need not be secret. */
    m->by_key = map_make((struct hash_key){0, 0}, METRICS_SERIES_MAX);
    m->shards = mem_alloc_aligned(m->shard_count * sizeof *m->shards, LINE_SIZE);
    if (!m->shards)
        return metrics_free(m);
    memset(m->shards, 0, m->shard_count * sizeof *m->shards);
    uint32_t null_cell;
    if (take_cells(m, NULL_CELLS, &null_cell) < 0)
        return metrics_free(m);
    check(null_cell == 0);
    if (metrics_add_series(m, &refused_family, NULL, &m->refused) < 0)
        return metrics_free(m);
    return m;
}

struct metrics *metrics_free(struct metrics *m) {
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->series_count; i++)
        mem_free(m->series[i].key);
    for (unsigned i = 0; m->shards && i < m->shard_count; i++) {
        for (size_t chunk = 0; chunk < m->chunk_count; chunk++)
            mem_free(m->shards[i].chunks[chunk]);
    }
    map_free(&m->by_key);
    mem_free(m->series);
    mem_free(m->shards);
    pthread_mutex_destroy(&m->lock);
    return mem_free(m);
}

struct metrics_shard *metrics_shard(struct metrics *m, unsigned shard) {
    check(shard < m->shard_count - 1);
    return &m->shards[shard];
}

/* A label's value with the escapes of the format; bytes that are no UTF-8 are replaced. */
static int append_label_value(struct buf *out, slice value) {
    value = slice_take(value, METRICS_LABEL_VALUE_MAX);
    int rc = 0;
    while (value.len && rc == 0) {
        uint32_t code_point;
        int len = utf8_decode(value, &code_point);
        slice letter = slice_take(value, len > 0 ? (size_t)len : 1);
        value = slice_skip(value, letter.len);
        if (len < 0)
            rc = buf_append(out, slice_lit("\xef\xbf\xbd"));
        else if (code_point == '\n')
            rc = buf_append(out, slice_lit("\\n"));
        else if (code_point == '"' || code_point == '\\')
            rc = buf_printf(out, "\\%c", (int)code_point);
        else
            rc = buf_append(out, letter);
    }
    return rc;
}

static int append_key(struct buf *out, const struct metrics_family *family, const slice *values) {
    int rc = buf_append(out, slice_str(family->name));
    for (size_t i = 0; rc == 0 && i < METRICS_LABELS_MAX && family->labels[i]; i++) {
        rc = buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', family->labels[i]);
        if (rc == 0)
            rc = append_label_value(out, values[i]);
        if (rc == 0)
            rc = buf_append_byte(out, '"');
    }
    if (rc == 0 && family->labels[0])
        rc = buf_append_byte(out, '}');
    return rc;
}

/* The names are part of the program, so a bad one is a bug. */
static void check_family(const struct metrics_family *family) {
    slice name = slice_str(family->name);
    check(name.len > 0 && family->help);
    check(!strpbrk(family->help, "\n\\")); /* so that it needs no escapes */
    for (size_t i = 0; i < name.len; i++)
        check((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || name.ptr[i] == '_' ||
              (i > 0 && name.ptr[i] >= '0' && name.ptr[i] <= '9'));
    check((family->kind == METRICS_COUNTER) == slice_ends_with(name, slice_lit("_total")));
    check((family->kind == METRICS_HISTOGRAM) == (family->bound_count > 0));
    check(family->bound_count <= METRICS_BUCKETS_MAX);
    for (size_t i = 1; i < family->bound_count; i++)
        check(family->bounds[i - 1] < family->bounds[i]);
}

/* The family's slot, made where it is new; NULL at the bound. */
static struct family_slot *find_family(struct metrics *m, const struct metrics_family *family) {
    for (size_t i = 0; i < m->family_count; i++) {
        if (m->families[i].family == family)
            return &m->families[i];
        check(strcmp(m->families[i].family->name, family->name) != 0);
    }
    if (m->family_count == METRICS_FAMILIES_MAX)
        return NULL;
    check_family(family);
    m->families[m->family_count] = (struct family_slot){family, NO_SERIES, NO_SERIES};
    return &m->families[m->family_count++];
}

static int reserve_series(struct metrics *m) {
    if (m->series_count == METRICS_SERIES_MAX)
        return -ENOBUFS;
    if (m->series_count < m->series_cap)
        return 0;
    size_t cap = m->series_cap ? m->series_cap * 2 : 64;
    struct series *grown = mem_realloc(m->series, cap * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    m->series = grown;
    m->series_cap = cap;
    return 0;
}

/* Takes KEY over on success. */
static int make_series(struct metrics *m, const struct metrics_family *family, struct buf *key,
                       uint32_t *ret_cell) {
    struct family_slot *slot = find_family(m, family);
    if (!slot)
        return -ENOBUFS;
    int rc = reserve_series(m);
    if (rc < 0)
        return rc;
    uint32_t index = (uint32_t)m->series_count;
    rc = map_add(&m->by_key, buf_slice(key), (void *)(uintptr_t)(index + 1));
    if (rc < 0)
        return rc;
    size_t cells = family->kind == METRICS_HISTOGRAM ? family->bound_count + 2 : 1;
    rc = take_cells(m, cells, ret_cell);
    if (rc < 0) {
        map_remove(&m->by_key, buf_slice(key));
        return rc;
    }
    m->series[index] = (struct series){family, key->ptr, key->len, *ret_cell, NO_SERIES, false};
    m->series_count++;
    if (slot->first == NO_SERIES)
        slot->first = index;
    else
        m->series[slot->last].next = index;
    slot->last = index;
    *key = buf_make(0);
    return 0;
}

static int find_or_make(struct metrics *m, const struct metrics_family *family, const slice *values,
                        uint32_t *ret_cell) {
    _cleanup_buf_ struct buf key = buf_make(LABELS_TEXT_MAX);
    int rc = append_key(&key, family, values);
    if (rc < 0)
        return rc;
    uintptr_t found = (uintptr_t)map_find(&m->by_key, buf_slice(&key));
    if (!found)
        return make_series(m, family, &key, ret_cell);
    struct series *series = &m->series[found - 1];
    check(series->family == family);
    series->hidden = false;
    *ret_cell = series->cell;
    return 0;
}

int metrics_add_series(struct metrics *m, const struct metrics_family *family, const slice *values,
                       struct metric *ret_metric) {
    uint32_t cell = 0;
    pthread_mutex_lock(&m->lock);
    int rc = find_or_make(m, family, values, &cell);
    if (rc < 0)
        metrics_cell_add(&m->shards[m->shard_count - 1], m->refused.cell, 1);
    pthread_mutex_unlock(&m->lock);
    *ret_metric = (struct metric){rc == 0 ? cell : 0};
    return rc;
}

void metrics_hide_series(struct metrics *m, struct metric metric) {
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->series_count; i++) {
        if (m->series[i].cell == metric.cell)
            m->series[i].hidden = true;
    }
    pthread_mutex_unlock(&m->lock);
}

void metrics_gauge_set(struct metrics_shard *s, struct metric metric, int64_t value) {
    uint32_t cell = metric.cell;
    _Atomic(uint64_t) *at = &s->chunks[cell / METRICS_CHUNK_CELLS][cell % METRICS_CHUNK_CELLS];
    atomic_store_explicit(at, (uint64_t)value, memory_order_relaxed);
}

/* Cells of a histogram: one for each bound, one for what lies above all, the sum. */
void metrics_observe(struct metrics_shard *s, const struct metrics_family *family,
                     struct metric metric, uint64_t value) {
    size_t low = 0;
    size_t high = family->bound_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value <= family->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    metrics_cell_add(s, metric.cell + (uint32_t)low, 1);
    metrics_cell_add(s, metric.cell + (uint32_t)family->bound_count + 1, value);
}

static uint64_t sum_cell(const struct metrics *m, uint32_t cell) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->shard_count; i++) {
        _Atomic(uint64_t) *chunk = m->shards[i].chunks[cell / METRICS_CHUNK_CELLS];
        sum += atomic_load_explicit(&chunk[cell % METRICS_CHUNK_CELLS], memory_order_relaxed);
    }
    return sum;
}

int64_t metrics_value(struct metrics *m, struct metric metric) {
    return (int64_t)sum_cell(m, metric.cell);
}

static int append_scaled(struct buf *out, const struct metrics_family *family, uint64_t value) {
    if (family->scale != 0 && family->scale != 1)
        return buf_printf(out, "%.15g", (double)(int64_t)value * family->scale);
    return family->kind == METRICS_GAUGE ? buf_append_i64(out, (int64_t)value)
                                         : buf_append_u64(out, value);
}

/* NAME_bucket{LABELS,le="..."} COUNT */
static int append_bucket(struct buf *out, const struct metrics_family *family, slice labels,
                         size_t bound, uint64_t count) {
    int rc = buf_printf(out, "%s_bucket{%.*s%sle=\"", family->name, slice_fmt(labels),
                        labels.len ? "," : "");
    if (rc == 0)
        rc = bound < family->bound_count ? append_scaled(out, family, family->bounds[bound])
                                         : buf_append(out, slice_lit("+Inf"));
    if (rc == 0)
        rc = buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    return rc;
}

static int append_histogram(const struct metrics *m, const struct series *series, struct buf *out) {
    const struct metrics_family *family = series->family;
    slice key = slice_make(series->key, series->key_len);
    slice braced = slice_skip(key, strlen(family->name));
    slice labels = braced.len ? slice_make(braced.ptr + 1, braced.len - 2) : braced;
    uint64_t count = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i <= family->bound_count; i++) {
        count += sum_cell(m, series->cell + (uint32_t)i);
        rc = append_bucket(out, family, labels, i, count);
    }
    if (rc == 0)
        rc = buf_printf(out, "%s_sum%.*s ", family->name, slice_fmt(braced));
    if (rc == 0)
        rc = append_scaled(out, family,
                           sum_cell(m, series->cell + (uint32_t)family->bound_count + 1));
    if (rc == 0)
        rc = buf_printf(out, "\n%s_count%.*s %llu\n", family->name, slice_fmt(braced),
                        (unsigned long long)count);
    return rc;
}

static int append_series(const struct metrics *m, const struct series *series, struct buf *out) {
    if (series->family->kind == METRICS_HISTOGRAM)
        return append_histogram(m, series, out);
    int rc = buf_append(out, slice_make(series->key, series->key_len));
    if (rc == 0)
        rc = buf_append_byte(out, ' ');
    if (rc == 0)
        rc = append_scaled(out, series->family, sum_cell(m, series->cell));
    return rc == 0 ? buf_append_byte(out, '\n') : rc;
}

static int append_family(const struct metrics *m, const struct family_slot *slot, struct buf *out) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct metrics_family *family = slot->family;
    bool headed = false;
    int rc = 0;
    for (uint32_t i = slot->first; rc == 0 && i != NO_SERIES; i = m->series[i].next) {
        if (m->series[i].hidden)
            continue;
        if (!headed)
            rc = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                            family->name, kinds[family->kind]);
        headed = true;
        if (rc == 0)
            rc = append_series(m, &m->series[i], out);
    }
    return rc;
}

int metrics_write(struct metrics *m, struct buf *out) {
    size_t before = out->len;
    int rc = 0;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; rc == 0 && i < m->family_count; i++)
        rc = append_family(m, &m->families[i], out);
    pthread_mutex_unlock(&m->lock);
    if (rc < 0)
        out->len = before;
    return rc;
}

const struct metrics_family *metrics_family_at(struct metrics *m, size_t index) {
    pthread_mutex_lock(&m->lock);
    const struct metrics_family *family =
        index < m->family_count ? m->families[index].family : NULL;
    pthread_mutex_unlock(&m->lock);
    return family;
}
