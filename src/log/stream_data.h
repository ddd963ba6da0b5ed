/*
 * stream_data.h - what the log holds of one stream.
 *
 *      blocks:   [ 1..900 ][ 901..1730 ] ... [ 48120..48400 ]   <- appends
 *                   ^ front                        ^ tail
 *      staged    counts with everything that is committed: limits and expectations go by them
 *      visible   counts as of the last group on disk: readers go by them
 *
 * A message is appended to the tail when its batch is COMMITTED and can be read when its group is
 * SYNCED (sequence <= visible.last). A message that is deleted, trimmed or pushed out counts no
 * more from the commit on, but readers see it until the deletion is synced: the front by
 * visible.first, the middle by `deaths`, the sequences whose dead bit is set but not yet valid.
 * Only then its block may go.
 *
 *      deaths:   ... reaped | dying, dying, dying |        numbers count from the stream's start
 *                visible.deaths ^                 ^ staged.deaths
 *
 * PLAN is what the batch being built would do to the stream: the next sequence and the place of
 * the next record, in the tail behind its length or in a spare block. Nothing of the stream itself
 * changes before the commit, so abandoning a batch is forgetting the plan.
 */
#ifndef NONET_LOG_STREAM_DATA_H
#define NONET_LOG_STREAM_DATA_H

#include "log/block.h"
#include "log/stream.h"
#include "log/subjects.h"

#define STREAM_NAME_MAX 255u
#define STREAM_BLOCKS_MAX (64u << 20) /* of one stream */
#define STREAM_MEMORY_ID 0x80000000u  /* ids of streams in RAM have this bit */

struct stream_counts {
    uint64_t messages, bytes;
    uint64_t first, last; /* first > last: empty */
    int64_t last_time;
    uint64_t deaths;
};

struct stream_plan {
    bool active;
    bool removed;
    struct log_stream *next;         /* of those touched by the batch */
    uint32_t changes;                /* staged for this stream */
    const struct log_limits *limits; /* as the batch changes them, or NULL */
    struct subjects *table;          /* that will take the place of the stream's, or NULL */
    uint64_t sequence;               /* of the next append */
    int64_t last_time;
    uint64_t messages, bytes;         /* appended by the batch */
    uint64_t subjects, subject_bytes; /* reserved */
    uint64_t kills;                   /* of the middle, reserved */
    struct block *block;              /* where the next record goes, if it fits; may be NULL */
    uint32_t length;                  /* behind this much */
    struct block *spares, *spares_last;
    uint32_t spare_count;
};

struct log_stream {
    struct log *log;
    uint32_t id;
    bool in_memory;
    bool listed;  /* its creation is committed */
    bool removed; /* its removal is committed */
    char *name;
    uint32_t name_len;
    slice config;
    struct log_limits limits;
    int64_t created_ns;
    void *user;
    struct list_node node; /* log->streams, by creation */

    struct stream_counts staged, visible;
    struct stream_plan plan;
    struct subjects subjects;
    uint64_t damaged;

    struct block **blocks; /* blocks[head] .. blocks[head + count - 1] */
    uint32_t head, count, room;

    uint64_t *deaths; /* a ring of death_room sequences */
    uint32_t death_room;

    uint32_t cursor; /* index of the block last read from */
    uint64_t cursor_sequence;
    uint32_t cursor_offset;

    bool squeeze; /* in RAM, with blocks that hold little */
    bool notify;  /* in the list of streams with news */
    struct log_stream *notify_next;
    struct segment *open; /* being filled by this stream alone */
};

/* The message whose record lies at BYTES; its slices point there. */
void stream_record(const char *bytes, struct log_record *ret_record);

/* A stream that is in no list yet, or NULL. */
must_use struct log_stream *stream_new(struct log *log, slice name, slice config,
                                       const struct log_limits *limits, uint64_t first_sequence);
struct log_stream *stream_free(struct log_stream *stream);

static inline struct block *stream_block(const struct log_stream *stream, uint32_t index) {
    return stream->blocks[stream->head + index];
}
static inline struct block *stream_tail(const struct log_stream *stream) {
    return stream->count ? stream->blocks[stream->head + stream->count - 1] : NULL;
}
/* Index of the first block whose last sequence is at or above SEQUENCE; count if none. */
uint32_t stream_block_index(const struct log_stream *stream, uint64_t sequence);
/* The block that holds SEQUENCE, or NULL. */
struct block *stream_block_of(const struct log_stream *stream, uint64_t sequence);
/* Room for COUNT more blocks. 0 or -ENOMEM. */
must_use int stream_blocks_reserve(struct log_stream *stream, uint32_t count);
/* Behind the tail; room was reserved. */
void stream_block_push(struct log_stream *stream, struct block *block);
/* Takes block INDEX out and frees it; its segment is told. */
void stream_block_remove(struct log_stream *stream, uint32_t index);

/* Room for COUNT more deaths. 0 or -ENOMEM. */
must_use int stream_deaths_reserve(struct log_stream *stream, uint64_t count);
/* Is SEQUENCE, whose dead bit is set, still to be shown? */
bool stream_dying(const struct log_stream *stream, uint64_t sequence);
/* Is there a message SEQUENCE for limits and deletions (staged), for readers (visible)? */
bool stream_lives(const struct log_stream *stream, uint64_t sequence);
/* The first staged sequence at or above SEQUENCE that lives; staged.last + 1 if none. */
uint64_t stream_next_live(const struct log_stream *stream, uint64_t sequence);

/* Readers now see COUNTS: deaths up to it are final and what nobody sees any more is freed. */
void stream_show(struct log_stream *stream, const struct stream_counts *counts);

#endif
