/*
 * checkpoint_file.c - the state of the log as text: DIR/checkpoint.
 *
 *      0          8         12      16       24       40         48
 *      | NONETCKP | version | crc32c | length | log id | position | body ... |
 *
 *      body      next stream id, next segment number, erasing
 *                segments: number, size, stream, flags, until
 *                streams: id, created, limits, counts, name, config,
 *                         blocks: first, last, times, count, live, length, crc, segment, offset,
 *                                 flags, the bitmap of the dead where there is one
 *                owners: id, snapshot
 *                the word END!
 *
 * The crc covers everything behind itself. Blocks in which nothing lives are not named. Numbers
 * are little-endian. Replacing goes: write checkpoint.tmp, sync, rename checkpoint to
 * checkpoint.old, rename checkpoint.tmp to checkpoint, sync the folder; whichever of it a power cut
 * leaves, `checkpoint` or else `checkpoint.old` is whole and the journal reaches back to it.
 */
#include "log/checkpoint_file.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

static const char checkpoint_magic[8] = {'N', 'O', 'N', 'E', 'T', 'C', 'K', 'P'};

/* --- writing --------------------------------------------------------------------------------- */

static int put_room(struct buf *out, size_t size, char **ret_at) {
    int failed = buf_reserve(out, size);
    if (failed)
        return failed;
    *ret_at = out->ptr + out->len;
    out->len += size;
    return 0;
}

static int put_u32(struct buf *out, uint32_t number) {
    return buf_append(out, slice_make(&number, sizeof number));
}

static int put_u64(struct buf *out, uint64_t number) {
    return buf_append(out, slice_make(&number, sizeof number));
}

static int put_text(struct buf *out, slice text) {
    int failed = put_u32(out, (uint32_t)text.len);
    return failed ? failed : buf_append(out, text);
}

static int put_segments(const struct log *log, struct buf *out) {
    const struct segments *s = &log->segments;
    size_t count_at = out->len;
    uint32_t count = 0;
    int failed = put_u32(out, 0);
    for (unsigned i = 0; i < s->count && !failed; i++) {
        const struct segment *segment = s->items[i];
        if (segment->doomed)
            continue;
        char *at = NULL;
        failed = put_room(out, CHECKPOINT_SEGMENT_SIZE, &at);
        if (failed)
            return failed;
        record_put_u64(at, segment->number);
        record_put_u64(at + 8, segment->size);
        record_put_u32(at + 16, segment->stream_id);
        record_put_u32(at + 20, (segment->sealed ? CHECKPOINT_SEALED : 0u) |
                                    (segment->doubtful ? CHECKPOINT_DOUBTFUL : 0u) |
                                    (segment->left ? CHECKPOINT_LEFT : 0u) |
                                    (segment->erase ? CHECKPOINT_ERASE : 0u));
        record_put_u64(at + 24, segment->until);
        count++;
    }
    if (!failed)
        record_put_u32(out->ptr + count_at, count);
    return failed;
}

/* The place of a block is the one it is being written to, if any. */
static int put_block(struct buf *out, const struct block *block) {
    struct segment_write *write = block->write;
    const struct segment *segment = write ? write->segment : block->segment;
    char *at = NULL;
    int failed = put_room(out, CHECKPOINT_BLOCK_SIZE, &at);
    if (failed)
        return failed;
    record_put_u64(at, block->first);
    record_put_u64(at + 8, block->last);
    record_put_u64(at + 16, (uint64_t)block->first_time);
    record_put_u64(at + 24, (uint64_t)block->last_time);
    record_put_u32(at + 32, block->live);
    record_put_u32(at + 36, block->live_bytes);
    record_put_u32(at + 40, write ? write->header.length : block->saved_length);
    record_put_u32(at + 44, block->crc);
    record_put_u64(at + 48, segment->number);
    record_put_u64(at + 56, write ? write->header.offset : block->offset);
    record_put_u32(at + 64, write ? write->header.count : block->count);
    record_put_u32(at + 68, (block->dead ? CHECKPOINT_BLOCK_DEAD : 0u) |
                                (block->map ? CHECKPOINT_BLOCK_MAP : 0u) |
                                (list_linked(&block->erase) ? CHECKPOINT_BLOCK_ERASE : 0u));
    if (write)
        write->crc_at = (size_t)(at + 44 - out->ptr);
    if (block->dead)
        failed = buf_append(out, slice_make(block->dead->words, sizeof block->dead->words));
    if (failed || !block->map)
        return failed;
    return put_text(out, slice_make(block->map->deltas, block->map->count * sizeof(uint32_t)));
}

static int put_blocks(struct buf *out, const struct log_stream *stream) {
    size_t count_at = out->len;
    uint32_t count = 0;
    int failed = put_u32(out, 0);
    for (uint32_t i = 0; i < stream->count && !failed; i++) {
        const struct block *block = stream_block(stream, i);
        if (!block->live)
            continue;
        check(block->write || (block->segment && !block_dirty(block)));
        failed = put_block(out, block);
        count++;
    }
    if (!failed)
        record_put_u32(out->ptr + count_at, count);
    return failed;
}

static int put_stream(struct buf *out, const struct log_stream *stream) {
    char *at = NULL;
    int failed = put_room(out, CHECKPOINT_STREAM_SIZE, &at);
    if (failed)
        return failed;
    const struct stream_counts *counts = &stream->staged;
    record_put_u32(at, stream->id);
    record_put_u32(at + 4, 0);
    record_put_u64(at + 8, (uint64_t)stream->created_ns);
    record_put_u64(at + 16, counts->messages);
    record_put_u64(at + 24, counts->bytes);
    record_put_u64(at + 32, counts->first);
    record_put_u64(at + 40, counts->last);
    record_put_u64(at + 48, (uint64_t)counts->last_time);
    record_put_limits(&stream->limits, at + 56);
    record_put_u64(at + 88, stream->damaged);
    record_put_u32(at + 96, stream->open ? (uint32_t)stream->open->number : 0);
    failed = put_text(out, log_stream_name(stream));
    if (!failed)
        failed = put_text(out, stream->config);
    return failed ? failed : put_blocks(out, stream);
}

static int put_streams(const struct log *log, struct buf *out) {
    size_t count_at = out->len;
    uint32_t count = 0;
    int failed = put_u32(out, 0);
    if (failed)
        return failed;
    struct list_node *node, *next;
    list_each(&log->streams, node, next) {
        const struct log_stream *stream = container_of(node, struct log_stream, node);
        if (stream->in_memory)
            continue;
        failed = put_stream(out, stream);
        if (failed)
            return failed;
        count++;
    }
    record_put_u32(out->ptr + count_at, count);
    return failed;
}

static int put_owners(const struct log *log, struct buf *out) {
    unsigned owners = log->recovering ? 0 : log->options.owner_count; /* the first has none */
    int failed = put_u32(out, owners);
    for (unsigned i = 0; i < owners && !failed; i++) {
        const struct log_owner *owner = &log->owners[i];
        failed = put_u32(out, owner->id);
        size_t length_at = out->len;
        if (!failed)
            failed = put_u64(out, 0);
        if (!failed)
            failed = owner->snapshot(owner->self, out);
        if (!failed)
            record_put_u64(out->ptr + length_at, out->len - length_at - 8);
    }
    return failed;
}

int checkpoint_encode(struct log *log, struct checkpoint *checkpoint) {
    struct buf *out = &checkpoint->text;
    char *at = NULL;
    int failed = put_room(out, CHECKPOINT_HEADER_SIZE, &at);
    if (failed)
        return failed;
    memset(at, 0, CHECKPOINT_HEADER_SIZE);
    memcpy(at, checkpoint_magic, sizeof checkpoint_magic);
    record_put_u32(at + 8, CHECKPOINT_VERSION);
    memcpy(at + 24, log->id, LOG_ID_SIZE);
    record_put_u64(at + 40, checkpoint->position);
    failed = put_u32(out, log->next_id);
    if (!failed)
        failed = put_u64(out, log->segments.next_number);
    if (!failed)
        failed = put_u32(out, log->erasure.pending ? CHECKPOINT_ERASING : 0u);
    if (!failed)
        failed = put_segments(log, out);
    if (!failed)
        failed = put_streams(log, out);
    if (!failed)
        failed = put_owners(log, out);
    return failed ? failed : put_u32(out, CHECKPOINT_END);
}

int checkpoint_replace(struct io_host *host, const char *directory, struct buf *text) {
    record_put_u64(text->ptr + 16, text->len);
    record_put_u32(text->ptr + 12, crc32c_update(0, text->ptr + 16, text->len - 16));
    char path[LOG_PATH_MAX], temporary[LOG_PATH_MAX], old[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/checkpoint", directory);
    snprintf(temporary, sizeof temporary, "%s/checkpoint.tmp", directory);
    snprintf(old, sizeof old, "%s/checkpoint.old", directory);
    struct io_file *file = NULL;
    int failed =
        io_file_open(host, temporary, IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_TRUNCATE, &file);
    if (failed)
        return failed;
    for (size_t at = 0; at < text->len && !failed; at += SEGMENT_RUN_BYTES) {
        size_t part = text->len - at < SEGMENT_RUN_BYTES ? text->len - at : SEGMENT_RUN_BYTES;
        failed = io_file_write(file, text->ptr + at, part, at);
    }
    if (!failed)
        failed = io_file_sync(file);
    io_file_close(file);
    if (failed)
        return failed;
    failed = io_rename(host, path, old);
    if (failed && failed != -ENOENT) /* the very first has no predecessor */
        return failed;
    failed = io_rename(host, temporary, path);
    return failed ? failed : io_dir_sync(host, directory);
}

int checkpoint_header_check(slice text, struct checkpoint_header *ret_header) {
    if (text.len < CHECKPOINT_HEADER_SIZE ||
        memcmp(text.ptr, checkpoint_magic, sizeof checkpoint_magic) != 0 ||
        record_get_u64(text.ptr + 16) != text.len ||
        record_get_u32(text.ptr + 12) != crc32c_update(0, text.ptr + 16, text.len - 16))
        return -EBADMSG;
    ret_header->version = record_get_u32(text.ptr + 8);
    if (ret_header->version > CHECKPOINT_VERSION)
        return -ENOTSUP;
    if (ret_header->version == 0)
        return -EBADMSG;
    memcpy(ret_header->log_id, text.ptr + 24, LOG_ID_SIZE);
    ret_header->position = record_get_u64(text.ptr + 40);
    return 0;
}
