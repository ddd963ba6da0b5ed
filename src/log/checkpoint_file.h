/*
 * checkpoint_file.h - the parts of DIR/checkpoint, as recovery and `log verify` read them.
 *
 * The text is under one crc, so what is read here was written by us; lengths are judged all the
 * same, because a bug of yesterday's version must end in an error and not in a crash. A reader
 * that ran past the end, or met a number that cannot be, turns `bad` and gives zeros from then on.
 */
#ifndef NONET_LOG_CHECKPOINT_FILE_H
#define NONET_LOG_CHECKPOINT_FILE_H

#include "log/log_data.h"

#define CHECKPOINT_VERSION 2u /* 1: without `erasing` and `until`; still read */
#define CHECKPOINT_HEADER_SIZE 48u
#define CHECKPOINT_SEGMENT_SIZE 32u
#define CHECKPOINT_STREAM_SIZE 100u
#define CHECKPOINT_BLOCK_SIZE 72u
#define CHECKPOINT_END 0x21444e45u /* "END!" */

#define CHECKPOINT_BLOCK_DEAD 1u /* its bitmap follows */
#define CHECKPOINT_BLOCK_MAP 2u  /* its map follows: count, deltas */
#define CHECKPOINT_BLOCK_ERASE 4u
#define CHECKPOINT_SEALED 1u
#define CHECKPOINT_DOUBTFUL 2u
#define CHECKPOINT_LEFT 4u
#define CHECKPOINT_ERASE 8u
#define CHECKPOINT_ERASING 1u

struct checkpoint_header {
    uint8_t log_id[LOG_ID_SIZE];
    uint64_t position;
    uint32_t version; /* for the reader of what follows */
};
/* 0, -EBADMSG, or -ENOTSUP (a newer format). */
must_use int checkpoint_header_check(slice text, struct checkpoint_header *ret_header);

struct checkpoint_reader {
    slice rest;
    bool bad;
    uint32_t version;
};
/* Of a TEXT that checkpoint_header_check has passed: reads behind the header. */
struct checkpoint_reader checkpoint_reader_make(slice text, const struct checkpoint_header *header);
uint32_t checkpoint_read_u32(struct checkpoint_reader *reader);
uint64_t checkpoint_read_u64(struct checkpoint_reader *reader);
slice checkpoint_read_bytes(struct checkpoint_reader *reader, uint64_t size);

struct checkpoint_counters {
    uint32_t next_id;
    uint64_t next_segment;
    bool erasing;
    uint32_t segments; /* that follow; not more than there is text for */
};
struct checkpoint_counters checkpoint_read_counters(struct checkpoint_reader *reader);

struct checkpoint_segment {
    uint64_t number, size, until;
    uint32_t stream_id;
    bool sealed, doubtful, left, erase;
};
struct checkpoint_segment checkpoint_read_segment(struct checkpoint_reader *reader);

struct checkpoint_stream {
    uint32_t id, open_segment;
    int64_t created_ns;
    struct stream_counts counts;
    struct log_limits limits;
    uint64_t damaged;
    slice name, config;
    uint32_t blocks; /* that follow */
};
struct checkpoint_stream checkpoint_read_stream(struct checkpoint_reader *reader);

struct checkpoint_block {
    uint64_t first, last, segment, offset;
    int64_t first_time, last_time;
    uint32_t live, live_bytes, length, crc, count;
    bool erase;
    slice dead; /* the words of the bitmap, or empty */
    slice map;  /* the deltas, 32 bits each, or empty */
};
struct checkpoint_block checkpoint_read_block(struct checkpoint_reader *reader);

#endif
