/*
 * batch.h - the batch being built, and how its changes are applied.
 *
 *      log_batch_append ... -> STAGE: everything that can fail     -> changes[]
 *      log_batch_commit     -> APPLY: nothing that can fail
 *      recovery             -> stage and apply, record by record, with the journal's bytes
 *
 * Staging writes the record to its final place behind the tail (or into a spare block), copies it
 * into the journal's buffer, and makes sure of room for everything that applying will touch: the
 * subject's entry, the block's place, bitmaps and the list of deaths for what retention pushes
 * out, blocks on disk whose messages will have to be looked at. Applying moves the lengths and
 * counts. The same two steps run at recovery, so a replayed log cannot differ from a live one.
 *
 * One batch at a time, on the loop.
 */
#ifndef NONET_LOG_BATCH_H
#define NONET_LOG_BATCH_H

#include "log/stream_data.h"

struct put_stream; /* put.c: what a RECORD_PUT_STREAM brings along */

struct change {
    uint8_t kind; /* enum record_kind */
    struct log_stream *stream;
    uint64_t sequence;
    union {
        struct {
            uint64_t hash; /* of the subject */
            struct block *block;
            uint32_t size;
            int64_t time_ns;
        };
        struct put_stream *put;
    };
};

struct log_batch {
    struct log *log;
    bool active, replaying;
    bool durable; /* holds something for the journal */
    uint64_t position;
    struct change *changes;
    uint32_t count, room;
    uint32_t new_streams, new_memory_streams;
    uint64_t bytes; /* of records for streams in RAM */
    uint64_t bits;  /* bitmaps reserved */
    struct log_stream *touched;
};

void batch_free(struct log_batch *batch);

/* STREAM's plan, made where there is none yet. */
struct stream_plan *batch_plan(struct log_batch *batch, struct log_stream *stream);
/* Room for one more change and its effect. 0, -ENOMEM or -E2BIG. */
must_use int batch_reserve(struct log_batch *batch);
/* COUNT more bitmaps for dead or damaged records. 0 or -ENOMEM. */
must_use int batch_reserve_bits(struct log_batch *batch, uint64_t count);

/* RECORD into the journal's buffer (nothing at recovery). 0 or the journal's answer. */
must_use int batch_journal_put(struct log_batch *batch, const struct record *record);

/* One change each. RAW: the record's bytes as the journal holds them (recovery), or empty. */
must_use int batch_stage_message(struct log_batch *batch, struct log_stream *stream,
                                 const struct record *record, slice raw);
/* KIND: RECORD_DELETE or RECORD_ERASE. */
must_use int batch_stage_delete(struct log_batch *batch, struct log_stream *stream,
                                uint64_t sequence, uint8_t kind);
/* RECORD_ERASE without a stream. */
must_use int batch_stage_erase_mark(struct log_batch *batch);
must_use int batch_stage_trim(struct log_batch *batch, struct log_stream *stream,
                              uint64_t first_sequence);
must_use int batch_stage_put(struct log_batch *batch, const struct record *record,
                             const struct log_limits *limits, bool in_memory,
                             struct log_stream **ret_stream);
must_use int batch_stage_remove(struct log_batch *batch, struct log_stream *stream);

/* put.c */
void put_stream_apply(struct log *log, struct change *change);
void put_stream_forget(struct log *log, struct change *change);
void remove_stream_apply(struct log *log, struct log_stream *stream);

/* Applies all changes and leaves their effects; the batch is then over. */
void batch_apply(struct log_batch *batch);
/* Forgets all plans; the batch is then over. */
void batch_forget(struct log_batch *batch);

#endif
