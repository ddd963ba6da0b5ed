/*
 * segment_write.c - the writer's side of segments: blocks to files, and the file's first sector.
 *
 * Blocks that lie one behind the other are gathered into one buffer of SEGMENT_RUN_BYTES and
 * leave with one write; the copy costs less than a write for each small block would. A file is
 * opened, written and synced before the next one is: one handle at a time.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "log/segment_format.h"

#include <errno.h>

static const char segment_magic[8] = {'N', 'O', 'N', 'E', 'T', 'S', 'E', 'G'};

void segment_header_encode(const uint8_t log_id[LOG_ID_SIZE], uint64_t number,
                           char out[SEGMENT_HEADER_SIZE]) {
    memset(out, 0, SEGMENT_HEADER_SIZE);
    memcpy(out, segment_magic, 8);
    record_put_u32(out + 8, LOG_FORMAT_VERSION);
    memcpy(out + 16, log_id, LOG_ID_SIZE);
    record_put_u64(out + 32, number);
    record_put_u32(out + 12, crc32c_update(0, out + 16, SEGMENT_HEADER_SIZE - 16));
}

int segment_header_check(struct io_file *file, const uint8_t log_id[LOG_ID_SIZE], uint64_t number) {
    char sector[SEGMENT_HEADER_SIZE];
    size_t got = 0;
    int failed = io_file_read(file, sector, sizeof sector, 0, &got);
    if (failed)
        return failed;
    if (got < sizeof sector || memcmp(sector, segment_magic, 8) != 0)
        return -EBADMSG;
    if (record_get_u32(sector + 8) > LOG_FORMAT_VERSION &&
        record_get_u32(sector + 12) == crc32c_update(0, sector + 16, SEGMENT_HEADER_SIZE - 16))
        return -ENOTSUP;
    char expected[SEGMENT_HEADER_SIZE];
    segment_header_encode(log_id, number, expected);
    return memcmp(sector, expected, sizeof sector) == 0 ? 0 : -EBADMSG;
}

/* What has been gathered for one file and where it goes. */
struct run {
    struct io_file *file;
    char *bytes;
    size_t used;
    uint64_t offset;
};

static int run_flush(struct run *run) {
    if (!run->used)
        return 0;
    int failed = io_file_write(run->file, run->bytes, run->used, run->offset);
    run->offset += run->used;
    run->used = 0;
    return failed;
}

static int run_put(struct run *run, const char *bytes, size_t size) {
    while (size) {
        size_t part = SEGMENT_RUN_BYTES - run->used;
        if (part > size)
            part = size;
        memcpy(run->bytes + run->used, bytes, part);
        run->used += part;
        bytes += part;
        size -= part;
        int failed = run->used == SEGMENT_RUN_BYTES ? run_flush(run) : 0;
        if (failed)
            return failed;
    }
    return 0;
}

static int run_block(struct run *run, struct segment_write *write) {
    write->header.data_crc = crc32c_update(0, write->bytes, write->header.length);
    if (write->header.offset != run->offset + run->used) {
        int failed = run_flush(run);
        if (failed)
            return failed;
        run->offset = write->header.offset;
    }
    char header[BLOCK_HEADER_SIZE];
    block_header_encode(&write->header, header);
    int failed = run_put(run, header, sizeof header);
    return failed ? failed : run_put(run, write->bytes, write->header.length);
}

/* Zeros to the end of the sector, over whatever an unfinished checkpoint may have left there. */
static int run_pad(struct run *run) {
    static const char zeros[SEGMENT_HEADER_SIZE];
    size_t over = (size_t)((run->offset + run->used) % SEGMENT_HEADER_SIZE);
    return over ? run_put(run, zeros, SEGMENT_HEADER_SIZE - over) : 0;
}

/* The blocks of one segment, the first COUNT of WRITES. */
static int segment_write_file(const struct segments *s, struct segment_write *writes, size_t count,
                              char *buffer) {
    const struct segment *segment = writes[0].segment;
    char path[LOG_PATH_MAX];
    segment_path(s, segment->number, path);
    struct run run = {.bytes = buffer};
    unsigned flags = IO_FILE_WRITE | (segment->fresh ? IO_FILE_CREATE | IO_FILE_TRUNCATE : 0);
    int failed = io_file_open(s->host, path, flags, &run.file);
    if (failed)
        return failed;
    if (segment->fresh) {
        char sector[SEGMENT_HEADER_SIZE];
        segment_header_encode(s->log_id, segment->number, sector);
        failed = run_put(&run, sector, sizeof sector);
    }
    for (size_t i = 0; i < count && !failed; i++)
        failed = run_block(&run, &writes[i]);
    if (!failed)
        failed = run_pad(&run);
    if (!failed)
        failed = run_flush(&run);
    if (!failed)
        failed = io_file_sync(run.file);
    io_file_close(run.file);
    return failed;
}

int segments_write(const struct segments *s, struct segment_write *writes, size_t count) {
    char *buffer = mem_alloc(SEGMENT_RUN_BYTES);
    if (!buffer)
        return -ENOMEM;
    int failed = 0;
    bool fresh = false;
    for (size_t at = 0; at < count && !failed;) {
        size_t end = at + 1;
        while (end < count && writes[end].segment == writes[at].segment)
            end++;
        fresh |= writes[at].segment->fresh;
        failed = segment_write_file(s, writes + at, end - at, buffer);
        at = end;
    }
    if (!failed && fresh)
        failed = io_dir_sync(s->host, s->directory);
    mem_free(buffer);
    return failed;
}
