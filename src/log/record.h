/*
 * record.h - the bytes of one change: a message, or anything else a batch can hold.
 *
 *      0        4        8        12   14 15 16        24        32       40       44       48
 *      | length | crc32c | id     | sl | k f | sequence | position | time | h.len  | p.len  |
 *      | subject (sl) | headers (h.len) | payload (p.len) | zeros to a multiple of 8         |
 *
 * One layout for every kind of change, so there is one encoder, one decoder and one place where
 * lengths are judged; what a kind does not use is zero. A message lies with the very same bytes
 * in the journal, in the memory of its stream and in its segment: it is encoded once and copied.
 * Numbers are little-endian and moved by memcpy: nothing here needs alignment.
 *
 *      kind            id      sequence          time      subject  headers  payload
 *      MESSAGE         stream  its own           its own   subject  headers  payload
 *      DELETE          stream  the deleted one
 *      ERASE           stream  the deleted one, whose bytes must go, too (erase.h)
 *      ERASE           0       none: what was erased before lies in older files of the journal
 *      TRIM            stream  the first kept
 *      DELTA           owner                                                 delta
 *      PUT_STREAM      stream  first of a new    created   name     limits   config
 *      REMOVE_STREAM   stream
 *
 * The crc covers everything behind itself. The length it cannot cover is implied by the three
 * inner lengths, which it does: a record whose length is not exactly theirs is refused. So each
 * flipped bit of a record is found by record_decode.
 *
 * A kind that this version does not know is a newer format (-ENOTSUP), never skipped: skipping a
 * change would make another history of it.
 */
#ifndef NONET_LOG_RECORD_H
#define NONET_LOG_RECORD_H

#include "log/log.h"

#define RECORD_HEAD_SIZE 48u
#define RECORD_LIMITS_SIZE 32u
/* Headers and payload are bounded by LOG_MESSAGE_MAX in every kind, the subject by
   LOG_SUBJECT_MAX; so is then a record: */
#define RECORD_SIZE_MAX (RECORD_HEAD_SIZE + LOG_SUBJECT_MAX + LOG_MESSAGE_MAX + 8u)

enum record_kind {
    RECORD_MESSAGE = 1,
    RECORD_DELETE = 2,
    RECORD_TRIM = 3,
    RECORD_DELTA = 4,
    RECORD_PUT_STREAM = 5,
    RECORD_REMOVE_STREAM = 6,
    RECORD_ERASE = 7,
};

enum record_flag {
    RECORD_FLAG_IN_MEMORY = 1, /* PUT_STREAM: the stream lives in RAM only */
};

struct record {
    uint8_t kind;  /* enum record_kind */
    uint8_t flags; /* enum record_flag */
    uint32_t id;   /* of the stream or the owner */
    uint64_t sequence;
    uint64_t position;
    int64_t time_ns;
    slice subject, headers, payload; /* decoded: point into the bytes given */
};

/* Little-endian numbers at any address. */
static inline uint16_t record_get_u16(const char *at) {
    uint16_t number;
    memcpy(&number, at, sizeof number);
    return number;
}
static inline uint32_t record_get_u32(const char *at) {
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return number;
}
static inline uint64_t record_get_u64(const char *at) {
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return number;
}
static inline void record_put_u16(char *at, uint16_t number) {
    memcpy(at, &number, sizeof number);
}
static inline void record_put_u32(char *at, uint32_t number) {
    memcpy(at, &number, sizeof number);
}
static inline void record_put_u64(char *at, uint64_t number) {
    memcpy(at, &number, sizeof number);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the formats are little-endian");

/* Bytes that a record with these parts takes: a multiple of 8. */
static inline size_t record_size_of(size_t subject, size_t headers, size_t payload) {
    return (RECORD_HEAD_SIZE + subject + headers + payload + 7u) & ~(size_t)7;
}
static inline size_t record_size(const struct record *record) {
    return record_size_of(record->subject.len, record->headers.len, record->payload.len);
}

/* Are all parts within their bounds? What the encoder demands and the decoder enforces. */
bool record_fits(const struct record *record);

/* Writes record_size(RECORD) bytes at OUT. RECORD must fit (record_fits), its kind be known. */
void record_encode(const struct record *record, char *out);

/* The record at the start of BYTES; what stands behind it is not looked at. Give its length with
   record_size. CHECKED compares the crc; without it the caller has checked a crc around it.
   0, -EBADMSG (damaged or cut short) or -ENOTSUP (a kind of a newer format). */
must_use int record_decode(slice bytes, bool checked, struct record *ret_record);

/* For bytes that were decoded before: fields without another look at the rest. */
static inline uint32_t record_at_length(const char *at) {
    return record_get_u32(at);
}
static inline uint64_t record_at_sequence(const char *at) {
    return record_get_u64(at + 16);
}
static inline uint64_t record_at_position(const char *at) {
    return record_get_u64(at + 24);
}
static inline int64_t record_at_time_ns(const char *at) {
    return (int64_t)record_get_u64(at + 32);
}
static inline slice record_at_subject(const char *at) {
    return slice_make(at + RECORD_HEAD_SIZE, record_get_u16(at + 12));
}

/* A stream's limits as the headers of PUT_STREAM: OUT has RECORD_LIMITS_SIZE bytes. */
void record_put_limits(const struct log_limits *limits, char *out);
must_use int record_get_limits(slice headers, struct log_limits *ret_limits); /* 0 or -EBADMSG */

#endif
