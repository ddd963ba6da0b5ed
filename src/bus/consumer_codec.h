/*
 * consumer_codec.h - the bytes of the consumers' durable state, drawn in consumer_state.c: the
 * kinds of records and how numbers, times and texts are written. consumer_state.c writes deltas,
 * consumer_recover.c reads them and writes and reads snapshots.
 *
 * The kinds are on disk: a new one gets the next number, none changes its meaning.
 */
#ifndef NONET_BUS_CONSUMER_CODEC_H
#define NONET_BUS_CONSUMER_CODEC_H

#include "base/buf.h"
#include "bus/consumer_data.h"

#define CODEC_OWNER_ID 1u    /* of the log owner "consumers" */
#define CODEC_NUMBER_MAX 10u /* bytes of a number */
#define CODEC_CONFIG_MAX (256u << 10)

enum codec_kind {
    CODEC_CREATED = 1,
    CODEC_CHANGED,
    CODEC_REMOVED,
    CODEC_TIME,
    CODEC_DELIVERED,
    CODEC_REDELIVERED,
    CODEC_DONE,
    CODEC_DONE_UP_TO,
    CODEC_NOTHING,
    CODEC_PARKED,
    CODEC_UNPARKED,
    CODEC_TURN
};

/* Seven bits a byte, low first. Writes at most CODEC_NUMBER_MAX bytes; returns how many. */
static inline size_t consumer_codec_put_number(char *out, uint64_t number) {
    size_t len = 0;
    while (number >= 0x80) {
        out[len++] = (char)(number | 0x80);
        number >>= 7;
    }
    out[len++] = (char)number;
    return len;
}

must_use int consumer_codec_add_number(struct buf *b, uint64_t number);
must_use int consumer_codec_add_time(struct buf *b, int64_t time_ns); /* 8 bytes */
must_use int consumer_codec_add_parked(struct buf *b, const struct consumer_parked *parked);
/* Bytes of a delta that says what consumer_note_done, for ack_all consumer_note_done_up_to, would;
   a delta of such bytes into BATCH. */
must_use int consumer_codec_add_done(struct buf *b, const struct consumer *c,
                                     uint64_t stream_sequence);
must_use int consumers_put_delta(struct log_batch *batch, slice delta);

/* The facts a consumer begins with, in a delta and in a snapshot. */
must_use int consumer_codec_add_birth(struct buf *b, const struct consumer *c);

/* consumer_recover.c: the log owner's three functions; SELF is struct consumers. */
int consumers_restore(void *self, slice snapshot);
int consumers_replay(void *self, slice delta, uint64_t position);
int consumers_snapshot(void *self, struct buf *out);

#endif
