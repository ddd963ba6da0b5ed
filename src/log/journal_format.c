/*
 * journal_format.c - encodes and judges the formats drawn in journal_format.h.
 *
 * Two steps on purpose: peek looks at one sector and is cheap and strict, so that a search through
 * old bytes seldom has to compute the crc of what only looks like a group; check and validate then
 * prove it. A group whose crc is good but whose inside contradicts itself was written by a bug (or
 * forged by somebody who knows the log id) and is damage all the same.
 */
#include "log/journal_format.h"

#include "base/crc32c.h"
#include "log/record.h"

#include <errno.h>

static const char file_magic[8] = {'N', 'O', 'N', 'E', 'T', 'J', 'N', 'L'};
#define GROUP_MAGIC 0x47524a4eu /* "NJRG" */
#define HEADER_CRC_FROM 12u
#define GROUP_CRC_FROM 8u

void journal_header_encode(const struct journal_header *header, char *out) {
    memset(out, 0, JOURNAL_SECTOR);
    memcpy(out, file_magic, sizeof file_magic);
    record_put_u32(out + 12, JOURNAL_VERSION);
    record_put_u64(out + 16, header->log_id);
    record_put_u64(out + 24, header->number);
    record_put_u64(out + 32, header->bytes);
    record_put_u32(out + 8,
                   crc32c_update(0, out + HEADER_CRC_FROM, JOURNAL_SECTOR - HEADER_CRC_FROM));
}

int journal_header_decode(const char *sector, struct journal_header *ret_header) {
    uint32_t crc = crc32c_update(0, sector + HEADER_CRC_FROM, JOURNAL_SECTOR - HEADER_CRC_FROM);
    if (memcmp(sector, file_magic, sizeof file_magic) != 0 || record_get_u32(sector + 8) != crc)
        return -EBADMSG;
    if (record_get_u32(sector + 12) > JOURNAL_VERSION)
        return -ENOTSUP;
    struct journal_header header = {
        .log_id = record_get_u64(sector + 16),
        .number = record_get_u64(sector + 24),
        .bytes = record_get_u64(sector + 32),
    };
    if (header.number == 0 || header.bytes % JOURNAL_SECTOR || header.bytes < 2 * JOURNAL_SECTOR)
        return -EBADMSG;
    *ret_header = header;
    return 0;
}

void journal_group_encode(const struct journal_group *group, char *bytes) {
    check(group->used >= JOURNAL_GROUP_HEADER && group->used <= group->length);
    check(group->length == journal_round_up(group->used));
    memset(bytes + group->used, 0, group->length - group->used);
    record_put_u32(bytes, GROUP_MAGIC);
    record_put_u64(bytes + 8, group->file);
    record_put_u64(bytes + 16, group->log_id);
    record_put_u64(bytes + 24, group->number);
    record_put_u64(bytes + 32, group->offset);
    record_put_u64(bytes + 40, group->first_position);
    record_put_u64(bytes + 48, group->last_position);
    record_put_u32(bytes + 56, group->length);
    record_put_u32(bytes + 60, group->used);
    record_put_u32(bytes + 64, group->batches);
    record_put_u32(bytes + 68, group->flags);
    record_put_u64(bytes + 72, group->previous_file);
    record_put_u64(bytes + 80, group->previous_offset);
    record_put_u32(bytes + 4,
                   crc32c_update(0, bytes + GROUP_CRC_FROM, group->length - GROUP_CRC_FROM));
}

bool journal_group_peek(const char *sector, uint64_t log_id, uint64_t file, uint64_t offset,
                        uint64_t room, struct journal_group *ret_group) {
    if (record_get_u32(sector) != GROUP_MAGIC || record_get_u64(sector + 8) != file ||
        record_get_u64(sector + 16) != log_id || record_get_u64(sector + 32) != offset)
        return false;
    struct journal_group group = {
        .log_id = log_id,
        .file = file,
        .offset = offset,
        .number = record_get_u64(sector + 24),
        .first_position = record_get_u64(sector + 40),
        .last_position = record_get_u64(sector + 48),
        .length = record_get_u32(sector + 56),
        .used = record_get_u32(sector + 60),
        .batches = record_get_u32(sector + 64),
        .flags = record_get_u32(sector + 68),
        .previous_file = record_get_u64(sector + 72),
        .previous_offset = record_get_u64(sector + 80),
    };
    if (group.used < JOURNAL_GROUP_HEADER || group.length != journal_round_up(group.used) ||
        group.length > room)
        return false;
    *ret_group = group;
    return true;
}

int journal_group_check(slice bytes, const struct journal_group *group) {
    check(bytes.len == group->length);
    uint32_t crc = crc32c_update(0, bytes.ptr + GROUP_CRC_FROM, bytes.len - GROUP_CRC_FROM);
    return record_get_u32(bytes.ptr + 4) == crc ? 0 : -EBADMSG;
}

int journal_batch_next(slice *rest, struct journal_batch *ret_batch) {
    if (rest->len == 0)
        return -ENOENT;
    if (rest->len < JOURNAL_BATCH_HEADER)
        return -EBADMSG;
    size_t length = record_get_u32(rest->ptr);
    uint32_t changes = record_get_u32(rest->ptr + 4);
    if (length < JOURNAL_BATCH_HEADER || length > rest->len || length % 8 != 0 ||
        changes > LOG_BATCH_CHANGES_MAX)
        return -EBADMSG;
    *ret_batch = (struct journal_batch){
        .position = record_get_u64(rest->ptr + 8),
        .changes = changes,
        .records = slice_make(rest->ptr + JOURNAL_BATCH_HEADER, length - JOURNAL_BATCH_HEADER),
    };
    *rest = slice_skip(*rest, length);
    return 0;
}

void journal_batch_encode(uint64_t position, uint32_t changes, size_t record_bytes, char *out) {
    record_put_u32(out, (uint32_t)(record_bytes + JOURNAL_BATCH_HEADER));
    record_put_u32(out + 4, changes);
    record_put_u64(out + 8, position);
}

int journal_group_validate(slice bytes, const struct journal_group *group) {
    slice rest = slice_make(bytes.ptr + JOURNAL_GROUP_HEADER, group->used - JOURNAL_GROUP_HEADER);
    struct journal_batch batch;
    uint64_t next = group->first_position;
    uint32_t batches = 0;
    int failed;
    while ((failed = journal_batch_next(&rest, &batch)) == 0) {
        if (batch.position < next || batch.position > group->last_position)
            return -EBADMSG;
        next = batch.position + 1;
        batches++;
    }
    if (failed != -ENOENT || batches != group->batches)
        return -EBADMSG;
    bool seal = group->flags & JOURNAL_GROUP_SEAL;
    bool ordered = group->number > 0 && group->first_position > 0 &&
                   group->last_position >= group->first_position - 1;
    return ordered && seal == (batches == 0) && (group->flags & ~(uint32_t)JOURNAL_GROUP_SEAL) == 0
               ? 0
               : -EBADMSG;
}
