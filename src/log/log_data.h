/*
 * log_data.h - struct log: the parts of an open log put together.
 *
 * Each part is described in its own header; this one says what they share: the loop, the
 * directory, the table of streams, and the few facts by which the log as a whole refuses
 * something (failed, disk_full, closing). Only the .c files of log/ include it.
 */
#ifndef NONET_LOG_LOG_DATA_H
#define NONET_LOG_LOG_DATA_H

#include "base/map.h"
#include "base/map64.h"
#include "log/batch.h"
#include "log/cache.h"
#include "log/checkpoint.h"
#include "log/erase.h"
#include "log/grave.h"
#include "log/journal.h"
#include "log/retention.h"
#include "log/visible.h"

#define LOG_STREAMS_MAX (1u << 20)
#define FORMAT_TEXT_MAX 256u

struct log {
    struct log_options options; /* strings and owners copied */
    struct log_owner owners[LOG_OWNERS_MAX];
    struct io_loop *loop;
    struct io_host *host;
    struct logger *logger;
    char *directory;
    struct io_file *lock;
    uint8_t id[LOG_ID_SIZE];

    struct journal *journal;
    struct list streams;
    struct map by_name;
    struct map64 by_id;
    struct hash_key hash_key;
    uint32_t next_id, next_memory_id;

    struct segments segments;
    struct cache cache;
    struct grave grave;
    struct checkpoint checkpoint;
    struct erasure erasure;
    struct log_batch batch;
    struct effects effects, memory_effects;
    struct commits commits, memory_commits;
    struct log_stream *notify; /* streams with news */
    struct io_task memory_task;
    struct io_timer age_timer, squeeze_timer;

    struct list moving;      /* blocks that compaction waits to load */
    struct block_bits *bits; /* a pool for deaths that must not fail */
    uint64_t bits_count;
    char *scratch; /* for trims over blocks on disk */
    uint32_t scratch_size;

    uint64_t durable_position; /* of the last batch that the journal holds something of */
    uint64_t unsaved_bytes;    /* of tails */
    bool recovering, failed, disk_full, closing;
    bool full;    /* over the high mark */
    bool refused; /* -EAGAIN or -ENOSPC was answered: on_room is owed */
    unsigned aged_streams;
    bool journal_closing;
    unsigned close_tries;
    struct log_pin *pin; /* pin.h; NULL: none */
    struct io_task close_task;
    void (*close_done)(void *self);
    void *close_self;
};

struct block_bits *log_take_bits(struct log *log);
/* Marks have been passed, up or down: sets full, tells on_room what it is owed. */
void log_judge_room(struct log *log);
void log_room(struct log *log);
/* The journal cannot go on: every waiting commit and on_fatal are told. */
void log_fail(struct log *log, const struct error *error);
/* log_close.c: the checkpoint asked for at close is over. */
void log_close_step(struct log *log);
const struct log_owner *log_owner_find(const struct log *log, uint32_t id);
/* The text (with a NUL behind it) of DIR/format: 0, -EBADMSG or -ENOTSUP. */
must_use int log_format_check(slice text);
/* Makes DIRECTORY/format of a log that we write, synced. 0 or a system error. */
must_use int log_format_write(struct io_host *host, const char *directory);
/* pin.c: may no segment go? At the end: frees a pin that has been given back. */
bool pin_holds(const struct log *log);
void pin_forget(struct log *log);
/* Recovery is over: timers and tasks begin. */
void log_start(struct log *log);
/* log_close.c: frees all parts, whatever state they are in. */
struct log *log_free(struct log *log);

#endif
