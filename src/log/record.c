/*
 * record.c - encodes and decodes the one layout drawn in record.h.
 *
 * The decoder trusts nothing: every length is judged before it is used to reach further, and the
 * whole must be exactly what its parts say. It allocates nothing and copies nothing.
 */
#include "log/record.h"

#include "base/crc32c.h"

#include <errno.h>

#define CRC_AT 4u
#define CRC_FROM 8u

static bool kind_known(unsigned kind) {
    return kind >= RECORD_MESSAGE && kind <= RECORD_ERASE;
}

bool record_fits(const struct record *record) {
    return record->subject.len <= LOG_SUBJECT_MAX && record->headers.len <= LOG_MESSAGE_MAX &&
           record->payload.len <= LOG_MESSAGE_MAX - record->headers.len;
}

static char *put_part(char *out, slice part) {
    if (part.len)
        memcpy(out, part.ptr, part.len);
    return out + part.len;
}

void record_encode(const struct record *record, char *out) {
    check(kind_known(record->kind) && record_fits(record));
    size_t size = record_size(record);
    record_put_u64(out + size - 8, 0); /* the padding; what is not padding is overwritten */
    record_put_u32(out, (uint32_t)size);
    record_put_u32(out + 8, record->id);
    record_put_u16(out + 12, (uint16_t)record->subject.len);
    out[14] = (char)record->kind;
    out[15] = (char)record->flags;
    record_put_u64(out + 16, record->sequence);
    record_put_u64(out + 24, record->position);
    record_put_u64(out + 32, (uint64_t)record->time_ns);
    record_put_u32(out + 40, (uint32_t)record->headers.len);
    record_put_u32(out + 44, (uint32_t)record->payload.len);
    char *end = put_part(out + RECORD_HEAD_SIZE, record->subject);
    end = put_part(end, record->headers);
    end = put_part(end, record->payload);
    check(end <= out + size && end + 8 > out + size);
    record_put_u32(out + CRC_AT, crc32c_update(0, out + CRC_FROM, size - CRC_FROM));
}

int record_decode(slice bytes, bool checked, struct record *ret_record) {
    if (bytes.len < RECORD_HEAD_SIZE)
        return -EBADMSG;
    const char *at = bytes.ptr;
    size_t length = record_get_u32(at);
    size_t subject = record_get_u16(at + 12);
    size_t headers = record_get_u32(at + 40);
    size_t payload = record_get_u32(at + 44);
    if (subject > LOG_SUBJECT_MAX || headers > LOG_MESSAGE_MAX ||
        payload > LOG_MESSAGE_MAX - headers || length > bytes.len ||
        length != record_size_of(subject, headers, payload))
        return -EBADMSG;
    if (checked &&
        record_get_u32(at + CRC_AT) != crc32c_update(0, at + CRC_FROM, length - CRC_FROM))
        return -EBADMSG;
    if (!kind_known((unsigned char)at[14]))
        return -ENOTSUP;
    at += RECORD_HEAD_SIZE;
    *ret_record = (struct record){
        .kind = (unsigned char)bytes.ptr[14],
        .flags = (unsigned char)bytes.ptr[15],
        .id = record_get_u32(bytes.ptr + 8),
        .sequence = record_at_sequence(bytes.ptr),
        .position = record_at_position(bytes.ptr),
        .time_ns = record_at_time_ns(bytes.ptr),
        .subject = slice_make(at, subject),
        .headers = slice_make(at + subject, headers),
        .payload = slice_make(at + subject + headers, payload),
    };
    return 0;
}

void record_put_limits(const struct log_limits *limits, char *out) {
    record_put_u64(out, limits->messages_max);
    record_put_u64(out + 8, limits->bytes_max);
    record_put_u64(out + 16, limits->messages_per_subject_max);
    record_put_u64(out + 24, limits->age_max_ns);
}

int record_get_limits(slice headers, struct log_limits *ret_limits) {
    if (headers.len != RECORD_LIMITS_SIZE)
        return -EBADMSG;
    *ret_limits = (struct log_limits){
        .messages_max = record_get_u64(headers.ptr),
        .bytes_max = record_get_u64(headers.ptr + 8),
        .messages_per_subject_max = record_get_u64(headers.ptr + 16),
        .age_max_ns = record_get_u64(headers.ptr + 24),
    };
    return 0;
}
