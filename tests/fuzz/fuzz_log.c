/*
 * The log's formats on arbitrary bytes: records, file headers, groups and their batches.
 *
 *      byte 0   what the rest is: a record with its crc, one trusted, a file header, a group
 *
 * A checksum would hide everything behind it from the fuzzer, so the ones of groups and checked
 * records are put right first. What a decoder accepts must come out of the encoder the same way.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "log/journal_format.h"
#include "log/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records one behind the other, until one is refused. */
static void walk_records(slice rest, bool checked) {
    struct record record;
    while (record_decode(rest, checked, &record) == 0) {
        size_t length = record_size(&record);
        check(length <= rest.len && record_fits(&record));
        char *again = mem_alloc(length);
        check(again != NULL);
        record_encode(&record, again);
        if (checked) /* padding is under the crc, but the decoder does not ask what it is */
            check(memcmp(again + 8, rest.ptr + 8, RECORD_HEAD_SIZE - 8) == 0);
        struct record twin;
        check(record_decode(slice_make(again, length), true, &twin) == 0);
        check(twin.sequence == record.sequence && slice_equal(twin.payload, record.payload) &&
              slice_equal(twin.headers, record.headers) &&
              slice_equal(twin.subject, record.subject));
        struct log_limits limits;
        if (record.kind == RECORD_PUT_STREAM && record_get_limits(record.headers, &limits) == 0) {
            char bytes[RECORD_LIMITS_SIZE];
            record_put_limits(&limits, bytes);
            check(memcmp(bytes, record.headers.ptr, sizeof bytes) == 0);
        }
        mem_free(again);
        rest = slice_skip(rest, length);
    }
}

static void one_record(char *bytes, size_t size) {
    if (size < RECORD_HEAD_SIZE)
        return;
    size_t length = record_get_u32(bytes);
    if (length >= RECORD_HEAD_SIZE && length <= size)
        record_put_u32(bytes + 4, crc32c_update(0, bytes + 8, length - 8));
    walk_records(slice_make(bytes, size), true);
}

static void file_header(char *bytes, size_t size) {
    char sector[JOURNAL_SECTOR] = {0};
    memcpy(sector, bytes, size < sizeof sector ? size : sizeof sector);
    record_put_u32(sector + 8, crc32c_update(0, sector + 12, sizeof sector - 12));
    struct journal_header header;
    if (journal_header_decode(sector, &header) == 0)
        check(header.number > 0 && header.bytes >= 2 * JOURNAL_SECTOR);
}

static void group(const char *bytes, size_t size) {
    size_t room = journal_round_up(size < JOURNAL_SECTOR ? JOURNAL_SECTOR : size);
    char *sectors = mem_zalloc(1, room);
    check(sectors != NULL);
    memcpy(sectors, bytes, size);
    struct journal_group parsed;
    if (journal_group_peek(sectors, record_get_u64(sectors + 16), record_get_u64(sectors + 8),
                           record_get_u64(sectors + 32), room, &parsed)) {
        slice all = slice_make(sectors, parsed.length);
        record_put_u32(sectors + 4, crc32c_update(0, sectors + 8, parsed.length - 8));
        check(journal_group_check(all, &parsed) == 0);
        slice rest = slice_make(sectors + JOURNAL_GROUP_HEADER, parsed.used - JOURNAL_GROUP_HEADER);
        struct journal_batch batch;
        uint32_t batches = 0;
        while (journal_batch_next(&rest, &batch) == 0) {
            walk_records(batch.records, false);
            batches++;
        }
        if (journal_group_validate(all, &parsed) == 0)
            check(batches == parsed.batches && rest.len == 0);
    }
    mem_free(sectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t len = size - 1;
    char *bytes = mem_alloc(len); /* exactly as long: a sanitizer sees a read behind it */
    check(bytes != NULL);
    memcpy(bytes, data + 1, len);
    if (data[0] % 4 == 0)
        one_record(bytes, len);
    else if (data[0] % 4 == 1)
        walk_records(slice_make(bytes, len), false);
    else if (data[0] % 4 == 2)
        file_header(bytes, len);
    else
        group(bytes, len);
    mem_free(bytes);
    return 0;
}
