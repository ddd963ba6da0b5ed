/*
 * cache.h - blocks read back from segments: a bounded list of clean ones, and loads under way.
 *
 * Clean blocks in memory stand in a list by last use; when they weigh more than cache_bytes the
 * least used go, at the end of a turn and never before, and not those used in that very turn: so
 * a block lives at least until the turn after the one in which its load was done, however small
 * the cache. Dirty blocks and streams in
 * RAM are not in the list.
 *
 * A LOAD runs on the worker "nonet-read" into a buffer of its own; several log_loads may wait for
 * it. The block may go meanwhile (retention), or move (a checkpoint): then the load is forgotten
 * and its waiters start again. Loads under way are bounded by CACHE_LOADS_MAX, their bytes by
 * CACHE_LOAD_BYTES_MAX or one block.
 *
 * cache_need is the blocking way, for what cannot wait: making room by retention and deleting.
 */
#ifndef NONET_LOG_CACHE_H
#define NONET_LOG_CACHE_H

#include "io/file.h"
#include "log/segment.h"
#include "log/stream.h"

#define CACHE_LOADS_MAX 64u
#define CACHE_LOAD_BYTES_MAX (16u << 20)
#define CACHE_LATER_NS 1000000u /* what could not be dropped at the turn's end is now */

struct cache_load {
    struct io_job job;
    struct cache *cache;
    struct block *block; /* NULL: forgotten */
    struct segment *segment;
    struct io_file *file;
    uint64_t offset;
    uint32_t length, crc;
    char *bytes; /* of a block buffer: see block_make_room */
    uint32_t capacity;
    int failed;
    struct list waiting; /* of log_load */
};

struct cache {
    struct log *log;
    struct io_worker *worker;
    struct list lru;   /* oldest first */
    struct list ready; /* log_loads whose done is to be called */
    bool closing;
    uint64_t bytes, bytes_max;
    unsigned loads;
    uint64_t load_bytes;
    uint64_t hits, misses, blocking;
    uint32_t generation; /* of trims: what was used since the last one stays */
    struct io_task evict, deliver;
    struct io_timer later;
};

must_use int cache_init(struct cache *cache, struct log *log, uint64_t bytes_max);
/* Waits for loads under way; their waiters are not called. */
void cache_free(struct cache *cache);

/* BLOCK is in memory and clean: it joins the list, or moves to its young end. */
void cache_touch(struct cache *cache, struct block *block);
/* BLOCK is about to change or go: it leaves the list. */
void cache_forget(struct cache *cache, struct block *block);
void cache_load_forget(struct cache *cache, struct block *block);

/* Lets go of the bytes of a clean block. */
void cache_drop(struct cache *cache, struct block *block);
/* Drops what is over the bound, oldest first, but what was used since the last trim; done at the
   end of a turn by itself. */
void cache_trim(struct cache *cache);
/* Starts to load BLOCK, which will be needed soon, unless it is there or too much is under way. */
void cache_ahead(struct cache *cache, struct block *block);

/* Reads BLOCK now unless it is there. 0, -ENOMEM or a read error. */
must_use int cache_need(struct cache *cache, struct block *block);
/* The bytes of a block were read; FAILED tells how it went (0 or -EBADMSG). Takes over BYTES as the
   block's buffer. Damage is salvaged, counted and logged. 0 or -ENOMEM (BYTES are freed). */
must_use int cache_fill(struct cache *cache, struct block *block, char *bytes, uint32_t capacity,
                        int failed);

#endif
