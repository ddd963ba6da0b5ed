/*
 * cache.c - see cache.h.
 *
 * A log_load waits in one of two lists: of the cache_load that will bring its block, or `ready`,
 * where the block was there at once or the load is over. From both it can be cancelled by taking
 * it out of its list, whichever that is; done() is called from `ready` one by one, because each
 * call may cancel the next.
 */
#include "log/cache.h"

#include "base/mem.h"
#include "log/compact.h"
#include "log/log_data.h"

#include <errno.h>
#include <inttypes.h>

/* What a log_load's `internal` holds. */
struct waiter {
    struct list_node node;
    intptr_t failed;
};
_Static_assert(sizeof(struct waiter) <= sizeof(((struct log_load *)0)->internal), "log_load");

static struct waiter *waiter_of(struct log_load *load) {
    return (struct waiter *)(void *)load->internal;
}

static struct log_load *load_of(struct list_node *node) {
    struct waiter *waiter = container_of(node, struct waiter, node);
    return container_of((void **)(void *)waiter, struct log_load, internal);
}

/* --- the list of clean blocks ---------------------------------------------------------------- */

void cache_touch(struct cache *cache, struct block *block) {
    if (list_linked(&block->lru)) {
        list_remove(&block->lru);
    } else {
        cache->bytes += block->capacity;
        if (cache->bytes > cache->bytes_max)
            io_defer(cache->log->loop, &cache->evict);
    }
    list_push_back(&cache->lru, &block->lru);
    block->used = cache->generation;
}

void cache_forget(struct cache *cache, struct block *block) {
    if (!list_linked(&block->lru))
        return;
    list_remove(&block->lru);
    cache->bytes -= block->capacity;
}

void cache_drop(struct cache *cache, struct block *block) {
    if (!list_linked(&block->lru))
        return;
    cache_forget(cache, block);
    block_drop_bytes(block);
    block->length = block->saved_length;
}

void cache_trim(struct cache *cache) {
    struct list_node *node, *next;
    list_each(&cache->lru, node, next) {
        if (cache->bytes <= cache->bytes_max)
            break;
        struct block *block = container_of(node, struct block, lru);
        if (!block->stream->plan.active && block->used != cache->generation)
            cache_drop(cache, block);
    }
    cache->generation++;
}

static void evict_later(struct io_timer *timer) {
    struct cache *cache = container_of(timer, struct cache, later);
    cache_trim(cache);
}

/* What was read in this turn stays till the next: its reader may still look at it. */
static void evict(struct io_task *task) {
    struct cache *cache = container_of(task, struct cache, evict);
    cache_trim(cache);
    if (cache->bytes > cache->bytes_max)
        io_timer_start(cache->log->loop, &cache->later, CACHE_LATER_NS, evict_later);
}

/* --- filling --------------------------------------------------------------------------------- */

static uint32_t live_bytes_of(const struct block *block) {
    uint32_t bytes = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        uint64_t sequence = record_at_sequence(block->bytes + at);
        if (sequence >= block->stream->staged.first && !block_dead(block, sequence))
            bytes += record_at_length(block->bytes + at);
    }
    return bytes;
}

/* Takes off the bytes of messages that went while the block could not be read. */
static void settle(struct block *block) {
    struct log_stream *stream = block->stream;
    uint32_t bytes = live_bytes_of(block);
    uint32_t over = block->live_bytes > bytes ? block->live_bytes - bytes : 0;
    block->vague = false;
    block->live_bytes -= over;
    stream->staged.bytes -= over;
    stream->visible.bytes -= over < stream->visible.bytes ? over : stream->visible.bytes;
    block->segment->live -= over < block->segment->live ? over : block->segment->live;
}

static uint64_t first_lost(const struct block *block) {
    uint64_t sequence = block->first;
    while (sequence < block->last && !block_lost(block, sequence))
        sequence = block_next(block, sequence + 1);
    return sequence;
}

/* Keeps what is whole; what is lost keeps its sequence but weighs nothing from now on. */
static void salvage(struct cache *cache, struct block *block, bool known) {
    struct log_stream *stream = block->stream;
    uint32_t lost = block_salvage(block, stream->id);
    if (known)
        return;
    uint32_t bytes = live_bytes_of(block);
    uint32_t lost_bytes = block->live_bytes > bytes ? block->live_bytes - bytes : 0;
    stream->damaged += lost;
    block->live_bytes -= lost_bytes;
    stream->staged.bytes -= lost_bytes;
    stream->visible.bytes -=
        lost_bytes < stream->visible.bytes ? lost_bytes : stream->visible.bytes;
    char path[LOG_PATH_MAX];
    segment_path(&cache->log->segments, block->segment->number, path);
    logger_write(cache->log->logger, LOG_LEVEL_ERROR, "log", "damaged block: messages are lost",
                 "file=%s offset=%" PRIu64 " stream=%.*s sequence=%" PRIu64 " messages=%u", path,
                 block->offset, slice_fmt(log_stream_name(stream)), first_lost(block), lost);
}

int cache_fill(struct cache *cache, struct block *block, char *bytes, uint32_t capacity,
               int failed) {
    bool known = block->bad != NULL;
    if (failed && !known) {
        block->bad = mem_zalloc(1, sizeof(*block->bad));
        if (!block->bad) {
            mem_free(bytes);
            return -ENOMEM;
        }
    }
    block->bytes = bytes;
    block->capacity = capacity;
    block->length = block->saved_length;
    if (failed)
        salvage(cache, block, known);
    else
        block_index(block);
    if (block->vague)
        settle(block);
    cache_touch(cache, block);
    return 0;
}

/* Not damage that a crc tells, but a disk that does not answer. */
static int unread(struct cache *cache, const struct block *block, int failed) {
    char path[LOG_PATH_MAX];
    segment_path(&cache->log->segments, block->segment->number, path);
    logger_write(cache->log->logger, LOG_LEVEL_ERROR, "log", "a block cannot be read",
                 "error=%s file=%s offset=%" PRIu64 " stream=%.*s sequence=%" PRIu64,
                 error_name(failed), path, block->offset, slice_fmt(log_stream_name(block->stream)),
                 block->first);
    return failed;
}

int cache_need(struct cache *cache, struct block *block) {
    if (block_in_memory(block))
        return 0;
    struct io_file *file = NULL;
    int failed = segment_open(&cache->log->segments, block->segment, &file);
    if (failed)
        return unread(cache, block, failed);
    uint32_t capacity = 0;
    char *bytes = block_buffer(block->saved_length, &capacity);
    if (!bytes)
        return -ENOMEM;
    cache->blocking++;
    failed = segment_read(file, block->offset, block->saved_length, block->crc, bytes);
    if (failed && failed != -EBADMSG) {
        mem_free(bytes);
        return unread(cache, block, failed);
    }
    return cache_fill(cache, block, bytes, capacity, failed);
}

/* --- loads ----------------------------------------------------------------------------------- */

static void deliver_all(struct cache *cache) {
    struct list_node *node;
    while ((node = list_pop_front(&cache->ready))) {
        struct log_load *load = load_of(node);
        load->done(load, (int)waiter_of(load)->failed);
    }
}

static void deliver(struct io_task *task) {
    deliver_all(container_of(task, struct cache, deliver));
}

static void load_run(struct io_job *job) {
    struct cache_load *load = container_of(job, struct cache_load, job);
    load->failed = segment_read(load->file, load->offset, load->length, load->crc, load->bytes);
}

/* Gives the bytes to the block, if it still is where they were read. */
static int load_finish(struct cache *cache, struct cache_load *load) {
    struct block *block = load->block;
    if (!block)
        return 0;
    block->load = NULL;
    bool moving = block->moving;
    block->moving = false;
    bool same =
        !block_in_memory(block) && block->segment == load->segment && block->offset == load->offset;
    if (!same)
        return 0;
    if (load->failed && load->failed != -EBADMSG)
        return unread(cache, block, load->failed);
    char *bytes = load->bytes;
    load->bytes = NULL;
    int failed = cache_fill(cache, block, bytes, load->capacity, load->failed);
    if (!failed && moving)
        compact_move(block);
    return failed;
}

static void load_done(struct io_job *job) {
    struct cache_load *load = container_of(job, struct cache_load, job);
    struct cache *cache = load->cache;
    cache->loads--;
    cache->load_bytes -= load->length;
    load->segment->users--;
    if (cache->closing && load->block) /* the streams are freed behind the cache */
        load->block->load = NULL;
    int failed = cache->closing ? 0 : load_finish(cache, load);
    struct list_node *node, *next;
    list_each(&load->waiting, node, next) waiter_of(load_of(node))->failed = failed;
    list_splice(&cache->ready, &load->waiting);
    mem_free(load->bytes);
    mem_free(load);
    if (cache->closing)
        return;
    compact_pump(cache->log);
    deliver_all(cache);
}

static int load_start(struct cache *cache, struct block *block) {
    if (cache->loads == CACHE_LOADS_MAX ||
        (cache->loads && cache->load_bytes + block->saved_length > CACHE_LOAD_BYTES_MAX))
        return -EAGAIN;
    struct io_file *file = NULL;
    int failed = segment_open(&cache->log->segments, block->segment, &file);
    if (failed)
        return failed;
    struct cache_load *load = mem_zalloc(1, sizeof(*load));
    if (!load)
        return -ENOMEM;
    *load = (struct cache_load){.job = {.run = load_run, .done = load_done},
                                .cache = cache,
                                .block = block,
                                .segment = block->segment,
                                .file = file,
                                .offset = block->offset,
                                .length = block->saved_length,
                                .crc = block->crc};
    list_init(&load->waiting);
    load->bytes = block_buffer(load->length, &load->capacity);
    failed = load->bytes ? io_worker_submit(cache->worker, &load->job) : -ENOMEM;
    if (failed) {
        mem_free(load->bytes);
        mem_free(load);
        return failed;
    }
    load->segment->users++;
    block->load = load;
    cache->loads++;
    cache->load_bytes += load->length;
    return 0;
}

void cache_ahead(struct cache *cache, struct block *block) {
    if (!block_in_memory(block) && !block->load && block->live && !cache->log->recovering)
        (void)!load_start(cache, block);
}

void cache_load_forget(struct cache *cache, struct block *block) {
    (void)cache;
    block->load->block = NULL;
    block->load = NULL;
}

/* A reader that goes on from block to block finds the next one there. */
static void load_next(struct log_stream *stream, uint64_t sequence) {
    uint32_t index = stream_block_index(stream, sequence);
    if (index > 0 && stream->cursor == index - 1 && index + 1 < stream->count)
        cache_ahead(&stream->log->cache, stream_block(stream, index + 1));
}

int log_load(struct log *log, struct log_stream *stream, uint64_t sequence, struct log_load *load) {
    struct cache *cache = &log->cache;
    struct waiter *waiter = waiter_of(load);
    struct block *block = stream_block_of(stream, sequence);
    if (!block || block_in_memory(block)) {
        waiter->failed = 0;
        list_push_back(&cache->ready, &waiter->node);
        io_defer(log->loop, &cache->deliver);
        return 0;
    }
    if (!block->load) {
        int failed = load_start(cache, block);
        if (failed)
            return failed;
        cache->misses++;
        load_next(stream, sequence);
    }
    list_push_back(&block->load->waiting, &waiter->node);
    return 0;
}

void log_load_cancel(struct log *log, struct log_load *load) {
    (void)log;
    list_remove(&waiter_of(load)->node);
}

/* --- the cache as a whole -------------------------------------------------------------------- */

int cache_init(struct cache *cache, struct log *log, uint64_t bytes_max) {
    *cache = (struct cache){
        .log = log, .bytes_max = bytes_max, .evict = {.run = evict}, .deliver = {.run = deliver}};
    list_init(&cache->lru);
    list_init(&cache->ready);
    return io_worker_create(log->loop, "nonet-read", &cache->worker);
}

void cache_free(struct cache *cache) {
    if (!cache->log)
        return;
    cache->closing = true;
    cache->worker = io_worker_free(cache->worker);
    io_defer_cancel(cache->log->loop, &cache->evict);
    io_defer_cancel(cache->log->loop, &cache->deliver);
    io_timer_stop(cache->log->loop, &cache->later);
    cache->log = NULL;
}
